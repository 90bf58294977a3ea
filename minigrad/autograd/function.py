"""Functions with user-defined gradients: ``Function`` as in PyTorch, ``primitive``/``defvjp`` as in autograd."""

import functools
from collections.abc import Callable
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backend import is_inexact
from ..errors import DTypeError, GraphError
from .mode import _Mode, no_grad, recording
from .node import make_node
from .op import Op, as_it_was, part
from .tensor import Tensor, raw, wrap


class Context:
    """What ``forward`` leaves for ``backward``; any attribute may be set on it.

    Example:
        >>> import minigrad as mg
        >>> class Square(mg.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         ctx.save_for_backward(x)
        ...         return x * x
        ...     @staticmethod
        ...     def backward(ctx, g):
        ...         (x,) = ctx.saved_tensors
        ...         return 2 * x * g
        >>> x = mg.tensor(3.0, requires_grad=True)
        >>> Square.apply(x).backward()
        >>> x.grad.item()
        6.0
    """

    def __init__(self, needs_input_grad: tuple[bool, ...]):
        self.needs_input_grad = needs_input_grad
        self.materialize_grads = True
        self._saved: tuple = ()
        self._constant: tuple = ()

    if TYPE_CHECKING:  # any attribute may be set

        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any) -> None: ...

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep inputs, outputs or intermediates; writes to them before backward are noticed."""
        for t in tensors:
            if t is not None and not isinstance(t, Tensor):
                raise DTypeError(
                    f"save_for_backward: expected Tensors or None, got {type(t).__name__}; set other values as attributes of ctx"
                )
        self._saved = tensors

    @property
    def saved_tensors(self) -> tuple:
        """What ``save_for_backward`` was given, in its order."""
        return self._saved

    def mark_non_differentiable(self, *outputs: Tensor) -> None:
        """Declare outputs of ``forward`` to be constants."""
        self._constant = tuple([id(t) for t in outputs])

    def set_materialize_grads(self, value: bool) -> None:
        """Whether an unused output's gradient comes as zeros (default) or as None."""
        self.materialize_grads = value


class _Saved:
    """Tensors that a Function saved: inputs with their nodes, outputs by their place, intermediates as bare arrays."""

    def __init__(self, name: str, saved: tuple, inputs: tuple, outputs: list[Tensor]):
        self.name = name
        places = {id(t): i for i, t in enumerate(outputs)}
        given = {id(t) for t in inputs}
        self.items: list[Any] = []
        for t in saved:
            if t is None:
                self.items.append(None)
            elif id(t) in places and id(t) not in given:
                self.items.append((places[id(t)], None, False))
            else:
                self.items.append((t.data, t.node, id(t) not in given and is_inexact(t.dtype)))

    @property
    def wants_outputs(self) -> bool:
        return any(i is not None and isinstance(i[0], int) for i in self.items)

    def arrays(self) -> list:
        """What was saved besides outputs, for the check that nobody overwrote it."""
        return [i[0] for i in self.items if i is not None and not isinstance(i[0], int)]

    def tensors(self, y: tuple, graph: bool) -> tuple:
        out: list[Any] = []
        for item in self.items:
            if item is None:
                out.append(None)
                continue
            value, node, intermediate = item
            if isinstance(value, int):
                v = y[value]
                out.append(v if isinstance(v, Tensor) else wrap(v, None))
                continue
            if graph and intermediate:
                raise GraphError(
                    f"{self.name}.backward: it saved an intermediate of shape {value.shape}, whose dependence on the inputs is unrecorded, "
                    "so a second derivative through it would be wrong; save inputs and outputs, or set constants as attributes of ctx"
                )
            out.append(wrap(value, as_it_was(node) if graph and node is not None else None))
        return tuple(out)


