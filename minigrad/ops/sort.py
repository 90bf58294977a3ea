"""Order: sorting, the largest k, quantiles.

Where numbers go is found on constants; the numbers themselves are then gathered, and the gradient is that of the gathering.
"""

from typing import Any

from ..autograd.forms import apply, general
from ..autograd.tensor import Tensor, raw
from ..backend import is_inexact, to_device
from ..backend.arrays import asarray, is_array
from ..errors import DTypeError, ShapeError
from .axes import moveaxis
from .indexing import take_along_axis
from .reduce import ready
from .scan import line, lined_up, turned
from .shape import reshape


def constant(x: Any) -> Any:
    """x without its graph, as an array or a Tensor."""
    return x.detach() if isinstance(x, Tensor) else x if is_array(x) else asarray(x)


# -- sorting ----------------------------------------------------------------------------------------------------------
def _argsort_kernel(xp: Any, x: Any, axis: int, descending: bool, stable: bool) -> Any:
    places = xp.argsort(turned(x, axis, descending), axis, "stable" if stable else None)
    return turned(x.shape[axis] - 1 - places, axis, True) if descending else places


def _sort_kernel(xp: Any, x: Any, axis: int, descending: bool) -> Any:
    return turned(xp.sort(x, axis), axis, descending)


def _taken_kernel(xp: Any, x: Any, places: Any, axis: int) -> Any:
    return xp.take_along_axis(x, places, axis)


def _returned_kernel(xp: Any, x: Any, places: Any, axis: int, n: int) -> Any:
    y = xp.zeros((*x.shape[:axis], n, *x.shape[axis + 1 :]), x.dtype)
    xp.put_along_axis(y, places, x, axis)
    return y


_TAKEN: Any = general(
    _taken_kernel,
    lambda g, shape, places, axis: apply(_RETURNED, (g,), places, axis, shape[axis]),
    name="take_along_axis",
    doc="take_along_axis for places of which none is there twice: its gradient has nothing to add up.",
)
_RETURNED: Any = general(_returned_kernel, lambda g, places, axis: apply(_TAKEN, (g,), places, axis), name="put_along_axis")
_ARGSORT = general(_argsort_kernel, inputs=1, name="argsort")
_SORT = general(_sort_kernel, inputs=1, name="sort")


def argsort(x: Any, axis: Any = -1, descending: bool = False, stable: bool = True, **other: Any) -> Any:
    """The indices that sort x along axis; NaN counts as the greatest. No gradient.

    Args: axis (None: the flattened x), descending, stable (equal ones stay in order).
    Example:
        >>> import minigrad as mg
        >>> mg.argsort(mg.tensor([3.0, 1.0, 2.0])).tolist()
        [1, 2, 0]
    """
    x, axis = line("argsort", x, axis, None, other)
    return apply(_ARGSORT, (constant(x),), axis, descending, stable)


def sort(x: Any, axis: Any = -1, descending: bool = False, stable: bool = True, **other: Any) -> Any:
    """x in ascending (or descending) order along axis; NaN counts as the greatest, as in NumPy.

    Args: axis (None: the flattened x), descending, stable (equal ones stay in order: it matters to their gradients only).
    Gradient: g, put back where the numbers came from.
    Example:
        >>> import minigrad as mg
        >>> mg.sort(mg.tensor([3.0, 1.0, 2.0])).tolist()
        [1.0, 2.0, 3.0]
    """
    x, axis = line("sort", x, axis, None, other)
    if isinstance(x, Tensor) and x.requires_grad:
        return apply(_TAKEN, (x,), raw(argsort(x, axis, descending, stable)), axis)
    return apply(_SORT, (constant(x),), axis, descending)


def _topk_kernel(xp: Any, x: Any, k: int, axis: int, largest: bool) -> Any:
    n = x.shape[axis]
    before = (slice(None),) * axis
    if not 0 < k < n:
        places = xp.argsort(x, axis)
    elif largest:
        places = xp.argpartition(x, n - k, axis)[(*before, slice(n - k, n))]
    else:
        places = xp.argpartition(x, k - 1, axis)[(*before, slice(0, k))]
    chosen = xp.argsort(xp.take_along_axis(x, places, axis), axis)
    return xp.take_along_axis(places, turned(chosen, axis, largest), axis)[(*before, slice(0, k))]


_TOPK = general(_topk_kernel, inputs=1, name="topk")


def topk(x: Any, k: int, axis: int = -1, largest: bool = True, sorted: bool = True, **other: Any) -> tuple[Any, Any]:
    """The k largest (or smallest) numbers along axis, best first, and where they are.

    Args:
        k: how many.
        sorted: False: any order will do; they come sorted all the same.

    Returns: (values, indices). NaN counts as the greatest. Which of equal ones are taken is not said, but is always the same.
    Gradient: g to the chosen.
    Example:
        >>> import minigrad as mg
        >>> values, indices = mg.topk(mg.tensor([1.0, 3.0, 2.0]), 2)
        >>> values.tolist(), indices.tolist()
        ([3.0, 2.0], [1, 2])
    """
    x, axis = line("topk", x, axis, None, other)
    if not 0 <= k <= x.shape[axis]:
        raise ShapeError(f"topk: k must be between 0 and the {x.shape[axis]} numbers along axis {axis}, got {k}")
    places = apply(_TOPK, (constant(x),), k, axis, largest)
    return apply(_TAKEN, (x,), raw(places), axis), places


# -- quantiles --------------------------------------------------------------------------------------------------------
METHODS = ("linear", "lower", "higher", "midpoint", "nearest")


