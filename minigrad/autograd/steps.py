"""Backward one node at a time, each rule in its own words: the chain rule to look at. The engine does the same, faster."""

import linecache
import operator
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import DTypeError
from . import node as graph
from .engine import _hooked, _restored, conformed, toposort
from .leaves import deposit, flipped
from .node import Node, arrays_in
from .op import OUTPUT, Op, known
from .tensor import Tensor, wrap


# -- rules as they stand in the source --------------------------------------------------------------------------------
def rule_texts(op: Op) -> dict[int, str]:
    """By the position of each input that has a gradient: the right side of its rule; at -1: one rule for all inputs together.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.autograd.steps import rule_texts
        >>> rule_texts(mg.multiply.op), rule_texts(mg.tanh.op)
        ({0: 'g * b', 1: 'g * a'}, {0: 'g * (1 - y**2)'})
    """
    if op.rules is not None:
        return {i: f"g * {op.names[need]}" if rule is operator.mul else _text(rule) for i, rule, need in op.rules}
    if op.whole is None:
        return {-1: "g"}
    rule = op.whole[0]
    if hasattr(rule, "func"):  # of a Function: a partial of its class
        return {-1: f"{rule.args[0].__name__}.backward(ctx, g)"}
    return {-1: f"{op.slopes.name}(g)" if hasattr(op, "slopes") else _text(rule)}


def _text(rule: Any) -> str:
    """What a rule returns, cut out of the file that defines it; of one with a body of its own, its call."""
    while "rule" in (inner := rule.__code__.co_freevars):  # wrapped by the form of its op
        rule = rule.__closure__[inner.index("rule")].cell_contents
    code = rule.__code__
    call = f"{code.co_name}({', '.join(code.co_varnames[: code.co_argcount])})"
    spots = [p for p in code.co_positions() if None not in p and p[2:] != (0, 0)]
    if code.co_name != "<lambda>" or not spots:
        return call
    (top, left), (bottom, right) = min([(p[0], p[2]) for p in spots]), max([(p[1], p[3]) for p in spots])
    lines = [line.encode() for line in linecache.getlines(code.co_filename)[top - 1 : bottom]]
    if not lines:
        return call
    lines[-1] = lines[-1][:right]
    lines[0] = lines[0][left:]
    text = " ".join(b" ".join(lines).decode().split())
    slope, _, rest = text.partition("(g, ")  # an op that is a slope says in its sentence which one
    formula, says, _ = known[slope][0].doc.partition(": the gradient of") if slope in known and rest else ("", "", "")
    return formula if says and formula.startswith("g ") else text


# -- the steps --------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Share:
    """What a step hands to one of the inputs: whose input it is, by which rule, and the gradient."""

    argument: str
    """What the rule calls the input."""
    to: str
    rule: str
    grad: Tensor
    joins: bool
    """Whether it is added to what others have handed there before."""

    def __str__(self) -> str:
        return f"{self.argument} ({self.to}) {'adds' if self.joins else 'is handed'} {self.rule} = {shown(self.grad)}"


@dataclass(frozen=True)
class Step:
    """One node on the way back: the gradient that arrived, what its rules make of it, and what is no longer kept."""

    node: Node
    name: str
    op: str
    shape: tuple
    grad: Any
    """The whole gradient of the node's output: all that is younger has handed down its share. A tuple for several outputs."""
    shares: tuple[Share, ...]
    freed: int
    """Bytes of what the node had saved for this step and has let go of."""

    def __str__(self) -> str:
        if self.op == "leaf":
            return f"{self.name} {self.shape} is a leaf: its gradient is complete, {shown(self.grad)}"
        lets_go = f"; lets go of {self.freed} bytes that it kept" if self.freed else ""
        return f"{self.name} {self.shape} gets {shown(self.grad)}: {'; '.join(map(str, self.shares)) or 'hands nothing on'}{lets_go}"


def shown(g: Any) -> str:
    """A gradient in few words: its numbers if there are few, else its norm and shape."""
    if isinstance(g, tuple):
        return " and ".join(["nothing" if v is None else shown(v) for v in g])
    a = np.asarray(g.detach().numpy())
    if a.size <= 6:
        return np.array2string(a, precision=4, separator=", ").replace("\n", "")
    return f"{a.shape} of norm {np.linalg.norm(a.astype('complex128' if a.dtype.kind == 'c' else 'float64')):.4g}"


