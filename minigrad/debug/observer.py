"""What those who watch a program run have in common: where in it they are, and what they know of arrays."""

import functools
import threading
import weakref
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, NamedTuple

from ..autograd.node import Node
from ..backend.arrays import holder
from ..viz.listening import NOBODY, Event, Listener, here, line_of


class Place(NamedTuple):
    """Where in the program an op ran: the user's line, and the module, by its name and class."""

    line: str = ""
    module: str = ""

    def __str__(self) -> str:
        return " in ".join([text for text in self if text]) or "an unknown line"


class Observer(Listener):
    """A ``with`` block in which each op that this thread runs is seen. With nobody watching there is nothing of it."""

    hears = True

    def __enter__(self) -> Any:
        self.stack = ExitStack()
        self.thread = threading.get_ident()
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        self.stack.close()
        super().__exit__(*error)

    def swap(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        """Until the end, ``owner.name`` is ``make(what it was)``."""
        _swap(owner, name, make, True)
        self.stack.callback(_swap, owner, name, make, False)

    def heard(self, event: Event, args: tuple, y: Any) -> None:
        if event.way == "forward":
            self.ran(event, args[1:] if args and isinstance(args[0], type) else args, y)

    def ran(self, event: Event, args: tuple, y: Any) -> None:
        """An op ran that is no part of a backward pass: its kernel made ``y`` of ``args``."""

    # -- where one is
    def here(self) -> Place:
        """The place of what runs now; on the way back, that of the op whose rules run."""
        at = here()
        return placed(self, self.births.get(at[2], NOBODY) if at[2] >= 0 else at)

    def place(self, node: Node) -> Place:
        """Where a node was made."""
        return placed(self, self.births.get(node.order, NOBODY))


def placed(listener: Listener, note: tuple) -> Place:
    """The place that a note of a listener's is about."""
    call = listener.calls.get(note[0])
    return Place(line_of(note[1]), "" if call is None else label(call))


def label(call: Any) -> str:
    """A module as ``name (class)``; an outermost one as its class."""
    return f"{call.name} ({call.cls})" if call.name else call.cls


class Tags:
    """Something known of arrays, by the memory that they lie in; forgotten with it."""

    def __init__(self) -> None:
        self.known: dict[int, tuple[Any, Any]] = {}

    def __setitem__(self, a: Any, tag: Any) -> None:
        owner = holder(a)
        key = id(owner)
        self.known[key] = (weakref.ref(owner, lambda _: self.known.pop(key, None)), tag)

    def get(self, a: Any) -> Any:
        """The tag of an array, or None."""
        found = self.known.get(id(holder(a)))
        return None if found is None else found[1]


def arrays(values: Any) -> list[Any]:
    """The arrays among the arguments of a kernel, in their order."""
    flat = values if isinstance(values, (tuple, list)) else (values,)
    return [
        a for v in flat for a in (arrays(v) if type(v) in (tuple, list) else [v] if hasattr(v, "dtype") and hasattr(v, "shape") else [])
    ]


def outputs(result: Any) -> list[Any]:
    """The arrays that a kernel gives, without what it keeps for its slopes."""
    return arrays(result[0] if type(result) is tuple and result and type(result[-1]) is tuple else result)


_swapped: dict[tuple[Any, str], tuple[Any, list]] = {}
"""What was swapped, with all who did: they may end in any order, in any thread."""
_lock = threading.Lock()


def _swap(owner: Any, name: str, make: Callable[[Any], Any], on: bool) -> None:
    with _lock:
        original, makers = _swapped.setdefault((owner, name), (vars(owner)[name], []))
        (makers.append if on else makers.remove)(make)
        setattr(owner, name, functools.reduce(lambda f, wrapped: wrapped(f), makers, original))
        if not makers:
            del _swapped[owner, name]
