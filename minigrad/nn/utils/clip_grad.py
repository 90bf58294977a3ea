"""Gradients kept from exploding: clipped by their norm, by value, or in proportion to the weights. Nothing is read from the device."""

from collections.abc import Iterable
from math import inf
from typing import Any

import numpy as np

from ...autograd import Tensor
from ...autograd.node import stamp
from ...autograd.op import Op, compiled
from ...autograd.tensor import wrap
from ...backend import working_dtype
from ...backend.arrays import namespace
from ...errors import MinigradError


def _scale(arrays: list[Any], factor: Any) -> None:
    with np.errstate(invalid="ignore"):  # infinity times 0, where the norm is infinite: NaN, and no more is said by the form in C
        for g in arrays:
            g *= factor.astype(g.dtype)


NORM = Op("norm", (), (), kernel=lambda xp: lambda arrays: None, doc="The 2-norm of a list of arrays, in C alone.")
SCALE = Op("scale", (), (), kernel=lambda xp: _scale, doc="A list of arrays times a number, in place.")
compiled("optimizers", NORM, SCALE)


def _gradients(parameters: Any) -> list[Any]:
    """The raw gradients that are there."""
    many: Iterable[Any] = [parameters] if isinstance(parameters, Tensor) else parameters
    return [p.grad.data for p in many if p.grad is not None]


def _norm(xp: Any, a: Any, p: float, axis: Any = None) -> Any:
    """The p-norm over axes (kept open where there are any), in the working precision."""
    a, keep = abs(a.astype(working_dtype(a.dtype), copy=False)), axis is not None
    if p == inf:
        return a.max(axis=axis, initial=0, keepdims=keep)
    if p == 2:
        a *= a
        return xp.sqrt(xp.add.reduce(a, axis, None, None, keep))
    return xp.add.reduce(a**p, axis, None, None, keep) ** (1 / p)


def get_total_norm(tensors: Any, norm_type: float = 2.0, error_if_nonfinite: bool = False) -> Tensor:
    """The norm of all entries of all tensors together.

    Args:
        tensors: Tensors, for example gradients.
        norm_type: p of the p-norm; inf: the largest entry.
        error_if_nonfinite: raise instead of returning NaN or infinity; looking waits for a GPU.

    Raises:
        NonFiniteGradientError: the norm is not finite, and that is an error.
        ValueError: norm_type is not positive.

    Numerics: in the working precision; the kernel in C accumulates the 2-norm in float64, so that squares do not overflow.
    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn.utils import get_total_norm
        >>> get_total_norm([mg.tensor([3.0]), mg.tensor([4.0])]).item()
        5.0
    """
    arrays = [tensors.data] if isinstance(tensors, Tensor) else [t.data for t in tensors]
    return wrap(_total("get_total_norm", arrays, norm_type, error_if_nonfinite), None)


def _total(who: str, arrays: list[Any], norm_type: float, error_if_nonfinite: bool) -> Any:
    if not norm_type > 0:
        raise ValueError(f"{who}: norm_type must be positive, got {norm_type}")
    if not arrays:
        return np.zeros((), "float32")
    xp = namespace(type(arrays[0]))
    total = NORM.kernels[type(arrays[0])](arrays) if norm_type == 2 else None
    if total is None:
        total = xp.asarray(_norm(xp, xp.stack([_norm(xp, a, norm_type) for a in arrays]), norm_type))
    if error_if_nonfinite and not bool(xp.isfinite(total)):
        raise NonFiniteGradientError(
            f"{who}: the total norm of the gradients is {float(total)}, so they cannot be clipped; "
            "minigrad.autograd.detect_anomaly() finds the operation that made it"
        )
    return total


class NonFiniteGradientError(MinigradError, RuntimeError):
    """Gradients whose norm is NaN or infinite.

    Example:
        >>> from minigrad.nn.utils import NonFiniteGradientError
        >>> issubclass(NonFiniteGradientError, RuntimeError)
        True
    """


