"""Extremes over axes; NaN wins."""

from collections.abc import Callable
from typing import Any

from ..compiled.reductions import _sums
from .forms import Family, Form
from .reductions import kernels, reduced

FAMILY = Family("lines")


@FAMILY.form("max", "min")
def extreme(c: Form, plain: Callable) -> Callable:
    """Over any axes of which there is a sum."""
    own, empty = kernels(c.name), c.xp.empty

    def kernel(x: Any, axis: Any, keepdims: bool) -> Any:
        found = _sums(x.shape, axis, keepdims) if x.size >= c.least else None
        if found is not None:
            shape, lengths = found
            y = empty(shape, x.dtype)
            if not reduced(own, x, y, *lengths):
                return y
        return plain(x, axis, keepdims)

    return kernel
