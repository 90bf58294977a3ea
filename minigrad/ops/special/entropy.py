"""Logarithms that are safe at their edges: logit, xlogy, xlog1py, entr, rel_entr, kl_div, log1mexp, logdiffexp."""

import math
from typing import Any

from ...autograd.forms import binary, unary
from ..exponential import expm1, log
from ..masks import masked
from .kernels import computed, log_excess


# -- kernels ----------------------------------------------------------------------------------------------------------
def _logit(xp: Any, x: Any) -> Any:
    # about 1/2 both logarithms are large against their difference; log1p of (x - (1 - x))/(1 - x) is not
    return xp.where(xp.abs(x - 0.5) < 0.2, xp.log1p((2.0 * x - 1.0) / (1.0 - x)), xp.log(x) - xp.log1p(-x))


def _xlogy(xp: Any, x: Any, y: Any) -> Any:
    return xp.where((x == 0) & ~xp.isnan(y), 0.0, x * xp.log(y))


def _xlog1py(xp: Any, x: Any, y: Any) -> Any:
    return xp.where((x == 0) & ~xp.isnan(y), 0.0, x * xp.log1p(y))


def _entr(xp: Any, x: Any) -> Any:
    return xp.where(x == 0, 0.0, xp.where(x < 0, -math.inf, -x * xp.log(x)))


def _rel_entr(xp: Any, x: Any, y: Any) -> Any:
    q = x / y
    near = xp.log1p((x - y) / y)  # log q would keep the rounding error of q
    log = xp.where(xp.abs(q - 1.0) < 0.5, near, xp.where((q > 1e-30) & (q < 1e30), xp.log(q), xp.log(x) - xp.log(y)))
    inside = ((x > 0) & (y > 0)) | xp.isnan(x) | xp.isnan(y)
    return xp.where(inside, x * log, xp.where((x == 0) & (y >= 0), 0.0, math.inf))


def _kl_div(xp: Any, x: Any, y: Any) -> Any:
    u = (y - x) / x
    relative = _rel_entr(xp, x, y)
    term = xp.where(xp.abs(u) < 0.3, x * log_excess(xp, u), relative + (y - x))
    return xp.where(relative == math.inf, math.inf, term)


def _log1mexp(xp: Any, x: Any) -> Any:
    return xp.where(x < math.log(2), xp.log(-xp.expm1(-x)), xp.log1p(-xp.exp(-x)))


def _logdiffexp(xp: Any, a: Any, b: Any) -> Any:
    return xp.where(a == b, -math.inf, a + _log1mexp(xp, a - b))


