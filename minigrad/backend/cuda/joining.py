"""Joining arrays while a step is captured: of more than eight CuPy sends a table of their addresses, and a graph cannot send."""

from collections.abc import Callable
from typing import Any

from ..recording.beside import sheet

MOST = 8


def joining(xp: Any) -> tuple[Callable, Callable]:
    """``concatenate`` and ``stack`` of a namespace, in steps of a few arrays while a step is captured."""

    def concatenate(tup: Any, axis: Any = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind") -> Any:
        arrays = list(tup)
        if sheet() is None or len(arrays) <= MOST:
            return xp.concatenate(arrays, axis, out, dtype=dtype, casting=casting)
        if axis is None:
            arrays, axis = [a.reshape(-1) for a in arrays], 0
        axis, ends = axis % arrays[0].ndim, [0]
        for a in arrays:
            ends.append(ends[-1] + a.shape[axis])
        if out is None:
            first = arrays[0].shape
            out = xp.empty((*first[:axis], ends[-1], *first[axis + 1 :]), dtype or xp.result_type(*arrays))
        for i in range(0, len(arrays), MOST):
            some = arrays[i : i + MOST]
            place = (*[slice(None)] * axis, slice(ends[i], ends[i + len(some)]))
            xp.concatenate(some, axis, out[place], casting=casting)
        return out

    def stack(tup: Any, axis: int = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind") -> Any:
        arrays = list(tup)
        if sheet() is None or len(arrays) <= MOST:
            return xp.stack(arrays, axis, out, dtype=dtype, casting=casting)
        return concatenate([xp.expand_dims(a, axis) for a in arrays], axis, out, dtype=dtype, casting=casting)

    return concatenate, stack


__all__ = ["joining"]
