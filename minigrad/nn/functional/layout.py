"""Tensors laid out anew: one-hot rows, padding in PyTorch's order, axes joined."""

from typing import Any

from ... import ops
from ...autograd.tensor import Tensor, raw, wrap
from ...backend import is_inexact
from ...backend.arrays import namespace
from ...errors import DTypeError, IndexRangeError, ShapeError
from ...ops.losses import given, on_cpu


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


def pad(x: Any, pad: Any, mode: str = "constant", value: float | None = None) -> Any:
    """x made larger on its sides.

    Shapes: x (..., n); y (..., left + n + right), and likewise for the axes before.

    Args:
        pad: (left, right) of the last axis, then (top, bottom) of the one before, and so on: PyTorch's order. ``mg.pad`` takes NumPy's.
        mode: "constant", "reflect", "replicate" or "circular". Widths beyond the length of the axis go on to and fro, or round and
            round, where PyTorch refuses them.
        value: what to fill with, for "constant"; None is 0.

    Raises:
        ShapeError: an odd number of widths, more than x has sides, or negative ones that leave less than nothing.
        DTypeError: a width that is no integer.
        ValueError: an unknown mode.

    Gradient: that of the part which is x; the other modes add up where an entry appears several times.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> F.pad(mg.tensor([[1.0, 2.0]]), (1, 0, 0, 1)).tolist()
        [[0.0, 1.0, 2.0], [0.0, 0.0, 0.0]]
    """
    x = given(x)
    n, widths = len(x.shape), list(pad)
    if not all(hasattr(k, "__index__") and not isinstance(k, bool) for k in widths):
        raise DTypeError(f"pad: widths must be integers, got {pad!r}")
    if len(widths) % 2 or len(widths) > 2 * n:
        raise ShapeError(f"pad: expected two numbers for each of the last axes, at most {2 * n}, got {len(widths)}")
    if mode not in _PAD_MODES:
        raise ValueError(f"pad: mode must be one of {sorted(_PAD_MODES)}, got {mode!r}")
    pairs = [(0, 0)] * (n - len(widths) // 2) + [(widths[i], widths[i + 1]) for i in range(len(widths) - 2, -1, -2)]
    if any(s + lo + hi < 0 for (lo, hi), s in zip(pairs, x.shape, strict=True)):
        raise ShapeError(f"pad: {pad!r} cuts off more than there is of x {tuple(x.shape)}")
    if min(widths, default=0) < 0:  # negative widths cut off
        x = x[tuple([slice(max(-lo, 0), s - max(-hi, 0)) for (lo, hi), s in zip(pairs, x.shape, strict=True)])]
        pairs = [(max(lo, 0), max(hi, 0)) for lo, hi in pairs]
    if mode == "constant":
        fill = 0 if value is None else value
        if isinstance(fill, float) and fill.is_integer() and not is_inexact(x.dtype):  # 0.0 into integers is no loss
            fill = int(fill)
        return ops.pad(x, pairs, constant_values=fill)
    return ops.pad(x, pairs, mode=_PAD_MODES[mode])


def flatten(x: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """The axes from ``start_dim`` to ``end_dim`` joined into one.

    Shapes: x any; y with one axis instead of these; of x without axes (1,).

    Raises:
        ShapeError: an axis that x does not have, or the first after the last.

    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.flatten(mg.ones((2, 3, 4)), 1).shape
        (2, 12)
    """
    return ops.flatten(x, start_dim, end_dim)


__all__ = ["flatten", "one_hot", "pad"]
