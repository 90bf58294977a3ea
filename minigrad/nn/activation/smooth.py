"""Smooth activations: soft steps, and x times a soft step. ``inplace`` is accepted for PyTorch's sake; nothing is overwritten."""

from typing import Any

from ...autograd.arguments import number
from .. import functional as F
from ..functional.targets import check_positive
from ..module import Module
from .rectifiers import Plain


class Sigmoid(Module):
    """1 / (1 + exp(-x)).

    Shapes: x any; y the same.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.Sigmoid()(mg.tensor([-1000.0, 0.0, 1000.0])).tolist()
        [0.0, 0.5, 1.0]
    """

    def forward(self, x: Any) -> Any:
        return F.sigmoid(x)


class LogSigmoid(Module):
    """log(sigmoid(x)), exact on both sides.

    Shapes: x any; y the same.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.LogSigmoid()(mg.tensor(-1000.0)).item()
        -1000.0
    """

    def forward(self, x: Any) -> Any:
        return F.logsigmoid(x)


class Tanh(Module):
    """tanh(x).

    Shapes: x any; y the same.
    Source: LeCun et al., "Efficient backprop", 1998, on why it is centred at 0.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.Tanh()(mg.tensor([-1000.0, 0.0])).tolist()
        [-1.0, 0.0]
    """

    def forward(self, x: Any) -> Any:
        return F.tanh(x)


class Tanhshrink(Module):
    """x - tanh(x).

    Shapes: x any; y the same.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.Tanhshrink()(mg.tensor([0.0, 100.0])).tolist()
        [0.0, 99.0]
    """

    def forward(self, x: Any) -> Any:
        return F.tanhshrink(x)


class Softsign(Module):
    """x / (1 + |x|).

    Shapes: x any; y the same.
    Source: Turian, Bergstra and Bengio, "Quadratic features and deep architectures for chunking", 2009.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.Softsign()(mg.tensor([-1.0, 3.0])).tolist()
        [-0.5, 0.75]
    """

    def forward(self, x: Any) -> Any:
        return F.softsign(x)


class Softplus(Module):
    """log(1 + exp(beta x)) / beta: a smooth ReLU.

    Shapes: x any; y the same.

    Args:
        beta: how sharp the bend is.
        threshold: where beta x is above it, the result is x itself.

    Raises:
        ValueError: beta is not positive.

    Source: Dugas et al., "Incorporating second-order functional knowledge for better option pricing", 2001.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.Softplus()(mg.tensor([-1000.0, 1000.0])).tolist()
        [0.0, 1000.0]
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0):
        super().__init__()
        self.beta, self.threshold = check_positive("Softplus", beta=beta), number("Softplus", "threshold", threshold)

    def forward(self, x: Any) -> Any:
        return F.softplus(x, self.beta, self.threshold)

    def extra_repr(self) -> str:
        return f"beta={self.beta}, threshold={self.threshold}"


class SiLU(Plain):
    """x sigmoid(x), also called swish.

    Shapes: x any; y the same.
    Source: Elfwing, Uchibe and Doya, "Sigmoid-weighted linear units", 2018.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.SiLU()(mg.tensor([0.0, 1000.0])).tolist()
        [0.0, 1000.0]
    """

    def forward(self, x: Any) -> Any:
        return F.silu(x)


class Mish(Plain):
    """x tanh(softplus(x)).

    Shapes: x any; y the same.
    Source: Misra, "Mish: a self regularized non-monotonic activation function", 2019, eq. 1.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.Mish()(mg.tensor([0.0, 1000.0])).tolist()
        [0.0, 1000.0]
    """

    def forward(self, x: Any) -> Any:
        return F.mish(x)


class GELU(Module):
    """x times the probability that a standard normal number is below x.

    Shapes: x any; y the same.

    Args:
        approximate: "none", or "tanh" for the formula with tanh.

    Raises:
        ValueError: another word.

    Source: Hendrycks and Gimpel, "Gaussian error linear units", 2016.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.GELU()(mg.tensor([0.0, 100.0])).tolist()
        [0.0, 100.0]
    """

    def __init__(self, approximate: str = "none"):
        super().__init__()
        if approximate not in ("none", "tanh"):
            raise ValueError(f'GELU: approximate must be "none" or "tanh", got {approximate!r}')
        self.approximate = approximate

    def forward(self, x: Any) -> Any:
        return F.gelu(x, self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


__all__ = ["GELU", "LogSigmoid", "Mish", "SiLU", "Sigmoid", "Softplus", "Softsign", "Tanh", "Tanhshrink"]
