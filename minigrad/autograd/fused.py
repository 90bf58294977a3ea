"""A sixth form, for ops that are compositions by nature and one kernel by need: norms, recurrent nets, attention.

Such an op is defined three times over, and tests hold the three to one another: ``composed`` says what it is, in ops; ``kernel``
computes it in one go, with whatever the way back needs; ``slopes`` is the way back, on arrays. A first-order backward runs ``slopes``.
With ``create_graph`` the op is composed anew and its graph differentiated, so that higher orders need no formula of their own.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from ..backend.arrays import Kernels
from .arguments import settled
from .backward import grad
from .forms import gather, general
from .mode import paused, recording
from .node import make_node
from .op import THEN, Op, Recast, named, on_arrays, parameters, part
from .tensor import Tensor, wrap


class Fused(Op):
    """An op with a kernel for its value and one for its gradients; see ``fused``."""

    __slots__ = ("composed", "slopes")

    composed: Callable
    slopes: Kernels


def fused(kernel: Callable, slopes: Callable, composed: Callable, *, inputs: int, name: str, doc: str = "", aside: bool = False) -> Any:
    """An op that may be called like a function: ``f(*inputs, *params)``, arrays in, arrays out; a Tensor among the inputs: Tensors out.

    Args:
        kernel: ``kernel(xp, *inputs, *params)`` returns ``(y, kept)``: the output (or a tuple of outputs) and a tuple of what ``slopes``
            needs besides the inputs.
        slopes: ``slopes(xp, g, wanted, kept, *inputs, *params)`` returns a tuple, one gradient per input, None where ``wanted`` is
            False. With several outputs, ``g`` is a tuple, None where an output was unused.
        composed: ``composed(*inputs, *params)``, the same output made of ops.
        inputs: how many arguments carry gradients; they may be None.
        name, doc: what errors and graphs call it.
        aside: of the outputs only the first is one for ``slopes`` and ``composed``; the others come out as arrays, without gradient.

    Numerics: inputs and what is kept stay alive until backward, like everything that a rule needs.
    """
    names = parameters(kernel)[1:]
    op = Fused(name, ("y", *names), (), kernel=lambda xp: partial(kernel, xp), doc=doc, inputs=inputs)
    op.slopes = Kernels(f"{name}_gradient", lambda xp: partial(slopes, xp))
    op.composed = composed
    ways = op.slopes.table
    after = len(names) + 1  # y and the arguments; then what the kernel kept

    def rule(g: Any, wanted: tuple, saved: tuple) -> tuple:
        args = saved[1:after]
        first = g if type(g) is not tuple else next(v for v in g if v is not None)
        if isinstance(first, Tensor):
            return _again(op, g, wanted, args)
        back = ways.get(type(first)) or op.slopes[type(first)]
        return back(g, wanted, saved[after:], *args)

    op.rules, op.whole = None, (rule, lambda saved: (saved,))

    def f(*args: Any) -> Any:
        arrays, parents, tensor, kind = gather(args[:inputs])
        params = args[inputs:]
        try:
            made, kept = op.kernels.table[kind](*arrays, *params)
        except Exception as error:
            if tensor and type(error) is Recast:
                return f(*map(error.cast, arrays, parents), *params)
            made, kept = op.again(error, kind, tuple(arrays), params)
        if not tensor:
            return made
        if aside:
            made, *others = made
        many = type(made) is tuple
        y: Any = tuple([settled(v) for v in made]) if many else settled(made)
        constant = parents.count(None) == len(parents) or (paused and not recording())
        if aside:
            node = None if constant else make_node(op, tuple(parents), (None, *arrays, *params, *kept), y.shape, y.dtype)
            return (wrap(y, node), *others)
        if constant:
            return tuple([wrap(v, None) for v in y]) if many else wrap(y, None)
        saved = (None, *arrays, *params, *kept)
        if not many:
            return wrap(y, make_node(op, tuple(parents), saved, y.shape, y.dtype))
        node = make_node(op, tuple(parents), saved, tuple([v.shape for v in y]), tuple([v.dtype for v in y]))
        return tuple([wrap(v, part(node, i, v)) for i, v in enumerate(y)])

    f.__name__ = f.__qualname__ = name
    f.__doc__ = doc
    f.op = op  # type: ignore[attr-defined]
    return f


def slope(name: str, rule: Callable) -> Any:
    """A gradient rule ``rule(g, ...)``, written with ops, that is one kernel where g is an array: of that there may be a form in C.

    Where g is a Tensor it stays what it is, ops, so that higher orders need no formula of their own.
    """
    op = general(lambda xp, *args: rule(*args), name=name)

    def f(g: Any, *args: Any) -> Any:
        return rule(g, *args) if isinstance(g, Tensor) else on_arrays(op, g, *args)

    return named(f, op)


def _again(op: Fused, g: Any, wanted: tuple, args: tuple) -> tuple:
    """The gradients as Tensors that can be differentiated in turn: those of the composed form, taken where the op stood."""
    xs = [_alias(x) if w else x for x, w in zip(args[: op.inputs], wanted, strict=True)]
    y = op.composed(*xs, *args[op.inputs :])
    pairs = [(v, d) for v, d in zip(y, g, strict=True) if d is not None] if type(g) is tuple else [(y, g)]
    sought = [x for x, w in zip(xs, wanted, strict=True) if w]
    found = iter(grad([v for v, _ in pairs], sought, [d for _, d in pairs], create_graph=True, allow_unused=True))
    return tuple([next(found) if w else None for w in wanted])


def _alias(x: Tensor) -> Tensor:
    """The same tensor one node further on: an input may be made of another, and then each wants its own share only."""
    assert x.node is not None
    return wrap(x.data, make_node(THEN, (x.node,), (None,), x.node.shape, x.node.dtype))


__all__ = ["Fused", "fused", "slope"]
