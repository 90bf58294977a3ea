"""Ops that a network spends its memory in, fused: an affine map, dropout, the lookup of rows; cross entropy is in losses.py."""

from math import inf, prod
from typing import Any

from ..autograd.arguments import number, together
from ..autograd.forms import apply, general
from ..autograd.node import stamp
from ..autograd.op import Op, compiled
from ..autograd.tensor import Tensor, raw, wrap
from ..backend import device_of, is_inexact, to_device, working_dtype
from ..backend.arrays import namespace
from ..backend.philox import kept, new_key, threshold_of
from ..errors import DTypeError, IndexRangeError, ShapeError
from .losses import cross_entropy, given, on_cpu, wide


# -- linear -----------------------------------------------------------------------------------------------------------
def _affine(xp: Any, x: Any, weight: Any, bias: Any) -> Any:
    """x W^T + b, by one product of matrices whatever the leading axes of x are."""
    out = x.dtype
    if weight.dtype != out or (bias is not None and bias.dtype != out):
        out = xp.result_type(*[a.dtype for a in (x, weight, bias) if a is not None])
    a, b = _rows(x), weight.T
    if out.itemsize == 2 and on_cpu(x):  # no CPU multiplies matrices in half precision; GPUs accumulate in float32 themselves
        a, b = wide(a), wide(b)
    y = xp.matmul(a, b)
    if bias is not None:
        y = y + bias if y.dtype != bias.dtype and xp.result_type(y.dtype, bias.dtype) != y.dtype else xp.add(y, bias, out=y)
    if y.dtype != out:
        y = y.astype(out)
    return y if x.ndim == 2 else y.reshape((*x.shape[:-1], weight.shape[0]))


def _rows(a: Any) -> Any:
    return a if len(a.shape) == 2 else a.reshape((prod(a.shape[:-1]), a.shape[-1]))


AFFINE: Op = general(
    _affine,
    lambda g, weight: apply(AFFINE, (g, weight.T, None)),
    lambda g, x: apply(AFFINE, (_rows(g).T, _rows(x).T, None)),
    lambda g: g,
    name="linear",
)
compiled("products", AFFINE)


def linear(x: Any, weight: Any, bias: Any = None) -> Any:
    """The affine map ``x @ weight.T + bias``.

    Shapes: x (..., in); weight (out, in); bias (out,); y (..., out).

    Args:
        x: any leading axes; they are folded into one product of matrices.
        weight: one row per output.
        bias: added to every row, or None.

    Raises:
        ShapeError: the features of x are not those of the weight, or the bias is not (out,).

    Gradient: g @ weight to x, g^T @ x to the weight, g summed to the bias.
    Numerics: half precision is accumulated in float32.
    Example:
        >>> import minigrad as mg
        >>> from minigrad.ops.fused import linear
        >>> linear(mg.tensor([1.0, 2.0]), mg.tensor([[1.0, 0.0], [1.0, 1.0]]), mg.tensor([0.5, 0.5])).tolist()
        [1.5, 3.5]
    """
    x, weight = x if isinstance(x, Tensor) else given(x), weight if isinstance(weight, Tensor) else given(weight)
    shape, sizes = x.shape, weight.shape
    if len(sizes) != 2:
        raise ShapeError(f"linear: weight must be (out, in), got shape {tuple(sizes)}")
    if not shape:
        raise ShapeError("linear: x needs at least one axis, of features; got shape ()")
    if shape[-1] != sizes[1]:
        raise ShapeError(f"linear: x has {shape[-1]} features, weight expects {sizes[1]} (x {tuple(shape)}, weight {tuple(sizes)})")
    if bias is not None:
        bias = bias if isinstance(bias, Tensor) else given(bias)
        if bias.shape != sizes[:1]:
            raise ShapeError(f"linear: bias has shape {tuple(bias.shape)}, weight {tuple(sizes)} expects ({sizes[0]},)")
    return apply(AFFINE, (x, weight, bias))


# -- dropout ----------------------------------------------------------------------------------------------------------
def _masked(xp: Any, x: Any, mask: Any, scale: float) -> Any:
    y = xp.multiply(x, mask)
    y *= scale
    return y


MASKED: Op = general(_masked, lambda g, mask, scale: apply(MASKED, (g,), mask, scale), name="masked")
KEEP: Op = general(kept, name="keep")


