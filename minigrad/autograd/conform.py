"""The ops with which the engine makes a gradient conform to its tensor, and adds two of them."""

import math
from functools import lru_cache
from typing import Any

from .forms import binary, unary, view
from .op import Op, compiled


@lru_cache(1024)
def broadcast_axes(shape: tuple[int, ...], target: tuple[int, ...]) -> tuple[int, ...] | None:
    """The axes of ``shape`` along which a tensor of the shape ``target`` was repeated; None where that does not broadcast to it."""
    lead = len(shape) - len(target)
    if lead < 0 or any(t not in (1, s) for s, t in zip(shape[lead:], target, strict=True)):
        return None
    return tuple([i for i, n in enumerate(shape) if i < lead or target[i - lead] == 1 != n])


def _sum_to(xp: Any) -> Any:
    add = xp.add.reduce if hasattr(xp.add, "reduce") else xp.sum

    def kernel(x: Any, shape: tuple[int, ...]) -> Any:
        axes, keepdims = broadcast_axes(x.shape, shape), x.ndim == len(shape)
        if x.dtype.itemsize == 2 and x.dtype.kind not in "biu":
            y = add(x, axes, "float32", None, keepdims).astype(x.dtype)
        else:
            y = add(x, axes, None, None, keepdims)
        return y if y.shape == shape else y.reshape(shape)

    return kernel


def _spread(xp: Any) -> Any:
    def kernel(x: Any, shape: tuple[int, ...]) -> Any:
        if math.prod(shape) > 4096:
            return xp.broadcast_to(x, shape)
        y = xp.empty(shape, x.dtype)  # for small arrays a copy is cheaper than a view, and so is every pass over it
        y[...] = x
        return y

    return kernel


def _astype(xp: Any) -> Any:
    def kernel(x: Any, dtype: Any) -> Any:
        if x.dtype.kind == "c" and getattr(dtype, "kind", "f") != "c":
            x = x.real
        return x.astype(dtype)

    return kernel


LARGE_ADD = Op("add", ("y", "a", "b", "out"), (), kernel=lambda xp: xp.add, inputs=2)
compiled("elementwise", LARGE_ADD)
add: Any = binary(
    "add",
    """Sum ``a + b``, broadcast.

    Shapes: any two that broadcast.
    Gradient: g to both, summed over the axes along which one was broadcast.
    Example:
        >>> import minigrad as mg
        >>> mg.add(mg.tensor([1.0, 2.0]), 1.0)
        Tensor([2., 3.], shape (2,), float32, cpu)
    """,
    lambda g: g,
    lambda g: g,
    large=LARGE_ADD.kernels,
)
sum_to: Any = view(
    "sum_to", "Sum x over the axes along which this shape was broadcast to it.", lambda g, shape: broadcast_to(g, shape), _sum_to
)
compiled("reductions", sum_to)
spread: Any = view("spread", "x repeated until it has this shape: the gradient of a sum.", lambda g, shape: sum_to(g, shape), _spread)
broadcast_to: Any = view(
    "broadcast_to",
    "Repeat x along new or unit axes until it has this shape; no memory is copied.",
    lambda g, shape: sum_to(g, shape),
)
cast: Any = view("astype", "Cast x to a dtype; complex to real keeps the real part.", lambda g: g, _astype)
conj: Any = unary(
    "conj",
    """Complex conjugate; a real x is returned as it is.

    Example:
        >>> import minigrad as mg
        >>> mg.conj(mg.tensor([1 + 2j]))
        Tensor([1.-2.j], shape (1,), complex64, cpu)
    """,
    lambda g: conj(g),
    lambda xp: xp.conjugate,
)
