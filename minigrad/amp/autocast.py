"""autocast: a block in which each op chooses the precision that it computes in.

An op finds its kernel in a table, by the type of array. While a thread autocasts, the tables of the ops that ``policy`` names hold
stand-ins, which look at the dtypes: where these are right, or the thread is another one, the kernel runs; else ``Recast`` makes the op
start anew with inputs that were cast, by ops that are recorded. With no thread autocasting, the tables are as ever, and nothing is
tested.
"""

import functools
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..autograd.conform import cast
from ..autograd.mode import recording, settings
from ..autograd.node import Node, make_child, version
from ..autograd.op import Op, Recast
from ..autograd.tensor import wrap
from ..backend import device, device_of, is_array, is_available, is_inexact, namespace, to_device
from ..errors import DTypeError
from ..ops.losses import precise
from .policy import FLOAT32, LOWER, ops

float32 = np.dtype("float32")
CAST: Op = cast.op


class _Local(threading.local):
    """What a thread is in: the lower dtype by type of device, whether cast parameters are kept, these, and what was before each block."""

    def __init__(self) -> None:
        self.dtypes: dict[str, np.dtype] = {}
        self.keep = True
        self.kept: dict[Node, tuple[Any, int, Any]] = {}
        self.outer: list[tuple[dict[str, np.dtype], bool]] = []

    def enter(self, dtypes: dict[str, np.dtype], keep: bool) -> None:
        self.outer.append((self.dtypes, self.keep))
        self.dtypes, self.keep = dtypes, keep
        if len(self.outer) == 1:
            _count(1)

    def leave(self) -> None:
        self.dtypes, self.keep = self.outer.pop()
        if not self.outer:
            self.kept.clear()
            _count(-1)


@dataclass(frozen=True)
class _Surrounding:
    """A context that is what its thread was in when it was made."""

    dtypes: tuple[tuple[str, np.dtype], ...]
    keep: bool

    def __enter__(self) -> None:
        _local.enter(dict(self.dtypes), self.keep)

    def __exit__(self, *error: object) -> None:
        _local.leave()


_local = _Local()
_lock = threading.Lock()
_threads = 0
"""How many threads are inside a block: the tables hold stand-ins while it is not 0."""


def _is_castable(dtype: Any) -> bool:
    return dtype.kind in "fV" and dtype.itemsize in (2, 4) and is_inexact(dtype)


def _dtype_for(array: Any) -> Any:
    """The lower dtype in force on the device of this array, or None."""
    return _local.dtypes.get(device_of(array).type)


def _cast(dtype: np.dtype, keeps: bool, a: Any, node: Node | None) -> Any:
    """An input of an op as a Tensor of this dtype, where it is an array of floating numbers; parameters are cast once in a block."""
    if not is_array(a):
        return a
    t = wrap(a, node)
    if a.dtype == dtype or not _is_castable(a.dtype):
        return t
    if not (keeps and _local.keep and node is not None and node.op is None and a.dtype == float32):
        return cast(t, dtype)
    found = _local.kept.get(node)
    if found is None or found[0] is not a or found[1] != version(a) or found[2].dtype != dtype:
        found = _local.kept[node] = (a, version(a), a.astype(dtype))
    if not recording():
        return wrap(found[2], None)
    return wrap(found[2], make_child(CAST, node, (None, None, a.shape, dtype, None), a.shape, dtype))  # its own, as it may be freed


def _stand_in(op: Op, lower: bool, kind: type) -> Callable:
    """What takes the place of the kernel of an op for one type of array."""

    def kernel(*args: Any) -> Any:
        arrays = [a for a in args[: op.inputs] if is_array(a)] if _local.dtypes else []
        dtype = _dtype_for(arrays[0]) if arrays else None
        if dtype is None:
            return op.kernels[kind](*args)
        wanted = dtype if lower else float32
        if any(a.dtype != wanted and _is_castable(a.dtype) for a in arrays):
            raise Recast(functools.partial(_cast, wanted, lower))
        y: Any = op.kernels[kind](*args)
        if lower and is_array(y) and y.dtype == float32 and arrays[0].dtype == dtype:  # as NumPy's products of bfloat16 are
            return y.astype(dtype)
        return y

    return kernel


def _to_float32(x: Any) -> Any:
    """An input of a loss."""
    if isinstance(x, Tensor) and x.dtype != float32 and _is_castable(x.dtype) and _dtype_for(x.data) is not None:
        return cast(x, float32)
    return x


@functools.cache
def _table() -> list[tuple[Op, Callable]]:
    """Each op of the policy, and what makes its stand-ins."""
    return [(op, functools.partial(_stand_in, op, names is LOWER)) for names in (LOWER, FLOAT32) for op in ops(names)]


