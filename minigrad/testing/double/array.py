"""The array of the double: what is known of it at once, what must be waited for, its elements."""

import operator
from collections.abc import Iterator
from typing import Any

import numpy as np

from .capture import MemoryPointer, carried, root, touched
from .waiting import waits


# -- in and out -------------------------------------------------------------------------------------------------------
def bare(x: Any, who: str, operand: bool = False) -> Any:
    """What NumPy is to be given for an argument. ``operand``: it takes part in the promotion of dtypes."""
    kind = type(x)
    if kind is DoubleArray:
        touched(x)
        return x._held
    if kind is tuple or kind is list:
        return kind([bare(v, who, operand) for v in x])
    if isinstance(x, np.ndarray):
        raise TypeError(f"{who}: a NumPy array where an array of the device is expected")
    if isinstance(x, np.generic):
        if operand or x.dtype.kind in "fc":
            raise TypeError(f"{who}: a NumPy scalar ({x!r}), which widens the dtype; use a Python number")
        return x.item()
    return x


def dressed(y: Any, sources: tuple = ()) -> Any:
    """A result of NumPy as one of ours: one of the sources if it is its array, a view of one if they share memory."""
    if isinstance(y, np.ndarray):
        owner = root(y)
        for s in sources:
            if type(s) is DoubleArray:
                touched(s)
                if s._held is y:
                    return s
                if root(s._held) is owner:
                    return new(y, s if s._base is None else s._base)
        return new(y, None)
    if isinstance(y, np.generic):
        return new(np.asarray(y), None)
    if isinstance(y, (tuple, list)):
        return (list if isinstance(y, list) else tuple)([dressed(v, sources) for v in y])
    return y


def new(held: np.ndarray, base: Any) -> "DoubleArray":
    a = object.__new__(DoubleArray)
    a._held, a._base = held, base
    return a


def upload(x: np.ndarray) -> "DoubleArray":
    """A NumPy array copied to the device."""
    waits("copy from the host")
    return new(np.array(x), None)


def put(x: np.ndarray) -> "DoubleArray":
    """A NumPy array on the double, without counting it as a copy from the host: for tests, before the part that is watched."""
    return new(np.array(x), None)


# -- the array --------------------------------------------------------------------------------------------------------
class Flags:
    """The memory layout; as on the GPU, nothing is said of writing."""

    __slots__ = ("c_contiguous", "f_contiguous", "owndata")

    def __init__(self, a: "DoubleArray"):
        self.c_contiguous, self.f_contiguous = a._held.flags.c_contiguous, a._held.flags.f_contiguous
        self.owndata = a._base is None

    def __getitem__(self, name: str) -> bool:
        return getattr(self, name.lower())


