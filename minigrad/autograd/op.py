"""The forms in which an op is defined: a name, a sentence, a kernel, and one gradient rule per differentiable input.

A rule is ``rule(g, *names)``: ``g`` is the gradient of the output, and each name asks for one thing to be kept, ``y`` the
output, an input or a parameter by its name, ``shape`` the first input's shape, ``shapes`` those of all. What no rule names is
not kept alive. Rules are written with ops, so the same line runs on raw arrays (a first-order backward) and on Tensors
(``create_graph=True``). Un-broadcasting, casting and accumulation are the engine's.

Complex numbers: inside, ``g`` is dL/dRe - i dL/dIm, so that every holomorphic rule is its real formula; the engine conjugates
where gradients enter and leave, and users see PyTorch's convention, dL/dRe + i dL/dIm.
"""

from collections.abc import Callable
from operator import itemgetter
from typing import Any

import numpy as np

from ..backend.arrays import EXTENDED, Kernels, asarray, is_array, namespace
from ..backend.devices import device_of
from ..errors import AxisError, DeviceError, DTypeError, IndexRangeError, MinigradError, ShapeError
from . import node as graph
from .mode import paused, recording
from .node import Cell, Link, Node, follow, make_node
from .tensor import Tensor, wrap

ndarray = np.ndarray
new = object.__new__
NOTHING = (None, None, None)


class Op:
    """A primitive: its kernels by array type, and for each differentiable input a rule and what it needs.

    ``names`` says what the positions of a node's ``saved`` are: ``y``, the inputs, then parameters. ``inputs`` is how many of them
    are inputs. ``whole`` marks a single rule that returns the gradients of all inputs at once. ``elementwise`` promises that
    a rule's result has the output's shape and dtype, so that the engine need only undo broadcasting and casting. ``constant`` lists
    the inputs that have no rule; they never become parents.
    """

    __slots__ = ("constant", "doc", "elementwise", "inputs", "keep", "kernels", "name", "names", "rules", "view", "whole")

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
        keep: tuple[str, ...] = (),
    ):
        self.name, self.names, self.inputs, self.doc = name, names, inputs, doc
        self.kernels = Kernels(name, kernel)
        self.elementwise = elementwise
        self.view: Any = None
        if "y" in names[1:]:
            raise TypeError(f"{name}: no input or parameter may be called y, by which rules mean the output")
        wants = [() if r is None else parameters(r)[2 if whole else 1 :] for r in rules]
        for rule, want in zip(rules, wants, strict=True):
            for w in want:
                if w not in names:
                    raise TypeError(f"{name}: rule {rule} asks for {w!r}; it can have {', '.join(names)}")
        self.keep = tuple(n in keep or any(n in w for w in wants) for n in names)
        calls = tuple(
            (no_gradient, None) if r is None else (r, picker([names.index(n) for n in want])) for r, want in zip(rules, wants, strict=True)
        )
        self.rules: Any = None if whole else calls
        self.constant = tuple([i for i, r in enumerate(rules) if r is None])
        self.whole: Any = calls[0] if whole and calls else None

    def again(self, error: Exception, kind: type, operands: tuple, params: tuple = ()) -> Any:
        """After a kernel failed: run the one for this array type, if it was not in the table yet; else raise its error, explained."""
        if kind not in self.kernels.table:
            try:
                return self.kernels[kind](*operands, *params)
            except Exception as other:
                error = other
        raise explained(self, error, operands, params) from None

    def __repr__(self) -> str:
        return f"<op {self.name}>"


def no_gradient(g: Any) -> Any:
    """The rule of an input that has none: never called, as the engine has no parent to deliver to."""
    raise TypeError("this input has no gradient rule")


def parameters(f: Callable) -> tuple[str, ...]:
    """The names of a Python function's positional parameters."""
    code = f.__code__
    return code.co_varnames[: code.co_argcount]


def picker(positions: list[int]) -> Any:
    """None, one position, or a function that takes several positions out of a tuple: what the engine calls rules by."""
    return None if not positions else positions[0] if len(positions) == 1 else itemgetter(*positions)


registry: dict[str, Callable] = {}
"""Every op by its name, as the forms below define it."""


def named(f: Callable, op: Op) -> Any:
    f.__name__ = f.__qualname__ = op.name
    f.__doc__ = op.doc
    f.op = op  # type: ignore[attr-defined]
    registry[op.name] = f
    return f


def operand(x: Any) -> Any:
    """A constant operand as a kernel can take it: a Python number stays weak, lists become arrays."""
    if isinstance(x, (bool, int, float, complex)) or is_array(x):
        if type(x) is ndarray and x.dtype.kind not in "biufc" and x.dtype.name not in EXTENDED:
            return asarray(x)
        return x
    return asarray(x)


def settled(y: Any) -> Any:
    """A kernel's result as an array: NumPy gives scalars where an array of no dimensions is meant."""
    return np.asarray(y) if isinstance(y, np.generic) else y


