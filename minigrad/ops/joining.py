"""Joining arrays and cutting them up. Joining is the gradient of cutting, and cutting of joining."""

import functools
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..autograd.arguments import unexpected
from ..autograd.forms import apply, general
from ..autograd.mode import paused, recording
from ..autograd.node import Cell, follow, make_link
from ..autograd.op import Op
from ..autograd.tensor import as_data, raw
from ..backend import is_array, namespace
from ..errors import DTypeError, ShapeError
from .indexing import view_at
from .shape import broadcast_to, expand_dims, one_axis, ravel, reshape, shape_of


# -- cutting ----------------------------------------------------------------------------------------------------------
def _before(axis: int) -> tuple:
    return (slice(None),) * axis


def _filled(g: tuple, shape: tuple[int, ...], axis: int, sizes: list[int]) -> list:
    """The gradients of pieces along an axis, with zeros for those that were not used: one block for each run of them."""
    some = next(v for v in g if v is not None)
    xp, dtype = namespace(type(raw(some))), some.dtype
    out: list[Any] = []
    for unused, run in itertools.groupby(zip(g, sizes, strict=True), lambda piece: piece[0] is None):
        pieces = list(run)
        if unused:
            out.append(xp.zeros((*shape[:axis], sum([n for _, n in pieces]), *shape[axis + 1 :]), dtype))
        else:
            out += [v for v, _ in pieces]
    return out


def _in_place(g: tuple, axis: int) -> Any:
    """The array whose pieces along an axis these are, where a rule wrote them into one (attention's does); None: they lie elsewhere."""
    first = g[0]
    if type(first) is not np.ndarray or type(first.base) is not np.ndarray or not first.base.flags.c_contiguous:
        return None
    base, strides, length = first.base, first.strides, 0
    start = place = first.__array_interface__["data"][0]
    for v in g:
        if type(v) is not np.ndarray or v.base is not base or v.strides != strides or v.dtype != first.dtype:
            return None
        if v.__array_interface__["data"][0] != place:
            return None
        length += v.shape[axis]
        place = start + length * strides[axis]
    shape = (*first.shape[:axis], length, *first.shape[axis + 1 :])
    return np.ndarray(shape, first.dtype, base, start - base.__array_interface__["data"][0], strides)


def _together(g: tuple, shape: tuple[int, ...], axis: int, bounds: tuple) -> Any:
    whole = _in_place(g, axis)
    return concat(_filled(g, shape, axis, [b - a for a, b in bounds]), axis) if whole is None else whole


SPLIT = general(
    lambda xp, x, axis, bounds: tuple([x[(*_before(axis), slice(*b))] for b in bounds]),
    whole=lambda g, wanted, shape, axis, bounds: (_together(g, shape, axis, bounds),),
    inputs=1,
    name="split",
)
UNSTACK = general(
    lambda xp, x, axis: tuple([x[(*_before(axis), i, ...)] for i in range(x.shape[axis])]),
    whole=lambda g, wanted, shape, axis: (_restacked(g, shape, axis),),
    inputs=1,
    name="unstack",
)


def _restacked(g: tuple, shape: tuple[int, ...], axis: int) -> Any:
    if all(v is not None for v in g):
        return stack(g, axis)
    lifted = tuple([v if v is None else expand_dims(v, axis) for v in g])
    return concat(_filled(lifted, shape, axis, [1] * len(g)), axis)


def _as_views(x: Any, pieces: tuple, places: list[tuple]) -> tuple:
    """Pieces that one op cut out of x, tied to x as views, so that writes through them reach x in the graph too."""
    if not isinstance(x, Tensor):
        return pieces
    cell = None
    if pieces and pieces[0].node is not None:
        if x.link is None:
            x.link = make_link()
        cell = x.link.writes = x.link.writes or Cell()
    for t, place in zip(pieces, places, strict=True):
        t.link = make_link(x, view_at, place, cell)
        if t.node is not None:
            t.node.saved += (cell,)
        elif x.node is None and (not paused or recording()):
            follow(x, t)
    return pieces


