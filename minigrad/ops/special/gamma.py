"""The gamma function and its relatives: gammaln, gamma, digamma, polygamma, zeta, beta, multigammaln."""

import math
import operator
from typing import Any

from ...autograd.arguments import shown
from ...autograd.forms import apply, binary, general, unary
from ...errors import DTypeError, GraphError, IndexRangeError
from .kernels import LOG_ROOT_TWO_PI, computed, from_integer, horner

# fmt: off
# lgamma(x)/((x - 1)(x - 2)) in x - 1, on [1, 3]
LGAMMA_P = (
    0.5772156649015329, 1.795879018997928, 2.1865334418937055, 1.3226883681228077, 0.4175253681048576, 0.06620652414372981,
    0.004630212547046027, 0.00010318936786846241, 1.54621296801624e-07,
)
LGAMMA_Q = (
    1.0, 3.5361659629745215, 5.021257900661251, 3.6722217552107503, 1.4771004522959044, 0.3239769173460576, 0.03613884447121401,
    0.0017463681006452904, 2.4701852219090835e-05,
)
# Stirling's series: x (lgamma(x) - (x - 1/2) log x + x - log(2 pi)/2) in 1/x**2, on x >= 3; it starts with 1/12
STIRLING_P = (0.08333333333333333, 1.190372606351185, 4.904304971159221, 6.6878298247072125, 2.5590246849884033, 0.13367152784937786)
STIRLING_Q = (1.0, 14.317804609547542, 59.31939599804327, 82.10205390891409, 32.97225380732656, 2.223301837290134)
# digamma(x)/(x - its root) in x - 1, on [1, 2]
DIGAMMA_P = (
    1.2503801375034054, 1.8675925104074453, 0.9711327526262392, 0.21631407251432455, 0.01996408274151926, 0.0005811135063985677,
    1.0894678528383955e-06,
)
DIGAMMA_Q = (
    1.0, 2.1771665986671342, 1.6630736963665909, 0.5710455727133128, 0.09111902253303285, 0.006100975692434821, 0.00012043151172286901,
)
DIGAMMA_ROOT = (1.4616321449683622, 9.549995429965697e-17)
# its asymptotic series: x**2 (log x - 1/(2x) - digamma(x)) in 1/x**2, on x >= 2; it starts with 1/12
DIGAMMA_TAIL_P = (
    0.08333333333333333, 2.1084516136526745, 18.22348436207439, 67.58804294253915, 110.81852316775962, 74.18595563686753,
    15.938349314950871, 0.490991545380442,
)
DIGAMMA_TAIL_Q = (
    1.0, 25.401419363832048, 221.17433523367282, 832.0143574333182, 1403.6707646115208, 999.9814136307392, 251.34064475635324,
    13.841996469795829,
)
# Bernoulli numbers B(2j)/(2j)!, j = 1, 2, ...
BERNOULLI = (
    1 / 12, -1 / 720, 3.306878306878307e-05, -8.267195767195768e-07, 2.08767569878681e-08,
    -5.284190138687493e-10, 1.3382536530684679e-11, -3.389680296322583e-13,
)
# fmt: on
SHIFT = 11  # Stirling's series and Euler-Maclaurin sums start this far from 0


# -- kernels ----------------------------------------------------------------------------------------------------------
def stirling(xp: Any, x: Any) -> Any:
    """What Stirling's formula for log gamma leaves out, about 1/(12 x), for x >= 3."""
    w = 1.0 / (x * x)
    return horner(w, STIRLING_P) / (horner(w, STIRLING_Q) * x)


def lgamma_near(xp: Any, x: Any) -> Any:
    """log gamma(1 + x) for 0 <= x <= 2, its zeros at 0 and 1 exact."""
    return x * (x - 1.0) * (horner(x, LGAMMA_P) / horner(x, LGAMMA_Q))


def lgamma(xp: Any, x: Any) -> Any:
    """log gamma(x) for x >= 0."""
    low = x < 1.0
    near = lgamma_near(xp, xp.minimum(xp.where(low, x, x - 1.0), 2.0)) - xp.log(xp.where(low, x, 1.0)) + 0.0  # not -0.0
    f = xp.maximum(x, 3.0)
    return xp.where(x < 3.0, near, (f - 0.5) * (xp.log(f) - 1.0) + (LOG_ROOT_TWO_PI - 0.5) + stirling(xp, f))


