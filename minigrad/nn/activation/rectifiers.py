"""Activations with a kink, and those that bend at 0. ``inplace`` is accepted for PyTorch's sake; nothing is overwritten."""

from typing import Any

from ...autograd.arguments import number
from .. import functional as F
from .. import init
from ..functional.noise import check_slopes
from ..functional.targets import check_not_negative, check_positive
from ..module import Module
from ..parameter import blank, size


class Plain(Module):
    """An activation without settings."""

    def __init__(self, inplace: bool = False):
        super().__init__()


class ReLU(Plain):
    """max(x, 0).

    Shapes: x any; y the same.
    Gradient: 0 at 0.
    Source: Nair and Hinton, "Rectified linear units improve restricted Boltzmann machines", 2010.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.ReLU()(mg.tensor([-1.0, 2.0])).tolist()
        [0.0, 2.0]
    """

    def forward(self, x: Any) -> Any:
        return F.relu(x)


class ReLU6(Plain):
    """min(max(x, 0), 6).

    Shapes: x any; y the same.
    Gradient: 0 at 0 and at 6.
    Source: Krizhevsky, "Convolutional deep belief networks on CIFAR-10", 2010.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.ReLU6()(mg.tensor([-1.0, 2.0, 9.0])).tolist()
        [0.0, 2.0, 6.0]
    """

    def forward(self, x: Any) -> Any:
        return F.relu6(x)


class LeakyReLU(Module):
    """x where it is positive, else ``negative_slope`` x.

    Shapes: x any; y the same.
    Gradient: ``negative_slope`` at 0.
    Source: Maas, Hannun and Ng, "Rectifier nonlinearities improve neural network acoustic models", 2013.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.LeakyReLU(0.5)(mg.tensor([-1.0, 2.0])).tolist()
        [-0.5, 2.0]
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False):
        super().__init__()
        self.negative_slope = number("LeakyReLU", "negative_slope", negative_slope)

    def forward(self, x: Any) -> Any:
        return F.leaky_relu(x, self.negative_slope)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}"


class PReLU(Module):
    """A leaky ReLU whose slope is learned, one for all or one per channel.

    Shapes: x (N, C, ...) or any for one slope; y the same; weight (num_parameters,).

    Args:
        num_parameters: 1, or the number of channels.
        init: the slope it starts with.
        device, dtype: where the parameter is made, and of what.

    Source: He et al., "Delving deep into rectifiers", 2015.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.PReLU()(mg.tensor([-1.0, 2.0])).tolist()
        [-0.25, 2.0]
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None):
        super().__init__()
        self.num_parameters, self.init = size("PReLU", "num_parameters", num_parameters, 1), number("PReLU", "init", init)
        self.weight = blank((self.num_parameters,), dtype, device)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the slope it starts with."""
        init.constant_(self.weight, self.init)

    def forward(self, x: Any) -> Any:
        return F.prelu(x, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class RReLU(Module):
    """A leaky ReLU whose slope is drawn for each entry, uniform on [lower, upper), while training; their mean else.

    Shapes: x any; y the same.

    Args:
        lower, upper: the bounds of the slope.

    Raises:
        ValueError: lower is above upper.

    Source: Xu et al., "Empirical evaluation of rectified activations in convolutional network", 2015.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.RReLU(0.25, 0.5).eval()(mg.tensor([-8.0, 2.0])).tolist()
        [-3.0, 2.0]
    """

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3, inplace: bool = False):
        super().__init__()
        self.lower, self.upper = check_slopes("RReLU", lower, upper)

    def forward(self, x: Any) -> Any:
        return F.rrelu(x, self.lower, self.upper, self.training)

    def extra_repr(self) -> str:
        return f"lower={self.lower}, upper={self.upper}"


class ELU(Module):
    """x where it is positive, else alpha (exp(x) - 1).

    Shapes: x any; y the same.
    Source: Clevert, Unterthiner and Hochreiter, "Fast and accurate deep network learning by exponential linear units", 2016.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.ELU()(mg.tensor([-100.0, 2.0])).tolist()
        [-1.0, 2.0]
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False):
        super().__init__()
        self.alpha = check_not_negative(type(self).__name__, alpha=alpha)

    def forward(self, x: Any) -> Any:
        return F.elu(x, self.alpha)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}"