def on_arrays(op: Op, *args: Any) -> Any:
    """Arrays in, arrays out: the kernel alone."""
    kind = next((type(a) for a in args if is_array(a)), type(args[0]))
    try:
        return op.kernels[kind](*args)
    except Exception as error:
        raise explained(op, error, args[: op.inputs], args[op.inputs :]) from None


# -- the forms --------------------------------------------------------------------------------------------------------
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
        except Exception as error:
            y = op.again(error, type(a), (a,))
        if type(y) is not ndarray:
            y = settled(y)
        if parent is None or (paused and not recording()):
            return wrap(y, None)
        node = Node()  # make_node() and wrap() written out: this is the hot path
        node.op = op
        node.parents = (parent,)
        node.saved = (y if keep_y else None, a if keep_x else None)
        node.shape = y.shape
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
    name: str, doc: str, rule_a: Callable | None, rule_b: Callable | None, kernel: Callable | None = None, elementwise: bool = True
) -> Any:
    """An op of two inputs that are broadcast against each other, elementwise or (``elementwise=False``) in their leading axes only."""
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
        else:
            return on_arrays(op, operand(a), operand(b))
        try:
            y = kernels[kind](a, b)
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
        node.parents = (m, n)
        node.saved = (y if keep_y else None, a if keep_a else None, b if keep_b else None) if keeps else NOTHING
        node.shape = y.shape
        node.dtype = y.dtype
        node.order = graph.birth()
        node.watch = None
        t = new(Tensor)
        t.data = y
        t.node = node
        t.link = None
        return t

    return named(f, op)


def normal_axis(name: str, axis: Any, ndim: int) -> tuple[int, ...]:
    """``axis`` (None: all) as a tuple of axes counted from the front."""
    if axis is None:
        return tuple(range(ndim))
    many = axis if isinstance(axis, (tuple, list)) else (axis,)
    out = []
    for i in many:
        if isinstance(i, (bool, np.bool_)) or not hasattr(i, "__index__"):
            raise DTypeError(f"{name}: axis must be an integer, got {i!r}")
        k = i.__index__()
        if not -ndim <= k < ndim:
            raise AxisError(f"{name}: axis {k} is out of range for {ndim} dimensions (expected {-ndim} to {ndim - 1})")
        out.append(k % ndim)
    if len(set(out)) != len(out):
        raise ShapeError(f"{name}: axis {axis!r} names an axis twice")
    return tuple(out)


def reduction(name: str, doc: str, rule: Callable, kernel: Callable | None = None, options: Callable | None = None) -> Any:
    """An op that reduces axes: ``f(x, axis=None, keepdims=False)``. Its rule sees ``g`` and ``y`` with those axes still open (length 1).

    The kernel is ``kernel(x, axis, keepdims)`` with ``axis`` None or a tuple of axes counted from the front.
    ``options(f, x, axis, keepdims, keywords)`` answers calls with other keywords; without it they are an error.
    """
    wants = parameters(rule)[1:]
    names = ("y", "x", "shape", "axis")
    pick = picker([names.index(w) for w in wants])

    def opened(g: Any, y: Any, x: Any, shape: Any, axis: Any) -> Any:
        kept = tuple([1] * len(shape) if axis is None else [1 if i in axis else s for i, s in enumerate(shape)])
        g = g.reshape(kept)
        if pick is None:
            return rule(g)
        saved = (y if y is None else y.reshape(kept), x, shape, axis)
        return rule(g, saved[pick]) if type(pick) is int else rule(g, *pick(saved))

    op = Op(name, names, (opened,), kernel=kernel, doc=doc)
    op.keep = tuple(n in wants or n in ("shape", "axis") for n in names)
    kernels, (keep_y, keep_x, *_) = op.kernels.table, op.keep

    def f(x: Any, axis: Any = None, keepdims: bool = False, **other: Any) -> Any:
        if other:
            if options is None:
                raise unexpected(name, other)
            return options(f, x, axis, keepdims, other)
        if not isinstance(x, Tensor):
            x = operand(x) if is_array(x) else asarray(x)
            return on_arrays(op, x, axis if axis is None else normal_axis(name, axis, x.ndim), keepdims)
        a = x.data
        node = x.node
        if axis is not None:
            axis = normal_axis(name, axis, a.ndim)
        try:
            y = kernels[type(a)](a, axis, keepdims)
        except Exception as error:
            y = op.again(error, type(a), (a,), (axis, keepdims))
        if type(y) is not ndarray:
            y = settled(y)
        if node is None or (paused and not recording()):
            return wrap(y, None)
        return wrap(y, make_node(op, (node,), (y if keep_y else None, a if keep_x else None, a.shape, axis), y.shape, y.dtype))

    return named(f, op)


def unexpected(name: str, other: dict) -> TypeError:
    """The error for keywords that are not there, with the right word for PyTorch's."""
    ours = {"dim": "axis", "keepdim": "keepdims", "dims": "axis", "input": "x", "other": "b"}
    hints = [f"{k!r}" + (f" (use {ours[k]}=)" if k in ours else "") for k in other]
    return TypeError(f"{name}: unexpected argument {', '.join(hints)}")


