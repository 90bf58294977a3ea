"""Discrete distributions, and random choices and orders."""

from math import prod
from typing import Any

import numpy as np

from ...autograd import node as graph
from ...autograd.inplace import check_writable, overwrite
from ...autograd.tensor import Tensor, as_data, raw, wrap
from ...backend import device_of, is_inexact, to_device
from ...backend.arrays import is_array, namespace
from ...errors import DTypeError, ShapeError
from ..indexing import take
from .continuous import common_shape, gumbel, parameter, place, require, size_lengths, standard, stream


def randint(
    low: int, high: int | None = None, size: Any = None, *, dtype: Any = "int64", device: Any = None, generator: Any = None
) -> Tensor:
    """Integers from low, ..., high - 1; with one bound, from 0, ..., low - 1.

    Raises:
        ValueError: no integer lies between the bounds.
    Example:
        >>> import minigrad as mg
        >>> mg.random.randint(1, 2, size=3).tolist()
        [1, 1, 1]
    """
    if high is None:
        low, high = 0, low
    for bound in (low, high):
        if isinstance(bound, bool) or not hasattr(bound, "__index__"):
            raise DTypeError(f"randint: bounds must be integers, got {bound!r}")
    dtype = np.dtype(dtype)
    if dtype.kind not in "iu":
        raise DTypeError(f"randint: expected an integer dtype, got {dtype}")
    low, high = low.__index__(), high.__index__()
    if low >= high:
        raise ValueError(f"randint: low must be below high, got {low} and {high}")
    a = stream("randint", generator).integers(low, high, () if size is None else size_lengths("randint", size), dtype)
    return wrap(to_device(np.asarray(a), "cpu" if device is None else device), None)


def bernoulli(p: Any = 0.5, size: Any = None, *, dtype: Any = None, device: Any = None, generator: Any = None) -> Tensor:
    """Ones with probability p, zeros otherwise.

    Raises:
        ValueError: p outside [0, 1], or NaN.
    Gradient: none; the result is a constant.
    Example:
        >>> import minigrad as mg
        >>> mg.random.bernoulli(mg.tensor([0.0, 1.0])).tolist()
        [0.0, 1.0]
    """
    p = parameter(p)
    require("bernoulli", "p", p, lambda v: (v >= 0) & (v <= 1), "between 0 and 1")
    shape = common_shape("bernoulli", size, p)
    dtype, device = place("bernoulli", dtype, device, p)
    u = to_device(standard("uniform", stream("bernoulli", generator), shape, dtype), device)
    return wrap((u < raw(p)).astype(dtype), None)


def dropout_mask(p: float, size: Any, *, dtype: Any = None, device: Any = None, generator: Any = None) -> Tensor:
    """Zeros with probability p, ``1 / (1 - p)`` otherwise: a factor of mean 1; all zeros for p = 1.

    Raises:
        ValueError: p outside [0, 1], or NaN.
    Source: Srivastava et al., "Dropout", 2014; scaled in training (inverted) instead of in use.
    Example:
        >>> import minigrad as mg
        >>> _ = mg.manual_seed(0)
        >>> sorted(set(mg.random.dropout_mask(0.5, (100,)).tolist()))
        [0.0, 2.0]
    """
    require("dropout", "p", p, lambda v: (v >= 0) & (v <= 1), "between 0 and 1")
    mask = bernoulli(1.0 - p, size, dtype=dtype, device=device, generator=generator)
    if 0 < p < 1:
        mask.data *= 1.0 / (1.0 - p)
    return mask


def _probabilities(name: str, p: Any) -> np.ndarray:
    """Rows of weights as float64 on the host, each scaled to sum 1."""
    w = np.asarray(to_device(as_data(p), "cpu"), np.float64)
    if w.ndim == 0 or not w.shape[-1]:
        raise ShapeError(f"{name}: p must have one weight per category, got shape {w.shape}")
    total = w.sum(-1, keepdims=True)
    if not (w >= 0).all() or not np.isfinite(total).all() or not (total > 0).all():
        raise ValueError(f"{name}: p must hold finite weights that are not negative and not all 0")
    return w / total


def multinomial(p: Any, num_samples: int, replacement: bool = False, *, device: Any = None, generator: Any = None) -> Tensor:
    """Categories drawn with the weights p.

    Shapes: p (K,) or (N, K); result (num_samples,) or (N, num_samples), int64.
    Args:
        p: weights that are not negative; they need not sum to 1.
        num_samples: how many to draw from each row.
        replacement: whether a category may be drawn again.
    Raises:
        ValueError: negative or NaN weights, or fewer categories of weight above 0 than samples without replacement.
    Source: without replacement by exponential clocks, the first ``num_samples`` of e / p: Efraimidis and Spirakis, 2006.
    Example:
        >>> import minigrad as mg
        >>> mg.random.multinomial([0.0, 1.0, 0.0], 2, replacement=True).tolist()
        [1, 1]
    """
    w = _probabilities("multinomial", p)
    if w.ndim > 2:
        raise ShapeError(f"multinomial: p has shape {w.shape}, expected (K,) or (N, K)")
    (n,) = size_lengths("multinomial", num_samples)
    rng = stream("multinomial", generator)
    if replacement:
        ends = np.cumsum(w, axis=-1)
        u = rng.random((*w.shape[:-1], n)) * ends[..., -1:]
        rows = [np.searchsorted(e, v, side="right") for e, v in zip(np.atleast_2d(ends), np.atleast_2d(u), strict=True)]
        last = [np.flatnonzero(r)[-1] for r in np.atleast_2d(w)]
        drawn = np.stack([np.minimum(r, m) for r, m in zip(rows, last, strict=True)]).reshape(u.shape) if rows else np.zeros(u.shape)
    else:
        if n > (w > 0).sum(-1).min(initial=w.shape[-1]):
            raise ValueError(f"multinomial: cannot draw {n} different categories from p with fewer of weight above 0; use replacement=True")
        with np.errstate(divide="ignore"):
            drawn = np.argsort(rng.standard_exponential(w.shape) / w, axis=-1)[..., :n]
    where = device if device is not None else device_of(raw(p)) if is_array(raw(p)) else "cpu"
    return wrap(to_device(drawn.astype("int64"), where), None)


