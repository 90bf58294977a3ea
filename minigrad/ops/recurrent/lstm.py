"""The LSTM: one direction of one layer, over whole sequences.

The gates lie side by side, (i, f, g, o). One tanh serves all four, as sigmoid(u) = tanh(u / 2) / 2 + 1/2: the halves are put into
the weights beforehand, which is exact.
"""

from typing import Any

from ...autograd.fused import fused
from ..exponential import sigmoid
from ..fused import linear
from ..joining import split
from ..trigonometric import tanh
from .steps import Sizes, dense, earlier, flow, last, start, step_kernels, steps, unrolled, weight_slope, widened


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


STEP, STEP_GRADIENT = step_kernels("lstm_step", _step), step_kernels("lstm_step_gradient", _step_gradient)


# -- a sequence -------------------------------------------------------------------------------------------------------
def _lstm(xp: Any, x: Any, h0: Any, c0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, w_hr: Any, sizes: Sizes, reverse: bool) -> Any:
    out, (x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr) = widened(xp, x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr)
    rows, n, width, wide = sizes[0], w_hh.shape[0] // 4, w_hh.shape[1], x.dtype
    half = xp.full(4 * n, 0.5, wide)
    half[2 * n : 3 * n] = 1
    gates = xp.matmul(x, (w_ih * half[:, None]).T)
    if b_ih is not None:
        gates += (b_ih + b_hh) * half
    w, v = (w_hh * half[:, None]).T, None if w_hr is None else w_hr.T
    h = h0 = start(xp, h0, rows, width, wide)
    state = c0 = start(xp, c0, rows, n, wide)
    y, c = xp.empty((x.shape[0], width), wide), xp.empty((x.shape[0], n), wide)
    wider, room, step = xp.empty((rows, 4 * n), wide), None if v is None else xp.empty((rows, n), wide), STEP[type(gates)]
    for a, b, p, m in steps(sizes, reverse):
        k = b - a
        more, before = wider[:k], state
        if before.shape[0] != k:
            h, before = earlier(xp, y, h0, p, m, k), earlier(xp, c, c0, p, m, k)
        xp.matmul(h, w, out=more)
        h, state = y[a:b], c[a:b]
        if room is None:
            step(gates[a:b], more, before, state, h)
        else:
            step(gates[a:b], more, before, state, room[:k])
            xp.matmul(room[:k], v, out=h)
    made = (y, last(xp, y, sizes, reverse), last(xp, c, sizes, reverse))
    return tuple([v.astype(out, copy=False) for v in made]), (gates, c, y)


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
    (gates, c, y), (gy, gh, gc) = kept, g
    _, (x, h0, c0, w_ih, w_hh, w_hr, gy) = widened(xp, x, h0, c0, w_ih, w_hh, w_hr, gy)
    rows, n, width, wide, gy = sizes[0], w_hh.shape[0] // 4, w_hh.shape[1], gates.dtype, dense(xp, gy)
    c0, back, back_c = start(xp, c0, rows, n, wide), flow(xp, gh, rows, width, wide), flow(xp, gc, rows, n, wide)
    slopes, step = xp.empty_like(gates), STEP_GRADIENT[type(gates)]
    projected: Any = None if w_hr is None else xp.empty_like(y)
    for a, b, p, m in reversed(steps(sizes, reverse)):
        k = b - a
        s, d, extra = slopes[a:b], back[:k], None if gy is None else gy[a:b]
        dr = d
        if w_hr is not None:
            if extra is not None:
                d += extra
            projected[a:b] = d
            dr, extra = xp.matmul(d, w_hr), None
        before = c[p : p + k] if m == k else earlier(xp, c, c0, p, m, k)
        step(s, gates[a:b], c[a:b], before, dr, dr if extra is None else extra, back_c[:k])
        xp.matmul(s, w_hh, out=d)
    db = xp.add.reduce(slopes, 0) if wanted[5] or wanted[6] else None
    return (
        xp.matmul(slopes, w_ih) if wanted[0] else None,
        back if wanted[1] else None,
        back_c if wanted[2] else None,
        xp.matmul(slopes.T, x) if wanted[3] else None,
        weight_slope(xp, slopes, y, h0, sizes, reverse) if wanted[4] else None,
        db if wanted[5] else None,
        db if wanted[6] else None,
        xp.matmul(projected.T, gates[:, 3 * n :] * xp.tanh(c)) if wanted[7] else None,
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
