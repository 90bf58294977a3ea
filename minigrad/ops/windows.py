"""Sliding windows: the geometry that convolution, pooling and unfolding share.

An axis of length n, padded by (lo, hi), is looked at through windows of k elements that are d apart; window o starts at
``o * stride - lo``. A padding may be negative, which crops. All is computed from lengths alone, in Python.
"""

from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from math import ceil, floor, prod
from typing import Any

from ..autograd.arguments import operand
from ..autograd.tensor import Tensor
from ..errors import DTypeError, ShapeError

Ints = tuple[int, ...]
Pairs = tuple[tuple[int, int], ...]

BLOCK = 3 << 16
"""How many numbers a buffer of columns may hold (768 KiB in float32): large enough for BLAS, small enough for the cache."""


# -- at the door ------------------------------------------------------------------------------------------------------
def lengths(name: str, what: str, value: Any, n: int, least: int) -> Ints:
    """An integer, or one for each of n axes, as n integers that are at least ``least``."""
    if type(value) is tuple and len(value) == n:  # as ever, and quickly told
        for v in value:
            if type(v) is not int or v < least:
                break
        else:
            return value
    elif type(value) is int and value >= least:
        return (value,) * n
    many = tuple(value) if isinstance(value, (tuple, list)) else (value,) * n
    if len(many) == 1:
        many *= n
    for v in many:
        if isinstance(v, bool) or not hasattr(v, "__index__") or getattr(v, "shape", ()) != ():
            raise DTypeError(f"{name}: {what} must be an integer or {n} of them, got {value!r}")
    if len(many) != n:
        raise ShapeError(f"{name}: {what} must be one integer or {n} of them, got {value!r}")
    out = tuple([v.__index__() for v in many])
    if min(out) < least:
        raise ShapeError(f"{name}: {what} must be at least {least}, got {value!r}")
    return out


def batched(name: str, x: Any, n: int) -> tuple[Any, bool]:
    """``x`` with a batch axis and n spatial axes, and whether it came with the batch axis."""
    if not isinstance(x, Tensor):
        x = operand(x)
    ndim = len(getattr(x, "shape", ()))
    if ndim not in (n + 1, n + 2):
        axes = ", ".join(("depth", "height", "width")[3 - n :]) if n > 1 else "length"
        came = f"x has shape {tuple(getattr(x, 'shape', ()))}"
        raise ShapeError(f"{name}: {came}; expected {n + 2} dimensions (batch, channels, {axes}), or {n + 1} without batch")
    return (x, True) if ndim == n + 2 else (x.reshape((1, *x.shape)), False)


def unbatched(y: Any, with_batch: bool) -> Any:
    """``y`` as ``x`` came: without the batch axis where there was none."""
    return y if with_batch else y.reshape(y.shape[1:])


# -- the geometry -----------------------------------------------------------------------------------------------------
def count(n: int, k: int, stride: int, padding: tuple[int, int], dilation: int) -> int:
    """How many windows fit."""
    return (n + padding[0] + padding[1] - dilation * (k - 1) - 1) // stride + 1


def counts(name: str, shape: Ints, kernel: Ints, stride: Ints, padding: Pairs, dilation: Ints) -> Ints:
    """How many windows fit along each axis of ``shape``; ShapeError where none does."""
    out = tuple([count(*a) for a in zip(shape, kernel, stride, padding, dilation, strict=True)])
    if min(out) < 1:
        raise ShapeError(
            f"{name}: output would be {tuple([max(o, 0) for o in out])}: a kernel of {kernel} with dilation {dilation} does not fit into "
            f"{shape} padded by {tuple([lo if lo == hi else (lo, hi) for lo, hi in padding])}; use a smaller kernel or more padding"
        )
    return out


def overlap(i: int, n: int, out: tuple[int, int], stride: int, lo: int, dilation: int) -> tuple[slice, slice]:
    """For element i of each window out[0] to out[1]: which of these windows have it inside the axis, and where it is there."""
    shift = i * dilation - lo
    a = max(out[0], ceil(-shift / stride))
    b = max(a, min(out[1], floor((n - 1 - shift) / stride) + 1))
    first = a * stride + shift
    return slice(a - out[0], b - out[0]), slice(first, max(first, first + (b - a - 1) * stride + 1), stride) if b > a else slice(0, 0)


