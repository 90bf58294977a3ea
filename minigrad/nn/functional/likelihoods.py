"""Losses that are negative log-likelihoods of a distribution, or a divergence from one."""

import math
from typing import Any

from ...autograd.tensor import raw
from ...errors import ShapeError
from ...ops.exponential import exp, log
from ...ops.logic import where
from ...ops.losses import given, on_cpu, reduced
from ...ops.powers import square
from ...ops.shape import reshape
from ...ops.special.entropy import xlogy
from .targets import alike, as_numbers, check_not_negative, check_positive, check_reduction


def kl_div(input: Any, target: Any, reduction: str = "mean", log_target: bool = False) -> Any:
    """The Kullback-Leibler divergence of the target from the input, target (log target - input), where the input is log-probabilities.

    Shapes: both the same.

    Args:
        input: log-probabilities.
        target: probabilities, or their logarithms with ``log_target``.
        reduction: "batchmean" (the sum over the first axis's length: the divergence itself), "mean" (over all numbers, which is that
            divided by the number of classes too; the default, as in PyTorch), "sum" or "none".
        log_target: whether the target is given as logarithms, which is exact for tiny probabilities.

    Raises:
        ShapeError: the shapes differ.

    Gradient: -target to the input; to the target too. A target of 0 counts for nothing.
    Source:
        Kullback and Leibler, "On information and sufficiency", 1951, eq. 2.4.
    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> p = mg.tensor([[0.5, 0.5]])
        >>> round(F.kl_div(mg.log(mg.tensor([[0.25, 0.75]])), p, reduction="batchmean").item(), 4)
        0.1438
    """
    check_reduction("kl_div", reduction, "batchmean")
    input, target = alike("kl_div", input=input, target=target)
    losses = exp(target) * (target - input) if log_target else xlogy(target, target) - target * input
    if reduction == "batchmean":
        return reduced("kl_div", losses, "sum") / max(input.shape[0] if len(input.shape) else 1, 1)
    return reduced("kl_div", losses, reduction)


def poisson_nll_loss(
    input: Any, target: Any, log_input: bool = True, full: bool = False, eps: float = 1e-8, reduction: str = "mean"
) -> Any:
    """The negative log-likelihood of counts under a Poisson distribution: exp(input) - target input.

    Shapes: both the same.

    Args:
        input: the logarithm of the rate, or the rate itself without ``log_input``.
        target: the counts.
        log_input: whether the input is a logarithm; otherwise the loss is input - target log(input + eps).
        full: add Stirling's approximation of log(target!), target log(target) - target + log(2 pi target) / 2, to counts above 1.
        eps: keeps the logarithm of a rate of 0 finite.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: the shapes differ.

    Source:
        Nelder and Wedderburn, "Generalized linear models", 1972.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> F.poisson_nll_loss(mg.tensor([0.0]), mg.tensor([3.0])).item()
        1.0
    """
    eps = check_positive("poisson_nll_loss", eps=eps)
    input, target = alike("poisson_nll_loss", input=input, target=target)
    losses = exp(input) - target * input if log_input else input - target * log(input + eps)
    if full:
        t = where(target > 1, target, 1)  # harmless where Stirling is not added
        losses = losses + where(target > 1, t * log(t) - t + 0.5 * log(2 * math.pi * t), 0)
    return reduced("poisson_nll_loss", losses, reduction)


def _variance(var: Any, shape: tuple[int, ...]) -> Any:
    """The variance so that it broadcasts to the input: one per number, one for each last axis, or length 1 in some axes."""
    v = given(var)
    found = tuple(v.shape)
    if found == shape or not found:
        return v
    if found == shape[:-1]:
        return reshape(v, (*found, 1))
    if len(found) != len(shape) or any(m not in (1, n) for m, n in zip(found, shape, strict=True)):
        raise ShapeError(
            f"gaussian_nll_loss: var {found} must have the shape of the input {shape}, that without its last axis, or length 1 in some axes"
        )
    return v


def gaussian_nll_loss(input: Any, target: Any, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> Any:
    """The negative log-likelihood under normal distributions: (log var + (input - target)^2 / var) / 2.

    Shapes: input and target the same; var too, or without their last axis, or with length 1 in some axes, or one number.

    Args:
        input: the means.
        target: what was seen.
        var: the variances, not negative.
        full: add the constant log(2 pi) / 2.
        eps: variances below are taken to be eps.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: shapes that do not fit.
        ValueError: a negative variance (looked at on the CPU only).

    Gradient: to all three; variances below eps get the gradient at eps, so that they can leave it again.
    Source:
        Nix and Weigend, "Estimating the mean and variance of the target probability distribution", 1994, eq. 3.
    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> F.gaussian_nll_loss(mg.tensor([1.0]), mg.tensor([3.0]), mg.tensor([1.0])).item()
        2.0
    """
    who = "gaussian_nll_loss"
    eps = check_positive(who, eps=eps)
    input, target = alike(who, input=input, target=target)
    v: Any
    if isinstance(var, (int, float)):
        check_not_negative(who, var=var)
        v = max(float(var), eps)
        losses = (square(input - target) / v + math.log(v)) * 0.5
    else:
        v = as_numbers(_variance(var, tuple(input.shape)), input)
        a = raw(v)
        if on_cpu(a) and a.size and a.min() < 0:
            raise ValueError(f"{who}: var must not be negative, got {a.min():.4g}")
        v = where(a < eps, v - a + eps, v)  # eps, with the slope of v
        losses = (square(input - target) / v + log(v)) * 0.5
    if full:
        losses = losses + 0.5 * math.log(2 * math.pi)
    return reduced(who, losses, reduction)


__all__ = ["gaussian_nll_loss", "kl_div", "poisson_nll_loss"]
