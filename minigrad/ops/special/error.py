"""The error function and the normal distribution: erf, erfc, erfcx, ndtr, log_ndtr and their inverses."""

import math
from typing import Any

from ...autograd.forms import unary
from ...autograd.op import compiled
from ..exponential import exp
from .kernels import computed, horner

ROOT_HALF = math.sqrt(0.5)
TWO_BY_ROOT_PI = 2 / math.sqrt(math.pi)

# fmt: off
# erf(x)/x in x**2: on [0, 1], and for float32 on [0, 15.4], lifted by 6e-8 at the end so that it is cut off at 1
ERF_P = (1.1283791670955126, 0.14365581715028763, 0.0455033341653278, 0.0018829155471563983, 0.00019709588069752516, 8.625602445726376e-08)
ERF_Q = (1.0, 0.46064498648983654, 0.0938746087651241, 0.010705251871973175, 0.0006937362332349159, 2.0866484101019162e-05)
ERF_SINGLE_P = (
    1.1283791695636165, 0.19245051407804664, 0.05557773976557851, 0.004193726153673731, 0.00040556695051426967, 6.58179000976441e-06,
)
ERF_SINGLE_Q = (
    1.0, 0.5038882479442391, 0.117216669098434, 0.016210977424337147, 0.0014071467387910138, 7.106351524881637e-05,
    2.4859946407788537e-07,
)
# (1 + 2x) erfcx(x) in t = (x - 3)/(x + 3), for all x >= 0
ERFCX = (
    1.2530080582697296, -0.13562110612458117, -0.04756229435345087, 0.1296451587027606, -0.11927366341530699, 0.06830802734397848,
    -0.023770514918645888, 0.002529391816066239, 0.0018886903591561553, -0.0007798322721083991, -0.00010515979981501177,
    0.00012509935235563107, 4.949484992570595e-06, -2.0100567931289227e-05, -7.315105164159062e-07, 3.472414602875686e-06,
    3.5683839153992204e-07, -6.166496077604353e-07, -1.4160064940265987e-07, 1.0187000600072885e-07, 4.180784698845582e-08,
    -1.3326364813003834e-08, -8.500397929772615e-09, 9.885798831139365e-10, 8.864219016427092e-10,
)
ERFCX_SINGLE = (
    1.2530080563514496, -0.13562110005839803, -0.047562156146354076, 0.1296447209153884, -0.11927528136881009, 0.06831319671956372,
    -0.023763559702172088, 0.0025067786718598333, 0.001875060245867973, -0.0007340820503933423, -9.25376912641456e-05,
    8.007454974776248e-05,
)

# Wichura's AS241 for the normal quantile: (p - 1/2) R(0.180625 - (p - 1/2)**2), then R(r - 1.6), R(r - 5) with r = sqrt(-log p)
QUANTILE = (
    (3.3871328727963665, 133.14166789178438, 1971.5909503065513, 13731.69376550946, 45921.95393154987, 67265.7709270087, 33430.57558358813,
     2509.0809287301227),
    (1.0, 42.31333070160091, 687.1870074920579, 5394.196021424751, 21213.794301586597, 39307.89580009271, 28729.085735721943,
     5226.495278852854),
    (1.4234371107496835, 4.630337846156546, 5.769497221460691, 3.6478483247632045, 1.2704582524523684, 0.2417807251774506,
     0.022723844989269184, 0.0007745450142783414),
    (1.0, 2.053191626637759, 1.6763848301838038, 0.6897673349851, 0.14810397642748008, 0.015198666563616457, 0.0005475938084995345,
     1.0507500716444169e-09),
    (6.657904643501103, 5.463784911164114, 1.7848265399172913, 0.29656057182850487, 0.026532189526576124, 0.0012426609473880784,
     2.7115555687434876e-05, 2.0103343992922881e-07),
    (1.0, 0.599832206555888, 0.1369298809227358, 0.014875361290850615, 0.0007868691311456133, 1.8463183175100548e-05,
     1.421511758316446e-07, 2.0442631033899397e-15),
)
# fmt: on


# -- kernels ----------------------------------------------------------------------------------------------------------
def _near(xp: Any, x: Any) -> Any:
    """erf(x) for abs(x) <= 1."""
    z = x * x
    return x * (horner(z, ERF_P) / horner(z, ERF_Q))


