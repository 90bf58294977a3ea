"""Trigonometric and hyperbolic functions and their inverses. Angles are in radians (rad) unless a name says degrees."""

import math
from typing import Any

from ..autograd.forms import apply, binary, general, unary
from ..autograd.op import compiled
from .powers import hypot, sqrt

# -- circular ---------------------------------------------------------------------------------------------------------
sin = unary(
    "sin",
    """Sine.

    Units: x in rad.
    Gradient: g * cos(x).
    Example:
        >>> import minigrad as mg
        >>> x = mg.tensor([0.0], requires_grad=True)
        >>> mg.sin(x).sum().backward()
        >>> x.grad
        Tensor([1.], shape (1,), float32, cpu)
    """,
    lambda g, x: g * cos(x),
)
cos: Any = unary(
    "cos",
    """Cosine.

    Units: x in rad.
    Gradient: -g * sin(x).
    Example:
        >>> import minigrad as mg
        >>> mg.cos(mg.tensor([0.0]))
        Tensor([1.], shape (1,), float32, cpu)
    """,
    lambda g, x: -(g * sin(x)),
)
tan = unary(
    "tan",
    """Tangent.

    Units: x in rad.
    Gradient: g * (1 + y**2).
    Example:
        >>> import minigrad as mg
        >>> mg.tan(mg.tensor([0.0]))
        Tensor([0.], shape (1,), float32, cpu)
    """,
    lambda g, y: g * (y * y + 1),
)
asin = unary(
    "asin",
    """Arc sine; NaN outside [-1, 1].

    Units: y in rad, from -pi/2 to pi/2.
    Gradient: g / sqrt(1 - x**2); inf at -1 and 1.
    Example:
        >>> import minigrad as mg
        >>> mg.asin(mg.tensor([0.0]))
        Tensor([0.], shape (1,), float32, cpu)
    """,
    lambda g, x: g / sqrt((1 - x) * (x + 1)),
    lambda xp: xp.arcsin,
)
acos = unary(
    "acos",
    """Arc cosine; NaN outside [-1, 1].

    Units: y in rad, from 0 to pi.
    Gradient: -g / sqrt(1 - x**2); -inf at -1 and 1.
    Example:
        >>> import minigrad as mg
        >>> mg.acos(mg.tensor([1.0]))
        Tensor([0.], shape (1,), float32, cpu)
    """,
    lambda g, x: -(g / sqrt((1 - x) * (x + 1))),
    lambda xp: xp.arccos,
)
atan = unary(
    "atan",
    """Arc tangent.

    Units: y in rad, from -pi/2 to pi/2.
    Gradient: g / (1 + x**2).
    Example:
        >>> import minigrad as mg
        >>> mg.atan(mg.tensor([0.0]))
        Tensor([0.], shape (1,), float32, cpu)
    """,
    lambda g, x: g / (x * x + 1),
    lambda xp: xp.arctan,
)


def _over_square(g: Any, a: Any, b: Any) -> Any:
    """g a / (a**2 + b**2) without overflow, and 0 at the origin."""
    r = hypot(a, b)
    r = r + (r == 0)
    return g * (a / r) / r


atan2 = binary(
    "atan2",
    """The angle of the point (b, a) in the plane: the arc tangent of a / b in the right quadrant; broadcast.

    Units: y in rad, from -pi to pi.
    Gradient: g b / (a**2 + b**2) to a, -g a / (a**2 + b**2) to b; 0 at the origin.
    Example:
        >>> import minigrad as mg
        >>> mg.atan2(mg.tensor([1.0]), mg.tensor([-1.0]))
        Tensor([2.3561945], shape (1,), float32, cpu)
    """,
    lambda g, a, b: _over_square(g, b, a),
    lambda g, a, b: -_over_square(g, a, b),
    lambda xp: xp.arctan2,
)
arcsin, arccos, arctan, arctan2 = asin, acos, atan, atan2

# -- hyperbolic -------------------------------------------------------------------------------------------------------
sinh = unary(
    "sinh",
    """Hyperbolic sine, (e**x - e**-x) / 2.

    Gradient: g * cosh(x).
    Example:
        >>> import minigrad as mg
        >>> mg.round(mg.sinh(mg.tensor([-1.0, 0.0, 1.0])), 3)
        Tensor([-1.175,  0.   ,  1.175], shape (3,), float32, cpu)
    """,
    lambda g, x: g * cosh(x),
)
cosh: Any = unary(
    "cosh",
    """Hyperbolic cosine, (e**x + e**-x) / 2.

    Gradient: g * sinh(x).
    Example:
        >>> import minigrad as mg
        >>> mg.round(mg.cosh(mg.tensor([-1.0, 0.0, 1.0])), 3)
        Tensor([1.543, 1.   , 1.543], shape (3,), float32, cpu)
    """,
    lambda g, x: g * sinh(x),
)


def _tanh_slope(xp: Any) -> Any:
    def kernel(g: Any, y: Any) -> Any:
        d = y * y
        return g * xp.subtract(1, d, out=d if d.ndim else None)

    return kernel


