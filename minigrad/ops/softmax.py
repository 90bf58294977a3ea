"""Softmax and its relatives. Their rules need only y."""

from typing import Any

from ..autograd.forms import apply, general
from .exponential import exp
from .reduce import narrowed, ready, sum, widened


def _shifted(xp: Any, x: Any, axis: Any) -> Any:
    """A new array: x in its working precision, less its largest along axis."""
    x = widened(x)
    return x - (x.max(axis, keepdims=True) if x.size else 0)


def _softmax(xp: Any, x: Any, axis: Any) -> Any:
    e = xp.exp(_shifted(xp, x, axis))
    return narrowed(e / xp.add.reduce(e, axis, None, None, True), x.dtype)


def _log_softmax(xp: Any, x: Any, axis: Any) -> Any:
    d = _shifted(xp, x, axis)
    if not d.size:
        return narrowed(d, x.dtype)
    return narrowed(d - xp.log(xp.add.reduce(xp.exp(d), axis, None, None, True)), x.dtype)


def _softmax_rule(g: Any, y: Any, axis: Any) -> Any:
    gy = g * y
    return gy - y * sum(gy, axis, True)


def _log_softmax_rule(g: Any, y: Any, axis: Any) -> Any:
    return g - exp(y) * sum(g, axis, True)


_SOFTMAX = general(_softmax, _softmax_rule, name="softmax")
_LOG_SOFTMAX = general(_log_softmax, _log_softmax_rule, name="log_softmax")


def softmax(x: Any, axis: Any = -1, **other: Any) -> Any:
    """exp(x) / sum(exp(x)) along axis: positive numbers that add up to 1.

    Shapes: x any; y the same.
    Args: axis (an integer, a tuple, or None: all).
    Gradient: y (g - sum(g y)).
    Numerics: the largest x is taken out first, so [1e4, 0] gives exactly [1, 0]; half precision is computed in float32. A slice of
        nothing but -inf gives NaN, as in PyTorch, and so does +inf.
    Example:
        >>> import minigrad as mg
        >>> mg.softmax(mg.tensor([1e4, 0.0]))
        Tensor([1., 0.], shape (2,), float32, cpu)
    """
    x, axis = ready("softmax", x, axis, other)
    return apply(_SOFTMAX, (x,), axis)


def log_softmax(x: Any, axis: Any = -1, **other: Any) -> Any:
    """x - log(sum(exp(x))) along axis: the logarithm of ``softmax``, exact where that would be 0.

    Shapes: x any; y the same.
    Args: axis (an integer, a tuple, or None: all).
    Gradient: g - exp(y) sum(g).
    Numerics: as ``softmax``.
    Example:
        >>> import minigrad as mg
        >>> mg.log_softmax(mg.tensor([1e4, 0.0])).tolist()
        [0.0, -10000.0]
    """
    x, axis = ready("log_softmax", x, axis, other)
    return apply(_LOG_SOFTMAX, (x,), axis)


def softmin(x: Any, axis: Any = -1, **other: Any) -> Any:
    """``softmax(-x)`` along axis.

    Shapes: x any; y the same.
    Example:
        >>> import minigrad as mg
        >>> mg.softmin(mg.tensor([1e4, 0.0])).tolist()
        [0.0, 1.0]
    """
    x, axis = ready("softmin", x, axis, other)
    return softmax(-x, axis)


__all__ = ["log_softmax", "softmax", "softmin"]
