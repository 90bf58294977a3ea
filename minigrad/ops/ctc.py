"""The connectionist temporal classification loss: a target read off a longer sequence, summed over every way to align the two.

Between, before and after its S labels a target is extended by blanks, to L = 2 S + 1 places. An alignment goes from place to place: it
stays, moves on by one, or by two where that leaves out a blank between different labels. ``alpha[t, n, s]`` is the logarithm of the
probability of all beginnings of alignments that are at place s at time t, that of label t included; ``beta`` that of all ends from
there, without it. What alpha and beta give together, over the probability of the target, is how likely place s is at time t, and
minus that is the gradient.
"""

from typing import Any

from ..autograd.fused import fused
from ..autograd.tensor import raw, wrap
from ..backend import device_of, is_inexact, to_device
from ..backend.arrays import namespace
from ..errors import DTypeError, IndexRangeError, ShapeError
from .exponential import logaddexp
from .indexing import getitem, take_along_axis
from .joining import concat, stack
from .logic import where
from .losses import given, on_cpu, reduced, wide
from .shape import astype, reshape

INF = float("inf")
FAR = -1e30
"""Stands for log 0 in the composed form, where -inf - -inf would make NaN in gradients of gradients."""


# -- the kernels ------------------------------------------------------------------------------------------------------
def _move(xp: Any, a: Any, barrier: Any, forwards: bool) -> Any:
    """One step of all alignments: log of the sum over the places from which each place is reached (or which are reached from it)."""
    y = a.copy()
    if a.shape[1] == 1:
        return y
    later, sooner = (slice(1, None), slice(3, None, 2)), (slice(None, -1), slice(1, -2, 2))
    for to, by in zip(later, sooner, strict=True) if forwards else zip(sooner, later, strict=True):
        reached = a[:, by] if by.step is None else a[:, by] + barrier
        y[:, to] = xp.logaddexp(y[:, to], reached)
    return y


def _ends(xp: Any, row: Any, lengths: Any) -> Any:
    """What a row holds in its last two places: the last label and the blank after it, of each target."""
    last = (2 * lengths)[:, None]
    blank, label = xp.take_along_axis(row, last, 1), xp.take_along_axis(row, xp.maximum(last - 1, 0), 1)
    return xp.logaddexp(blank, xp.where(last > 0, label, -INF))[:, 0]


def _ctc(xp: Any, log_probs: Any, places: Any, barrier: Any, times: Any, lengths: Any) -> Any:
    steps, n, _ = log_probs.shape
    alpha = wide(xp.take_along_axis(log_probs, xp.broadcast_to(places, (steps, *places.shape)), 2))
    barrier = barrier.astype(alpha.dtype)
    alpha[0, :, 2:] = -INF
    for t in range(1, steps):
        alpha[t] += _move(xp, alpha[t - 1], barrier, True)
    total = _ends(xp, alpha[times - 1, xp.arange(n)], lengths)  # times of 0 take any row, and do not count
    total = xp.where(times > 0, total, xp.where(lengths == 0, 0.0, -INF)).astype(alpha.dtype)
    return (-total).astype(log_probs.dtype, copy=False), (alpha, total)


def _ctc_slopes(xp: Any, g: Any, wanted: Any, kept: Any, log_probs: Any, places: Any, barrier: Any, times: Any, lengths: Any) -> tuple[Any]:
    alpha, total = kept
    steps, n, _ = log_probs.shape
    dtype, far = alpha.dtype, (2 * lengths)[:, None]
    barrier = barrier.astype(dtype)
    at = xp.arange(places.shape[1])[None]
    last = xp.where((at == far) | (at == far - 1), 0.0, -INF).astype(dtype)
    # an impossible target has no gradient: its shares are exp(-inf)
    total = xp.where(total == -INF, INF, total)[:, None]
    likely = xp.empty(alpha.shape, dtype)
    beta = xp.full(last.shape, -INF, dtype)
    for t in range(steps - 1, -1, -1):
        if t < steps - 1:
            beta += xp.take_along_axis(log_probs[t + 1], places, 1)
            beta = _move(xp, beta, barrier, False)
        beta = xp.where((times == t + 1)[:, None], last, beta)
        xp.subtract(alpha[t] + beta, total, out=likely[t])
    xp.exp(likely, out=likely)
    likely *= -g.astype(dtype, copy=False)[:, None]
    slope = xp.zeros(log_probs.shape, dtype)
    rows = xp.arange(n)
    for s in range(1, places.shape[1], 2):  # no class comes twice in a row of one place
        slope[:, rows, places[:, s]] += likely[:, :, s]
    slope[:, rows, places[:, 0]] += likely[:, :, ::2].sum(2)
    return (slope.astype(log_probs.dtype, copy=False),)


