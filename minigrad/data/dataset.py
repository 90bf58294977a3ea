"""Datasets: what has a length and gives a sample for an index, or gives samples one after another."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..autograd.tensor import wrap
from ..backend import asarray
from ..backend.arrays import is_array
from ..errors import DTypeError, IndexRangeError, ShapeError


class Dataset:
    """Samples by index: define ``__getitem__(i)`` and ``__len__()``.

    A dataset that can gather many samples at once may define ``batch(indices)`` too; a DataLoader then need not stack them one by one.

    Example:
        >>> from minigrad import data
        >>> class Squares(data.Dataset):
        ...     def __getitem__(self, i):
        ...         return i, i * i
        ...     def __len__(self):
        ...         return 4
        >>> [b.tolist() for b in next(iter(data.DataLoader(Squares(), batch_size=4)))]
        [[0, 1, 2, 3], [0, 1, 4, 9]]
    """

    def __getitem__(self, i: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__}: define __getitem__(i)")

    def __len__(self) -> int:
        raise TypeError(f"{type(self).__name__}: define __len__()")

    def __add__(self, other: Any) -> "ConcatDataset":
        return ConcatDataset([self, other])


class IterableDataset(Dataset):
    """Samples one after another, for what has no index, such as a log that grows: define ``__iter__()``.

    Example:
        >>> from minigrad import data
        >>> class Countdown(data.IterableDataset):
        ...     def __iter__(self):
        ...         yield from (3, 2, 1)
        >>> [b.tolist() for b in data.DataLoader(Countdown(), batch_size=2)]
        [[3, 2], [1]]
    """

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__}: define __iter__()")

    def __getitem__(self, i: Any) -> Any:
        raise TypeError(f"{type(self).__name__} has no samples by index; iterate over it")

    def __add__(self, other: Any) -> Any:
        return ChainDataset([self, other])


class TensorDataset(Dataset):
    """Arrays or Tensors side by side: sample i is the tuple of their i-th entries.

    Raises:
        ShapeError: their first axes differ.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.data import TensorDataset
        >>> TensorDataset(mg.tensor([[1.0], [2.0]]), mg.tensor([0, 1]))[1]
        (Tensor([2.], shape (1,), float32, cpu), Tensor(1, shape (), int64, cpu))
    """

    def __init__(self, *tensors: Any):
        self.tensors = tuple([t if isinstance(t, Tensor) else wrap(t if is_array(t) else asarray(t), None) for t in tensors])
        lengths = {t.shape[0] if t.shape else None for t in self.tensors}
        if len(lengths) != 1 or None in lengths:
            raise ShapeError(f"TensorDataset: the first axes must be equally long, got shapes {[t.shape for t in self.tensors]}")

    def __getitem__(self, i: Any) -> tuple:
        return tuple([wrap(np.asarray(t.data[i]) if isinstance(t.data, np.ndarray) else t.data[i], None) for t in self.tensors])

    def batch(self, indices: Any) -> tuple:
        """Many samples as one: each array's entries, gathered."""
        return tuple([wrap(t.data[indices], None) for t in self.tensors])

    def __len__(self) -> int:
        return self.tensors[0].shape[0]


class Subset(Dataset):
    """Some samples of a dataset, by their indices.

    Raises:
        DTypeError: the indices are no integers.
        IndexRangeError: one is outside the dataset.

    Example:
        >>> from minigrad.data import Subset
        >>> list(Subset("abcdef", [5, 0]))
        ['f', 'a']
    """

    def __init__(self, dataset: Any, indices: Any):
        given = np.asarray(indices)
        if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
            raise DTypeError(f"Subset: indices must be a list of integers, got {given.dtype} of shape {given.shape}")
        self.dataset, self.indices = dataset, given.astype(np.int64)
        n = len(dataset)
        if given.size and not -n <= self.indices.min() <= self.indices.max() < n:
            bad = self.indices[(self.indices < -n) | (self.indices >= n)][0]
            raise IndexRangeError(f"Subset: index {bad} is outside the dataset of {n} samples")

    def __getitem__(self, i: int) -> Any:
        return self.dataset[int(self.indices[i])]

    @property
    def batch(self) -> Callable:
        """Many samples as one, where the dataset gathers them so."""
        gather = self.dataset.batch
        return lambda indices: gather(self.indices[indices])

    def __len__(self) -> int:
        return len(self.indices)


