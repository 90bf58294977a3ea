"""Losses for classes of very unequal sizes: one that looks at the hard examples, one that measures overlap."""

from typing import Any

from ...autograd.arguments import together
from ...backend import is_inexact
from ...backend.arrays import namespace
from ...errors import DTypeError, ShapeError
from ...ops.activation import logsigmoid
from ...ops.arithmetic import clip
from ...ops.exponential import exp, expm1
from ...ops.indexing import take_along_axis
from ...ops.logic import where
from ...ops.losses import checked_labels, class_weights, given, measured, reduced
from ...ops.powers import square
from ...ops.reduce import sum
from ...ops.shape import reshape
from ...ops.softmax import log_softmax
from .targets import alike, check_not_negative, check_reduction, classes_of, within

TINY = 1e-7
"""Below this 1 - p counts as a constant, so that a power below 1 of it keeps a finite gradient."""


def focal_loss(input: Any, target: Any, alpha: Any = None, gamma: float = 2.0, ignore_index: int = -100, reduction: str = "mean") -> Any:
    """-alpha (1 - p)^gamma log p, where p is the probability that the logits give to the target: cross entropy of what is hard.

    Shapes: target like input: binary, p of sigmoid(input). Target without the class axis of input (N, C) or (N, C, d1, ...), integers:
    classes, p of softmax(input). The losses are of the target's shape.

    Args:
        input: logits.
        target: 0 and 1 (or between: both parts in that proportion), or class indices.
        alpha: None; or binary, the factor of the ones, that of the zeros being 1 - alpha; or one factor per class. A constant.
        gamma: how little the easy examples count; 0 makes this cross entropy.
        ignore_index: rows with this class index count for nothing.
        reduction: "mean" (over the rows that count, whatever their alpha; of none it is 0 with gradient 0), "sum" or "none".

    Raises:
        ShapeError: shapes, or the number of factors, that do not fit.
        IndexRangeError, DTypeError: labels as in ``cross_entropy``.
        ValueError: gamma is negative, alpha or a binary target outside [0, 1].

    Numerics: from logarithms of probabilities, exact for logits of any size.
    Source:
        Lin et al., "Focal loss for dense object detection", 2017, eq. 5; they divide the sum by the number of objects, this by that
        of rows.
    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> x = mg.tensor([0.0, 0.0])
        >>> [round(v, 4) for v in F.focal_loss(x, mg.tensor([1.0, 0.0]), alpha=0.25, reduction="none").tolist()]
        [0.0433, 0.13]
    """
    who = "focal_loss"
    gamma = check_not_negative(who, gamma=gamma)
    check_reduction(who, reduction)
    input, target = measured(input), given(target)
    if not is_inexact(input.dtype):
        raise DTypeError(f"{who}: input must be floating logits, got {input.dtype}")
    if tuple(input.shape) == tuple(target.shape):
        return reduced(who, _binary_focal(who, input, target, alpha, gamma), reduction)
    shape = tuple(input.shape)
    if len(shape) < 2 or len(target.shape) != len(shape) - 1:
        raise ShapeError(
            f"{who}: target {tuple(target.shape)} must have the shape of the input {shape}, or that without its class axis, axis 1"
        )
    rows = (shape[0], *shape[2:])
    labels, valid = checked_labels(who, target, rows, shape[1], ignore_index)
    labels = labels.reshape((shape[0], 1, *shape[2:]))
    log_p = reshape(take_along_axis(log_softmax(input, axis=1), labels, axis=1), rows)
    losses = -_focus(-expm1(log_p), gamma) * log_p if gamma else -log_p
    w = class_weights(who, alpha, shape[1], input.dtype, len(shape))
    if w is not None:
        losses = losses * w.reshape(-1)[labels].reshape(rows)
    if valid is None:
        return reduced(who, losses, reduction)
    losses = where(valid, losses, 0)
    xp, count = namespace(type(valid)), valid.sum()
    return reduced(who, losses, reduction, xp.where(count == 0, 1, count).astype(input.dtype))


def _focus(q: Any, gamma: float) -> Any:
    return q if gamma == 1 else clip(q, TINY) ** gamma


def _binary_focal(who: str, input: Any, target: Any, alpha: Any, gamma: float) -> Any:
    x, t = alike(who, input=input, target=target)
    within(who, "target", t, 0, 1)
    log_p, log_q = logsigmoid(x), logsigmoid(-x)
    hit, miss = (exp(log_q * gamma) * log_p, exp(log_p * gamma) * log_q) if gamma else (log_p, log_q)
    if alpha is not None:
        if not isinstance(alpha, (int, float)) or not 0 <= alpha <= 1:
            raise ValueError(f"{who}: alpha of a binary target must be a number in [0, 1], got {alpha!r}")
        hit, miss = hit * alpha, miss * (1 - alpha)
    return -(t * hit + (1 - t) * miss)


def dice_loss(input: Any, target: Any, smooth: float = 1.0, reduction: str = "mean") -> Any:
    """1 - 2 sum(p t) / (sum(p^2) + sum(t^2)): how little two masks overlap, whatever their size. Sums are over the pixels.

    Shapes: input (N, C, d1, ...), probabilities; target the same, or (N, d1, ...) of class indices; the losses (N, C), one per mask.

    Args:
        input: probabilities: ``sigmoid`` or ``softmax`` of logits.
        target: masks of 0 and 1, or class indices, of which masks are made.
        smooth: added above and below the line, so that two empty masks overlap fully; 0 is the paper's.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: shapes that do not fit.
        ValueError: smooth is negative, or probabilities outside [0, 1] (looked at on the CPU only).
        IndexRangeError, DTypeError: labels as in ``cross_entropy``.

    Source:
        Milletari, Navab and Ahmadi, "V-Net", 2016, section 3; theirs is the overlap, this 1 - that, and smooth is added.
    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> p, t = mg.tensor([[[1.0, 0.0]], [[1.0, 1.0]]]), mg.tensor([[[1.0, 0.0]], [[0.0, 1.0]]])
        >>> [round(v, 4) for (v,) in F.dice_loss(p, t, smooth=0.0, reduction="none").tolist()]
        [0.0, 0.3333]
    """
    who = "dice_loss"
    smooth = check_not_negative(who, smooth=smooth)
    check_reduction(who, reduction)
    p, t = measured(input), given(target)
    together(who, p, t)
    shape = tuple(p.shape)
    if len(shape) < 3:
        raise ShapeError(f"{who}: input must be (N, C, d1, ...), probabilities of C masks, got shape {shape}")
    if len(t.shape) == len(shape) - 1 and not is_inexact(t.dtype):
        labels, valid = checked_labels(who, t, (shape[0], *shape[2:]), shape[1], None)
        masks = labels[:, None] == classes_of(p)
        t = (masks if valid is None else masks & valid[:, None]).astype(p.dtype)
    else:
        p, t = alike(who, input=p, target=t)
        within(who, "target", t, 0, 1)
    within(who, "input", p, 0, 1, "; use sigmoid or softmax first")
    pixels = tuple(range(2, len(shape)))
    overlap = sum(p * t, pixels) * 2 + smooth
    return reduced(who, 1 - overlap / (sum(square(p), pixels) + sum(square(t), pixels) + smooth), reduction)


__all__ = ["dice_loss", "focal_loss"]
