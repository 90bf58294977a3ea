"""Losses of scores against classes."""

from typing import Any

from ...autograd.arguments import number
from ...ops.fused import check_probability
from .. import functional as F
from ..functional.targets import check_not_negative
from .reduction import Loss


class CrossEntropyLoss(Loss):
    """-log softmax(input)[target], from unnormalised logits; see ``functional.cross_entropy``.

    Shapes: input (N, C), (N, C, d1, ...) or (C,); target the same without C (class indices), or like input (probabilities).

    Args:
        weight: one factor per class.
        ignore_index: rows with this label count for nothing.
        reduction: "mean", "sum" or "none". The mean of no rows is 0 with gradient 0.
        label_smoothing: how much of each target is spread evenly over the classes.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> round(nn.CrossEntropyLoss()(mg.tensor([[2.0, 0.0]]), mg.tensor([0])).item(), 4)
        0.1269
    """

    def __init__(self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0):
        label_smoothing = check_probability("CrossEntropyLoss", label_smoothing, "label_smoothing")
        super().__init__(reduction)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing
        self._keep(weight=weight)

    def forward(self, input: Any, target: Any) -> Any:
        return F.cross_entropy(input, target, self.weight, self.ignore_index, self.reduction, self.label_smoothing)


class NLLLoss(Loss):
    """-input[target], from log-probabilities; see ``functional.nll_loss``.

    Shapes and settings: as CrossEntropyLoss, with class indices and without smoothing.

    Source:
        Good, "Rational decisions", 1952: the logarithmic score.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.NLLLoss()(mg.tensor([[-0.25, -1.5]]), mg.tensor([1])).item()
        1.5
    """

    def __init__(self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean"):
        super().__init__(reduction)
        self.ignore_index = ignore_index
        self._keep(weight=weight)

    def forward(self, input: Any, target: Any) -> Any:
        return F.nll_loss(input, target, self.weight, self.ignore_index, self.reduction)


class BCELoss(Loss):
    """-(target log input + (1 - target) log(1 - input)), from probabilities; see ``functional.binary_cross_entropy``.

    Shapes: both the same; nothing is broadcast.

    Args:
        weight: a factor for each loss; broadcasts to the input.
        reduction: "mean", "sum" or "none".

    Numerics: logarithms are cut off at -100; BCEWithLogitsLoss needs no such thing.
    Source:
        Good, "Rational decisions", 1952: the logarithmic score.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> round(nn.BCELoss()(mg.tensor([0.5]), mg.tensor([1.0])).item(), 4)
        0.6931
    """

    def __init__(self, weight: Any = None, reduction: str = "mean"):
        super().__init__(reduction)
        self._keep(weight=weight)

    def forward(self, input: Any, target: Any) -> Any:
        return F.binary_cross_entropy(input, target, self.weight, self.reduction)


class BCEWithLogitsLoss(Loss):
    """BCELoss of sigmoid(input), exact for logits of any size; see ``functional.binary_cross_entropy_with_logits``.

    Shapes: both the same; nothing is broadcast.

    Args:
        weight: a factor for each loss; broadcasts to the input.
        reduction: "mean", "sum" or "none".
        pos_weight: multiplies the part of the ones; broadcasts to the input.

    Source:
        Good, "Rational decisions", 1952: the logarithmic score.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.BCEWithLogitsLoss()(mg.tensor([1e4]), mg.tensor([0.0])).item()
        10000.0
    """

    def __init__(self, weight: Any = None, reduction: str = "mean", pos_weight: Any = None):
        super().__init__(reduction)
        self._keep(weight=weight, pos_weight=pos_weight)

    def forward(self, input: Any, target: Any) -> Any:
        return F.binary_cross_entropy_with_logits(input, target, self.weight, self.reduction, self.pos_weight)


class MultiMarginLoss(Loss):
    """sum over i != y of max(0, margin - input[y] + input[i])^p / C, where y is the target; see ``functional.multi_margin_loss``.

    Shapes: input (N, C) or (C,); target (N,) or (), integers.

    Args:
        p: 1 or 2.
        margin: by how much the right score is to be the largest.
        weight: one factor per class.
        reduction: "mean", "sum" or "none".

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.MultiMarginLoss()(mg.tensor([[1.0, 0.5]]), mg.tensor([0])).item()
        0.25
    """

    def __init__(self, p: int = 1, margin: float = 1.0, weight: Any = None, reduction: str = "mean"):
        if p not in (1, 2):
            raise ValueError(f"MultiMarginLoss: p must be 1 or 2, got {p}")
        super().__init__(reduction)
        self.p, self.margin = p, number("MultiMarginLoss", "margin", margin)
        self._keep(weight=weight)

    def forward(self, input: Any, target: Any) -> Any:
        return F.multi_margin_loss(input, target, self.p, self.margin, self.weight, self.reduction)


class MultiLabelMarginLoss(Loss):
    """sum over labels y and other classes i of max(0, 1 - input[y] + input[i]) / C; see ``functional.multilabel_margin_loss``.

    Shapes: input (N, C) or (C,); target the same, integers: the labels of a row, then -1.

    Args:
        reduction: "mean", "sum" or "none".

    Source:
        Elisseeff and Weston, "A kernel method for multi-labelled classification", 2001, for the pairs; summed as in PyTorch.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.MultiLabelMarginLoss()(mg.tensor([0.0, 0.5, 2.0]), mg.tensor([2, 0, -1])).item()
        0.5
    """

    def forward(self, input: Any, target: Any) -> Any:
        return F.multilabel_margin_loss(input, target, self.reduction)


class SoftMarginLoss(Loss):
    """log(1 + exp(-target input)), where the target is 1 or -1; see ``functional.soft_margin_loss``.

    Shapes: both the same; nothing is broadcast.

    Args:
        reduction: "mean", "sum" or "none".

    Source:
        Cox, "The regression analysis of binary sequences", 1958: the logistic loss, for labels -1 and 1.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> round(nn.SoftMarginLoss()(mg.tensor([0.0]), mg.tensor([1])).item(), 4)
        0.6931
    """

    def forward(self, input: Any, target: Any) -> Any:
        return F.soft_margin_loss(input, target, self.reduction)


class MultiLabelSoftMarginLoss(Loss):
    """BCEWithLogitsLoss, averaged over the classes of each row; see ``functional.multilabel_soft_margin_loss``.

    Shapes: input (..., C); target the same, 1 for each label and 0 for the other classes.

    Args:
        weight: one factor per class.
        reduction: "mean", "sum" or "none"; of the rows' losses.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.MultiLabelSoftMarginLoss()(mg.tensor([[1000.0, 1000.0]]), mg.tensor([[1.0, 0.0]])).item()
        500.0
    """

    def __init__(self, weight: Any = None, reduction: str = "mean"):
        super().__init__(reduction)
        self._keep(weight=weight)

    def forward(self, input: Any, target: Any) -> Any:
        return F.multilabel_soft_margin_loss(input, target, self.weight, self.reduction)


class FocalLoss(Loss):
    """-alpha (1 - p)^gamma log p, where p is what the logits give to the target, binary or of classes; see ``functional.focal_loss``.

    Shapes: target like input (binary), or without the class axis of input (N, C) or (N, C, d1, ...) (class indices).

    Args:
        alpha: None; the factor of the ones (binary); or one factor per class, saved with the module.
        gamma: how little the easy examples count.
        ignore_index: rows with this class index count for nothing.
        reduction: "mean", "sum" or "none".

    Source:
        Lin et al., "Focal loss for dense object detection", 2017, eq. 5.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> round(nn.FocalLoss()(mg.tensor([[0.0, 0.0]]), mg.tensor([1])).item(), 4)
        0.1733
    """

    def __init__(self, alpha: Any = None, gamma: float = 2.0, ignore_index: int = -100, reduction: str = "mean"):
        gamma = check_not_negative("FocalLoss", gamma=gamma)
        super().__init__(reduction)
        self.gamma, self.ignore_index = gamma, ignore_index
        if isinstance(alpha, (int, float)):
            if not 0 <= alpha <= 1:
                raise ValueError(f"FocalLoss: alpha of a binary target must be in [0, 1], got {alpha}")
            self.alpha = alpha
        else:
            self._keep(alpha=alpha)

    def forward(self, input: Any, target: Any) -> Any:
        return F.focal_loss(input, target, self.alpha, self.gamma, self.ignore_index, self.reduction)


class DiceLoss(Loss):
    """1 - 2 sum(p t) / (sum(p^2) + sum(t^2)), the overlap that two masks lack; see ``functional.dice_loss``.

    Shapes: input (N, C, d1, ...), probabilities; target the same, or (N, d1, ...) of class indices; the losses (N, C).

    Args:
        smooth: added above and below the line; 0 is the paper's.
        reduction: "mean", "sum" or "none".

    Source:
        Milletari, Navab and Ahmadi, "V-Net", 2016, section 3; this is 1 - their overlap.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.DiceLoss()(mg.tensor([[[1.0, 0.0]]]), mg.tensor([[[1.0, 0.0]]])).item()
        0.0
    """

    def __init__(self, smooth: float = 1.0, reduction: str = "mean"):
        smooth = check_not_negative("DiceLoss", smooth=smooth)
        super().__init__(reduction)
        self.smooth = smooth

    def forward(self, input: Any, target: Any) -> Any:
        return F.dice_loss(input, target, self.smooth, self.reduction)


__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "DiceLoss",
    "FocalLoss",
    "MultiLabelMarginLoss",
    "MultiLabelSoftMarginLoss",
    "MultiMarginLoss",
    "NLLLoss",
    "SoftMarginLoss",
]