def _quantile_places(xp: Any, x: Any, q: Any, method: str, skip: bool) -> Any:
    """For each q, along the last axis: which numbers to mix, the lower and the higher, and the share of the higher."""
    n = x.shape[-1]
    order = xp.argsort(x, -1)
    there = x == x
    m = there.sum(-1, keepdims=True)  # NaN is sorted last, so these are the first m
    last = xp.maximum(m, 1) - 1 if skip else xp.full_like(m, n - 1)
    position = last * (q[0] if len(q) == 1 else xp.asarray(q))
    if method != "linear":
        rounded = {"lower": xp.floor, "higher": xp.ceil, "nearest": xp.rint}.get(method)
        position = (xp.floor(position) + xp.ceil(position)) / 2 if rounded is None else rounded(position)
    low = xp.floor(position)
    share = position - low
    high = xp.ceil(position)
    if not skip:  # one NaN makes its slice NaN
        low, high = xp.where(m < n, n - 1, low), xp.where(m < n, n - 1, high)
    low, high = (xp.take_along_axis(order, xp.broadcast_to(i, (*x.shape[:-1], len(q))).astype("int64"), -1) for i in (low, high))
    # one number alone is mixed half and half with itself, as 0 * inf would be NaN
    share = xp.where(low == high, 0.5, share).astype(x.dtype if is_inexact(x.dtype) else "float64")
    return low, high, share


_PLACES = general(_quantile_places, inputs=1, name="quantile")


def quantile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False, **other: Any) -> Any:
    """The q-quantile over axis: the number below which a share q of x lies.

    Args:
        x: any shape.
        q: a number from 0 to 1, or an array of them, whose axes then come first in the result.
        axis: None: all; an integer or a tuple.
        method: what to do between two numbers: "linear", "lower", "higher", "midpoint" or "nearest".
        keepdims: keep the axes with length 1.

    Raises: ShapeError if there are no numbers; ValueError for another method or q. NaN anywhere in a slice makes it NaN.
    Gradient: g to the numbers that were mixed, by their shares.
    Example:
        >>> import minigrad as mg
        >>> mg.quantile(mg.tensor([1.0, 2.0, 4.0]), 0.75).item()
        3.0
    """
    return _quantile("quantile", x, q, axis, method, keepdims, False, other)


def _quantile(name: str, x: Any, q: Any, axis: Any, method: str, keepdims: bool, skip: bool, other: dict) -> Any:
    x, axis = ready(name, x, axis, other)
    if x.dtype.kind == "c":
        raise DTypeError(f"{name}: complex numbers have no order, got {x.dtype}")
    qs = _shares(q)
    if method not in METHODS:
        raise ShapeError(f"{name}: method must be one of {', '.join(METHODS)}, got {method!r}")
    if not ((qs >= 0) & (qs <= 1)).all():
        raise ShapeError(f"{name}: q must be from 0 to 1, got {q!r}")
    lines, kept, _ = lined_up(x, axis)
    if not lines.shape[-1]:
        raise ShapeError(f"{name}: there are no numbers along axis {axis} of shape {tuple(x.shape)}")
    low, high, share = apply(_PLACES, (constant(lines),), tuple(qs.reshape(-1).tolist()), method, skip)
    y = take_along_axis(lines, low, -1)
    if method in ("linear", "midpoint"):
        y = y * (1 - share) + take_along_axis(lines, high, -1) * share
    shape = [n for i, n in enumerate(x.shape) if i in kept] if not keepdims else [n if i in kept else 1 for i, n in enumerate(x.shape)]
    return reshape(moveaxis(y, -1, 0), (*qs.shape, *shape))


def _shares(q: Any) -> Any:
    """q on the host, where it decides which numbers are taken."""
    return asarray(to_device(raw(q), "cpu") if is_array(raw(q)) else q).astype("float64")


def percentile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False, **other: Any) -> Any:
    """The q-th percentile over axis: ``quantile`` of q / 100.

    Example:
        >>> import minigrad as mg
        >>> mg.percentile(mg.tensor([1.0, 2.0, 3.0]), 50.0).item()
        2.0
    """
    return _quantile("percentile", x, _shares(q) / 100, axis, method, keepdims, False, other)


def median(x: Any, axis: Any = None, keepdims: bool = False, **other: Any) -> Any:
    """The number in the middle over axis, or the mean of the two there.

    Raises: ShapeError if there are no numbers. NaN anywhere in a slice makes it NaN.
    Gradient: g to the number in the middle, half to each of two.
    Example:
        >>> import minigrad as mg
        >>> mg.median(mg.tensor([5.0, 1.0, 2.0, 3.0])).item()
        2.5
    """
    return _quantile("median", x, 0.5, axis, "linear", keepdims, False, other)


def nanmedian(x: Any, axis: Any = None, keepdims: bool = False, **other: Any) -> Any:
    """``median`` of the numbers that are not NaN; NaN if there are none.

    Example:
        >>> import minigrad as mg
        >>> mg.nanmedian(mg.tensor([1.0, mg.nan, 3.0, 2.0])).item()
        2.0
    """
    return _quantile("nanmedian", x, 0.5, axis, "linear", keepdims, True, other)


def nanquantile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False, **other: Any) -> Any:
    """``quantile`` of the numbers that are not NaN; NaN if there are none.

    Example:
        >>> import minigrad as mg
        >>> mg.nanquantile(mg.tensor([1.0, mg.nan, 3.0]), 0.5).item()
        2.0
    """
    return _quantile("nanquantile", x, q, axis, method, keepdims, True, other)


__all__ = ["argsort", "median", "nanmedian", "nanquantile", "percentile", "quantile", "sort", "topk"]
