"""What rearranges without computing: new shapes, other orders of axes, broadcasting, triangles and diagonals. A rule is the inverse."""

import math
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..autograd.arguments import normal_axis, unexpected
from ..autograd.conform import broadcast_to as _broadcast
from ..autograd.conform import cast, sum_to
from ..autograd.forms import unary, view
from ..autograd.tensor import as_data, raw
from ..backend import is_array, is_complex, is_inexact
from ..errors import DTypeError, ShapeError

_reshape: Any = view("reshape", "x in another shape.", lambda g, shape: _reshape(g, shape), lambda xp: lambda x, shape: x.reshape(shape))
_permute: Any = view(
    "permute_dims", "The axes in another order.", lambda g, how: _permute(g, _inverse(how)), lambda xp: lambda x, how: x.transpose(how)
)
_swap: Any = view("swapaxes", "Two axes exchanged.", lambda g, how: _swap(g, how), lambda xp: lambda x, how: x.swapaxes(*how))
_flip: Any = view("flip", "Axes reversed.", lambda g, how: _flip(g, how), lambda xp: lambda x, how: x[_reversal(x.ndim, how)])
_roll: Any = view(
    "roll", "Axes rotated.", lambda g, how: _roll(g, (tuple([-s for s in how[0]]), how[1])), lambda xp: lambda x, how: xp.roll(x, *how)
)


def _inverse(order: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(range(len(order)), key=order.__getitem__))


def _reversal(ndim: int, axes: tuple[int, ...]) -> tuple:
    return tuple([slice(None, None, -1) if i in axes else slice(None) for i in range(ndim)])


def shape_of(x: Any) -> tuple[int, ...]:
    """The shape of a Tensor, an array, a list or a number."""
    return x.shape if isinstance(x, Tensor) or is_array(x) else np.shape(x)


def one_axis(name: str, axis: Any, ndim: int) -> int:
    """One axis, counted from the front."""
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
    """x in one dimension, row by row."""
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
    """Each x with at least one dimension."""
    return _each(lambda x: _at_least("atleast_1d", x, shape_of(x) or (1,)), xs)


def atleast_2d(*xs: Any) -> Any:
    """Each x with at least two dimensions: a vector becomes a row."""
    return _each(lambda x: _at_least("atleast_2d", x, (1,) * (2 - len(shape_of(x))) + shape_of(x)), xs)


def atleast_3d(*xs: Any) -> Any:
    """Each x with at least three dimensions: (n,) becomes (1, n, 1), (m, n) becomes (m, n, 1)."""

    def lifted(x: Any) -> Any:
        s = shape_of(x)
        return _at_least("atleast_3d", x, ((1, 1, 1), (1, *s, 1), (*s, 1))[len(s)] if len(s) < 3 else s)

    return _each(lifted, xs)


# -- the order of axes ------------------------------------------------------------------------------------------------
def permute_dims(x: Any, axes: Any) -> Any:
    """x with its axes in the order ``axes``; a view.

    Raises:
        ShapeError: ``axes`` does not name each axis once.
    Gradient: g with the axes put back.
    Example:
        >>> import minigrad as mg
        >>> mg.permute_dims(mg.zeros((2, 3, 4)), (2, 0, 1)).shape
        (4, 2, 3)
    """
    ndim = len(shape_of(x))
    order = normal_axis("permute_dims", tuple(axes), ndim)
    if len(order) != ndim:
        raise ShapeError(f"permute_dims: expected all {ndim} axes of x {shape_of(x)}, got {tuple(axes)}")
    return _permute(x, order)


def transpose(x: Any, axes: Any = None) -> Any:
    """x with its axes in another order; by default in reverse. (For matrices in the last two axes: ``matrix_transpose``.)"""
    return permute_dims(x, range(len(shape_of(x)))[::-1] if axes is None else axes)


def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """x with two axes exchanged; a view."""
    return _swap(x, normal_axis("swapaxes", (axis1,), len(shape_of(x))) + normal_axis("swapaxes", (axis2,), len(shape_of(x))))


