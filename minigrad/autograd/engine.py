"""The chain rule: from the outputs to the leaves, newest node first, each node once."""

import functools
import operator
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from heapq import heappop, heappush
from typing import Any

import numpy as np

from ..backend.arrays import namespace
from ..errors import DTypeError, GraphError, ShapeError
from . import node as graph
from .conform import add, cast, conj, sum_to
from .mode import _Mode
from .node import Node, Watch
from .op import OUTPUT, part, shown
from .tensor import Tensor, as_data, raw, wrap

_born = operator.attrgetter("order")
_accumulation = threading.Lock()
_getrefcount = getattr(sys, "getrefcount", lambda _: 99)


def toposort(roots: Iterable[Node]) -> list[Node]:
    """Every node that the roots depend on, oldest first: birth order is a topological order."""
    seen = set(roots)
    stack = list(seen)
    while stack:
        for p in stack.pop().parents:
            if p is not None and p not in seen:
                seen.add(p)
                stack.append(p)
    return sorted(seen, key=_born)


def propagate(
    seeds: list[tuple[Node, Any]],
    *,
    create_graph: bool = False,
    retain_graph: bool = False,
    targets: frozenset[Node] | None = None,
    found: dict[Node, Any] | None = None,
    watch: Callable[[Node, Any], None] | None = None,
) -> dict[Node, Any]:
    """Carry the seeds down the graph, youngest node first; returns the total gradient of each leaf that was reached.

    A node waits in a heap by its birth; when it comes up, every younger node has delivered its share. With ``targets``, only nodes
    on a way to one of them are visited, and their gradients go into ``found``. ``watch`` sees each node with its gradient. Gradients
    are raw arrays, Tensors with ``create_graph``. Saved arrays are released as they are used unless ``retain_graph``.
    If a rule or hook raises, no leaf has been touched.
    """
    wanted = None if targets is None else _leading_to(targets, toposort([n for n, _ in seeds]))
    written = graph.last_write
    leaves: dict[Node, Any] = {}
    # by birth: [node, gradient so far, whether that array is ours, youngest that contributed]; None once done
    waiting: dict[int, Any] = {}
    crowded = 4096
    heap: list[int] = []

    def deliver(parent: Node, d: Any, source: int) -> None:
        """Add ``d`` to what waits for ``parent``, in place where the sum is an array that nobody else can hold."""
        entry = waiting.get(parent.order)
        if entry is None:
            waiting[parent.order] = [parent, d, False, source]
            heappush(heap, -parent.order)
        elif entry[2]:
            entry[1] += d
        else:
            entry[1] = entry[1] + d
            entry[2] = not create_graph

    for root, seed in seeds:
        deliver(root, seed, sys.maxsize)  # younger than any write: what the caller holds must still be what the graph says
    del seeds, root, seed
    special = targets is not None or watch is not None
    limited = wanted is not None
    while heap:
        order = -heappop(heap)
        node, g, _, youngest = waiting[order]
        waiting[order] = None  # cheaper than taking the entry out, which makes a small dict resize all the time
        if len(waiting) > crowded:
            waiting = {o: e for o, e in waiting.items() if e is not None}
            crowded = 4096 + 2 * len(waiting)
        op = node.op
        if special:
            if wanted is not None and node not in wanted:
                continue
            if node.watch is not None:
                g = _hooked(node, g)
            if watch is not None:
                watch(node, g)
            if found is not None:
                if node in targets:  # type: ignore[operator]
                    found[node] = g
                if op is None:
                    continue
        elif node.watch is not None:
            g = _hooked(node, g)
        if op is None:
            if node.watch is not None and node.watch.post:
                deposit(node, g, create_graph)
            else:
                leaves[node] = g
            g = None
            continue
        saved = node.saved
        if type(saved) is not tuple:
            saved = _restored(node)
        birth = node.order
        if birth < written:
            graph.check_fresh(node, saved, youngest)
        if not retain_graph:
            node.saved = None
        if create_graph:
            saved = as_tensors(node, saved)
        if op.rules is None:
            _deliver_many(node, g, saved, wanted, waiting, deliver)
            continue
        shape, dtype, elementwise = node.shape, node.dtype, op.elementwise
        parents = node.parents
        i = -1
        for rule, need in op.rules:  # with a counter, as making a zip costs as much as an edge
            i += 1
            parent = parents[i]
            if parent is None or (limited and parent not in wanted):  # type: ignore[operator]
                continue
            if need is None:
                d = rule(g)
            elif type(need) is int:
                d = rule(g, saved[need])
            else:
                d = rule(g, *need(saved))
            if not elementwise or parent.dtype is not dtype:
                d = conformed(op, d, parent)
            elif parent.shape != shape:
                d = sum_to(d, parent.shape)
            order = parent.order
            if order in waiting:  # deliver(), inlined: this is the inner loop of every backward pass
                prior = waiting[order]
                if prior[2]:
                    prior[1] += d
                else:
                    prior[1] = prior[1] + d
                    prior[2] = not create_graph
                d = None  # frees it before the next rule runs
            else:
                waiting[order] = [parent, d, False, birth]
                heappush(heap, -order)
    return leaves


