"""Activations and their slopes: one pass where NumPy makes several, on all threads."""

from collections.abc import Callable
from typing import Any

from .forms import NEVER, Family, Form
from .threads import count

FAMILY = Family("elementwise")


def one(c: Form, plain: Callable) -> Callable:
    """A function of one array."""
    empty_like = c.xp.empty_like

    def kernel(x: Any) -> Any:
        if x.size < c.least:
            return plain(x)
        y = empty_like(x)
        return plain(x) if c.call(x, y) else y

    return kernel


def two(c: Form, plain: Callable) -> Callable:
    """A function of two arrays of the same shape; of any others, and of numbers, it is NumPy's."""
    empty_like, ndarray = c.xp.empty_like, c.xp.ndarray

    def kernel(a: Any, b: Any) -> Any:
        if type(a) is not ndarray or a.size < c.least:
            return plain(a, b)
        y = empty_like(a)
        return plain(a, b) if c.call(a, b, y) else y

    return kernel


def one_of(c: Form, plain: Callable) -> Callable:
    """A function of one array and numbers."""
    empty_like = c.xp.empty_like

    def kernel(x: Any, *numbers: float) -> Any:
        if x.size < c.least:
            return plain(x, *numbers)
        y = empty_like(x)
        return plain(x, *numbers) if c.call(x, y, *numbers) else y

    return kernel


def two_of(c: Form, plain: Callable) -> Callable:
    """A function of two arrays of the same shape and of numbers."""
    empty_like = c.xp.empty_like

    def kernel(g: Any, x: Any, *numbers: float) -> Any:
        if x.size < c.least:
            return plain(g, x, *numbers)
        y = empty_like(x)
        return plain(g, x, *numbers) if c.call(g, x, y, *numbers) else y

    return kernel


for _name in ("log", "tanh"):  # as fast in NumPy, but for the threads
    FAMILY.form(_name, "oo", least=1 << 16 if count() > 1 else NEVER)(one)
for _name in ("relu", "exp"):
    FAMILY.form(_name, "oo", least=2048)(one)
for _name in ("rsqrt", "erf", "sigmoid", "silu", "gelu", "gelu_tanh"):
    FAMILY.form(_name, "oo", least=512)(one)
for _name in ("gated", "tanh_gradient", "sigmoid_gradient", "silu_gradient", "gelu_gradient", "gelu_tanh_gradient"):
    FAMILY.form(_name, "ooo", least=512)(two)
FAMILY.form("leaky_relu", "oof", least=512)(one_of)
FAMILY.form("leaky_relu_gradient", "ooof", least=512)(two_of)


@FAMILY.form("add", "ooo", least=1 << 16 if count() > 1 else NEVER)
def _add(c: Form, plain: Callable) -> Callable:
    """Sums: memory is all they wait for, so that nothing is won but by another thread."""
    empty_like, ndarray = c.xp.empty_like, c.xp.ndarray

    def kernel(a: Any, b: Any, out: Any = None) -> Any:
        if type(a) is not ndarray or type(b) is not ndarray or a.size < c.least or a.shape != b.shape:
            return plain(a, b, out)
        y = empty_like(a) if out is None else out
        return plain(a, b, out) if c.call(a, b, y) else y

    return kernel
