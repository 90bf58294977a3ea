"""Losses of classes by margins: the right score is to exceed the others by so much."""

from typing import Any

from ...autograd.arguments import number, together
from ...autograd.tensor import raw
from ...backend.arrays import namespace
from ...errors import DTypeError, IndexRangeError, ShapeError
from ...ops.activation import logsigmoid
from ...ops.arithmetic import clip
from ...ops.indexing import take_along_axis
from ...ops.losses import checked_labels, class_weights, given, measured, on_cpu, reduced
from ...ops.powers import square
from ...ops.reduce import mean, sum
from ...ops.shape import reshape
from .targets import alike, classes_of, one_of


def soft_margin_loss(input: Any, target: Any, reduction: str = "mean") -> Any:
    """log(1 + exp(-target input)), where the target is 1 or -1.

    Shapes: both the same.

    Args:
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: the shapes differ.
        ValueError: another target (looked at on the CPU only).

    Numerics: exact for inputs of any size.
    Source:
        Cox, "The regression analysis of binary sequences", 1958: the logistic loss, for labels -1 and 1.
    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> F.soft_margin_loss(mg.tensor([1000.0, 1000.0]), mg.tensor([1, -1]), reduction="sum").item()
        1000.0
    """
    input, target = alike("soft_margin_loss", input=input, target=target)
    return reduced("soft_margin_loss", -logsigmoid(input * one_of("soft_margin_loss", target, -1, 1)), reduction)


def multi_margin_loss(input: Any, target: Any, p: int = 1, margin: float = 1.0, weight: Any = None, reduction: str = "mean") -> Any:
    """sum over i != y of max(0, margin - input[y] + input[i])^p / C, where y is the target: the multi-class hinge.

    Shapes: input (N, C) or (C,); target (N,) or (), integers; the losses (N,) or ().

    Args:
        p: 1 or 2.
        margin: by how much the right score is to be the largest.
        weight: one factor per class, for the rows with that target; a constant. The mean is over the rows, not the weights.
        reduction: "mean", "sum" or "none".

    Raises:
        IndexRangeError: a label outside the classes (on a GPU, where looking would mean waiting, such a row costs 0).
        DTypeError: labels that are not integers.
        ShapeError: shapes, or the number of weights, that do not fit.
        ValueError: another p.

    Source:
        Crammer and Singer, "On the algorithmic implementation of multiclass kernel-based vector machines", 2001; theirs is the largest
        of the terms, this their sum, as in PyTorch (Weston and Watkins, 1999).
    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> F.multi_margin_loss(mg.tensor([[1.0, 0.5]]), mg.tensor([0])).item()
        0.25
    """
    who = "multi_margin_loss"
    if p not in (1, 2):
        raise ValueError(f"{who}: p must be 1 or 2, got {p}")
    margin = number(who, "margin", margin)
    input, target = _rows(who, input, target, 1)
    if len(target.shape) == 0:
        losses = multi_margin_loss(reshape(input, (1, -1)), reshape(target, (1,)), p, margin, weight, "none")
        return reduced(who, reshape(losses, ()), reduction)
    rows, classes = input.shape
    labels, valid = checked_labels(who, target, (rows,), classes, None)
    labels = labels.reshape((rows, 1))
    others = (classes_of(input) != labels).astype(input.dtype)
    w = class_weights(who, weight, classes, input.dtype, 2)
    if w is not None:
        others = others * w.reshape(-1)[labels]
    if valid is not None:
        others = others * valid.reshape((rows, 1)).astype(input.dtype)
    gaps = clip(input - take_along_axis(input, labels, axis=1) + margin, 0)
    return reduced(who, sum((square(gaps) if p == 2 else gaps) * others, 1) / max(classes, 1), reduction)


def _rows(who: str, input: Any, target: Any, less: int) -> tuple[Any, Any]:
    """Scores (N, C) or (C,), and a target with ``less`` axes fewer."""
    input, target = measured(input), given(target)
    together(who, input, target)
    if len(input.shape) not in (1, 2) or len(target.shape) != len(input.shape) - less:
        expected = "(N,) or ()" if less else "the same"
        raise ShapeError(f"{who}: input must be (N, C) or (C,), target {expected}; got {tuple(input.shape)} and {tuple(target.shape)}")
    return input, target


