"""How a kernel is started: what it is given, on how many threads, and by whom it is run."""

import struct
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

import numpy as np

from ..recording.beside import sheet
from ..recording.tape import Drawn
from .modules import function

DONE, REFUSED = 0, 1
BLOCK = 256
"""Threads of a block, where each has numbers of its own."""
MANY_ROWS = 128
"""Rows that need no more threads than they have anyway to keep a GPU busy."""
HELD, BLOCKS = 2048, 32
"""How many threads, and at most how many blocks, a multiprocessor holds at a time."""
runners: dict[type, Callable[["Kernel", str, Any, tuple, int, int], int]] = {}
"""Who runs kernels on arrays of a type that is not CuPy's: given the bytes of the arguments, or the address where they lie, and the rest as
``start`` is."""


class Kernel:
    """A kernel of a family's source, and what its arguments are.

    Args:
        family: the source.
        name: what the source calls the kernel.
        takes: its fields, a letter each: P an array or None, l and i whole numbers (long and int), Q and I those without sign, f and d
            floating ones; before a letter, how many of them, where ``start`` is given the bytes.

    Example:
        >>> from minigrad.backend.cuda.launch import Kernel
        >>> Kernel("elementwise", "leaky_relu", "PPlf").size
        32
    """

    __slots__ = ("family", "functions", "held", "name", "pack", "size", "takes")

    def __init__(self, family: str, name: str, takes: str):
        self.family, self.name, self.takes = family, name, takes
        layout = struct.Struct(f"{takes}0P")  # as C lays out a struct
        self.pack, self.size = layout.pack, layout.size
        self.held = np.dtype(f"V{layout.size}")
        self.functions: dict[tuple[str, bool], Any] = {}

    def function(self, number: str, indirect: bool) -> Any:
        """What CuPy launches."""
        found = self.functions.get((number, indirect))
        if found is None:
            found = self.functions[number, indirect] = function(self.family, self.name, number, indirect)
        return found


NAMES = {"float32": "float", "float16": "float16", "bfloat16": "bfloat16"}
_numbers: dict[Any, str] = {}


def number_of(x: Any) -> str:
    """How an array's numbers are stored, in the words of ``launch``; nothing if they are of a dtype that kernels are not compiled for.

    Example:
        >>> import numpy as np
        >>> from minigrad.backend.cuda.launch import number_of
        >>> number_of(np.zeros(2, "float32")), number_of(np.zeros(2))
        ('float', '')
    """
    found = _numbers.get(x.dtype)
    if found is None:
        found = _numbers[x.dtype] = NAMES.get(x.dtype.name, "") if x.dtype.isnative else ""
    return found


@cache
def runtime() -> Any:
    """CUDA's functions, in CuPy's words."""
    from cupy.cuda import runtime

    return runtime


@cache
def processors(device: int) -> int:
    """How many multiprocessors a GPU has."""
    return runtime().deviceGetAttribute(runtime().cudaDevAttrMultiProcessorCount, device)


@lru_cache(1 << 12)
def geometry(n: int, along: int, count: int) -> tuple[tuple[int], tuple[int]]:
    """Blocks and threads of each, on ``count`` multiprocessors: enough to fill them all, and no more than there is work for.

    Example:
        >>> from minigrad.backend.cuda.launch import geometry
        >>> geometry(1000, 0, 132), geometry(10**9, 0, 132), geometry(4096, 1000, 132), geometry(1, 10**6, 132)
        (((4,), (256,)), ((1056,), (256,)), ((1056,), (256,)), ((1,), (1024,)))
    """
    threads = BLOCK
    if along:  # four numbers each, if there are many rows; by n alone, so that every GPU adds up in the same order
        share = along // 4 if n >= MANY_ROWS else along
        threads = min(max(1 << (share - 1).bit_length(), 32), 1024)
    return (max(min(n if along else -(-n // BLOCK), count * min(HELD // threads, BLOCKS)), 1),), (threads,)


def launch(kernel: Kernel, n: int, *fields: Any, number: str = "float", along: int = 0) -> int:
    """Start a kernel on CuPy's current stream, and do not wait for it.

    Args:
        n: the numbers of EACH, or the rows of ROW or TEAM.
        fields: its arguments; the first is an array.
        number: how numbers are stored; see ``modules.WIDER``.
        along: for TEAM, how many numbers a row has.

    Returns:
        DONE; REFUSED if the arrays are not on the current GPU.
    """
    data = kernel.pack(*[v if t != "P" else 0 if v is None else v.data.ptr for t, v in zip(kernel.takes, fields, strict=True)])
    return start(kernel, n, data, fields, number, along)


def start(kernel: Kernel, n: int, data: Any, fields: tuple, number: str, along: int) -> int:
    """``launch`` with the bytes of the arguments made already; ``fields``: the arrays among them, at least."""
    page = sheet()
    if page is not None:  # recorded: what changes from one step to the next is read where it can be changed
        drawn = {struct.calcsize(f"{kernel.takes[:i]}0{kernel.takes[i]}"): v for i, v in enumerate(fields) if type(v) is Drawn}
        if page.open or drawn:
            data = page.struct(data, drawn)
            if data is None:  # only these numbers were wanted now
                return DONE
    run = runners.get(type(fields[0]))
    if run is not None:
        return run(kernel, number, data, fields, n, along)
    here = runtime().getDevice()
    if fields[0].data.device_id != here:
        return REFUSED
    blocks, threads = geometry(n, along, processors(here))
    if page is not None and page.rehearsing and (page.open or drawn):
        _ = kernel.function(number, True).kernel  # loaded on this GPU, as nothing may be while a graph is captured
    if type(data) is bytes:  # a NumPy array of one element is passed by value, a number, as any other: an address
        kernel.function(number, False)(blocks, threads, (np.frombuffer(data, kernel.held),))
    else:
        kernel.function(number, True)(blocks, threads, (data,))
    return DONE
