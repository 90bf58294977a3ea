"""How far or how alike two vectors are."""

from typing import Any

from ...autograd.arguments import number
from ...autograd.tensor import raw
from ...backend.arrays import namespace
from ...errors import ShapeError
from ...ops.arithmetic import maximum
from ...ops.axes import moveaxis
from ...ops.indexing import take
from ...ops.linalg.norms import vector_norm
from ...ops.losses import measured
from ...ops.reduce import sum
from .targets import as_numbers, check_not_negative, check_positive


def _pair(who: str, x1: Any, x2: Any) -> tuple[Any, Any]:
    x1, x2 = measured(x1), measured(x2)
    for m, n in zip(reversed(x1.shape), reversed(x2.shape), strict=False):
        if m != n and 1 not in (m, n):
            raise ShapeError(f"{who}: x1 {tuple(x1.shape)} and x2 {tuple(x2.shape)} must have shapes that broadcast")
    return x1, as_numbers(x2, x1)


def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Any:
    """The cosine of the angle between vectors: x1 . x2 / (|x1| |x2|).

    Shapes: any two that broadcast; the result theirs without the axis ``dim``.

    Args:
        dim: the axis along which the vectors lie.
        eps: norms below are taken to be eps; at least 1e-6 in half precision, where less would be 0.

    Raises:
        ShapeError: the shapes do not broadcast, or have no such axis.

    Gradient: at a vector of zeros that of x1 . x2 / (eps |x2|) to it, 0 to the other.
    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> F.cosine_similarity(mg.tensor([[1.0, 0.0], [3.0, 4.0]]), mg.tensor([[0.0, 2.0], [6.0, 8.0]])).tolist()
        [0.0, 1.0]
    """
    eps = check_positive("cosine_similarity", eps=eps)
    x1, x2 = _pair("cosine_similarity", x1, x2)
    if len(x1.shape) != len(x2.shape):  # dim counts in the shape that they have together
        n = max(len(x1.shape), len(x2.shape))
        x1, x2 = [x.reshape((1,) * (n - len(x.shape)) + tuple(x.shape)) for x in (x1, x2)]
    if x1.dtype.itemsize == 2:
        eps = max(eps, 1e-6)
    n1, n2 = [maximum(vector_norm(x, axis=dim, keepdims=True), eps) for x in (x1, x2)]
    return sum((x1 / n1) * (x2 / n2), axis=dim)


def pairwise_distance(x1: Any, x2: Any, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Any:
    """The distance of each vector of x1 from its counterpart in x2: the p-norm of x1 - x2 + eps along the last axis.

    Shapes: (N, D) or (D,) each, or more axes in front, which broadcast; the result (N,) or (), with keepdim (N, 1) or (1,).

    Args:
        p: the order of the norm; a number or inf.
        eps: added to the difference, so that the gradient of the distance of equal vectors is not 0.
        keepdim: leave the last axis there, with length 1.

    Raises:
        ShapeError: the vectors are not of one length.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> F.pairwise_distance(mg.tensor([[3.0, 4.0]]), mg.tensor([[0.0, 0.0]]), eps=0.0).tolist()
        [5.0]
    """
    p, eps = number("pairwise_distance", "p", p), number("pairwise_distance", "eps", eps)
    x1, x2 = measured(x1), measured(x2)
    if not len(x1.shape) or not len(x2.shape) or x1.shape[-1] != x2.shape[-1]:
        raise ShapeError(
            f"pairwise_distance: x1 {tuple(x1.shape)} and x2 {tuple(x2.shape)} must hold vectors of one length in their last axis"
        )
    x1, x2 = _pair("pairwise_distance", x1, x2)
    return vector_norm(x1 - x2 + eps, axis=-1, keepdims=keepdim, ord=p)


def pdist(x: Any, p: float = 2.0) -> Any:
    """The distances of all pairs of rows: the upper triangle, without the diagonal, of the matrix of distances, row by row.

    Shapes: x (..., N, D); the result (..., N (N - 1) / 2).

    Args:
        p: the order of the norm, 0 or above; inf for the largest difference.

    Raises:
        ShapeError: x has fewer than two axes.
        ValueError: p is negative.

    Gradient: 0 between equal rows.
    Numerics: from the differences, not from products, so that close rows keep their distance.
    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> F.pdist(mg.tensor([[0.0], [1.0], [3.0]])).tolist()
        [1.0, 3.0, 2.0]
    """
    p = check_not_negative("pdist", p=p)
    x = measured(x)
    if len(x.shape) < 2:
        raise ShapeError(f"pdist: x must be (..., rows, length), got shape {tuple(x.shape)}")
    n = x.shape[-2]
    xp = namespace(type(raw(x)))
    left = xp.arange(n * (n - 1) // 2 - 1, -1, -1)  # how many pairs come after each
    after = xp.floor((xp.sqrt(8.0 * left + 1) - 1) / 2).astype("int64")  # how many whole rows of the triangle that is
    i = n - 2 - after
    j = n - 1 - (left - after * (after + 1) // 2)
    rows = moveaxis(x, -2, 0)
    return moveaxis(vector_norm(take(rows, i, axis=0) - take(rows, j, axis=0), axis=-1, ord=p), 0, -1)


__all__ = ["cosine_similarity", "pairwise_distance", "pdist"]
