"""DataLoader: a dataset in batches."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..autograd.tensor import raw, weak_dtype, wrap
from ..backend import Generator
from ..backend import generator as current
from ..backend.arrays import is_array, namespace
from ..errors import DTypeError, ShapeError


def default_collate(samples: Sequence[Any]) -> Any:
    """Stack samples into a batch: numbers and arrays along a new first axis; tuples, lists and dicts part by part."""
    first = samples[0]
    if isinstance(first, Mapping):
        return {k: default_collate([s[k] for s in samples]) for k in first}
    if isinstance(first, (tuple, list)):
        if any(len(s) != len(first) for s in samples):
            raise ShapeError("DataLoader: samples have different numbers of parts; give a collate_fn")
        return type(first)([default_collate(part) for part in zip(*samples, strict=True)])
    if isinstance(first, str):
        return list(samples)
    if isinstance(first, (Tensor, np.generic)) or is_array(first):
        arrays = [raw(s) for s in samples]
        if len({np.shape(a) for a in arrays}) > 1:
            raise ShapeError(
                f"DataLoader: samples of different shapes cannot be stacked: {sorted({np.shape(a) for a in arrays})}; give a collate_fn"
            )
        return wrap(namespace(type(arrays[0])).stack(arrays), None)
    if isinstance(first, (bool, int, float)):
        return wrap(np.asarray(samples, dtype=weak_dtype(first) if isinstance(first, float) else None), None)
    raise DTypeError(f"DataLoader: cannot stack samples of type {type(first).__name__}; give a collate_fn")


class DataLoader:
    """Iterates over a dataset in batches.

    Args:
        dataset: what has ``__getitem__`` and ``__len__``.
        batch_size: how many samples a batch has; the last may have fewer.
        shuffle: a new random order each time round.
        drop_last: leave out a last batch that is not full.
        collate_fn: makes a batch of a list of samples; default: stacks them.
        generator: what draws the order; default: a stream of its own, fixed by ``manual_seed`` and by when the loader is made.

    Example:
        >>> from minigrad.data import DataLoader
        >>> [batch.tolist() for batch in DataLoader([1, 2, 3, 4, 5], batch_size=2)]
        [[1, 2], [3, 4], [5]]
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int = 1,
        shuffle: bool = False,
        drop_last: bool = False,
        collate_fn: Callable[[list], Any] | None = None,
        generator: Generator | None = None,
    ):
        if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
            raise ValueError(f"DataLoader: batch_size must be an integer >= 1, got {batch_size!r}")
        self.dataset, self.batch_size, self.shuffle, self.drop_last = dataset, int(batch_size), shuffle, drop_last
        self.collate_fn = collate_fn
        self.generator = current().spawn() if generator is None and shuffle else generator

    def __len__(self) -> int:
        n = len(self.dataset)
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        n = len(self.dataset)
        order = self.generator.rng.permutation(n) if self.shuffle and self.generator is not None else np.arange(n)
        gather = getattr(self.dataset, "batch", None) if self.collate_fn is None else None
        collate = self.collate_fn or default_collate
        for b in range(len(self)):
            chosen = order[b * self.batch_size : (b + 1) * self.batch_size]
            yield gather(chosen) if gather is not None else collate([self.dataset[int(i)] for i in chosen])


__all__ = ["DataLoader", "default_collate"]
