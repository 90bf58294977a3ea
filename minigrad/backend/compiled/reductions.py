"""Sums and means over axes, with double precision in between: of gradients of biases, of rows, of whole arrays; on all threads."""

from collections.abc import Callable
from functools import lru_cache
from itertools import groupby
from math import prod
from typing import Any

from .forms import Family, Form

FAMILY = Family("reductions")


def _lengths(shape: Any, reduced: Any) -> Any:
    """The shape with neighbouring axes taken together, as three lengths: (whether the middle one is summed, a, b, c); None: it has more.

    ``reduced`` are the axes to be summed.
    """
    axes = [(i in reduced, n) for i, n in enumerate(shape) if n != 1]
    runs = [(summed, prod([n for _, n in run])) for summed, run in groupby(axes, lambda axis: axis[0])]
    if not runs or len(runs) > 3:
        return None
    lengths = [n for _, n in runs]
    if len(runs) == 1:
        return 0, *((1, 1, lengths[0]) if runs[0][0] else (1, lengths[0], 1))
    if len(runs) == 2:  # rows are contiguous, so sums of rows are those over the last of three axes
        return (1, 1, *lengths) if runs[0][0] else (0, 1, *lengths)
    return 0 if runs[0][0] else 1, *lengths


@lru_cache(1024)
def _sums(shape: Any, axis: Any, keepdims: bool) -> Any:
    """The shape of the sums over axes (None: all), and the lengths that C is told; None: those have no form in C."""
    axes = tuple(range(len(shape))) if axis is None else axis
    lengths = _lengths(shape, axes)
    return lengths and (tuple([1 if i in axes else n for i, n in enumerate(shape) if keepdims or i not in axes]), lengths)


@lru_cache(1024)
def _repeated(shape: Any, target: Any) -> Any:
    """The lengths that C is told of the sum over those axes along which ``target`` was broadcast to ``shape``."""
    lead = len(shape) - len(target)
    return _lengths(shape, tuple([i for i, n in enumerate(shape) if i < lead or target[i - lead] != n]))


def _reduction(c: Form, plain: Callable) -> Callable:
    empty, averaged = c.xp.empty, c.name == "mean"

    def kernel(x: Any, axis: Any, keepdims: bool) -> Any:
        if x.size >= c.least:
            found = _sums(x.shape, axis, keepdims)
            if found is not None:
                shape, lengths = found
                y = empty(shape, x.dtype)
                if not c.call(x, y, *lengths, x.size // y.size if averaged else 1):
                    return y
        return plain(x, axis, keepdims)

    return kernel


for _name in ("sum", "mean"):
    FAMILY.form(_name, "oolllld", least=1 << 15)(_reduction)


@FAMILY.form("sum_to", "oolllld", least=1 << 15)
def sum_to(c: Form, plain: Callable) -> Callable:
    """The sum over the axes along which a tensor of this shape was broadcast."""
    empty = c.xp.empty

    def kernel(x: Any, shape: Any) -> Any:
        if x.size >= c.least:
            lengths = _repeated(x.shape, shape)
            if lengths is not None:
                y = empty(shape, x.dtype)
                if not c.call(x, y, *lengths, 1):
                    return y
        return plain(x, shape)

    return kernel
