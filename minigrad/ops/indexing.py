"""Taking elements and putting them back.

Basic indexing (integers, slices, None, ``...``) is a view. Everything else copies, and the gradient of a copy adds up where an
element was taken twice. Four ops carry it all: take, put into zeros, set, and add; each is the gradient of another.
"""

import math
from typing import Any

import numpy as np

from ..autograd.arguments import unexpected
from ..autograd.forms import apply, general, view
from ..autograd.inplace import check_cast
from ..autograd.tensor import as_data, raw
from ..backend import is_array, namespace
from ..errors import DTypeError, ShapeError
from .logic import where
from .shape import one_axis, reshape, shape_of

BASIC = (int, slice, type(None), type(...))


# -- kernels ----------------------------------------------------------------------------------------------------------
def distinct(index: tuple) -> bool:
    """Whether an index cannot name an element twice, as far as its kind tells: no integer arrays in it."""
    return all(i.dtype.kind == "b" for i in index if is_array(i))


def add_at(xp: Any, out: Any, index: tuple, values: Any) -> None:
    """``out[index] += values`` in which duplicates add up. Floats add up in double precision, in a fixed order (NumPy)."""
    if distinct(index):
        out[index] += values
    elif xp is not np:
        _add_at_on_device(xp, out, index, values)
    elif out.dtype.kind not in "fV" or (out.dtype.itemsize > 2 and 8 * math.prod(np.shape(values)) < out.size):
        xp.add.at(out, index, values)  # few values: not worth a pass over the whole of out
    else:
        places = np.arange(out.size).reshape(out.shape)[index]
        weights = np.broadcast_to(values, places.shape).astype(np.float64).reshape(-1)
        out += np.bincount(places.reshape(-1), weights, out.size).reshape(out.shape).astype(out.dtype)


def _add_at_on_device(xp: Any, out: Any, index: tuple, values: Any) -> None:
    """The same by atomic additions, which GPUs have for some dtypes: complex numbers go by parts, integers by those of 32 and 64 bits."""
    values = on_device(xp, values, out.dtype)
    if out.dtype.kind == "c":
        for into, part in ((out.real, values.real), (out.imag, values.imag)):
            xp.add.at(into, index, part)
    elif out.dtype.name == "int64":
        xp.add.at(out.view("uint64"), index, values.astype("int64", copy=False).view("uint64"))  # the same bits, modulo 2**64
    elif out.dtype.kind in "biu" and out.dtype.itemsize < 4:
        wide = out.astype("int32")
        xp.add.at(wide, index, values)
        out[...] = wide.astype(out.dtype)
    else:
        xp.add.at(out, index, values)


def on_device(xp: Any, values: Any, dtype: Any) -> Any:
    """A number filled into an array on the device: written at an array of indices, it would be copied from the host."""
    return values if is_array(values) else xp.full((), values, dtype)


def _placed(xp: Any, g: Any, into: tuple, index: tuple) -> Any:
    """Zeros of shape ``into`` with g added at an index."""
    out = xp.zeros(into, g.dtype)
    if distinct(index):
        out[index] = g
    else:
        add_at(xp, out, index, g)
    return out


def _with_set(xp: Any, x: Any, values: Any, index: tuple) -> Any:
    out = xp.array(x)
    out[index] = values if xp is np else on_device(xp, values, out.dtype)
    return out


def _with_added(xp: Any, x: Any, values: Any, index: tuple) -> Any:
    out = xp.array(x)
    add_at(xp, out, index, values)
    return out


# -- the ops ----------------------------------------------------------------------------------------------------------
def _taking(name: str) -> Any:
    return general(lambda xp, x, index: x[index], lambda g, shape, index: apply(_PUT, (g,), shape, index), name=name)


def _setting(name: str) -> Any:
    return general(
        _with_set,
        lambda g, index: apply(SET, (g, 0), index),
        lambda g, index, shape: _of_last(getitem(g, index), index, shape),
        name=name,
    )


def _adding(name: str) -> Any:
    return general(_with_added, lambda g: g, lambda g, index: getitem(g, index), name=name)


view_at: Any = view(
    "getitem",
    "The elements at a basic index; shares memory with x.",
    lambda g, shape, how: _place_at(g, (shape, how)),
    lambda xp: lambda x, how: x[how],
)
_place_at: Any = view(
    "place",
    "Zeros with g at a basic index.",
    lambda g, how: view_at(g, how[1]),
    lambda xp: lambda g, how: _placed(xp, g, *how),
)
_TAKE = _taking("getitem")
_PUT = general(_placed, lambda g, index: getitem(g, index), name="place")
SET = _setting("setitem")


