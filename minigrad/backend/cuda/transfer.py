"""Copies to a GPU beside its computing: from pinned memory, which the GPU reads by itself, on a stream of their own.

What computes afterwards waits for the copy, on the device; the host waits for nothing. Two things must not be freed too early, and are
kept until an event says that they may: the memory on the host, until it has been copied, and the array on the device, whose
memory goes back to the stream of copies while the stream that computes may still be reading it.
"""

import weakref
from collections import deque
from typing import Any

import numpy as np

from ..recording.beside import copying


class Lane:
    """The stream of copies to one device."""

    def __init__(self, xp: Any):
        self.xp, self.stream = xp, xp.cuda.Stream(non_blocking=True)
        self.kept: deque[tuple[Any, Any]] = deque()
        """Events, and what must live until they are done."""

    def send(self, a: np.ndarray) -> Any:
        """The array on the device; what the current stream does from now on finds it there."""
        xp, current = self.xp, self.xp.cuda.get_current_stream()
        for _ in range(len(self.kept)):  # arrays die in other threads too, which add to the end meanwhile
            event, held = self.kept.popleft()
            if not event.done:
                self.kept.append((event, held))
        source = a if is_pinned(xp, a) and a.flags.c_contiguous else pinned(xp, a)
        with self.stream:
            y = xp.empty(a.shape, a.dtype)
        y.data.copy_from_host_async(source.ctypes.data, source.nbytes, self.stream)
        copied = self.stream.record(xp.cuda.Event(disable_timing=True))
        self.kept.append((copied, source))
        current.wait_event(copied)
        weakref.finalize(y, self._keep, current, copied, y.data).atexit = False
        return y

    def _keep(self, reader: Any, event: Any, memory: Any) -> None:
        """Keep the memory of an array that has died until the stream has done what it was given so far.

        It may die in a thread whose current GPU is another one, where an event that is made now could not be recorded.
        """
        self.kept.append((reader.record(event), memory))


_lanes: dict[int, Lane] = {}


def send(xp: Any, a: np.ndarray) -> Any:
    """``xp.asarray(a)`` on the current device, beside what is being computed. What is pinned must not be written to before it is copied."""
    copying()
    index = xp.cuda.runtime.getDevice()
    lane = _lanes.get(index)
    if lane is None or lane.xp is not xp:
        lane = _lanes[index] = Lane(xp)
    return lane.send(a)


def pinned(xp: Any, a: np.ndarray) -> np.ndarray:
    """A copy in memory that is not moved about, so that the GPU can read it by itself."""
    y = np.ndarray(a.shape, a.dtype, xp.cuda.alloc_pinned_memory(max(a.nbytes, 1)))
    y[...] = a
    return y


def is_pinned(xp: Any, a: Any) -> bool:
    """Whether the memory of an array is such memory of CuPy's."""
    while isinstance(a, np.ndarray):
        a = a.base
    return isinstance(a.obj if isinstance(a, memoryview) else a, xp.cuda.PinnedMemoryPointer)


__all__ = ["Lane", "is_pinned", "pinned", "send"]
