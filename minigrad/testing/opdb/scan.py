"""Rows of ops/scan.py."""

from typing import Any

import numpy as np

from ...errors import ShapeError
from ..spec import OpSpec, S
from .reduce import axis_errors

ZEROS = np.array([[0.0, 2.0, 3.0, 1.0], [0.5, 0.0, 0.0, 4.0], [1.5, -2.0, 0.5, 0.0]])
FLAT = [S((3, 4), axis=0), S((2, 3, 4), axis=-2), S((5,)), S((2, 3)), S((3, 1), axis=1)]
LINES = [S((3, 4)), S((2, 3, 4), axis=1), S((5,), axis=0), S((3, 1))]


def line_errors(name: str) -> list[tuple]:
    return [*axis_errors(name)[:1], *axis_errors(name)[2:4], ((np.ones((2, 3)),), {"axis": (0, 1)}, ShapeError, (name, "one integer"))]


def _cumulative(f: Any, start: float) -> Any:
    def reference(x: Any, axis: int = 0, include_initial: bool = False) -> Any:
        y = f(x, axis)
        first = np.full([1 if i == axis % x.ndim else n for i, n in enumerate(x.shape)], start)
        return np.concatenate([first, y], axis) if include_initial else y

    return reference


def _extreme(better: Any) -> Any:
    def reference(x: Any, axis: int = -1) -> Any:
        lines = np.moveaxis(x, axis, -1)
        places = np.zeros(lines.shape, int)
        for i in np.ndindex(*lines.shape):
            before = places[(*i[:-1], i[-1] - 1)] if i[-1] else 0
            places[i] = i[-1] if better(lines[i], lines[(*i[:-1], before)]) else before
        return np.moveaxis(np.take_along_axis(lines, places, -1), -1, axis), np.moveaxis(places, -1, axis)

    return reference


ALONE: list[tuple] = [((np.ones((2, 3)),), {}, ShapeError, ("cumulative", "one dimension", "(2, 3)"))]
WHOLE = [S((3, 4), axis=0), S((3, 4), axis=-1, include_initial=True), S((5,)), S((5,), include_initial=True)]

SPECS = [
    OpSpec("cumsum", np.cumsum, FLAT, complex=True, errors=line_errors("cumsum")),
    OpSpec(
        "cumprod", np.cumprod, [*FLAT, S(ZEROS, axis=1), S(ZEROS)], complex=True, kinks="exact with zeros", errors=line_errors("cumprod")
    ),
    OpSpec("cumulative_sum", _cumulative(np.cumsum, 0), WHOLE, complex=True, errors=line_errors("cumulative_sum") + ALONE),
    OpSpec("cumulative_prod", _cumulative(np.cumprod, 1), WHOLE, complex=True, errors=line_errors("cumulative_prod") + ALONE),
    OpSpec("cummax", _extreme(np.greater_equal), LINES, kinks="g to the latest of equal ones", errors=line_errors("cummax")),
    OpSpec("cummin", _extreme(np.less_equal), LINES, kinks="g to the latest of equal ones", errors=line_errors("cummin")),
    OpSpec(
        "logcumsumexp",
        lambda x, axis=-1: np.log(np.cumsum(np.exp(x), axis)),
        LINES,
        kinks="0 where y is -inf",
        half=1e-2,
        errors=line_errors("logcumsumexp"),
    ),
]
