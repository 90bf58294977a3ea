"""Two samples made one: batches in which images and labels are mixed."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...autograd import Tensor
from ...autograd.tensor import as_data, raw, wrap
from ...backend import is_inexact, namespace
from ...errors import DTypeError, ShapeError
from ..collate import default_collate
from .erasing import inside
from .transform import beside, probability, stream
from .values import OneHot


class _Mixing:
    """Mixes a batch with itself in another order, by a share drawn from Beta(alpha, alpha), one for the batch."""

    def __init__(self, classes: int, alpha: float = 1.0, p: float = 1.0):
        who = type(self).__name__
        self.one_hot = OneHot(classes)
        if not 0 < alpha < np.inf:
            raise ValueError(f"{who}: alpha must be above 0, got {alpha}")
        self.classes, self.alpha, self.p = self.one_hot.classes, float(alpha), probability(who, p)

    def __call__(self, x: Any, y: Any) -> tuple[Tensor, Tensor]:
        """The mixed batch, and targets (N, classes) that ``cross_entropy`` takes as probabilities."""
        who = type(self).__name__
        a, targets = as_data(raw(x)), as_data(raw(y))
        if not is_inexact(a.dtype):
            raise DTypeError(f"{who}: expected floats to mix, got {a.dtype}; use ToTensor first")
        targets = targets if targets.dtype.kind == "f" else self.one_hot(targets)
        if len(a.shape) < 1 or targets.shape != (a.shape[0], self.classes):
            raise ShapeError(f"{who}: {tuple(a.shape)} and labels {tuple(as_data(raw(y)).shape)}; expected one label in a row per sample")
        rng = stream()
        if rng.random() < self.p:
            share, order = float(rng.beta(self.alpha, self.alpha)), beside(rng.permutation(a.shape[0]), a)
            a, share = self._mixed(a, a[order], share, rng)
            targets = targets * share + targets[order] * (1 - share)
        return wrap(a, None), wrap(targets, None)

    def collate(self, samples: Sequence[Any]) -> tuple[Tensor, Tensor]:
        """Stack samples (x, y) and mix them: a ``collate_fn`` for a DataLoader."""
        x, y = default_collate(samples)
        return self(x, y)

    def _mixed(self, a: Any, b: Any, share: float, rng: Any) -> tuple[Any, float]:
        raise NotImplementedError


class Mixup(_Mixing):
    """x = s x1 + (1 - s) x2 and y = s y1 + (1 - s) y2, s ~ Beta(alpha, alpha), for pairs within a batch.

    Shapes: x (N, ...), y (N,) integers or (N, classes) probabilities -> x, y (N, classes).

    Args:
        classes: how many classes there are.
        alpha: small: nearly one of the two; 1: every share is as likely; large: halves.
        p: how often a batch is mixed at all.

    Source:
        H. Zhang et al., "mixup: beyond empirical risk minimization", 2018, equation 1 and section 3; one share for a batch, as in the
        authors' code.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.data import DataLoader, Digits, transforms
        >>> mixup = transforms.Mixup(10, alpha=0.2)
        >>> x, y = next(iter(DataLoader(Digits(), batch_size=8, collate_fn=mixup.collate)))
        >>> x.shape, y.shape, y.sum(1).numpy().round(5).max()
        ((8, 1, 8, 8), (8, 10), np.float32(1.0))
    """

    def _mixed(self, a: Any, b: Any, share: float, rng: Any) -> tuple[Any, float]:
        return a * share + b * (1 - share), share


class CutMix(_Mixing):
    """A rectangle of the image comes from another; the labels are mixed by area.

    The rectangle has sides sqrt(1 - s) H and sqrt(1 - s) W, s ~ Beta(alpha, alpha), about a random pixel; what would lie outside is cut
    off, and the labels go by what is left.

    Shapes: x (N, C, H, W), y (N,) integers or (N, classes) probabilities -> x, y (N, classes).

    Args:
        classes, alpha, p: as ``Mixup``.

    Source:
        S. Yun et al., "CutMix: regularization strategy to train strong classifiers with localizable features", 2019 (arXiv 2020),
        equations 1 and 2 and algorithm A1.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.data import transforms
        >>> x, y = transforms.CutMix(2)(mg.zeros((4, 3, 8, 8)), mg.tensor([0, 1, 1, 0]))
        >>> x.shape, y.shape
        ((4, 3, 8, 8), (4, 2))
    """

    def _mixed(self, a: Any, b: Any, share: float, rng: Any) -> tuple[Any, float]:
        if a.ndim != 4:
            raise ShapeError(f"CutMix: expected images (N, C, H, W), got shape {tuple(a.shape)}")
        (h, w), side = a.shape[2:], np.sqrt(1 - share)
        (top, bottom), (left, right) = (_span(rng.integers(n), int(n * side), n) for n in (h, w))
        mask = inside(top, bottom, left, right, h, w)
        return namespace(type(a)).where(beside(mask, a), b, a), 1 - float(mask.mean())


def _span(middle: int, length: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Where a stretch about ``middle`` begins and ends, cut off at 0 and n; arrays (1,)."""
    begin = middle - length // 2
    return np.array([max(begin, 0)]), np.array([min(begin + length, n)])


__all__ = ["CutMix", "Mixup"]
