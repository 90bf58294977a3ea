"""The graph: nodes that point to their parents, and what is known of arrays that were overwritten."""

import sys
import weakref
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count
from typing import Any

import numpy as np

from ..backend.arrays import Array, holder
from ..errors import GraphError

ndarray = np.ndarray
birth: Callable[[], int] = count().__next__
"""The clock of the graph: a node is younger than all it depends on, so birth order is a topological order."""


class Node:
    """One application of an op, or a leaf (``op is None``).

    It holds no Tensor and points only to its parents, so dropping the loss frees everything by reference counting.
    ``parents[i]`` is None where no gradient is wanted; ``saved`` is what the op's rules asked to keep, None once freed.
    Parents are kept in ``first`` and ``second``, or if there may be more of them in the tuple ``several``, which is else None: a tuple
    in each node would be a second object for Python's collector of cycles to walk over, again and again while a graph grows.
    ``watch`` holds what the user asked for: a gradient, hooks.

    Example:
        >>> import minigrad as mg
        >>> x = mg.tensor([1.0], requires_grad=True)
        >>> y = (x * 2).exp()
        >>> y.grad_fn.name, [p.name for p in y.grad_fn.parents]
        ('exp', ['multiply'])
    """

    __slots__ = ("__weakref__", "dtype", "first", "op", "order", "saved", "second", "several", "shape", "watch")

    op: Any
    first: "Node | None"
    second: "Node | None"
    several: tuple | None
    saved: Any
    shape: Any
    dtype: Any
    order: int
    watch: "Watch | None"

    @property
    def name(self) -> str:
        """The op's name, or "leaf"."""
        return "leaf" if self.op is None else self.op.name

    @property
    def parents(self) -> tuple:
        """The nodes of the op's inputs."""
        if self.several is not None:
            return self.several
        return (self.first,) if self.op.inputs == 1 else (self.first, self.second)

    @property
    def next_functions(self) -> tuple:
        """The parents, as PyTorch calls them."""
        return self.parents

    def __repr__(self) -> str:
        return f"<{self.name} node {self.shape} {self.dtype}>"


def make_node(op: Any, parents: tuple, saved: Any, shape: Any, dtype: Any) -> Node:
    """A node born now. (A function, as a class with ``__init__`` takes twice as long to call; the hottest forms write it out.)"""
    node = Node()
    node.op = op
    node.several = parents
    node.saved = saved
    node.shape = shape
    node.dtype = dtype
    node.order = birth()
    node.watch = None
    return node


def make_child(op: Any, parent: Node, saved: Any, shape: Any, dtype: Any) -> Node:
    """A node born now to an op of one input."""
    node = Node()
    node.op = op
    node.first = parent
    node.several = None
    node.saved = saved
    node.shape = shape
    node.dtype = dtype
    node.order = birth()
    node.watch = None
    return node


class Watch:
    """What the user asked of a node: its gradient (every leaf's), functions of its gradient, functions to call when a leaf has it."""

    __slots__ = ("grad", "hooks", "next_key", "post", "retain")

    def __init__(self) -> None:
        self.grad: Any = None
        self.hooks: dict[int, Callable] = {}
        self.post: dict[int, tuple[Callable, Any]] = {}
        self.retain = False
        self.next_key = 0

    def add(self, table: dict, hook: Any) -> "Handle":
        """Register a hook; what comes back removes it."""
        self.next_key += 1
        table[self.next_key] = hook
        return Handle(table, self.next_key)


class Handle:
    """What a registered hook is removed by."""

    def __init__(self, table: dict, key: int):
        self._table, self._key = table, key

    def remove(self) -> None:
        """Unregister the hook; a second time does nothing."""
        self._table.pop(self._key, None)


# -- writes in place --------------------------------------------------------------------------------------------------
class Write:
    """The latest in-place write to one array's memory: when, by which op, the how many-th, and where in the source."""

    __slots__ = ("by", "count", "order", "ref", "where")

    def __init__(self, ref: Any, by: str, count: int, order: int, where: str):
        self.ref, self.by, self.count, self.order, self.where = ref, by, count, order, where


writes: dict[int, Write] = {}
"""By id of the owning array. An entry goes when the array does."""
last_write = -1
"""Birth order of the latest write: nodes born later need no check, which is all of them in a usual training step."""
sources: dict[int, str] | None = None
"""Source line by node order while anomaly detection is on."""
tellers: list[Callable[[float], str]] = []
"""Who else may know the source line of a node or write, by its birth."""


def stamp(a: Array, by: str) -> int:
    """Note that the memory of ``a`` was overwritten now, by the op named ``by``; returns when that was."""
    return stamp_all((holder(a),), by)


def stamp_all(owners: Sequence[Array], by: str, seen: bool = True) -> int:
    """``stamp`` for arrays that own their memory and were overwritten together.

    If they were not ``seen``, as nobody held them but their tensors, no graph can have saved them: the write is counted, and no node
    need be checked for its sake.
    """
    global last_write
    order = birth()
    where = sources.get(order, "") if sources is not None else ""
    for owner in owners:
        key = id(owner)
        old = writes.get(key)
        if old is None:
            writes[key] = Write(weakref.ref(owner, partial(_forget, key)), by, 1, order, where)
        else:
            old.by, old.count, old.order, old.where = by, old.count + 1, order, where
    if seen:
        last_write = order
    return order


