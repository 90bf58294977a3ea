"""Tensors made from nothing: constants, ranges, special matrices. Whatever goes in, a Tensor comes out.

All take ``dtype`` (default: the default dtype for floats, int64 for integers), ``device`` and ``requires_grad``.
"""

import math
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..autograd.mode import recording
from ..autograd.tensor import as_data, raw, weak_dtype, wrap
from ..backend import default_dtype, device_of, is_array, namespace, to_device
from ..errors import DTypeError, GraphError, ShapeError
from .shape import astype, clone


def _lengths(name: str, shape: Any) -> tuple[int, ...]:
    many = (shape,) if hasattr(shape, "__index__") and not getattr(shape, "ndim", 0) else shape
    try:
        out = tuple([n.__index__() for n in many])
    except (TypeError, AttributeError):
        raise DTypeError(f"{name}: a shape must be an integer or a sequence of integers, got {shape!r}") from None
    if any(n < 0 for n in out):
        raise ShapeError(f"{name}: a shape cannot have negative lengths, got {shape}")
    return out


def _dtype(name: str, dtype: Any) -> Any:
    if dtype is None:
        return default_dtype()
    try:
        return np.dtype(dtype)
    except TypeError:
        raise DTypeError(f"{name}: expected a dtype or its name, got {dtype!r}") from None


def _constant(name: str, value: Any) -> Any:
    """A value to create from, as a number or an array; one in a graph would lose it, so it is refused."""
    if isinstance(value, Tensor) and value.node is not None and recording():
        raise GraphError(
            f"{name}: a value of shape {value.shape} that requires grad would lose its graph here; compute with the result instead "
            "(x * mg.ones(n), a + (b - a) * mg.linspace(0, 1, n)), or pass x.detach()"
        )
    return raw(value)


def _made(a: Any, device: Any, requires_grad: bool) -> Tensor:
    t = wrap(a if device is None else to_device(a, device), None)
    return t.requires_grad_() if requires_grad else t


