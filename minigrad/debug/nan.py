"""The first op that made a number which is none, forward or backward, and of what it made it."""

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..autograd.node import Node
from ..autograd.op import known
from ..autograd.steps import rule_texts, shares
from ..autograd.tensor import raw
from ..backend import namespace, to_device
from ..backend.arrays import holder
from ..errors import GraphError
from ..viz.listening import Event
from .observer import Observer, Place, Tags, arrays, outputs

HIDING = ("where", "masked", "getitem", "take")
"""Ops that leave entries out."""


@dataclass
class Origin:
    """Where NaN or infinity came from: an op that made it of finite numbers, or was given it."""

    op: str
    kind: str
    index: list[int]
    operands: str
    place: Place
    count: int
    size: int
    given: bool = False
    because: "Origin | None" = None

    def __str__(self) -> str:
        at = f" at {self.index}" if self.index else ""
        if self.given:
            return (
                f"{self.op} ({self.place}) was given {self.operands}{at}, which no op made: "
                "it was in the data or in a parameter, or was written in place"
            )
        text = f"{self.op} ({self.place}) made {self.kind} of {self.operands}{at}"
        text += f" and at {self.count - 1} more of {self.size} entries" if self.count > 1 else ""
        return f"{self.because}; of that {text}" if self.because else text


class detect_nan(Observer):
    """Within the block, find the first op that makes NaN, or infinity that comes to matter, and raise an error that explains it.

    The error says which op it was, at which line and in which module, at which index, and what its operands were there. It is raised
    when backward starts from such a loss, when a gradient of the kind arrives, or at the end of the block if what is bad was left
    over. A bad number that a later op drops, as ``where`` does, is no fault of the forward pass; if its slope spoils the
    way back, that is said, with the remedy. Each result is looked at, which takes about as long as computing it; on the way back, all
    gradients are kept until its end.

    Args:
        infinities: False: infinite gradients pass, as where a ``GradScaler`` looks after them; NaN does not.

    Raises:
        GraphError: something bad was found.
    Example:
        >>> import minigrad as mg
        >>> x = mg.tensor([1.0, 0.0], requires_grad=True)
        >>> try:
        ...     with mg.debug.detect_nan():
        ...         mg.log(x).sum().backward()
        ... except mg.errors.GraphError as error:
        ...     print("made -inf of x = 0 at [1]" in str(error))
        True
    """

    def __init__(self, infinities: bool = True):
        super().__init__()
        self.infinities = infinities
        self.origins = Tags()
        self.untaken: dict[int, Origin] = {}  # by the memory of bad results that no op has taken since
        self.last: Origin | None = None  # of what the op that ran last made
        self.bad: dict[float, Origin] = {}  # nodes with bad values, by birth
        self.seen: list[tuple[Node, Any, Any]] = []  # on the way back: nodes, their gradients, what they had saved

    # -- the way there
    def ran(self, event: Event, args: tuple, y: Any) -> None:
        self.last = None
        operands = arrays(args)
        for a in operands:
            self.untaken.pop(id(holder(a)), None)
        for made in outputs(y):
            if not _is_bad(made):
                continue
            because = next((found for a in operands if (found := self.origins.get(a))), None)
            nan = bool((made != made).any())
            if because is None or (nan and because.kind != "nan"):
                given = next((a for a in operands if _is_bad(a) and (not nan or bool((a != a).any()))), None)
                if given is not None and not nan:  # such as a mask of -inf, meant to be there
                    continue
                because = self._origin(event.name, made if given is None else given, args, nan, given is not None, because)
            self.origins[made] = self.untaken[id(holder(made))] = self.last = because

    def _origin(self, op: str, y: Any, args: tuple, nan: bool, given: bool, because: Origin | None) -> Origin:
        y = to_device(y, "cpu")
        wrong = np.isnan(y) if nan else ~np.isfinite(y)
        index = tuple(np.argwhere(wrong)[0].tolist())
        names = known[op][0].names[1:] if op in known and known[op][0].inputs else ()  # not of a Function
        named = [(names[i] if i < len(names) else f"input {i}", a) for i, a in enumerate(args)]
        return Origin(
            op, str(y[index]), list(index), _entries(named, index, y.shape), self.here(), int(wrong.sum()), y.size, given, because
        )

    def born(self, order: int, event: Event | None, value: Any) -> None:
        if event is not None and self.last is not None:
            self.bad[order] = self.last

    # -- the way back
    def started(self, roots: list[Node]) -> None:
        self.seen = []
        for root in roots:
            self._judge(self.bad.get(root.order), "backward starts from a loss that is no number: ")

    def arrived(self, node: Node, g: Any) -> None:
        for v in g if type(g) is list else (g,):
            if v is not None and _is_bad(raw(v), self.infinities):
                text = self._explained(node)
                self.seen = []
                raise GraphError(f"detect_nan: on the way back, {text}")
        self.seen.append((node, g, node.saved))

    def finished(self) -> None:
        self.seen = []

    def _explained(self, node: Node) -> str:
        """Which rule made the bad gradient that arrived at this node, and of what."""
        for k in range(len(self.seen) - 1, -1, -1):
            maker, g, saved = self.seen[k]
            if node not in maker.parents or type(saved) is not tuple or type(g) is list:
                continue
            for i, d in shares(maker, raw(g), tuple(map(raw, saved))):
                if maker.parents[i] is not node or not _is_bad(d, self.infinities):
                    continue
                d = to_device(d, "cpu")
                index = tuple(np.argwhere(np.isnan(d) if np.isnan(d).any() else ~np.isfinite(d))[0].tolist())
                rule = rule_texts(maker.op)
                named = [("g", raw(g)), *[(n, a) for n, a in zip(maker.op.names, saved, strict=False) if hasattr(a, "shape")]]
                text = (
                    f"{maker.name} ({self.place(maker)}) made {d[index]} of a gradient at {list(index)}: its rule "
                    f"{rule.get(i) or rule[-1]} had {_entries(named, index, d.shape)}"
                )
                return text + self._trap(k, _at(raw(g), index, d.shape))
        who = " and ".join([f"{m.name} ({self.place(m)})" for m, _, _ in self.seen if node in m.parents]) or "whoever called backward"
        return f"{who} handed a gradient that is no number to {node.name} {node.shape}"

    def _trap(self, k: int, g: Any) -> str:
        """The remedy, if a gradient of 0 met an infinite slope as an op further on leaves the entry out."""
        maker = self.seen[k][0]
        if g is None or g != 0:
            return ""
        users = {maker}
        for n, _, _ in self.seen[k - 1 :: -1] if k else ():
            if any(p in users for p in n.parents):
                users.add(n)
                if n.name in HIDING:
                    return (
                        f". The entry is left out by {n.name} ({self.place(n)}), which hides its value but not its slope: 0 * inf is NaN. "
                        f"Choose a safe argument before the op as well: s = where(condition, x, 1); where(condition, {maker.name}(s), 0)"
                    )
        return ". Nothing depends on this entry (g = 0), but the slope is infinite there: 0 * inf is NaN. Keep the argument away from it"

    # -- coming and going
    def __enter__(self) -> "detect_nan":
        super().__enter__()
        self.untaken.clear()  # of a block before
        _warnings.off()
        self.stack.callback(_warnings.on)
        return self

    def _judge(self, origin: Origin | None, text: str = "") -> None:
        if origin is not None and (self.infinities or origin.kind == "nan"):
            raise GraphError(f"detect_nan: {text}{origin}")

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        if error[0] is None:
            for origin in self.untaken.values():
                self._judge(origin)