class Function:
    """An operation with gradients of your own. Subclass it with two static methods and call ``apply``.

    ``forward(ctx, *inputs)`` computes with Tensors, unrecorded; ``backward(ctx, *gradients)`` returns one gradient per input of
    ``forward``, None where there is none. Written with minigrad's ops, ``backward`` can be differentiated again.

    Example:
        >>> import minigrad as mg
        >>> class Cube(mg.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         ctx.save_for_backward(x)
        ...         return x * x * x
        ...     @staticmethod
        ...     def backward(ctx, g):
        ...         (x,) = ctx.saved_tensors
        ...         return g * 3 * x * x
        >>> x = mg.tensor(2.0, requires_grad=True)
        >>> Cube.apply(x).backward(); x.grad.item()
        12.0
    """

    @staticmethod
    def forward(ctx: Context, *inputs: Any) -> Any:
        """Compute the output, or a tuple of them, from the inputs; ``ctx`` takes what ``backward`` will need."""
        raise NotImplementedError("Function: define a static method forward(ctx, *inputs)")

    @staticmethod
    def backward(ctx: Context, *gradients: Any) -> Any:
        """From the outputs' gradients those of the inputs, one each, None where there is none."""
        raise NotImplementedError("Function: define a static method backward(ctx, *gradients)")

    @classmethod
    def apply(cls, *inputs: Any) -> Any:
        """Run ``forward`` and record it."""
        nodes = tuple([t.node if isinstance(t, Tensor) else None for t in inputs])
        ctx = Context(tuple([n is not None for n in nodes]))
        with no_grad():
            result = cls.forward(ctx, *inputs)
        many = isinstance(result, tuple)
        outputs = list(result) if many else [result]
        for y in outputs:
            if not isinstance(y, Tensor):
                raise DTypeError(f"{cls.__name__}.forward: expected a Tensor or a tuple of Tensors, got {type(y).__name__}")
        if not recording() or all(n is None for n in nodes):
            return result
        saved = _Saved(cls.__name__, ctx._saved, inputs, outputs)
        constant, ctx._saved, ctx._constant = ctx._constant, (), ()
        arrays = tuple([y.data for y in outputs])
        y0: Any = (arrays if many else arrays[0]) if saved.wants_outputs else None
        shapes, dtypes = tuple([a.shape for a in arrays]), tuple([a.dtype for a in arrays])
        node = make_node(
            cls._op(),
            nodes,
            (y0, (ctx, saved, shapes, dtypes, many), *saved.arrays()),
            shapes if many else shapes[0],
            dtypes if many else dtypes[0],
        )
        if not many:
            return wrap(arrays[0], None if id(outputs[0]) in constant else node)
        return tuple(
            [wrap(a, None if id(y) in constant else part(node, i, a)) for i, (y, a) in enumerate(zip(outputs, arrays, strict=True))]
        )

    @classmethod
    def _op(cls) -> Op:
        op = cls.__dict__.get("_the_op")
        if op is None:
            op = Op(cls.__name__, ("y", "context"), (), inputs=0, whole=True)
            op.whole = (functools.partial(_pull, cls), itemgetter(0, 1))
            cls._the_op = op  # type: ignore[attr-defined]
        return op


def _pull(cls: type[Function], g: Any, wanted: tuple, y: Any, context: tuple) -> tuple:
    """The rule of a custom function: call the user's backward with Tensors, and check what it returns."""
    ctx, saved, shapes, dtypes, many = context
    gs = g if many else (g,)
    graph = any(isinstance(v, Tensor) for v in gs)
    ys = () if y is None else y if many else (y,)
    ctx._saved = saved.tensors(ys, graph)
    if ctx.materialize_grads:
        gs = [np.zeros(s, d) if v is None else v for v, s, d in zip(gs, shapes, dtypes, strict=True)]
    given = [v if v is None or isinstance(v, Tensor) else wrap(np.asarray(v) if isinstance(v, np.generic) else v, None) for v in gs]
    try:
        with _Mode(graph):
            out = cls.backward(ctx, *given)
    finally:
        ctx._saved = ()
    out = out if isinstance(out, tuple) else (out,)
    if len(out) != len(ctx.needs_input_grad):
        raise GraphError(f"{cls.__name__}.backward: expected {len(ctx.needs_input_grad)} gradients, one per input, got {len(out)}")
    for d in out:
        if d is not None and not isinstance(d, Tensor) and not hasattr(d, "dtype"):
            raise GraphError(f"{cls.__name__}.backward: expected Tensors or None, got {d!r}")
    return tuple([d if graph else raw(d) for d in out])


