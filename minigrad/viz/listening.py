"""Listening to a graph while it grows, and to all that is computed: every node's birth, call of a module, kernel, step backward.

While somebody listens, a few functions are replaced by others that tell; with nobody listening they are what they always were. A node is
known here by its birth, a number, so that what is noted keeps nothing alive.
"""

import gc
import sys
import threading
import weakref
from dataclasses import dataclass
from importlib import import_module
from itertools import count, islice
from time import perf_counter
from types import CodeType
from typing import Any

from ..autograd import Tensor
from ..autograd import node as graph
from ..autograd.node import Node
from ..backend.arrays import is_array
from ..backend.recording import running
from ..nn import Module
from .hearing import Event, Here, ears, hear, hearers, local


@dataclass(slots=True)
class Call:
    """One call of a module: which one it was made in (-1: none), the module, and the shapes of what went in and came out."""

    parent: int
    name: str
    cls: str
    module: weakref.ref
    inputs: list
    outputs: list


class Listener:
    """A ``with`` block in which one knows where each node was made: in which call of a module, and at which line of the user's.

    Subclasses that set ``hears`` are told what runs, too: the methods that do nothing here.
    """

    hears = False
    modules = True
    thread: int | None = None
    """The only thread that it wants to hear, by ``threading.get_ident()``; None: all."""

    def __init__(self) -> None:
        self.births: dict[int, tuple[int, tuple[CodeType, int] | None, int]] = {}
        """By birth: the call, the code and the place in it, the birth of the node whose rule was running (-1: none)."""
        self.calls: dict[int, Call] = {}
        self.leaves: dict[int, str] = {}
        """Names of parameters by the birth of their nodes."""
        self.outermost: dict[int, weakref.ref] = {}
        self._limit = 1 << 16

    def __enter__(self) -> Any:
        try:
            _install(self, True)
        except BaseException:  # such as an interrupt
            _install(self, False)
            raise
        return self

    def __exit__(self, *error: object) -> None:
        _install(self, False)

    # -- what was noted -----------------------------------------------------------------------------------------------
    def line(self, order: float) -> str:
        """``file:line`` of the user's code that made the node born then, as far as that was noted."""
        return line_of(self.births.get(order, NOBODY)[1])  # type: ignore[call-overload]

    def where(self, node: Node) -> str:
        """``line`` of a node's birth."""
        return self.line(node.order)

    def parameters(self) -> list[tuple[str, Tensor]]:
        """The parameters of the outermost modules that were called, of those that are still there."""
        modules = [ref() for ref in self.outermost.values()]
        return [pair for m in modules if m is not None for pair in m.named_parameters()]

    # -- what those are told who hear ---------------------------------------------------------------------------------
    def entered(self, call: Call) -> None:
        """A call of a module begins."""

    def left(self, call: Call) -> None:
        """It ends."""

    def heard(self, event: Event, args: tuple, y: Any) -> None:
        """A kernel, or a custom function, made ``y`` of ``args``, all arrays. Those that it calls itself are not told of."""

    def born(self, order: int, event: Event | None, value: Any) -> None:
        """A node was born, whose first output is the array ``value``; ``event`` is what was heard of its making."""

    def started(self, roots: list[Node]) -> None:
        """A backward pass begins at these nodes."""

    def arrived(self, node: Node, g: Any) -> None:
        """The whole gradient of a node is there, and its rules run next."""

    def passed(self, event: Event) -> None:
        """The rules of a node have run."""

    def finished(self) -> None:
        """A backward pass is over."""

    # -- notes of what is gone ----------------------------------------------------------------------------------------
    def forget(self) -> set[int]:
        """Drop the notes on nodes that are gone; the latest may be of nodes that are just being made. Returns the births that are left."""
        alive = {getattr(n, "order", -1) for n in gc.get_objects() if type(n) is Node}
        for order in list(self.births)[:-1000]:
            if order not in alive:
                del self.births[order]
        used = {v[0] for v in self.births.values()} | {local.here.call}
        for k in sorted(self.calls, reverse=True):  # a call comes after the one it was made in
            if k in used:
                used.add(self.calls[k].parent)
            else:
                del self.calls[k]
        self.leaves = {order: name for order, name in list(self.leaves.items()) if order in alive}
        self.outermost = {k: ref for k, ref in list(self.outermost.items()) if ref() is not None}
        self._limit = max(1 << 16, 2 * len(self.births))
        return alive.union(self.births)


NOBODY = (-1, None, -1)
"""What is known of the birth of a node that was not seen."""
_lock = threading.Lock()
_calls = count()
_listening: tuple[Listener, ...] = ()


def here() -> tuple[int, tuple[CodeType, int] | None, int]:
    """Where this thread is now, as ``Listener.births`` notes it."""
    at = local.here
    return at.call, at.spot or _spot(sys._getframe(1)), at.rule


def line_of(spot: tuple[CodeType, int] | None) -> str:
    """``file:line`` of an instruction, whose line takes longer to find than the instruction to remember."""
    if spot is None:
        return ""
    code, at = spot
    return f"{code.co_filename}:{next(islice(code.co_positions(), at // 2, None))[0] or code.co_firstlineno}"


# -- births -----------------------------------------------------------------------------------------------------------
_ours: dict[str, bool] = {}
"""By file, whether it is one of this package; frames in those are not the user's."""