def _ctc_composed(log_probs: Any, places: Any, barrier: Any, times: Any, lengths: Any) -> Any:
    xp = namespace(type(raw(log_probs)))
    steps, n, _ = log_probs.shape
    x = astype(log_probs, wide(raw(log_probs)[:0]).dtype, copy=False)
    dtype, k = x.dtype, places.shape[1]
    given_ = take_along_axis(x, xp.broadcast_to(places, (steps, n, k)), axis=2)

    def far(columns: int) -> Any:
        return wrap(xp.full((n, columns), FAR, dtype), None)

    jumps = xp.zeros((n, k), dtype)
    jumps[:, 3::2] = xp.maximum(barrier, FAR)
    jumps[:, ::2] = FAR
    a = concat([given_[0, :, :2], far(max(k - 2, 0))], 1)[:, :k]
    rows = [a]
    for t in range(1, steps):
        if k > 1:
            by_two = concat([far(2), a[:, :-2]], 1) + jumps
            a = logaddexp(logaddexp(a, concat([far(1), a[:, :-1]], 1)), by_two)
        a = a + given_[t]
        rows.append(a)
    ends = getitem(stack(rows), (times - 1, xp.arange(n)))
    blank = take_along_axis(ends, (2 * lengths)[:, None], axis=1)
    label = take_along_axis(ends, xp.maximum(2 * lengths - 1, 0)[:, None], axis=1)
    total = reshape(logaddexp(blank, where((lengths > 0)[:, None], label, FAR)), (n,))
    possible = (times > 0) & (raw(total) > FAR / 2)
    otherwise = xp.where((times == 0) & (lengths == 0), 0.0, INF).astype(dtype)
    return astype(where(possible, -total, otherwise), log_probs.dtype, copy=False)


CTC = fused(_ctc, _ctc_slopes, _ctc_composed, inputs=1, name="ctc_loss")


# -- at the door ------------------------------------------------------------------------------------------------------
def _integers(what: str, v: Any) -> Any:
    """Integers, from numbers, arrays or Tensors."""
    a = raw(given(v))
    if a.dtype.kind not in "iu" and a.size:
        raise DTypeError(f"ctc_loss: {what} must be integers, got {a.dtype}; use astype('int64')")
    return a.astype("int64", copy=False)


def _lengths(what: str, v: Any, n: int, most: int, of: str) -> Any:
    """One length per row, in [0, most] (looked at on the CPU only)."""
    a = _integers(what, v)
    if a.size != n or len(a.shape) > 1:
        raise ShapeError(f"ctc_loss: {what} must be ({n},), one per row, got {tuple(a.shape)}")
    a = a.reshape(n)
    if on_cpu(a) and (bad := (a < 0) | (a > most)).any():
        row = int(bad.nonzero()[0][0])
        raise ValueError(f"ctc_loss: {what} is {int(a[row])} at row {row}, expected 0 to {most}, {of}")
    return a


def _labels(targets: Any, lengths: Any, classes: int, blank: int) -> Any:
    """The labels (N, S), blank where a target is shorter, checked on the CPU."""
    xp, n = namespace(type(targets)), lengths.shape[0]
    if len(targets.shape) == 1:
        width = int(lengths.max()) if n else 0
        if on_cpu(lengths) and int(lengths.sum()) != targets.shape[0]:
            raise ShapeError(f"ctc_loss: target_lengths add up to {int(lengths.sum())}, targets are {targets.shape[0]} labels in a row")
        index = (xp.cumsum(lengths) - lengths)[:, None] + xp.arange(width)
        labels = targets[xp.minimum(index, targets.shape[0] - 1)]
    else:
        width = int(lengths.max()) if on_cpu(lengths) and n else targets.shape[1]
        labels = targets[:, :width]
    counts = xp.arange(width) < lengths[:, None]
    if on_cpu(labels):
        for wrong, kind, why in (
            ((labels < 0) | (labels >= classes), IndexRangeError, f"{classes} classes"),
            (labels == blank, ValueError, "which is the blank"),
        ):
            if (bad := counts & wrong).any():
                row, place = [int(i[0]) for i in bad.nonzero()]
                raise kind(f"ctc_loss: label {int(labels[row, place])} at row {row}, place {place}, {why}")
    return xp.where(counts, xp.clip(labels, 0, classes - 1), blank)


