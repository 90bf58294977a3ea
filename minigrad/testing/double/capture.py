"""What an array of the double goes through to be part of a CUDA graph: every call on the device comes by here.

``state.graph`` is what notes calls while a stream is captured (there is none in the package: tests bring it along), by ``note(f, args,
named, written)`` and in ``notes``; ``touched`` tells it which arrays it uses.
"""

import ctypes
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

state = threading.local()


def root(a: np.ndarray) -> np.ndarray:
    """The NumPy array that owns the memory."""
    while isinstance(a.base, np.ndarray):
        a = a.base
    return a


def arrays_in(x: Any) -> list[np.ndarray]:
    """The arrays in arguments or results."""
    if isinstance(x, np.ndarray):
        return [x]
    values = x.values() if isinstance(x, dict) else x if isinstance(x, (tuple, list)) else ()
    return [a for v in values for a in arrays_in(v)]


def carried(f: Callable, args: tuple, named: dict[str, Any] | None = None, written: Any = ()) -> Any:
    """``f(*args, **named)``, a call of NumPy that computes on the device and writes to ``written``; noted while a stream is captured."""
    graph, named = getattr(state, "graph", None), named or {}
    return f(*args, **named) if graph is None else graph.note(f, args, named, arrays_in(written))


def launched(run: Callable[[], Any], reads: Any = (), writes: Any = ()) -> None:
    """Run a kernel that knows where its arrays are; while a stream is captured, note it."""
    graph = getattr(state, "graph", None)
    if graph is None:
        run()
        return
    for a in (*reads, *writes):
        touched(a)
        graph.kept.append(a._held)
    graph.notes.append((run, (), {}, []))


def touched(a: Any) -> None:
    """Note that a graph reads or writes this array of the double."""
    graph = getattr(state, "graph", None)
    if graph is not None:
        owner = a if a._base is None else a._base
        if id(root(owner._held)) not in graph.made:
            graph.owners[id(owner)] = weakref.ref(owner)


class MemoryPointer:
    """Where an array's memory begins."""

    device_id = 0

    def __init__(self, a: Any):
        self.ptr, self._held = a._held.__array_interface__["data"][0], a._held

    def copy_from_host_async(self, mem: int, size: int, stream: Any = None) -> None:
        """From pinned memory, without waiting."""
        if stream is None and getattr(state, "graph", None) is not None:
            raise RuntimeError("double: the current stream is capturing, so copies from the host are refused")
        if size > self._held.nbytes or not self._held.flags.c_contiguous:
            raise ValueError("double: a copy from the host that does not fit")
        ctypes.memmove(self.ptr, mem, size)


__all__ = ["MemoryPointer", "arrays_in", "carried", "launched", "root", "state", "touched"]
