"""Attention: each query takes a mean of the values, weighted by how well it matches their keys. The scores are never held all at once."""

from collections.abc import Iterator
from functools import lru_cache, partial
from math import inf, prod, sqrt
from typing import Any

from ..autograd.conform import cast
from ..autograd.forms import apply
from ..autograd.fused import fused
from ..autograd.op import Op, compiled
from ..autograd.tensor import raw
from ..backend import is_inexact, working_dtype
from ..backend.arrays import namespace
from ..errors import DTypeError, ShapeError
from .axes import matrix_transpose
from .fused import MASKED, check_probability, keep_mask
from .logic import where
from .losses import given, on_cpu, wide
from .shape import broadcast_shapes, reshape
from .softmax import softmax

_PIECE = 1 << 17
"""Scores that are worked on at a time, so that they stay in the cache; on a GPU, 512 times as many."""


# -- in pieces --------------------------------------------------------------------------------------------------------
def _cut(lengths: tuple[int, ...], each: int, most: int) -> Iterator[tuple]:
    """Indices that cut an array of these lengths into pieces of at most about ``most`` numbers, if an element stands for ``each``."""
    if not lengths:
        yield ()
        return
    inner = each * prod(lengths[1:])
    step = max(1, most // max(inner, 1))
    for i in range(0, lengths[0], step):
        for rest in _cut(lengths[1:], each, most):
            yield (slice(i, min(i + step, lengths[0])), *rest)


def _aligned(xp: Any, query: Any, key: Any, value: Any, mask: Any) -> tuple:
    """The inputs with the same leading axes (views), the mask with as many (its own may have length 1), and the indices of the pieces."""
    lead = xp.broadcast_shapes(query.shape[:-2], key.shape[:-2], value.shape[:-2])
    q, k, v = [a if a.shape[:-2] == lead else xp.broadcast_to(a, (*lead, *a.shape[-2:])) for a in (query, key, value)]
    if mask is not None:
        mask = mask.reshape((*[1] * (len(lead) + 2 - mask.ndim), *mask.shape))
    most = _PIECE if on_cpu(query) else _PIECE << 9
    return q, k, v, mask, list(_cut((*lead, q.shape[-2]), max(k.shape[-2], 1), most))


def _keys(at: tuple, keys: int, causal: bool) -> tuple:
    """The index of the keys that the queries of a piece may look at."""
    return (*at[:-1], slice(0, min(keys, at[-1].stop) if causal else keys))


def _share(mask: Any, at: tuple) -> tuple:
    """The index of a piece in a mask, whose axes may have length 1."""
    return tuple([slice(None) if length == 1 else part for length, part in zip(mask.shape, (*at, slice(None)), strict=True)])


def _own(mask: Any, at: tuple) -> Any:
    """What a mask, if there is one, says of a piece."""
    return None if mask is None else mask[_share(mask, at)]


def _kept(keep: Any, at: tuple, seen: tuple) -> Any:
    """Which weights of a piece are kept; None: all."""
    return None if keep is None else keep[at][..., seen[-1]]


# -- scores and weights -----------------------------------------------------------------------------------------------
def _finish(xp: Any, s: Any, mask: Any, scale: float, first: int) -> None:
    """s = scale s + mask, -inf where a query must not look: ahead, too, if ``first``, the number of the first row's query, is not -1."""
    s *= scale
    if mask is not None:
        if mask.dtype.kind == "b":
            xp.copyto(s, -inf, where=~mask)
        else:
            s += mask.astype(s.dtype, copy=False)
    if first >= 0:
        rows, columns = xp.arange(first, first + s.shape[-2]), xp.arange(s.shape[-1])
        xp.copyto(s, -inf, where=columns > rows[:, None])


def _weights(xp: Any, s: Any, mask: Any, keep: Any, z: Any, scale: float, gain: float, first: int) -> None:
    """Scores become weights, times ``gain`` where they are kept and zero elsewhere; z: the logarithms of their sums."""
    _finish(xp, s, mask, scale, first)
    top = s.max(-1, keepdims=True)
    top = xp.where(top == -inf, 0, top)
    s -= top
    xp.exp(s, out=s)
    total = xp.add.reduce(s, -1, None, None, True)
    total = xp.where(total == 0, 1, total)  # a query that may look at nothing gets zeros
    z[...] = top + xp.log(total)
    s *= gain / total
    if keep is not None:
        s *= keep


def _weights_gradient(
    xp: Any, s: Any, d: Any, mask: Any, keep: Any, z: Any, h: Any, y: Any, scale: float, by: float, gain: float, first: int
) -> None:
    """d, the weights' gradient, becomes that of the scores, times ``by``; s, the scores, becomes the weights.

    h and y: the gradient of the output, and the output.
    """
    _finish(xp, s, mask, scale, first)
    s -= z
    xp.exp(s, out=s)
    if keep is not None:
        d *= keep
        d *= gain
    d -= xp.add.reduce(h * y, -1, None, None, True)
    d *= s
    d *= by
    if keep is not None:
        s *= keep
        s *= gain


WEIGHTS = Op("attention_weights", (), (), kernel=lambda xp: partial(_weights, xp))
WEIGHTS_GRADIENT = Op("attention_weights_gradient", (), (), kernel=lambda xp: partial(_weights_gradient, xp))
compiled("attention", WEIGHTS, WEIGHTS_GRADIENT)


# -- forward and backward ---------------------------------------------------------------------------------------------
def _product(xp: Any, a: Any, b: Any, out: Any) -> None:
    """out = a b, in place where it has their dtype."""
    if a.dtype == b.dtype == out.dtype:
        xp.matmul(a, b, out=out)
    else:
        out[...] = xp.matmul(a, b)


def _attention(
    xp: Any, query: Any, key: Any, value: Any, mask: Any, keep: Any, gain: float, causal: bool, scale: float
) -> tuple[Any, tuple]:
    q, k, v, mask, pieces = _aligned(xp, query, key, value, mask)
    *lead, rows = q.shape[:-1]
    dtype = xp.result_type(query.dtype, key.dtype, value.dtype)
    # heads lie behind rows in memory, so that joining the heads afterwards copies nothing
    shape = (*lead[:-1], rows, *lead[-1:], v.shape[-1])
    y = xp.empty(shape, dtype).swapaxes(-2, -3) if lead else xp.empty(shape, dtype)
    z = xp.empty((*lead, rows, 1), working_dtype(dtype))
    if not k.shape[-2]:
        y[...] = 0
        return y, (y, z)
    weights = WEIGHTS.kernels[type(q)]
    for at in pieces:
        seen = _keys(at, k.shape[-2], causal)
        p = xp.matmul(wide(q[at]), wide(k[seen]).swapaxes(-1, -2))
        weights(p, _own(mask, at), _kept(keep, at, seen), z[at], scale, gain, at[-1].start if causal else -1)
        _product(xp, p, wide(v[seen]), y[at])
    return y, (y, z)


def _attention_slopes(
    xp: Any,
    g: Any,
    wanted: Any,
    kept: tuple,
    query: Any,
    key: Any,
    value: Any,
    mask: Any,
    keep: Any,
    gain: float,
    causal: bool,
    scale: float,
) -> tuple:
    """Each piece's weights are computed anew from what was kept of them: the logarithm of their sum."""
    y, z = kept
    q, k, v, bias, pieces = _aligned(xp, query, key, value, mask)
    rows, keys = q.shape[-2], k.shape[-2]
    once = len(pieces) > 0 and pieces[0][-1] == slice(0, rows) and 0 < keys <= (rows if causal else keys)
    made = xp.empty_like if once else xp.zeros_like  # a piece with all queries says all of its keys' gradients
    dq = made(q) if wanted[0] else None
    dk = made(k, z.dtype) if wanted[1] else None
    dv = made(v, z.dtype) if wanted[2] else None
    db = xp.zeros(bias.shape, z.dtype) if wanted[3] else None
    gradient = WEIGHTS_GRADIENT.kernels[type(q)]
    for at in pieces if keys else ():
        seen = _keys(at, keys, causal)
        x, w, h = wide(q[at]), wide(k[seen]), wide(g[at])
        p, d = xp.matmul(x, w.swapaxes(-1, -2)), xp.matmul(h, wide(v[seen]).swapaxes(-1, -2))
        by, first = scale if db is None else 1.0, at[-1].start if causal else -1
        gradient(p, d, _own(bias, at), _kept(keep, at, seen), z[at], h, y[at], scale, by, gain, first)
        if db is not None:
            db[_share(bias, at)] += xp.add.reduce(d, tuple([i for i, n in enumerate(bias.shape) if n == 1]), None, None, True)
            d *= scale
        if dq is not None:
            _product(xp, d, w, dq[at])
        for total, a, b in ((dv, p, h), (dk, d, x)):
            if total is not None and once:
                _product(xp, a.swapaxes(-1, -2), b, total[seen])
            elif total is not None:
                total[seen] += xp.matmul(a.swapaxes(-1, -2), b)
    return dq, dk, dv, db if db is None else db.reshape(mask.shape)


def attention_weights(query: Any, key: Any, mask: Any = None, causal: bool = False, scale: float = 1.0) -> Any:
    """What each query gives to each key, softmax(scale q k^T + mask), made of ops; zeros for a query that may look at nothing.

    Shapes: query (..., L, E); key (..., S, E); mask as in ``scaled_dot_product_attention``; y (..., L, S).
    """
    s = (query * scale) @ matrix_transpose(key)
    xp = namespace(type(raw(s)))
    if causal:
        s = where(xp.arange(s.shape[-1]) <= xp.arange(s.shape[-2])[:, None], s, -inf)
    if mask is not None:
        s = where(mask, s, -inf) if mask.dtype.kind == "b" else s + cast(mask, s.dtype)
    if not s.shape[-1] or (mask is None and not causal):
        return softmax(s)
    nothing = raw(s).max(-1, keepdims=True) == -inf
    return where(nothing, 0.0, softmax(where(nothing, 0.0, s)))


def _attention_composed(query: Any, key: Any, value: Any, mask: Any, keep: Any, gain: float, causal: bool, scale: float) -> Any:
    p = attention_weights(query, key, mask, causal, scale)
    return (p if keep is None else apply(MASKED, (p,), keep, gain)) @ value


ATTENTION = fused(_attention, _attention_slopes, _attention_composed, inputs=4, name="scaled_dot_product_attention")
compiled("attention", ATTENTION)


# -- public -----------------------------------------------------------------------------------------------------------
def _checked(q: Any, k: Any, v: Any, mask: Any) -> tuple[int, ...]:
    """The leading axes of the result.

    Raises:
        ShapeError, DTypeError: the inputs do not fit each other.
    """
    laid = [None if x is None else (tuple(x.shape), x.dtype) for x in (q, k, v, mask)]
    return _lead(*laid)


@lru_cache(1024)
def _lead(q: tuple, k: tuple, v: tuple, mask: tuple | None) -> tuple[int, ...]:
    """The same, of the shapes and dtypes of the inputs."""
    who = "scaled_dot_product_attention"
    shapes = f"query {q[0]}, key {k[0]}, value {v[0]}"
    for name, (shape, dtype) in (("query", q), ("key", k), ("value", v)):
        if not is_inexact(dtype) or dtype.kind == "c":
            raise DTypeError(f"{who}: {name} must be real and floating, got {dtype}")
        if len(shape) < 2:
            raise ShapeError(f"{who}: {name} must be (..., length, features), got shape {shape}")
    (*q_lead, rows, features), (*k_lead, keys, k_features), (*v_lead, values, _) = q[0], k[0], v[0]
    if features != k_features:
        raise ShapeError(f"{who}: query has {features} features and key {k_features} ({shapes})")
    if keys != values:
        raise ShapeError(f"{who}: there are {keys} keys and {values} values ({shapes})")
    try:
        lead = broadcast_shapes(tuple(q_lead), tuple(k_lead), tuple(v_lead))
    except ShapeError:
        raise ShapeError(f"{who}: leading axes do not broadcast ({shapes}); enable_gqa=True shares heads of key and value") from None
    if mask is not None:
        shape, dtype = mask
        if dtype.kind != "b" and (not is_inexact(dtype) or dtype.kind == "c"):
            raise DTypeError(f"{who}: attn_mask must be boolean (True: may look) or floating (added to the scores), got {dtype}")
        full = (*lead, rows, keys)
        if len(shape) > len(full) or any(m not in (1, s) for m, s in zip(shape[::-1], full[::-1], strict=False)):
            raise ShapeError(f"{who}: attn_mask {shape} does not broadcast to the scores {full} ({shapes})")
    return lead


def _grouped(q: Any, k: Any, v: Any, mask: Any) -> tuple:
    """Heads of the query in groups, on an axis along which the one head of key and value that they share is broadcast."""
    if min(len(x.shape) for x in (q, k, v)) < 3:
        raise ShapeError("scaled_dot_product_attention: enable_gqa=True needs an axis of heads: (..., heads, length, features)")
    heads, few = q.shape[-3], k.shape[-3]
    if few != v.shape[-3] or not few or heads % few:
        raise ShapeError(
            f"scaled_dot_product_attention: enable_gqa=True needs as many heads of key as of value, and a multiple of them of query; "
            f"got {heads}, {few} and {v.shape[-3]} of query, key and value"
        )

    def parted(x: Any, groups: int, size: int) -> Any:
        return reshape(x, (*x.shape[:-3], groups, size, *x.shape[-2:]))

    if mask is not None and len(mask.shape) > 2:
        mask = parted(mask, 1, 1) if mask.shape[-3] == 1 else parted(mask, few, heads // few)
    return parted(q, few, heads // few), parted(k, few, 1), parted(v, few, 1), mask


def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """softmax(scale q k^T + mask) v: for each query, the mean of the values weighted by how well their keys match it.

    Shapes: query (..., L, E); key (..., S, E); value (..., S, Ev); attn_mask broadcasts to (..., L, S); y (..., L, Ev). Leading axes
        broadcast.

    Args:
        query, key, value: floating.
        attn_mask: booleans, True where a query may look at a key; or numbers that are added to the scores.
        dropout_p: the probability that a weight is dropped. There is no mode of evaluation: give 0 there.
        is_causal: query i looks at keys 0 to i only; not together with attn_mask.
        scale: what scores are multiplied by; None: 1 / sqrt(E).
        enable_gqa: query has a multiple of the heads (third axis from the end) of key and value, which are shared by groups.

    Raises:
        ShapeError, DTypeError: the inputs do not fit each other.
        ValueError: both is_causal and attn_mask are given, or dropout_p is outside [0, 1].

    Gradient: to query, key, value and a floating mask; twice differentiable.
    Numerics: a query that may look at nothing gets zeros, with gradient zero, as in PyTorch. Scores are computed piece by piece and
        anew in backward, so memory grows with L + S and not with L S (but for dropout, whose draws are kept, a byte each). With
        is_causal, scores of keys that lie ahead of a whole piece are not computed. Half precision is computed in float32.
    Source:
        Vaswani et al., "Attention is all you need", 2017, eq. 1; Milakov and Gimelshein, "Online normalizer calculation for
        softmax", 2018, and Dao et al., "FlashAttention", 2022, for keeping the sum's logarithm in place of the weights; here a
        piece has all its keys, so no running maximum is needed. Groups: Ainslie et al., "GQA", 2023.
    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> q, k, v = mg.tensor([[8.0, 0.0]]), mg.tensor([[9.0, 0.0], [0.0, 9.0]]), mg.tensor([[1.0], [2.0]])
        >>> F.scaled_dot_product_attention(q, k, v).tolist()
        [[1.0]]
    """
    q, k, v = given(query), given(key), given(value)
    mask = None if attn_mask is None else given(attn_mask)
    dropout_p = check_probability("scaled_dot_product_attention", dropout_p, "dropout_p")
    if is_causal and mask is not None:
        raise ValueError("scaled_dot_product_attention: give attn_mask or is_causal=True, not both; put the causal part into the mask")
    if enable_gqa:
        q, k, v, mask = _grouped(q, k, v, mask)
    lead = _checked(q, k, v, mask)
    keep = keep_mask(q, dropout_p, (*lead, q.shape[-2], k.shape[-2])) if dropout_p else None
    gain = 1 / (1 - dropout_p) if 0 < dropout_p < 1 else 1.0
    scale = (1 / sqrt(q.shape[-1]) if q.shape[-1] else 1.0) if scale is None else scale
    y = ATTENTION(q, k, v, mask, keep, gain, bool(is_causal), scale)
    return reshape(y, (*y.shape[:-4], y.shape[-4] * y.shape[-3], *y.shape[-2:])) if enable_gqa else y


__all__ = ["scaled_dot_product_attention"]
