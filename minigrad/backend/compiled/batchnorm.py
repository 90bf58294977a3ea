"""Batch norm and its slopes, by the batch's statistics or by given ones, of (N, C, ...) as C lays it out or with the channels last."""

from collections.abc import Callable
from typing import Any

from ..dtypes import float32
from .forms import Family, Form
from .norms import given, lying_as, slots

FAMILY = Family("batchnorm")


@FAMILY.form("batch_norm", "ooooodi", least=64)
def _batch_norm(c: Form, plain: Callable) -> Callable:
    empty, empty_like = c.xp.empty, c.xp.empty_like

    def kernel(x: Any, weight: Any, bias: Any, axes: tuple, eps: float, how: tuple, center: bool) -> tuple:
        if x.size >= c.least:
            y, stats = empty_like(x), empty((3, *how), float32)
            if not c.call(x, weight, bias, y, stats, eps, given(weight, bias)):
                m, v, r = stats
                return (y, m, v), (m, r)
        return plain(x, weight, bias, axes, eps, how, center)

    return kernel


@FAMILY.form("frozen_norm", "ooooooi", least=64)
def _frozen_norm(c: Form, plain: Callable) -> Callable:
    def kernel(x: Any, weight: Any, bias: Any, m: Any, r: Any) -> tuple:
        if x.size >= c.least:
            y = c.xp.empty_like(x)
            if not c.call(x, weight, bias, m, r, y, given(weight, bias)):
                return y, ()
        return plain(x, weight, bias, m, r)

    return kernel


@FAMILY.form("batch_norm_gradient", "ooooooooi", least=64)
def _batch_norm_gradient(c: Form, plain: Callable) -> Callable:
    def slopes(
        g: Any, wanted: Any, kept: tuple, x: Any, weight: Any, bias: Any, axes: tuple, eps: float, how: tuple, center: bool
    ) -> tuple:
        if x.size >= c.least:
            bits, dx, dw, db = slots(c.xp, wanted, x, weight, bias)
            if not c.call(lying_as(c.xp, g, x), x, weight, *kept, dx, dw, db, bits | given(weight, None)):
                return dx, dw, db
        return plain(g, wanted, kept, x, weight, bias, axes, eps, how, center)

    return slopes


@FAMILY.form("frozen_norm_gradient", "ooooooooi", least=64)
def _frozen_norm_gradient(c: Form, plain: Callable) -> Callable:
    def slopes(g: Any, wanted: Any, kept: tuple, x: Any, weight: Any, bias: Any, m: Any, r: Any) -> tuple:
        if x.size >= c.least:
            bits, dx, dw, db = slots(c.xp, wanted, x, weight, bias)
            if not c.call(lying_as(c.xp, g, x), x, weight, m, r, dx, dw, db, bits | given(weight, None)):
                return dx, dw, db
        return plain(g, wanted, kept, x, weight, bias, m, r)

    return slopes


@FAMILY.form("running_statistics", "ooooodd", least=1)
def _running_statistics(c: Form, plain: Callable) -> Callable:
    def kernel(mean: Any, var: Any, counter: Any, m: Any, v: Any, momentum: Any, unbiased: float) -> None:
        count = m if counter is None else counter
        if m.size < c.least or type(momentum) is not float or c.call(mean, var, count, m, v, momentum, unbiased):
            plain(mean, var, counter, m, v, momentum, unbiased)

    return kernel
