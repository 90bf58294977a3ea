"""Elementwise arithmetic: the operators, absolute value and sign, extremes of two, complex parts; powers and rounding from their files.

Rules use operators where they can: ``g * b`` is the same line on arrays and on Tensors.
"""

from typing import Any

from ..autograd.conform import add, conj
from ..autograd.forms import apply, binary, general, unary
from .masks import masked, nowhere

# -- the four operations ----------------------------------------------------------------------------------------------
subtract = binary(
    "subtract",
    """Difference ``a - b``, broadcast.

    Gradient: g to a, -g to b.
    Example:
        >>> import minigrad as mg
        >>> mg.subtract(mg.tensor([3.0, 2.0]), 1.0)
        Tensor([2., 1.], shape (2,), float32, cpu)
    """,
    lambda g: g,
    lambda g: -g,
)
multiply = binary(
    "multiply",
    """Product ``a * b``, element by element, broadcast.

    Gradient: g * b to a, g * a to b.
    Example:
        >>> import minigrad as mg
        >>> mg.multiply(mg.tensor([3.0, 2.0]), 2.0)
        Tensor([6., 4.], shape (2,), float32, cpu)
    """,
    lambda g, b: g * b,
    lambda g, a: g * a,
)
divide = binary(
    "divide",
    """Quotient ``a / b``, broadcast; integers give floats; 1/0 is inf.

    Gradient: g / b to a, -g * y / b to b.
    Example:
        >>> import minigrad as mg
        >>> mg.divide(mg.tensor([3.0, 2.0]), 2.0)
        Tensor([1.5, 1. ], shape (2,), float32, cpu)
    """,
    lambda g, b: g / b,
    lambda g, y, b: -(g * y / b),
)
true_divide = divide
negative = unary(
    "negative",
    """-x.

    Gradient: -g.
    Example:
        >>> import minigrad as mg
        >>> mg.negative(mg.tensor([1.0, -2.0]))
        Tensor([-1.,  2.], shape (2,), float32, cpu)
    """,
    lambda g: -g,
)
positive = unary(
    "positive",
    """+x, as a copy.

    Gradient: g.
    Example:
        >>> import minigrad as mg
        >>> mg.positive(mg.tensor([1.0, -2.0]))
        Tensor([ 1., -2.], shape (2,), float32, cpu)
    """,
    lambda g: g,
)
reciprocal = unary(
    "reciprocal",
    """1 / x; integers give floats; 1/0 is inf.

    Gradient: -g * y**2.
    Example:
        >>> import minigrad as mg
        >>> mg.reciprocal(mg.tensor([4.0]))
        Tensor([0.25], shape (1,), float32, cpu)
    """,
    lambda g, y: -(g * y * y),
    lambda xp: lambda x: xp.true_divide(1, x),
)


# -- absolute value and sign ------------------------------------------------------------------------------------------
def _abs_rule(g: Any, x: Any) -> Any:
    if x.dtype.kind != "c":
        return g * sign(x)
    y = abs(x)
    return g * (conj(x) / (y + (y == 0)))


def _sign_rule(g: Any, x: Any) -> Any:
    if x.dtype.kind != "c":
        return nowhere(g)
    # y = x / |x| turns with x but does not grow with it: take the radial part of g away
    r = abs(x)
    r = r + (r == 0)
    y = x / r
    return (g - real(g * y) * conj(y)) / r


