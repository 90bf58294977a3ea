"""Losses of numbers and of classes; their form with state is in ``nn.loss``."""

from typing import Any

from ...autograd.tensor import raw
from ...backend.arrays import namespace
from ...errors import ShapeError
from ...ops.activation import logsigmoid
from ...ops.deviations import absolute_error, binary_error, check_probabilities, huber_error, logistic_error, squared_error
from ...ops.indexing import take_along_axis
from ...ops.logic import where
from ...ops.losses import checked_labels, class_weights, given, log_cosh, measured, reduced
from ...ops.reduce import sum
from ...ops.shape import reshape
from .targets import alike, check_not_negative, check_positive, check_reduction, factor


# -- of numbers -------------------------------------------------------------------------------------------------------
def _weighted(who: str, loss: Any, input: Any, target: Any, reduction: str, weight: Any) -> Any:
    """The losses reduced; with weights the mean is over these, and 0 where they are all 0."""
    input, target = alike(who, input=input, target=target)
    if weight is None:
        return loss(input, target, check_reduction(who, reduction))
    losses = loss(input, target, "none")
    w = factor(who, "weight", weight, losses, whole=True)
    total = None
    if reduction == "mean":
        total = sum(w)
        total = total + (raw(total) == 0)
    return reduced(who, losses * w, reduction, total)


def mse_loss(input: Any, target: Any, reduction: str = "mean", weight: Any = None) -> Any:
    """The squared error, (input - target)^2.

    Shapes: both the same; the result () or, without a reduction, theirs.

    Args:
        input, target: numbers; integers as targets are taken in the input's dtype.
        reduction: "mean", "sum" or "none". The mean of nothing is 0, with gradient 0.
        weight: a factor for each loss, of the input's shape; the mean is then divided by the sum of the weights.

    Raises:
        ShapeError: the shapes differ.
        ValueError: another reduction.

    Gradient: 2 (input - target) to the input; to target and weight too.
    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> F.mse_loss(mg.tensor([1.0, 2.0]), mg.tensor([1.0, 4.0])).item()
        2.0
    """
    return _weighted("mse_loss", squared_error, input, target, reduction, weight)


def l1_loss(input: Any, target: Any, reduction: str = "mean", weight: Any = None) -> Any:
    """The absolute error, |input - target|. Shapes, arguments and errors: as ``mse_loss``.

    Gradient: the sign of input - target, 0 where they are equal.
    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> F.l1_loss(mg.tensor([1.0, 2.0]), mg.tensor([1.0, 4.0])).item()
        1.0
    """
    return _weighted("l1_loss", absolute_error, input, target, reduction, weight)


def huber_loss(input: Any, target: Any, reduction: str = "mean", delta: float = 1.0, weight: Any = None) -> Any:
    """(input - target)^2 / 2 within delta, delta (|input - target| - delta / 2) outside.

    Shapes: both the same.

    Args:
        reduction: "mean", "sum" or "none".
        delta: where the parabola becomes a line; above 0.
        weight: a factor for each loss. Unlike that of ``mse_loss`` the mean is over their number, as in PyTorch.

    Raises:
        ShapeError: the shapes differ.
        ValueError: delta is not positive.

    Source:
        Huber, "Robust estimation of a location parameter", 1964.
    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> F.huber_loss(mg.tensor([0.5, 3.0]), mg.tensor([0.0, 0.0]), reduction="none").tolist()
        [0.125, 2.5]
    """
    delta = check_positive("huber_loss", delta=delta)
    input, target = alike("huber_loss", input=input, target=target)
    check_reduction("huber_loss", reduction)
    if weight is None:
        return huber_error(input, target, reduction, delta)
    losses = huber_error(input, target, "none", delta)
    return reduced("huber_loss", losses * factor("huber_loss", "weight", weight, losses, whole=True), reduction)


def smooth_l1_loss(input: Any, target: Any, reduction: str = "mean", beta: float = 1.0) -> Any:
    """``huber_loss`` with delta = beta, divided by beta; ``l1_loss`` for beta = 0.

    Raises:
        ShapeError: the shapes differ.
        ValueError: beta is negative.

    Source:
        Girshick, "Fast R-CNN", 2015, eq. 3, where beta is 1.
    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> F.smooth_l1_loss(mg.tensor([0.5, 3.0]), mg.tensor([0.0, 0.0]), reduction="none", beta=2.0).tolist()
        [0.0625, 2.0]
    """
    beta = check_not_negative("smooth_l1_loss", beta=beta)
    if beta == 0:
        return l1_loss(input, target, reduction)
    input, target = alike("smooth_l1_loss", input=input, target=target)
    losses = huber_error(input, target, check_reduction("smooth_l1_loss", reduction), beta)
    return losses if beta == 1 else losses / beta