def _deliver_many(node: Node, g: Any, saved: tuple, wanted: Any, waiting: dict, deliver: Callable) -> None:
    """The step for a node whose op gives all gradients by one rule, or that is one output of a node with several."""
    op, parents = node.op, node.parents
    if op is OUTPUT:
        parent, index = parents[0], saved[2]
        entry = waiting.get(parent.order)
        if entry is None:
            deliver(parent, [None] * len(parent.shape), node.order)
            entry = waiting[parent.order]
        gs = entry[1]  # a list, so that a thousand outputs do not cost a thousand tuples of a thousand
        gs[index] = g if gs[index] is None else gs[index] + g
        return
    if type(g) is list:
        g = tuple(g)
    rule, need = op.whole
    asked = tuple([p is not None and (wanted is None or p in wanted) for p in parents])
    ds = rule(g, asked, *(() if need is None else (saved[need],) if type(need) is int else need(saved)))
    if type(ds) is not tuple or len(ds) != len(parents):
        raise GraphError(f"{op.name}: its rule must return a tuple of {len(parents)} gradients, got {shown(ds)}")
    for parent, d, ask in zip(parents, ds, asked, strict=True):
        if ask and d is not None:
            deliver(parent, conformed(op, d, parent), node.order)


def _leading_to(targets: frozenset[Node], nodes: list[Node]) -> set[Node]:
    wanted: set[Node] = set()
    for node in nodes:
        if node in targets or any(p in wanted for p in node.parents):
            wanted.add(node)
    return wanted


def conformed(op: Any, d: Any, parent: Node) -> Any:
    """The gradient with the shape and dtype of its tensor: summed where the tensor was broadcast, cast where it was promoted.

    Raises:
        GraphError: it is no array, or smaller than its tensor.
    """
    try:
        shape, dtype = d.shape, d.dtype
    except AttributeError:
        raise GraphError(f"{op.name}: a rule returned {shown(d)}, expected an array of shape {parent.shape}") from None
    if shape != parent.shape:
        if not _reduces_to(shape, parent.shape):
            raise GraphError(f"{op.name}: a rule returned a gradient of shape {shape} for an input of shape {parent.shape}")
        d = sum_to(d, parent.shape)
    return d if dtype == parent.dtype else cast(d, parent.dtype)


def _reduces_to(shape: tuple[int, ...], target: tuple[int, ...]) -> bool:
    lead = len(shape) - len(target)
    return lead >= 0 and all(t in (1, s) for s, t in zip(shape[lead:], target, strict=True))


