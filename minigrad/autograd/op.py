"""An op: a name, kernels, and gradient rules; and how one application of it is put into the graph."""

import operator
from collections.abc import Callable
from operator import itemgetter
from typing import Any

from ..backend.arrays import Kernels, is_array
from . import node as graph
from .arguments import explained
from .node import Cell, Node, make_node
from .tensor import wrap

known: dict[str, list["Op"]] = {}
"""All ops by name: those that the forms define, and what is beneath them."""


class Recast(Exception):
    """Raised in place of a kernel's result: the op is to be applied anew, to inputs as ``cast(array, node)`` makes them; see ``amp``."""

    def __init__(self, cast: Callable[[Any, Node | None], Any]):
        self.cast = cast


class Op:
    """A primitive: its kernels by array type, and for each differentiable input a rule and what it needs.

    ``names`` says what the positions of a node's ``saved`` are: ``y``, the inputs, then parameters. ``inputs`` is how many of them
    are inputs. ``whole`` marks a single rule that returns the gradients of all inputs at once. ``elementwise`` promises that
    a rule's result has the output's shape and dtype, so that the engine need only undo broadcasting and casting. ``constant`` lists
    the inputs that have no rule; they never become parents. ``keep`` says which of ``names`` a rule asks for; ``sift`` puts None in the
    places of the others, given all of them and a None, and ``shaped`` says whether the shapes of the inputs are asked for.
    """

    __slots__ = (
        *("constant", "doc", "elementwise", "inputs", "keep", "kernels", "name", "names", "needs", "rules", "shaped", "sift", "whole"),
    )

    def __init__(
        self,
        name: str,
        names: tuple[str, ...],
        rules: tuple[Callable | None, ...],
        *,
        kernel: Callable | None = None,
        doc: str = "",
        inputs: int = 1,
        elementwise: bool = False,
        whole: bool = False,
    ):
        self.name, self.names, self.inputs, self.doc = name, names, inputs, doc
        known.setdefault(name, []).append(self)
        self.kernels = Kernels(name, kernel)
        self.elementwise = elementwise
        if "y" in names[1:]:
            raise TypeError(f"{name}: no input or parameter may be called y, by which rules mean the output")
        wants = [() if r is None else parameters(r)[2 if whole else 1 :] for r in rules]
        for rule, want in zip(rules, wants, strict=True):
            for w in want:
                if w not in names:
                    raise TypeError(f"{name}: rule {rule} asks for {w!r}; it can have {', '.join(names)}")
        self.keep = tuple(any(n in w for w in wants) for n in names)
        self.sift: Any = itemgetter(*[i if k else -1 for i, k in enumerate(self.keep)]) if names else None
        self.shaped = any("shape" in w or "shapes" in w for w in wants)
        self.needs = tuple([tuple([names.index(n) for n in want]) for want in wants])
        self.constant = tuple([i for i, r in enumerate(rules) if r is None])
        self.whole: Any = (rules[0], picker(self.needs[0])) if whole and rules else None
        self.rules: Any = (
            None if whole else tuple([(i, *called(r, n)) for i, (r, n) in enumerate(zip(rules, self.needs, strict=True)) if r])
        )

    def again(self, error: Exception, kind: type, operands: tuple, params: tuple = ()) -> Any:
        """After a kernel failed: run the one for this array type, if it was not in the table yet; else raise its error, explained."""
        if type(error) is Recast:  # of arrays, which are taken as they are
            return self.kernels[kind](*operands, *params)
        if kind not in self.kernels.table:
            try:
                return self.kernels[kind](*operands, *params)
            except Exception as other:
                error = other
        raise explained(self, error, operands, params) from None

    def __repr__(self) -> str:
        return f"<op {self.name}>"


def parameters(f: Callable) -> tuple[str, ...]:
    """The names of a Python function's positional parameters."""
    code = f.__code__
    return code.co_varnames[: code.co_argcount]


def picker(positions: tuple[int, ...]) -> Callable:
    """A function that takes these positions out of a tuple."""
    return lambda saved: tuple([saved[i] for i in positions])


EVERYTHING = slice(None)
_PRODUCT = (lambda g, x: g * x).__code__.co_code
"""The commonest rule, for which Python has a function of its own that needs no frame."""


def called(rule: Callable, positions: tuple[int, ...]) -> tuple[Callable, Any]:
    """A rule as the engine calls it: ``rule(g)`` with None, else ``rule(g, saved[index])``; most rules need one thing."""
    if not positions:
        return rule, None
    if len(positions) == 1:
        return operator.mul if rule.__code__.co_code == _PRODUCT else rule, positions[0]
    pick = itemgetter(*positions)
    return lambda g, saved: rule(g, *pick(saved)), EVERYTHING


registry: dict[str, Callable] = {}
"""Every op by its name, as the forms below define it."""


def named(f: Callable, op: Op) -> Any:
    f.__name__ = f.__qualname__ = op.name
    f.__doc__ = op.doc
    f.op = op  # type: ignore[attr-defined]
    registry[op.name] = f
    return f


offered: list[Op] = []
"""Ops of which there are forms in C."""


def compiled(family: str, *ops: Any) -> None:
    """Say that a family of kernels in C has forms of these ops or of their gradients; they are functions made by a form, or Ops."""
    for op in ops:
        op = getattr(op, "op", op)
        offered.append(op)
        op.kernels.family = family
        if hasattr(op, "slopes"):
            op.slopes.family = family


def on_arrays(op: Op, *args: Any) -> Any:
    """Arrays in, arrays out: the kernel alone."""
    kind = type(args[0])
    if kind not in op.kernels.table and not is_array(args[0]):
        kind = next((type(a) for a in args if is_array(a)), kind)
    try:
        return op.kernels.table[kind](*args)
    except Exception as error:
        return op.again(error, kind, args[: op.inputs], args[op.inputs :])


NOTHING = (None, None, None)


def record(op: Op, parents: tuple, y: Any, arrays: Any, params: tuple) -> Any:
    """The output (or outputs) of a general op as Tensors, with the node that made them."""
    shapes = tuple([getattr(a, "shape", ()) for a in arrays]) if op.shaped else NOTHING
    saved = op.sift((y, *arrays, *params, shapes[0], shapes, None))
    if type(y) is not tuple:
        return wrap(y, make_node(op, parents, saved, y.shape, y.dtype))
    node = make_node(op, parents, saved, tuple([v.shape for v in y]), tuple([v.dtype for v in y]))
    return tuple([wrap(v, part(node, i, v) if v.dtype.kind in "fcV" else None) for i, v in enumerate(y)])


OUTPUT = Op("output", ("y", "x", "index"), (), whole=True, doc="One of the outputs of an op that has several.")


def part(node: Node, index: int, value: Any) -> Node:
    """The node of output ``index`` of a node with several outputs."""
    return make_node(OUTPUT, (node,), (None, None, index), value.shape, value.dtype)


THEN = Op("view", ("y",), (lambda g: g,), doc="A view as it was when its values were saved, before its base was written to.")


def as_it_was(node: Node) -> Node:
    """A node in whose place values that were saved long ago go back into the graph.

    It is the node itself, but for a view whose base was written to since: used now, that would be an error (see
    ``node.check_fresh``), so a stand-in takes its place, born half a tick after it.
    """
    saved = node.saved
    if node.order > graph.last_write or type(saved) is not tuple or not any(type(v) is Cell and v.orders for v in saved):
        return node
    stand_in = make_node(THEN, (node,), (None,), node.shape, node.dtype)
    stand_in.order = node.order + 0.5  # type: ignore[assignment]
    return stand_in
