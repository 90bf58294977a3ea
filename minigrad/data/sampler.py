"""Samplers: in which order a loader takes the samples.

A sampler that draws at random is fixed by a seed and by how often it was gone through before; these two are its state.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from ..autograd.tensor import as_data
from ..backend import Generator, to_device
from ..backend import generator as current
from ..errors import CheckpointError, DTypeError


def positive(who: str, name: str, value: Any, least: int = 1) -> int:
    """An integer that is large enough; ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{who}: {name} must be an integer >= {least}, got {value!r}")
    return int(value)


def child(who: str, generator: Any) -> Generator:
    """A stream of its own, from the generator given or from the seeded one; it advances neither."""
    if generator is not None and not isinstance(generator, Generator):
        raise DTypeError(f"{who}: generator must be a minigrad Generator, got {type(generator).__name__}")
    return (current() if generator is None else generator).child()


class Sampler:
    """Gives the indices of an epoch: define ``__iter__()``, and ``__len__()`` if it is known.

    One with a state, such as a random stream, also defines ``state_dict()`` and ``load_state_dict(state)``, so that a loader can
    be resumed. One that has ``order()``, all indices of an epoch as an array, is read in slices.

    Example:
        >>> from minigrad import data
        >>> class Backwards(data.Sampler):
        ...     def __iter__(self):
        ...         return iter([2, 1, 0])
        ...     def __len__(self):
        ...         return 3
        >>> [b.tolist() for b in data.DataLoader([10, 20, 30], batch_size=2, sampler=Backwards())]
        [[30, 20], [10]]
    """

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__}: define __iter__()")

    def __len__(self) -> int:
        raise TypeError(f"{type(self).__name__}: define __len__()")


