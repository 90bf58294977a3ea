"""What there is to draw: nodes and edges, read off the live graph without touching it."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..autograd.engine import toposort
from ..autograd.node import Node
from ..autograd.op import OUTPUT
from ..autograd.tensor import Tensor
from ..errors import DTypeError, GraphError


@dataclass(frozen=True)
class Box:
    """One node: an op that ran, or a leaf."""

    id: int
    kind: str
    """``op``, ``param`` (a leaf with a name), ``input`` (one without) or ``output`` (an op whose result was asked for)."""
    op: str
    name: str
    shape: tuple
    dtype: str
    saved_bytes: int
    grad: str
    """``shape`` of the gradient that is there, or ``-``: a leaf that has none is not a leaf whose gradient is 0."""


@dataclass(frozen=True)
class Edge:
    """From what was computed first to what used it."""

    src: int
    dst: int


@dataclass
class Record:
    """Nodes in the order of their birth, and the edges between them.

    Example:
        >>> import minigrad as mg
        >>> x = mg.tensor(2.0, requires_grad=True)
        >>> r = mg.viz.record(x * x)
        >>> len(r.boxes), len(r.edges)
        (2, 2)
    """

    boxes: list[Box] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Nodes and edges as plain dicts and lists, with the version of their layout."""
        return {"version": 1, "nodes": [asdict(b) for b in self.boxes], "edges": [asdict(e) for e in self.edges]}


def record(outputs: Tensor | Iterable[Tensor], params: Any = None) -> Record:
    """The graph behind some tensors. Draws nothing, computes nothing, keeps nothing alive.

    Args:
        outputs: one tensor or several.
        params: names of leaves: a Module, a mapping of names to tensors, or pairs.

    Raises:
        GraphError: the tensors have no graph.
    Example:
        >>> import minigrad as mg
        >>> x = mg.tensor(2.0, requires_grad=True)
        >>> [box.op for box in mg.viz.record((x * x).exp(), {"x": x}).boxes]
        ['leaf', 'multiply', 'exp']
    """
    ys = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    for y in ys:
        if not isinstance(y, Tensor):
            raise DTypeError(f"graph: expected Tensors, got {type(y).__name__}")
        if y.node is None:
            raise GraphError("graph: this tensor does not require grad, so nothing was recorded; was it computed under no_grad?")
    names: dict[Any, str] = {t.node: name for name, t in named(params) if t.node is not None}
    names.update({y.node: y.name for y in ys if y.name})
    roots: set[Any] = {y.node for y in ys}
    places: dict[Node, int] = {}
    out = Record()
    for node in toposort(roots):
        if node.op is OUTPUT:  # one of several results of an op: the op stands for it
            places[node] = places[node.parents[0]]
            continue
        k = places[node] = len(out.boxes)
        out.boxes.append(_box(k, node, names.get(node, ""), node in roots))
        out.edges += [Edge(places[p], k) for p in node.parents if p is not None]
    return out


def named(params: Any) -> list[tuple[str, Tensor]]:
    """Pairs of name and tensor, from a Module, a mapping or pairs."""
    if params is None:
        return []
    if hasattr(params, "named_parameters"):
        return list(params.named_parameters())
    return list(params.items()) if isinstance(params, Mapping) else list(params)


def _box(k: int, node: Node, name: str, is_root: bool) -> Box:
    kind = ("param" if name else "input") if node.op is None else "output" if is_root else "op"
    many = isinstance(node.dtype, tuple)
    held = {id(v): v.nbytes for v in node.saved or () if hasattr(v, "nbytes")} if type(node.saved) is tuple else {}
    grad = node.watch.grad if node.watch is not None else None
    return Box(
        id=k,
        kind=kind,
        op=node.name,
        name=name,
        shape=tuple(node.shape),
        dtype=", ".join(map(str, node.dtype)) if many else str(node.dtype),
        saved_bytes=sum(held.values()),
        grad="-" if grad is None else str(tuple(grad.shape)),
    )
