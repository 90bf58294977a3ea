"""When memory runs out: what asked for it, how full the device is, and what the graphs hold, op by op."""

import gc
from types import TracebackType
from typing import Any

from ..backend.arrays import holder
from ..backend.devices import device_of, occupied
from ..errors import OutOfMemoryError
from .node import Node, arrays_in, where

MOST = 5
"""How many ops the error lists, those that hold most."""


def held(place: Any) -> list[tuple[str, int, int]]:
    """``(op, arrays, bytes)`` of what the nodes of all graphs keep on a device for their backward pass, the most bytes first.

    All graphs that are alive are looked at, whoever holds them: a loss that was kept from an earlier step counts too. Memory that
    several nodes share is counted once, for the first of them.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.autograd.shortage import held
        >>> y = mg.ones(1000, requires_grad=True).exp()
        >>> ("exp", 1, 4000) in held("cpu")
        True
    """
    found: dict[str, list[int]] = {}
    seen: set[int] = set()
    nodes = [n for n in gc.get_objects() if type(n) is Node and type(n.saved) is tuple]
    for node in sorted(nodes, key=lambda n: n.order):
        for a in arrays_in(node.saved):
            owner = holder(a)
            if id(owner) not in seen and device_of(owner) == place:
                seen.add(id(owner))
                entry = found.setdefault(node.name, [0, 0])
                entry[0] += 1
                entry[1] += owner.nbytes
    return sorted(((name, n, size) for name, (n, size) in found.items()), key=lambda item: -item[2])


def out_of_memory(who: str, error: BaseException, came: str, a: Any = None) -> OutOfMemoryError:
    """The error for memory that ran out while ``who`` computed with ``came``; ``a`` is an array on the device that is full."""
    place = device_of(a)
    parts = [f"{who}: out of memory on {place}" + (f": {came}" if came else ""), " ".join(str(error).split()) or type(error).__name__]
    if full := occupied(a):
        parts.append(full)
    if tape := held(place):
        total = sum(size for _, _, size in tape)
        most = ", ".join([f"{name} {_size(size)} in {n} array{'s' * (n > 1)}" for name, n, size in tape[:MOST]])
        parts.append(
            f"graphs keep {_size(total)} for backward: {most}" + (f", and {len(tape) - MOST} ops less" if len(tape) > MOST else "")
        )
        parts.append(
            "take a smaller batch, autograd.checkpoint() parts of the net, use no_grad() where no gradient is wanted, keep no loss"
        )
    else:
        parts.append("no graph keeps anything for backward; take a smaller batch, or drop arrays that are no longer needed")
    return OutOfMemoryError("; ".join(parts))


def node_at_work(traceback: TracebackType | None, code: Any) -> Node | None:
    """The node whose rule raised: the local ``node`` of the frame that runs ``code``, the engine's loop."""
    found = None
    while traceback is not None:
        if traceback.tb_frame.f_code is code:
            found = traceback.tb_frame.f_locals.get("node")
        traceback = traceback.tb_next
    return found


def in_backward(error: MemoryError, code: Any, g: Any) -> MemoryError:
    """The error for memory that ran out in a backward pass; ``g`` is a gradient that it began with."""
    node = node_at_work(error.__traceback__, code)
    if node is None or isinstance(error, OutOfMemoryError):
        return error
    return out_of_memory(f"backward of {node.name}{where(node.order)}", error, f"got a gradient of shape {node.shape}", g)


def _size(n: int) -> str:
    """Bytes in words."""
    return f"{n / 2**30:.2f} GiB" if n >= 2**30 else f"{n / 2**20:.1f} MiB" if n >= 2**20 else f"{n} bytes"


__all__ = ["held", "in_backward", "node_at_work", "out_of_memory"]
