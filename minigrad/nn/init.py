"""Initial values of parameters, written in place; each names its source."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..autograd.node import stamp
from ..backend import Generator, generator
from ..backend.arrays import namespace
from ..errors import GraphError, ShapeError


def _write(t: Tensor, values: Any, by: str) -> Tensor:
    if not t.is_leaf:
        raise GraphError(f"{by}: this tensor was computed; initialise leaves only")
    xp = namespace(type(t.data))
    t.data[...] = values if isinstance(values, (int, float)) else xp.asarray(values)
    stamp(t.data, by)
    return t


def _rng(g: Generator | None) -> np.random.Generator:
    return (generator() if g is None else g).rng


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """How many inputs reach one output, and how many outputs one input reaches: (fan_in, fan_out) of a weight (out, in, *kernel).

    Raises:
        ShapeError: the weight has fewer than two axes.
    """
    if len(shape) < 2:
        raise ShapeError(f"init: fan in and fan out need a weight of at least two axes, got shape {shape}")
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor that keeps the variance through a nonlinearity.

    Source:
        He et al. 2015 (ReLU sqrt 2, leaky sqrt(2 / (1 + a^2))); Klambauer et al. 2017 (SELU 3/4, as in PyTorch); tanh 5/3 by
        convention.
    """
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + (0.01 if param is None else param) ** 2))
    gains = {"tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}
    gains |= dict.fromkeys(("linear", "sigmoid", *(f"conv{d}d" for d in (1, 2, 3)), *(f"conv_transpose{d}d" for d in (1, 2, 3))), 1.0)
    if nonlinearity not in gains:
        raise ValueError(f"calculate_gain: unknown nonlinearity {nonlinearity!r}; expected one of {sorted([*gains, 'leaky_relu'])}")
    return gains[nonlinearity]


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Uniform on [a, b)."""
    return _write(tensor, _rng(generator).uniform(a, b, tensor.shape), "uniform_")


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal with this mean and standard deviation."""
    return _write(tensor, _rng(generator).normal(mean, std, tensor.shape), "normal_")


def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, generator: Generator | None = None
) -> Tensor:
    """Normal, drawn again until every value lies in [a, b]."""
    if not a < b or b < mean - 8 * std or a > mean + 8 * std:
        raise ValueError(f"trunc_normal_: [{a}, {b}] holds nothing of a normal of mean {mean} and std {std}")
    rng = _rng(generator)
    x = rng.normal(mean, std, tensor.shape)
    while (bad := (x < a) | (x > b)).any():
        x[bad] = rng.normal(mean, std, int(bad.sum()))
    return _write(tensor, x, "trunc_normal_")


def constant_(tensor: Tensor, val: float) -> Tensor:
    """The same value everywhere."""
    return _write(tensor, val, "constant_")


def zeros_(tensor: Tensor) -> Tensor:
    """Zero everywhere."""
    return _write(tensor, 0, "zeros_")


def ones_(tensor: Tensor) -> Tensor:
    """One everywhere."""
    return _write(tensor, 1, "ones_")


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Uniform with variance 2 / (fan_in + fan_out): activations and gradients both keep their scale through linear layers.

    Source:
        Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010, eq. 16.
    """
    fan_in, fan_out = fans(tensor.shape)
    bound = gain * math.sqrt(6 / max(fan_in + fan_out, 1))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal with variance 2 / (fan_in + fan_out).

    Source:
        Glorot and Bengio 2010, eq. 12.
    """
    fan_in, fan_out = fans(tensor.shape)
    return normal_(tensor, 0.0, gain * math.sqrt(2 / max(fan_in + fan_out, 1)), generator)


def _he(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"kaiming: mode must be 'fan_in' or 'fan_out', got {mode!r}")
    fan = fans(tensor.shape)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(max(fan, 1))


def kaiming_uniform_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Generator | None = None
) -> Tensor:
    """Uniform with variance gain^2 / fan: keeps the scale of activations (fan_in) or gradients (fan_out) through rectifiers.

    Args:
        a: the negative slope of the leaky rectifier; 0 is ReLU. PyTorch's layers use sqrt 5, which gives bounds 1 / sqrt(fan_in).

    Source:
        He et al., "Delving deep into rectifiers", 2015, eqs. 10 and 14 (as variances; uniform bound sqrt 3 times the deviation).
    """
    bound = math.sqrt(3) * _he(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Generator | None = None
) -> Tensor:
    """Normal with variance gain^2 / fan.

    Source:
        He et al. 2015, eqs. 10 and 14.
    """
    return normal_(tensor, 0.0, _he(tensor, a, mode, nonlinearity), generator)


def layer_(weight: Tensor, bias: Tensor | None) -> None:
    """What PyTorch gives linear and convolution layers: weight and bias uniform within 1 / sqrt(fan_in).

    Source:
        LeCun et al., "Efficient BackProp", 1998, section 4.6, up to a factor sqrt 3.
    """
    kaiming_uniform_(weight, a=math.sqrt(5))
    if bias is not None:
        bound = 1 / math.sqrt(max(fans(weight.shape)[0], 1))
        uniform_(bias, -bound, bound)


__all__ = [
    "calculate_gain",
    "constant_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]
