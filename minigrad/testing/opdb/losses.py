"""Rows of the losses of numbers, pairs, margins and masks; the references go number by number."""

import math

import numpy as np

from ...errors import DTypeError, IndexRangeError, ShapeError
from ..spec import OpSpec, S


def _reduced(losses, reduction, count=None):
    losses = np.asarray(losses, float)
    if reduction == "none":
        return losses
    return losses.sum() / ((losses.size or 1) if count is None else count) if reduction == "mean" else losses.sum()


def _each(loss):
    """A reference from a formula for one number of each argument."""

    def reference(*arrays, reduction="mean", **settings):
        losses = [loss(*numbers, **settings) for numbers in zip(*[np.ravel(a) for a in arrays], strict=True)]
        return _reduced(np.reshape(losses, np.shape(arrays[0])), reduction)

    return reference


def _per_row(loss):
    """A reference from a formula for one row of each argument, or for all of it if the first has but one axis."""

    def reference(*arrays, reduction="mean", **settings):
        if np.ndim(arrays[0]) == 1:
            return _reduced(loss(*arrays, **settings), reduction)
        return _reduced([loss(*row, **settings) for row in zip(*arrays, strict=True)], reduction)

    return reference


def _kl(x, t, reduction="mean", log_target=False):
    losses = np.exp(t) * (t - x) if log_target else t * (np.log(t) - x)
    return losses.sum() / (len(x) or 1) if reduction == "batchmean" else _reduced(losses, reduction)


def _poisson(x, t, log_input=True, full=False, eps=1e-8):
    loss = math.exp(x) - t * x if log_input else x - t * math.log(x + eps)
    return loss + (t * math.log(t) - t + math.log(2 * math.pi * t) / 2 if full and t > 1 else 0)


def _gaussian(x, t, var, full=False, eps=1e-6, reduction="mean"):
    var = np.asarray(var, float)
    var = np.broadcast_to(var[..., None] if var.shape == x.shape[:-1] and var.ndim else var, x.shape)
    density = np.exp(-((x - t) ** 2) / (2 * var)) / np.sqrt(var * (2 * math.pi if full else 1))
    return _reduced(-np.log(density), reduction)


def _multi_margin(x, y, p=1, margin=1.0, weight=None):
    terms = [max(0, margin - x[y] + v) ** p for i, v in enumerate(x) if i != y]
    return (1 if weight is None else weight[y]) * sum(terms) / len(x)


def _multilabel_margin(x, labels):
    labels = list(labels)
    labels = labels[: labels.index(-1)] if -1 in labels else labels
    return sum(max(0, 1 - (x[y] - v)) for y in labels for i, v in enumerate(x) if i not in labels) / len(x)


def _multilabel_soft(x, t, weight=None):
    w = np.ones(len(x)) if weight is None else weight
    s = 1 / (1 + np.exp(-x))
    return -sum(w[i] * (math.log(s[i]) if t[i] else math.log(1 - s[i])) for i in range(len(x))) / len(x)


def distance(a, b, p=2.0, eps=1e-6):
    d = [abs(u - v + eps) for u, v in zip(a, b, strict=True)]
    return max(d) if p == math.inf else sum(v**p for v in d) ** (1 / p)


def cosine(a, b):
    return a @ b / math.sqrt((a @ a) * (b @ b))


def _cosine_embedding(a, b, t, margin=0.0):
    return 1 - cosine(a, b) if t == 1 else max(0, cosine(a, b) - margin)


def _contrastive(a, b, y, margin=1.0):
    d = math.dist(a, b)
    return (1 - y) * d * d / 2 + y * max(0, margin - d) ** 2 / 2


def _triplet(a, p_, n, margin=1.0, p=2.0, eps=1e-6, swap=False, distance_function=None):
    d = (lambda u, v: distance(u, v, p, eps)) if distance_function is None else distance_function
    return max(0, margin + d(a, p_) - (min(d(a, n), d(p_, n)) if swap else d(a, n)))


def _taxi(a, b):
    return abs(a - b).sum(axis=-1)


def _focal(x, target, alpha=None, gamma=2.0, ignore_index=-100, reduction="mean"):
    if x.shape == target.shape:
        p = 1 / (1 + np.exp(-x))
        a, b = (1, 1) if alpha is None else (alpha, 1 - alpha)
        return _reduced(-a * target * (1 - p) ** gamma * np.log(p) - b * (1 - target) * p**gamma * np.log(1 - p), reduction)
    p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    losses = np.zeros(target.shape)
    for i in np.ndindex(target.shape):
        if target[i] != ignore_index:
            q = p[(i[0], target[i], *i[1:])]
            losses[i] = -(1 if alpha is None else alpha[target[i]]) * (1 - q) ** gamma * math.log(q)
    return _reduced(losses, reduction, (target != ignore_index).sum() or 1)


