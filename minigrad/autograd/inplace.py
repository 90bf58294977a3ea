"""Writes in place: the memory changes, and the graph records what it now holds.

A write to a tensor gives it a new node; a write through a view gives the tensor it is a view of a new node too, and takes the view
again from there. Arrays that nodes saved before are checked when they are used (see ``node.check_fresh``).
"""

from typing import Any

from ..backend import is_inexact
from ..errors import DTypeError, GraphError, ShapeError
from .mode import recording
from .node import Node, stamp
from .op import general, record
from .tensor import Tensor, raw, wrap


def _replay(x: Any, chain: tuple) -> Any:
    for f, how in chain:
        x = f(x, how)
    return x


def _clear(xp: Any, x: Any, chain: tuple) -> Any:
    """A copy of x with a region, reached by a chain of views, set to zero."""
    x = xp.array(x, copy=True, order="C")
    _replay(x, chain)[...] = 0
    return x


CLEAR = general(_clear, lambda g, chain: clear(g, chain), name="clear")
WRITE = general(
    lambda xp, base, value, chain: base,
    lambda g, chain: clear(g, chain),
    lambda g, chain: _replay(g, chain),
    name="write_through_view",
    doc="A tensor after a region of it, reached by a chain of views, was overwritten.",
)


def clear(x: Any, chain: tuple) -> Any:
    from .op import apply

    return apply(CLEAR, (x,), chain)


def overwrite(t: Tensor, value: Tensor | Any, by: str, where: Any = ...) -> Tensor:
    """Write ``value`` into the memory of ``t`` and let the graph know: ``t`` now is what ``value`` is. Returns ``t``.

    Raises:
        GraphError: ``t`` is a leaf that requires grad and operations are recorded.
        ShapeError: the value does not fit.
        DTypeError: the cast would lose more than precision.
    """
    check_writable(t, by)
    check_fits(t, value, by)
    data = raw(value)
    if data.dtype.kind == "c" != t.dtype.kind or (is_inexact(data.dtype) and not is_inexact(t.dtype)):
        raise DTypeError(f"{by}: a {data.dtype} result cannot be written into a {t.dtype} tensor; use the out-of-place form")
    t.data[...] = data
    node = value.node if isinstance(value, Tensor) else None
    if node is not None and node.dtype != t.dtype:
        from .conform import cast

        node = cast(value, t.dtype).node
    rebind(t, node, by)
    return t


def check_writable(t: Tensor, by: str) -> None:
    node = t.node
    root = t
    while root.link is not None and root.link.base is not None:
        root = root.link.base
    if recording() and any(n is not None and n.op is None for n in (node, root.node)):
        raise GraphError(
            f"{by}: a leaf that requires grad cannot be changed in place while operations are recorded; do it under no_grad(), or on a clone()"
        )
    if not getattr(getattr(t.data, "flags", None), "writeable", True):
        raise GraphError(f"{by}: the tensor's memory is read-only (a broadcast view, or an array that is locked); clone() it first")


def check_fits(t: Tensor, value: Any, by: str) -> None:
    if tuple(value.shape) != t.shape:
        raise ShapeError(f"{by}: in place, the result must keep shape {t.shape}, got {tuple(value.shape)}; use the out-of-place form")


def rebind(t: Tensor, node: Node | None, by: str) -> None:
    """Stamp a write that has happened, and make ``node`` the node of ``t`` (and, through its views, of what it is a view of)."""
    moment = stamp(t.data, by)
    chain: list[tuple] = []
    root = t
    while root.link is not None and root.link.base is not None:
        chain.append((root.link.f, root.link.how))
        root = root.link.base
    if not recording() or (node is None and t.node is None and root.node is None):
        return
    if root.link is not None and root.link.writes is not None:
        root.link.writes.orders.append(moment)
    if not chain:
        t.node = node
        return
    steps = tuple(reversed(chain))
    root.node = record(WRITE, (root.node, node), root.data, (root.data, t.data), (steps,)).node
    again = _replay(root, steps)
    t.node, t.link = again.node, again.link


def kept_apart(t: Tensor) -> Tensor:
    """``t`` as an operand of a write to itself: its values, copied where a rule might need the old ones."""
    return wrap(t.data.copy(), t.node)
