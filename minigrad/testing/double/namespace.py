"""The namespace of the double device: CuPy's names with CuPy's signatures, computed by NumPy. See the package."""

import inspect
import types
from typing import Any

import numpy as np

from . import cupy_api
from .array import DoubleArray, bare, dressed, scatter, spoil
from .capture import carried
from .methods import checked, outputs
from .waiting import needs_library, waits

_WAITING = """
argwhere asarray_chkfinite asnumpy average bincount choose compress delete extract flatnonzero histogram histogram2d histogramdd intersect1d
mask_indices nanargmax nanargmin nonzero place put ravel_multi_index real_if_close save savez setdiff1d setxor1d trim_zeros tril_indices
tril_indices_from triu_indices triu_indices_from union1d unique unique_all unique_counts unique_inverse unique_values
"""
WAITING = frozenset(_WAITING.split())
"""Functions that wait for the device, as CuPy's documentation or source says."""
LIBRARY = frozenset(["convolve", "correlate", "dot", "einsum", "inner", "matmul", "tensordot", "vdot"])
"""Functions that end in cuBLAS, which CuPy refuses while a stream is captured; so is all of linalg."""
FROM_HOST = frozenset(["array", "asanyarray", "asarray", "ascontiguousarray", "asfortranarray"])
_UNPLACED = """
arange array_equal atleast_1d atleast_2d atleast_3d bartlett blackman broadcast_shapes can_cast clip common_type empty eye fft.fftfreq
fft.rfftfreq full full_like hamming hanning identity indices isdtype isscalar issubdtype kaiser linspace logspace meshgrid nan_to_num ndim
ones promote_types result_type shape size tri unravel_index where zeros
"""
UNPLACED = frozenset(_UNPLACED.split())
"""Functions whose first argument need not be an array of the device."""
WRITING = frozenset(["copyto", "fill_diagonal", "place", "put", "putmask"])
"""Functions that write to their first argument."""
JOINING = frozenset(["column_stack", "concat", "concatenate", "dstack", "hstack", "stack", "vstack"])
LISTS = frozenset(["tup", "arrays", "arys", "array_list", "seq", "operands", "xi", "args"])
_FUNCTIONS = cupy_api.signatures(cupy_api.FUNCTIONS)
_KNOWN = cupy_api.names()


def _numpy(name: str) -> Any:
    f: Any = np
    for part in name.split("."):
        f = getattr(f, part)
    return f


def _positions(name: str, params: tuple[str, ...]) -> dict[int, str]:
    """The positional arguments that NumPy has elsewhere in its signature, and so must be given by keyword."""
    try:
        theirs = list(inspect.signature(_numpy(name)).parameters)
    except (TypeError, ValueError):
        return {}
    ours = [p.rstrip("=") for p in params]
    return {i: p for i, p in enumerate(ours) if i and p in theirs and theirs.index(p) != i}


def _function(name: str) -> Any:
    params, compute, who = _FUNCTIONS[name], _numpy(name), f"double: {name}"
    moved = _positions(name, params)
    listed = bool(params) and params[0].strip("*=") in LISTS
    run = (lambda *args, **named: spoil(compute(*args, **named))) if name in ("empty", "empty_like") else compute

    def function(*args: Any, **kwargs: Any) -> Any:
        checked(who, params, args, kwargs)
        if name in WAITING or (name == "where" and len(args) == 1):
            waits(f"{name}()")
        if name in JOINING and len(args[0]) > 8:
            needs_library(f"{name}() of more than 8 arrays, whose addresses are copied from the host,")
        if name in LIBRARY or name.startswith("linalg."):
            needs_library(f"{name}()")
        if args and not listed and name not in UNPLACED and not isinstance(args[0], DoubleArray):
            raise TypeError(f"{who}: CuPy expects an array of the device, got {type(args[0]).__name__}")
        if listed and (found := next((v for v in _flat(args) if not isinstance(v, (DoubleArray, str, int))), None)) is not None:
            raise TypeError(f"{who}: CuPy expects arrays of the device, got {type(found).__name__}")
        operand = name in ("where", "clip", "full", "full_like", "nan_to_num")
        sources = tuple([v for v in (*_flat(args), *kwargs.values()) if isinstance(v, DoubleArray)])
        inputs = [bare(a, who, operand) for a in args]
        named = {k: bare(v, who) for k, v in kwargs.items()} | {moved[i]: inputs[i] for i in moved if i < len(inputs)}
        written = inputs[:1] if name in WRITING else outputs(params, inputs, named)
        with np.errstate(all="ignore"):
            y = carried(run, tuple([a for i, a in enumerate(inputs) if i not in moved]), named, written)
        if name in ("array_equal", "allclose", "array_equiv"):
            y = np.asarray(y)
        return dressed(y, sources)

    function.__name__ = name
    return function


