"""Layers that drop units at random while training."""

from typing import Any

from ..ops.fused import check_probability, dropout
from .module import Module


class Dropout(Module):
    """Sets each entry to zero with probability p while training, and scales the others by 1 / (1 - p).

    Args:
        p: the probability that an entry is dropped.
        inplace: accepted for PyTorch's sake; nothing is overwritten.

    Raises:
        ValueError: p is outside [0, 1] or NaN.

    Source:
        Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", 2014; inverted, so that
        evaluation needs no scaling.
    """

    def __init__(self, p: float = 0.5, inplace: bool = False):
        super().__init__()
        self.p = check_probability("Dropout", p)

    def forward(self, x: Any) -> Any:
        return dropout(x, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"


__all__ = ["Dropout"]
