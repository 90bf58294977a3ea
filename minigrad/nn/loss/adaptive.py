"""A softmax over very many classes that spends its time on the frequent ones."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from ...backend.arrays import namespace
from ...errors import ShapeError
from ...ops.indexing import index_add, take, take_along_axis
from ...ops.joining import concat
from ...ops.losses import checked_labels, given, reduced
from ...ops.reduce import argmax
from ...ops.shape import reshape
from ...ops.softmax import log_softmax
from ..container import ModuleList, Sequential
from ..linear import Linear
from ..module import Module


class AdaptiveOutput(NamedTuple):
    """The log-probability of each target, and minus their mean."""

    output: Any
    loss: Any


class AdaptiveLogSoftmaxWithLoss(Module):
    """Log-softmax and its loss over classes sorted by frequency: the frequent ones and one entry per cluster of rarer ones make up the
    head; a cluster, whose features are fewer the rarer it is, is looked at only for the targets in it.

    Shapes: input (N, in_features) or (in_features,); target (N,) or (), integers; the result (output as target, loss ()).

    Args:
        in_features: the length of an input.
        n_classes: how many classes there are, the most frequent first.
        cutoffs: where the clusters begin: increasing, between 1 and n_classes - 1.
        div_value: how many times fewer features each cluster has than the one before.
        head_bias: whether the head has a bias.
        device, dtype: where the parameters are made, and of what.

    Raises:
        ValueError: cutoffs that are none, or clusters left without features.
        IndexRangeError: a target outside the classes.
        ShapeError: input and target that do not fit.

    Numerics: which rows belong to which cluster is read by the host; a GPU is waited for, as in PyTorch. The loss of no rows is 0.
    Source:
        Grave et al., "Efficient softmax approximation for GPUs", 2017.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> softmax = nn.AdaptiveLogSoftmaxWithLoss(8, 20, [5, 10], div_value=2.0)
        >>> output, loss = softmax(mg.zeros((3, 8)), mg.tensor([0, 7, 19]))
        >>> [round(v, 4) for v in output.tolist()]  # -log of 7; 7 * 5; 7 * 10
        [-1.9459, -3.5553, -4.2485]
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        edges = [*cutoffs, n_classes]
        if len(edges) < 2 or any(int(c) != c for c in edges) or not all(a < b for a, b in pairwise([0, *edges])):
            raise ValueError(
                f"AdaptiveLogSoftmaxWithLoss: cutoffs must be increasing integers between 1 and n_classes - 1 = {n_classes - 1}, "
                f"got {list(cutoffs)}"
            )
        features = [int(in_features // div_value ** (i + 1)) for i in range(len(edges) - 1)]
        if min(features) < 1:
            raise ValueError(
                f"AdaptiveLogSoftmaxWithLoss: the clusters would have {features} features; use fewer cutoffs, a smaller div_value than "
                f"{div_value} or more in_features than {in_features}"
            )
        self.in_features, self.n_classes, self.cutoffs = in_features, n_classes, edges
        self.div_value, self.head_bias = div_value, head_bias
        self.shortlist_size, self.n_clusters = edges[0], len(edges) - 1
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, head_bias, device, dtype)
        self.tail = ModuleList(
            [
                Sequential(Linear(in_features, k, False, device, dtype), Linear(k, high - low, False, device, dtype))
                for k, (low, high) in zip(features, pairwise(edges), strict=True)
            ]
        )

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        for m in self.modules():
            if isinstance(m, Linear):
                m.reset_parameters()

    def forward(self, input: Any, target: Any) -> AdaptiveOutput:
        x, t = given(input), given(target)
        if len(x.shape) not in (1, 2) or tuple(x.shape[:-1]) != tuple(t.shape):
            raise ShapeError(
                f"AdaptiveLogSoftmaxWithLoss: input must be (N, features) and target (N,), or (features,) and (), "
                f"got {tuple(x.shape)} and {tuple(t.shape)}"
            )
        if len(x.shape) == 1:
            output, loss = self.forward(reshape(x, (1, -1)), reshape(t, (1,)))
            return AdaptiveOutput(reshape(output, ()), loss)
        labels, _ = checked_labels("AdaptiveLogSoftmaxWithLoss", t, (x.shape[0],), self.n_classes, None)
        cluster = sum([(labels >= c).astype("int64") for c in self.cutoffs[:-1]])
        slot = namespace(type(labels)).where(cluster == 0, labels, self.shortlist_size - 1 + cluster)
        output = take_along_axis(log_softmax(self.head(x), axis=1), slot[:, None], axis=1)[:, 0]
        for i, (low, tail) in enumerate(zip(self.cutoffs, self.tail, strict=False), 1):
            rows = (cluster == i).nonzero()[0]
            if rows.size:
                scores = log_softmax(tail(take(x, rows, axis=0)), axis=1)
                output = index_add(output, rows, take_along_axis(scores, (labels[rows] - low)[:, None], axis=1)[:, 0])
        return AdaptiveOutput(output, reduced("AdaptiveLogSoftmaxWithLoss", -output, "mean"))

    def log_prob(self, input: Any) -> Any:
        """The log-probabilities of all classes. Shapes: input (N, in_features); result (N, n_classes)."""
        head = log_softmax(self.head(input), axis=1)
        k = self.shortlist_size
        tails = [log_softmax(tail(input), axis=1) + head[:, k + i : k + i + 1] for i, tail in enumerate(self.tail)]
        return concat([head[:, :k], *tails], axis=1)

    def predict(self, input: Any) -> Any:
        """The likeliest class of each row, an integer. Shapes: input (N, in_features); result (N,)."""
        return argmax(self.log_prob(input), axis=1)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, n_classes={self.n_classes}, cutoffs={self.cutoffs[:-1]}, div_value={self.div_value}"


__all__ = ["AdaptiveLogSoftmaxWithLoss"]
