"""Inverses, linear systems, determinants, and functions of a matrix."""

from typing import Any, NamedTuple

from ...autograd import Tensor
from ...autograd.forms import apply, general
from ...autograd.tensor import raw, wrap
from ...backend.arrays import namespace
from ...errors import DTypeError, ShapeError
from .. import reduce
from ..arithmetic import conj
from ..contraction import arraylike
from ..diagonals import tril, triu
from ..joining import concat
from ..losses import measured
from ..products import matmul, transposed
from ..shape import reshape


def matrix(name: str, x: Any, square: bool = False, real: bool = False, constant: bool = False) -> Any:
    """x, if it is a matrix or a stack of them that LAPACK can take: ShapeError or DTypeError if not.

    ``real``: complex ones are refused, but for constants if ``constant``.
    """
    x = measured(arraylike(x))
    if x.ndim < 2:
        raise ShapeError(f"{name}: expected a matrix or a stack of matrices, got shape {tuple(x.shape)}")
    if square and x.shape[-1] != x.shape[-2]:
        raise ShapeError(f"{name}: expected square matrices, got shape {tuple(x.shape)}")
    kind = x.dtype.kind
    if x.dtype.itemsize == 2 and kind not in "iu":
        raise DTypeError(f"{name}: {x.dtype} is too short for linear algebra; use astype('float32')")
    if real and kind == "c" and not (constant and (not isinstance(x, Tensor) or not x.requires_grad)):
        what = "matrices that require grad" if constant else "matrices"
        raise DTypeError(f"{name}: {x.dtype} {what} are not supported, only real ones; split them into real and imaginary parts")
    return x


def zeros_of(x: Any, shape: tuple[int, ...]) -> Any:
    """Zeros of a shape with the dtype and device of x: a constant, a Tensor if x is one."""
    a = raw(x)
    zeros = namespace(type(a)).zeros(shape, a.dtype)
    return wrap(zeros, None) if isinstance(x, Tensor) else zeros


def identity_of(x: Any) -> Any:
    """The identity with the shape, dtype and device of the square matrices x: a constant."""
    a = raw(x)
    xp = namespace(type(a))
    eye = xp.broadcast_to(xp.eye(a.shape[-1], dtype=a.dtype), a.shape).copy()
    return wrap(eye, None) if isinstance(x, Tensor) else eye


# -- inverses and systems ---------------------------------------------------------------------------------------------
_inv = general(
    lambda xp, x: xp.linalg.inv(x),
    lambda g, y: -(transposed(y) @ g @ transposed(y)),
    name="inv",
)


def inv(x: Any) -> Any:
    """Inverse of square matrices.

    Shapes: x (..., n, n); y the same.
    Raises:
        LinAlgError: a matrix is exactly singular.
    Gradient: ``-y.mT @ g @ y.mT``.
    Numerics: to solve a system, ``solve`` is faster and more accurate.
    Source: M. Giles, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation" (2008), 2.2.3.
    Example:
        >>> import minigrad as mg
        >>> mg.linalg.inv(mg.tensor([[2.0, 0.0], [0.0, 4.0]]))
        Tensor([[0.5 , 0.  ],
                [0.  , 0.25]], shape (2, 2), float32, cpu)
    """
    return apply(_inv, (matrix("inv", x, square=True),))


def _solve_rule(g: Any, wanted: tuple, y: Any, a: Any) -> tuple:
    b = solve(transposed(a), g)  # a y = b:  gb = a⁻ᵀ g,  ga = -gb yᵀ
    return (-(b @ transposed(y)) if wanted[0] else None, b)


_solve = general(lambda xp, a, b: xp.linalg.solve(a, b), whole=_solve_rule, inputs=2, name="solve")


def _system(name: str, a: Any, b: Any) -> tuple[Any, Any, bool]:
    """a and b ready for a solver, and whether b was a vector and is now a matrix of one column."""
    a, b = matrix(name, a, square=True), arraylike(b)
    vector = b.ndim == 1
    if not b.ndim or b.shape[0 if vector else -2] != a.shape[-1]:
        raise ShapeError(f"{name}: the rows of a and b must be equally many (a {tuple(a.shape)}, b {tuple(b.shape)})")
    b = reshape(b, (b.shape[0], 1)) if vector else b
    return a, matrix(name, b), vector