def view(name: str, doc: str, rule: Callable, kernel: Callable | None = None) -> Any:
    """An op that rearranges or casts: ``f(x, how)``. Its rule is the inverse, and may ask for ``shape`` (of x) and ``how``.

    Where the result shares the memory of ``x``, it is a view: a write through one reaches the other, in the graph too.
    """
    op = Op(name, ("y", "x", "shape", "how", "cell"), (rule,), kernel=kernel, doc=doc)
    kernels = op.kernels.table

    def f(x: Any, how: Any) -> Any:
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
                t.link = Link(x, f, how)
                if node is None and (not paused or recording()):
                    follow(x, t)
            return t
        if not shared:
            return wrap(y, make_node(op, (node,), (None, None, a.shape, how, None), y.shape, y.dtype))
        link = x.link
        if link is None:
            link = x.link = Link()
        if link.writes is None:
            link.writes = Cell()
        t = wrap(y, make_node(op, (node,), (None, None, a.shape, how, link.writes), y.shape, y.dtype))
        t.link = Link(x, f, how, link.writes)
        return t

    op.view = f
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
        kernel=lambda xp: lambda *args: kernel(xp, *args),
        doc=doc or (kernel.__doc__ or ""),
        inputs=k,
        whole=whole is not None,
    )
    return op


def apply(op: Op, inputs: tuple, *params: Any) -> Any:
    """Run a general op: ``inputs`` may carry gradients, ``params`` may not. Arrays in, arrays out; a Tensor among them: Tensors out."""
    arrays, parents, tensor, kind = [], [], False, ndarray
    for t in inputs:
        if isinstance(t, Tensor):
            tensor = True
            arrays.append(t.data)
            parents.append(t.node)
            kind = type(t.data) if kind is ndarray else kind
        else:
            if t is not None:
                t = operand(t)
                if kind is ndarray and is_array(t):
                    kind = type(t)
            arrays.append(t)
            parents.append(None)
    try:
        y = op.kernels[kind](*arrays, *params)
    except Exception as error:
        raise explained(op, error, arrays, params) from None
    if not tensor:
        return y
    many = type(y) is tuple
    y = tuple([settled(v) for v in y]) if many else settled(y)
    for i in op.constant:
        parents[i] = None
    if parents.count(None) == len(parents) or (paused and not recording()):
        return tuple([wrap(v, None) for v in y]) if many else wrap(y, None)
    return record(op, tuple(parents), y, arrays, params)


def record(op: Op, parents: tuple, y: Any, arrays: Any, params: tuple) -> Any:
    """The output (or outputs) of a general op as Tensors, with the node that made them."""
    kept = [v if k else None for v, k in zip((y, *arrays, *params), op.keep, strict=False)]
    shapes = tuple([getattr(a, "shape", ()) for a in arrays])
    kept += [shapes[0], shapes]
    if type(y) is not tuple:
        node = make_node(op, parents, tuple(kept), y.shape, y.dtype)
        return wrap(y, node)
    node = make_node(op, parents, tuple(kept), tuple([v.shape for v in y]), tuple([v.dtype for v in y]))
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


# -- errors -----------------------------------------------------------------------------------------------------------
def shown(x: Any) -> str:
    """An operand in an error message: its dtype and shape, or itself if it is small."""
    if hasattr(x, "shape") and hasattr(x, "dtype"):
        return f"{x.dtype}{list(x.shape)}"
    text = repr(x)
    return text if len(text) < 60 else f"{type(x).__name__}"


def explained(op: Op, error: Exception, operands: Any, params: tuple = ()) -> Exception:
    """The error of a kernel as one of ours, with the op's name, what came, and what was expected."""
    if isinstance(error, MinigradError):
        return error
    arrays = [a for a in operands if hasattr(a, "shape")]
    came = ", ".join([shown(a) for a in (*operands, *params)])
    spaces = {namespace(type(a)).__name__ for a in arrays}
    if len(spaces) > 1 or len({str(device_of(a)) for a in arrays}) > 1:
        places = " and ".join(sorted({str(device_of(a)) for a in arrays}))
        return DeviceError(f"{op.name}: operands are on different devices, {places}; move one with .to(device)")
    text = " ".join(str(error).split())
    if "broadcast" in text or "mismatch" in text or ("size" in text and isinstance(error, ValueError)):
        return ShapeError(f"{op.name}: shapes do not fit: got {came}; {text}")
    kinds: list[tuple[type, type]] = [(IndexError, IndexRangeError), (np.linalg.LinAlgError, np.linalg.LinAlgError)]
    kinds += [(ValueError, ShapeError), (TypeError, DTypeError)]
    for theirs, ours in kinds:
        if isinstance(error, theirs):
            return ours(f"{op.name}: got {came}; {text}")
    return type(error)(f"{op.name}: got {came}; {text}") if type(error).__module__ in ("builtins", "numpy.exceptions") else error