@functools.lru_cache(1024)
def _follows(bounds: tuple, length: int) -> bool:
    """Whether pieces with these bounds follow on each other, and leave nothing out."""
    edges = [0, *[i for b in bounds for i in b], length]
    return edges[::2] == edges[1::2] and sorted(edges) == edges


def _cut(x: Any, axis: int, bounds: tuple, length: int) -> tuple:
    """The pieces of x between bounds: by one op where they follow on each other, so that their gradients need only be joined."""
    places = [(*_before(axis), slice(*b), ...) for b in bounds]
    if not _follows(bounds, length):
        return tuple([view_at(x, place) for place in places])
    return _as_views(x, apply(SPLIT, (x,), axis, bounds), places)


def _prepared(name: str, x: Any, axis: Any) -> tuple[Any, int, int]:
    """x as a Tensor or array, the axis counted from the front, and its length."""
    x = x if isinstance(x, Tensor) or is_array(x) else as_data(x)
    axis = one_axis(name, axis, x.ndim)
    return x, axis, x.shape[axis]


def _number(name: str, n: Any) -> int:
    if isinstance(n, bool) or not hasattr(n, "__index__"):
        raise DTypeError(f"{name}: expected a number of sections or a list of indices, got {n!r}")
    if n.__index__() < 1:
        raise ShapeError(f"{name}: the number of sections must be positive, got {n}")
    return n.__index__()


def _sections(name: str, sections: Any) -> int | None:
    """The number of sections; None: it is a list of indices."""
    several = isinstance(sections, (list, tuple)) or (isinstance(sections, np.ndarray) and sections.ndim > 0)
    return None if several else _number(name, sections)


