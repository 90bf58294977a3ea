"""How well scores rank: the area under the curve of true positives over false positives."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..autograd.tensor import raw
from ..backend import is_inexact, to_device
from ..backend.arrays import namespace
from ..errors import DTypeError, ShapeError
from ..ops.losses import on_cpu
from .labels import read_labels
from .metric import Metric


class AUROC(Metric):
    """The probability that a positive has a larger score than a negative, equal scores counting half: computed exactly, from ranks.

    Area = (R - P (P + 1) / 2) / (P N), with P positives, N negatives and R the sum of the ranks of the positives, where equals share
    the mean of their ranks. With several classes each is set against all others, by its probability.

    The state is all scores and labels; it grows with the data.

    Shapes: binary scores and targets 0 or 1 of one shape (all elements are one ranking); or scores (N, C, d1, ...) and labels
    (N, d1, ...).

    Args:
        average: of several classes: "macro": their mean; "weighted": weighted by how often they are true; None: an array. A class
            without a positive or without a negative is NaN, and left out of averages.
        logits: scores of several classes are logits, of which the softmax is taken; False: they are probabilities. For binary scores
            it makes no difference.
        ignore_index: a label that does not count.
        name: what logs call it.

    Raises:
        ValueError: ``average`` is none of these; in ``update``: rows that are probabilities given as logits, or the reverse (looked at
            on the CPU only).
        ShapeError, DTypeError, IndexRangeError: in ``update``: shapes that do not fit, labels that are no labels of a class.

    Numerics: NaN without a positive or without a negative, or if a score is NaN.
    Source:
        Hanley and McNeil, "The meaning and use of the area under a receiver operating characteristic (ROC) curve", 1982; Mann and
        Whitney 1947.

    Example:
        >>> from minigrad.metrics import AUROC
        >>> auroc = AUROC()
        >>> auroc.update([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]); auroc
        AUROC(0.75)
    """

    scores: list[Any]
    sums: Mapping[str, Any] = {"scores": [], "labels": []}

    def __init__(self, average: str | None = "macro", logits: bool = True, ignore_index: int | None = None, name: str | None = None):
        if average not in (None, "macro", "weighted"):
            raise ValueError(f"AUROC: average must be 'macro', 'weighted' or None, got {average!r}")
        super().__init__(name)
        self.average, self.logits, self.ignore_index = average, logits, ignore_index

    def measure(self, output: Any, target: Any) -> Mapping[str, Any]:
        shape = tuple(output.shape)
        if not is_inexact(output.dtype):
            raise DTypeError(f"AUROC: scores must be floating, got {output.dtype}{list(shape)}; labels cannot be ranked")
        xp = namespace(type(output))
        if shape == tuple(target.shape):
            labels, valid = read_labels("AUROC", target, shape, 2, self.ignore_index)
            scores = output.reshape(-1)
        else:
            if len(shape) < 2 or shape[1] < 2:
                raise ShapeError(f"AUROC: expected scores (N, C, ...) and labels (N, ...), or both of one shape; got {shape}")
            labels, valid = read_labels("AUROC", target, shape[:1] + shape[2:], shape[1], self.ignore_index)
            scores = xp.moveaxis(output, 1, -1).reshape(-1, shape[1])
            if on_cpu(scores) and len(scores):
                _check_rows(scores, self.logits)
        labels = labels.astype("int64")
        labels = (labels if valid is None else xp.where(valid, labels, -1)).reshape(-1)
        return {"scores": [scores.copy()], "labels": [labels.copy()]}

    def join(self, mine: Mapping[str, Any], more: Mapping[str, Any]) -> Mapping[str, Any]:
        widths = [{tuple(s.shape[1:]) for s in part["scores"]} for part in (mine, more)]
        if all(widths) and widths[0] != widths[1]:
            raise ShapeError(f"AUROC: scores (N, {widths[0]}) so far, (N, {widths[1]}) now; the classes must be the same")
        return super().join(mine, more)

    def _all(self) -> tuple[np.ndarray, np.ndarray]:
        """All scores and labels that count."""
        scores, labels = [np.concatenate([to_device(raw(a), "cpu") for a in getattr(self, key)]) for key in self.sums]
        return scores[labels >= 0], labels[labels >= 0]

    def state_dict(self) -> dict[str, Any]:
        return dict(zip(self.sums, [[a] for a in self._all()], strict=True)) if self.scores else super().state_dict()

    def compute(self) -> Any:
        if not self.scores:
            return float("nan")
        scores, labels = self._all()
        p = scores.astype("float64")
        if p.ndim == 1:
            return _area(p, labels == 1)
        if self.logits:
            p = np.exp(p - p.max(axis=1, keepdims=True, initial=-np.inf))
            p /= p.sum(axis=1, keepdims=True)
        areas = np.array([_area(p[:, c], labels == c) for c in range(p.shape[1])])
        if self.average is None:
            return areas
        weights = np.bincount(labels, minlength=len(areas)) if self.average == "weighted" else np.ones(len(areas))
        some = ~np.isnan(areas)
        return self.ratio((areas * weights)[some].sum(), weights[some].sum())


def _check_rows(scores: Any, logits: bool) -> None:
    """ValueError for probabilities given as logits, which chance alone would not make, and for the reverse."""
    off = float(abs(scores.sum(axis=1, dtype="float64") - 1).max()) if (scores >= 0).all() else np.inf
    if logits and len(scores) > 1 and off < {2: 0.06, 4: 1e-5}.get(scores.dtype.itemsize, 1e-13):
        raise ValueError("AUROC: the rows of scores are probabilities; say AUROC(logits=False)")
    if not logits and not off < 1e-2:
        raise ValueError("AUROC: the rows of scores are no probabilities that add up to 1; say AUROC(logits=True)")


def _area(scores: np.ndarray, positive: np.ndarray) -> float:
    """The area for one ranking."""
    n, p = len(scores), int(positive.sum())
    if p in (0, n) or np.isnan(scores).any():
        return float("nan")
    order = scores.argsort()
    s = scores[order]
    first = np.flatnonzero(np.concatenate([[True], s[1:] != s[:-1]]))  # of each set of equals
    many = np.diff(first, append=n)
    ranks = np.repeat(first + (many + 1) / 2, many)
    return float((ranks[positive[order]].sum() - p * (p + 1) / 2) / (p * (n - p)))


__all__ = ["AUROC"]