def _born(order: int) -> None:
    here = local.here
    note = (here.call, here.spot or _spot(sys._getframe(2)), here.rule)
    for listener in _listening:
        listener.births[order] = note


def _spot(frame: Any) -> tuple[CodeType, int] | None:
    """The innermost place outside of this package: the code, and where in it."""
    while frame is not None:
        code = frame.f_code
        ours = _ours.get(code.co_filename)
        if ours is None:
            ours = _ours[code.co_filename] = frame.f_globals.get("__name__", "").startswith("minigrad.")
        if not ours:
            return code, frame.f_lasti
        frame = frame.f_back
    return None


# -- modules ----------------------------------------------------------------------------------------------------------
_plain_call = Module.__call__
_trees: dict[int, dict[int, tuple[str, weakref.ref, bool]]] = {}
"""Of each outermost module, by id, what is inside, by id: its name, what refers to it, whether it is a layer of this package."""


def _called(module: Module, *args: Any, **kwargs: Any) -> Any:
    here = local.here
    outer, spot, key = here.call, here.spot, next(_calls)
    if outer < 0:
        _make_room()
        here.parts = _trees.get(id(module)) or {}
    found = here.parts.get(id(module))
    if found is None or found[1]() is not module:
        found = _part(module, here)
    name, ref, ours = found
    call = Call(outer, name, type(module).__name__, ref, _shapes((args, kwargs) if kwargs else args), [])
    for listener in _listening:
        if listener.modules:
            listener.calls[key] = call
            if outer < 0 and id(ref) not in listener.outermost:
                listener.outermost[id(ref)] = ref
                listener.leaves.update({p.node.order: n for n, p in module.named_parameters() if p.node is not None})
    here.call = key
    here.spot = (spot or _spot(sys._getframe(1))) if ours else None
    for listener in ears():
        listener.entered(call)
    try:
        y = _plain_call(module, *args, **kwargs)
        call.outputs = _shapes(y)
        return y
    finally:
        for listener in ears():
            listener.left(call)
        here.call, here.spot = outer, spot


def _part(module: Module, here: Here) -> tuple[str, weakref.ref, bool]:
    """A module that was not seen before, in its tree."""
    if here.call < 0:
        parts = here.parts = _trees[id(module)] = {}
        named = list(module.named_modules())
    else:  # added since, or made by the forward of another
        parts, above = here.parts, next((t.calls[here.call].name for t in _listening if here.call in t.calls), "")
        named = [(f"{above}.{type(module).__name__}".lstrip("."), module)]
    parts.update({id(m): (n, weakref.ref(m), type(m).__module__.startswith("minigrad.")) for n, m in named})
    return parts[id(module)]


def _shapes(x: Any) -> list:
    """The shapes of the tensors and arrays in something."""
    if type(x) is Tensor:
        return [x.data.shape]
    if isinstance(x, (tuple, list, dict)):
        found: list = []
        for v in x.values() if isinstance(x, dict) else x:
            found += _shapes(v)
        return found
    return [tuple(x.shape)] if isinstance(x, Tensor) or is_array(x) else []


# -- the way back -----------------------------------------------------------------------------------------------------
backward: Any = import_module("minigrad.autograd.backward")  # the module, whose name is the function's
_plain_run = backward._run


def _run(seeds: list, create_graph: bool, **options: Any) -> Any:
    """A backward pass in which one knows whose rules are running; one inside a rule is part of that rule."""
    here, event = local.here, None  # type: Here, Event | None
    _make_room()
    if here.rule >= 0 or running() or not (create_graph or hearers):
        return _plain_run(seeds, create_graph, **options)

    def close() -> None:
        if event is not None:
            event.seconds = perf_counter() - event.start
            for listener in ears():
                listener.passed(event)

    def watch(node: Node, g: Any) -> None:
        nonlocal event
        close()
        here.rule = -1
        for listener in ears():
            listener.arrived(node, g)
        here.rule = node.order
        event = Event(node.name, "backward", perf_counter(), 0.0, node.order, -1, threading.get_ident())

    for listener in ears():
        listener.started([node for node, _ in seeds])
    try:
        return _plain_run(seeds, create_graph, watch=watch, **options)
    finally:
        close()
        here.rule = -1
        here.event = here.result = None
        for listener in ears():
            listener.finished()


# -- on and off -------------------------------------------------------------------------------------------------------
def _make_room() -> None:
    for listener in _listening:
        if len(listener.births) > listener._limit:
            listener.forget()


def _install(listener: Listener, on: bool) -> None:
    """Put the functions that tell in the place of those that do not, or these back."""
    global _listening
    with _lock:
        was, heard = bool(_listening), bool(hearers)
        _listening = (*[t for t in _listening if t is not listener], *((listener,) if on else ()))
        hearers[:] = [t for t in _listening if t.hears]
        if was != bool(_listening):  # births are noted before those who hear are told of them
            graph.tell(_born, not was)
        Module.__call__ = _called if hearers or any(t.modules for t in _listening) else _plain_call  # type: ignore[assignment,method-assign]
        backward._run = _run if _listening else _plain_run
        if not _listening:
            _trees.clear()
        if heard != bool(hearers):
            hear(not heard)


__all__ = ["NOBODY", "Call", "Event", "Listener", "here", "line_of"]
