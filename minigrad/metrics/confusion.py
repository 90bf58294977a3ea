"""Which classes are taken for which: the confusion matrix, and precision, recall and F1 per class."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..backend import to_device
from ..backend.arrays import namespace
from ..errors import ShapeError
from .labels import decisions, tally
from .metric import Metric


class _Counts(Metric):
    """What metrics of several classes have in common."""

    def _read(self, output: Any, target: Any) -> tuple[Any, Any, Any, int]:
        who = type(self).__name__
        guess, labels, valid, classes = decisions(who, output, target, self.threshold, self.num_classes, self.ignore_index)
        if classes is None:
            raise ValueError(f"{who}: labels do not tell how many classes there are; give num_classes")
        return guess.astype("int64"), labels.astype("int64", copy=False), valid, classes

    threshold: float | None
    num_classes: int | None
    ignore_index: int | None


def _on_cpu(a: Any) -> np.ndarray:
    return to_device(np.asarray(a) if isinstance(a, int) else a, "cpu")


class ConfusionMatrix(_Counts):
    """How often each true class (row) was taken for each class (column): a NumPy array (C, C) of integers.

    Shapes: scores (N, C, d1, ...) and labels (N, d1, ...); or binary scores and targets 0 or 1, or labels and labels, of one shape.

    Args:
        num_classes: C; needed only where the outputs are labels. Without it and without data the matrix is empty.
        threshold: of binary scores: 0 for logits, 0.5 for probabilities.
        ignore_index: a label that does not count.
        normalize: "true": shares of each row, "pred": of each column, "all": of everything; NaN where there is nothing.
        name: what logs call it.

    Raises:
        ValueError: ``normalize`` is none of these; in ``update``: labels without ``num_classes``, binary scores without a threshold.
        ShapeError, DTypeError, IndexRangeError: in ``update``: shapes that do not fit, labels that are no labels of a class.

    Example:
        >>> from minigrad.metrics import ConfusionMatrix
        >>> matrix = ConfusionMatrix(2)
        >>> matrix.update([0, 0, 1, 1], [0, 1, 1, 1]); matrix.compute().tolist()
        [[1, 0], [1, 2]]
        >>> print(matrix.table(["cat", "dog"]))
        true | predicted  cat  dog
        cat                 1    0
        dog                 1    2
    """

    counts: Any
    sums: Mapping[str, Any] = {"counts": 0}

    def __init__(
        self,
        num_classes: int | None = None,
        threshold: float | None = None,
        ignore_index: int | None = None,
        normalize: str | None = None,
        name: str | None = None,
    ):
        if normalize not in (None, "true", "pred", "all"):
            raise ValueError(f"ConfusionMatrix: normalize must be None, 'true', 'pred' or 'all', got {normalize!r}")
        super().__init__(name)
        self.num_classes, self.threshold, self.ignore_index, self.normalize = num_classes, threshold, ignore_index, normalize

    def measure(self, output: Any, target: Any) -> Mapping[str, Any]:
        guess, labels, valid, n = self._read(output, target)
        return {"counts": tally(labels * n + guess, n * n, valid).reshape(n, n)}

    def compute(self) -> np.ndarray:
        n = self.num_classes or 0
        counts = np.zeros((n, n), "int64") if isinstance(self.counts, int) else _on_cpu(self.counts).copy()
        if self.normalize is None:
            return counts
        whole = counts.sum(axis={"true": 1, "pred": 0, "all": None}[self.normalize], keepdims=True)
        return np.where(whole > 0, counts / np.maximum(whole, 1), np.nan)

    def table(self, names: Sequence[str] | None = None) -> str:
        """The matrix as lines of text.

        Args:
            names: of the classes; default their numbers.
        """
        matrix = self.compute()
        names = [str(i) for i in range(len(matrix))] if names is None else [str(n) for n in names]
        if len(names) != len(matrix):
            raise ShapeError(f"ConfusionMatrix.table: {len(names)} names for {len(matrix)} classes")
        cells = [["true | predicted", *names]]
        cells += [[n, *[f"{v:.3f}" if matrix.dtype.kind == "f" else str(v) for v in row]] for n, row in zip(names, matrix, strict=True)]
        widths = [max(len(row[i]) for row in cells) for i in range(len(names) + 1)]
        return "\n".join(
            "  ".join([row[0].ljust(widths[0]), *[c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True)]]) for row in cells
        )


class _PerClass(_Counts):
    """A share per class, from how often each class was hit, predicted and true."""

    sums: Mapping[str, Any] = {"hits": 0, "predicted": 0, "actual": 0}

    def __init__(
        self,
        average: str | None = "macro",
        num_classes: int | None = None,
        threshold: float | None = None,
        ignore_index: int | None = None,
        name: str | None = None,
    ):
        if average not in (None, "macro", "micro", "weighted", "binary"):
            raise ValueError(f"{type(self).__name__}: average must be 'macro', 'micro', 'weighted', 'binary' or None, got {average!r}")
        super().__init__(name)
        self.average, self.num_classes, self.threshold, self.ignore_index = average, num_classes, threshold, ignore_index

    def measure(self, output: Any, target: Any) -> Mapping[str, Any]:
        guess, labels, valid, n = self._read(output, target)
        if self.average == "binary" and n != 2:
            raise ValueError(f"{type(self).__name__}: average='binary' needs 2 classes, got {n}; take 'macro', 'micro' or 'weighted'")
        xp = namespace(type(guess))
        return {
            "hits": tally(xp.where(guess == labels, labels, n), n + 1, valid)[:n],
            "predicted": tally(guess, n, valid),
            "actual": tally(labels, n, valid),
        }

    def share(self, hits: Any, predicted: Any, actual: Any) -> tuple[Any, Any]:
        """Numerator and denominator for a class."""
        raise NotImplementedError(f"{type(self).__name__}: define share(self, hits, predicted, actual)")

    def compute(self) -> Any:
        counts = [_on_cpu(getattr(self, key)) for key in self.sums]
        actual = counts[2]
        if not actual.sum():
            return float("nan") if self.average or not actual.ndim else np.full(actual.shape, np.nan)
        if self.average == "micro":
            return self.ratio(*self.share(*[c.sum() for c in counts]))
        part, whole = self.share(*counts)
        shares = part / np.maximum(whole, 1)  # 0 where nothing was there to be hit
        occurs = counts[1] + actual > 0
        if self.average == "binary":
            return float(shares[1])
        if self.average == "macro":
            return float(shares[occurs].mean())
        return float((shares * actual).sum() / actual.sum()) if self.average else np.where(occurs, shares, np.nan)


class Precision(_PerClass):
    """Of what was taken for a class, the share that is of it: hits / predicted. 0 where nothing was, NaN without data.

    Shapes: scores (N, C, d1, ...) and labels (N, d1, ...); or binary scores and targets 0 or 1, or labels and labels, of one shape.

    Args:
        average: "macro": the mean over the classes that occur, in outputs or targets; "weighted": weighted by how often they are true;
            "micro": over all decisions together; "binary": class 1 of 2; None: an array with one number per class, NaN for those that
            never occur.
        num_classes: needed only where the outputs are labels.
        threshold: of binary scores: 0 for logits, 0.5 for probabilities.
        ignore_index: a label that does not count.
        name: what logs call it.

    Raises:
        ValueError: ``average`` is none of these; in ``update``: it is "binary" with more than 2 classes, labels come without
            ``num_classes``, binary scores without a threshold.
        ShapeError, DTypeError, IndexRangeError: in ``update``: shapes that do not fit, labels that are no labels of a class.

    Source:
        van Rijsbergen, "Information retrieval", 1979, chapter 7.

    Example:
        >>> from minigrad.metrics import Precision
        >>> precision = Precision(average="binary", threshold=0.5)
        >>> precision.update([0.9, 0.8, 0.1], [1, 0, 1]); precision
        Precision(0.5)
    """

    def share(self, hits: Any, predicted: Any, actual: Any) -> tuple[Any, Any]:
        return hits, predicted


class Recall(_PerClass):
    """Of what is of a class, the share that was taken for it: hits / actual. Shapes, arguments, errors and source as for ``Precision``.

    Example:
        >>> from minigrad.metrics import Recall
        >>> recall = Recall(average=None, num_classes=2)
        >>> recall.update([1, 1, 0], [1, 0, 0]); recall.compute().tolist()
        [0.5, 1.0]
    """

    def share(self, hits: Any, predicted: Any, actual: Any) -> tuple[Any, Any]:
        return hits, actual


class F1(_PerClass):
    """The harmonic mean of precision and recall: 2 hits / (predicted + actual). Shapes, arguments, errors and source as for
    ``Precision``.

    Example:
        >>> from minigrad.metrics import F1
        >>> f1 = F1(average="binary", threshold=0.0)
        >>> f1.update([3.0, 1.0, -2.0], [1, 0, 1]); f1
        F1(0.5)
    """

    def share(self, hits: Any, predicted: Any, actual: Any) -> tuple[Any, Any]:
        return 2 * hits, predicted + actual


__all__ = ["F1", "ConfusionMatrix", "Precision", "Recall"]
