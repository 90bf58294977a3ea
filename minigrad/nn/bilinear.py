"""Maps that are linear in each of two inputs."""

from typing import Any

from . import functional as F
from . import init as initial
from .module import Module
from .parameter import Parameter, blank, size


class Bilinear(Module):
    """y_o = x1^T W_o x2 + b_o.

    Shapes: x1 (..., in1_features); x2 (..., in2_features), with the same leading axes; y (..., out_features);
        weight (out_features, in1_features, in2_features); bias (out_features,).

    Args:
        in1_features, in2_features, out_features: lengths of the last axes of x1, x2 and y.
        bias: whether b is there.
        device, dtype: where the parameters are made, and of what.
        init: what fills the weight, as for Linear.

    Raises:
        DTypeError: a length that is no integer, or an ``init`` that is no function.
        ShapeError: a length that is too small; in forward: inputs that do not fit.

    Source:
        Initial values as in PyTorch: uniform within 1 / sqrt(in1_features) for both.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.Bilinear(3, 4, 2)(mg.ones((5, 3)), mg.ones((5, 4))).shape
        (5, 2)
    """

    bias: Parameter | None

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        init: Any = None,
    ):
        super().__init__()
        self.in1_features = size("Bilinear", "in1_features", in1_features, 1)
        self.in2_features = size("Bilinear", "in2_features", in2_features)
        self.out_features = size("Bilinear", "out_features", out_features)
        self.init = initial.checked("Bilinear", init)
        self.weight = blank((self.out_features, self.in1_features, self.in2_features), dtype, device)
        self.register_parameter("bias", blank((self.out_features,), dtype, device) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        bound = self.in1_features**-0.5
        initial.layer_(self.weight, self.bias, self.init or initial.Uniform(-bound, bound, bias=initial.Uniform(-bound, bound)))

    def forward(self, x1: Any, x2: Any) -> Any:
        return F.bilinear(x1, x2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


__all__ = ["Bilinear"]
