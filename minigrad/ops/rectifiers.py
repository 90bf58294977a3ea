"""Activations with a kink: rectifiers, and what is made of straight pieces or bends at 0.

Gradients there: relu, relu6, hardtanh, softshrink and hardshrink have 0; leaky_relu, prelu and elu their left slope.
"""

from typing import Any

from ..autograd.arguments import number, operand
from ..autograd.forms import apply, general, unary
from ..autograd.op import Op, compiled
from ..autograd.tensor import Tensor
from ..errors import ShapeError
from .arithmetic import add, clip, divide, minimum, multiply, subtract
from .logic import where
from .masks import gated, masked
from .shape import reshape

# -- rectifiers -------------------------------------------------------------------------------------------------------
relu = unary(
    "relu",
    """max(x, 0).

    Shapes: x any; y the same.
    Gradient: g where x > 0, 0 elsewhere, at 0 too.
    Numerics: NaN stays NaN.
    Source: Nair and Hinton, Rectified Linear Units Improve Restricted Boltzmann Machines (2010).
    Example:
        >>> import minigrad as mg
        >>> mg.relu(mg.tensor([-1.0, 2.0]))
        Tensor([0., 2.], shape (2,), float32, cpu)
    """,
    lambda g, y: gated(g, y),
    lambda xp: lambda x: xp.maximum(x, 0),
)
compiled("elementwise", relu, gated)


def _leaky(xp: Any, x: Any, slope: float) -> Any:
    if 0 < slope <= 1 and x.ndim and x.dtype.kind == "f":
        y = x * slope
        return xp.maximum(x, y, out=y)
    return xp.where(x > 0, x, x * slope)


def _leaky_slope(xp: Any, g: Any, x: Any, slope: float) -> Any:
    if 0 <= slope <= 1 and x.ndim and x.dtype.kind == "f" and g.dtype == x.dtype and g.shape == x.shape:
        d = (x > 0).astype(x.dtype)
        xp.maximum(d, slope, out=d)  # 1 or the slope: choosing number by number takes NumPy five times as long
        return xp.multiply(g, d, out=d)
    return xp.where(x > 0, g, g * slope)


_leaky_op = general(_leaky, lambda g, x, slope: apply(_leaky_gradient, (g, x), slope), name="leaky_relu")
_leaky_gradient: Op = general(_leaky_slope, lambda g, x, slope: apply(_leaky_gradient, (g, x), slope), None, name="leaky_relu_gradient")
compiled("elementwise", _leaky_op, _leaky_gradient)


def leaky_relu(x: Any, negative_slope: float = 0.01) -> Any:
    """x where it is positive, ``negative_slope * x`` elsewhere.

    Shapes: x any; y the same.
    Gradient: g or g * negative_slope; the latter at 0.
    Source: Maas, Hannun and Ng, Rectifier Nonlinearities Improve Neural Network Acoustic Models (2013).
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.leaky_relu(mg.tensor([-1.0, 2.0]))
        Tensor([-0.01,  2.  ], shape (2,), float32, cpu)
    """
    return apply(_leaky_op, (x,), number("leaky_relu", "negative_slope", negative_slope))


def prelu(x: Any, weight: Any) -> Any:
    """``leaky_relu`` whose slope is learned: x where it is positive, ``weight * x`` elsewhere.

    Shapes: weight (1,) or (), or one slope per channel: (C,) for x (N, C, ...).
    Raises:
        ShapeError: weight has neither one element nor as many as x has channels.
    Gradient: at 0 that of the left side.
    Source: He et al., Delving Deep into Rectifiers (2015), eq. 1.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.prelu(mg.tensor([-1.0, 2.0]), mg.tensor([0.25]))
        Tensor([-0.25,  2.  ], shape (2,), float32, cpu)
    """
    x, weight = (v if isinstance(v, Tensor) else operand(v) for v in (x, weight))
    shape: tuple[int, ...] = getattr(x, "shape", ())
    width: tuple[int, ...] = getattr(weight, "shape", ())
    if width not in ((), (1,)):
        if len(width) != 1 or len(shape) < 2 or width[0] != shape[1]:
            raise ShapeError(f"prelu: weight must have one element or one per channel (axis 1) of x, got weight {width} for x {shape}")
        weight = reshape(weight, (-1,) + (1,) * (len(shape) - 2))
    elif width == (1,):
        weight = reshape(weight, ())
    return where(x > 0, x, multiply(weight, x))


def _hardtanh(xp: Any, x: Any, low: float, high: float) -> Any:
    return xp.clip(x, low, high)


_hardtanh_op = general(_hardtanh, lambda g, y, low, high: masked(g, (y > low) & (y < high)), name="hardtanh")


