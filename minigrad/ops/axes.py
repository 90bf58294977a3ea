"""The order of axes: permuted, moved, reversed, rolled."""

from typing import Any

from ..autograd.arguments import normal_axis, unexpected
from ..autograd.forms import view
from ..errors import ShapeError
from .shape import _reshape, one_axis, shape_of

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
    """x with its axes in another order; by default in reverse. (For matrices in the last two axes: ``matrix_transpose``.)

    Example:
        >>> import minigrad as mg
        >>> mg.transpose(mg.zeros((2, 3, 4)), (1, 0, 2)).shape
        (3, 2, 4)
    """
    return permute_dims(x, range(len(shape_of(x)))[::-1] if axes is None else axes)


def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """x with two axes exchanged; a view.

    Example:
        >>> import minigrad as mg
        >>> mg.swapaxes(mg.zeros((2, 3, 4)), 0, 2).shape
        (4, 3, 2)
    """
    ndim = len(shape_of(x))
    return _swap(x, (one_axis("swapaxes", axis1, ndim), one_axis("swapaxes", axis2, ndim)))


def matrix_transpose(x: Any) -> Any:
    """The matrices in the last two axes of x, transposed; a view.

    Raises:
        ShapeError: x has fewer than two dimensions.
    Example:
        >>> import minigrad as mg
        >>> mg.matrix_transpose(mg.tensor([[1.0, 2.0], [3.0, 4.0]])).tolist()
        [[1.0, 3.0], [2.0, 4.0]]
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
    """x with its first axis reversed.

    Example:
        >>> import minigrad as mg
        >>> mg.flipud(mg.tensor([[1.0, 2.0], [3.0, 4.0]])).tolist()
        [[3.0, 4.0], [1.0, 2.0]]
    """
    return flip(x, 0)


def fliplr(x: Any) -> Any:
    """x with its second axis reversed.

    Example:
        >>> import minigrad as mg
        >>> mg.fliplr(mg.tensor([[1.0, 2.0], [3.0, 4.0]])).tolist()
        [[2.0, 1.0], [4.0, 3.0]]
    """
    return flip(x, 1)


def rot90(x: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Any:
    """x turned ``k`` times by 90 degrees in the plane of two axes, from the first towards the second.

    Example:
        >>> import minigrad as mg
        >>> mg.rot90(mg.tensor([[1.0, 2.0], [3.0, 4.0]])).tolist()
        [[2.0, 4.0], [1.0, 3.0]]
    """
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


__all__ = [
    "flip",
    "fliplr",
    "flipud",
    "matrix_transpose",
    "moveaxis",
    "permute_dims",
    "roll",
    "rot90",
    "swapaxes",
    "transpose",
]
