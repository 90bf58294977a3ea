"""Affine maps."""

from typing import Any

from ..ops.fused import linear
from . import init
from .module import Module
from .parameter import Parameter, blank


class Linear(Module):
    """y = x W^T + b.

    Shapes: x (..., in_features); y (..., out_features); weight (out_features, in_features); bias (out_features,).

    Args:
        in_features, out_features: lengths of the last axis of x and y.
        bias: whether b is there.
        device, dtype: where the parameters are made, and of what.

    Source:
        Initial values as in PyTorch: uniform within 1 / sqrt(in_features) for both.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.Linear(3, 2)(mg.tensor([[1.0, 2.0, 3.0]])).shape
        (1, 2)
    """

    bias: Parameter | None

    def __init__(self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None):
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = blank((out_features, in_features), dtype, device)
        self.register_parameter("bias", blank((out_features,), dtype, device) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        init.layer_(self.weight, self.bias)

    def forward(self, x: Any) -> Any:
        return linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


__all__ = ["Linear"]
