"""Attention in one go, head by head; and what NumPy's form does with its scores between two products: one pass where NumPy makes many."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from .forms import Family, Form

FAMILY = Family("attention")
ndarray, empty, empty_like, float32 = np.ndarray, np.empty, np.empty_like, np.dtype("float32")


def _led(q: Any, k: Any, v: Any, mask: Any) -> tuple:
    """The inputs with the same leading axes, the mask with as many axes (its own may have length 1); those that are not there are q."""
    lead = q.shape[:-2]
    if k.shape[:-2] != lead or v.shape[:-2] != lead:
        lead = np.broadcast_shapes(lead, k.shape[:-2], v.shape[:-2])
        q, k, v = [np.broadcast_to(a, (*lead, *a.shape[-2:])) for a in (q, k, v)]
    return q, k, v, q if mask is None else mask.reshape((*[1] * (len(lead) + 2 - mask.ndim), *mask.shape))


@FAMILY.form("scaled_dot_product_attention", "oooooooddi", least=64)
def attention(c: Form, plain: Callable) -> Callable:
    def kernel(query: Any, key: Any, value: Any, mask: Any, keep: Any, gain: float, causal: bool, scale: float) -> tuple:
        if query.size >= c.least and query.dtype == key.dtype == value.dtype == float32:
            q, k, v, bias = _led(query, key, value, mask)
            *lead, rows, _ = q.shape
            # heads lie behind rows in memory, so that joining the heads afterwards copies nothing
            y = empty((*lead[:-1], rows, *lead[-1:], v.shape[-1]), float32)
            y = y.swapaxes(-2, -3) if lead else y
            z = empty((*lead, rows, 1), float32)
            if not c.call(q, k, v, bias, q if keep is None else keep, y, z, scale, gain, causal):
                return y, (y, z)
        return plain(query, key, value, mask, keep, gain, causal, scale)

    return kernel


@lru_cache(1024)
def _apart(shape: tuple, strides: tuple, itemsize: int) -> int:
    """How many bytes the thirds of an array without gaps are apart, if it has thirds that lie like this; 0: it has not."""
    dense, apart = itemsize, 0
    for stride, length in sorted(zip(strides, shape, strict=True)):
        if stride == 3 * dense and not apart:
            apart, dense = dense, stride
        if length != 1 and stride != dense:
            return 0
        dense *= length
    return apart


def _thirds(q: Any, k: Any, v: Any) -> Any:
    """Where q, k and v are thirds of an array, one after the other along some axis, room for such thirds; joining them costs nothing."""
    if q.base is None or q.base is not k.base or k.base is not v.base or not q.strides == k.strides == v.strides:
        return None
    apart = _apart(q.shape, q.strides, q.itemsize)
    if not apart or not q.shape == k.shape == v.shape:
        return None
    a, b, c = [x.__array_interface__["data"][0] for x in (q, k, v)]
    if not b - a == c - b == apart:
        return None
    room = empty(3 * q.size, float32)
    return [ndarray(q.shape, float32, room, place, q.strides) for place in (0, apart, 2 * apart)]


@FAMILY.form("scaled_dot_product_attention_gradient", "ooooooooooddi", least=64)
def attention_gradient(c: Form, plain: Callable) -> Callable:
    def slopes(
        g: Any, wanted: Any, kept: tuple, query: Any, key: Any, value: Any, mask: Any, keep: Any, gain: float, causal: bool, scale: float
    ) -> tuple:
        if query.size >= c.least and g.dtype == query.dtype == key.dtype == value.dtype == float32 and not wanted[3]:
            z = kept[1]
            q, k, v, bias = _led(query, key, value, mask)
            dq, dk, dv = _thirds(q, k, v) or (empty_like(q), empty_like(k), empty_like(v))
            if not c.call(g, q, k, v, bias, q if keep is None else keep, z, dq, dk, dv, scale, gain, causal):
                return tuple([d if w else None for d, w in zip((dq, dk, dv, None), wanted, strict=True)])
        return plain(g, wanted, kept, query, key, value, mask, keep, gain, causal, scale)

    return slopes


@FAMILY.form("attention_weights", "ooooddl", least=256)
def attention_weights(c: Form, plain: Callable) -> Callable:
    def kernel(s: Any, mask: Any, keep: Any, z: Any, scale: float, gain: float, first: int) -> None:
        if s.size < c.least or c.call(s, s if mask is None else mask, s if keep is None else keep, z, scale, gain, first):
            plain(s, mask, keep, z, scale, gain, first)

    return kernel


@FAMILY.form("attention_weights_gradient", "ooooodddl", least=256)
def attention_weights_gradient(c: Form, plain: Callable) -> Callable:
    def kernel(s: Any, d: Any, mask: Any, keep: Any, z: Any, h: Any, y: Any, scale: float, by: float, gain: float, first: int) -> None:
        if s.size < c.least or c.call(s, d, s if mask is None else mask, s if keep is None else keep, z, scale, by, gain, first):
            plain(s, d, mask, keep, z, h, y, scale, by, gain, first)

    return kernel
