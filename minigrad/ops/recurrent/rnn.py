"""The plain recurrent layer: one direction of one layer, over whole sequences."""

from typing import Any

from ...autograd.fused import fused
from ..fused import AFFINE, linear
from ..rectifiers import relu
from ..trigonometric import tanh
from .steps import (
    Sizes,
    Walk,
    dense,
    earlier,
    flow,
    last,
    like,
    parameter_slopes,
    rows_of,
    start,
    times,
    unrolled,
    walk_kernels,
    widened,
)


# -- a step -----------------------------------------------------------------------------------------------------------
def _step(xp: Any, h: Any, more: Any, relu: bool) -> None:
    """h = f(h + more)."""
    h += more
    if relu:
        xp.maximum(h, 0, out=h)
    else:
        xp.tanh(h, out=h)


def _step_gradient(xp: Any, slopes: Any, h: Any, d: Any, extra: Any, relu: bool) -> None:
    """The slopes of f's argument; d, overwritten, and extra, if it is not d again, are what flows back to h."""
    if extra is not d:
        d += extra
    if relu:
        slopes[...] = xp.where(h > 0, d, 0)
    else:
        xp.multiply(h, h, out=slopes)
        xp.subtract(1, slopes, out=slopes)
        slopes *= d


def _walk(xp: Any, x: Any, w_x: Any, bias: Any, w: Any, h0: Any, walk: Walk, relu: bool) -> Any:
    """The outputs: what x gives to the arguments of f comes first, and they take its place."""
    y = AFFINE.kernels[type(x)](x, w_x, bias)
    h, w, room = h0, w.T, xp.empty_like(h0)
    for step in walk.steps:
        now, k, _, _ = step
        more = room[:k]
        xp.matmul(h if h.shape[0] == k else earlier(xp, y, h0, step), w, out=more)
        h = y[now]
        _step(xp, h, more, relu)
    return y


def _walk_gradient(xp: Any, slopes: Any, y: Any, w: Any, g: Any, back: Any, walk: Walk, relu: bool) -> None:
    """The slopes; back, what flows to the last states, becomes what flows to the first. g, what flows to the outputs, may be None."""
    for now, k, _, _ in reversed(walk.steps):
        d, s = back[:k], slopes[now]
        _step_gradient(xp, s, y[now], d, d if g is None else g[now], relu)
        xp.matmul(s, w, out=d)


WALK, WALK_GRADIENT = walk_kernels("rnn_walk", _walk), walk_kernels("rnn_walk_gradient", _walk_gradient)


# -- a sequence -------------------------------------------------------------------------------------------------------
def _rnn(xp: Any, x: Any, h0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, nonlinearity: str, sizes: Sizes, reverse: bool) -> Any:
    out, (x, h0, w_ih, w_hh, b_ih, b_hh) = widened(xp, x, h0, w_ih, w_hh, b_ih, b_hh)
    rows, walk = rows_of(x, sizes, reverse)
    h0, bias = start(xp, h0, sizes[0], w_hh.shape[0], x.dtype), None if b_ih is None else b_ih + b_hh
    y = WALK[type(x)](rows, w_ih, bias, w_hh, h0, walk, nonlinearity == "relu")
    made = (like(walk, y, x), last(xp, y, walk))
    return tuple([v.astype(out, copy=False) for v in made]), (y, walk)


def _rnn_slopes(
    xp: Any,
    g: Any,
    wanted: Any,
    kept: Any,
    x: Any,
    h0: Any,
    w_ih: Any,
    w_hh: Any,
    b_ih: Any,
    b_hh: Any,
    nonlinearity: str,
    sizes: Sizes,
    reverse: bool,
) -> Any:
    (y, walk), (gy, gh) = kept, g
    _, (x, h0, w_ih, w_hh, gy) = widened(xp, x, h0, w_ih, w_hh, gy)
    rows, width = sizes[0], w_hh.shape[0]
    h0, back, slopes = start(xp, h0, rows, width, y.dtype), flow(xp, gh, rows, width, y.dtype), xp.empty_like(y)
    WALK_GRADIENT[type(y)](slopes, y, w_hh, dense(xp, gy, walk), back, walk, nonlinearity == "relu")
    dw, dw_hh, db = parameter_slopes(slopes, 0, x, y, h0, walk, (wanted[2], wanted[3], wanted[4] or wanted[5]))
    return (
        like(walk, times(slopes, w_ih), x) if wanted[0] else None,
        back if wanted[1] else None,
        dw,
        dw_hh,
        db if wanted[4] else None,
        db if wanted[5] else None,
    )


def _rnn_composed(x: Any, h0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, nonlinearity: str, sizes: Sizes, reverse: bool) -> Any:
    f = tanh if nonlinearity == "tanh" else relu
    return unrolled(lambda u, h: (f(u + linear(h, w_hh, b_hh)),), linear(x, w_ih, b_ih), (h0,), (w_hh.shape[0],), sizes, reverse)


RNN = fused(
    _rnn,
    _rnn_slopes,
    _rnn_composed,
    inputs=6,
    name="rnn",
    doc="""h = f(x W_ih^T + b_ih + h W_hh^T + b_hh), step after step.

    Shapes: x (sum of sizes, in), packed; h0 (sizes[0], hidden) or None; y (sum of sizes, hidden) and the last h, as h0.
    """,
)

__all__ = ["RNN"]
