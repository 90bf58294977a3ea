"""Losses of two arrays, number by number: sums of pieces, then their sum; and the gradient, in one launch."""

from functools import partial
from typing import Any

from ..arrays import namespace
from ..compiled import losses
from .forms import Family
from .launch import REFUSED, Kernel, launch, number_of

FAMILY = Family("losses")
PIECE = 8192
"""Numbers that a team adds up."""
WHOLE = Kernel("losses", "whole", "PPdl")


def _alike(*arrays: Any) -> str:
    """How the numbers of arrays are stored that lie alike in memory, in the order of C; nothing if they do not."""
    first = arrays[0]
    same = all(type(a) is type(first) and a.dtype == first.dtype and a.shape == first.shape and a.flags.c_contiguous for a in arrays)
    return number_of(first) if same else ""


def _value(each: Kernel, sums: Kernel, x: Any, t: Any, y: Any, delta: float, over: float) -> int:
    number, n = _alike(x, t), x.size
    if not number:
        return REFUSED
    if not over > 0:
        return launch(each, n, x, t, y, delta, n, number=number) if y.flags.c_contiguous else REFUSED
    pieces = -(-n // PIECE)
    found = namespace(type(x)).empty(pieces, "float64")
    refused = launch(sums, pieces, x, t, found, delta, n, PIECE, pieces, number=number, along=min(n, PIECE))
    return refused or launch(WHOLE, 1, y, found, over, pieces, number=number, along=pieces)


def _slope(of_x: Kernel, of_t: Kernel, g: Any, x: Any, t: Any, y: Any, delta: float, over: float, which: int) -> int:
    number = _alike(x, t, y)
    if not number or g.dtype != x.dtype or not (g.size == 1 if over > 0 else g.shape == x.shape and g.flags.c_contiguous):
        return REFUSED
    return launch(of_t if which else of_x, x.size, g, x, t, y, over, delta, x.size, number=number)


for _name in losses.NAMES:
    _each, _sum = Kernel("losses", f"{_name}_each", "PPPfl"), Kernel("losses", f"{_name}_sum", "PPPflll")
    _of_x, _of_t = Kernel("losses", f"{_name}_x", "PPPPdfl"), Kernel("losses", f"{_name}_t", "PPPPdfl")
    FAMILY.entry(_name)(partial(_value, _each, _sum))
    FAMILY.entry(f"{_name}_gradient")(partial(_slope, _of_x, _of_t))
