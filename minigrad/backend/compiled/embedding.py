"""Lookups of rows in a table, and the way back: additions to them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .forms import Family, Form

FAMILY = Family("embedding")
empty, float32 = np.empty, np.dtype("float32")


@FAMILY.form("embedding", "ooo", least=4096)
def embedding(c: Form, plain: Callable) -> Callable:
    """The row of a table for each id."""

    def kernel(ids: Any, weight: Any, padding: Any, share: Any) -> Any:
        if ids.size * weight.shape[1] >= c.least and weight.dtype == float32:
            y = empty((*ids.shape, weight.shape[1]), float32)
            if not c.call(ids, weight, y):
                return y
        return plain(ids, weight, padding, share)

    return kernel


@FAMILY.form("embedding_gradient", "oool", least=64)
def embedding_gradient(c: Form, plain: Callable) -> Callable:
    """Each row of g added to the row of a table that its id names, in the order of the ids."""
    zeros = c.xp.zeros

    def kernel(g: Any, ids: Any, rows: int, padding: Any) -> Any:
        if g.size >= c.least:
            y = zeros((rows, g.shape[-1]), g.dtype)
            if not c.call(g, ids, y, -1 if padding is None else padding):
                return y
        return plain(g, ids, rows, padding)

    return kernel
