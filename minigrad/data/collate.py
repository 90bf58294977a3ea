"""A batch out of samples."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..autograd.tensor import raw, weak_dtype, wrap
from ..backend.arrays import is_array, namespace
from ..errors import DTypeError, ShapeError


def default_collate(samples: Sequence[Any]) -> Any:
    """Stack samples into a batch: numbers and arrays along a new first axis; tuples, lists and dicts part by part; texts as a list.

    Raises:
        ShapeError: arrays of different shapes, or samples with different parts.
        DTypeError: samples of a type that cannot be stacked, or no samples at all.

    Example:
        >>> from minigrad.data import default_collate
        >>> x, y = default_collate([([1.0, 2.0], 0), ([3.0, 4.0], 1)])
        >>> [part.tolist() for part in x], y.tolist()
        ([[1.0, 3.0], [2.0, 4.0]], [0, 1])
    """
    if not len(samples):
        raise DTypeError("default_collate: expected at least one sample, got none")
    first = samples[0]
    if isinstance(first, Mapping):
        if any(not isinstance(s, Mapping) or s.keys() != first.keys() for s in samples):
            raise ShapeError(f"DataLoader: samples have different keys, the first {list(first)}; give a collate_fn")
        return {k: default_collate([s[k] for s in samples]) for k in first}
    if isinstance(first, (tuple, list)):
        if any(len(s) != len(first) for s in samples):
            raise ShapeError("DataLoader: samples have different numbers of parts; give a collate_fn")
        parts = [default_collate(part) for part in zip(*samples, strict=True)]
        return type(first)(*parts) if hasattr(first, "_fields") else type(first)(parts)  # type: ignore[arg-type]
    if isinstance(first, (str, bytes)):
        return list(samples)
    if isinstance(first, (Tensor, np.generic)) or is_array(first):
        arrays = [raw(s) for s in samples]
        if len({np.shape(a) for a in arrays}) > 1:
            raise ShapeError(
                f"DataLoader: samples of different shapes cannot be stacked: {sorted({np.shape(a) for a in arrays})}; give a collate_fn"
            )
        return wrap(namespace(type(arrays[0])).stack(arrays), None)
    if isinstance(first, (bool, int, float)):
        real = any(isinstance(s, float) for s in samples)
        return wrap(np.asarray(samples, dtype=weak_dtype(1.0) if real else None), None)
    raise DTypeError(f"DataLoader: cannot stack samples of type {type(first).__name__}; give a collate_fn")


__all__ = ["default_collate"]