def clip_grad_norm_(parameters: Any, max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False) -> Tensor:
    """Scale all gradients together so that their norm is at most ``max_norm``; returns what it was.

    g <- g min(1, max_norm / (norm + 1e-6)).

    Args:
        parameters: whose ``.grad`` are clipped, in place; those without one are passed over.
        max_norm: the largest norm of all entries of all gradients together.
        norm_type: p of the p-norm; inf: the largest entry.
        error_if_nonfinite: raise if the norm is NaN or infinite. Otherwise NaN spreads to all gradients, as in PyTorch.

    Raises:
        NonFiniteGradientError: see there; no gradient was changed.
        ValueError: max_norm is negative or NaN, or norm_type is not positive.

    Source:
        Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", 2013, algorithm 1.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn.utils import clip_grad_norm_
        >>> w = mg.tensor([3.0, 4.0], requires_grad=True)
        >>> (w * w).sum().backward()
        >>> clip_grad_norm_([w], 1.0).item(), [round(g, 3) for g in w.grad.tolist()]
        (10.0, [0.6, 0.8])
    """
    if not max_norm >= 0:
        raise ValueError(f"clip_grad_norm_: max_norm must be a number >= 0, got {max_norm}")
    arrays = _gradients(parameters)
    total = _total("clip_grad_norm_", arrays, norm_type, error_if_nonfinite)
    if arrays:
        xp = namespace(type(arrays[0]))
        SCALE.kernels[type(arrays[0])](arrays, xp.asarray(xp.minimum(max_norm / (total + 1e-6), 1)))
        for g in arrays:
            stamp(g, "clip_grad_norm_")
    return wrap(total, None)


def clip_grad_value_(parameters: Any, clip_value: float) -> None:
    """Cut every entry of every gradient off at ``clip_value`` and ``-clip_value``, in place.

    Source:
        Mikolov, "Statistical language models based on neural networks", 2012 (thesis).

    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn.utils import clip_grad_value_
        >>> w = mg.tensor([3.0, 0.1], requires_grad=True)
        >>> (w * w).sum().backward(); clip_grad_value_([w], 1.0); [round(g, 3) for g in w.grad.tolist()]
        [1.0, 0.2]
    """
    if not clip_value >= 0:
        raise ValueError(f"clip_grad_value_: clip_value must be a number >= 0, got {clip_value}")
    for g in _gradients(parameters):
        namespace(type(g)).clip(g, -clip_value, clip_value, out=g)
        stamp(g, "clip_grad_value_")


def adaptive_clip_grad_(parameters: Any, clip_factor: float = 0.01, eps: float = 1e-3, norm_type: float = 2.0) -> None:
    """Clip the gradient of each unit in proportion to the norm of its weights: ``||g_i|| <= clip_factor max(||w_i||, eps)``.

    A unit is a row of a weight (everything but the first axis); vectors and scalars are clipped entry by entry.

    Source:
        Brock et al., "High-performance large-scale image recognition without normalization", 2021, eq. 3. The classifier's last layer
        is better left out.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn.utils import adaptive_clip_grad_
        >>> w = mg.tensor([[3.0, 4.0]], requires_grad=True)
        >>> (100 * w).sum().backward(); adaptive_clip_grad_([w], 0.1); round(float(w.grad.numpy()[0, 0]), 4)
        0.3536
    """
    if not (clip_factor > 0 and eps > 0):
        raise ValueError(f"adaptive_clip_grad_: clip_factor and eps must be positive, got {clip_factor} and {eps}")
    many: Iterable[Any] = [parameters] if isinstance(parameters, Tensor) else parameters
    for p in many:
        if p.grad is None:
            continue
        w, g = p.data, p.grad.data
        xp = namespace(type(g))
        axes = tuple(range(1, g.ndim))
        most = clip_factor * xp.maximum(_norm(xp, w, norm_type, axes), eps)
        size = _norm(xp, g, norm_type, axes)
        g *= xp.minimum(most / xp.maximum(size, 1e-6), 1).astype(g.dtype)
        stamp(g, "adaptive_clip_grad_")


__all__ = [
    "NonFiniteGradientError",
    "adaptive_clip_grad_",
    "clip_grad_norm_",
    "clip_grad_value_",
    "get_total_norm",
]
