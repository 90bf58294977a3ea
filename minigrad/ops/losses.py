"""Cross entropies with their gradients written out, so that a step keeps the logits and nothing else of their size; log cosh."""

from collections.abc import Callable
from functools import lru_cache
from math import log, prod
from typing import Any

from ..autograd.arguments import number, together
from ..autograd.conform import cast
from ..autograd.forms import apply, general
from ..autograd.op import Op, compiled
from ..autograd.tensor import Tensor, raw
from ..backend import asarray, device_of, is_inexact, working_dtype
from ..backend.arrays import is_array, namespace
from ..backend.dtypes import uint8, uint16, uint32, uint64
from ..backend.recording import Recorded, as_one
from ..errors import DTypeError, IndexRangeError, ShapeError
from .reduce import mean, sum
from .softmax import log_softmax, softmax
from .trigonometric import tanh


def given(x: Any) -> Any:
    """A Tensor as it is, anything else as an array, of this machine's byte order."""
    if isinstance(x, Tensor) or (is_array(x) and x.dtype.isnative):
        return x
    return asarray(x)


precise: list[Callable[[Any], Any]] = []
"""What brings inputs to float32, while some thread is in an ``amp.autocast`` block; empty otherwise."""


def measured(x: Any) -> Any:
    """What losses, distances and linear algebra compute with: ``given``, and float32 instead of half precision while autocasting."""
    if precise:
        for f in precise:
            x = f(x)
    return x if isinstance(x, Tensor) else given(x)


def on_cpu(a: Any) -> bool:
    """Whether values may be looked at without waiting for a device, and without spoiling a recording."""
    return device_of(a).type == "cpu" and type(a) is not Recorded


def wide(a: Any) -> Any:
    """The array in the dtype in which its sums are accumulated."""
    return a.astype(working_dtype(a.dtype), copy=False)


# -- cross entropy ----------------------------------------------------------------------------------------------------
# With labels l, the loss of a row is  hit * (lse - x[l]) + sum_c rest[c] * (lse - x[c]),  lse = log sum_c exp x[c],
# where hit is the weight of the label and rest what smoothing gives to every class. Its gradient is  total * softmax(x) - t
# with t the same weights as a row, and total their sum. Class axis 1; labels, hit, total and valid have length 1 there.


def _losses(xp: Any, x: Any, labels: Any, hit: Any, rest: Any, total: Any, valid: Any) -> Any:
    x = wide(x)
    e = x - x.max(axis=1, keepdims=True)
    y = -hit * xp.take_along_axis(e, labels, 1)
    if rest is not None:
        y -= (rest * e).sum(axis=1, keepdims=True)
    y += total * xp.log(xp.exp(e, out=e).sum(axis=1, keepdims=True))
    return y if valid is None else xp.where(valid, y, 0)


def _slope(xp: Any, x: Any, g: Any, labels: Any, hit: Any, rest: Any, total: Any, valid: Any, over: Any = 1) -> Any:
    """The gradient g / over * (total * softmax(x) - t), in one array of the size of x."""
    dtype, x = x.dtype, wide(x)
    p = x - x.max(axis=1, keepdims=True)
    xp.exp(p, out=p)
    p *= total / p.sum(axis=1, keepdims=True)
    if rest is not None:
        p -= rest
    xp.put_along_axis(p, labels, xp.take_along_axis(p, labels, 1) - hit, 1)
    if valid is not None:
        p = xp.where(valid, p, 0)
    p *= g / over
    return p.astype(dtype, copy=False)


def _slope_of_slope(v: Any, x: Any, g: Any, total: Any, over: Any) -> Any:
    p, u = softmax(x, axis=1), v * (g / over * total)
    return p * (u - sum(u * p, axis=1, keepdims=True))


SLOPE: Op = general(
    _slope,
    _slope_of_slope,
    lambda g, x, labels, hit, rest, total, valid, over: g * apply(SLOPE, (x, 1.0), labels, hit, rest, total, valid, over),
    name="cross_entropy_gradient",
)
LOSSES: Op = general(_losses, inputs=1, name="cross_entropy")
compiled("rows", LOSSES, SLOPE)


def _cross_entropy(xp: Any, x: Any, labels: Any, hit: Any, rest: Any, total: Any, valid: Any, over: Any) -> Any:
    """The losses of the rows, or (``over`` is not None) their sum divided by it."""
    y = LOSSES.kernels[type(x)](x, labels, hit, rest, total, valid)
    if over is None:
        return y.reshape(labels.shape[:1] + labels.shape[2:])
    return sum.op.kernels[type(y)](y, None, False) / over


CROSS_ENTROPY: Op = general(
    _cross_entropy,
    lambda g, x, labels, hit, rest, total, valid, over: (
        apply(SLOPE, (x, g.reshape(labels.shape)), labels, hit, rest, total, valid, 1)
        if over is None
        else apply(SLOPE, (x, g), labels, hit, rest, total, valid, over)
    ),
    name="cross_entropy",
)


