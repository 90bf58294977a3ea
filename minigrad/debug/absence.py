"""Why a parameter has no gradient: where the way from it to the loss is cut, or where what comes back becomes zero."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..autograd import Tensor
from ..autograd.engine import _leading_to, _restored, toposort
from ..autograd.mode import recording
from ..autograd.node import Node, arrays_in, caller
from ..autograd.op import Op, known
from ..autograd.steps import names_of, rule_texts
from ..backend import is_inexact, to_device
from ..backend.arrays import holder
from ..errors import DTypeError
from ..viz.listening import Event
from .flow import computed, freed, norm, place, walk
from .observer import Observer, Tags, arrays, outputs


@dataclass(frozen=True)
class Reason:
    """What ``why_no_grad`` found: in one word, in a sentence, and at which line (``""``: not known)."""

    kind: str
    text: str
    line: str = ""

    def __str__(self) -> str:
        return self.text


def why_no_grad(loss: Tensor | Callable[[], Tensor], p: Tensor, names: Any = None) -> Reason:
    """Say why ``p`` gets no gradient from a loss: the reason, and the line where the way to it is cut.

    Give the function that computes the loss rather than the loss: it is run once, watched, and then the lines of ``detach()``, of
    ``no_grad()`` and of values that left as numbers are known, which no graph holds. (Random draws are repeated afterwards as if it
    had not run.) No gradient is touched either way.

    Args:
        loss: a function without arguments that returns the loss, or the loss.
        p: the tensor whose ``.grad`` is None or zero.
        names: what to call leaves: a Module, a mapping of names to tensors, or pairs.

    Returns:
        A Reason, to be printed. Its ``kind`` is one of "frozen", "computed", "no_grad", "detach", "constant", "left", "unused",
        "re-created", "zero", "freed", "not yet", "flows".
    Example:
        >>> import minigrad as mg
        >>> w = mg.tensor([1.0, 2.0], requires_grad=True)
        >>> v = mg.tensor([3.0, 4.0], requires_grad=True)
        >>> reason = mg.debug.why_no_grad(lambda: ((w * 2).detach() * v).sum(), w, {"w": w, "v": v})
        >>> reason.kind, str(reason).split(" (")[0]
        ('detach', 'w: detach() cuts the way to the loss')
    """
    if not isinstance(p, Tensor):
        raise DTypeError(f"why_no_grad: expected a Tensor, got {type(p).__name__}")
    if p.node is None:
        return Reason("frozen", f"{p.name or f'the tensor of shape {p.shape}'}: it does not require grad, {_how_to_thaw(p)}")
    name = names_of(names).get(p.node) or p.name or f"the tensor of shape {p.shape}"
    trail = None
    if not isinstance(loss, Tensor):
        trail = _Trail(p)
        with trail:
            loss = computed("why_no_grad", loss)
    nodes = [] if loss.node is None else toposort([loss.node])
    if p.node in nodes:
        reason = _of_gradient(loss, p, place if trail is None else trail.place)
    else:
        reason = (trail and trail.cut(loss, nodes)) or _from_tape(p, nodes, trail is not None)
    return Reason(reason.kind, f"{name}: {reason.text}", reason.line)


def _how_to_thaw(p: Tensor) -> str:
    if not is_inexact(p.dtype):
        return f"as it is {p.dtype}, and only floating numbers have gradients: p.astype('float32')"
    return "it was frozen or never asked to: p.requires_grad_(), or model.unfreeze(...)"


# -- p is in the graph ------------------------------------------------------------------------------------------------
def _of_gradient(loss: Tensor, p: Any, at: Callable[[Node], Any]) -> Reason:
    """The loss depends on p: so there is a gradient, which may be zero, or was not asked for."""
    gone = freed(loss)
    if p.node.op is not None and p.grad is None:
        return Reason("computed", "it was computed, and only leaves keep their gradient; call retain_grad() on it before backward()")
    if gone:
        if p.grad is None:
            return Reason("freed", "backward was here, but its gradient is gone: zero_grad() came after it, or inputs= left it out")
        return Reason("flows", f"backward was here, and p.grad is there, of norm {norm(p.grad.data):.4g}")
    found, stops = None, []
    for node, g, handed in walk(loss, [p.node]):
        if node is p.node:
            found = g
        elif norm(g) > 0 and all(norm(d) == 0 for _, _, d in handed):
            why = _blocked(node, *handed[0][1:]) if handed else "its backward returns None for that input"
            stops.append((node, f"{node.name} ({at(node)}) gets one of norm {norm(g):.3g} and hands on 0: {why}"))
    if norm(found) == 0:
        why = "; ".join([text for _, text in stops[:3]]) or "shares of it cancel out"
        return Reason("zero", f"its gradient is 0 everywhere. {why}", at(stops[0][0]).line if stops else "")
    old = any(n.op is not None and type(n.saved) is tuple and _is_old(n, p) for n in toposort([loss.node]))  # type: ignore[list-item]
    note = ". Its .data was replaced since: backward goes by the values that it had" if old else ""
    if hooked := [n for n in _leading_to([p.node], toposort([loss.node])) if n.watch is not None and n.watch.hooks]:  # type: ignore[list-item]
        names = ", ".join([f"{n.name} ({at(n)})" for n in hooked[:3]])
        note += f". That is without the hooks on {names}, which were not called and may change it"
    if p.grad is None:
        return Reason("not yet", f"nothing is in the way: its gradient will have norm {norm(found):.4g}. Call loss.backward(){note}")
    return Reason("flows", f"it gets a gradient of norm {norm(found):.4g}, and p.grad is there{note}")


def _is_old(node: Node, p: Tensor) -> bool:
    """Whether a node saved values of a leaf that are in other memory than the leaf's now."""
    pairs = zip(node.parents, node.saved[1:], strict=False)
    return any(parent is p.node and holder(a) is not holder(p.data) for parent, value in pairs for a in arrays_in(value))


