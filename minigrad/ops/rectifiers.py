"""Activations with a kink: rectifiers, and what is made of straight pieces or bends at 0.

Gradients there: relu, relu6, hardtanh, softshrink and hardshrink have 0; leaky_relu, prelu and elu their left slope.
"""

from typing import Any

from ..autograd.arguments import number, operand
from ..autograd.forms import apply, general, unary
from ..autograd.fused import slope
from ..autograd.op import Op, compiled
from ..autograd.tensor import Tensor
from ..errors import ShapeError
from .arithmetic import abs, minimum
from .logic import where
from .masks import either, gated, masked
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
    return either(xp, x > 0, x, x * slope)


def _leaky_slope(xp: Any, g: Any, x: Any, slope: float) -> Any:
    if 0 <= slope <= 1 and x.ndim and x.dtype.kind == "f" and g.dtype == x.dtype and g.shape == x.shape:
        d = (x > 0).astype(x.dtype)
        xp.maximum(d, slope, out=d)  # 1 or the slope: choosing number by number takes NumPy five times as long
        return xp.multiply(g, d, out=d)
    return either(xp, x > 0, g, g * slope)


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


def _prelu(xp: Any, x: Any, weight: Any) -> Any:
    return either(xp, x > 0, x, weight * x)


_prelu_op = general(_prelu, lambda g, x, weight: where(x > 0, g, g * weight), lambda g, x: masked(g * x, ~(x > 0)), name="prelu")


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
    return apply(_prelu_op, (x, weight))


# -- of straight pieces -----------------------------------------------------------------------------------------------
def _hardtanh(xp: Any, x: Any, low: float, high: float) -> Any:
    return xp.clip(x, low, high)


_hardtanh_gradient = slope("hardtanh_gradient", lambda g, y, low, high: masked(g, (y > low) & (y < high)))
_hardtanh_op = general(_hardtanh, lambda g, y, low, high: _hardtanh_gradient(g, y, low, high), name="hardtanh")


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


def _ramp(xp: Any) -> Any:
    return lambda x: xp.clip((x + 3) / 6, 0.0, 1.0)


hardsigmoid_gradient = slope("hardsigmoid_gradient", lambda g, y: masked(g, (y > 0) & (y < 1)) * (1 / 6))
hardsigmoid = unary(
    "hardsigmoid",
    """relu6(x + 3) / 6: a sigmoid of three straight pieces. Gradient: g / 6 between -3 and 3, 0 outside and at these.

    Shapes: x any; y the same.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.hardsigmoid(mg.tensor([-4.0, 0.0, 4.0])).tolist()
        [0.0, 0.5, 1.0]
    """,
    lambda g, y: hardsigmoid_gradient(g, y),
    _ramp,
)


def _hardswish(xp: Any) -> Any:
    ramp = _ramp(xp)
    return lambda x: x * ramp(x)


def _hardswish_rule(g: Any, x: Any) -> Any:
    h = hardsigmoid(x)
    return g * (h + masked(x, (h > 0) & (h < 1)) * (1 / 6))


hardswish_gradient = slope("hardswish_gradient", _hardswish_rule)
hardswish = unary(
    "hardswish",
    """x * relu6(x + 3) / 6. Source: Howard et al., Searching for MobileNetV3 (2019).

    Shapes: x any; y the same.
    Gradient: with h = hardsigmoid(x): g * (h + x / 6) between -3 and 3, g * h outside and at these.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.hardswish(mg.tensor([0.0, 4.0])).tolist()
        [0.0, 4.0]
    """,
    lambda g, x: hardswish_gradient(g, x),
    _hardswish,
)


def _threshold(xp: Any, x: Any, bound: float, value: float) -> Any:
    return either(xp, x > bound, x, value)


_threshold_gradient = slope("threshold_gradient", lambda g, x, bound: masked(g, x > bound))
_threshold_op = general(_threshold, lambda g, x, bound: _threshold_gradient(g, x, bound), name="threshold")


def threshold(x: Any, threshold: float, value: float) -> Any:
    """x where it is above ``threshold``, ``value`` elsewhere. Gradient: g where x was kept.

    Shapes: x any; y the same.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.threshold(mg.tensor([0.5, 2.0]), 1.0, 20.0).tolist()
        [20.0, 2.0]
    """
    return apply(_threshold_op, (x,), number("threshold", "threshold", threshold), number("threshold", "value", value))


def _softshrink(xp: Any, x: Any, lambd: float) -> Any:
    return x - xp.clip(x, -lambd, lambd)


def _hardshrink(xp: Any, x: Any, lambd: float) -> Any:
    return either(xp, xp.absolute(x) <= lambd, 0.0, x)  # NaN stays NaN


_shrink_gradient = slope("shrink_gradient", lambda g, x, lambd: masked(g, ~(abs(x) <= lambd)))
_softshrink_op = general(_softshrink, lambda g, x, lambd: _shrink_gradient(g, x, lambd), name="softshrink")
_hardshrink_op = general(_hardshrink, lambda g, x, lambd: _shrink_gradient(g, x, lambd), name="hardshrink")


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
    return apply(_softshrink_op, (x,), lambd)


def hardshrink(x: Any, lambd: float = 0.5) -> Any:
    """x where abs(x) > lambd, 0 elsewhere. Gradient: g where x was kept.

    Shapes: x any; y the same.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.hardshrink(mg.tensor([-3.0, 0.5]), 1.0).tolist()
        [-3.0, 0.0]
    """
    return apply(_hardshrink_op, (x,), number("hardshrink", "lambd", lambd))


# -- exponential units ------------------------------------------------------------------------------------------------
def _elu(xp: Any, x: Any, alpha: float, scale: float, rate: float) -> Any:
    return xp.expm1(xp.minimum(x, 0) * rate) * (alpha * scale) + xp.maximum(x, 0) * scale  # of the two, one is 0


def _elu_rule(g: Any, y: Any, alpha: float, scale: float, rate: float) -> Any:
    """The slope below 0 is what is left to the floor of -alpha * scale; y > 0 just where x > 0."""
    return where(y > 0, g * scale, g * ((minimum(y, 0) + alpha * scale) * rate))


_elu_gradient = slope("elu_gradient", _elu_rule)
_elu_op = general(_elu, lambda g, y, alpha, scale, rate: _elu_gradient(g, y, alpha, scale, rate), name="elu")


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


compiled("activations", _prelu_op, _hardtanh_op, _hardtanh_gradient, hardsigmoid, hardsigmoid_gradient, hardswish, hardswish_gradient)
compiled("activations", _threshold_op, _threshold_gradient, _softshrink_op, _hardshrink_op, _shrink_gradient, _elu_op, _elu_gradient)

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
