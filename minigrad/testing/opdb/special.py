"""Rows of ops/special.py. The references are Python's math module, sums and integrals written out, and inversion by bisection."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import DTypeError, IndexRangeError, ShapeError
from ..spec import OpSpec, S


def loop(f: Callable) -> Callable:
    """The reference made of a function of Python floats."""
    g = np.frompyfunc(f, f.__code__.co_argcount, 1)
    return lambda *xs: np.asarray(g(*xs)).astype(np.float64)


def integral(f: Callable[[np.ndarray], np.ndarray], low: float, high: float, n: int = 40) -> float:
    """Gauss-Legendre quadrature on ten panels."""
    t, w = np.polynomial.legendre.leggauss(n)
    edges = np.linspace(low, high, 11)
    half = np.diff(edges)[:, None] / 2
    return float((f(edges[:-1, None] + half * (t + 1)) * w * half).sum())


def inverse(f: Callable[[float], float], y: float, low: float = -40.0, high: float = 40.0) -> float:
    """The x with f(x) = y, f growing, by bisection."""
    for _ in range(120):
        middle = (low + high) / 2
        low, high = (middle, high) if f(middle) < y else (low, middle)
    return middle


def digamma(x: float) -> float:
    """-Euler's constant + the sum of 1/(k + 1) - 1/(k + x), as the integral of (1 - t**(x - 1))/(1 - t), for x > 0."""
    steps = 0.0
    while x < 5:
        steps, x = steps - 1 / x, x + 1
    return steps - 0.5772156649015329 + integral(lambda t: (1 - t ** (x - 1)) / (1 - t), 0.0, 1.0)


def polygamma(n: int, x: float) -> float:
    """(-1)**(n + 1) times the integral of t**n exp(-x t)/(1 - exp(-t)), for x > 0."""
    return (-1) ** (n + 1) * integral(lambda t: t**n * np.exp(-x * t) / -np.expm1(-t), 0.0, 60.0 / min(x, 1))


def zeta(s: float, q: float) -> float:
    """The sum, with the integral and half the first term for what is left out after a thousand."""
    q1 = q + 1000
    rest = q1 ** (1 - s) / (s - 1) + 0.5 * q1**-s + s / 12 * q1 ** (-s - 1)
    return rest + sum((q + k) ** -s for k in range(1000))


def bessel(n: int, x: float) -> float:
    """The integral of exp(x cos t) cos(n t) over (0, pi), over pi."""
    return integral(lambda t: np.exp(x * np.cos(t)) * np.cos(n * t), 0.0, math.pi) / math.pi


def lower(a: float, x: float) -> float:
    """P(a, x), with t = s**(1/a): the integral of exp(-s**(1/a))/gamma(a + 1) up to x**a."""
    return sum((-1) ** k * x ** (a + k) / (math.factorial(k) * (a + k)) for k in range(60)) / math.gamma(a)


def density(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2))


def edge(f: Callable[[float, float], float]) -> Callable:
    """A term that is 0 where its first argument is."""
    return loop(lambda x, y: f(x, y) if x else 0.0)


ONE = [S((2, 3))]
TWO = [S((2, 3), (2, 3)), S((2, 3), 0.5), S(1.5, (3,))]
COMPLEX: Any = ((np.ones(2) * 1j,), {}, DTypeError, "complex128")


def misfit(name: str) -> list[tuple]:
    return [((np.ones(3), np.ones(4)), {}, ShapeError, (name, "3", "4"))]


