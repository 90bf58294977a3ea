"""The gradients on the way back through a graph that stays as it is: nothing is freed, no hook is called, no leaf is touched."""

from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..autograd.engine import _leading_to, toposort
from ..autograd.node import Node
from ..autograd.steps import chain
from ..backend import generator, namespace, to_device
from ..errors import DTypeError, GraphError
from ..viz.trace import trace, traces
from .observer import Place, placed


def walk(output: Tensor, targets: Collection[Node] | None = None) -> Iterator[tuple[Node, Any, list[tuple[Node, int, Any]]]]:
    """Each node, youngest first, with its gradient and what it hands on: ``(parent, position, gradient)``.

    With ``targets``, only what leads to one of them is visited.
    """
    root: Any = output.node
    wanted = None if targets is None else _leading_to(targets, toposort([root]))
    for node, g, handed, _ in chain(root, namespace(type(output.data)).ones(output.shape, output.dtype), True, False, wanted):
        yield node, g, [h[:3] for h in handed]


def freed(output: Tensor) -> bool:
    """Whether backward has gone through the graph of a tensor and let go of what it needs."""
    return any(n.op is not None and n.saved is None for n in toposort([output.node]))  # type: ignore[list-item]


def norm(g: Any) -> float:
    """The Euclidean norm of a gradient, that of all together where an op has several outputs; NaN and infinity show."""
    parts = [to_device(v, "cpu") for v in (g if isinstance(g, (list, tuple)) else (g,)) if v is not None]
    with np.errstate(all="ignore"):
        return float(np.sqrt(sum([np.sum(np.abs(np.asarray(v, "complex128" if v.dtype.kind == "c" else "float64")) ** 2) for v in parts])))


def place(node: Node) -> Place:
    """Where a node was made, as far as a trace noted it."""
    return next((placed(t, t.births[node.order]) for t in traces() if node.order in t.births), Place())


def graph_of(who: str, output: Any, time: bool = False) -> Tensor:
    """A tensor whose graph is still whole: the one that is given, or what a function returns, which then runs traced.

    Raises:
        GraphError: it has no graph, or backward has freed it.
    """
    if not isinstance(output, Tensor):
        with trace(time=time):
            output = computed(who, output)
    if output.node is None:
        raise GraphError(f"{who}: the loss has no graph; was it computed under no_grad, or from constants only?")
    if freed(output):
        raise GraphError(f"{who}: backward has freed this graph; look before backward(), or call backward(retain_graph=True)")
    return output


def computed(who: str, loss: Callable[[], Tensor]) -> Tensor:
    """What a function returns; the random stream is afterwards where it was.

    Raises:
        DTypeError: that is no Tensor, or there is nothing to call.
    """
    if not callable(loss):
        raise DTypeError(f"{who}: expected a loss, or a function that returns it, got {type(loss).__name__}")
    stream = generator()
    before = stream.state
    try:
        found = loss()
    finally:
        stream.state = before
    if not isinstance(found, Tensor):
        raise DTypeError(f"{who}: the function must return the loss, a Tensor, got {type(found).__name__}")
    return found