class SequentialSampler(Sampler):
    """0, 1, 2, ... in this order.

    Example:
        >>> from minigrad.data import SequentialSampler
        >>> list(SequentialSampler("abc"))
        [0, 1, 2]
    """

    def __init__(self, data_source: Any):
        self.data_source = data_source

    def order(self) -> np.ndarray:
        """All indices of an epoch."""
        return np.arange(len(self.data_source))

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class _Drawn(Sampler):
    """A new order each time round, drawn from (seed, epoch)."""

    def __init__(self, generator: Generator | None):
        self.seed, self.epoch = child(type(self).__name__, generator).seed, 0

    def draw(self, rng: Any) -> np.ndarray:
        """The order of an epoch, from the stream given."""
        raise NotImplementedError

    def order(self) -> np.ndarray:
        """All indices of the next epoch."""
        stream = Generator((self.epoch << 192) + self.seed)
        self.epoch += 1
        return self.draw(stream.rng)

    def __iter__(self) -> Iterator[int]:
        return iter(self.order().tolist())

    def state_dict(self) -> dict[str, Any]:
        """The seed, and which epoch comes next."""
        return {"seed": self.seed, "epoch": self.epoch}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where the state was taken.

        Raises:
            CheckpointError: the state is not one of a sampler; nothing has changed.
        """
        self.seed, self.epoch = counts(type(self).__name__, state, "seed", "epoch")


def counts(who: str, state: Any, *names: str) -> list[int]:
    """These entries of a state, integers >= 0; CheckpointError for anything else."""
    values = [state.get(n) if isinstance(state, Mapping) else None for n in names]
    bad = [n for n, v in zip(names, values, strict=True) if isinstance(v, bool) or not isinstance(v, (int, np.integer)) or v < 0]
    if bad:
        raise CheckpointError(f"{who}.load_state_dict: {', '.join(bad)} must be integers >= 0, got {state!r}; nothing was loaded")
    return [int(v) for v in values if v is not None]


class RandomSampler(_Drawn):
    """All indices in random order, or random indices with replacement.

    Args:
        data_source: what has a length.
        replacement: draw each index anew from all, so that some come twice.
        num_samples: how many; default: the length. Without replacement, more than the length begins another round of all.
        generator: whose child draws; default: the seeded stream's. Neither is advanced.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.data import RandomSampler
        >>> sorted(RandomSampler(range(5), generator=mg.Generator(0)))
        [0, 1, 2, 3, 4]
    """

    def __init__(self, data_source: Any, replacement: bool = False, num_samples: int | None = None, generator: Generator | None = None):
        self.data_source, self.replacement = data_source, bool(replacement)
        self.num_samples = None if num_samples is None else positive("RandomSampler", "num_samples", num_samples)
        super().__init__(generator)

    def draw(self, rng: Any) -> np.ndarray:
        n, k = len(self.data_source), len(self)
        if self.replacement:
            return rng.integers(n, size=k)
        return np.concatenate([rng.permutation(n) for _ in range(-(-k // n) if n else 0)] or [np.arange(0)])[:k]

    def __len__(self) -> int:
        return len(self.data_source) if self.num_samples is None else self.num_samples


class SubsetRandomSampler(_Drawn):
    """The given indices in random order.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.data import SubsetRandomSampler
        >>> sorted(SubsetRandomSampler([7, 3, 5]))
        [3, 5, 7]
    """

    def __init__(self, indices: Sequence[int], generator: Generator | None = None):
        self.indices = np.asarray(indices)
        if self.indices.ndim != 1 or (self.indices.size and self.indices.dtype.kind not in "iu"):
            raise DTypeError(f"SubsetRandomSampler: indices must be a list of integers, got {self.indices.dtype}{self.indices.shape}")
        super().__init__(generator)

    def draw(self, rng: Any) -> np.ndarray:
        return rng.permutation(self.indices)

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(_Drawn):
    """Indices drawn with probabilities proportional to their weights, as against classes of unequal size.

    Args:
        weights: one per sample, >= 0.
        num_samples: how many are drawn in an epoch.
        replacement: whether an index may be drawn twice.
        generator: whose child draws; default: the seeded stream's.

    Raises:
        ValueError: weights that are negative, not finite or all 0, or fewer than ``num_samples`` above 0 without replacement.

    Example:
        >>> from minigrad.data import WeightedRandomSampler
        >>> set(WeightedRandomSampler([0.0, 1.0, 0.0], num_samples=10))
        {1}
    """

    def __init__(self, weights: Any, num_samples: int, replacement: bool = True, generator: Generator | None = None):
        w = np.asarray(to_device(as_data(weights), "cpu"), np.float64)
        self.num_samples, self.replacement = positive("WeightedRandomSampler", "num_samples", num_samples), bool(replacement)
        if w.ndim != 1 or not np.isfinite(w).all() or (w < 0).any() or not w.sum() > 0:
            raise ValueError(f"WeightedRandomSampler: weights must be a list of finite numbers >= 0, not all 0; got {w}")
        if not replacement and np.count_nonzero(w) < self.num_samples:
            raise ValueError(
                f"WeightedRandomSampler: {self.num_samples} samples without replacement, but {np.count_nonzero(w)} weights above 0"
            )
        self.weights = w
        super().__init__(generator)

    def draw(self, rng: Any) -> np.ndarray:
        return rng.choice(len(self.weights), self.num_samples, self.replacement, self.weights / self.weights.sum())

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler):
    """Lists of indices, ``batch_size`` at a time, of those that another sampler gives.

    Args:
        sampler: gives indices.
        batch_size: how many make a batch.
        drop_last: leave out a last batch that is not full.

    Example:
        >>> from minigrad.data import BatchSampler, SequentialSampler
        >>> list(BatchSampler(SequentialSampler(range(5)), batch_size=2, drop_last=False))
        [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[Any], batch_size: int, drop_last: bool = False):
        self.sampler, self.batch_size, self.drop_last = sampler, positive("BatchSampler", "batch_size", batch_size), bool(drop_last)

    def __iter__(self) -> Iterator[list]:
        size = self.batch_size
        if hasattr(self.sampler, "order"):
            order = self.sampler.order()
            batches: Iterator[list] = (order[k : k + size].tolist() for k in range(0, len(order), size))
        else:
            source = iter(self.sampler)
            batches = iter(lambda: list(islice(source, size)), [])
        return (b for b in batches if len(b) == size or not self.drop_last)

    def __len__(self) -> int:
        n = len(self.sampler)  # type: ignore[arg-type]
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)

    def state_dict(self) -> dict[str, Any]:
        """The state of the sampler inside; empty where it has none."""
        return self.sampler.state_dict() if hasattr(self.sampler, "state_dict") else {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Give the state to the sampler inside.

        Raises:
            CheckpointError: there is a state, but that sampler takes none.
        """
        if hasattr(self.sampler, "load_state_dict"):
            self.sampler.load_state_dict(state)
        elif state:
            raise CheckpointError(f"BatchSampler.load_state_dict: {type(self.sampler).__name__} takes none, got {dict(state)}")


__all__ = [
    "BatchSampler",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "SubsetRandomSampler",
    "WeightedRandomSampler",
]