def _of_last(d: Any, index: tuple, shape: tuple[int, ...]) -> Any:
    """Gradients of values that were written: zero for those that a later duplicate of the index overwrote."""
    if distinct(index):
        return d
    xp = namespace(type(raw(d)))
    places = xp.arange(math.prod(shape)).reshape(shape)[index]
    turn = xp.arange(places.size).reshape(places.shape)
    latest = xp.zeros(math.prod(shape), turn.dtype)
    latest[places] = turn
    return where(latest[places] == turn, d, 0)


def plain(name: str, index: Any) -> tuple[tuple, bool]:
    """An index as a tuple that arrays take, and whether it is basic.

    Raises:
        DTypeError: a part is neither an integer, a slice, None, ``...`` nor an array of integers or booleans.
    """
    out: list[Any] = []
    basic = True
    for i in index if type(index) is tuple else (index,):
        if type(i) in BASIC:
            out.append(i)
            continue
        i = raw(i)
        if isinstance(i, (list, tuple)):
            i = as_data(i) if len(i) else np.zeros(0, np.int64)
        elif isinstance(i, (bool, np.bool_)):
            i = np.asarray(i)
        elif not is_array(i) and hasattr(i, "__index__"):
            i = i.__index__()
        if is_array(i):
            if i.dtype.kind not in "biu":
                raise DTypeError(
                    f"{name}: expected integers or booleans as an index, got an array of {i.dtype}; cast it with astype('int64')"
                )
            if type(i) is np.ndarray and not i.ndim and i.dtype.kind != "b":
                i = int(i)
            else:
                basic = False
        elif not isinstance(i, (int, slice)):
            raise DTypeError(f"{name}: an index must be an integer, a slice, None, ... or an array of integers or booleans, got {i!r}")
        out.append(i)
    return tuple(out), basic


def getitem(x: Any, index: Any) -> Any:
    """``x[index]``, with NumPy's rules.

    Integers, slices, None and ``...`` give a view that shares memory with x. Integer arrays, boolean masks and lists (Tensors too)
    give a copy.

    Raises:
        IndexRangeError: an index outside its axis, a mask of another shape, too many indices.
        DTypeError: an index that is no integer or boolean.
    Gradient: g at the index in zeros; where an element was taken several times, the sum.
    Example:
        >>> import minigrad as mg
        >>> x = mg.tensor([1.0, 2.0, 3.0], requires_grad=True)
        >>> x[[0, 0, 2]].sum().backward(); x.grad.tolist()
        [2.0, 0.0, 1.0]
    """
    for i in index if type(index) is tuple else (index,):
        if type(i) not in BASIC:
            index, basic = plain("getitem", index)
            if not basic:
                return apply(_TAKE, (x,), index)
            break
    if type(index) is not tuple:
        index = (index,)
    return view_at(x, index if ... in index else (*index, ...))  # with ... even a single element is a view, not a NumPy scalar


# -- along an axis ----------------------------------------------------------------------------------------------------
_TAKE_AXIS = _taking("take")
_TAKE_ALONG = _taking("take_along_axis")
_PUT_ALONG = _setting("put_along_axis")
_SCATTER_ADD = _adding("scatter_add")
_INDEX_ADD = _adding("index_add")


def _integers(name: str, indices: Any) -> Any:
    a = raw(indices)
    a = a if is_array(a) else as_data(a) if not isinstance(a, (list, tuple)) or len(a) else np.zeros(0, np.int64)
    if a.dtype.kind not in "iu":
        raise DTypeError(f"{name}: indices must be integers, got {a.dtype}; cast them with astype('int64')")
    return a


def _along(name: str, shape: tuple[int, ...], indices: Any, axis: int) -> tuple:
    """The index that takes ``indices`` along one axis and runs through all others beside it."""
    a = _integers(name, indices)
    if a.ndim != len(shape):
        raise ShapeError(f"{name}: indices need as many dimensions as x, got {a.ndim} and {len(shape)} (indices {a.shape}, x {shape})")
    axis = one_axis(name, axis, len(shape))
    for d, (n, m) in enumerate(zip(shape, a.shape, strict=True)):
        if d != axis and m not in (1, n) and n != 1:
            raise ShapeError(f"{name}: indices {a.shape} do not fit x {shape} in dimension {d}")
    xp = namespace(type(a))
    return tuple([a if d == axis else xp.arange(n).reshape([-1 if k == d else 1 for k in range(a.ndim)]) for d, n in enumerate(shape)])


