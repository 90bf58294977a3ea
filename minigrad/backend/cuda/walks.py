"""How lines of numbers are walked along: by whom, and in what pieces. See ``sources/lines.h``."""

from typing import Any

from .launch import Kernel, launch

SHORT, LONG, MANY = 32, 4096, 1 << 16
"""Lines up to the first length are walked by a thread alone; up to the second, if there are so many and their numbers lie apart."""
WIDEST = 1 << 32
"""As many numbers are more than kernels count."""


def is_alone(n: int, lines: int = 0, apart: int = 1) -> bool:
    """Whether one thread walks along each of so many lines of n numbers that are ``apart`` from one another.

    Example:
        >>> from minigrad.backend.cuda.walks import is_alone
        >>> is_alone(10), is_alone(1000), is_alone(1000, 100_000, 8)
        (True, False, True)
    """
    return n <= SHORT or (apart > 1 and n <= LONG and lines >= MANY)


def piece(lines: int, n: int, alone: bool) -> int:
    """How many numbers there are in each piece of lines that are cut up, so that a GPU has enough to do and rounding errors stay small.

    It depends on the shape alone: so do results.

    Example:
        >>> from minigrad.backend.cuda.walks import piece
        >>> piece(1, 10**6, False), piece(512, 10**6, True), piece(512, 100, True)
        (4096, 1024, 64)
    """
    least, most, walkers = (64, 1024, 1 << 16) if alone else (4096, 1 << 17, 1 << 10)
    return min(max(least, lines * n // walkers), most, n)


def walk(kernel: Kernel, lines: int, n: int, alone: bool, *fields: Any, number: str = "float") -> int:
    """Launch a kernel of lines of n numbers each."""
    return launch(kernel, lines, *fields, number=number, along=0 if alone else n)