abs = unary(
    "abs",
    """Absolute value |x|; of a complex number its modulus, which is real.

    Gradient: g * sign(x), so 0 at 0.
    Example:
        >>> import minigrad as mg
        >>> mg.abs(mg.tensor([-2.0, 3.0]))
        Tensor([2., 3.], shape (2,), float32, cpu)
    """,
    _abs_rule,
    lambda xp: xp.absolute,
)
absolute = abs
sign = unary(
    "sign",
    """-1, 0 or 1; of a complex number x / |x|.

    Gradient: 0 for real x.
    Example:
        >>> import minigrad as mg
        >>> mg.sign(mg.tensor([-2.0, 0.0, 3.0]))
        Tensor([-1.,  0.,  1.], shape (3,), float32, cpu)
    """,
    _sign_rule,
)
copysign = binary(
    "copysign",
    """|a| with the sign of b, broadcast.

    Gradient: g to a, negated where the sign was changed, 0 where a is 0; 0 to b.
    Example:
        >>> import minigrad as mg
        >>> mg.copysign(mg.tensor([1.0, -2.0]), mg.tensor([-3.0, 4.0]))
        Tensor([-1.,  2.], shape (2,), float32, cpu)
    """,
    lambda g, y, a: g * (sign(y) * sign(a)),
    lambda g: nowhere(g),
)
heaviside = binary(
    "heaviside",
    """The step function of a: 0 where a < 0, 1 where a > 0, b where a is 0.

    Gradient: 0 to a; g to b where a is 0.
    Example:
        >>> import minigrad as mg
        >>> mg.heaviside(mg.tensor([-1.0, 0.0, 1.0]), 0.5)
        Tensor([0. , 0.5, 1. ], shape (3,), float32, cpu)
    """,
    lambda g: nowhere(g),
    lambda g, a: masked(g, a == 0),
)


# -- extremes ---------------------------------------------------------------------------------------------------------
def _larger(g: Any, a: Any, b: Any) -> Any:
    """The share of a in the gradient of maximum(a, b): all, half at a tie, or none."""
    return (masked(g, a > b) + masked(g, a >= b)) * 0.5


def _present(g: Any, a: Any, b: Any) -> Any:
    """The gradient that passes a because b is NaN and it is not."""
    return masked(g, (b != b) & (a == a))


maximum = binary(
    "maximum",
    """The larger of a and b, broadcast; NaN if either is.

    Gradient: g to the larger; ties share it equally.
    Example:
        >>> import minigrad as mg
        >>> mg.maximum(mg.tensor([1.0, -1.0]), 0.0)
        Tensor([1., 0.], shape (2,), float32, cpu)
    """,
    lambda g, a, b: _larger(g, a, b),
    lambda g, a, b: _larger(g, b, a),
)
minimum = binary(
    "minimum",
    """The smaller of a and b, broadcast; NaN if either is.

    Gradient: g to the smaller; ties share it equally.
    Example:
        >>> import minigrad as mg
        >>> mg.minimum(mg.tensor([1.0, -1.0]), 0.0)
        Tensor([ 0., -1.], shape (2,), float32, cpu)
    """,
    lambda g, a, b: _larger(g, b, a),
    lambda g, a, b: _larger(g, a, b),
)
fmax = binary(
    "fmax",
    """The larger of a and b, broadcast; the other one if one is NaN.

    Gradient: g to the larger or to the one that is not NaN; ties share it equally.
    Example:
        >>> import minigrad as mg
        >>> mg.fmax(mg.tensor([1.0, mg.nan]), mg.tensor([3.0, 2.0]))
        Tensor([3., 2.], shape (2,), float32, cpu)
    """,
    lambda g, a, b: _larger(g, a, b) + _present(g, a, b),
    lambda g, a, b: _larger(g, b, a) + _present(g, b, a),
)
fmin = binary(
    "fmin",
    """The smaller of a and b, broadcast; the other one if one is NaN.

    Gradient: g to the smaller or to the one that is not NaN; ties share it equally.
    Example:
        >>> import minigrad as mg
        >>> mg.fmin(mg.tensor([1.0, mg.nan]), mg.tensor([3.0, 2.0]))
        Tensor([1., 2.], shape (2,), float32, cpu)
    """,
    lambda g, a, b: _larger(g, b, a) + _present(g, a, b),
    lambda g, a, b: _larger(g, a, b) + _present(g, b, a),
)


def _clip(xp: Any, x: Any, min: Any, max: Any) -> Any:
    return x.copy() if min is None and max is None else xp.clip(x, min, max)


def _clip_x(g: Any, x: Any, min: Any, max: Any) -> Any:
    if min is None and max is None:
        return g
    return masked(g, x <= max if min is None else x >= min if max is None else (x >= min) & (x <= max))


def _clip_min(g: Any, x: Any, min: Any, max: Any) -> Any:
    return masked(g, x < min if max is None else (x < min) & (min <= max))