# -- of one value -----------------------------------------------------------------------------------------------------
def zeros(shape: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros of this shape.

    Raises:
        ShapeError: a negative length.
    Example:
        >>> import minigrad as mg
        >>> mg.zeros((2, 2))
        Tensor([[0., 0.],
                [0., 0.]], shape (2, 2), float32, cpu)
    """
    return _made(np.zeros(_lengths("zeros", shape), _dtype("zeros", dtype)), device, requires_grad)


def ones(shape: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones of this shape.

    Example:
        >>> import minigrad as mg
        >>> mg.ones((2, 2)).tolist()
        [[1.0, 1.0], [1.0, 1.0]]
    """
    return _made(np.ones(_lengths("ones", shape), _dtype("ones", dtype)), device, requires_grad)


def empty(shape: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of this shape whose values are whatever was in the memory.

    Example:
        >>> import minigrad as mg
        >>> mg.empty((2, 3)).shape
        (2, 3)
    """
    return _made(np.empty(_lengths("empty", shape), _dtype("empty", dtype)), device, requires_grad)


def full(shape: Any, fill_value: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of this shape full of one value; its dtype is that of the value (a Python float: the default dtype).

    Example:
        >>> import minigrad as mg
        >>> mg.full(2, 0.5)
        Tensor([0.5, 0.5], shape (2,), float32, cpu)
    """
    a = as_data(_constant("full", fill_value), None if dtype is None else _dtype("full", dtype))
    y = namespace(type(a)).empty(_lengths("full", shape), a.dtype)
    y[...] = a
    return _made(y, device, requires_grad)


def _like(name: str, x: Any, dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    a = raw(x) if is_array(raw(x)) else as_data(x)
    make = getattr(namespace(type(a)), name)
    return _made(make(a.shape, a.dtype if dtype is None else _dtype(f"{name}_like", dtype)), device, requires_grad)


def zeros_like(x: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros with the shape, dtype and device of x.

    Example:
        >>> import minigrad as mg
        >>> mg.zeros_like(mg.tensor([1.0, 2.0]))
        Tensor([0., 0.], shape (2,), float32, cpu)
    """
    return _like("zeros", x, dtype, device, requires_grad)


def ones_like(x: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones with the shape, dtype and device of x.

    Example:
        >>> import minigrad as mg
        >>> mg.ones_like(mg.tensor([1.0, 2.0]))
        Tensor([1., 1.], shape (2,), float32, cpu)
    """
    return _like("ones", x, dtype, device, requires_grad)


def empty_like(x: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor with the shape, dtype and device of x whose values are whatever was in the memory.

    Example:
        >>> import minigrad as mg
        >>> mg.empty_like(mg.tensor([1.0, 2.0])).shape
        (2,)
    """
    return _like("empty", x, dtype, device, requires_grad)


def full_like(x: Any, fill_value: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor full of one value with the shape, dtype and device of x.

    Example:
        >>> import minigrad as mg
        >>> mg.full_like(mg.tensor([1.0, 2.0]), 7)
        Tensor([7., 7.], shape (2,), float32, cpu)
    """
    t = _like("empty", x, dtype, device, False)
    t.data[...] = _constant("full_like", fill_value)
    return t.requires_grad_() if requires_grad else t


# -- ranges -----------------------------------------------------------------------------------------------------------
def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """``start, start + step, ...`` up to but not including ``stop``; with one argument, from 0.

    Example:
        >>> import minigrad as mg
        >>> mg.arange(3)
        Tensor([0, 1, 2], shape (3,), int64, cpu)
        >>> mg.arange(0.0, 1.0, 0.25)
        Tensor([0.  , 0.25, 0.5 , 0.75], shape (4,), float32, cpu)
    """
    first, last = (0, start) if stop is None else (start, stop)
    first, last, step = (v.item() if hasattr(v, "item") else v for v in [_constant("arange", v) for v in (first, last, step)])
    if step == 0:
        raise ShapeError("arange: the step must not be 0")
    if dtype is None:
        dtype = np.int64 if all(isinstance(v, int) for v in (first, last, step)) else default_dtype()
    if not math.isfinite((last - first) / step):
        raise ShapeError(f"arange: cannot count from {first} to {last} by {step}")
    # counted in float64 or int64 and rounded once, so that the length does not depend on the dtype
    return _made(np.arange(first, last, step).astype(_dtype("arange", dtype)), device, requires_grad)


def _spaced(name: str, f: Any, start: Any, stop: Any, num: Any, dtype: Any, device: Any, requires_grad: bool, **options: Any) -> Tensor:
    if isinstance(num, bool) or not hasattr(num, "__index__"):
        raise DTypeError(f"{name}: the number of values must be an integer, got {num!r}")
    if num < 0:
        raise ShapeError(f"{name}: the number of values must not be negative, got {num}")
    a = f(_constant(name, start), _constant(name, stop), num, **options)
    if dtype is None:
        dtype = weak_dtype(1j if a.dtype.kind == "c" else 1.0)
    return _made(a.astype(_dtype(name, dtype)), device, requires_grad)


def linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """``num`` values equally spaced from ``start`` to ``stop`` (included unless ``endpoint=False``).

    Example:
        >>> import minigrad as mg
        >>> mg.linspace(0, 1, 3)
        Tensor([0. , 0.5, 1. ], shape (3,), float32, cpu)
    """
    return _spaced("linspace", np.linspace, start, stop, num, dtype, device, requires_grad, endpoint=endpoint)


def logspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    base: float = 10.0,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """``base`` to the power of ``num`` equally spaced values from ``start`` to ``stop``.

    Example:
        >>> import minigrad as mg
        >>> mg.round(mg.logspace(0, 3, 4), 3)
        Tensor([   1.,   10.,  100., 1000.], shape (4,), float32, cpu)
    """
    return _spaced("logspace", np.logspace, start, stop, num, dtype, device, requires_grad, endpoint=endpoint, base=base)


def geomspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """``num`` values from ``start`` to ``stop``, each the same multiple of the one before.

    Example:
        >>> import minigrad as mg
        >>> mg.round(mg.geomspace(1, 8, 4), 3)
        Tensor([1., 2., 4., 8.], shape (4,), float32, cpu)
    """
    if not np.all(raw(start)) or not np.all(raw(stop)):
        raise ShapeError(f"geomspace: a geometric sequence cannot include 0, got {start} to {stop}")
    return _spaced("geomspace", np.geomspace, start, stop, num, dtype, device, requires_grad, endpoint=endpoint)


# -- matrices ---------------------------------------------------------------------------------------------------------
def eye(n: int, m: int | None = None, k: int = 0, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """The (n, m) matrix with ones on its ``k``-th diagonal, square by default.

    Example:
        >>> import minigrad as mg
        >>> mg.eye(2).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    rows, columns = _lengths("eye", (n, n if m is None else m))
    return _made(np.eye(rows, columns, k, dtype=_dtype("eye", dtype)), device, requires_grad)


def identity(n: int, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """The (n, n) identity matrix.

    Example:
        >>> import minigrad as mg
        >>> mg.identity(2).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    return eye(n, dtype=dtype, device=device, requires_grad=requires_grad)


def tri(n: int, m: int | None = None, k: int = 0, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """The (n, m) matrix with ones on and below its ``k``-th diagonal.

    Example:
        >>> import minigrad as mg
        >>> mg.tri(3).tolist()
        [[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [1.0, 1.0, 1.0]]
    """
    rows, columns = _lengths("tri", (n, n if m is None else m))
    return _made(np.tri(rows, columns, k, dtype=_dtype("tri", dtype)), device, requires_grad)


# -- from what is there -----------------------------------------------------------------------------------------------
def asarray(x: Any, dtype: Any = None, device: Any = None, copy: bool | None = None, requires_grad: bool = False) -> Tensor:
    """x as a Tensor; a Tensor stays itself (and in its graph), an array shares its memory.

    Args:
        copy: True: always copy; False: raise rather than copy; None: only where dtype or device ask for it.

    Raises:
        DTypeError: not numbers.
        ValueError: ``copy=False``, and a copy is needed.
    Example:
        >>> import minigrad as mg
        >>> t = mg.ones(2)
        >>> mg.asarray(t) is t
        True
    """
    want = None if dtype is None else _dtype("asarray", dtype)
    if isinstance(x, Tensor):
        same = (want is None or x.dtype == want) and (device is None or x.device == device)
        if copy is False and not same:
            raise ValueError(
                f"asarray: copy=False, but a copy is needed to go from {x.dtype} on {x.device} to {want or x.dtype} on {device or x.device}"
            )
        y = x if want is None else astype(x, want, copy=False)
        if device is not None and device_of(y.data) != device:
            from .methods import to_device as move

            y = move(y, device)
        y = clone(y) if copy and y is x else y
        return y.requires_grad_() if requires_grad else y
    a = as_data(x, want, device, copy=bool(copy))
    if copy is False and not (is_array(x) and _shares(a, x)):
        raise ValueError(f"asarray: copy=False, but {type(x).__name__} cannot become a Tensor of {a.dtype} without a copy")
    return _made(a, None, requires_grad)


def _shares(a: Any, b: Any) -> bool:
    return a is b or (isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and (a.size == 0 or np.may_share_memory(a, b)))


def from_numpy(x: np.ndarray, requires_grad: bool = False) -> Tensor:
    """A Tensor over the memory of a NumPy array: a change of one shows in the other.

    minigrad cannot see what is written to the array by other means; ``tensor(x)`` copies, which is the safe way.

    Raises:
        DTypeError: no NumPy array, or one whose numbers would have to be converted.
    Example:
        >>> import minigrad as mg, numpy as np
        >>> a = np.zeros(2)
        >>> t = mg.from_numpy(a)
        >>> a[0] = 1.0; t.tolist()
        [1.0, 0.0]
    """
    if not isinstance(x, np.ndarray):
        raise DTypeError(f"from_numpy: expected a NumPy array, got {type(x).__name__}; use tensor()")
    a = as_data(x)
    if not _shares(a, x):
        raise DTypeError(f"from_numpy: an array of {x.dtype} cannot be shared; use tensor(), which copies")
    return _made(a, None, requires_grad)


def tensor(data: Any, requires_grad: bool = False, dtype: Any = None, device: Any = None) -> Tensor:
    """A Tensor with its own copy of the data; see ``Tensor``.

    Raises:
        DTypeError: the data are not numbers, or ``requires_grad`` with integers.
    Example:
        >>> import minigrad as mg
        >>> mg.tensor([1.0, 2.0], requires_grad=True)
        Tensor([1., 2.], shape (2,), float32, cpu, requires_grad)
    """
    return Tensor(data, requires_grad, dtype, device)


__all__ = [
    "arange",
    "asarray",
    "empty",
    "empty_like",
    "eye",
    "from_numpy",
    "full",
    "full_like",
    "geomspace",
    "identity",
    "linspace",
    "logspace",
    "ones",
    "ones_like",
    "tensor",
    "tri",
    "zeros",
    "zeros_like",
]
