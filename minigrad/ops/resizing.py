"""The same array made longer or shorter: repeated, padded, with parts put in or left out."""

from typing import Any

import numpy as np

from ..autograd import Tensor
from ..autograd.arguments import unexpected
from ..autograd.forms import view
from ..autograd.inplace import check_cast
from ..autograd.tensor import as_data, raw
from ..backend import is_array, namespace
from ..errors import DTypeError, IndexRangeError, ShapeError
from .indexing import take, view_at
from .joining import _prepared, concat
from .shape import broadcast_to, expand_dims, ravel, reshape, shape_of


def append(x: Any, values: Any, axis: int | None = None) -> Any:
    """x with ``values`` after it along the axis; without an axis, both flattened.

    Example:
        >>> import minigrad as mg
        >>> mg.append(mg.tensor([1.0, 2.0]), mg.tensor([3.0]))
        Tensor([1., 2., 3.], shape (3,), float32, cpu)
    """
    return concat([x, values], axis)


def _positions(name: str, x: Any, make: Any) -> Any:
    """An index made by NumPy on the host, as an array where x is."""
    try:
        return namespace(type(raw(x))).asarray(make())
    except IndexError as error:
        raise IndexRangeError(f"{name}: {error}") from None
    except ValueError as error:
        raise ShapeError(f"{name}: {error}") from None


def delete(x: Any, indices: Any, axis: int | None = None) -> Any:
    """x without the slices at ``indices`` (an integer, several, a slice or a mask) along the axis; without an axis, x flattened.

    Example:
        >>> import minigrad as mg
        >>> mg.delete(mg.tensor([1.0, 2.0, 3.0]), 1)
        Tensor([1., 3.], shape (2,), float32, cpu)
    """
    if axis is None:
        x, axis = ravel(x), 0
    x, axis, n = _prepared("delete", x, axis)
    return take(x, _positions("delete", x, lambda: np.delete(np.arange(n), raw(indices))), axis)


def insert(x: Any, indices: Any, values: Any, axis: int | None = None) -> Any:
    """x with ``values`` before ``indices`` (an integer or several, counted in x) along the axis; without an axis, x flattened.

    Shapes: the values broadcast to x with as many slices along the axis as there are indices; at a single integer, any number.
    Example:
        >>> import minigrad as mg
        >>> mg.insert(mg.tensor([1.0, 3.0]), 1, 2.0)
        Tensor([1., 2., 3.], shape (3,), float32, cpu)
    """
    if axis is None:
        x, axis = ravel(x), 0
    x, axis, n = _prepared("insert", x, axis)
    at = raw(indices)
    values = values if isinstance(values, Tensor) or is_array(values) else as_data(values)
    one = np.ndim(at) == 0
    count = values.shape[axis] if one and values.ndim == x.ndim else 1 if one else len(at)
    if one and values.ndim and values.ndim == x.ndim - 1:
        values = expand_dims(values, axis)
    values = broadcast_to(values, (*x.shape[:axis], count, *x.shape[axis + 1 :]))
    order = _positions("insert", x, lambda: np.insert(np.arange(n), at, n + np.arange(count)))
    return take(concat([x, values], axis), order, axis)


def repeat(x: Any, repeats: Any, axis: int | None = None, **other: Any) -> Any:
    """Each element of x (or slice along the axis) several times in a row; without an axis, x flattened.

    Args:
        repeats: how often, or an array of how often for each.

    Gradient: summed over the repeats.
    Example:
        >>> import minigrad as mg
        >>> mg.repeat(mg.tensor([1.0, 2.0]), 2).tolist()
        [1.0, 1.0, 2.0, 2.0]
    """
    if other:
        raise unexpected("repeat", other)
    if axis is None:
        x, axis = ravel(x), 0
    x, axis, n = _prepared("repeat", x, axis)
    r = np.asarray(raw(repeats) if not hasattr(raw(repeats), "get") else raw(repeats).get())
    if r.dtype.kind not in "iu" or r.ndim > 1:
        raise DTypeError(f"repeat: repeats must be an integer or a list of integers, got {r.dtype} of shape {r.shape}")
    if (r < 0).any():
        raise ShapeError(f"repeat: repeats must not be negative, got {repeats}")
    if r.size == 1:
        k = int(r.reshape(()))
        wide = broadcast_to(expand_dims(x, axis + 1), (*x.shape[: axis + 1], k, *x.shape[axis + 1 :]))
        return reshape(wide, (*x.shape[:axis], n * k, *x.shape[axis + 1 :]))
    if r.size != n:
        raise ShapeError(f"repeat: {r.size} repeats for an axis of length {n} (x {x.shape}, axis {axis})")
    return take(x, _positions("repeat", x, lambda: np.repeat(np.arange(n), r)), axis)


