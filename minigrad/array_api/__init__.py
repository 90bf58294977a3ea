"""The array API standard, 2024.12, on Tensors: ``xp = x.__array_namespace__()`` gives this module.

Code written for the standard (``xp.mean(x, axis=0)``) runs on Tensors and is differentiable where minigrad is. The functions are
minigrad's own; written out here are those whose arguments or defaults the standard fixes otherwise. The default float is float32.
"""

import math as _math
from typing import Any

from .. import ops as _ops
from ..backend.arrays import holder as _holder
from ..backend.dtypes import bool_ as bool
from ..backend.dtypes import (
    complex64,
    complex128,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)
from ..ops import (
    abs,
    acos,
    acosh,
    add,
    all,
    any,
    arange,
    argmax,
    argmin,
    argsort,
    asarray,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    bitwise_and,
    bitwise_invert,
    bitwise_left_shift,
    bitwise_or,
    bitwise_right_shift,
    bitwise_xor,
    broadcast_shapes,
    broadcast_to,
    ceil,
    clip,
    concat,
    conj,
    copysign,
    cos,
    cosh,
    count_nonzero,
    cumulative_prod,
    cumulative_sum,
    diff,
    divide,
    empty,
    empty_like,
    equal,
    exp,
    expand_dims,
    expm1,
    eye,
    flip,
    floor,
    floor_divide,
    from_dlpack,
    full,
    full_like,
    greater,
    greater_equal,
    hypot,
    imag,
    isfinite,
    isin,
    isinf,
    isnan,
    less,
    less_equal,
    linspace,
    log,
    log1p,
    log2,
    log10,
    logaddexp,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    matmul,
    matrix_transpose,
    max,
    maximum,
    mean,
    min,
    minimum,
    moveaxis,
    multiply,
    negative,
    nextafter,
    nonzero,
    not_equal,
    ones,
    ones_like,
    permute_dims,
    positive,
    pow,
    real,
    reciprocal,
    remainder,
    repeat,
    roll,
    round,
    searchsorted,
    sign,
    signbit,
    sin,
    sinh,
    sort,
    sqrt,
    square,
    squeeze,
    stack,
    std,
    subtract,
    take,
    take_along_axis,
    tan,
    tanh,
    tensordot,
    tile,
    tril,
    triu,
    trunc,
    unique_all,
    unique_counts,
    unique_inverse,
    unique_values,
    unstack,
    var,
    vecdot,
    where,
    zeros,
    zeros_like,
)
from . import fft, linalg
from .dtypes import astype, can_cast, finfo, iinfo, isdtype, result_type
from .info import __array_namespace_info__

__array_api_version__ = "2024.12"

e = _math.e
inf = _math.inf
nan = _math.nan
newaxis = None
pi = _math.pi


def broadcast_arrays(*arrays: Any) -> list:
    """The arrays broadcast against each other, in a list."""
    return list(_ops.broadcast_arrays(*arrays))


def meshgrid(*arrays: Any, indexing: str = "xy") -> list:
    """The coordinates of a grid, in a list."""
    return list(_ops.meshgrid(*arrays, indexing=indexing))


def prod(x: Any, /, *, axis: Any = None, dtype: Any = None, keepdims: Any = False) -> Any:
    """The product over axes, in ``dtype`` if one is given."""
    return _ops.prod(x, axis, keepdims, dtype=dtype)


def sum(x: Any, /, *, axis: Any = None, dtype: Any = None, keepdims: Any = False) -> Any:
    """The sum over axes, in ``dtype`` if one is given."""
    return _ops.sum(x, axis, keepdims, dtype=dtype)


def reshape(x: Any, /, shape: Any, *, copy: Any = None) -> Any:
    """``x`` in another shape; ``copy=True``: with a memory of its own; ``copy=False``: an error where that cannot be avoided."""
    y = _ops.reshape(x, shape)
    if copy:
        return _ops.clone(y)
    if copy is False and x.size and _holder(x.data) is not _holder(y.data):
        raise ValueError(f"reshape: copy=False, but {x.shape} with these strides cannot become {shape} without a copy")
    return y
