"""Products of matrices and vectors."""

from itertools import pairwise
from math import prod
from typing import Any

from ..autograd import Tensor
from ..autograd.arguments import normal_axis, unexpected
from ..autograd.forms import binary
from ..autograd.op import compiled
from ..errors import DTypeError, ShapeError
from . import reduce
from .arithmetic import conj, multiply
from .axes import matrix_transpose, moveaxis
from .contraction import arraylike, einsum, tensordot
from .shape import reshape


def transposed(x: Any) -> Any:
    """The matrix transpose, without the cost of an op where x is a raw array: rules spend much of their time here."""
    return matrix_transpose(x) if isinstance(x, Tensor) else x.swapaxes(-1, -2)


# y = a b:  da = g bᵀ,  db = aᵀ g; what was broadcast among the leading axes, the engine sums
_matmul: Any = binary(
    "matmul", "Matrix product a @ b.", lambda g, b: _matmul(g, transposed(b)), lambda g, a: _matmul(transposed(a), g), elementwise=False
)
compiled("products", _matmul)


def matmul(a: Any, b: Any) -> Any:
    """Matrix product ``a @ b``.

    Shapes: a (..., m, k), b (..., k, n); y (..., m, n), the leading axes broadcast. A vector a is a row, a vector b a column, and
        the axis it lacks is missing from y too.
    Raises:
        ShapeError: the columns of a are not as many as the rows of b, an operand has no dimensions, or leading axes do not broadcast.
    Gradient: ``g @ b.mT`` and ``a.mT @ g``.
    Numerics: float16 accumulates in float32.
    Source: M. Giles, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation" (2008), 2.1.
    Example:
        >>> import minigrad as mg
        >>> a = mg.tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> mg.matmul(a, mg.tensor([1.0, 10.0]))
        Tensor([21., 43.], shape (2,), float32, cpu)
    """
    if isinstance(a, Tensor) and isinstance(b, Tensor) and a.data.ndim == 2 == b.data.ndim:
        try:
            return _matmul(a, b)
        except ShapeError:
            raise _misfit("matmul", a, b) from None
    a, b = arraylike(a), arraylike(b)
    m, n = a.ndim, b.ndim
    if not m or not n:
        raise ShapeError(f"matmul: expected at least one dimension (a {tuple(a.shape)}, b {tuple(b.shape)}); scalars are multiplied by *")
    k = a.shape[-1]
    if k != b.shape[0 if n == 1 else -2]:
        raise _misfit("matmul", a, b)
    if m == n == 2:
        return _matmul(a, b)
    shape = (*a.shape[:-1], *b.shape[1:])  # of y, where b is a vector or one matrix for all rows of a
    if m == 1:
        a = reshape(a, (1, k))
    if n == 1:
        b = reshape(b, (k, 1))
    if b.ndim == 2:  # one large product instead of many: it is faster, and the gradient of b needs no sum over the leading axes
        return reshape(_matmul(reshape(a, (prod(shape[: m - 1]), k)), b), shape)
    try:
        y = _matmul(a, b)
    except ShapeError:
        raise ShapeError(f"matmul: leading axes do not broadcast (a {tuple(a.shape)}, b {tuple(b.shape)})") from None
    return reshape(y, (*y.shape[:-2], y.shape[-1])) if m == 1 else y


def _misfit(name: str, a: Any, b: Any) -> ShapeError:
    rows = b.shape[0 if b.ndim == 1 else -2]
    return ShapeError(f"{name}: a has {a.shape[-1]} columns, b has {rows} rows (a {tuple(a.shape)}, b {tuple(b.shape)})")


def _same_length(name: str, a: Any, i: int, b: Any, j: int) -> None:
    """Raise unless axis i of a and axis j of b are there and equally long."""
    if a.ndim < abs(i) or b.ndim < abs(j):
        raise ShapeError(f"{name}: expected at least {-i} dimensions of a and {-j} of b (a {tuple(a.shape)}, b {tuple(b.shape)})")
    if a.shape[i] != b.shape[j]:
        raise ShapeError(
            f"{name}: axis {i} of a has length {a.shape[i]}, axis {j} of b {b.shape[j]} (a {tuple(a.shape)}, b {tuple(b.shape)})"
        )


def _conjugated(x: Any) -> Any:
    return conj(x) if x.dtype.kind == "c" else x


