"""Rows of ops/exponential.py."""

import math

import numpy as np

from ...errors import ShapeError
from ..spec import OpSpec, S


def loop(f):
    """The reference made of a function of Python floats."""
    g = np.frompyfunc(f, f.__code__.co_argcount, 1)
    return lambda *xs: np.asarray(g(*xs)).astype(np.float64)


ONE = [S((2, 3))]
TWO = [S((2, 3), (2, 3)), S((2, 3), 0.5), S(-1.5, (3,))]
POSITIVE = (0.2, 3.0)
MISFIT = (np.ones(3), np.ones(4))

SPECS = [
    OpSpec("exp", loop(lambda x: math.exp(x)), ONE, elementwise=True, complex=True),
    OpSpec("exp2", loop(lambda x: 2.0**x), ONE, elementwise=True, complex=True),
    OpSpec("expm1", loop(lambda x: math.expm1(x)), [*ONE, S(np.array([1e-12, -1e-5, 0.0]))], elementwise=True, complex=True),
    OpSpec("log", loop(lambda x: math.log(x)), ONE, domain=POSITIVE, elementwise=True, complex=True, kinks="inf at 0"),
    OpSpec("log2", loop(lambda x: math.log2(x)), ONE, domain=POSITIVE, elementwise=True, complex=True, kinks="inf at 0"),
    OpSpec("log10", loop(lambda x: math.log10(x)), ONE, domain=POSITIVE, elementwise=True, complex=True, kinks="inf at 0"),
    OpSpec(
        "log1p", loop(lambda x: math.log1p(x)), [*ONE, S(np.array([1e-12, -1e-5, 0.0]))], domain=(-0.8, 3.0), elementwise=True, complex=True
    ),
    OpSpec("sigmoid", loop(lambda x: 1 / (1 + math.exp(-x))), ONE, elementwise=True),
    OpSpec(
        "logaddexp",
        loop(lambda a, b: math.log(math.exp(a) + math.exp(b))),
        TWO,
        elementwise=True,
        kinks="half to each where both are -inf",
        errors=[(MISFIT, {}, ShapeError, ("logaddexp", "3", "4"))],
    ),
    OpSpec(
        "logaddexp2",
        loop(lambda a, b: math.log2(2**a + 2**b)),
        TWO,
        elementwise=True,
        kinks="half to each where both are -inf",
        errors=[(MISFIT, {}, ShapeError, ("logaddexp2", "3", "4"))],
    ),
]
