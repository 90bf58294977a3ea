"""Spread and weighted means."""

import builtins
import math
from typing import Any

from ..autograd.conform import broadcast_to, conj
from ..autograd.forms import apply, general
from ..autograd.tensor import Tensor
from ..backend.arrays import asarray, is_array
from ..errors import ShapeError
from .arithmetic import divide, multiply
from .logic import equal
from .reduce import count, max, mean, min, narrowed, plain_sum, ready, sum, widened
from .shape import reshape


# -- spread -----------------------------------------------------------------------------------------------------------
def open_axes(g: Any, shape: tuple[int, ...], axis: Any) -> Any:
    """g, the result of reducing these axes, with them back at length 1."""
    return g.reshape(tuple([1 if axis is None or i in axis else n for i, n in enumerate(shape)]))


def _squares(xp: Any, x: Any, axis: Any, correction: float, keepdims: bool) -> Any:
    """The variance in the widened dtype: two passes, so that a large mean costs no digits."""
    x = widened(x)
    total = plain_sum(xp)
    d = x - total(x, axis, True) / count(x.shape, axis)
    squares = d.real**2 + d.imag**2 if d.dtype.kind == "c" else xp.multiply(d, d, out=d if d.ndim else None)
    return total(squares, axis, keepdims) / builtins.max(count(x.shape, axis) - correction, 0)


def _deviation(g: Any, x: Any, axis: Any, correction: float) -> Any:
    """g (x - mean) / (n - correction)."""
    d = x - mean(x, axis, True)
    n = builtins.max(count(x.shape, axis) - correction, 0)
    return open_axes(g * (1.0 / n if n else math.nan), x.shape, axis) * (conj(d) if d.dtype.kind == "c" else d)


def _var_rule(g: Any, x: Any, axis: Any, correction: float) -> Any:
    return _deviation(g * 2.0, x, axis, correction)


def _std_rule(g: Any, y: Any, x: Any, axis: Any, correction: float) -> Any:
    return _deviation(g / (y + equal(y, 0)), x, axis, correction)


def _var(xp: Any, x: Any, axis: Any, correction: float, keepdims: bool) -> Any:
    return narrowed(_squares(xp, x, axis, correction, keepdims), x.dtype)


def _std(xp: Any, x: Any, axis: Any, correction: float, keepdims: bool) -> Any:
    return narrowed(xp.sqrt(_squares(xp, x, axis, correction, keepdims)), x.dtype)


_VAR = general(_var, _var_rule, name="var")
_STD = general(_std, _std_rule, name="std")


def var(x: Any, axis: Any = None, correction: float = 0, keepdims: bool = False, **other: Any) -> Any:
    """Variance over axis: the mean of |x - mean|**2.

    Args:
        x: any shape.
        axis: None: all; an integer or a tuple.
        correction: divide by n - correction; 1 gives the unbiased estimate. n <= correction gives nan or inf, with NumPy's warning.
        keepdims: keep the axes with length 1.

    Gradient: 2 g (x - mean) / (n - correction).
    Numerics: two passes, exact to rounding for a large mean; half precision is computed in float32, integers in float64.
    Example:
        >>> import minigrad as mg
        >>> mg.var(mg.tensor([1.0, 3.0]), correction=1)
        Tensor(2., shape (), float32, cpu)
    """
    x, axis = ready("var", x, axis, other)
    return apply(_VAR, (x,), axis, correction, keepdims)


def std(x: Any, axis: Any = None, correction: float = 0, keepdims: bool = False, **other: Any) -> Any:
    """Standard deviation over axis: the square root of ``var``, with the same arguments.

    Gradient: g (x - mean) / (n - correction) / y; 0 where all numbers are equal.
    Example:
        >>> import minigrad as mg
        >>> mg.std(mg.tensor([1.0, 3.0]))
        Tensor(1., shape (), float32, cpu)
    """
    x, axis = ready("std", x, axis, other)
    return apply(_STD, (x,), axis, correction, keepdims)


def ptp(x: Any, axis: Any = None, keepdims: bool = False, **other: Any) -> Any:
    """The range ``max(x) - min(x)`` over axis.

    Example:
        >>> import minigrad as mg
        >>> mg.ptp(mg.tensor([1.0, 4.0, 2.0])).item()
        3.0
    """
    x, axis = ready("ptp", x, axis, other)
    return max(x, axis, keepdims) - min(x, axis, keepdims)


def average(x: Any, axis: Any = None, weights: Any = None, keepdims: bool = False, **other: Any) -> Any:
    """Weighted mean over axis: sum(weights * x) / sum(weights).

    Args:
        x: any shape.
        axis: None: all; an integer or a tuple.
        weights: of x's shape, or 1-D along one axis; None: all equal.
        keepdims: keep the axes with length 1.

    Gradient: to x and weights. Weights that add up to 0 give nan or inf, with NumPy's warning.
    Example:
        >>> import minigrad as mg
        >>> mg.average(mg.tensor([1.0, 2.0]), weights=mg.tensor([3.0, 1.0])).item()
        1.25
    """
    x, axis = ready("average", x, axis, other)
    if weights is None:
        return mean(x, axis, keepdims)
    w = weights if isinstance(weights, Tensor) or is_array(weights) else asarray(weights)
    if tuple(w.shape) != tuple(x.shape):
        if w.ndim != 1 or axis is None or len(axis) != 1 or w.shape[0] != x.shape[axis[0]]:
            raise ShapeError(f"average: weights {tuple(w.shape)} are neither of x's shape {tuple(x.shape)} nor 1-D along one axis {axis}")
        w = broadcast_to(reshape(w, (*w.shape, *[1] * (x.ndim - axis[0] - 1))), x.shape)
    return divide(sum(multiply(w, x), axis, keepdims), sum(w, axis, keepdims))


__all__ = ["average", "ptp", "std", "var"]
