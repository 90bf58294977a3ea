"""Losses of numbers against numbers."""

from typing import Any

from .. import functional as F
from ..functional.targets import check_not_negative, check_positive, check_reduction
from .reduction import Loss


class MSELoss(Loss):
    """The squared error, (input - target)^2; see ``functional.mse_loss``.

    Shapes: both the same; nothing is broadcast.

    Args:
        reduction: "mean", "sum" or "none".

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.MSELoss()(mg.tensor([1.0, 2.0]), mg.tensor([1.0, 4.0])).item()
        2.0
    """

    def forward(self, input: Any, target: Any) -> Any:
        return F.mse_loss(input, target, self.reduction)


class L1Loss(Loss):
    """The absolute error, |input - target|; see ``functional.l1_loss``.

    Shapes: both the same; nothing is broadcast.

    Args:
        reduction: "mean", "sum" or "none".

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.L1Loss(reduction="sum")(mg.tensor([1.0, 2.0]), mg.tensor([1.0, 4.0])).item()
        2.0
    """

    def forward(self, input: Any, target: Any) -> Any:
        return F.l1_loss(input, target, self.reduction)


class HuberLoss(Loss):
    """(input - target)^2 / 2 within delta, delta (|input - target| - delta / 2) outside; see ``functional.huber_loss``.

    Shapes: both the same; nothing is broadcast.

    Args:
        reduction: "mean", "sum" or "none".
        delta: where the parabola becomes a line; above 0.

    Source:
        Huber, "Robust estimation of a location parameter", 1964.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.HuberLoss()(mg.tensor([3.0]), mg.tensor([0.0])).item()
        2.5
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0):
        delta = check_positive("HuberLoss", delta=delta)
        super().__init__(reduction)
        self.delta = delta

    def forward(self, input: Any, target: Any) -> Any:
        return F.huber_loss(input, target, self.reduction, self.delta)


class SmoothL1Loss(Loss):
    """HuberLoss divided by its delta, which is called beta here; 0 makes it L1Loss. See ``functional.smooth_l1_loss``.

    Shapes: both the same; nothing is broadcast.

    Args:
        reduction: "mean", "sum" or "none".
        beta: where the parabola becomes a line; 0 or above.

    Source:
        Girshick, "Fast R-CNN", 2015, eq. 3.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.SmoothL1Loss(beta=2.0)(mg.tensor([3.0]), mg.tensor([0.0])).item()
        2.0
    """

    def __init__(self, reduction: str = "mean", beta: float = 1.0):
        beta = check_not_negative("SmoothL1Loss", beta=beta)
        super().__init__(reduction)
        self.beta = beta

    def forward(self, input: Any, target: Any) -> Any:
        return F.smooth_l1_loss(input, target, self.reduction, self.beta)


class LogCoshLoss(Loss):
    """log cosh(input - target), a smooth HuberLoss; see ``functional.log_cosh_loss``.

    Shapes: both the same; nothing is broadcast.

    Args:
        reduction: "mean", "sum" or "none".

    Source:
        Saleh and Saleh, "Statistical properties of the log-cosh loss function used in machine learning", 2022, eq. 2.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> round(nn.LogCoshLoss()(mg.tensor([1.0]), mg.tensor([0.0])).item(), 4)
        0.4338
    """

    def forward(self, input: Any, target: Any) -> Any:
        return F.log_cosh_loss(input, target, self.reduction)


class KLDivLoss(Loss):
    """The divergence of the target from the input, target (log target - input), the input log-probabilities; see ``functional.kl_div``.

    Shapes: both the same; nothing is broadcast.

    Args:
        reduction: "batchmean" (the divergence itself, over the batch), "mean" (over all numbers), "sum" or "none".
        log_target: whether the target is given as logarithms.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> p = mg.tensor([[0.5, 0.5]])
        >>> nn.KLDivLoss(reduction="batchmean")(mg.log(p), p).item()
        0.0
    """

    def __init__(self, reduction: str = "mean", log_target: bool = False):
        check_reduction("KLDivLoss", reduction, "batchmean")
        super().__init__("sum" if reduction == "batchmean" else reduction)
        self.reduction, self.log_target = reduction, log_target

    def forward(self, input: Any, target: Any) -> Any:
        return F.kl_div(input, target, self.reduction, self.log_target)


class PoissonNLLLoss(Loss):
    """exp(input) - target input, for counts with the input as the logarithm of their rate; see ``functional.poisson_nll_loss``.

    Shapes: both the same; nothing is broadcast.

    Args:
        log_input: False: the input is the rate itself.
        full: add Stirling's approximation of log(target!).
        eps: keeps the logarithm of a rate of 0 finite.
        reduction: "mean", "sum" or "none".

    Source:
        Nelder and Wedderburn, "Generalized linear models", 1972.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.PoissonNLLLoss()(mg.tensor([0.0]), mg.tensor([3.0])).item()
        1.0
    """

    def __init__(self, log_input: bool = True, full: bool = False, eps: float = 1e-8, reduction: str = "mean"):
        eps = check_positive("PoissonNLLLoss", eps=eps)
        super().__init__(reduction)
        self.log_input, self.full, self.eps = log_input, full, eps

    def forward(self, log_input: Any, target: Any) -> Any:
        return F.poisson_nll_loss(log_input, target, self.log_input, self.full, self.eps, self.reduction)


class GaussianNLLLoss(Loss):
    """(log var + (input - target)^2 / var) / 2; see ``functional.gaussian_nll_loss``.

    Shapes: input and target the same; var too, or without their last axis, or with length 1 in some axes, or one number.

    Args:
        full: add the constant log(2 pi) / 2.
        eps: variances below are taken to be eps.
        reduction: "mean", "sum" or "none".

    Source:
        Nix and Weigend, "Estimating the mean and variance of the target probability distribution", 1994, eq. 3.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.GaussianNLLLoss()(mg.tensor([1.0]), mg.tensor([3.0]), mg.tensor([1.0])).item()
        2.0
    """

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean"):
        eps = check_positive("GaussianNLLLoss", eps=eps)
        super().__init__(reduction)
        self.full, self.eps = full, eps

    def forward(self, input: Any, target: Any, var: Any) -> Any:
        return F.gaussian_nll_loss(input, target, var, self.full, self.eps, self.reduction)


__all__ = [
    "GaussianNLLLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "LogCoshLoss",
    "MSELoss",
    "PoissonNLLLoss",
    "SmoothL1Loss",
]