def log_cosh_loss(input: Any, target: Any, reduction: str = "mean") -> Any:
    """log cosh(input - target): a parabola near 0 and a line far from it, like ``huber_loss``, but smooth to every order.

    Shapes and reduction: as ``mse_loss``.

    Raises:
        ShapeError: the shapes differ.

    Gradient: tanh(input - target), to the target its negative.
    Numerics: exact for errors of any size; cosh is never formed.
    Source:
        Saleh and Saleh, "Statistical properties of the log-cosh loss function used in machine learning", 2022, eq. 2.
    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> round(F.log_cosh_loss(mg.tensor([1000.0]), mg.tensor([0.0])).item(), 3)
        999.307
    """
    input, target = alike("log_cosh_loss", input=input, target=target)
    return reduced("log_cosh_loss", log_cosh(input - target), reduction)


# -- of classes -------------------------------------------------------------------------------------------------------
def nll_loss(input: Any, target: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean") -> Any:
    """The negative log-likelihood, -input[target], of log-probabilities.

    Shapes: input (N, C), (N, C, d1, ...) or (C,); target (N,), (N, d1, ...) or (), integers.

    Args:
        weight: one factor per class; a constant.
        ignore_index: rows with this label count for nothing.
        reduction: "mean" (over the weights of the rows that count; of none it is 0 with gradient 0), "sum" or "none".

    Raises:
        IndexRangeError, DTypeError, ShapeError: as ``cross_entropy``.

    Source:
        Good, "Rational decisions", 1952: the logarithmic score.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> F.nll_loss(mg.tensor([[-0.25, -1.5], [-2.0, -0.25]]), mg.tensor([0, 0])).item()
        1.125
    """
    input, target = measured(input), given(target)
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
        return reduced("nll_loss", losses, reduction)
    xp = namespace(type(labels))
    weights = xp.ones(labels.shape, input.dtype) if w is None else w.reshape(-1)[labels]
    if valid is not None:
        weights = xp.where(valid, weights, 0).astype(input.dtype)
        losses = where(valid, losses, 0)
    count = weights.sum()
    return reduced("nll_loss", losses * weights, reduction, xp.where(count == 0, 1, count).astype(input.dtype))


def binary_cross_entropy(input: Any, target: Any, weight: Any = None, reduction: str = "mean") -> Any:
    """-(target log input + (1 - target) log(1 - input)), given probabilities.

    Shapes: both the same; weight anything that broadcasts to it.

    Args:
        weight: a factor for each loss.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: the shapes differ.
        ValueError: the input is outside [0, 1] or NaN (looked at on the CPU only).

    Gradient: (input - target) / (input (1 - input)), whose denominator is kept above 1e-12.
    Numerics: logarithms are cut off at -100. ``binary_cross_entropy_with_logits`` is exact where this rounds.
    Source:
        Good, "Rational decisions", 1952: the logarithmic score.
    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> F.binary_cross_entropy(mg.tensor([0.0, 1.0]), mg.tensor([1.0, 0.0]), reduction="none").tolist()
        [100.0, 100.0]
    """
    who = "binary_cross_entropy"
    p, y = alike(who, input=input, target=target)
    check_probabilities(who, p)
    check_reduction(who, reduction)
    if weight is None:
        return binary_error(p, y, reduction)
    losses = binary_error(p, y, "none")
    return reduced(who, losses * factor(who, "weight", weight, losses), reduction)


def binary_cross_entropy_with_logits(input: Any, target: Any, weight: Any = None, reduction: str = "mean", pos_weight: Any = None) -> Any:
    """``binary_cross_entropy(sigmoid(input), target)``, exact for logits of any size.

    Shapes: both the same; weight and pos_weight anything that broadcasts to it.

    Args:
        weight: a factor for each loss.
        reduction: "mean", "sum" or "none".
        pos_weight: multiplies the part of the ones; broadcasts to the input.

    Raises:
        ShapeError: the shapes differ.

    Gradient: sigmoid(input) - target, without pos_weight; -input to the target.
    Source:
        Good, "Rational decisions", 1952: the logarithmic score.
    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> F.binary_cross_entropy_with_logits(mg.tensor([1e4, -1e4]), mg.tensor([0.0, 0.0]), reduction="none").tolist()
        [10000.0, 0.0]
    """
    who = "binary_cross_entropy_with_logits"
    x, y = alike(who, input=input, target=target)
    check_reduction(who, reduction)
    if pos_weight is None:
        losses = logistic_error(x, y, "none" if weight is not None else reduction)
        if weight is None:
            return losses
    else:
        losses = (1 - y) * x - logsigmoid(x) * (y * (factor(who, "pos_weight", pos_weight, x) - 1) + 1)
    return reduced(who, losses if weight is None else losses * factor(who, "weight", weight, losses), reduction)


__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "huber_loss",
    "l1_loss",
    "log_cosh_loss",
    "mse_loss",
    "nll_loss",
    "smooth_l1_loss",
]
