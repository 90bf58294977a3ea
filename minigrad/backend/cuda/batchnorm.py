"""Batch norm and its slopes, by the batch's statistics or by given ones, of (N, C, ...) as C lays it out or with the channels last."""

from math import prod
from typing import Any

from ..compiled.norms import FOR_BIAS, FOR_INPUT, FOR_WEIGHT
from .forms import Family
from .launch import DONE, REFUSED, Kernel, launch, number_of
from .norms import exact, totals
from .walks import WIDEST, is_alone, piece, walk

FAMILY = Family("batchnorm")
MOMENTS = Kernel("norms", "channel_moments", "PPPllllll")
STATISTICS = Kernel("norms", "channel_statistics", "PPPlllllf")
NORM = Kernel("norms", "channel_norm", "PPPPPPlll")
SLOPES = Kernel("norms", "channel_slopes", "PPPPPPPPlllf")
RUNNING = Kernel("norms", "running_statistics", "PPPPPlff")


def laid(x: Any, *others: Any) -> Any:
    """x as (samples, channels, stretch); None where it is not for kernels, or another array does not lie as it does."""
    if not 0 < x.size < WIDEST or not number_of(x) or any(a.dtype != x.dtype or a.strides != x.strides for a in others):
        return None
    if x.flags.c_contiguous:
        return x.shape[0], x.shape[1], prod(x.shape[2:])
    if x.transpose((0, *range(2, x.ndim), 1)).flags.c_contiguous:
        return x.size // x.shape[1], x.shape[1], 1
    return None


@FAMILY.entry("batch_norm")
def batch_norm(x: Any, w: Any, b: Any, y: Any, stats: Any, eps: float, bits: int) -> int:
    """By the batch's statistics, which go to ``stats``: means, variances, reciprocal deviations."""
    lines = laid(x, y)
    if lines is None:
        return REFUSED
    samples, channels, stretch = lines
    n, alone = samples * stretch, stretch == 1 or is_alone(samples * stretch)
    size = piece(channels, n, alone)
    pieces = -(-n // size)
    means, squares = type(x)((2, pieces, channels), "float32")
    refused = walk(
        *(MOMENTS, pieces * channels, size, alone, x, means, squares),
        *(pieces * channels, n, channels, stretch, size, alone),
        number=number_of(x),
    )
    few = is_alone(pieces)
    refused = refused or walk(STATISTICS, channels, pieces, few, means, squares, stats, n, channels, size, pieces, few, eps)
    return refused or frozen_norm(x, w, b, stats[0], stats[2], y, bits)


@FAMILY.entry("frozen_norm")
def frozen_norm(x: Any, w: Any, b: Any, m: Any, r: Any, y: Any, bits: int) -> int:
    """By given statistics."""
    lines = laid(x, y)
    if lines is None:
        return REFUSED
    return launch(NORM, x.size, x, exact(w), exact(b), exact(m), exact(r), y, x.size, *lines[1:], number=number_of(x))


@FAMILY.entry("batch_norm_gradient")
def batch_norm_gradient(g: Any, x: Any, w: Any, m: Any, r: Any, dx: Any, dw: Any, db: Any, bits: int) -> int:
    """Through the batch's statistics, which x moves: the sums that are the slopes of weight and bias say how far."""
    lines = laid(x, g, *([dx] if bits & FOR_INPUT else []))
    if lines is None:
        return REFUSED
    m, r = exact(m), exact(r)
    if bits & FOR_INPUT:
        dw, db = [type(x)(m.shape, "float32") if a is None else a for a in (dw, db)]
    refused = totals(g, x, m, r, dw, db, lines)
    if refused or not bits & FOR_INPUT:
        return refused
    rest = (x.size, *lines[1:], lines[1] / x.size)
    return launch(SLOPES, x.size, g, x, exact(w), m, r, db, dw, dx, *rest, number=number_of(x))


@FAMILY.entry("frozen_norm_gradient")
def frozen_norm_gradient(g: Any, x: Any, w: Any, m: Any, r: Any, dx: Any, dw: Any, db: Any, bits: int) -> int:
    """By given statistics."""
    lines, status = laid(x, g, *([dx] if bits & FOR_INPUT else [])), DONE
    if lines is None:
        return REFUSED
    m, r = exact(m), exact(r)
    if bits & (FOR_WEIGHT | FOR_BIAS):
        status = totals(g, x, m, r, dw, db, lines)
    if bits & FOR_INPUT and not status:
        status = launch(SLOPES, x.size, g, x, exact(w), m, r, None, None, dx, x.size, *lines[1:], 0.0, number=number_of(x))
    return status


@FAMILY.entry("running_statistics")
def running_statistics(mean: Any, var: Any, counter: Any, m: Any, v: Any, momentum: float, unbiased: float) -> int:
    """In place; the counter, too, unless m stands in its place."""
    arrays = [a for a in (mean, var, m, v) if a is not None]
    if any(a.dtype.name != "float32" or not a.flags.c_contiguous or a.size != m.size for a in arrays):
        return REFUSED
    counter = None if counter is m else counter
    if counter is not None and (counter.dtype.name != "int64" or counter.size != 1):
        return REFUSED
    return launch(RUNNING, m.size, m, v, mean, var, counter, m.size, momentum, unbiased)
