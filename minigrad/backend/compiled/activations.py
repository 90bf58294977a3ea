"""Activations that are no part of everyday networks, and the choice by a mask: one pass where NumPy makes several."""

from collections.abc import Callable
from math import prod
from typing import Any

from .elementwise import one, one_of, two, two_of
from .forms import Family, Form

FAMILY = Family("activations")
NUMBERS = (float, int)
"""Those that take on the dtype of an array."""

for _name in ("hardsigmoid", "hardswish", "logsigmoid", "mish"):
    FAMILY.form(_name, "oo", least=512)(one)
    FAMILY.form(f"{_name}_gradient", "ooo", least=512)(two)
FAMILY.form("masked", "ooo", least=512)(two)


for _name, _numbers in (("elu", 3), ("softplus", 2), ("hardtanh", 2), ("softshrink", 1), ("hardshrink", 1), ("threshold", 2)):
    FAMILY.form(_name, "oo" + "f" * _numbers, least=512)(one_of)
for _name, _numbers in (("elu", 3), ("softplus", 2), ("hardtanh", 2), ("shrink", 1), ("threshold", 1)):
    FAMILY.form(f"{_name}_gradient", "ooo" + "f" * _numbers, least=512)(two_of)


@FAMILY.form("prelu", "ooolll", least=512)
def prelu(c: Form, plain: Callable) -> Callable:
    """One slope, or one for each channel."""
    empty, ndarray = c.xp.empty, c.xp.ndarray

    def kernel(x: Any, weight: Any) -> Any:
        if type(x) is ndarray and type(weight) is ndarray and x.size >= c.least:
            y, inner = empty(x.shape, x.dtype), prod(x.shape[x.ndim - weight.ndim + 1 :]) if weight.size > 1 else x.size
            if not c.call(x, weight, y, x.size // (inner * weight.size), weight.size, inner):
                return y
        return plain(x, weight)

    return kernel


def _gate(c: Form, plain: Callable) -> Callable:
    """One half of an axis times a function of the other."""
    empty = c.xp.empty

    def kernel(x: Any, axis: int) -> Any:
        if x.size >= c.least:
            half = x.shape[axis] // 2
            y, after = empty((*x.shape[:axis], half, *x.shape[axis + 1 :]), x.dtype), prod(x.shape[axis + 1 :])
            if not c.call(x, y, prod(x.shape[:axis]), half * after):
                return y, ()
        return plain(x, axis)

    return kernel


def _gate_gradient(c: Form, plain: Callable) -> Callable:
    empty = c.xp.empty

    def kernel(g: Any, wanted: Any, kept: Any, x: Any, axis: int) -> Any:
        if x.size >= c.least:
            y, rows = empty(x.shape, x.dtype), prod(x.shape[:axis])
            if not c.call(g, x, y, rows, g.size // rows):
                return (y,)
        return plain(g, wanted, kept, x, axis)

    return kernel


for _name in ("glu", "swiglu", "geglu", "reglu"):
    FAMILY.form(_name, "ooll", least=512)(_gate)
    FAMILY.form(f"{_name}_gradient", "oooll", least=512)(_gate_gradient)


@FAMILY.form("where", "ooooff", least=512)
def where(c: Form, plain: Callable) -> Callable:
    """Arrays of the mask's shape, or one of them a number."""
    empty, ndarray = c.xp.empty, c.xp.ndarray

    def kernel(mask: Any, a: Any, b: Any) -> Any:
        if type(mask) is ndarray and mask.size >= c.least and a is not mask and b is not mask:
            p, m = (a, 0.0) if type(a) is ndarray else (mask, a)
            q, n = (b, 0.0) if type(b) is ndarray else (mask, b)
            if p.shape == q.shape == mask.shape and type(m) in NUMBERS and type(n) in NUMBERS:
                y = empty(mask.shape, (q if p is mask else p).dtype)
                if not c.call(mask, p, q, y, m, n):
                    return y
        return plain(mask, a, b)

    return kernel
