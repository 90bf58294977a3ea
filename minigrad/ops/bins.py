"""Unique values, places in an ordered list, counts in bins, and interpolation between points."""

from typing import Any, NamedTuple

from ..autograd.arguments import unexpected
from ..autograd.forms import apply, general
from ..autograd.tensor import Tensor, raw
from ..backend import is_inexact
from ..backend.arrays import asarray, is_array
from ..errors import ShapeError
from .arithmetic import add, divide, multiply, subtract
from .indexing import take
from .logic import equal, greater, less, logical_or, where
from .sort import constant


# -- unique values ----------------------------------------------------------------------------------------------------
class UniqueAll(NamedTuple):
    """What ``unique_all`` returns."""

    values: Any
    indices: Any
    inverse_indices: Any
    counts: Any


class UniqueCounts(NamedTuple):
    """What ``unique_counts`` returns."""

    values: Any
    counts: Any


class UniqueInverse(NamedTuple):
    """What ``unique_inverse`` returns."""

    values: Any
    inverse_indices: Any


def _unique_kernel(xp: Any, x: Any, index: bool, inverse: bool, counts: bool, axis: Any, equal_nan: bool) -> Any:
    out = xp.unique(x, index, inverse, counts, axis, equal_nan=equal_nan)
    if inverse and axis is None:
        out = (*out[: 1 + index], out[1 + index].reshape(x.shape), *out[2 + index :])
    return out


_UNIQUE = general(_unique_kernel, inputs=1, name="unique")


def unique(
    x: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: Any = None,
    equal_nan: bool = True,
    **other: Any,
) -> Any:
    """The different numbers in x in ascending order; with axis, the different slices. No gradient.

    Args: return_index (where each stands first), return_inverse (which of them each x is), return_counts, axis,
        equal_nan (False: every NaN is another).
    Returns: the values, or a tuple of them and what else was asked for.
    Example:
        >>> import minigrad as mg
        >>> mg.unique(mg.tensor([3, 1, 3])).tolist()
        [1, 3]
    """
    if other:
        raise unexpected("unique", other)
    return apply(_UNIQUE, (constant(x),), return_index, return_inverse, return_counts, axis, equal_nan)


def unique_all(x: Any) -> UniqueAll:
    """The different numbers in x, where each stands first, which of them each x is, and how often each occurs. No gradient.

    Example:
        >>> import minigrad as mg
        >>> values, first, inverse, counts = mg.unique_all(mg.tensor([2, 1, 2]))
        >>> values.tolist(), first.tolist(), inverse.tolist(), counts.tolist()
        ([1, 2], [1, 0], [1, 0, 1], [1, 2])
    """
    return UniqueAll(*unique(x, True, True, True, equal_nan=False))


def unique_counts(x: Any) -> UniqueCounts:
    """The different numbers in x and how often each occurs. No gradient.

    Example:
        >>> import minigrad as mg
        >>> values, counts = mg.unique_counts(mg.tensor([2, 1, 2]))
        >>> values.tolist(), counts.tolist()
        ([1, 2], [1, 2])
    """
    return UniqueCounts(*unique(x, return_counts=True, equal_nan=False))


def unique_inverse(x: Any) -> UniqueInverse:
    """The different numbers in x and which of them each x is. No gradient.

    Example:
        >>> import minigrad as mg
        >>> values, inverse = mg.unique_inverse(mg.tensor([2, 1, 2]))
        >>> values.tolist(), inverse.tolist()
        ([1, 2], [1, 0, 1])
    """
    return UniqueInverse(*unique(x, return_inverse=True, equal_nan=False))


def unique_values(x: Any) -> Any:
    """The different numbers in x in ascending order; every NaN is another. No gradient.

    Example:
        >>> import minigrad as mg
        >>> mg.unique_values(mg.tensor([2, 1, 2])).tolist()
        [1, 2]
    """
    return unique(x, equal_nan=False)


# -- bins -------------------------------------------------------------------------------------------------------------
def _searchsorted_kernel(xp: Any, x: Any, values: Any, side: str, sorter: Any) -> Any:
    return xp.searchsorted(x, values, side, sorter)


_SEARCHSORTED = general(_searchsorted_kernel, inputs=2, name="searchsorted")


def searchsorted(x: Any, values: Any, side: str = "left", sorter: Any = None) -> Any:
    """Where each value would have to be put into the ascending x to keep its order. No gradient.

    Args: x (1-D), values, side ("left": before equal ones, "right": after them), sorter (what sorts x, if it is not sorted).
    Example:
        >>> import minigrad as mg
        >>> mg.searchsorted(mg.tensor([1.0, 2.0, 3.0]), mg.tensor([2.0, 2.5])).tolist()
        [1, 2]
    """
    if side not in ("left", "right"):
        raise ShapeError(f"searchsorted: side must be 'left' or 'right', got {side!r}")
    return apply(_SEARCHSORTED, (constant(x), constant(values)), side, raw(sorter))


