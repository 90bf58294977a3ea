"""Elements chosen by a condition, and where they are."""

import math
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..autograd.tensor import as_data, raw, wrap
from ..backend import default_dtype, is_array, namespace
from ..errors import DTypeError, IndexRangeError, ShapeError
from .indexing import _checked_values, _integers, getitem, take
from .logic import where
from .shape import astype, broadcast_arrays, reshape, shape_of


def masked_fill(x: Any, mask: Any, value: Any) -> Any:
    """``value`` where the mask holds, x elsewhere; keeps the shape and dtype of x.

    Shapes: the mask broadcasts to x; the value is a number or 0-d.
    Gradient: g to x where it stayed; to the value, the sum of g over the mask.
    Example:
        >>> import minigrad as mg
        >>> mg.masked_fill(mg.tensor([1.0, 2.0]), mg.tensor([True, False]), 0.0).tolist()
        [0.0, 2.0]
    """
    shape = shape_of(x)
    if not _broadcasts(shape_of(mask), shape):
        raise ShapeError(f"masked_fill: a mask of shape {shape_of(mask)} does not broadcast to x {shape}")
    if math.prod(shape_of(value)) != 1:
        raise ShapeError(f"masked_fill: the value must be one number, got shape {shape_of(value)}")
    _checked_values("masked_fill", x, value)
    if not isinstance(value, (int, float, complex)):
        value = astype(reshape(value, ()), raw(x).dtype, copy=False)
    return where(mask, value, x)


def _broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    return len(shape) <= len(to) and all(n in (1, m) for n, m in zip(shape[::-1], to[::-1], strict=False))


def _mask(name: str, mask: Any) -> Any:
    a = raw(mask)
    a = a if is_array(a) else as_data(a)
    if a.dtype.kind != "b":
        raise DTypeError(f"{name}: the mask must be boolean, got {a.dtype}; compare it, or cast it with astype('bool')")
    return a


def masked_select(x: Any, mask: Any) -> Any:
    """The elements of x where the mask holds, in one dimension; both are broadcast.

    Example:
        >>> import minigrad as mg
        >>> mg.masked_select(mg.tensor([1.0, 2.0, 3.0]), [True, False, True]).tolist()
        [1.0, 3.0]
    """
    x, mask = broadcast_arrays(x, _mask("masked_select", mask))
    return getitem(x, raw(mask))


def extract(condition: Any, x: Any) -> Any:
    """The elements of x where the condition (of the same size) holds, in one dimension.

    Example:
        >>> import minigrad as mg
        >>> x = mg.tensor([[1.0, -2.0], [3.0, -4.0]])
        >>> mg.extract(x > 0, x)
        Tensor([1., 3.], shape (2,), float32, cpu)
    """
    c = raw(condition)
    c = c if is_array(c) else as_data(c)
    if c.size != math.prod(shape_of(x)):
        raise ShapeError(f"extract: the condition {c.shape} and x {shape_of(x)} must have the same size")
    return getitem(reshape(x, (-1,)), c.reshape(-1) != 0)


def compress(condition: Any, x: Any, axis: int | None = None) -> Any:
    """The slices of x along the axis for which the condition (1-D, at most as long) holds; without an axis, of x flattened.

    Example:
        >>> import minigrad as mg
        >>> mg.compress([False, True], mg.tensor([[1.0, 2.0], [3.0, 4.0]]), axis=0).tolist()
        [[3.0, 4.0]]
    """
    c = raw(condition)
    c = c if is_array(c) else as_data(c)
    if c.ndim != 1:
        raise ShapeError(f"compress: the condition must have one dimension, got shape {c.shape}")
    return take(x, raw(flatnonzero(c)), axis)


def select(conditions: Any, choices: Any, default: Any = 0) -> Any:
    """For each place, the choice whose condition is the first to hold there; ``default`` where none does.

    Example:
        >>> import minigrad as mg
        >>> x = mg.tensor([-2.0, 0.5, 3.0])
        >>> mg.select([x < 0, x > 1], [0 * x, x], 1.0).tolist()
        [-0.0, 1.0, 3.0]
    """
    if len(conditions) != len(choices) or not len(choices):
        raise ShapeError(f"select: expected as many conditions as choices and at least one, got {len(conditions)} and {len(choices)}")
    y = default
    for condition, choice in reversed(list(zip(conditions, choices, strict=True))):
        y = where(condition, choice, y)
    return y


