"""Along lines of an array: the extremes and the length of rows, and running sums."""

from collections.abc import Callable
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from .forms import Family, Form

FAMILY = Family("lines")
empty, float32 = np.empty, np.dtype("float32")


@lru_cache(1024)
def _rows(shape: tuple[int, ...], axis: Any, keepdims: bool) -> Any:
    """The result's shape, and how many rows of what length are reduced; None where the axes are not the last ones."""
    reduced = range(len(shape)) if axis is None else sorted(axis)
    first = len(shape) - len(reduced)
    if list(reduced) != list(range(first, len(shape))):
        return None
    return (*shape[:first], *[1 for _ in reduced if keepdims]), prod(shape[:first]), prod(shape[first:])


def _extreme(c: Form, plain: Callable) -> Callable:
    """Of rows; that of a whole array NumPy finds as fast."""

    def kernel(x: Any, axis: Any, keepdims: bool) -> Any:
        if axis is not None and x.size >= c.least and x.dtype == float32:
            found = _rows(x.shape, axis, keepdims)
            if found is not None:
                shape, rows, n = found
                y = empty(shape, float32)
                if not c.call(x, y, rows, n):
                    return y
        return plain(x, axis, keepdims)

    return kernel


for _name in ("max", "min"):
    FAMILY.form(_name, "ooll", least=256)(_extreme)


@FAMILY.form("vector_norm", "ooll", least=256)
def vector_norm(c: Form, plain: Callable) -> Callable:
    """The Euclidean one."""

    def kernel(x: Any, p: float, axis: Any, keepdims: bool) -> Any:
        if p == 2 and x.size >= c.least and x.dtype == float32:
            found = _rows(x.shape, axis, keepdims)
            if found is not None:
                shape, rows, n = found
                y = empty(shape, float32)
                if not c.call(x, y, rows, n):
                    return y
        return plain(x, p, axis, keepdims)

    return kernel


@FAMILY.form("cumsum", "oollll", least=256)
def cumsum(c: Form, plain: Callable) -> Callable:
    """From either end."""

    def kernel(x: Any, axis: int, reverse: bool) -> Any:
        if x.size >= c.least and x.dtype == float32:
            y = empty(x.shape, float32)
            if not c.call(x, y, prod(x.shape[:axis]), x.shape[axis], prod(x.shape[axis + 1 :]), reverse):
                return y
        return plain(x, axis, reverse)

    return kernel
