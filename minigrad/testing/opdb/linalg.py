"""Rows of mg.linalg. Factors that are free in sign are compared by what does not depend on it."""

import math
from typing import Any

import numpy as np

from ...autograd.tensor import raw
from ...backend import namespace
from ...errors import DTypeError, ShapeError
from ..spec import OpSpec, S

LONG = ("float32", "float64")
SQUARE = [S((2, 3, 3)), S((3, 3)), S((1, 1)), S((2, 1, 2, 2))]
RECTANGLES = [S((2, 3, 2)), S((2, 3)), S((3, 3)), S((1, 3))]
NOT_SQUARE = (np.ones((2, 3)),)
SHORT = (np.ones((2, 2), "float16"),)


def bad_matrices(f: str) -> list[tuple]:
    """The bad calls of every function of square matrices."""
    return [
        (NOT_SQUARE, {}, ShapeError, (f, "square", "(2, 3)")),
        ((np.ones(3),), {}, ShapeError, (f, "(3,)")),
        (SHORT, {}, DTypeError, (f, "float16")),
    ]


def regular(x: Any, i: int) -> Any:
    """x far from singular."""
    return x + 3 * np.eye(x.shape[-1]) if i == 0 and x.ndim > 1 and x.shape[-1] == x.shape[-2] else x


def _mg() -> Any:
    import minigrad

    return minigrad


def _t(x: Any) -> Any:
    return np.swapaxes(x, -1, -2)


def _each(f: Any) -> Any:
    """A function of one matrix, for stacks."""

    def g(x: Any, *args: Any, **keywords: Any) -> Any:
        if x.ndim == 2:
            return f(x, *args, **keywords)
        parts = [g(v, *args, **keywords) for v in x]
        return tuple([np.stack(p) for p in zip(*parts, strict=True)]) if isinstance(parts[0], tuple) else np.stack(parts)

    return g


def _det(x: Any) -> Any:
    """By expansion along the first row."""
    if x.shape[0] == 1:
        return x[0, 0]
    minors = [np.delete(x[1:], j, 1) for j in range(len(x))]
    return np.asarray(sum((-1) ** j * x[0, j] * _det(m) for j, m in enumerate(minors)))


def _inv(x: Any) -> Any:
    """By the cofactors."""
    n = len(x)
    if n == 1:
        return 1 / x
    c = [[(-1) ** (i + j) * _det(np.delete(np.delete(x, i, 0), j, 1)) for j in range(n)] for i in range(n)]
    return np.array(c).T / _det(x)


def _slogdet(x: Any) -> Any:
    d = _det(x)
    return np.asarray(d / abs(d)), np.asarray(np.log(abs(d)))


def _solve(a: Any, b: Any) -> Any:
    return _each(_inv)(a) @ b


def _triangle(a: Any, upper: bool, unit_diagonal: bool) -> Any:
    t = np.triu(a) if upper else np.tril(a)
    return t * (1 - np.eye(a.shape[-1])) + np.eye(a.shape[-1]) if unit_diagonal else t


def _solve_triangular(a: Any, b: Any, upper: bool = False, unit_diagonal: bool = False) -> Any:
    return _solve(_triangle(a, upper, unit_diagonal), b)


def _series(x: Any) -> Any:
    """exp by its power series."""
    y = term = np.eye(x.shape[-1]) + 0 * x
    for k in range(1, 80):
        term = term @ x / k
        y = y + term
    return y


def _power(x: Any, n: int) -> Any:
    x = _each(_inv)(x) if n < 0 else x
    y = np.broadcast_to(np.eye(x.shape[-1]), x.shape)
    for _ in range(abs(n)):
        y = y @ x
    return y


def positive(x: Any) -> Any:
    """A positive definite matrix, of any x, by differentiable ops."""
    mg = _mg()
    return mg.add(mg.matmul(x, mg.matrix_transpose(x)), namespace(type(raw(x))).eye(x.shape[-1], dtype=x.dtype))


