"""Powers, roots, and the length of a vector of two."""

import cmath
import math
from typing import Any

import numpy as np

from ..autograd.conform import cast
from ..autograd.forms import binary, unary
from ..autograd.op import compiled
from ..errors import DTypeError
from .masks import nowhere

square = unary(
    "square",
    """x**2.

    Gradient: 2 g x.
    Example:
        >>> import minigrad as mg
        >>> mg.square(mg.tensor([-2.0, 3.0]))
        Tensor([4., 9.], shape (2,), float32, cpu)
    """,
    lambda g, x: g * (x * 2),
)
sqrt = unary(
    "sqrt",
    """Square root; NaN below 0.

    Gradient: g / (2 y); inf at 0 (NaN where g is 0 too: clip x above 0 where both can happen).
    Example:
        >>> import minigrad as mg
        >>> mg.sqrt(mg.tensor([4.0]))
        Tensor([2.], shape (1,), float32, cpu)
    """,
    lambda g, y: g / (y * 2),
)
rsqrt = unary(
    "rsqrt",
    """1 / sqrt(x); inf at 0.

    Gradient: -g * y**3 / 2.
    Example:
        >>> import minigrad as mg
        >>> mg.rsqrt(mg.tensor([4.0]))
        Tensor([0.5], shape (1,), float32, cpu)
    """,
    lambda g, y: g * (-0.5 * y) * (y * y),
    lambda xp: lambda x: xp.true_divide(1, xp.sqrt(x)),
)
compiled("elementwise", rsqrt)
cbrt = unary(
    "cbrt",
    """Cube root, of negative numbers too.

    Gradient: g / (3 y**2); inf at 0.
    Example:
        >>> import minigrad as mg
        >>> mg.cbrt(mg.tensor([-8.0]))
        Tensor([-2.], shape (1,), float32, cpu)
    """,
    lambda g, y: g / (y * y * 3),
)


def _power(xp: Any) -> Any:
    def kernel(a: Any, b: Any) -> Any:
        # the exponents that are met most have faster functions, as ``a ** b`` has in NumPy
        if type(b) in (int, float) and getattr(a, "dtype", None) is not None and a.dtype.kind in "fc":
            if b == 2:
                return xp.square(a)
            if b == 0.5:
                return xp.sqrt(a)
            if b == 3:
                return xp.multiply(xp.square(a), a)
            if b == -1:
                return xp.true_divide(1, a)
        try:
            return xp.power(a, b)
        except ValueError as error:
            if "negative integer power" in str(error):
                raise DTypeError("power: integers to negative integer powers are not integers; use floats, or float_power") from None
            raise

    return kernel


def _power_base(g: Any, a: Any, b: Any) -> Any:
    """b a^(b-1), and 0 for b = 0 everywhere, at a = 0 too."""
    if isinstance(b, (int, float, complex)):
        if b == 0:
            return nowhere(g)
        if b == 1:
            return g
        if b == 2:
            return g * (a * 2)
        if b == 0.5:
            return g / (sqrt(a) * 2)
        return -(g / a / a) if b == -1 else g * (power(a, b - 1) * b)
    return g * (power(a, b - 1 + ((a == 0) & (b == 0))) * b)


def _power_exponent(g: Any, y: Any, a: Any, b: Any) -> Any:
    """y log(a), and 0 at a = 0 as long as y is finite there."""
    from .exponential import log  # logarithms stand above powers; only this rule looks up

    if isinstance(a, (int, float)):
        return g * (y * (math.log(a) if a > 0 else float("nan") if a else 0.0))
    if isinstance(a, complex):
        return g * (y * (cmath.log(a) if a else 0.0))
    return g * (y * log(a + ((a == 0) & (b >= 0))))


power = binary(
    "power",
    """a to the power b, broadcast; b may be a plain number.

    Raises:
        DTypeError: integers to a negative integer power.
    Gradient: g b a**(b-1) to a, 0 for b = 0 even at a = 0; g y log(a) to b, 0 where a is 0, NaN where a is negative.
    Numerics: exponents 2, 3, 1/2 and -1 as plain numbers are squares, products, roots and quotients.
    Example:
        >>> import minigrad as mg
        >>> x = mg.tensor([2.0, 3.0], requires_grad=True)
        >>> mg.power(x, 3).sum().backward()
        >>> x.grad
        Tensor([12., 27.], shape (2,), float32, cpu)
    """,
    _power_base,
    _power_exponent,
    _power,
)
pow = power


def float_power(a: Any, b: Any) -> Any:
    """a to the power b, computed in float64 (complex128 for complex numbers).

    Gradient: as ``power``, in the dtype of each operand.
    Example:
        >>> import minigrad as mg
        >>> mg.float_power([2, 4], -1)
        array([0.5 , 0.25])
    """
    return power(_wide(a), _wide(b))


def _wide(x: Any) -> Any:
    if type(x) in (bool, int, float, complex):
        return x * 1.0
    dtype = getattr(x, "dtype", None)
    if dtype is None:
        x = np.asarray(x)
        dtype = x.dtype
    return cast(x, np.dtype("complex128" if dtype.kind == "c" else "float64"))


hypot = binary(
    "hypot",
    """sqrt(a**2 + b**2), broadcast, without overflow on the way.

    Gradient: g a / y to a, g b / y to b; both 0 at the origin.
    Example:
        >>> import minigrad as mg
        >>> mg.hypot(mg.tensor([3.0]), 4.0)
        Tensor([5.], shape (1,), float32, cpu)
    """,
    lambda g, y, a: g * (a / (y + (y == 0))),
    lambda g, y, b: g * (b / (y + (y == 0))),
)

__all__ = [
    "cbrt",
    "float_power",
    "hypot",
    "pow",
    "power",
    "rsqrt",
    "sqrt",
    "square",
]
