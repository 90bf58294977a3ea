"""Decompositions of real matrices: Cholesky, QR, singular values, eigenvalues; what is built on them.

Their factors are not unique: a sign, or a rotation among equal singular or eigenvalues, is free. The gradient of a function is right
where the function does not depend on that choice. Where two values are equal (to rounding), 1 / (difference) is taken for 0, so that
gradients stay finite; they are right for functions that do not tell the equal ones apart, such as a sum over them.
"""

from typing import Any, NamedTuple

import numpy as np

from ...autograd import Tensor
from ...autograd.forms import apply, general
from ...autograd.tensor import raw, wrap
from ...backend.arrays import namespace
from ...errors import GraphError, ShapeError
from .. import reduce
from ..arithmetic import conj
from ..axes import matrix_transpose
from ..contraction import arraylike
from ..diagonals import tril
from ..joining import concat
from ..products import matmul, transposed
from ..shape import reshape
from .equations import matrix, solve_triangular, zeros_of


def _reciprocal(xp: Any, x: Any, floor: Any) -> Any:
    """1/x, and 0 where \\|x\\| <= floor."""
    large = abs(x) > floor
    return xp.where(large, 1.0 / xp.where(large, x, 1.0), 0.0).astype(x.dtype)


_reciprocal_op = general(_reciprocal, lambda g, y: -(g * y * y), name="guarded_reciprocal")


def guarded_reciprocal(x: Any, floor: Any = 0.0) -> Any:
    """1/x where it exceeds ``floor`` in absolute value, else 0 with gradient 0."""
    return apply(_reciprocal_op, (x,), floor)


def _differences(w: Any, n: int) -> Any:
    """The matrix 1 / (w_j - w_i), 0 where two values are equal to rounding."""
    a = raw(w)
    size = abs(a[..., :1]) + abs(a[..., -1:])  # they are sorted
    return guarded_reciprocal(_row(w) - _column(w), size[..., None] * float(np.finfo(a.dtype).eps * n))


def _row(w: Any) -> Any:
    return w.reshape((*w.shape[:-1], 1, w.shape[-1]))


def _column(w: Any) -> Any:
    return w.reshape((*w.shape, 1))


# -- Cholesky and QR --------------------------------------------------------------------------------------------------
def _cholesky_rule(g: Any, y: Any) -> Any:
    m = transposed(y) @ g
    half = (tril(m) + tril(m, -1)) * 0.5  # the lower triangle, half of the diagonal
    s = solve_triangular(transposed(y), half, upper=True)  # y⁻ᵀ half
    s = solve_triangular(transposed(y), transposed(s), upper=True)  # (y⁻ᵀ half y⁻¹)ᵀ
    return (s + transposed(s)) * 0.5


_cholesky = general(lambda xp, x: xp.linalg.cholesky(x), _cholesky_rule, name="cholesky")


def cholesky(x: Any, *, upper: bool = False) -> Any:
    """Triangular factor of symmetric positive definite matrices: ``y @ y.mT = x``, y lower triangular.

    Shapes: x (..., n, n), of which only the lower triangle is read; y the same.
    Args:
        upper: give the (conjugate) transpose, ``y.mT @ y = x``.
    Raises:
        LinAlgError: a matrix is not positive definite.
    Gradient: symmetric, as for a symmetric change of x.
    Source: I. Murray, "Differentiation of the Cholesky decomposition" (2016), eq. 9 and 10.
    Example:
        >>> import minigrad as mg
        >>> mg.linalg.cholesky(mg.tensor([[4.0, 2.0], [2.0, 2.0]]))
        Tensor([[2., 0.],
                [1., 1.]], shape (2, 2), float32, cpu)
    """
    y = apply(_cholesky, (matrix("cholesky", x, square=True, real=True, constant=True),))
    return matrix_transpose(conj(y) if y.dtype.kind == "c" else y) if upper else y


class QRResult(NamedTuple):
    """Orthogonal and upper triangular factor.

    Example:
        >>> import minigrad as mg
        >>> q, r = mg.linalg.qr(mg.eye(2))
        >>> q.shape, r.shape
        ((2, 2), (2, 2))
    """

    Q: Any
    R: Any


