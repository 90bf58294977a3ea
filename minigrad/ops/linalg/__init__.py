"""Linear algebra, ``mg.linalg``: norms, systems, determinants, decompositions. All of it takes stacks of matrices, (..., m, n)."""

from typing import Any

from .. import reduce
from ..axes import matrix_transpose
from ..contraction import tensordot
from ..diagonals import diagonal as _diagonal
from ..products import cross, matmul, multi_dot, outer, vecdot
from .decompositions import (
    EighResult,
    LstsqResult,
    QRResult,
    SVDResult,
    cholesky,
    eigh,
    eigvalsh,
    lstsq,
    matrix_rank,
    pinv,
    qr,
    svd,
    svdvals,
)
from .equations import SlogdetResult, det, inv, matrix_exp, matrix_power, slogdet, solve, solve_triangular
from .norms import cond, matrix_norm, norm, vector_norm


def diagonal(x: Any, offset: int = 0) -> Any:
    """Diagonals of matrices, above (offset > 0) or below the main one.

    Shapes: x (..., m, n); y (..., k).
    Example:
        >>> import minigrad as mg
        >>> mg.linalg.diagonal(mg.tensor([[1.0, 2.0], [3.0, 4.0]]), offset=1)
        Tensor([2.], shape (1,), float32, cpu)
    """
    return _diagonal(x, offset, -2, -1)


def trace(x: Any, offset: int = 0, dtype: Any = None) -> Any:
    """Sums of the diagonals of matrices.

    Shapes: x (..., m, n); y (...).
    Args: offset (above or below the main diagonal), dtype (x is cast to it first).
    Example:
        >>> import minigrad as mg
        >>> mg.linalg.trace(mg.tensor([[1.0, 2.0], [3.0, 4.0]])).item()
        5.0
    """
    return reduce.sum(diagonal(x, offset), -1, dtype=dtype)


__all__ = [
    "EighResult",
    "LstsqResult",
    "QRResult",
    "SVDResult",
    "SlogdetResult",
    "cholesky",
    "cond",
    "cross",
    "det",
    "diagonal",
    "eigh",
    "eigvalsh",
    "inv",
    "lstsq",
    "matmul",
    "matrix_exp",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "multi_dot",
    "norm",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "solve_triangular",
    "svd",
    "svdvals",
    "tensordot",
    "trace",
    "vecdot",
    "vector_norm",
]
