"""Kernels of a GPU where there is none: the same sources, built by the system's C compiler, run on the double's arrays.

They are given the very bytes that a GPU would be given. Without a C compiler, or with MINIGRAD_CC=0, there are none of them.
"""

import ctypes
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from ...backend.compiled import compiler
from ...backend.compiled.library import kept
from ...backend.cuda.launch import Kernel
from ...backend.cuda.modules import WIDER, text
from .array import DoubleArray
from .capture import launched

PARTS = 3
"""In how many parts a kernel's work is done, of which no result may depend."""


@cache
def library(family: str, number: str) -> Any:
    """The kernels of a family, compiled; None where there is no compiler, or it does not know this kind of number.

    Raises:
        BuildError: the source has errors.
    """
    cc = compiler.find() if compiler.wanted() else None
    if cc is None:
        return None
    flags = (*compiler.FLAGS, "-DEXPORTED", f"-DNUMBER={number}", f"-DWIDER={WIDER[number]}")
    parts = (text(family), flags, cc.command, cc.options, cc.version, compiler.processor())

    def make(made: Path, place: Path) -> None:
        source = made.with_name(f"{family}.c")
        source.write_text(text(family), encoding="utf-8")
        cc.build(source, made, place, flags)

    try:
        return ctypes.CDLL(str(kept(f"gpu-{family}-{hashlib.sha256(repr(parts).encode()).hexdigest()[:24]}.so", make)))
    except compiler.BuildError:
        if number in ("float", "double"):
            raise
        return None


def run(kernel: Kernel, number: str, data: Any, fields: tuple, n: int, along: int) -> int:
    """What ``launch`` does on the double, whatever n and along are; 1 where no compiler can build the source for such numbers."""
    task = function(kernel, number)
    if task is None:
        return 1

    def parts() -> None:
        for part in range(PARTS):
            task(data, part, PARTS)

    launched(parts, writes=[v for v in fields if type(v) is DoubleArray])
    return 0


@cache
def function(kernel: Kernel, number: str) -> Any:
    """A kernel as ctypes calls it: arguments, part, parts; None where it cannot be built.

    Raises:
        TypeError: Python and the source do not agree on the size of the arguments.
    """
    built = library(kernel.family, number)
    if built is None:
        return None
    size = ctypes.c_long.in_dll(built, f"size_{kernel.name}").value
    if size != kernel.size:
        raise TypeError(f"{kernel.name}: its arguments are {size} bytes, and {kernel.takes!r} is {kernel.size}")
    task = getattr(built, f"run_{kernel.name}")
    task.argtypes, task.restype = [ctypes.c_void_p, ctypes.c_long, ctypes.c_long], None
    return task
