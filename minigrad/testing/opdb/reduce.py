"""Rows of ops/reduce.py."""

from typing import Any

import numpy as np

from ...errors import DTypeError, ShapeError
from ..spec import OpSpec, S

AXES = [
    S((3, 4)),
    S((3, 4), axis=0),
    S((2, 3, 4), axis=(0, -1), keepdims=True),
    S((2, 3, 4), axis=-2),
    S(()),
    S((5,), axis=0, keepdims=True),
    S((2, 3), axis=()),
]
ONE_AXIS = [S((3, 4)), S((3, 4), axis=0), S((2, 3, 4), axis=-2, keepdims=True), S((5,), axis=0)]
ZEROS = np.array([[0.0, 2.0, 3.0], [0.0, 0.0, 4.0], [1.5, -2.0, 0.5]])


def axis_errors(f: str) -> list[tuple]:
    """The bad calls of every reduction."""
    return [
        ((np.ones((2, 3)),), {"axis": 2}, ShapeError, (f, "axis 2", "2 dimensions")),
        ((np.ones((2, 3)),), {"axis": (0, -2)}, ShapeError, (f, "twice")),
        ((np.ones((2, 3)),), {"axis": 1.0}, DTypeError, (f, "integer")),
        ((np.ones((2, 3)),), {"dim": 1}, TypeError, (f, "use axis=")),
        ((np.ones((2, 3)),), {"axis": 1, "keepdim": True}, TypeError, (f, "use keepdims=")),
    ]


EMPTY: list[tuple] = [((np.ones((0, 3)),), {"axis": 0}, ShapeError, "zero-size")]
UNDEFINED: list[tuple] = [((np.ones((0, 3)),), {"axis": 0}, ShapeError, "empty")]


def _logsumexp(x: Any, **keywords: Any) -> Any:
    return np.log(np.sum(np.exp(x), **keywords))


SPECS = [
    OpSpec("sum", np.sum, AXES, complex=True, errors=axis_errors("sum")),
    OpSpec(
        "prod",
        np.prod,
        [*AXES, S(ZEROS, axis=1), S(ZEROS, axis=0), S(ZEROS)],
        complex=True,
        errors=axis_errors("prod"),
        kinks="none; exact with zeros",
    ),
    OpSpec("mean", np.mean, AXES, complex=True, errors=axis_errors("mean")),
    OpSpec("max", np.max, AXES, empty="raises", kinks="equal ones share the gradient", errors=axis_errors("max") + EMPTY),
    OpSpec("min", np.min, AXES, empty="raises", kinks="equal ones share the gradient", errors=axis_errors("min") + EMPTY),
    OpSpec("logsumexp", _logsumexp, AXES[:-1], kinks="0 where y is -inf", errors=axis_errors("logsumexp"), half=1e-2),
    OpSpec("argmax", np.argmax, ONE_AXIS, order=0, errors=axis_errors("argmax") + UNDEFINED),
    OpSpec("argmin", np.argmin, ONE_AXIS, order=0, errors=axis_errors("argmin") + UNDEFINED),
    OpSpec("all", np.all, [*AXES, S(ZEROS, axis=0)], order=0, errors=axis_errors("all")),
    OpSpec("any", np.any, [*AXES, S(ZEROS, axis=0)], order=0, errors=axis_errors("any")),
    OpSpec("count_nonzero", lambda x, **k: np.sum(x != 0, **k), [*AXES, S(ZEROS, axis=0)], order=0, errors=axis_errors("count_nonzero")),
]
