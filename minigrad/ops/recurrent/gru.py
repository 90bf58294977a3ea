"""The GRU: one direction of one layer, over whole sequences. The gates lie side by side, (r, z, n)."""

from typing import Any

from ...autograd.fused import fused
from ..exponential import sigmoid
from ..fused import linear
from ..joining import split
from ..trigonometric import tanh
from .steps import Sizes, earlier, flow, last, start, steps, unrolled, weight_slope, widened


def _gru(xp: Any, x: Any, h0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, sizes: Sizes, reverse: bool) -> Any:
    out, (x, h0, w_ih, w_hh, b_ih, b_hh) = widened(xp, x, h0, w_ih, w_hh, b_ih, b_hh)
    rows, n, wide = sizes[0], w_hh.shape[1], x.dtype
    half = xp.full(3 * n, 0.5, wide)  # sigmoid(u) = tanh(u / 2) / 2 + 1/2: the halves go into the weights
    half[2 * n :] = 1
    gates = xp.matmul(x, (w_ih * half[:, None]).T)
    if b_ih is not None:
        gates += b_ih * half
        gates[:, : 2 * n] += b_hh[: 2 * n] * 0.5
    w = (w_hh * half[:, None]).T
    h0 = start(xp, h0, rows, n, wide)
    y, inner = xp.empty((x.shape[0], n), wide), xp.empty((x.shape[0], n), wide)
    wider, room = xp.empty((rows, 3 * n), wide), xp.empty((rows, n), wide)
    for a, b, p, m in steps(sizes, reverse):
        k = b - a
        u, v, q, e = gates[a:b], wider[:k], inner[a:b], room[:k]
        rz, new, h = u[:, : 2 * n], u[:, 2 * n :], earlier(xp, y, h0, p, m, k)
        xp.matmul(h, w, out=v)
        rz += v[:, : 2 * n]
        xp.tanh(rz, out=rz)
        rz *= 0.5
        rz += 0.5
        if b_hh is None:
            q[...] = v[:, 2 * n :]
        else:
            xp.add(v[:, 2 * n :], b_hh[2 * n :], out=q)
        xp.multiply(rz[:, :n], q, out=e)
        new += e
        xp.tanh(new, out=new)
        xp.subtract(h, new, out=e)
        e *= rz[:, n:]
        xp.add(e, new, out=y[a:b])
    return (y.astype(out, copy=False), last(xp, y, sizes, reverse).astype(out, copy=False)), (gates, inner, y)


def _gru_slopes(
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
    sizes: Sizes,
    reverse: bool,
) -> Any:
    (gates, inner, y), (gy, gh) = kept, g
    _, (x, h0, w_ih, w_hh, gy) = widened(xp, x, h0, w_ih, w_hh, gy)
    rows, n, wide = sizes[0], w_hh.shape[1], gates.dtype
    h0, back = start(xp, h0, rows, n, wide), flow(xp, gh, rows, n, wide)
    # The slopes of (n, r, z, q), q = h W_hn^T + b_hn: the first three are those of what x gives, the last three of what h gives.
    slopes, room = xp.empty((gates.shape[0], 4 * n), wide), xp.empty((rows, n), wide)
    for a, b, p, m in reversed(steps(sizes, reverse)):
        k = b - a
        u, s, d, e = gates[a:b], slopes[a:b], back[:k], room[:k]
        rz, r, z, new = u[:, : 2 * n], u[:, :n], u[:, n : 2 * n], u[:, 2 * n :]
        s_new, s_rz, s_r, s_z, s_q = s[:, :n], s[:, n : 3 * n], s[:, n : 2 * n], s[:, 2 * n : 3 * n], s[:, 3 * n :]
        if gy is not None:
            d += gy[a:b]
        xp.multiply(rz, rz, out=s_rz)
        xp.subtract(rz, s_rz, out=s_rz)
        xp.subtract(earlier(xp, y, h0, p, m, k), new, out=e)
        e *= d
        s_z *= e
        xp.multiply(new, new, out=s_new)
        xp.subtract(1, s_new, out=s_new)
        xp.subtract(1, z, out=e)
        e *= d
        s_new *= e
        xp.multiply(s_new, r, out=s_q)
        s_r *= s_new
        s_r *= inner[a:b]
        d *= z
        xp.matmul(s[:, n:], w_hh, out=e)
        d += e
    of_x, of_h = slopes[:, : 3 * n], slopes[:, n:]
    dx = dw = db = dc = None
    if wanted[0]:
        dx = xp.matmul(of_x, xp.concatenate((w_ih[2 * n :], w_ih[: 2 * n])))
    if wanted[2]:
        dw = xp.matmul(of_x.T, x)
        dw = xp.concatenate((dw[n:], dw[:n]))
    if wanted[4] or wanted[5]:
        total = xp.add.reduce(slopes, 0)
        db, dc = xp.concatenate((total[n : 3 * n], total[:n])), total[n:]
    return (
        dx,
        back if wanted[1] else None,
        dw,
        weight_slope(xp, of_h, y, h0, sizes, reverse) if wanted[3] else None,
        db if wanted[4] else None,
        dc if wanted[5] else None,
    )


def _gru_composed(x: Any, h0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, sizes: Sizes, reverse: bool) -> Any:
    def cell(u: Any, h: Any) -> tuple:
        (r, z, new), (r_h, z_h, new_h) = split(u, 3, axis=1), split(linear(h, w_hh, b_hh), 3, axis=1)
        r, z = sigmoid(r + r_h), sigmoid(z + z_h)
        new = tanh(new + r * new_h)
        return (new + z * (h - new),)

    return unrolled(cell, linear(x, w_ih, b_ih), (h0,), (w_hh.shape[1],), sizes, reverse)


GRU = fused(
    _gru,
    _gru_slopes,
    _gru_composed,
    inputs=6,
    name="gru",
    doc="""h = (1 - z) n + z h, n = tanh(x W_in^T + b_in + r (h W_hn^T + b_hn)); r and z are sigmoids.

    Shapes: x (sum of sizes, in), packed; h0 (sizes[0], hidden) or None; y (sum of sizes, hidden) and the last h, as h0.
    """,
)

__all__ = ["GRU"]