def _flat(x: Any) -> list[Any]:
    return [v for item in x for v in _flat(item)] if isinstance(x, (tuple, list)) else [x]


def _from_host(name: str) -> Any:
    params, compute = _FUNCTIONS[name], _numpy(name)

    def function(x: Any, *args: Any, **kwargs: Any) -> Any:
        checked(f"double: {name}", params, (x, *args), kwargs)
        if not isinstance(x, DoubleArray):
            if any(isinstance(v, DoubleArray) for v in _flat([x])):
                return dressed(carried(compute, (bare(x, name), *args), kwargs))
            waits("copy from the host")
            return dressed(np.array(compute(x, *args, **kwargs)))
        return dressed(carried(compute, (x._held, *args), kwargs), (x,))

    function.__name__ = name
    return function


class ufunc:
    """A universal function: called as NumPy's, with only those methods that CuPy carries out."""

    def __init__(self, name: str):
        self._f = getattr(np, name)
        self.__name__, self.nin, self.nout, self.nargs = name, self._f.nin, self._f.nout, self._f.nargs
        self._name = self._f.__name__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        who = f"double: {self.__name__}"
        for k in kwargs:
            if k not in ("out", "where", "dtype", "casting"):
                raise TypeError(f"{who}: CuPy's ufuncs have no argument {k!r}")
        if self._name == "matmul":
            needs_library("matmul()")
        if any(isinstance(a, (list, tuple)) for a in args):
            raise TypeError(f"{who}: a list where an array of the device is expected")
        sources = tuple([v for v in (*_flat(list(kwargs.values())), *args[self.nin :]) if isinstance(v, DoubleArray)])
        with np.errstate(all="ignore"):  # a device has no floating-point warnings
            plain = [bare(a, who, True) for a in args]
            named = {k: bare(v, who, True) for k, v in kwargs.items()}
            y = carried(self._f, tuple(plain), named, [*plain[self.nin :], named.get("out")])
        return dressed(y, sources)

    def reduce(self, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims: bool = False) -> Any:
        return getattr(array, self._only("reduce", add="sum", multiply="prod"))(axis, dtype, out, keepdims)

    def accumulate(self, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None) -> Any:
        return getattr(array, self._only("accumulate", add="cumsum", multiply="cumprod"))(axis, dtype, out)

    def reduceat(self, array: Any, indices: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        self._only("reduceat", add="add")
        return dressed(carried(np.add.reduceat, (bare(array, "reduceat"), bare(indices, "reduceat"), axis, dtype)))

    def at(self, a: Any, indices: Any, b: Any = None) -> None:
        self._only("at", **{n: n for n in ("add", "subtract", "maximum", "minimum", "bitwise_and", "bitwise_or", "bitwise_xor")})
        scatter(self._name, a, indices, b)

    def outer(self, a: Any, b: Any, **kwargs: Any) -> Any:
        return dressed(carried(self._f.outer, (bare(a, "outer"), bare(b, "outer")), kwargs))

    def _only(self, method: str, **known: str) -> str:
        if self._name not in known:
            raise NotImplementedError(f"double: cupy.{self.__name__}.{method} is not supported")
        return known[self._name]

    def __repr__(self) -> str:
        return f"<ufunc {self.__name__!r} of the double>"


class Namespace(types.ModuleType):
    """CuPy's names; asking for another is an AttributeError that says so."""

    def __init__(self, name: str, prefix: str = ""):
        super().__init__(name)
        self._prefix = prefix

    def __getattr__(self, name: str) -> Any:
        full = self._prefix + name
        if name.startswith("__"):
            raise AttributeError(name)
        if full in ("linalg", "fft", "lib", "lib.stride_tricks"):
            found: Any = Namespace(f"double.{full}", f"{full}.")
        elif full not in _KNOWN:
            raise AttributeError(f"CuPy {cupy_api.VERSION} has no {full}")
        elif full == "ndarray":
            found = DoubleArray
        elif full == "ufunc":
            found = ufunc
        elif full == "asnumpy":
            found = lambda a: a.get()  # noqa: E731
        elif full in FROM_HOST:
            found = _from_host(full)
        elif full in cupy_api.UFUNCS.split():
            found = ufunc(full) if hasattr(np, full) and isinstance(_numpy(full), np.ufunc) else _elementwise(full)
        elif full in _FUNCTIONS:
            found = _function(full)
        else:
            found = _numpy(full)
        setattr(self, name, found)
        return found


def _elementwise(name: str) -> Any:
    """A ufunc of CuPy that is a plain function in NumPy: sinc, i0, fix."""
    compute = _numpy(name)
    return lambda x, out=None: dressed(carried(compute, (bare(x, f"double: {name}", True),)))


double: Any = Namespace("double")
double.lib = Namespace("double.lib", "lib.")
