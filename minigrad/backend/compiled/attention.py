"""What attention does with its scores, between two products of matrices: one pass where NumPy makes many."""

from collections.abc import Callable
from typing import Any

from .forms import Family, Form

FAMILY = Family("attention")


@FAMILY.form("attention_weights", "ooooddl", least=256)
def attention_weights(c: Form, plain: Callable) -> Callable:
    def kernel(s: Any, mask: Any, keep: Any, z: Any, scale: float, gain: float, first: int) -> None:
        if s.size < c.least or c.call(s, s if mask is None else mask, s if keep is None else keep, z, scale, gain, first):
            plain(s, mask, keep, z, scale, gain, first)

    return kernel


@FAMILY.form("attention_weights_gradient", "ooooodddl", least=256)
def attention_weights_gradient(c: Form, plain: Callable) -> Callable:
    def kernel(s: Any, d: Any, mask: Any, keep: Any, z: Any, h: Any, y: Any, scale: float, by: float, gain: float, first: int) -> None:
        if s.size < c.least or c.call(s, d, s if mask is None else mask, s if keep is None else keep, z, scale, by, gain, first):
            plain(s, d, mask, keep, z, h, y, scale, by, gain, first)

    return kernel
