"""Random isometries: weights that keep the length of what they are applied to, so that depth neither blows up nor fades a signal."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...autograd import Tensor
from ...backend import Generator
from ...errors import ShapeError
from .filling import random, write


def _isometry(rows: int, columns: int, generator: Generator | None) -> np.ndarray:
    """A matrix with orthonormal columns (or rows, if it is wide), drawn evenly from all of them.

    The triangle is made to have a positive diagonal, without which the distribution would be that of the QR routine's signs.
    """
    long, short = max(rows, columns), min(rows, columns)
    q, r = np.linalg.qr(random(generator).normal(size=(long, short)))
    q *= np.where(np.diagonal(r) < 0, -1.0, 1.0)
    return q if rows >= columns else q.T


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """A random isometry: the rows, or the columns if there are fewer, are orthonormal, times ``gain``.

    Shapes: tensor (out, ...); all axes but the first are taken as one.

    Args:
        tensor: the weight.
        gain: a factor, such as that of ``calculate_gain``.
        generator: what to draw from.

    Raises:
        ShapeError: fewer than two axes.

    Source:
        Saxe et al., "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks", 2014, section 3; drawn
        evenly by Mezzadri, "How to generate random matrices from the classical compact groups", 2007, section 5.

    Example:
        >>> from minigrad import nn
        >>> w = nn.init.orthogonal_(nn.Linear(8, 3).weight).numpy()
        >>> bool(abs(w @ w.T - [[1, 0, 0], [0, 1, 0], [0, 0, 1]]).max() < 1e-6)
        True
    """
    if tensor.ndim < 2:
        raise ShapeError(f"orthogonal_: expected a weight of at least two axes, got shape {tensor.shape}")
    if not tensor.size:
        return tensor
    rows = tensor.shape[0]
    return write(tensor, gain * _isometry(rows, tensor.size // rows, generator).reshape(tensor.shape), "orthogonal_")


def delta_orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """A convolution that is a random isometry of the channels at each place: orthogonal at the centre of the kernel, zero elsewhere.

    Shapes: tensor (out, in, *kernel), of one to three spatial axes, with out >= in.

    Args:
        tensor: the weight.
        gain: a factor.
        generator: what to draw from.

    Raises:
        ShapeError: the weight is not that of a convolution, or has fewer outputs than inputs, and so cannot keep lengths.

    Source:
        Xiao et al., "Dynamical isometry and a mean field theory of CNNs", 2018, algorithm 1.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> w = nn.init.delta_orthogonal_(nn.Parameter(mg.zeros((4, 4, 3))))
        >>> bool((abs(w[:, :, 1].T @ w[:, :, 1] - mg.eye(4)) < 1e-5).all())
        True
    """
    shape = tensor.shape
    if not 3 <= len(shape) <= 5:
        raise ShapeError(f"delta_orthogonal_: expected the weight of a convolution, of 3 to 5 axes, got shape {shape}")
    if shape[0] < shape[1]:
        raise ShapeError(f"delta_orthogonal_: {shape[0]} outputs cannot keep the lengths of {shape[1]} inputs; expected out >= in")
    x = np.zeros(shape)
    centre: Any = (..., *[k // 2 for k in shape[2:]])
    x[centre] = gain * _isometry(shape[0], shape[1], generator)
    return write(tensor, x, "delta_orthogonal_")


__all__ = ["delta_orthogonal_", "orthogonal_"]
