"""Joining by what arrays look like: side by side, on top of each other, as the blocks of a matrix."""

from typing import Any

from ..errors import ShapeError
from .joining import _sequence, concat
from .shape import atleast_1d, atleast_2d, atleast_3d, reshape, shape_of


def hstack(arrays: Any) -> Any:
    """``concat`` along the second axis; of vectors and numbers, along the first.

    Example:
        >>> import minigrad as mg
        >>> mg.hstack((mg.tensor([1.0]), mg.tensor([2.0, 3.0]))).tolist()
        [1.0, 2.0, 3.0]
    """
    xs = [atleast_1d(x) for x in _sequence("hstack", arrays)]
    return concat(xs, 0 if xs[0].ndim == 1 else 1)


def vstack(arrays: Any) -> Any:
    """``concat`` along the first axis, with vectors as rows.

    Example:
        >>> import minigrad as mg
        >>> mg.vstack((mg.tensor([1.0, 2.0]), mg.tensor([3.0, 4.0]))).tolist()
        [[1.0, 2.0], [3.0, 4.0]]
    """
    return concat([atleast_2d(x) for x in _sequence("vstack", arrays)], 0)


def dstack(arrays: Any) -> Any:
    """``concat`` along the third axis, with matrices as slices of it.

    Example:
        >>> import minigrad as mg
        >>> mg.dstack((mg.zeros((2, 3)), mg.ones((2, 3)))).shape
        (2, 3, 2)
    """
    return concat([atleast_3d(x) for x in _sequence("dstack", arrays)], 2)


def column_stack(arrays: Any) -> Any:
    """Vectors as the columns of a matrix; matrices side by side.

    Example:
        >>> import minigrad as mg
        >>> mg.column_stack((mg.tensor([1.0, 2.0]), mg.tensor([3.0, 4.0]))).tolist()
        [[1.0, 3.0], [2.0, 4.0]]
    """
    xs = _sequence("column_stack", arrays)
    return concat([x if x.ndim > 1 else reshape(x, (-1, 1)) for x in xs], 1)


def block(arrays: Any) -> Any:
    """An array from nested lists of blocks: the innermost lists are joined along the last axis, the next along the last but one.

    Example:
        >>> import minigrad as mg
        >>> mg.block([[mg.ones((1, 1)), mg.zeros((1, 2))], [mg.zeros((1, 3))]]).tolist()
        [[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """

    def depth(b: Any) -> int:
        return 1 + max([depth(v) for v in b], default=0) if isinstance(b, list) else 0

    def ndim(b: Any) -> int:
        return max([ndim(v) for v in b], default=0) if isinstance(b, list) else len(shape_of(b))

    levels = depth(arrays)
    n = max(levels, ndim(arrays))

    def joined(b: Any, level: int) -> Any:
        if isinstance(b, list):
            if not b:
                raise ShapeError("block: a list of blocks is empty")
            return concat([joined(v, level + 1) for v in b], n - levels + level)
        if level != levels:
            raise ShapeError(f"block: blocks must lie equally deep, got one at depth {level} and one at {levels}")
        return reshape(b, (1,) * (n - len(shape_of(b))) + shape_of(b))

    return joined(arrays, 0)


__all__ = [
    "block",
    "column_stack",
    "dstack",
    "hstack",
    "vstack",
]