def hardtanh(x: Any, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    """x limited to the range from ``min_val`` to ``max_val``.

    Shapes: x any; y the same.
    Gradient: g inside the range, 0 outside and at its ends.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.hardtanh(mg.tensor([-2.0, 0.5, 2.0]))
        Tensor([-1. ,  0.5,  1. ], shape (3,), float32, cpu)
    """
    min_val, max_val = number("hardtanh", "min_val", min_val), number("hardtanh", "max_val", max_val)
    if not min_val <= max_val:
        raise ValueError(f"hardtanh: min_val {min_val} is above max_val {max_val}")
    return apply(_hardtanh_op, (x,), min_val, max_val)


def relu6(x: Any) -> Any:
    """min(max(x, 0), 6). Gradient: g inside the range, 0 outside and at 0 and 6.

    Shapes: x any; y the same.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.relu6(mg.tensor([-1.0, 2.0, 9.0])).tolist()
        [0.0, 2.0, 6.0]
    """
    return hardtanh(x, 0.0, 6.0)


def hardsigmoid(x: Any) -> Any:
    """relu6(x + 3) / 6: a sigmoid of three straight pieces.

    Shapes: x any; y the same.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.hardsigmoid(mg.tensor([-4.0, 0.0, 4.0])).tolist()
        [0.0, 0.5, 1.0]
    """
    return hardtanh(divide(add(x, 3), 6), 0.0, 1.0)


def hardswish(x: Any) -> Any:
    """x * relu6(x + 3) / 6. Source: Howard et al., Searching for MobileNetV3 (2019).

    Shapes: x any; y the same.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.hardswish(mg.tensor([0.0, 4.0])).tolist()
        [0.0, 4.0]
    """
    return multiply(x, hardsigmoid(x))


def threshold(x: Any, threshold: float, value: float) -> Any:
    """x where it is above ``threshold``, ``value`` elsewhere. Gradient: g where x was kept.

    Shapes: x any; y the same.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.threshold(mg.tensor([0.5, 2.0]), 1.0, 20.0).tolist()
        [20.0, 2.0]
    """
    x = x if isinstance(x, Tensor) else operand(x)
    return where(x > number("threshold", "threshold", threshold), x, number("threshold", "value", value))


def softshrink(x: Any, lambd: float = 0.5) -> Any:
    """x moved towards 0 by ``lambd``, and 0 where it would cross: the proximal step of the L1 penalty.

    Shapes: x any; y the same.
    Gradient: g where abs(x) > lambd, 0 elsewhere.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.softshrink(mg.tensor([-2.0, 0.2, 2.0]))
        Tensor([-1.5,  0. ,  1.5], shape (3,), float32, cpu)
    """
    lambd = number("softshrink", "lambd", lambd)
    if not lambd >= 0:
        raise ValueError(f"softshrink: lambd must be 0 or more, got {lambd}")
    return subtract(x, clip(x, -lambd, lambd))


def hardshrink(x: Any, lambd: float = 0.5) -> Any:
    """x where abs(x) > lambd, 0 elsewhere. Gradient: g where x was kept.

    Shapes: x any; y the same.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.hardshrink(mg.tensor([-3.0, 0.5]), 1.0).tolist()
        [-3.0, 0.0]
    """
    x = x if isinstance(x, Tensor) else operand(x)
    return where((x > lambd) | (x < -lambd) | (x != x), x, 0.0)


# -- exponential units ------------------------------------------------------------------------------------------------
def _elu(xp: Any, x: Any, alpha: float, scale: float, rate: float) -> Any:
    return xp.where(x > 0, x * scale, xp.expm1(xp.minimum(x, 0) * rate) * (alpha * scale))


def _elu_rule(g: Any, y: Any, alpha: float, scale: float, rate: float) -> Any:
    """The slope below 0 is what is left to the floor of -alpha * scale; y > 0 just where x > 0."""
    return where(y > 0, g * scale, g * ((minimum(y, 0) + alpha * scale) * rate))


_elu_op = general(_elu, _elu_rule, name="elu")


def elu(x: Any, alpha: float = 1.0) -> Any:
    """x where it is positive, ``alpha * (e**x - 1)`` elsewhere.

    Shapes: x any; y the same.
    Gradient: at 0 that of the left side, g * alpha.
    Source: Clevert, Unterthiner and Hochreiter, Fast and Accurate Deep Network Learning by Exponential Linear Units (2015), eq. 15.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.elu(mg.tensor([-1000.0, 2.0]))
        Tensor([-1.,  2.], shape (2,), float32, cpu)
    """
    alpha = number("elu", "alpha", alpha)
    if not alpha >= 0:
        raise ValueError(f"elu: alpha must be 0 or more, got {alpha}")
    return apply(_elu_op, (x,), alpha, 1.0, 1.0)


def celu(x: Any, alpha: float = 1.0) -> Any:
    """``elu`` with a continuous slope for any alpha: x, or ``alpha * (e**(x / alpha) - 1)`` below 0.

    Shapes: x any; y the same.
    Source: Barron, Continuously Differentiable Exponential Linear Units (2017), eq. 2.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.celu(mg.tensor([-100.0, 2.0]), 2.0).tolist()
        [-2.0, 2.0]
    """
    alpha = number("celu", "alpha", alpha)
    if not alpha > 0:
        raise ValueError(f"celu: alpha must be positive, got {alpha}")
    return apply(_elu_op, (x,), alpha, 1.0, 1.0 / alpha)


def selu(x: Any) -> Any:
    """``1.0507 * elu(x, 1.6733)``: keeps mean 0 and variance 1 through the layers of a suitably initialised network.

    Shapes: x any; y the same.
    Gradient: at 0 that of the left side.
    Source: Klambauer et al., Self-Normalizing Neural Networks (2017), eq. 2.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.selu(mg.tensor([1.0]))
        Tensor([1.050701], shape (1,), float32, cpu)
    """
    return apply(_elu_op, (x,), 1.6732632423543772, 1.0507009873554805, 1.0)


__all__ = [
    "celu",
    "elu",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "leaky_relu",
    "prelu",
    "relu",
    "relu6",
    "selu",
    "softshrink",
    "threshold",
]
