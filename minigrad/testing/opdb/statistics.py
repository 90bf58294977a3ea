"""Rows of ops/statistics.py."""

import math
from typing import Any

import numpy as np

from ...errors import ShapeError
from ...ops.statistics import average
from ..spec import OpSpec, S
from .reduce import AXES, EMPTY, axis_errors


def _var(x: Any, axis: Any = None, correction: float = 0, keepdims: bool = False) -> Any:
    n = x.size if axis is None else math.prod([x.shape[i] for i in (axis if isinstance(axis, tuple) else (axis,))])
    mean = x.sum(axis, keepdims=True) / n
    return (abs(x - mean) ** 2).sum(axis, keepdims=keepdims) / (n - correction)


def _std(x: Any, **keywords: Any) -> Any:
    return np.sqrt(_var(x, **keywords))


def _positive(x: Any, position: int) -> Any:
    return np.abs(x) + 0.5 if position == 1 else x


def _average(x: Any, w: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    w = 1 if w is None else w if w.shape == x.shape else np.expand_dims(w, tuple(range(1, x.ndim - axis % x.ndim)))
    return (x * w).sum(axis, keepdims=keepdims) / (w * np.ones(x.shape)).sum(axis, keepdims=keepdims)


SPECS = [
    OpSpec(
        "var",
        _var,
        [*AXES[:-1], S((3, 4), axis=1, correction=1), S((5,), correction=0.5)],
        complex=True,
        errors=axis_errors("var"),
    ),
    OpSpec(
        "std",
        _std,
        [*AXES[:4], S((5,), axis=0, keepdims=True), S((3, 4), axis=1, correction=1)],
        complex=True,
        kinks="0 where all numbers are equal",
        errors=axis_errors("std"),
    ),
    OpSpec("ptp", np.ptp, AXES[:4], empty="raises", kinks="as max and min", errors=axis_errors("ptp") + EMPTY),
    OpSpec(
        "average",
        _average,
        [S((3, 4)), S((3, 4), (3, 4)), S((3, 4), (3,), axis=0), S((2, 3, 4), (3,), axis=-2, keepdims=True), S((2, 3), (2, 3), axis=(0, 1))],
        op=lambda x, w=None, axis=None, keepdims=False: average(x, axis, w, keepdims),
        prepare=_positive,
        errors=[((np.ones((2, 3)), np.ones(2), 1), {}, ShapeError, ("average", "(2,)", "(2, 3)"))],
    ),
]
