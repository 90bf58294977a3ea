"""The tensors that a Module owns: parameters, which are learned, and buffers, which are kept."""

from typing import Any

import numpy as np

from ..autograd import Tensor
from ..autograd.tensor import wrap
from ..backend import default_dtype, is_inexact, to_device
from ..backend.arrays import namespace


class Parameter(Tensor):
    """A leaf that a Module registers when it is assigned as an attribute. What is computed from it is a plain Tensor.

    Args:
        data: numbers, an array or a Tensor; copied.
        requires_grad: False freezes it.
        dtype, device: as for a Tensor.

    Raises:
        DTypeError: integers that are to require grad.

    Example:
        >>> from minigrad import nn
        >>> w = nn.Parameter([1.0, 2.0])
        >>> w.requires_grad, type(w * 2).__name__
        (True, 'Tensor')
    """

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True, dtype: Any = None, device: Any = None):
        super().__init__(data, requires_grad, dtype, device)


class Buffer(Tensor):
    """A constant that a Module moves, casts and saves along with its parameters: running statistics, tables.

    Args:
        data: numbers, an array or a Tensor; copied.
        persistent: False leaves it out of ``state_dict()``.
    """

    __slots__ = ("_transient",)

    def __init__(self, data: Any, persistent: bool = True, dtype: Any = None, device: Any = None):
        super().__init__(data, False, dtype, device)
        self._transient = not persistent

    @property
    def persistent(self) -> bool:
        return not getattr(self, "_transient", False)


def blank(shape: tuple[int, ...], dtype: Any = None, device: Any = None) -> Parameter:
    """A parameter of zeros, for ``init`` to fill; in the default dtype unless told."""
    return Parameter(np.zeros(shape, default_dtype() if dtype is None else dtype), device=device)


def clear_grad(p: Tensor, set_to_none: bool) -> None:
    """Drop a gradient, or fill it with zeros."""
    if p.grad is None:
        return
    if set_to_none:
        p.grad = None
    else:
        p.grad = wrap(namespace(type(p.data)).zeros_like(p.data), None)


def move(t: Tensor, device: Any, dtype: Any) -> None:
    """Give a leaf its data on another device or in another floating dtype, its gradient too; the object stays the same."""

    def moved(a: Any) -> Any:
        a = a if device is None else to_device(a, device)
        return a if dtype is None or not is_inexact(a.dtype) or a.dtype.kind == "c" != dtype.kind else a.astype(dtype, copy=False)

    data = moved(t.data)
    if data is t.data:
        return
    watch = None if t.node is None else t.node.watch
    name, requires_grad = t.name, t.requires_grad
    t.data, t.node, t.link = data, None, None
    if name is not None:
        t.name = name
    if requires_grad:
        t.requires_grad_()
        assert t.node is not None
        t.node.watch = watch
        if watch is not None and watch.grad is not None:
            watch.grad = wrap(moved(watch.grad.data), None)


__all__ = ["Buffer", "Parameter"]
