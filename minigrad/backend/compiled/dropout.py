"""Dropout in one pass: bits are computed from their positions and applied at once, so that no mask is stored, and none kept."""

from collections.abc import Callable
from typing import Any

from .forms import Family, Form

FAMILY = Family("dropout")


@FAMILY.form("dropout", "oolld", least=64)
def dropout(c: Form, plain: Callable) -> Callable:
    """Entries of x, scaled or dropped."""
    empty = c.xp.empty

    def kernel(x: Any, draw: Any) -> Any:
        key, threshold, gain, shape = draw
        if x.size < c.least or x.shape != shape:
            return plain(x, draw)
        y = empty(shape, x.dtype)
        return plain(x, draw) if c.call(x, y, key, threshold, gain) else y

    return kernel


@FAMILY.form("keep", "oll", least=64)
def keep(c: Form, plain: Callable) -> Callable:
    """The mask by itself."""
    empty = c.xp.empty

    def kernel(key: int, threshold: int, shape: tuple[int, ...]) -> Any:
        mask = empty(shape, "bool")
        return plain(key, threshold, shape) if mask.size < c.least or c.call(mask, key, threshold) else mask

    return kernel
