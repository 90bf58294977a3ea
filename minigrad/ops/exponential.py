"""Exponentials, logarithms and the logistic function: where a rule can use y, x need not be kept."""

import math
from typing import Any

from ..autograd.forms import binary, unary
from ..autograd.op import compiled
from .arithmetic import abs
from .masks import either, masked

LN2, LN10 = math.log(2.0), math.log(10.0)

exp = unary(
    "exp",
    """e**x.

    Shapes: x any; y the same.
    Gradient: g * y.
    Numerics: overflows to inf above 88.7 in float32, 709.7 in float64.
    Example:
        >>> import minigrad as mg
        >>> mg.exp(mg.tensor([0.0]))
        Tensor([1.], shape (1,), float32, cpu)
    """,
    lambda g, y: g * y,
)
exp2 = unary(
    "exp2",
    """2**x.

    Gradient: g * y * ln 2.
    Example:
        >>> import minigrad as mg
        >>> mg.exp2(mg.tensor([3.0]))
        Tensor([8.], shape (1,), float32, cpu)
    """,
    lambda g, y: g * (y * LN2),
)
expm1 = unary(
    "expm1",
    """e**x - 1, exact for small x.

    Gradient: g * (y + 1).
    Example:
        >>> import minigrad as mg
        >>> mg.expm1(mg.tensor([1e-8]))
        Tensor([1.e-08], shape (1,), float32, cpu)
    """,
    lambda g, y: g * (y + 1),
)
log = unary(
    "log",
    """Natural logarithm; -inf at 0, NaN below.

    Gradient: g / x; inf at 0.
    Example:
        >>> import minigrad as mg
        >>> x = mg.tensor([2.0], requires_grad=True)
        >>> mg.log(x).sum().backward()
        >>> x.grad
        Tensor([0.5], shape (1,), float32, cpu)
    """,
    lambda g, x: g / x,
)
log2 = unary(
    "log2",
    """Logarithm to base 2; -inf at 0, NaN below.

    Gradient: g / (x ln 2); inf at 0.
    Example:
        >>> import minigrad as mg
        >>> mg.log2(mg.tensor([8.0]))
        Tensor([3.], shape (1,), float32, cpu)
    """,
    lambda g, x: g / (x * LN2),
)
log10 = unary(
    "log10",
    """Logarithm to base 10; -inf at 0, NaN below.

    Gradient: g / (x ln 10); inf at 0.
    Example:
        >>> import minigrad as mg
        >>> mg.log10(mg.tensor([1.0]))
        Tensor([0.], shape (1,), float32, cpu)
    """,
    lambda g, x: g / (x * LN10),
)
log1p = unary(
    "log1p",
    """log(1 + x), exact for small x; -inf at -1, NaN below.

    Gradient: g / (1 + x).
    Example:
        >>> import minigrad as mg
        >>> mg.log1p(mg.tensor([1e-8]))
        Tensor([1.e-08], shape (1,), float32, cpu)
    """,
    lambda g, x: g / (x + 1),
)


def decay(xp: Any, x: Any) -> Any:
    """e**-|x|, which never overflows."""
    return xp.exp(xp.absolute(x) * -1.0)


def _sigmoid(xp: Any) -> Any:
    def kernel(x: Any) -> Any:
        z = decay(xp, x)
        return either(xp, x < 0, z, 1.0) / (z + 1)

    return kernel


def _sigmoid_slope(xp: Any) -> Any:
    def kernel(g: Any, y: Any) -> Any:
        d = 1 - y
        d *= y
        return g * d

    return kernel


sigmoid_gradient: Any = binary(
    "sigmoid_gradient",
    "g * y * (1 - y): the gradient of sigmoid, given its output.",
    lambda g, b: sigmoid_gradient(g, b),
    lambda g, a, b: g * a * (1 - b * 2),
    _sigmoid_slope,
)
sigmoid = unary(
    "sigmoid",
    """The logistic function 1 / (1 + e**-x).

    Shapes: x any; y the same.
    Gradient: g * y * (1 - y).
    Numerics: no overflow on either side; keeps its relative precision for very negative x.
    Example:
        >>> import minigrad as mg
        >>> mg.sigmoid(mg.tensor([-1000.0, 0.0, 1000.0]))
        Tensor([0. , 0.5, 1. ], shape (3,), float32, cpu)
    """,
    lambda g, y: sigmoid_gradient(g, y),
    _sigmoid,
)
expit = sigmoid
compiled("elementwise", exp, log, sigmoid, sigmoid_gradient)


def _gap(a: Any, b: Any) -> Any:
    """a - b, and 0 where both are the same infinity."""
    return masked(a - b, (a != b) | (abs(a) < float("inf")))


logaddexp = binary(
    "logaddexp",
    """log(e**a + e**b), broadcast.

    Gradient: g * sigmoid(a - b) to a, the rest to b; half to each where both are -inf (or inf).
    Numerics: no overflow; -inf is the neutral element.
    Example:
        >>> import minigrad as mg
        >>> mg.logaddexp(mg.tensor([1000.0, 1000.0]), mg.tensor([0.0, -float("inf")]))
        Tensor([1000., 1000.], shape (2,), float32, cpu)
    """,
    lambda g, a, b: g * sigmoid(_gap(a, b)),
    lambda g, a, b: g * sigmoid(_gap(b, a)),
)
logaddexp2 = binary(
    "logaddexp2",
    """log2(2**a + 2**b), broadcast.

    Gradient: g * sigmoid((a - b) ln 2) to a, the rest to b; half to each where both are -inf (or inf).
    Numerics: no overflow; -inf is the neutral element.
    Example:
        >>> import minigrad as mg
        >>> mg.logaddexp2(mg.tensor([3.0]), 3.0)
        Tensor([4.], shape (1,), float32, cpu)
    """,
    lambda g, a, b: g * sigmoid(_gap(a, b) * LN2),
    lambda g, a, b: g * sigmoid(_gap(b, a) * LN2),
)

__all__ = ["exp", "exp2", "expm1", "log", "log1p", "log2", "log10", "logaddexp", "logaddexp2", "sigmoid"]