def _blocked(node: Node, i: int, d: Any) -> str:
    """Why a rule hands on nothing but zeros, ``d`` for its input ``i``."""
    op: Op = node.op
    if not d.size:
        return f"there are no numbers in an input of shape {tuple(d.shape)}"
    if node.name == "write":
        return "what was written in place has replaced all of it"
    rule = rule_texts(op).get(i, "")
    kept = node.saved if type(node.saved) is tuple else _restored(node)
    saved = {n: to_device(v, "cpu") for n, v in zip(op.names, kept, strict=False) if hasattr(v, "dtype")}
    x = saved.get("x", saved.get("y"))
    if rule.startswith("nowhere") or node.name == "sign":
        return f"{node.name} is a step function, whose slope is 0 everywhere"
    if "relu" in node.name and x is not None and bool((x <= 0).all()):
        return f"all {x.size} of its inputs are <= 0, a dead ReLU"
    if node.name in ("where", "masked"):
        return "its condition chooses the other side everywhere"
    if node.name == "clip":
        return "all that goes in lies outside of the bounds"
    for n in [op.names[k] for k in op.needs[i]] if op.rules is not None else ():
        if n in saved and not bool((saved[n] != 0).any()):
            return f"its rule is {rule}, and {n} is 0 everywhere" + (", saturated" if n == "y" else "")
    return f"its rule is {rule or rule_texts(op).get(-1, 'of its own')}, and the slope is 0 where the gradient is not"


# -- p is not in the graph --------------------------------------------------------------------------------------------
def _from_tape(p: Tensor, nodes: list[Node], watched: bool) -> Reason:
    """What the graph alone can tell of a tensor that is not in it."""
    hint = "" if watched else ". Give why_no_grad the function that computes the loss, and it will name the line"
    if not nodes:
        return Reason(
            "constant", f"the loss has no graph: it was computed under no_grad(), or from constants and detached values only{hint}"
        )
    owner = holder(p.data)
    for node in nodes:
        for i, value in enumerate(node.saved if node.op is not None and type(node.saved) is tuple else (), -1):
            if i < 0 or i >= len(node.parents) or all(holder(a) is not owner for a in arrays_in(value)):
                continue
            at, parent = place(node), node.parents[i]
            if parent is None:
                how = "used its values as a constant: through detach() or .data, or before requires_grad_()"
                return Reason("detach", f"{node.name} ({at}) {how}", at.line)
            if parent.op is None:
                how = "used its memory through another leaf: requires_grad_() was switched off and on since, or it was wrapped anew"
                return Reason("re-created", f"{node.name} ({at}) {how}", at.line)
    if watched:
        return Reason("unused", "the function does not use it")
    twins = sum(n.op is None and n.shape == p.shape and n.dtype == p.dtype for n in nodes)
    text = "nothing that the loss was computed from leads to it: it was not used, or cut off by detach(), .data or no_grad()"
    if twins:
        text += f". The graph has {twins} other leaves of its shape: perhaps the model has a new one"
    return Reason("unused", text + hint)


