"""Rows of ops/arithmetic.py, powers.py and rounding.py."""

import math

import numpy as np

from ...errors import DTypeError, ShapeError
from ..spec import OpSpec, S
from .exponential import loop

TWO = [S((2, 3), (2, 3)), S((2, 3), 2.0)]
BOTH = [*TWO, S(-1.5, (3,))]
POSITIVE = (0.2, 2.0)
NOWHERE = "0 everywhere"


def apart(x, position):
    """Numbers at least 0.1 away from integers and halves."""
    return np.asarray(np.floor(4 * x) / 2 + 0.25 + 0.1 * np.sin(x))


def off_zero(x, position):
    return np.asarray(x + np.where(x.real < 0, -0.5, 0.5))


SPECS = [
    OpSpec(
        "add",
        lambda a, b: a - (-b),
        BOTH,
        elementwise=True,
        complex=True,
        errors=[((np.ones(3), np.ones(4)), {}, ShapeError, ("add", "3", "4"))],
    ),
    OpSpec(
        "subtract",
        lambda a, b: a + (-b),
        BOTH,
        elementwise=True,
        complex=True,
        errors=[((np.ones(3), np.ones(4)), {}, ShapeError, ("subtract", "3", "4"))],
    ),
    OpSpec(
        "multiply",
        lambda a, b: a * b,
        BOTH,
        elementwise=True,
        complex=True,
        errors=[((np.ones(3), np.ones(4)), {}, ShapeError, ("multiply", "3", "4"))],
    ),
    OpSpec(
        "divide",
        lambda a, b: a * b**-1.0,
        [*TWO, S(-1.5, (3,))],
        prepare=off_zero,
        elementwise=True,
        complex=True,
        kinks="1/0 is inf, as in NumPy",
        errors=[((np.ones(3), np.ones(4)), {}, ShapeError, ("divide", "3", "4"))],
    ),
    OpSpec("negative", lambda x: 0 - x, [S((2, 3))], elementwise=True, complex=True),
    OpSpec("positive", lambda x: x, [S((2, 3))], elementwise=True, complex=True),
    OpSpec("reciprocal", lambda x: x**-1.0, [S((2, 3))], prepare=off_zero, elementwise=True, complex=True),
    OpSpec("abs", lambda x: np.where(x < 0, -x, x), [S((2, 3))], elementwise=True, complex=True, kinks="0 at 0"),
    OpSpec("sign", loop(lambda x: (x > 0) - (x < 0)), [S((2, 3))], elementwise=True, complex=True, kinks=NOWHERE + " for real x"),
    OpSpec("copysign", loop(lambda a, b: math.copysign(a, b)), TWO, elementwise=True, kinks="0 where a is 0; 0 to b"),
    OpSpec(
        "heaviside",
        loop(lambda a, b: float(a > 0) + (b if a == 0 else 0)),
        TWO,
        elementwise=True,
        kinks="0 to a; g to b where a is 0",
    ),
    OpSpec("square", lambda x: x * x, [S((2, 3))], elementwise=True, complex=True),
    OpSpec("sqrt", lambda x: x**0.5, [S((2, 3))], domain=POSITIVE, elementwise=True, complex=True, kinks="inf at 0"),
    OpSpec("rsqrt", lambda x: x**-0.5, [S((2, 3))], domain=POSITIVE, elementwise=True, complex=True, kinks="inf at 0"),
    OpSpec(
        "cbrt",
        lambda x: np.sign(x) * np.abs(x) ** (1 / 3),
        [S((2, 3))],
        prepare=off_zero,
        elementwise=True,
        kinks="inf at 0",
    ),
    OpSpec(
        "power",
        lambda a, b: np.exp(b * np.log(a)),
        [S((2, 3), (2, 3)), *[S((2, 3), b) for b in (2, 2.0, 3, 0.5, -1, 1, 0, 2.5, -3, 4)], S(1.5, (3,))],
        domain=POSITIVE,
        elementwise=True,
        complex=True,
        kinks="x**0 at 0: 0 to x; 0**y: 0 to y",
        errors=[
            ((np.array([2]), -2), {}, DTypeError, ("power", "float")),
            ((np.ones(3), np.ones(4)), {}, ShapeError, ("power", "3", "4")),
        ],
    ),
    OpSpec(
        "float_power",
        lambda a, b: np.exp(b * np.log(a)),
        [S((2, 3), (2, 3)), S((2, 3), 2), S(np.array([1, 2]), -1)],
        domain=POSITIVE,
        elementwise=True,
        dtype=lambda d: "float64",
        complex=True,
    ),
    OpSpec("hypot", lambda a, b: (a * a + b * b) ** 0.5, BOTH, elementwise=True, kinks="0 at the origin"),
    OpSpec(
        "floor_divide",
        loop(lambda a, b: math.floor(a / b)),
        [S((2, 3), (2, 3)), S((2, 3), 3.0)],
        domain=[(10.05, 10.2), (1.35, 1.6)],
        elementwise=True,
        kinks=NOWHERE,
        errors=[((np.array([1]), 0), {}, ZeroDivisionError, "floor_divide"), ((np.ones(3), np.ones(4)), {}, ShapeError, "floor_divide")],
    ),
    OpSpec(
        "remainder",
        loop(lambda a, b: a - b * math.floor(a / b)),
        [S((2, 3), (2, 3)), S((2, 3), 2.0), S(-7.3, (3,))],
        domain=[(-1.4, -0.1), (1.5, 4.0)],
        elementwise=True,
        kinks="0 at the jumps",
        errors=[((np.array([1]), np.array([0])), {}, ZeroDivisionError, "remainder")],
    ),
    OpSpec(
        "fmod",
        loop(lambda a, b: math.fmod(a, b)),
        [S((2, 3), (2, 3)), S((2, 3), -2.0), S(-7.3, (3,))],
        domain=[(-5.9, -4.1), (2.1, 3.9)],
        elementwise=True,
        kinks="0 at the jumps",
        errors=[((np.array([1]), 0), {}, ZeroDivisionError, "fmod")],
    ),
    OpSpec(
        "divmod",
        lambda a, b: (np.floor(a / b), a - b * np.floor(a / b)),
        [S((2, 3), (2, 3)), S((2, 3), 2.0)],
        domain=[(-1.4, -0.1), (1.5, 4.0)],
        elementwise=True,
    ),
    OpSpec("maximum", loop(lambda a, b: a if a > b else b), BOTH, elementwise=True, kinks="ties share equally"),
    OpSpec("minimum", loop(lambda a, b: a if a < b else b), BOTH, elementwise=True, kinks="ties share equally"),
    OpSpec("fmax", loop(lambda a, b: a if a > b else b), BOTH, elementwise=True, kinks="ties share equally; not to NaN"),
    OpSpec("fmin", loop(lambda a, b: a if a < b else b), BOTH, elementwise=True, kinks="ties share equally; not to NaN"),
    OpSpec(
        "clip",
        lambda x, min=None, max=None: np.minimum(np.maximum(x, -math.inf if min is None else min), math.inf if max is None else max),
        [
            S((2, 3), -0.5, 0.5),
            S((2, 3), min=-0.5),
            S((2, 3), max=0),
            S((2, 3)),
            S((2, 3), (3,), (2, 1)),
            S((2, 3), None, (3,)),
            S((2, 3), (2, 1)),
            S((2, 3), 0.5, -0.5),
        ],
        kinks="g at the bounds",
        errors=[((np.ones(3), np.ones(4)), {}, ShapeError, ("clip", "3", "4"))],
    ),
    OpSpec("lerp", lambda a, b, w: (1 - w) * a + w * b, [S((2, 3), (2, 3), 0.25), S((2, 3), (3,), (2, 1))], elementwise=True, complex=True),
    OpSpec("floor", loop(lambda x: math.floor(x)), [S((2, 3))], prepare=apart, elementwise=True, kinks=NOWHERE),
    OpSpec("ceil", loop(lambda x: math.ceil(x)), [S((2, 3))], prepare=apart, elementwise=True, kinks=NOWHERE),
    OpSpec("trunc", loop(lambda x: math.trunc(x)), [S((2, 3))], prepare=apart, elementwise=True, kinks=NOWHERE),
    OpSpec("rint", loop(lambda x: round(x)), [S((2, 3))], prepare=apart, elementwise=True, kinks=NOWHERE),
    OpSpec(
        "round",
        lambda x, decimals=0: np.array([round(v, decimals) for v in x.ravel().tolist()]).reshape(x.shape),
        [S((2, 3)), S((2, 3), decimals=0), S((2, 3), -1)],
        prepare=apart,
        elementwise=True,
        kinks=NOWHERE,
    ),
    OpSpec(
        "nan_to_num",
        lambda x, nan=0.0, posinf=None, neginf=None: np.where(
            x != x, nan, np.where(x == math.inf, posinf, np.where(x == -math.inf, neginf, x))
        ).astype(float),
        [S((2, 3), nan=1.0, posinf=3.0, neginf=-3.0)],
        elementwise=True,
        kinks="0 where x is not finite",
    ),
    OpSpec(
        "ldexp",
        lambda a, b: a * 2.0**b,
        [S((2, 3), np.array([1, -2, 0])), S((2, 3), 3)],
        errors=[((np.ones(3), 0.5), {}, DTypeError, "ldexp")],
    ),
    OpSpec("real", lambda x: x + 0, [S((2, 3))], elementwise=True, complex=True),
    OpSpec("imag", lambda x: 0 * x, [S((2, 3))], elementwise=True, complex=True),
    OpSpec("conj", lambda x: x + 0, [S((2, 3))], elementwise=True, complex=True),
    OpSpec("angle", lambda x: np.where(x < 0, math.pi, 0.0), [S((2, 3))], elementwise=True, complex=True, kinks="0 for real x"),
]