def _dropout(xp: Any, x: Any, draw: tuple[int, int, float, tuple[int, ...]]) -> Any:
    """x, scaled or dropped: the mask follows from the draw's key, so that backward needs nothing else."""
    key, threshold, gain, shape = draw
    factor = KEEP.kernels[type(x)](key, threshold, shape).astype(x.dtype)
    factor *= gain
    return xp.multiply(x, factor, out=factor if shape == x.shape else None)


DROPOUT: Op = general(_dropout, lambda g, draw: apply(DROPOUT, (g,), draw), name="dropout")
compiled("dropout", DROPOUT, KEEP)


def check_probability(who: str, p: Any, what: str = "p") -> float:
    """p as a Python number; DTypeError unless it is one, ValueError unless it is in [0, 1]."""
    p = number(who, what, p)
    if not 0 <= p <= 1:
        raise ValueError(f"{who}: {what} must be in [0, 1], got {p}")
    return p


def dropout(x: Any, p: float = 0.5, training: bool = True) -> Any:
    """Zero each entry with probability p and scale the others by 1 / (1 - p), so that the mean stays; x itself when not training.

    Shapes: x any; y the same.

    Args:
        x: floating.
        p: the probability that an entry is dropped; 1 drops all.
        training: False returns x.

    Raises:
        ValueError: p is outside [0, 1] or NaN.

    Gradient: g with the same entries dropped and the same scale; no mask is kept, it is computed again.
    Numerics:
        p in units of 2**-32. The mask depends on a key, drawn from the generator for each call, and on the place of each entry in
        x, by Philox4x32-10 (Salmon et al., 2011): it is the same on every device, whatever the dtype or layout of x.
    Source:
        Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", 2014; the scale is applied
        in training, not in evaluation ("inverted").
    Example:
        >>> import minigrad as mg
        >>> from minigrad.ops.fused import dropout
        >>> _ = mg.manual_seed(0)
        >>> sorted(set(dropout(mg.tensor([1.0] * 100), 0.75).tolist()))
        [0.0, 4.0]
    """
    return dropped("dropout", x, p, training, None)


def dropped(name: str, x: Any, p: float, training: bool, shape: Any) -> Any:
    """Dropout with one draw for each entry of ``shape(x)``, which broadcasts to x; None: for each entry of x."""
    p = check_probability(name, p)
    x = given(x)
    if not is_inexact(x.dtype):
        raise DTypeError(f"{name}: x must be floating, got {x.dtype}")
    shape = x.shape if shape is None else shape(x)
    if not training or p == 0:
        return x
    return apply(DROPOUT, (x,), (new_key(), threshold_of(p), 1.0 if p == 1 else 1 / (1 - p), tuple(shape)))


def keep_mask(x: Any, p: float, shape: tuple[int, ...]) -> Any:
    """Booleans on the device of x: False with probability p, drawn as for ``dropout``."""
    return KEEP.kernels[type(raw(x))](new_key(), threshold_of(p), tuple(shape))


# -- embedding --------------------------------------------------------------------------------------------------------
def _lookup(xp: Any, ids: Any, weight: Any, padding: int | None, share: Any) -> Any:
    return weight[ids]


def _spread(xp: Any, g: Any, ids: Any, rows: int, padding: int | None) -> Any:
    """The transpose of a lookup: each row of g added to the row that it came from."""
    out = xp.zeros((rows, g.shape[-1]), working_dtype(g.dtype))
    flat, ids = g.reshape((ids.size, g.shape[-1])), ids.reshape(-1)
    if ids.size and on_cpu(ids):  # sort, then add runs: the same order of additions every time
        order = ids.argsort(kind="stable")
        ids = ids[order]
        starts = xp.concatenate([xp.zeros(1, "int64"), (ids[1:] != ids[:-1]).nonzero()[0] + 1])
        out[ids[starts]] = xp.add.reduceat(flat[order], starts, axis=0, dtype=out.dtype)
    elif ids.size:
        xp.add.at(out, ids, flat)
    if padding is not None:
        out[padding] = 0
    return out.astype(g.dtype, copy=False)


def _gather(v: Any, ids: Any, padding: int | None) -> Any:
    """The transpose of ``_spread``: rows of v, zero for the padding."""
    y = apply(LOOKUP, (ids, v), padding, None)
    return y if padding is None else y * (ids != padding)[..., None].astype(y.dtype)


SPREAD = general(_spread, lambda g, ids, padding: _gather(g, ids, padding), name="embedding_gradient")
LOOKUP = general(
    _lookup,
    None,
    lambda g, ids, shapes, padding, share: apply(SPREAD, (g if share is None else g * share,), ids, shapes[1][0], padding),
    name="embedding",
)
compiled("embedding", LOOKUP, SPREAD)


