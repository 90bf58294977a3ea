"""Activation functions as modules. ``inplace`` is accepted for PyTorch's sake; nothing is overwritten."""

from typing import Any

from . import functional as F
from . import init
from .module import Module
from .parameter import blank


class _Plain(Module):
    """An activation without settings."""

    def __init__(self, inplace: bool = False):
        super().__init__()


class ReLU(_Plain):
    """max(x, 0); its derivative at 0 is 0."""

    def forward(self, x: Any) -> Any:
        return F.relu(x)


class ReLU6(_Plain):
    """min(max(x, 0), 6)."""

    def forward(self, x: Any) -> Any:
        return F.relu6(x)


class SELU(_Plain):
    """The scaled ELU that keeps mean 0 and variance 1. Klambauer et al. 2017."""

    def forward(self, x: Any) -> Any:
        return F.selu(x)


class SiLU(_Plain):
    """x sigmoid(x). Elfwing et al. 2018."""

    def forward(self, x: Any) -> Any:
        return F.silu(x)


class Mish(_Plain):
    """x tanh(softplus(x)). Misra 2019."""

    def forward(self, x: Any) -> Any:
        return F.mish(x)


class Hardswish(_Plain):
    """x relu6(x + 3) / 6."""

    def forward(self, x: Any) -> Any:
        return F.hardswish(x)


class Hardsigmoid(_Plain):
    """relu6(x + 3) / 6."""

    def forward(self, x: Any) -> Any:
        return F.hardsigmoid(x)


class Sigmoid(Module):
    """1 / (1 + exp(-x))."""

    def forward(self, x: Any) -> Any:
        return F.sigmoid(x)


class LogSigmoid(Module):
    """log(sigmoid(x))."""

    def forward(self, x: Any) -> Any:
        return F.logsigmoid(x)


class Tanh(Module):
    """tanh(x)."""

    def forward(self, x: Any) -> Any:
        return F.tanh(x)


class Tanhshrink(Module):
    """x - tanh(x)."""

    def forward(self, x: Any) -> Any:
        return F.tanhshrink(x)


class Softsign(Module):
    """x / (1 + |x|)."""

    def forward(self, x: Any) -> Any:
        return F.softsign(x)


class LeakyReLU(Module):
    """x where it is positive, else ``negative_slope`` x. Maas et al. 2013."""

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False):
        super().__init__()
        self.negative_slope = negative_slope

    def forward(self, x: Any) -> Any:
        return F.leaky_relu(x, self.negative_slope)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}"


class PReLU(Module):
    """A leaky ReLU whose slope is learned, one for all or one per channel. He et al. 2015."""

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None):
        super().__init__()
        self.num_parameters, self.init = num_parameters, init
        self.weight = blank((num_parameters,), dtype, device)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the slope it starts with."""
        init.constant_(self.weight, self.init)

    def forward(self, x: Any) -> Any:
        return F.prelu(x, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class ELU(Module):
    """x where it is positive, else alpha (exp(x) - 1). Clevert et al. 2016."""

    def __init__(self, alpha: float = 1.0, inplace: bool = False):
        super().__init__()
        self.alpha = alpha

    def forward(self, x: Any) -> Any:
        return F.elu(x, self.alpha)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}"


class CELU(ELU):
    """max(0, x) + min(0, alpha (exp(x / alpha) - 1)). Barron 2017."""

    def forward(self, x: Any) -> Any:
        return F.celu(x, self.alpha)


class GELU(Module):
    """x times the normal distribution function of x. Hendrycks and Gimpel 2016.

    Args:
        approximate: "none", or "tanh" for the formula with tanh.
    """

    def __init__(self, approximate: str = "none"):
        super().__init__()
        self.approximate = approximate

    def forward(self, x: Any) -> Any:
        return F.gelu(x, self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class Softplus(Module):
    """log(1 + exp(beta x)) / beta."""

    def __init__(self, beta: float = 1.0, threshold: float = 20.0):
        super().__init__()
        self.beta, self.threshold = beta, threshold

    def forward(self, x: Any) -> Any:
        return F.softplus(x, self.beta, self.threshold)

    def extra_repr(self) -> str:
        return f"beta={self.beta}, threshold={self.threshold}"


class Hardtanh(Module):
    """x cut off below ``min_val`` and above ``max_val``."""

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False):
        super().__init__()
        if not min_val < max_val:
            raise ValueError(f"Hardtanh: min_val must be below max_val, got {min_val} and {max_val}")
        self.min_val, self.max_val = min_val, max_val

    def forward(self, x: Any) -> Any:
        return F.hardtanh(x, self.min_val, self.max_val)

    def extra_repr(self) -> str:
        return f"min_val={self.min_val}, max_val={self.max_val}"


class Softshrink(Module):
    """x moved towards 0 by lambda, and 0 within lambda."""

    def __init__(self, lambd: float = 0.5):
        super().__init__()
        self.lambd = lambd

    def forward(self, x: Any) -> Any:
        return F.softshrink(x, self.lambd)

    def extra_repr(self) -> str:
        return f"{self.lambd}"


class Hardshrink(Softshrink):
    """x, and 0 within lambda."""

    def forward(self, x: Any) -> Any:
        return F.hardshrink(x, self.lambd)


class Threshold(Module):
    """x where it is above ``threshold``, else ``value``."""

    def __init__(self, threshold: float, value: float, inplace: bool = False):
        super().__init__()
        self.threshold, self.value = threshold, value

    def forward(self, x: Any) -> Any:
        return F.threshold(x, self.threshold, self.value)

    def extra_repr(self) -> str:
        return f"threshold={self.threshold}, value={self.value}"


class _AlongAxis(Module):
    def __init__(self, dim: int = -1):
        super().__init__()
        self.dim = dim

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Softmax(_AlongAxis):
    """exp(x) / sum(exp(x)) along the axis ``dim``, PyTorch's word for it; the last unless told."""

    def forward(self, x: Any) -> Any:
        return F.softmax(x, self.dim)


class LogSoftmax(_AlongAxis):
    """The logarithm of the softmax along the axis ``dim``."""

    def forward(self, x: Any) -> Any:
        return F.log_softmax(x, self.dim)


class GLU(_AlongAxis):
    """The first half of the axis ``dim`` times the sigmoid of the second. Dauphin et al. 2017."""

    def forward(self, x: Any) -> Any:
        return F.glu(x, self.dim)


__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "SELU",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "LeakyReLU",
    "LogSigmoid",
    "LogSoftmax",
    "Mish",
    "PReLU",
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Tanh",
    "Tanhshrink",
    "Threshold",
]
