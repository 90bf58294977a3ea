"""Norms of single samples, a launch each: over their last axes, groups of channels or positions."""

from typing import Any

from ..compiled.norms import CENTER, FOR_BIAS, FOR_INPUT, FOR_WEIGHT
from .activations import ordered
from .forms import Family
from .launch import DONE, REFUSED, Kernel, number_of
from .walks import WIDEST, is_alone, piece, walk

FAMILY = Family("norms")
NAMES = ("layer_norm", "rms_norm", "group_norm", "instance_norm")
NORM = Kernel("norms", "norm", "PPPPPllllllf")
SLOPES = Kernel("norms", "norm_slopes", "PPPPPPlllll")
SUMS = Kernel("norms", "channel_sums", "PPPPPllllllll")
TOTALS = Kernel("norms", "channel_totals", "PPPlll")


def exact(a: Any) -> Any:
    """A weight, a bias or a statistic as kernels compute with it; None stays."""
    return a if a is None else a.astype("float32", "C", copy=False)


def totals(g: Any, x: Any, m: Any, r: Any, dw: Any, db: Any, lines: tuple[int, int, int], groups: int = 0, each: int = 1) -> int:
    """The sums of g (x - m) r and of g for each of the channels of x (samples, channels, stretch), to dw and db; to one of them, if the
    other is None."""
    samples, channels, stretch = lines
    n, alone = samples * stretch, stretch == 1 or is_alone(samples * stretch)
    size = piece(channels, n, alone)
    pieces = -(-n // size)
    sums = type(x)((pieces, channels, 2), "float32")
    rest = (pieces * channels, n, channels, stretch, size, alone, groups, each)
    refused = walk(SUMS, pieces * channels, size, alone, g, x, m, r, sums, *rest, number=number_of(x))
    alone = is_alone(pieces)
    return refused or walk(TOTALS, channels, pieces, alone, sums, db, dw, channels, pieces, alone)


def _is_refused(x: Any, rows: int) -> bool:
    """Rows of one number, whose slope is 0 exactly, are not for kernels, where products are not rounded before they are subtracted."""
    return not 2 * rows <= x.size < WIDEST or not ordered(number_of(x), x)


@FAMILY.entry(*NAMES)
def norm(x: Any, w: Any, b: Any, y: Any, stats: Any, rows: int, groups: int, k: int, eps: float, bits: int) -> int:
    """x seen as rows, with weights for ``groups`` rows, k for each."""
    if not rows or _is_refused(x, rows):
        return REFUSED
    n = x.size // rows
    alone = is_alone(n)
    rest = (rows, groups, k, n // k, alone, bits & CENTER, eps)
    return walk(NORM, rows, n, alone, x, exact(w), exact(b), y, stats, *rest, number=number_of(x))


@FAMILY.entry(*[f"{name}_gradient" for name in NAMES])
def slopes(g: Any, x: Any, w: Any, m: Any, r: Any, dx: Any, dw: Any, db: Any, rows: int, groups: int, k: int, bits: int) -> int:
    """To x along the rows, to weight and bias along the channels."""
    if not rows or _is_refused(x, rows) or not ordered(number_of(x), g):
        return REFUSED
    n, status = x.size // rows, DONE
    alone = is_alone(n)
    if bits & FOR_INPUT:
        status = walk(SLOPES, rows, n, alone, g, x, exact(w), m, r, dx, rows, groups, k, n // k, alone, number=number_of(x))
    if bits & (FOR_WEIGHT | FOR_BIAS):
        status = status or totals(g, x, m, r, dw, db, (rows // groups, groups * k, n // k), groups, k)
    return status