def _qr_rule(g: tuple, wanted: tuple, y: tuple, mode: str) -> tuple:
    (gq, gr), (q, r) = g, y
    k, n = q.shape[-1], r.shape[-1]
    if k > n:
        raise GraphError("qr: mode='complete' has no gradient for tall matrices, as their extra columns are arbitrary; use mode='reduced'")
    if wide := n > k:  # x = [u v]: only u is decomposed, v = q r2
        r, r2 = r[..., :k], r[..., k:]
        if gr is not None:
            gr, g2 = gr[..., :k], gr[..., k:]
            more = q @ (r2 @ transposed(g2))
            gq = more if gq is None else gq + more
    m = 0 if gr is None else r @ transposed(gr)
    if gq is not None:
        m = m - transposed(gq) @ q
    m = q @ (tril(m) + transposed(tril(m, -1)))
    d = transposed(solve_triangular(r, transposed(m if gq is None else gq + m), upper=True))
    if not wide:
        return (d,)
    return (concat([d, q @ g2 if gr is not None else zeros_of(d, (*q.shape[:-1], n - k))], axis=-1),)


_qr = general(lambda xp, x, mode: tuple(xp.linalg.qr(x, mode)), whole=_qr_rule, inputs=1, name="qr")


def qr(x: Any, *, mode: str = "reduced") -> QRResult:
    """``Q @ R = x``, the columns of Q orthonormal, R upper triangular.

    Shapes: x (..., m, n), k = min(m, n); Q (..., m, k), R (..., k, n).
    Args:
        mode: "reduced"; or "complete", Q (..., m, m), R (..., m, n), without gradient where m > n.
    Gradient: needs the first k columns of x to be independent (LinAlgError).
    Source: S. Walter, L. Lehmann, "Algorithmic differentiation of linear algebra functions with application in optimum experimental
        design" (2010); wide matrices: J. Roberts, S. Roberts, "QR and LQ decomposition matrix backpropagation algorithms" (2020).
    Example:
        >>> import minigrad as mg
        >>> q, r = mg.linalg.qr(mg.tensor([[3.0, 1.0], [4.0, 2.0]]))
        >>> abs(r[0, 0].item())
        5.0
    """
    if mode not in ("reduced", "complete"):
        raise ValueError(f"qr: mode must be 'reduced' or 'complete', got {mode!r}")
    return QRResult(*apply(_qr, (matrix("qr", x, real=True, constant=True),), mode))


# -- singular values --------------------------------------------------------------------------------------------------
class SVDResult(NamedTuple):
    """Left singular vectors (columns), singular values (falling), right singular vectors (rows).

    Example:
        >>> import minigrad as mg
        >>> mg.linalg.svd(mg.tensor([[2.0, 0.0], [0.0, 3.0]])).S
        Tensor([3., 2.], shape (2,), float32, cpu)
    """

    U: Any
    S: Any
    Vh: Any


def _svd_rule(g: tuple, wanted: tuple, y: tuple, shape: tuple, full_matrices: bool) -> tuple:
    """With skew parts Ku of uᵀgu and Kv of vᵀgv:  gx = u [(Ku + Kv) / (s_j - s_i) + (Ku - Kv) / (s_j + s_i) + diag(gs)] vᵀ + ...

    This splits the usual 1 / (s_j² - s_i²), so that the half which has a limit at equal singular values keeps it.
    """
    (gu, gs, gv), (u, s, vh) = g, y
    k, m, n = s.shape[-1], shape[-2], shape[-1]
    if full_matrices and m != n:
        raise GraphError("svd: full_matrices=True has no gradient for matrices that are not square; use full_matrices=False")
    d = None if gs is None else (u * _row(gs)) @ vh
    if gu is None and gv is None:
        return (d,)
    floor = raw(s)[..., :1] * float(np.finfo(s.dtype).eps * max(m, n))
    ku = 0 if gu is None else _skew(transposed(u) @ gu)
    kv = 0 if gv is None else _skew(vh @ transposed(gv))
    core = (ku + kv) * _differences(s, max(m, n)) + (ku - kv) * guarded_reciprocal(_row(s) + _column(s), floor[..., None])
    parts = [d, u @ core @ vh]
    if gu is not None and m > k:
        a = gu * _row(guarded_reciprocal(s, floor))
        parts.append((a - u @ (transposed(u) @ a)) @ vh)
    if gv is not None and n > k:
        b = gv * _column(guarded_reciprocal(s, floor))
        parts.append(u @ (b - (b @ transposed(vh)) @ vh))
    total = parts[1]
    for p in (parts[0], *parts[2:]):
        total = total if p is None else total + p
    return (total,)


def _skew(x: Any) -> Any:
    return (x - transposed(x)) * 0.5


_svd = general(lambda xp, x, full_matrices: tuple(xp.linalg.svd(x, full_matrices)), whole=_svd_rule, inputs=1, name="svd")


