"""What affine maps need besides BLAS: the bias; and products with one-hot rows, which are lookups of embeddings and the way back."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .forms import Family, Form

FAMILY = Family("affine")
add, empty, zeros, float32 = np.add, np.empty, np.zeros, np.dtype("float32")


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

    def kernel(g: Any, ids: Any, rows: int, padding: Any) -> Any:
        if g.size >= c.least and g.dtype == float32:
            y = zeros((rows, g.shape[-1]), float32)
            if not c.call(g, ids, y, -1 if padding is None else padding):
                return y
        return plain(g, ids, rows, padding)

    return kernel


@FAMILY.form("linear", "oo", least=1 << 16)
def linear(c: Form, plain: Callable) -> Callable:
    """The product of matrices is BLAS's; the bias is added in place."""

    def kernel(x: Any, weight: Any, bias: Any) -> Any:
        if bias is None or not x.dtype == weight.dtype == bias.dtype == float32:
            return plain(x, weight, bias)
        y = plain(x, weight, None)
        if y.size < c.least or c.call(y, bias):
            add(y, bias, out=y)
        return y

    return kernel
