"""Activations that are no part of everyday networks, and the choice by a mask: a launch each."""

from typing import Any

from ..compiled import activations
from .elementwise import declare
from .forms import Family
from .launch import REFUSED, Kernel, launch, number_of

FAMILY = Family("activations")
declare(FAMILY, activations.FAMILY.forms, but=("masked",))
RECTIFIED = Kernel("activations", "rectified", "PPPlll")
EITHER, FORMER = Kernel("activations", "either", "PPlPP"), Kernel("activations", "former", "PPlPf")
LATTER = Kernel("activations", "latter", "PPlfP")


def ordered(number: str, *arrays: Any) -> bool:
    """Whether arrays, of numbers that are stored so, lie in memory in the order of C."""
    return number != "" and all(number_of(a) == number and a.flags.c_contiguous for a in arrays)


@FAMILY.entry("prelu")
def prelu(x: Any, weight: Any, y: Any, rows: int, channels: int, inner: int) -> int:
    """x seen as (rows, channels, inner)."""
    number = number_of(x)
    if not ordered(number, x, weight, y):
        return REFUSED
    teams, along = (rows, channels) if inner == 1 else (rows * channels, inner)
    return launch(RECTIFIED, teams, x, weight, y, rows, channels, inner, number=number, along=along)


def _gate(name: str) -> None:
    forward, backward = Kernel("activations", name, "PPll"), Kernel("activations", f"{name}_gradient", "PPPll")

    @FAMILY.entry(name)
    def value(x: Any, y: Any, rows: int, half: int) -> int:
        number = number_of(x)
        return launch(forward, rows, x, y, rows, half, number=number, along=half) if ordered(number, x, y) else REFUSED

    @FAMILY.entry(f"{name}_gradient")
    def slope(g: Any, x: Any, y: Any, rows: int, half: int) -> int:
        number = number_of(x)
        return launch(backward, rows, g, x, y, rows, half, number=number, along=half) if ordered(number, g, x, y) else REFUSED


for _name in ("glu", "swiglu", "geglu", "reglu"):
    _gate(_name)


@FAMILY.entry("where")
def where(mask: Any, p: Any, q: Any, y: Any, a: float, b: float) -> int:
    """p and q are arrays; where one of them is the mask itself, its number stands in its place."""
    number, given = number_of(y), [v for v in (p, q) if v is not mask]
    if mask.dtype.kind != "b" or not mask.flags.c_contiguous or not given or not ordered(number, y, *given):
        return REFUSED
    kernel, rest = (EITHER, (p, q)) if len(given) == 2 else (FORMER, (p, b)) if q is mask else (LATTER, (a, q))
    return launch(kernel, y.size, mask, y, y.size, *rest, number=number)


@FAMILY.entry("masked")
def masked(x: Any, mask: Any, y: Any) -> int:
    """x where the mask is, 0 elsewhere."""
    return REFUSED if type(mask) is not type(x) or mask.shape != x.shape else where(mask, x, mask, y, 0.0, 0.0)
