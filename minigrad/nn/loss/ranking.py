"""Losses of pairs and triplets of scores or vectors."""

from collections.abc import Callable
from typing import Any

from ...autograd.arguments import number
from .. import functional as F
from ..distance import PairwiseDistance
from ..functional.targets import check_positive
from .reduction import Loss


class MarginRankingLoss(Loss):
    """max(0, -target (input1 - input2) + margin), where the target is 1 or -1; see ``functional.margin_ranking_loss``.

    Shapes: all three the same; nothing is broadcast.

    Args:
        margin: by how much one is to be larger.
        reduction: "mean", "sum" or "none".

    Source:
        Herbrich, Graepel and Obermayer, "Large margin rank boundaries for ordinal regression", 2000.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.MarginRankingLoss()(mg.tensor([2.0]), mg.tensor([3.0]), mg.tensor([1])).item()
        1.0
    """

    def __init__(self, margin: float = 0.0, reduction: str = "mean"):
        super().__init__(reduction)
        self.margin = number("MarginRankingLoss", "margin", margin)

    def forward(self, input1: Any, input2: Any, target: Any) -> Any:
        return F.margin_ranking_loss(input1, input2, target, self.margin, self.reduction)


class HingeEmbeddingLoss(Loss):
    """input where the target is 1, max(0, margin - input) where it is -1; see ``functional.hinge_embedding_loss``.

    Shapes: both the same; nothing is broadcast.

    Args:
        margin: how far apart what is not alike has to be.
        reduction: "mean", "sum" or "none".

    Source:
        Collobert, Kavukcuoglu and Farabet, "Torch7", 2011: a criterion of that library, kept by PyTorch.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.HingeEmbeddingLoss()(mg.tensor([0.25]), mg.tensor([-1])).item()
        0.75
    """

    def __init__(self, margin: float = 1.0, reduction: str = "mean"):
        super().__init__(reduction)
        self.margin = number("HingeEmbeddingLoss", "margin", margin)

    def forward(self, input: Any, target: Any) -> Any:
        return F.hinge_embedding_loss(input, target, self.margin, self.reduction)


class CosineEmbeddingLoss(Loss):
    """1 - cos where the target is 1, max(0, cos - margin) where it is -1; see ``functional.cosine_embedding_loss``.

    Shapes: inputs (N, D) or (D,); target (N,) or ().

    Args:
        margin: the cosine below which what is not alike costs nothing, in [-1, 1].
        reduction: "mean", "sum" or "none".

    Source:
        Collobert, Kavukcuoglu and Farabet, "Torch7", 2011: a criterion of that library, kept by PyTorch.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.CosineEmbeddingLoss()(mg.tensor([[1.0, 0.0]]), mg.tensor([[0.0, 2.0]]), mg.tensor([1])).item()
        1.0
    """

    def __init__(self, margin: float = 0.0, reduction: str = "mean"):
        margin = number("CosineEmbeddingLoss", "margin", margin)
        if not -1 <= margin <= 1:
            raise ValueError(f"CosineEmbeddingLoss: margin must be in [-1, 1], got {margin}")
        super().__init__(reduction)
        self.margin = margin

    def forward(self, input1: Any, input2: Any, target: Any) -> Any:
        return F.cosine_embedding_loss(input1, input2, target, self.margin, self.reduction)


class ContrastiveLoss(Loss):
    """d^2 / 2 where the target is 0 (alike), max(0, margin - d)^2 / 2 where it is 1; see ``functional.contrastive_loss``.

    Shapes: inputs (N, D) or (D,); target (N,) or ().

    Args:
        margin: how far apart what is not alike has to be; above 0.
        reduction: "mean", "sum" or "none".

    Source:
        Hadsell, Chopra and LeCun, "Dimensionality reduction by learning an invariant mapping", 2006, eq. 4.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.ContrastiveLoss()(mg.tensor([[0.0, 0.0]]), mg.tensor([[3.0, 4.0]]), mg.tensor([0])).item()
        12.5
    """

    def __init__(self, margin: float = 1.0, reduction: str = "mean"):
        margin = check_positive("ContrastiveLoss", margin=margin)
        super().__init__(reduction)
        self.margin = margin

    def forward(self, input1: Any, input2: Any, target: Any) -> Any:
        return F.contrastive_loss(input1, input2, target, self.margin, self.reduction)


class TripletMarginLoss(Loss):
    """max(0, d(anchor, positive) - d(anchor, negative) + margin), d the p-norm; see ``functional.triplet_margin_loss``.

    Shapes: all three (N, D) or (D,).

    Args:
        margin: by how much the positive is to be closer; above 0.
        p: the order of the norm.
        eps: added to differences.
        swap: take d(positive, negative) where it is the smaller distance of the negative.
        reduction: "mean", "sum" or "none".

    Source:
        Balntas et al., "Learning local feature descriptors with triplets and shallow convolutional neural networks", 2016.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> round(nn.TripletMarginLoss()(mg.tensor([[0.0]]), mg.tensor([[2.0]]), mg.tensor([[-1.0]])).item(), 4)
        2.0
    """

    def __init__(self, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6, swap: bool = False, reduction: str = "mean"):
        margin = check_positive("TripletMarginLoss", margin=margin)
        super().__init__(reduction)
        self.p, self.eps = number("TripletMarginLoss", "p", p), number("TripletMarginLoss", "eps", eps)
        self.margin, self.swap = margin, swap

    def forward(self, anchor: Any, positive: Any, negative: Any) -> Any:
        return F.triplet_margin_loss(anchor, positive, negative, self.margin, self.p, self.eps, self.swap, self.reduction)


class TripletMarginWithDistanceLoss(Loss):
    """TripletMarginLoss with a distance of one's own; see ``functional.triplet_margin_with_distance_loss``.

    Shapes: all three (N, D) or (D,), or what the distance takes.

    Args:
        distance_function: takes two batches and gives a distance for each pair; a module is registered. None: PairwiseDistance().
        margin: by how much the positive is to be closer; above 0.
        swap: take d(positive, negative) where it is the smaller distance of the negative.
        reduction: "mean", "sum" or "none".

    Source:
        Balntas et al., "Learning local feature descriptors with triplets and shallow convolutional neural networks", 2016, for any
        distance.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> loss = nn.TripletMarginWithDistanceLoss(distance_function=lambda a, b: abs(a - b).sum(axis=-1))
        >>> loss(mg.tensor([[0.0]]), mg.tensor([[2.0]]), mg.tensor([[-1.0]])).item()
        2.0
    """

    def __init__(
        self,
        *,
        distance_function: Callable[[Any, Any], Any] | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: str = "mean",
    ):
        margin = check_positive("TripletMarginWithDistanceLoss", margin=margin)
        super().__init__(reduction)
        self.distance_function = PairwiseDistance() if distance_function is None else distance_function
        self.margin, self.swap = margin, swap

    def forward(self, anchor: Any, positive: Any, negative: Any) -> Any:
        return F.triplet_margin_with_distance_loss(
            anchor,
            positive,
            negative,
            distance_function=self.distance_function,
            margin=self.margin,
            swap=self.swap,
            reduction=self.reduction,
        )


__all__ = [
    "ContrastiveLoss",
    "CosineEmbeddingLoss",
    "HingeEmbeddingLoss",
    "MarginRankingLoss",
    "TripletMarginLoss",
    "TripletMarginWithDistanceLoss",
]