def as_tensors(node: Node, saved: tuple) -> tuple:
    """What a node saved, as Tensors in their places in the graph, for rules that are to be differentiated in turn."""
    if not saved:
        return saved
    op, k = node.op, node.op.inputs
    y = saved[0]
    if type(y) is tuple:
        y = tuple([wrap(v, part(node, i, v)) for i, v in enumerate(y)])
    elif y is not None:
        y = wrap(y, node)
    xs = [
        x if x is None or p is None else wrap(x, p) if n in op.names and hasattr(x, "dtype") else x
        for n, x, p in zip(op.names[1 : k + 1], saved[1 : k + 1], node.parents, strict=False)
    ]
    return (y, *xs, *saved[k + 1 :])


def _restored(node: Node) -> tuple:
    """What a node saved, where it is not simply there: freed, or to be recomputed."""
    if node.saved is None:
        raise GraphError(
            f"backward: the graph was already freed at {node.name}; call the first backward with retain_graph=True to go through it twice"
        )
    return node.saved.restore(node)


def _hooked(node: Node, g: Any) -> Any:
    """The gradient after the user's hooks have seen it."""
    watch = node.watch
    for hook in list(watch.hooks.values()) if watch.hooks else ():
        seen = g if isinstance(g, Tensor) else wrap(np.asarray(g) if isinstance(g, np.generic) else g, None)
        out = hook(_flipped(seen))
        if out is None:
            continue
        if not hasattr(out, "shape") or tuple(out.shape) != node.shape:
            raise ShapeError(f"hook on {node.name}: expected a gradient of shape {node.shape} or None, got {shown(out)}")
        out = _flipped(out)
        g = out if isinstance(g, Tensor) else raw(out)
        if g.dtype != node.dtype:
            g = cast(g, node.dtype)
    if watch.retain:
        watch.grad = own(_flipped(g))
    return g


def _flipped(g: Any) -> Any:
    """Between the engine's convention for complex gradients and the user's; real ones pass."""
    return conj(g) if g.dtype.kind == "c" else g


def own(g: Any) -> Tensor:
    """A gradient as a Tensor whose memory nobody else holds."""
    if isinstance(g, Tensor):
        return g if g.node is not None else wrap(g.data.copy(), None)
    if isinstance(g, np.generic):
        return wrap(np.asarray(g), None)
    return wrap(g.copy(), None)


def deposit(leaf: Node, g: Any, create_graph: bool = False) -> None:
    """Add a finished gradient to a leaf's ``.grad``."""
    g = _flipped(g)
    watch = leaf.watch
    if watch is None:
        watch = leaf.watch = Watch()
    with _accumulation:
        old = watch.grad
        if old is None:
            # 3 references: this frame's, the caller's and getrefcount's own; more, or a view, and someone could see a change
            mine = not isinstance(g, Tensor) and getattr(g, "base", 1) is None and _getrefcount(g) <= 3 and g.flags.writeable
            watch.grad = wrap(g, None) if mine else own(g)
        elif create_graph or old.node is not None:
            watch.grad = add(old, g if isinstance(g, Tensor) else wrap(g, None))
        else:
            old.data += raw(g)
    for hook, ref in list(watch.post.values()):
        t = ref()
        if t is not None:
            hook(t)


@functools.cache
def _one(kind: type, dtype: Any) -> Any:
    """The seed of every scalar loss: a locked 0-d one, which nothing can write to."""
    one = namespace(kind).ones((), dtype)
    if kind is np.ndarray:
        one.flags.writeable = False
    return one


def _seed(t: Any, gradient: Any, who: str) -> Any:
    """The gradient with which backward starts at ``t``, as a raw array or as the Tensor given."""
    if not isinstance(t, Tensor):
        raise DTypeError(f"{who}: expected a Tensor, got {type(t).__name__}")
    if t.node is None:
        raise GraphError(f"{who}: the output does not require grad and has no graph; was it computed under no_grad, or from constants only?")
    if gradient is None:
        if t.data.size != 1:
            raise GraphError(f"{who} needs a scalar or an explicit gradient; output shape {t.shape}")
        return _one(type(t.data), t.dtype) if not t.data.ndim else namespace(type(t.data)).ones(t.shape, t.dtype)
    g = gradient if isinstance(gradient, Tensor) else as_data(gradient)
    if tuple(g.shape) != t.shape:
        raise ShapeError(f"{who}: the gradient has shape {tuple(g.shape)}, the output {t.shape}")
    if g.dtype.kind == "c" != t.dtype.kind:
        raise DTypeError(f"{who}: the gradient is {g.dtype}, the output {t.dtype}")
    return _flipped(g if g.dtype == t.dtype else cast(g, t.dtype))


