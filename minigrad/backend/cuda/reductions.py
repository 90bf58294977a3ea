"""Sums, means and extremes over axes, with float32 in between, in the same order each time."""

from functools import partial
from typing import Any

from .activations import ordered
from .forms import Family
from .launch import REFUSED, Kernel, number_of
from .walks import WIDEST, is_alone, piece, walk

FAMILY = Family("reductions")


def kernels(name: str) -> tuple[Kernel, Kernel]:
    """Those of one reduction: of numbers, and of what was found of pieces."""
    return Kernel("reductions", name, "PPPllllllllf"), Kernel("reductions", f"{name}_of_pieces", "PPlllf")


def reduced(kernels: tuple, x: Any, y: Any, middle: int, a: int, b: int, c: int, by: float = 1.0) -> int:
    """x, seen as (a, b, c), reduced over the middle axis or over the two others, and divided by a number."""
    number = number_of(x)
    if not 0 < x.size < WIDEST or not ordered(number, x, y):
        return REFUSED
    results, n = (a * c, b) if middle else (b, a * c)
    alone = bool(middle) or is_alone(n)
    size = piece(results, n, alone)
    pieces = -(-n // size)
    found = type(x)((pieces, results), "float32") if pieces > 1 else None
    rest = (pieces * results, results, n, size, b, c, middle, alone, by)
    refused = walk(kernels[0], pieces * results, size, alone, x, y, found, *rest, number=number)
    if found is None or refused:
        return refused
    alone = is_alone(pieces)
    return walk(kernels[1], results, pieces, alone, found, y, results, pieces, alone, by, number=number)


FAMILY.entry("sum", "mean", "sum_to")(partial(reduced, kernels("sum")))
