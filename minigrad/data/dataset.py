"""Datasets: what has a length and gives a sample for an index."""

from collections.abc import Sequence
from math import floor
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..autograd.tensor import wrap
from ..backend import Generator, asarray, generator
from ..backend.arrays import is_array
from ..errors import ShapeError


class Dataset:
    """The base: define ``__getitem__(i)`` and ``__len__()``.

    A dataset that can gather many samples at once may define ``batch(indices)`` too; a DataLoader then need not stack them one by one.
    """

    def __getitem__(self, i: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__}: define __getitem__(i)")

    def __len__(self) -> int:
        raise TypeError(f"{type(self).__name__}: define __len__()")


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

    def batch(self, indices: np.ndarray) -> tuple:
        """Many samples as one: each array's entries, gathered."""
        return tuple([wrap(t.data[indices], None) for t in self.tensors])

    def __len__(self) -> int:
        return self.tensors[0].shape[0]


class Subset(Dataset):
    """Some samples of a dataset, by their indices."""

    def __init__(self, dataset: Any, indices: Any):
        self.dataset, self.indices = dataset, np.asarray(indices, dtype=np.int64)
        if hasattr(dataset, "batch"):
            self.batch = lambda indices: dataset.batch(self.indices[indices])

    def __getitem__(self, i: int) -> Any:
        return self.dataset[int(self.indices[i])]

    def __len__(self) -> int:
        return len(self.indices)


def random_split(dataset: Any, lengths: Sequence[float], generator: Generator | None = None) -> list[Subset]:
    """Split a dataset at random into parts of these lengths, or of these fractions if they add up to 1.

    Args:
        generator: what draws; default: the seeded one.

    Raises:
        ValueError: the lengths do not add up to the length of the dataset.
    """
    n = len(dataset)
    if abs(sum(lengths) - 1) < 1e-9 and all(0 <= f <= 1 for f in lengths) and not (n == 1 and all(f == int(f) for f in lengths)):
        counts = [floor(n * f) for f in lengths]
        for i in range(n - sum(counts)):  # what rounding left goes round, as in PyTorch
            counts[i % len(counts)] += 1
    else:
        counts = [int(k) for k in lengths]
    if sum(counts) != n or any(k < 0 for k in counts):
        raise ValueError(f"random_split: lengths {list(lengths)} do not add up to the {n} samples")
    order = _generator(generator).rng.permutation(n)
    ends = np.cumsum(counts)
    return [Subset(dataset, order[end - k : end]) for k, end in zip(counts, ends, strict=True)]


def _generator(g: Generator | None) -> Generator:
    return generator() if g is None else g


__all__ = ["Dataset", "Subset", "TensorDataset", "random_split"]
