"""Parts of a dataset: at random, by class, and in turns for cross validation."""

from collections.abc import Iterator, Sequence
from math import ceil, floor
from typing import Any

import numpy as np

from ..autograd.tensor import as_data
from ..backend import Generator, generator, to_device
from ..errors import DTypeError, ShapeError
from .dataset import Subset


def _stream(given: Generator | None) -> Any:
    return (generator() if given is None else given).rng


def _one_per_sample(who: str, name: str, values: Any, n: int) -> np.ndarray:
    """Labels or groups as numbers 0, 1, ..., one per sample."""
    if values is None:
        raise ShapeError(f"{who}: expected {name}, one per sample; got None")
    texts = isinstance(values, (list, tuple)) and bool(values) and isinstance(values[0], str)
    a = np.asarray(values) if texts else np.asarray(to_device(as_data(values), "cpu"))
    if a.shape != (n,):
        raise ShapeError(f"{who}: {name} must have one entry per sample, ({n},), got {a.shape}")
    if a.dtype.kind == "f":
        raise DTypeError(f"{who}: {name} must be integers or texts, got {a.dtype}")
    return np.unique(a, return_inverse=True)[1].reshape(-1)


def random_split(dataset: Any, lengths: Sequence[float], generator: Generator | None = None) -> list[Subset]:
    """Split a dataset at random into parts of these lengths, or of these fractions if they add up to 1.

    Args:
        generator: what draws; default: the seeded one.

    Raises:
        ValueError: the lengths do not add up to the length of the dataset.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.data import random_split
        >>> a, b = random_split(range(10), [0.7, 0.3], generator=mg.Generator(0))
        >>> len(a), len(b), sorted([*a, *b]) == list(range(10))
        (7, 3, True)
    """
    n = len(dataset)
    if abs(sum(lengths) - 1) < 1e-9 and all(0 <= f <= 1 for f in lengths) and not (n == 1 and all(f == int(f) for f in lengths)):
        counts = [floor(n * f + 1e-9) for f in lengths]
        for i in range(n - sum(counts)):  # what rounding left goes round, as in PyTorch
            counts[i % len(counts)] += 1
    else:
        if any(k != k or k < 0 or k != int(k) for k in lengths):
            raise ValueError(f"random_split: lengths must be integers >= 0 or fractions that add up to 1, got {list(lengths)}")
        counts = [int(k) for k in lengths]
    if sum(counts) != n:
        raise ValueError(f"random_split: lengths {list(lengths)} do not add up to the {n} samples")
    order = _stream(generator).permutation(n)
    ends = np.cumsum(counts)
    return [Subset(dataset, order[end - k : end]) for k, end in zip(counts, ends, strict=True)]


def train_test_split(
    dataset: Any, test_size: float = 0.25, stratify: Any = None, generator: Generator | None = None
) -> tuple[Subset, Subset]:
    """A training part and a test part, drawn at random.

    Args:
        test_size: how many samples the test part has, or which fraction (rounded up).
        stratify: a label per sample: each class is then split in the same proportion, up to rounding.
        generator: what draws; default: the seeded one.

    Raises:
        ValueError: a part would be empty.

    Example:
        >>> from minigrad.data import train_test_split
        >>> labels = [0] * 8 + [1] * 4
        >>> train, test = train_test_split(range(12), 0.25, stratify=labels)
        >>> len(train), sorted(labels[i] for i in test)
        (9, [0, 0, 1])
    """
    n = len(dataset)
    count = ceil(n * test_size - 1e-9) if isinstance(test_size, float) else int(test_size)
    if not 0 < count < n:
        raise ValueError(f"train_test_split: test_size {test_size} of {n} samples leaves an empty part")
    order = _stream(generator).permutation(n)
    if stratify is not None:
        labels = _one_per_sample("train_test_split", "stratify", stratify, n)[order]
        rank = np.empty(n)  # where in its own class a sample stands, in (0, 1); the classes interleave evenly by it
        for c in range(labels.max() + 1):
            mine = np.flatnonzero(labels == c)
            rank[mine] = (np.arange(len(mine)) + 0.5) / len(mine)
        order = order[np.argsort(rank, kind="stable")]
    return Subset(dataset, order[count:]), Subset(dataset, order[:count])