UNSIGNED = {d.itemsize: d for d in (uint8, uint16, uint32, uint64)}


def checked_labels(who: str, target: Any, shape: tuple[int, ...], classes: int, ignore_index: int | None) -> tuple[Any, Any]:
    """Class indices that are safe to index with, and where they count (None: everywhere).

    Values are looked at on the CPU only; on a GPU, which would have to be waited for, what is out of range is not counted.

    Raises:
        DTypeError: they are not integers.
        ShapeError: they are not one per row.
        IndexRangeError: one is outside the classes, and is not ``ignore_index``.
    """
    labels = raw(given(target))
    if labels.dtype.kind not in "iu":
        raise DTypeError(
            f"{who}: labels must be integers, got {labels.dtype}{list(labels.shape)}; use astype('int64'), "
            f"or give probabilities of the logits' shape"
        )
    if tuple(labels.shape) != shape:
        raise ShapeError(f"{who}: expected labels of shape {shape}, one per row, got {tuple(labels.shape)}")
    if not labels.size or (on_cpu(labels) and _all_count(labels, classes, ignore_index)):
        return labels, None
    return as_one(_counting, who, labels, classes, ignore_index)  # what is recorded may later have rows to be ignored


def _all_count(labels: Any, classes: int, ignore_index: int | None) -> bool:
    if ignore_index is not None and 0 <= ignore_index < classes:
        return False
    return labels.view(UNSIGNED[labels.dtype.itemsize]).max() < classes  # a negative one would be a large one


@lru_cache(maxsize=8)
def _ones(xp: Any, n: int, dtype: Any) -> Any:
    """Ones that nobody may write to; give out views of them, which a recording never takes for memory of its own."""
    ones = xp.ones(n, dtype)
    ones.flags.writeable = False
    return ones


def _counting(who: str, labels: Any, classes: int, ignore_index: int | None) -> tuple[Any, Any]:
    xp = namespace(type(labels))
    if on_cpu(labels) and _all_count(labels, classes, ignore_index):
        return labels.view(), _ones(xp, labels.size, bool).reshape(labels.shape)
    inside = (labels >= 0) & (labels < classes)
    counts = inside | ~inside if ignore_index is None else labels != ignore_index
    if on_cpu(labels) and (bad := counts & ~inside).any():
        where = tuple([int(i[0]) for i in bad.nonzero()])
        row = where[0] if len(where) == 1 else where if where else 0
        raise IndexRangeError(f"{who}: label {int(labels[where])} at row {row}, {classes} classes")
    valid = counts & inside
    return xp.where(valid, labels, 0), valid


def _shares(valid: Any, dtype: Any) -> tuple[Any, Any]:
    """1 for the rows that count and 0 for others, and how many count, but 1 if none does."""
    xp = namespace(type(valid))
    if on_cpu(valid) and valid.base is _ones(xp, valid.size, bool):
        return _ones(xp, valid.size, dtype).reshape(valid.shape), xp.asarray(max(valid.size, 1), dtype)
    hit = valid.astype(dtype)
    return hit, xp.maximum(hit.sum(), 1)


def reduced(who: str, losses: Any, reduction: str, count: Any = None) -> Any:
    """The losses as they are, summed, or averaged over ``count`` (default: how many there are; of none the mean is 0)."""
    check_reduction(who, reduction)
    if reduction == "none":
        return losses
    if reduction == "sum":
        return sum(losses)
    if count is None and prod(losses.shape):
        return mean(losses)  # which half precision survives where its sum would overflow
    return sum(losses) / (1 if count is None else count)


def check_reduction(who: str, reduction: str) -> None:
    """Raise ValueError unless it is "none", "mean" or "sum"."""
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{who}: reduction must be 'none', 'mean' or 'sum', got {reduction!r}")


def class_weights(who: str, weight: Any, classes: int, like: Any, axes: int) -> Any:
    """One weight per class as an array (1, classes, 1, ...), or None."""
    if weight is None:
        return None
    w = raw(given(weight))
    if tuple(w.shape) != (classes,):
        raise ShapeError(f"{who}: weight must have one entry per class, ({classes},), got {tuple(w.shape)}")
    return w.astype(like, copy=False).reshape((1, classes, *[1] * (axes - 2)))


