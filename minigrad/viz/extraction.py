"""The record of a live graph: read off its nodes without touching them."""

import functools
import inspect
import linecache
import sys
from collections.abc import Iterable, Iterator
from math import prod
from textwrap import dedent
from typing import Any

import numpy as np

from ..autograd.engine import toposort
from ..autograd.function import Context
from ..autograd.node import PLAIN, Node, needed
from ..autograd.op import OUTPUT, THEN, Op, known
from ..autograd.steps import named_leaves, rule_texts
from ..autograd.tensor import Tensor
from ..backend.arrays import holder
from ..backend.devices import device_of
from ..errors import DTypeError, GraphError
from ..nn.module.hooks import Gate
from ..nn.parameter import Uninitialized
from .hearing import unheard
from .listening import NOBODY
from .record import Box, Edge, Record, written
from .scopes import settle
from .statistics import FEW, measure, text
from .trace import traces

MODES = ("forward", "backward", "both")
SMALL = 30
"""Boxes of a graph in which the few numbers that are at hand are written out."""


def record(outputs: Tensor | Iterable[Tensor], params: Any = None, mode: str = "forward", formulas: bool = False) -> Record:
    """The graph behind some tensors. Records no op, changes nothing, keeps nothing alive.

    Boxes of the tape come first, in the order of their birth; then, in the order in which backward gets there, a box of kind ``grad``
    for each op that hands gradients on, and for each leaf that is given one. Every edge leads from an earlier box to a later one.
    What a ``trace`` has noted of the nodes is added: modules, lines, statistics, seconds; and which ops were recorded by a backward
    pass with ``create_graph``, and for the sake of which op. Up to 30 boxes also have the values and local derivatives that are at hand,
    where these are a few numbers.

    Args:
        outputs: one tensor or several.
        params: names of leaves: a Module, a mapping of names to tensors, or pairs.
        mode: ``"forward"``: the tape; ``"backward"``: the way back over it; ``"both"``.
        formulas: write the sentence and the rules of its op into each box; see ``formula``.

    Raises:
        GraphError: the tensors have no graph.
    Example:
        >>> import minigrad as mg
        >>> x = mg.tensor(2.0, requires_grad=True)
        >>> [box.op for box in mg.viz.record((x * x).exp(), {"x": x}).boxes]
        ['leaf', 'multiply', 'exp']
        >>> r = mg.viz.record((x * x).exp(), mode="both")
        >>> [box.op for box in r.boxes], [(e.src, e.dst) for e in r.edges if e.role == "saved"]
        (['leaf', 'multiply', 'exp', 'd_exp', 'd_multiply', 'grad'], [(2, 3), (0, 4)])
    """
    if mode not in MODES:
        raise ValueError(f"graph: mode must be one of {', '.join(map(repr, MODES))}, got {mode!r}")
    ys = list(outputs) if isinstance(outputs, Iterable) and not isinstance(outputs, Tensor) else [outputs]
    if not ys:
        raise GraphError("graph: expected one Tensor or more, got none")
    for y in ys:
        if not isinstance(y, Tensor):
            raise DTypeError(f"graph: expected Tensors, got {type(y).__name__}")
        if y.node is None:
            raise GraphError("graph: this tensor does not require grad, so nothing was recorded; was it computed under no_grad?")
    found = _Extraction(ys, named_leaves(params))
    if mode != "forward":
        found.mirror()
    out = found.finished(mode == "backward")
    if formulas:
        for box in out.boxes:
            box.formula = formula(box.op)
    return out


def located(output: Tensor, params: Any = None) -> tuple[Record, dict[Node, int]]:
    """The record of the tape of a tensor, and the ids of the boxes in which its nodes are drawn."""
    found = _Extraction([output], named_leaves(params))
    return found.finished(False), found.places


def formula(op: str) -> str:
    """What the op of a box does, and its gradient rules as they stand in the source.

    Example:
        >>> from minigrad.viz.extraction import formula
        >>> print(formula("d_tanh"))
        Hyperbolic tangent.
        x: g * (1 - y**2)
    """
    name = op.partition("_")[2] if op not in known and op[0] == "d" else op
    return _formula(known[name][-1]) if name in known else ""


