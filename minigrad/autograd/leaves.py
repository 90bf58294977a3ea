"""What happens to a gradient that has arrived: the user's convention, its own memory, the sum in ``.grad``."""

import sys
import threading
from typing import Any

import numpy as np

from .conform import add, conj
from .node import Node, Watch
from .tensor import Tensor, raw, wrap

_accumulation = threading.Lock()
_getrefcount = getattr(sys, "getrefcount", lambda _: 99)


def flipped(g: Any) -> Any:
    """Between the engine's convention for complex gradients and the user's; real ones pass."""
    return conj(g) if g.dtype.kind == "c" else g


def own(g: Any) -> Tensor:
    """A gradient as a Tensor whose memory nobody else holds."""
    if isinstance(g, Tensor):
        return g if g.node is not None else wrap(g.data.copy(), None)
    if isinstance(g, np.generic):
        return wrap(np.asarray(g), None)
    return wrap(g.copy(), None)


def deposit(leaf: Node, g: Any, create_graph: bool = False) -> None:
    """Add a finished gradient to a leaf's ``.grad``."""
    g = flipped(g)
    watch = leaf.watch
    if watch is None:
        watch = leaf.watch = Watch()
    with _accumulation:
        old = watch.grad
        if old is None:
            # 3 references: this frame's, the caller's and getrefcount's own; more, or a view, and someone could see a change
            mine = not isinstance(g, Tensor) and getattr(g, "base", 1) is None and _getrefcount(g) <= 3 and g.flags.writeable
            watch.grad = wrap(g, None) if mine else own(g)
        elif create_graph or old.node is not None:
            watch.grad = add(old, g if isinstance(g, Tensor) else wrap(g, None))
        else:
            old.data += raw(g)
    for hook, ref in list(watch.post.values()):
        t = ref()
        if t is not None:
            hook(t)
