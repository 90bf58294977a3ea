"""Losses of pairs and triplets: which of two scores is larger, and which vectors lie close together."""

from collections.abc import Callable
from typing import Any

from ...autograd.arguments import number
from ...errors import ShapeError
from ...ops.arithmetic import clip, minimum
from ...ops.linalg.norms import vector_norm
from ...ops.logic import where
from ...ops.losses import given, reduced
from ...ops.powers import sqrt, square
from ...ops.reduce import sum
from .distances import pairwise_distance
from .targets import alike, check_positive, check_reduction, one_of

TINY = 1e-12
"""What PyTorch adds to squared norms in cosine_embedding_loss."""


def margin_ranking_loss(input1: Any, input2: Any, target: Any, margin: float = 0.0, reduction: str = "mean") -> Any:
    """max(0, -target (input1 - input2) + margin): input1 is to be the larger where the target is 1, the smaller where it is -1.

    Shapes: all three the same.

    Args:
        target: 1 or -1.
        margin: by how much.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: the shapes differ.
        ValueError: another target (looked at on the CPU only).

    Gradient: at the hinge that of the rising side, so that equal inputs are moved apart.
    Source:
        Herbrich, Graepel and Obermayer, "Large margin rank boundaries for ordinal regression", 2000.
    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> F.margin_ranking_loss(mg.tensor([2.0, 2.0]), mg.tensor([1.0, 1.0]), mg.tensor([1, -1]), reduction="none").tolist()
        [0.0, 1.0]
    """
    margin = number("margin_ranking_loss", "margin", margin)
    input1, input2, target = alike("margin_ranking_loss", input1=input1, input2=input2, target=target)
    t = one_of("margin_ranking_loss", target, -1, 1)
    return reduced("margin_ranking_loss", clip((input2 - input1) * t + margin, 0), reduction)


def hinge_embedding_loss(input: Any, target: Any, margin: float = 1.0, reduction: str = "mean") -> Any:
    """input where the target is 1, max(0, margin - input) where it is -1; the input is a distance.

    Shapes: both the same.

    Args:
        target: 1 (alike) or -1.
        margin: how far apart what is not alike has to be.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: the shapes differ.
        ValueError: another target (looked at on the CPU only).

    Source:
        Collobert, Kavukcuoglu and Farabet, "Torch7", 2011: a criterion of that library, kept by PyTorch.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> F.hinge_embedding_loss(mg.tensor([0.25, 0.25]), mg.tensor([1, -1]), reduction="none").tolist()
        [0.25, 0.75]
    """
    margin = number("hinge_embedding_loss", "margin", margin)
    input, target = alike("hinge_embedding_loss", input=input, target=target)
    alike_ = one_of("hinge_embedding_loss", target, -1, 1) == 1
    return reduced("hinge_embedding_loss", where(alike_, input, clip(margin - input, 0)), reduction)


def _vectors(who: str, **arguments: Any) -> tuple[Any, ...]:
    """Vectors of one shape, (N, D) or (D,)."""
    found = alike(who, **arguments)
    if not len(found[0].shape):
        raise ShapeError(f"{who}: {', '.join(arguments)} must be (N, D) or (D,), got shape ()")
    return found


def _answers(who: str, target: Any, shape: tuple[int, ...], low: int, high: int) -> Any:
    """Whether the target is high, for each pair of vectors."""
    target = given(target)
    if tuple(target.shape) != shape:
        raise ShapeError(f"{who}: target must have shape {shape}, one per pair of vectors, got {tuple(target.shape)}")
    return one_of(who, target, low, high) == high


def cosine_embedding_loss(input1: Any, input2: Any, target: Any, margin: float = 0.0, reduction: str = "mean") -> Any:
    """1 - cos where the target is 1, max(0, cos - margin) where it is -1; cos is that of the angle between the vectors.

    Shapes: input1 and input2 (N, D) or (D,); target (N,) or ().

    Args:
        target: 1 (alike) or -1.
        margin: the cosine below which what is not alike costs nothing, in [-1, 1].
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: shapes that do not fit.
        ValueError: another target (looked at on the CPU only), or the margin is outside [-1, 1].

    Numerics: 1e-12 is added to the squared norms, as in PyTorch (1e-6 in half precision, where that would be 0).
    Source:
        Collobert, Kavukcuoglu and Farabet, "Torch7", 2011: a criterion of that library, kept by PyTorch.
    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> F.cosine_embedding_loss(mg.tensor([[1.0, 0.0]]), mg.tensor([[0.0, 2.0]]), mg.tensor([1])).item()
        1.0
    """
    who = "cosine_embedding_loss"
    margin = number(who, "margin", margin)
    if not -1 <= margin <= 1:
        raise ValueError(f"{who}: margin must be in [-1, 1], got {margin}")
    x1, x2 = _vectors(who, input1=input1, input2=input2)
    same = _answers(who, target, tuple(x1.shape[:-1]), -1, 1)
    tiny = TINY if x1.dtype.itemsize > 2 else 1e-6
    cos = sum(x1 * x2, -1) / (sqrt(sum(square(x1), -1) + tiny) * sqrt(sum(square(x2), -1) + tiny))
    return reduced(who, where(same, 1 - cos, clip(cos - margin, 0)), reduction)