def _scaled(xp: Any, a: Any) -> Any:
    """erfcx(a) = exp(a**2) erfc(a) for a >= 0."""
    t = 1.0 - 6.0 / (a + 3.0)
    return horner(t, ERFCX_SINGLE if a.dtype.itemsize == 4 else ERFCX) / (1.0 + 2.0 * a)


def _gauss(xp: Any, a: Any, k: float) -> Any:
    """exp(k a**2) for a >= 0: the square of a rounded to 1/16 is exact, and the rest is small (W. J. Cody, 1969)."""
    a = xp.minimum(a, 40.0)
    s = xp.floor(a * 16.0) / 16.0
    return xp.exp(k * s * s) * xp.exp(k * ((a - s) * (a + s)))


def _erf(xp: Any, x: Any) -> Any:
    if x.dtype.itemsize == 4:
        x = xp.clip(x, -3.924283, 3.924283)
        z = x * x
        return xp.clip(x * (horner(z, ERF_SINGLE_P) / horner(z, ERF_SINGLE_Q)), -1.0, 1.0)
    a = xp.abs(x)
    far = 1.0 - _gauss(xp, a, -1.0) * _scaled(xp, a)
    return xp.where(a < 1.0, _near(xp, xp.clip(x, -1.0, 1.0)), xp.copysign(far, x))


def _erfc(xp: Any, x: Any) -> Any:
    a = xp.abs(x)
    tail = _gauss(xp, a, -1.0) * _scaled(xp, a)
    return xp.where(a < 0.5, 1.0 - _near(xp, xp.clip(x, -0.5, 0.5)), xp.where(x < 0, 2.0 - tail, tail))


def _erfcx(xp: Any, x: Any) -> Any:
    a = xp.abs(x)
    y = _scaled(xp, a)
    return xp.where(x < 0, 2.0 * _gauss(xp, a, 1.0) - y, y)


def _ndtr(xp: Any, x: Any) -> Any:
    a = xp.abs(x)
    s = ROOT_HALF * x
    tail = 0.5 * _gauss(xp, a, -0.5) * _scaled(xp, xp.abs(s))
    return xp.where(a < ROOT_HALF, 0.5 + 0.5 * _near(xp, xp.clip(s, -0.5, 0.5)), xp.where(x < 0, tail, 1.0 - tail))


def _log_ndtr(xp: Any, x: Any) -> Any:
    a = xp.abs(x)
    y = _scaled(xp, ROOT_HALF * a)
    return xp.where(x < -1.0, xp.log(0.5 * y) - 0.5 * a * a, xp.log1p(-_ndtr(xp, -x)))


def _quantile(xp: Any, q: Any, tail: Any) -> Any:
    """The x with ndtr(x) = 1/2 + q; ``tail`` is the smaller of 1/2 + q and 1/2 - q."""
    p0, q0, p1, q1, p2, q2 = QUANTILE
    z = 0.180625 - xp.clip(q, -0.425, 0.425) ** 2
    r = xp.sqrt(-xp.log(tail))
    s = xp.clip(r, 1.6, 5.0) - 1.6
    t = xp.maximum(xp.minimum(r, 40.0), 5.0) - 5.0
    far = xp.where(r <= 5.0, horner(s, p1) / horner(s, q1), horner(t, p2) / horner(t, q2))
    y = xp.where(xp.abs(q) <= 0.425, q * (horner(z, p0) / horner(z, q0)), xp.copysign(far, q))
    return xp.where(tail > 0, y, xp.where(tail == 0, xp.copysign(math.inf, q), math.nan))


def _ndtri(xp: Any, p: Any) -> Any:
    return _quantile(xp, p - 0.5, xp.minimum(p, 1.0 - p))


def _erfinv(xp: Any, x: Any) -> Any:
    return ROOT_HALF * _quantile(xp, 0.5 * x, 0.5 * (1.0 - xp.abs(x)))