class _Warnings(threading.local):
    """NumPy's, of this thread, instead of which these blocks speak; they may end in any order."""

    blocks = 0
    before: Any = None

    def off(self) -> None:
        if not self.blocks:
            self.before = np.seterr(all="ignore")
        self.blocks += 1

    def on(self) -> None:
        self.blocks -= 1
        if not self.blocks:
            np.seterr(**self.before)


_warnings = _Warnings()


def _is_bad(a: Any, infinities: bool = True) -> bool:
    if a.dtype.kind not in "fc":
        return False
    return not bool(namespace(type(a)).isfinite(a).all()) if infinities else bool((a != a).any())


def _at(a: Any, index: tuple, shape: tuple) -> Any:
    """The entry of ``a`` that an elementwise op meets at an index of an array of this shape; None if there is no such thing."""
    a = np.asarray(to_device(a, "cpu"))
    try:
        return np.broadcast_to(a, shape)[index]
    except ValueError:
        return None


def _entries(named: list[tuple[str, Any]], index: tuple, shape: tuple) -> str:
    """What stands in the operands at an index; of an operand of another shape, its range."""
    parts = []
    for name, a in named:
        if isinstance(a, (int, float)) and not isinstance(a, bool):
            parts.append(f"{name} = {a:.4g}")
        elif hasattr(a, "dtype") and a.size and a.dtype.kind in "biufc":
            value = _at(a, index, shape)
            if value is not None:
                parts.append(f"{name} = {value:.4g}" if a.dtype.kind in "fc" else f"{name} = {value}")
            elif a.dtype.kind == "f":
                parts.append(f"{name} {tuple(a.shape)} from {float(a.min()):.4g} to {float(a.max()):.4g}")
    return ", ".join(parts) or "its operands"
