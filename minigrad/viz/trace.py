"""Notes on a graph while it grows, for drawing and explaining it."""

import weakref
from itertools import count
from typing import Any

import numpy as np

from ..autograd import node as graph
from ..autograd.node import Node
from ..autograd.tensor import raw
from ..backend.arrays import is_array
from .listening import Event, Listener
from .statistics import look, worked_out

ROOM = 1 << 26
"""Bytes of small arrays and samples that are kept, as they pass, to be measured when they are asked for; then they are measured at once."""
_serial = count()
_known: "weakref.WeakSet[trace]" = weakref.WeakSet()
_latest: list["trace"] = []
"""The one that ended last is kept, for those who gave it no name and draw after its end."""


class trace(Listener):
    """Take notes while a graph is made, for drawing and explaining it; of all threads.

    Args:
        source: the line of your code that made each node.
        modules: the call of a module that it was made in, with shapes; names of parameters.
        values: statistics of each node's value and of the gradient that arrives there.
        time: how long kernels and rules took.

    The notes hold numbers and lines, no tensors. They stay while the trace object does, and those of the latest trace until the next.

    Example:
        >>> import minigrad as mg
        >>> net = mg.nn.Sequential(mg.nn.Linear(2, 3), mg.nn.ReLU())
        >>> with mg.viz.trace():
        ...     y = net(mg.ones((1, 2))).sum()
        >>> r = mg.viz.record(y)
        >>> [scope.name or scope.cls for scope in r.scopes]
        ['', 'Sequential', '0', '1']
        >>> [(box.name or box.op, r.scopes[box.scope].name) for box in r.boxes]
        [('0.weight', '0'), ('0.bias', '0'), ('linear', '0'), ('relu', '1'), ('sum', '')]
    """

    def __init__(self, source: bool = True, modules: bool = True, values: bool = False, time: bool = False):
        for name, wanted in (("source", source), ("modules", modules), ("values", values), ("time", time)):
            if not isinstance(wanted, bool):
                raise TypeError(f"trace: {name} must be True or False, got {wanted!r}")
        super().__init__()
        self.source, self.modules, self.values, self.time = source, modules, values, time
        self.hears = values or time
        self.serial = next(_serial)
        self.seconds: dict[tuple[int, str], float] = {}
        """By birth and way: "" of the kernel, "grad_" of the rules."""
        self._stats: dict[tuple[int, str], Any] = {}
        self._told: dict[tuple[int, str], dict[str, Any]] = {}
        self._room = ROOM

    def __enter__(self) -> "trace":
        _latest.clear()
        _known.add(self)
        return super().__enter__()

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        _latest[:] = [self]

    def line(self, order: float) -> str:
        """``file:line`` of the user's code that made the node born then, as far as that was noted."""
        return super().line(order) if self.source else ""

    def copy(self, order: int) -> Any:
        """The value of the node born then, if it is small and was seen."""
        seen = self._stats.get((order, ""))
        return seen[0] if type(seen) is tuple and seen[2] is None else None

    def stats(self, order: int, way: str = "") -> dict[str, Any]:
        """Statistics of the value of the node born then; with ``way="grad_"`` of the gradient that arrived there."""
        key = (order, way)
        if key in self._stats and key not in self._told:
            found = self._stats[key]
            found = worked_out(found) if type(found) is tuple else found
            self._told[key] = {way + k: float(f"{v:.6g}") if type(v) is float else v for k, v in found.items()}
        return self._told.get(key, {})

    # -- what is heard ------------------------------------------------------------------------------------------------
    def born(self, order: int, event: Event | None, value: Any) -> None:
        if self.time and event is not None:
            self.seconds[order, ""] = event.seconds
        if self.values and value is not None:
            self._see((order, ""), value)

    def arrived(self, node: Node, g: Any) -> None:
        if type(g) is list:  # of an op of several outputs
            g = next((v for v in g if v is not None), None)
        if self.values and g is not None:
            self._see((node.order, "grad_"), raw(g))

    def passed(self, event: Event) -> None:
        if self.time:
            self.seconds[event.order, "grad_"] = event.seconds

    def _see(self, key: tuple[int, str], a: Any) -> None:
        seen = look(a if is_array(a) else np.asarray(a))
        self._room -= seen[0].nbytes
        self._stats[key] = seen if self._room > 0 else worked_out(seen)
        self._told.pop(key, None)

    def forget(self) -> set[int]:
        alive = super().forget()
        for notes in (self.seconds, self._stats, self._told):
            for key in [k for k in list(notes) if k[0] not in alive]:  # type: ignore[call-overload]
                del notes[key]  # type: ignore[attr-defined]
        self._room = ROOM - sum([v[0].nbytes for v in list(self._stats.values()) if type(v) is tuple])
        return alive


def traces() -> list[trace]:
    """All whose notes are still there, the latest first."""
    return sorted(_known, key=lambda t: -t.serial)


graph.tellers.append(lambda order: next(filter(None, [t.line(order) for t in traces()]), ""))  # for errors about writes in place

__all__ = ["trace", "traces"]