@functools.cache
def _formula(it: Op) -> str:
    texts = [f"{(*it.names, 'x')[i + 1]}: {text}" if i >= 0 else text for i, text in rule_texts(it).items()]
    if hasattr(it, "composed") and linecache.getlines(it.composed.__code__.co_filename):  # what it is, of ops
        texts.append(dedent(inspect.getsource(it.composed)))
    return "\n".join([" ".join(it.doc.partition("\n\n")[0].split()), *texts]).strip()


_text = functools.cache(str)


# -- what a node keeps ------------------------------------------------------------------------------------------------
def kept(value: Any) -> Iterator[Any]:
    """The arrays that something saved keeps alive: itself, those in a tuple, list or dict, in a Function's context, in a checkpoint."""
    if type(value) in PLAIN:
        return
    if isinstance(value, Tensor):
        yield value.data
    elif hasattr(value, "nbytes"):
        yield value
    elif hasattr(value, "segment"):
        yield from kept(value.arrays)
        yield from kept([data for _, data, _ in value.segment.inputs])
    elif isinstance(value, (tuple, list, dict, Context)):
        for v in value if isinstance(value, (tuple, list)) else (value if isinstance(value, dict) else vars(value)).values():
            yield from kept(v)


def _needs(node: Node) -> tuple[bool, list[Node]]:
    """What the rules of a node need of the way there: whether its own output, or what it computed beside it; and which inputs."""
    op, saved, parents = node.op, node.saved, node.parents
    if op.rules is not None or op.needs:
        used = needed(node) if op.rules is not None else op.needs[0]
        used = [i for i in used or () if op.keep[i]]
        return 0 in used, [p for i, p in enumerate(parents, 1) if i in used and p is not None]
    if hasattr(op, "slopes"):  # all inputs, and what the kernel has left for them
        return type(saved) is not tuple or len(saved) > len(op.names), [p for p in parents if p is not None]
    if type(saved) is not tuple:
        return False, []
    items = [item for item in saved[1][1].items if item is not None]  # of a Function
    return any(type(v) is int or inner for v, _, inner in items), [n for _, n, _ in items if n is not None]


def _stands_for(node: Node) -> Node | None:
    """The node that is drawn in the place of one that belongs to the engine: one of several outputs, a stand-in, a hook's gate."""
    if node.op is not OUTPUT:
        return node.parents[0] if node.op is THEN else None
    whole = node.parents[0]
    if not _is_gate(whole):
        return whole
    return whole.parents[1 + (node.saved[2] if node.saved is not None else node.order - whole.order - 1)]  # its outputs come right after


def _is_gate(node: Node) -> bool:
    return node.op is not None and node.op is Gate.__dict__.get("_the_op")


