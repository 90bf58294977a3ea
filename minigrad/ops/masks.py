"""Slopes that are zero somewhere: applied by choosing and not by a product, as 0 * inf is NaN."""

from typing import Any

from ..autograd.forms import binary, unary
from ..autograd.op import compiled

_INTEGER = {2: "int16", 4: "int32", 8: "int64"}
_BLOCK = 1 << 15
"""Numbers that are worked on at a time, so that what lies between stays in the cache."""


def either(xp: Any, mask: Any, a: Any, b: Any) -> Any:
    """``xp.where``; NumPy's takes the processor by surprise at every other element of a random mask: of large arrays bits are chosen."""
    dtype = getattr(a, "dtype", None) or getattr(b, "dtype", None)
    if xp.__name__ != "numpy" or getattr(mask, "size", 0) < 2048 or mask.dtype.kind != "b" or dtype is None or dtype.kind != "f":
        return xp.where(mask, a, b)
    if not dtype.isnative or dtype.itemsize > 8 or any(type(v) not in (float, int) and getattr(v, "dtype", None) != dtype for v in (a, b)):
        return xp.where(mask, a, b)
    whole = _INTEGER[dtype.itemsize]
    bits = mask.astype(whole)
    xp.negative(bits, bits)
    b = xp.asarray(b, dtype).view(whole)
    return (((xp.asarray(a, dtype).view(whole) ^ b) & bits) ^ b).view(dtype)


def _chooser(xp: Any) -> Any:
    """``choose(a, b)``: a where b is true, else 0.

    NumPy's where takes the processor by surprise at every element of a random mask, 18 times slower on a million than a product; there
    the mask becomes a word of ones or zeros for a bitwise and.
    """

    def choose(a: Any, b: Any) -> Any:
        return xp.where(b, a, 0)

    def bits(a: Any, b: Any) -> Any:
        if a.size < 2048 or a.dtype.kind != "f" or a.shape != b.shape:
            return choose(a, b)
        whole = _INTEGER[a.dtype.itemsize]
        mask = b.astype(whole)
        xp.negative(mask, mask)
        return xp.bitwise_and(mask, a.view(whole), mask).view(a.dtype)

    return bits if xp.__name__ == "numpy" else choose


def _gate(xp: Any) -> Any:
    """``gate(a, b)``: a where b > 0, else 0; on NumPy block by block, so that no mask of the whole is made."""
    choose = _chooser(xp)

    def gate(a: Any, b: Any) -> Any:
        return choose(a, b > 0)

    def blocks(a: Any, b: Any) -> Any:
        if a.size < 2048 or a.dtype.kind != "f" or a.shape != b.shape or not (a.flags.c_contiguous and b.flags.c_contiguous):
            return gate(a, b)
        whole = _INTEGER[a.dtype.itemsize]
        y = xp.empty(a.shape, whole)
        flat, given, sign = y.reshape(-1), a.view(whole).reshape(-1), b.reshape(-1)
        for i in range(0, flat.size, _BLOCK):
            part = flat[i : i + _BLOCK]
            xp.greater(sign[i : i + _BLOCK], 0, out=part)
            xp.negative(part, part)
            xp.bitwise_and(part, given[i : i + _BLOCK], part)
        return y.view(a.dtype)

    return blocks if xp.__name__ == "numpy" else gate


masked: Any = binary(
    "masked",
    "The first operand where the second, a mask, is true, and 0 elsewhere, even where the first is inf or NaN.",
    lambda g, b: masked(g, b),
    None,
    _chooser,
)
gated: Any = binary(
    "gated", "The first operand where the second is positive, and 0 elsewhere: the slope of relu.", lambda g, b: gated(g, b), None, _gate
)
nowhere: Any = unary("nowhere", "The gradient of a step function: zeros like g.", lambda g: nowhere(g), lambda xp: xp.zeros_like)
compiled("activations", masked)

__all__ = ["either", "gated", "masked", "nowhere"]
