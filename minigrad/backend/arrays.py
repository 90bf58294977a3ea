"""Array types, the namespace each belongs to, and the table of kernels by array type."""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import DTypeError

Array = Any
_namespaces: dict[type, Any] = {np.ndarray: np}


def register_namespace(kind: type, xp: Any) -> None:
    """Let arrays of type ``kind`` be computed by the functions of namespace ``xp``.

    Example:
        >>> import minigrad as mg
        >>> import numpy as np
        >>> mg.backend.register_namespace(np.ndarray, np)
        >>> mg.backend.namespace(np.ndarray) is np
        True
    """
    _namespaces[kind] = xp


def namespace(kind: type) -> Any:
    """The module whose functions compute on arrays of type ``kind``: ``numpy``, ``cupy``, ...

    Python and NumPy scalars and lists belong to NumPy. Nothing is imported that is not there yet.

    Example:
        >>> import minigrad as mg
        >>> mg.backend.namespace(float).__name__
        'numpy'
    """
    found = _namespaces.get(kind)
    if found is None:
        root = kind.__module__.partition(".")[0]
        if root in ("builtins", "numpy") or issubclass(kind, np.ndarray):
            return np  # not noted: what is noted counts as an array, and a number is none
        found = sys.modules.get(root)
        if not hasattr(found, "ufunc"):
            raise DTypeError(f"expected an array, a Tensor or a number, got {kind.__module__}.{kind.__qualname__}")
        if root == "cupy":
            from .cuda.products import Namespace

            found = Namespace(found)
        _namespaces[kind] = found
    return found


class Kernels:
    """``array type -> function`` for one op, filled at first use from the type's namespace.

    ``make(xp)`` builds the function; without it the namespace's function of that name is taken. ``table`` is a plain dict, which
    is what the hot path reads; replacing an entry replaces the kernel, whoever does it: a GPU, a compiled kernel, a profiler.
    ``family`` is the family of kernels in C that has a form of it for NumPy's arrays, if any; see ``compiled``.

    Example:
        >>> import minigrad as mg
        >>> import numpy as np
        >>> kernels = mg.backend.Kernels("exp")
        >>> kernels[np.ndarray] is np.exp
        True
    """

    __slots__ = ("family", "make", "name", "own", "table", "way")

    def __init__(self, name: str, make: Callable[[Any], Callable] | None = None):
        self.name, self.make, self.family = name, make, ""
        self.table: dict[type, Callable] = {}
        self.own = self.table  # another dict while ``divert`` is at work
        self.way: Callable[[type], Callable] | None = None

    def __getitem__(self, kind: type) -> Callable:
        kernel = self.own.get(kind)
        if kernel is None:
            xp = namespace(kind)
            through = getattr(xp, "through", None)  # where calls are recorded, kernels are those of another type of array
            kernel = through(self) if through else self.make(xp) if self.make else getattr(xp, self.name)
            if self.family and kind is np.ndarray:
                from .compiled import replaced

                kernel = replaced(self.family, self.name, kernel)
            elif self.family and not through:
                from . import cuda

                kernel = cuda.replaced(self.family, self.name, kernel, kind, xp)
            self.own[kind] = kernel
            if self.way is not None:
                self.table[kind] = self.way(kind)
        return kernel

    def divert(self, way: Callable[[type], Callable] | None) -> None:
        """Until ``divert(None)``, ``table`` holds ``way(kind)`` in place of each kernel; ``self[kind]`` is the kernel all the while."""
        if way is None:
            for kind in tuple(self.table):
                if kind in self.own:
                    self.table[kind] = self.own[kind]
                else:
                    del self.table[kind]
            self.own = self.table
        else:
            self.own = dict(self.own)
            for kind in tuple(_namespaces):
                self.table[kind] = way(kind)
        self.way = way


def is_array(x: Any) -> bool:
    """Whether ``x`` is an array of a namespace that is known.

    Example:
        >>> import minigrad as mg
        >>> import numpy as np
        >>> mg.backend.is_array(np.zeros(2)), mg.backend.is_array([0.0])
        (True, False)
    """
    return isinstance(x, np.ndarray) or (type(x) in _namespaces and not isinstance(x, (list, tuple)))


def holder(a: Array) -> Array:
    """The array that owns the memory of ``a``: ``a`` itself, or what it is a view of.

    Example:
        >>> import minigrad as mg
        >>> import numpy as np
        >>> a = np.zeros(4)
        >>> mg.backend.holder(a[1:].reshape(3, 1)) is a
        True
    """
    while type(base := getattr(a, "base", None)) is type(a):
        a = base
    return a


def asarray(x: Any, dtype: Any = None, xp: Any = np) -> Array:
    """``x`` as a plain array of numbers: DTypeError for text, objects, dates and ragged lists.

    Example:
        >>> import minigrad as mg
        >>> mg.backend.asarray([1, 2], dtype="float32").tolist()
        [1.0, 2.0]
    """
    if xp is np and type(x) is not np.ndarray:
        if isinstance(x, np.ma.MaskedArray):
            raise DTypeError("asarray: got a masked array, whose mask would be lost; fill it first: x.filled(0)")
        try:
            x = np.asarray(x)
        except ValueError as error:
            raise DTypeError(f"asarray: expected numbers in a regular grid, got a ragged list ({error})") from None
    a = xp.asarray(x)
    if type(a) is not np.ndarray and isinstance(a, np.ndarray):
        a = a.view(np.ndarray)
    kind = a.dtype.kind
    if kind not in "biufc" and not (kind == "V" and a.dtype.names is None and a.dtype.name in EXTENDED):
        raise DTypeError(f"asarray: expected numbers, got an array of dtype {a.dtype}; convert it to a number dtype first")
    if not getattr(a.dtype, "isnative", True):
        a = a.astype(a.dtype.newbyteorder("="))
    elif kind != "V" and getattr(a.dtype, "byteorder", "=") in "<>":  # the machine's own order, named: kernels in C look for "="
        a = a.view(a.dtype.newbyteorder("="))
    return a if dtype is None else a.astype(dtype, copy=False)


EXTENDED = frozenset({"bfloat16", "float8_e4m3fn", "float8_e5m2"})
"""Dtypes of the ml_dtypes package, which NumPy files under kind 'V'."""
