"""The tensors that a Module owns: parameters, which are learned, and buffers, which are kept; and both before their shape is known."""

from typing import Any

import numpy as np

from ..autograd import Tensor
from ..autograd.tensor import wrap
from ..backend import default_dtype, device_of, is_inexact, to_device
from ..backend.arrays import namespace
from ..errors import DTypeError, GraphError, ShapeError


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
        dtype, device: as for a Tensor.

    Example:
        >>> from minigrad import nn
        >>> table = nn.Buffer([1.0, 2.0], persistent=False)
        >>> table.requires_grad, table.persistent
        (False, False)
    """

    __slots__ = ("_transient",)

    def __init__(self, data: Any, persistent: bool = True, dtype: Any = None, device: Any = None):
        super().__init__(data, False, dtype, device)
        self._transient = not persistent

    @property
    def persistent(self) -> bool:
        """Whether ``state_dict()`` holds it."""
        return not getattr(self, "_transient", False)


# -- before the shape is known ----------------------------------------------------------------------------------------
_slot: Any = Tensor.__dict__["data"]
"""Where a Tensor keeps its array."""


class Uninitialized:
    """What parameters and buffers without a shape have in common: an empty array says of what dtype and where they will be.

    Whatever asks for their values, shape or dtype gets an error that says what to do.
    """

    __slots__ = ()
    becomes: type

    @property
    def data(self) -> Any:
        name: Any = self.name and f" {self.name!r}"  # type: ignore[attr-defined]
        raise GraphError(
            f"{type(self).__name__}{name or ''}: this tensor has no values and no shape yet; call its lazy module once (a dry run), "
            "then make the optimizer, save or count"
        )

    @data.setter
    def data(self, array: Any) -> None:
        _slot.__set__(self, array)

    @property
    def place(self) -> tuple[Any, Any]:
        """The device and the dtype it will have."""
        a = _slot.__get__(self)
        return device_of(a), a.dtype

    def materialize(self, shape: tuple[int, ...]) -> None:
        """Give it zeros of this shape, for an initializer to fill, and the class of an ordinary parameter or buffer."""
        me: Any = self
        a, wanted, name = _slot.__get__(self), me.requires_grad, me.name
        me.__class__ = self.becomes
        _refill(me, namespace(type(a)).zeros(shape, a.dtype), wanted, name)

    def __deepcopy__(self, memo: dict) -> Any:
        me: Any = self
        t = type(self).__new__(type(self))
        memo[id(self)] = t
        _refill(t, _slot.__get__(self).copy(), me.requires_grad, me.name)
        return t

    def __reduce__(self) -> Any:
        me: Any = self
        return _uninitialized, (type(self), to_device(_slot.__get__(self), "cpu"), me.requires_grad, me.name)

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        """Whether it will require grad."""
        me: Any = self
        _refill(me, _slot.__get__(self), requires_grad, me.name)
        return self

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.place[1]}, {self.place[0]})"


class UninitializedParameter(Uninitialized, Parameter):
    """A parameter whose shape a lazy module learns from its first input; then it is an ordinary Parameter, the same object.

    Args:
        requires_grad, dtype, device: what it will have.

    Raises:
        GraphError: whoever asks for its values or shape too early, such as an optimizer.

    Example:
        >>> from minigrad import nn
        >>> w = nn.UninitializedParameter()
        >>> w.materialize((2, 3)); w.shape, type(w).__name__
        ((2, 3), 'Parameter')
    """

    __slots__ = ()
    becomes = Parameter

    def __init__(self, requires_grad: bool = True, dtype: Any = None, device: Any = None):
        _refill(self, _empty(dtype, device), requires_grad, None)


class UninitializedBuffer(Uninitialized, Buffer):
    """A buffer whose shape a lazy module learns from its first input. Args: as Buffer, without the data.

    Example:
        >>> from minigrad import nn
        >>> nn.UninitializedBuffer(dtype="float32")
        UninitializedBuffer(float32, cpu)
    """

    __slots__ = ()
    becomes = Buffer

    def __init__(self, persistent: bool = True, dtype: Any = None, device: Any = None):
        self._transient = not persistent
        _refill(self, _empty(dtype, device), False, None)


def _empty(dtype: Any, device: Any) -> Any:
    return blank((0,), dtype, device).data


def _refill(t: Any, array: Any, requires_grad: bool, name: str | None) -> None:
    """Make ``t`` a leaf over this array."""
    t.data, t.node, t.link = array, None, None
    if name is not None:
        t.name = name
    if requires_grad:
        t.node = wrap(array, None).requires_grad_().node


def _uninitialized(kind: type, array: Any, requires_grad: bool, name: str | None) -> Any:
    t: Any = object.__new__(kind)
    _refill(t, array, requires_grad, name)
    return t


# -- what modules do with them ----------------------------------------------------------------------------------------
def blank(shape: tuple[int, ...], dtype: Any = None, device: Any = None) -> Parameter:
    """A parameter of zeros, for ``init`` to fill; in the default dtype unless told."""
    return Parameter(np.zeros(shape, default_dtype() if dtype is None else dtype), device=device)


def size(who: str, what: str, value: Any, least: int | None = 0) -> int:
    """``value`` as an integer; ``least`` None: any, as of an axis before it is known how many there are.

    Raises:
        DTypeError: it is no integer.
        ShapeError: it is less than ``least``.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise DTypeError(f"{who}: {what} must be an integer, got {value!r}")
    n = value.__index__()
    if least is not None and n < least:
        raise ShapeError(f"{who}: {what} must be at least {least}, got {n}")
    return n


def clear_grad(p: Tensor, set_to_none: bool) -> None:
    """Drop a gradient, or fill it with zeros."""
    watch = None if p.node is None else p.node.watch
    if watch is None or watch.grad is None:
        return
    if set_to_none:
        watch.grad = None
    else:
        p.grad = wrap(namespace(type(p.data)).zeros_like(p.data), None)


def move(t: Tensor, device: Any, dtype: Any) -> None:
    """Give a leaf its data on another device or in another floating dtype, its gradient too; the object stays the same."""

    def moved(a: Any) -> Any:
        a = a if device is None else to_device(a, device)
        return a if dtype is None or not is_inexact(a.dtype) or a.dtype.kind == "c" != dtype.kind else a.astype(dtype, copy=False)

    old = _slot.__get__(t)
    data = moved(old)
    if data is old:
        return
    watch = None if t.node is None else t.node.watch
    _refill(t, data, t.requires_grad, t.name)
    if watch is not None:
        assert t.node is not None
        t.node.watch = watch
        if watch.grad is not None:
            watch.grad = wrap(moved(watch.grad.data), None)


__all__ = ["Buffer", "Parameter", "UninitializedBuffer", "UninitializedParameter"]
