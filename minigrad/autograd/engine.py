"""The chain rule: from the outputs to the leaves, newest node first, each node once."""

import operator
import sys
from collections.abc import Callable, Collection, Iterable
from heapq import heappop, heappush
from typing import Any

import numpy as np

from ..errors import GraphError, ShapeError
from . import node as graph
from .arguments import shown
from .conform import LARGE_ADD, broadcast_axes, cast, sum_to
from .forms import LARGE
from .leaves import deposit, flipped, own
from .node import Node
from .op import OUTPUT, as_it_was, part
from .tensor import Tensor, raw, wrap

ndarray = np.ndarray
_born = operator.attrgetter("order")
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
    targets: dict[Node, Any] | None = None,
    watch: Callable[[Node, Any], None] | None = None,
) -> dict[Node, Any]:
    """Carry the seeds down the graph, youngest node first; returns the total gradient of each leaf that was reached.

    A node waits in a heap by its birth; when it comes up, every younger node has delivered its share. One that is younger than all
    that wait comes next at once, which is most of them in a chain. With ``targets``, only nodes on a way to one of them are
    visited, and each target is given its gradient there. ``watch`` sees each node with its gradient. Gradients are raw arrays,
    Tensors with ``create_graph``. Saved arrays are released as they are used unless ``retain_graph``. If a rule or hook raises, no
    leaf has been touched.
    """
    wanted = None if targets is None else _leading_to(targets, toposort([n for n, _ in seeds]))
    written = graph.last_write
    leaves: dict[Node, Any] = {}
    # by birth: [node, gradient so far, whether that is a small array of ours, youngest that contributed]; None once done
    waiting: dict[int, Any] = {}
    heap: list[int] = []
    for root, seed in seeds:  # younger than any write: what the caller holds must still be what the graph says
        _deliver(waiting, heap, create_graph, root, seed, sys.maxsize)
    del seeds, root, seed
    special = targets is not None or watch is not None
    limited = wanted is not None
    birth = 0
    ahead: Node | None = None  # a node younger than all that wait: nobody else can add to its gradient, so it need not wait
    share: Any = None
    while heap or ahead is not None:
        if ahead is not None:
            node, g, youngest, ahead, share = ahead, share, birth, None, None
        else:
            order = -heappop(heap)
            node, g, _, youngest = waiting[order]
            waiting[order] = None  # cheaper than taking the entry out, which makes a small dict resize all the time
        op = node.op
        if special:
            if wanted is not None and node not in wanted:
                continue
            if node.watch is not None:
                g = _hooked(node, g)
            if watch is not None:
                watch(node, g)
            if targets is not None:
                if node in targets:
                    targets[node] = g
                if op is None:
                    continue
        else:
            seen = node.watch
            if seen is not None and (seen.hooks or seen.retain):
                g = _hooked(node, g)
        if op is None:
            if node.watch is not None and node.watch.post:
                deposit(node, g, create_graph)
            else:
                leaves[node] = g
            g = None
            continue
        saved = node.saved
        birth = node.order
        if type(saved) is not tuple:
            saved = _restored(node)
        elif birth < written:
            graph.check_fresh(node, saved, youngest)
        if not retain_graph:
            node.saved = None
        if create_graph:
            saved = as_tensors(node, saved)
        if op.rules is None:
            _deliver_many(waiting, heap, create_graph, node, g, saved, wanted)
            continue
        shape, dtype, elementwise = node.shape, node.dtype, op.elementwise
        several = node.several
        for i, rule, need in op.rules:  # each with its place, as making a zip costs as much as an edge
            parent = (node.second if i else node.first) if several is None else several[i]
            if parent is None or (limited and parent not in wanted):  # type: ignore[operator]
                continue
            d = rule(g) if need is None else rule(g, saved[need])
            if not elementwise or parent.dtype is not dtype:
                if type(d) is not ndarray or d.shape != parent.shape or d.dtype is not parent.dtype:  # else it conforms
                    d = conformed(op, d, parent)
            elif parent.shape is not shape and parent.shape != shape:
                d = sum_to(d, parent.shape)
            order = parent.order
            if order in waiting:  # _deliver(), written out: this is the inner loop of every backward pass
                prior = waiting[order]
                if prior[2]:
                    prior[1] += d
                elif d.size < LARGE:
                    prior[1] = prior[1] + d
                    prior[2] = not create_graph
                else:
                    _join(prior, d, create_graph)
                d = None  # frees it before the next rule runs
            elif parent is ahead:
                share = share + d
            else:
                key = -order
                if ahead is None and (not heap or key < heap[0]):
                    ahead, share = parent, d
                    continue
                if ahead is not None and order > ahead.order:
                    parent, d, ahead, share = ahead, share, parent, d
                    order = parent.order
                    key = -order
                waiting[order] = [parent, d, False, birth]
                heappush(heap, key)
    return leaves