@functools.lru_cache(1024)
def _even(n: int, k: int) -> tuple:
    """The bounds of k sections of n numbers, the first ones longer by one where k does not divide n."""
    stops = list(itertools.accumulate([n // k + (i < n % k) for i in range(k)], initial=0))
    return tuple(itertools.pairwise(stops))


def array_split(x: Any, indices_or_sections: Any, axis: int = 0, **other: Any) -> tuple:
    """As ``split``, but into a number of pieces that need not divide the axis: the first ones are longer by one.

    Example:
        >>> import minigrad as mg
        >>> [p.tolist() for p in mg.array_split(mg.arange(5), 2)]
        [[0, 1, 2], [3, 4]]
    """
    if other:
        raise unexpected("array_split", other)
    x, axis, n = _prepared("array_split", x, axis)
    k = _sections("array_split", indices_or_sections)
    if k is not None:
        return _cut(x, axis, _even(n, k), n)
    stops = [int(i) for i in indices_or_sections]
    bounds = [slice(a, b).indices(n)[:2] for a, b in zip([0, *stops], [*stops, n], strict=True)]
    return _cut(x, axis, tuple([(a, max(a, b)) for a, b in bounds]), n)


def split(x: Any, indices_or_sections: Any, axis: int = 0, **other: Any) -> tuple:
    """x cut along an axis: into a number of equal pieces, or before each index of a list (NumPy's meaning; PyTorch counts lengths).

    Returns:
        A tuple of views that share memory with x.
    Raises:
        ShapeError: the axis cannot be divided equally; use ``array_split``.
    Gradient: the pieces' gradients joined, zeros for pieces that were not used.
    Example:
        >>> import minigrad as mg
        >>> [p.tolist() for p in mg.split(mg.arange(5), [2, 4])]
        [[0, 1], [2, 3], [4]]
    """
    if other:
        raise unexpected("split", other)
    x, axis, n = _prepared("split", x, axis)
    k = _sections("split", indices_or_sections)
    if k is None:
        return array_split(x, indices_or_sections, axis)
    if n % k:
        raise ShapeError(f"split: axis {axis} of x {x.shape} cannot be divided into {indices_or_sections} equal pieces; use array_split")
    return _cut(x, axis, _even(n, k), n)


def chunk(x: Any, chunks: int, axis: int = 0, **other: Any) -> tuple:
    """x cut along an axis into at most ``chunks`` pieces of one length, of which the last may be shorter (PyTorch's meaning).

    Example:
        >>> import minigrad as mg
        >>> [p.tolist() for p in mg.chunk(mg.arange(5), 3)]
        [[0, 1], [2, 3], [4]]
    """
    if other:
        raise unexpected("chunk", other)
    x, axis, n = _prepared("chunk", x, axis)
    size = max(1, -(-n // _number("chunk", chunks)))
    return array_split(x, list(range(size, n, size)), axis)


def unstack(x: Any, axis: int = 0, **other: Any) -> tuple:
    """The slices of x along an axis, without it: views that share memory with x.

    Gradient: the slices' gradients stacked.
    Example:
        >>> import minigrad as mg
        >>> a, b = mg.unstack(mg.tensor([[1.0, 2.0], [3.0, 4.0]]))
        >>> b.tolist()
        [3.0, 4.0]
    """
    if other:
        raise unexpected("unstack", other)
    x, axis, n = _prepared("unstack", x, axis)
    return _as_views(x, apply(UNSTACK, (x,), axis), [(*_before(axis), i, ...) for i in range(n)])


unbind = unstack


def _split_along(name: str, axis: int, ndim: int, x: Any, indices_or_sections: Any) -> tuple:
    if len(shape_of(x)) < ndim:
        raise ShapeError(f"{name}: expected at least {ndim} dimensions, got shape {shape_of(x)}")
    return split(x, indices_or_sections, axis)


def hsplit(x: Any, indices_or_sections: Any) -> tuple:
    """``split`` along the second axis (of a vector: the only one).

    Example:
        >>> import minigrad as mg
        >>> [p.shape for p in mg.hsplit(mg.zeros((2, 4)), 2)]
        [(2, 2), (2, 2)]
    """
    return _split_along("hsplit", 0 if len(shape_of(x)) == 1 else 1, 1, x, indices_or_sections)


def vsplit(x: Any, indices_or_sections: Any) -> tuple:
    """``split`` along the first axis of at least two.

    Example:
        >>> import minigrad as mg
        >>> [p.shape for p in mg.vsplit(mg.zeros((2, 4)), 2)]
        [(1, 4), (1, 4)]
    """
    return _split_along("vsplit", 0, 2, x, indices_or_sections)


def dsplit(x: Any, indices_or_sections: Any) -> tuple:
    """``split`` along the third axis.

    Example:
        >>> import minigrad as mg
        >>> [p.shape for p in mg.dsplit(mg.zeros((2, 3, 4)), 2)]
        [(2, 3, 2), (2, 3, 2)]
    """
    return _split_along("dsplit", 2, 3, x, indices_or_sections)


# -- joining ----------------------------------------------------------------------------------------------------------
def _pieces_of(g: Any, wanted: tuple, shapes: tuple, axis: int) -> tuple:
    stops = list(itertools.accumulate([s[axis] for s in shapes]))
    pieces = _cut(g, axis, tuple(zip([0, *stops[:-1]], stops, strict=True)), stops[-1])
    return tuple([d if want else None for d, want in zip(pieces, wanted, strict=True)])


def _joining(name: str, rule: Any) -> Any:
    """A family of ops that join n arrays, one op for each n."""

    @functools.cache
    def op(n: int) -> Op:
        names = ("y", *[f"x{i}" for i in range(n)], "axis", "shape", "shapes")
        join = {"concat": "concatenate"}.get(name, name)
        return Op(name, names, (rule,), kernel=lambda xp: lambda *args: getattr(xp, join)(args[:-1], args[-1]), inputs=n, whole=True)

    return op


_CONCAT = _joining("concat", _pieces_of)
_STACK = _joining("stack", lambda g, wanted, axis: tuple([d if w else None for d, w in zip(unstack(g, axis), wanted, strict=True)]))


def _sequence(name: str, arrays: Any) -> list:
    """The arrays to join: those of a list, or the slices of a Tensor or array."""
    if isinstance(arrays, Tensor):
        arrays = unstack(arrays) if arrays.ndim else ()
    elif not isinstance(arrays, Sequence) and not is_array(arrays):
        raise DTypeError(f"{name}: expected a list of arrays, got {type(arrays).__name__}")
    out = [a if isinstance(a, Tensor) or is_array(a) else as_data(a) for a in arrays]
    if not out:
        raise ShapeError(f"{name}: expected at least one array")
    return out


def concat(arrays: Any, axis: int | None = 0, **other: Any) -> Any:
    """The arrays one after the other along an axis that they have; with ``axis=None``, all flattened.

    Shapes: equal except along the axis, where they add up.
    Raises:
        ShapeError: no arrays, arrays of no dimensions, or shapes that do not fit.
    Gradient: g cut into the arrays' parts.
    Example:
        >>> import minigrad as mg
        >>> mg.concat([mg.tensor([[1.0, 2.0]]), mg.tensor([[3.0, 4.0]])], axis=1).tolist()
        [[1.0, 2.0, 3.0, 4.0]]
    """
    if other:
        raise unexpected("concat", other)
    xs = _sequence("concat", arrays)
    if axis is None:
        xs, axis = [ravel(x) for x in xs], 0
    axis = one_axis("concat", axis, xs[0].ndim)
    for x in xs:
        if x.ndim != xs[0].ndim or any(n != m for i, (n, m) in enumerate(zip(x.shape, xs[0].shape, strict=True)) if i != axis):
            raise ShapeError(f"concat: shapes must be equal except along axis {axis}, got {', '.join([str(v.shape) for v in xs[:9]])}")
    return apply(_CONCAT(len(xs)), tuple(xs), axis)


concatenate = concat


def stack(arrays: Any, axis: int = 0, **other: Any) -> Any:
    """The arrays, all of one shape, along a new axis.

    Raises:
        ShapeError: no arrays, or shapes that differ.
    Gradient: the slices of g.
    Example:
        >>> import minigrad as mg
        >>> mg.stack([mg.tensor([1.0, 2.0]), mg.tensor([3.0, 4.0])], axis=1).tolist()
        [[1.0, 3.0], [2.0, 4.0]]
    """
    if other:
        raise unexpected("stack", other)
    xs = _sequence("stack", arrays)
    if any(x.shape != xs[0].shape for x in xs):
        raise ShapeError(f"stack: shapes must be equal, got {', '.join([str(v.shape) for v in xs[:9]])}")
    return apply(_STACK(len(xs)), tuple(xs), one_axis("stack", axis, xs[0].ndim + 1))


def meshgrid(*arrays: Any, indexing: str = "xy") -> tuple:
    """The coordinates of a grid: each vector repeated along the axes of the others; views that cannot be written to.

    Args:
        indexing: ``"xy"``: the first vector runs along the second axis; ``"ij"``: along the first.

    Example:
        >>> import minigrad as mg
        >>> x, y = mg.meshgrid(mg.arange(2), mg.arange(3))
        >>> x.tolist(), y.tolist()
        ([[0, 1], [0, 1], [0, 1]], [[0, 0], [1, 1], [2, 2]])
    """
    if indexing not in ("xy", "ij"):
        raise ShapeError(f"meshgrid: indexing must be 'xy' or 'ij', got {indexing!r}")
    xs = [a if isinstance(a, Tensor) or is_array(a) else as_data(a) for a in arrays]
    if any(x.ndim > 1 for x in xs):
        raise ShapeError(f"meshgrid: expected vectors, got shapes {', '.join([str(x.shape) for x in xs])}")
    n = len(xs)
    order = [1, 0, *range(2, n)] if indexing == "xy" and n > 1 else list(range(n))
    shape = [0] * n
    for i, x in enumerate(xs):
        shape[order[i]] = x.size
    return tuple([broadcast_to(reshape(x, [-1 if k == order[i] else 1 for k in range(n)]), tuple(shape)) for i, x in enumerate(xs)])


__all__ = [
    "array_split",
    "chunk",
    "concat",
    "concatenate",
    "dsplit",
    "hsplit",
    "meshgrid",
    "split",
    "stack",
    "unbind",
    "unstack",
    "vsplit",
]