def digitize(x: Any, bins: Any, right: bool = False) -> Any:
    """The bin that each x falls into, as ``searchsorted`` into ascending or descending edges. No gradient.

    Example:
        >>> import minigrad as mg
        >>> mg.digitize(mg.tensor([-1.0, 0.5, 9.0]), mg.tensor([0.0, 1.0, 2.0])).tolist()
        [0, 1, 3]
    """
    return apply(_DIGITIZE, (constant(x), constant(bins)), right)


_DIGITIZE = general(lambda xp, x, bins, right: xp.digitize(x, bins, right), inputs=2, name="digitize")


_ISIN = general(lambda xp, x, values, invert: xp.isin(x, values, invert=invert), inputs=2, name="isin")


def isin(x: Any, values: Any, invert: bool = False) -> Any:
    """Whether each x is among the values (``invert``: is not). No gradient.

    Example:
        >>> import minigrad as mg
        >>> mg.isin(mg.tensor([1, 2, 3]), [2, 5]).tolist()
        [False, True, False]
    """
    return apply(_ISIN, (constant(x), constant(values)), invert)


def _bincount_kernel(xp: Any, x: Any, weights: Any, minlength: int) -> Any:
    y = xp.bincount(x, weights, minlength)
    return y if weights is None or not is_inexact(weights.dtype) else y.astype(weights.dtype)


_BINCOUNT = general(_bincount_kernel, None, lambda g, x: take(g, x, axis=0), name="bincount")


def bincount(x: Any, weights: Any = None, minlength: int = 0) -> Any:
    """How often each of 0, 1, 2, ... occurs in the 1-D integers x, or the sum of its weights.

    Gradient: to the weights.
    Example:
        >>> import minigrad as mg
        >>> mg.bincount(mg.tensor([0, 2, 2])).tolist()
        [1, 0, 2]
    """
    if weights is not None and not isinstance(weights, Tensor) and not is_array(weights):
        weights = asarray(weights)
    return apply(_BINCOUNT, (constant(x), weights), minlength)


def _histogram_kernel(xp: Any, x: Any, weights: Any, bins: Any, range: Any, density: bool | None) -> Any:
    return tuple(xp.histogram(x, bins, range=range, density=density, weights=weights))


_HISTOGRAM = general(_histogram_kernel, inputs=2, name="histogram")


def histogram(x: Any, bins: Any = 10, range: Any = None, density: bool | None = None, weights: Any = None) -> tuple[Any, Any]:
    """How many x fall into each bin. No gradient.

    Args: bins (how many, or their edges), range ((low, high)), density (True: make the area 1), weights (of each x).
    Returns: (counts, edges); of n bins there are n + 1 edges.
    Example:
        >>> import minigrad as mg
        >>> mg.histogram(mg.tensor([1.0, 2.0, 2.5]), bins=2, range=(1.0, 3.0))[0].tolist()
        [1, 2]
    """
    return apply(_HISTOGRAM, (constant(x), None if weights is None else constant(weights)), raw(bins), range, density)


# -- interpolation ----------------------------------------------------------------------------------------------------
def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None) -> Any:
    """The piecewise linear function through the points (xp, fp), at x.

    Args:
        x: where to evaluate it, any shape.
        xp: ascending, 1-D.
        fp: the values there, 1-D.
        left, right: the value before the first and after the last point; default: the value there.

    Gradient: to x, xp and fp; at a point, to x the slope on its right (at the last point, on its left); 0 to x outside.
    Example:
        >>> import minigrad as mg
        >>> mg.interp(mg.tensor([0.5, 3.0]), [0.0, 1.0], [10.0, 20.0]).tolist()
        [15.0, 20.0]
    """
    x = x if isinstance(x, Tensor) or is_array(x) else asarray(x)
    dtype = x.dtype if is_inexact(x.dtype) else None
    xp, fp = (t if isinstance(t, Tensor) or is_array(t) else asarray(t, dtype) for t in (xp, fp))
    if xp.ndim != 1 or tuple(xp.shape) != tuple(fp.shape) or not xp.size:
        raise ShapeError(f"interp: xp and fp must be 1-D, of one length and not empty, got {tuple(xp.shape)} and {tuple(fp.shape)}")
    first, last = xp[0], xp[-1]
    before, after = less(x, first), greater(x, last)
    inner = where(logical_or(before, after), first, x)
    i = searchsorted(xp, inner, side="right") - 1
    i = where(greater(i, xp.size - 2), xp.size - 2, i) if xp.size > 1 else i * 0
    j = i + 1 if xp.size > 1 else i
    x0, f0 = take(xp, i, axis=0), take(fp, i, axis=0)
    gap = take(xp, j, axis=0) - x0
    share = divide(subtract(inner, x0), where(equal(gap, 0), 1, gap))
    y = add(f0, multiply(take(fp, j, axis=0) - f0, share))
    y = where(before, fp[0] if left is None else left, y)
    return where(after, fp[-1] if right is None else right, y)


__all__ = [
    "bincount",
    "digitize",
    "histogram",
    "interp",
    "isin",
    "searchsorted",
    "unique",
    "unique_all",
    "unique_counts",
    "unique_inverse",
    "unique_values",
]
