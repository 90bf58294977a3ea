"""A map that is linear in each of two inputs."""

from typing import Any

from ...errors import ShapeError
from ...ops.axes import permute_dims
from ...ops.fused import given, linear
from ...ops.products import matmul
from ...ops.shape import reshape


def bilinear(x1: Any, x2: Any, weight: Any, bias: Any = None) -> Any:
    """y_o = x1^T W_o x2 + b_o.

    Shapes: x1 (..., in1); x2 (..., in2), with the same leading axes; weight (out, in1, in2); bias (out,); y (..., out).

    Raises:
        ShapeError: an input does not have the features of the weight, or the leading axes differ.

    Numerics: one product of matrices with x1, one of small matrices for each sample with x2.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.bilinear(mg.tensor([[1.0, 2.0]]), mg.tensor([[3.0]]), mg.tensor([[[1.0], [1.0]]])).tolist()
        [[9.0]]
    """
    x1, x2, weight = given(x1), given(x2), given(weight)
    if len(weight.shape) != 3:
        raise ShapeError(f"bilinear: weight must be (out, in1, in2), got shape {tuple(weight.shape)}")
    out, a, b = weight.shape
    for name, x, n in (("x1", x1, a), ("x2", x2, b)):
        if not x.shape or x.shape[-1] != n:
            raise ShapeError(f"bilinear: {name} {tuple(x.shape)} must end in the {n} features of weight {tuple(weight.shape)}")
    if x1.shape[:-1] != x2.shape[:-1]:
        raise ShapeError(f"bilinear: x1 {tuple(x1.shape)} and x2 {tuple(x2.shape)} must have the same leading axes")
    if bias is not None and tuple(bias.shape) != (out,):
        raise ShapeError(f"bilinear: bias has shape {tuple(bias.shape)}, weight {tuple(weight.shape)} expects ({out},)")
    lead = tuple(x1.shape[:-1])
    half = linear(x1, reshape(permute_dims(weight, (0, 2, 1)), (out * b, a)))
    y = reshape(matmul(reshape(half, (*lead, out, b)), reshape(x2, (*lead, b, 1))), (*lead, out))
    return y if bias is None else y + bias


__all__ = ["bilinear"]
