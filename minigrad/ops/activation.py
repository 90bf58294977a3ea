"""Activations: what stands between the layers of a network. Names, arguments and defaults are PyTorch's; ``axis`` is its ``dim``.

Here are the smooth ones and those that join channels; those with a kink are in ``rectifiers``.
"""

from collections.abc import Callable
from typing import Any

from ..autograd.arguments import normal_axis, number, operand, unexpected
from ..autograd.forms import apply, binary, general, unary
from ..autograd.fused import fused, slope
from ..autograd.op import compiled
from ..autograd.tensor import Tensor
from ..errors import ShapeError
from .arithmetic import abs, multiply
from .exponential import decay, exp, expit, expm1, sigmoid, sigmoid_gradient  # noqa: F401 (expit is offered from here too)
from .gaussian import gelu, gelu_gradient, gelu_tanh_gradient  # noqa: F401 (the gradients are offered from here too)
from .joining import concat
from .logic import where
from .masks import gated
from .powers import square
from .rectifiers import relu
from .reduce import max as largest
from .shape import reshape
from .trigonometric import tanh


# -- soft steps -------------------------------------------------------------------------------------------------------
def _softplus(xp: Any, x: Any, beta: float, threshold: float) -> Any:
    z = x if beta == 1 else x * beta
    y = xp.log1p(decay(xp, z)) + xp.maximum(z, 0)
    return xp.where(z > threshold, x, y if beta == 1 else y / beta)


def _softplus_rule(g: Any, x: Any, beta: float, threshold: float) -> Any:
    return where(x * beta > threshold, g, g * sigmoid(x * beta))


_softplus_gradient = slope("softplus_gradient", _softplus_rule)
_softplus_op = general(_softplus, lambda g, x, beta, threshold: _softplus_gradient(g, x, beta, threshold), name="softplus")


