"""What an optimizer is given: parameters that can be optimized, settings that make sense."""

from math import inf, isfinite
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..autograd.arguments import number
from ..backend import is_inexact
from ..errors import DTypeError
from ..nn.parameter import Uninitialized

TRUTHS = ("adapt", "amsgrad", "centered", "decoupled_weight_decay", "maximize", "nesterov")
"""The settings that are True or False."""


def check_parameter(owner: str, what: str, p: Any, known: set[int], complex_too: bool) -> None:
    """Raise where ``p`` cannot be optimized, or is in ``known`` by its id.

    Raises:
        DTypeError: it is no Tensor, or of a dtype that has no gradient, or complex where the method makes no sense of that.
        ValueError: it has no values yet, was computed, or occurs twice.
    """
    if not isinstance(p, Tensor):
        raise DTypeError(f"{owner}: {what} is a {type(p).__name__}, expected a Tensor")
    if isinstance(p, Uninitialized):
        raise ValueError(f"{owner}: {what} has no values yet; send a batch through the model (a dry run) before the optimizer is made")
    if not p.is_leaf:
        raise ValueError(f"{owner}: {what} of shape {p.shape} was computed by {p.node.name}; only leaves can be optimized")  # type: ignore[union-attr]
    if not is_inexact(p.dtype):
        raise DTypeError(f"{owner}: {what} is {p.dtype}; only floating parameters can be optimized")
    if p.dtype.kind == "c" and not complex_too:
        raise DTypeError(f"{owner}: {what} is {p.dtype}; keep real and imaginary parts as two parameters")
    if id(p) in known:
        raise ValueError(f"{owner}: {what} of shape {p.shape} occurs twice; it would be updated twice a step")


def within(owner: str, key: str, value: Any, low: float = 0.0, high: float = inf) -> float:
    """A setting as a Python float, as a NumPy scalar would widen float32 arrays.

    Raises:
        DTypeError: it is no number.
        ValueError: it is not finite or outside its range.
    """
    plain = float(number(owner, key, value))
    if not (isfinite(plain) and low <= plain <= high):
        bound = f">= {low:g}" if high == inf else f"in [{low:g}, {high:g}]"
        raise ValueError(f"{owner}: {key} must be a finite number {bound}, got {value}")
    return plain


def numbers(owner: str, key: str, value: Any, n: int = 2) -> tuple[float, ...]:
    """A setting of n numbers as Python floats; DTypeError where one is no number, ValueError where they are not n."""
    if not isinstance(value, (tuple, list)) or len(value) != n:
        raise ValueError(f"{owner}: {key} must be {n} numbers, got {value!r}")
    return tuple([float(number(owner, key, v)) for v in value])


def two_betas(owner: str, betas: Any) -> tuple[float, ...]:
    """The two rates of forgetting as Python floats; ValueError unless they are in [0, 1)."""
    plain = numbers(owner, "betas", betas)
    if not all(0 <= b < 1 for b in plain):
        raise ValueError(f"{owner}: betas must be two numbers in [0, 1), got {betas}")
    return plain


def truth(owner: str, key: str, value: Any) -> bool:
    """A setting that is True or False; DTypeError for anything else, as every text would be true."""
    if isinstance(value, (bool, np.bool_)) or getattr(value, "dtype", None) == np.bool_:
        return bool(value)
    raise DTypeError(f"{owner}: {key} must be True or False, got {value!r}")


__all__ = ["TRUTHS", "check_parameter", "numbers", "truth", "two_betas", "within"]
