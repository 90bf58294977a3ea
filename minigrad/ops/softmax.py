"""Softmax and its relatives. Their rules need only y."""

from typing import Any

from ..autograd.forms import apply, general
from ..autograd.op import Op, compiled
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


def _softmax_gradient(xp: Any, a: Any, p: Any, axis: Any) -> Any:
    d = widened(a) * p
    d -= p * xp.add.reduce(d, axis, None, None, True)
    return narrowed(d, p.dtype)


def _log_softmax_gradient(xp: Any, a: Any, q: Any, axis: Any) -> Any:
    a, d = widened(a), xp.exp(widened(q))
    d *= xp.add.reduce(a, axis, None, None, True)
    return narrowed(a - d, q.dtype)


# The gradients, as ops of the incoming one and of what softmax or log_softmax gave.
SOFTMAX_GRADIENT: Op = general(
    _softmax_gradient,
    lambda g, p, axis: apply(SOFTMAX_GRADIENT, (g, p), axis),
    lambda g, a, p, axis: g * a - g * sum(a * p, axis, True) - a * sum(g * p, axis, True),
    name="softmax_gradient",
)
LOG_SOFTMAX_GRADIENT: Op = general(
    _log_softmax_gradient,
    lambda g, q, axis: g - sum(g * exp(q), axis, True),
    lambda g, a, q, axis: -(g * exp(q)) * sum(a, axis, True),
    name="log_softmax_gradient",
)
SOFTMAX = general(_softmax, lambda g, y, axis: apply(SOFTMAX_GRADIENT, (g, y), axis), name="softmax")
LOG_SOFTMAX = general(_log_softmax, lambda g, y, axis: apply(LOG_SOFTMAX_GRADIENT, (g, y), axis), name="log_softmax")
compiled("rows", SOFTMAX, SOFTMAX_GRADIENT, LOG_SOFTMAX, LOG_SOFTMAX_GRADIENT)


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
    return apply(SOFTMAX, (x,), axis)


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
    return apply(LOG_SOFTMAX, (x,), axis)


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
