"""Softmax, its logarithm, cross entropy and their slopes: one reading of each row, and nothing of the input's size but the output."""

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from .forms import Family, Form

FAMILY = Family("rows")
HITS, TOTALS, VALID, SLOPES = 1, 2, 4, 8
"""Bits of what C is told: which arguments of cross entropy are one per row, and not a number for all."""


def _lengths(shape: tuple, axis: Any) -> tuple[int, int]:
    """How many numbers there are along neighbouring axes, and how far apart; (0, 0), which C refuses, of others."""
    if axis is None:
        return prod(shape), 1
    first, last = min(axis, default=0), max(axis, default=-1)
    if last - first + 1 != len(axis):
        return 0, 0
    return prod(shape[first : last + 1]), prod(shape[last + 1 :])


def _one(c: Form, plain: Callable) -> Callable:
    empty_like = c.xp.empty_like

    def kernel(x: Any, axis: Any) -> Any:
        if x.size >= c.least:
            y = empty_like(x)
            if not c.call(x, y, *_lengths(x.shape, axis)):
                return y
        return plain(x, axis)

    return kernel


def _two(c: Form, plain: Callable) -> Callable:
    empty_like, ascontiguousarray = c.xp.empty_like, c.xp.ascontiguousarray

    def kernel(g: Any, y: Any, axis: Any) -> Any:
        if g.size >= c.least and g.shape == y.shape:
            made = empty_like(y)
            if not c.call(ascontiguousarray(g), y, made, *_lengths(y.shape, axis)):
                return made
        return plain(g, y, axis)

    return kernel


for _name in ("softmax", "log_softmax"):
    FAMILY.form(_name, "ooll", least=64)(_one)
    FAMILY.form(f"{_name}_gradient", "oooll", least=64)(_two)


def _told(hit: Any, total: Any, valid: Any) -> tuple:
    """The arrays, the numbers and the bits for C; a weight for each class and row, as of smoothing, is not for C."""
    bits = VALID if valid is not None else 0
    if type(hit) is not float:
        hit, bits = np.ascontiguousarray(hit), bits | HITS
    if type(total) is not float:
        total, bits = np.ascontiguousarray(total), bits | TOTALS
    return (hit, total, valid, bits)


def _number(x: Any) -> float:
    return x if type(x) is float else 0.0


@FAMILY.form("cross_entropy", "ooooooffi", least=64)
def _cross_entropy(c: Form, plain: Callable) -> Callable:
    def kernel(x: Any, labels: Any, hit: Any, rest: Any, total: Any, valid: Any) -> Any:
        if x.size >= c.least and rest is None:
            y = np.empty(labels.shape, np.float32)
            hits, totals, valids, bits = _told(hit, total, valid)
            if not c.call(x, labels, hits, totals, valids, y, _number(hit), _number(total), bits):
                return y
        return plain(x, labels, hit, rest, total, valid)

    return kernel


@FAMILY.form("cross_entropy_gradient", "ooooooofffi", least=64)
def _cross_entropy_gradient(c: Form, plain: Callable) -> Callable:
    def kernel(x: Any, g: Any, labels: Any, hit: Any, rest: Any, total: Any, valid: Any, over: Any = 1) -> Any:
        if x.size >= c.least and rest is None:
            y = np.empty_like(x)
            hits, totals, valids, bits = _told(hit, total, valid)
            slope, slopes = 0.0, None
            if getattr(g, "ndim", 0):
                slopes, bits = np.ascontiguousarray(g / over), bits | SLOPES
            else:
                slope = float(g) / float(over)
            if not c.call(x, slopes, labels, hits, totals, valids, y, _number(hit), _number(total), slope, bits):
                return y
        return plain(x, g, labels, hit, rest, total, valid, over)

    return kernel
