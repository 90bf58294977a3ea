"""The incomplete gamma functions, regularised: gammainc and gammaincc."""

import math
from functools import cache
from typing import Any

import numpy as np

from ...autograd.forms import binary
from ..exponential import log
from .gamma import digamma, lgamma, lgamma_near, refused, stirling
from .kernels import computed, horner, log_excess

SMALL = 2.0  # below, series; above, quadrature


@cache
def _nodes() -> list[tuple[float, float]]:
    """Gauss-Legendre nodes and weights for integrands between exp(-v) and exp(-v**2) on v >= 0."""
    t, w = np.polynomial.legendre.leggauss(21)
    return [
        (low + (high - low) * (float(p) + 1) / 2, (high - low) / 2 * float(q))
        for low, high in ((0.0, 2.5), (2.5, 8.0), (8.0, 38.0))
        for p, q in zip(t, w, strict=True)
    ]


def _weight(xp: Any, a: Any, x: Any) -> Any:
    """x**a exp(-x)/gamma(a); for large a by Stirling's formula, the large terms combined beforehand."""
    f = xp.maximum(a, 3.0)
    large = xp.sqrt(f / (2 * math.pi)) * xp.exp(-f * log_excess(xp, (x - f) / f) - stirling(xp, f))
    return xp.where(a < 3.0, xp.exp(a * xp.log(x) - x - lgamma(xp, xp.minimum(a, 3.0))), large)


def _integral(xp: Any, a: Any, x: Any) -> Any:
    """The smaller tail (lower where x <= a) over its weight: t = x e**-s or x e**s makes the integrand exp(-E(s)), where
    E(s) = abs(a - x) s + x (e**+-s - 1 -+ s) is a sum of positive terms; s is measured in units of E's own scale."""
    d = xp.abs(a - x)
    side = xp.where(x <= a, -1.0, 1.0)
    unit = 2.0 / (d + xp.hypot(d, xp.sqrt(2.0 * x)))
    total = 0.0
    for v, w in _nodes():
        s = unit * v
        z = side * s
        series = z * z * horner(z, [1 / math.factorial(k) for k in range(2, 11)])
        total = total + w * xp.exp(-(d * s + x * xp.where(s < 0.1, series, xp.expm1(z) - z)))
    return total * unit


def _series(xp: Any, a: Any, x: Any) -> Any:
    """The lower tail over its weight, for x <= 2: 1/a + x/(a (a + 1)) + ..."""
    y = 1.0
    for k in range(26, 0, -1):
        y = 1.0 + x / (a + k) * y
    return y / a


def _upper_series(xp: Any, a: Any, x: Any) -> Any:
    """The upper tail for x <= 2, a <= 1: 1 minus the lower one, each part of order a."""
    y = 0.0 * x
    for k in range(26, 0, -1):
        y = y + (1.0 if k % 2 else -1.0) / math.factorial(k) * x**k / (a + k)
    e = a * xp.log(x) - lgamma_near(xp, a)
    return xp.exp(e) * a * y - xp.expm1(e)


def _incomplete(xp: Any, a: Any, x: Any, upper: bool) -> Any:
    usual = (a > 0) & (x >= 0) & xp.isfinite(a) & xp.isfinite(x)
    p, q = xp.where(usual, a, 1.0), xp.where(usual, x, 1.0)
    small = q < SMALL
    weight = _weight(xp, p, q)
    low = xp.minimum(q, SMALL)
    series = weight * _series(xp, p, low)
    tail = weight * _integral(xp, p, xp.maximum(q, SMALL))
    if upper:
        y = xp.where(small, xp.where(p < 1.0, _upper_series(xp, xp.minimum(p, 1.0), low), 1.0 - series), xp.where(q <= p, 1.0 - tail, tail))
    else:
        y = xp.where(small, series, xp.where(q <= p, tail, 1.0 - tail))
    at_end = ((a == 0) & (x > 0)) | ((a >= 0) & (a < math.inf) & (x == math.inf))  # all below x
    at_start = (a == math.inf) & (x >= 0) & (x < math.inf)
    zero, one = (at_end, at_start) if upper else (at_start, at_end)
    return xp.where(usual, y, xp.where(zero, 0.0, xp.where(one, 1.0, math.nan)))


def _density(xp: Any, a: Any, x: Any) -> Any:
    y = _weight(xp, a, x) / x
    return xp.where(x == 0, xp.where(a == 1, 1.0, xp.where(a < 1, math.inf, 0.0)), y)


gamma_density = binary(
    "gamma_density",
    "x**(a - 1) exp(-x)/gamma(a), the derivative of gammainc.",
    lambda g, y, a, b: g * y * (log(b) - digamma(a)),
    lambda g, y, a, b: g * y * ((a - 1.0) / b - 1.0),
    computed(_density),
)
gammainc = binary(
    "gammainc",
    """The regularised lower incomplete gamma function P(a, x): the integral of t**(a - 1) exp(-t) up to x, over gamma(a).

    Shapes: any two that broadcast.
    Gradient: x**(a - 1) exp(-x)/gamma(a) g to x; to a there is none, and asking for it raises GraphError.
    Numerics: for a, x >= 0, NaN elsewhere; relative error about 1e-13 for all a and x, in the small tail too.
    Source: DLMF 8.7.1 and 8.11.4 for x < 2; above, Gauss-Legendre quadrature of the smaller tail in units of its own width.
    Example:
        >>> import minigrad as mg
        >>> mg.special.gammainc(1.0, mg.tensor([0.0, 1.0]))
        Tensor([0.        , 0.63212055], shape (2,), float32, cpu)
    """,
    refused("gammainc", "a"),
    lambda g, a, b: g * gamma_density(a, b),
    computed(lambda xp, a, x: _incomplete(xp, a, x, False)),
)
gammaincc = binary(
    "gammaincc",
    """The regularised upper incomplete gamma function Q(a, x) = 1 - P(a, x), with full relative precision where it is small.

    Gradient: -x**(a - 1) exp(-x)/gamma(a) g to x; to a there is none, and asking for it raises GraphError.
    Numerics, Source: as gammainc.
    Example:
        >>> import minigrad as mg
        >>> round(mg.special.gammaincc(mg.tensor(1.0), mg.tensor(2.0)).item(), 4)  # e**-2
        0.1353
    """,
    refused("gammaincc", "a"),
    lambda g, a, b: -(g * gamma_density(a, b)),
    computed(lambda xp, a, x: _incomplete(xp, a, x, True)),
)

__all__ = ["gammainc", "gammaincc"]
