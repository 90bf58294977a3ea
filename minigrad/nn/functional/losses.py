"""Losses of numbers and of classes; their form with state is in ``nn.loss``."""

from typing import Any

from ... import ops
from ...autograd.tensor import Tensor, raw, wrap
from ...backend.arrays import namespace
from ...errors import ShapeError
from ...ops.activation import logsigmoid
from ...ops.arithmetic import minimum
from ...ops.indexing import take_along_axis
from ...ops.losses import checked_labels, class_weights, given, reduced, surprise
from ...ops.powers import square
from ...ops.shape import reshape


def check_reduction(who: str, reduction: str) -> str:
    """The reduction itself; ValueError unless it is one."""
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{who}: reduction must be 'none', 'mean' or 'sum', got {reduction!r}")
    return reduction


# -- losses -----------------------------------------------------------------------------------------------------------
def _pair(who: str, input: Any, target: Any) -> tuple[Any, Any]:
    """Both as arrays or Tensors of one shape: broadcasting (N, 1) against (N,) would be a wrong loss that looks right."""
    input, target = given(input), given(target)
    if tuple(input.shape) != tuple(target.shape):
        raise ShapeError(
            f"{who}: input {tuple(input.shape)} and target {tuple(target.shape)} must have the same shape; nothing is broadcast"
        )
    return input, target


def mse_loss(input: Any, target: Any, reduction: str = "mean") -> Any:
    """(input - target)^2.

    Shapes: both the same.

    Args:
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: the shapes differ.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> F.mse_loss(mg.tensor([1.0, 2.0]), mg.tensor([1.0, 4.0])).item()
        2.0
    """
    input, target = _pair("mse_loss", input, target)
    return reduced("mse_loss", square(input - target), reduction)


def l1_loss(input: Any, target: Any, reduction: str = "mean") -> Any:
    """|input - target|; the derivative at 0 is 0. Shapes and reduction: as ``mse_loss``."""
    input, target = _pair("l1_loss", input, target)
    return reduced("l1_loss", abs(input - target), reduction)


def _huber(who: str, input: Any, target: Any, delta: float) -> Any:
    input, target = _pair(who, input, target)
    a = abs(input - target)
    m = minimum(a, delta)
    return m * (a - 0.5 * m)  # at |a| = delta both branches of the minimum have the same gradient


def huber_loss(input: Any, target: Any, reduction: str = "mean", delta: float = 1.0) -> Any:
    """(input - target)^2 / 2 within delta, delta (|input - target| - delta / 2) outside.

    Shapes and reduction: as ``mse_loss``.

    Source:
        Huber, "Robust estimation of a location parameter", 1964.
    """
    if not delta > 0:
        raise ValueError(f"huber_loss: delta must be positive, got {delta}")
    return reduced("huber_loss", _huber("huber_loss", input, target, delta), reduction)


def smooth_l1_loss(input: Any, target: Any, reduction: str = "mean", beta: float = 1.0) -> Any:
    """``huber_loss`` with delta = beta, divided by beta; ``l1_loss`` for beta = 0."""
    if not beta >= 0:
        raise ValueError(f"smooth_l1_loss: beta must not be negative, got {beta}")
    if beta == 0:
        return l1_loss(input, target, reduction)
    return reduced("smooth_l1_loss", _huber("smooth_l1_loss", input, target, beta) / beta, reduction)


def nll_loss(input: Any, target: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean") -> Any:
    """-input[target]: the negative log-likelihood, given log-probabilities.

    Shapes: input (N, C), (N, C, d1, ...) or (C,); target (N,), (N, d1, ...) or (), integers.
    Args: as ``cross_entropy``.
    """
    input, target = given(input), given(target)
    shape = tuple(input.shape)
    if not shape:
        raise ShapeError("nll_loss: input must be (N, C), (N, C, d1, ...) or (C,), got shape ()")
    if len(shape) == 1:
        y = nll_loss(reshape(input, (1, *shape)), reshape(target, (1, *target.shape)), weight, ignore_index, reduction)
        return reshape(y, ()) if reduction == "none" else y
    labels, valid = checked_labels("nll_loss", target, (shape[0], *shape[2:]), shape[1], ignore_index)
    w = class_weights("nll_loss", weight, shape[1], input.dtype, len(shape))
    losses = -reshape(take_along_axis(input, labels.reshape((shape[0], 1, *shape[2:])), axis=1), labels.shape)
    if w is None and valid is None:
        return reduced("nll_loss", losses, reduction, max(labels.size, 1))
    xp = namespace(type(labels))
    factor = xp.ones(labels.shape, input.dtype) if w is None else w.reshape(-1)[labels]
    if valid is not None:
        factor = xp.where(valid, factor, 0).astype(input.dtype)
        losses = ops.where(wrap(valid, None) if isinstance(losses, Tensor) else valid, losses, 0)
    count = factor.sum()
    return reduced("nll_loss", losses * factor, reduction, xp.where(count == 0, 1, count).astype(input.dtype))


def _factor(weight: Any, like: Any) -> Any:
    """A constant factor in the dtype of the losses, so that it does not widen them."""
    return raw(given(weight)).astype(like.dtype, copy=False)


def binary_cross_entropy(input: Any, target: Any, weight: Any = None, reduction: str = "mean") -> Any:
    """-(target log input + (1 - target) log(1 - input)), given probabilities; logarithms are cut off at -100.

    Shapes: both the same; weight anything that broadcasts to it.

    Raises:
        ShapeError: the shapes differ.
        ValueError: the input is outside [0, 1] or NaN.

    Gradient: (input - target) / (input (1 - input)), whose denominator is kept above 1e-12.
    """
    losses = surprise(input, target)
    return reduced("binary_cross_entropy", losses if weight is None else losses * _factor(weight, losses), reduction)


def binary_cross_entropy_with_logits(input: Any, target: Any, weight: Any = None, reduction: str = "mean", pos_weight: Any = None) -> Any:
    """``binary_cross_entropy(sigmoid(input), target)``, exact for logits of any size.

    Args:
        pos_weight: multiplies the part of the ones; broadcasts to the input.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> F.binary_cross_entropy_with_logits(mg.tensor([1e4, -1e4]), mg.tensor([0.0, 0.0]), reduction="none").tolist()
        [10000.0, 0.0]
    """
    x, y = _pair("binary_cross_entropy_with_logits", input, target)
    s = logsigmoid(x)
    if pos_weight is not None:
        s = s * (y * (_factor(pos_weight, x) - 1) + 1)
    losses = (1 - y) * x - s
    return reduced("binary_cross_entropy_with_logits", losses if weight is None else losses * _factor(weight, losses), reduction)


__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "check_reduction",
    "huber_loss",
    "l1_loss",
    "mse_loss",
    "nll_loss",
    "smooth_l1_loss",
]
