"""Tensors among others: NumPy's functions on Tensors give Tensors with their graph; memory is shared through DLPack.

A NumPy function is answered by minigrad's of the same name. Where there is none, constants are handed to NumPy as arrays; a tensor that
requires grad is refused, as its graph would be lost. No object array is ever made, and no graph is dropped without being asked to.
"""

import inspect
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from typing import Any

import numpy as np

from .. import ops
from ..autograd import Tensor
from ..autograd.tensor import raw, wrap
from ..backend import from_dlpack as array_from_dlpack
from ..backend import namespace, to_device
from ..errors import DeviceError, DTypeError, GraphError, ShapeError

_T: Any = Tensor

NAMES = {
    "absolute": "abs",
    "amax": "max",
    "amin": "min",
    "around": "round",
    "conjugate": "conj",
    "degrees": "rad2deg",
    "fabs": "abs",
    "invert": "bitwise_invert",
    "left_shift": "bitwise_left_shift",
    "mod": "remainder",
    "power": "pow",
    "psi": "digamma",
    "radians": "deg2rad",
    "right_shift": "bitwise_right_shift",
    "rint": "round",
    "true_divide": "divide",
}
"""NumPy's (and SciPy's) names for functions that minigrad calls otherwise."""

KEYWORDS = {"ddof": "correction", "a_min": "min", "a_max": "max", "newshape": "shape"}
"""NumPy's names for arguments that minigrad calls otherwise."""

DEFAULTS = {"svd": {"full_matrices": True}}
"""NumPy's defaults where ours are others."""

HARMLESS = ("kind", "optimize", "subok")
"""Arguments that change how NumPy computes, but not what."""

WRITES = "copyto fill_diagonal place put put_along_axis putmask"
"""NumPy functions that write into their first argument, of which the graph would not learn."""

CREATION = "geomspace linspace logspace"
"""NumPy functions of numbers, for which ours have no gradient."""

PLAIN = """
    allclose array_equal array_equiv array_repr array_str array2string can_cast common_type iscomplexobj isrealobj may_share_memory
    min_scalar_type ndim result_type save savetxt savez savez_compressed shape shares_memory size
    """
"""NumPy functions whose result carries no gradient: a truth, a shape, a text, a file. They get the arrays."""


def _ours(module: str, name: str) -> Any:
    """minigrad's function of this name, from where NumPy's module has its like; None if there is none."""
    name = NAMES.get(name, name)
    for place in (getattr(ops, module.rpartition(".")[2], None), ops, ops.special):
        f = getattr(place, name, None)
        if callable(f):
            return f
    return None


def _refused(name: str, what: str, fix: str) -> DTypeError:
    return DTypeError(f"{name}: {what} for a Tensor; {fix}")


def _arrays(x: Any) -> Any:
    """Tensors, also those in lists, tuples and dicts, as their arrays."""
    if isinstance(x, (list, tuple)):
        return type(x)([_arrays(v) for v in x]) if type(x) in (list, tuple) else x
    return {k: _arrays(v) for k, v in x.items()} if type(x) is dict else raw(x)


def _requires_grad(x: Any) -> bool:
    if isinstance(x, (list, tuple)):
        return any(_requires_grad(v) for v in x)
    return isinstance(x, Tensor) and x.requires_grad


def _on_arrays(name: str, f: Callable, args: Any, kwargs: dict) -> Any:
    """A NumPy function that minigrad has not, on the arrays of constants."""
    if _requires_grad(list(args)) or _requires_grad(list(kwargs.values())):
        raise _refused(name, "there is no differentiable form", "pass t.detach().numpy() if its gradient is not wanted")
    return f(*_arrays(tuple(args)), **_arrays(kwargs))


# -- ufuncs -----------------------------------------------------------------------------------------------------------
REDUCE = {"add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min", "logical_and": "all", "logical_or": "any"}
ACCUMULATE = {"add": "cumulative_sum", "multiply": "cumulative_prod"}


