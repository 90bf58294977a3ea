"""Rows of ops/attention.py and ops/bags.py, and of the draws in nn/functional/sampling.py."""

import math

import numpy as np

from ...backend import generator, manual_seed
from ...errors import AxisError, DTypeError, IndexRangeError, ShapeError
from ...nn import functional as F
from ..spec import OpSpec, S


def _attention(q, k, v, mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False):
    """Query by query, from the definition."""
    if enable_gqa:
        k, v = [np.repeat(x, q.shape[-3] // x.shape[-3], axis=-3) for x in (k, v)]
    lead = np.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2])
    rows, keys = q.shape[-2], k.shape[-2]
    q, k, v = [np.broadcast_to(x, (*lead, *x.shape[-2:])) for x in (q, k, v)]
    mask = np.zeros((rows, keys)) if mask is None else np.asarray(mask)
    mask = np.broadcast_to(np.where(mask, 0, -np.inf) if mask.dtype == bool else mask, (*lead, rows, keys))
    y = np.zeros((*lead, rows, v.shape[-1]))
    for at in np.ndindex(*lead, rows):
        batch, i = at[:-1], at[-1]
        scores = [sum(q[at] * k[(*batch, j)]) * (scale or 1 / math.sqrt(q.shape[-1])) + mask[(*at, j)] for j in range(keys)]
        seen = [j for j in range(keys) if scores[j] > -np.inf and (j <= i or not is_causal)]
        top = max([scores[j] for j in seen], default=0)
        total = math.fsum(math.exp(scores[j] - top) for j in seen)
        for j in seen:
            y[at] += math.exp(scores[j] - top) / total * v[(*batch, j)]
    return y


def _bags(ids, weight, offsets=None, *unused, mode="mean", per_sample_weights=None, include_last_offset=False, padding_idx=None):
    """Bag by bag."""
    if unused:
        *_, mode, _, per_sample_weights = unused
    factors = np.ones(ids.shape) if per_sample_weights is None else np.asarray(per_sample_weights)
    if offsets is None:
        bags = list(zip(ids, factors, strict=True))
    else:
        ends = [*offsets[1:], *([] if include_last_offset else [len(ids)])]
        bags = [(ids[a:b], factors[a:b]) for a, b in zip(offsets, ends, strict=not include_last_offset)]
    out = []
    for bag, by in bags:
        rows = [f * weight[i] for i, f in zip(bag, by, strict=True) if i != padding_idx]
        empty = [np.zeros(weight.shape[1])]
        out.append(getattr(np, mode)(rows or empty, axis=0))
    return np.array(out)


def _seeded_gumbel(logits, tau=1.0, hard=False, axis=-1):
    """The same noise in every call, so that it can be differentiated."""
    manual_seed(5)
    return F.gumbel_softmax(logits, tau, hard, axis)


def _gumbel(logits, tau=1.0, hard=False, axis=-1):
    manual_seed(5)
    e = np.exp((logits + generator().rng.gumbel(size=logits.shape)) / tau)
    return e / e.sum(axis, keepdims=True)


Q, K, V = (2, 2, 3, 4), (2, 2, 5, 4), (2, 2, 5, 2)
ALLOWED = np.array([[True, False, True, True, False], [False] * 5, [True] * 5])
BY_BATCH = np.array([[[[True, True, False, False, True]]], [[[False, True, False, False, False]]]])
IDS = np.array([[0, 2, 2], [4, 0, 1]])
FLAT, OFFSETS = np.array([1, 2, 2, 4, 1, 0]), np.array([0, 2, 2, 5])