def _unlifted(y: Any, vector: bool) -> Any:
    return reshape(y, y.shape[:-1]) if vector else y


def solve(a: Any, b: Any) -> Any:
    """The x with ``a @ x = b``.

    Shapes: a (..., n, n), b (..., n, k) or a single vector (n,), as in NumPy 2: a stack of vectors needs a last axis of length 1.
    Raises:
        LinAlgError: a matrix is exactly singular.
    Gradient: ``gb = solve(a.mT, g)`` and ``-gb @ x.mT``.
    Source: Giles (2008), 2.3.1.
    Example:
        >>> import minigrad as mg
        >>> mg.linalg.solve(mg.tensor([[2.0, 0.0], [0.0, 4.0]]), mg.tensor([1.0, 1.0]))
        Tensor([0.5 , 0.25], shape (2,), float32, cpu)
    """
    a, b, vector = _system("solve", a, b)
    return _unlifted(apply(_solve, (a, b)), vector)


def _substitution(xp: Any, a: Any, b: Any, upper: bool, unit_diagonal: bool) -> Any:
    """Substitution in halves, so that nearly all the work is matrix products."""
    n = a.shape[-1]
    if n <= 64:
        t = (xp.triu if upper else xp.tril)(a)
        if unit_diagonal:
            t = t - (xp.tril if upper else xp.triu)(t) + xp.eye(n, dtype=t.dtype)
        if upper:  # elimination finds nothing to eliminate and no reason to pivot
            return xp.linalg.solve(t, b)
        return xp.linalg.solve(t[..., ::-1, ::-1], b[..., ::-1, :])[..., ::-1, :]
    h = n // 2
    first, last = (slice(h, n), slice(0, h)) if upper else (slice(0, h), slice(h, n))
    x = _substitution(xp, a[..., first, first], b[..., first, :], upper, unit_diagonal)
    z = _substitution(xp, a[..., last, last], b[..., last, :] - a[..., last, first] @ x, upper, unit_diagonal)
    return xp.concatenate([z, x] if upper else [x, z], -2)


def _triangular_rule(g: Any, wanted: tuple, y: Any, a: Any, upper: bool, unit_diagonal: bool) -> tuple:
    b = solve_triangular(transposed(a), g, upper=not upper, unit_diagonal=unit_diagonal)
    if not wanted[0]:
        return None, b
    d = -(b @ transposed(y))
    off = 1 if unit_diagonal else 0
    return (triu(d, off) if upper else tril(d, -off)), b


_triangular = general(_substitution, whole=_triangular_rule, inputs=2, name="solve_triangular")


def solve_triangular(a: Any, b: Any, *, upper: bool = False, unit_diagonal: bool = False) -> Any:
    """The x with ``a @ x = b``, a triangular: only that triangle of a is read.

    Shapes: a (..., n, n), b (..., n, k) or (n,).
    Args:
        upper: which triangle.
        unit_diagonal: take the diagonal for ones.
    Raises:
        LinAlgError: a zero on the diagonal.
    Gradient: as ``solve``, the part outside the triangle 0.
    Example:
        >>> import minigrad as mg
        >>> mg.linalg.solve_triangular(mg.tensor([[2.0, 0.0], [1.0, 1.0]]), mg.tensor([2.0, 3.0]))
        Tensor([1., 2.], shape (2,), float32, cpu)
    """
    a, b, vector = _system("solve_triangular", a, b)
    return _unlifted(apply(_triangular, (a, b), bool(upper), bool(unit_diagonal)), vector)


