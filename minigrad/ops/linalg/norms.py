"""Norms of vectors and matrices. At 0 their gradient is 0, to every order."""

import math
from typing import Any

from ...autograd.arguments import normal_axis, unexpected
from ...autograd.forms import apply, general
from ...autograd.op import compiled
from ...errors import ShapeError
from .. import reduce
from ..arithmetic import conj
from ..axes import moveaxis
from ..contraction import arraylike
from ..shape import reshape
from .decompositions import guarded_reciprocal, svdvals
from .equations import inv, matrix


def _p_norm(xp: Any, x: Any, p: float, axis: tuple[int, ...], keepdims: bool) -> Any:
    """(sum \\|x\\|^p)^(1/p); float16 is summed in float32, in which its squares do not overflow."""
    dtype = x.real.dtype
    if dtype.itemsize == 2:
        x = x.astype("float32")
    if p == 2:
        squares = x.real * x.real + x.imag * x.imag if x.dtype.kind == "c" else x * x
        return xp.sqrt(xp.add.reduce(squares, axis, keepdims=keepdims)).astype(dtype, copy=False)
    return (xp.add.reduce(abs(x) ** p, axis, keepdims=keepdims) ** (1.0 / p)).astype(dtype, copy=False)


def _p_rule(g: Any, y: Any, x: Any, shape: tuple, p: float, axis: tuple[int, ...]) -> Any:
    kept = tuple([1 if i in axis else n for i, n in enumerate(shape)])
    g, r = g.reshape(kept), guarded_reciprocal(y.reshape(kept))
    if p == 2:
        return g * r * (conj(x) if x.dtype.kind == "c" else x)
    from ..arithmetic import sign

    u = abs(x) * r
    return g * sign(x) * (u + (u == 0)) ** (p - 1)  # where x = 0, sign(x) makes it 0, whatever the power is


_p_op = general(_p_norm, _p_rule, name="vector_norm")
compiled("lines", _p_op)


def _inexact(x: Any) -> Any:
    x = arraylike(x)
    return x * 1.0 if x.dtype.kind in "biu" else x  # integers become float64, as in NumPy


def _order(name: str, ord: Any, expected: str) -> float:
    if isinstance(ord, bool) or not isinstance(ord, (int, float)) or ord != ord:
        raise ValueError(f"{name}: ord must be {expected}, got {ord!r}")
    return float(ord)


def vector_norm(x: Any, axis: Any = None, keepdims: bool = False, ord: float = 2, **other: Any) -> Any:
    """Norm of vectors, ``sum(abs(x)**ord) ** (1/ord)``.

    Args:
        axis: one or several axes; None: all of them.
        ord: a number; inf and -inf give the largest and smallest absolute value, 0 counts what is not 0 (without gradient).
    Gradient: at a vector of zeros 0; where single elements are 0, theirs is 0. Ties of inf and -inf share.
    Numerics: float16 is summed in float32. Squares overflow above 1e19 in float32, 1e154 in float64, as in NumPy.
    Example:
        >>> import minigrad as mg
        >>> mg.linalg.vector_norm(mg.tensor([3.0, 4.0])).item()
        5.0
    """
    if other:
        raise unexpected("vector_norm", other)
    x, p = _inexact(x), _order("vector_norm", ord, "a number")
    axes = normal_axis("vector_norm", axis, x.ndim)
    if p == math.inf:
        return reduce.max(abs(x), axes, keepdims=keepdims)
    if p == -math.inf:
        return reduce.min(abs(x), axes, keepdims=keepdims)
    if p == 0:
        return reduce.sum((x != 0).astype(x.real.dtype), axes, keepdims=keepdims)
    if p == 1:
        return reduce.sum(abs(x), axes, keepdims=keepdims)
    return apply(_p_op, (abs(x) if x.dtype.kind == "c" and p != 2 else x,), p, axes, bool(keepdims))


