"""The doors to the chain rule: ``backward`` and ``grad``."""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..backend.arrays import namespace
from ..backend.recording import running
from ..errors import DTypeError, GraphError, ShapeError
from . import node as graph
from .arguments import together
from .conform import cast
from .engine import propagate
from .leaves import deposit, flipped, own
from .mode import _Mode
from .node import Node
from .shortage import in_backward
from .tensor import Tensor, as_data, raw, wrap


@functools.cache
def _one(kind: Any, dtype: Any) -> Any:
    """The seed of every scalar loss: a locked 0-d one, which nothing can write to."""
    one = namespace(kind).ones((), dtype)
    if kind is np.ndarray:
        one.flags.writeable = False
    return one


def _seed(t: Any, gradient: Any, who: str) -> tuple[Any, Any]:
    """The node of ``t`` and the gradient with which backward starts there, a raw array or the Tensor given."""
    if not isinstance(t, Tensor):
        raise DTypeError(f"{who}: expected a Tensor, got {type(t).__name__}")
    if t.node is None:
        raise GraphError(
            f"{who}: the output does not require grad and has no graph; was it computed under no_grad, or from constants only?"
        )
    if gradient is None:
        if t.data.size != 1:
            raise GraphError(f"{who} needs a scalar or an explicit gradient; output shape {t.shape}")
        kind: Any = type(t.data)
        return t.node, namespace(kind).ones(t.shape, t.dtype) if t.data.ndim or running() else _one(kind, t.dtype)
    g = gradient if isinstance(gradient, Tensor) else as_data(gradient)
    together(who, t, g)
    if tuple(g.shape) != t.shape:
        raise ShapeError(f"{who}: the gradient has shape {tuple(g.shape)}, the output {t.shape}")
    if g.dtype.kind == "c" != t.dtype.kind:
        raise DTypeError(f"{who}: the gradient is {g.dtype}, the output {t.dtype}")
    return t.node, flipped(g if g.dtype == t.dtype else cast(g, t.dtype))


def _nan_guard(watch: Callable[[Node, Any], None] | None) -> Callable[[Node, Any], None]:
    """A watch for anomaly detection: raise at the first gradient that is not a number, and name the op that made it; else as ``watch``."""
    seen: list[Node] = []

    def guard(node: Node, g: Any) -> None:
        for v in g if type(g) is list else (g,):
            if v is not None and bool((raw(v) != raw(v)).any()):
                makers = [f"{n.name}{graph.where(n.order)}" for n in seen if node in n.parents]
                raise GraphError(
                    f"backward: {' or '.join(makers) or 'the seed'} made NaN of a gradient on its way to "
                    f"{node.name}{graph.where(node.order)} of shape {node.shape}; 0 * inf does that: "
                    "a where() that hides a bad value does not hide its slope, so choose a safe "
                    "argument with a where() before the op as well"
                )
        seen.append(node)
        if watch is not None:
            watch(node, g)

    return guard


def _run(seeds: list[tuple[Any, Any]], create_graph: bool, **options: Any) -> dict[Node, Any]:
    if graph.sources is not None:
        options["watch"] = _nan_guard(options.get("watch"))
    try:
        if create_graph:
            seeds = [(n, g if isinstance(g, Tensor) else wrap(g, None)) for n, g in seeds]
            with _Mode(True), np.errstate(all="ignore"):
                return propagate(seeds, create_graph=True, **options)
        seeds = [(n, raw(g)) for n, g in seeds]  # the callers' own lists go with them, so that a seed can be freed
        with np.errstate(all="ignore"):
            return propagate(seeds, **options)
    except MemoryError as error:
        raise in_backward(error, propagate.__code__, raw(seeds[0][1])) from None


