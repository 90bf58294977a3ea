"""Division with remainder, rounding, and scaling by powers of two. A step has slope 0 wherever it has one."""

from typing import Any

import numpy as np

from ..autograd.forms import apply, binary, general, unary
from .masks import nowhere


# -- division with remainder ------------------------------------------------------------------------------------------
def _whole(name: str) -> Any:
    """A kernel that refuses to divide integers by zero, where NumPy gives 0 and a warning. (A GPU gives what it gives: no host read.)"""

    def make(xp: Any) -> Any:
        f = getattr(xp, name)
        if xp is not np:
            return f

        def kernel(a: Any, b: Any) -> Any:
            if getattr(b, "dtype", np.dtype(type(b))).kind not in "biu" or getattr(a, "dtype", np.dtype(type(a))).kind not in "biu":
                return f(a, b)
            try:
                with np.errstate(divide="raise"):
                    return f(a, b)
            except FloatingPointError:
                raise ZeroDivisionError("integer division by zero") from None

        return kernel

    return make


floor_divide = binary(
    "floor_divide",
    """The quotient rounded down, ``a // b``, broadcast.

    Raises:
        ZeroDivisionError: integers divided by 0; floats give inf or NaN.
    Gradient: 0 to both.
    Example:
        >>> import minigrad as mg
        >>> mg.floor_divide(mg.tensor([7.0, -7.0]), 2.0)
        Tensor([ 3., -4.], shape (2,), float32, cpu)
    """,
    lambda g: nowhere(g),
    lambda g: nowhere(g),
    _whole("floor_divide"),
)
remainder = binary(
    "remainder",
    """``a % b``: what ``floor_divide`` leaves, with the sign of b; broadcast.

    Raises:
        ZeroDivisionError: integers divided by 0; floats give NaN.
    Gradient: g to a, -g * floor(a / b) to b.
    Example:
        >>> import minigrad as mg
        >>> mg.remainder(mg.tensor([7.0, -7.0]), 4.0)
        Tensor([3., 1.], shape (2,), float32, cpu)
    """,
    lambda g: g,
    lambda g, a, b: -(g * floor_divide(a, b)),
    _whole("remainder"),
)
mod = remainder
fmod = binary(
    "fmod",
    """The remainder of the quotient rounded towards 0, with the sign of a; broadcast.

    Raises:
        ZeroDivisionError: integers divided by 0; floats give NaN.
    Gradient: g to a, -g * trunc(a / b) to b.
    Example:
        >>> import minigrad as mg
        >>> mg.fmod(mg.tensor([7.0, -7.0]), 4.0)
        Tensor([ 3., -3.], shape (2,), float32, cpu)
    """,
    lambda g: g,
    lambda g, y, a, b: -(g * rint((a - y) / b)),
    _whole("fmod"),
)


def divmod(a: Any, b: Any) -> tuple[Any, Any]:
    """``floor_divide(a, b)`` and ``remainder(a, b)``.

    Example:
        >>> import minigrad as mg
        >>> mg.divmod(mg.tensor([7.0]), 2.0)[1]
        Tensor([1.], shape (1,), float32, cpu)
    """
    return floor_divide(a, b), remainder(a, b)


# -- rounding ---------------------------------------------------------------------------------------------------------
floor = unary(
    "floor",
    """x rounded down.

    Gradient: 0.
    Example:
        >>> import minigrad as mg
        >>> mg.floor(mg.tensor([1.7, -1.2]))
        Tensor([ 1., -2.], shape (2,), float32, cpu)
    """,
    lambda g: nowhere(g),
)
ceil = unary(
    "ceil",
    """x rounded up.

    Gradient: 0.
    Example:
        >>> import minigrad as mg
        >>> mg.ceil(mg.tensor([1.2, -1.7]))
        Tensor([ 2., -1.], shape (2,), float32, cpu)
    """,
    lambda g: nowhere(g),
)
trunc = unary(
    "trunc",
    """x rounded towards 0.

    Gradient: 0.
    Example:
        >>> import minigrad as mg
        >>> mg.trunc(mg.tensor([1.7, -1.7]))
        Tensor([ 1., -1.], shape (2,), float32, cpu)
    """,
    lambda g: nowhere(g),
)
fix = trunc
rint: Any = unary(
    "rint",
    """x rounded to the nearest integer, halves to the even one.

    Gradient: 0.
    Example:
        >>> import minigrad as mg
        >>> mg.rint(mg.tensor([0.5, 1.5, 2.5]))
        Tensor([0., 2., 2.], shape (3,), float32, cpu)
    """,
    lambda g: nowhere(g),
)


def _round(xp: Any, x: Any, decimals: int) -> Any:
    return xp.round(x, decimals)


_round_op = general(_round, lambda g: nowhere(g), name="round")


def round(x: Any, decimals: int = 0) -> Any:
    """x rounded to so many decimals (negative: before the point), halves to the even digit.

    Gradient: 0.
    Example:
        >>> import minigrad as mg
        >>> mg.round(mg.tensor([1.26, 2.5]), 1)
        Tensor([1.3, 2.5], shape (2,), float32, cpu)
    """
    return apply(_round_op, (x,), decimals)


around = round


ldexp: Any = binary(
    "ldexp",
    """``a * 2**b`` for integers b, exactly; broadcast.

    Gradient: g * 2**b to a; b has none.
    Example:
        >>> import minigrad as mg
        >>> mg.ldexp(mg.tensor([1.5]), 3)
        Tensor([12.], shape (1,), float32, cpu)
    """,
    lambda g, b: ldexp(g, b),
    None,
)

__all__ = [
    "around",
    "ceil",
    "divmod",
    "fix",
    "floor",
    "floor_divide",
    "fmod",
    "ldexp",
    "mod",
    "remainder",
    "rint",
    "round",
    "trunc",
]