def steps(root: Node, seed: Any, retain_graph: bool, names: Any) -> Iterator[Step]:
    """What ``backward_steps`` gives."""
    called = names_of(names)
    leaves: dict[Node, Any] = {}
    for node, g, handed, freed in chain(root, seed, retain_graph):
        if node.op is None:
            leaves[node] = g
        texts = {} if node.op is None else rule_texts(node.op)
        parts = []
        for parent, i, d, joins in handed:
            argument = node.op.names[i + 1] if i < node.op.inputs < len(node.op.names) else f"input {i}"  # as of a Function
            parts.append(Share(argument, called.get(parent, parent.name), texts.get(i) or texts[-1], _given(d), joins))
        yield Step(node, called.get(node, node.name), node.name, node.shape, _given(g), tuple(parts), freed)
    for leaf, g in leaves.items():
        deposit(leaf, g)


def chain(root: Node, seed: Any, keep: bool, hooks: bool = True, wanted: Any = None) -> Iterator[tuple[Node, Any, list, int]]:
    """The chain rule: each node with its whole gradient, what it hands to its parents, and how many bytes it lets go of.

    What is handed is ``(parent, position, gradient, whether others have handed there before)``. Only nodes in ``wanted`` are visited, if
    given; with ``keep`` the graph stays whole.
    """
    arrived: dict[Node, Any] = {root: seed}
    latest = {root: sys.maxsize}  # the youngest node that has handed something here
    for node in reversed(toposort([root])):  # by birth: what is younger has been here, so nobody adds to what is passed on
        if node not in arrived or (wanted is not None and node not in wanted):
            continue
        g = arrived.pop(node)
        if hooks and node.watch is not None:
            g = _hooked(node, g)
        handed, freed = [], 0
        if node.op is not None:
            saved = node.saved
            if type(saved) is not tuple:
                saved = _restored(node)
            else:
                graph.check_fresh(node, saved, latest[node])
            if not keep:
                node.saved, freed = None, sum([a.nbytes for a in arrays_in(saved)])
            for i, d in shares(node, g, saved):
                parent = node.parents[i]
                if wanted is not None and parent not in wanted:
                    continue
                several, place = arrived, parent
                if node.op is OUTPUT:  # of a node with several, whose gradient is a list with a place for each
                    several, place = arrived.setdefault(parent, [None] * len(parent.shape)), saved[2]
                joins = (several[place] if node.op is OUTPUT else several.get(place)) is not None
                several[place] = several[place] + d if joins else d
                latest.setdefault(parent, node.order)
                handed.append((parent, i, d, joins))
        yield node, g, handed, freed


def shares(node: Node, g: Any, saved: tuple) -> list[tuple[int, Any]]:
    """What the rules of a node make of its gradient: by input, in the shape and dtype of that input."""
    op, parents = node.op, node.parents
    if op is OUTPUT:
        return [(0, g)]
    with np.errstate(all="ignore"):
        if op.rules is not None:
            made = [(i, rule(g) if need is None else rule(g, saved[need])) for i, rule, need in op.rules if parents[i] is not None]
        else:
            rule, pick = op.whole
            ds = rule(tuple(g) if type(g) is list else g, tuple([p is not None for p in parents]), *pick(saved))
            made = [(i, d) for i, d in enumerate(ds) if d is not None and parents[i] is not None]
        return [(i, conformed(op, d, parents[i])) for i, d in made]


def named_leaves(names: Any) -> list[tuple[str, Tensor]]:
    """Names and tensors: of a Module's parameters, of a mapping, or given as pairs.

    Raises:
        DTypeError: they are something else.
    """
    if hasattr(names, "named_parameters"):
        return list(names.named_parameters())
    pairs = names.items() if isinstance(names, Mapping) else () if names is None else names
    pairs = list(pairs) if isinstance(pairs, Iterable) else [pairs]
    if all(isinstance(pair, (tuple, list)) and len(pair) == 2 and isinstance(pair[1], Tensor) for pair in pairs):
        return pairs
    raise DTypeError(f"names: expected a Module, a mapping of names to Tensors, or pairs of both, got {names!r:.80}")


def names_of(names: Any) -> dict[Node, str]:
    """The names of leaves by their nodes."""
    return {t.node: name for name, t in named_leaves(names) if t.node is not None}


def _given(g: Any) -> Any:
    """A gradient as the user sees it."""
    if type(g) is list:
        return tuple([v if v is None else _given(v) for v in g])
    return wrap(flipped(np.asarray(g) if isinstance(g, np.generic) else g), None)


__all__ = ["Share", "Step", "chain", "named_leaves", "names_of", "rule_texts", "shares", "shown", "steps"]
