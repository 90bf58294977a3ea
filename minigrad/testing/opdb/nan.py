"""Rows of ops/nan.py."""

from typing import Any

import numpy as np

from ..spec import OpSpec, S
from .reduce import axis_errors

NAN = np.nan
HOLES = np.array([[1.0, NAN, 3.0, -2.0], [NAN, 0.5, 0.25, 4.0], [2.0, -1.0, NAN, NAN]])
CALLS = [S((3, 4)), S((2, 3, 4), axis=(0, -1), keepdims=True), S((5,), axis=0)]


def _each(f: Any) -> Any:
    """A function of a 1-D array without NaN, over axes."""

    def reference(x: Any, axis: Any = None, keepdims: bool = False, **keywords: Any) -> Any:
        axes = tuple(range(x.ndim)) if axis is None else tuple([i % x.ndim for i in (axis if isinstance(axis, tuple) else (axis,))])
        kept = [i for i in range(x.ndim) if i not in axes]
        lines = x.transpose(*kept, *axes).reshape(*[x.shape[i] for i in kept], -1)
        y = np.empty(lines.shape[:-1])
        for i in np.ndindex(*y.shape):
            y[i] = f(lines[i][~np.isnan(lines[i])], **keywords)
        return np.expand_dims(y, axes) if keepdims else y

    return reference


def _var(line: Any, correction: float = 0) -> Any:
    return ((line - line.mean()) ** 2).sum() / (len(line) - correction)


def _row(name: str, f: Any, *calls: Any, **options: Any) -> OpSpec:
    return OpSpec(name, _each(f), [*CALLS, *calls], errors=axis_errors(name), **options)


SPECS = [
    _row("nansum", np.sum),
    _row("nanprod", np.prod),
    _row("nanmean", np.mean),
    _row("nanmax", np.max, empty="raises", kinks="equal ones share the gradient"),
    _row("nanmin", np.min, empty="raises", kinks="equal ones share the gradient"),
    _row("nanvar", _var, S((3, 4), axis=1, correction=1)),
    _row("nanstd", lambda line, correction=0: np.sqrt(_var(line, correction)), S((3, 4), axis=1, correction=1), kinks="0 where it is 0"),
]