def embedding(
    input: Any,
    weight: Any,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Any:
    """The row of ``weight`` for each id.

    Shapes: input (...), integers; weight (n, d); y (..., d).

    Args:
        input: ids, integers in [0, n).
        weight: the table.
        padding_idx: an id whose row gets no gradient.
        max_norm: rows that are looked up and longer than this are first shortened to it, in the table itself, without gradient.
        norm_type: the p of the norm that max_norm means; may be inf.
        scale_grad_by_freq: divide the gradient of a row by how often it was looked up.
        sparse: for PyTorch's sake; only False.

    Raises:
        IndexRangeError: an id outside the table, or negative (looked at on the CPU only).
        DTypeError: ids that are not integers.
        ValueError: sparse gradients are asked for, or max_norm or norm_type is not positive.

    Gradient: to the table, the sum of the gradients of all places where a row was used, always added in the same order.
    Example:
        >>> import minigrad as mg
        >>> from minigrad.ops.fused import embedding
        >>> embedding([0, 2], mg.tensor([[1.0], [2.0], [3.0]])).tolist()
        [[1.0], [3.0]]
    """
    check_table("embedding", max_norm, norm_type, sparse)
    weight = given(weight)
    ids, padding = checked_ids("embedding", input, weight, padding_idx)
    if max_norm is not None:
        shorten(weight, ids, max_norm, norm_type)
    return looked_up(wrap(ids, None) if isinstance(input, Tensor) else ids, weight, padding, scale_grad_by_freq)


def check_table(who: str, max_norm: float | None, norm_type: float, sparse: bool) -> None:
    """Refuse the settings of a table of rows that make no sense, or that are not there."""
    if sparse:
        raise ValueError(f"{who}: sparse=True is not supported, gradients are dense here; leave it False")
    if max_norm is not None and not (max_norm > 0 and norm_type > 0):
        raise ValueError(f"{who}: max_norm and norm_type must be positive, got {max_norm} and {norm_type}")


def checked_ids(who: str, input: Any, weight: Any, padding_idx: int | None) -> tuple[Any, int | None]:
    """The ids as an array of int64, and padding_idx counted from the front."""
    i = raw(given(input))
    if i.dtype.kind not in "iu" and i.size:
        raise DTypeError(f"{who}: ids must be integers, got {i.dtype}{list(i.shape)}; use astype('int64')")
    if len(weight.shape) != 2:
        raise ShapeError(f"{who}: weight must be (rows, length), got shape {tuple(weight.shape)}")
    n = weight.shape[0]
    if on_cpu(i) and i.size and not (i.min() >= 0 and i.max() < n):
        where = tuple([int(k[0]) for k in ((i < 0) | (i >= n)).nonzero()])
        raise IndexRangeError(f"{who}: id {int(i[where])} at position {where}, {n} rows")
    if padding_idx is not None and not -n <= padding_idx < n:
        raise IndexRangeError(f"{who}: padding_idx {padding_idx}, {n} rows")
    if isinstance(input, Tensor):
        together(who, input, weight)
    elif device_of(i) != (home := device_of(raw(weight))):  # a list or an array of NumPy's
        i = to_device(i, home)
    return i.astype("int64", copy=False), None if padding_idx is None else padding_idx % n


def looked_up(ids: Any, weight: Any, padding: int | None, scale_grad_by_freq: bool) -> Any:
    """The rows of checked ids."""
    share = None
    if scale_grad_by_freq:
        i = raw(ids)
        ones = namespace(type(i)).ones((i.size, 1), working_dtype(weight.dtype))
        share = (1 / apply(SPREAD, (ones,), i, weight.shape[0], None)[i]).astype(weight.dtype, copy=False)
    return apply(LOOKUP, (ids, weight), padding, share)


def shorten(weight: Any, ids: Any, max_norm: float, norm_type: float) -> None:
    """Scale the rows with these ids, where they are longer than max_norm, to that length: in place, as PyTorch does."""
    a, i = raw(weight), ids.reshape(-1)
    xp, rows = namespace(type(a)), wide(a[i])
    if norm_type == inf:
        norms = abs(rows).max(1, keepdims=True)
    else:
        norms = (abs(rows) ** norm_type).sum(1, keepdims=True) ** (1 / norm_type)
    a[i] = (rows * xp.where(norms > max_norm, max_norm / (norms + 1e-7), 1)).astype(a.dtype, copy=False)
    stamp(a, "embedding, which keeps rows within max_norm")


__all__ = ["cross_entropy", "dropout", "embedding", "linear"]
