"""The LSTM: one direction of one layer, over whole sequences.

The gates lie side by side, (i, f, g, o). One tanh serves all four, as sigmoid(u) = tanh(u / 2) / 2 + 1/2: the halves are put into
the weights beforehand, which is exact.
"""

from typing import Any

from ...autograd.fused import fused
from ..exponential import sigmoid
from ..fused import AFFINE, linear
from ..joining import split
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
def _step(xp: Any, gates: Any, more: Any, before: Any, state: Any, out: Any) -> None:
    """The gates' values in place of their arguments, gates + more; the new state, and the output, from the state before."""
    n = state.shape[1]
    gates += more
    xp.tanh(gates, out=gates)
    for logistic in (gates[:, : 2 * n], gates[:, 3 * n :]):
        logistic *= 0.5
        logistic += 0.5
    xp.multiply(gates[:, n : 2 * n], before, out=state)
    xp.multiply(gates[:, :n], gates[:, 2 * n : 3 * n], out=out)
    state += out
    xp.tanh(state, out=out)
    out *= gates[:, 3 * n :]


def _step_gradient(xp: Any, slopes: Any, gates: Any, state: Any, before: Any, d: Any, extra: Any, flow: Any) -> None:
    """The slopes of the gates' arguments; flow, what flows back to the state, becomes what flows to the state before.

    d, overwritten, and extra, if it is not d again, are what flows back to the output.
    """
    n = state.shape[1]
    if extra is not d:
        d += extra
    i, f, new, o = gates[:, :n], gates[:, n : 2 * n], gates[:, 2 * n : 3 * n], gates[:, 3 * n :]
    s_i, s_f, s_new, s_o = slopes[:, :n], slopes[:, n : 2 * n], slopes[:, 2 * n : 3 * n], slopes[:, 3 * n :]
    xp.multiply(gates, gates, out=slopes)
    xp.subtract(gates, slopes, out=slopes)  # y (1 - y), the slope of a sigmoid, and 1 - y y, that of tanh
    xp.multiply(new, new, out=s_new)
    xp.subtract(1, s_new, out=s_new)
    e = xp.tanh(state)
    s_o *= d
    s_o *= e
    e *= e
    xp.subtract(1, e, out=e)
    e *= o
    e *= d
    flow += e
    gate = slopes.reshape((slopes.shape[0], 4, n))[:, :3]
    gate *= flow[:, None]
    s_i *= new
    s_f *= before
    s_new *= i
    flow *= f


def _walk(xp: Any, x: Any, w_x: Any, bias: Any, w: Any, v: Any, h0: Any, c0: Any, walk: Walk) -> tuple:
    """The gates, in place of what x gives to their arguments, outputs and states."""
    n, wide = c0.shape[1], x.dtype
    half = xp.full(4 * n, 0.5, wide)
    half[2 * n : 3 * n] = 1
    gates = AFFINE.kernels[type(x)](x, w_x * half[:, None], None if bias is None else bias * half)
    y, c = xp.empty((len(gates), h0.shape[1]), wide), xp.empty((len(gates), n), wide)
    h, state, w, v = h0, c0, (w * half[:, None]).T, None if v is None else v.T
    wider, room = xp.empty((len(c0), w.shape[1]), w.dtype), None if v is None else xp.empty_like(c0)
    for step in walk.steps:
        now, k, _, _ = step
        more, before = wider[:k], state
        if before.shape[0] != k:
            h, before = earlier(xp, y, h0, step), earlier(xp, c, c0, step)
        xp.matmul(h, w, out=more)
        h, state = y[now], c[now]
        if room is None:
            _step(xp, gates[now], more, before, state, h)
        else:
            _step(xp, gates[now], more, before, state, room[:k])
            h[...] = xp.matmul(room[:k], v)
    return gates, y, c


def _walk_gradient(
    xp: Any,
    slopes: Any,
    gates: Any,
    c: Any,
    c0: Any,
    w: Any,
    v: Any,
    g: Any,
    back: Any,
    back_c: Any,
    projected: Any,
    walk: Walk,
) -> None:
    """The slopes; back and back_c, what flows to the last outputs and states, become what flows to the first.

    g, what flows to the outputs, may be None; with a projection v, all that flows to them is left in ``projected``.
    """
    for step in reversed(walk.steps):
        now, k, past, m = step
        s, d, extra = slopes[now], back[:k], None if g is None else g[now]
        dr = d
        if v is not None:
            if extra is not None:
                d += extra
            projected[now] = d
            dr, extra = xp.matmul(d, v), None
        before = c[past] if m == k else earlier(xp, c, c0, step)
        _step_gradient(xp, s, gates[now], c[now], before, dr, dr if extra is None else extra, back_c[:k])
        xp.matmul(s, w, out=d)


