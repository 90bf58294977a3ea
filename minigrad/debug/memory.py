"""What a graph keeps for its way back: by op, module and line; how high memory rises; what checkpointing would save."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..autograd.engine import toposort
from ..autograd.node import Node
from ..autograd.op import OUTPUT
from ..autograd.steps import rule_texts
from ..backend.arrays import holder
from ..nn.summary import in_bytes, table
from ..viz.extraction import kept
from ..viz.trace import traces
from .flow import graph_of, place
from .observer import Place

MOST = 20
"""Rows of a table."""


@dataclass(frozen=True)
class Held:
    """What the nodes of one op, made at one line in one module, keep: how many nodes, and bytes, shared ones at the oldest node only."""

    op: str
    place: Place
    nodes: int
    bytes: int


@dataclass(frozen=True)
class Block:
    """What ``autograd.checkpoint`` would do for one call of a module: bytes no longer kept, ops (and seconds, if measured) run twice."""

    module: str
    saves: int
    ops: int
    seconds: float | None


@dataclass(frozen=True)
class MemoryReport:
    """What ``memory_report`` found, in bytes: ``held`` by the graph alone, ``shared`` with leaves and data, the ``peak`` of a step."""

    held: int
    shared: int
    peak: int
    peak_at: str
    rows: tuple[Held, ...]
    blocks: tuple[Block, ...]
    repeats: bool = False
    """Whether the graph has checkpoints, which compute again, on the way back, what the rest of their ops keeps."""

    def __str__(self) -> str:
        def line(r: Any) -> tuple:
            return r.op, str(r.nodes), in_bytes(r.bytes), f"{r.bytes / max(self.held, 1):.0%}", str(r.place)

        def block(b: Any) -> tuple:
            time = "-" if b.seconds is None else f"{b.seconds * 1e3:.2f} ms"
            return b.module, in_bytes(b.saves), f"{b.saves / max(self.held, 1):.0%}", str(b.ops), time

        out = [
            f"The graph keeps {in_bytes(self.held)} for the way back, and {in_bytes(self.shared)} of parameters and data, there anyway.",
            f"Memory rises to {in_bytes(self.peak)} above those, {self.peak_at}, not counting what kernels need while they run"
            f"{' and what checkpoints compute again' if self.repeats else ''}.",
        ]
        if self.rows:
            out.append(table(("op", "nodes", "bytes", "share", "where"), list(map(line, self.rows[:MOST])), (0, 4)))
        if len(self.rows) > MOST:
            out.append(f"and {len(self.rows) - MOST} more rows, {in_bytes(sum(r.bytes for r in self.rows[MOST:]))} together")
        if worth := [b for b in self.blocks if b.saves > 0.01 * self.held]:
            head = ("autograd.checkpoint of", "saves", "share", "ops twice", "time")
            out.append(table(head, list(map(block, worth[:MOST]))))
        return "\n\n".join(out)


def memory_report(loss: Tensor | Callable[[], Tensor]) -> MemoryReport:
    """What the graph of a loss keeps in memory for its way back, and how high memory rises in a step.

    Args:
        loss: a function that computes the loss, which is run once, traced; or a tensor whose graph backward has not freed, of which
            modules and lines are known if it was made within ``with mg.viz.trace():``.

    Returns:
        A MemoryReport, whose text is a table, most bytes first.

    Raises:
        GraphError: there is no graph, or backward has freed it.
    Numerics: bytes are those of the arrays; the peak is reckoned from the order in which arrays come and go, forward and backward,
        each let go of as soon as nothing needs it.
    Example:
        >>> import minigrad as mg
        >>> net = mg.nn.Sequential(mg.nn.Linear(8, 64), mg.nn.Tanh(), mg.nn.Linear(64, 1))
        >>> report = mg.debug.memory_report(lambda: net(mg.ones((100, 8))).mean())
        >>> report.held, [(row.op, row.place.module, row.bytes) for row in report.rows]
        (25600, [('tanh', '1 (Tanh)', 25600)])
    """
    kept = _Kept(toposort([graph_of("memory_report", loss, time=True).node]))  # type: ignore[list-item]
    sums: dict[tuple[str, Place], list] = {}
    for key, node in kept.first.items():
        if key not in kept.given:
            row = sums.setdefault((node.name, place(node)), [set(), 0])
            row[0].add(node)
            row[1] += kept.size[key]
    rows = sorted([Held(op, at, len(nodes), n) for (op, at), (nodes, n) in sums.items()], key=lambda r: -r.bytes)
    peak, node, way = kept.peak()
    at = f"on the way {way} at {node.name} ({place(node)})"
    shared = sum([kept.size[k] for k in kept.given])
    repeats = any(hasattr(n.saved, "segment") for n in kept.nodes)
    return MemoryReport(sum(r.bytes for r in rows), shared, peak, at, tuple(rows), tuple(_blocks(kept)), repeats)


class _Kept:
    """Which memory each node keeps: of each array that it saved, the array that owns it, by its id."""

    def __init__(self, nodes: list[Node]):
        self.nodes = nodes
        self.first: dict[int, Node] = {}
        self.size: dict[int, int] = {}
        self.of: dict[Node, set[int]] = {}
        self.output: dict[Node, int] = {}  # where somebody keeps it
        self.given: set[int] = set()  # memory of leaves and constants, which is there whether a graph keeps it or not
        for node in nodes:
            self.of[node] = set()
            for a, maker, result in _kept_by(node) if node.op is not None else ():
                owner = holder(a)
                key = id(owner)
                self.of[node].add(key)
                self.size[key] = owner.nbytes
                self.first.setdefault(key, node)
                if maker is None or maker.op is None:
                    self.given.add(key)
                elif result:
                    self.output.setdefault(maker, key)
        self.given -= set(self.output.values())

    def peak(self) -> tuple[int, Node, str]:
        """The most memory at once, and the node where that is, there or back."""
        waiting = Counter([p for n in self.nodes if n.op is not None for p in n.parents])
        live, seen, best = 0, set(self.given), (0, self.nodes[-1], "there")
        for node in self.nodes:
            if node.op is None:
                continue
            new = (self.of[node] | {self.output.get(node, -1)}) - seen - {-1}
            seen |= new
            live += sum([self.size[k] for k in new]) + (0 if node in self.output else _computed(node))
            best = max(best, (live, node, "there"), key=lambda b: b[0])
            for p in node.parents:
                waiting[p] -= 1
                if p is not None and p.op is not None and not waiting[p] and p not in self.output:
                    live -= _computed(p)  # nobody keeps it
        keepers = Counter([k for n in self.nodes for k in self.of[n]])
        gradients = {self.nodes[-1]: 0}
        for node in reversed(self.nodes):
            if node not in gradients or node.op is None:
                continue
            rules = rule_texts(node.op)
            for i, p in enumerate(node.parents):
                if p is None or p in gradients:
                    continue
                rule, size = rules.get(i, rules.get(-1, "")), _size(p)
                if (rule == "g" or "cell" in node.op.names) and size == gradients[node]:  # the same array goes on
                    gradients[node] = 0
                elif rule.startswith("spread("):  # a view of one number
                    gradients[p] = 0
                    continue
                else:
                    live += size
                gradients[p] = size
            best = max(best, (live, node, "back"), key=lambda b: b[0])
            live -= gradients[node]
            for k in self.of[node]:
                keepers[k] -= 1
                live -= self.size[k] if not keepers[k] and k not in self.given else 0
        return best


def _kept_by(node: Node) -> Iterator[tuple[Any, Node | None, bool]]:
    """The arrays that a node keeps, which node made each (None: no node), and whether as its result rather than beside it."""
    saved, makers = node.saved, {}  # type: Any, dict[int, Node | None]
    if type(saved) is not tuple:
        if hasattr(saved, "segment"):  # of a checkpoint
            yield from [(data, t.node, True) for t, data, _ in saved.segment.inputs]
        return
    if node.op.whole is not None and hasattr(node.op.whole[0], "func"):  # of a Function, which tells what its arrays are
        makers = {id(a): maker for a, maker, inner in filter(None, saved[1][1].items) if not inner}
    for i, value in enumerate(saved, -1):
        is_input = 0 <= i < min(node.op.inputs, len(node.parents))
        for a in kept(value):
            yield a, makers.get(id(a), node.parents[i] if is_input else node), i < 0 or is_input or id(a) in makers


def _size(node: Node) -> int:
    many = zip(node.shape, node.dtype, strict=True) if isinstance(node.dtype, tuple) else [(node.shape, node.dtype)]
    return sum([prod(s) * np.dtype(d).itemsize for s, d in many])


def _computed(node: Node) -> int:
    """Bytes of new memory for what a node computed; 0 of a view, and of one of several outputs, which are the op's."""
    is_view = "cell" in node.op.names and type(node.saved) is tuple and node.saved[-1] is not None
    return 0 if node.op is OUTPUT or is_view else _size(node)


