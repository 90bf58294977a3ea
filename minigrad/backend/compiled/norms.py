"""Norms of single samples, over their last axes, groups of channels or positions: nothing of the input's size but the output."""

from collections.abc import Callable
from math import prod
from typing import Any

from ..dtypes import float32
from .forms import Family, Form

FAMILY = Family("norms")
WEIGHT, BIAS, CENTER, FOR_INPUT, FOR_WEIGHT, FOR_BIAS = 1, 2, 4, 8, 16, 32
"""Bits of what C is told: which arguments there are, and which gradients are wanted."""


def given(weight: Any, bias: Any) -> int:
    """The bits of the weight and the bias that there are."""
    return (weight is not None and WEIGHT) | (bias is not None and BIAS)


def lying_as(xp: Any, g: Any, x: Any) -> Any:
    """A gradient in memory as x is, copied if it comes otherwise, as from a broadcast sum."""
    if g.strides == x.strides or g.dtype != x.dtype or g.shape != x.shape:
        return g
    made = xp.empty_like(x)
    made[...] = g
    return made


def slots(xp: Any, wanted: Any, x: Any, weight: Any, bias: Any) -> tuple[int, Any, Any, Any]:
    """The bits of what is wanted, and the arrays that it is written to, those for weight and bias in float32."""
    bits, dx, dw, db = 0, None, None, None
    if wanted[0]:
        bits, dx = FOR_INPUT, xp.empty_like(x)
    if wanted[1]:
        bits, dw = bits | FOR_WEIGHT, xp.empty(weight.shape, float32)
    if wanted[2]:
        bits, db = bits | FOR_BIAS, xp.empty(bias.shape, float32)
    return bits, dx, dw, db


def _norm(several: bool) -> Callable:
    """The maker of a kernel; ``several``: that gives mean and variance too."""

    def make(c: Form, plain: Callable) -> Callable:
        empty, empty_like = c.xp.empty, c.xp.empty_like

        def kernel(x: Any, weight: Any, bias: Any, axes: tuple, eps: float, how: tuple, center: bool) -> Any:
            if x.size < c.least:
                return plain(x, weight, bias, axes, eps, how, center)
            first = axes[0]
            lead = x.shape[:first]
            y, stats = empty_like(x), empty((3, *lead, *[1] * len(axes)), float32)
            bits = given(weight, bias) | (center and CENTER)
            if c.call(x, weight, bias, y, stats, prod(lead), prod(how[:first]), prod(how[first:]), eps, bits):
                return plain(x, weight, bias, axes, eps, how, center)
            m, v, r = stats
            return ((y, m, v) if several else y), (m if center else None, r)

        return kernel

    return make


def _slopes(c: Form, plain: Callable) -> Callable:
    def slopes(
        g: Any, wanted: Any, kept: tuple, x: Any, weight: Any, bias: Any, axes: tuple, eps: float, how: tuple, center: bool
    ) -> tuple:
        if x.size >= c.least:
            m, r = kept
            bits, dx, dw, db = slots(c.xp, wanted, x, weight, bias)
            bits |= given(weight, None) | (center and CENTER)
            first = axes[0]
            if not c.call(lying_as(c.xp, g, x), x, weight, m, r, dx, dw, db, r.size, prod(how[:first]), prod(how[first:]), bits):
                return dx, dw, db
        return plain(g, wanted, kept, x, weight, bias, axes, eps, how, center)

    return slopes


for _name in ("layer_norm", "rms_norm", "group_norm", "instance_norm"):
    FAMILY.form(_name, "ooooollldi", least=64)(_norm(_name == "instance_norm"))
    FAMILY.form(f"{_name}_gradient", "oooooooollli", least=64)(_slopes)