def _stop_at_nan(node: Node, g: Any) -> None:
    """While anomaly detection is on: raise at the first gradient that is not a number."""
    for v in g if type(g) is list else (g,):
        if v is not None and bool((raw(v) != raw(v)).any()):
            line = graph.sources.get(node.order, "") if graph.sources is not None else ""
            raise GraphError(f"backward: the gradient that reached {node.name}{line and f' ({line})'} of shape {node.shape} holds NaN")


def _run(seeds: list[tuple[Node, Any]], create_graph: bool, **options: Any) -> dict[Node, Any]:
    if graph.sources is not None:
        options["watch"] = _stop_at_nan
    if create_graph:
        seeds = [(n, g if isinstance(g, Tensor) else wrap(g, None)) for n, g in seeds]
        with _Mode(True), np.errstate(all="ignore"):
            return propagate(seeds, create_graph=True, **options)
    seeds = [(n, raw(g)) for n, g in seeds]  # the callers' own lists go with them, so that a seed can be freed
    with np.errstate(all="ignore"):
        return propagate(seeds, **options)


def backward(
    tensors: Tensor | Sequence[Tensor],
    gradient: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensor | Sequence[Tensor] | None = None,
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
    """
    if isinstance(tensors, Tensor):
        seeds = [(tensors.node, _seed(tensors, gradient, "backward"))]
    else:
        gs = gradient if isinstance(gradient, (list, tuple)) else [gradient] * len(tensors)
        if len(gs) != len(tensors):
            raise GraphError(f"backward: {len(tensors)} tensors but {len(gs)} gradients")
        seeds = [(t.node, _seed(t, g, "backward")) for t, g in zip(tensors, gs, strict=True)]
        del gs
    if retain_graph is None:
        retain_graph = create_graph
    if inputs is None:
        leaves = _run(seeds, create_graph, retain_graph=retain_graph)
    else:
        chosen = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        _require_nodes(chosen, "backward: inputs")
        leaves = {}
        _run(seeds, create_graph, retain_graph=retain_graph, targets=frozenset([t.node for t in chosen]), found=leaves)
    del seeds
    while leaves:
        leaf, g = leaves.popitem()
        deposit(leaf, g, create_graph)
        del g


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
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
    seeds = [(y.node, _seed(y, g, "grad")) for y, g in zip(ys, gs, strict=True)]
    found: dict[Node, Any] = {}
    targets = frozenset([x.node for x in xs])
    _run(seeds, create_graph, retain_graph=create_graph if retain_graph is None else retain_graph, targets=targets, found=found)
    out: list[Any] = []
    for i, x in enumerate(xs):
        g = found.get(x.node)
        if g is None:
            if not allow_unused:
                raise GraphError(f"grad: input {i} of shape {x.shape} was not used to compute the outputs; allow_unused=True gives None for it")
            out.append(None)
        else:
            g = _flipped(g)
            out.append(g if isinstance(g, Tensor) else own(g))
    return out


def _require_nodes(xs: Sequence[Any], who: str) -> None:
    for i, x in enumerate(xs):
        if not isinstance(x, Tensor):
            raise DTypeError(f"{who}: expected Tensors, got {type(x).__name__} at position {i}")
        if x.node is None:
            raise GraphError(f"{who}: tensor {i} of shape {x.shape} does not require grad; use requires_grad_() before computing with it")


Tensor.backward = lambda self, gradient=None, retain_graph=None, create_graph=False, inputs=None: backward(  # type: ignore[attr-defined]
    self, gradient, retain_graph, create_graph, inputs
)
Tensor.backward.__doc__ = backward.__doc__  # type: ignore[attr-defined]
