"""Derivatives as functions: vjp, jvp, jacobian, hessian, and products with them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import GraphError, ShapeError
from .backward import grad
from .mode import enable_grad
from .tensor import Tensor, as_data, wrap


def _inputs(xs: Any, create_graph: bool, who: str) -> tuple[list[Tensor], bool]:
    """The inputs as tensors in the graph: fresh leaves, or identities of those given if the result is to be differentiable."""
    one = not isinstance(xs, (tuple, list))
    out: list[Any] = []
    for x in [xs] if one else xs:
        if not isinstance(x, Tensor):
            x = wrap(as_data(x), None)
        if create_graph and x.node is not None:
            out.append(x * 1)  # type: ignore[operator]
        else:
            out.append(wrap(x.data, None).requires_grad_())
    if not out:
        raise GraphError(f"{who}: expected at least one input")
    return out, one


def _call(f: Callable, xs: list[Tensor], who: str) -> Tensor:
    y = f(*xs)
    if not isinstance(y, Tensor):
        raise GraphError(f"{who}: the function must return a Tensor, got {type(y).__name__}")
    return y


def _zeros(x: Tensor) -> Tensor:
    return wrap(np.zeros_like(x.data), None)


def _pull(y: Tensor, xs: list[Tensor], v: Any, create_graph: bool) -> list[Tensor]:
    if y.node is None:
        return [_zeros(x) for x in xs]
    gs = grad(y, xs, v, create_graph=create_graph, retain_graph=True, allow_unused=True)
    return [_zeros(x) if g is None else g for g, x in zip(gs, xs, strict=True)]


def _match(v: Any, xs: list[Tensor], one: bool, who: str) -> list[Tensor]:
    vs = [v] if one else list(v)
    vs = [t if isinstance(t, Tensor) else wrap(as_data(t), None) for t in vs]
    if [t.shape for t in vs] != [x.shape for x in xs]:
        raise ShapeError(f"{who}: the vector has shape {[t.shape for t in vs]}, the inputs {[x.shape for x in xs]}")
    return vs


def _shaped(items: list, one: bool) -> Any:
    return items[0] if one else tuple(items)


@enable_grad()
def vjp(f: Callable, inputs: Any, v: Any = None, create_graph: bool = False) -> tuple[Tensor, Any]:
    """``(f(x), v^T J)``: the output, and the gradient that reverse mode carries back from ``v`` (default: 1 for a scalar).

    Example:
        >>> import minigrad as mg
        >>> y, g = mg.autograd.vjp(lambda x: x * x, mg.tensor([1.0, 2.0]), mg.tensor([1.0, 10.0]))
        >>> y.tolist(), g.tolist()
        ([1.0, 4.0], [2.0, 40.0])
    """
    xs, one = _inputs(inputs, create_graph, "vjp")
    y = _call(f, xs, "vjp")
    out = _shaped(_pull(y, xs, v, create_graph), one)
    return (y if create_graph else y.detach()), out


@enable_grad()
def jvp(f: Callable, inputs: Any, v: Any = None, create_graph: bool = False) -> tuple[Tensor, Any]:
    """``(f(x), J v)``: the output and its derivative along ``v``, by differentiating v -> v^T J (the double-vjp trick).

    Example:
        >>> import minigrad as mg
        >>> y, dy = mg.autograd.jvp(lambda x: x * x, mg.tensor([1.0, 2.0]), mg.tensor([1.0, 1.0]))
        >>> dy.tolist()
        [2.0, 4.0]
    """
    xs, one = _inputs(inputs, create_graph, "jvp")
    y = _call(f, xs, "jvp")
    vs = _match([np.ones(x.shape, x.dtype) for x in xs] if v is None else [v] if one else v, xs, False, "jvp")
    if y.node is None:
        return y, _zeros(y)
    u = _zeros(y).requires_grad_()
    gs = grad(y, xs, u, create_graph=True, allow_unused=True)
    pairs = [(g, w) for g, w in zip(gs, vs, strict=True) if g is not None and g.node is not None]
    if not pairs:
        return (y if create_graph else y.detach()), _zeros(y)
    (out,) = grad([g for g, _ in pairs], u, [w for _, w in pairs], create_graph=create_graph, allow_unused=True)
    return (y if create_graph else y.detach()), _zeros(y) if out is None else out


@enable_grad()
def jacobian(f: Callable, inputs: Any, create_graph: bool = False) -> Any:
    """The matrix of all derivatives, of shape ``output.shape + input.shape``; a tuple of them for several inputs.

    Example:
        >>> import minigrad as mg
        >>> mg.autograd.jacobian(lambda x: x * x, mg.tensor([1.0, 2.0])).tolist()
        [[2.0, 0.0], [0.0, 4.0]]
    """
    from ..ops import stack  # the only composition floor 1 borrows from the floor above, at call time

    xs, one = _inputs(inputs, create_graph, "jacobian")
    y = _call(f, xs, "jacobian")
    rows: list[list[Tensor]] = []
    for i in range(y.size):
        v = np.zeros(y.size, y.dtype)
        v[i] = 1
        rows.append(_pull(y, xs, wrap(v.reshape(y.shape), None), create_graph))
    out = []
    for k, x in enumerate(xs):
        if rows:
            out.append(stack([r[k] for r in rows]).reshape(y.shape + x.shape))
        else:
            out.append(wrap(np.zeros(y.shape + x.shape, x.dtype), None))
    return _shaped(out, one)


def _scalar(f: Callable, who: str) -> Callable:
    def checked(*xs: Tensor) -> Tensor:
        y = _call(f, list(xs), who)
        if y.size != 1:
            raise GraphError(f"{who}: the function must return a scalar, got shape {y.shape}")
        return y.reshape(())  # type: ignore[attr-defined]

    return checked


def hessian(f: Callable, inputs: Any, create_graph: bool = False) -> Any:
    """The second derivatives of a scalar function, of shape ``x.shape + x.shape``; for several inputs a tuple of tuples.

    Example:
        >>> import minigrad as mg
        >>> mg.autograd.hessian(lambda x: (x**3).sum(), mg.tensor([1.0, 2.0])).tolist()
        [[6.0, 0.0], [0.0, 12.0]]
    """
    one = not isinstance(inputs, (tuple, list))
    g = _scalar(f, "hessian")
    n = 1 if one else len(inputs)
    rows = []
    for k in range(n):

        def slope(*xs: Tensor, k: int = k) -> Tensor:
            return _pull(g(*xs), list(xs), None, True)[k]

        rows.append(jacobian(slope, inputs, create_graph))
    return _shaped(rows, one)


def vhp(f: Callable, inputs: Any, v: Any, create_graph: bool = False) -> tuple[Tensor, Any]:
    """``(f(x), v^T H)`` for a scalar function, without building H.

    Example:
        >>> import minigrad as mg
        >>> y, h = mg.autograd.vhp(lambda x: (x**3).sum(), mg.tensor([1.0, 2.0]), mg.tensor([1.0, 1.0]))
        >>> y.item(), h.tolist()
        (9.0, [6.0, 12.0])
    """
    with enable_grad():
        xs, one = _inputs(inputs, create_graph, "vhp")
        vs = _match(v, xs, one, "vhp")
        y = _scalar(f, "vhp")(*xs)
        gs = _pull(y, xs, None, True)
        pairs = [(g, w) for g, w in zip(gs, vs, strict=True) if g.node is not None]
        out: list[Any] = [None] * len(xs)
        if pairs:
            out = grad([g for g, _ in pairs], xs, [w for _, w in pairs], create_graph=create_graph, allow_unused=True)
        out = [_zeros(x) if g is None else g for g, x in zip(out, xs, strict=True)]
        return (y if create_graph else y.detach()), _shaped(out, one)


def hvp(f: Callable, inputs: Any, v: Any, create_graph: bool = False) -> tuple[Tensor, Any]:
    """``(f(x), H v)`` for a scalar function; H is symmetric, so this is ``vhp``.

    Example:
        >>> import minigrad as mg
        >>> mg.autograd.hvp(lambda x: (x**3).sum(), mg.tensor([1.0, 2.0]), mg.tensor([1.0, 0.0]))[1].tolist()
        [6.0, 0.0]
    """
    return vhp(f, inputs, v, create_graph)


@enable_grad()
def ggn_vp(model: Callable, loss: Callable, inputs: Any, v: Any) -> Any:
    """Generalised Gauss-Newton product ``J^T H_loss J v``, for ``loss(model(x))``.

    Source:
        Schraudolph, "Fast curvature matrix-vector products for second-order gradient descent", 2002.

    Example:
        >>> import minigrad as mg
        >>> mg.autograd.ggn_vp(lambda w: 3 * w, lambda y: (y * y).sum(), mg.tensor([1.0]), mg.tensor([1.0])).tolist()  # 3 * 2 * 3
        [18.0]
    """
    z, u = jvp(model, inputs, v)
    _, hu = hvp(loss, z, u)
    return vjp(model, inputs, hu)[1]
