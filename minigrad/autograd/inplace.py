"""Writes in place: the memory changes, and the graph records what it now holds.

A write to a tensor gives it a new node. A write through a view gives the tensor it is a view of (its root) a node that says: this
region is now that value, the rest is what it was; the views on the way are then taken again from there. Nodes keep what they saved:
what the write itself needs of the old values is copied before, and whatever else saved the memory is found out when backward comes
to use it (see ``node.check_fresh``), as are other views that were taken before the write and used after it.
"""

import sys
from collections.abc import Sequence
from typing import Any

from ..backend.arrays import Array, holder
from ..errors import DTypeError, GraphError, ShapeError
from .conform import cast
from .forms import apply, general
from .mode import recording
from .node import Node, arrays_in, needed, stamp, stamp_all
from .op import record
from .tensor import Tensor, raw

_getrefcount = getattr(sys, "getrefcount", lambda _: 99)
RANK = {"b": 0, "u": 1, "i": 1, "f": 2, "V": 2, "c": 3}
"""Kinds of dtypes in the order in which one can hold the other up to precision (V: bfloat16 and the float8s)."""


def _replay(x: Any, chain: tuple) -> Any:
    """The region of ``x`` that a chain of views leads to."""
    for f, how in chain:
        x = f(x, how)
    return x


def _clear(xp: Any, x: Any, chain: tuple) -> Any:
    """A copy of x with a region, reached by a chain of views, set to zero."""
    x = xp.array(x, order="C")
    region = _replay(x, chain)
    if holder(region) is x:
        region[...] = 0
    else:  # a reshape that is a view of the tensor written to, but a copy here, where the same values lie otherwise in memory
        places = _replay(xp.arange(x.size).reshape(x.shape), chain)
        x.reshape(-1)[places.reshape(-1)] = 0
    return x


def clear(x: Any, chain: tuple) -> Any:
    return apply(CLEAR, (x,), chain)


CLEAR = general(_clear, lambda g, chain: clear(g, chain), name="clear")
WRITE = general(
    lambda xp, base, value, chain: base,
    lambda g, chain: clear(g, chain),
    lambda g, chain: _replay(g, chain),
    name="write",
    doc="A tensor after a region of it, reached by a chain of views, was overwritten: the value's gradient is that of the region.",
)


# -- what may be written ----------------------------------------------------------------------------------------------
def roots(t: Tensor) -> list[Tensor]:
    """``t``, the tensor it is a view of, and so on to the one that is a view of none."""
    path = [t]
    while t.link is not None and t.link.base is not None:
        t = t.link.base
        path.append(t)
    return path


def check_writable(t: Tensor, by: str) -> None:
    """Raise GraphError where a write would falsify the graph or cannot reach the memory."""
    if (t.node is not None or t.link is not None) and recording():
        path = roots(t)
        if any(v.node is not None and v.node.op is None for v in path):
            raise GraphError(
                f"{by}: a leaf that requires grad cannot be changed in place while operations are recorded; "
                "do it under no_grad(), or on a clone()"
            )
        if t.node is None and any(v.node is not None for v in path):
            raise GraphError(
                f"{by}: this view was taken under no_grad() of a tensor that is part of a graph; "
                "take it again while operations are recorded"
            )
    if not getattr(getattr(t.data, "flags", None), "writeable", True):
        raise GraphError(f"{by}: the tensor's memory is read-only (a broadcast view, or an array that is locked); clone() it first")


def check_fits(t: Tensor, value: Any, by: str) -> None:
    """Raise ShapeError or DTypeError where ``value`` cannot become what ``t`` holds."""
    if tuple(value.shape) != t.shape:
        raise ShapeError(f"{by}: in place, the result must keep shape {t.shape}, got {tuple(value.shape)}; use the out-of-place form")
    check_cast(value.dtype, t.dtype, by)


def check_cast(source: Any, target: Any, by: str) -> None:
    """Raise DTypeError where a cast loses more than precision: complex to real, floating to integer, numbers to booleans."""
    if RANK.get(source.kind, 9) > RANK.get(target.kind, 9):
        raise DTypeError(
            f"{by}: {source} values cannot be written into a {target} tensor; cast them with astype, or use the out-of-place form"
        )