def _forget(key: int, _: Any) -> None:
    writes.pop(key, None)


def version(a: Array) -> int:
    """How often the memory of ``a`` was overwritten by minigrad."""
    known = writes.get(id(holder(a)))
    return 0 if known is None else known.count


def check_unwritten(node: Node, saved: tuple, since: int) -> None:
    """Raise GraphError if an array that ``node`` saved at the time ``since``, and will need, was overwritten later."""
    for i, value in enumerate(saved):
        kind = type(value)
        if kind in PLAIN or (kind is tuple and not _holds(value)):
            continue
        if kind is ndarray:  # nearly always unwritten, and quickly told
            known = writes.get(id(value if value.base is None else holder(value)))
            if known is None or known.order <= since:
                continue
        for a in arrays_in(value):
            known = writes.get(id(holder(a)))
            if known is not None and known.order > since and ((used := needed(node)) is None or i in used):
                at = f" ({known.where})" if known.where else where(known.order)
                raise GraphError(
                    f"backward: {node.name}{where(node.order)} saved an array of shape {tuple(a.shape)} that "
                    f"{known.by}{at} has overwritten since (now at version {known.count}); "
                    "use the out-of-place form, or clone() before the write"
                )


def check_fresh(node: Node, saved: tuple, youngest: int) -> None:
    """Raise GraphError if an array that ``node`` saved was overwritten since, or if a view was used after its base was.

    ``youngest`` is the birth of the youngest node that used the output of ``node``.
    """
    born = node.order
    check_unwritten(node, saved, born)
    for value in saved:
        if type(value) is Cell and value.orders and any(born < w < youngest for w in value.orders):
            raise GraphError(
                f"backward: a view ({node.name}{where(node.order)}) was used{where(youngest)} after the tensor it is a view of "
                "had been changed in place; take the view again after the write"
            )


PLAIN = frozenset({type(None), int, float, bool, str})
"""What ops save besides arrays, mostly."""


def needed(node: Node) -> set[int] | None:
    """Which of the things that a node saved its rules will ask for, given which of its inputs want a gradient; None: any of them."""
    if node.op.rules is None:
        return None
    used: set[int] = set()
    for parent, need in zip(node.parents, node.op.needs, strict=False):
        if parent is not None:
            used.update(need)
    return used


def arrays_in(value: Any) -> Iterator[Array]:
    """The arrays in something saved: itself, or those in a tuple."""
    if type(value) is tuple:
        for v in value:
            if type(v) not in PLAIN:
                yield from arrays_in(v)
    elif hasattr(value, "dtype") and hasattr(value, "shape"):
        yield value


def _holds(values: tuple) -> bool:
    """Whether something in a tuple, or in tuples in it, may be an array."""
    for v in values:
        kind = type(v)
        if kind not in PLAIN and (kind is not tuple or _holds(v)):
            return True
    return False


def where(order: int) -> str:
    """`` (file:line)`` of the node or write of this birth, if anomaly detection or a trace noted it."""
    line = (sources or {}).get(order, "") or next(filter(None, [f(order) for f in tellers]), "")
    return f" ({line})" if line else ""


class Cell:
    """Shared by a tensor and its views: the births of the recorded writes to their memory."""

    __slots__ = ("orders",)

    def __init__(self) -> None:
        self.orders: list[int] = []


class Link:
    """What ties a tensor to others: the tensor it is a view of and how, the writes they share; and the name the user gave it."""

    __slots__ = ("base", "f", "how", "name", "views", "writes")

    base: Any
    f: Any
    how: Any
    writes: Cell | None
    name: str | None
    views: list[Any] | None


def make_link(base: Any = None, f: Any = None, how: Any = None, writes: Cell | None = None) -> Link:
    """A link; a function for the same reason as ``make_node``."""
    link = Link()
    link.base = base
    link.f = f
    link.how = how
    link.writes = writes
    link.name = link.views = None
    return link


def follow(x: Any, t: Any) -> None:
    """Let the constant tensor ``x`` know its view ``t``: a recorded write to ``x`` must bring both into the graph."""
    link = x.link
    if link is None:
        link = x.link = make_link()
    views = link.views
    if views is None:
        views = link.views = []
    elif not len(views) & (len(views) - 1):  # at 1, 2, 4, 8 ...: forget those that are gone, so that the list stays short
        views[:] = [v for v in views if v() is not None]
    views.append(weakref.ref(t))


def caller() -> str:
    """``file:line`` of the innermost frame outside this package."""
    frame = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").startswith("minigrad."):
        frame = frame.f_back  # type: ignore[assignment]
    return "" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"


_clock = birth
_told: tuple[Callable[[int], Any], ...] = ()


def tell(f: Callable[[int], Any], on: bool) -> None:
    """Call ``f(order)`` at each birth from now on, or (``on=False``) no more; costs nothing while nobody is told."""
    global birth, _told
    _told = (*[g for g in _told if g != f], *((f,) if on else ()))
    birth = _announced if _told else _clock


def _announced() -> int:
    order = _clock()
    for f in _told:
        f(order)
    return order


def trace_sources(on: bool) -> None:
    """Start or stop noting the source line of every node and write; costs nothing while it is off."""
    global sources
    if not on:
        sources = None
    elif sources is None:
        sources = {}
    tell(_note_source, on)


def _note_source(order: int) -> None:
    if sources is not None:  # another thread may just have stopped it
        sources[order] = caller()
