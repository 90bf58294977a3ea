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
from .steps import Sizes, earlier, flow, last, start, steps, unrolled, weight_slope, widened


def _lstm(xp: Any, x: Any, h0: Any, c0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, w_hr: Any, sizes: Sizes, reverse: bool) -> Any:
    out, (x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr) = widened(xp, x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr)
    rows, n, width, wide = sizes[0], w_hh.shape[0] // 4, w_hh.shape[1], x.dtype
    half = xp.full(4 * n, 0.5, wide)
    half[2 * n : 3 * n] = 1
    shift = 1 - half
    gates = xp.matmul(x, (w_ih * half[:, None]).T)
    if b_ih is not None:
        gates += (b_ih + b_hh) * half
    w = (w_hh * half[:, None]).T
    h0, c0 = start(xp, h0, rows, width, wide), start(xp, c0, rows, n, wide)
    y, c = xp.empty((x.shape[0], width), wide), xp.empty((x.shape[0], n), wide)
    wider, room = xp.empty((rows, 4 * n), wide), xp.empty((rows, n), wide)
    for a, b, p, m in steps(sizes, reverse):
        k = b - a
        u, v, cell, e = gates[a:b], wider[:k], c[a:b], room[:k]
        xp.matmul(earlier(xp, y, h0, p, m, k), w, out=v)
        u += v
        xp.tanh(u, out=u)
        u *= half
        u += shift
        xp.multiply(u[:, n : 2 * n], earlier(xp, c, c0, p, m, k), out=cell)
        xp.multiply(u[:, :n], u[:, 2 * n : 3 * n], out=e)
        cell += e
        xp.tanh(cell, out=e)
        if w_hr is None:
            xp.multiply(u[:, 3 * n :], e, out=y[a:b])
        else:
            e *= u[:, 3 * n :]
            xp.matmul(e, w_hr.T, out=y[a:b])
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
    rows, n, width, wide = sizes[0], w_hh.shape[0] // 4, w_hh.shape[1], gates.dtype
    h0, c0 = start(xp, h0, rows, width, wide), start(xp, c0, rows, n, wide)
    back, back_c = flow(xp, gh, rows, width, wide), flow(xp, gc, rows, n, wide)
    slopes, room = xp.empty_like(gates), xp.empty((rows, n), wide)
    projected: Any = None if w_hr is None else xp.empty_like(y)
    apart = slopes.reshape((slopes.shape[0], 4, n))
    for a, b, p, m in reversed(steps(sizes, reverse)):
        k = b - a
        u, s, d, dc, e = gates[a:b], slopes[a:b], back[:k], back_c[:k], room[:k]
        if gy is not None:
            d += gy[a:b]
        dr = d
        if w_hr is not None:
            projected[a:b] = d
            dr = xp.matmul(d, w_hr)
        i, f, new, o = u[:, :n], u[:, n : 2 * n], u[:, 2 * n : 3 * n], u[:, 3 * n :]
        s_i, s_f, s_new, s_o = s[:, :n], s[:, n : 2 * n], s[:, 2 * n : 3 * n], s[:, 3 * n :]
        xp.multiply(u, u, out=s)
        xp.subtract(u, s, out=s)  # y (1 - y), the slope of a sigmoid, and 1 - y y, that of tanh
        xp.multiply(new, new, out=s_new)
        xp.subtract(1, s_new, out=s_new)
        xp.tanh(c[a:b], out=e)
        s_o *= dr
        s_o *= e
        e *= e
        xp.subtract(1, e, out=e)
        e *= o
        e *= dr
        dc += e
        gate = apart[a:b, :3]
        gate *= dc[:, None]
        s_i *= new
        s_f *= earlier(xp, c, c0, p, m, k)
        s_new *= i
        dc *= f
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
