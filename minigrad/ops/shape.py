"""What rearranges without computing: new shapes, other orders of axes, broadcasting, triangles and diagonals. A rule is the inverse."""

import math
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..autograd.arguments import normal_axis, unexpected
from ..autograd.conform import broadcast_to as _broadcast
from ..autograd.conform import cast
from ..autograd.forms import unary, view
from ..autograd.tensor import as_data, raw
from ..backend import is_array, is_complex, is_inexact
from ..errors import DTypeError, ShapeError

_reshape: Any = view("reshape", "x in another shape.", lambda g, shape: _reshape(g, shape), lambda xp: lambda x, shape: x.reshape(shape))


def shape_of(x: Any) -> tuple[int, ...]:
    """The shape of a Tensor, an array, a list or a number."""
    return x.shape if isinstance(x, Tensor) or is_array(x) else np.shape(x)


def one_axis(name: str, axis: Any, ndim: int) -> int:
    """One axis, counted from the front."""
    if type(axis) is int and -ndim <= axis < ndim:
        return axis % ndim
    return normal_axis(name, (axis,), ndim)[0]


# -- shapes -----------------------------------------------------------------------------------------------------------
def reshape(x: Any, shape: Any) -> Any:
    """x in another shape of the same size; one length may be -1, which stands for what is left.

    A view where the memory of x allows it.

    Raises:
        ShapeError: the sizes differ, or more than one length is negative.
    Gradient: g in the shape of x.
    Example:
        >>> import minigrad as mg
        >>> mg.reshape(mg.arange(6), (2, -1)).tolist()
        [[0, 1, 2], [3, 4, 5]]
    """
    if type(shape) is not tuple:
        shape = (shape,) if hasattr(shape, "__index__") else tuple(shape)
    for n in shape:
        if n < -1:  # which NumPy takes for -1
            raise ShapeError(f"reshape: lengths must be positive, and one of them may be -1, got {shape} for x {shape_of(x)}")
    return _reshape(x, shape)


def ravel(x: Any) -> Any:
    """x in one dimension, row by row.

    Example:
        >>> import minigrad as mg
        >>> mg.ravel(mg.tensor([[1.0, 2.0], [3.0, 4.0]]))
        Tensor([1., 2., 3., 4.], shape (4,), float32, cpu)
    """
    return _reshape(x, (-1,))


def flatten(x: Any, start: int = 0, end: int = -1) -> Any:
    """The axes from ``start`` to ``end``, both included, as one; by default all of them.

    Example:
        >>> import minigrad as mg
        >>> mg.flatten(mg.zeros((8, 3, 4, 4)), 1).shape
        (8, 48)
    """
    shape = shape_of(x) or (1,)
    first, last = (one_axis("flatten", i, len(shape)) for i in (start, end))
    if first > last:
        raise ShapeError(f"flatten: start {start} comes after end {end} in {len(shape)} dimensions")
    return _reshape(x, (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :]))