def vecdot(a: Any, b: Any, axis: int = -1, **other: Any) -> Any:
    """Dot products of the vectors along one axis, ``sum(conj(a) * b)``.

    Shapes: a and b broadcast, but for the axis, which must be equally long; y lacks it.
    Example:
        >>> import minigrad as mg
        >>> mg.vecdot(mg.tensor([[1.0, 2.0], [3.0, 4.0]]), mg.tensor([1.0, 1.0]))
        Tensor([3., 7.], shape (2,), float32, cpu)
    """
    if other:
        raise unexpected("vecdot", other)
    a, b = arraylike(a), arraylike(b)
    if axis != -1:
        normal_axis("vecdot", axis, a.ndim), normal_axis("vecdot", axis, b.ndim)
        a, b = moveaxis(a, axis, -1), moveaxis(b, axis, -1)
    _same_length("vecdot", a, -1, b, -1)
    y = multiply(_conjugated(a), b)
    return reduce.sum(y, -1, dtype=y.dtype) if y.dtype.kind in "iu" else reduce.sum(y, -1)  # NumPy's sum would widen small integers


def matvec(a: Any, b: Any) -> Any:
    """Products of matrices with vectors.

    Shapes: a (..., m, n), b (..., n); y (..., m).
    Example:
        >>> import minigrad as mg
        >>> mg.matvec(mg.tensor([[1.0, 2.0], [3.0, 4.0]]), mg.tensor([[1.0, 1.0], [0.0, 1.0]]))
        Tensor([[3., 7.],
                [2., 4.]], shape (2, 2), float32, cpu)
    """
    a, b = arraylike(a), arraylike(b)
    if a.ndim < 2 or not b.ndim:
        raise _no_matrix("matvec", a, b)
    _same_length("matvec", a, -1, b, -1)
    if b.ndim == 1:
        return matmul(a, b)
    y = matmul(a, reshape(b, (*b.shape, 1)))
    return reshape(y, y.shape[:-1])


def vecmat(a: Any, b: Any) -> Any:
    """Products of (conjugated) vectors with matrices.

    Shapes: a (..., m), b (..., m, n); y (..., n).
    Example:
        >>> import minigrad as mg
        >>> mg.vecmat(mg.tensor([1.0, 2.0]), mg.tensor([[1.0, 0.0], [0.0, 3.0]]))
        Tensor([1., 6.], shape (2,), float32, cpu)
    """
    a, b = arraylike(a), arraylike(b)
    if b.ndim < 2 or not a.ndim:
        raise _no_matrix("vecmat", a, b)
    _same_length("vecmat", a, -1, b, -2)
    y = matmul(reshape(_conjugated(a), (*a.shape[:-1], 1, a.shape[-1])), b)
    return reshape(y, (*y.shape[:-2], y.shape[-1]))


def _no_matrix(name: str, a: Any, b: Any) -> ShapeError:
    return ShapeError(f"{name}: expected a matrix and a vector (a {tuple(a.shape)}, b {tuple(b.shape)})")


def dot(a: Any, b: Any) -> Any:
    """NumPy's dot: ``a @ b`` for vectors and matrices, ``a * b`` for scalars, else a sum over the last axis of a, the last but one of b.

    Shapes: a (..., k), b (..., k, n) give y with all leading axes of a, then those of b: unlike ``matmul`` nothing broadcasts.
    Example:
        >>> import minigrad as mg
        >>> mg.dot(mg.zeros((2, 3, 4)), mg.zeros((5, 4, 6))).shape
        (2, 3, 5, 6)
    """
    a, b = arraylike(a), arraylike(b)
    if not a.ndim or not b.ndim:
        return multiply(a, b)
    if b.ndim <= 2:
        return matmul(a, b)
    _same_length("dot", a, -1, b, -2)
    return tensordot(a, b, ((-1,), (-2,)))


def inner(a: Any, b: Any) -> Any:
    """Sum of products over the last axis of both.

    Shapes: a (..., k), b (..., k) give y with the leading axes of a, then those of b.
    Example:
        >>> import minigrad as mg
        >>> mg.inner(mg.tensor([1.0, 2.0]), mg.tensor([3.0, 4.0])).item()
        11.0
    """
    a, b = arraylike(a), arraylike(b)
    if not a.ndim or not b.ndim:
        return multiply(a, b)
    _same_length("inner", a, -1, b, -1)
    return tensordot(a, b, ((-1,), (-1,)))


def outer(a: Any, b: Any) -> Any:
    """Every product of an element of a with one of b.

    Shapes: a and b any, read as vectors of m and n elements; y (m, n).
    Example:
        >>> import minigrad as mg
        >>> mg.outer(mg.tensor([1.0, 2.0]), mg.tensor([1.0, 10.0]))
        Tensor([[ 1., 10.],
                [ 2., 20.]], shape (2, 2), float32, cpu)
    """
    return multiply(reshape(arraylike(a), (-1, 1)), reshape(arraylike(b), (1, -1)))


