"""Norms with a memory: over a batch or over the positions of one channel, with running means and variances for evaluation."""

from functools import lru_cache
from math import prod
from typing import Any

from ...autograd.forms import general
from ...autograd.fused import fused
from ...autograd.inplace import check_writable, stamp_buffers
from ...autograd.op import compiled
from ...autograd.tensor import Tensor, raw
from ...backend import working_dtype
from ...backend.arrays import namespace
from ...errors import DTypeError, ShapeError
from . import moments
from .moments import finished, fitting, floating, positive, total, widened


# -- by the statistics of what came -----------------------------------------------------------------------------------
def _measured(xp: Any, x: Any, weight: Any, bias: Any, axes: tuple, eps: float, how: tuple, center: bool) -> tuple:
    """y, and aside of it mean and variance."""
    y, m, v, r = moments.moments(xp, x, weight, bias, axes, eps, how, center)
    return (y, m, v), (m, r)


BATCH_NORM = fused(_measured, moments.slopes, moments.composed, inputs=3, name="batch_norm", aside=True)
INSTANCE_NORM = fused(_measured, moments.slopes, moments.composed, inputs=3, name="instance_norm", aside=True)
compiled("norms", INSTANCE_NORM)


# -- by statistics that are given -------------------------------------------------------------------------------------
def _affine(xp: Any, x: Any, weight: Any, bias: Any, m: Any, r: Any) -> tuple:
    """(x - m) r w + b with m and r fixed, in the shape in which they are broadcast to x."""
    h = x - m
    h *= r if weight is None else r * weight.reshape(m.shape)
    if bias is not None:
        h += bias.reshape(m.shape)
    return h.astype(x.dtype, copy=False), ()


def _affine_slopes(xp: Any, g: Any, wanted: Any, kept: tuple, x: Any, weight: Any, bias: Any, m: Any, r: Any) -> tuple:
    lead = tuple([a for a in range(x.ndim) if a != 1])
    g = g.astype(m.dtype, copy=False)
    dx = dw = db = None
    if wanted[0]:
        dx = g * (r if weight is None else r * weight.reshape(m.shape))
    if wanted[1]:
        h = x - m
        h *= g
        dw = (total(xp, h, lead) * r).reshape(weight.shape)
    if wanted[2]:
        db = total(xp, g, lead).reshape(bias.shape)
    return dx, dw, db


def _affine_composed(x: Any, weight: Any, bias: Any, m: Any, r: Any) -> Any:
    return finished((widened(x) - m) * r, weight, bias, m.shape, x.dtype)


FROZEN_NORM = fused(_affine, _affine_slopes, _affine_composed, inputs=3, name="frozen_norm")
compiled("batchnorm", BATCH_NORM, FROZEN_NORM)


def _frozen(x: Any, weight: Any, bias: Any, mean: Any, var: Any, eps: float, how: tuple) -> Any:
    """The statistics are copied: those of a layer may go on running before backward comes."""
    m, v = raw(mean), raw(var)
    dtype, xp = working_dtype(x.dtype), namespace(type(m))
    return FROZEN_NORM(x, weight, bias, m.astype(dtype).reshape(how), (1 / xp.sqrt(v.astype(dtype) + eps)).reshape(how))


# -- running statistics -----------------------------------------------------------------------------------------------
@lru_cache(1024)
def _laid(shape: tuple[int, ...], first: int) -> tuple[tuple, tuple, int]:
    """Of x (N, C, ...): the shape in which a number per channel is broadcast to it; its axes from ``first`` on, without that of the
    channels; how many numbers a mean over these is taken of."""
    axes = tuple([a for a in range(first, len(shape)) if a != 1])
    return (1, shape[1], *[1] * (len(shape) - 2)), axes, prod([shape[a] for a in axes])


def _open(who: str, axes: int, x: Any, weight: Any, bias: Any, mean: Any, var: Any, own: bool) -> tuple:
    """The arguments of either norm, checked."""
    x = floating(who, x)
    shape = x.shape
    if len(shape) < axes:
        raise ShapeError(f"{who}: x must be (N, C{', L' if axes == 3 else ''}, ...), got shape {shape}")
    for name, t in (("running_mean", mean), ("running_var", var)):
        if own and isinstance(t, Tensor):
            check_writable(t, who)
        elif own and t is not None and not hasattr(t, "dtype"):
            raise DTypeError(f"{who}: {name} is written to, so it must be a Tensor or an array, got {type(t).__name__}")
    if not own and (mean is None or var is None):
        raise ValueError(f"{who}: without the statistics of x, both running_mean and running_var are needed")
    return (x, *fitting(who, (shape[1],), ("one per channel of x", shape), weight=weight, bias=bias, running_mean=mean, running_var=var))


def _moved(xp: Any, mean: Any, var: Any, counter: Any, m: Any, v: Any, momentum: Any, unbiased: float) -> None:
    """(1 - momentum) old + momentum new, written to running statistics: both, or none where one does not fit; None: it is not there.

    The counter, if there is one, counts this.
    """
    pairs = [(a, new) for a, new in ((mean, m), (var, v * unbiased)) if a is not None]
    moved = [a * (1 - momentum) + new.reshape(a.shape) * momentum for a, new in pairs]
    for (a, _), values in zip(pairs, moved, strict=True):
        a[...] = values
    if counter is not None:
        counter += 1


MOVED = general(_moved, inputs=5, name="running_statistics")
compiled("batchnorm", MOVED)


def _follow(who: str, momentum: Any, mean: Any, var: Any, counter: Any, m: Any, v: Any, unbiased: float) -> None:
    """Move running statistics towards those of a batch, of which the variance is ``unbiased`` times as large."""
    buffers = [t for t in (mean, var, counter) if t is not None]
    if buffers:
        MOVED.kernels[type(m)](raw(mean), raw(var), raw(counter), m, v, momentum, unbiased)
        stamp_buffers(buffers, who)