SPECS = [
    OpSpec(
        "special.erf",
        loop(lambda x: math.erf(x)),
        [S((2, 3)), S(np.array([-6.0, -1.1, -1e-9, 0.0, 0.9, 3.0]))],
        elementwise=True,
        errors=[COMPLEX],
    ),
    OpSpec(
        "special.erfc",
        loop(lambda x: math.erfc(x)),
        [S((2, 3)), S(np.array([-6.0, -0.1, 0.0, 0.4, 3.0]))],
        elementwise=True,
        errors=[COMPLEX],
    ),
    OpSpec("special.erfcx", loop(lambda x: math.exp(x * x) * math.erfc(x)), ONE, domain=(-2.0, 5.0), elementwise=True),
    OpSpec("special.erfinv", loop(lambda x: inverse(math.erf, x)), ONE, domain=(-0.95, 0.95), elementwise=True, kinks="inf at -1 and 1"),
    OpSpec("special.ndtr", loop(lambda x: density(x)), [S((2, 3)), S(np.array([-8.0, -0.5, 0.0, 0.6, 6.0]))], elementwise=True),
    OpSpec("special.log_ndtr", loop(lambda x: math.log(density(x))), [S((2, 3)), S(np.array([-9.0, -1.01, 0.0, 6.0]))], elementwise=True),
    OpSpec("special.ndtri", loop(lambda x: inverse(density, x)), ONE, domain=(0.03, 0.97), elementwise=True, kinks="inf at 0 and 1"),
    OpSpec(
        "special.gammaln",
        loop(lambda x: math.lgamma(x)),
        [S((2, 3)), S(np.array([-2.4, -0.5, 1.0, 2.0, 30.0]))],
        domain=(0.1, 9.0),
        elementwise=True,
    ),
    OpSpec(
        "special.gamma", loop(lambda x: math.gamma(x)), [S((2, 3)), S(np.array([-1.5, 0.5, 1.0, 5.0]))], domain=(0.3, 4.0), elementwise=True
    ),
    OpSpec("special.digamma", loop(digamma), ONE, domain=(0.3, 9.0), elementwise=True, kinks="NaN at -1, -2, ..."),
    OpSpec(
        "special.polygamma",
        loop(polygamma),
        [S(1, (2, 3)), S(2, (3,)), S(3, (3,))],
        domain=(1.0, 6.0),
        errors=[
            ((-1, np.ones(3)), {}, IndexRangeError, ("polygamma", "-1")),
            ((1.5, np.ones(3)), {}, DTypeError, ("polygamma", "1.5")),
        ],
    ),
    OpSpec(
        "special.multigammaln",
        lambda a, p: sum(loop(lambda x: math.lgamma(x))(a - j / 2) for j in range(p)) + p * (p - 1) / 4 * math.log(math.pi),
        [S((2, 3), 3), S((3,), 1)],
        domain=(1.5, 6.0),
        errors=[((np.ones(3), 0), {}, IndexRangeError, "multigammaln"), ((np.ones(3), 1.5), {}, DTypeError, "1.5")],
    ),
    OpSpec("special.zeta", loop(zeta), [S(2.0, (2, 3)), S(3.5, (3,)), S(4, ())], domain=(0.5, 5.0), kinks="no gradient to s"),
    OpSpec(
        "special.beta",
        loop(lambda a, b: math.gamma(a) * math.gamma(b) / math.gamma(a + b)),
        TWO,
        domain=(0.5, 4.0),
        elementwise=True,
        errors=misfit("beta"),
    ),
    OpSpec(
        "special.betaln",
        loop(lambda a, b: math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)),
        [*TWO, S(np.array([0.5, 4.0, 4.0]), np.array([9.0, 2.0, 5.0]))],
        domain=(0.5, 4.0),
        elementwise=True,
        errors=misfit("betaln"),
    ),
    OpSpec("special.gammainc", loop(lower), [S(2.5, (2, 3)), S(0.5, (3,)), S(7, (2,))], domain=(0.5, 4.0), kinks="no gradient to a"),
    OpSpec(
        "special.gammaincc",
        loop(lambda a, x: 1 - lower(a, x)),
        [S(2.5, (2, 3)), S(0.5, (3,)), S(7, (2,))],
        domain=(0.5, 4.0),
        kinks="no gradient to a",
    ),
    OpSpec("special.i0", loop(lambda x: bessel(0, x)), [S((2, 3)), S(np.array([-2.0, 0.0, 5.0]))], elementwise=True),
    OpSpec("special.i1", loop(lambda x: bessel(1, x)), [S((2, 3)), S(np.array([-2.0, 0.0, 5.0]))], elementwise=True),
    OpSpec(
        "special.i0e",
        loop(lambda x: math.exp(-abs(x)) * bessel(0, x)),
        [S((2, 3)), S(np.array([-2.0, 5.0, 40.0]))],
        elementwise=True,
        kinks="0 at 0",
    ),
    OpSpec(
        "special.i1e",
        loop(lambda x: math.exp(-abs(x)) * bessel(1, x)),
        [S((2, 3)), S(np.array([-2.0, 5.0, 40.0]))],
        elementwise=True,
        kinks="1/2 at 0",
    ),
    OpSpec("special.logit", loop(lambda x: math.log(x / (1 - x))), ONE, domain=(0.1, 0.9), elementwise=True, kinks="inf at 0 and 1"),
    OpSpec(
        "special.entr",
        loop(lambda x: -x * math.log(x) if x else 0.0),
        ONE,
        domain=(0.1, 3.0),
        elementwise=True,
        kinks="inf at 0, NaN below",
    ),
    OpSpec(
        "special.xlogy",
        edge(lambda x, y: x * math.log(y)),
        [*TWO, S(np.array([0.0, 0.0]), np.array([0.5, 2.0]))],
        domain=[(-2.0, 2.0), (0.3, 3.0)],
        elementwise=True,
        kinks="at (0, 0): 0 to both; at x = 0, y > 0: log y to x",
        errors=misfit("xlogy"),
    ),
    OpSpec(
        "special.xlog1py",
        edge(lambda x, y: x * math.log1p(y)),
        [*TWO, S(np.array([0.0, 1.0]), np.array([0.5, 1e-12]))],
        domain=[(-2.0, 2.0), (-0.7, 3.0)],
        elementwise=True,
        kinks="at (0, -1): 0 to both",
        errors=misfit("xlog1py"),
    ),
    OpSpec(
        "special.rel_entr", loop(lambda x, y: x * math.log(x / y)), TWO, domain=(0.2, 3.0), elementwise=True, kinks="-inf to x at x = 0"
    ),
    OpSpec(
        "special.kl_div",
        loop(lambda x, y: x * math.log(x / y) - x + y),
        TWO,
        domain=(0.2, 3.0),
        elementwise=True,
        kinks="-inf to x at x = 0",
    ),
    OpSpec("special.log1mexp", loop(lambda x: math.log(1 - math.exp(-x))), ONE, domain=(0.2, 3.0), elementwise=True, kinks="inf at 0"),
    OpSpec(
        "special.logdiffexp",
        loop(lambda a, b: math.log(math.exp(a) - math.exp(b))),
        [S((2, 3), (2, 3)), S((2, 3), 0.5), S(2.5, (3,))],
        domain=[(1.5, 3.0), (-1.0, 1.0)],
        elementwise=True,
        kinks="infinite where a = b",
        errors=misfit("logdiffexp"),
    ),
]