SPECS = [
    OpSpec(
        "nn.functional.scaled_dot_product_attention",
        _attention,
        [
            S(Q, K, V),
            S(Q, K, V, is_causal=True),
            S((1, 5, 2), (1, 3, 2), (1, 3, 2), is_causal=True, scale=0.7),
            S(Q, K, V, ALLOWED),
            S((2, 3, 4), (2, 5, 4), (2, 5, 2), ALLOWED),
            S(Q, K, V, BY_BATCH),
            S((2, 3, 4), (2, 5, 4), (2, 5, 2), (3, 5)),
            S((2, 1, 3, 4), (1, 2, 5, 4), (2, 5, 2), (2, 1, 1, 5), scale=1.3),
            S((3, 4), (5, 4), (5, 2)),
            S((4, 3, 2), (2, 5, 2), (2, 5, 2), (4, 3, 5), enable_gqa=True),
            S((1, 4, 3, 2), (1, 2, 3, 2), (1, 2, 3, 2), is_causal=True, enable_gqa=True),
            S((3, 4), (0, 4), (0, 2)),
            S((0, 3, 4), (0, 5, 4), (0, 5, 2)),
        ],
        op=F.scaled_dot_product_attention,
        empty="skip",
        half=1e-2,
        kinks="A query that may look at nothing gets zeros, with gradient 0.",
        note="Size 0 is among the samples. Dropout is tested in tests/ops/test_attention.py.",
        errors=[
            ((np.ones((3, 4)), np.ones((5, 3)), np.ones((5, 2))), {}, ShapeError, ("scaled_dot_product_attention", "4 features", "3")),
            ((np.ones((3, 4)), np.ones((5, 4)), np.ones((6, 2))), {}, ShapeError, ("5 keys", "6 values")),
            ((np.ones(4), np.ones((5, 4)), np.ones((5, 2))), {}, ShapeError, ("query", "(4,)")),
            ((np.ones((4, 3, 4)), np.ones((2, 5, 4)), np.ones((2, 5, 2))), {}, ShapeError, ("broadcast", "enable_gqa")),
            ((np.ones((3, 3, 4)), np.ones((2, 5, 4)), np.ones((2, 5, 2))), {"enable_gqa": True}, ShapeError, ("multiple", "3, 2")),
            ((np.ones((3, 4)), np.ones((5, 4)), np.ones((5, 2)), np.ones((3, 4), bool)), {}, ShapeError, ("attn_mask", "(3, 4)", "(3, 5)")),
            ((np.ones((3, 4)), np.ones((5, 4)), np.ones((5, 2)), np.ones((3, 5), int)), {}, DTypeError, ("attn_mask", "int64")),
            ((np.ones((3, 4), int), np.ones((5, 4)), np.ones((5, 2))), {}, DTypeError, ("query", "int64")),
            ((np.ones((3, 4)), np.ones((5, 4)), np.ones((5, 2)), ALLOWED), {"is_causal": True}, ValueError, ("attn_mask", "is_causal")),
            ((np.ones((3, 4)), np.ones((5, 4)), np.ones((5, 2))), {"dropout_p": 1.5}, ValueError, ("scaled_dot_product_attention", "1.5")),
        ],
    ),
    OpSpec(
        "nn.functional.embedding_bag",
        _bags,
        [
            S(IDS, (5, 3), mode="sum"),
            S(IDS, (5, 3)),
            S(IDS, (5, 3), mode="max"),
            S(FLAT, (5, 3), OFFSETS, mode="sum", padding_idx=1),
            S(FLAT, (5, 3), OFFSETS, mode="mean", padding_idx=1),
            S(FLAT, (5, 3), OFFSETS, mode="max", padding_idx=1),
            S(FLAT, (5, 3), np.array([0, 3, 6]), mode="max", include_last_offset=True),
            S(FLAT, (5, 2), OFFSETS, mode="sum", per_sample_weights=[0.5, -1.0, 2.0, 1.0, 0.25, 3.0]),
            S(FLAT, (5, 2), OFFSETS, None, 2.0, False, "sum", False, (6,), padding_idx=1),
            S(np.zeros(0, int), (5, 2), np.array([0, 0]), mode="max"),
        ],
        op=F.embedding_bag,
        empty="skip",
        half=1e-2,
        kinks="Of rows that are equally large, the first of the bag gets the gradient of their maximum.",
        errors=[
            ((np.array([[0, 5]]), np.ones((5, 2))), {}, IndexRangeError, "embedding_bag: id 5 at position (0, 1), 5 rows"),
            ((FLAT, np.ones((5, 2))), {}, ShapeError, ("embedding_bag", "offsets")),
            ((IDS, np.ones((5, 2)), OFFSETS), {}, ShapeError, ("embedding_bag", "offsets must be None")),
            ((FLAT, np.ones((5, 2)), np.array([0, 3, 2])), {}, ValueError, ("embedding_bag", "[0, 3, 2]")),
            ((FLAT, np.ones((5, 2)), np.array([0, 3])), {"include_last_offset": True}, ValueError, ("include_last_offset", "6", "3")),
            ((FLAT, np.ones((5, 2)), np.array([0.0])), {}, DTypeError, ("offsets", "float64")),
            ((IDS, np.ones((5, 2))), {"mode": "median"}, ValueError, ("embedding_bag", "median")),
            ((IDS, np.ones((5, 2))), {"mode": "max", "scale_grad_by_freq": True}, ValueError, ("scale_grad_by_freq", "max")),
            ((IDS, np.ones((5, 2))), {"sparse": True}, ValueError, ("embedding_bag", "sparse")),
            ((IDS, np.ones((5, 2))), {"per_sample_weights": np.ones((2, 3))}, ValueError, ("per_sample_weights", "mean")),
            ((IDS, np.ones((5, 2))), {"mode": "sum", "per_sample_weights": np.ones(3)}, ShapeError, ("per_sample_weights", "(3,)")),
        ],
    ),
    OpSpec(
        "nn.functional.gumbel_softmax",
        _gumbel,
        [S((3, 4)), S((3, 4), tau=0.5), S((2, 3, 2), tau=2.0, axis=1)],
        op=_seeded_gumbel,
        half=1e-2,
        note="Random; tested with a fixed seed. The hard form, whose gradient is not that of its values, is tested in tests/ops.",
        errors=[
            ((np.ones(3), 0.0), {}, ValueError, ("gumbel_softmax", "tau", "0.0")),
            ((np.ones(3, int),), {}, DTypeError, ("gumbel_softmax", "int64")),
            ((np.ones(3),), {"axis": 1}, AxisError, ("gumbel_softmax", "axis 1")),
        ],
    ),
]
