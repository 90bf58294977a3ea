"""Rows taken out of a table, each at most once, and put back where they were: each is the other's gradient."""

from typing import Any

from ...autograd.forms import apply, general
from ...autograd.op import Op


def _taken(xp: Any, x: Any, index: Any, rows: int) -> Any:
    return x[index]


def _laid(xp: Any, x: Any, index: Any, rows: int, fill: float) -> Any:
    y = xp.full((rows, *x.shape[1:]), fill, x.dtype)
    y[index] = x
    return y


_TAKEN: Op = general(_taken, lambda g, index, rows: apply(_LAID, (g,), index, rows, 0.0), name="take_rows")
_LAID: Op = general(_laid, lambda g, index, rows: apply(_TAKEN, (g,), index, rows), name="lay_rows")


def take_rows(x: Any, index: Any) -> Any:
    """x[index]; the index, an array of integers, names no row twice."""
    return apply(_TAKEN, (x,), index, x.shape[0])


def lay_rows(x: Any, index: Any, rows: int, fill: float = 0.0) -> Any:
    """A table of so many rows with those of x at ``index``, and ``fill`` elsewhere."""
    return apply(_LAID, (x,), index, rows, fill)


__all__ = ["lay_rows", "take_rows"]
