"""Diagonals and triangles of matrices."""

from typing import Any

from ..autograd.arguments import normal_axis
from ..autograd.conform import sum_to
from ..autograd.forms import view
from ..errors import ShapeError
from .shape import _reshape, shape_of


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
    """The matrix that has x, flattened, on its ``k``-th diagonal.

    Example:
        >>> import minigrad as mg
        >>> mg.diagflat(mg.tensor([1.0, 2.0])).tolist()
        [[1.0, 0.0], [0.0, 2.0]]
    """
    return diag(_reshape(x, (-1,)), k)


def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The sum of a diagonal.

    Raises:
        ShapeError: x has fewer than two dimensions.
    Example:
        >>> import minigrad as mg
        >>> mg.trace(mg.tensor([[1.0, 2.0], [3.0, 4.0]])).item()
        5.0
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
    """The matrices in the last two axes with zeros below the ``k``-th diagonal.

    Example:
        >>> import minigrad as mg
        >>> mg.triu(mg.tensor([[1.0, 2.0], [3.0, 4.0]])).tolist()
        [[1.0, 2.0], [0.0, 4.0]]
    """
    _matrices("triu", x)
    return _triu(x, k)


def _matrices(name: str, x: Any) -> None:
    if len(shape_of(x)) < 2:
        raise ShapeError(f"{name}: expected at least 2 dimensions, got shape {shape_of(x)}")


__all__ = [
    "diag",
    "diagflat",
    "diagonal",
    "trace",
    "tril",
    "triu",
]