tanh_gradient: Any = binary(
    "tanh_gradient",
    "g * (1 - y**2): the gradient of tanh, given its output.",
    lambda g, b: tanh_gradient(g, b),
    lambda g, a, b: g * a * (b * -2),
    _tanh_slope,
)
tanh = unary(
    "tanh",
    """Hyperbolic tangent.

    Shapes: x any; y the same.
    Gradient: g * (1 - y**2).
    Numerics: no overflow; flat beyond 9 in float32, 19 in float64, where the gradient is 0.
    Example:
        >>> import minigrad as mg
        >>> mg.tanh(mg.tensor([-1000.0, 0.0, 1000.0]))
        Tensor([-1.,  0.,  1.], shape (3,), float32, cpu)
    """,
    lambda g, y: tanh_gradient(g, y),
)
compiled("elementwise", tanh, tanh_gradient)
asinh = unary(
    "asinh",
    """Inverse hyperbolic sine.

    Gradient: g / sqrt(1 + x**2).
    Example:
        >>> import minigrad as mg
        >>> mg.round(mg.asinh(mg.tensor([-1.0, 0.0, 1.0])), 3)
        Tensor([-0.881,  0.   ,  0.881], shape (3,), float32, cpu)
    """,
    lambda g, x: g / (hypot(x, 1.0) if x.dtype.kind != "c" else sqrt(x * x + 1)),
    lambda xp: xp.arcsinh,
)
acosh = unary(
    "acosh",
    """Inverse hyperbolic cosine; NaN below 1.

    Gradient: g / sqrt(x**2 - 1); inf at 1.
    Example:
        >>> import minigrad as mg
        >>> mg.round(mg.acosh(mg.tensor([1.0, 2.0])), 3)
        Tensor([0.   , 1.317], shape (2,), float32, cpu)
    """,
    lambda g, x: g / (sqrt(x - 1) * sqrt(x + 1)),
    lambda xp: xp.arccosh,
)
atanh = unary(
    "atanh",
    """Inverse hyperbolic tangent; infinite at -1 and 1, NaN outside.

    Gradient: g / (1 - x**2).
    Example:
        >>> import minigrad as mg
        >>> mg.round(mg.atanh(mg.tensor([-0.5, 0.0, 0.5])), 3)
        Tensor([-0.549,  0.   ,  0.549], shape (3,), float32, cpu)
    """,
    lambda g, x: g / ((1 - x) * (x + 1)),
    lambda xp: xp.arctanh,
)
arcsinh, arccosh, arctanh = asinh, acosh, atanh


# -- sinc -------------------------------------------------------------------------------------------------------------
def _j(xp: Any, x: Any, n: int) -> Any:
    """Spherical Bessel functions of the first kind: j_0(x) = sin(x) / x, and its relatives, into which it differentiates.

    Source: Abramowitz and Stegun (1964), 10.1.2 (series, for small x) and 10.1.19 (recurrence, which cancels there).
    """
    half = x.dtype.itemsize == 2
    t = x.astype("float32") if half else x
    small = xp.abs(t) < n + 1
    s = xp.where(small, t, 0)
    q = s * s * -0.5
    term = xp.ones_like(s)
    for k in range(1, n + 1):
        term = term * s / (2 * k + 1)
    series = term
    for k in range(1, 12 + 2 * n):
        term = term * q / (k * (2 * n + 2 * k + 1))
        series = series + term
    t = xp.where(small, 1, t)
    before, y = xp.cos(t) / t, xp.sin(t) / t
    for k in range(n):
        before, y = y, y * (2 * k + 1) / t - before
    y = xp.where(small, series, y)
    return y.astype(x.dtype) if half else y


def _j_rule(g: Any, x: Any, n: int) -> Any:
    """A&S 10.1.20: (2n + 1) j_n' = n j_(n-1) - (n + 1) j_(n+1); nothing is divided by x."""
    slope = apply(_j_op, (x,), n + 1) * (-(n + 1) / (2 * n + 1))
    return g * (slope + apply(_j_op, (x,), n - 1) * (n / (2 * n + 1)) if n else slope)


_j_op = general(_j, _j_rule, name="spherical_bessel_j")


def _sinc(xp: Any) -> Any:
    def kernel(x: Any) -> Any:
        t = x * math.pi
        zero = t == 0
        return xp.where(zero, 1, xp.sin(t) / xp.where(zero, 1, t))

    return kernel


sinc = unary(
    "sinc",
    """sin(pi x) / (pi x), and 1 at 0.

    Gradient: exact at and near 0, to any order.
    Example:
        >>> import minigrad as mg
        >>> mg.round(mg.sinc(mg.tensor([0.0, 0.5, 1.0])), 3)
        Tensor([ 1.   ,  0.637, -0.   ], shape (3,), float32, cpu)
    """,
    lambda g, x: g * (apply(_j_op, (x * math.pi,), 1) * -math.pi),
    _sinc,
)

# -- degrees ----------------------------------------------------------------------------------------------------------
deg2rad = unary(
    "deg2rad",
    """An angle in degrees as one in rad: x * pi / 180.

    Example:
        >>> import minigrad as mg
        >>> mg.deg2rad(mg.tensor([180.0]))
        Tensor([3.1415927], shape (1,), float32, cpu)
    """,
    lambda g: g * (math.pi / 180),
)
rad2deg = unary(
    "rad2deg",
    """An angle in rad as one in degrees: x * 180 / pi.

    Example:
        >>> import minigrad as mg
        >>> mg.rad2deg(mg.tensor([0.0]))
        Tensor([0.], shape (1,), float32, cpu)
    """,
    lambda g: g * (180 / math.pi),
)
radians, degrees = deg2rad, rad2deg

__all__ = [
    "acos",
    "acosh",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cos",
    "cosh",
    "deg2rad",
    "degrees",
    "rad2deg",
    "radians",
    "sin",
    "sinc",
    "sinh",
    "tan",
    "tanh",
]