class KFold:
    """k parts in turn to test with, the others to train on.

    Args:
        n_splits: k.
        shuffle: deal the samples at random; else the parts are contiguous.
        generator: what draws, anew in each ``split``; default: the seeded one.

    Raises:
        ValueError: fewer than two parts, or more than samples.

    Source:
        M. Stone, "Cross-validatory choice and assessment of statistical predictions", 1974.

    Example:
        >>> from minigrad.data import KFold
        >>> [(train.tolist(), test.tolist()) for train, test in KFold(2).split("abc")]
        [([2], [0, 1]), ([0, 1], [2])]
        >>> [list(test) for train, test in KFold(2).folds("abc")]
        [['a', 'b'], ['c']]
    """

    def __init__(self, n_splits: int = 5, shuffle: bool = False, generator: Generator | None = None):
        if isinstance(n_splits, bool) or not isinstance(n_splits, int) or n_splits < 2:
            raise ValueError(f"{type(self).__name__}: n_splits must be an integer >= 2, got {n_splits!r}")
        self.n_splits, self.shuffle, self.generator = n_splits, shuffle, generator

    def parts(self, n: int, y: Any, groups: Any) -> np.ndarray:
        """The part to which each of n samples belongs."""
        part = np.repeat(np.arange(self.n_splits), [(n + self.n_splits - 1 - k) // self.n_splits for k in range(self.n_splits)])
        return _stream(self.generator).permutation(part) if self.shuffle else part

    def split(self, dataset: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(indices to train on, indices to test with), k times.

        Args:
            dataset: what has a length.
            y: a label per sample, where classes count.
            groups: a group per sample, where groups count.
        """
        n = len(dataset)
        if n < self.n_splits:
            raise ValueError(f"{type(self).__name__}: {self.n_splits} parts of {n} samples; use fewer")
        part = self.parts(n, y, groups)
        return ((np.flatnonzero(part != k), np.flatnonzero(part == k)) for k in range(self.n_splits))

    def folds(self, dataset: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[Subset, Subset]]:
        """What ``split`` gives, as Subsets of the dataset."""
        return ((Subset(dataset, train), Subset(dataset, test)) for train, test in self.split(dataset, y, groups))


class StratifiedKFold(KFold):
    """``KFold`` in which each part has each class in the proportion of the whole, up to one sample.

    Raises:
        ValueError: a class has fewer samples than there are parts.

    Example:
        >>> import numpy as np
        >>> from minigrad.data import StratifiedKFold
        >>> y = np.array([0, 0, 0, 0, 1, 1])
        >>> [y[test].tolist() for _, test in StratifiedKFold(2).split(y, y)]
        [[0, 0, 1], [0, 0, 1]]
    """

    def parts(self, n: int, y: Any, groups: Any) -> np.ndarray:
        """The part to which each of n samples belongs."""
        labels = _one_per_sample("StratifiedKFold", "y", y, n)
        counts = np.bincount(labels)
        if counts.min() < self.n_splits:
            raise ValueError(f"StratifiedKFold: a class has {counts.min()} samples, fewer than the {self.n_splits} parts")
        order = _stream(self.generator).permutation(n) if self.shuffle else np.arange(n)
        part = np.empty(n, np.int64)
        part[order[np.argsort(labels[order], kind="stable")]] = np.arange(n) % self.n_splits  # dealt out, class after class
        return part


class GroupKFold(KFold):
    """``KFold`` in which a group, such as the images of one patient, is never both trained on and tested with.

    The largest groups are dealt first, each to the part that has fewest samples so far; ``shuffle`` draws among equals.

    Raises:
        ValueError: fewer groups than parts.

    Example:
        >>> from minigrad.data import GroupKFold
        >>> [test.tolist() for _, test in GroupKFold(2).split("abcde", groups=[7, 7, 8, 8, 9])]
        [[0, 1, 4], [2, 3]]
    """

    def parts(self, n: int, y: Any, groups: Any) -> np.ndarray:
        """The part to which each of n samples belongs."""
        group = _one_per_sample("GroupKFold", "groups", groups, n)
        counts = np.bincount(group)
        if len(counts) < self.n_splits:
            raise ValueError(f"GroupKFold: {len(counts)} groups, fewer than the {self.n_splits} parts")
        order = _stream(self.generator).permutation(len(counts)) if self.shuffle else np.arange(len(counts))
        part, sizes = np.empty(len(counts), np.int64), np.zeros(self.n_splits, np.int64)
        for g in order[np.argsort(-counts[order], kind="stable")]:
            part[g] = sizes.argmin()
            sizes[part[g]] += counts[g]
        return part[group]


__all__ = ["GroupKFold", "KFold", "StratifiedKFold", "random_split", "train_test_split"]
