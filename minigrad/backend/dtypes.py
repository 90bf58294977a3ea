"""Which dtypes carry gradients, and the dtype of what is created without one."""

import threading
from typing import Any

import numpy as np

from ..errors import DTypeError
from .arrays import EXTENDED

bool_ = np.dtype("bool")
int8, int16, int32, int64 = (np.dtype(f"int{bits}") for bits in (8, 16, 32, 64))
uint8, uint16, uint32, uint64 = (np.dtype(f"uint{bits}") for bits in (8, 16, 32, 64))
float16, float32, float64 = (np.dtype(f"float{bits}") for bits in (16, 32, 64))
complex64, complex128 = np.dtype("complex64"), np.dtype("complex128")

_local = threading.local()
_default = float32


def default_dtype() -> np.dtype:
    """The floating dtype of tensors created from nothing (``zeros``, parameters, ``random``).

    Example:
        >>> import minigrad as mg
        >>> mg.default_dtype()
        dtype('float32')
    """
    return getattr(_local, "dtype", _default)


def set_default_dtype(dtype: Any) -> None:
    """Set the floating dtype of created tensors, in this thread.

    Example:
        >>> import minigrad as mg
        >>> mg.set_default_dtype("float64"); mg.zeros(2).dtype
        dtype('float64')
        >>> mg.set_default_dtype("float32")
    """
    d = np.dtype(dtype)
    if not is_inexact(d):
        raise DTypeError(f"set_default_dtype: expected a floating dtype, got {d}")
    _local.dtype = d


def is_inexact(dtype: Any) -> bool:
    """Whether numbers of this dtype are floating or complex, so that a gradient makes sense.

    Example:
        >>> import minigrad as mg
        >>> mg.backend.is_inexact(mg.float16), mg.backend.is_inexact(mg.int64)
        (True, False)
    """
    return dtype.kind in "fc" or (dtype.kind == "V" and dtype.name in EXTENDED)


def is_complex(dtype: Any) -> bool:
    """Whether numbers of this dtype are complex.

    Example:
        >>> import minigrad as mg
        >>> mg.backend.is_complex(mg.complex64)
        True
    """
    return dtype.kind == "c"


def result_type(*operands: Any) -> np.dtype:
    """The dtype that NumPy's promotion (NEP 50) gives; Python scalars are weak.

    Example:
        >>> import minigrad as mg
        >>> mg.backend.result_type(mg.float32, 1.0), mg.backend.result_type(mg.float32, mg.float64)
        (dtype('float32'), dtype('float64'))
    """
    return np.result_type(*operands)


def working_dtype(dtype: Any) -> np.dtype:
    """The dtype in which sums over ``dtype`` are accumulated: float32 for the half precisions.

    Example:
        >>> import minigrad as mg
        >>> mg.backend.working_dtype(mg.float16)
        dtype('float32')
    """
    return np.dtype("float32") if dtype.itemsize == 2 and is_inexact(dtype) else dtype
