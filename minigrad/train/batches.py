"""What the loop runs over: batches, made of whatever data were given, taken apart, and moved."""

from collections.abc import Mapping
from typing import Any

from ..autograd import Tensor
from ..autograd.tensor import wrap
from ..backend import Generator
from ..data import DataLoader, TensorDataset
from ..errors import DTypeError


def batches_of(data: Any, batch_size: int, shuffle: bool, apart: bool = False) -> Any:
    """What gives batches: a loader itself, or one over a dataset or over arrays.

    ``apart``: with a stream of its own, so that looking at a model does not change how it is trained later.
    """
    if isinstance(data, tuple) and all(hasattr(a, "shape") for a in data):
        data = TensorDataset(*data)
    if hasattr(data, "__getitem__") and not isinstance(data, (list, str)) and hasattr(data, "__len__"):
        return DataLoader(data, batch_size=batch_size, shuffle=shuffle, generator=Generator(0) if apart else None)
    if not hasattr(data, "__iter__"):
        raise DTypeError(f"Trainer: expected a DataLoader, a Dataset or a tuple of arrays, got {type(data).__name__}")
    return data


def first(loader: Any, limit: int) -> list[Any]:
    """The first so many batches, kept."""
    out = []
    for batch in loader:
        out.append(batch)
        if len(out) == limit:
            break
    return out


def parted(batch: Any) -> tuple[Any, Any]:
    """The inputs and the target: a single tensor is both."""
    if isinstance(batch, (tuple, list)):
        return (tuple(batch[:-1]), batch[-1]) if len(batch) > 1 else (tuple(batch), batch[0])
    return (batch,), batch


def size(a: Any) -> int:
    """How many samples an array has."""
    return a.shape[0] if getattr(a, "shape", ()) else 1


def moved(batch: Any, device: Any) -> Any:
    """The batch with its tensors on a device (None: as it is)."""
    if device is None:
        return batch
    if isinstance(batch, Mapping):
        return {k: moved(b, device) for k, b in batch.items()}
    if isinstance(batch, (tuple, list)):
        parts: list[Any] = [moved(b, device) for b in batch]
        return type(batch)(*parts) if hasattr(batch, "_fields") else type(batch)(parts)
    if hasattr(batch, "shape"):
        return (batch if isinstance(batch, Tensor) else wrap(batch, None)).to(device)
    return batch


__all__ = ["batches_of", "first", "moved", "parted", "size"]
