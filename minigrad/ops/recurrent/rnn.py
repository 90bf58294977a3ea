"""The plain recurrent layer: one direction of one layer, over whole sequences."""

from typing import Any

from ...autograd.fused import fused
from ..fused import linear
from ..rectifiers import relu
from ..trigonometric import tanh
from .steps import Sizes, dense, earlier, flow, last, start, step_kernels, steps, unrolled, weight_slope, widened


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


STEP, STEP_GRADIENT = step_kernels("rnn_step", _step), step_kernels("rnn_step_gradient", _step_gradient)


# -- a sequence -------------------------------------------------------------------------------------------------------
def _rnn(xp: Any, x: Any, h0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, nonlinearity: str, sizes: Sizes, reverse: bool) -> Any:
    out, (x, h0, w_ih, w_hh, b_ih, b_hh) = widened(xp, x, h0, w_ih, w_hh, b_ih, b_hh)
    rows, width, relu = sizes[0], w_hh.shape[0], nonlinearity == "relu"
    y = xp.matmul(x, w_ih.T)
    if b_ih is not None:
        y += b_ih + b_hh
    h = h0 = start(xp, h0, rows, width, y.dtype)
    w, room, step = w_hh.T, xp.empty((rows, width), y.dtype), STEP[type(y)]
    for a, b, p, m in steps(sizes, reverse):
        k = b - a
        more = room[:k]
        xp.matmul(h if h.shape[0] == k else earlier(xp, y, h0, p, m, k), w, out=more)
        h = y[a:b]
        step(h, more, relu)
    return (y.astype(out, copy=False), last(xp, y, sizes, reverse).astype(out, copy=False)), (y,)


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
    (y,), (gy, gh) = kept, g
    _, (x, h0, w_ih, w_hh, gy) = widened(xp, x, h0, w_ih, w_hh, gy)
    rows, width, relu, gy = sizes[0], w_hh.shape[0], nonlinearity == "relu", dense(xp, gy)
    back, slopes, step = flow(xp, gh, rows, width, y.dtype), xp.empty_like(y), STEP_GRADIENT[type(y)]
    for a, b, _, _ in reversed(steps(sizes, reverse)):
        d, s = back[: b - a], slopes[a:b]
        step(s, y[a:b], d, d if gy is None else gy[a:b], relu)
        xp.matmul(s, w_hh, out=d)
    db = xp.add.reduce(slopes, 0) if wanted[4] or wanted[5] else None
    return (
        xp.matmul(slopes, w_ih) if wanted[0] else None,
        back if wanted[1] else None,
        xp.matmul(slopes.T, x) if wanted[2] else None,
        weight_slope(xp, slopes, y, h0, sizes, reverse) if wanted[3] else None,
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