def symmetric(x: Any) -> Any:
    mg = _mg()
    return mg.multiply(mg.add(x, mg.matrix_transpose(x)), 0.5)


def _cholesky(x: Any, upper: bool = False) -> Any:
    x, y = x @ x.T + np.eye(len(x)), np.zeros_like(x)
    for i in range(len(x)):
        for j in range(i + 1):
            rest = x[i, j] - y[i, :j] @ y[j, :j]
            y[i, j] = np.sqrt(rest) if i == j else rest / y[j, j]
    return y.T if upper else y


def _qr_signed(x: Any, mode: str = "reduced") -> Any:
    """The factors with a positive diagonal of R."""
    mg = _mg()
    q, r = mg.linalg.qr(x, mode=mode)
    k = min(x.shape[-2:])
    sign = mg.sign(mg.linalg.diagonal(r[..., :k, :k]))
    return mg.multiply(q, sign[..., None, :]), mg.multiply(r, sign[..., None])


def _gram_schmidt(x: Any, mode: str = "reduced") -> Any:
    q = np.zeros((x.shape[0], min(x.shape)))
    for j in range(q.shape[1]):
        v = x[:, j] - q[:, :j] @ (q[:, :j].T @ x[:, j])
        q[:, j] = v / np.sqrt(v @ v)
    return q, q.T @ x


def _svd_unsigned(x: Any, full_matrices: bool = False) -> Any:
    mg = _mg()
    u, s, vh = mg.linalg.svd(x, full_matrices)
    return mg.abs(u), s, mg.abs(vh)


def _singular(x: Any, full_matrices: bool = False) -> Any:
    """Singular values and vectors by the eigenvectors of the smaller of xᵀx and x xᵀ."""
    if x.shape[0] < x.shape[1]:
        u, s, vh = _singular(x.T)
        return vh.T, s, u.T
    w, v = np.linalg.eigh(x.T @ x)
    v, s = v[:, ::-1], np.sqrt(w[::-1])
    return abs(x @ v / s), s, abs(v.T)


def _eigh_unsigned(x: Any, UPLO: str = "L") -> Any:
    mg = _mg()
    w, v = mg.linalg.eigh(symmetric(x), UPLO)
    return w, mg.abs(v)


def _eigh(x: Any, UPLO: str = "L") -> Any:
    w, v = np.linalg.eig((x + x.T) / 2)
    order = np.argsort(w.real)
    return w.real[order], abs(v.real[:, order])


def _pinv(x: Any) -> Any:
    if x.shape[0] < x.shape[1]:
        return _pinv(x.T).T
    return np.linalg.inv(x.T @ x) @ x.T


def _lstsq(a: Any, b: Any) -> Any:
    x, residuals, rank, s = np.linalg.lstsq(a, b)
    if a.shape[0] <= a.shape[1]:
        residuals = ((a @ x - b) ** 2).sum(0, keepdims=b.ndim == 1)
    return x, residuals, np.asarray(rank), s


def _vector_norm(x: Any, axis: Any = None, keepdims: bool = False, ord: float = 2) -> Any:
    a = abs(x)
    if ord in (math.inf, -math.inf):
        return (a.max if ord > 0 else a.min)(axis, keepdims=keepdims)
    if ord == 0:
        return (a != 0).sum(axis, keepdims=keepdims).astype(float)
    return (a**ord).sum(axis, keepdims=keepdims) ** (1 / ord)


def _matrix_norm(x: Any, keepdims: bool = False, ord: Any = "fro") -> Any:
    return np.linalg.norm(x, ord, (-2, -1), keepdims)