def vdot(a: Any, b: Any) -> Any:
    """Dot product of two arrays read as vectors, ``sum(conj(a) * b)``: a scalar.

    Shapes: of equal size.
    Example:
        >>> import minigrad as mg
        >>> mg.vdot(mg.tensor([1j]), mg.tensor([1j])).item()
        (1+0j)
    """
    a, b = arraylike(a), arraylike(b)
    if prod(a.shape) != prod(b.shape):
        raise ShapeError(f"vdot: {prod(a.shape)} and {prod(b.shape)} elements (a {tuple(a.shape)}, b {tuple(b.shape)})")
    return matmul(reshape(_conjugated(a), (-1,)), reshape(b, (-1,)))


def kron(a: Any, b: Any) -> Any:
    """Kronecker product: blocks of b, scaled by the elements of a.

    Shapes: y has the products of the lengths; the one with fewer axes is given leading ones.
    Example:
        >>> import minigrad as mg
        >>> mg.kron(mg.tensor([1.0, 10.0]), mg.tensor([1.0, 2.0]))
        Tensor([ 1.,  2., 10., 20.], shape (4,), float32, cpu)
    """
    a, b = arraylike(a), arraylike(b)
    n = max(a.ndim, b.ndim)
    left, right = (1,) * (n - a.ndim) + tuple(a.shape), (1,) * (n - b.ndim) + tuple(b.shape)
    blocks = multiply(
        reshape(a, tuple([v for p in left for v in (p, 1)])),
        reshape(b, tuple([v for q in right for v in (1, q)])),
    )
    return reshape(blocks, tuple([p * q for p, q in zip(left, right, strict=True)]))


# L = g · (a × b) = a · (b × g) = b · (g × a): the triple product turns round
_cross: Any = binary("cross", "Vector product along the last axis.", lambda g, b: _cross(b, g), lambda g, a: _cross(g, a))


def cross(a: Any, b: Any, axis: int = -1, **other: Any) -> Any:
    """Vector product of 3-vectors.

    Shapes: a and b broadcast; axis has length 3.
    Gradient: ``cross(b, g)`` and ``cross(g, a)``.
    Example:
        >>> import minigrad as mg
        >>> mg.cross(mg.tensor([1.0, 0.0, 0.0]), mg.tensor([0.0, 1.0, 0.0]))
        Tensor([0., 0., 1.], shape (3,), float32, cpu)
    """
    if other:
        raise unexpected("cross", other)
    a, b = arraylike(a), arraylike(b)
    for name, x in (("a", a), ("b", b)):
        (i,) = normal_axis("cross", axis, x.ndim)
        if x.shape[i] != 3:
            raise ShapeError(f"cross: axis {axis} of {name} has length {x.shape[i]}, expected 3 (a {tuple(a.shape)}, b {tuple(b.shape)})")
    if axis == -1:
        return _cross(a, b)
    return moveaxis(_cross(moveaxis(a, axis, -1), moveaxis(b, axis, -1)), -1, axis)


def multi_dot(arrays: Any) -> Any:
    """Product of several matrices in the order that takes the fewest multiplications.

    Shapes: two or more matrices that fit; the first may be a vector (a row), the last too (a column).
    Source: Cormen et al., "Introduction to Algorithms", 15.2.
    Example:
        >>> import minigrad as mg
        >>> mg.linalg.multi_dot([mg.tensor([[1.0, 2.0]]), mg.tensor([[1.0], [1.0]]), mg.tensor([[2.0, 3.0]])])
        Tensor([[6., 9.]], shape (1, 2), float32, cpu)
    """
    if not isinstance(arrays, (list, tuple)) or len(arrays) < 2:
        raise DTypeError(f"multi_dot: expected a list of at least two arrays, got {type(arrays).__name__}")
    xs = [arraylike(x) for x in arrays]
    n = len(xs)
    for i, x in enumerate(xs):
        if x.ndim != 2 and not (x.ndim == 1 and i in (0, n - 1)):
            raise ShapeError(f"multi_dot: expected matrices (the first and the last may be vectors), got shape {tuple(x.shape)} at {i}")
    for a, b in pairwise(xs):
        if a.shape[-1] != b.shape[0]:
            raise _misfit("multi_dot", a, b)
    d = [1 if xs[0].ndim == 1 else xs[0].shape[0], *[x.shape[0] for x in xs[1:]], 1 if xs[-1].ndim == 1 else xs[-1].shape[1]]
    if xs[0].ndim == 2:
        d[1] = xs[0].shape[1]
    best: dict = {(i, i): (0, None) for i in range(n)}  # (from, to): multiplications, where to split
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            best[i, j] = min([(best[i, k][0] + best[k + 1, j][0] + d[i] * d[k + 1] * d[j + 1], k) for k in range(i, j)])

    def product(i: int, j: int) -> Any:
        k = best[i, j][1]
        return xs[i] if k is None else matmul(product(i, k), product(k + 1, j))

    return product(0, n - 1)


__all__ = ["cross", "dot", "einsum", "inner", "kron", "matmul", "matvec", "outer", "tensordot", "vdot", "vecdot", "vecmat"]
