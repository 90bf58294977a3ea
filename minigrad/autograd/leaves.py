"""What happens to a gradient that has arrived: the user's convention, its own memory, the sum in ``.grad``."""

import sys
import threading
from typing import Any

import numpy as np

from .conform import add, conj
from .node import Node, Watch
from .tensor import Tensor, raw, wrap

ndarray = np.ndarray
_accumulation = threading.Lock()
_getrefcount = getattr(sys, "getrefcount", lambda _: 99)


def flipped(g: Any) -> Any:
    """Between the engine's convention for complex gradients and the user's; real ones pass."""
    return conj(g) if g.dtype.kind == "c" else g


def own(g: Any, held: int) -> Tensor:
    """A gradient as a Tensor whose memory nobody else holds: taken over where only ``held`` references are left, else copied."""
    if type(g) is ndarray and g.base is None:  # nearly always
        return wrap(g if _getrefcount(g) <= held + 2 else g.copy(), None)  # this frame's and the argument's
    if isinstance(g, Tensor):
        return g if g.node is not None else wrap(g.data.copy(), None)
    if isinstance(g, np.generic):
        return wrap(np.asarray(g), None)
    return wrap(g if _alone(g, held + 2) else g.copy(), None)  # and this frame's, and the one below


def _alone(g: Any, held: int) -> bool:
    """Whether nobody else can see a change of ``g``: by its reference count, and that of the array it is a whole view of."""
    if _getrefcount(g) > held + 1:
        return False
    base = getattr(g, "base", g)
    if base is None:
        return True
    whole = type(base) is type(g) and base.base is None and base.size == g.size and _getrefcount(base) <= 3
    return whole and getattr(g.flags, "writeable", True)  # a broadcast view is not


def deposit(leaf: Node, g: Any, create_graph: bool = False) -> None:
    """Add a finished gradient to a leaf's ``.grad``."""
    if g.dtype.kind == "c":
        g = conj(g)
    watch = leaf.watch
    if watch is None:
        watch = leaf.watch = Watch()
    with _accumulation:
        old = watch.grad
        if old is None:
            watch.grad = own(g, 2)  # the caller's reference and this frame's
        elif create_graph or old.node is not None:
            watch.grad = add(old, g if isinstance(g, Tensor) else wrap(g, None))
        else:
            old.data += raw(g)
    if watch.post:
        for hook, ref in list(watch.post.values()):
            t = ref()
            if t is not None:
                hook(t)
