"""The Gaussian error linear unit and its approximation by tanh.

On NumPy, float32 is computed block by block in memory that stays in the cache: with e = exp(-x**2 / 2) and t = 1 - 6 / (abs(x) + 3), the
probability of a normal number beyond abs(x) is e (t - 1) times a polynomial in t, to within 6e-8 of itself.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd.forms import binary, unary
from ..autograd.op import compiled
from .exponential import exp
from .trigonometric import tanh

TAIL = (
    -0.121513943, 0.0848887165, -0.0383365676, 0.00787588085, 0.00174668214, -0.00115333443,
    -0.000179121989, 0.000149625732, 4.38315474e-05,
)  # fmt: skip
"""Of t**0, t**1, ...: Lawson's approximation in relative error for abs(x) <= 14.5, beyond which e is 0."""
_BLOCK = 1 << 14
"""Numbers that are worked on at a time."""


# -- block by block ---------------------------------------------------------------------------------------------------
def _below(xp: Any, x: Any, p: Any, t: Any) -> None:
    """p, the probability that a standard normal number is below x, and exp(-x**2 / 2) in t."""
    xp.abs(x, out=t)
    t += 3
    xp.divide(-6, t, out=t)
    t += 1
    xp.multiply(t, TAIL[-1], out=p)
    for c in TAIL[-2:0:-1]:
        p += c
        p *= t
    p += TAIL[0]
    t -= 1
    p *= t
    xp.multiply(x, x, out=t)
    t *= -0.5
    xp.exp(t, out=t)
    p *= t
    xp.subtract(x > 0, p, out=p)  # 1 - p on the right, and -p on the left
    xp.abs(p, out=p)


def _value(xp: Any, y: Any, t: Any, x: Any) -> None:
    _below(xp, x, y, t)
    y *= x


def _slope(xp: Any, y: Any, t: Any, g: Any, x: Any) -> None:
    _below(xp, x, y, t)
    t *= math.sqrt(0.5 / math.pi)
    t *= x
    y += t
    y *= g


def _in_blocks(xp: Any, whole: Callable, part: Callable) -> Callable:
    """``whole`` for arrays of any kind, and ``part`` for blocks of NumPy's float32."""

    def kernel(*arrays: Any) -> Any:
        x = arrays[0]
        if any(a.dtype != "float32" or a.shape != x.shape or not a.flags.c_contiguous for a in arrays):
            return whole(*arrays)
        flat, y = [a.reshape(-1) for a in arrays], xp.empty(x.shape, x.dtype)
        to = y.reshape(-1)

        room = xp.empty(min(_BLOCK, x.size), x.dtype)
        with np.errstate(over="ignore"):  # the square of a large x
            for i in range(0, x.size, _BLOCK):
                j = min(i + _BLOCK, x.size)
                part(xp, to[i:j], room[: j - i], *[a[i:j] for a in flat])
        return y

    return kernel if xp.__name__ == "numpy" else whole


# -- gelu -------------------------------------------------------------------------------------------------------------
def _normal_cdf(x: Any) -> Any:
    from .special.error import erfc

    return erfc(x * -math.sqrt(0.5)) * 0.5


def _normal_density(x: Any) -> Any:
    return exp(x * x * -0.5) * math.sqrt(0.5 / math.pi)


def _gelu_curvature(x: Any) -> Any:
    d = _normal_density(x)
    return d * 2 - x * d * x


def _gelu_tanh_argument(x: Any) -> Any:
    return x * (x * x * 0.044715 + 1) * math.sqrt(2 / math.pi)


def _gelu_tanh_slope(x: Any) -> Any:
    t = tanh(_gelu_tanh_argument(x))
    return (t + 1) * 0.5 + x * (1 - t * t) * ((x * x * (3 * 0.044715) + 1) * math.sqrt(0.5 / math.pi))


def _gelu_tanh_curvature(x: Any) -> Any:
    """With u the argument of tanh and t = tanh(u): (1 - t**2) * (u' + x * (u''/2 - t * u'**2))."""
    t = tanh(_gelu_tanh_argument(x))
    first = (x * x * (3 * 0.044715) + 1) * math.sqrt(2 / math.pi)
    return (1 - t * t) * (first + x * (x * (3 * 0.044715 * math.sqrt(2 / math.pi)) - t * first * first))


gelu_gradient: Any = binary(
    "gelu_gradient",
    "g * (Phi(x) + x * phi(x)): the gradient of gelu.",
    lambda g, b: gelu_gradient(g, b),
    lambda g, a, b: g * a * _gelu_curvature(b),
    lambda xp: _in_blocks(xp, lambda g, x: g * (_normal_cdf(x) + x * _normal_density(x)), _slope),
)
gelu_tanh_gradient: Any = binary(
    "gelu_tanh_gradient",
    "The gradient of gelu with its normal distribution approximated by tanh.",
    lambda g, b: gelu_tanh_gradient(g, b),
    lambda g, a, b: g * a * _gelu_tanh_curvature(b),
    lambda xp: lambda g, x: g * _gelu_tanh_slope(x),
)
_gelu = unary(
    "gelu",
    "x times the probability that a standard normal number is below x.",
    lambda g, x: gelu_gradient(g, x),
    lambda xp: _in_blocks(xp, lambda x: x * _normal_cdf(x), _value),
)
_gelu_tanh = unary(
    "gelu_tanh",
    "gelu with its normal distribution approximated by tanh.",
    lambda g, x: gelu_tanh_gradient(g, x),
    lambda xp: lambda x: x * (0.5 * xp.tanh(_gelu_tanh_argument(x)) + 0.5),
)


def gelu(x: Any, approximate: str = "none") -> Any:
    """x * Phi(x), Phi the distribution function of the standard normal distribution.

    Shapes: x any; y the same.
    Args:
        approximate: "none", or "tanh" for ``0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x**3)))``.
    Gradient: g * (Phi(x) + x * phi(x)), phi the density.
    Source: Hendrycks and Gimpel, Gaussian Error Linear Units (2016).
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.gelu(mg.tensor([-100.0, 0.0, 100.0]))
        Tensor([ -0.,   0., 100.], shape (3,), float32, cpu)
    """
    if approximate not in ("none", "tanh"):
        raise ValueError(f'gelu: approximate must be "none" or "tanh", got {approximate!r}')
    return _gelu(x) if approximate == "none" else _gelu_tanh(x)


compiled("elementwise", _gelu, _gelu_tanh, gelu_gradient, gelu_tanh_gradient)

__all__ = ["gelu", "gelu_gradient", "gelu_tanh_gradient"]