def batch_norm(
    x: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: Any = 0.1,
    eps: float = 1e-5,
) -> Any:
    """Each channel brought to mean 0 and variance 1 over the batch and all positions, then scaled and shifted.

    Training takes mean and variance of the batch, and moves the running ones towards them, in place:
    running = (1 - momentum) running + momentum batch. Otherwise the running ones are used, and stay.

    Shapes: x (N, C, ...); all others (C,), or None; y as x.

    Args:
        x: floating.
        running_mean, running_var: Tensors or arrays that are written to in training; None: nothing is remembered.
        weight, bias: the scale and the shift of each channel.
        training: whether to use the statistics of the batch.
        momentum: the share of the batch in the running statistics; a number, or an array of one.
        eps: keeps the quotient finite.

    Raises:
        ShapeError: x has fewer than two axes, another argument is not (C,), or training has fewer than two numbers per channel.
        DTypeError: x is not real and floating.
        GraphError: running statistics that cannot be written to, as they require grad.
        ValueError: eps is not positive (evaluation: negative), or there are no statistics to evaluate with.

    Gradient: through mean and variance of the batch; none to the running ones, whose later change does not disturb backward.
    Numerics: as ``layer_norm``. Batches are normalised by the biased variance; the running variance is the unbiased one, n / (n - 1)
        as large. A call that fails leaves the running statistics as they were.
    Source:
        Ioffe and Szegedy, "Batch normalization", 2015, algorithms 1 and 2.
    Example:
        >>> import minigrad as mg
        >>> mean, var = mg.tensor([0.0]), mg.tensor([1.0])
        >>> y = mg.nn.functional.batch_norm(mg.tensor([[1.0], [3.0]]), mean, var, training=True, momentum=0.5)
        >>> [round(v, 4) for v, in y.tolist()], mean.tolist(), var.tolist()
        ([-1.0, 1.0], [1.0], [1.5])
    """
    return counting_norm(x, running_mean, running_var, None, weight, bias, training, momentum, eps)


def counting_norm(
    x: Any, running_mean: Any, running_var: Any, counter: Any, weight: Any, bias: Any, training: bool, momentum: Any, eps: float
) -> Any:
    """``batch_norm`` that also counts how often the running statistics moved, in a Tensor of one integer or None."""
    who = "batch_norm"
    x, weight, bias, running_mean, running_var = _open(who, 2, x, weight, bias, running_mean, running_var, training)
    how, axes, n = _laid(x.shape, 0)
    eps = positive(who, eps)
    if not training:
        return _frozen(x, weight, bias, running_mean, running_var, eps, how)
    if n < 2 and how[1]:
        raise ShapeError(
            f"{who}: a variance over the batch needs more than one value per channel, got {n} (x {x.shape}); "
            "use a larger batch (a loader's drop_last=True leaves out the small one at the end), or eval() with running statistics"
        )
    if eps == 0:
        raise ValueError(f"{who}: eps must be positive in training, got 0")
    y, m, v = BATCH_NORM(x, weight, bias, axes, eps, how, True)
    _follow(who, momentum, running_mean, running_var, counter, m, v, n / max(n - 1, 1))
    return y


def instance_norm(
    x: Any,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: bool = True,
    momentum: Any = 0.1,
    eps: float = 1e-5,
) -> Any:
    """Each channel of each sample brought to mean 0 and variance 1 over its positions, then scaled and shifted.

    Running statistics, if given, move towards the means of the batch's; with ``use_input_stats=False`` they are what is used.

    Shapes: x (N, C, L, ...); all others (C,), or None; y as x.

    Args:
        x: floating.
        running_mean, running_var: Tensors or arrays, written to where use_input_stats; None: nothing is remembered.
        weight, bias: the scale and the shift of each channel.
        use_input_stats: False takes the running statistics instead of those of x.
        momentum: the share of x in the running statistics; a number, or an array of one.
        eps: keeps the quotient finite.

    Raises:
        ShapeError: x has fewer than three axes or a single position, or another argument is not (C,).
        DTypeError: x is not real and floating.
        ValueError: eps is negative, or there are no statistics to use.

    Numerics: as ``batch_norm``; the running variance is the mean of the samples' unbiased ones.
    Source:
        Ulyanov, Vedaldi and Lempitsky, "Instance normalization: the missing ingredient for fast stylization", 2016.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.instance_norm(mg.tensor([[[1.0, 3.0], [20.0, 60.0]]]), eps=0.0).tolist()
        [[[-1.0, 1.0], [-1.0, 1.0]]]
    """
    who = "instance_norm"
    x, weight, bias, running_mean, running_var = _open(who, 3, x, weight, bias, running_mean, running_var, use_input_stats)
    how, axes, n = _laid(x.shape, 2)
    eps = positive(who, eps)
    if not use_input_stats:
        return _frozen(x, weight, bias, running_mean, running_var, eps, how)
    if n < 2:
        raise ShapeError(f"{who}: more than one position is needed for a variance, got {n} (x {x.shape}); use batch_norm or layer_norm")
    y, m, v = INSTANCE_NORM(x, weight, bias, axes, eps, how, True)
    if x.shape[0] and (running_mean is not None or running_var is not None):
        xp = namespace(type(m))
        m, v = [total(xp, s, (0,)) / x.shape[0] for s in (m, v)]  # over the batch
        _follow(who, momentum, running_mean, running_var, None, m, v, n / (n - 1))
    return y


__all__ = ["batch_norm", "instance_norm"]
