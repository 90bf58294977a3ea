"""One kernel for all norms by mean and variance: they differ in the axes, and in the axes along which the weight varies."""

from math import prod
from typing import Any

from ...autograd.arguments import number
from ...autograd.conform import cast
from ...backend import working_dtype
from ...errors import DTypeError, ShapeError
from ..losses import given
from ..powers import square
from ..reduce import _in_blocks, mean
from ..shape import reshape

# y = (x - m) r w + b,  r = 1 / sqrt(v + eps),  m and v the mean and the variance over ``axes``; without ``center``, m is 0.
# ``how`` is the shape in which weight and bias are broadcast to x.


def total(xp: Any, x: Any, axes: tuple[int, ...]) -> Any:
    """The sum over axes, which stay open, in the working precision; float32 in blocks, so that many rows do not wear it down."""
    dtype = working_dtype(x.dtype)
    if not axes:
        return x.astype(dtype, copy=False)
    if x.size > 4096 and x.dtype.itemsize == 4:
        return _in_blocks(xp.add.reduce, x, axes, True)
    return xp.add.reduce(x, axes, dtype, None, True)


def count(x: Any, axes: tuple[int, ...]) -> int:
    """How many numbers a mean over axes is taken of; 1 where there are none, so that it is 0."""
    return max(prod([x.shape[a] for a in axes]), 1)


def moments(xp: Any, x: Any, weight: Any, bias: Any, axes: tuple, eps: float, how: tuple, center: bool) -> tuple:
    """(y, m, v, r); the mean is corrected by the mean of what is left of x without it, and the variance for that correction."""
    n, m = count(x, axes), None
    if center:
        m = total(xp, x, axes) / n
        h = x - m
        rest = total(xp, h, axes) / n
        m += rest
        h *= h
        v = xp.maximum(total(xp, h, axes) / n - rest * rest, 0)
    else:
        h = x.astype(working_dtype(x.dtype))
        h *= h
        v = total(xp, h, axes) / n
    r = 1 / xp.sqrt(v + eps)
    w = None if weight is None else weight.reshape(how)
    even = all(how[a] == 1 for a in axes)
    scale = r * w if w is not None and even else r
    if center:
        xp.subtract(x, m, out=h)
        h *= scale
    else:
        xp.multiply(x, scale, out=h)
    if w is not None and not even:
        h *= w
    if bias is not None:
        h += bias.reshape(how)
    return h.astype(x.dtype, copy=False), m, v, r


def kernel(xp: Any, x: Any, weight: Any, bias: Any, axes: tuple, eps: float, how: tuple, center: bool) -> tuple:
    """The output; the mean and the reciprocal deviation are kept."""
    y, m, _, r = moments(xp, x, weight, bias, axes, eps, how, center)
    return y, (m, r)


def slopes(
    xp: Any, g: Any, wanted: Any, kept: tuple, x: Any, weight: Any, bias: Any, axes: tuple, eps: float, how: tuple, center: bool
) -> tuple:
    """With h = (x - m) r and u = g w: dx = r (u - mean(u) - h mean(u h)), dw = sum(g h), db = sum(g).

    Sums over those axes along which the weight is constant come first, so that both gradients are made of the same ones.
    """
    m, r = kept
    n, g = count(x, axes), g.astype(r.dtype, copy=False)
    w = None if weight is None else weight.reshape(how)
    inner = tuple([a for a in axes if how[a] == 1])
    lead = tuple([a for a in range(x.ndim) if how[a] == 1 and a not in axes])
    dx: Any = None
    dw: Any = None
    db: Any = None
    h: Any = None
    gh: Any = None
    sg: Any = total(xp, g, inner) if wanted[2] or (wanted[0] and center) else None
    if wanted[0] or wanted[1]:
        h = x - m if center else x.astype(r.dtype)
        h *= g
        gh = total(xp, h, inner)
        gh *= r
    if wanted[1]:
        dw = total(xp, gh, lead) if lead else gh.copy()
        dw = dw.reshape(weight.shape)
    if wanted[2]:
        db = total(xp, sg, lead).reshape(bias.shape)
    if wanted[0]:
        scale = r
        if inner == axes:
            scale = r if w is None else r * w
        else:
            if w is not None:
                gh *= w
                g = g * w
                sg = sg * w if inner and center else g
            gh = total(xp, gh, axes)
            sg = total(xp, sg, axes) if center else None
        slope = gh * r
        slope /= -n
        dx = h  # its memory: what was in it has been summed
        if center:
            xp.subtract(x, m, out=dx)
            dx *= slope
            dx += g
            dx -= sg / n
        else:
            xp.multiply(x, slope, out=dx)
            dx += g
        dx *= scale
    return dx, dw, db


def composed(x: Any, weight: Any, bias: Any, axes: tuple, eps: float, how: tuple, center: bool) -> Any:
    """The same, of ops."""
    dtype = x.dtype
    x = widened(x)
    d = x - mean(x, axes, True) if center else x
    return finished(d * (mean(square(d), axes, True) + eps) ** -0.5, weight, bias, how, dtype)


def finished(y: Any, weight: Any, bias: Any, how: tuple, dtype: Any) -> Any:
    """y scaled, shifted and cast."""
    y = y if weight is None else y * reshape(weight, how)
    y = y if bias is None else y + reshape(bias, how)
    return y if y.dtype == dtype else cast(y, dtype)


def widened(x: Any) -> Any:
    """x in its working precision, in the graph."""
    return x if x.dtype == working_dtype(x.dtype) else cast(x, working_dtype(x.dtype))


# -- at the door ------------------------------------------------------------------------------------------------------
def floating(who: str, x: Any) -> Any:
    """x as a Tensor or an array.

    Raises:
        DTypeError: it is not of real floating numbers.
    """
    x = given(x)
    if x.dtype.kind in "biuc":
        raise DTypeError(f"{who}: x must be real and floating, got {x.dtype}{list(x.shape)}; use astype('float32')")
    return x


def fitting(who: str, expected: tuple[int, ...], because: tuple, **tensors: Any) -> tuple:
    """The weight, the bias and what else must have this shape (or be None), as Tensors or arrays; ``because`` is told if not.

    Raises:
        ShapeError: one has another.
    """
    out = []
    for name, t in tensors.items():
        if t is not None:
            t = given(t)
            if t.shape != expected:
                raise ShapeError(f"{who}: {name} has shape {t.shape}, expected {expected}, {' '.join([str(b) for b in because])}")
        out.append(t)
    return tuple(out)


def positive(who: str, eps: Any) -> float:
    """eps as a Python number, which takes the dtype of what it is added to.

    Raises:
        DTypeError: it is no number.
        ValueError: it is negative or NaN.
    """
    eps = number(who, "eps", eps)
    if not eps >= 0:
        raise ValueError(f"{who}: eps must not be negative, got {eps}")
    return float(eps)


__all__ = ["composed", "kernel", "moments", "slopes"]