def categorical(logits: Any, size: Any = None, *, generator: Any = None) -> Tensor:
    """Categories drawn with probabilities ``softmax(logits)`` over the last axis.

    Shapes: logits (..., K); result (*size, ...), int64.
    Source: the Gumbel-max trick; Gumbel, 1954.
    Example:
        >>> import minigrad as mg
        >>> mg.random.categorical(mg.tensor([0.0, 100.0])).item()
        1
    """
    a = as_data(logits)
    if a.ndim == 0 or not a.shape[-1] or a.dtype.kind == "c":
        raise ShapeError(f"categorical: expected real logits of shape (..., categories), got {a.dtype} of shape {a.shape}")
    if type(a) is np.ndarray and np.isnan(a).any():
        raise ValueError("categorical: logits hold NaN")
    lead = () if size is None else size_lengths("categorical", size)
    noise = gumbel(size=(*lead, *a.shape), dtype=a.dtype if is_inexact(a.dtype) else None, device=device_of(a), generator=generator)
    return wrap(namespace(type(a)).asarray((a + noise.data).argmax(axis=-1)), None)


def permutation(x: Any, *, device: Any = None, generator: Any = None) -> Any:
    """The integers 0, ..., x - 1 in random order, or x with its first axis in random order.

    Gradient: to where each row came from.
    Example:
        >>> import minigrad as mg
        >>> sorted(mg.random.permutation(4).tolist())
        [0, 1, 2, 3]
    """
    rng = stream("permutation", generator)
    if hasattr(x, "__index__") and not getattr(x, "ndim", 0) and not isinstance(x, bool):
        (n,) = size_lengths("permutation", x)
        return wrap(to_device(rng.permutation(n), "cpu" if device is None else device), None)
    x = x if isinstance(x, Tensor) else wrap(as_data(x), None)
    if not x.ndim:
        raise ShapeError("permutation: expected an integer or an array of at least one axis, got a number of no dimensions")
    return take(x, to_device(rng.permutation(x.shape[0]), x.device), axis=0)


def shuffle(x: Tensor, *, generator: Any = None) -> None:
    """Put the first axis of a Tensor in random order, in place.

    Example:
        >>> import minigrad as mg
        >>> _ = mg.manual_seed(0)
        >>> x = mg.arange(4)
        >>> mg.random.shuffle(x)
        >>> sorted(x.tolist())
        [0, 1, 2, 3]
    """
    if not isinstance(x, Tensor):
        raise DTypeError(f"shuffle: expected a Tensor, got {type(x).__name__}; use permutation() for a copy")
    check_writable(x, "shuffle")
    since = graph.birth()
    overwrite(x, permutation(x, generator=generator), "shuffle", since)


def choice(
    a: Any, size: Any = None, replace: bool = True, p: Any = None, *, axis: int = 0, device: Any = None, generator: Any = None
) -> Tensor:
    """Elements of a (of 0, ..., a - 1 for an integer), each drawn with probability p.

    Args:
        a: an integer, or an array or Tensor to draw along ``axis`` from.
        size: how many, as a shape; default: one.
        replace: whether an element may be drawn again.
        p: weights; default: equal.
        axis: the axis of a.
    Raises:
        ValueError: more elements than there are, without replacement; negative or NaN weights.
    Gradient: to the elements drawn.
    Example:
        >>> import minigrad as mg
        >>> mg.random.choice(mg.tensor([10.0, 20.0]), (3,), p=[0.0, 1.0])
        Tensor([20., 20., 20.], shape (3,), float32, cpu)
    """
    rng = stream("choice", generator)
    whole = hasattr(a, "__index__") and not getattr(a, "ndim", 0) and not isinstance(a, bool)
    source = None if whole else a if isinstance(a, Tensor) else wrap(as_data(a), None)
    if source is not None and not source.ndim:
        raise ShapeError("choice: expected an integer or an array of at least one axis, got a number of no dimensions")
    n = a.__index__() if source is None else source.shape[axis]
    shape = () if size is None else size_lengths("choice", size)
    count = prod(shape)
    if n < 1 and count:
        raise ValueError(f"choice: nothing to draw from: a is {a!r}" if source is None else f"choice: a has shape {source.shape}")
    if not replace and count > n:
        raise ValueError(f"choice: cannot draw {count} of {n} without replacement; use replace=True")
    if p is not None:
        if np.shape(raw(p)) != (n,):
            raise ShapeError(f"choice: p has shape {np.shape(raw(p))}, expected ({n},), one weight per element")
        index = multinomial(p, count, replace, device="cpu", generator=generator).data.reshape(shape)
    else:
        index = rng.integers(0, max(n, 1), shape) if replace else rng.permutation(n)[:count].reshape(shape)
    index = np.asarray(index)
    if source is None:
        return wrap(to_device(index, "cpu" if device is None else device), None)
    return take(source, to_device(index, source.device), axis=axis)


__all__ = ["bernoulli", "categorical", "choice", "dropout_mask", "multinomial", "permutation", "randint", "shuffle"]