# -- determinants -----------------------------------------------------------------------------------------------------
def _cofactors_kernel(xp: Any, x: Any) -> Any:
    """All cofactors by the singular value decomposition: accurate for singular matrices too, where det(x) x⁻ᵀ is 0/0."""
    u, s, vh = xp.linalg.svd(x)
    eye = xp.eye(s.shape[-1], dtype=bool)
    others = xp.where(eye, 1.0, s[..., None, :]).astype(s.dtype).prod(-1)  # the product of the other singular values
    turn = xp.linalg.det(u) * xp.linalg.det(vh)
    return (u.conj() * (others * turn[..., None])[..., None, :]) @ vh.conj()


def _cofactors_rule(g: Any, y: Any, x: Any) -> Any:
    along = reduce.sum(g * y, (-2, -1), True)
    return (along * y - y @ transposed(g) @ y) / _open(det(x))


def _open(g: Any) -> Any:
    return g.reshape((*g.shape, 1, 1))


_cofactors = general(_cofactors_kernel, _cofactors_rule, name="cofactors")
_det = general(lambda xp, x: xp.linalg.det(x), lambda g, x: _open(g) * apply(_cofactors, (x,)), name="det")


def det(x: Any) -> Any:
    """Determinant of square matrices.

    Shapes: x (..., n, n); y (...).
    Gradient: g times the cofactors, right for singular matrices too; the second order needs a regular one.
    Numerics: overflows for large n; see ``slogdet``.
    Source: Giles (2008), 2.2.4; the cofactors by a decomposition: G. W. Stewart, "On the adjugate matrix" (1998).
    Example:
        >>> import minigrad as mg
        >>> x = mg.tensor([[1.0, 0.0], [0.0, 0.0]], requires_grad=True)
        >>> mg.linalg.det(x).backward()
        >>> x.grad
        Tensor([[0., 0.],
                [0., 1.]], shape (2, 2), float32, cpu)
    """
    return apply(_det, (matrix("det", x, square=True),))


class SlogdetResult(NamedTuple):
    """Sign and logarithm of a determinant.

    Example:
        >>> import minigrad as mg
        >>> mg.linalg.slogdet(mg.tensor([[-1.0, 0.0], [0.0, 1.0]])).sign.item()
        -1.0
    """

    sign: Any
    logabsdet: Any


def _slogdet_rule(g: tuple, wanted: tuple, y: tuple, x: Any) -> tuple:
    turn, grow = g
    if y[0].dtype.kind != "c":
        if grow is None:
            return (zeros_of(x, x.shape),)
        return (_open(grow) * transposed(inv(x)),)
    # d log|det| = Re tr(x⁻¹dx),  d sign = sign i Im tr(x⁻¹dx)
    w = 0 if turn is None else turn * y[0]
    total = (0 if grow is None else grow) + (0 if turn is None else (w - conj(w)) * 0.5)
    return (_open(total) * transposed(inv(x)),)


_slogdet = general(lambda xp, x: tuple(xp.linalg.slogdet(x)), whole=_slogdet_rule, inputs=1, name="slogdet")


def slogdet(x: Any) -> SlogdetResult:
    """Sign and logarithm of the absolute value of the determinant, which may be too large for a number.

    Shapes: x (..., n, n); both outputs (...).
    Returns: ``sign`` (for complex x a number on the unit circle) and ``logabsdet``; 0 and -inf for a singular matrix.
    Gradient: of ``logabsdet`` ``g * inv(x).mT`` (LinAlgError for singular matrices); of a real ``sign`` 0.
    Source: Giles (2008), 2.2.4.
    Example:
        >>> import minigrad as mg
        >>> mg.linalg.slogdet(mg.tensor([[0.0, 1.0], [1.0, 0.0]])).sign.item()
        -1.0
    """
    return SlogdetResult(*apply(_slogdet, (matrix("slogdet", x, square=True),)))