WALK, WALK_GRADIENT = walk_kernels("lstm_walk", _walk), walk_kernels("lstm_walk_gradient", _walk_gradient)


# -- a sequence -------------------------------------------------------------------------------------------------------
def _lstm(xp: Any, x: Any, h0: Any, c0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, w_hr: Any, sizes: Sizes, reverse: bool) -> Any:
    out, (x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr) = widened(xp, x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr)
    rows, n, width, wide = sizes[0], w_hh.shape[0] // 4, w_hh.shape[1], x.dtype
    x_rows, walk = rows_of(x, sizes, reverse)
    h0, c0 = start(xp, h0, rows, width, wide), start(xp, c0, rows, n, wide)
    gates, y, c = WALK[type(x)](x_rows, w_ih, None if b_ih is None else b_ih + b_hh, w_hh, w_hr, h0, c0, walk)
    made = (like(walk, y, x), last(xp, y, walk), last(xp, c, walk))
    return tuple([v.astype(out, copy=False) for v in made]), (gates, c, y, walk)


def _lstm_slopes(
    xp: Any,
    g: Any,
    wanted: Any,
    kept: Any,
    x: Any,
    h0: Any,
    c0: Any,
    w_ih: Any,
    w_hh: Any,
    b_ih: Any,
    b_hh: Any,
    w_hr: Any,
    sizes: Sizes,
    reverse: bool,
) -> Any:
    (gates, c, y, walk), (gy, gh, gc) = kept, g
    _, (x, h0, c0, w_ih, w_hh, w_hr, gy) = widened(xp, x, h0, c0, w_ih, w_hh, w_hr, gy)
    rows, n, width, wide = sizes[0], w_hh.shape[0] // 4, w_hh.shape[1], gates.dtype
    h0, c0 = start(xp, h0, rows, width, wide), start(xp, c0, rows, n, wide)
    back, back_c, slopes = flow(xp, gh, rows, width, wide), flow(xp, gc, rows, n, wide), xp.empty_like(gates)
    projected: Any = None if w_hr is None else xp.empty_like(y)
    WALK_GRADIENT[type(gates)](slopes, gates, c, c0, w_hh, w_hr, dense(xp, gy, walk), back, back_c, projected, walk)
    dw, dw_hh, db = parameter_slopes(slopes, 0, x, y, h0, walk, (wanted[3], wanted[4], wanted[5] or wanted[6]))
    return (
        like(walk, times(slopes, w_ih), x) if wanted[0] else None,
        back if wanted[1] else None,
        back_c if wanted[2] else None,
        dw,
        dw_hh,
        db if wanted[5] else None,
        db if wanted[6] else None,
        times(projected.T, gates[:, 3 * n :] * xp.tanh(c)) if wanted[7] else None,
    )


def _lstm_composed(x: Any, h0: Any, c0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, w_hr: Any, sizes: Sizes, reverse: bool) -> Any:
    def cell(u: Any, h: Any, c: Any) -> tuple:
        i, f, new, o = split(u + linear(h, w_hh, b_hh), 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * tanh(new)
        h = sigmoid(o) * tanh(c)
        return (h if w_hr is None else linear(h, w_hr)), c

    widths = (w_hh.shape[1], w_hh.shape[0] // 4)
    return unrolled(cell, linear(x, w_ih, b_ih), (h0, c0), widths, sizes, reverse)


LSTM = fused(
    _lstm,
    _lstm_slopes,
    _lstm_composed,
    inputs=8,
    name="lstm",
    doc="""c = f c + i g, h = o tanh(c), or that times W_hr^T; i, f, o sigmoids and g a tanh of x W_ih^T + b_ih + h W_hh^T + b_hh.

    Shapes: x (sum of sizes, in), packed; h0 (sizes[0], hidden or proj) and c0 (sizes[0], hidden), or None; y (sum of sizes, hidden or
    proj) and the last h and c, as h0 and c0.
    """,
)

__all__ = ["LSTM"]
