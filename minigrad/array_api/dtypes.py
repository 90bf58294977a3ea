"""Dtypes: casts, limits, kinds, promotion."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import ops
from ..autograd import Tensor
from ..autograd.tensor import raw
from ..errors import DTypeError

KINDS = {
    "bool": "b",
    "signed integer": "i",
    "unsigned integer": "u",
    "integral": "iu",
    "real floating": "f",
    "complex floating": "c",
    "numeric": "iufc",
}
"""The standard's kinds of dtypes, in NumPy's letters."""


@dataclass(frozen=True)
class FloatLimits:
    """What a floating dtype can hold, in Python numbers."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: Any


@dataclass(frozen=True)
class IntegerLimits:
    """What an integer dtype can hold."""

    bits: int
    max: int
    min: int
    dtype: Any


def _dtype(x: Any) -> Any:
    return x.dtype if hasattr(x, "dtype") else np.dtype(x)


def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
    """``x`` in another dtype, and on another device if one is given."""
    if x.dtype.kind == "c" and np.dtype(dtype).kind != "c":
        raise DTypeError(f"astype: {x.dtype} to {np.dtype(dtype)} would drop the imaginary part; use real(x)")
    y = ops.astype(x, dtype, copy=copy)
    return y if device is None else ops.to_device(y, device)


def can_cast(from_: Any, to: Any, /) -> bool:
    """Whether promotion can turn one dtype into the other."""
    return bool(np.can_cast(_dtype(from_), np.dtype(to)))


def finfo(type: Any, /) -> FloatLimits:
    """The limits of a floating dtype, or of the parts of a complex one."""
    limits = np.finfo(_dtype(type))
    eps, largest, least, normal = (float(v) for v in (limits.eps, limits.max, limits.min, limits.smallest_normal))
    return FloatLimits(limits.bits, eps, largest, least, normal, np.dtype(limits.dtype))


def iinfo(type: Any, /) -> IntegerLimits:
    """The limits of an integer dtype."""
    limits = np.iinfo(_dtype(type))
    return IntegerLimits(limits.bits, int(limits.max), int(limits.min), np.dtype(limits.dtype))


def isdtype(dtype: Any, kind: Any) -> bool:
    """Whether a dtype is of a kind, equals a dtype, or fits one of a tuple of these."""
    if isinstance(kind, tuple):
        return any(isdtype(dtype, k) for k in kind)
    if isinstance(kind, str):
        if kind not in KINDS:
            raise DTypeError(f"isdtype: expected a dtype or one of {', '.join(map(repr, KINDS))}, got {kind!r}")
        return np.dtype(dtype).kind in KINDS[kind]
    return np.dtype(dtype) == np.dtype(kind)


def result_type(*arrays_and_dtypes: Any) -> Any:
    """The dtype of a computation with all of these; Python scalars give way to dtypes of their kind."""
    if not any(isinstance(x, (Tensor, np.dtype)) for x in arrays_and_dtypes):
        raise DTypeError("result_type: expected at least one array or dtype")
    return np.result_type(*[x.dtype if isinstance(x, Tensor) else raw(x) for x in arrays_and_dtypes])