def multilabel_margin_loss(input: Any, target: Any, reduction: str = "mean") -> Any:
    """sum over each label y and each class i that is no label of max(0, 1 - input[y] + input[i]) / C.

    Shapes: input (N, C) or (C,); target the same, integers; the losses (N,) or ().

    Args:
        target: the labels of a row, and then -1; what follows the first -1 counts for nothing.
        reduction: "mean", "sum" or "none".

    Raises:
        IndexRangeError: a label outside the classes that is not -1 (on a GPU, where looking would mean waiting, it ends the row).
        DTypeError: labels that are not integers.
        ShapeError: the shapes differ.

    Numerics: N * C * C numbers are held at once.
    Source:
        Elisseeff and Weston, "A kernel method for multi-labelled classification", 2001, for the pairs; summed as in PyTorch.
    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> F.multilabel_margin_loss(mg.tensor([0.0, 0.5, 2.0]), mg.tensor([2, 0, -1])).item()
        0.5
    """
    who = "multilabel_margin_loss"
    input, target = _rows(who, input, target, 0)
    if tuple(input.shape) != tuple(target.shape):
        raise ShapeError(f"{who}: input {tuple(input.shape)} and target {tuple(target.shape)} must have the same shape")
    if len(input.shape) == 1:
        losses = multilabel_margin_loss(reshape(input, (1, -1)), reshape(target, (1, -1)), "none")
        return reduced(who, reshape(losses, ()), reduction)
    labels, classes = raw(target), input.shape[1]
    if labels.dtype.kind not in "iu":
        raise DTypeError(f"{who}: labels must be integers, got {labels.dtype}; use astype('int64')")
    outside = (labels < 0) | (labels >= classes)
    if on_cpu(labels) and (bad := outside & (labels != -1)).any():
        row, place = [int(i[0]) for i in bad.nonzero()]
        raise IndexRangeError(f"{who}: label {int(labels[row, place])} at row {row}, place {place}, {classes} classes; -1 ends a row")
    xp = namespace(type(labels))
    counts = xp.cumsum(outside, 1) == 0  # before the first end
    labels = xp.where(counts, labels, 0)
    is_label = ((labels[:, :, None] == classes_of(input)[:, None]) & counts[:, :, None]).any(1)
    pairs = (counts[:, :, None] & ~is_label[:, None]).astype(input.dtype)
    gaps = clip(input[:, None] - take_along_axis(input, labels, axis=1)[:, :, None] + 1, 0)
    return reduced(who, sum(gaps * pairs, (1, 2)) / max(classes, 1), reduction)


def multilabel_soft_margin_loss(input: Any, target: Any, weight: Any = None, reduction: str = "mean") -> Any:
    """The mean over the classes of ``binary_cross_entropy_with_logits``: one loss per row.

    Shapes: input (..., C); target the same; the losses (...).

    Args:
        target: 1 for each label of a row, 0 for the other classes.
        weight: one factor per class; a constant.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: the shapes differ, or there are not C weights.

    Numerics: exact for logits of any size.
    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> F.multilabel_soft_margin_loss(mg.tensor([[1000.0, 1000.0]]), mg.tensor([[1.0, 0.0]])).item()
        500.0
    """
    who = "multilabel_soft_margin_loss"
    x, t = alike(who, input=input, target=target)
    if not len(x.shape):
        raise ShapeError(f"{who}: input must be (..., C), got shape ()")
    losses = (1 - t) * x - logsigmoid(x)
    w = class_weights(who, weight, x.shape[-1], x.dtype, 2)
    losses = losses if w is None else losses * w.reshape(-1)
    return reduced(who, mean(losses, -1) if x.shape[-1] else sum(losses, -1), reduction)


__all__ = ["multi_margin_loss", "multilabel_margin_loss", "multilabel_soft_margin_loss", "soft_margin_loss"]