# -- functions of a matrix --------------------------------------------------------------------------------------------
def matrix_power(x: Any, n: int) -> Any:
    """Product of n copies of a square matrix; the inverse's for negative n, the identity for 0.

    Shapes: x (..., m, m); y the same.
    Raises:
        LinAlgError: n is negative and a matrix singular.
    Example:
        >>> import minigrad as mg
        >>> mg.linalg.matrix_power(mg.tensor([[1.0, 1.0], [0.0, 1.0]]), 5)
        Tensor([[1., 5.],
                [0., 1.]], shape (2, 2), float32, cpu)
    """
    x = matrix("matrix_power", x, square=True)
    if isinstance(n, bool) or not hasattr(n, "__index__"):
        raise DTypeError(f"matrix_power: expected an integer exponent, got {n!r}")
    n = n.__index__()
    if n == 0:
        return identity_of(x)
    square, y = inv(x) if n < 0 else x, None
    n = abs(n)
    while n:  # by the binary digits of n
        if n & 1:
            y = square if y is None else matmul(y, square)
        n >>= 1
        if n:
            square = matmul(square, square)
    return y


_PADE = (
    *(64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0, 129060195264000.0, 10559470521600.0),
    *(670442572800.0, 33522128640.0, 1323241920.0, 40840800.0, 960960.0, 16380.0, 182.0, 1.0),
)
_THETA = 5.371920351148152  # up to this 1-norm the approximant of degree 13 is exact to float64


def _expm(xp: Any, x: Any) -> Any:
    """Scale x into the range of the Padé approximant, square the result back up: exp(x) = exp(x / 2^s)^(2^s)."""
    if x.dtype.kind in "biu":
        x = x.astype("float64")
    if not x.size:
        return x.copy()
    norm = abs(x).sum(-2).max(-1)
    s = xp.maximum(xp.frexp(norm / _THETA)[1], 0)
    x = x * xp.ldexp(xp.ones_like(norm), -s)[..., None, None]
    b, eye = _PADE, xp.eye(x.shape[-1], dtype=x.dtype)
    x2 = x @ x
    x4 = x2 @ x2
    x6 = x4 @ x2
    odd = x @ (x6 @ (b[13] * x6 + b[11] * x4 + b[9] * x2) + b[7] * x6 + b[5] * x4 + b[3] * x2 + b[1] * eye)
    even = x6 @ (b[12] * x6 + b[10] * x4 + b[8] * x2) + b[6] * x6 + b[4] * x4 + b[2] * x2 + b[0] * eye
    y = xp.linalg.solve(even - odd, even + odd)
    for k in range(int(s.max())):  # reads a value: a GPU waits here
        more = k < s
        y[more] = y[more] @ y[more]
    return y


def _expm_rule(g: Any, x: Any) -> Any:
    """exp([[xᵀ, g], [0, xᵀ]]) holds the derivative at xᵀ in direction g in its upper right block."""
    n, t = x.shape[-1], transposed(x)
    size = abs(raw(g)).max(axis=(-2, -1), keepdims=True) if raw(g).size else 1.0
    size = size + (size == 0)  # the derivative is linear in g: keep g from driving the scaling
    upper, lower = concat([t, g / size], axis=-1), concat([zeros_of(t, t.shape), t], axis=-1)
    return matrix_exp(concat([upper, lower], axis=-2))[..., :n, n:] * size


_matrix_exp = general(_expm, _expm_rule, name="matrix_exp")


def matrix_exp(x: Any) -> Any:
    """Exponential of square matrices, ``I + x + x @ x / 2 + ...``.

    Shapes: x (..., n, n); y the same.
    Gradient: the derivative of the exponential at ``x.mT`` in direction g, as a block of an exponential of twice the size.
    Numerics: Padé approximant of degree 13 with scaling and squaring.
    Source: N. Higham, "The scaling and squaring method for the matrix exponential revisited" (2005), algorithm 2.3 (degree 13 only);
        R. Mathias, "A chain rule for matrix functions and applications" (1996), for the gradient.
    Example:
        >>> import minigrad as mg
        >>> mg.linalg.matrix_exp(mg.tensor([[0.0, 1.0], [0.0, 0.0]]))
        Tensor([[1., 1.],
                [0., 1.]], shape (2, 2), float32, cpu)
    """
    return apply(_matrix_exp, (matrix("matrix_exp", x, square=True),))


__all__ = ["SlogdetResult", "det", "inv", "matrix_exp", "matrix_power", "slogdet", "solve", "solve_triangular"]
