"""CUDA graphs on the double: while a stream is captured, calls are noted and nothing outside the graph's memory changes; a launch makes
the calls again, into the same memory.

``cuda`` has the names of ``cupy.cuda`` that capturing needs. As on a GPU, new memory must come from a pool of the graph's own, and what a
graph reads must still be there when it is launched.
"""

import contextlib
import types

import numpy as np

from minigrad.testing.double import SynchronizationError, capturing
from minigrad.testing.double.capture import arrays_in, root, state


def swapped(x, others):
    if isinstance(x, (tuple, list)):
        return type(x)([swapped(v, others) for v in x])
    return {k: swapped(v, others) for k, v in x.items()} if isinstance(x, dict) else others.get(id(x), x)


def lasting(y):
    """A result with arrays in place of NumPy's scalars, which have no memory that could be written again."""
    if isinstance(y, (tuple, list)):
        return type(y)([lasting(v) for v in y]) if type(y) in (tuple, list) else tuple([lasting(v) for v in y])
    return np.asarray(y) if isinstance(y, np.generic) else y


class Graph:
    """Calls that were noted; ``launch`` makes them again."""

    def __init__(self, made):
        self.notes = []
        self.made = made
        self.owners = {}
        self.kept = []

    def note(self, f, args, named, written):
        """Note a call. It is made at once only if it writes to memory that the graph made: the rest of the world waits for the launch."""
        if any(id(root(a)) not in self.made for a in written):
            others = {id(a): a.copy() for a in written}
            f(*swapped(args, others), **swapped(named, others))  # so that what is wrong with it shows now
            self.notes.append((f, args, named, []))
            return written[0] if len(written) == 1 else tuple(written)
        y = lasting(f(*args, **named))
        old = {id(root(a)) for a in arrays_in([args, named])}
        new = [(i, a) for i, a in enumerate(arrays_in(y)) if id(root(a)) not in old]
        pool = getattr(state, "pool", None)
        if new and pool is None:
            raise SynchronizationError("double: memory from outside a graph's own pool while a stream is captured")
        for _, a in new:
            self.made[id(root(a))] = root(a)
            pool.held += a.nbytes
        self.notes.append((f, args, named, new))
        return y

    def launch(self, stream=None):
        """Make the calls again, each result into the memory that it had."""
        if getattr(state, "graph", None) is not None:
            raise SynchronizationError("double: a graph is launched while a stream is captured")
        if any(ref() is None for ref in self.owners.values()):
            raise RuntimeError("double: the graph uses memory that has been freed since it was captured")
        with np.errstate(all="ignore"):
            for f, args, named, new in self.notes:
                found = arrays_in(lasting(f(*args, **named))) if new else f(*args, **named)
                for i, a in new:
                    a[...] = found[i]


class Stream:
    """A stream; only what it does to be captured is different from any other."""

    def __init__(self, null=False, non_blocking=False, ptds=False):
        self.non_blocking, self.ptr = non_blocking, 0 if null else id(self)

    def __enter__(self):
        self._before, state.stream = getattr(state, "stream", None), self
        return self

    def __exit__(self, *error):
        state.stream = self._before

    def begin_capture(self, mode=None):
        if getattr(state, "stream", None) is not self:
            raise RuntimeError("double: a stream is captured that is not the current one, so nothing would be noted")
        if not self.non_blocking or mode != RELAXED:
            raise RuntimeError("double: capture a non-blocking stream of its own, in relaxed mode")
        self._refusing = capturing()
        self._refusing.__enter__()
        state.graph = Graph(getattr(getattr(state, "pool", None), "made", {}))

    def end_capture(self):
        graph, state.graph = state.graph, None
        self._refusing.__exit__(None, None, None)
        for a in graph.made.values():  # nothing was computed yet
            if a.dtype.kind in "fc" and a.flags.writeable:
                a.fill(np.nan)
        return graph

    def is_capturing(self):
        return getattr(state, "graph", None) is not None and getattr(state, "stream", None) is self

    def synchronize(self):
        if self.is_capturing():
            raise SynchronizationError("double: synchronize() while a stream is captured")


class Event:
    """A point in a stream; the double is always there already."""

    def __init__(self, block=False, disable_timing=False, interprocess=False):
        self.done = True

    def record(self, stream=None):
        pass

    def synchronize(self):
        pass


class MemoryPool:
    """Counts what is allocated from it; nothing ever comes back. ``made``: what was allocated while a stream was captured."""

    def __init__(self):
        self.held = 0
        self.made = {}

    def malloc(self, size):
        self.held += size

    def total_bytes(self):
        return self.held

    used_bytes = total_bytes

    def free_all_blocks(self):
        pass


class PinnedMemoryPool:
    """Gives memory of the host."""

    def malloc(self, size):
        return bytearray(size)


@contextlib.contextmanager
def using_allocator(allocator=None):
    """New memory from this pool's ``malloc``, for this thread."""
    before, state.pool = getattr(state, "pool", None), getattr(allocator, "__self__", None)
    try:
        yield
    finally:
        state.pool = before


_pinned = [PinnedMemoryPool().malloc]


def alloc_pinned_memory(size):
    """By the allocator that was set."""
    return _pinned[0](size)


def set_pinned_memory_allocator(allocator=None):
    """Let pinned memory come from this function."""
    _pinned[0] = allocator


RELAXED = 2
cuda = types.SimpleNamespace(
    Event=Event, MemoryPool=MemoryPool, PinnedMemoryPool=PinnedMemoryPool, Stream=Stream, using_allocator=using_allocator,
    alloc_pinned_memory=alloc_pinned_memory, set_pinned_memory_allocator=set_pinned_memory_allocator,
    get_current_stream=lambda: getattr(state, "stream", None) or Stream(null=True),
    runtime=types.SimpleNamespace(getDevice=lambda: 0, streamCaptureModeRelaxed=RELAXED),
)  # fmt: skip
"""As much of ``cupy.cuda`` as capturing needs."""
