"""The methods and operators of the array, as many as CuPy's has, with the arguments that CuPy's take."""

from typing import Any

import numpy as np

from . import cupy_api
from .array import DoubleArray, bare, dressed
from .capture import carried, touched
from .waiting import needs_library, waits

WRITING = ("fill", "partition", "put", "sort")
WAITING = ("nonzero", "compress", "dump", "dumps", "tofile", "toDlpack")
_BINARY = "add sub mul truediv floordiv mod pow matmul divmod and or xor lshift rshift"


def checked(who: str, params: tuple[str, ...], args: tuple, kwargs: dict) -> None:
    """Raise TypeError for arguments that the signature of CuPy does not have."""
    names = [p.rstrip("=") for p in params]
    if any(n.startswith("**") for n in names):
        return
    stars = [i for i, n in enumerate(names) if n.startswith("*")]
    positional = names[: stars[0]] if stars else names
    if len(args) > len(positional) and not any(len(names[i]) > 1 for i in stars):
        raise TypeError(f"{who}: CuPy takes {len(positional)} positional arguments, got {len(args)}")
    for k in kwargs:
        if k not in names or k in positional[: len(args)]:
            raise TypeError(f"{who}: CuPy's has no argument {k!r} (it has {', '.join(names)})")


def outputs(params: tuple[str, ...], args: list, named: dict) -> Any:
    """The argument that a call writes to, if it is given one."""
    place = next((i for i, p in enumerate(params) if p == "out="), len(args))
    return named.get("out", args[place] if place < len(args) else None)


def _method(name: str, params: tuple[str, ...]) -> Any:
    who = f"double: ndarray.{name}"

    def method(self: DoubleArray, *args: Any, **kwargs: Any) -> Any:
        checked(who, params, args, kwargs)
        if name in WAITING:
            waits(f"{name}()")
        if name == "dot":
            needs_library("a matrix product")
        sources = (self, *[v for v in (*args, *kwargs.values()) if isinstance(v, DoubleArray)])
        named = {k: bare(v, who) for k, v in kwargs.items() if v is not None}
        touched(self)
        plain = [bare(a, who, name == "clip") for a in args]
        written = self._held if name in WRITING else outputs(params, plain, named)
        with np.errstate(all="ignore"):
            return dressed(carried(getattr(np.ndarray, name), (self._held, *plain), named, written), sources)

    method.__name__ = name
    return method


def _operator(special: str) -> Any:
    inplace = special.startswith("__i")

    def method(self: DoubleArray, other: Any) -> Any:
        if not isinstance(other, (DoubleArray, bool, int, float, complex, np.ndarray, np.generic)):
            return NotImplemented
        if "matmul" in special:
            needs_library("a matrix product")
        with np.errstate(all="ignore"):  # a device has no floating-point warnings
            plain = bare(other, f"double: {special}", True)
            y = carried(getattr(np.ndarray, special), (self._held, plain), written=self._held if inplace else ())
        if y is NotImplemented:
            return y
        touched(self)
        return self if inplace else dressed(y, (self,))

    method.__name__ = special
    return method


def _unary(special: str) -> Any:
    return lambda self: dressed(carried(getattr(np.ndarray, special), (self._held,)), (self,))


for _name, _params in cupy_api.signatures(cupy_api.METHODS).items():
    if not hasattr(DoubleArray, _name):
        setattr(DoubleArray, _name, _method(_name, _params))
_known = set(cupy_api.SPECIAL.split())
for _special in [f"__{_prefix}{_word}__" for _word in _BINARY.split() for _prefix in ("", "r", "i")]:
    if _special in _known:
        setattr(DoubleArray, _special, _operator(_special))
for _special in ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"):
    setattr(DoubleArray, _special, _operator(_special))
for _special in ("__abs__", "__neg__", "__pos__", "__invert__"):
    setattr(DoubleArray, _special, _unary(_special))