def positions(shape: Ints, kernel: Ints, rows: list[tuple[int, int]], stride: Ints, padding: Pairs, dilation: Ints) -> Iterator[tuple]:
    """Each element of the kernel in turn: its index, the windows that have it inside the input, and the slices of the input there."""
    axes = [
        [(i, *overlap(i, n, r, s, p[0], d)) for i in range(k)]
        for n, k, r, s, p, d in zip(shape, kernel, rows, stride, padding, dilation, strict=True)
    ]
    for combination in product(*axes):
        index, windows, inside = zip(*combination, strict=True)
        yield index, (..., *windows), (..., *inside)


def blocks(n: int, rows: int, row: int, limit: int) -> Iterator[tuple[int, int, int, int]]:
    """A batch of n in blocks of at most ``limit`` numbers, ``row`` to a row: several images, or some rows of one."""
    image = max(1, rows * row)
    if image <= limit:
        for i in range(0, n, step := limit // image):
            yield i, min(i + step, n), 0, rows
    else:
        step = max(1, limit // row)
        for i in range(n):
            for r in range(0, rows, step):
                yield i, i + 1, r, min(r + step, rows)


def pieces(n: int, each: int) -> Iterator[slice]:
    """A batch of n, ``each`` numbers to an image, in pieces of at most BLOCK numbers."""
    step = max(1, BLOCK // max(1, each))
    return (slice(i, min(i + step, n)) for i in range(0, n, step))


def pool_geometry(
    name: str, n: int, x: Any, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> tuple[Ints, Ints, Ints, Pairs, Ints]:
    """How many windows, and their kernel, stride, padding and dilation, of a pooling of x."""
    kernel = lengths(name, "kernel_size", kernel_size, n, 1)
    steps = kernel if stride is None else lengths(name, "stride", stride, n, 1)
    pads, dilations = lengths(name, "padding", padding, n, 0), lengths(name, "dilation", dilation, n, 1)
    return _pooled(name, tuple(x.shape), kernel, steps, pads, dilations, bool(ceil_mode))


@lru_cache(1024)
def _pooled(
    name: str, whole: Ints, kernel: Ints, steps: Ints, pads: Ints, dilations: Ints, ceil_mode: bool
) -> tuple[Ints, Ints, Ints, Pairs, Ints]:
    """The same, of an x of this shape, from lengths that are in order."""
    if any(p > k // 2 for p, k in zip(pads, kernel, strict=True)):
        raise ShapeError(f"{name}: padding {pads} must be at most half of the kernel {kernel}")
    shape = whole[2:]
    pairs = tuple([(p, p) for p in pads])
    if not ceil_mode:
        return counts(name, shape, kernel, steps, pairs, dilations), kernel, steps, pairs, dilations
    # a last window that hangs over the end counts where it begins inside the input or the padding before it
    out = tuple([count(m, k, s, (p, p + s - 1), d) for m, k, s, p, d in zip(shape, kernel, steps, pads, dilations, strict=True)])
    out = tuple([o - ((o - 1) * s >= m + p) for o, s, m, p in zip(out, steps, shape, pads, strict=True)])
    if min(out) < 1:
        counts(name, shape, kernel, steps, pairs, dilations)
        raise ShapeError(f"{name}: output would be {out} for x {whole}, kernel {kernel}, padding {pads}")
    return out, kernel, steps, pairs, dilations


# -- on arrays --------------------------------------------------------------------------------------------------------
def region(xp: Any, x: Any, starts: list[int], stops: list[int]) -> Any:
    """The spatial region of x from starts to stops: a view where it lies inside, else a copy with zeros around."""
    inner = [(max(a, 0), max(min(b, n), 0)) for a, b, n in zip(starts, stops, x.shape[2:], strict=True)]
    source = (slice(None), slice(None), *[slice(a, max(a, b)) for a, b in inner])
    if [a for a, _ in inner] == starts and [b for _, b in inner] == stops:
        return x[source]
    out = xp.zeros((*x.shape[:2], *[b - a for a, b in zip(starts, stops, strict=True)]), x.dtype)
    target = [slice(a - s, max(a, b) - s) for (a, b), s in zip(inner, starts, strict=True)]
    if all(b > a for a, b in inner):
        out[(slice(None), slice(None), *target)] = x[source]
    return out


def windows(xp: Any, x: Any, rows: list[tuple[int, int]], kernel: Ints, stride: Ints, padding: Pairs, dilation: Ints) -> Any:
    """The windows from rows[a][0] to rows[a][1] of each axis a, as a view (channels, *kernel, batch, *windows) of what they cover."""
    starts = [r[0] * s - p[0] for r, s, p in zip(rows, stride, padding, strict=True)]
    stops = [(r[1] - 1) * s - p[0] + (k - 1) * d + 1 for r, s, p, k, d in zip(rows, stride, padding, kernel, dilation, strict=True)]
    x = region(xp, x, starts, stops)
    n, c, *axes = x.strides
    return xp.lib.stride_tricks.as_strided(
        x,
        (x.shape[1], *kernel, x.shape[0], *[b - a for a, b in rows]),
        (c, *[d * a for d, a in zip(dilation, axes, strict=True)], n, *[s * a for s, a in zip(stride, axes, strict=True)]),
    )


# -- columns of matrices ----------------------------------------------------------------------------------------------
def widths(xp: Any, channels: int, out: Ints, kernel: Ints, stride: Ints, dilation: Ints) -> Ints:
    """How long rows of windows are made, after the first axis: ``out[1:]``, or where that pays so much longer that all windows of an
    image begin one after the other in memory, and columns are a few long copies in place of many short ones.

    What is too much in such a row is no window, and the caller's to leave out.
    """
    long = tuple([o + (k - 1) * d for o, k, d in zip(out, kernel, dilation, strict=True)][1:])
    pays = xp.__name__ == "numpy" and prod(stride) == 1 and channels >= 8 and 5 * prod(long) <= 6 * prod(out[1:])
    return long if pays else out[1:]


def columns(
    xp: Any, x: Any, out: Ints, inner: Ints, kernel: Ints, stride: Ints, padding: Pairs, dilation: Ints, dtype: Any, limit: int, beside: int
) -> Iterator[tuple[int, int, int, int, Any]]:
    """The windows of x as columns of matrices, block by block (im2col): from image, to image, from row, to row, matrix.

    The matrix (channels * kernel, images * rows * inner) is a buffer that the next block overwrites; inner is as ``widths`` says.
    ``beside`` is how many numbers per window the caller needs in addition.
    """
    depth, rest = x.shape[1] * prod(kernel), prod(inner)
    buffer = source = None
    for i, j, a, b in blocks(x.shape[0], out[0], (depth + beside) * rest, limit):
        shape, rows = (x.shape[1], *kernel, j - i, (b - a) * rest), [(a, b), *[(0, o) for o in out[1:]]]
        if buffer is None:
            buffer = xp.empty(prod(shape), dtype)
        matrix = buffer[: prod(shape)].reshape(shape)
        if inner == out[1:]:
            view = windows(xp, x[i:j], rows, kernel, stride, padding, dilation)
            matrix.reshape(view.shape)[...] = view
        else:
            if source is None or source.shape != shape or b - a < out[0]:  # else zeros are where they were for the last block
                target, inside, source = _padded(xp, x, matrix, a, inner, padding, dilation)
            target[...] = x[i:j][inside]
            matrix[...] = source
        yield i, j, a, b, matrix.reshape(depth, (j - i) * (b - a) * rest)


def _padded(xp: Any, x: Any, matrix: Any, row: int, inner: Ints, padding: Pairs, dilation: Ints) -> tuple[Any, tuple, Any]:
    """Memory for images with zeros around them, in rows of length ``inner``: the part that is to be filled, the index of x that it is
    filled with, and a view of all, which is to become the matrix."""
    channels, *kernel, n, many = matrix.shape
    steps, one = [prod(inner[i:]) for i in range(len(kernel))], (1,) * len(kernel)
    reach = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
    image = many + reach[0] * steps[0]
    # what is too much in the last row looks beyond it
    flat = xp.zeros((n, channels, image + sum([r * s for r, s in zip(reach[1:], steps[1:], strict=True)])), matrix.dtype)
    images, planes, size = flat.strides
    strides = (planes, *[d * s * size for d, s in zip(dilation, steps, strict=True)], images, size)
    source = xp.lib.stride_tricks.as_strided(flat, matrix.shape, strides)
    padded = flat[:, :, :image].reshape((n, channels, image // steps[0], *inner))
    spans = [(row, row + image // steps[0]), *[(0, w) for w in inner]]
    ((_, some, inside),) = positions(x.shape[2:], one, spans, one, padding, one)
    return padded[some], inside, source