def tile(x: Any, reps: Any) -> Any:
    """x repeated as a whole, ``reps`` times along each axis (missing ones come first).

    Gradient: summed over the copies.
    Example:
        >>> import minigrad as mg
        >>> mg.tile(mg.tensor([1.0, 2.0]), (2, 2)).tolist()
        [[1.0, 2.0, 1.0, 2.0], [1.0, 2.0, 1.0, 2.0]]
    """
    reps = tuple(reps) if isinstance(reps, (tuple, list)) else (reps,)
    if any(isinstance(r, bool) or not hasattr(r, "__index__") or r < 0 for r in reps):
        raise ShapeError(f"tile: reps must be integers that are not negative, got {reps}")
    shape = (1,) * (len(reps) - len(shape_of(x))) + shape_of(x)
    reps = (1,) * (len(shape) - len(reps)) + reps
    wide = broadcast_to(
        reshape(x, [n for s in shape for n in (1, s)]), tuple([n for r, s in zip(reps, shape, strict=True) for n in (r, s)])
    )
    return reshape(wide, tuple([r * s for r, s in zip(reps, shape, strict=True)]))


def _inside(shape: tuple[int, ...], widths: tuple) -> tuple:
    return tuple([slice(a, a + n) for n, (a, _) in zip(shape, widths, strict=True)])


def _pad_constant(xp: Any) -> Any:
    def kernel(x: Any, how: tuple) -> Any:
        widths, value = how
        if isinstance(value, list):
            return xp.pad(x, widths, constant_values=value)
        y = xp.full([a + n + b for n, (a, b) in zip(x.shape, widths, strict=True)], value, x.dtype)
        y[_inside(x.shape, widths)] = x
        return y

    return kernel


_pad = view("pad", "", lambda g, shape, how: view_at(g, (*_inside(shape, how[0]), ...)), _pad_constant)

MODES: dict[str, Any] = {
    "edge": "edge",
    "replicate": "edge",
    "wrap": "wrap",
    "circular": "wrap",
    "reflect": "reflect",
    "symmetric": "symmetric",
}


def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = 0) -> Any:
    """x with a border.

    Args:
        pad_width: how wide: an integer, a pair (before, after), or such a pair for each axis.
        mode: what is in it: ``constant``; ``edge`` (``replicate``) the outermost element; ``reflect`` the mirror image without the
            outermost element, ``symmetric`` with it; ``wrap`` (``circular``) the other end.
        constant_values: the constant; or one before and one after, for all axes or each, as for ``pad_width``.

    Raises:
        ShapeError: a negative width, or a mode that needs elements where there are none.
    Gradient: that of the inside; the border's is added to the elements it repeats.
    Example:
        >>> import minigrad as mg
        >>> mg.pad(mg.tensor([1.0, 2.0, 3.0]), (2, 1), mode="reflect").tolist()
        [3.0, 2.0, 1.0, 2.0, 3.0, 2.0]
    """
    x = x if isinstance(x, Tensor) or is_array(x) else as_data(x)
    given = np.asarray(pad_width)
    if given.dtype.kind not in "iu":
        raise DTypeError(f"pad: pad_width must be integers, got {pad_width!r}")
    try:
        widths = tuple([(int(a), int(b)) for a, b in np.broadcast_to(given, (x.ndim, 2))])
    except ValueError:
        raise ShapeError(
            f"pad: pad_width {pad_width} does not fit {x.ndim} axes; expected an integer, a pair, or a pair for each axis"
        ) from None
    if given.size and given.min() < 0:
        raise ShapeError(f"pad: widths must not be negative, got {pad_width}; use a slice to cut")
    if mode == "constant":
        value = np.asarray(raw(constant_values))
        if not isinstance(constant_values, int):
            check_cast(value.dtype, x.dtype, "pad")
        return _pad(x, (widths, value.tolist()))
    if mode not in MODES:
        raise ShapeError(f"pad: mode must be 'constant' or one of {', '.join(MODES)}, got {mode!r}")
    for axis, (before, after) in enumerate(widths):
        if before or after:
            n = x.shape[axis]
            x = take(x, _positions("pad", x, lambda n=n, w=(before, after): np.pad(np.arange(n), w, MODES[mode])), axis)
    return x


__all__ = [
    "append",
    "delete",
    "insert",
    "pad",
    "repeat",
    "tile",
]
