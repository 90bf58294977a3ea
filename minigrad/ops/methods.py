"""The operators and methods of Tensor: each is the function of that name, with the tensor as its first argument."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .. import ops
from ..autograd import Tensor
from ..autograd.forms import apply, general
from ..autograd.tensor import wrap
from ..backend import Device, device_of, devices
from ..backend import device as as_device
from ..backend import to_device as put
from ..errors import ShapeError
from .arithmetic import imag, real
from .axes import permute_dims, swapaxes
from .indexing import getitem
from .logic import equal, not_equal
from .rounding import floor_divide, remainder, round
from .shape import astype, broadcast_to, reshape

_T: Any = Tensor

# -- operators --------------------------------------------------------------------------------------------------------
BINARY = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "divide",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "pow": "pow",
    "matmul": "matmul",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
    "lshift": "bitwise_left_shift",
    "rshift": "bitwise_right_shift",
}
"""``a + b`` is the function ``add`` itself, with no call between; with a tensor on the right only, ``__radd__`` turns the two round."""

OTHER = {
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
    "neg": "negative",
    "pos": "positive",
    "abs": "abs",
    "invert": "bitwise_invert",
}


def _reflected(f: Callable) -> Callable:
    return lambda a, b: f(b, a)


for _name, _of in (BINARY | OTHER).items():
    setattr(Tensor, f"__{_name}__", getattr(ops, _of))
for _name, _of in BINARY.items():
    setattr(Tensor, f"__r{_name}__", _reflected(getattr(ops, _of)))


def _equality(f: Callable, otherwise: bool) -> Callable:
    """``==`` and ``!=``: as in NumPy, what is no number equals no element."""

    def compare(a: Tensor, b: Any) -> Any:
        if b is None or isinstance(b, (str, bytes)):
            return wrap(np.full(a.shape, otherwise), None)
        return f(a, b)

    return compare


def _iterate(x: Tensor) -> Iterator[Tensor]:
    """The tensors along the first axis."""
    if not x.ndim:
        raise TypeError("iter: a 0-d tensor cannot be iterated over; use .item() for its number")
    return (getitem(x, i) for i in range(len(x)))


def _contains(x: Tensor, value: Any) -> bool:
    """Whether an element equals this value."""
    return bool(equal(x, value).any())


def _format(x: Tensor, spec: str) -> str:
    """``f"{loss:.4f}"`` writes the number of a tensor that has one."""
    return format(x.item(), spec) if spec else str(x)


_T.__eq__ = _equality(equal, False)
_T.__ne__ = _equality(not_equal, True)
_T.__hash__ = object.__hash__
_T.__divmod__ = lambda a, b: (floor_divide(a, b), remainder(a, b))
_T.__rdivmod__ = lambda a, b: (floor_divide(b, a), remainder(b, a))
_T.__round__ = lambda x, digits=0: round(x, digits)
_T.__getitem__ = getitem
_T.__iter__ = _iterate
_T.__contains__ = _contains
_T.__format__ = _format


# -- methods that are functions ---------------------------------------------------------------------------------------
SAME = """
    abs acos acosh add all any argmax argmin argsort asin asinh astype atan atan2 atanh bitwise_and bitwise_or bitwise_xor broadcast_to ceil
    choose chunk clip clone compress conj contiguous copy copysign cos cosh count_nonzero cross cummax cummin cumprod cumsum
    cumulative_prod cumulative_sum deg2rad diag diagonal diff divide dot equal exp exp2 expand expand_dims expm1 fix flatten flip fliplr
    flipud float_power floor floor_divide fmax fmin fmod greater greater_equal heaviside hypot index_add inner isclose isfinite isinf isnan
    isneginf isposinf isreal kron lerp less less_equal log log10 log1p log2 log_softmax logaddexp logaddexp2 logcumsumexp logical_and
    logical_not logical_or logical_xor logsumexp masked_fill masked_select matmul max maximum mean median min minimum moveaxis multiply
    nan_to_num nanmean nanmedian nansum negative nextafter nonzero not_equal outer positive pow prod ptp put_along_axis quantile rad2deg
    ravel reciprocal relu remainder repeat roll rot90 round rsqrt scatter scatter_add searchsorted sigmoid sign signbit sin sinc sinh
    softmax sort split sqrt square squeeze stack std subtract sum swapaxes take take_along_axis tan tanh tensordot topk trace tril triu
    trunc unbind unflatten unique unstack var vdot vecdot
    """
SPECIAL = "digamma erf erfc erfinv i0 logit multigammaln polygamma xlogy"
LINALG = "cholesky det inv lstsq matrix_power norm pinv qr slogdet solve svd vector_norm"
ALIASES = """
    absolute=abs amax=max amin=min arccos=acos arccosh=acosh arcsin=asin arcsinh=asinh arctan=atan arctan2=atan2 arctanh=atanh
    bmm=matmul clamp=clip conjugate=conj div=divide eq=equal ge=greater_equal gt=greater le=less_equal lt=less mm=matmul
    mod=remainder mul=multiply mv=matmul ne=not_equal neg=negative power=pow repeat_interleave=repeat sub=subtract
    swapdims=swapaxes true_divide=divide unsqueeze=expand_dims
    """
"""NumPy's and PyTorch's other names, as name=function."""

METHODS: dict[str, Callable] = (
    {name: getattr(ops, name) for name in SAME.split()}
    | {name: getattr(ops.special, name) for name in SPECIAL.split()}
    | {name: getattr(ops.linalg, name) for name in LINALG.split()}
    | {name: getattr(ops, of) for name, of in (pair.split("=") for pair in ALIASES.split())}
    | {"inverse": ops.linalg.inv, "lgamma": ops.special.gammaln}
)
"""Every method that is a function as it stands."""


# -- methods of their own ---------------------------------------------------------------------------------------------
_MOVE = general(
    lambda xp, x, target, source, beside: put(x, target, beside),
    lambda g, target, source: to_device(g, source),
    name="to_device",
    doc="Move x to a device; its gradient moves back.",
)


def to_device(x: Any, device: Any, non_blocking: bool = False) -> Any:
    """``x`` on a device, ``"cpu"`` or ``"cuda:0"``; ``x`` itself if it is there already.

    ``non_blocking``: on its way to a GPU it is copied while that computes something else. What uses it waits for it, on the GPU; the host
    does not wait. What is in pinned memory (``x.pin_memory()``) is copied from there, and must not be written to until then.

    Gradient: moves back to where x was.
    Raises:
        DeviceError: there is no device of that name.
        ImportError: the device needs CuPy, which is not installed.
    Example:
        >>> import minigrad as mg
        >>> mg.to_device(mg.tensor([1.0]), "cpu").device
        device('cpu')
    """
    source, target = device_of(x.data if isinstance(x, Tensor) else x), as_device(device)
    return x if source == target else apply(_MOVE, (x,), target, source, non_blocking)


def to(x: Any, *targets: Any, device: Any = None, dtype: Any = None, non_blocking: bool = False) -> Any:
    """On another device, in another dtype, or both: ``to("cuda")``, ``to("float64")``, ``to("cuda:1", "float16")``, ``to(other)``.

    ``non_blocking`` is for copies to a GPU beside what it computes; see ``to_device``.
    """
    for target in targets:
        if isinstance(target, Tensor):
            device, dtype = target.device, target.dtype
        elif isinstance(target, Device) or (isinstance(target, str) and target.partition(":")[0] in ("cpu", "cuda")):
            device = target
        else:
            dtype = target
    if dtype is not None:
        x = astype(x, dtype, copy=False)
    return x if device is None else to_device(x, device, non_blocking)


def pin_memory(x: Any) -> Any:
    """The values in memory of the CPU's that a GPU can read by itself, for ``to("cuda", non_blocking=True)``; without a gradient.

    Raises:
        ImportError: it needs CuPy, which is not installed.
        DeviceError: there is no GPU, or x is on one.
    """
    return wrap(devices.pinned(x.data), None)


def is_pinned(x: Any) -> bool:
    """Whether the tensor is in memory of the CPU's that a GPU can read by itself."""
    return devices.is_pinned(x.data)


