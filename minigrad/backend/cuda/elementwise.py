"""Everyday activations and their slopes, a launch each, whatever is computed of a number."""

from collections.abc import Callable
from typing import Any

from ..compiled import elementwise
from .forms import Family
from .launch import REFUSED, Kernel, launch, number_of

FAMILY = Family("elementwise")


def of_one(kernel: Kernel) -> Callable:
    """The entry of a function of one array, and of numbers: the arrays lie alike in memory, without gaps."""

    def call(x: Any, y: Any, *numbers: float) -> int:
        number = number_of(x)
        if not number or x.strides != y.strides:
            return REFUSED
        return launch(kernel, x.size, x, y, x.size, *numbers, number=number)

    return call


def of_two(kernel: Kernel) -> Callable:
    """The entry of a function of two arrays, and of numbers."""

    def call(g: Any, x: Any, y: Any, *numbers: float) -> int:
        number = number_of(y)
        if not number or type(x) is not type(g) or x.dtype != y.dtype or g.dtype != y.dtype:
            return REFUSED
        if x.shape != y.shape or g.shape != y.shape or x.strides != y.strides or g.strides != y.strides:
            return REFUSED
        return launch(kernel, y.size, g, x, y, y.size, *numbers, number=number)

    return call


SHARED = {elementwise.one: of_one, elementwise.one_of: of_one, elementwise.two: of_two, elementwise.two_of: of_two}


def declare(family: Family, forms: dict, but: tuple[str, ...] = ()) -> None:
    """Declare all kernels of a family that are functions of one array or two, and of as many numbers as their entries in C take."""
    for name, form in forms.items():
        if form.make in SHARED and name not in but:
            takes = "P" * form.takes.count("o") + "l" + form.takes.replace("o", "")
            family.entry(name)(SHARED[form.make](Kernel(family.name, name, takes)))


declare(FAMILY, elementwise.FAMILY.forms)
