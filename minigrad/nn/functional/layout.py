"""Tensors laid out anew: one-hot rows, padding in PyTorch's order, axes joined."""

from typing import Any

import numpy as np

from ... import ops
from ...autograd.tensor import Tensor, raw, wrap
from ...backend.arrays import namespace
from ...errors import DTypeError, IndexRangeError, ShapeError
from ...ops.losses import given, on_cpu
from ...ops.shape import reshape


def one_hot(x: Any, num_classes: int = -1) -> Any:
    """A row of zeros with a one at x, for each entry of x; integers, without gradient.

    Shapes: x (...), integers; y (..., num_classes).

    Args:
        num_classes: how long the rows are; -1: the largest entry and one.

    Raises:
        IndexRangeError: an entry outside the classes.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> F.one_hot(mg.tensor([0, 2])).tolist()
        [[1, 0, 0], [0, 0, 1]]
    """
    a = raw(given(x))
    if a.dtype.kind not in "iu":
        raise DTypeError(f"one_hot: x must be integers, got {a.dtype}")
    if num_classes == -1:
        if not a.size:
            raise ValueError("one_hot: num_classes cannot be told from an empty x; give it")
        num_classes = int(a.max()) + 1
    if on_cpu(a) and a.size and not (a.min() >= 0 and a.max() < num_classes):
        raise IndexRangeError(f"one_hot: entries from {int(a.min())} to {int(a.max())}, {num_classes} classes")
    xp = namespace(type(a))
    y = (a[..., None] == xp.arange(num_classes)).astype("int64")
    return wrap(y, None) if isinstance(x, Tensor) else y


_PAD_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def pad(x: Any, pad: Any, mode: str = "constant", value: float = 0.0) -> Any:
    """x made larger on its sides.

    Args:
        pad: (left, right) of the last axis, then (top, bottom) of the one before, and so on: PyTorch's order. ``mg.pad`` takes NumPy's.
        mode: "constant", "reflect", "replicate" or "circular".
        value: what to fill with, for "constant".

    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> F.pad(mg.tensor([[1.0, 2.0]]), (1, 0, 0, 1)).tolist()
        [[0.0, 1.0, 2.0], [0.0, 0.0, 0.0]]
    """
    x = given(x)
    n, widths = len(x.shape), [int(k) for k in pad]
    if len(widths) % 2 or len(widths) > 2 * n:
        raise ShapeError(f"pad: expected two numbers for each of the last axes, at most {2 * n}, got {len(widths)}")
    if mode not in _PAD_MODES:
        raise ValueError(f"pad: mode must be one of {sorted(_PAD_MODES)}, got {mode!r}")
    pairs = [(0, 0)] * (n - len(widths) // 2) + [(widths[i], widths[i + 1]) for i in range(len(widths) - 2, -1, -2)]
    if min(widths, default=0) < 0:  # negative widths cut off
        x = x[tuple([slice(max(-lo, 0), s - max(-hi, 0)) for (lo, hi), s in zip(pairs, x.shape, strict=True)])]
        pairs = [(max(lo, 0), max(hi, 0)) for lo, hi in pairs]
    if mode == "constant":
        return ops.pad(x, pairs, constant_values=value)
    return ops.pad(x, pairs, mode=_PAD_MODES[mode])


def flatten(x: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """The axes from ``start_dim`` to ``end_dim`` joined into one."""
    n = len(x.shape)
    if not n:
        return reshape(x, (1,))
    start, end = start_dim % n, end_dim % n
    return reshape(x, (*x.shape[:start], int(np.prod(x.shape[start : end + 1])), *x.shape[end + 1 :]))


__all__ = ["flatten", "one_hot", "pad"]
