"""Max pooling: the largest number in each window.

It remembers which element of its window won, in one byte where a window has up to 256; neither x nor y is kept. With that fixed
it is linear: it selects, and its gradient scatters back to where was selected. Each is the derivative of the other.
"""

from math import prod
from typing import Any

from ...autograd.forms import apply, general
from ...autograd.mode import recording
from ...autograd.op import Op, compiled
from ...autograd.tensor import Tensor, raw, wrap
from ...backend.arrays import namespace
from ...errors import DTypeError
from ..masks import masked
from ..windows import Ints, Pairs, batched, pieces, pool_geometry, positions, unbatched


def _maxima(xp: Any, x: Any, out: Ints, kernel: Ints, stride: Ints, padding: Pairs, dilation: Ints, which: bool) -> Any:
    """The largest number of each window, and with ``which`` also its number in the window: the first of equals; NaN is the largest."""
    shape, spatial, size = (*x.shape[:2], *out), x.shape[2:], prod(kernel)
    y = xp.empty(shape, x.dtype)
    index = xp.zeros(shape, "uint8" if size <= 256 else "uint16" if size <= 65536 else "int32") if which else None
    rows = [(0, o) for o in out]
    inside_all = all(
        p == 0 and (o - 1) * s + (k - 1) * d < n
        for n, o, k, s, (p, _), d in zip(spatial, out, kernel, stride, padding, dilation, strict=True)
    )
    if not inside_all:
        y.fill(_lowest(xp, x.dtype))
        if index is not None:
            index[...] = _first_inside(xp, out, kernel, stride, padding, dilation)
    for part in pieces(x.shape[0], prod(shape[1:])):
        xs, ys = x[part], y[part]
        for number, (_, some, inside) in enumerate(positions(spatial, kernel, rows, stride, padding, dilation)):
            if number == 0 and inside_all:
                ys[...] = xs[inside]
                continue
            now, new = ys[some], xs[inside].copy()
            if index is not None:
                better = new > now
                if x.dtype.kind not in "biu":
                    better |= new != new
                chosen = index[part][some]  # numbers only grow, so the larger of two is the later
                xp.maximum(chosen, xp.multiply(better, number, dtype=index.dtype), out=chosen)
            xp.maximum(now, new, out=now)
    return y if index is None else (y, index)


def _lowest(xp: Any, dtype: Any) -> Any:
    return xp.iinfo(dtype).min if dtype.kind in "iu" else dtype.kind != "b" and float("-inf")