def choose(indices: Any, choices: Any) -> Any:
    """For each place, the element there of the choice that ``indices`` names: ``y[i] = choices[indices[i]][i]``, broadcast.

    Raises:
        IndexRangeError: an index names no choice (not checked on a GPU, where it takes the first).
    Example:
        >>> import minigrad as mg
        >>> mg.choose([1, 0], [mg.tensor([1.0, 2.0]), mg.tensor([3.0, 4.0])]).tolist()
        [3.0, 2.0]
    """
    a = _integers("choose", indices)
    _in_range("choose", a, len(choices))
    y = choices[0]
    for k in range(1, len(choices)):
        y = where(a == k, choices[k], y)
    return y if len(choices) > 1 else where(a == 0, y, y)


def _in_range(name: str, a: Any, n: int) -> None:
    """Raise IndexRangeError if an index is not one of 0 to n - 1; an array on a GPU is not read."""
    if type(a) is np.ndarray and a.size and not (int(a.min()) >= 0 and int(a.max()) < n):
        bad = np.argwhere((a < 0) | (a >= n))[0]
        raise IndexRangeError(f"{name}: index {a[tuple(bad)]} at {tuple(bad.tolist())} is out of range for {n} (expected 0 to {n - 1})")


def _like(x: Any, y: Any) -> Any:
    """Tensors for a Tensor, arrays for anything else."""
    return wrap(y, None) if isinstance(x, Tensor) else y


def _array(x: Any) -> Any:
    a = raw(x)
    return a if is_array(a) else as_data(a)


def nonzero(x: Any) -> tuple:
    """The indices of the elements that are not zero: a tuple with one index array per dimension.

    Example:
        >>> import minigrad as mg
        >>> [i.tolist() for i in mg.nonzero(mg.tensor([[0.0, 2.0], [3.0, 0.0]]))]
        [[0, 1], [1, 0]]
    """
    a = _array(x)
    if not a.ndim:
        raise ShapeError("nonzero: a 0-d array has no indices; compare it with zero")
    return tuple([_like(x, i) for i in a.nonzero()])


def argwhere(x: Any) -> Any:
    """The indices of the elements that are not zero, one row each.

    Example:
        >>> import minigrad as mg
        >>> mg.argwhere(mg.tensor([[0.0, 2.0], [3.0, 0.0]])).tolist()
        [[0, 1], [1, 0]]
    """
    a = _array(x)
    return _like(x, namespace(type(a)).argwhere(a))


def flatnonzero(x: Any) -> Any:
    """The indices in x flattened of the elements that are not zero.

    Example:
        >>> import minigrad as mg
        >>> mg.flatnonzero(mg.tensor([[0.0, 2.0], [3.0, 0.0]])).tolist()
        [1, 2]
    """
    return _like(x, _array(x).reshape(-1).nonzero()[0])


def one_hot(indices: Any, num_classes: int, dtype: Any = None) -> Any:
    """Rows that are 1 at the index and 0 elsewhere.

    Args:
        indices: integers from 0 to ``num_classes - 1``, of any shape.
        dtype: default: the default floating dtype.

    Returns:
        An array of shape ``indices.shape + (num_classes,)``.
    Raises:
        IndexRangeError: an index out of range (not checked on a GPU, where its row is zero).
    Example:
        >>> import minigrad as mg
        >>> mg.one_hot([2, 0], 3).tolist()
        [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    a = _integers("one_hot", indices)
    if not hasattr(num_classes, "__index__") or isinstance(num_classes, bool):
        raise DTypeError(f"one_hot: num_classes must be an integer, got {num_classes!r}")
    _in_range("one_hot", a, num_classes)
    y = (a[..., None] == namespace(type(a)).arange(num_classes)).astype(dtype or default_dtype())
    return _like(indices, y)


__all__ = [
    "argwhere",
    "choose",
    "compress",
    "extract",
    "flatnonzero",
    "masked_fill",
    "masked_select",
    "nonzero",
    "one_hot",
    "select",
]