def _gammaln(xp: Any, x: Any) -> Any:
    a = xp.abs(x)
    y = lgamma(xp, a)
    mirrored = -xp.log(xp.abs(xp.sin(math.pi * from_integer(xp, a))) / math.pi) - xp.log(a) - y
    return xp.where(x < 0, xp.where(xp.isinf(x), math.inf, mirrored), y)


def _gamma(xp: Any, x: Any) -> Any:
    a = xp.abs(x)
    low = a < SHIFT
    product = 1.0  # gamma(a) = gamma(a + SHIFT) / (a (a + 1) ...)
    for k in range(SHIFT - 1, 0, -1):
        product = product * xp.where(low, a + k, 1.0)
    f = xp.minimum(xp.where(low, a + SHIFT, a), 200.0)
    half = xp.power(f, 0.5 * f - 0.25)  # f**(f - 1/2) would overflow before the result does
    scale = math.sqrt(2 * math.pi) * xp.exp(stirling(xp, f))
    y = scale * half * xp.exp(-f) * half / product
    r = from_integer(xp, a)
    odd = xp.rint(a) % 2.0
    mirrored = -math.pi / ((1.0 - 2.0 * odd) * xp.sin(math.pi * r) * y)
    mirrored = mirrored * xp.where(low, 1.0, 1.0 / a)  # where low, y lacks its last factor 1/a, which the reflection cancels
    y = xp.where(low, y / x, xp.where(a > 171.7, math.inf, y))
    y = xp.where((x <= 18.0) & (x == xp.floor(x)), xp.rint(y), y)
    return xp.where(x < 0, xp.where(r == 0, math.nan, mirrored), xp.where(xp.isneginf(x), math.nan, y))


def _digamma(xp: Any, x: Any) -> Any:
    a = xp.abs(x)
    u = xp.minimum(xp.where(a < 1.0, a, a - 1.0), 1.0)
    distance = xp.where(a < 1.0, a + (1.0 - DIGAMMA_ROOT[0]), a - DIGAMMA_ROOT[0]) - DIGAMMA_ROOT[1]
    f = xp.maximum(a, 2.0)
    w = 1.0 / (f * f)
    far = xp.log(f) - 0.5 / f - w * (horner(w, DIGAMMA_TAIL_P) / horner(w, DIGAMMA_TAIL_Q))
    y = xp.where(a < 2.0, distance * (horner(u, DIGAMMA_P) / horner(u, DIGAMMA_Q)), far)  # of 1 + a where a < 1
    r = from_integer(xp, a)
    mirrored = y + xp.where(a < 1.0, 0.0, 1.0 / a) + math.pi / xp.tan(math.pi * r)
    return xp.where(x < 0, xp.where(r == 0, math.nan, mirrored), y - xp.where(a < 1.0, 1.0 / x, 0.0))


def hurwitz(xp: Any, s: Any, q: Any) -> Any:
    """The sum of (q + k)**-s over k >= 0, for s > 1 and q >= 0, by Euler and Maclaurin."""
    w = q + (SHIFT + 1.0)
    v = 1.0 / w
    t = xp.power(w, -s)
    power, term = s * v, 0.5  # s (s + 1) ... (s + 2j) v**(2j + 1)
    for j, b in enumerate(BERNOULLI):
        term = term + b * power
        power = power * ((s + (2 * j + 1)) * v) * ((s + (2 * j + 2)) * v)
    y = t * term + xp.power(w, 1.0 - s) / (s - 1.0)
    for k in range(SHIFT, -1, -1):  # smallest first
        y = y + xp.power(q + float(k), -s)
    return y


def _zeta(xp: Any, s: Any, q: Any) -> Any:
    y = hurwitz(xp, xp.where(s > 1.0, s, 2.0), xp.where(q > 0, q, 1.0))
    y = xp.where(q > 0, y, xp.where(q == xp.floor(q), math.inf, math.nan))
    return xp.where(s > 1.0, y, xp.where(s == 1.0, math.inf, math.nan))


def cotangent(n: int) -> list[float]:
    """The n-th derivative of cot as a polynomial in c = cot: c' = -(1 + c**2)."""
    p = [0.0, 1.0]
    for _ in range(n):
        d = [k * c for k, c in enumerate(p)][1:]
        p = [-(d[k] if k < len(d) else 0.0) - (d[k - 2] if k >= 2 else 0.0) for k in range(len(d) + 2)]
    return p