def take(x: Any, indices: Any, axis: int | None = None, **other: Any) -> Any:
    """The elements of x at ``indices`` along an axis; without an axis, of x flattened.

    Shapes: the axis is replaced by the shape of ``indices``.
    Raises:
        IndexRangeError: an index is outside the axis.
    Gradient: adds up where an element is taken several times.
    Example:
        >>> import minigrad as mg
        >>> mg.take(mg.tensor([[1.0, 2.0], [3.0, 4.0]]), [1, 0, 0], axis=1).tolist()
        [[2.0, 1.0, 1.0], [4.0, 3.0, 3.0]]
    """
    if other:
        raise unexpected("take", other)
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    axis = one_axis("take", axis, len(shape_of(x)))
    a = _integers("take", indices)
    if not a.ndim:
        shape = shape_of(x)
        return reshape(apply(_TAKE_AXIS, (x,), (slice(None),) * axis + (a.reshape(1),)), shape[:axis] + shape[axis + 1 :])
    return apply(_TAKE_AXIS, (x,), (slice(None),) * axis + (a,))


def take_along_axis(x: Any, indices: Any, axis: int | None = -1, **other: Any) -> Any:
    """For each place, the element that ``indices`` names along the axis: ``y[i, j] = x[i, indices[i, j]]`` for the last of two.

    Shapes: ``indices`` has as many dimensions as x; the others are equal or 1. Without an axis, both are 1-D.
    Raises:
        IndexRangeError: an index is outside the axis.
        ShapeError: the shapes do not fit.
    Gradient: adds up where an element is taken several times.
    Example:
        >>> import minigrad as mg
        >>> mg.take_along_axis(mg.tensor([[3.0, 1.0], [2.0, 4.0]]), [[1], [0]], axis=1).tolist()
        [[1.0], [2.0]]
    """
    if other:
        raise unexpected("take_along_axis", other)
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    return apply(_TAKE_ALONG, (x,), _along("take_along_axis", shape_of(x), indices, axis))


def _checked_values(name: str, x: Any, values: Any) -> None:
    v = raw(values)
    kind = v.dtype if is_array(v) else np.asarray(v).dtype
    check_cast(kind, raw(x).dtype if hasattr(raw(x), "dtype") else np.asarray(x).dtype, name)


def put_along_axis(x: Any, indices: Any, values: Any, axis: int = -1, **other: Any) -> Any:
    """x with ``values`` in the places that ``indices`` names along the axis; x itself is not changed.

    Where an index is named twice, the last value stays.

    Raises:
        IndexRangeError: an index is outside the axis.
        DTypeError: floating values for an integer x.
    Gradient: to x except in the places written; to the values that stayed.
    Example:
        >>> import minigrad as mg
        >>> mg.put_along_axis(mg.zeros((2, 3)), [[2], [0]], 1.0, axis=1).tolist()
        [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    if other:
        raise unexpected("put_along_axis", other)
    _checked_values("put_along_axis", x, values)
    return apply(_PUT_ALONG, (x, values), _along("put_along_axis", shape_of(x), indices, axis))


scatter = put_along_axis


def scatter_add(x: Any, indices: Any, values: Any, axis: int = -1, **other: Any) -> Any:
    """x with ``values`` added in the places that ``indices`` names along the axis; duplicates add up, x itself is not changed.

    Raises:
        IndexRangeError: an index is outside the axis.
        DTypeError: floating values for an integer x.
    Gradient: g to x; to the values, g at their places.
    Example:
        >>> import minigrad as mg
        >>> mg.scatter_add(mg.zeros(3), [0, 2, 2], mg.tensor([1.0, 2.0, 3.0]), axis=0).tolist()
        [1.0, 0.0, 5.0]
    """
    if other:
        raise unexpected("scatter_add", other)
    _checked_values("scatter_add", x, values)
    return apply(_SCATTER_ADD, (x, values), _along("scatter_add", shape_of(x), indices, axis))


def index_add(x: Any, indices: Any, values: Any, axis: int = 0, **other: Any) -> Any:
    """x with the slices of ``values`` added to the slices of x that ``indices`` names along the axis; duplicates add up.

    Shapes: ``indices`` (k,), ``values`` as x with k along the axis.
    Raises:
        IndexRangeError: an index is outside the axis.
        ShapeError: the values do not fit.
    Gradient: g to x; to the values, g at their places.
    Example:
        >>> import minigrad as mg
        >>> mg.index_add(mg.zeros((2, 2)), [1, 1], mg.ones((2, 2))).tolist()
        [[0.0, 0.0], [2.0, 2.0]]
    """
    if other:
        raise unexpected("index_add", other)
    _checked_values("index_add", x, values)
    a = _integers("index_add", indices)
    if a.ndim != 1:
        raise ShapeError(f"index_add: indices must have one dimension, got shape {a.shape}")
    axis = one_axis("index_add", axis, len(shape_of(x)))
    return apply(_INDEX_ADD, (x, values), (slice(None),) * axis + (a,))


__all__ = [
    "getitem",
    "index_add",
    "put_along_axis",
    "scatter",
    "scatter_add",
    "take",
    "take_along_axis",
]
