"""Rows of ops/logic.py."""

import math

import numpy as np

from ...errors import DTypeError, ShapeError
from ..spec import OpSpec, S

I = np.array([12, 7, -5, 0])  # noqa: E741
J = np.array([10, -3, 6, 9])
K = np.array([1, 0, 3, 2])
TRUTH = np.array([0.0, -1.0, 2.0, 0.0])
OTHER = np.array([0.0, 0.0, 3.0, 1.0])
ODD = np.array([math.nan, math.inf, -math.inf, -0.0, 1.5])
WHOLE = np.array([3.0, -1.0, 2.0, 0.0])


def two(f):
    """The reference made of a function of two Python numbers."""
    g = np.frompyfunc(f, 2, 1)

    def reference(a, b):
        with np.errstate(invalid="ignore"):
            return np.asarray(g(a, b)).astype(type(f(1, 1)))

    return reference


def one(f):
    g = np.frompyfunc(f, 1, 1)

    def reference(x):
        with np.errstate(invalid="ignore"):
            return np.asarray(g(x)).astype(type(f(1.0)))

    return reference


def compared(name, f):
    samples = [S((2, 3), (2, 3)), S((2, 3), 0.1), S(0.1, (3,)), S(WHOLE, WHOLE[::-1].copy()), S(ODD, ODD[::-1].copy())]
    return OpSpec(
        name,
        two(f),
        samples,
        order=0,
        elementwise=True,
        errors=[((np.ones(3), np.ones(4)), {}, ShapeError, (name, "3", "4"))],
        note="constant",
    )


def bits(name, f, second=J):
    error: tuple = ((np.ones(3), np.ones(3)), {}, DTypeError, name)
    return OpSpec(name, two(f), [S(I, second), S(I, 2)], order=0, errors=[error], note="constant")


def kind(name, f, numbers=ODD):
    return OpSpec(name, one(f), [S((2, 3)), S(numbers)], order=0, elementwise=True, note="constant")


def _next(a, b):
    return np.asarray(np.frompyfunc(math.nextafter, 2, 1)(a, b)).astype(float)


SPECS = [
    compared("equal", lambda a, b: bool(a == b)),
    compared("not_equal", lambda a, b: bool(a != b)),
    compared("less", lambda a, b: bool(a < b)),
    compared("less_equal", lambda a, b: bool(a <= b)),
    compared("greater", lambda a, b: bool(a > b)),
    compared("greater_equal", lambda a, b: bool(a >= b)),
    OpSpec("logical_and", two(lambda a, b: bool(a) and bool(b)), [S((3,), (3,)), S(TRUTH, OTHER)], order=0, elementwise=True),
    OpSpec("logical_or", two(lambda a, b: bool(a) or bool(b)), [S((3,), (3,)), S(TRUTH, OTHER)], order=0, elementwise=True),
    OpSpec("logical_xor", two(lambda a, b: bool(a) != bool(b)), [S((3,), (3,)), S(TRUTH, OTHER)], order=0, elementwise=True),
    kind("logical_not", lambda x: not x, TRUTH),
    kind("isnan", lambda x: math.isnan(x)),
    kind("isinf", lambda x: math.isinf(x)),
    kind("isfinite", lambda x: math.isfinite(x)),
    kind("isposinf", lambda x: bool(x == math.inf)),
    kind("isneginf", lambda x: bool(x == -math.inf)),
    kind("signbit", lambda x: math.copysign(1.0, x) < 0, np.array([0.0, -0.0, math.inf, -math.inf])),
    OpSpec("isreal", lambda x: x == np.conj(x), [S((2, 3)), S(np.array([1 + 1j, 2 + 0j]))], order=0, elementwise=True),
    OpSpec("iscomplex", lambda x: x != np.conj(x), [S((2, 3)), S(np.array([1 + 1j, 2 + 0j]))], order=0, elementwise=True),
    OpSpec(
        "isclose",
        lambda a, b, rtol=1e-5, atol=1e-8, equal_nan=False: (
            (a == b) | (np.abs(a - b) <= atol + rtol * np.abs(b)) | (equal_nan & (a != a) & (b != b))
        ),
        [S((2, 3), (2, 3), rtol=0.5), S((2, 3), 0.0), S(WHOLE, WHOLE + 0.5, atol=0.75), S(ODD[[0, 3]], ODD[[0, 4]], equal_nan=True)],
        order=0,
        elementwise=True,
    ),
    OpSpec(
        "allclose",
        lambda a, b, rtol=1e-5, atol=1e-8: np.array((np.abs(a - b) <= atol + rtol * np.abs(b)).all()),
        [S((2, 3), (2, 3)), S(WHOLE, WHOLE), S(WHOLE, 1.0, atol=3.0)],
        order=0,
        note="one boolean",
    ),
    OpSpec(
        "array_equal",
        lambda a, b: np.array(a.shape == np.shape(b) and (a == b).all()),
        [S((2, 3), (2, 3)), S((2, 3), (3,)), S(WHOLE, WHOLE), S(WHOLE, 1.0)],
        order=0,
        note="one boolean",
    ),
    OpSpec(
        "array_equiv",
        lambda a, b: np.array(a.shape != (2, 2) and (a == b).all()),
        [S((2, 3), (3,)), S((2, 2), (3,)), S(WHOLE, WHOLE), S(np.ones(3), 1.0)],
        order=0,
        note="one boolean",
    ),
    OpSpec(
        "where",
        lambda c, a, b: np.array([x if t else y for t, x, y in np.broadcast(c, a, b)]).reshape(np.broadcast(c, a, b).shape),
        [
            S(np.array([True, False, True]), (2, 3), (2, 3)),
            S(np.array([[True], [False]]), (3,), (2, 1)),
            S(np.array([True, False]), (2,), 0.0),
            S(np.array([True, False]), 1, (2,)),
            S(np.array([2, 0]), (2,), (1,)),
        ],
        empty="skip",
        complex=True,
        errors=[((np.ones(2, bool), np.ones(3), np.ones(4)), {}, ShapeError, ("where", "3", "4"))],
    ),
    bits("bitwise_and", lambda a, b: a & b),
    bits("bitwise_or", lambda a, b: a | b),
    bits("bitwise_xor", lambda a, b: a ^ b),
    bits("bitwise_left_shift", lambda a, b: a << b, K),
    bits("bitwise_right_shift", lambda a, b: a >> b, K),
    OpSpec(
        "bitwise_invert",
        lambda x: x == False if x.dtype == bool else -x - 1,  # noqa: E712
        [S(I), S(np.array([True, False]))],
        order=0,
        errors=[((np.ones(3),), {}, DTypeError, "bitwise_invert")],
    ),
    bits("gcd", lambda a, b: math.gcd(int(a), int(b))),
    bits("lcm", lambda a, b: math.lcm(int(a), int(b))),
    OpSpec("nextafter", _next, [S((2, 3), (2, 3)), S((2, 3), math.inf)], order=0, elementwise=True, note="the dtype's own neighbour"),
    OpSpec(
        "spacing",
        lambda x: np.copysign(_next(np.abs(x), math.inf) - np.abs(x), x),
        [S((2, 3))],
        order=0,
        elementwise=True,
        note="the dtype's own spacing, so float16 and float32 differ from the reference by theirs",
    ),
]
