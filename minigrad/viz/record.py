"""What there is to draw: nodes and edges, and what is known of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import GraphError


@dataclass(slots=True)
class Box:
    """One node: an op that ran, a leaf, or a gradient that is computed on the way back."""

    id: int
    kind: str
    """``op``, ``param`` (a leaf with a name), ``input`` (one without), ``output`` (an op whose result was asked for) or ``grad`` (an
    op's gradients being computed, or the gradient that a leaf is given)."""
    op: str
    name: str
    shape: tuple
    dtype: str
    saved_bytes: int = 0
    """Bytes that the node keeps alive for the way back, memory shared with an older node not counted again."""
    grad: str = "-"
    """``shape`` of the gradient that is there, or ``-``: a leaf that has none is not a leaf whose gradient is 0."""
    scope: int = 0
    """Which call of a module made it: an index into ``Record.scopes``."""
    order: int = 0
    """0: computed going forward; 1: on the way back; 2: on the way back through that; and so on."""
    pair: int = -1
    """Of a box of order k > 0: the box of order k - 1 whose gradients it computes; -1: none."""
    device: str = "cpu"
    bytes: int = 0
    """Size of what it computed."""
    time: float | None = None
    """Seconds that its kernel took, where that was measured."""
    source: str = ""
    """``file:line`` of the user's code, where lines were noted."""
    formula: str = ""
    """The op's sentence, and its gradient rules as they stand in the source."""
    stats: dict[str, Any] | None = None
    """Of its value: norm, least, greatest, mean, zeros, nan, inf (shares from 0 to 1), histogram [counts]; of the gradient that
    arrived there the same with ``grad_`` in front; ``value`` and ``grad_value`` themselves, as text, where they are a few numbers."""


@dataclass(slots=True)
class Edge:
    """From what was computed first to what used it."""

    src: int
    dst: int
    role: str = "data"
    """``data`` (an input), ``grad`` (a gradient handed on), ``saved`` (what the way back needs of the way there), ``accum``
    (into a leaf)."""
    label: str = ""
    """Of an input in a small graph: the local derivative, where that is a few numbers."""


@dataclass(slots=True)
class Scope:
    """One call of a module; the first scope is the whole graph."""

    id: int
    parent: int
    """-1 for the whole."""
    name: str
    """Its dotted name from the outermost module that was called, as in ``state_dict``."""
    cls: str
    """The module's class."""
    call: int = 0
    """The how many-th call of this module it is, from 0."""
    alike: str = ""
    """Equal for scopes of the same structure: the same ops, shapes and wiring inside, whatever the names."""


@dataclass
class Record:
    """Nodes in the order of their birth, the edges between them, and the calls of modules that they were made in.

    Example:
        >>> import minigrad as mg
        >>> x = mg.tensor(2.0, requires_grad=True)
        >>> r = mg.viz.record(x * x)
        >>> len(r.boxes), len(r.edges)
        (2, 2)
    """

    boxes: list[Box] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    scopes: list[Scope] = field(default_factory=lambda: [Scope(0, -1, "", "")])
    meta: dict[str, Any] = field(default_factory=dict)
    """Of the whole: version of minigrad, how many ops, bytes kept, seconds; what was noted while it was computed."""

    def to_dict(self) -> dict[str, Any]:
        """Nodes, edges and scopes as plain dicts and lists, with the version of their layout."""
        parts: dict[str, list[Any]] = {"nodes": self.boxes, "edges": self.edges, "scopes": self.scopes}
        return {"version": 2, **{k: [{f: getattr(v, f) for f in v.__slots__} for v in vs] for k, vs in parts.items()}, "meta": self.meta}

    def marks(self) -> dict[int, str]:
        """Of a comparison: by box, whether it was ``added``, ``removed`` or ``changed``."""
        diff = self.meta.get("diff", {})
        return {int(b): kind for kind in ("added", "removed", "changed") for b in diff.get(kind, ())}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Record":
        """The record that ``to_dict`` wrote, perhaps by way of JSON.

        Raises:
            GraphError: it is of another version, or none.
        """
        if data.get("version") != 2:
            raise GraphError(
                f"Record: expected a graph of version 2, as Graph.save('graph.json') writes, got version {data.get('version')!r}"
            )
        boxes = [Box(**{**b, "shape": _tuples(b["shape"])}) for b in data["nodes"]]
        return cls(boxes, [Edge(**e) for e in data["edges"]], [Scope(**s) for s in data["scopes"]], dict(data["meta"]))


def shaped(shape: tuple) -> str:
    """A shape, or several, for people: 8×16."""
    if shape and isinstance(shape[0], tuple):
        return " ".join([shaped(s) for s in shape])
    return "×".join(map(str, shape)) if shape else "scalar"


def written(name: str) -> str:
    """A name on one line, that every format can hold: of what is no letter or sign, the code."""
    return name if name.isprintable() else "".join([c if c.isprintable() else ascii(c)[1:-1] for c in name])


def _tuples(shape: Any) -> Any:
    return tuple([_tuples(s) for s in shape]) if isinstance(shape, (list, tuple)) else shape


__all__ = ["Box", "Edge", "Record", "Scope", "shaped", "written"]
