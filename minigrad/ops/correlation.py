"""The kernels of convolution and of its gradients, on arrays.

They copy windows into the columns of a matrix (im2col), a block of bounded size at a time, and multiply by BLAS.
No columns are kept for the backward pass, only x and w.
"""

from itertools import product
from math import prod
from typing import Any

import numpy as np

from ..backend import working_dtype
from .windows import BLOCK, Ints, Pairs, blocks, columns, count, positions, widths


def _grouped(w: Any, groups: int, dtype: Any) -> Any:
    """The weight as one matrix (outputs, inputs * kernel) per group."""
    return w.astype(dtype, copy=False).reshape(groups, w.shape[0] // groups, prod(w.shape[1:]))


def correlation(xp: Any, x: Any, w: Any, bias: Any, stride: Ints, padding: Pairs, dilation: Ints, groups: int) -> Any:
    """The convolution."""
    out = tuple([count(*a) for a in zip(x.shape[2:], w.shape[2:], stride, padding, dilation, strict=True)])
    dtype = xp.result_type(*[a for a in (x, w, bias) if a is not None])
    y = xp.empty((x.shape[0], w.shape[0], *out), dtype)
    _correlate(xp, x, w, bias, y, stride, padding, dilation, groups)
    return y


def _correlate(xp: Any, x: Any, w: Any, bias: Any, y: Any, stride: Ints, padding: Pairs, dilation: Ints, groups: int) -> None:
    """The convolution written to y, which may be a view."""
    n, outputs, *out = y.shape
    kernel, work, each = w.shape[2:], working_dtype(y.dtype), w.shape[0] // groups
    matrix = _grouped(w, groups, work)
    b = None if bias is None else bias.reshape(-1, *[1] * len(out))
    if prod(kernel) == prod(stride) == 1 and not any(map(any, padding)) and x.dtype == work == y.dtype and y.flags.c_contiguous:
        # 1 x 1: the input is the columns
        xp.matmul(matrix, x.reshape(n, groups, x.shape[1] // groups, prod(out)), out=y.reshape(n, groups, each, prod(out)))
        if b is not None:
            y += b
        return
    inner, z = widths(xp, x.shape[1], tuple(out), kernel, stride, dilation), None
    crop = (..., *[slice(o) for o in out[1:]])
    for i, j, p, q, cols in columns(xp, x, tuple(out), inner, kernel, stride, padding, dilation, work, BLOCK, outputs):
        cols = cols.reshape(groups, cols.shape[0] // groups, cols.shape[1])
        if z is None or z.shape[2] != cols.shape[2]:
            z = xp.empty((groups, each, cols.shape[2]), work)
        xp.matmul(matrix, cols, out=z)
        made, target = z.reshape(outputs, j - i, q - p, *inner)[crop].swapaxes(0, 1), y[i:j, :, p:q]
        if b is None:
            target[...] = made
        elif y.dtype == work:
            xp.add(made, b, out=target)
        else:
            target[...] = made + b


def _windowed(xp: Any, g: Any, i: int, j: int, p: int, q: int, inner: Ints, groups: int, dtype: Any, before: Any) -> Any:
    """Rows p to q of images i to j as (groups, channels per group, images * rows * inner), zero where rows are longer than those of g.

    ``before`` is what was made of another block, the memory of which serves again.
    """
    shape = (g.shape[1], j - i, q - p, *inner)
    if before is None or before.size != prod(shape):
        before = (xp.empty if inner == g.shape[3:] else xp.zeros)(shape, dtype)
    crop = (..., *[slice(o) for o in g.shape[3:]])
    before.reshape(shape)[crop] = g[i:j, :, p:q].swapaxes(0, 1)
    return before.reshape(groups, shape[0] // groups, prod(shape[1:]))


def input_slope(xp: Any, g: Any, w: Any, bias: Any, spatial: Ints, stride: Ints, padding: Pairs, dilation: Ints, groups: int) -> Any:
    """The gradient with respect to the input, which is also the transposed convolution."""
    n, outputs, *out = g.shape
    kernel, inputs = w.shape[2:], w.shape[1] * groups
    dtype = xp.result_type(*[a for a in (g, w, bias) if a is not None])
    thick = all(s == 1 or k >= 2 * s for k, s in zip(kernel, stride, strict=True))
    if thick and outputs <= 2 * inputs and prod(spatial) <= 2 * prod(out) * prod(stride):
        y = xp.empty((n, inputs, *spatial), dtype)
        _by_phases(xp, g, w, bias, y, stride, padding, dilation, groups)
        return y
    work = working_dtype(dtype)
    matrix = _grouped(w, groups, work).swapaxes(1, 2)
    y, part = xp.zeros((n, inputs, *spatial), work), None
    rest, depth = prod(out[1:]), inputs * prod(kernel)
    for i, j, a, b in blocks(n, out[0], (depth + outputs) * rest, BLOCK):
        part = _windowed(xp, g, i, j, a, b, tuple(out[1:]), groups, work, part)
        cols = xp.matmul(matrix, part)
        rows = [(a, b), *[(0, o) for o in out[1:]]]
        fold(y[i:j].swapaxes(0, 1), cols.reshape(inputs, *kernel, j - i, b - a, *out[1:]), rows, stride, padding, dilation)
    if bias is not None:
        y += bias.reshape(-1, *[1] * len(spatial))
    return y.astype(dtype, copy=False)


def _by_phases(xp: Any, g: Any, w: Any, bias: Any, y: Any, stride: Ints, padding: Pairs, dilation: Ints, groups: int) -> None:
    """The gradient with respect to the input, written to y, as convolutions of g with the kernel turned round.

    No additions are scattered. Inputs as far apart as windows are meet the same elements of the kernel; so there is one
    convolution for each place in a stride.
    """
    n, (outputs, each) = w.ndim - 2, w.shape[:2]
    turned = w.reshape(groups, outputs // groups, *w.shape[1:]).swapaxes(1, 2).reshape(each * groups, outputs // groups, *w.shape[2:])
    for phase in product(*map(range, stride)):
        taps, around, apart, places = [], [], [], []
        for r, k, o, m, s, (lo, _), d in zip(phase, w.shape[2:], g.shape[2:], y.shape[2:], stride, padding, dilation, strict=True):
            first = (r - lo) % s  # input ``first + q s`` lies at r in the padded input, in window ``q + (first + lo) // s - its element``
            found = [t for t in range(k) if t * d % s == (first + lo) % s]
            step = found[1] - found[0] if len(found) > 1 else 1
            places.append(slice(first, None, s))
            taps.append(slice(found[0], found[-1] + 1, step) if found else None)
            apart.append(step * d // s if len(found) > 1 else 1)
            if found:
                low = found[-1] * d // s - (first + lo) // s
                high = -(-(m - first) // s) - 1 + (first + lo) // s - found[0] * d // s - (o - 1)
                around.append((low, high))
        part = y[(..., *places)]
        if None in taps or not part.size:
            part[...] = 0 if bias is None else bias.reshape(-1, *[1] * n)
            continue
        kernel = xp.flip(turned[(..., *taps)], tuple(range(2, n + 2)))
        _correlate(xp, g, kernel, bias, part, (1,) * n, tuple(around), tuple(apart), groups)


def fold(y: Any, cols: Any, rows: list[tuple[int, int]], stride: Ints, padding: Pairs, dilation: Ints) -> None:
    """Add the windows ``cols`` (channels, *kernel, batch, *windows) to ``y`` (channels, batch, *spatial) where they were taken from."""
    n = y.ndim - 2
    kernel = cols.shape[1 : 1 + n]
    for index, some, inside in positions(y.shape[2:], kernel, rows, stride, padding, dilation):
        y[inside] += cols[(slice(None), *index)][some]


def weight_slope(xp: Any, x: Any, g: Any, kernel: Ints, stride: Ints, padding: Pairs, dilation: Ints, groups: int) -> Any:
    """The gradient with respect to the weight."""
    out = g.shape[2:]
    inner = widths(xp, x.shape[1], out, kernel, stride, dilation)
    if inner != out[1:]:
        with np.errstate(invalid="ignore"):
            y = _summed(xp, x, g, inner, kernel, stride, padding, dilation, groups)
    if inner == out[1:] or not xp.isfinite(y).all():  # zero times an infinity that lies beside a window
        y = _summed(xp, x, g, out[1:], kernel, stride, padding, dilation, groups)
    return y.astype(xp.result_type(x, g), copy=False)


def _summed(xp: Any, x: Any, g: Any, inner: Ints, kernel: Ints, stride: Ints, padding: Pairs, dilation: Ints, groups: int) -> Any:
    outputs, out, work = g.shape[1], g.shape[2:], working_dtype(xp.result_type(x, g))
    y = xp.empty((outputs, x.shape[1] // groups, *kernel), work)
    flat, part, a = _grouped(y, groups, work), None, None
    # a large weight is worth larger blocks: each adds once to the whole of it
    for i, j, p, q, cols in columns(xp, x, out, inner, kernel, stride, padding, dilation, work, max(BLOCK, y.size), outputs):
        a = _windowed(xp, g, i, j, p, q, inner, groups, work, a)
        b = cols.reshape(groups, cols.shape[0] // groups, cols.shape[1]).swapaxes(1, 2)
        if i == p == 0:
            xp.matmul(a, b, out=flat)
        else:
            part = xp.matmul(a, b, out=part)
            flat += part
    if not x.shape[0]:
        y.fill(0)
    return y


__all__ = ["correlation", "fold", "input_slope", "weight_slope"]