# -- the extraction ---------------------------------------------------------------------------------------------------
class _Extraction:
    """A record in the making: the boxes of the tape at once, the way back if it is asked for."""

    def __init__(self, ys: list[Tensor], params: list[tuple[str, Tensor]]):
        self.out = Record()
        self.boxes, self.notes = self.out.boxes, traces()
        known = [*[pair for t in reversed(self.notes) for pair in t.parameters()], *params, *[(y.name, y) for y in ys]]
        self.values: dict[Node, Any] = {t.node: t.data for _, t in known if t.node is not None and not isinstance(t, Uninitialized)}
        self.names = {order: name for t in reversed(self.notes) for order, name in t.leaves.items()}
        self.names |= {t.node.order: written(str(name)) for name, t in known if t.node is not None and name}
        self.nodes: list[Node] = []
        self.places: dict[Node, int] = {}
        self.seen: set[int] = set()
        """Memory that was counted, by the id of its owner."""
        roots = {y.node for y in ys if y.node is not None}
        self.roots = {self._drawn(n) for n in roots}
        for node in toposort(roots):
            self._place(node)
        self._devices()
        by_birth = {n.order: k for n, k in self.places.items()}
        for node, box in zip(self.nodes, self.boxes, strict=True):
            self._note(node, box, by_birth)
        if len(self.nodes) <= SMALL:
            self._label()
        self.calls = settle(self.out, self.nodes, self.notes)

    def _drawn(self, node: Node) -> Node:
        while (other := _stands_for(node)) is not None:
            node = other
        return node

    def _place(self, node: Node) -> None:
        """Give a node a box, or that of the node which is drawn in its place."""
        drawn = self._drawn(node)
        if drawn is not node:
            self.places[node] = self.places[drawn]
        elif not _is_gate(node):
            k = self.places[node] = len(self.nodes)
            self.nodes.append(node)
            self.boxes.append(self._box(k, node))
            self.out.edges += [Edge(self.places[p], k) for p in node.parents if p is not None]

    def _box(self, k: int, node: Node) -> Box:
        many = isinstance(node.dtype, tuple)
        shapes, dtypes = (node.shape, node.dtype) if many else ((node.shape,), (node.dtype,))
        size, saved = 0, node.saved
        for a in kept(saved):
            owner = holder(a)
            if id(owner) not in self.seen:
                self.seen.add(id(owner))
                size += owner.nbytes
        if type(saved) is tuple and node.op is not None and node.op.inputs:
            for v, p in zip(saved, (node, *node.parents), strict=False):  # values that are there to be seen
                if p is not None and hasattr(v, "nbytes"):
                    self.values.setdefault(p, v)
        name = self.names.get(node.order, "")
        return Box(
            id=k,
            kind=("param" if name else "input") if node.op is None else "output" if node in self.roots else "op",
            op=node.name,
            name=name,
            shape=tuple(node.shape),
            dtype=", ".join(map(_text, dtypes)),
            saved_bytes=size,
            bytes=sum([prod(s) * d.itemsize for s, d in zip(shapes, dtypes, strict=True)]),
        )

    def _note(self, node: Node, box: Box, by_birth: dict[int, int]) -> None:
        """What is known of a node besides: its gradient, its value where that is at hand, and what traces have noted."""
        order, leaf, grad = node.order, node.op is None, node.watch.grad if node.watch is not None else None
        few, found = len(self.nodes) <= SMALL, {}  # type: bool, dict[str, Any]
        if grad is not None:
            box.grad = str(tuple(grad.shape))
            if few and grad.size <= FEW:
                found["grad_value"] = text(grad.data)
        for t in self.notes:
            if few and not leaf and (copy := t.copy(order)) is not None:
                self.values.setdefault(node, copy)
            arrived, value = t.stats(order, "grad_"), self.values.get(node)
            of_value = t.stats(order) if not leaf else measure(value) if arrived and value is not None else {}
            found = {**of_value, **arrived, **found}
            box.time = t.seconds.get((order, ""), box.time)
            box.source = box.source or t.line(order)
            rule = t.births.get(order, NOBODY)[2]
            if rule >= 0 and box.pair < 0:
                box.order, box.pair = 1, by_birth.get(rule, -1)
                while (rule := t.births.get(rule, NOBODY)[2]) >= 0:
                    box.order += 1
        value = self.values.get(node)
        if few and value is not None and value.size <= FEW and tuple(value.shape) == box.shape:
            found["value"] = text(value)
        if box.pair >= 0:
            box.source = self.boxes[box.pair].source
        box.stats = found or None

    def _devices(self) -> None:
        """A node is where its arrays are; one that keeps none where its inputs are, or where it is used."""
        at = [self.values.get(n) if n.watch is None or n.watch.grad is None else n.watch.grad.data for n in self.nodes]
        place = ["" if a is None else "cpu" if type(a) is np.ndarray else str(device_of(a)) for a in at]
        stays = [(e.src, e.dst) for e in self.out.edges if self.boxes[e.dst].op != "to_device"]
        for src, dst in stays:
            place[dst] = place[dst] or place[src]
        for src, dst in reversed(stays):
            place[src] = place[src] or place[dst]
        for box, name in zip(self.boxes, place, strict=True):
            box.device = name or "cpu"

    def _label(self) -> None:
        """Write the local derivative to each input: what the rule makes of ones, where it sums nothing up."""
        inputs = iter(self.out.edges)
        for node, box in zip(self.nodes, self.boxes, strict=True):
            op, parents = node.op, node.parents
            whole = type(node.saved) is tuple
            saved = node.saved if whole else [self.values.get(n) for n in (node, *parents)]  # after backward, what is known from elsewhere
            small = box.device == "cpu" and (box.bytes == getattr(node.dtype, "itemsize", 0) or getattr(op, "elementwise", False))
            rules = {i: (rule, need) for i, rule, need in op.rules} if op is not None and op.rules is not None and small else {}
            for i, parent in enumerate(parents):
                if parent is None:
                    continue
                edge, (rule, need) = next(inputs), rules.get(i, (None, None))
                known = need is None or whole or (type(need) is int and need < len(saved) and saved[need] is not None)
                if rule is not None and known and prod(parent.shape) <= FEW // 2 and prod(node.shape) <= FEW // 2:
                    ones = np.ones(node.shape, node.dtype)
                    with unheard(), np.errstate(all="ignore"):
                        edge.label = text(np.asarray(rule(ones) if need is None else rule(ones, saved[need])))

    # -- the way back -------------------------------------------------------------------------------------------------
    def mirror(self) -> None:
        """Add the boxes in which backward computes gradients, and what leads to them."""
        boxes, edges, places = self.boxes, self.out.edges, self.places
        users: list[list[int]] = [[] for _ in self.nodes]
        for e in edges:
            users[e.src].append(e.dst)
        back: dict[int, int] = {}
        repeated: set[int] = set()
        for i in range(len(self.nodes) - 1, -1, -1):
            node, box = self.nodes[i], boxes[i]
            k = back[i] = len(boxes)
            order = box.order + 1
            op = "grad" if node.op is None else f"d{order if order > 1 else ''}_{box.op}"
            seconds = next((t.seconds[node.order, "grad_"] for t in self.notes if (node.order, "grad_") in t.seconds), None)
            boxes.append(Box(k, "grad", op, box.name, box.shape, box.dtype, grad=box.grad, scope=box.scope, order=order, pair=i))
            boxes[k].device, boxes[k].bytes, boxes[k].time = box.device, box.bytes, seconds
            role = "accum" if node.op is None else "grad"
            edges += [Edge(back[u], k, role) for u in reversed(users[i])]
            if node.op is None:
                continue
            segment = getattr(node.saved, "segment", None)
            if segment is None:
                own, inputs = _needs(node)
            else:  # of a checkpoint: what it was called with is what its youngest node needs
                own, inputs = False, [] if id(segment) in repeated else [t.node for t, _, _ in segment.inputs if t.node is not None]
                repeated.add(id(segment))
            needs = [i] * own + [places[p] for p in inputs if p in places]
            edges += [Edge(p, k, "saved") for p in dict.fromkeys(needs)]

    def finished(self, back_only: bool) -> Record:
        """The record, with what is to be said of the whole."""
        out, n = self.out, len(self.nodes)
        if back_only:
            for box in self.boxes[n:]:
                pair = self.boxes[box.pair]
                box.stats = {k: v for k, v in (pair.stats or {}).items() if k.startswith("grad_")} or None
                box.id, box.pair, box.source = box.id - n, -1, pair.source
            out.edges = [Edge(e.src - n, e.dst - n, e.role) for e in out.edges if e.src >= n]
        out.meta = {
            "minigrad": sys.modules[__name__.partition(".")[0]].__version__,
            "ops": sum([node.op is not None for node in self.nodes]),
            "saved_bytes": sum([box.saved_bytes for box in self.boxes]),
            "calls": [{"inputs": i, "outputs": o} for i, o in self.calls],
        }
        seconds = [box.time for box in self.boxes if box.time is not None]
        if seconds:
            out.meta["seconds"] = sum(seconds)
        if back_only:
            out.boxes = out.boxes[n:]
        return out


__all__ = ["formula", "kept", "located", "record"]
