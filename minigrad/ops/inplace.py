"""Methods that write: ``x[i] = v``, ``x += y``, ``x.mul_(y)``. Each computes the result out of place and then overwrites.

What is recorded is what the out-of-place form records; see ``autograd/inplace.py`` for how the graph learns of the write. A result
must have the shape of the tensor, and a dtype that its dtype can hold up to precision: ``int_tensor += 0.5`` is an error.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..autograd import node as graph
from ..autograd.arguments import explained
from ..autograd.inplace import check_cast, check_writable, overwrite, rebind
from ..autograd.mode import recording
from ..autograd.op import record
from ..autograd.tensor import as_data, raw
from ..backend import is_array, namespace
from ..errors import GraphError, MinigradError, ShapeError
from . import activation, arithmetic, bits, exponential, indexing, powers, products, rounding, selection, trigonometric
from .shape import broadcast_to, reshape, shape_of


def _writer(name: str, f: Callable, ufunc: str = "") -> Callable:
    """The method that overwrites its tensor with ``f`` of it.

    ``ufunc`` names the NumPy function that does the same with ``out=``, for tensors that are not part of a graph.
    """
    direct = getattr(np, ufunc) if ufunc else None

    def method(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        check_writable(x, name)
        if direct is not None and not kwargs and _plain(x, args):
            try:
                direct(x.data, *[raw(a) for a in args], out=x.data, casting="same_kind")
            except (TypeError, ValueError):
                pass  # the way below says what is wrong
            else:
                graph.stamp(x.data, name)
                return x
        since = graph.birth()
        try:
            value = f(x, *args, **kwargs)
        except MinigradError as error:
            raise type(error)(f"{name}: {error}") from None
        return overwrite(x, value, name, since)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"Overwrite this tensor with ``{getattr(f, '__name__', name)}`` of it; see there. Returns itself."
    return method


def _plain(x: Tensor, others: tuple) -> bool:
    """Whether nothing has to be recorded, and a NumPy ufunc can write in place."""
    if type(x.data) is not np.ndarray or x.data.dtype.kind not in "biufc":
        return False
    if recording() and (_in_graph(x) or any(isinstance(a, Tensor) and a.node is not None for a in others)):
        return False
    return all(isinstance(raw(a), (int, float, complex)) or type(raw(a)) is np.ndarray for a in others)


def _in_graph(x: Any) -> bool:
    """Whether a tensor, or one that it is a view of, has a node."""
    while x.node is None and x.link is not None and x.link.base is not None:
        x = x.link.base
    return x.node is not None


# -- x[index] = value -------------------------------------------------------------------------------------------------
def setitem(x: Tensor, index: Any, value: Any) -> None:
    """``x[index] = value``: the value is broadcast to the region.

    Where an index names an element twice, the last value stays.

    Raises:
        GraphError: x is a leaf that requires grad, or its memory is read-only.
        IndexRangeError: an index outside its axis.
        ShapeError: the value does not broadcast to the region.
        DTypeError: a floating value for integers.
    Gradient: to x except in the region; to the value, that of the region.
    """
    check_writable(x, "setitem")
    index, basic = indexing.plain("setitem", index)
    v = value if isinstance(value, Tensor) or is_array(value) else _number_or_array(value)
    check_cast(_dtype_of(v), x.dtype, "setitem")
    if basic:
        region = indexing.getitem(x, index)
        if isinstance(value, Tensor) and value.link is not None and value.link.base is x and _same_memory(value.data, region.data):
            return  # x[i] += v has already written through the view x[i]
        since = graph.birth()
        overwrite(region, broadcast_to(_fitted(v, region.shape, x.data), region.shape), "setitem", since)
        return
    since = graph.birth()
    node = v.node if isinstance(v, Tensor) else None
    a = raw(v)
    a = a if is_array(a) else np.asarray(a)
    record_it = recording() and (x.node is not None or node is not None)
    try:
        if is_array(raw(v)):
            v = _fitted(v, x.data[index].shape, x.data) if a.ndim > 1 else v
        if record_it:  # the node is that of the out-of-place op, whose kernel need not run: nothing of x is saved
            made = record(indexing.SET, (x.node, v.node if isinstance(v, Tensor) else None), x.data, (x.data, raw(v)), (index,)).node
        x.data[index] = raw(v)
    except (IndexError, ValueError) as error:
        raise explained(indexing.SET, error, (x.data, a), (index,)) from None
    rebind(x, made if record_it else None, "setitem", since)


def _number_or_array(value: Any) -> Any:
    return value if isinstance(value, (bool, int, float, complex)) else as_data(value)


def _dtype_of(v: Any) -> Any:
    """The dtype of a value; a Python integer fits everywhere."""
    return np.dtype(bool) if isinstance(v, int) else v.dtype if hasattr(v, "dtype") else np.asarray(v).dtype


def _fitted(v: Any, shape: tuple[int, ...], like: Any) -> Any:
    """A value for a region of this shape: numbers as arrays, and without the leading axes of length 1 that the region lacks."""
    if not isinstance(v, Tensor) and not is_array(v):
        return namespace(type(like)).full((), v, like.dtype)
    extra = len(shape_of(v)) - len(shape)
    if extra > 0 and v.shape[:extra] == (1,) * extra:
        return reshape(v, v.shape[extra:])
    return v


def _same_memory(a: Any, b: Any) -> bool:
    if a.shape != b.shape or a.strides != b.strides:
        return False
    if isinstance(a, np.ndarray):
        return a.__array_interface__["data"][0] == b.__array_interface__["data"][0]
    return a.data.ptr == b.data.ptr


# -- other writes -----------------------------------------------------------------------------------------------------
def copy_(x: Tensor, source: Any) -> Tensor:
    """Overwrite this tensor with another, broadcast to its shape and cast to its dtype. Returns itself."""
    check_writable(x, "copy_")
    v = source if isinstance(source, Tensor) or is_array(source) else as_data(source)
    check_cast(v.dtype, x.dtype, "copy_")
    since = graph.birth()
    try:
        v = v if v.shape == x.shape else broadcast_to(v, x.shape)
    except MinigradError as error:
        raise ShapeError(f"copy_: {error}") from None
    return overwrite(x, v, "copy_", since)


def fill_(x: Tensor, value: Any) -> Tensor:
    """Overwrite every element with one value. Returns itself."""
    if shape_of(value) != ():
        raise ShapeError(f"fill_: expected one number, got shape {shape_of(value)}")
    check_writable(x, "fill_")
    check_cast(_dtype_of(value), x.dtype, "fill_")
    if isinstance(value, Tensor):
        return copy_(x, value)
    since = graph.birth()
    x.data[...] = value
    rebind(x, None, "fill_", since)
    return x


def zero_(x: Tensor) -> Tensor:
    """Overwrite every element with 0. Returns itself."""
    check_writable(x, "zero_")
    since = graph.birth()
    x.data[...] = 0
    rebind(x, None, "zero_", since)
    return x


def detach_(x: Tensor) -> Tensor:
    """Cut this tensor off its history. Returns itself.

    Raises:
        GraphError: it is a view, whose base would still be in the graph; use ``detach()``.
    """
    if x.node is not None and x.link is not None and x.link.base is not None:
        raise GraphError("detach_: a view cannot be cut off in place from the tensor that it is a view of; use detach()")
    x.node = None
    return x


# -- the methods ------------------------------------------------------------------------------------------------------
OPERATORS: dict[str, tuple[Callable, str]] = {
    "add": (arithmetic.add, "add"),
    "sub": (arithmetic.subtract, "subtract"),
    "mul": (arithmetic.multiply, "multiply"),
    "truediv": (arithmetic.divide, "true_divide"),
    "floordiv": (rounding.floor_divide, ""),
    "mod": (rounding.remainder, ""),
    "pow": (powers.power, ""),
    "matmul": (products.matmul, ""),
    "and": (bits.bitwise_and, "bitwise_and"),
    "or": (bits.bitwise_or, "bitwise_or"),
    "xor": (bits.bitwise_xor, "bitwise_xor"),
    "lshift": (bits.bitwise_left_shift, "left_shift"),
    "rshift": (bits.bitwise_right_shift, "right_shift"),
}
METHODS: dict[str, tuple[Callable, str]] = {
    "add": OPERATORS["add"],
    "sub": OPERATORS["sub"],
    "mul": OPERATORS["mul"],
    "div": OPERATORS["truediv"],
    "pow": OPERATORS["pow"],
    "remainder": OPERATORS["mod"],
    "floor_divide": OPERATORS["floordiv"],
    "neg": (arithmetic.negative, "negative"),
    "abs": (arithmetic.abs, ""),
    "reciprocal": (arithmetic.reciprocal, ""),
    "square": (powers.square, "square"),
    "sqrt": (powers.sqrt, "sqrt"),
    "rsqrt": (powers.rsqrt, ""),
    "floor": (rounding.floor, ""),
    "ceil": (rounding.ceil, ""),
    "round": (rounding.round, ""),
    "trunc": (rounding.trunc, ""),
    "sign": (arithmetic.sign, ""),
    "clip": (arithmetic.clip, ""),
    "clamp": (arithmetic.clip, ""),
    "lerp": (arithmetic.lerp, ""),
    "nan_to_num": (arithmetic.nan_to_num, ""),
    "exp": (exponential.exp, "exp"),
    "log": (exponential.log, "log"),
    "expm1": (exponential.expm1, ""),
    "log1p": (exponential.log1p, ""),
    "sigmoid": (exponential.sigmoid, ""),
    "sin": (trigonometric.sin, "sin"),
    "cos": (trigonometric.cos, "cos"),
    "tanh": (trigonometric.tanh, "tanh"),
    "relu": (activation.relu, ""),
    "masked_fill": (selection.masked_fill, ""),
    "put_along_axis": (indexing.put_along_axis, ""),
    "scatter": (indexing.put_along_axis, ""),
    "scatter_add": (indexing.scatter_add, ""),
    "index_add": (indexing.index_add, ""),
}

for _name, (_f, _ufunc) in OPERATORS.items():
    setattr(Tensor, f"__i{_name}__", _writer(f"__i{_name}__", _f, _ufunc))
for _name, (_f, _ufunc) in METHODS.items():
    setattr(Tensor, f"{_name}_", _writer(f"{_name}_", _f, _ufunc))
setattr(Tensor, "__setitem__", setitem)  # noqa: B010 (mypy takes no assignment to a method)
for _method in (copy_, fill_, zero_, detach_):
    setattr(Tensor, _method.__name__, _method)

__all__ = ["copy_", "detach_", "fill_", "setitem", "zero_"]
