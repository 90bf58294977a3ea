"""Fractional max pooling: windows of one size whose places are drawn, so that an image shrinks by any factor."""

from itertools import product
from math import prod
from typing import Any

from ...autograd.forms import apply, general
from ...autograd.tensor import Tensor, raw, wrap
from ...backend import generator, working_dtype
from ...backend.arrays import namespace
from ...errors import DTypeError, ShapeError
from ..indexing import take_along_axis
from ..losses import given
from ..windows import Ints, batched, lengths, unbatched


def _starts(xp: Any, u: Any, n: int, out: int, k: int) -> Any:
    """Where the windows of one axis begin, for each of the drawn numbers u: floor((i + u) a) - floor(u a), and the last at the end."""
    last = xp.full((*u.shape, 1), n - k, "int64")
    if out == 1:
        return last
    a = (n - k) / (out - 1)
    first = ((xp.arange(out - 1, dtype=u.dtype) + u[..., None]) * a).astype("int64") - (u * a).astype("int64")[..., None]
    return xp.concatenate([first, last], axis=-1)


def _search(xp: Any, x: Any, samples: Any, out: Ints, kernel: Ints) -> Any:
    """The place of the largest number of each window in the flattened axes: of equals the first; NaN is the largest."""
    n, lead, spatial = len(out), x.shape[:2], x.shape[2:]
    flat, corner = x.reshape((*lead, prod(spatial))), xp.zeros((*lead, *[1] * n), "int64")
    for a, (m, o, k) in enumerate(zip(spatial, out, kernel, strict=True)):
        # of an image PyTorch draws the column first and the row second, of a volume the depth first
        starts = _starts(xp, samples[..., 1 - a if n == 2 else a], m, o, k)
        corner = corner * m + starts.reshape((*lead, *[o if b == a else 1 for b in range(n)]))
    corner = corner.reshape((*lead, prod(out)))
    best = chosen = None
    for offset in product(*[range(k) for k in kernel]):
        step = 0
        for i, m in zip(offset, spatial, strict=True):
            step = step * m + i
        place = corner + step
        v = xp.take_along_axis(flat, place, 2)
        if best is None:
            best, chosen = v, place
            continue
        better = (v > best) | (v != v)
        best, chosen = xp.where(better, v, best), xp.where(better, place, chosen)
    return chosen


SEARCH = general(_search, None, name="fractional_max_pool_search")


def _fractional(
    name: str, n: int, x: Any, kernel_size: Any, output_size: Any, output_ratio: Any, return_indices: bool, samples: Any
) -> Any:
    x, with_batch = batched(name, x, n)
    if x.dtype.kind == "c":
        raise DTypeError(f"{name}: complex numbers have no order, got {x.dtype}")
    lead, spatial = tuple(x.shape[:2]), tuple(x.shape[2:])
    kernel = lengths(name, "kernel_size", kernel_size, n, 1)
    if (output_size is None) == (output_ratio is None):
        raise ValueError(f"{name}: give either output_size or output_ratio, got {output_size!r} and {output_ratio!r}")
    if output_ratio is not None:
        output_size = [int(m * r) for m, r in zip(spatial, ratios(name, output_ratio, n), strict=True)]
    out = lengths(name, "output_size", output_size, n, 1)
    if any(o + k - 1 > m for o, k, m in zip(out, kernel, spatial, strict=True)):
        raise ShapeError(f"{name}: {out} windows of {kernel} do not fit into {spatial}, which must have size + kernel - 1 at least")
    a = raw(x)
    xp = namespace(type(a))
    if samples is None:
        samples = xp.asarray(generator().rng.random((*lead, n), dtype="float32"))
    samples = raw(given(samples))
    if tuple(samples.shape) != (*lead, n):
        raise ShapeError(
            f"{name}: the random samples must be {(*lead, n)}, one number for each channel and axis, got {tuple(samples.shape)}"
        )
    samples = samples.astype(working_dtype(a.dtype) if a.dtype.kind == "f" else "float32", copy=False)
    index = apply(SEARCH, (a,), samples, out, kernel)
    y = take_along_axis(x.reshape((*lead, prod(spatial))), index, 2).reshape((*lead, *out))
    y = unbatched(y, with_batch)
    if not return_indices:
        return y
    index = unbatched(index.reshape((*lead, *out)), with_batch)
    return y, wrap(index, None) if isinstance(x, Tensor) else index


def ratios(name: str, output_ratio: Any, n: int) -> tuple[float, ...]:
    """One ratio per axis; ValueError unless each lies between 0 and 1."""
    many = tuple(output_ratio) if isinstance(output_ratio, (tuple, list)) else (output_ratio,) * n
    if len(many) != n or not all(isinstance(r, (int, float)) and 0 < r < 1 for r in many):
        raise ValueError(f"{name}: output_ratio must be a number between 0 and 1, or {n} of them, got {output_ratio!r}")
    return many


def fractional_max_pool2d(
    x: Any, kernel_size: Any, output_size: Any = None, output_ratio: Any = None, return_indices: bool = False, _random_samples: Any = None
) -> Any:
    """The largest number in each of as many windows of an image as the result is to have pixels; their places are drawn.

    Window i of an axis of n begins at floor((i + u) a) - floor(u a) with a = (n - k) / (out - 1) and u uniform on [0, 1), one for each
    channel of each image; the last ends at the edge. Windows overlap where they must.

    Shapes: x (N, C, H, W) or (C, H, W); result (N, C, *output_size).
    Args:
        x: the input.
        kernel_size: the size of the window; an integer or one per axis.
        output_size: the size of the result; an integer or one per axis.
        output_ratio: or its size as a part of the input's, between 0 and 1.
        return_indices: return also where the largest numbers are in the flattened (H, W), as int64.
        _random_samples: the drawn numbers u (N, C, 2), for the width first; by default new ones from the generator.
    Raises:
        ValueError: both or neither of size and ratio.
        ShapeError: so many windows do not fit.
    Gradient: to the largest number of the window; of equals to the first. NaN counts as the largest.
    Source: Graham, "Fractional max-pooling", 2014; pseudorandom sequences, overlapping regions of one size, as in PyTorch.
    Example:
        >>> import minigrad as mg
        >>> x = mg.tensor([[[float(10 * i + j) for j in range(5)] for i in range(5)]])
        >>> mg.nn.functional.fractional_max_pool2d(x, 2, 3, _random_samples=mg.tensor([[[0.0, 0.0]]])).tolist()
        [[[11.0, 12.0, 14.0], [21.0, 22.0, 24.0], [41.0, 42.0, 44.0]]]
    """
    return _fractional("fractional_max_pool2d", 2, x, kernel_size, output_size, output_ratio, return_indices, _random_samples)


def fractional_max_pool3d(
    x: Any, kernel_size: Any, output_size: Any = None, output_ratio: Any = None, return_indices: bool = False, _random_samples: Any = None
) -> Any:
    """The largest numbers of windows of a volume at drawn places. See ``fractional_max_pool2d``.

    Shapes: x (N, C, D, H, W) or (C, D, H, W); the drawn numbers (N, C, 3), for the depth first; result (N, C, *output_size).
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.fractional_max_pool3d(mg.ones((2, 5, 6, 7)), 2, output_ratio=0.5).shape
        (2, 2, 3, 3)
    """
    return _fractional("fractional_max_pool3d", 3, x, kernel_size, output_size, output_ratio, return_indices, _random_samples)


__all__ = ["fractional_max_pool2d", "fractional_max_pool3d"]
