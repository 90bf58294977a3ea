"""Linear algebra, the standard's extension."""

from typing import Any

from ..ops.linalg import (
    cholesky,
    cross,
    det,
    diagonal,
    eigh,
    eigvalsh,
    inv,
    matmul,
    matrix_norm,
    matrix_power,
    matrix_rank,
    matrix_transpose,
    outer,
    pinv,
    qr,
    slogdet,
    solve,
    svdvals,
    tensordot,
    trace,
    vecdot,
    vector_norm,
)
from ..ops.linalg import svd as _svd


def svd(x: Any, /, *, full_matrices: bool = True) -> Any:
    """Singular value decomposition; unlike ``mg.linalg.svd``, with full matrices if not told otherwise."""
    return _svd(x, full_matrices)


__all__ = [
    "cholesky",
    "cross",
    "det",
    "diagonal",
    "eigh",
    "eigvalsh",
    "inv",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensordot",
    "trace",
    "vecdot",
    "vector_norm",
]
