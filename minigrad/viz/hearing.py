"""Hearing what is computed: every kernel that runs, every function of the user's own, and of which node it was the making.

While somebody hears, stand-ins take the place of the kernels in the tables in which ops find them.
"""

import gc
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from types import CodeType
from typing import Any

import numpy as np

from ..autograd import Tensor, inplace
from ..autograd import node as graph
from ..autograd.function import Function
from ..autograd.node import make_node
from ..autograd.op import OUTPUT
from ..autograd.tensor import raw
from ..backend.arrays import Kernels, is_array, namespace
from ..backend.recording import running


@dataclass(slots=True)
class Event:
    """A stretch of time, in seconds of ``time.perf_counter``: a kernel at work, or (``way="backward"``) all that the rules of a node did.

    ``way`` of a kernel is "forward", or "rule" if a rule called it. ``order`` is the birth of the node, -1 if nothing was recorded.
    """

    name: str
    way: str
    start: float
    seconds: float
    order: int
    call: int
    thread: int


class Here:
    """Where a thread is: in which call, made at which line of the user's if it is of a layer of ours, in the rules of which node; what
    its last kernel took and gave.
    """

    __slots__ = ("busy", "call", "event", "parts", "result", "rule", "spot")

    def __init__(self) -> None:
        self.call = self.rule = -1
        self.spot: tuple[CodeType, int] | None = None
        self.parts: dict[int, tuple[str, weakref.ref, bool]] = {}
        self.event: Event | None = None
        self.result: Any = None
        self.busy = False


class _Local(threading.local):
    def __init__(self) -> None:
        self.here = Here()


local = _Local()
hearers: list[Any] = []
"""The listeners that hear."""


def ears() -> list[Any]:
    """Who hears what this thread does: some want one thread only."""
    me = threading.get_ident()
    return [listener for listener in hearers if listener.thread in (None, me)]


def _measured(order: int) -> None:
    """Tell what the kernel that ran last gave: it made the node that is born now."""
    here = local.here
    if here.busy:
        return
    event, result, maker = here.event, here.result, sys._getframe(2)
    here.event = here.result = None
    if maker.f_code is make_node.__code__ and maker.f_locals["op"] is None:  # a leaf, which no kernel makes
        event = result = None
    if event is not None:
        event.order = order
    value = None if result is None else result()
    for listener in ears():
        listener.born(order, event, value)


_plain_kernel = Kernels.__getitem__
_plain_apply = Function.__dict__["apply"]
_plain_record = inplace.record


def _kernel(self: Kernels, kind: type) -> Any:
    """Look a kernel up, and put one that tells in its place."""
    kernel = _plain_kernel(self, kind)
    if not hasattr(kernel, "bare"):
        _put(self, kind, kernel, _telling(self.name, kernel, kind))
    return self.own[kind]


def _put(kernels: Kernels, kind: type, old: Any, new: Any) -> None:
    kernels.own[kind] = new
    if kernels.table.get(kind) is old:  # else a stand-in of mixed precision is there, which asks for this one
        kernels.table[kind] = new


def _telling(name: str, kernel: Any, kind: type) -> Any:
    cuda = getattr(namespace(kind), "cuda", None)

    def telling(*args: Any, **kwargs: Any) -> Any:
        if local.here.busy or not hearers or running():  # a step that is being recorded is left alone, and may have kept this
            return kernel(*args, **kwargs)
        return _heard(name, kernel, args, kwargs, cuda)

    telling.bare = kernel  # type: ignore[attr-defined]
    return telling


def _heard(name: str, f: Callable, args: tuple, kwargs: dict, cuda: Any = None) -> Any:
    """Run a kernel or a function as one thing, and tell; what it made is remembered until the next birth, but not kept alive."""
    here, start = local.here, perf_counter()
    here.busy = True
    try:
        y = f(*args, **kwargs)
        if cuda is not None:
            cuda.get_current_stream().synchronize()
    finally:
        here.busy = False
    event = Event(name, "forward" if here.rule < 0 else "rule", start, perf_counter() - start, -1, here.call, threading.get_ident())
    if isinstance(y, np.generic):
        y = np.asarray(y)  # the array that it will become, so that it is the same one further on
    elif type(y) is tuple and isinstance(y[0], np.generic):
        y = np.asarray(y[0]), *y[1:]
    tensors = isinstance(y, Tensor) or (type(y) is tuple and isinstance(y[0], Tensor))
    made = y if not tensors else raw(y) if type(y) is not tuple else tuple(map(raw, y))
    for listener in ears():
        listener.heard(event, tuple(map(raw, args)) if tensors else args, made)
    while type(made) is tuple:
        made = made[0]
    here.event, here.result = event, weakref.ref(made) if is_array(made) else None
    return y


def _applied(cls: type[Function], *inputs: Any) -> Any:
    """A function with a gradient of the user's own."""
    if local.here.busy or running():
        return _plain_apply.__func__(cls, *inputs)
    y = _heard(cls.__name__, partial(_plain_apply.__func__, cls), inputs, {})
    node = (y[0] if type(y) is tuple else y).node
    if node is not None:
        _measured(node.parents[0].order if node.op is OUTPUT else node.order)
    return y


def _recorded(op: Any, parents: tuple, y: Any, *rest: Any) -> Any:
    """A write in place, which has no kernel."""
    t = _plain_record(op, parents, y, *rest)
    local.here.result = weakref.ref(y)
    _measured(t.node.order)
    return t


@contextmanager
def unheard() -> Iterator[None]:
    """What this thread computes in the block is for drawing, and nobody is told."""
    before, local.here.busy = local.here.busy, True
    try:
        yield
    finally:
        local.here.busy = before


def hear(on: bool) -> None:
    """Put stand-ins in the place of all kernels, or these back."""
    graph.tell(_measured, on)
    Kernels.__getitem__ = _kernel if on else _plain_kernel  # type: ignore[method-assign]
    Function.apply = classmethod(_applied) if on else _plain_apply  # type: ignore[method-assign,assignment]
    inplace.record = _recorded if on else _plain_record  # type: ignore[assignment]
    for kernels in [k for k in gc.get_objects() if type(k) is Kernels]:
        for kind, f in list(kernels.own.items()):
            _put(kernels, kind, f, _telling(kernels.name, f, kind) if on else getattr(f, "bare", f))


__all__ = ["Event", "Here", "ears", "hear", "hearers", "local", "unheard"]
