"""Variance scaling: random values whose size follows from how many inputs and outputs a weight connects.

One formula, variance = scale / n, stands behind all of them: the schemes differ in the scale, in what n counts, and in the shape of the
distribution.
"""

from __future__ import annotations

import math

from ...autograd import Tensor
from ...backend import Generator
from ...errors import ShapeError
from .filling import constant_, normal_, trunc_normal_, uniform_

TRUNCATED = 0.87962566103423978
"""The standard deviation of a normal of deviation 1 that is cut off at -2 and 2."""


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """How many inputs reach one output, and how many outputs one input reaches: (fan_in, fan_out) of a weight (out, in, *kernel).

    Raises:
        ShapeError: the weight has fewer than two axes.

    Example:
        >>> from minigrad import nn
        >>> nn.init.fans((16, 3, 5, 5))
        (75, 400)
    """
    if len(shape) < 2:
        raise ShapeError(f"init: fan in and fan out need a weight of at least two axes, got shape {shape}")
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor that keeps the variance through a nonlinearity.

    Args:
        nonlinearity: "linear", "conv1d" and the like, "sigmoid", "tanh", "relu", "leaky_relu" or "selu".
        param: the negative slope of "leaky_relu"; default 0.01.

    Raises:
        ValueError: an unknown name.

    Source:
        He et al. 2015 (ReLU sqrt 2, leaky sqrt(2 / (1 + a^2))); Klambauer et al. 2017 (SELU 3/4, as in PyTorch); tanh 5/3 by
        convention.

    Example:
        >>> from minigrad import nn
        >>> round(nn.init.calculate_gain("relu"), 4)
        1.4142
    """
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + (0.01 if param is None else param) ** 2))
    gains = {"tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}
    gains |= dict.fromkeys(("linear", "sigmoid", *(f"conv{d}d" for d in (1, 2, 3)), *(f"conv_transpose{d}d" for d in (1, 2, 3))), 1.0)
    if nonlinearity not in gains:
        raise ValueError(f"calculate_gain: unknown nonlinearity {nonlinearity!r}; expected one of {sorted([*gains, 'leaky_relu'])}")
    return gains[nonlinearity]


def variance_scaling_(
    tensor: Tensor,
    scale: float = 1.0,
    mode: str = "fan_in",
    distribution: str = "truncated_normal",
    generator: Generator | None = None,
) -> Tensor:
    """Random values of variance scale / n.

    Shapes: tensor (out, in, *kernel).

    Args:
        tensor: the weight.
        scale: the scale.
        mode: what n is: "fan_in", "fan_out", or "fan_avg", the mean of both.
        distribution: "truncated_normal" (cut off at twice its deviation, and widened to have the variance), "normal" or "uniform".
        generator: what to draw from.

    Raises:
        ShapeError: fewer than two axes.
        ValueError: a setting that makes no sense.

    Source:
        Glorot and Bengio 2010 and He et al. 2015 in one formula, as Keras and JAX have it.

    Example:
        >>> from minigrad import nn
        >>> w = nn.init.variance_scaling_(nn.Linear(100, 50).weight, 2.0, "fan_in", "uniform")
        >>> bool(abs(w.numpy()).max() <= (3 * 2 / 100) ** 0.5)
        True
    """
    if not scale > 0:
        raise ValueError(f"variance_scaling_: scale must be positive, got {scale}")
    fan_in, fan_out = fans(tensor.shape)
    n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}.get(mode)
    if n is None:
        raise ValueError(f"variance_scaling_: mode must be 'fan_in', 'fan_out' or 'fan_avg', got {mode!r}")
    std = math.sqrt(scale / max(n, 1))
    if distribution == "uniform":
        return uniform_(tensor, -math.sqrt(3) * std, math.sqrt(3) * std, generator)
    if distribution == "normal":
        return normal_(tensor, 0.0, std, generator)
    if distribution == "truncated_normal":
        std /= TRUNCATED
        return trunc_normal_(tensor, 0.0, std, -2 * std, 2 * std, generator)
    raise ValueError(f"variance_scaling_: distribution must be 'truncated_normal', 'normal' or 'uniform', got {distribution!r}")


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Uniform of variance 2 gain^2 / (fan_in + fan_out): activations and gradients both keep their scale through linear layers.

    Source:
        Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010, eq. 16.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> w = nn.init.xavier_uniform_(nn.Parameter(mg.zeros((3, 9))))
        >>> bool((w.abs() <= (6 / (3 + 9)) ** 0.5).all())
        True
    """
    return variance_scaling_(tensor, gain * gain, "fan_avg", "uniform", generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal of variance 2 gain^2 / (fan_in + fan_out).

    Source:
        Glorot and Bengio 2010, eq. 12.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> w = nn.init.xavier_normal_(nn.Parameter(mg.zeros((100, 100))), gain=10.0, generator=mg.Generator(0))
        >>> round(w.std().item(), 1)
        1.0
    """
    return variance_scaling_(tensor, gain * gain, "fan_avg", "normal", generator)


def kaiming_uniform_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Generator | None = None
) -> Tensor:
    """Uniform of variance gain^2 / fan: keeps the scale of activations (fan_in) or gradients (fan_out) through rectifiers.

    Args:
        tensor: the weight.
        a: the negative slope of the leaky rectifier; 0 is ReLU. PyTorch's layers use sqrt 5, which gives bounds 1 / sqrt(fan_in).
        mode: "fan_in" or "fan_out".
        nonlinearity: as for ``calculate_gain``.
        generator: what to draw from.

    Source:
        He et al., "Delving deep into rectifiers", 2015, eqs. 10 and 14 (as variances; uniform bound sqrt 3 times the deviation).
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> w = nn.init.kaiming_uniform_(nn.Parameter(mg.zeros((3, 6))))
        >>> bool((w.abs() <= (6 / 6) ** 0.5).all())  # gain 2 ** 0.5, fan_in 6
        True
    """
    return variance_scaling_(tensor, calculate_gain(nonlinearity, a) ** 2, mode, "uniform", generator)


def kaiming_normal_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Generator | None = None
) -> Tensor:
    """Normal of variance gain^2 / fan. Args: as ``kaiming_uniform_``.

    Source:
        He et al. 2015, eqs. 10 and 14.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> w = nn.init.kaiming_normal_(nn.Parameter(mg.zeros((100, 200))), generator=mg.Generator(0))
        >>> round(w.std().item(), 1)  # (2 / 200) ** 0.5
        0.1
    """
    return variance_scaling_(tensor, calculate_gain(nonlinearity, a) ** 2, mode, "normal", generator)


def lecun_uniform_(tensor: Tensor, generator: Generator | None = None) -> Tensor:
    """Uniform of variance 1 / fan_in, for scaled tanh and for SELU.

    Source:
        LeCun et al., "Efficient BackProp", 1998, section 4.6, eq. 16.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> w = nn.init.lecun_uniform_(nn.Parameter(mg.zeros((5, 3))))
        >>> bool((w.abs() <= 1).all())  # (3 / fan_in) ** 0.5
        True
    """
    return variance_scaling_(tensor, 1.0, "fan_in", "uniform", generator)


def lecun_normal_(tensor: Tensor, generator: Generator | None = None) -> Tensor:
    """Normal of variance 1 / fan_in, with which SELU normalises itself.

    Source:
        LeCun et al. 1998, eq. 16; Klambauer et al., "Self-normalizing neural networks", 2017, section 2 ("Initialization").

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> w = nn.init.lecun_normal_(nn.Parameter(mg.zeros((100, 100))), generator=mg.Generator(0))
        >>> round(w.std().item(), 1)
        0.1
    """
    return variance_scaling_(tensor, 1.0, "fan_in", "normal", generator)


def layer_(weight: Tensor, bias: Tensor | None, init: object = None) -> None:
    """The initial values of a linear or convolution layer.

    Without ``init`` PyTorch's: weight and bias uniform within 1 / sqrt(fan_in). With it, ``init(weight)``; the bias is then zero unless
    ``init.bias`` says otherwise (see ``Initializer``).

    Source:
        LeCun et al., "Efficient BackProp", 1998, section 4.6, up to a factor sqrt 3.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> weight, bias = nn.Parameter(mg.zeros((3, 4))), nn.Parameter(mg.zeros(3))
        >>> nn.init.layer_(weight, bias)
        >>> bool((weight.abs() <= 0.5).all())
        True
    """
    if callable(init):
        init(weight)
        value = getattr(init, "bias", 0.0)
        if bias is not None:
            value(bias) if callable(value) else constant_(bias, value)
        return
    kaiming_uniform_(weight, a=math.sqrt(5))
    if bias is not None:
        bound = 1 / math.sqrt(max(fans(weight.shape)[0], 1))
        uniform_(bias, -bound, bound)


__all__ = [
    "calculate_gain",
    "fans",
    "kaiming_normal_",
    "kaiming_uniform_",
    "lecun_normal_",
    "lecun_uniform_",
    "variance_scaling_",
    "xavier_normal_",
    "xavier_uniform_",
]