VECTORS = [S((2, 3)), S((2, 3, 2), axis=(0, -1)), S((2, 3), axis=1, keepdims=True), S((), axis=()), S((4,), axis=0)]
ORDERS = [S((2, 3), axis=1, ord=p) for p in (1, 3, 2.5, 1.5, 0.5, -1, math.inf, -math.inf)]
MATRIX_ORDERS: list[Any] = ["fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf]
SINGULAR = "factors are free in sign; between equal values the vectors' part of the gradient is 0"

SPECS = [
    OpSpec("linalg.inv", _each(_inv), SQUARE, prepare=regular, dtypes=LONG, complex=True, errors=bad_matrices("inv")),
    OpSpec(
        "linalg.solve",
        lambda a, b: _solve(a, b),
        [S((2, 3, 3), (2, 3, 2)), S((3, 3), (3,)), S((3, 3), (3, 2)), S((2, 3, 3), (3,)), S((2, 3, 3), (3, 2)), S((2, 2), (3, 2, 1))],
        prepare=regular,
        dtypes=LONG,
        complex=True,
        errors=[
            ((np.eye(2), np.ones(3)), {}, ShapeError, ("solve", "(2, 2)", "(3,)")),
            ((np.ones((2, 3)), np.ones(2)), {}, ShapeError, "square"),
        ],
    ),
    OpSpec(
        "linalg.solve_triangular",
        _solve_triangular,
        [
            *(
                S((2, 3, 3), (2, 3, 2)),
                S((3, 3), (3,)),
                S((3, 3), (3, 2), upper=True),
                S((2, 3, 3), (3, 2), upper=True, unit_diagonal=True),
            ),
            *(S((3, 3), (2, 3, 1), unit_diagonal=True),),
        ],
        prepare=regular,
        dtypes=LONG,
        complex=True,
        errors=[((np.eye(2), np.ones(3)), {}, ShapeError, ("solve_triangular", "(3,)"))],
    ),
    OpSpec(
        "linalg.det",
        _each(_det),
        SQUARE,
        dtypes=LONG,
        complex=True,
        errors=bad_matrices("det"),
        kinks="none",
    ),
    OpSpec("linalg.slogdet", _each(_slogdet), SQUARE, prepare=regular, dtypes=LONG, complex=True, errors=bad_matrices("slogdet")),
    OpSpec(
        "linalg.matrix_power",
        _power,
        [S((2, 3, 3), 2), *[S((3, 3), n) for n in (0, 1, 3, 5, -1, -2)]],
        prepare=regular,
        dtypes=LONG,
        complex=True,
        errors=[
            ((np.eye(2), 0.5), {}, DTypeError, ("matrix_power", "0.5")),
            ((np.ones((2, 3)), 2), {}, ShapeError, ("matrix_power", "square")),
        ],
    ),
    OpSpec(
        "linalg.matrix_exp",
        _series,
        [*SQUARE, S(np.array([[0.0, 1.0], [0.0, 0.0]])), S(np.zeros((2, 2))), S(np.array([[1.0, 9.0], [-2.0, 4.0]]))],
        dtypes=LONG,
        complex=True,
        errors=bad_matrices("matrix_exp"),
    ),
    OpSpec(
        "linalg.cholesky",
        _each(_cholesky),
        [*SQUARE, S((3, 3), upper=True)],
        op=lambda x, **keywords: _mg().linalg.cholesky(positive(x), **keywords),
        dtypes=LONG,
    ),
    OpSpec(
        "linalg.qr",
        _each(_gram_schmidt),
        [*RECTANGLES, S((2, 3), mode="complete")],
        op=_qr_signed,
        dtypes=LONG,
        kinks="independent columns",
    ),
    OpSpec(
        "linalg.svd",
        _each(_singular),
        [*RECTANGLES, S((2, 2), full_matrices=True)],
        op=_svd_unsigned,
        dtypes=LONG,
        single=2e-4,
        kinks=SINGULAR,
    ),
    OpSpec("linalg.svdvals", _each(lambda x: _singular(x)[1]), RECTANGLES, dtypes=LONG),
    OpSpec("linalg.eigh", _each(_eigh), [*SQUARE, S((3, 3), "U")], op=_eigh_unsigned, dtypes=LONG, kinks=SINGULAR),
    OpSpec(
        "linalg.eigvalsh",
        _each(lambda x: _eigh(x)[0]),
        SQUARE,
        op=lambda x: _mg().linalg.eigvalsh(symmetric(x)),
        dtypes=LONG,
        kinks=SINGULAR,
    ),
    OpSpec("linalg.pinv", _each(_pinv), RECTANGLES, dtypes=LONG, single=1e-4),
    OpSpec(
        "linalg.lstsq",
        _lstsq,
        [S((4, 2), (4,)), S((4, 2), (4, 3)), S((2, 3), (2,))],
        dtypes=LONG,
        empty="skip",
        single=1e-4,
        errors=[((np.ones((3, 2)), np.ones(2)), {}, ShapeError, ("lstsq", "(3, 2)", "(2,)"))],
    ),
    OpSpec(
        "linalg.matrix_rank",
        lambda x: np.asarray(np.linalg.matrix_rank(x)),
        [S((2, 3, 3)), S((3, 2)), S(np.ones((3, 3))), S(np.zeros((2, 2)))],
        order=0,
        dtypes=LONG,
    ),
    OpSpec(
        "linalg.vector_norm",
        _vector_norm,
        [*VECTORS, *ORDERS],
        complex=True,
        kinks="at 0 the gradient is 0",
        errors=[
            ((np.ones((2, 3)),), {"axis": 2}, ShapeError, ("vector_norm", "axis 2")),
            ((np.ones((2, 3)),), {"dim": 1}, TypeError, ("vector_norm", "use axis=")),
            ((np.ones((2, 3)),), {"ord": "fro"}, ValueError, ("vector_norm", "'fro'")),
        ],
    ),
    OpSpec(
        "linalg.matrix_norm",
        _matrix_norm,
        [S((2, 3, 2), ord=p) for p in MATRIX_ORDERS] + [S((2, 3), keepdims=True), S((2, 3), ord=2, keepdims=True)],
        dtypes=LONG,
        empty="works",
        kinks="at 0 the gradient of 'fro' is 0",
        errors=[
            ((np.ones((2, 3)),), {"ord": 3}, ValueError, ("matrix_norm", "3")),
            ((np.ones(3),), {}, ShapeError, ("matrix_norm", "(3,)")),
        ],
    ),
    OpSpec(
        "linalg.norm",
        np.linalg.norm,
        [
            *(S((2, 3)), S((2, 3), axis=1, keepdims=True), S((2, 3, 2), axis=(0, 2)), S((2, 3, 2)), S((4,), 3), S((2, 3), "nuc")),
            *(
                S((2, 3, 4), 1, axis=(2, 0)),
                S((2, 3, 4), 2, axis=(0, 1), keepdims=True),
                S((2, 3, 4), math.inf, 1),
                S((3, 3), -2),
                S((2, 3), math.inf),
            ),
        ],
        dtypes=LONG,
        kinks="at 0 the gradient is 0",
        errors=[
            ((np.ones((2, 3, 4)), 2), {}, ShapeError, ("norm", "3", "(2, 3, 4)")),
            ((np.ones((2, 3)),), {"dim": 1}, TypeError, ("norm", "use axis=")),
        ],
    ),
    OpSpec(
        "linalg.cond",
        np.linalg.cond,
        [S((2, 3, 3)), S((3, 2)), S((3, 3), 1), S((3, 3), "fro"), S((3, 3), -2)],
        prepare=regular,
        dtypes=LONG,
        empty="works",
        op=lambda x, p=None: _mg().linalg.cond(x, p),
    ),
    OpSpec("linalg.diagonal", lambda x, offset=0: np.diagonal(x, offset, -2, -1), [S((2, 3, 3)), S((2, 3), 1), S((3, 2), -1)]),
    OpSpec("linalg.trace", lambda x, offset=0: np.trace(x, offset, -2, -1), [S((2, 3, 3)), S((2, 3), 1)], complex=True),
]