def _clip_max(g: Any, x: Any, min: Any, max: Any) -> Any:
    return masked(g, x > max if min is None else (x > max) | (max < min))


_clip_op = general(_clip, _clip_x, _clip_min, _clip_max, name="clip")


def clip(x: Any, min: Any = None, max: Any = None) -> Any:
    """x limited to the range from ``min`` to ``max``.

    Args:
        x: any shape.
        min, max: numbers or what broadcasts with x, Tensors too; None: no limit on that side. ``max`` wins where min > max.
    Gradient: g to x inside the range and at its ends, else to the bound that was taken.
    Example:
        >>> import minigrad as mg
        >>> mg.clip(mg.tensor([-2.0, 0.5, 2.0]), -1, 1)
        Tensor([-1. ,  0.5,  1. ], shape (3,), float32, cpu)
    """
    return apply(_clip_op, (x, min, max))


def lerp(a: Any, b: Any, weight: Any) -> Any:
    """``a + weight * (b - a)``: from a at weight 0 to b at weight 1; broadcast.

    Example:
        >>> import minigrad as mg
        >>> mg.lerp(mg.tensor([0.0, 10.0]), mg.tensor([10.0, 20.0]), 0.5)
        Tensor([ 5., 15.], shape (2,), float32, cpu)
    """
    return add(a, multiply(weight, subtract(b, a)))


def _nan_to_num(xp: Any, x: Any, nan: float, posinf: float | None, neginf: float | None) -> Any:
    return xp.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)


_nan_to_num_op = general(_nan_to_num, lambda g, x: masked(g, abs(x) < float("inf")), name="nan_to_num")


def nan_to_num(x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Any:
    """x with numbers in place of NaN and of infinities (None: the largest and lowest of the dtype).

    Gradient: g where x is finite, 0 elsewhere.
    Example:
        >>> import minigrad as mg
        >>> mg.nan_to_num(mg.tensor([1.0, float("nan")]))
        Tensor([1., 0.], shape (2,), float32, cpu)
    """
    return apply(_nan_to_num_op, (x,), nan, posinf, neginf)


# -- complex numbers --------------------------------------------------------------------------------------------------
real = unary(
    "real",
    """The real part, as a copy.

    Gradient: g.
    Example:
        >>> import minigrad as mg
        >>> mg.real(mg.tensor([1 + 2j]))
        Tensor([1.], shape (1,), float32, cpu)
    """,
    lambda g: g,
    lambda xp: lambda x: xp.array(xp.real(x)),
)
imag = unary(
    "imag",
    """The imaginary part, as a copy; 0 for real x.

    Gradient: i g; 0 for real x.
    Example:
        >>> import minigrad as mg
        >>> mg.imag(mg.tensor([1 + 2j]))
        Tensor([2.], shape (1,), float32, cpu)
    """,
    lambda g, x: g * -1j if x.dtype.kind == "c" else nowhere(g),
    lambda xp: lambda x: xp.array(xp.imag(x)),
)
conjugate = conj
angle = unary(
    "angle",
    """The angle of a complex number in the plane, in radians from -pi to pi; 0 or pi for real x.

    Gradient: that of Im(log x); 0 for real x; inf or NaN at 0.
    Example:
        >>> import minigrad as mg
        >>> mg.angle(mg.tensor([1 + 0j, -1 + 0j]))
        Tensor([0.       , 3.1415927], shape (2,), float32, cpu)
    """,
    lambda g, x: (g * -1j) / x if x.dtype.kind == "c" else nowhere(g),
    lambda xp: lambda x: xp.arctan2(xp.imag(x), xp.real(x)),
)

__all__ = [
    "abs",
    "absolute",
    "add",
    "angle",
    "clip",
    "conj",
    "conjugate",
    "copysign",
    "divide",
    "fmax",
    "fmin",
    "heaviside",
    "imag",
    "lerp",
    "maximum",
    "minimum",
    "multiply",
    "nan_to_num",
    "negative",
    "positive",
    "real",
    "reciprocal",
    "sign",
    "subtract",
    "true_divide",
]
