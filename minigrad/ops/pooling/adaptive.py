"""Pooling into a result of a given size."""

from math import prod
from typing import Any

from ...autograd.forms import apply
from ...autograd.tensor import Tensor, raw, wrap
from ...backend.arrays import namespace
from ...errors import ShapeError
from ..indexing import take
from ..joining import concat
from ..reduce import mean
from ..windows import Ints, batched, lengths, unbatched
from .average import AVERAGE, along
from .max import max_pool


def _adaptive(name: str, n: int, x: Any, output_size: Any) -> tuple[Any, bool, Ints]:
    """x with a batch axis, and the output's lengths (None in ``output_size``: the input's)."""
    x, with_batch = batched(name, x, n)
    many = tuple(output_size) if isinstance(output_size, (tuple, list)) else (output_size,) * n
    if len(many) != n:
        raise ShapeError(f"{name}: output_size must be one integer or {n} of them, got {output_size!r}")
    out = lengths(name, "output_size", [m if o is None else o for o, m in zip(many, x.shape[2:], strict=True)], n, 1)
    if 0 in x.shape[2:]:
        raise ShapeError(f"{name}: x has shape {tuple(x.shape)}, nothing to pool")
    return x, with_batch, out


def _edges(n: int, out: int) -> list[tuple[int, int]]:
    """The windows that cut n elements into ``out`` parts: they overlap where out does not divide n."""
    return [(o * n // out, -(-(o + 1) * n // out)) for o in range(out)]


def _evenly(spatial: Ints, out: Ints) -> Ints | None:
    """The kernel that is also the stride, where each axis divides."""
    return None if any(n % o for n, o in zip(spatial, out, strict=True)) else tuple([n // o for n, o in zip(spatial, out, strict=True)])


def _adaptive_avg_pool(name: str, n: int, x: Any, output_size: Any) -> Any:
    x, with_batch, out = _adaptive(name, n, x, output_size)
    spatial = tuple(x.shape[2:])
    if (kernel := _evenly(spatial, out)) is not None:
        return unbatched(apply(AVERAGE, (x,), out, kernel, kernel, ((0, 0),) * n, True, None), with_batch)
    for a, (m, o) in enumerate(zip(spatial, out, strict=True), 2):
        if o != m:
            x = concat([mean(x[along(a, slice(*edge))], axis=a, keepdims=True) for edge in _edges(m, o)], axis=a)
    return unbatched(x, with_batch)


def _adaptive_max_pool(name: str, n: int, x: Any, output_size: Any, return_indices: bool) -> Any:
    x, with_batch, out = _adaptive(name, n, x, output_size)
    spatial = tuple(x.shape[2:])
    kernel = _evenly(spatial, out)
    maps = []
    if kernel is None:  # lay the windows side by side, all as long as the longest: what is repeated does not win against itself
        kernel = tuple([max(b - a for a, b in _edges(m, o)) for m, o in zip(spatial, out, strict=True)])
        for a, (m, o, k) in enumerate(zip(spatial, out, kernel, strict=True), 2):
            maps.append([min(first + i, last - 1) for first, last in _edges(m, o) for i in range(k)])
            x = take(x, namespace(type(raw(x))).asarray(maps[-1]), axis=a)
    found = max_pool(name, n, x, kernel, kernel, 0, 1, False, return_indices)
    if not return_indices:
        return unbatched(found, with_batch)
    y, index = found
    if maps:
        index = _mapped(raw(index), maps, spatial)
        index = wrap(index, None) if isinstance(y, Tensor) else index
    return unbatched(y, with_batch), unbatched(index, with_batch)


def _mapped(index: Any, maps: list[list[int]], spatial: Ints) -> Any:
    """Places in the windows laid side by side as places in the input."""
    xp = namespace(type(index))
    flat, inner = 0, prod([len(m) for m in maps])
    for places, n in zip(maps, spatial, strict=True):
        inner //= len(places)
        flat = flat * n + xp.asarray(places)[index // inner % len(places)]
    return flat


def adaptive_avg_pool1d(x: Any, output_size: Any) -> Any:
    """The means of ``output_size`` equal parts of a signal. Shapes: x (N, C, L) or (C, L). See ``adaptive_avg_pool2d``.

    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.adaptive_avg_pool1d(mg.tensor([[1.0, 3.0, 5.0]]), 2).tolist()
        [[2.0, 4.0]]
    """
    return _adaptive_avg_pool("adaptive_avg_pool1d", 1, x, output_size)


def adaptive_avg_pool2d(x: Any, output_size: Any) -> Any:
    """The means of windows chosen so that the result has a given size.

    Window o of an axis of n goes from floor(o n / out) to ceil((o + 1) n / out), so that neighbours overlap where out does not divide n.

    Shapes: x (N, C, H, W) or (C, H, W); result (N, C, *output_size).
    Args:
        x: the input.
        output_size: an integer or one per axis; None: as the input.
    Raises:
        ShapeError: a size below 1, or an input without elements.
    Gradient: g / (elements of the window) to each of them.
    Source: He et al., "Spatial pyramid pooling in deep convolutional networks for visual recognition", 2014.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.adaptive_avg_pool2d(mg.tensor([[[1.0, 2.0, 3.0], [3.0, 4.0, 5.0]]]), 1)
        Tensor([[[3.]]], shape (1, 1, 1), float32, cpu)
    """
    return _adaptive_avg_pool("adaptive_avg_pool2d", 2, x, output_size)


def adaptive_avg_pool3d(x: Any, output_size: Any) -> Any:
    """The means of equal parts of a volume. Shapes: x (N, C, D, H, W) or (C, D, H, W). See ``adaptive_avg_pool2d``.

    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.adaptive_avg_pool3d(mg.ones((1, 4, 5, 6)), (1, 2, None)).shape
        (1, 1, 2, 6)
    """
    return _adaptive_avg_pool("adaptive_avg_pool3d", 3, x, output_size)


def adaptive_max_pool1d(x: Any, output_size: Any, return_indices: bool = False) -> Any:
    """The largest numbers of ``output_size`` equal parts of a signal. See ``adaptive_max_pool2d``.

    Shapes: x (N, C, L) or (C, L); result (N, C, output_size).
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.adaptive_max_pool1d(mg.tensor([[1.0, 3.0, 5.0]]), 2).tolist()
        [[3.0, 5.0]]
    """
    return _adaptive_max_pool("adaptive_max_pool1d", 1, x, output_size, return_indices)


def adaptive_max_pool2d(x: Any, output_size: Any, return_indices: bool = False) -> Any:
    """The largest numbers of windows chosen so that the result has a given size, as in ``adaptive_avg_pool2d``.

    Shapes: x (N, C, H, W) or (C, H, W); result (N, C, *output_size).
    Args:
        x: the input.
        output_size: an integer or one per axis; None: as the input.
        return_indices: return also where they are in the flattened (H, W).
    Gradient: to the largest number of the window; of equals to the first.
    Source: He et al., "Spatial pyramid pooling in deep convolutional networks for visual recognition", 2014.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.adaptive_max_pool2d(mg.tensor([[[1.0, 2.0, 3.0], [3.0, 4.0, 5.0]]]), (2, 1))
        Tensor([[[3.],
                 [5.]]], shape (1, 2, 1), float32, cpu)
    """
    return _adaptive_max_pool("adaptive_max_pool2d", 2, x, output_size, return_indices)


def adaptive_max_pool3d(x: Any, output_size: Any, return_indices: bool = False) -> Any:
    """The largest numbers of equal parts of a volume. See ``adaptive_max_pool2d``.

    Shapes: x (N, C, D, H, W) or (C, D, H, W); result (N, C, *output_size).
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.adaptive_max_pool3d(mg.ones((1, 4, 5, 6)), 2).shape
        (1, 2, 2, 2)
    """
    return _adaptive_max_pool("adaptive_max_pool3d", 3, x, output_size, return_indices)


__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
]