def ctc_loss(
    log_probs: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Any:
    """-log of the probability that a sequence of T steps spells the target once repeated classes are merged and blanks left out.

    Shapes: log_probs (T, N, C) or (T, C); targets (N, S), padded, or all N in a row, (sum of target_lengths,); both lengths (N,), or
    () for one sequence; the losses (N,) or ().

    Args:
        log_probs: logarithms of the probabilities of C classes at each step, as ``log_softmax`` gives them.
        targets: class indices in [0, C) other than the blank; padding may hold anything.
        input_lengths: how many steps of each sequence count, at most T; integers, an array or a Tensor.
        target_lengths: how many labels each target has.
        blank: the class that says nothing.
        reduction: "mean" (each loss over the length of its target, then over N), "sum" or "none".
        zero_infinity: make losses that are infinite 0.

    Raises:
        ShapeError: shapes that do not fit.
        DTypeError: targets or lengths that are not integers, log_probs that are not floating.
        IndexRangeError: a label outside the classes (on the CPU; on a GPU, where looking would mean waiting, it counts as the nearest).
        ValueError: a label that is the blank, or a length out of its range (both on the CPU).

    Gradient: minus the probability of each class at each step, given the target: the derivative by log_probs themselves. PyTorch's
    has exp(log_probs) added; through ``log_softmax`` both give the same. A target that is longer than its sequence allows costs inf
    and has gradient 0, with zero_infinity or without. Steps beyond input_lengths get 0. Second order by the composed form.
    Numerics: forward and backward sums in logarithms, half precision in float32. One array (T, N, 2 S + 1) is kept for backward.
    Targets in a row, on a GPU, wait for their lengths; lengths given as numbers are sent there.
    Source:
        Graves et al., "Connectionist temporal classification", 2006, eqs. 5 to 15.
    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> half = mg.log(mg.full((2, 1, 2), 0.5))
        >>> round(F.ctc_loss(half, mg.tensor([[1]]), [2], [1]).item(), 4)  # -1, 1- and 11 of four
        0.2877
    """
    who = "ctc_loss"
    x = given(log_probs)
    if not is_inexact(x.dtype) or x.dtype.kind == "c" or len(x.shape) not in (2, 3) or not x.shape[0]:
        raise DTypeError(f"{who}: log_probs must be floating, of shape (T, N, C) or (T, C) with T > 0; got {x.dtype}{list(x.shape)}")
    one = len(x.shape) == 2
    if one:
        x = reshape(x, (x.shape[0], 1, x.shape[1]))
    steps, n, classes = x.shape
    if not 0 <= blank < classes:
        raise IndexRangeError(f"{who}: blank {blank}, {classes} classes")
    t = _integers("targets", targets)
    t = t.reshape((1, -1)) if one and len(t.shape) == 1 else t
    if len(t.shape) not in (1, 2) or (len(t.shape) == 2 and t.shape[0] != n):
        raise ShapeError(f"{who}: targets must be ({n}, S), or all in a row, got {tuple(t.shape)}")
    here = device_of(raw(x))
    times = to_device(_lengths("input_lengths", input_lengths, n, steps, "the steps of log_probs"), here)
    lengths = to_device(_lengths("target_lengths", target_lengths, n, t.shape[-1], "the targets' width"), device_of(t))
    labels = _labels(t, lengths, classes, blank)
    xp = namespace(type(labels))
    places = xp.full((n, 2 * labels.shape[1] + 1), blank, "int64")
    places[:, 1::2] = labels
    barrier = xp.where(labels[:, 1:] == labels[:, :-1], -INF, 0.0)
    losses = CTC(x, places, barrier, times, lengths)
    if zero_infinity:
        losses = where(raw(losses) == INF, 0.0, losses)
    if reduction == "mean":
        losses = losses / xp.maximum(lengths, 1).astype(losses.dtype)
    return reduced(who, reshape(losses, ()) if one else losses, reduction)


__all__ = ["ctc_loss"]