def _deliver(waiting: dict, heap: list, create_graph: bool, parent: Node, d: Any, source: int) -> None:
    """Add ``d`` to what waits for ``parent``."""
    entry = waiting.get(parent.order)
    if entry is None:
        waiting[parent.order] = [parent, d, False, source]
        heappush(heap, -parent.order)
    elif entry[2]:
        entry[1] += d
    elif d.size < LARGE:
        entry[1] = entry[1] + d
        entry[2] = not create_graph
    else:
        _join(entry, d, create_graph)


def _join(entry: list, d: Any, create_graph: bool) -> None:
    """Add a large ``d`` to what waits: in its memory where that is an array which nobody else can see, as it has no other reference."""
    if create_graph or type(entry[1]) is not ndarray:
        entry[1] = entry[1] + d
        entry[2] = not create_graph
    elif _getrefcount(entry[1]) <= 2 and entry[1].base is None and entry[1].flags.writeable:
        LARGE_ADD.kernels[ndarray](entry[1], d, entry[1])
    else:
        entry[1] = LARGE_ADD.kernels[ndarray](entry[1], d)


def _deliver_many(waiting: dict, heap: list, create_graph: bool, node: Node, g: Any, saved: tuple, wanted: Any) -> None:
    """The step for a node whose op gives all gradients by one rule, or that is one output of a node with several."""
    op, parents = node.op, node.parents
    if op is OUTPUT:
        parent, index = parents[0], saved[2]
        entry = waiting.get(parent.order)
        if entry is None:
            _deliver(waiting, heap, create_graph, parent, [None] * len(parent.shape), node.order)
            entry = waiting[parent.order]
        gs = entry[1]  # a list, so that a thousand outputs do not cost a thousand tuples of a thousand
        gs[index] = g if gs[index] is None else gs[index] + g
        return
    if type(g) is list:
        g = tuple(g)
    rule, pick = op.whole
    asked = tuple([p is not None for p in parents] if wanted is None else [p in wanted for p in parents])
    ds = rule(g, asked, *pick(saved))
    if type(ds) is not tuple or len(ds) != len(parents):
        raise GraphError(f"{op.name}: its rule must return a tuple of {len(parents)} gradients, got {shown(ds)}")
    birth = node.order
    for i, d in enumerate(ds):
        if d is not None and asked[i]:
            parent = parents[i]
            if type(d) is not ndarray or d.shape != parent.shape or d.dtype is not parent.dtype:  # else it conforms
                d = conformed(op, d, parent)
            _deliver(waiting, heap, create_graph, parent, d, birth)


def _leading_to(targets: Collection[Node], nodes: list[Node]) -> set[Node]:
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
        if broadcast_axes(shape, parent.shape) is None:
            raise GraphError(f"{op.name}: a rule returned a gradient of shape {shape} for an input of shape {parent.shape}")
        d = sum_to(d, parent.shape)
    return d if dtype == parent.dtype else cast(d, parent.dtype)


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
        x if x is None or p is None else wrap(x, as_it_was(p)) if n in op.names and hasattr(x, "dtype") else x
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
    watch: Any = node.watch
    for hook in list(watch.hooks.values()) if watch.hooks else ():
        seen = g if isinstance(g, Tensor) else wrap(np.asarray(g) if isinstance(g, np.generic) else g, None)
        out = hook(flipped(seen))
        if out is None:
            continue
        if not hasattr(out, "shape") or tuple(out.shape) != node.shape:
            raise ShapeError(f"hook on {node.name}: expected a gradient of shape {node.shape} or None, got {shown(out)}")
        out = flipped(out)
        g = out if isinstance(g, Tensor) else raw(out)
        if g.dtype != node.dtype:
            g = cast(g, node.dtype)
    if watch.retain:
        watch.grad = own(flipped(g), 0)
    return g
