"""Normalisation: layer norm and its relatives, as kernels that pass over the data as rarely as NumPy allows."""

from math import prod
from typing import Any

from ..autograd.fused import fused
from ..backend import working_dtype
from ..errors import ShapeError
from .losses import given
from .powers import square
from .reduce import mean


def _layer_norm(xp: Any, x: Any, weight: Any, bias: Any, axes: tuple[int, ...], eps: float) -> Any:
    n = prod([x.shape[a] for a in axes])
    wide = working_dtype(x.dtype)
    m = xp.add.reduce(x, axes, wide, None, True) / n
    h = x - m
    r = 1 / xp.sqrt(xp.add.reduce(h * h, axes, None, None, True) / n + eps)
    h *= r
    y = h
    if weight is not None:
        y = h * weight
    if bias is not None:
        y = y + bias if y is h else xp.add(y, bias, out=y)
    return y.astype(x.dtype, copy=False), (m, r)


def _layer_norm_slopes(xp: Any, g: Any, wanted: Any, kept: Any, x: Any, weight: Any, bias: Any, axes: Any, eps: float) -> Any:
    m, r = kept
    h = x - m
    h *= r
    lead = tuple([a for a in range(x.ndim) if a not in axes])
    dx = dw = db = None
    g = g.astype(h.dtype, copy=False)
    if wanted[0]:
        n = prod([x.shape[a] for a in axes])
        dx = g if weight is None else g * weight
        s = xp.add.reduce(dx, axes, None, None, True) / n
        t = xp.add.reduce(dx * h, axes, None, None, True) / n
        dx = dx - s
        dx -= h * t
        dx *= r
    if wanted[1]:
        dw = xp.add.reduce(g * h, lead)
    if wanted[2]:
        db = xp.add.reduce(g, lead)
    return dx, dw, db


def _layer_norm_composed(x: Any, weight: Any, bias: Any, axes: tuple[int, ...], eps: float) -> Any:
    d = x - mean(x, axes, True)
    y = d / (mean(square(d), axes, True) + eps) ** 0.5
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


LAYER_NORM = fused(_layer_norm, _layer_norm_slopes, _layer_norm_composed, inputs=3, name="layer_norm")


def layer_norm(x: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    """Each sample brought to mean 0 and variance 1 over its last axes, then scaled and shifted: (x - mean) / sqrt(var + eps) w + b.

    Shapes: x (..., *normalized_shape); weight and bias normalized_shape, or None; y as x.

    Args:
        x: floating.
        normalized_shape: the lengths of the last axes, or one integer.
        weight, bias: the scale and the shift.
        eps: keeps the quotient finite.

    Raises:
        ShapeError: x does not end in normalized_shape, or weight or bias is not of that shape.

    Numerics: two passes (the mean is taken out before squaring); half precision is computed in float32.
    Source:
        Ba, Kiros and Hinton, "Layer normalization", 2016, eq. 3; the variance is the biased one.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.layer_norm(mg.tensor([[1.0, 3.0]]), 2, eps=0.0).tolist()
        [[-1.0, 1.0]]
    """
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    x = given(x)
    k = len(shape)
    if not k or tuple(x.shape[-k:]) != shape:
        raise ShapeError(f"layer_norm: x {tuple(x.shape)} does not end in normalized_shape {shape}")
    for what, t in (("weight", weight), ("bias", bias)):
        if t is not None and tuple(t.shape) != shape:
            raise ShapeError(f"layer_norm: {what} has shape {tuple(t.shape)}, normalized_shape is {shape}")
    n = len(x.shape)
    return LAYER_NORM(x, weight, bias, tuple(range(n - k, n)), eps)


__all__ = ["layer_norm"]
