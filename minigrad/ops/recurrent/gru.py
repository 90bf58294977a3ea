"""The GRU: one direction of one layer, over whole sequences. The gates lie side by side, (r, z, n)."""

from typing import Any

from ...autograd.fused import fused
from ..exponential import sigmoid
from ..fused import linear
from ..joining import split
from ..trigonometric import tanh
from .steps import Sizes, dense, earlier, flow, last, start, step_kernels, steps, unrolled, weight_slope, widened


# -- a step -----------------------------------------------------------------------------------------------------------
def _step(xp: Any, gates: Any, more: Any, bias: Any, before: Any, inner: Any, out: Any) -> None:
    """The gates' values in place of their arguments' first part, ``more`` being the second; inner = h W_hn^T + b_hn; and the output."""
    n = out.shape[1]
    rz, new = gates[:, : 2 * n], gates[:, 2 * n :]
    rz += more[:, : 2 * n]
    xp.tanh(rz, out=rz)
    rz *= 0.5
    rz += 0.5
    xp.add(more[:, 2 * n :], bias, out=inner)
    xp.multiply(rz[:, :n], inner, out=out)
    new += out
    xp.tanh(new, out=new)
    xp.subtract(before, new, out=out)
    out *= rz[:, n:]
    out += new


def _step_gradient(xp: Any, slopes: Any, gates: Any, inner: Any, before: Any, d: Any, product: Any, extra: Any) -> None:
    """The slopes of (n, r, z, inner): the first three are those of what x gives, the last three of what h gives.

    What flows back to the output is d + product, and extra, if it is not d again. d becomes the part of it that flows to the output
    before not by way of the gates.
    """
    n = inner.shape[1]
    if extra is not d:
        d += extra
    d += product
    rz, r, z, new = gates[:, : 2 * n], gates[:, :n], gates[:, n : 2 * n], gates[:, 2 * n :]
    s_new, s_rz, s_r, s_z = slopes[:, :n], slopes[:, n : 3 * n], slopes[:, n : 2 * n], slopes[:, 2 * n : 3 * n]
    xp.multiply(rz, rz, out=s_rz)
    xp.subtract(rz, s_rz, out=s_rz)
    e = before - new
    e *= d
    s_z *= e
    xp.multiply(new, new, out=s_new)
    xp.subtract(1, s_new, out=s_new)
    xp.subtract(1, z, out=e)
    e *= d
    s_new *= e
    xp.multiply(s_new, r, out=slopes[:, 3 * n :])
    s_r *= s_new
    s_r *= inner
    d *= z


STEP, STEP_GRADIENT = step_kernels("gru_step", _step), step_kernels("gru_step_gradient", _step_gradient)


# -- a sequence -------------------------------------------------------------------------------------------------------
def _gru(xp: Any, x: Any, h0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, sizes: Sizes, reverse: bool) -> Any:
    out, (x, h0, w_ih, w_hh, b_ih, b_hh) = widened(xp, x, h0, w_ih, w_hh, b_ih, b_hh)
    rows, n, wide = sizes[0], w_hh.shape[1], x.dtype
    half = xp.full(3 * n, 0.5, wide)  # sigmoid(u) = tanh(u / 2) / 2 + 1/2: the halves go into the weights
    half[2 * n :] = 1
    gates = xp.matmul(x, (w_ih * half[:, None]).T)
    bias = xp.zeros(n, wide) if b_hh is None else b_hh[2 * n :]
    if b_ih is not None:
        total = b_ih * half
        total[: 2 * n] += b_hh[: 2 * n] * 0.5
        gates += total
    w = (w_hh * half[:, None]).T
    h = h0 = start(xp, h0, rows, n, wide)
    y, inner = xp.empty((x.shape[0], n), wide), xp.empty((x.shape[0], n), wide)
    wider, step = xp.empty((rows, 3 * n), wide), STEP[type(gates)]
    for a, b, p, m in steps(sizes, reverse):
        k = b - a
        more, before = wider[:k], h if h.shape[0] == k else earlier(xp, y, h0, p, m, k)
        xp.matmul(before, w, out=more)
        h = y[a:b]
        step(gates[a:b], more, bias, before, inner[a:b], h)
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
    rows, n, wide, gy = sizes[0], w_hh.shape[1], gates.dtype, dense(xp, gy)
    first, back, product = start(xp, h0, rows, n, wide), flow(xp, gh, rows, n, wide), xp.zeros((rows, n), wide)
    slopes, step = xp.empty((gates.shape[0], 4 * n), wide), STEP_GRADIENT[type(gates)]
    for a, b, p, m in reversed(steps(sizes, reverse)):
        k = b - a
        s, d, e, before = slopes[a:b], back[:k], product[:k], y[p : p + k] if m == k else earlier(xp, y, first, p, m, k)
        step(s, gates[a:b], inner[a:b], before, d, e, d if gy is None else gy[a:b])
        xp.matmul(s[:, n:], w_hh, out=e)
    back += product
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