def _dice(p, t, smooth=1.0, reduction="mean"):
    if t.ndim < p.ndim:
        t = np.moveaxis(np.eye(p.shape[1])[t], -1, 1)

    def overlap(a, b):
        return (2 * (a * b).sum() + smooth) / ((a * a).sum() + (b * b).sum() + smooth)

    return _reduced([[1 - overlap(*pair) for pair in zip(*row, strict=True)] for row in zip(p, t, strict=True)], reduction)


SIGNS = np.array([1, -1, -1, 1])
GRID = np.array([[1, -1], [-1, -1], [1, 1]])
LABELS = np.array([2, 0, 1, 2])
MANY = np.array([[2, 0, -1, 1], [-1, 0, 0, 0], [3, 2, 1, 0]])
MASKS = np.array([[1, 0, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1]])
NOBODY = np.zeros(0, int)
WEIGHT = np.array([0.5, 2.0, 1.5]).tolist()
X, V = np.ones((4, 3)), np.ones(3)


def _shapes(who, *more, names=("(3,)", "(3, 1)")):
    """Calls that would broadcast to a loss that is wrong."""
    return ((np.ones(3), np.ones((3, 1)), *more), {}, ShapeError, (who, *names))


SPECS = [
    OpSpec(
        "nn.functional.log_cosh_loss",
        _each(lambda a, b: math.log(math.cosh(a - b))),
        [S((3, 2), (3, 2)), S((3, 2), (3, 2), reduction="none"), S((0,), (0,))],
        errors=[_shapes("log_cosh_loss"), ((V, V), {"reduction": "average"}, ValueError, ("log_cosh_loss", "average"))],
    ),
    OpSpec(
        "nn.functional.kl_div",
        _kl,
        [
            S((3, 2), (3, 2)),
            S((3, 2), (3, 2), reduction="batchmean"),
            S((3, 2), (3, 2), reduction="none"),
            S((3, 2), (3, 2), reduction="batchmean", log_target=True),
            S((0, 2), (0, 2), reduction="batchmean"),
        ],
        domain=[(-2, 0), (0.1, 0.9)],
        kinks="A target of 0 costs 0; the gradient to it is -inf, as that of x log x.",
        errors=[_shapes("kl_div"), ((V, V), {"reduction": "batch"}, ValueError, ("kl_div", "batchmean", "'batch'"))],
    ),
    OpSpec(
        "nn.functional.poisson_nll_loss",
        _each(_poisson),
        [S((3, 2), (3, 2)), S((3, 2), (3, 2), full=True, reduction="sum"), S((3,), (3,), log_input=False, reduction="none")],
        domain=(0.1, 3),
        kinks="Stirling's approximation sets in with a jump, at a target of 1.",
        errors=[_shapes("poisson_nll_loss"), ((V, V), {"eps": 0}, ValueError, ("poisson_nll_loss", "eps"))],
    ),
    OpSpec(
        "nn.functional.gaussian_nll_loss",
        _gaussian,
        [
            S((3, 2), (3, 2), (3, 2)),
            S((3, 2), (3, 2), (3,), full=True),
            S((3, 2), (3, 2), (3, 1), reduction="none"),
            S((3, 2), (3, 2), (1, 2), reduction="sum"),
            S((3, 2), (3, 2), 0.5),
        ],
        domain=[(-1, 1), (-1, 1), (0.2, 2)],
        half=1e-2,
        kinks="Below eps the variance gets the gradient at eps.",
        errors=[
            _shapes("gaussian_nll_loss", 1.0),
            ((V, V, np.ones(2)), {}, ShapeError, ("gaussian_nll_loss", "var (2,)", "(3,)")),
            ((V, V, np.array([1.0, -0.5, 1.0])), {}, ValueError, ("gaussian_nll_loss", "var", "-0.5")),
            ((V, V, -1.0), {}, ValueError, ("gaussian_nll_loss", "var", "-1")),
        ],
    ),
    OpSpec(
        "nn.functional.hinge_embedding_loss",
        _each(lambda x, t, margin=1.0: x if t == 1 else max(0, margin - x)),
        [S((4,), SIGNS), S((3, 2), GRID, margin=0.3, reduction="none"), S((0,), NOBODY)],
        empty="skip",
        kinks="At the hinge, that of the slope.",
        errors=[_shapes("hinge_embedding_loss"), ((V, np.array([1, 0, -1])), {}, ValueError, ("hinge_embedding_loss", "got 0", "(1,)"))],
    ),
    OpSpec(
        "nn.functional.margin_ranking_loss",
        _each(lambda a, b, t, margin=0.0: max(0, -t * (a - b) + margin)),
        [S((4,), (4,), SIGNS), S((3, 2), (3, 2), GRID, margin=0.5, reduction="none"), S((4,), (4,), SIGNS, reduction="sum")],
        empty="skip",
        kinks="At the hinge, that of the slope: equal inputs are moved apart.",
        errors=[
            ((V, V, np.ones((3, 1))), {}, ShapeError, ("margin_ranking_loss", "input1 (3,)", "target (3, 1)")),
            ((V, V, np.zeros(3)), {}, ValueError, ("margin_ranking_loss", "-1 or 1")),
        ],
    ),
    OpSpec(
        "nn.functional.soft_margin_loss",
        _each(lambda x, t: math.log1p(math.exp(-t * x))),
        [S((4,), SIGNS), S((3, 2), GRID, reduction="none"), S((), np.array(-1))],
        empty="skip",
        errors=[_shapes("soft_margin_loss"), ((V, np.array([1, 2, -1])), {}, ValueError, ("soft_margin_loss", "got 2"))],
    ),
    OpSpec(
        "nn.functional.multi_margin_loss",
        _per_row(_multi_margin),
        [
            S((4, 3), LABELS),
            S((4, 3), LABELS, p=2, margin=0.5, reduction="none"),
            S((4, 3), LABELS, weight=WEIGHT, reduction="sum"),
            S((3,), np.array(1)),
            S((0, 3), NOBODY),
        ],
        empty="skip",
        half=1e-2,
        errors=[
            ((X, np.array([5, 0, 0, 0])), {}, IndexRangeError, "multi_margin_loss: label 5 at row 0, 3 classes"),
            ((X, np.array([0, -100, 0, 0])), {}, IndexRangeError, "label -100 at row 1, 3 classes"),
            ((X, np.zeros(4)), {}, DTypeError, ("multi_margin_loss", "integers")),
            ((X, LABELS[:, None]), {}, ShapeError, ("multi_margin_loss", "(4, 3)", "(4, 1)")),
            ((X, LABELS), {"weight": [1.0]}, ShapeError, ("multi_margin_loss", "weight", "(3,)")),
            ((X, LABELS), {"p": 3}, ValueError, ("multi_margin_loss", "1 or 2")),
        ],
    ),
    OpSpec(
        "nn.functional.multilabel_margin_loss",
        _per_row(_multilabel_margin),
        [S((3, 4), MANY), S((3, 4), MANY, reduction="none"), S((4,), MANY[0]), S((0, 4), MANY[:0])],
        empty="skip",
        half=1e-2,
        errors=[
            ((X, np.array([[4, 0, 0]] * 4)), {}, IndexRangeError, ("multilabel_margin_loss", "label 4 at row 0", "3 classes")),
            ((X, np.array([[0, -2, 0]] * 4)), {}, IndexRangeError, ("label -2 at row 0", "place 1")),
            ((X, np.zeros((4, 3))), {}, DTypeError, ("multilabel_margin_loss", "integers")),
            ((X, MANY), {}, ShapeError, ("multilabel_margin_loss", "(4, 3)", "(3, 4)")),
        ],
    ),
    OpSpec(
        "nn.functional.multilabel_soft_margin_loss",
        _per_row(_multilabel_soft),
        [S((3, 4), MASKS), S((3, 4), MASKS, weight=[0.5, 1.0, 2.0, 0.0], reduction="none"), S((0, 4), MASKS[:0])],
        empty="skip",
        errors=[
            _shapes("multilabel_soft_margin_loss"),
            ((X, X), {"weight": [1.0]}, ShapeError, ("multilabel_soft_margin_loss", "weight", "(3,)")),
        ],
    ),
    OpSpec(
        "nn.functional.cosine_embedding_loss",
        _per_row(_cosine_embedding),
        [S((4, 3), (4, 3), SIGNS), S((4, 3), (4, 3), SIGNS, margin=0.2, reduction="none"), S((3,), (3,), np.array(1))],
        empty="skip",
        errors=[
            ((X, X[:, :1], SIGNS), {}, ShapeError, ("cosine_embedding_loss", "(4, 3)", "(4, 1)")),
            ((X, X, SIGNS[:, None]), {}, ShapeError, ("cosine_embedding_loss", "(4,)", "(4, 1)")),
            ((X, X, np.zeros(4)), {}, ValueError, ("cosine_embedding_loss", "-1 or 1")),
            ((X, X, SIGNS), {"margin": 2}, ValueError, ("cosine_embedding_loss", "[-1, 1]")),
        ],
    ),
    OpSpec(
        "nn.functional.contrastive_loss",
        _per_row(_contrastive),
        [
            S((4, 3), (4, 3), np.array([0, 1, 1, 0]), margin=3.0),
            S((4, 3), (4, 3), np.array([0, 1, 1, 0]), reduction="none"),
            S((3,), (3,), np.array(1), margin=5.0),
        ],
        empty="skip",
        half=1e-2,
        kinks="At distance 0 the gradient is 0.",
        errors=[
            ((X, X[:, :1], LABELS), {}, ShapeError, ("contrastive_loss", "(4, 3)", "(4, 1)")),
            ((X, X, SIGNS), {}, ValueError, ("contrastive_loss", "0 or 1", "-1")),
            ((X, X, SIGNS), {"margin": 0}, ValueError, ("contrastive_loss", "margin")),
        ],
    ),
    OpSpec(
        "nn.functional.triplet_margin_loss",
        _per_row(_triplet),
        [
            S((4, 3), (4, 3), (4, 3)),
            S((4, 3), (4, 3), (4, 3), p=3.0, margin=2.0, reduction="none"),
            S((4, 3), (4, 3), (4, 3), swap=True, reduction="sum"),
            S((3,), (3,), (3,), eps=1e-3),
        ],
        half=1e-2,
        errors=[
            ((X, X, X[:, :1]), {}, ShapeError, ("triplet_margin_loss", "anchor (4, 3)", "negative (4, 1)")),
            ((X, X, X), {"margin": 0}, ValueError, ("triplet_margin_loss", "margin")),
        ],
    ),
    OpSpec(
        "nn.functional.triplet_margin_with_distance_loss",
        _per_row(_triplet),
        [
            S((4, 3), (4, 3), (4, 3)),
            S((4, 3), (4, 3), (4, 3), distance_function=_taxi, swap=True, reduction="none"),
            S((3,), (3,), (3,), distance_function=_taxi, margin=4.0),
        ],
        half=1e-2,
        errors=[((X, X, X), {"margin": -1}, ValueError, ("triplet_margin_with_distance_loss", "margin"))],
    ),
    OpSpec(
        "nn.functional.focal_loss",
        _focal,
        [
            S((4, 3), LABELS),
            S((4, 3), LABELS, alpha=np.array(WEIGHT), gamma=0.5, reduction="none"),
            S((4, 3), LABELS, ignore_index=2, gamma=1.0),
            S((2, 3, 2), np.array([[0, 1], [2, 2]]), gamma=0.0),
            S((3, 4), MASKS, alpha=0.25),
            S((3, 4), MASKS, gamma=1.5, reduction="none"),
            S((3,), np.array([1, 0, 1]), gamma=0.0),
            S((4, 3), np.array([1, 1, 1, 1]), ignore_index=1),
        ],
        empty="skip",
        half=1e-2,
        kinks="Over no rows the mean is 0 with gradient 0.",
        errors=[
            ((X, np.array([5, 0, 0, 0])), {}, IndexRangeError, "focal_loss: label 5 at row 0, 3 classes"),
            ((X, np.zeros(4)), {}, DTypeError, ("focal_loss", "integers")),
            ((X, np.zeros((4, 1))), {}, ShapeError, ("focal_loss", "(4, 1)", "(4, 3)")),
            ((X, X * 2), {}, ValueError, ("focal_loss", "target", "[0, 1]")),
            ((X, X), {"alpha": 1.5}, ValueError, ("focal_loss", "alpha", "1.5")),
            ((X, LABELS), {"alpha": np.ones(2)}, ShapeError, ("focal_loss", "(3,)", "(2,)")),
            ((X, LABELS), {"gamma": -1}, ValueError, ("focal_loss", "gamma")),
        ],
    ),
    OpSpec(
        "nn.functional.dice_loss",
        _dice,
        [
            S((2, 3, 4), (2, 3, 4)),
            S((2, 3, 4), (2, 3, 4), smooth=0.0, reduction="none"),
            S((2, 3, 2, 2), np.array([[[0, 1], [2, 2]], [[1, 1], [1, 1]]]), smooth=1e-3, reduction="sum"),
        ],
        domain=(0.1, 0.9),
        errors=[
            ((np.ones((2, 3)), np.ones((2, 3))), {}, ShapeError, ("dice_loss", "(2, 3)")),
            ((np.ones((2, 1, 3)), np.ones((2, 3, 1))), {}, ShapeError, ("dice_loss", "(2, 1, 3)", "(2, 3, 1)")),
            ((np.full((1, 1, 2), 1.5), np.ones((1, 1, 2))), {}, ValueError, ("dice_loss", "input", "[0, 1]", "1.5")),
            ((np.ones((1, 2, 2)), np.array([[0, 2]])), {}, IndexRangeError, ("dice_loss", "label 2", "2 classes")),
        ],
    ),
]