def _polygamma(xp: Any, x: Any, n: int) -> Any:
    def kernel(xp: Any, x: Any) -> Any:
        y = math.factorial(n) * hurwitz(xp, n + 1.0, xp.abs(xp.where(x < 0, 1.0 - x, x)))
        r = from_integer(xp, x)
        c = xp.where(r == 0, math.inf, 1.0 / xp.tan(math.pi * r))
        mirrored = -(math.pi ** (n + 1)) * horner(c, cotangent(n)) - y
        return xp.where(x < 0, mirrored, y if n % 2 else -y)

    return computed(kernel)(xp)(x)


def _betaln(xp: Any, a: Any, b: Any) -> Any:
    a, b = xp.minimum(a, b), xp.maximum(a, b)
    plain = _gammaln(xp, a) + _gammaln(xp, b) - _gammaln(xp, a + b)
    # where b is large, lgamma(b) - lgamma(a + b) cancels: Stirling's formula for both, their difference by hand
    f = xp.maximum(b, 3.0)
    rest = stirling(xp, f) - stirling(xp, a + f)
    one = _gammaln(xp, a) + rest - (f + a - 0.5) * xp.log1p(a / f) - a * (xp.log(f) - 1.0)
    e = xp.maximum(a, 3.0)
    h = e / f
    two = LOG_ROOT_TWO_PI - 0.5 * xp.log(f) + (stirling(xp, e) + rest) + (e - 0.5) * xp.log(h / (1.0 + h)) - f * xp.log1p(h)
    return xp.where(a < 3.0, xp.where((b < 3.0) | (a <= 0), plain, one), two)


def _beta(xp: Any, a: Any, b: Any) -> Any:
    y = xp.exp(_betaln(xp, a, b))
    sign = 1.0
    for x in (a, b, a + b):  # gamma is negative on (-1, 0), (-3, -2), ...
        sign = sign * xp.where((x < 0) & (xp.floor(x) % 2.0 == 1.0), -1.0, 1.0)
    return sign * y


# -- ops --------------------------------------------------------------------------------------------------------------
gammaln = unary(
    "gammaln",
    """log(abs(gamma(x))).

    Gradient: digamma(x) g.
    Numerics: inf at 0, -1, -2, ... Relative error 1e-15 for x > 0, at the zeros 1 and 2 too; near the zeros below 0 the error is
        absolute.
    Source: Stirling's series above 3, a rational function with the zeros taken out on [1, 3], recurrence below, reflection for
        x < 0 (Abramowitz and Stegun, 1964, 6.1.15 to 6.1.41).
    Example:
        >>> import minigrad as mg
        >>> mg.special.gammaln(mg.tensor([1.0, 2.0]))
        Tensor([0., 0.], shape (2,), float32, cpu)
    """,
    lambda g, x: g * digamma(x),
    computed(_gammaln),
)
gamma = unary(
    "gamma",
    """The gamma function, (x - 1)! for whole x.

    Gradient: gamma(x) digamma(x) g.
    Numerics: inf from 171.6 on and at 0 (-inf at -0.0); NaN at -1, -2, ...; exact for whole x up to 18.
    Source: Stirling's formula at x + 11 or above, divided by x (x + 1) ... (x + 10).
    Example:
        >>> import minigrad as mg
        >>> mg.special.gamma(mg.tensor([5.0]))
        Tensor([24.], shape (1,), float32, cpu)
    """,
    lambda g, y, x: g * (y * digamma(x)),
    computed(_gamma),
)
digamma: Any = unary(
    "digamma",
    """The derivative of log gamma: -0.5772... (minus Euler's constant) at 1.

    Gradient: polygamma(1, x) g.
    Numerics: -inf at 0 (inf at -0.0), NaN at -1, -2, ...; relative precision at its root 1.4616... too.
    Source: Abramowitz and Stegun, 1964, 6.3.5, 6.3.7, 6.3.18; a rational function with the root taken out on [1, 2].
    Example:
        >>> import minigrad as mg
        >>> round(mg.special.digamma(mg.tensor(1.0)).item(), 4)
        -0.5772
    """,
    lambda g, x: g * polygamma(1, x),
    computed(_digamma),
)
POLYGAMMA = general(_polygamma, lambda g, x, n: g * polygamma(n + 1, x), name="polygamma")


def whole(name: str, parameter: str, n: Any) -> int:
    """A parameter that must be an integer."""
    try:
        return operator.index(n)
    except TypeError:
        order = "; the arguments are (n, x)" if parameter == "n" else ""
        raise DTypeError(f"{name}: {parameter} must be an integer, got {shown(n)}{order}") from None