def softplus(x: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """``log(1 + e**(beta * x)) / beta``: a smooth relu.

    Shapes: x any; y the same.
    Args:
        beta: how sharp the bend is.
        threshold: where ``beta * x`` is above it, the result is x itself.
    Gradient: g * sigmoid(beta * x).
    Numerics: no overflow on either side.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.softplus(mg.tensor([-1000.0, 1000.0]))
        Tensor([   0., 1000.], shape (2,), float32, cpu)
    """
    beta, threshold = number("softplus", "beta", beta), number("softplus", "threshold", threshold)
    if not beta > 0:
        raise ValueError(f"softplus: beta must be positive, got {beta}")
    return apply(_softplus_op, (x,), beta, threshold)


logsigmoid_gradient = slope("logsigmoid_gradient", lambda g, y: -(g * expm1(y)))
logsigmoid = unary(
    "logsigmoid",
    """log(sigmoid(x)).

    Shapes: x any; y the same.
    Gradient: g * sigmoid(-x), which is -g * expm1(y).
    Numerics: exact on both sides: x for very negative x, -e**-x for large.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.logsigmoid(mg.tensor(-1000.0)).item()
        -1000.0
    """,
    lambda g, y: logsigmoid_gradient(g, y),
    lambda xp: lambda x: xp.minimum(x, 0) - xp.log1p(decay(xp, x)),
)
softsign = unary(
    "softsign",
    """x / (1 + abs(x)). Gradient: g / (1 + abs(x))**2.

    Shapes: x any; y the same.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.softsign(mg.tensor([-1.0, 3.0])).tolist()
        [-0.5, 0.75]
    """,
    lambda g, x: g / square(abs(x) + 1),
    lambda xp: lambda x: x / (xp.absolute(x) + 1),
)
tanhshrink = unary(
    "tanhshrink",
    """x - tanh(x). Gradient: g * tanh(x)**2.

    Shapes: x any; y the same.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.tanhshrink(mg.tensor([0.0, 100.0])).tolist()
        [0.0, 99.0]
    """,
    lambda g, x: g * square(tanh(x)),
    lambda xp: lambda x: x - xp.tanh(x),
)


# -- x times a soft step ----------------------------------------------------------------------------------------------
def _silu_slope(x: Any) -> Any:
    s = sigmoid(x)
    return s * (x * (1 - s) + 1)


def _silu_curvature(x: Any) -> Any:
    s = sigmoid(x)
    return s * (1 - s) * (x * (1 - s * 2) + 2)


def _silu(xp: Any) -> Any:
    logistic = sigmoid.op.kernels.make(xp)
    return lambda x: x * logistic(x)


silu_gradient: Any = binary(
    "silu_gradient",
    "g * s * (1 + x * (1 - s)) with s = sigmoid(x): the gradient of silu.",
    lambda g, b: silu_gradient(g, b),
    lambda g, a, b: g * a * _silu_curvature(b),
    lambda xp: lambda g, x: g * _silu_slope(x),
)
silu = unary(
    "silu",
    """x * sigmoid(x), also called swish.

    Shapes: x any; y the same.
    Gradient: with s = sigmoid(x): g * s * (1 + x * (1 - s)).
    Source: Elfwing, Uchibe and Doya, Sigmoid-Weighted Linear Units (2017); Ramachandran, Zoph and Le (2017).
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.silu(mg.tensor([-1000.0, 0.0, 1000.0]))
        Tensor([  -0.,    0., 1000.], shape (3,), float32, cpu)
    """,
    lambda g, x: silu_gradient(g, x),
    _silu,
)
compiled("elementwise", silu, silu_gradient)


def _mish_rule(g: Any, x: Any) -> Any:
    t = tanh(softplus(x))
    return g * (t + x * (1 - t * t) * sigmoid(x))


mish_gradient = slope("mish_gradient", _mish_rule)
mish = unary(
    "mish",
    """x * tanh(softplus(x)).

    Shapes: x any; y the same.
    Gradient: with t = tanh(softplus(x)): g * (t + x * (1 - t**2) * sigmoid(x)).
    Source: Misra, Mish: A Self Regularized Non-Monotonic Activation Function (2019), eq. 1.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.mish(mg.tensor([0.0, 1000.0])).tolist()
        [0.0, 1000.0]
    """,
    lambda g, x: mish_gradient(g, x),
    lambda xp: lambda x: x * xp.tanh(_softplus(xp, x, 1, 20.0)),
)
compiled("activations", _softplus_op, _softplus_gradient, logsigmoid, logsigmoid_gradient, mish, mish_gradient)


# -- several channels at once -----------------------------------------------------------------------------------------
def _halves(x: Any, axis: int) -> tuple[Any, Any]:
    h, lead = x.shape[axis] // 2, (slice(None),) * axis
    return x[(*lead, slice(None, h))], x[(*lead, slice(h, None))]


def _gate(name: str, value: Callable, slopes: Callable) -> Callable:
    """An op ``f(x, axis)``, which is ``value(a, b)`` of the halves of x; ``slopes(g, a, b)`` are their gradients."""

    def kernel(xp: Any, x: Any, axis: int) -> Any:
        return value(*_halves(x, axis)), ()

    def both(xp: Any, g: Any, wanted: Any, kept: Any, x: Any, axis: int) -> Any:
        return (xp.concatenate(slopes(g, *_halves(x, axis)), axis=axis),)

    op = fused(kernel, both, lambda x, axis: value(*_halves(x, axis)), inputs=1, name=name)
    compiled("activations", op)

    def f(x: Any, axis: int) -> Any:
        x = x if isinstance(x, Tensor) else operand(x)
        (axis,) = normal_axis(name, axis, x.ndim)
        if x.shape[axis] % 2:
            raise ShapeError(f"{name}: axis {axis} must have an even length to be halved, got {x.shape[axis]} in x {tuple(x.shape)}")
        return op(x, axis)

    return f


_glu = _gate("glu", lambda a, b: multiply(a, sigmoid(b)), lambda g, a, b: (g * sigmoid(b), sigmoid_gradient(g * a, sigmoid(b))))
_swiglu = _gate("swiglu", lambda a, b: multiply(silu(a), b), lambda g, a, b: (silu_gradient(g * b, a), g * silu(a)))
_geglu = _gate("geglu", lambda a, b: multiply(gelu(a), b), lambda g, a, b: (gelu_gradient(g * b, a), g * gelu(a)))
_reglu = _gate("reglu", lambda a, b: multiply(relu(a), b), lambda g, a, b: (gated(g * b, a), g * relu(a)))


def glu(x: Any, axis: int = -1, **other: Any) -> Any:
    """Gated linear unit: ``a * sigmoid(b)`` for the halves a, b of x along ``axis``.

    Shapes: axis of length 2 C becomes C.
    Raises:
        ShapeError: the length of the axis is odd.
    Source: Dauphin et al., Language Modeling with Gated Convolutional Networks (2017), eq. 1.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.glu(mg.tensor([4.0, 0.0]))
        Tensor([2.], shape (1,), float32, cpu)
    """
    if other:
        raise unexpected("glu", other)
    return _glu(x, axis)


def swiglu(x: Any, axis: int = -1) -> Any:
    """``silu(a) * b`` for the halves a, b of x along ``axis``.

    Shapes: axis of length 2 C becomes C.
    Raises:
        ShapeError: the length of the axis is odd.
    Source: Shazeer, GLU Variants Improve Transformer (2020), eq. 5.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.swiglu(mg.tensor([100.0, 2.0])).tolist()
        [200.0]
    """
    return _swiglu(x, axis)


def geglu(x: Any, axis: int = -1) -> Any:
    """``gelu(a) * b`` for the halves a, b of x along ``axis``. Shapes, errors and source: as ``swiglu``.

    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.geglu(mg.tensor([100.0, 2.0])).tolist()
        [200.0]
    """
    return _geglu(x, axis)


def reglu(x: Any, axis: int = -1) -> Any:
    """``relu(a) * b`` for the halves a, b of x along ``axis``. Shapes, errors and source: as ``swiglu``.

    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.reglu(mg.tensor([3.0, 2.0])).tolist()
        [6.0]
    """
    return _reglu(x, axis)


def maxout(x: Any, k: int, axis: int = 1) -> Any:
    """The largest of each group of ``k`` neighbours along ``axis``.

    Shapes: axis of length k C becomes C.
    Raises:
        ShapeError: the length of the axis is no multiple of k.
    Gradient: ties share it equally.
    Source: Goodfellow et al., Maxout Networks (2013).
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.maxout(mg.tensor([[1.0, 3.0, 2.0, 0.0]]), 2)
        Tensor([[3., 2.]], shape (1, 2), float32, cpu)
    """
    x = x if isinstance(x, Tensor) else operand(x)
    (axis,) = normal_axis("maxout", axis, x.ndim)
    n = x.shape[axis]
    if k < 1 or n % k:
        raise ShapeError(f"maxout: axis {axis} of x {tuple(x.shape)} has length {n}, expected a multiple of k = {k}")
    return largest(reshape(x, (*x.shape[:axis], n // k, k, *x.shape[axis + 1 :])), axis=axis + 1)


def crelu(x: Any, axis: int = 1) -> Any:
    """relu(x) and relu(-x) one after the other along ``axis``, whose length doubles.

    Shapes: x (..., n, ...) with n along ``axis``; y (..., 2 n, ...).
    Source: Shang et al., Understanding and Improving Convolutional Neural Networks via Concatenated Rectified Linear Units (2016).
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.crelu(mg.tensor([[1.0, -3.0]]))
        Tensor([[1., 0., 0., 3.]], shape (1, 4), float32, cpu)
    """
    x = x if isinstance(x, Tensor) else operand(x)
    return concat([relu(x), relu(-x)], axis=axis)


__all__ = [
    "crelu",
    "geglu",
    "gelu",
    "glu",
    "logsigmoid",
    "maxout",
    "mish",
    "reglu",
    "sigmoid",
    "silu",
    "softplus",
    "softsign",
    "swiglu",
    "tanhshrink",
]
