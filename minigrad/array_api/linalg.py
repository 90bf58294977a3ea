"""Linear algebra, the standard's extension."""

from typing import Any

from ..ops.axes import matrix_transpose
from ..ops.contraction import tensordot
from ..ops.linalg import diagonal, trace
from ..ops.linalg.decompositions import cholesky, eigh, eigvalsh, matrix_rank, pinv, qr, svdvals
from ..ops.linalg.decompositions import svd as _svd
from ..ops.linalg.equations import det, inv, matrix_power, slogdet, solve
from ..ops.linalg.norms import matrix_norm, vector_norm
from ..ops.products import cross, matmul, outer, vecdot


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
