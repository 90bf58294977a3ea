"""Convolutions of signals and images and their gradients: directly, where NumPy copies windows into a matrix."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from .forms import Family, Form

FAMILY = Family("conv")
LETTERS = "l" * 7
ascontiguousarray, empty, float32 = np.ascontiguousarray, np.empty, np.dtype("float32")


@lru_cache(1024)
def _numbers(stride: tuple, padding: tuple, dilation: tuple, groups: int) -> tuple:
    """Stride, padding before and dilation of two axes; the first of a signal's is of length one."""
    lows = [lo for lo, _ in padding]
    if len(stride) == 1:
        return (1, stride[0], 0, lows[0], 1, dilation[0], groups)
    return (*stride, *lows, *dilation, groups)


@lru_cache(1024)
def results(x: tuple, w: tuple, stride: tuple, padding: tuple, dilation: tuple) -> tuple:
    """The shape of the result of a convolution of operands of these shapes."""
    axes = zip(x[2:], w[2:], stride, padding, dilation, strict=True)
    return (x[0], w[0], *[(m + lo + hi - d * (k - 1) - 1) // s + 1 for m, k, s, (lo, hi), d in axes])


@FAMILY.form("convolution", "oooo" + "l" + LETTERS, least=256)
def _convolution(c: Form, plain: Callable) -> Callable:
    def kernel(x: Any, w: Any, bias: Any, stride: tuple, padding: tuple, dilation: tuple, groups: int) -> Any:
        if x.size < c.least or len(stride) > 2 or x.dtype != float32 or w.dtype != float32:
            return plain(x, w, bias, stride, padding, dilation, groups)
        y = empty(results(x.shape, w.shape, stride, padding, dilation), float32)
        x, w = ascontiguousarray(x), ascontiguousarray(w)
        if c.call(x, w, x if bias is None else bias, y, bias is not None, *_numbers(stride, padding, dilation, groups)):
            return plain(x, w, bias, stride, padding, dilation, groups)
        return y

    return kernel


@FAMILY.form("convolution_input_gradient", "oooo" + "l" + LETTERS, least=256)
def _input_gradient(c: Form, plain: Callable) -> Callable:
    def kernel(g: Any, w: Any, bias: Any, spatial: tuple, stride: tuple, padding: tuple, dilation: tuple, groups: int) -> Any:
        if g.size < c.least or len(stride) > 2 or g.dtype != float32 or w.dtype != float32:
            return plain(g, w, bias, spatial, stride, padding, dilation, groups)
        dx = empty((g.shape[0], w.shape[1] * groups, *spatial), float32)
        g, w = ascontiguousarray(g), ascontiguousarray(w)
        if c.call(g, w, g if bias is None else bias, dx, bias is not None, *_numbers(stride, padding, dilation, groups)):
            return plain(g, w, bias, spatial, stride, padding, dilation, groups)
        return dx

    return kernel


@FAMILY.form("convolution_weight_gradient", "ooo" + LETTERS, least=256)
def _weight_gradient(c: Form, plain: Callable) -> Callable:
    def kernel(x: Any, g: Any, kernel: tuple, stride: tuple, padding: tuple, dilation: tuple, groups: int) -> Any:
        if x.size < c.least or len(stride) > 2 or x.dtype != float32 or g.dtype != float32:
            return plain(x, g, kernel, stride, padding, dilation, groups)
        dw = empty((g.shape[1], x.shape[1] // groups, *kernel), float32)
        x, g = ascontiguousarray(x), ascontiguousarray(g)
        if c.call(x, g, dw, *_numbers(stride, padding, dilation, groups)):
            return plain(x, g, kernel, stride, padding, dilation, groups)
        return dw

    return kernel


__all__ = ["FAMILY"]
