"""Rows of a table summed, averaged or maximised over bags of ids: lookups whose results are taken together at once."""

from math import inf
from typing import Any

from ..autograd.arguments import together
from ..autograd.conform import cast
from ..autograd.forms import apply
from ..autograd.tensor import Tensor, raw
from ..backend import device_of, is_inexact, to_device, working_dtype
from ..backend.arrays import namespace
from ..errors import DTypeError, ShapeError
from .fused import SPREAD, check_table, checked_ids, looked_up, shorten
from .indexing import take_along_axis
from .losses import given, on_cpu, wide
from .masks import masked
from .shape import reshape


def check_mode(who: str, mode: str, scale_grad_by_freq: bool) -> str:
    """The mode itself; ValueError unless it is one and fits the scaling of gradients."""
    if mode not in ("sum", "mean", "max"):
        raise ValueError(f"{who}: mode must be 'sum', 'mean' or 'max', got {mode!r}")
    if mode == "max" and scale_grad_by_freq:
        raise ValueError(f"{who}: scale_grad_by_freq=True goes with mode 'sum' or 'mean', got 'max'")
    return mode


def _bags(ids: Any, offsets: Any, include_last_offset: bool) -> tuple[Any, int]:
    """The bag of each id, ids being flattened, and how many bags there are."""
    xp, n = namespace(type(ids)), ids.size
    if ids.ndim == 2:
        if offsets is not None:
            raise ShapeError("embedding_bag: ids of two dimensions are bags of equal size, one a row; offsets must be None")
        return xp.arange(n) // max(ids.shape[1], 1), ids.shape[0]
    if ids.ndim != 1 or offsets is None:
        raise ShapeError(f"embedding_bag: expected ids (bags, size), or (n,) with offsets; got {tuple(ids.shape)}, offsets {offsets!r}")
    starts = raw(given(offsets))
    if starts.dtype.kind not in "iu":
        raise DTypeError(f"embedding_bag: offsets must be integers, got {starts.dtype}")
    if starts.ndim != 1 or not starts.size:
        raise ShapeError(f"embedding_bag: offsets must be of one dimension and not empty, got shape {tuple(starts.shape)}")
    if on_cpu(starts):
        last = int(starts[-1])
        if starts[0] != 0 or last > n or (starts[1:] < starts[:-1]).any():
            raise ValueError(f"embedding_bag: offsets must start at 0, never fall and end at most at {n}, got {starts.tolist()[:9]}")
        if include_last_offset and last != n:
            raise ValueError(f"embedding_bag: with include_last_offset the last offset must be the number of ids, {n}; got {last}")
    if isinstance(offsets, Tensor):
        together("embedding_bag", ids, offsets)
    else:
        starts = to_device(starts, device_of(ids))
    if include_last_offset:
        starts = starts[:-1]
    return xp.searchsorted(starts, xp.arange(n, dtype=starts.dtype), "right") - 1, starts.size


def _largest(rows: Any, bag: Any, bags: int, counts: Any) -> Any:
    """For each bag and column the first row that is largest; zeros for an empty bag. ``counts``: which rows count, None: all."""
    r = wide(raw(rows))
    xp, n = namespace(type(r)), r.shape[0]
    if counts is not None:
        r = xp.where(counts, r, -inf)
    top = xp.full((bags, r.shape[1]), -inf, r.dtype)
    xp.maximum.at(top, bag, r)
    hit = (r == top[bag]) | (r != r)
    if counts is not None:
        hit &= counts
    first = xp.full(top.shape, n, "int32")
    xp.minimum.at(first, bag, xp.where(hit, xp.arange(n, dtype="int32")[:, None], n).astype("int32"))
    return masked(take_along_axis(rows, xp.where(first == n, 0, first), axis=0), first < n)


def embedding_bag(
    input: Any,
    weight: Any,
    offsets: Any = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Any = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Any:
    """The sum, mean or maximum of the rows of ``weight`` whose ids are in a bag; zeros for an empty one.

    Shapes: input (bags, size), or (n,) with offsets (bags,); weight (rows, d); per_sample_weights as input; y (bags, d).

    Args:
        input: ids, integers in [0, rows).
        weight: the table.
        offsets: where each bag begins in ids of one dimension; ascending from 0.
        max_norm, norm_type, scale_grad_by_freq, sparse: as in ``embedding``.
        mode: "sum", "mean" or "max".
        per_sample_weights: a factor for each id, with mode "sum".
        include_last_offset: offsets have one entry more, the number of ids.
        padding_idx: an id that does not count, in no sum, mean or maximum.

    Raises:
        IndexRangeError: an id outside the table (looked at on the CPU only).
        ShapeError, DTypeError: input, offsets or per_sample_weights do not fit.
        ValueError: a mode that is not there, or that does not go with the other settings; offsets that fall.

    Gradient: to the table and to per_sample_weights; of a maximum, to the first row that is largest. With scale_grad_by_freq, an id's
        gradient is divided by how often it occurs; PyTorch 2.13 divides by the count of another id where counts differ.
    Numerics: half precision is accumulated in float32.
    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> F.embedding_bag([0, 2, 1], mg.tensor([[1.0], [2.0], [3.0]]), offsets=[0, 2], mode="sum").tolist()
        [[4.0], [2.0]]
    """
    who = "embedding_bag"
    check_table(who, max_norm, norm_type, sparse)
    check_mode(who, mode, scale_grad_by_freq)
    weight = given(weight)
    ids, padding = checked_ids(who, input, weight, padding_idx)
    bag, bags = _bags(ids, offsets, include_last_offset)
    factor = None if per_sample_weights is None else given(per_sample_weights)
    if factor is not None:
        if mode != "sum":
            raise ValueError(f"{who}: per_sample_weights go with mode 'sum', got {mode!r}")
        if tuple(factor.shape) != tuple(ids.shape):
            raise ShapeError(f"{who}: per_sample_weights {tuple(factor.shape)} must have the shape of the ids, {tuple(ids.shape)}")
        if not is_inexact(factor.dtype):
            raise DTypeError(f"{who}: per_sample_weights must be floating, got {factor.dtype}")
    if max_norm is not None:
        shorten(weight, ids, max_norm, norm_type)
    xp = namespace(type(ids))
    flat = ids.reshape(-1)
    rows = looked_up(flat, weight, padding, scale_grad_by_freq)
    counts = None if padding is None else (flat != padding)[:, None]
    if mode == "max" and ids.size:
        return _largest(rows, bag, bags, counts)
    if counts is not None:
        rows = masked(rows, counts)
    if factor is not None:
        rows = rows * cast(reshape(factor, (flat.size, 1)), rows.dtype)
    y = apply(SPREAD, (rows,), bag, bags, None)
    if mode != "mean":
        return y
    many = xp.ones((flat.size, 1), working_dtype(rows.dtype)) if counts is None else counts.astype(working_dtype(rows.dtype))
    size = apply(SPREAD, (many,), bag, bags, None)
    return y / xp.where(size == 0, 1, size).astype(y.dtype, copy=False)


__all__ = ["embedding_bag"]
