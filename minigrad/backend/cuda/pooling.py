"""Pooling by the maximum and by the mean, in one and two dimensions, and the ways back: a launch each."""

from functools import partial
from math import prod
from typing import Any

from .activations import ordered
from .forms import Family
from .launch import REFUSED, Kernel, launch, number_of
from .walks import WIDEST

FAMILY = Family("pooling")
AXES = "l" * 12


def _is_refused(x: Any, y: Any) -> bool:
    return not 0 < max(x.size, y.size) < WIDEST or not ordered(number_of(x), x, y)


@FAMILY.entry("max_pool_search")
def search(x: Any, y: Any, index: Any, *axes: int) -> int:
    """The maxima, and which elements they are, unless ``index`` is None."""
    if _is_refused(x, y):
        return REFUSED
    return launch(SEARCH, y.size, x, y, index, prod(x.shape[:2]), *axes, number=number_of(x))


@FAMILY.entry("max_pool_gradient")
def scatter(g: Any, index: Any, y: Any, *axes: int) -> int:
    """The way back from the maxima."""
    if _is_refused(g, y) or index.dtype.name != "uint8" or not index.flags.c_contiguous:
        return REFUSED
    return launch(SCATTER, y.size, g, index, y, prod(g.shape[:2]), *axes, number=number_of(g))


def _mean(kernel: Kernel, x: Any, y: Any, *rest: Any) -> int:
    """The means, and the way back from them."""
    return REFUSED if _is_refused(x, y) else launch(kernel, y.size, x, y, prod(x.shape[:2]), *rest, number=number_of(x))


SEARCH, SCATTER = [Kernel("pooling", name, f"PPPl{AXES}") for name in ("max_pool_search", "max_pool_gradient")]
for _name in ("avg_pool", "avg_pool_gradient"):
    FAMILY.entry(_name)(partial(_mean, Kernel("pooling", _name, f"PPl{AXES}lf")))