def svd(x: Any, full_matrices: bool = False) -> SVDResult:
    """Singular value decomposition ``(U * S) @ Vh = x``.

    Shapes: x (..., m, n), k = min(m, n); U (..., m, k), S (..., k), Vh (..., k, n).
    Args:
        full_matrices: U (..., m, m) and Vh (..., n, n), with gradient for square matrices only. (NumPy's default is True.)
    Gradient: right for functions that do not depend on the signs of the vectors. Between equal singular values, and between a zero one
        and the space outside, the vectors' part is taken for 0.
    Source: J. Townsend, "Differentiating the singular value decomposition" (2016); Giles (2008), 3.4.
    Example:
        >>> import minigrad as mg
        >>> mg.linalg.svd(mg.tensor([[0.0, 2.0], [1.0, 0.0]])).S
        Tensor([2., 1.], shape (2,), float32, cpu)
    """
    return SVDResult(*apply(_svd, (matrix("svd", x, real=True, constant=True),), bool(full_matrices)))


def svdvals(x: Any) -> Any:
    """Singular values, falling.

    Shapes: x (..., m, n); y (..., min(m, n)).
    Gradient: ``(U * g) @ Vh``.
    Example:
        >>> import minigrad as mg
        >>> mg.linalg.svdvals(mg.tensor([[2.0, 0.0], [0.0, -3.0]]))
        Tensor([3., 2.], shape (2,), float32, cpu)
    """
    return svd(x).S


# -- eigenvalues ------------------------------------------------------------------------------------------------------
class EighResult(NamedTuple):
    """Eigenvalues (rising) and eigenvectors (columns).

    Example:
        >>> import minigrad as mg
        >>> mg.linalg.eigh(mg.tensor([[3.0, 0.0], [0.0, 2.0]])).eigenvalues
        Tensor([2., 3.], shape (2,), float32, cpu)
    """

    eigenvalues: Any
    eigenvectors: Any


def _eigh_rule(g: tuple, wanted: tuple, y: tuple) -> tuple:
    (gw, gv), (w, v) = g, y
    d = None if gw is None else (v * _row(gw)) @ transposed(v)
    if gv is None:
        return (d,)
    core = v @ (_skew(transposed(v) @ gv) * _differences(w, w.shape[-1])) @ transposed(v)
    return (core if d is None else core + d,)


_eigh = general(lambda xp, x, UPLO: tuple(xp.linalg.eigh(x, UPLO)), whole=_eigh_rule, inputs=1, name="eigh")


def eigh(x: Any, UPLO: str = "L") -> EighResult:
    """Eigenvalues and eigenvectors of symmetric matrices: ``x @ v = v * w``.

    Shapes: x (..., n, n); eigenvalues (..., n), eigenvectors (..., n, n).
    Args:
        UPLO: the triangle that is read, "L" or "U".
    Gradient: symmetric, as for a symmetric change of x; right for functions that do not depend on the signs of the vectors. Between
        equal eigenvalues the vectors' part is taken for 0.
    Source: Giles (2008), 3.1; M. Seeger et al., "Auto-differentiating linear algebra" (2017).
    Example:
        >>> import minigrad as mg
        >>> mg.linalg.eigh(mg.tensor([[0.0, 1.0], [1.0, 0.0]])).eigenvalues
        Tensor([-1.,  1.], shape (2,), float32, cpu)
    """
    if UPLO not in ("L", "U"):
        raise ValueError(f"eigh: UPLO must be 'L' or 'U', got {UPLO!r}")
    return EighResult(*apply(_eigh, (matrix("eigh", x, square=True, real=True, constant=True),), UPLO))


def eigvalsh(x: Any, UPLO: str = "L") -> Any:
    """Eigenvalues of symmetric matrices, rising.

    Shapes: x (..., n, n); y (..., n).
    Gradient: ``(v * g) @ v.mT``, v the eigenvectors.
    Example:
        >>> import minigrad as mg
        >>> mg.linalg.eigvalsh(mg.tensor([[3.0, 0.0], [0.0, 2.0]]))
        Tensor([2., 3.], shape (2,), float32, cpu)
    """
    return eigh(x, UPLO).eigenvalues


# -- rank, pseudo-inverse, least squares ------------------------------------------------------------------------------
def _pinv_rule(g: Any, y: Any, x: Any) -> Any:
    t, gt = transposed(y), transposed(g)
    left = gt @ y @ t  # (I - x y) gᵀ y yᵀ + yᵀ y gᵀ (I - y x) - yᵀ g yᵀ
    right = t @ y @ gt
    return left - x @ (y @ left) + right - (right @ y) @ x - t @ g @ t


