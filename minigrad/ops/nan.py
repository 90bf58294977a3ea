"""Reductions that leave NaN out: compositions, in which a NaN gets gradient 0."""

import math
from typing import Any

from ..autograd.conform import cast, conj
from ..autograd.tensor import raw
from ..backend import is_inexact
from .logic import equal, isnan, logical_not, where
from .powers import sqrt
from .reduce import all, max, mean, min, prod, ready, sum


def _filled(name: str, x: Any, axis: Any, other: dict, value: float) -> tuple[Any, Any, Any]:
    """x with another value for NaN, the axes, and where there was NaN."""
    x, axis = ready(name, x, axis, other)
    gone = isnan(x)
    return (where(gone, value, x) if is_inexact(x.dtype) else x), axis, gone


def _like(n: Any, x: Any) -> Any:
    """A count in the dtype of x, where x is not of integers."""
    return cast(n, raw(x).real.dtype) if is_inexact(x.dtype) else n


def nansum(x: Any, axis: Any = None, keepdims: bool = False, **other: Any) -> Any:
    """Sum over axis of the numbers that are not NaN; 0 if there are none.

    Example:
        >>> import minigrad as mg
        >>> mg.nansum(mg.tensor([1.0, float("nan"), 2.0])).item()
        3.0
    """
    x, axis, _ = _filled("nansum", x, axis, other, 0)
    return sum(x, axis, keepdims)


def nanprod(x: Any, axis: Any = None, keepdims: bool = False, **other: Any) -> Any:
    """Product over axis of the numbers that are not NaN; 1 if there are none.

    Example:
        >>> import minigrad as mg
        >>> mg.nanprod(mg.tensor([2.0, mg.nan, 3.0])).item()
        6.0
    """
    x, axis, _ = _filled("nanprod", x, axis, other, 1)
    return prod(x, axis, keepdims)


def nanmean(x: Any, axis: Any = None, keepdims: bool = False, **other: Any) -> Any:
    """Mean over axis of the numbers that are not NaN; NaN if there are none.

    Example:
        >>> import minigrad as mg
        >>> mg.nanmean(mg.tensor([1.0, float("nan"), 2.0])).item()
        1.5
    """
    x, axis, gone = _filled("nanmean", x, axis, other, 0)
    # mean() first: it accumulates half precision in float32, and the factor undoes the numbers that were left out
    share = mean(cast(logical_not(gone), "float32" if x.dtype.itemsize == 2 else "float64"), axis, keepdims)
    return mean(x, axis, keepdims) / _like(where(equal(share, 0), math.nan, share), x)


def nanmax(x: Any, axis: Any = None, keepdims: bool = False, **other: Any) -> Any:
    """Largest over axis of the numbers that are not NaN; NaN if there are none. Equal ones share the gradient.

    Example:
        >>> import minigrad as mg
        >>> mg.nanmax(mg.tensor([2.0, mg.nan, 3.0])).item()
        3.0
    """
    return _nanextreme("nanmax", max, -math.inf, x, axis, keepdims, other)


def nanmin(x: Any, axis: Any = None, keepdims: bool = False, **other: Any) -> Any:
    """Smallest over axis of the numbers that are not NaN; NaN if there are none. Equal ones share the gradient.

    Example:
        >>> import minigrad as mg
        >>> mg.nanmin(mg.tensor([2.0, mg.nan, 3.0])).item()
        2.0
    """
    return _nanextreme("nanmin", min, math.inf, x, axis, keepdims, other)


def _nanextreme(name: str, f: Any, worst: float, x: Any, axis: Any, keepdims: bool, other: dict) -> Any:
    x, axis, gone = _filled(name, x, axis, other, worst)
    y = f(x, axis, keepdims)
    return where(all(gone, axis, keepdims), math.nan, y) if is_inexact(x.dtype) else y


def nanvar(x: Any, axis: Any = None, correction: float = 0, keepdims: bool = False, **other: Any) -> Any:
    """Variance over axis of the numbers that are not NaN, divided by their count - correction; NaN if that is not positive.

    Example:
        >>> import minigrad as mg
        >>> mg.nanvar(mg.tensor([1.0, mg.nan, 3.0])).item()
        1.0
    """
    return _nanvar("nanvar", x, axis, correction, keepdims, other)


def _nanvar(name: str, x: Any, axis: Any, correction: float, keepdims: bool, other: dict) -> Any:
    x, axis = ready(name, x, axis, other)
    if not is_inexact(x.dtype):
        x = cast(x, "float64")
    kept = logical_not(isnan(x))
    d = where(kept, x - nanmean(x, axis, True), 0)
    n = sum(kept, axis, keepdims) - correction
    squares = sum(_real(d * conj(d)) if x.dtype.kind == "c" else d * d, axis, keepdims)
    return squares / _like(where(n > 0, n, math.nan), x)


def _real(x: Any) -> Any:
    return cast(x, raw(x).real.dtype)


def nanstd(x: Any, axis: Any = None, correction: float = 0, keepdims: bool = False, **other: Any) -> Any:
    """Standard deviation over axis of the numbers that are not NaN: the root of ``nanvar``. Gradient 0 where it is 0.

    Example:
        >>> import minigrad as mg
        >>> mg.nanstd(mg.tensor([1.0, float("nan"), 3.0])).item()
        1.0
    """
    y = _nanvar("nanstd", x, axis, correction, keepdims, other)
    flat = cast(equal(y, 0), y.dtype)
    return sqrt(y + flat) - flat  # the root of 1 minus 1, for its finite slope


__all__ = ["nanmax", "nanmean", "nanmin", "nanprod", "nanstd", "nansum", "nanvar"]