def contrastive_loss(input1: Any, input2: Any, target: Any, margin: float = 1.0, reduction: str = "mean") -> Any:
    """d^2 / 2 where the target is 0, max(0, margin - d)^2 / 2 where it is 1; d is the distance of the two vectors.

    Shapes: input1 and input2 (N, D) or (D,); target (N,) or ().

    Args:
        target: 0 for a pair that is alike, 1 for one that is not: the paper's Y.
        margin: how far apart what is not alike has to be; above 0.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: shapes that do not fit.
        ValueError: another target (looked at on the CPU only), or the margin is not positive.

    Gradient: 0 between equal vectors, alike or not.
    Source:
        Hadsell, Chopra and LeCun, "Dimensionality reduction by learning an invariant mapping", 2006, eq. 4.
    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> a, b = mg.tensor([[0.0, 0.0], [0.0, 0.0]]), mg.tensor([[3.0, 4.0], [3.0, 4.0]])
        >>> F.contrastive_loss(a, b, mg.tensor([0, 1]), margin=7.0, reduction="none").tolist()
        [12.5, 2.0]
    """
    who = "contrastive_loss"
    margin = check_positive(who, margin=margin)
    x1, x2 = _vectors(who, input1=input1, input2=input2)
    apart = _answers(who, target, tuple(x1.shape[:-1]), 0, 1)
    d = x1 - x2
    far = square(clip(margin - vector_norm(d, axis=-1), 0))
    return reduced(who, where(apart, far, sum(square(d), -1)) * 0.5, reduction)


def triplet_margin_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> Any:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin), where d is ``pairwise_distance``.

    Shapes: all three (N, D) or (D,); the losses (N,) or ().

    Args:
        anchor, positive, negative: vectors; the anchor is to lie closer to the positive than to the negative.
        margin: by how much; above 0.
        p: the order of the norm.
        eps: added to differences.
        swap: take d(positive, negative) where it is the smaller distance of the negative.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: the shapes differ.
        ValueError: the margin is not positive.

    Source:
        Balntas et al., "Learning local feature descriptors with triplets and shallow convolutional neural networks", 2016, eq. 4 and
        section 3.2 (swap).
    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> round(F.triplet_margin_loss(mg.tensor([[0.0]]), mg.tensor([[2.0]]), mg.tensor([[-1.0]])).item(), 4)
        2.0
    """

    def distance(a: Any, b: Any) -> Any:
        return pairwise_distance(a, b, p, eps)

    return _triplets("triplet_margin_loss", anchor, positive, negative, distance, margin, swap, reduction)


def triplet_margin_with_distance_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    *,
    distance_function: Callable[[Any, Any], Any] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Any:
    """``triplet_margin_loss`` with a distance of one's own.

    Shapes: all three (N, D) or (D,), or what the distance takes; the losses are as the distance.

    Args:
        distance_function: takes two batches and gives a distance for each pair; None: ``pairwise_distance``.
        margin, swap, reduction: as in ``triplet_margin_loss``.

    Raises:
        ShapeError: the shapes differ.
        ValueError: the margin is not positive.

    Source:
        Balntas et al., "Learning local feature descriptors with triplets and shallow convolutional neural networks", 2016, for any
        distance.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> near, far = mg.tensor([[2.0]]), mg.tensor([[-1.0]])
        >>> F.triplet_margin_with_distance_loss(
        ...     mg.tensor([[0.0]]), near, far, distance_function=lambda a, b: abs(a - b).sum(axis=-1)
        ... ).item()
        2.0
    """
    d = pairwise_distance if distance_function is None else distance_function
    return _triplets("triplet_margin_with_distance_loss", anchor, positive, negative, d, margin, swap, reduction)


def _triplets(who: str, anchor: Any, positive: Any, negative: Any, distance: Callable, margin: float, swap: bool, reduction: str) -> Any:
    margin = check_positive(who, margin=margin)
    check_reduction(who, reduction)
    anchor, positive, negative = _vectors(who, anchor=anchor, positive=positive, negative=negative)
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = minimum(far, distance(positive, negative))
    return reduced(who, clip(near - far + margin, 0), reduction)


__all__ = [
    "contrastive_loss",
    "cosine_embedding_loss",
    "hinge_embedding_loss",
    "margin_ranking_loss",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]