def matrix_norm(x: Any, keepdims: bool = False, ord: Any = "fro", **other: Any) -> Any:
    """Norm of matrices.

    Shapes: x (..., m, n); y (...), or (..., 1, 1) with keepdims.
    Args:
        ord: "fro" (root of the sum of squares), "nuc" (sum of the singular values), 2 and -2 (largest and smallest singular value),
            1 and -1 (largest and smallest sum of absolute values of a column), inf and -inf (of a row).
    Gradient: of "fro" at 0 it is 0; ties share equally.
    Example:
        >>> import minigrad as mg
        >>> mg.linalg.matrix_norm(mg.tensor([[1.0, -2.0], [3.0, 4.0]]), ord=1).item()
        6.0
    """
    if other:
        raise unexpected("matrix_norm", other)
    x = _inexact(x)
    n = x.ndim
    if n < 2:
        raise ShapeError(f"matrix_norm: expected a matrix or a stack of matrices, got shape {tuple(x.shape)}")
    if ord == "fro":
        return apply(_p_op, (x,), 2, (n - 2, n - 1), bool(keepdims))
    if ord == "nuc":
        y = reduce.sum(svdvals(x), -1)
    elif ord in (2, -2):
        y = (reduce.max if ord == 2 else reduce.min)(svdvals(x), -1)
    elif ord in (1, -1, math.inf, -math.inf):
        y = reduce.sum(abs(x), -2 if abs(ord) == 1 else -1)
        y = (reduce.max if ord > 0 else reduce.min)(y, -1)
    else:
        raise ValueError(f"matrix_norm: ord must be 'fro', 'nuc', 1, -1, 2, -2, inf or -inf, got {ord!r}")
    return reshape(y, (*y.shape, 1, 1)) if keepdims else y


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False, **other: Any) -> Any:
    """Norm of a vector or matrix, as NumPy's: one axis means vectors, two mean matrices.

    Args:
        ord: as in ``vector_norm`` or ``matrix_norm``; None: root of the sum of squares.
        axis: an axis or a pair; None: all of x, which needs one or two dimensions if ord is given.
    Gradient: at 0 it is 0.
    Example:
        >>> import minigrad as mg
        >>> x = mg.tensor([0.0, 0.0], requires_grad=True)
        >>> mg.linalg.norm(x).backward()
        >>> x.grad
        Tensor([0., 0.], shape (2,), float32, cpu)
    """
    if other:
        raise unexpected("norm", other)
    x = _inexact(x)
    if ord is None:
        return vector_norm(x, axis, keepdims)
    axes = normal_axis("norm", axis, x.ndim)
    if len(axes) == 1:
        return vector_norm(x, axes, keepdims, _order("norm", ord, "a number for vectors"))
    if len(axes) != 2:
        raise ShapeError(f"norm: ord={ord!r} needs one axis (vectors) or two (matrices), got {len(axes)} (shape {tuple(x.shape)})")
    y = matrix_norm(moveaxis(moveaxis(x, axes[0], -1), axes[1] - (axes[1] > axes[0]), -1), ord=ord)
    return reshape(y, tuple([1 if i in axes else n for i, n in enumerate(x.shape)])) if keepdims else y


def cond(x: Any, p: Any = None) -> Any:
    """Condition number ``norm(x, p) * norm(inv(x), p)``; by default the quotient of the extreme singular values.

    Shapes: x (..., m, n), square unless p is None, 2 or -2; y (...).
    Example:
        >>> import minigrad as mg
        >>> mg.linalg.cond(mg.tensor([[4.0, 0.0], [0.0, 2.0]])).item()
        2.0
    """
    if p is None or p in (2, -2):
        s = svdvals(x)
        y = reduce.max(s, -1) / reduce.min(s, -1)
        return 1.0 / y if p == -2 else y
    x = matrix("cond", x, square=True)
    return matrix_norm(x, ord=p) * matrix_norm(inv(x), ord=p)


__all__ = ["cond", "matrix_norm", "norm", "vector_norm"]
