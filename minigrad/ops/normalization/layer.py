"""Norms of single samples: over their last axes, or over groups of their channels."""

from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from ...autograd.fused import fused
from ...autograd.op import compiled
from ...backend import working_dtype
from ...errors import ShapeError
from ..shape import reshape
from ..windows import lengths
from .moments import composed, fitting, floating, kernel, positive, slopes

LAYER_NORM = fused(kernel, slopes, composed, inputs=3, name="layer_norm")
RMS_NORM = fused(kernel, slopes, composed, inputs=3, name="rms_norm")
GROUP_NORM = fused(kernel, slopes, composed, inputs=3, name="group_norm")
compiled("norms", LAYER_NORM, RMS_NORM, GROUP_NORM)


def lengths_of(who: str, normalized_shape: Any) -> tuple[int, ...]:
    """The lengths of the last axes, given as a tuple or as one integer.

    Raises:
        DTypeError: one is no integer.
        ShapeError: there are none, or one is not positive.
    """
    many = tuple(normalized_shape) if isinstance(normalized_shape, (tuple, list)) else (normalized_shape,)
    if not many:
        raise ShapeError(f"{who}: normalized_shape must be one or more positive integers, got {normalized_shape!r}")
    return lengths(who, "normalized_shape", many, len(many), 1)


@lru_cache(1024)
def _last(who: str, whole: tuple[int, ...], shape: tuple[int, ...]) -> tuple[tuple, tuple]:
    """Of x with the shape ``whole`` that ends in ``shape``: those last axes, and the shape in which a weight is broadcast to it."""
    n, k = len(whole), len(shape)
    if whole[-k:] != shape:
        raise ShapeError(f"{who}: x {whole} does not end in normalized_shape {shape}")
    return tuple(range(n - k, n)), (*[1] * (n - k), *shape)


def _over_last(who: str, op: Any, x: Any, normalized_shape: Any, weight: Any, bias: Any, eps: Any) -> Any:
    x, shape = floating(who, x), lengths_of(who, normalized_shape)
    axes, how = _last(who, x.shape, shape)
    weight, bias = fitting(who, shape, ("normalized_shape",), weight=weight, bias=bias)
    if eps is None:
        eps = np.finfo(working_dtype(x.dtype)).eps
    return op(x, weight, bias, axes, positive(who, eps), how, op is LAYER_NORM)


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
        DTypeError: x is not real and floating.
        ValueError: eps is negative.

    Numerics: the mean is taken out before squaring, and corrected by the mean of what is left (Chan, Golub and LeVeque, "Algorithms
        for computing the sample variance", 1983); half precision is computed in float32. Two numbers per sample are kept for backward.
    Source:
        Ba, Kiros and Hinton, "Layer normalization", 2016, eq. 3; the variance is the biased one.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.layer_norm(mg.tensor([[1.0, 3.0]]), 2, eps=0.0).tolist()
        [[-1.0, 1.0]]
    """
    return _over_last("layer_norm", LAYER_NORM, x, normalized_shape, weight, bias, eps)


def rms_norm(x: Any, normalized_shape: Any, weight: Any = None, eps: float | None = None) -> Any:
    """Each sample divided by its root mean square over the last axes, then scaled: x / sqrt(mean(x^2) + eps) w.

    Shapes: x (..., *normalized_shape); weight normalized_shape, or None; y as x.

    Args:
        x: floating.
        normalized_shape: the lengths of the last axes, or one integer.
        weight: the scale.
        eps: keeps the quotient finite; None: the smallest step at 1 of the dtype that is computed in (float32 for half precision).

    Raises:
        ShapeError: x does not end in normalized_shape, or weight is not of that shape.
        DTypeError: x is not real and floating.
        ValueError: eps is negative.

    Numerics: half precision is squared and summed in float32. One number per sample is kept for backward.
    Source:
        Zhang and Sennrich, "Root mean square layer normalization", 2019, eq. 4; eps as in PyTorch.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.rms_norm(mg.tensor([[1.0, 7.0]]), 2, mg.tensor([5.0, 5.0]), eps=0.0).tolist()
        [[1.0, 7.0]]
    """
    return _over_last("rms_norm", RMS_NORM, x, normalized_shape, weight, None, eps)


def group_norm(x: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    """Each group of channels of each sample brought to mean 0 and variance 1; each channel then scaled and shifted.

    Shapes: x (N, C, ...); weight and bias (C,), or None; y as x.

    Args:
        x: floating.
        num_groups: into how many groups the channels are parted, neighbours together; 1: all in one; C: each on its own.
        weight, bias: the scale and the shift of each channel.
        eps: keeps the quotient finite.

    Raises:
        ShapeError: x has fewer than two axes, num_groups does not divide C, or weight or bias is not (C,).
        DTypeError: x is not real and floating.
        ValueError: eps is negative.

    Numerics: as ``layer_norm``. A group of one number becomes 0.
    Source:
        Wu and He, "Group normalization", 2018, eqs. 1, 2 and 7.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.group_norm(mg.tensor([[1.0, 3.0, 10.0, 30.0]]), 2, eps=0.0).tolist()
        [[-1.0, 1.0, -1.0, 1.0]]
    """
    who = "group_norm"
    x = floating(who, x)
    shape = tuple(x.shape)
    if len(shape) < 2:
        raise ShapeError(f"{who}: x must be (N, C, ...), got shape {shape}")
    channels = shape[1]
    if num_groups < 1 or channels % num_groups:
        raise ShapeError(f"{who}: num_groups={num_groups} must divide the channels of x, {channels} (x {shape})")
    weight, bias = fitting(who, (channels,), ("one per channel of x", shape), weight=weight, bias=bias)
    each = channels // num_groups
    parted = reshape(x, (shape[0], num_groups, each, prod(shape[2:])))
    y = GROUP_NORM(parted, weight, bias, (2, 3), positive(who, eps), (1, num_groups, each, 1), True)
    return reshape(y, shape)


__all__ = ["group_norm", "layer_norm", "rms_norm"]