def unflatten(x: Any, axis: int, shape: Any, **other: Any) -> Any:
    """One axis split into several; one of their lengths may be -1.

    Example:
        >>> import minigrad as mg
        >>> mg.unflatten(mg.zeros((2, 12)), 1, (3, -1)).shape
        (2, 3, 4)
    """
    if other:
        raise unexpected("unflatten", other)
    old = shape_of(x)
    axis = one_axis("unflatten", axis, len(old))
    sizes = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    known = math.prod([n for n in sizes if n != -1])
    if sizes.count(-1) > 1 or (sizes.count(-1) == 0 and known != old[axis]) or (-1 in sizes and (known <= 0 or old[axis] % known)):
        raise ShapeError(f"unflatten: axis {axis} of x {old} has length {old[axis]}, which {sizes} does not multiply to")
    sizes = tuple([old[axis] // known if n == -1 else n for n in sizes])
    return _reshape(x, (*old[:axis], *sizes, *old[axis + 1 :]))


def squeeze(x: Any, axis: Any = None, **other: Any) -> Any:
    """x without these axes of length 1; by default without any.

    Raises:
        ShapeError: an axis named has another length.
    Example:
        >>> import minigrad as mg
        >>> mg.squeeze(mg.zeros((1, 3, 1))).shape, mg.squeeze(mg.zeros((1, 3, 1)), 0).shape
        ((3,), (3, 1))
    """
    if other:
        raise unexpected("squeeze", other)
    shape = shape_of(x)
    if axis is None:
        return _reshape(x, tuple([n for n in shape if n != 1]))
    axes = normal_axis("squeeze", axis, len(shape))
    if any(shape[i] != 1 for i in axes):
        raise ShapeError(f"squeeze: axis {axis} of x {shape} does not have length 1")
    return _reshape(x, tuple([n for i, n in enumerate(shape) if i not in axes]))


def expand_dims(x: Any, axis: Any = 0, **other: Any) -> Any:
    """x with new axes of length 1, which lie at ``axis`` (one or several) in the result.

    Example:
        >>> import minigrad as mg
        >>> mg.expand_dims(mg.zeros((2, 3)), (0, -1)).shape
        (1, 2, 3, 1)
    """
    if other:
        raise unexpected("expand_dims", other)
    shape = shape_of(x)
    new = len(axis) if isinstance(axis, (tuple, list)) else 1
    axes = normal_axis("expand_dims", axis if new != 1 or isinstance(axis, (tuple, list)) else (axis,), len(shape) + new)
    rest = iter(shape)
    return _reshape(x, tuple([1 if i in axes else next(rest) for i in range(len(shape) + new)]))


unsqueeze = expand_dims


def _at_least(name: str, x: Any, shape: tuple[int, ...]) -> Any:
    return (x if isinstance(x, Tensor) or is_array(x) else as_data(x)) if len(shape_of(x)) == len(shape) else _reshape(x, shape)


def _each(f: Any, xs: tuple) -> Any:
    return f(xs[0]) if len(xs) == 1 else tuple([f(x) for x in xs])


def atleast_1d(*xs: Any) -> Any:
    """Each x with at least one dimension.

    Example:
        >>> import minigrad as mg
        >>> mg.atleast_1d(mg.tensor(5.0)).shape
        (1,)
    """
    return _each(lambda x: _at_least("atleast_1d", x, shape_of(x) or (1,)), xs)


def atleast_2d(*xs: Any) -> Any:
    """Each x with at least two dimensions: a vector becomes a row.

    Example:
        >>> import minigrad as mg
        >>> mg.atleast_2d(mg.zeros(3)).shape
        (1, 3)
    """
    return _each(lambda x: _at_least("atleast_2d", x, (1,) * (2 - len(shape_of(x))) + shape_of(x)), xs)


def atleast_3d(*xs: Any) -> Any:
    """Each x with at least three dimensions: (n,) becomes (1, n, 1), (m, n) becomes (m, n, 1).

    Example:
        >>> import minigrad as mg
        >>> mg.atleast_3d(mg.zeros(3)).shape
        (1, 3, 1)
    """

    def lifted(x: Any) -> Any:
        s = shape_of(x)
        return _at_least("atleast_3d", x, ((1, 1, 1), (1, *s, 1), (*s, 1))[len(s)] if len(s) < 3 else s)

    return _each(lifted, xs)


# -- broadcasting -----------------------------------------------------------------------------------------------------
def broadcast_to(x: Any, shape: Any) -> Any:
    """x repeated along new axes and those of length 1 until it has this shape; a view that cannot be written to.

    Raises:
        ShapeError: x does not broadcast to the shape.
    Gradient: g summed over the repeats.
    Example:
        >>> import minigrad as mg
        >>> mg.broadcast_to(mg.tensor([1.0, 2.0]), (2, 2)).tolist()
        [[1.0, 2.0], [1.0, 2.0]]
    """
    return _broadcast(x, shape if type(shape) is tuple else (shape,) if hasattr(shape, "__index__") else tuple(shape))


def expand(x: Any, *shape: Any) -> Any:
    """``broadcast_to`` where -1 keeps a length; the shape may be given one by one.

    Example:
        >>> import minigrad as mg
        >>> mg.expand(mg.zeros((3, 1)), -1, 4).shape
        (3, 4)
    """
    want = tuple(shape[0]) if len(shape) == 1 and not hasattr(shape[0], "__index__") else shape
    have = shape_of(x)
    lead = len(want) - len(have)
    if lead < 0 or -1 in want[:lead]:
        raise ShapeError(f"expand: x {have} cannot take shape {want}; new axes come first and need a length")
    return _broadcast(x, tuple([have[i - lead] if n == -1 else n for i, n in enumerate(want)]))


def broadcast_shapes(*shapes: Any) -> tuple[int, ...]:
    """The shape that arrays of these shapes broadcast to.

    Raises:
        ShapeError: they do not fit.
    Example:
        >>> import minigrad as mg
        >>> mg.broadcast_shapes((3, 1), (4,))
        (3, 4)
    """
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise ShapeError(f"broadcast_shapes: shapes {', '.join([str(s) for s in shapes])} do not broadcast") from None


def broadcast_arrays(*xs: Any) -> tuple:
    """The arrays broadcast against each other.

    Example:
        >>> import minigrad as mg
        >>> [x.shape for x in mg.broadcast_arrays(mg.zeros((3, 1)), mg.zeros(4))]
        [(3, 4), (3, 4)]
    """
    try:
        shape = np.broadcast_shapes(*[shape_of(x) for x in xs])
    except ValueError:
        raise ShapeError(f"broadcast_arrays: shapes {', '.join([str(shape_of(x)) for x in xs])} do not broadcast") from None
    return tuple([_broadcast(x, shape) for x in xs])


# -- windows ----------------------------------------------------------------------------------------------------------
def _overlap_add(xp: Any) -> Any:
    def kernel(g: Any, how: tuple) -> Any:
        shape, (window, axes) = how
        half = g.dtype.itemsize == 2
        y = xp.zeros(shape, "float32" if half else g.dtype)
        for at in np.ndindex(*window):
            place = [slice(None)] * len(shape)
            for axis, i in zip(axes, at, strict=True):
                place[axis] = slice(i, i + g.shape[axis])
            y[tuple(place)] += g[(..., *at)]
        return y.astype(g.dtype) if half else y

    return kernel


_windows: Any = view(
    "sliding_window_view",
    "",
    lambda g, shape, how: _unwindow(g, (shape, how)),
    lambda xp: lambda x, how: xp.lib.stride_tricks.sliding_window_view(x, *how),
)
_unwindow: Any = view("overlap_add", "The sum of windows, each put back in its place.", lambda g, how: _windows(g, how[1]), _overlap_add)


def sliding_window_view(x: Any, window_shape: Any, axis: Any = None) -> Any:
    """All windows of this shape, one beside the other; a view that cannot be written to.

    Shapes: the axes (default: all) shrink to ``n - window + 1``; the window is appended.
    Raises:
        ShapeError: a window is longer than its axis.
    Gradient: the windows' gradients, each added in its place.
    Example:
        >>> import minigrad as mg
        >>> mg.sliding_window_view(mg.arange(4), 3).tolist()
        [[0, 1, 2], [1, 2, 3]]
    """
    shape = shape_of(x)
    window = tuple(window_shape) if isinstance(window_shape, (tuple, list)) else (window_shape,)
    axes = normal_axis("sliding_window_view", axis, len(shape))
    if len(window) != len(axes):
        raise ShapeError(f"sliding_window_view: a window of {len(window)} dimensions for {len(axes)} axes (window {window}, x {shape})")
    if any(not 0 < w <= shape[a] for w, a in zip(window, axes, strict=True)):
        raise ShapeError(f"sliding_window_view: windows {window} must be positive and fit x {shape} along {axes}")
    return _windows(x, (window, axes))


# -- the same values elsewhere, or in another dtype -------------------------------------------------------------------
clone = unary(
    "clone",
    """A copy with memory of its own; the gradient passes.

    Example:
        >>> import minigrad as mg
        >>> x = mg.tensor([1.0])
        >>> y = mg.clone(x)
        >>> y[0] = 5.0
        >>> x.item()
        1.0
    """,
    lambda g: g,
    lambda xp: lambda x: xp.array(x),
)
copy = clone


def contiguous(x: Any) -> Any:
    """x itself if its elements lie row by row in memory, else a copy in which they do.

    Example:
        >>> import minigrad as mg
        >>> x = mg.zeros((2, 3)).T
        >>> x.data.flags.c_contiguous, mg.contiguous(x).data.flags.c_contiguous
        (False, True)
    """
    return x if raw(x).flags.c_contiguous else _in_order(x, None)


_in_order = view("contiguous", "", lambda g: g, lambda xp: lambda x, how: xp.array(x, order="C"))


def astype(x: Any, dtype: Any, copy: bool = True) -> Any:
    """x in another dtype.

    Args:
        dtype: a dtype or its name.
        copy: False: give x itself where it has the dtype already.

    Raises:
        DTypeError: not a dtype of numbers, or complex to real, which would lose the imaginary part.
    Gradient: g cast back; integers and booleans are constants.
    Example:
        >>> import minigrad as mg
        >>> mg.astype(mg.tensor([1.5, 2.5]), "int64").tolist()
        [1, 2]
    """
    try:
        dtype = np.dtype(dtype)
    except TypeError:
        raise DTypeError(f"astype: expected a dtype or its name, got {dtype!r}") from None
    x = x if isinstance(x, Tensor) or is_array(x) else as_data(x)
    if x.dtype == dtype and not copy:
        return x
    if is_complex(x.dtype) and not is_complex(dtype):
        raise DTypeError(f"astype: {x.dtype} to {dtype} would lose the imaginary part; take real(x), imag(x) or abs(x) first")
    return cast(x.detach() if isinstance(x, Tensor) and not is_inexact(dtype) else x, dtype)


__all__ = [
    "astype",
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "broadcast_arrays",
    "broadcast_shapes",
    "broadcast_to",
    "clone",
    "contiguous",
    "copy",
    "expand",
    "expand_dims",
    "flatten",
    "ravel",
    "reshape",
    "sliding_window_view",
    "squeeze",
    "unflatten",
    "unsqueeze",
]