class CELU(ELU):
    """max(0, x) + min(0, alpha (exp(x / alpha) - 1)): an ELU whose slope is continuous for every alpha.

    Shapes: x any; y the same.
    Source: Barron, "Continuously differentiable exponential linear units", 2017.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.CELU(2.0)(mg.tensor([-100.0, 2.0])).tolist()
        [-2.0, 2.0]
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False):
        super().__init__(check_positive("CELU", alpha=alpha))

    def forward(self, x: Any) -> Any:
        return F.celu(x, self.alpha)


class SELU(Plain):
    """1.0507 times the ELU with alpha 1.6733, which keeps mean 0 and variance 1 through layers of init variance 1 / fan_in.

    Shapes: x any; y the same.
    Source: Klambauer et al., "Self-normalizing neural networks", 2017, eq. 2.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> round(nn.SELU()(mg.tensor(-100.0)).item(), 4)
        -1.7581
    """

    def forward(self, x: Any) -> Any:
        return F.selu(x)


# -- straight pieces --------------------------------------------------------------------------------------------------
class Hardtanh(Module):
    """x cut off below ``min_val`` and above ``max_val``.

    Shapes: x any; y the same.

    Raises:
        ValueError: min_val is not below max_val.

    Source: Collobert, "Large scale machine learning", 2004.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.Hardtanh()(mg.tensor([-3.0, 0.5, 2.0])).tolist()
        [-1.0, 0.5, 1.0]
    """

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False):
        super().__init__()
        min_val, max_val = number("Hardtanh", "min_val", min_val), number("Hardtanh", "max_val", max_val)
        if not min_val < max_val:
            raise ValueError(f"Hardtanh: min_val must be below max_val, got {min_val} and {max_val}")
        self.min_val, self.max_val = min_val, max_val

    def forward(self, x: Any) -> Any:
        return F.hardtanh(x, self.min_val, self.max_val)

    def extra_repr(self) -> str:
        return f"min_val={self.min_val}, max_val={self.max_val}"


class Hardsigmoid(Plain):
    """relu6(x + 3) / 6: a sigmoid of straight pieces.

    Shapes: x any; y the same.
    Source: Courbariaux, Bengio and David, "BinaryConnect", 2015; with the slope of Howard et al., "Searching for MobileNetV3", 2019.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.Hardsigmoid()(mg.tensor([-4.0, 0.0, 4.0])).tolist()
        [0.0, 0.5, 1.0]
    """

    def forward(self, x: Any) -> Any:
        return F.hardsigmoid(x)


class Hardswish(Plain):
    """x relu6(x + 3) / 6.

    Shapes: x any; y the same.
    Source: Howard et al., "Searching for MobileNetV3", 2019, section 5.2.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.Hardswish()(mg.tensor([-4.0, 0.0, 4.0])).tolist()
        [-0.0, 0.0, 4.0]
    """

    def forward(self, x: Any) -> Any:
        return F.hardswish(x)


class Softshrink(Module):
    """x moved towards 0 by lambda, and 0 within lambda.

    Shapes: x any; y the same.
    Source: Donoho, "De-noising by soft-thresholding", 1995.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.Softshrink(1.0)(mg.tensor([-3.0, 0.5])).tolist()
        [-2.0, 0.0]
    """

    def __init__(self, lambd: float = 0.5):
        super().__init__()
        self.lambd = check_not_negative(type(self).__name__, lambd=lambd)

    def forward(self, x: Any) -> Any:
        return F.softshrink(x, self.lambd)

    def extra_repr(self) -> str:
        return f"{self.lambd}"


class Hardshrink(Softshrink):
    """x, and 0 within lambda.

    Shapes: x any; y the same.
    Source: Donoho and Johnstone, "Ideal spatial adaptation by wavelet shrinkage", 1994.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.Hardshrink(1.0)(mg.tensor([-3.0, 0.5])).tolist()
        [-3.0, 0.0]
    """

    def forward(self, x: Any) -> Any:
        return F.hardshrink(x, self.lambd)


class Threshold(Module):
    """x where it is above ``threshold``, else ``value``.

    Shapes: x any; y the same.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.Threshold(1.0, 20.0)(mg.tensor([0.5, 2.0])).tolist()
        [20.0, 2.0]
    """

    def __init__(self, threshold: float, value: float, inplace: bool = False):
        super().__init__()
        self.threshold, self.value = number("Threshold", "threshold", threshold), number("Threshold", "value", value)

    def forward(self, x: Any) -> Any:
        return F.threshold(x, self.threshold, self.value)

    def extra_repr(self) -> str:
        return f"threshold={self.threshold}, value={self.value}"


__all__ = [
    "CELU",
    "ELU",
    "SELU",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "LeakyReLU",
    "PReLU",
    "RReLU",
    "ReLU",
    "ReLU6",
    "Softshrink",
    "Threshold",
]
