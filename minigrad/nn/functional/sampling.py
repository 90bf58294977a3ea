"""Draws from distributions of classes, made so that gradients reach the probabilities."""

from typing import Any

from ...autograd.arguments import number
from ...autograd.forms import apply, general
from ...autograd.tensor import raw
from ...backend import generator, is_inexact
from ...backend.arrays import namespace
from ...errors import DTypeError
from ...ops.losses import given
from ...ops.shape import one_axis
from ...ops.softmax import softmax


def _hardest(xp: Any, x: Any, axis: int) -> Any:
    """One at the first of the largest along axis, zero elsewhere."""
    y = xp.zeros_like(x)
    top = xp.expand_dims(x.argmax(axis), axis)
    xp.put_along_axis(y, top, xp.ones(top.shape, x.dtype), axis)
    return y


_HARDEST = general(_hardest, lambda g: g, name="straight_through")


def gumbel_softmax(logits: Any, tau: float = 1.0, hard: bool = False, axis: int = -1) -> Any:
    """softmax((logits + noise) / tau) with noise from the Gumbel distribution: a draw from softmax(logits), made differentiable.

    Shapes: logits any but (); y the same.

    Args:
        logits: unnormalised log-probabilities, floating.
        tau: the temperature; the smaller, the nearer to one-hot.
        hard: y is one-hot, with the gradient that it would have if it were soft ("straight through").
        axis: along which y sums to 1.

    Raises:
        ValueError: tau is not positive.
        DTypeError: logits are not real and floating.

    Source:
        Jang, Gu and Poole, "Categorical reparameterization with Gumbel-softmax", 2017, eq. 2 and section 2.2. PyTorch computes the
        hard form as hard - soft + soft, which is one-hot up to rounding; here it is so exactly.
    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> F.gumbel_softmax(mg.tensor([0.0, 1e4]), hard=True).tolist()
        [0.0, 1.0]
    """
    x = given(logits)
    tau = number("gumbel_softmax", "tau", tau)
    if not tau > 0:
        raise ValueError(f"gumbel_softmax: tau must be positive, got {tau}")
    if not is_inexact(x.dtype) or x.dtype.kind == "c":
        raise DTypeError(f"gumbel_softmax: logits must be real and floating, got {x.dtype}")
    axis = one_axis("gumbel_softmax", axis, len(x.shape))
    noise = namespace(type(raw(x))).asarray(generator().rng.gumbel(size=x.shape).astype(x.dtype))
    y = softmax((x + noise) / tau, axis)
    return apply(_HARDEST, (y,), axis) if hard else y


__all__ = ["gumbel_softmax"]
