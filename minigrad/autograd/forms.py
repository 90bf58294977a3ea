"""The forms in which an op is defined: a name, a sentence, a kernel, and one gradient rule per differentiable input.

A rule is ``rule(g, *names)``: ``g`` is the gradient of the output, and each name asks for one thing to be kept, ``y`` the
output, an input or a parameter by its name, ``shape`` the first input's shape, ``shapes`` those of all. What no rule names is
not kept alive. Rules are written with ops, so the same line runs on raw arrays (a first-order backward) and on Tensors
(``create_graph=True``). Un-broadcasting, casting and accumulation are the engine's.

Complex numbers: inside, ``g`` is dL/dRe - i dL/dIm, so that every holomorphic rule is its real formula; the engine conjugates
where gradients enter and leave, and users see PyTorch's convention, dL/dRe + i dL/dIm.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..backend.arrays import Kernels, asarray, is_array
from . import node as graph
from .arguments import normal_axis, operand, settled, unexpected
from .mode import paused, recording
from .node import Cell, Link, Node, follow, make_child, make_link
from .op import NOTHING, Op, Recast, named, on_arrays, parameters, picker, record
from .tensor import Tensor, wrap

ndarray = np.ndarray
new = object.__new__
NUMBERS = frozenset("biufc")
"""The kinds of dtypes that need no second look."""
LARGE = 1 << 16
"""Numbers from which a sum of two arrays is shared out among threads."""


def unary(name: str, doc: str, rule: Callable, kernel: Callable | None = None) -> Any:
    """An elementwise op of one input."""
    op = Op(name, ("y", "x"), (rule,), kernel=kernel, doc=doc, elementwise=True)
    kernels, (keep_y, keep_x) = op.kernels.table, op.keep

    def f(x: Any) -> Any:
        if type(x) is not Tensor and not isinstance(x, Tensor):
            return on_arrays(op, operand(x))
        a = x.data
        parent = x.node
        try:
            y = kernels[type(a)](a)
        except Recast as way:
            return f(way.cast(a, parent))
        except Exception as error:
            y = op.again(error, type(a), (a,))
        if type(y) is not ndarray:
            y = settled(y)
        if parent is None or (paused and not recording()):
            return wrap(y, None)
        node = Node()  # make_node() and wrap() written out: this is the hot path
        node.op = op
        node.first = parent
        node.several = None
        node.saved = (y if keep_y else None, a if keep_x else None)
        node.shape = parent.shape  # the same object, which the engine notices sooner than an equal one
        node.dtype = y.dtype
        node.order = graph.birth()
        node.watch = None
        t = new(Tensor)
        t.data = y
        t.node = node
        t.link = None
        return t

    return named(f, op)


def binary(
    name: str,
    doc: str,
    rule_a: Callable | None,
    rule_b: Callable | None,
    kernel: Callable | None = None,
    elementwise: bool = True,
    large: Kernels | None = None,
) -> Any:
    """An op of two inputs that are broadcast against each other, elementwise or (``elementwise=False``) in their leading axes only.

    ``large`` are kernels for LARGE arrays, of an op whose small ones are best left to NumPy's own function.
    """
    op = Op(name, ("y", "a", "b"), (rule_a, rule_b), kernel=kernel, doc=doc, inputs=2, elementwise=elementwise)
    kernels, (keep_y, keep_a, keep_b) = op.kernels.table, op.keep
    keeps = any(op.keep)
    one_sided = rule_a is None or rule_b is None

    def f(a: Any, b: Any) -> Any:
        m = n = None
        if type(a) is Tensor or isinstance(a, Tensor):  # the first test is the cheaper, and nearly always true
            m = a.node
            a = a.data
            kind = type(a)
            if type(b) is Tensor or isinstance(b, Tensor):
                n = b.node
                b = b.data
            elif type(b) is not float:
                b = operand(b)
        elif isinstance(b, Tensor):
            n = b.node
            b = b.data
            kind = type(b)
            a = operand(a)
        elif type(a) is ndarray and type(b) is ndarray and a.dtype.kind in NUMBERS and b.dtype.kind in NUMBERS:  # as in rules
            try:
                return kernels[ndarray](a, b)
            except Exception as error:
                return op.again(error, ndarray, (a, b))
        else:
            return on_arrays(op, operand(a), operand(b))
        shape = m.shape if m is not None and n is not None and m.shape is n.shape else None  # so is it in chains of elementwise ops
        try:
            if large is None or shape is not None or type(b) is not ndarray or b.size < LARGE:
                y = kernels[kind](a, b)
            else:
                y = large[kind](a, b)
        except Recast as way:
            return f(way.cast(a, m), way.cast(b, n))
        except Exception as error:
            y = op.again(error, kind, (a, b))
        if type(y) is not ndarray:
            y = settled(y)
        if one_sided:
            m, n = m if rule_a else None, n if rule_b else None
        if (m is None and n is None) or (paused and not recording()):
            return wrap(y, None)
        node = Node()  # make_node() and wrap() written out: this is the hot path
        node.op = op
        node.first = m
        node.second = n
        node.several = None
        node.saved = (y if keep_y else None, a if keep_a else None, b if keep_b else None) if keeps else NOTHING
        node.shape = y.shape if shape is None else shape
        node.dtype = y.dtype
        node.order = graph.birth()
        node.watch = None
        t = new(Tensor)
        t.data = y
        t.node = node
        t.link = None
        return t

    return named(f, op)


def reduction(name: str, doc: str, rule: Callable, kernel: Callable | None = None, options: Callable | None = None) -> Any:
    """An op that reduces axes: ``f(x, axis=None, keepdims=False)``. Its rule sees ``g`` and ``y`` with those axes still open (length 1).

    The kernel is ``kernel(x, axis, keepdims)`` with ``axis`` None or a tuple of axes counted from the front.
    ``options(f, x, axis, keepdims, keywords)`` answers calls with other keywords; without it they are an error.
    """
    wants = parameters(rule)[1:]
    names = ("y", "x", "shape", "axis")
    pick = picker(tuple([names.index(w) for w in wants]))

    def opened(g: Any, y: Any, x: Any, shape: Any, axis: Any) -> Any:
        kept = (1,) * len(shape) if axis is None else tuple([1 if i in axis else s for i, s in enumerate(shape)])
        return rule(g.reshape(kept), *pick((y if y is None else y.reshape(kept), x, shape, axis)))

    op = Op(name, names, (opened,), kernel=kernel, doc=doc)
    op.keep = tuple(n in wants or n in ("shape", "axis") for n in names)
    kernels, (keep_y, keep_x, *_) = op.kernels.table, op.keep

    def f(x: Any, axis: Any = None, keepdims: bool = False, **other: Any) -> Any:
        if other:
            if options is None:
                raise unexpected(name, other)
            return options(f, x, axis, keepdims, other)
        if type(x) is ndarray and x.dtype.kind in NUMBERS:  # as in rules
            axis = axis if axis is None else normal_axis(name, axis, x.ndim)
            try:
                return kernels[ndarray](x, axis, keepdims)
            except Exception as error:
                return op.again(error, ndarray, (x,), (axis, keepdims))
        if not isinstance(x, Tensor):
            x = operand(x) if is_array(x) else asarray(x)
            return on_arrays(op, x, axis if axis is None else normal_axis(name, axis, x.ndim), keepdims)
        a = x.data
        node = x.node
        if axis is not None:
            axis = normal_axis(name, axis, a.ndim)
        try:
            y = kernels[type(a)](a, axis, keepdims)
        except Recast as way:
            return f(way.cast(a, node), axis, keepdims)
        except Exception as error:
            y = op.again(error, type(a), (a,), (axis, keepdims))
        if type(y) is not ndarray:
            y = settled(y)
        if node is None or (paused and not recording()):
            return wrap(y, None)
        return wrap(y, make_child(op, node, (y if keep_y else None, a if keep_x else None, a.shape, axis), y.shape, y.dtype))

    return named(f, op)


def view(name: str, doc: str, rule: Callable, kernel: Callable | None = None) -> Any:
    """An op that rearranges or casts: ``f(x, how)``. Its rule is the inverse, and may ask for ``shape`` (of x) and ``how``.

    Where the result shares the memory of ``x``, it is a view: a write through one reaches the other, in the graph too.
    """
    op = Op(name, ("y", "x", "shape", "how", "cell"), (rule,), kernel=kernel, doc=doc)
    kernels = op.kernels.table

    def f(x: Any, how: Any) -> Any:
        if type(x) is ndarray:
            try:
                return kernels[ndarray](x, how)
            except Exception as error:
                return op.again(error, ndarray, (x,), (how,))
        if not isinstance(x, Tensor):
            return on_arrays(op, x if is_array(x) else asarray(x), how)
        a = x.data
        node = x.node
        try:
            y = kernels[type(a)](a, how)
        except Exception as error:
            y = op.again(error, type(a), (a,), (how,))
        if type(y) is not ndarray:
            y = settled(y)
        base = y.base
        shared = base is not None and (base is a or base is a.base)  # a copy may have a base too, which is then its own
        if node is None or (paused and not recording()):
            t = wrap(y, None)
            if shared:
                t.link = make_link(x, f, how)
                if node is None and (not paused or recording()):
                    follow(x, t)
            return t
        if not shared:
            return wrap(y, make_child(op, node, (None, None, a.shape, how, None), y.shape, y.dtype))
        link = x.link
        if link is None:
            link = x.link = make_link()
        if link.writes is None:
            link.writes = Cell()
        writes = link.writes
        t = new(Tensor)  # wrap() and make_link() written out
        t.data = y
        t.node = make_child(op, node, (None, None, node.shape, how, writes), y.shape, y.dtype)
        t.link = tie = Link()
        tie.base = x
        tie.f = f
        tie.how = how
        tie.writes = writes
        tie.name = tie.views = None
        return t

    return named(f, op)


def general(kernel: Callable, *rules: Callable | None, name: str = "", doc: str = "", whole: Callable | None = None, inputs: int = 0) -> Op:
    """Any other op; call it by ``apply(op, inputs, *params)``.

    ``kernel(xp, *inputs, *params)`` computes it; as many leading arguments are inputs as there are rules (None: that input has no
    gradient). Instead of one rule each, ``whole(g, wanted, *names)`` may return a tuple of all gradients, ``wanted[i]`` saying
    whether the i-th is needed. A kernel that returns a tuple makes an op of several outputs: ``g`` is then a tuple, None where an
    output was unused.
    """
    names = parameters(kernel)[1:]
    k = inputs or len(rules)
    op = Op(
        name or kernel.__name__,
        ("y", *names, "shape", "shapes"),
        (whole,) if whole else rules,
        kernel=lambda xp: partial(kernel, xp),
        doc=doc or (kernel.__doc__ or ""),
        inputs=k,
        whole=whole is not None,
    )
    return op


def gather(inputs: tuple) -> tuple[list, list, bool, Any]:
    """The arrays of the inputs, their nodes, whether there was a Tensor among them, and the type of array."""
    arrays, parents, tensor, kind = [], [], False, ndarray
    for t in inputs:
        if type(t) is Tensor or isinstance(t, Tensor):
            tensor = True
            a = t.data
            parents.append(t.node)
            if kind is ndarray:
                kind = type(a)
        else:
            a = t
            if t is not None and (type(t) is not ndarray or t.dtype.kind not in NUMBERS):
                a = operand(t)
                if kind is ndarray and is_array(a):
                    kind = type(a)
            parents.append(None)
        arrays.append(a)
    return arrays, parents, tensor, kind


def apply(op: Op, inputs: tuple, *params: Any) -> Any:
    """Run a general op: ``inputs`` may carry gradients, ``params`` may not. Arrays in, arrays out; a Tensor among them: Tensors out."""
    for t in inputs:
        if t is not None and (type(t) is not ndarray or t.dtype.kind not in NUMBERS):
            break
    else:  # arrays alone, as in rules
        try:
            return op.kernels.table[ndarray](*inputs, *params)
        except Exception as error:
            return op.again(error, ndarray, inputs, params)
    arrays, parents, tensor, kind = gather(inputs)
    try:
        y = op.kernels.table[kind](*arrays, *params)
    except Exception as error:
        if tensor and type(error) is Recast:
            return apply(op, tuple(map(error.cast, arrays, parents)), *params)
        y = op.again(error, kind, tuple(arrays), params)
    if not tensor:
        return y
    many = type(y) is tuple
    if type(y) is not ndarray:
        y = tuple([settled(v) for v in y]) if many else settled(y)
    for i in op.constant:
        parents[i] = None
    if parents.count(None) == len(parents) or (paused and not recording()):
        return tuple([wrap(v, None) for v in y]) if many else wrap(y, None)
    return record(op, tuple(parents), y, arrays, params)