def cross_entropy(
    logits: Any, target: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0
) -> Any:
    """How surprised softmax(logits) is by the target: ``-log softmax(logits)[target]``.

    Shapes: logits (N, C), (N, C, d1, ...) or (C,); target (N,), (N, d1, ...) or () of class indices, or probabilities like logits.

    Args:
        logits: unnormalised log-probabilities.
        target: integers in [0, C), or floating probabilities of the same shape as logits.
        weight: one factor per class.
        ignore_index: rows with this label count for nothing; not for probabilities.
        reduction: "mean" (over the weights of the rows that count), "sum" or "none".
        label_smoothing: how much of each target is spread evenly over the classes.

    Raises:
        IndexRangeError: a label outside the classes (on a GPU, where looking would mean waiting, such a row counts for nothing).
        DTypeError: labels that are not integers.
        ShapeError: shapes, or the number of weights, that do not fit.

    Gradient: softmax(logits) - target, in the weights' proportions. The mean over no rows (none there, or all ignored) is 0 with
    gradient 0. Twice differentiable; gradients reach probabilities too.
    Numerics: exact for logits of any finite size; half precision is accumulated in float32.
    Source:
        Smoothing: Szegedy et al., "Rethinking the Inception architecture", 2016, section 7.
    Example:
        >>> import minigrad as mg
        >>> from minigrad.ops.fused import cross_entropy
        >>> round(cross_entropy(mg.tensor([[0.0, 0.0]]), mg.tensor([1])).item(), 4)
        0.6931
    """
    who = "cross_entropy"
    logits, target = measured(logits), measured(target)
    together(who, logits, target, weight)
    shape = tuple(logits.shape)
    if not shape or not is_inexact(logits.dtype) or logits.dtype.kind == "c":
        raise DTypeError(
            f"{who}: logits must be real and floating, of shape (N, C), (N, C, d1, ...) or (C,); got {logits.dtype}{list(shape)}"
        )
    label_smoothing = number(who, "label_smoothing", label_smoothing)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"{who}: label_smoothing must be in [0, 1], got {label_smoothing}")
    check_reduction(who, reduction)
    if len(shape) == 1:
        losses = cross_entropy(
            logits.reshape((1, *shape)), target.reshape((1, *target.shape)), weight, ignore_index, reduction, label_smoothing
        )
        return losses.reshape(()) if reduction == "none" else losses
    classes, rows = shape[1], (shape[0], *shape[2:])
    if is_inexact(target.dtype) and tuple(target.shape) == shape:
        return _of_probabilities(logits, target, weight, reduction, label_smoothing)
    labels, valid = checked_labels(who, target, rows, classes, ignore_index)
    labels = labels.reshape((shape[0], 1, *shape[2:]))
    valid = None if valid is None else valid.reshape(labels.shape)
    if weight is None and valid is None and not label_smoothing:  # each row alike
        over = None if reduction == "none" else max(labels.size, 1) if reduction == "mean" else 1
        y = apply(CROSS_ENTROPY, (logits,), labels, 1.0, None, 1.0, None, over)
        return y if y.dtype == logits.dtype else cast(y, logits.dtype)
    xp, dtype = namespace(type(labels)), working_dtype(logits.dtype)
    hit: Any = 1.0
    w = class_weights(who, weight, classes, dtype, len(shape))
    if w is not None:
        hit = w.reshape(-1)[labels]
        if valid is not None:
            hit = xp.where(valid, hit, 0)
        count = hit.sum()
        count = xp.where(count == 0, 1, count)
    elif valid is not None:
        hit, count = as_one(_shares, valid, dtype)
    else:
        count = max(labels.size, 1)
    total, rest = hit, None
    if label_smoothing:
        rest = (label_smoothing / classes) * (xp.ones((1, classes, *[1] * (len(shape) - 2)), dtype) if w is None else w)
        hit = hit * (1 - label_smoothing)
        total = hit + rest.sum(axis=1, keepdims=True)
        total = total if valid is None else xp.where(valid, total, 0)
    y = apply(CROSS_ENTROPY, (logits,), labels, hit, rest, total, valid, {"none": None, "sum": 1, "mean": count}[reduction])
    return y if y.dtype == logits.dtype else cast(y, logits.dtype)


def _of_probabilities(logits: Any, target: Any, weight: Any, reduction: str, label_smoothing: float) -> Any:
    shape = tuple(logits.shape)
    w = class_weights("cross_entropy", weight, shape[1], logits.dtype, len(shape))
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / shape[1]
    losses = -sum((target if w is None else target * w) * log_softmax(logits, axis=1), axis=1)
    return reduced("cross_entropy", losses, reduction)


# -- log cosh ---------------------------------------------------------------------------------------------------------
def _log_cosh(xp: Any, x: Any) -> Any:
    d = abs(wide(x))
    near = xp.minimum(d, 1)
    y = xp.where(d < 1, xp.log1p(2 * xp.sinh(near / 2) ** 2), d + xp.log1p(xp.exp(-2 * d)) - log(2))
    return y.astype(x.dtype, copy=False)


LOG_COSH = general(_log_cosh, lambda g, x: g * tanh(x), name="log_cosh")


def log_cosh(x: Any) -> Any:
    """log(cosh(x)), which is x^2 / 2 near 0 and |x| - log 2 far from it.

    Gradient: g * tanh(x).
    Numerics: exact to rounding for all x: cosh itself is never formed, neither near 1 nor where it would overflow.
    """
    return apply(LOG_COSH, (given(x),))


__all__ = ["cross_entropy"]
