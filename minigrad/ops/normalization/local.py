"""Vectors brought to length 1, and channels divided by what their neighbours do."""

from typing import Any

from ...autograd.arguments import unexpected
from ...autograd.conform import cast
from ...autograd.forms import apply, general
from ...autograd.fused import fused
from ...autograd.op import Op
from ...errors import ShapeError
from ..arithmetic import maximum
from ..linalg import vector_norm
from ..losses import measured, wide
from ..powers import square
from .moments import floating, positive, widened


def normalize(x: Any, p: float = 2.0, axis: Any = 1, eps: float = 1e-12, **other: Any) -> Any:
    """Vectors divided by their p-norm: x / max(norm(x), eps).

    Shapes: x any; y the same.

    Args:
        x: floating.
        p: which norm; see ``linalg.vector_norm``.
        axis: along which the vectors lie; several, or None: all.
        eps: what shorter vectors are divided by.

    Raises:
        TypeError: an argument that is not there, such as PyTorch's ``dim``.
        AxisError: an axis that is not there.
        DTypeError: x is not real and floating.
        ValueError: eps is negative.

    Gradient: a vector of zeros stays 0, with gradient g / eps, as in PyTorch.
    Numerics: half precision is computed in float32.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.normalize(mg.tensor([[0.0, 5.0]])).tolist()
        [[0.0, 1.0]]
    """
    if other:
        raise unexpected("normalize", other)
    x, eps = floating("normalize", measured(x)), positive("normalize", eps)
    v = widened(x)
    y = v / maximum(vector_norm(v, axis, True, ord=p), eps)
    return y if y.dtype == x.dtype else cast(y, x.dtype)


# -- local response ---------------------------------------------------------------------------------------------------
def _window(xp: Any, x: Any, before: int, after: int) -> Any:
    """Sums over each channel, so many before it and so many after it."""
    y = x.copy()
    for k in range(1, min(before, x.shape[1] - 1) + 1):
        y[:, k:] += x[:, :-k]
    for k in range(1, min(after, x.shape[1] - 1) + 1):
        y[:, :-k] += x[:, k:]
    return y


WINDOW: Op = general(_window, lambda g, before, after: apply(WINDOW, (g,), after, before), name="channel_window")


def _divisor(xp: Any, x: Any, size: int, alpha: float, k: float) -> Any:
    d = _window(xp, x * x, size // 2, (size - 1) // 2)
    d *= alpha / size
    d += k
    return d


def _response(xp: Any, x: Any, size: int, alpha: float, beta: float, k: float) -> tuple:
    v = wide(x)
    d = _divisor(xp, v, size, alpha, k)
    d **= -beta
    d *= v
    return d.astype(x.dtype, copy=False), ()


def _response_slopes(xp: Any, g: Any, wanted: Any, kept: tuple, x: Any, size: int, alpha: float, beta: float, k: float) -> tuple:
    """With the divisor d: g d^-beta - 2 alpha beta / size x sum(g x d^(-beta - 1)), over the channels to whose divisor x belongs."""
    x, g = wide(x), wide(g)
    d = _divisor(xp, x, size, alpha, k)
    y = d**-beta
    y *= g
    xp.divide(y, d, out=d)
    d *= x
    d = _window(xp, d, (size - 1) // 2, size // 2)
    d *= x
    d *= 2 * alpha * beta / size
    y -= d
    return (y,)


def _response_composed(x: Any, size: int, alpha: float, beta: float, k: float) -> Any:
    v = widened(x)
    y = v * (k + apply(WINDOW, (square(v),), size // 2, (size - 1) // 2) * (alpha / size)) ** -beta
    return y if y.dtype == x.dtype else cast(y, x.dtype)


LOCAL_RESPONSE_NORM = fused(_response, _response_slopes, _response_composed, inputs=1, name="local_response_norm")


def local_response_norm(x: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Any:
    """Each channel divided by (k + alpha / size sum(x^2))^beta, the sum over a window of channels around it.

    Shapes: x (N, C, L, ...); y as x.

    Args:
        x: floating.
        size: how many channels the window has, size // 2 of them before the channel; beyond the ends there are zeros.
        alpha, beta, k: as in the formula.

    Raises:
        ShapeError: x has fewer than three axes.
        DTypeError: x is not real and floating.
        ValueError: size is not positive.

    Numerics: half precision is computed in float32. Nothing but x is kept for backward.
    Source:
        Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks", 2012, section 3.3; alpha
        is divided by size, as in PyTorch.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.local_response_norm(mg.tensor([[[2.0], [1.0]]]), 2, alpha=2.0, beta=1.0, k=0.0).tolist()
        [[[0.5], [0.20000000298023224]]]
    """
    who = "local_response_norm"
    x = floating(who, x)
    if size < 1:
        raise ValueError(f"{who}: size must be at least 1, got {size}")
    if len(x.shape) < 3:
        raise ShapeError(f"{who}: x must be (N, C, L, ...), got shape {tuple(x.shape)}")
    return LOCAL_RESPONSE_NORM(x, int(size), float(alpha), float(beta), float(k))


__all__ = ["local_response_norm", "normalize"]
