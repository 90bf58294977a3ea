"""Products of matrices: NumPy's BLAS is often built for an older processor than the one it runs on, and keeps threads of its own."""

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from .forms import Family, Form

FAMILY = Family("products")
ndarray, empty, float32 = np.ndarray, np.empty, np.dtype("float32")
FEW, MANY = 4, 1 << 14
"""Products with fewer rows or columns than this are sums of a few vectors, which BLAS does well, if there are more numbers than these."""


@FAMILY.form("matmul", "ooo", least=1024)
def _matmul(c: Form, plain: Callable) -> Callable:
    def kernel(a: Any, b: Any) -> Any:
        if type(a) is not ndarray or a.size < c.least or a.dtype != float32 or type(b) is not ndarray or b.dtype != float32:
            return plain(a, b)
        if a.ndim < 2 or b.ndim < 2 or a.shape[-2] < FEW or b.shape[-1] < FEW:
            return plain(a, b)
        shape: Any = (a.shape[0], b.shape[1])
        if a.ndim > 2 or b.ndim > 2:
            try:
                shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1])
            except ValueError:
                return plain(a, b)
        y = empty(shape, float32)
        return plain(a, b) if c.call(a, b, y) else y

    return kernel


@FAMILY.form("linear", "oooo", least=16)
def _linear(c: Form, plain: Callable) -> Callable:
    def kernel(x: Any, weight: Any, bias: Any) -> Any:
        n = weight.shape[0]
        if weight.size < c.least or x.dtype != float32 or weight.dtype != float32:
            return plain(x, weight, bias)
        rows = x if x.ndim == 2 else x.reshape((prod(x.shape[:-1]), x.shape[-1]))
        if (n < FEW or len(rows) < FEW) and x.size + weight.size > MANY:
            return plain(x, weight, bias)
        y = empty((len(rows), n), float32)
        if c.call(rows, weight, y if bias is None else bias, y):
            return plain(x, weight, bias)
        return y if x.ndim == 2 else y.reshape((*x.shape[:-1], n))

    return kernel


__all__ = ["FAMILY"]