def backward(
    tensors: Any,
    gradient: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """Add the gradient of the tensors to the ``.grad`` of every leaf they depend on.

    Args:
        tensors: one scalar, or tensors with a gradient each.
        gradient: the gradient(s) to start with; may be left out for scalars.
        retain_graph: keep what the graph saved, to go through it again; default: ``create_graph``.
        create_graph: record the backward pass itself, for higher orders.
        inputs: accumulate into these leaves only.

    Raises:
        GraphError: no graph, a freed graph, a non-scalar without gradient, or an array that was overwritten since it was saved.
        ShapeError: the gradient has another shape than its tensor.
    Example:
        >>> import minigrad as mg
        >>> x = mg.tensor([1.0, 2.0], requires_grad=True)
        >>> mg.autograd.backward(x * x, mg.tensor([1.0, 10.0]))
        >>> x.grad.tolist()
        [2.0, 40.0]
    """
    if not isinstance(tensors, (list, tuple)):
        seeds = [_seed(tensors, gradient, "backward")]
    else:
        gs = gradient if isinstance(gradient, (list, tuple)) else [gradient] * len(tensors)
        if len(gs) != len(tensors):
            raise GraphError(f"backward: {len(tensors)} tensors but {len(gs)} gradients")
        seeds = [_seed(t, g, "backward") for t, g in zip(tensors, gs, strict=True)]
        del gs
    if retain_graph is None:
        retain_graph = create_graph
    if inputs is None:
        leaves = _run(seeds, create_graph, retain_graph=retain_graph)
    else:
        chosen = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        _require_nodes(chosen, "backward: inputs")
        targets: dict[Any, Any] = dict.fromkeys([t.node for t in chosen])
        _run(seeds, create_graph, retain_graph=retain_graph, targets=targets)
        leaves = {leaf: g for leaf, g in targets.items() if g is not None}
        del targets
    del seeds
    while leaves:
        leaf, g = leaves.popitem()
        deposit(leaf, g, create_graph)
        del g


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    create_graph: bool = False,
    retain_graph: bool | None = None,
    allow_unused: bool = False,
) -> list[Any]:
    """The gradients of the outputs with respect to the inputs; nothing is accumulated.

    Args:
        outputs: one tensor or a list; their gradients add up.
        inputs: one tensor or a list, leaves or computed.
        grad_outputs: gradients of the outputs; may be left out for scalars.
        create_graph: make the result differentiable, for any order.
        retain_graph: keep the graph for another pass; default: ``create_graph``.
        allow_unused: give None for an input that the outputs do not depend on, where it is an error otherwise.

    Returns:
        A list with one Tensor per input.

    Raises:
        GraphError: as ``backward``; or an input that is not used.

    Example:
        >>> import minigrad as mg
        >>> x = mg.tensor(3.0, requires_grad=True)
        >>> (dx,) = mg.grad(x**3, x, create_graph=True)
        >>> mg.grad(dx, x)[0].item()
        18.0
    """
    ys = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
    xs = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
    gs = list(grad_outputs) if isinstance(grad_outputs, (list, tuple)) else [grad_outputs] * len(ys)
    if len(gs) != len(ys):
        raise GraphError(f"grad: {len(ys)} outputs but {len(gs)} grad_outputs")
    _require_nodes(xs, "grad: inputs")
    seeds = [_seed(y, g, "grad") for y, g in zip(ys, gs, strict=True)]
    found: dict[Any, Any] = dict.fromkeys([x.node for x in xs])
    _run(seeds, create_graph, retain_graph=create_graph if retain_graph is None else retain_graph, targets=found)
    out: list[Any] = []
    for i, x in enumerate(xs):
        g = found[x.node]
        if g is None:
            if not allow_unused:
                raise GraphError(
                    f"grad: input {i} of shape {x.shape} was not used to compute the outputs; allow_unused=True gives None for it"
                )
            out.append(None)
        else:
            g = flipped(g)
            out.append(g if isinstance(g, Tensor) else own(g, 2))
    return out


def _require_nodes(xs: Sequence[Any], who: str) -> None:
    for i, x in enumerate(xs):
        if not isinstance(x, Tensor):
            raise DTypeError(f"{who}: expected Tensors, got {type(x).__name__} at position {i}")
        if x.node is None:
            raise GraphError(f"{who}: tensor {i} of shape {x.shape} does not require grad; use requires_grad_() before computing with it")


def backward_steps(output: Tensor, gradient: Any = None, retain_graph: bool = False, names: Any = None) -> Iterator[Any]:
    """Go backward as ``backward()`` does, and stop at each node to say what happens there.

    When the last step has been asked for, every leaf has the gradient in ``.grad`` that ``backward()`` would have left, to the last
    bit. Whoever stops before leaves all leaves as they were.

    Args:
        output: where to start; a scalar, or give its gradient.
        gradient: of the output.
        retain_graph: keep what the nodes saved, to go through them again.
        names: what to call leaves: a Module, a mapping of names to tensors, or pairs.

    Raises:
        GraphError: as ``backward``.
    Example:
        >>> import minigrad as mg
        >>> w, x = mg.tensor([1.0, 2.0], requires_grad=True), mg.tensor([3.0, 4.0], requires_grad=True)
        >>> for step in (w * x).sum().backward_steps(names={"w": w, "x": x}):
        ...     print(step)
        sum () gets 1.: x (multiply) is handed spread(g, shape) = [1., 1.]
        multiply (2,) gets [1., 1.]: a (w) is handed g * b = [3., 4.]; b (x) is handed g * a = [1., 2.]; lets go of 16 bytes that it kept
        x (2,) is a leaf: its gradient is complete, [1., 2.]
        w (2,) is a leaf: its gradient is complete, [3., 4.]
    """
    from .steps import steps  # what only people who look need

    root, seed = _seed(output, gradient, "backward_steps")
    return steps(root, raw(seed), retain_graph, names)


Tensor.backward = backward  # type: ignore[attr-defined]
Tensor.backward_steps = backward_steps  # type: ignore[attr-defined]