# -- ops --------------------------------------------------------------------------------------------------------------
erf = unary(
    "erf",
    """The error function 2/sqrt(pi) * integral of exp(-t**2) from 0 to x.

    Shapes: x any; y the same.
    Gradient: 2/sqrt(pi) exp(-x**2) g.
    Numerics: relative error 2e-16 in float64, 2e-7 in float32 (and float16, computed in float32).
    Source: a rational function near 0, as W. J. Cody, Rational Chebyshev Approximations for the Error Function, 1969; beyond 1
        in float64, 1 - erfc.
    Example:
        >>> import minigrad as mg
        >>> mg.special.erf(mg.tensor([0.0, 10.0]))
        Tensor([0., 1.], shape (2,), float32, cpu)
    """,
    lambda g, x: g * (TWO_BY_ROOT_PI * exp(-(x * x))),
    computed(_erf, single=True),
)
compiled("elementwise", erf)
erfc = unary(
    "erfc",
    """The complementary error function 1 - erf(x), with full relative precision where it is small: 8e-300 at 26.

    Gradient: -2/sqrt(pi) exp(-x**2) g.
    Numerics: relative error 1e-15 in float64, 1e-6 in float32; 0 beyond 27.2 (float32: 10.1).
    Source: exp(-x**2) erfcx(x); see ``erfcx``.
    Example:
        >>> import minigrad as mg
        >>> mg.special.erfc(mg.tensor([0.0]))
        Tensor([1.], shape (1,), float32, cpu)
    """,
    lambda g, x: g * (-TWO_BY_ROOT_PI * exp(-(x * x))),
    computed(_erfc, single=True),
)
erfcx = unary(
    "erfcx",
    """The scaled complementary error function exp(x**2) erfc(x), near 1/(x sqrt(pi)) for large x.

    Gradient: (2 x y - 2/sqrt(pi)) g; the difference loses digits in proportion to x**2.
    Numerics: inf below -26.6 (float32: -9.3).
    Source: a polynomial in (x - 3)/(x + 3) for (1 + 2x) erfcx(x) on all of x >= 0, as M. M. Shepherd and J. G. Laframboise,
        Chebyshev Approximation of (1 + 2x) exp(x^2) erfc x in 0 <= x < oo, 1981.
    Example:
        >>> import minigrad as mg
        >>> round(mg.special.erfcx(mg.tensor(20.0)).item(), 4)  # where erfc itself is 0
        0.0282
    """,
    lambda g, y, x: g * (2.0 * (x * y) - TWO_BY_ROOT_PI),
    computed(_erfcx, single=True),
)
erfinv = unary(
    "erfinv",
    """The x with erf(x) = the input: +-inf at +-1, NaN beyond.

    Gradient: sqrt(pi)/2 exp(y**2) g; inf at +-1.
    Source: M. J. Wichura, Algorithm AS241, The Percentage Points of the Normal Distribution, 1988.
    Example:
        >>> import minigrad as mg
        >>> mg.special.erfinv(mg.tensor([0.0]))
        Tensor([0.], shape (1,), float32, cpu)
    """,
    lambda g, y: g * (exp(y * y) / TWO_BY_ROOT_PI),
    computed(_erfinv),
)
ndtr = unary(
    "ndtr",
    """The normal distribution function: the area below x under the standard normal density.

    Gradient: the density exp(-x**2/2)/sqrt(2 pi), times g.
    Numerics: full relative precision in the lower tail.
    Example:
        >>> import minigrad as mg
        >>> mg.special.ndtr(mg.tensor([0.0]))
        Tensor([0.5], shape (1,), float32, cpu)
    """,
    lambda g, x: g * (TWO_BY_ROOT_PI * ROOT_HALF / 2 * exp(x * x * -0.5)),
    computed(_ndtr, single=True),
)
log_ndtr = unary(
    "log_ndtr",
    """log(ndtr(x)), finite and exact where ndtr underflows: -804.608 at -40.

    Gradient: density over distribution, g sqrt(2/pi) / erfcx(-x/sqrt(2)); near -x far below 0, 0 far above.
    Example:
        >>> import minigrad as mg
        >>> round(mg.special.log_ndtr(mg.tensor(-40.0)).item(), 3)
        -804.608
    """,
    lambda g, x: g * (TWO_BY_ROOT_PI * ROOT_HALF) / erfcx(x * -ROOT_HALF),
    computed(_log_ndtr, single=True),
)
ndtri = unary(
    "ndtri",
    """The x with ndtr(x) = p: the normal quantile; -inf at 0, inf at 1, NaN outside.

    Gradient: sqrt(2 pi) exp(y**2/2) g.
    Source: M. J. Wichura, Algorithm AS241, 1988.
    Example:
        >>> import minigrad as mg
        >>> mg.special.ndtri(mg.tensor([0.5]))
        Tensor([0.], shape (1,), float32, cpu)
    """,
    lambda g, y: g * (2 / (TWO_BY_ROOT_PI * ROOT_HALF) * exp(y * y * 0.5)),
    computed(_ndtri),
)

__all__ = ["erf", "erfc", "erfcx", "erfinv", "log_ndtr", "ndtr", "ndtri"]
