"""Rows of ops/bins.py."""

from itertools import pairwise
from typing import Any

import numpy as np

from ...errors import DTypeError, ShapeError
from ..spec import OpSpec, S

REPEATS = np.array([[2.0, 1.0, 2.0], [0.5, 1.0, -3.0]])
COUNTED = np.array([0, 3, 1, 3, 3])
EDGES = np.array([-1.0, 0.0, 0.5, 2.0])


def _unique(x: Any) -> Any:
    return np.array(sorted(set(x.reshape(-1).tolist())))


def _counts(x: Any) -> Any:
    return _unique(x), np.array([np.sum(x == v) for v in _unique(x)])


def _inverse(x: Any) -> Any:
    return _unique(x), np.array([[_unique(x).tolist().index(v) for v in row] for row in x.tolist()])


def _all(x: Any) -> Any:
    flat = x.reshape(-1).tolist()
    return _unique(x), np.array([flat.index(v) for v in _unique(x)]), _inverse(x)[1], _counts(x)[1]


def _place(x: Any, values: Any, side: str = "left") -> Any:
    return np.sum(x < values[..., None] if side == "left" else x <= values[..., None], -1)


def _bincount(x: Any, weights: Any = None, minlength: int = 0) -> Any:
    y = np.zeros(max([*x.tolist(), minlength - 1]) + 1, int if weights is None else float)
    for i, k in enumerate(x.tolist()):
        y[k] += 1 if weights is None else weights[i]
    return y


def _histogram(x: Any, bins: Any) -> Any:
    counts = [np.sum((x >= low) & (x < high)) for low, high in pairwise(bins)]
    return np.array(counts), bins


def _interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None) -> Any:
    y = np.empty(x.shape)
    for i in np.ndindex(*x.shape):
        if x[i] < xp[0]:
            y[i] = fp[0] if left is None else left
        elif x[i] > xp[-1]:
            y[i] = fp[-1] if right is None else right
        else:
            k = max(k for k in range(len(xp)) if xp[k] <= x[i])
            k, j = min(k, len(xp) - 2), min(k, len(xp) - 2) + 1
            y[i] = fp[k] + (fp[j] - fp[k]) * (x[i] - xp[k]) / (xp[j] - xp[k])
    return y


X = np.array([[-1.5, 0.3, 0.9], [2.5, 1.25, -0.5]])
FP = np.array([1.0, -2.0, 0.5, 4.0])

SPECS = [
    OpSpec("unique", _unique, [S(REPEATS)], order=0),
    OpSpec("unique_values", _unique, [S(REPEATS)], order=0),
    OpSpec("unique_counts", _counts, [S(REPEATS)], order=0),
    OpSpec("unique_inverse", _inverse, [S(REPEATS)], order=0),
    OpSpec("unique_all", _all, [S(REPEATS)], order=0),
    OpSpec(
        "searchsorted",
        _place,
        [S(EDGES, (2, 3)), S(EDGES, EDGES), S(EDGES, EDGES, side="right")],
        order=0,
        errors=[((EDGES, EDGES), {"side": "middle"}, ShapeError, ("searchsorted", "middle"))],
    ),
    OpSpec("digitize", lambda x, bins: _place(bins, x, "right"), [S((2, 3), EDGES), S(EDGES, EDGES)], order=0),
    OpSpec(
        "isin",
        lambda x, values, invert=False: np.array([(v in values) != invert for v in x.ravel()], bool).reshape(x.shape),
        [S(COUNTED, np.array([1, 3])), S(COUNTED, np.array([1, 3]), invert=True), S((2, 3), EDGES)],
        order=0,
    ),
    OpSpec(
        "bincount",
        _bincount,
        [S(COUNTED, (5,)), S(COUNTED), S(COUNTED, None, 6), S(COUNTED, (5,), 6)],
        empty="skip",
        errors=[((np.ones(3),), {}, DTypeError, "bincount"), ((np.array([-1]),), {}, ShapeError, "bincount")],
    ),
    OpSpec("histogram", _histogram, [S((20,), EDGES)], dtype=lambda d: np.dtype("float64"), order=0),
    OpSpec(
        "interp",
        _interp,
        [S(X, EDGES, FP), S(X, EDGES, FP, left=7.0, right=-7.0), S((3,), EDGES, (4,))],
        kinks="to x at a point: the slope on its right; outside: 0",
        half=1e-2,
        errors=[((X, EDGES, FP[:2]), {}, ShapeError, ("interp", "(4,)", "(2,)"))],
    ),
]