# -- watched ----------------------------------------------------------------------------------------------------------
class _Trail(Observer):
    """Follows the values of a tensor from op to op: each array that depends on it, and where the graph lost it (None: nowhere)."""

    def __init__(self, p: Tensor):
        super().__init__()
        self.p = p
        self.cuts = Tags()
        self.cuts[p.data] = (None,)
        self.detached = Tags()
        self.exits: list[tuple[str, str]] = []
        self.use = ""  # where its values were used last
        self.fresh: list[Any] = []  # what the op that ran last gave
        self.found: list[tuple[int, Reason | None, str]] = []  # and was given: position, cut, line of a detach()
        self.whole: Reason | None = None  # where all of that had been cut
        self.inputs: dict[float, list[tuple[int, Reason | None, str]]] = {}  # the same, by birth of the node

    def __enter__(self) -> "_Trail":
        super().__enter__()
        for name in ("detach", "numpy", "item", "tolist"):
            self.swap(Tensor, name, self._leaving)
        return self

    def _leaving(self, original: Callable) -> Callable:
        def f(t: Tensor) -> Any:
            if self.cuts.get(t.data) is not None:
                if original.__name__ == "detach":
                    self.detached[t.data] = caller()
                else:
                    self.exits.append((original.__name__, caller()))
            return original(t)

        f.__name__ = original.__name__
        return f

    def ran(self, event: Event, args: tuple, y: Any) -> None:
        op = event.name
        flat = args[0] if args and type(args[0]) in (tuple, list) else args
        pairs = [(i, a) for i, v in enumerate(flat) for a in arrays(v)]
        found = [(i, c[0], self.detached.get(a) or "") for i, a in pairs if (c := self.cuts.get(a))]
        self.fresh, self.found = [], found
        if not found:
            return
        at = self.here()
        self.use = f"{op} ({at})"
        self.whole = cut = None if any(c is None for _, c, _ in found) else found[0][1]
        if cut is None:
            line = next((d for _, c, d in found if c is None and d), "")
            steps = op in known and not any(o.rules or o.whole for o in known[op])
            if not recording():
                cut = Reason("no_grad", f"{op} ({at}) ran under no_grad(), so what it gives is a constant", at.line)
            elif steps or not is_inexact(outputs(y)[0].dtype):
                cut = Reason("constant", f"{op} ({at}) has no gradient: what it gives is a constant", at.line)
            else:
                cut = _detached(line, op, at)
        self.fresh = outputs(y)
        for made in self.fresh:
            self.cuts[made] = (cut,)

    def born(self, order: int, event: Event | None, value: Any) -> None:
        if self.fresh and event is not None:
            for y in self.fresh:
                self.cuts[y] = (self.whole,)
            self.inputs[order] = self.found
            self.fresh = []

    def cut(self, loss: Tensor, nodes: list[Node]) -> Reason | None:
        """The first place at which the graph of the loss stopped following the values of p."""
        for node in nodes:
            for i, cut, line in self.inputs.get(node.order, ()):
                if cut is not None:
                    return cut
                if i >= len(node.parents) or node.parents[i] is None:
                    at = self.place(node)
                    if i in node.op.constant:
                        argument = node.op.names[i + 1]
                        return Reason("constant", f"{node.name} ({at}) has no gradient for its {argument}", at.line)
                    return _detached(line, node.name, at)
        found = self.cuts.get(loss.data)
        if found is not None and found[0] is not None:
            return found[0]
        if self.exits:
            how, line = self.exits[-1]
            text = f"its values leave the graph as numbers, by {how}() ({line}), and what is made of them is a constant"
            return Reason("left", text, line)
        return Reason("unused", f"its values go as far as {self.use}, and that does not reach the loss") if self.use else None


def _detached(line: str, op: str, at: Any) -> Reason:
    if line:
        return Reason("detach", f"detach() cuts the way to the loss ({line}); {op} ({at}) then takes it as a constant", line)
    return Reason("detach", f"{op} ({at}) was given its values as a constant: through .data, or as a Tensor made anew", at.line)
