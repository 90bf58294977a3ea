"""What losses ask of their arguments: equal shapes, settings in their range, targets of the right kind."""

from typing import Any

from ...autograd.arguments import number
from ...autograd.tensor import raw
from ...backend import is_inexact
from ...backend.arrays import namespace
from ...errors import ShapeError
from ...ops.losses import given, measured, on_cpu
from ...ops.shape import astype


def check_reduction(who: str, reduction: str, *more: str) -> str:
    """The reduction itself; ValueError unless it is "none", "mean", "sum" or one of ``more``."""
    known = ("none", "mean", "sum", *more)
    if reduction not in known:
        raise ValueError(f"{who}: reduction must be {', '.join(map(repr, known[:-1]))} or {known[-1]!r}, got {reduction!r}")
    return reduction


def check_positive(who: str, **setting: Any) -> float:
    """The setting as a Python number; DTypeError unless it is one, ValueError unless it is above 0."""
    ((name, value),) = setting.items()
    value = number(who, name, value)
    if not value > 0:
        raise ValueError(f"{who}: {name} must be positive, got {value}")
    return value


def check_not_negative(who: str, **setting: Any) -> float:
    """The setting as a Python number; DTypeError unless it is one, ValueError unless it is 0 or above."""
    ((name, value),) = setting.items()
    value = number(who, name, value)
    if not value >= 0:
        raise ValueError(f"{who}: {name} must not be negative, got {value}")
    return value


def alike(who: str, **arguments: Any) -> tuple[Any, ...]:
    """All as arrays or Tensors of one shape; broadcasting (N, 1) against (N,) would be a wrong loss that looks right.

    Integers beside a floating first argument are taken in its dtype.
    """
    found = {name: measured(v) for name, v in arguments.items()}
    if len({tuple(v.shape) for v in found.values()}) > 1:
        shapes = " and ".join([f"{name} {tuple(v.shape)}" for name, v in found.items()])
        raise ShapeError(f"{who}: {shapes} must have the same shape; nothing is broadcast")
    first, *others = found.values()
    return (first, *[as_numbers(v, first) for v in others])


def as_numbers(v: Any, like: Any) -> Any:
    """Integers and booleans in the dtype of ``like``, if that is floating; anything else as it is."""
    return v if is_inexact(v.dtype) or not is_inexact(like.dtype) else astype(v, like.dtype)


def factor(who: str, name: str, weight: Any, like: Any, whole: bool = False) -> Any:
    """A factor in the dtype of the losses, so that it does not widen them; ShapeError if it would make them more.

    ``whole``: it must be of their shape, not only broadcast to it.
    """
    w, shape = given(weight), tuple(like.shape)
    lead = len(shape) - len(w.shape)
    fits = lead >= 0 and all(m in (1, n) for m, n in zip(w.shape, shape[lead:], strict=True))
    if not fits or (whole and tuple(w.shape) != shape):
        raise ShapeError(f"{who}: {name} must {'have' if whole else 'broadcast to'} shape {shape}, got {tuple(w.shape)}")
    return astype(w, like.dtype, copy=False)


def one_of(who: str, target: Any, low: int, high: int) -> Any:
    """The array of a target with two values; ValueError if there is another one (looked at on the CPU only)."""
    t = raw(target)
    if on_cpu(t) and (bad := (t != low) & (t != high)).any():
        where = tuple([int(i[0]) for i in bad.nonzero()])
        raise ValueError(f"{who}: target must be {low} or {high}, got {t[where]} at {where}")
    return t


def within(who: str, name: str, v: Any, low: float, high: float, fix: str = "") -> None:
    """ValueError if a value lies outside [low, high] or is NaN (looked at on the CPU only)."""
    a = raw(v)
    if on_cpu(a) and a.size and not (a.min() >= low and a.max() <= high):
        raise ValueError(f"{who}: {name} must lie in [{low}, {high}], got {a.min():.4g} to {a.max():.4g}{fix}")


def classes_of(x: Any) -> Any:
    """0, 1, ... for each class of x (axis 1), as integers of its device that broadcast against x."""
    n = x.shape[1]
    return namespace(type(raw(x))).arange(n).reshape((1, n, *[1] * (len(x.shape) - 2)))


__all__ = [
    "alike",
    "as_numbers",
    "check_not_negative",
    "check_positive",
    "check_reduction",
    "classes_of",
    "factor",
    "one_of",
    "within",
]
