"""Stochastic pooling: one number of each window, drawn in proportion to its size; in evaluation their mean by these weights."""

from typing import Any

from ...autograd.conform import cast
from ...autograd.forms import apply, general
from ...autograd.tensor import raw
from ...backend import generator, is_inexact, working_dtype
from ...backend.arrays import namespace
from ...errors import DTypeError
from ..logic import where
from ..losses import on_cpu
from ..powers import square
from ..windows import Ints, Pairs, batched, pool_geometry, positions, unbatched
from .average import AVERAGE
from .max import SCATTER, _select


def _drawn(xp: Any, x: Any, u: Any, out: Ints, kernel: Ints, stride: Ints, padding: Pairs, dilation: Ints) -> Any:
    """Which element of each window is drawn: the first at which the sum so far exceeds u times the whole; none if all are 0."""
    size, rows = 1, [(0, o) for o in out]
    for k in kernel:
        size *= k
    places = list(positions(x.shape[2:], kernel, rows, stride, padding, dilation))
    total = xp.zeros(u.shape, working_dtype(x.dtype))
    for _, some, inside in places:
        total[some] += x[inside]
    limit = u * total
    total[...] = 0
    chosen = xp.zeros(u.shape, "uint8" if size < 256 else "uint16" if size < 65536 else "int32")
    for _, some, inside in places:  # padding adds nothing, and so is passed over
        total[some] += x[inside]
        chosen += total <= limit
    return chosen


DRAWN = general(_drawn, None, name="stochastic_pool_draw")
PICK = general(
    _select,
    lambda g, shape, index, kernel, stride, padding, dilation: apply(SCATTER, (g,), shape[2:], index, kernel, stride, padding, dilation),
    name="stochastic_pool",
)


def stochastic_pool2d(
    x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False, training: bool = True
) -> Any:
    """One number of each window of an image: a_i is drawn with probability p_i = a_i / sum(a); when not training, sum(p_i a_i).

    Shapes: x (N, C, H, W) or (C, H, W); result as ``max_pool2d``.
    Args:
        x: not negative, as after a relu.
        kernel_size: the size of the window; an integer or one per axis.
        stride: the step from window to window; default: ``kernel_size``.
        padding: how far windows reach over the edges, at most half of the window; what is there is never drawn.
        ceil_mode: keep a last window that hangs over the end.
        training: False gives the mean by the probabilities instead of a draw.
    Raises:
        ValueError: x has a negative number (looked at on the CPU only).
    Gradient: in training to the number that was drawn, which is taken as fixed; else that of the formula. A window of zeros gives 0 and
        has gradient 0.
    Source: Zeiler and Fergus, "Stochastic pooling for regularization of deep convolutional neural networks", 2013, eq. 3 to 6.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.stochastic_pool2d(mg.tensor([[[1.0, 0.0], [0.0, 3.0]]]), 2, training=False).tolist()
        [[[2.5]]]
    """
    name = "stochastic_pool2d"
    x, with_batch = batched(name, x, 2)
    if not is_inexact(x.dtype) or x.dtype.kind == "c":
        raise DTypeError(f"{name}: x must be real and floating, got {x.dtype}")
    geometry = pool_geometry(name, 2, x, kernel_size, stride, padding, 1, ceil_mode)
    a = raw(x)
    if on_cpu(a) and a.size and a.min() < 0:
        raise ValueError(f"{name}: x must not be negative, its smallest number is {a.min()}; pool after a relu")
    if not training:
        return unbatched(_expected(x, geometry), with_batch)
    out = geometry[0]
    u = namespace(type(a)).asarray(generator().rng.random((*x.shape[:2], *out), dtype="float32"))
    chosen = apply(DRAWN, (a,), u, *geometry)
    return unbatched(apply(PICK, (x,), None, chosen, *geometry[1:]), with_batch)


def _expected(x: Any, geometry: tuple) -> Any:
    out, kernel, stride, padding, _ = geometry
    dtype = x.dtype
    wide = cast(x, working_dtype(dtype)) if working_dtype(dtype) != dtype else x
    total, squares = [apply(AVERAGE, (v,), out, kernel, stride, padding, True, 1) for v in (wide, square(wide))]
    some = total > 0
    y = where(some, squares / where(some, total, 1.0), 0.0)
    return y if y.dtype == dtype else cast(y, dtype)


__all__ = ["stochastic_pool2d"]
