"""Losses that compare two arrays number by number, with their reduction: one op each, so that nothing of their size lies between."""

from collections.abc import Callable
from typing import Any

from ..autograd.forms import apply, general
from ..autograd.fused import fused
from ..autograd.op import compiled
from ..autograd.tensor import raw
from .activation import logsigmoid
from .arithmetic import abs, clip, maximum, minimum, sign
from .exponential import sigmoid
from .losses import on_cpu, reduced
from .powers import square


def _loss(name: str, value: Callable, slope: Callable, slope_t: Callable | None = None) -> Callable:
    """A function ``f(x, t, reduction, delta=0)``: the losses ``value(x, t, delta)`` of inputs and targets of one shape, reduced.

    ``slope(g, x, t, delta)`` is the gradient to x of the losses, and ``slope_t`` that to t; default: the former's negative.
    """

    def composed(x: Any, t: Any, reduction: str, delta: float) -> Any:
        return reduced(name, value(x, t, delta), reduction)

    def kernel(xp: Any, x: Any, t: Any, reduction: str, delta: float) -> Any:
        return composed(x, t, reduction, delta), ()

    def slopes(xp: Any, g: Any, wanted: tuple, kept: tuple, x: Any, t: Any, reduction: str, delta: float) -> tuple:
        if reduction == "mean":
            g = g * (1.0 / max(x.size, 1))
        of_x: Any = slope(g, x, t, delta) if wanted[0] or slope_t is None else None
        of_t: Any = None if not wanted[1] else -of_x if slope_t is None else slope_t(g, x, t, delta)
        return of_x if wanted[0] else None, of_t

    op = fused(kernel, slopes, composed, inputs=2, name=name)
    compiled("losses", op)

    def f(x: Any, t: Any, reduction: str, delta: float = 0.0) -> Any:
        if x.dtype == t.dtype and x.dtype.kind == "f" and reduction in ("none", "mean", "sum"):
            return op(x, t, reduction, delta)
        return composed(x, t, reduction, delta)

    f.__name__ = f.__qualname__ = name
    return f


def _huber(x: Any, t: Any, delta: float) -> Any:
    a = abs(x - t)
    m = minimum(a, delta)
    return m * (a - 0.5 * m)  # at |a| = delta both branches of the minimum have the same gradient


def check_probabilities(who: str, p: Any) -> None:
    """Raise ValueError if one is outside [0, 1] or NaN; looked at on the CPU only."""
    a = raw(p)
    if on_cpu(a) and a.size and not (a.min() >= 0 and a.max() <= 1):
        raise ValueError(f"{who}: input must be probabilities in [0, 1], got {a.min():.4g} to {a.max():.4g}; use the form with logits")


def _surprise(xp: Any, p: Any, t: Any) -> Any:
    def cut(a: Any) -> Any:
        zero = a == 0
        return xp.where(zero, -100, xp.maximum(xp.log(xp.where(zero, 1, a)), -100))

    return -(t * cut(p) + (1 - t) * cut(1 - p))


def _bounded(p: Any) -> Any:
    """p (1 - p), kept off zero."""
    return maximum(p * (1 - p), 1e-12 if p.dtype.itemsize > 2 else 1e-6)


def _log_odds(xp: Any, p: Any) -> Any:
    return _surprise(xp, p, 1) - _surprise(xp, p, 0)


LOG_ODDS = general(_log_odds, lambda g, p: -g / _bounded(p), name="binary_cross_entropy_gradient")
SURPRISE = general(
    _surprise,
    lambda g, p, t: g * (p - t) / _bounded(p),
    lambda g, p: g * apply(LOG_ODDS, (p,)),
    name="binary_cross_entropy",
)


squared_error = _loss("squared_error", lambda x, t, _: square(x - t), lambda g, x, t, _: g * 2 * (x - t))
absolute_error = _loss("absolute_error", lambda x, t, _: abs(x - t), lambda g, x, t, _: g * sign(x - t))
huber_error = _loss("huber_error", _huber, lambda g, x, t, delta: g * clip(x - t, -delta, delta))
logistic_error = _loss(
    "logistic_error",
    lambda x, t, _: (1 - t) * x - logsigmoid(x),
    lambda g, x, t, _: g * ((1 - t) - sigmoid(-x)),
    lambda g, x, t, _: -(g * x),
)
binary_error = _loss(
    "binary_error",
    lambda p, t, _: apply(SURPRISE, (p, t)),
    lambda g, p, t, _: g * (p - t) / _bounded(p),
    lambda g, p, t, _: g * apply(LOG_ODDS, (p,)),
)

__all__: list[str] = []
