"""What is said of an array in a drawing: its norm, its range, what is zero, NaN or infinite in it, a histogram."""

from math import inf, isfinite, sqrt
from typing import Any

import numpy as np

from ..backend.arrays import namespace
from ..backend.devices import to_device

BINS = 24
"""Of the histogram, equal ones from the least finite number to the greatest."""
CHUNK = 1 << 15
"""Numbers looked at at a time, so that memory is read once for all that is counted."""
SAMPLE = 512
"""Of more numbers than these, the histogram takes an even sample."""
FEW = 8
"""Numbers that are written out."""
ONES = {char: np.ones(CHUNK, char) for char in "fd"}
"""A product with ones is the quickest sum."""


def measure(a: Any) -> dict[str, Any]:
    """The statistics of an array, whatever is in it.

    ``norm``, ``least``, ``greatest`` and ``mean`` are those of the finite numbers, None if there are none; ``zeros``, ``nan`` and
    ``inf`` are shares from 0 to 1, exact. ``histogram`` counts in 24 equal bins from the least to the greatest, of many numbers an
    even sample. Up to 8 numbers are there as ``value``, too. Complex numbers count by their magnitudes.

    Example:
        >>> import numpy as np
        >>> from minigrad.viz.statistics import measure
        >>> s = measure(np.array([3.0, 0.0, np.nan, -4.0]))
        >>> s["norm"], s["least"], s["zeros"], s["nan"], s["value"]
        (5.0, -4.0, 0.25, 0.25, '[3, 0, nan, -4]')
    """
    return worked_out(look(a))


def look(a: Any) -> tuple[np.ndarray, int, Any]:
    """What must be seen of an array as long as it is there: a copy of it, or of a sample, its size, and sums over all if it is large."""
    size = a.size
    if size <= SAMPLE:
        return np.array(to_device(a, "cpu")), size, None
    if a.dtype.kind == "c":
        a = abs(a)
    flat = a.ravel("K") if type(a) is np.ndarray else a.ravel()
    part = flat[:: -(-size // SAMPLE)]
    if type(flat) is np.ndarray:
        with np.errstate(all="ignore"):
            return part.copy(), size, [_chunk(flat[i : i + CHUNK]) for i in range(0, size, CHUNK)]
    return to_device(part, "cpu"), size, _on_device(flat)


def worked_out(seen: tuple[np.ndarray, int, Any]) -> dict[str, Any]:
    """The statistics of what ``look`` saw."""
    part, size, sums = seen
    written = {"value": text(part)} if size <= FEW else {}
    if part.dtype.kind == "c":
        part = abs(part)
    if sums is None:
        with np.errstate(all="ignore"):
            sums = [_chunk(part.ravel())]
    squares, total, least, greatest, zeros, nan, infinite = zip(*sums, strict=True)
    finite, share = size - sum(nan) - sum(infinite), 1 / max(size, 1)
    return {
        "norm": sqrt(sum(squares)) if finite else None,
        "least": min(least) if finite else None,
        "greatest": max(greatest) if finite else None,
        "mean": sum(total) / finite if finite else None,
        "zeros": sum(zeros) * share,
        "nan": sum(nan) * share,
        "inf": sum(infinite) * share,
        "histogram": _histogram(part, min(least), max(greatest)) if finite else [],
        **written,
    }


def _chunk(c: np.ndarray) -> tuple:
    """Sum of squares, sum, least, greatest of the finite numbers; how many are zero, NaN, infinite."""
    if c.dtype.char not in "fd":
        c = c.astype("float32" if c.dtype.itemsize < 4 and c.dtype.kind in "fV" else "float64")
    size, nan, infinite = c.size, 0, 0
    squares = float(np.dot(c, c))
    if not isfinite(squares) or squares < 1e-30:  # something is not finite, or too great or too small to be squared in 32 bits
        finite = np.isfinite(c)
        nan = int(np.count_nonzero(np.isnan(c)))
        infinite = size - int(np.count_nonzero(finite)) - nan
        c = c[finite].astype("float64")
        squares = float(np.dot(c, c))
        if not c.size:
            return 0.0, 0.0, inf, -inf, 0, nan, infinite
    low, high = float(np.minimum.reduce(c)), float(np.maximum.reduce(c))
    return squares, float(np.dot(c, ONES[c.dtype.char][: c.size])), low, high, c.size - int(np.count_nonzero(c != 0)), nan, infinite


def _on_device(flat: Any) -> list[tuple]:
    """The same of a whole array on a device, in one transfer."""
    xp = namespace(type(flat))
    finite = xp.isfinite(flat)
    c = xp.where(finite, flat, 0).astype("float64")
    held = [(c * c).sum(), c.sum(), xp.where(finite, flat, inf).min(), xp.where(finite, flat, -inf).max()]
    counts = [(flat == 0).sum(), xp.isnan(flat).sum(), xp.isinf(flat).sum()]
    return [tuple(to_device(xp.stack([v.astype("float64") for v in [*held, *counts]]), "cpu").tolist())]


def _histogram(part: np.ndarray, low: float, high: float) -> list[int]:
    part = part[np.isfinite(part)].astype("float64")
    width = high - low
    if not width > 0 or not isfinite(BINS / width):
        return [0] * (BINS // 2) + [part.size] + [0] * (BINS - BINS // 2 - 1)
    places = np.minimum(((part - low) * (BINS / width)).astype("intp"), BINS - 1)
    return np.bincount(places, minlength=BINS).tolist()


def text(a: Any) -> str:
    """A few numbers in four digits."""
    return np.array2string(to_device(a, "cpu"), separator=", ", formatter={"float_kind": "{:.4g}".format}).replace("\n", "")


__all__ = ["BINS", "FEW", "look", "measure", "text", "worked_out"]
