"""Activations and their slopes: one pass where NumPy makes several, on all threads."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .forms import NEVER, Family, Form
from .threads import count

FAMILY = Family("elementwise")
ndarray, empty_like = np.ndarray, np.empty_like


def _one(c: Form, plain: Callable) -> Callable:
    """A function of one array."""

    def kernel(x: Any) -> Any:
        if x.size < c.least:
            return plain(x)
        y = empty_like(x)
        return plain(x) if c.call(x, y) else y

    return kernel


def _two(c: Form, plain: Callable) -> Callable:
    """A function of two arrays of the same shape; of any others, and of numbers, it is NumPy's."""

    def kernel(a: Any, b: Any) -> Any:
        if type(a) is not ndarray or a.size < c.least:
            return plain(a, b)
        y = empty_like(a)
        return plain(a, b) if c.call(a, b, y) else y

    return kernel


for _name in ("log", "tanh"):  # as fast in NumPy, but for the threads
    FAMILY.form(_name, "oo", least=1 << 16 if count() > 1 else NEVER)(_one)
for _name in ("relu", "exp"):
    FAMILY.form(_name, "oo", least=2048)(_one)
for _name in ("erf", "sigmoid", "silu", "gelu", "gelu_tanh"):
    FAMILY.form(_name, "oo", least=512)(_one)
for _name in ("gated", "tanh_gradient", "sigmoid_gradient", "silu_gradient", "gelu_gradient", "gelu_tanh_gradient"):
    FAMILY.form(_name, "ooo", least=512)(_two)


@FAMILY.form("leaky_relu", "oof", least=512)
def _leaky(c: Form, plain: Callable) -> Callable:
    def kernel(x: Any, slope: float) -> Any:
        if x.size < c.least:
            return plain(x, slope)
        y = empty_like(x)
        return plain(x, slope) if c.call(x, y, slope) else y

    return kernel


@FAMILY.form("leaky_relu_gradient", "ooof", least=512)
def _leaky_gradient(c: Form, plain: Callable) -> Callable:
    def kernel(g: Any, x: Any, slope: float) -> Any:
        if x.size < c.least:
            return plain(g, x, slope)
        y = empty_like(x)
        return plain(g, x, slope) if c.call(g, x, y, slope) else y

    return kernel