def _count(step: int) -> None:
    """Note that a thread has come in, or gone; the first lets the tables hold stand-ins, the last puts the kernels back."""
    global _threads
    with _lock:
        before, _threads = _threads, _threads + step
        if not before or not _threads:
            for op, way in _table():
                op.kernels.divert(way if _threads else None)
            precise[:] = [_to_float32] if _threads else []


@functools.cache
def _acquaint(kind: str) -> None:
    """Make the type of a device's arrays known, before tables are filled by type."""
    namespace(type(to_device(np.zeros((), "float32"), kind)))


def lower_dtype(name: Any) -> np.dtype:
    """float16 or bfloat16.

    Raises:
        DTypeError: another one.
        ImportError: bfloat16, and ml_dtypes is not installed.
    """
    if str(name) == "bfloat16":
        try:
            import ml_dtypes
        except ImportError:
            raise ImportError("autocast: bfloat16 needs the package ml_dtypes; pip install 'minigrad[half]'") from None
        return np.dtype(ml_dtypes.bfloat16)
    try:
        dtype = np.dtype(name)
    except TypeError:
        raise DTypeError(f"autocast: dtype must be float16 or bfloat16, got {name!r}") from None
    if dtype.itemsize != 2 or not is_inexact(dtype):
        raise DTypeError(f"autocast: dtype must be float16 or bfloat16, got {dtype}")
    return dtype


class autocast:
    """Compute products in half precision and the rest as ``policy`` says: for a ``with`` block or a decorated function, in this thread.

    Inputs are cast on their way into an op, in the graph, so that a float32 parameter gets a float32 gradient. A parameter that several
    ops of a block use is cast once, until it is written to. ``backward`` belongs behind the block: it computes in the dtypes of the
    forward ops.

    Args:
        device_type: "cpu" or "cuda": what lies on another device is left alone. Blocks for two devices can be nested.
        dtype: the lower precision, "float16" (default) or "bfloat16", which needs ml_dtypes.
        enabled: False: an inner block in which ops compute in the dtypes of their inputs again.
        cache_enabled: whether parameters are cast once in a block (default), or at each use.

    Raises:
        DTypeError: dtype is another one.
        DeviceError: there is no such type of device.

    Numerics: on the CPU NumPy casts to float32 and back for each op, so that this is slow there, and serves to see what a GPU will do.
        Products accumulate in float32. NumPy's bfloat16 becomes float32 beside a Python number, so there less stays in it than on a GPU.
        Gradients below 6e-8 are lost in float16; see ``GradScaler``.
    Source:
        Micikevicius et al., "Mixed precision training", 2018, section 3.1; the lists are those of PyTorch for GPUs, and what its CPU
        list has beyond. PyTorch's default on CPUs is bfloat16.
    Example:
        >>> import minigrad as mg
        >>> w = mg.ones((2, 2), requires_grad=True)
        >>> with mg.amp.autocast("cpu"):
        ...     y = w @ w
        ...     z = mg.exp(y)
        >>> z.sum().backward()
        >>> y.dtype, z.dtype, w.grad.dtype
        (dtype('float16'), dtype('float32'), dtype('float32'))
    """

    def __init__(self, device_type: str, dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None):
        if not isinstance(device_type, str):
            raise DTypeError(f"autocast: device_type must be a name such as 'cuda', got {device_type!r}")
        if not isinstance(enabled, bool):
            raise TypeError(f"autocast: enabled must be True or False, got {enabled!r}")
        self.device_type = device(device_type).type
        self.dtype = lower_dtype("float16" if dtype is None else dtype)
        self.cache_enabled = cache_enabled is not False
        if enabled and not is_available(self.device_type):
            warnings.warn(f"autocast: {self.device_type} is not available; nothing will be cast", RuntimeWarning, stacklevel=2)
            enabled = False
        self.enabled = enabled

    def __enter__(self) -> "autocast":
        dtypes = {k: v for k, v in _local.dtypes.items() if k != self.device_type}
        if self.enabled:
            _acquaint(self.device_type)
            dtypes[self.device_type] = self.dtype
        _local.enter(dtypes, self.cache_enabled)
        return self

    def __exit__(self, *error: object) -> None:
        _local.leave()

    def __call__(self, f: Callable) -> Callable:
        @functools.wraps(f)
        def whole(*args: Any, **kwargs: Any) -> Any:
            with self:
                return f(*args, **kwargs)

        return whole


def is_autocast_enabled(device_type: str) -> bool:
    """Whether this thread autocasts on this type of device.

    Example:
        >>> import minigrad as mg
        >>> with mg.amp.autocast("cpu"):
        ...     mg.amp.is_autocast_enabled("cpu"), mg.amp.is_autocast_enabled("cuda")
        (True, False)
    """
    return device(device_type).type in _local.dtypes


settings.append(lambda: _Surrounding(tuple(sorted(_local.dtypes.items())), _local.keep))

__all__ = ["autocast", "is_autocast_enabled", "lower_dtype"]