def _one_by_one(f: Callable) -> Callable:
    """``f(x, integers)`` as a method that takes its integers one by one as well: ``x.reshape(2, 3)``, ``x.reshape((2, 3))``."""

    def method(x: Any, *integers: Any) -> Any:
        if len(integers) == 1 and type(integers[0]) is tuple:
            return f(x, integers[0])
        return f(x, integers[0] if len(integers) == 1 and not hasattr(integers[0], "__index__") else integers)

    method.__name__ = method.__qualname__ = f.__name__
    method.__doc__ = f.__doc__
    return method


def transpose(x: Any, *axes: Any) -> Any:
    """The axes in another order; without arguments, in reverse. (What PyTorch calls transpose is ``swapaxes``.)

    Example:
        >>> import minigrad as mg
        >>> mg.zeros((2, 3, 4)).transpose(1, 0, 2).shape
        (3, 2, 4)
    """
    many: Any = axes[0] if len(axes) == 1 and (axes[0] is None or isinstance(axes[0], (tuple, list))) else axes
    if not many and (not axes or axes[0] is None):
        many = range(x.ndim)[::-1]
    if len(many) == 2 < x.ndim:
        raise ShapeError(f"transpose: got 2 axes for {x.ndim} dimensions; name them all, or use swapaxes{tuple(many)}")
    return permute_dims(x, tuple(many))