def once_differentiable(backward: Callable) -> Callable:
    """Mark a ``backward`` that cannot be differentiated: a second order through it raises instead of being wrong.

    Example:
        >>> import minigrad as mg
        >>> class Double(mg.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         return x * 2
        ...     @staticmethod
        ...     @mg.autograd.once_differentiable
        ...     def backward(ctx, g):
        ...         return g * 2
        >>> x = mg.tensor(3.0, requires_grad=True)
        >>> mg.grad(Double.apply(x), x)[0].item()
        2.0
        >>> try:
        ...     _ = mg.grad(Double.apply(x), x, create_graph=True)
        ... except mg.errors.GraphError:
        ...     print("not twice")
        not twice
    """

    @functools.wraps(backward)
    def guarded(ctx: Context, *gradients: Any) -> Any:
        if recording():
            raise GraphError("once_differentiable: this backward was declared not differentiable; call it without create_graph")
        return backward(ctx, *gradients)

    return guarded


# -- the autograd-style shortcut --------------------------------------------------------------------------------------
def primitive(f: Callable) -> Callable:
    """Make ``f``, a function of arrays, an op whose gradients ``defvjp`` gives.

    Example:
        >>> import minigrad as mg, numpy as np
        >>> @mg.autograd.primitive
        ... def softsign(x):
        ...     return x / (1 + np.abs(x))
        >>> mg.autograd.defvjp(softsign, lambda y, x: lambda g: g / (1 + abs(x)) ** 2)
        >>> x = mg.tensor(1.0, requires_grad=True)
        >>> softsign(x).backward(); x.grad.item()
        0.25
    """
    vjps: list[Callable | None] = []

    class Primitive(Function):
        @staticmethod
        def forward(ctx: Context, *inputs: Any) -> Any:
            y = wrap(np.asarray(f(*[raw(x) for x in inputs])), None)
            ctx.constants = [None if isinstance(x, Tensor) else x for x in inputs]
            ctx.save_for_backward(y, *[x if isinstance(x, Tensor) else None for x in inputs])
            return y

        @staticmethod
        def backward(ctx: Context, g: Any) -> Any:  # type: ignore[override]
            y, *xs = ctx.saved_tensors
            xs = [c if x is None else x for x, c in zip(xs, ctx.constants, strict=True)]
            out = []
            for i, needed in enumerate(ctx.needs_input_grad):
                if needed and (i >= len(vjps) or vjps[i] is None):
                    raise GraphError(f"{f.__name__}: no gradient was defined for argument {i}; give defvjp one")
                out.append(vjps[i](y, *xs)(g) if needed else None)  # type: ignore[misc]
            return tuple(out)

    Primitive.__name__ = Primitive.__qualname__ = getattr(f, "__name__", "primitive")

    @functools.wraps(f)
    def call(*inputs: Any) -> Any:
        return Primitive.apply(*inputs) if any(isinstance(x, Tensor) for x in inputs) else f(*inputs)

    call.vjps = vjps  # type: ignore[attr-defined]
    return call


def defvjp(f: Callable, *vjps: Callable | None) -> None:
    """Give the primitive ``f`` its rules, ``vjp(y, *inputs) -> (g -> gradient)``, one per argument.

    Example:
        >>> import minigrad as mg
        >>> product = mg.autograd.primitive(lambda a, b: a * b)
        >>> mg.autograd.defvjp(product, lambda y, a, b: lambda g: g * b, lambda y, a, b: lambda g: g * a)
        >>> a, b = mg.tensor(2.0, requires_grad=True), mg.tensor(5.0, requires_grad=True)
        >>> product(a, b).backward()
        >>> a.grad.item(), b.grad.item()
        (5.0, 2.0)
    """
    if not hasattr(f, "vjps"):
        raise DTypeError("defvjp: expected a function made by primitive()")
    f.vjps[:] = vjps