class DoubleArray:
    """An array of the double device: wraps a NumPy array, and is none."""

    __slots__ = ("__weakref__", "_base", "_held")
    __array_ufunc__ = None
    __array_priority__ = 100
    __hash__ = None  # type: ignore[assignment]

    _held: np.ndarray
    _base: "DoubleArray | None"

    def __init__(self, shape: Any, dtype: Any = float):
        self._held, self._base = carried(lambda: spoil(np.empty(shape, dtype)), ()), None

    # what is known without asking the device
    shape = property(lambda self: self._held.shape)
    dtype = property(lambda self: self._held.dtype)
    ndim = property(lambda self: self._held.ndim)
    size = property(lambda self: self._held.size)
    itemsize = property(lambda self: self._held.itemsize)
    nbytes = property(lambda self: self._held.nbytes)
    strides = property(lambda self: self._held.strides)
    base = property(lambda self: self._base)
    flags = property(Flags)
    device = property(lambda self: "double")
    data = property(MemoryPointer)
    T = property(lambda self: dressed(self._held.T, (self,)))
    mT = property(lambda self: dressed(self._held.mT, (self,)))
    real = property(lambda self: dressed(self._held.real, (self,)))
    imag = property(lambda self: dressed(self._held.imag, (self,)))

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator["DoubleArray"]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"<DoubleArray {self.dtype}{list(self.shape)}>"  # without the values, which would have to be waited for

    def __copy__(self) -> "DoubleArray":
        return dressed(carried(np.ndarray.copy, (self._held,)))

    def __deepcopy__(self, memo: dict) -> "DoubleArray":
        return self.__copy__()

    # what is refused
    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("double: implicit conversion to a NumPy array; use .get()")

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        raise TypeError(f"double: np.{func.__name__} was given an array of the device; take the function from its namespace")

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "shape":
            self._held.shape = value
        elif name in ("_held", "_base"):
            object.__setattr__(self, name, value)
        else:
            raise AttributeError(f"double: cannot set {name}")

    # what waits
    def get(self) -> np.ndarray:
        """The values as a NumPy array: a copy."""
        waits("get()")
        return self._held.copy()

    def item(self) -> Any:
        waits("item()")
        return self._held.item()

    def tolist(self) -> Any:
        waits("tolist()")
        return self._held.tolist()

    def tobytes(self, order: Any = "C") -> bytes:
        waits("tobytes()")
        return self._held.tobytes(order)

    def __bool__(self) -> bool:
        waits("bool()")
        return bool(self._held)

    def __float__(self) -> float:
        waits("float()")
        return float(self._held.item())

    def __int__(self) -> int:
        waits("int()")
        return int(self._held.item())

    def __complex__(self) -> complex:
        waits("complex()")
        return complex(self._held.item())

    # elements
    def __getitem__(self, index: Any) -> "DoubleArray":
        plain, arrays = indices(index)
        if any(a.dtype.kind == "b" for a in arrays):
            waits("a boolean mask, whose result has as many elements as it has True")
        if not arrays:
            return dressed(self._held[(*plain, ...) if ... not in plain else plain], (self,))
        touched(self)
        return dressed(carried(lambda a, i: np.asarray(a[i]).copy(), (self._held, plain)))

    def __setitem__(self, index: Any, value: Any) -> None:
        plain, arrays = indices(index)
        if any(a.dtype.kind == "b" for a in arrays):
            waits("writing through a boolean mask, which is counted first")
        if arrays and type(value) is not DoubleArray:
            waits("copy from the host (a number written at an array of indices)")
        if isinstance(value, (list, tuple)):
            raise TypeError("double: a list where an array of the device is expected")
        touched(self)
        carried(operator.setitem, (self._held, plain, bare(value, "setitem")), written=self._held)

    def scatter_add(self, index: Any, value: Any) -> None:
        scatter("add", self, index, value)

    def scatter_max(self, index: Any, value: Any) -> None:
        scatter("maximum", self, index, value)

    def scatter_min(self, index: Any, value: Any) -> None:
        scatter("minimum", self, index, value)

    def set(self, values: np.ndarray) -> None:
        """Overwrite with the values of a NumPy array."""
        waits("copy from the host")
        self._held[...] = values

    def reshape(self, *shape: Any, order: Any = "C", copy: Any = None) -> "DoubleArray":
        keywords = {"order": order} if copy is None else {"order": order, "copy": copy}  # NumPy 2.0 has no copy=
        return dressed(carried(np.ndarray.reshape, (self._held, *[bare(n, "reshape") for n in shape]), keywords), (self,))

    def transpose(self, *axes: Any) -> "DoubleArray":
        return dressed(self._held.transpose(*axes), (self,))

    def reduced_view(self, dtype: Any = None) -> "DoubleArray":
        return self


def spoil(held: np.ndarray) -> np.ndarray:
    """Fill memory that nobody has written to with what shows: NaN, or the largest integer."""
    if held.dtype.kind in "fc":
        held.fill(np.nan)
    elif held.dtype.kind in "iu":
        held.fill(np.iinfo(held.dtype).max)
    elif held.dtype.kind == "b":
        held.fill(True)
    return held


def indices(index: Any) -> tuple[tuple, list]:
    """An index as NumPy takes it, and the arrays in it."""
    plain, arrays = [], []
    for i in index if isinstance(index, tuple) else (index,):
        if isinstance(i, (list, bool, np.ndarray, np.bool_)):  # CuPy copies all of these to the device
            waits("copy from the host (an index)")
            i = new(np.asarray(i), None)
        i = bare(i, "index")
        if isinstance(i, np.ndarray):
            arrays.append(i)
        plain.append(i)
    return tuple(plain), arrays


SCATTERED = {"add": "int32 float16 float32 float64 uint32 uint64", "subtract": "int32 uint32"}
SCATTERED |= dict.fromkeys(("maximum", "minimum"), "int32 float32 float64 uint32 uint64")
SCATTERED |= dict.fromkeys(("bitwise_and", "bitwise_or", "bitwise_xor"), "int32 int64 uint32 uint64")
"""The dtypes for which CuPy has atomic operations, by ufunc."""


def scatter(name: str, a: DoubleArray, index: Any, value: Any) -> None:
    """``ufunc.at``: with an array of indices, in the dtypes that CuPy has it for."""
    plain, arrays = indices(index)
    if arrays:
        if any(i.dtype.kind == "b" for i in arrays):
            waits("writing through a boolean mask, which is counted first")
        elif a.dtype.name not in SCATTERED[name].split():
            raise TypeError(f"double: cupy.{name}.at supports {SCATTERED[name]}, not {a.dtype}")
        if type(value) is not DoubleArray:
            waits("copy from the host (a number written at an array of indices)")
    touched(a)
    at = getattr(np, name).at
    value = bare(value, f"{name}.at", True)
    carried(lambda held, where, v: at(held, where, np.asarray(v).astype(held.dtype)), (a._held, plain, value), written=a._held)