_pinv = general(lambda xp, x, rtol: xp.linalg.pinv(x, rtol), _pinv_rule, name="pinv")


def _rtol(x: Any, rtol: Any) -> Any:
    kind = x.dtype if x.dtype.kind in "fc" else np.float64
    return float(np.finfo(kind).eps) * max(x.shape[-2:]) if rtol is None else raw(rtol)


def pinv(x: Any, rtol: Any = None) -> Any:
    """Moore-Penrose pseudo-inverse.

    Shapes: x (..., m, n); y (..., n, m).
    Args:
        rtol: singular values up to this part of the largest count as 0; default: max(m, n) times the rounding unit. May be an array,
            one for each matrix.
    Gradient: that of a change which keeps the rank; where the rank can change, y jumps.
    Source: G. Golub, V. Pereyra, "The differentiation of pseudo-inverses and nonlinear least squares problems whose variables
        separate" (1973), eq. 4.12.
    Example:
        >>> import minigrad as mg
        >>> mg.linalg.pinv(mg.tensor([[2.0], [0.0]]))
        Tensor([[0.5, 0. ]], shape (1, 2), float32, cpu)
    """
    x = matrix("pinv", x, real=True, constant=True)
    return apply(_pinv, (x,), _rtol(x, rtol))


def matrix_rank(x: Any, rtol: Any = None) -> Any:
    """Number of singular values above ``rtol`` times the largest. No gradient.

    Shapes: x (..., m, n); y (...), integers.
    Args:
        rtol: default: max(m, n) times the rounding unit. May be an array, one for each matrix.
    Example:
        >>> import minigrad as mg
        >>> int(mg.linalg.matrix_rank(mg.tensor([[1.0, 2.0], [2.0, 4.0]])))
        1
    """
    x = matrix("matrix_rank", x)
    a = raw(x)
    return _rank(x, namespace(type(a)).linalg.svd(a, compute_uv=False), rtol)


def _rank(x: Any, s: Any, rtol: Any) -> Any:
    """How many of the singular values s of x count: a constant, a Tensor if x is one."""
    rtol = _rtol(x, rtol)
    rank = namespace(type(s)).asarray((s > s[..., :1] * (rtol if np.ndim(rtol) == 0 else rtol[..., None])).sum(-1))
    return wrap(rank, None) if isinstance(x, Tensor) else rank


class LstsqResult(NamedTuple):
    """Solution, sums of squared residuals, rank, singular values.

    Example:
        >>> import minigrad as mg
        >>> fit = mg.linalg.lstsq(mg.tensor([[1.0], [1.0]]), mg.tensor([[1.0], [3.0]]))
        >>> round(fit.x.item(), 4), round(fit.residuals.item(), 4)
        (2.0, 2.0)
    """

    x: Any
    residuals: Any
    rank: Any
    singular_values: Any


def lstsq(a: Any, b: Any, rtol: float | None = None) -> LstsqResult:
    """The x for which ``a @ x`` is nearest to b; among several, the shortest.

    Shapes: a (..., m, n), b (..., m, k) or a single vector (m,); x (..., n, k) or (n,).
    Args:
        rtol: singular values up to this part of the largest count as 0; default: max(m, n) times the rounding unit.
    Returns: x, the sums of squares of ``b - a @ x`` over its rows (NumPy leaves them out where a is not of full column rank), the rank
        of a and its singular values.
    Gradient: of x, the residuals and the singular values; for x that of ``pinv(a) @ b``.
    Example:
        >>> import minigrad as mg
        >>> mg.linalg.lstsq(mg.tensor([[1.0], [0.0]]), mg.tensor([2.0, 3.0])).x
        Tensor([2.], shape (1,), float32, cpu)
    """
    a, b = matrix("lstsq", a, real=True), arraylike(b)
    vector = b.ndim == 1
    if not b.ndim or b.shape[0 if vector else -2] != a.shape[-2]:
        raise ShapeError(f"lstsq: the rows of a and b must be equally many (a {tuple(a.shape)}, b {tuple(b.shape)})")
    columns = reshape(b, (b.shape[0], 1)) if vector else b
    x = matmul(pinv(a, rtol), columns)
    off = columns - matmul(a, x)
    residuals = reduce.sum(off * off, -2)
    s = svdvals(a)
    return LstsqResult(reshape(x, x.shape[:-1]) if vector else x, residuals, _rank(a, raw(s), rtol), s)


__all__ = [
    *("EighResult", "LstsqResult", "QRResult", "SVDResult", "cholesky", "eigh", "eigvalsh", "lstsq", "matrix_rank", "pinv", "qr"),
    *("svd", "svdvals"),
]
