"""Activation checkpointing: forget what a part of the graph saved, and compute it again when backward gets there."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from ..backend.random import generator
from ..errors import GraphError
from . import node as graph
from .mode import _Mode, recording, surroundings
from .node import Node, version
from .tensor import Tensor


class _Segment:
    """One checkpointed call: how to run it again, and the nodes whose saved arrays that gives back."""

    __slots__ = ("call", "inputs", "places", "random", "size", "surroundings")

    def __init__(self, call: Callable[[], list[Tensor]], inputs: list[tuple], random: dict):
        self.call, self.inputs, self.random, self.surroundings = call, inputs, random, surroundings()
        self.places: list[Any] = []
        self.size = 0

    def recompute(self) -> None:
        stream = generator()
        now = stream.state
        stream.state = self.random
        try:
            start = graph.birth()
            with ExitStack() as stack:
                for context in (*self.surroundings, _Mode(True)):
                    stack.enter_context(context)
                outputs = self.call()
        finally:
            stream.state = now
        fresh = _born_since(start, outputs)
        if len(fresh) != self.size or any(p is not None and p.op is not n.op for p, n in zip(self.places, fresh, strict=True)):
            raise GraphError(
                "checkpoint: the recomputation recorded other operations than the first run; the function must do the same each time"
            )
        for place, node in zip(self.places, fresh, strict=True):
            if place is not None:
                place.arrays, place.since = node.saved, node.order


class _Forgotten:
    """Stands in a node's ``saved``: the arrays come back by running the segment again."""

    __slots__ = ("arrays", "op", "segment", "since")

    def __init__(self, segment: _Segment, op: Any):
        self.segment, self.op, self.arrays, self.since = segment, op, None, 0

    def restore(self, node: Node) -> tuple:
        if self.arrays is None:
            self.segment.recompute()
        arrays, self.arrays = self.arrays, None
        assert arrays is not None
        graph.check_unwritten(node, arrays, self.since)  # since they were computed again, that is
        return arrays


def _born_since(start: int, outputs: list[Tensor]) -> list[Node]:
    seen: set[Node] = set()
    stack = [t.node for t in outputs if t.node is not None]
    while stack:
        n = stack.pop()
        if n in seen or n.order < start or n.op is None:
            continue
        seen.add(n)
        stack += [p for p in n.parents if p is not None]
    return sorted(seen, key=lambda n: n.order)


def checkpoint(f: Callable, *args: Any, **kwargs: Any) -> Any:
    """``f(*args, **kwargs)``, keeping only its inputs: what its backward needs is computed again when it is needed.

    The result, its gradients, gradients of tensors that ``f`` closes over, and higher orders are those of a plain call. Random
    operations of minigrad repeat their draws. ``f`` runs twice, so it must not have other effects and must record the same
    operations both times.

    Raises:
        GraphError: in backward, if the second run records other operations.

    Source:
        Chen et al., "Training deep nets with sublinear memory cost", 2016.

    Example:
        >>> import minigrad as mg
        >>> x = mg.tensor([1.0, 2.0], requires_grad=True)
        >>> mg.autograd.checkpoint(lambda t: (t * t).exp(), x).sum().backward()
        >>> [round(v, 3) for v in x.grad.tolist()]
        [5.437, 218.393]
    """
    if not recording():
        return f(*args, **kwargs)
    before = generator().state
    start = graph.birth()
    y = f(*args, **kwargs)

    def tensors(out: Any) -> list[Tensor]:
        items = out if isinstance(out, (tuple, list)) else [out]
        return [t for t in items if isinstance(t, Tensor)]

    inputs = [(a, a.data, version(a.data)) for a in (*args, *kwargs.values()) if isinstance(a, Tensor)]

    def again() -> list[Tensor]:
        for t, data, count in inputs:
            if t.data is not data or version(data) != count:
                raise GraphError(
                    f"checkpoint: an input of shape {t.shape} was overwritten before backward, so the function cannot be run again; "
                    "use the out-of-place form, or clone() the input"
                )
        return tensors(f(*args, **kwargs))

    segment = _Segment(again, inputs, before)
    nodes = _born_since(start, tensors(y))
    segment.size = len(nodes)
    for n in nodes:
        bare = all(not hasattr(v, "dtype") for v in n.saved)
        place = None if bare else _Forgotten(segment, n.op)
        segment.places.append(place)
        if place is not None:
            n.saved = place
    return y
