"""How one gradient came about: the ops between the loss and a tensor, what each did to the gradient, where it vanished or exploded."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf, isfinite, log10, prod, sqrt
from typing import Any

from ..autograd import Tensor
from ..autograd.engine import toposort
from ..autograd.node import Node
from ..autograd.op import OUTPUT
from ..autograd.steps import names_of, rule_texts
from ..errors import GraphError
from ..nn.summary import table
from ..viz.extraction import located
from ..viz.record import Record
from ..viz.statistics import measure
from .flow import graph_of, norm, place, walk
from .observer import Place

MOST = 40
"""Rows of a text."""
FAR = 1e5
"""How many times smaller or greater a gradient may become before it is said to vanish or explode."""


@dataclass(frozen=True)
class Link:
    """One op on the way, and one input that it hands a gradient to.

    ``before`` and ``after`` are the norms of what arrives and of what is handed on; ``factor`` is what the root of the mean square
    of a gradient's numbers is multiplied by, which does not depend on how many there are.
    """

    op: str
    to: str
    shape: tuple
    rule: str
    before: float
    after: float
    factor: float
    place: Place

    def cells(self) -> tuple[str, ...]:
        """Its row of a table."""
        rule = self.rule if len(self.rule) < 40 else f"{self.rule[:37]}..."
        where = str(self.place) if self.place != Place() else "-"
        return self.op, str(self.shape), f"{self.before:.3g}", rule, self.to, f"{self.after:.3g}", f"x {self.factor:.2g}", where


@dataclass(frozen=True)
class Explanation:
    """What ``explain_grad`` found: the links from the loss down to the tensor, and what became of the gradient on the way."""

    name: str
    shape: tuple
    norm: float
    kind: str
    """ "healthy", "vanishes", "explodes", "zero" or "nan"."""
    culprit: Link | None
    """The link that is most to blame, unless all is healthy."""
    links: tuple[Link, ...]
    record: Record
    """The part of the graph that leads to the tensor, to be drawn; the boxes' ``stats`` tell of the gradients: ``viz.Graph(record)``."""

    def __str__(self) -> str:
        head = f"{self.name} {self.shape}: gradient of norm {self.norm:.4g} by way of {len(self.links)} links"
        if (blame := self.culprit) is not None:
            many = sum(k.op == blame.op for k in self.links)
            head += f". It {'is ' if self.kind in ('zero', 'nan') else ''}{self.kind}, most of all in {blame.op} ({blame.place}), "
            head += f"x {blame.factor:.2g}" + (f", one of {many}" if many > 1 else "")
        rows = [k.cells() for k in self.links]
        if len(rows) > MOST:
            rows = [*rows[: MOST // 2], ("...", *[""] * 7), *rows[-MOST // 2 :]]
        return head + "\n" + table(("op", "shape", "gradient", "rule", "to", "hands on", "factor", "where"), rows, (0, 1, 3, 4, 7))


def explain_grad(loss: Tensor | Callable[[], Tensor], p: Tensor, names: Any = None) -> Explanation:
    """Go from the loss to ``p`` and say what each op on the way does to the gradient: its rule, the norms, the line.

    The graph stays as it is and no ``.grad`` is touched.

    Args:
        loss: a function that computes the loss, which is run once, traced; or a tensor whose graph backward has not freed, of which
            modules and lines are known if it was made within ``with mg.viz.trace():``.
        p: a parameter, or any tensor of the graph.
        names: what to call leaves: a Module, a mapping of names to tensors, or pairs.

    Raises:
        GraphError: the graph is freed, or does not lead to ``p``; ``why_no_grad`` says why.
    Example:
        >>> import minigrad as mg
        >>> w = mg.tensor([2.0, 3.0], requires_grad=True)
        >>> print(mg.debug.explain_grad((w * w).exp().sum(), w, {"w": w}))
        w (2,): gradient of norm 4.862e+04 by way of 4 links
        op        shape  gradient  rule              to        hands on     factor  where
        sum       ()            1  spread(g, shape)  exp           1.41        x 1  -
        exp       (2,)       1.41  g * y             multiply   8.1e+03  x 5.7e+03  -
        multiply  (2,)    8.1e+03  g * b             w         2.43e+04        x 3  -
        multiply  (2,)    8.1e+03  g * a             w         2.43e+04        x 3  -
    """
    loss = graph_of("explain_grad", loss)
    called = names_of(names)
    if not isinstance(p, Tensor) or p.node is None or p.node not in toposort([loss.node]):  # type: ignore[list-item]
        raise GraphError("explain_grad: the loss does not depend on this tensor; why_no_grad(loss, p) says why")
    links, seen, base = [], {}, 0.0  # base: of the first gradient on the way that is more than one number
    for node, g, handed in walk(loss, [p.node]):
        before, mean = norm(g), _mean(g)
        seen[node] = {f"grad_{k}": v for k, v in measure(g).items()} if type(g) is not list else {"grad_norm": before}
        base = base or (mean if _size(g) > 1 else 0.0)
        texts = {} if node.op is None else rule_texts(node.op)
        for parent, i, d in handed if node is not p.node and node.op is not OUTPUT else ():
            to = called.get(parent) or ((p.name or "p") if parent is p.node else parent.name)
            rule = texts.get(i) or texts[-1]
            links.append(Link(node.name, to, node.shape, rule, before, norm(d), _mean(d) / mean if mean else 0.0, place(node)))
    kind, culprit = _judged(links, mean, base or 1.0)
    return Explanation(called.get(p.node) or p.name or "p", p.shape, before, kind, culprit, tuple(links), _part(loss, names, seen))


def _judged(links: list[Link], mean: float, base: float) -> tuple[str, Link | None]:
    """Whether a gradient came through, and the link that is most to blame if it did not: of the op that did most in all its links."""
    if not isfinite(mean):
        return "nan", next((k for k in links if isfinite(k.before) and not isfinite(k.after)), None)
    if mean == 0:
        return "zero", next((k for k in links if k.before and not k.after), None)
    if base / FAR <= mean <= base * FAR:
        return "healthy", None
    sign = 1 if mean < base else -1
    sums: dict[str, float] = {}
    changing = [k for k in links if prod(k.shape if k.shape and type(k.shape[0]) is int else ()) > 1 and 0 < k.factor < inf]
    for k in changing:
        sums[k.op] = sums.get(k.op, 0.0) + sign * log10(k.factor)
    worst = min([k for k in changing if k.op == min(sums, key=sums.__getitem__)], key=lambda k: sign * k.factor)
    return "vanishes" if sign > 0 else "explodes", worst


def _size(g: Any) -> int:
    return sum([v.size for v in (g if type(g) is list else [g]) if v is not None])


def _mean(g: Any) -> float:
    """The root of the mean square of a gradient's numbers."""
    return norm(g) / sqrt(max(_size(g), 1))


def _part(loss: Tensor, names: Any, seen: dict[Node, dict]) -> Record:
    """The boxes and edges of the nodes that a gradient came by, with what was seen of it there."""
    whole, places = located(loss, names)
    kept: dict[int, int] = {}
    for node, k in places.items():
        if node in seen and k not in kept:
            kept[k] = len(kept)
            whole.boxes[k].stats = {**(whole.boxes[k].stats or {}), **seen[node]}
    boxes = [replace(whole.boxes[k], id=new) for k, new in kept.items()]
    edges = [replace(e, src=kept[e.src], dst=kept[e.dst]) for e in whole.edges if e.src in kept and e.dst in kept]
    return Record(boxes, edges, whole.scopes, whole.meta)