def _blocks(kept: _Kept) -> list[Block]:
    """For each call of a module that a trace saw: what is kept within it alone, and is not its input."""
    notes = next((t for t in traces() if kept.nodes[-1].order in t.births), None)
    inside: dict[int, list[Node]] = {}
    for node in kept.nodes:
        call = notes.births.get(node.order, (-1,))[0] if notes is not None and node.op is not None else -1
        while notes is not None and call in notes.calls:
            inside.setdefault(call, []).append(node)
            call = notes.calls[call].parent
    keepers: dict[int, set[Node]] = {}
    for node, keys in kept.of.items():
        for k in keys:
            keepers.setdefault(k, set()).add(node)
    makers = {k: node for node, k in kept.output.items()}
    out = []
    for call, members in inside.items():
        own, known = set(members), notes.calls[call]  # type: ignore[union-attr]
        keys = {k for n in members for k in kept.of[n] if keepers[k] <= own and makers.get(k, n) in own} - kept.given
        seconds = sum([notes.seconds.get((n.order, ""), 0.0) for n in members]) if notes is not None and notes.time else None
        if saves := sum([kept.size[k] for k in keys]):
            out.append(Block(known.name or known.cls, saves, len(members), seconds))
    return sorted(out, key=lambda b: -b.saves)
