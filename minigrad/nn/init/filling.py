"""Values that do not depend on the shape of a layer: constants, distributions, identities. Everything is written in place."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...autograd import Tensor
from ...autograd.node import stamp
from ...backend import Generator, generator
from ...backend.arrays import namespace
from ...errors import GraphError, ShapeError
from ...ops.special import erfinv


def write(t: Tensor, values: Any, by: str) -> Tensor:
    """Overwrite a leaf, and let graphs that saved it know."""
    if not t.is_leaf:
        raise GraphError(f"{by}: this tensor was computed; initialise leaves only")
    xp = namespace(type(t.data))
    t.data[...] = values if isinstance(values, (int, float)) else xp.asarray(values)
    stamp(t.data, by)
    return t


def random(g: Generator | None) -> np.random.Generator:
    """NumPy's generator of ``g``; default: of minigrad's stream."""
    return (generator() if g is None else g).rng


# -- constants --------------------------------------------------------------------------------------------------------
def constant_(tensor: Tensor, val: float) -> Tensor:
    """The same value everywhere.

    Example:
        >>> from minigrad import nn
        >>> nn.init.constant_(nn.Parameter([0.0, 0.0]), 0.5).tolist()
        [0.5, 0.5]
    """
    return write(tensor, val, "constant_")


def zeros_(tensor: Tensor) -> Tensor:
    """Zero everywhere.

    Example:
        >>> from minigrad import nn
        >>> nn.init.zeros_(nn.Parameter([1.0, 2.0])).tolist()
        [0.0, 0.0]
    """
    return write(tensor, 0, "zeros_")


def ones_(tensor: Tensor) -> Tensor:
    """One everywhere.

    Example:
        >>> from minigrad import nn
        >>> nn.init.ones_(nn.Parameter([0.0, 0.0])).tolist()
        [1.0, 1.0]
    """
    return write(tensor, 1, "ones_")


# -- distributions ----------------------------------------------------------------------------------------------------
def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Uniform on [a, b).

    Raises:
        ValueError: a > b.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> w = nn.init.uniform_(nn.Parameter(mg.zeros(100)), 2.0, 3.0)
        >>> bool(((w >= 2) & (w < 3)).all())
        True
    """
    if not a <= b:
        raise ValueError(f"uniform_: a must be at most b, got a={a} and b={b}")
    return write(tensor, random(generator).uniform(a, b, tensor.shape), "uniform_")


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal with this mean and standard deviation.

    Raises:
        ValueError: std < 0.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> w = nn.init.normal_(nn.Parameter(mg.zeros(10_000)), std=0.5, generator=mg.Generator(0))
        >>> round(w.std().item(), 1)
        0.5
    """
    return write(tensor, random(generator).normal(mean, _spread("normal_", std), tensor.shape), "normal_")


def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, generator: Generator | None = None
) -> Tensor:
    """The part of a normal of this mean and standard deviation that lies in [a, b]; a and b are values, not multiples of std.

    Raises:
        ValueError: std <= 0, or nothing of the normal lies between a and b.

    Numerics: by the inverse of the distribution function, so no value is drawn twice, however narrow [a, b] is.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> w = nn.init.trunc_normal_(nn.Parameter(mg.zeros(100)), a=-1.0, b=1.0)
        >>> bool((w.abs() <= 1).all())
        True
    """
    _spread("trunc_normal_", std)
    if not (std and a < b) or b < mean - 8 * std or a > mean + 8 * std:
        raise ValueError(f"trunc_normal_: [{a}, {b}] holds nothing of a normal of mean {mean} and std {std}")
    low, high = (math.erf((edge - mean) / (std * math.sqrt(2))) for edge in (a, b))
    x = mean + std * math.sqrt(2) * erfinv(random(generator).uniform(low, high, tensor.shape))
    return write(tensor, np.clip(x, a, b), "trunc_normal_")


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> Tensor:
    """Normal, but for a fraction ``sparsity`` of each column, which is zero: every input reaches only a few outputs.

    Shapes: tensor (out, in).

    Raises:
        ShapeError: not a matrix.
        ValueError: sparsity outside [0, 1], or std < 0.

    Source:
        Martens, "Deep learning via Hessian-free optimization", 2010, section 5 (with the fraction per column, as in PyTorch).
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> w = nn.init.sparse_(nn.Parameter(mg.zeros((10, 3))), sparsity=0.8)
        >>> (w == 0).sum(0).tolist()
        [8, 8, 8]
    """
    _matrix("sparse_", tensor)
    if not 0 <= sparsity <= 1:
        raise ValueError(f"sparse_: sparsity must be in [0, 1], got {sparsity}")
    rng = random(generator)
    x = rng.normal(0.0, _spread("sparse_", std), tensor.shape)
    order = rng.permuted(np.broadcast_to(np.arange(len(x))[:, None], x.shape), axis=0)
    x[order < math.ceil(sparsity * len(x))] = 0
    return write(tensor, x, "sparse_")


# -- identities -------------------------------------------------------------------------------------------------------
def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix: a linear layer that keeps its input, as far as the shape allows it.

    Shapes: tensor (out, in).

    Raises:
        ShapeError: not a matrix.

    Source:
        Le, Jaitly and Hinton, "A simple way to initialize recurrent networks of rectified linear units", 2015.

    Example:
        >>> from minigrad import nn
        >>> nn.init.eye_(nn.Parameter([[5.0, 5.0], [5.0, 5.0]])).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    _matrix("eye_", tensor)
    return write(tensor, np.eye(tensor.shape[0], tensor.shape[1]), "eye_")


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """A one at the centre of the kernel from each channel to itself: a convolution that keeps its input.

    Shapes: tensor (out, in / groups, *kernel), of one to three spatial axes.

    Args:
        tensor: the weight.
        groups: do so within each of so many groups of outputs.

    Raises:
        ShapeError: the weight is not that of a convolution.
        ValueError: groups does not divide the outputs.

    Source:
        Zagoruyko and Komodakis, "DiracNets: training very deep neural networks without skip-connections", 2017.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> w = nn.init.dirac_(nn.Parameter(mg.zeros((1, 1, 3))))
        >>> w.tolist()
        [[[0.0, 1.0, 0.0]]]
    """
    shape = tensor.shape
    if not 3 <= len(shape) <= 5:
        raise ShapeError(f"dirac_: expected the weight of a convolution, of 3 to 5 axes, got shape {shape}")
    if groups < 1 or shape[0] % groups:
        raise ValueError(f"dirac_: groups={groups} must divide the {shape[0]} outputs")
    x = np.zeros(shape)
    each = shape[0] // groups
    centre = tuple([k // 2 for k in shape[2:]])
    for g in range(groups):
        for c in range(min(each, shape[1])):
            x[(g * each + c, c, *centre)] = 1
    return write(tensor, x, "dirac_")


def _matrix(who: str, t: Tensor) -> None:
    if t.ndim != 2:
        raise ShapeError(f"{who}: expected a matrix (out, in), got shape {t.shape}")


def _spread(who: str, std: float) -> float:
    if not std >= 0:
        raise ValueError(f"{who}: std must be at least 0, got {std}")
    return std


__all__ = ["constant_", "dirac_", "eye_", "normal_", "ones_", "sparse_", "trunc_normal_", "uniform_", "zeros_"]
