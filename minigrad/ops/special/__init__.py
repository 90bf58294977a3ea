"""Special functions: the public door, ``mg.special``.

Everywhere: one formula for all elements, chosen by masks, so that no kernel reads a value on the host; real numbers only, whose
dtype is kept; no warnings at poles and limits, which are values of these functions.
"""

from ..activation import logsigmoid as log_expit
from ..exponential import exp2, expit, expm1, log1p
from ..trigonometric import sinc
from .bessel import i0, i0e, i1, i1e
from .entropy import entr, kl_div, log1mexp, logdiffexp, logit, rel_entr, xlog1py, xlogy
from .error import erf, erfc, erfcx, erfinv, log_ndtr, ndtr, ndtri
from .gamma import beta, betaln, digamma, gamma, gammaln, multigammaln, polygamma, zeta
from .incomplete import gammainc, gammaincc

psi = digamma

__all__ = [
    "beta",
    "betaln",
    "digamma",
    "entr",
    "erf",
    "erfc",
    "erfcx",
    "erfinv",
    "exp2",
    "expit",
    "expm1",
    "gamma",
    "gammainc",
    "gammaincc",
    "gammaln",
    "i0",
    "i0e",
    "i1",
    "i1e",
    "kl_div",
    "log1mexp",
    "log1p",
    "log_expit",
    "log_ndtr",
    "logdiffexp",
    "logit",
    "multigammaln",
    "ndtr",
    "ndtri",
    "polygamma",
    "psi",
    "rel_entr",
    "sinc",
    "xlog1py",
    "xlogy",
    "zeta",
]
