"""Max unpooling: the largest numbers put back where they were found, zeros elsewhere."""

from math import prod
from typing import Any

from ...autograd.forms import apply, general
from ...autograd.tensor import raw
from ...errors import DTypeError, IndexRangeError, ShapeError
from ..indexing import take_along_axis
from ..losses import on_cpu
from ..windows import Ints, batched, lengths, unbatched


def _put(xp: Any, x: Any, index: Any, size: int) -> Any:
    y = xp.zeros((*x.shape[:2], size), x.dtype)
    xp.put_along_axis(y, index, x, 2)
    return y


PUT = general(_put, lambda g, index: take_along_axis(g, index, 2), name="max_unpool")


def _unpool(name: str, n: int, x: Any, indices: Any, kernel_size: Any, stride: Any, padding: Any, output_size: Any) -> Any:
    x, with_batch = batched(name, x, n)
    index, _ = batched(name, indices, n)
    index = raw(index)
    if index.dtype.kind not in "iu":
        raise DTypeError(f"{name}: indices must be integers, as pooling returns them, got {index.dtype}")
    if tuple(index.shape) != tuple(x.shape):
        raise ShapeError(f"{name}: x {tuple(x.shape)} and indices {tuple(index.shape)} must have the same shape")
    kernel = lengths(name, "kernel_size", kernel_size, n, 1)
    steps = kernel if stride is None else lengths(name, "stride", stride, n, 1)
    pads = lengths(name, "padding", padding, n, 0)
    out = _size(
        name, tuple([(m - 1) * s + k - 2 * p for m, s, k, p in zip(x.shape[2:], steps, kernel, pads, strict=True)]), steps, output_size
    )
    size = prod(out)
    if on_cpu(index) and index.size and not (index.min() >= 0 and index.max() < size):
        raise IndexRangeError(f"{name}: indices from {int(index.min())} to {int(index.max())}, an output of {out} has {size} places")
    lead = tuple(x.shape[:2])
    flat = prod(x.shape[2:])
    y = apply(PUT, (x.reshape((*lead, flat)),), index.astype("int64", copy=False).reshape((*lead, flat)), size)
    return unbatched(y.reshape((*lead, *out)), with_batch)


def _size(name: str, usual: Ints, steps: Ints, output_size: Any) -> Ints:
    """The lengths of the result: the usual ones, or those asked for if pooling could have begun with them."""
    if output_size is None:
        return usual
    wanted = tuple([int(o) for o in output_size])
    wanted = wanted[2:] if len(wanted) == len(usual) + 2 else wanted
    if len(wanted) != len(usual):
        raise ShapeError(f"{name}: output_size must have {len(usual)} or {len(usual) + 2} lengths, got {tuple(output_size)}")
    if not all(u - s < w < u + s for u, s, w in zip(usual, steps, wanted, strict=True)):
        nearest = [f"{u - s + 1} to {u + s - 1}" for u, s in zip(usual, steps, strict=True)]
        raise ShapeError(f"{name}: output_size {wanted} cannot be what was pooled; possible are {', '.join(nearest)}")
    return wanted


def max_unpool1d(x: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None) -> Any:
    """The inverse of ``max_pool1d``, as far as there is one. Shapes: x (N, C, L) or (C, L). See ``max_unpool2d``.

    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.max_unpool1d(mg.tensor([[3.0, 2.0]]), mg.tensor([[1, 2]]), 2).tolist()
        [[0.0, 3.0, 2.0, 0.0]]
    """
    return _unpool("max_unpool1d", 1, x, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(x: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None) -> Any:
    """The inverse of ``max_pool2d``, as far as there is one: each number where it was found, zeros elsewhere.

    Shapes: x and indices (N, C, H, W) or (C, H, W); result (N, C, H', W') with H' = (H - 1) stride - 2 padding + k.
    Args:
        x: the numbers.
        indices: their places in the flattened (H', W'), as ``max_pool2d(..., return_indices=True)`` returns them.
        kernel_size, stride, padding: those of the pooling.
        output_size: the size of the result, where a stride leaves it open; with or without batch and channels.
    Raises:
        ShapeError: x and indices differ in shape, or the size is not possible.
        IndexRangeError: a place outside the result (looked at on the CPU only).
    Gradient: g at the places; where windows overlap and named a place twice, both have it, as in PyTorch.
    Source: Zeiler and Fergus, "Visualizing and understanding convolutional networks", 2014, section 2.1.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.max_unpool2d(mg.tensor([[[5.0]]]), mg.tensor([[[2]]]), 2).tolist()
        [[[0.0, 0.0], [5.0, 0.0]]]
    """
    return _unpool("max_unpool2d", 2, x, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(x: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None) -> Any:
    """The inverse of ``max_pool3d``, as far as there is one. Shapes: x (N, C, D, H, W) or (C, D, H, W). See ``max_unpool2d``.

    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.max_unpool3d(mg.ones((1, 1, 1, 1)), mg.tensor([[[[7]]]]), 2).tolist()
        [[[[0.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 1.0]]]]
    """
    return _unpool("max_unpool3d", 3, x, indices, kernel_size, stride, padding, output_size)


__all__ = ["max_unpool1d", "max_unpool2d", "max_unpool3d"]
