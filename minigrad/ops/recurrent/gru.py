"""The GRU: one direction of one layer, over whole sequences. The gates lie side by side, (r, z, n)."""

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


def _walk(xp: Any, x: Any, w_x: Any, shift: Any, w: Any, bias: Any, h0: Any, walk: Walk) -> tuple:
    """The gates, in place of what x gives to their arguments, inner parts and outputs."""
    n, wide = h0.shape[1], x.dtype
    half = xp.full(3 * n, 0.5, wide)  # sigmoid(u) = tanh(u / 2) / 2 + 1/2: the halves go into the weights
    half[2 * n :] = 1
    gates = AFFINE.kernels[type(x)](x, w_x * half[:, None], None if shift is None else shift * half)
    y, inner = xp.empty((len(gates), n), wide), xp.empty((len(gates), n), wide)
    h, w = h0, (w * half[:, None]).T
    wider = xp.empty((len(h0), w.shape[1]), w.dtype)
    for step in walk.steps:
        now, k, _, _ = step
        more, before = wider[:k], h if h.shape[0] == k else earlier(xp, y, h0, step)
        xp.matmul(before, w, out=more)
        h = y[now]
        _step(xp, gates[now], more, bias, before, inner[now], h)
    return gates, inner, y


def _walk_gradient(xp: Any, slopes: Any, gates: Any, inner: Any, y: Any, h0: Any, w: Any, g: Any, back: Any, walk: Walk) -> None:
    """The slopes; back, what flows to the last outputs, becomes what flows to the first. g, what flows to all, may be None."""
    n, product = back.shape[1], xp.zeros_like(back)
    for step in reversed(walk.steps):
        now, k, past, m = step
        s, d, e, before = slopes[now], back[:k], product[:k], y[past] if m == k else earlier(xp, y, h0, step)
        _step_gradient(xp, s, gates[now], inner[now], before, d, e, d if g is None else g[now])
        xp.matmul(s[:, n:], w, out=e)
    back += product


WALK, WALK_GRADIENT = walk_kernels("gru_walk", _walk), walk_kernels("gru_walk_gradient", _walk_gradient)


# -- a sequence -------------------------------------------------------------------------------------------------------
def _gru(xp: Any, x: Any, h0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, sizes: Sizes, reverse: bool) -> Any:
    out, (x, h0, w_ih, w_hh, b_ih, b_hh) = widened(xp, x, h0, w_ih, w_hh, b_ih, b_hh)
    n, wide = w_hh.shape[1], x.dtype
    rows, walk = rows_of(x, sizes, reverse)
    bias, shift = xp.zeros(n, wide) if b_hh is None else b_hh[2 * n :], None
    if b_ih is not None:
        shift = b_ih.copy()
        shift[: 2 * n] += b_hh[: 2 * n]
    gates, inner, y = WALK[type(x)](rows, w_ih, shift, w_hh, bias, start(xp, h0, sizes[0], n, wide), walk)
    made = (like(walk, y, x), last(xp, y, walk))
    return tuple([v.astype(out, copy=False) for v in made]), (gates, inner, y, walk)


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
    (gates, inner, y, walk), (gy, gh) = kept, g
    _, (x, h0, w_ih, w_hh, gy) = widened(xp, x, h0, w_ih, w_hh, gy)
    rows, n, wide = sizes[0], w_hh.shape[1], gates.dtype
    h0, back = start(xp, h0, rows, n, wide), flow(xp, gh, rows, n, wide)
    slopes = xp.empty((gates.shape[0], 4 * n), wide)
    WALK_GRADIENT[type(gates)](slopes, gates, inner, y, h0, w_hh, dense(xp, gy, walk), back, walk)
    dx = None
    if wanted[0]:
        dx = like(walk, times(slopes[:, : 3 * n], xp.concatenate((w_ih[2 * n :], w_ih[: 2 * n]))), x)
    dw, dw_hh, sums = parameter_slopes(slopes, n, x, y, h0, walk, (wanted[2], wanted[3], wanted[4] or wanted[5]))
    return (
        dx,
        back if wanted[1] else None,
        None if dw is None else xp.concatenate((dw[n:], dw[:n])),
        dw_hh,
        xp.concatenate((sums[n : 3 * n], sums[:n])) if wanted[4] else None,
        sums[n:] if wanted[5] else None,
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
