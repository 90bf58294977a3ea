"""How often a classifier is right: accuracy, top-k accuracy; and how surprised it is: perplexity."""

from collections.abc import Mapping
from math import exp, inf, log
from sys import float_info
from typing import Any

from ..autograd import no_grad
from ..autograd.tensor import raw
from ..backend import is_inexact
from ..backend.arrays import namespace
from ..errors import ShapeError
from ..nn.functional import cross_entropy
from .labels import decisions, read_labels
from .metric import Mean


class Accuracy(Mean):
    """The share of decisions that are right; NaN without data.

    Shapes: scores (N, C, d1, ...) and labels (N, d1, ...); or binary scores and targets 0 or 1, or labels and labels, of one shape.

    Args:
        threshold: of binary scores: class 1 is decided above it. 0 for logits, 0.5 for probabilities; there is no default, because
            the one would silently be wrong for the other.
        ignore_index: a label that does not count.
        name: what logs call it.

    Raises:
        ShapeError, DTypeError, IndexRangeError: in ``update``: shapes that do not fit, labels that are no labels of a class.
        ValueError: in ``update``: binary scores without a threshold.

    Example:
        >>> from minigrad.metrics import Accuracy
        >>> accuracy = Accuracy()
        >>> accuracy.update([[0.1, 2.0], [3.0, 1.0], [0.5, 0.4]], [1, 0, 1])
        >>> accuracy
        Accuracy(0.6667)
    """

    def __init__(self, threshold: float | None = None, ignore_index: int | None = None, name: str | None = None):
        super().__init__(name)
        self.threshold, self.ignore_index = threshold, ignore_index

    def measure(self, output: Any, target: Any) -> Mapping[str, Any]:
        found = decisions("Accuracy", output, target, self.threshold, None, self.ignore_index)
        hits = found.guess == found.labels
        return {"total": (hits if found.valid is None else hits & found.valid).sum(), "count": found.count}


class TopK(Mean):
    """The share of labels that are among the ``k`` classes of largest score; NaN without data. Of equal scores the first class is taken,
    so that ``TopK(1)`` is the accuracy; a label whose score is NaN is a miss.

    Shapes: scores (N, C, d1, ...), labels (N, d1, ...).

    Args:
        k: how many classes may be named.
        ignore_index: a label that does not count.
        name: what logs call it; default "top" and k.

    Raises:
        ValueError: k is below 1.
        ShapeError, DTypeError, IndexRangeError: in ``update``: shapes that do not fit, fewer than k classes, labels of no class.

    Example:
        >>> from minigrad.metrics import TopK
        >>> top2 = TopK(2)
        >>> top2.update([[0.1, 0.2, 0.7], [0.5, 0.4, 0.1]], [1, 2]); top2.compute(), top2.name
        (0.5, 'top2')
    """

    def __init__(self, k: int = 5, ignore_index: int | None = None, name: str | None = None):
        if k < 1:
            raise ValueError(f"TopK: k must be at least 1, got {k}")
        super().__init__(f"top{k}" if name is None else name)
        self.k, self.ignore_index = k, ignore_index

    def measure(self, output: Any, target: Any) -> Mapping[str, Any]:
        shape = tuple(output.shape)
        if len(shape) < 2 or shape[1] < self.k:
            raise ShapeError(f"TopK: expected scores (N, C, ...) with at least {self.k} classes, got {shape}")
        labels, valid = read_labels("TopK", target, shape[:1] + shape[2:], shape[1], self.ignore_index)
        xp = namespace(type(output))
        labels = xp.expand_dims(labels.astype("int64", copy=False), 1)
        own = xp.take_along_axis(output, labels, 1)
        order = xp.arange(shape[1]).reshape(-1, *[1] * (len(shape) - 2))
        before = ~(output <= own) | ((output == own) & (order < labels))
        hits = before.sum(axis=1) < self.k
        return {"total": (hits if valid is None else hits & valid).sum(), "count": hits.size if valid is None else valid.sum()}


class Perplexity(Mean):
    """``exp`` of the mean cross entropy in nats: among how many equally likely classes the model hesitates. NaN without data.

    Shapes: logits (N, C, d1, ...), labels (N, d1, ...), as for the loss; log probabilities are logits too.

    Args:
        ignore_index: a label that does not count, such as that of padding.
        name: what logs call it.

    Raises:
        ShapeError, DTypeError, IndexRangeError: in ``update``: shapes that do not fit, labels that are no labels of a class.

    Source:
        Jelinek, Mercer, Bahl and Baker, "Perplexity: a measure of the difficulty of speech recognition tasks", 1977.

    Example:
        >>> from minigrad.metrics import Perplexity
        >>> perplexity = Perplexity()
        >>> perplexity.update([[0.0, 0.0, 0.0, 0.0]], [2]); round(perplexity.compute(), 4)
        4.0
    """

    def __init__(self, ignore_index: int = -100, name: str | None = None):
        super().__init__(name)
        self.ignore_index = ignore_index

    def measure(self, output: Any, target: Any) -> Mapping[str, Any]:
        shape = tuple(output.shape)
        if not is_inexact(output.dtype) or len(shape) < 2:
            raise ShapeError(f"Perplexity: expected logits (N, C, ...), got {output.dtype}{list(shape)}")
        labels, valid = read_labels("Perplexity", target, shape[:1] + shape[2:], shape[1], self.ignore_index)
        with no_grad():
            losses = raw(cross_entropy(output, labels, ignore_index=self.ignore_index, reduction="none"))
        if valid is not None:
            losses = namespace(type(losses)).where(valid, losses, 0)
        return {"total": losses.sum(dtype="float64"), "count": labels.size if valid is None else valid.sum()}

    def compute(self) -> float:
        mean = super().compute()
        return inf if mean > log(float_info.max) else exp(mean)


__all__ = ["Accuracy", "Perplexity", "TopK"]
