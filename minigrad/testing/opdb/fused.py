"""Rows of ops/fused.py, and of the losses made of them."""

import math

import numpy as np

from ...backend import manual_seed
from ...errors import DTypeError, IndexRangeError, ShapeError
from ...nn import functional as F
from ...ops import fused
from ..spec import OpSpec, S
from .dropout import keeps


def _linear(x, weight, bias=None):
    y = np.einsum("...i,oi->...o", x, weight)
    return y if bias is None else y + bias


def _cross_entropy(logits, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    """Row by row, from the definition."""
    x, t = np.atleast_2d(logits), np.asarray(target)
    if np.ndim(logits) == 1:
        t = t[None]
    rows, classes = np.moveaxis(x, 1, -1), x.shape[1]
    soft = t.dtype.kind == "f" and t.shape == x.shape
    targets = np.moveaxis(t, 1, -1) if soft else t
    w = np.ones(classes) if weight is None else weight
    losses, count = np.zeros(rows.shape[:-1]), 0.0
    for i in np.ndindex(losses.shape):
        top = max(rows[i])
        log_p = [v - top - math.log(math.fsum(math.exp(u - top) for u in rows[i])) for v in rows[i]]
        if soft:
            q, counts = targets[i], 1.0
        else:
            if targets[i] == ignore_index:
                continue
            q, counts = np.eye(classes)[targets[i]], w[targets[i]]
        q = q * (1 - label_smoothing) + label_smoothing / classes
        losses[i] = -math.fsum(w[c] * q[c] * log_p[c] for c in range(classes))
        count += counts
    if reduction == "none":
        return losses[0] if np.ndim(logits) == 1 else losses
    return losses.sum() / ((count or 1) if reduction == "mean" else 1)


def _seeded_dropout(x, p=0.5, training=True):
    """The same mask in every call, so that it can be differentiated."""
    manual_seed(7)
    return fused.dropout(x, p, training)


def _dropout(x, p=0.5, training=True):
    if not training or p == 0:
        return x
    if p == 1:
        return np.zeros_like(x)
    return np.where(keeps(x.shape, p), x / (1 - p), 0)


def _binary(p, t, weight=None, reduction="mean"):
    def one(a, b):
        return -(b * max(math.log(a), -100) + (1 - b) * max(math.log(1 - a), -100))

    losses = np.array([one(a, b) for a, b in zip(p.flat, t.flat, strict=True)]).reshape(p.shape) * (1 if weight is None else weight)
    return {"none": lambda: losses, "sum": losses.sum, "mean": losses.mean}[reduction]()


def _binary_logits(x, t, weight=None, reduction="mean", pos_weight=None):
    w = 1 if pos_weight is None else pos_weight
    s = 1 / (1 + np.exp(-x))
    losses = -(w * t * np.log(s) + (1 - t) * np.log(1 - s)) * (1 if weight is None else weight)
    return {"none": lambda: losses, "sum": losses.sum, "mean": losses.mean}[reduction]()


def _nll(x, target, weight=None, ignore_index=-100, reduction="mean"):
    w = np.ones(x.shape[1]) if weight is None else weight
    losses = [-w[c] * row[c] if c != ignore_index else 0.0 for row, c in zip(x, target, strict=True)]
    total = sum(w[c] for c in target if c != ignore_index)
    return {"none": np.array(losses), "sum": np.sum(losses), "mean": np.sum(losses) / (total or 1)}[reduction]


def _padded(x, pad, mode="constant", value=0.0):
    if min(pad) < 0:
        x, pad = x[:, -pad[0] :], (0, pad[1])
    widths = [(0, 0)] * (x.ndim - len(pad) // 2) + [pad[i : i + 2] for i in range(0, len(pad), 2)][::-1]
    name = {"replicate": "edge", "circular": "wrap"}.get(mode, mode)
    return np.pad(x, widths, name, **({"constant_values": value} if mode == "constant" else {}))


def _mean(values):
    return values.mean()


LABELS = np.array([2, 0, 1, 2])
WEIGHT = np.array([0.5, 2.0, 1.5]).tolist()
IDS = np.array([[0, 2, 2], [4, 0, 1]])
X = np.ones((4, 3))

SPECS = [
    OpSpec(
        "nn.functional.linear",
        _linear,
        [
            S((4, 3), (2, 3), (2,)),
            S((4, 3), (2, 3)),
            S((3,), (2, 3), (2,)),
            S((2, 2, 3), (4, 3), (4,)),
            S((0, 3), (2, 3), (2,)),
            S((2, 0), (3, 0), (3,)),
        ],
        op=fused.linear,
        empty="skip",
        note="Size 0 is among the samples: its axes must fit each other.",
        errors=[
            ((np.ones((8, 3)), np.ones((2, 4))), {}, ShapeError, "linear: x has 3 features, weight expects 4 (x (8, 3), weight (2, 4))"),
            ((np.ones((8, 3)), np.ones((2, 3)), np.ones(3)), {}, ShapeError, ("linear", "bias", "(3,)", "(2,)")),
            ((np.ones((8, 3)), np.ones(3)), {}, ShapeError, ("linear", "(out, in)")),
            ((1.0, np.ones((2, 3))), {}, ShapeError, ("linear", "()")),
        ],
    ),
    OpSpec(
        "nn.functional.cross_entropy",
        _cross_entropy,
        [
            S((4, 3), LABELS),
            S((4, 3), LABELS, reduction="none"),
            S((4, 3), LABELS, weight=WEIGHT),
            S((4, 3), LABELS, ignore_index=2),
            S((4, 3), LABELS, ignore_index=2, weight=WEIGHT, label_smoothing=0.1, reduction="sum"),
            S((4, 3), LABELS, label_smoothing=0.2),
            S((2, 3, 2), np.array([[0, 1], [2, 2]]), weight=WEIGHT),
            S((2, 3, 2, 1), np.array([[[0], [1]], [[2], [2]]]), reduction="none"),
            S((3,), np.array(1)),
            S((4, 3), np.array([1, 1, 1, 1]), ignore_index=1),
            S((0, 3), np.zeros(0, int)),
            S((4, 3), np.array([[0.2, 0.3, 0.5], [1, 0, 0], [0, 0.5, 0.5], [0.1, 0.1, 0.8]])),
            S((2, 3), np.array([[0.2, 0.3, 0.5], [0.25, 0.5, 0.25]]), weight=WEIGHT, label_smoothing=0.1),
        ],
        op=fused.cross_entropy,
        empty="skip",
        half=2e-2,
        kinks="Over no rows (none there, or all ignored) the mean is 0 with gradient 0.",
        errors=[
            ((X, np.array([5, 0, 0, 0])), {}, IndexRangeError, "cross_entropy: label 5 at row 0, 3 classes"),
            ((X, np.array([0, 0, -1, 0])), {}, IndexRangeError, "label -1 at row 2, 3 classes"),
            ((X, np.array([0.0, 1.0, 2.0, 0.0])), {}, DTypeError, ("cross_entropy", "integers", "float64")),
            ((X, np.array([[0], [1], [2], [0]])), {}, ShapeError, ("cross_entropy", "(4,)", "(4, 1)")),
            ((X, LABELS), {"weight": [1.0, 2.0]}, ShapeError, ("cross_entropy", "weight", "(3,)")),
            ((X, LABELS), {"reduction": "average"}, ValueError, ("cross_entropy", "average")),
            ((X, LABELS), {"label_smoothing": 1.5}, ValueError, ("cross_entropy", "1.5")),
            ((np.ones((4, 3), int), LABELS), {}, DTypeError, ("cross_entropy", "floating")),
        ],
    ),
    OpSpec(
        "nn.functional.dropout",
        _dropout,
        [S((3, 4), 0.5), S((3, 4), 0.25), S((3, 4), 0.0), S((3, 4), 1.0), S((3, 4), 0.9, training=False), S((), 0.3)],
        op=_seeded_dropout,
        errors=[
            ((np.ones(3), 1.5), {}, ValueError, ("dropout", "[0, 1]", "1.5")),
            ((np.ones(3), float("nan")), {}, ValueError, ("dropout", "nan")),
            ((np.ones(3, int),), {}, DTypeError, ("dropout", "int64")),
        ],
        note="Random; tested with a fixed seed.",
    ),
    OpSpec(
        "nn.functional.embedding",
        lambda ids, weight, padding_idx=None: np.stack([weight[i] for i in ids.flat]).reshape((*ids.shape, weight.shape[1])),
        [S(IDS, (5, 3)), S(np.array(3), (5, 2)), S(np.array([1, 1, 1]), (2, 1))],
        op=fused.embedding,
        empty="skip",
        errors=[
            ((np.array([0, 5]), np.ones((5, 2))), {}, IndexRangeError, "embedding: id 5 at position (1,), 5 rows"),
            ((np.array([[0], [-1]]), np.ones((5, 2))), {}, IndexRangeError, "id -1 at position (1, 0)"),
            ((np.array([0.0]), np.ones((5, 2))), {}, DTypeError, ("embedding", "integers")),
            ((np.array([0]), np.ones(5)), {}, ShapeError, ("embedding", "(5,)")),
        ],
    ),
    OpSpec(
        "nn.functional.nll_loss",
        _nll,
        [S((4, 3), LABELS), S((4, 3), LABELS, weight=WEIGHT), S((4, 3), LABELS, weight=WEIGHT, ignore_index=2, reduction="none")],
        op=F.nll_loss,
        empty="skip",
        errors=[((X, np.array([5, 0, 0, 0])), {}, IndexRangeError, "nll_loss: label 5 at row 0, 3 classes")],
    ),
    OpSpec(
        "nn.functional.binary_cross_entropy",
        _binary,
        [S((3, 2), (3, 2)), S((3, 2), (3, 2), reduction="none"), S((3, 2), (3, 2), weight=[0.5, 2.0], reduction="sum")],
        op=F.binary_cross_entropy,
        domain=(0.1, 0.9),
        empty="skip",
        kinks="Logarithms are cut off at -100 and the gradient's denominator at 1e-12 (1e-6 in half precision).",
        errors=[
            ((np.ones(3), np.ones((3, 1))), {}, ShapeError, ("binary_cross_entropy", "(3,)", "(3, 1)")),
            ((np.array([0.5, 1.5]), np.ones(2)), {}, ValueError, ("binary_cross_entropy", "[0, 1]", "1.5")),
        ],
    ),
    OpSpec(
        "nn.functional.binary_cross_entropy_with_logits",
        _binary_logits,
        [S((3, 2), (3, 2)), S((3, 2), (3, 2), reduction="none", pos_weight=[0.5, 2.0])],
        op=F.binary_cross_entropy_with_logits,
        empty="skip",
        half=1e-2,
        errors=[((np.ones(3), np.ones((3, 1))), {}, ShapeError, ("binary_cross_entropy_with_logits", "(3,)", "(3, 1)"))],
    ),
    OpSpec(
        "nn.functional.mse_loss",
        lambda a, b, reduction="mean": {"none": (a - b) ** 2, "sum": ((a - b) ** 2).sum(), "mean": ((a - b) ** 2).mean()}[reduction],
        [S((3, 2), (3, 2)), S((3, 2), (3, 2), reduction="none"), S((3, 2), (3, 2), reduction="sum")],
        op=F.mse_loss,
        empty="skip",
        half=1e-2,
        errors=[((np.ones((3, 1)), np.ones(3)), {}, ShapeError, ("mse_loss", "(3, 1)", "(3,)"))],
    ),
    OpSpec(
        "nn.functional.l1_loss",
        lambda a, b, reduction="mean": abs(a - b).mean() if reduction == "mean" else abs(a - b),
        [S((3, 2), (3, 2)), S((3, 2), (3, 2), reduction="none")],
        op=F.l1_loss,
        empty="skip",
        kinks="The derivative at equality is 0.",
        errors=[((np.ones((3, 1)), np.ones(3)), {}, ShapeError, ("l1_loss", "(3, 1)", "(3,)"))],
    ),
    OpSpec(
        "nn.functional.huber_loss",
        lambda a, b, reduction="mean", delta=1.0: _mean(np.where(abs(a - b) <= delta, (a - b) ** 2 / 2, delta * (abs(a - b) - delta / 2))),
        [S((3, 2), (3, 2)), S((3, 2), (3, 2), delta=0.4)],
        op=F.huber_loss,
        empty="skip",
        half=1e-2,
        errors=[((np.ones(3), np.ones(3)), {"delta": 0}, ValueError, ("huber_loss", "delta"))],
    ),
    OpSpec(
        "nn.functional.smooth_l1_loss",
        lambda a, b, reduction="mean", beta=1.0: _mean(np.where(abs(a - b) <= beta, (a - b) ** 2 / (2 * beta), abs(a - b) - beta / 2)),
        [S((3, 2), (3, 2)), S((3, 2), (3, 2), beta=0.4)],
        op=F.smooth_l1_loss,
        empty="skip",
        half=1e-2,
        errors=[((np.ones(3), np.ones(3)), {"beta": -1}, ValueError, ("smooth_l1_loss", "beta"))],
    ),
    OpSpec(
        "nn.functional.flatten",
        lambda x, start_dim=0, end_dim=-1: x.reshape({(0, -1): -1, (1, -1): (len(x), -1), (0, 1): (-1, *x.shape[2:])}[start_dim, end_dim]),
        [S((2, 3, 4)), S((2, 3, 4), 1), S((2, 3, 4), 0, 1), S((2, 1))],
        op=F.flatten,
    ),
    OpSpec(
        "nn.functional.one_hot",
        lambda x, num_classes=-1: np.eye(num_classes if num_classes > 0 else x.max() + 1, dtype=int)[x],
        [S(np.array([[0, 2], [1, 1]])), S(np.array([0, 2]), 5), S(np.array(1), 2)],
        op=F.one_hot,
        order=0,
        errors=[
            ((np.array([0, 3]), 2), {}, IndexRangeError, ("one_hot", "2 classes")),
            ((np.array([0.5]), 2), {}, DTypeError, ("one_hot", "integers")),
        ],
    ),
    OpSpec(
        "nn.functional.pad",
        _padded,
        [
            S((2, 3), [1, 2]),
            S((2, 3), [1, 0, 0, 2], value=1.5),
            S((2, 3), [-1, 1]),
            S((2, 3), [1, 2], mode="reflect"),
            S((2, 3), [4, 0, 1, 1], mode="replicate"),
            S((2, 3), [2, 1], mode="circular"),
        ],
        op=F.pad,
        errors=[((X, (1, 2, 3)), {}, ShapeError, ("pad", "3")), ((X, (1, 1)), {"mode": "mirror"}, ValueError, ("pad", "mirror"))],
    ),
]