# -- ops --------------------------------------------------------------------------------------------------------------
logit = unary(
    "logit",
    """log(x/(1 - x)), the inverse of expit: -inf at 0, inf at 1, NaN outside.

    Gradient: g/(x (1 - x)); inf at 0 and 1.
    Numerics: full relative precision about its root 1/2 too.
    Example:
        >>> import minigrad as mg
        >>> mg.special.logit(mg.tensor([0.5]))
        Tensor([0.], shape (1,), float32, cpu)
    """,
    lambda g, x: g / (x * (1.0 - x)),
    computed(_logit, single=True),
)
xlogy: Any = binary(
    "xlogy",
    """x log(y), and 0 where x is 0, whatever y (unless NaN).

    Gradient: log(y) g to x, and 0 where x = 0 and y <= 0; (x/y) g to y, and 0 where both are 0.
    Example:
        >>> import minigrad as mg
        >>> mg.special.xlogy(mg.tensor([0.0, 2.0]), mg.tensor([0.0, 1.0]))
        Tensor([0., 0.], shape (2,), float32, cpu)
    """,
    lambda g, a, b: xlogy(masked(g, (a != 0) | (b > 0)), b),
    lambda g, a, b: g * (a / (b + ((a == 0) & (b == 0)))),
    computed(_xlogy, single=True),
)
xlog1py: Any = binary(
    "xlog1py",
    """x log(1 + y), exact for small y, and 0 where x is 0, whatever y (unless NaN).

    Gradient: log1p(y) g to x, and 0 where x = 0 and y <= -1; x/(1 + y) g to y, and 0 where x = 0 and y = -1.
    Example:
        >>> import minigrad as mg
        >>> mg.special.xlog1py(mg.tensor([0.0, 1.0]), mg.tensor([-1.0, 1e-8]))
        Tensor([0.e+00, 1.e-08], shape (2,), float32, cpu)
    """,
    lambda g, a, b: xlog1py(masked(g, (a != 0) | (b > -1)), b),
    lambda g, a, b: g * (a / (b + 1.0 + ((a == 0) & (b == -1)))),
    computed(_xlog1py, single=True),
)
entr = unary(
    "entr",
    """-x log(x), a term of Shannon's entropy: 0 at 0, -inf below.

    Gradient: -(log(x) + 1) g; inf at 0 and NaN below.
    Example:
        >>> import minigrad as mg
        >>> mg.special.entr(mg.tensor([0.0, 0.5]))
        Tensor([0.       , 0.3465736], shape (2,), float32, cpu)
    """,
    lambda g, x: -(g * (log(x) + 1.0)),
    computed(_entr, single=True),
)
rel_entr = binary(
    "rel_entr",
    """x log(x/y), a term of the relative entropy: 0 where x = 0 and y >= 0, inf where x < 0 or y <= 0.

    Gradient: (log(x/y) + 1) g to x, -inf at x = 0; -x/y g to y, 0 where both are 0. Meaningless where the value is inf.
    Example:
        >>> import minigrad as mg
        >>> mg.special.rel_entr(mg.tensor([0.0, 1.0]), mg.tensor([0.5, 1.0]))
        Tensor([0., 0.], shape (2,), float32, cpu)
    """,
    lambda g, a, b: g * (log(a / b) + 1.0),
    lambda g, a, b: -(g * (a / (b + ((a == 0) & (b == 0))))),
    computed(_rel_entr, single=True),
)
kl_div = binary(
    "kl_div",
    """x log(x/y) - x + y, a term of the Kullback-Leibler divergence that is never negative; at the edges as rel_entr.

    Gradient: log(x/y) g to x; (1 - x/y) g to y.
    Example:
        >>> import minigrad as mg
        >>> mg.special.kl_div(mg.tensor([1.0, 0.0]), mg.tensor([1.0, 2.0]))
        Tensor([0., 2.], shape (2,), float32, cpu)
    """,
    lambda g, a, b: g * log(a / b),
    lambda g, a, b: g * (1.0 - a / (b + ((a == 0) & (b == 0)))),
    computed(_kl_div),
)
log1mexp = unary(
    "log1mexp",
    """log(1 - exp(-x)) for x >= 0: -inf at 0, NaN below.

    Gradient: g/(exp(x) - 1); inf at 0.
    Source: M. Maechler, Accurately Computing log(1 - exp(-abs(a))), 2012: by expm1 below log 2, by log1p above.
    Example:
        >>> import minigrad as mg
        >>> mg.round(mg.special.log1mexp(mg.tensor([0.5, 5.0])), 4)
        Tensor([-0.9328, -0.0068], shape (2,), float32, cpu)
    """,
    lambda g, x: g / expm1(x),
    computed(_log1mexp, single=True),
)
logdiffexp = binary(
    "logdiffexp",
    """log(exp(a) - exp(b)) for a >= b, without overflow: -inf where they are equal, NaN where a < b.

    Gradient: g/(1 - exp(b - a)) to a; -g/(exp(a - b) - 1) to b.
    Example:
        >>> import minigrad as mg
        >>> mg.special.logdiffexp(mg.tensor([1000.0]), 900.0)
        Tensor([1000.], shape (1,), float32, cpu)
    """,
    lambda g, a, b: -(g / expm1(b - a)),
    lambda g, a, b: -(g / expm1(a - b)),
    computed(_logdiffexp, single=True),
)

__all__ = ["entr", "kl_div", "log1mexp", "logdiffexp", "logit", "rel_entr", "xlog1py", "xlogy"]
