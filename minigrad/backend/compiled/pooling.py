"""Pooling by the maximum and by the mean, in one and two dimensions, and the ways back: window rows in the cache, on all threads."""

from collections.abc import Callable
from math import prod
from typing import Any

from .forms import Family, Form

FAMILY = Family("pooling")
LENGTHS = "l" * 12
LINE = (1, 1, 1, 1, 0, 1)
"""The axis that a signal lacks of an image."""


def _axes(spatial: Any, out: Any, kernel: Any, stride: Any, padding: Any, dilation: Any = (1, 1)) -> Any:
    """What C is told of both axes; None where there are more, or where the ends of one are padded differently."""
    if len(out) > 2:
        return None
    axes: tuple = () if len(out) == 2 else LINE
    for n, o, k, s, (lo, hi), d in zip(spatial, out, kernel, stride, padding, dilation, strict=False):
        if lo != hi:
            return None
        axes += (n, o, k, s, lo, d)
    return axes


@FAMILY.form("max_pool_search", f"ooo{LENGTHS}", least=64)
def search(c: Form, plain: Callable) -> Callable:
    """The maxima, and which elements they are, a byte each."""
    empty = c.xp.empty

    def kernel(x: Any, out: Any, sizes: Any, stride: Any, padding: Any, dilation: Any, which: bool) -> Any:
        if x.size < c.least or prod(sizes) > 256:
            return plain(x, out, sizes, stride, padding, dilation, which)
        axes = _axes(x.shape[2:], out, sizes, stride, padding, dilation)
        if axes is not None:
            y = empty((*x.shape[:2], *out), x.dtype)
            index = empty(y.shape, "uint8") if which else None
            if not c.call(x, y, index, *axes):
                return (y, index) if which else y
        return plain(x, out, sizes, stride, padding, dilation, which)

    return kernel


@FAMILY.form("max_pool_gradient", f"ooo{LENGTHS}", least=64)
def scatter(c: Form, plain: Callable) -> Callable:
    """The way back from the maxima."""
    empty = c.xp.empty

    def kernel(g: Any, spatial: Any, index: Any, sizes: Any, stride: Any, padding: Any, dilation: Any) -> Any:
        if g.size >= c.least:
            axes = _axes(spatial, g.shape[2:], sizes, stride, padding, dilation)
            if axes is not None:
                y = empty((*g.shape[:2], *spatial), g.dtype)
                if not c.call(g, index, y, *axes):
                    return y
        return plain(g, spatial, index, sizes, stride, padding, dilation)

    return kernel


def _mean(c: Form, plain: Callable) -> Callable:
    """The means, and the way back from them: ``shape`` is that of the result."""
    empty, back = c.xp.empty, c.name == "avg_pool_gradient"

    def kernel(x: Any, shape: Any, sizes: Any, stride: Any, padding: Any, include: bool, divisor: Any) -> Any:
        if x.size >= c.least and (divisor is None or (isinstance(divisor, int) and abs(divisor) < 1 << 53)):
            axes = _axes(*((shape, x.shape[2:]) if back else (x.shape[2:], shape)), sizes, stride, padding)
            if axes is not None:
                y = empty((*x.shape[:2], *shape), x.dtype)
                if not c.call(x, y, *axes, include, 0.0 if divisor is None else divisor):
                    return y
        return plain(x, shape, sizes, stride, padding, include, divisor)

    return kernel


for _name in ("avg_pool", "avg_pool_gradient"):
    FAMILY.form(_name, f"oo{LENGTHS}ld", least=64)(_mean)
