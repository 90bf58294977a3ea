"""What lies between the two products of attention, a launch each way: scores become weights, in place."""

from typing import Any

from . import sdpa
from .activations import ordered
from .forms import Family
from .launch import REFUSED, Kernel
from .walks import is_alone, walk

FAMILY = Family("attention")
FAMILY.form("scaled_dot_product_attention")(sdpa.attention)
FAMILY.form("scaled_dot_product_attention_gradient")(sdpa.attention_gradient)
WEIGHTS = Kernel("attention", "attention_weights", f"PP{'PPllll' * 2}llllllff")
GRADIENT = Kernel("attention", "attention_weights_gradient", f"PPP{'PPllll' * 2}llllllfff")


def beside(o: Any, s: Any) -> Any:
    """An array that goes with the scores, of flags or of numbers, and how far apart its batches, heads, queries and keys are; s: there
    is none. None where it does not fit."""
    if o is s:
        return None, None, 0, 0, 0, 0
    if (
        o.ndim != s.ndim
        or s.ndim > 4
        or o.dtype.name not in ("bool", "float32")
        or any(n not in (1, m) for n, m in zip(o.shape, s.shape, strict=True))
    ):
        return None
    strides = [0 if n == 1 else stride // o.itemsize for n, stride in zip(o.shape, o.strides, strict=True)]
    return (*((o, None) if o.dtype.kind == "b" else (None, o)), *[0] * (4 - s.ndim), *strides)


def _told(s: Any, mask: Any, keep: Any, z: Any, first: int) -> Any:
    """The fields that both kernels have in common: arrays, lengths; None where they refuse."""
    masks, kept = beside(mask, s), beside(keep, s)
    if not s.size or s.ndim < 2 or masks is None or kept is None or not ordered("float", s, z):
        return None
    return (*masks, *kept), (z.size, s.shape[-1], s.shape[-3] if s.ndim > 2 else 1, s.shape[-2], first, is_alone(s.shape[-1]))


@FAMILY.entry("attention_weights")
def weights(s: Any, mask: Any, keep: Any, z: Any, scale: float, gain: float, first: int) -> int:
    """The logarithms of their sums go to z; mask and keep are s where there are none."""
    told = _told(s, mask, keep, z, first)
    return REFUSED if told is None else walk(WEIGHTS, z.size, s.shape[-1], told[1][-1], s, z, *told[0], *told[1], scale, gain)


@FAMILY.entry("attention_weights_gradient")
def gradient(s: Any, d: Any, mask: Any, keep: Any, z: Any, scale: float, by: float, gain: float, first: int) -> int:
    """d becomes the gradient of the scores, s the weights."""
    told = _told(s, mask, keep, z, first)
    if told is None or not ordered("float", d) or d.shape != s.shape:
        return REFUSED
    return walk(GRADIENT, z.size, s.shape[-1], told[1][-1], s, d, z, *told[0], *told[1], scale, by, gain)
