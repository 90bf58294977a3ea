"""Rows of ops/trigonometric.py."""

import math

import numpy as np

from ...errors import ShapeError
from ..spec import OpSpec, S
from .exponential import loop

ONE = [S((2, 3))]
INSIDE = (-0.9, 0.9)


def row(name, f, domain=None, complex=True, kinks=""):
    return OpSpec(name, loop(f), ONE, domain=domain, elementwise=True, complex=complex, kinks=kinks)


SPECS = [
    row("sin", lambda x: math.sin(x)),
    row("cos", lambda x: math.cos(x)),
    row("tan", lambda x: math.tan(x), domain=(-1.2, 1.2)),
    row("asin", lambda x: math.asin(x), domain=INSIDE, kinks="inf at -1 and 1"),
    row("acos", lambda x: math.acos(x), domain=INSIDE, kinks="-inf at -1 and 1"),
    row("atan", lambda x: math.atan(x), domain=(-0.8, 0.8)),
    OpSpec(
        "atan2",
        loop(lambda a, b: math.atan2(a, b)),
        [S((2, 3), (2, 3)), S((2, 3), 0.5), S(-1.5, (3,))],
        elementwise=True,
        kinks="0 at the origin",
        errors=[((np.ones(3), np.ones(4)), {}, ShapeError, ("atan2", "3", "4"))],
    ),
    row("sinh", lambda x: math.sinh(x)),
    row("cosh", lambda x: math.cosh(x)),
    row("tanh", lambda x: math.tanh(x)),
    row("asinh", lambda x: math.asinh(x)),
    row("acosh", lambda x: math.acosh(x), domain=(1.2, 3.0), kinks="inf at 1"),
    row("atanh", lambda x: math.atanh(x), domain=INSIDE),
    OpSpec(
        "sinc",
        loop(lambda x: math.sin(math.pi * x) / (math.pi * x) if x else 1.0),
        [*ONE, S(np.array([0.0, 1e-9, -1e-4, 0.01, 0.6, -0.64, 3.3]))],
        elementwise=True,
        kinks="none: 0 at 0",
    ),
    row("deg2rad", lambda x: x * math.pi / 180, complex=False),
    row("rad2deg", lambda x: x / math.pi * 180, complex=False),
]