def stamp_buffers(buffers: Sequence[Any], by: str) -> None:
    """Note that what a layer keeps, Tensors or arrays, was overwritten; where a Tensor alone holds its array, nobody can have seen that."""
    owners, seen = [], False
    for t in buffers:
        if isinstance(t, Tensor) and _getrefcount(t.data) <= 2 and getattr(t.data, "base", None) is None:
            owners.append(t.data)
        else:
            owners.append(holder(raw(t)))
            seen = True
    stamp_all(owners, by, seen)


# -- the write --------------------------------------------------------------------------------------------------------
def overwrite(t: Tensor, value: Any, by: str, since: int) -> Tensor:
    """Write ``value``, a Tensor or array, into the memory of ``t`` and let the graph know. Returns ``t``.

    ``since`` is a birth: the nodes of ``value`` that are younger belong to this write. Call ``check_writable`` before computing.

    Raises:
        ShapeError: the value does not have the shape of ``t``.
        DTypeError: the cast would lose more than precision.
    """
    check_fits(t, value, by)
    node = value.node if isinstance(value, Tensor) else None
    keep_old(node, t.data, since)
    t.data[...] = raw(value)
    if node is not None and node.dtype != t.dtype:
        node = cast(value, t.dtype).node
    rebind(t, node, by, since)
    return t


def keep_old(node: Node | None, a: Array, since: int) -> None:
    """Before ``a`` is overwritten: copy the parts of it that nodes born since have saved and will ask for; drop the others."""
    owner = holder(a)
    copies: dict[int, Any] = {}
    stack, seen = [node], set()
    while stack:
        n = stack.pop()
        if n is None or n.order < since or n in seen or type(n.saved) is not tuple:
            continue
        seen.add(n)
        used = needed(n)
        n.saved = tuple([_kept(v, owner, copies, used is None or i in used) for i, v in enumerate(n.saved)])
        stack += n.parents


def _kept(value: Any, owner: Array, copies: dict[int, Any], wanted: bool) -> Any:
    if type(value) is tuple:
        return tuple([_kept(v, owner, copies, wanted) for v in value])
    if not any(holder(v) is owner for v in arrays_in(value)):
        return value
    if wanted and id(value) not in copies:
        copies[id(value)] = value.copy()
    return copies[id(value)] if wanted else None


def rebind(t: Tensor, node: Node | None, by: str, since: int) -> None:
    """Note a write that has happened: ``node`` says what ``t`` now is (None: a constant), and its root and views follow."""
    path = roots(t)
    root = path[-1]
    chain = tuple([(v.link.f, v.link.how) for v in path[-2::-1]])
    graph = recording() and any(n is not None for n in (node, t.node, root.node))
    if graph and (chain or node is None or node.order < since):  # a node that others know too must not become this tensor's own
        old = root.node if chain or node is None else None
        node = record(WRITE, (old, node), root.data, (root.data, t.data), (chain,)).node
    moment = stamp(t.data, by)  # after the node of this write and before those of the views taken again
    if not graph:
        return
    was_constant = root.node is None
    root.node = node
    if root.link is not None and root.link.writes is not None:
        root.link.writes.orders.append(moment)
    for base, v in zip(path[:0:-1], path[-2::-1], strict=True):
        _take_again(v, base)
    if was_constant:
        for v in reversed(path):
            _bring_along(v)


def _take_again(v: Tensor, base: Tensor) -> None:
    """Let the view ``v`` be that of what ``base`` is now."""
    again = v.link.f(base, v.link.how)
    v.node = again.node
    v.link.writes = again.link.writes


def _bring_along(x: Tensor) -> None:
    """``x`` was a constant and is part of a graph now: so are the views that were taken of it."""
    if x.link is None or x.link.views is None:
        return
    views, x.link.views = x.link.views, None
    for v in [ref() for ref in views]:
        if v is not None and v.node is None and v.link is not None and v.link.base is x:
            _take_again(v, x)
            _bring_along(v)