def _first_inside(xp: Any, out: Ints, kernel: Ints, stride: Ints, padding: Pairs, dilation: Ints) -> Any:
    """The number of the first element of each window that is not padding."""
    number: Any = 0
    for o, k, s, (lo, _), d in zip(out, kernel, stride, padding, dilation, strict=True):
        number = number[..., None] * k if hasattr(number, "shape") else number
        number = number + xp.maximum(0, -((xp.arange(o) * s - lo) // d))
    return number


def _select(xp: Any, x: Any, value: Any, index: Any, kernel: Ints, stride: Ints, padding: Pairs, dilation: Ints) -> Any:
    """Element ``index`` of each window; ``value`` where it is known already."""
    if value is not None:
        return value
    y = xp.zeros(index.shape, x.dtype)
    rows = [(0, o) for o in index.shape[2:]]
    for part in pieces(x.shape[0], prod(index.shape[1:])):
        xs, ys, chosen = x[part], y[part], index[part]
        for number, (_, some, inside) in enumerate(positions(x.shape[2:], kernel, rows, stride, padding, dilation)):
            ys[some] += xp.where(chosen[some] == number, xs[inside], 0)
    return y


def _scatter(xp: Any, g: Any, spatial: Ints, index: Any, kernel: Ints, stride: Ints, padding: Pairs, dilation: Ints) -> Any:
    """Zeros but for element ``index`` of each window, to which its g is added."""
    y = xp.zeros((*g.shape[:2], *spatial), g.dtype)
    rows = [(0, o) for o in g.shape[2:]]
    apart = all(s > d * (k - 1) for k, s, d in zip(kernel, stride, dilation, strict=True))
    choose = masked.op.kernels[type(g)]
    for part in pieces(g.shape[0], prod(g.shape[1:])):
        gs, ys, chosen = g[part], y[part], index[part]
        for number, (_, some, inside) in enumerate(positions(spatial, kernel, rows, stride, padding, dilation)):
            share = choose(gs[some], chosen[some] == number)
            if apart:
                ys[inside] = share
            else:
                ys[inside] += share
    return y


MAXIMA = general(_maxima, None, name="max_pool_search")
SELECT = general(
    _select,
    lambda g, shape, index, kernel, stride, padding, dilation: apply(SCATTER, (g,), shape[2:], index, kernel, stride, padding, dilation),
    name="max_pool",
)
SCATTER: Op = general(
    _scatter,
    lambda v, index, kernel, stride, padding, dilation: apply(SELECT, (v,), None, index, kernel, stride, padding, dilation),
    name="max_pool_gradient",
)
compiled("pooling", MAXIMA, SCATTER)


def max_pool(
    name: str, n: int, x: Any, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool, return_indices: bool
) -> Any:
    x, with_batch = batched(name, x, n)
    if x.dtype.kind == "c":
        raise DTypeError(f"{name}: complex numbers have no order, got {x.dtype}")
    out, kernel, steps, pairs, dilations = pool_geometry(name, n, x, kernel_size, stride, padding, dilation, ceil_mode)
    geometry = (kernel, steps, pairs, dilations)
    tracked = isinstance(x, Tensor) and x.node is not None and recording()
    found = apply(MAXIMA, (raw(x),), out, *geometry, tracked or return_indices)
    y, index = found if type(found) is tuple else (found, None)
    if tracked:
        y = apply(SELECT, (x,), y, index, *geometry)
    elif isinstance(x, Tensor):
        y = wrap(y, None)
    y = unbatched(y, with_batch)
    if not return_indices:
        return y
    flat = unbatched(_flat(namespace(type(index)), index, tuple(x.shape[2:]), *geometry), with_batch)
    return y, wrap(flat, None) if isinstance(x, Tensor) else flat


def _flat(xp: Any, index: Any, spatial: Ints, kernel: Ints, stride: Ints, padding: Pairs, dilation: Ints) -> Any:
    """The place in the flattened input of element ``index`` of each window."""
    flat, inner = 0, prod(kernel)
    for a, (k, s, (lo, _), d) in enumerate(zip(kernel, stride, padding, dilation, strict=True)):
        inner //= k
        step = index.astype("int64") // inner % k
        starts = (xp.arange(index.shape[2 + a]) * s - lo).reshape(-1, *[1] * (len(kernel) - 1 - a))
        flat = flat * spatial[a] + starts + step * d
    return flat


def max_pool1d(
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest number in each window of a signal. Shapes: x (N, C, L) or (C, L). See ``max_pool2d``.

    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.max_pool1d(mg.tensor([[1.0, 3.0, 2.0, 0.0]]), 2).tolist()
        [[3.0, 2.0]]
    """
    return max_pool("max_pool1d", 1, x, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool2d(
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest number in each window of an image.

    Shapes: x (N, C, H, W) or (C, H, W); result (N, C, H', W') with H' = (H + 2 padding - dilation (k - 1) - 1) // stride + 1.
    Args:
        x: the input.
        kernel_size: the size of the window; an integer or one per axis, as the next three.
        stride: the step from window to window; default: ``kernel_size``.
        padding: how far windows reach over the edges, at most half of the window; what is there never wins.
            A window that, by its dilation, holds no element gives -inf and no gradient.
        dilation: the step from element to element of a window.
        ceil_mode: round H' up: keep a last window that hangs over the end.
        return_indices: return also where the largest numbers are in the flattened (H, W), as int64.
    Raises:
        ShapeError: no window fits, or a number is out of range.
        DTypeError: a size that is not an integer, or complex input.
    Gradient: to the largest number of the window; of equals to the first (unlike ``max``, which shares). NaN counts as the largest.
    Source: Riesenhuber and Poggio, "Hierarchical models of object recognition in cortex", 1999.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.max_pool2d(mg.tensor([[[1.0, 2.0, 5.0, 0.0], [4.0, 3.0, 0.0, 6.0]]]), 2)
        Tensor([[[4., 6.]]], shape (1, 1, 2), float32, cpu)
    """
    return max_pool("max_pool2d", 2, x, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool3d(
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest number in each window of a volume. Shapes: x (N, C, D, H, W) or (C, D, H, W). See ``max_pool2d``.

    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.max_pool3d(mg.ones((1, 4, 4, 6)), 2).shape
        (1, 2, 2, 3)
    """
    return max_pool("max_pool3d", 3, x, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


__all__ = ["max_pool1d", "max_pool2d", "max_pool3d"]
