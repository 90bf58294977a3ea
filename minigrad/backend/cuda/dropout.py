"""Dropout in one launch: random bits are computed where they are needed, and never stored."""

from typing import Any

from .forms import Family
from .launch import REFUSED, Kernel, launch, number_of

FAMILY = Family("dropout")
DROPPED, KEPT = Kernel("dropout", "dropped", "PPQIfl"), Kernel("dropout", "kept", "PQIl")
ALL = 1 << 32
"""The threshold that drops everything, which is no 32-bit number."""


@FAMILY.entry("dropout")
def dropout(x: Any, y: Any, key: int, threshold: int, gain: float) -> int:
    """Entries of x, scaled or dropped."""
    number = number_of(x)
    if not number or not x.flags.c_contiguous:
        return REFUSED
    return launch(DROPPED, -(-x.size // 4), x, y, key, threshold % ALL, 0.0 if threshold == ALL else gain, x.size, number=number)


@FAMILY.entry("keep")
def keep(mask: Any, key: int, threshold: int) -> int:
    """The mask by itself."""
    return REFUSED if threshold == ALL else launch(KEPT, -(-mask.size // 4), mask, key, threshold, mask.size)
