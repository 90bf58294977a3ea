"""Layers that add or multiply noise while training, and are the identity else."""

from typing import Any

from . import functional as F
from .functional.noise import check_rate, check_spread
from .module import Module


class GaussianNoise(Module):
    """x + std e with e standard normal and new for each entry while training.

    Shapes: x any; y the same.

    Args:
        std: the standard deviation of the noise.

    Raises:
        ValueError: std is negative or not finite.

    Source:
        Bishop, "Training with noise is equivalent to Tikhonov regularization", 1995.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> net = nn.Sequential(nn.GaussianNoise(0.1), nn.Linear(3, 2))
        >>> net(mg.ones((4, 3))).shape
        (4, 2)
    """

    def __init__(self, std: float):
        super().__init__()
        self.std = check_spread("GaussianNoise", std)

    def forward(self, x: Any) -> Any:
        return F.gaussian_noise(x, self.std, self.training)

    def extra_repr(self) -> str:
        return f"std={self.std}"


class GaussianDropout(Module):
    """x times normal numbers of mean 1 and variance p / (1 - p) while training: the mean and variance of dropout, but no zeros.

    Shapes: x any; y the same.

    Args:
        p: the probability of the dropout that it stands for.

    Raises:
        ValueError: p is outside [0, 1).

    Source:
        Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", 2014, section 10.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.GaussianDropout(0.5).eval()(mg.ones(2)).tolist()
        [1.0, 1.0]
    """

    def __init__(self, p: float = 0.5):
        super().__init__()
        self.p = check_rate("GaussianDropout", p)

    def forward(self, x: Any) -> Any:
        return F.gaussian_dropout(x, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"


__all__ = ["GaussianDropout", "GaussianNoise"]
