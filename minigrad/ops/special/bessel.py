"""Modified Bessel functions of the first kind, orders 0 and 1, and what their derivatives need.

Everything rests on one family of smooth even functions, R(n, x) = I_n(x)/x**n, with R(n, x)' = x R(n + 1, x) (DLMF 10.29.4).
Written with it, no derivative of any order divides by x, so all are right at 0.
"""

import math
from typing import Any

from ...autograd.forms import apply, general, unary
from ..arithmetic import sign
from .kernels import computed, horner

SWITCH = 30.0


def _scaled(xp: Any, x: Any, n: int, over: bool = True) -> Any:
    """exp(-abs(x)) I_n(x)/x**n, or without the division: power series (DLMF 10.25.2) or asymptotic series (10.40.1)."""
    a = xp.abs(x)
    s = xp.minimum(a, SWITCH)
    near = xp.exp(-s) * horner(0.25 * s * s, [0.5**n / (math.factorial(k) * math.factorial(k + n)) for k in range(50)])
    terms = [1.0]
    for k in range(1, 26):
        terms.append(terms[-1] * -(4 * n * n - (2 * k - 1) ** 2) / (8 * k))
    f = xp.maximum(a, SWITCH)
    far = horner(1.0 / f, terms) / xp.sqrt(2 * math.pi * f)
    return xp.where(a < SWITCH, near, far / f**n) if over else xp.where(a < SWITCH, near * s**n, far)


def _plain(xp: Any, x: Any, n: int, over: bool = True) -> Any:
    """I_n(x)/x**n or abs(I_n(x)); the exponential in two steps, as it overflows before the product does."""
    a = xp.minimum(xp.abs(x), 1000.0)
    e = xp.exp(0.5 * a)
    return _scaled(xp, a, n, over) * e * e


def _ratio(xp: Any, x: Any, n: int) -> Any:
    return computed(lambda xp, x: _plain(xp, x, n))(xp)(x)


def _ratio_e(xp: Any, x: Any, n: int) -> Any:
    return computed(lambda xp, x: _scaled(xp, x, n))(xp)(x)


RATIO = general(_ratio, lambda g, x, n: g * (x * ratio(n + 1, x)), name="bessel_ratio")
RATIO_E = general(_ratio_e, lambda g, y, x, n: g * (x * ratio_e(n + 1, x) - sign(x) * y), name="bessel_ratio_e")


def ratio(n: int, x: Any) -> Any:
    """I_n(x)/x**n."""
    return apply(RATIO, (x,), n)


def ratio_e(n: int, x: Any) -> Any:
    """exp(-abs(x)) I_n(x)/x**n."""
    return apply(RATIO_E, (x,), n)


i0 = unary(
    "i0",
    """The modified Bessel function of order 0.

    Gradient: i1(x) g; every order is right at 0.
    Numerics: relative error 1e-15; overflows to inf above 713.9.
    Source: DLMF 10.25.2 below 30, 10.40.1 above.
    Example:
        >>> import minigrad as mg
        >>> mg.special.i0(mg.tensor([0.0]))
        Tensor([1.], shape (1,), float32, cpu)
    """,
    lambda g, x: g * i1(x),
    computed(lambda xp, x: _plain(xp, x, 0)),
)
i1: Any = unary(
    "i1",
    """The modified Bessel function of order 1, the derivative of i0.

    Gradient: (I_0(x) + I_2(x))/2 g, which is 1/2 g at 0; every order is right there.
    Numerics, Source: as i0.
    Example:
        >>> import minigrad as mg
        >>> mg.round(mg.special.i1(mg.tensor([0.0, 1.0])), 4)
        Tensor([0.    , 0.5652], shape (2,), float32, cpu)
    """,
    lambda g, x: g * (0.5 * (i0(x) + x * x * ratio(2, x))),
    computed(lambda xp, x: xp.copysign(_plain(xp, x, 1, over=False), x)),
)
i0e = unary(
    "i0e",
    """exp(-abs(x)) i0(x), which does not overflow.

    Gradient: (i1e(x) - sign(x) i0e(x)) g; 0 at the kink x = 0.
    Example:
        >>> import minigrad as mg
        >>> mg.round(mg.special.i0e(mg.tensor([0.0, 1.0])), 4)
        Tensor([1.    , 0.4658], shape (2,), float32, cpu)
    """,
    lambda g, y, x: g * (i1e(x) - sign(x) * y),
    computed(lambda xp, x: _scaled(xp, x, 0)),
)
i1e: Any = unary(
    "i1e",
    """exp(-abs(x)) i1(x), which does not overflow.

    Gradient: exp(-abs(x)) (I_0(x) + I_2(x))/2 g - sign(x) y g; 1/2 g at 0.
    Example:
        >>> import minigrad as mg
        >>> mg.round(mg.special.i1e(mg.tensor([0.0, 1.0])), 4)
        Tensor([0.    , 0.2079], shape (2,), float32, cpu)
    """,
    lambda g, y, x: g * (0.5 * (i0e(x) + x * x * ratio_e(2, x)) - sign(x) * y),
    computed(lambda xp, x: xp.copysign(_scaled(xp, x, 1, over=False), x)),
)

__all__ = ["i0", "i0e", "i1", "i1e"]
