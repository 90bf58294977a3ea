"""Losses of two arrays, number by number: value and sum in one pass, and the gradient in another."""

from collections.abc import Callable
from typing import Any

from .forms import Family, Form

FAMILY = Family("losses")
NAMES = ("squared_error", "absolute_error", "huber_error", "logistic_error", "binary_error")


def _over(x: Any, reduction: str) -> float:
    """What the sum is divided by; 0: there is none."""
    return 0.0 if reduction == "none" else x.size if reduction == "mean" else 1.0


def _loss(c: Form, plain: Callable) -> Callable:
    empty, empty_like = c.xp.empty, c.xp.empty_like

    def kernel(x: Any, t: Any, reduction: str, delta: float) -> Any:
        if x.size >= c.least:
            y = empty_like(x) if reduction == "none" else empty((), x.dtype)
            if not c.call(x, t, y, delta, _over(x, reduction)):
                return y, ()
        return plain(x, t, reduction, delta)

    return kernel


def _gradient(c: Form, plain: Callable) -> Callable:
    empty_like = c.xp.empty_like

    def kernel(g: Any, wanted: Any, kept: Any, x: Any, t: Any, reduction: str, delta: float) -> Any:
        if x.size < c.least:
            return plain(g, wanted, kept, x, t, reduction, delta)
        over, slopes = _over(x, reduction), []
        for of_t, want in enumerate(wanted):
            y = empty_like(x) if want else None
            if want and c.call(g, x, t, y, delta, over, of_t):
                return plain(g, wanted, kept, x, t, reduction, delta)
            slopes.append(y)
        return tuple(slopes)

    return kernel


for _name in NAMES:
    FAMILY.form(_name, "ooofd", least=64)(_loss)
    FAMILY.form(f"{_name}_gradient", "oooofdl", least=64)(_gradient)
