"""Affine maps."""

from typing import Any

from ..ops.fused import linear
from . import init as initial
from .module import Module
from .parameter import Parameter, blank, size


class Linear(Module):
    """y = x W^T + b.

    Shapes: x (..., in_features); y (..., out_features); weight (out_features, in_features); bias (out_features,).

    Args:
        in_features, out_features: lengths of the last axis of x and y.
        bias: whether b is there.
        device, dtype: where the parameters are made, and of what.
        init: what fills the weight: one of the classes of ``nn.init``, or any function of a tensor. The bias is then zero, or what the
            initializer's own ``bias`` says.

    Raises:
        DTypeError: a length that is no integer, or an ``init`` that is no function.
        ShapeError: a length below 0; in forward: x has other features.

    Source:
        Initial values as in PyTorch: uniform within 1 / sqrt(in_features) for both.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.Linear(3, 2)(mg.tensor([[1.0, 2.0, 3.0]])).shape
        (1, 2)
        >>> nn.Linear(2, 2, init=nn.init.Eye())(mg.tensor([1.0, 2.0])).tolist()
        [1.0, 2.0]
    """

    bias: Parameter | None

    def __init__(self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None, *, init: Any = None):
        super().__init__()
        self.in_features = size(type(self).__name__, "in_features", in_features)
        self.out_features = size(type(self).__name__, "out_features", out_features)
        self.init = initial.checked(type(self).__name__, init)
        self.weight = blank((self.out_features, self.in_features), dtype, device)
        self.register_parameter("bias", blank((self.out_features,), dtype, device) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        initial.layer_(self.weight, self.bias, self.init)

    def forward(self, x: Any) -> Any:
        return linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


__all__ = ["Linear"]