def matrix_transpose(x: Any) -> Any:
    """The matrices in the last two axes of x, transposed; a view.

    Raises:
        ShapeError: x has fewer than two dimensions.
    """
    if len(shape_of(x)) < 2:
        raise ShapeError(f"matrix_transpose: expected at least 2 dimensions, got shape {shape_of(x)}")
    return _swap(x, (-1, -2))


def moveaxis(x: Any, source: Any, destination: Any) -> Any:
    """x with the axes ``source`` moved to the places ``destination``; the others keep their order.

    Example:
        >>> import minigrad as mg
        >>> mg.moveaxis(mg.zeros((2, 3, 4)), 0, -1).shape
        (3, 4, 2)
    """
    ndim = len(shape_of(x))
    from_, to = (normal_axis("moveaxis", a if isinstance(a, (tuple, list)) else (a,), ndim) for a in (source, destination))
    if len(from_) != len(to):
        raise ShapeError(f"moveaxis: {len(from_)} axes cannot move to {len(to)} places (source {source}, destination {destination})")
    rest = iter([i for i in range(ndim) if i not in from_])
    return _permute(x, tuple([from_[to.index(i)] if i in to else next(rest) for i in range(ndim)]))


def flip(x: Any, axis: Any = None, **other: Any) -> Any:
    """x with the elements along the axes (default: all) in reverse order; a view.

    Example:
        >>> import minigrad as mg
        >>> mg.flip(mg.arange(3)).tolist()
        [2, 1, 0]
    """
    if other:
        raise unexpected("flip", other)
    return _flip(x, normal_axis("flip", axis, len(shape_of(x))))


def flipud(x: Any) -> Any:
    """x with its first axis reversed."""
    return flip(x, 0)


def fliplr(x: Any) -> Any:
    """x with its second axis reversed."""
    return flip(x, 1)


