"""Losses as modules: the settings are kept, the computation is in ``functional``."""

from typing import Any

from ..autograd import Tensor
from . import functional as F
from .functional.losses import check_reduction
from .module import Module
from .parameter import Buffer


class _Loss(Module):
    def __init__(self, reduction: str = "mean"):
        super().__init__()
        self.reduction = check_reduction(type(self).__name__, reduction)

    def _keep(self, **constants: Any) -> None:
        """Constants such as class weights: moved with the module, not saved with it."""
        for name, value in constants.items():
            kept = None if value is None else Buffer(value.data if isinstance(value, Tensor) else value, persistent=False)
            self.register_buffer(name, kept, persistent=False)


class MSELoss(_Loss):
    """(input - target)^2. Shapes: both the same; nothing is broadcast."""

    def forward(self, input: Any, target: Any) -> Any:
        return F.mse_loss(input, target, self.reduction)


class L1Loss(_Loss):
    """|input - target|. Shapes: both the same; nothing is broadcast."""

    def forward(self, input: Any, target: Any) -> Any:
        return F.l1_loss(input, target, self.reduction)


class HuberLoss(_Loss):
    """(input - target)^2 / 2 within delta, delta (|input - target| - delta / 2) outside. Huber 1964."""

    def __init__(self, reduction: str = "mean", delta: float = 1.0):
        super().__init__(reduction)
        self.delta = delta

    def forward(self, input: Any, target: Any) -> Any:
        return F.huber_loss(input, target, self.reduction, self.delta)


class SmoothL1Loss(_Loss):
    """HuberLoss divided by its delta, which is called beta here; 0 is L1Loss."""

    def __init__(self, reduction: str = "mean", beta: float = 1.0):
        super().__init__(reduction)
        self.beta = beta

    def forward(self, input: Any, target: Any) -> Any:
        return F.smooth_l1_loss(input, target, self.reduction, self.beta)


class CrossEntropyLoss(_Loss):
    """-log softmax(input)[target], from unnormalised logits; see ``functional.cross_entropy``.

    Shapes: input (N, C), (N, C, d1, ...) or (C,); target the same without C (class indices), or like input (probabilities).

    Args:
        weight: one factor per class.
        ignore_index: rows with this label count for nothing.
        reduction: "mean", "sum" or "none".
        label_smoothing: how much of each target is spread evenly over the classes.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> round(nn.CrossEntropyLoss()(mg.tensor([[2.0, 0.0]]), mg.tensor([0])).item(), 4)
        0.1269
    """

    def __init__(self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0):
        super().__init__(reduction)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing
        self._keep(weight=weight)

    def forward(self, input: Any, target: Any) -> Any:
        return F.cross_entropy(input, target, self.weight, self.ignore_index, self.reduction, self.label_smoothing)


class NLLLoss(_Loss):
    """-input[target], from log-probabilities. Shapes and settings: as CrossEntropyLoss, with class indices."""

    def __init__(self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean"):
        super().__init__(reduction)
        self.ignore_index = ignore_index
        self._keep(weight=weight)

    def forward(self, input: Any, target: Any) -> Any:
        return F.nll_loss(input, target, self.weight, self.ignore_index, self.reduction)


class BCELoss(_Loss):
    """-(target log input + (1 - target) log(1 - input)), from probabilities; logarithms are cut off at -100."""

    def __init__(self, weight: Any = None, reduction: str = "mean"):
        super().__init__(reduction)
        self._keep(weight=weight)

    def forward(self, input: Any, target: Any) -> Any:
        return F.binary_cross_entropy(input, target, self.weight, self.reduction)


class BCEWithLogitsLoss(_Loss):
    """BCELoss of sigmoid(input), exact for logits of any size. ``pos_weight`` multiplies the part of the ones."""

    def __init__(self, weight: Any = None, reduction: str = "mean", pos_weight: Any = None):
        super().__init__(reduction)
        self._keep(weight=weight, pos_weight=pos_weight)

    def forward(self, input: Any, target: Any) -> Any:
        return F.binary_cross_entropy_with_logits(input, target, self.weight, self.reduction, self.pos_weight)


__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "HuberLoss",
    "L1Loss",
    "MSELoss",
    "NLLLoss",
    "SmoothL1Loss",
]
