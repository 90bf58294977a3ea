"""Doubles of CuPy's streams, events and pinned memory: a copy is made when somebody waits for it, and not before.

So what uses an array without waiting for its copy reads what was in the memory before, and a source that died meanwhile is noticed.
"""

import ctypes
import itertools
import threading
import types
import weakref
from typing import ClassVar

_numbers = itertools.count(0x100)
_local = threading.local()


class Event:
    def __init__(self, block=False, disable_timing=False, interprocess=False):
        self.stream, self.position = None, 0

    @property
    def done(self):
        return self.stream.finished >= self.position


class Stream:
    """``lazy``: what it was given is done when an event is waited for. ``log`` tells what happened, in order."""

    log: ClassVar[list] = []

    def __init__(self, null=False, non_blocking=False, name="copies"):
        self.ptr, self.name = next(_numbers), name
        self.work, self.finished = [], 0

    def add(self, work):
        self.work.append(work)

    def record(self, event=None):
        event = event or Event()
        event.stream, event.position = self, len(self.work)
        return event

    def wait_event(self, event):
        self.log.append(f"{self.name} waits for {event.stream.name}")
        event.stream.finish(event.position)

    def finish(self, position=None):
        position = len(self.work) if position is None else position
        while self.finished < position:
            work, self.work[self.finished] = self.work[self.finished], None
            work()
            self.finished += 1

    def is_capturing(self):
        return False

    def __enter__(self):
        _local.stack = [*getattr(_local, "stack", []), self]
        return self

    def __exit__(self, *error):
        _local.stack = _local.stack[:-1]


class PinnedMemoryPointer(bytearray):
    """A buffer of which it is noticed when it is gone."""

    live: ClassVar[list] = []

    def __init__(self, size):
        super().__init__(size)
        self.live.append(weakref.ref(self))


def copy_from_host_async(self, mem, size, stream):
    """As CuPy's, of an array's place: reads what lies at the address when the copy is made."""
    sources = [r for r in PinnedMemoryPointer.live if (p := r()) is not None and address(p) <= mem < address(p) + len(p)]
    p = None
    assert sources, "the source is not pinned"
    place, held = self.ptr, self._held

    def copy():
        assert sources[0]() is not None, "the source died before it was copied"
        assert size <= held.nbytes
        ctypes.memmove(place, mem, size)

    stream.add(copy)


def address(p):
    return ctypes.addressof(ctypes.c_char.from_buffer(p))


class Device:
    def __init__(self, index):
        self.id = index

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass


def cuda(current):
    """What ``cupy.cuda`` has, with this stream as the one that computes."""
    return types.SimpleNamespace(
        Device=Device,
        Event=Event,
        PinnedMemoryPointer=PinnedMemoryPointer,
        Stream=Stream,
        alloc_pinned_memory=PinnedMemoryPointer,
        get_current_stream=lambda: (getattr(_local, "stack", None) or [current])[-1],
        runtime=types.SimpleNamespace(getDevice=lambda: 0),
    )