def reversed_axes(x: Any) -> Any:
    """The transpose of a matrix; a vector is its own."""
    if x.ndim > 2:
        raise ShapeError(f"T: expected at most 2 dimensions, got shape {x.shape}; use .mT for the matrices in the last two axes")
    return permute_dims(x, (1, 0)) if x.ndim == 2 else x


def transposed_matrices(x: Any) -> Any:
    """The matrices in the last two axes, transposed."""
    if x.ndim < 2:
        raise ShapeError(f"mT: expected at least 2 dimensions, got shape {x.shape}")
    return swapaxes(x, -1, -2)


def _cast(dtype: str) -> Callable:
    def method(x: Any) -> Any:
        return astype(x, dtype, copy=False)

    method.__doc__ = f"The tensor in {dtype}."
    return method


def cpu(x: Any) -> Any:
    """The tensor on the CPU; itself if it is there already."""
    return to_device(x, "cpu")


def cuda(x: Any, index: int = 0, non_blocking: bool = False) -> Any:
    """The tensor on a CUDA device; itself if it is there already. ``non_blocking``: see ``to_device``."""
    return to_device(x, f"cuda:{index}", non_blocking)


def dim(x: Any) -> int:
    """How many axes there are, as PyTorch asks for it."""
    return x.ndim


def expand_as(x: Any, other: Any) -> Any:
    """``x`` broadcast to the shape of another tensor; a view."""
    return broadcast_to(x, other.shape)


def itemsize(x: Any) -> int:
    """How many bytes one number takes."""
    return x.dtype.itemsize


def numel(x: Any) -> int:
    """How many numbers there are, as PyTorch asks for it."""
    return x.size


def streamed(x: Any, device: Any, stream: Any = None) -> Any:
    """``x`` on a device; ``stream`` is the array API's, and None."""
    return to_device(x, device)


def type_as(x: Any, other: Any) -> Any:
    """``x`` in the dtype of another tensor."""
    return astype(x, other.dtype, copy=False)


def view_as(x: Any, other: Any) -> Any:
    """``x`` in the shape of another tensor."""
    return reshape(x, other.shape)


CASTS = {"half": "float16", "float": "float32", "double": "float64", "int": "int32", "long": "int64", "bool": "bool"}
OWN: dict[str, Any] = {name: _cast(dtype) for name, dtype in CASTS.items()} | {
    "T": property(reversed_axes),
    "cpu": cpu,
    "cuda": cuda,
    "dim": dim,
    "expand_as": expand_as,
    "imag": property(imag),
    "is_pinned": is_pinned,
    "itemsize": property(itemsize),
    "mT": property(transposed_matrices),
    "numel": numel,
    "permute": _one_by_one(permute_dims),
    "permute_dims": _one_by_one(permute_dims),
    "pin_memory": pin_memory,
    "real": property(real),
    "reshape": _one_by_one(reshape),
    "tile": _one_by_one(ops.tile),
    "to": to,
    "to_device": streamed,
    "transpose": transpose,
    "type_as": type_as,
    "view_as": view_as,
}
"""Methods and attributes that no function has in this form."""

for _name, _f in (METHODS | OWN).items():
    setattr(Tensor, _name, _f)

__all__ = ["to_device"]