def rot90(x: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Any:
    """x turned ``k`` times by 90 degrees in the plane of two axes, from the first towards the second."""
    a, b = normal_axis("rot90", tuple(axes), len(shape_of(x))) if len(axes) == 2 else (0, 0)
    if a == b:
        raise ShapeError(f"rot90: expected two different axes, got {axes}")
    k %= 4
    if k == 2:
        return _flip(x, (a, b))
    return x if not k else _swap(_flip(x, (b,)), (a, b)) if k == 1 else _flip(_swap(x, (a, b)), (b,))


def roll(x: Any, shift: Any, axis: Any = None, **other: Any) -> Any:
    """x with its elements moved on by ``shift`` along the axis, the last coming first; without an axis, of x flattened.

    Gradient: g rolled back.
    Example:
        >>> import minigrad as mg
        >>> mg.roll(mg.arange(4), 1).tolist()
        [3, 0, 1, 2]
    """
    if other:
        raise unexpected("roll", other)
    shape = shape_of(x)
    if axis is None:
        return _reshape(roll(_reshape(x, (-1,)), shift, 0), shape)
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    shifts = shift if isinstance(shift, (tuple, list)) else (shift,) * len(axes)
    if len(axes) == 1 < len(shifts):
        axes = tuple(axes) * len(shifts)
    if len(shifts) != len(axes):
        raise ShapeError(f"roll: {len(shifts)} shifts for {len(axes)} axes")
    return _roll(x, (tuple(shifts), tuple([one_axis("roll", a, len(shape)) for a in axes])))


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
    """``broadcast_to`` where -1 keeps a length; the shape may be given one by one."""
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
    """
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise ShapeError(f"broadcast_shapes: shapes {', '.join([str(s) for s in shapes])} do not broadcast") from None


def broadcast_arrays(*xs: Any) -> tuple:
    """The arrays broadcast against each other."""
    try:
        shape = np.broadcast_shapes(*[shape_of(x) for x in xs])
    except ValueError:
        raise ShapeError(f"broadcast_arrays: shapes {', '.join([str(shape_of(x)) for x in xs])} do not broadcast") from None
    return tuple([_broadcast(x, shape) for x in xs])


# -- diagonals and triangles ------------------------------------------------------------------------------------------
def _put_diagonal(xp: Any) -> Any:
    def kernel(g: Any, how: tuple) -> Any:
        shape, (offset, a, b) = how
        y = xp.zeros(shape, g.dtype)
        k = xp.arange(g.shape[-1])
        y.transpose([i for i in range(len(shape)) if i not in (a, b)] + [a, b])[..., k + max(-offset, 0), k + max(offset, 0)] = g
        return y

    return kernel


_diagonal: Any = view("diagonal", "", lambda g, shape, how: _undiagonal(g, (shape, how)), lambda xp: lambda x, how: x.diagonal(*how))
_undiagonal: Any = view("diagonal_matrix", "Zeros with g on a diagonal.", lambda g, how: _diagonal(g, how[1]), _put_diagonal)


def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The diagonals in the plane of two axes, as a new last axis; a view that cannot be written to.

    Args:
        offset: how far above the main diagonal (below, if negative).

    Gradient: g on that diagonal of zeros.
    Example:
        >>> import minigrad as mg
        >>> mg.diagonal(mg.tensor([[1.0, 2.0], [3.0, 4.0]])).tolist()
        [1.0, 4.0]
    """
    a, b = normal_axis("diagonal", (axis1, axis2), len(shape_of(x)))
    return _diagonal(x, (offset, a, b))


def diag(x: Any, k: int = 0) -> Any:
    """The ``k``-th diagonal of a matrix; or, of a vector, the matrix that has it there.

    Example:
        >>> import minigrad as mg
        >>> mg.diag(mg.tensor([1.0, 2.0])).tolist()
        [[1.0, 0.0], [0.0, 2.0]]
    """
    shape = shape_of(x)
    if len(shape) == 1:
        n = shape[0] + abs(k)
        return _undiagonal(x, ((n, n), (k, 0, 1)))
    if len(shape) != 2:
        raise ShapeError(f"diag: expected a vector or a matrix, got shape {shape}; for stacks of matrices use diagonal(x, k, -2, -1)")
    return _diagonal(x, (k, 0, 1))


def diagflat(x: Any, k: int = 0) -> Any:
    """The matrix that has x, flattened, on its ``k``-th diagonal."""
    return diag(_reshape(x, (-1,)), k)


def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The sum of a diagonal.

    Raises:
        ShapeError: x has fewer than two dimensions.
    """
    if len(shape_of(x)) < 2:
        raise ShapeError(f"trace: expected at least 2 dimensions, got shape {shape_of(x)}")
    d = diagonal(x, offset, axis1, axis2)
    return _reshape(sum_to(d, (*d.shape[:-1], 1)), d.shape[:-1])


_tril: Any = view("tril", "", lambda g, how: _tril(g, how), lambda xp: lambda x, how: xp.tril(x, how))
_triu: Any = view("triu", "", lambda g, how: _triu(g, how), lambda xp: lambda x, how: xp.triu(x, how))


def tril(x: Any, k: int = 0) -> Any:
    """The matrices in the last two axes with zeros above the ``k``-th diagonal.

    Example:
        >>> import minigrad as mg
        >>> mg.tril(mg.ones((2, 2))).tolist()
        [[1.0, 0.0], [1.0, 1.0]]
    """
    _matrices("tril", x)
    return _tril(x, k)


def triu(x: Any, k: int = 0) -> Any:
    """The matrices in the last two axes with zeros below the ``k``-th diagonal."""
    _matrices("triu", x)
    return _triu(x, k)


def _matrices(name: str, x: Any) -> None:
    if len(shape_of(x)) < 2:
        raise ShapeError(f"{name}: expected at least 2 dimensions, got shape {shape_of(x)}")


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
clone = unary("clone", "A copy with memory of its own; the gradient passes.", lambda g: g, lambda xp: lambda x: xp.array(x))
copy = clone


def contiguous(x: Any) -> Any:
    """x itself if its elements lie row by row in memory, else a copy in which they do."""
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
    "diag",
    "diagflat",
    "diagonal",
    "expand",
    "expand_dims",
    "flatten",
    "flip",
    "fliplr",
    "flipud",
    "matrix_transpose",
    "moveaxis",
    "permute_dims",
    "ravel",
    "reshape",
    "roll",
    "rot90",
    "sliding_window_view",
    "squeeze",
    "swapaxes",
    "trace",
    "transpose",
    "tril",
    "triu",
    "unflatten",
    "unsqueeze",
]