def _array_ufunc(self: Tensor, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """``np.exp(t)``, ``array + t``, ``np.add.reduce(t)``, ``scipy.special.erf(t)``: the op of that name."""
    name = f"np.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}")
    dtype = kwargs.pop("dtype", None)
    if kwargs.pop("out", None) is not None:
        raise _refused(name, "out= is not supported", "a graph needs a new tensor: write y = f(x), or a = a + t instead of a += t")
    if kwargs.pop("where", True) is not True:
        raise _refused(name, "where= is not supported", "use mg.where(condition, f(x), x)")
    if dtype is not None:
        inputs = tuple([ops.astype(x, dtype) if hasattr(x, "dtype") else x for x in inputs])
    table = {
        "__call__": {ufunc.__name__: ufunc.__name__},
        "outer": {ufunc.__name__: ufunc.__name__},
        "reduce": REDUCE,
        "accumulate": ACCUMULATE,
    }
    f = _ours("numpy", table.get(method, {}).get(ufunc.__name__, ""))
    if f is None:
        return _on_arrays(name, getattr(ufunc, method), inputs, kwargs)
    if method == "outer":
        a, b = inputs
        inputs = (ops.reshape(a, (*np.shape(raw(a)), *[1] * np.ndim(raw(b)))), b)
    elif method != "__call__":
        kwargs = {"axis": inputs[1] if len(inputs) > 1 else kwargs.pop("axis", 0)} | kwargs
        inputs = inputs[:1]
    return f(*inputs, **kwargs)


# -- other functions --------------------------------------------------------------------------------------------------
def _array_function(self: Tensor, f: Callable, types: Any, args: tuple, kwargs: dict) -> Any:
    """``np.concatenate([t, t])``, ``np.linalg.norm(t)``: minigrad's function of that name."""
    for kind in types:
        if not issubclass(kind, (Tensor, np.ndarray)):
            try:
                namespace(kind)
            except DTypeError:
                return NotImplemented
    name = f.__name__
    shown = f"{f.__module__.replace('numpy', 'np')}.{name}"
    if name in PLAIN.split():
        return f(*_arrays(args), **_arrays(kwargs))
    if name in WRITES.split():
        raise _refused(shown, "writing in place is not supported", "assign to t[index], or use a function that gives a new tensor")
    ours = None if name in CREATION.split() else _ours(f.__module__, name)
    if ours is None:
        return _on_arrays(shown, f, args, kwargs)
    try:
        positional, named = _translated(shown, f, ours, args, {k: v for k, v in kwargs.items() if k not in HARMLESS})
        return ours(*positional, **named)
    except DTypeError:  # an argument that our function does not take
        if _requires_grad([*args, *kwargs.values()]):
            raise
        return _on_arrays(shown, f, args, kwargs)


@lru_cache(maxsize=512)
def _parameters(f: Callable) -> Any:
    """A function's parameters in order, or None where Python cannot tell."""
    try:
        return tuple(inspect.signature(f).parameters.values())
    except ValueError:
        return None


def _translated(name: str, theirs: Callable, ours: Callable, args: tuple, kwargs: dict) -> tuple[list, dict]:
    """A call in NumPy's arguments as one in ours: by name where both have it, else by place; what changes nothing is left out."""
    their_own, our_own = _parameters(theirs), _parameters(ours)
    if their_own is None or our_own is None or any(p.kind is p.VAR_POSITIONAL for p in their_own):
        return list(args), {KEYWORDS.get(k, k): v for k, v in kwargs.items()}
    known = {p.name: i for i, p in enumerate(our_own) if p.kind is not p.VAR_KEYWORD}
    shared = {KEYWORDS.get(p.name, p.name) for p in their_own} & known.keys()
    positional: list[Any] = []
    named: dict[str, Any] = {}
    given = DEFAULTS.get(theirs.__name__, {}) | dict(zip([p.name for p in their_own], args, strict=False)) | kwargs
    for i, p in enumerate(their_own):
        if p.name not in given:
            continue
        value, key = given.pop(p.name), KEYWORDS.get(p.name, p.name)
        if key in known:
            if known[key] == len(positional) == i and not named:
                positional.append(value)
            else:
                named[key] = value
        elif value is p.default or value is None or value is np._NoValue:
            continue
        elif key == "dtype":
            positional[0] = ops.astype(positional[0], value)
        elif i == len(positional) < len(our_own) and not named and our_own[i].name not in shared:
            positional.append(value)  # the same argument under another name
        else:
            raise _refused(name, f"{p.name}= is not supported", f"use mg.{ours.__name__}, whose arguments are {', '.join(known)}")
    if given:
        raise DTypeError(f"{name}: unexpected argument {', '.join(map(repr, given))}")
    return positional, named


