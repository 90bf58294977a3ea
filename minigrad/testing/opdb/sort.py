"""Rows of ops/sort.py."""

from typing import Any

import numpy as np

from ...errors import DTypeError, ShapeError
from ..spec import OpSpec, S
from .scan import line_errors

LINES = [S((3, 4)), S((3, 4), axis=0), S((2, 3, 4), axis=1, descending=True), S((5,)), S((2, 3), axis=None)]
AXES = [S((3, 5)), S((3, 4), axis=0), S((2, 3, 4), axis=(0, -1), keepdims=True), S((6,), axis=0), S(())]
QS = [S((3, 5), 0.3), S((3, 4), [0.0, 0.25, 1.0], axis=0), S((2, 3, 4), [[0.1], [0.6]], axis=(0, -1), keepdims=True), S((5,), 0.5)]
QS += [S((3, 4), 0.4, axis=1, method=m) for m in ("lower", "higher", "midpoint", "nearest", "linear")]


def _lines(f: Any) -> Any:
    """A function of a list, along an axis."""

    def reference(x: Any, *args: Any, axis: Any = -1, **keywords: Any) -> Any:
        x, axis = (x.reshape(-1), 0) if axis is None else (x, axis)
        lines = np.moveaxis(x, axis, -1)
        flat = [f(line.tolist(), *args, **keywords) for line in lines.reshape(-1, lines.shape[-1])]
        return np.moveaxis(np.array(flat).reshape(*lines.shape[:-1], -1), -1, axis)

    return reference


def _sorted(line: list, descending: bool = False) -> list:
    return sorted(line, reverse=descending)


def _argsorted(line: list, descending: bool = False) -> list:
    return sorted(range(len(line)), key=line.__getitem__, reverse=descending)


def _topk(x: Any, k: int, axis: int = -1, largest: bool = True) -> Any:
    places = _lines(lambda line: _argsorted(line, largest)[:k])(x, axis=axis).astype(int)
    return np.take_along_axis(x, places, axis), places


def _percent(x: Any, q: Any, **keywords: Any) -> Any:
    return np.quantile(x, np.asarray(q) / 100, **keywords)


def _quantile_errors(name: str) -> list[tuple]:
    x = np.ones((2, 3))
    q = 5.0 if "percent" in name else 0.5
    return [
        ((x, 101.0), {}, ShapeError, (name, "from 0 to 1")),
        ((x, q), {"method": "best"}, ShapeError, (name, "best", "linear")),
        ((np.ones((0, 3)), q), {"axis": 0}, ShapeError, (name, "no numbers", "(0, 3)")),
        ((x, q), {"axis": 2}, ShapeError, (name, "axis 2")),
        ((x, q), {"dim": 1}, TypeError, (name, "use axis=")),
        ((x * 1j, q), {}, DTypeError, (name, "complex")),
    ]


SPECS = [
    OpSpec("sort", _lines(_sorted), LINES, kinks="equal ones as they stand", errors=line_errors("sort")),
    OpSpec("argsort", _lines(_argsorted), LINES, order=0, errors=line_errors("argsort")),
    OpSpec(
        "topk",
        _topk,
        [S((3, 5), 2), S((4, 3), 3, axis=0), S((6,), 1), S((2, 5), 2, largest=False), S((2, 4), 4, largest=False), S((3, 4), 0)],
        kinks="g to the chosen",
        errors=[((np.ones(3), 4), {}, ShapeError, ("topk", "4", "3")), ((np.ones(3), 2), {"dim": 0}, TypeError, ("topk", "use axis="))],
    ),
    OpSpec("quantile", np.quantile, QS, empty="raises", errors=_quantile_errors("quantile")),
    OpSpec("nanquantile", np.quantile, QS, empty="raises", errors=_quantile_errors("nanquantile")),
    OpSpec("percentile", _percent, [S((3, 5), 30.0), S((3, 4), [0.0, 5.0], axis=0)], empty="raises", errors=_quantile_errors("percentile")),
    OpSpec(
        "median",
        np.median,
        AXES,
        empty="raises",
        kinks="half to each of two in the middle",
        errors=[((np.ones((0, 3)),), {"axis": 0}, ShapeError, ("median", "no numbers"))],
    ),
    OpSpec("nanmedian", np.median, AXES, empty="raises", kinks="as median"),
]