class ConcatDataset(Dataset):
    """Datasets one after the other as one.

    Raises:
        ShapeError: none is given.
        IndexRangeError: an index outside it.

    Example:
        >>> from minigrad.data import ConcatDataset
        >>> both = ConcatDataset(["abc", "de"])
        >>> len(both), both[3], both[-3]
        (5, 'd', 'c')
    """

    def __init__(self, datasets: Iterable[Any]):
        self.datasets = list(datasets)
        if not self.datasets:
            raise ShapeError("ConcatDataset: expected at least one dataset, got none")
        if any(isinstance(d, IterableDataset) for d in self.datasets):
            raise DTypeError("ConcatDataset: an IterableDataset has no samples by index; use ChainDataset")
        self.ends = list(accumulate(len(d) for d in self.datasets))

    def __getitem__(self, i: int) -> Any:
        n = len(self)
        if not -n <= i < n:
            raise IndexRangeError(f"ConcatDataset: index {i} is outside its {n} samples")
        i = i % n
        part = bisect_right(self.ends, i)
        return self.datasets[part][i - (self.ends[part - 1] if part else 0)]

    def __len__(self) -> int:
        return self.ends[-1]


class ChainDataset(IterableDataset):
    """The samples of several datasets in turn, each read only when those before are through.

    Example:
        >>> from minigrad.data import ChainDataset
        >>> list(ChainDataset(["ab", "c"]))
        ['a', 'b', 'c']
    """

    def __init__(self, datasets: Iterable[Any]):
        self.datasets = list(datasets)

    def __iter__(self) -> Iterator[Any]:
        for dataset in self.datasets:
            yield from dataset


class TransformDataset(Dataset):
    """A dataset whose samples are changed when they are asked for.

    ``transform`` is applied to a sample, or to the first part of a sample that is a tuple; ``target_transform`` to the second. Where
    the dataset gathers whole batches and the transforms take them (those of ``data.transforms`` say so by ``batched``), so does this.

    Example:
        >>> from minigrad import data
        >>> d = data.TransformDataset([(1, 2), (3, 4)], transform=lambda x: 10 * x, target_transform=lambda y: -y)
        >>> d[1]
        (30, -4)
    """

    def __init__(self, dataset: Any, transform: Callable | None = None, target_transform: Callable | None = None):
        for name, f in (("transform", transform), ("target_transform", target_transform)):
            if f is not None and not callable(f):
                raise DTypeError(f"TransformDataset: {name} must be callable, got {type(f).__name__}")
        self.dataset, self.transform, self.target_transform = dataset, transform, target_transform

    def __getitem__(self, i: Any) -> Any:
        return self._changed(self.dataset[i])

    @property
    def batch(self) -> Callable:
        """Many samples as one, where the dataset gathers them so and the transforms take them."""
        gather = self.dataset.batch
        if not all(f is None or getattr(f, "batched", False) for f in (self.transform, self.target_transform)):
            raise AttributeError("TransformDataset: these transforms take one sample at a time")
        return lambda indices: self._changed(gather(indices))

    def _changed(self, sample: Any) -> Any:
        if isinstance(sample, (tuple, list)):
            parts = list(sample)
            for k, f in enumerate((self.transform, self.target_transform)):
                if f is not None:
                    if k >= len(parts):
                        raise ShapeError(f"TransformDataset: a sample has {len(parts)} part(s), so there is no target to transform")
                    parts[k] = f(parts[k])
            return tuple(parts)
        if self.target_transform is not None:
            raise ShapeError("TransformDataset: a sample is no tuple, so there is no target to transform")
        return sample if self.transform is None else self.transform(sample)

    def __len__(self) -> int:
        return len(self.dataset)


__all__ = ["ChainDataset", "ConcatDataset", "Dataset", "IterableDataset", "Subset", "TensorDataset", "TransformDataset"]