def polygamma(n: int, x: Any) -> Any:
    """The n-th derivative of digamma.

    Args:
        n: a whole number from 0 (digamma itself) to 150.
        x: a Tensor or array.

    Raises:
        DTypeError: n is not an integer.
        IndexRangeError: n is out of range.

    Gradient: polygamma(n + 1, x) g, so that digamma can be differentiated any number of times.
    Source: (-1)**(n + 1) n! zeta(n + 1, x); for x < 0 the n-th derivative of the reflection formula, a polynomial in cot(pi x).
    Example:
        >>> import minigrad as mg
        >>> mg.special.polygamma(1, mg.tensor([1.0]))
        Tensor([1.644934], shape (1,), float32, cpu)
    """
    n = whole("polygamma", "n", n)
    if not 0 <= n <= 150:
        raise IndexRangeError(f"polygamma: n must be from 0 to 150, got {n}")
    return apply(POLYGAMMA, (x,), n) if n else digamma(x)


def refused(name: str, parameter: str) -> Any:
    """The rule of an input for which no derivative is implemented."""

    def rule(g: Any) -> Any:
        raise GraphError(f"{name}: the derivative with respect to {parameter} is not implemented; pass {parameter}.detach() or a number")

    return rule


zeta: Any = binary(
    "zeta",
    """The Hurwitz zeta function zeta(s, q), the sum of (q + k)**-s over k = 0, 1, ...; Riemann's at q = 1.

    Shapes: any two that broadcast.
    Gradient: -s zeta(s + 1, q) g to q; to s there is none, and asking for it raises GraphError.
    Numerics: for s > 1 and q > 0; inf at s = 1 and at q = 0, -1, ...; NaN elsewhere.
    Source: Euler-Maclaurin after 12 terms.
    Example:
        >>> import minigrad as mg
        >>> mg.special.zeta(2.0, mg.tensor([1.0]))
        Tensor([1.644934], shape (1,), float32, cpu)
    """,
    refused("zeta", "s"),
    lambda g, a, b: g * (-a * zeta(a + 1.0, b)),
    computed(_zeta),
)
betaln = binary(
    "betaln",
    """log(abs(beta(a, b))), that is gammaln(a) + gammaln(b) - gammaln(a + b), without the cancellation for large a or b.

    Gradient: (digamma(a) - digamma(a + b)) g to a, likewise b.
    Source: A. R. DiDonato and A. H. Morris, Algorithm 708, 1992, for the arrangement of the terms.
    Example:
        >>> import minigrad as mg
        >>> round(mg.special.betaln(mg.tensor(2.0), mg.tensor(3.0)).item(), 4)  # log(1/12)
        -2.4849
    """,
    lambda g, a, b: g * (digamma(a) - digamma(a + b)),
    lambda g, a, b: g * (digamma(b) - digamma(a + b)),
    computed(_betaln),
)
beta = binary(
    "beta",
    """The beta function gamma(a) gamma(b) / gamma(a + b).

    Gradient: y (digamma(a) - digamma(a + b)) g to a, likewise b.
    Numerics: relative error 2e-16 times 1 + abs(log y). For a, b > 0; below, where no gamma has a pole.
    Example:
        >>> import minigrad as mg
        >>> mg.special.beta(mg.tensor([2.0]), 4.0)
        Tensor([0.05], shape (1,), float32, cpu)
    """,
    lambda g, y, a, b: g * y * (digamma(a) - digamma(a + b)),
    lambda g, y, a, b: g * y * (digamma(b) - digamma(a + b)),
    computed(_beta),
)


def multigammaln(a: Any, p: int) -> Any:
    """The logarithm of the multivariate gamma function of dimension p, for a > (p - 1)/2.

    Raises:
        DTypeError: p is not an integer.
        IndexRangeError: p is less than 1.

    Source: p (p - 1)/4 log(pi) + the sum of gammaln(a - j/2) over j < p.
    Example:
        >>> import minigrad as mg
        >>> mg.special.multigammaln(mg.tensor(3.0), 1).item() == mg.special.gammaln(mg.tensor(3.0)).item()
        True
    """
    p = whole("multigammaln", "p", p)
    if p < 1:
        raise IndexRangeError(f"multigammaln: p must be at least 1, got {p}")
    y = gammaln(a)
    for j in range(1, p):
        y = y + gammaln(a - 0.5 * j)
    return y + p * (p - 1) / 4 * math.log(math.pi)


__all__ = ["beta", "betaln", "digamma", "gamma", "gammaln", "multigammaln", "polygamma", "zeta"]
