"""How far or how alike two vectors are, as modules."""

from typing import Any

from ..autograd.arguments import number
from . import functional as F
from .functional.targets import check_positive
from .module import Module
from .parameter import size


class CosineSimilarity(Module):
    """The cosine of the angle between vectors; see ``functional.cosine_similarity``.

    Shapes: any two that broadcast; the result theirs without the axis ``dim``.

    Args:
        dim: the axis along which the vectors lie.
        eps: norms below are taken to be eps.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.CosineSimilarity()(mg.tensor([[1.0, 0.0]]), mg.tensor([[0.0, 2.0]])).tolist()
        [0.0]
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8):
        super().__init__()
        self.dim, self.eps = size("CosineSimilarity", "dim", dim, None), check_positive("CosineSimilarity", eps=eps)

    def forward(self, x1: Any, x2: Any) -> Any:
        return F.cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(Module):
    """The p-norm of x1 - x2 + eps along the last axis; see ``functional.pairwise_distance``.

    Shapes: (N, D) or (D,) each; the result (N,) or (), with keepdim (N, 1) or (1,).

    Args:
        p: the order of the norm.
        eps: added to the difference.
        keepdim: leave the last axis there, with length 1.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.PairwiseDistance(eps=0.0)(mg.tensor([[3.0, 4.0]]), mg.tensor([[0.0, 0.0]])).tolist()
        [5.0]
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False):
        super().__init__()
        self.norm, self.eps, self.keepdim = number("PairwiseDistance", "p", p), number("PairwiseDistance", "eps", eps), keepdim

    def forward(self, x1: Any, x2: Any) -> Any:
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)


__all__ = ["CosineSimilarity", "PairwiseDistance"]
