"""Softmax, its logarithm, cross entropy and their slopes, a launch each: two readings of x, and nothing of its size but the result."""

from collections.abc import Callable
from math import prod
from typing import Any

from .activations import ordered
from .forms import Family, Form
from .launch import REFUSED, Kernel, number_of
from .walks import is_alone, walk

FAMILY = Family("rows")


def _soft(name: str, arrays: str) -> None:
    kernel = Kernel("rows", name, f"{arrays}llll")

    @FAMILY.entry(name)
    def call(*args: Any) -> int:
        *given, n, inner = args
        number = number_of(given[-1])
        if n < 1 or inner < 1 or not given[-1].size or not ordered(number, *given):
            return REFUSED
        lines = given[-1].size // n
        alone = is_alone(n, lines, inner)
        return walk(kernel, lines, n, alone, *given, lines, n, inner, alone, number=number)


for _name in ("softmax", "log_softmax"):
    _soft(_name, "PP")
    _soft(f"{_name}_gradient", "PPP")


# -- cross entropy: lines are those of x (N, C, ...) along C ----------------------------------------------------------------
LOSS = Kernel("rows", "cross_entropy", "PPPPPPPllllff")
SLOPE = Kernel("rows", "cross_entropy_gradient", "PPPPPPPPPlllllffff")


def _each(xp: Any, v: Any, like: Any) -> tuple[Any, float]:
    """A number for each line, as an array, or the same for all."""
    if not hasattr(v, "shape"):
        return None, float(v)
    return xp.ascontiguousarray(v if v.shape == like.shape else xp.broadcast_to(v, like.shape), "float32"), 0.0


def _told(xp: Any, x: Any, labels: Any, hit: Any, rest: Any, total: Any, valid: Any) -> tuple:
    """What kernels are told: arrays, numbers, and the lines: how many, how long, how far apart their numbers are, who walks along them."""
    hits, one = _each(xp, hit, labels)
    totals, whole = _each(xp, total, labels)
    rest, valid = [None if a is None else xp.ascontiguousarray(a, dtype) for a, dtype in ((rest, "float32"), (valid, "bool"))]
    n, apart = x.shape[1], prod(x.shape[2:])
    arrays = (xp.ascontiguousarray(labels, "int64"), hits, rest, totals, valid)
    return arrays, (one, whole), (labels.size, n, apart, is_alone(n, labels.size, apart))


@FAMILY.form("cross_entropy")
def cross_entropy(c: Form, plain: Callable) -> Callable:
    """The loss of each line."""
    xp = c.xp

    def kernel(x: Any, labels: Any, hit: Any, rest: Any, total: Any, valid: Any) -> Any:
        number = number_of(x)
        if x.size >= c.least and ordered(number, x):
            arrays, numbers, lines = _told(xp, x, labels, hit, rest, total, valid)
            y = xp.empty(labels.shape, "float32")
            if not walk(LOSS, *lines[:2], lines[3], x, *arrays, y, *lines, *numbers, number=number):
                return y
        return plain(x, labels, hit, rest, total, valid)

    return kernel


@FAMILY.form("cross_entropy_gradient")
def cross_entropy_gradient(c: Form, plain: Callable) -> Callable:
    """Its slope; neither g nor what it is divided by need be known to the host."""
    xp = c.xp

    def kernel(x: Any, g: Any, labels: Any, hit: Any, rest: Any, total: Any, valid: Any, over: Any = 1) -> Any:
        number, several = number_of(x), getattr(g, "size", 1) > 1
        if x.size >= c.least and ordered(number, x) and (not several or g.shape == labels.shape) and getattr(over, "size", 1) == 1:
            arrays, numbers, lines = _told(xp, x, labels, hit, rest, total, valid)
            (slopes, slope), (overs, divisor) = [
                (xp.ascontiguousarray(v, "float32"), 0.0) if hasattr(v, "shape") else (None, float(v)) for v in (g, over)
            ]
            y = xp.empty(x.shape, x.dtype)
            rest_of = (*lines, several, slope, *numbers, divisor)
            if not walk(SLOPE, *lines[:2], lines[3], x, slopes, *arrays, overs, y, *rest_of, number=number):
                return y
        return plain(x, g, labels, hit, rest, total, valid, over)

    return kernel