# -- arrays -----------------------------------------------------------------------------------------------------------
def _array(self: Tensor, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
    """The values for NumPy, of a constant on the CPU."""
    if self.requires_grad:
        raise GraphError("np.asarray: this tensor requires grad, and an array would lose its graph; use t.detach().numpy()")
    if not isinstance(self.data, np.ndarray):
        raise DeviceError(f"np.asarray: the tensor is on {self.device}; use t.cpu() or t.numpy()")
    return np.array(self.data, dtype=dtype, copy=copy)


def _dlpack(self: Tensor, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, copy: bool | None = None) -> Any:
    """The memory as a DLPack capsule, for ``np.from_dlpack``, ``torch.from_dlpack`` and others."""
    if self.requires_grad:
        raise GraphError("dlpack: this tensor requires grad, and its graph would be lost; pass t.detach()")
    options = {"stream": stream, "max_version": max_version, "dl_device": dl_device, "copy": copy}
    return self.data.__dlpack__(**{k: v for k, v in options.items() if v is not None})


def _dlpack_device(self: Tensor) -> tuple[Any, int]:
    """Kind and number of the device, in DLPack's numbers: (1, 0) is the CPU, (2, i) the i-th CUDA device."""
    return self.data.__dlpack_device__()


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Any:
    """An array of another library as a Tensor that shares its memory.

    Args:
        x: anything with ``__dlpack__``: a NumPy or CuPy array, a PyTorch tensor, ...
        device: where the Tensor is to be; default: where ``x`` is.
        copy: True: with a memory of its own; False: never a copy.

    Raises:
        DTypeError: ``x`` does not speak DLPack.
        GraphError: it requires grad.
        ShapeError: ``copy=False``, and the device asked for needs one.

    Example:
        >>> import minigrad as mg, numpy as np
        >>> a = np.arange(3.0)
        >>> t = mg.from_dlpack(a)
        >>> a[0] = 5; t.tolist()
        [5.0, 1.0, 2.0]
    """
    if not hasattr(x, "__dlpack__"):
        raise DTypeError(f"from_dlpack: expected an object with __dlpack__, got {type(x).__name__}; use mg.asarray")
    if getattr(x, "requires_grad", False):
        raise GraphError("from_dlpack: the array requires grad, and its graph would be lost; pass x.detach()")
    a = array_from_dlpack(x)
    there = a if device is None else to_device(a, device)
    if copy is False and there is not a:
        raise ShapeError(f"from_dlpack: copy=False, but {device} is another device")
    return wrap(there.copy() if copy and there is a else there, None)


def _array_namespace(self: Tensor, /, *, api_version: str | None = None) -> Any:
    """The functions of the array API standard, for code that is written for any array library: ``minigrad.array_api``."""
    if api_version not in (None, "2021.12", "2022.12", "2023.12", "2024.12"):
        raise ValueError(f"__array_namespace__: expected a version of the standard up to '2024.12', got {api_version!r}")
    return import_module("minigrad.array_api")  # by name, as it lies on a floor above


_T.__array_priority__ = 1000.0
_T.__array_ufunc__ = _array_ufunc
_T.__array_function__ = _array_function
_T.__array__ = _array
_T.__array_namespace__ = _array_namespace
_T.__dlpack__ = _dlpack
_T.__dlpack_device__ = _dlpack_device

__all__ = ["from_dlpack"]
