"""What stands for an array while a tape is running: like NumPy's in all that is known without looking at its elements."""

import operator
from collections.abc import Iterator
from typing import Any

import numpy as np

from .tape import Place, Tape

_BINARY = "add sub mul truediv floordiv mod pow matmul and_ or_ xor lshift rshift"
_COMPARISONS = "eq ne lt le gt ge"
_UNARY = "neg pos abs invert"
_ATTRIBUTES = "T mT real imag"
_METHODS = """
all any argmax argmin argpartition argsort astype choose clip compress conj conjugate copy cumprod cumsum diagonal dot fill flatten max mean
min nonzero partition prod put ravel repeat reshape round searchsorted sort squeeze std sum swapaxes take trace transpose var view
"""
"""Methods that are noted as such; ``sort``, ``partition``, ``put`` and ``fill`` write to the array itself."""


class Recorded:
    """Stands for the array ``held``, at this place on the tape."""

    __slots__ = ("__weakref__", "held", "place", "tape")
    __array_priority__ = 100
    __hash__ = None  # type: ignore[assignment]

    held: np.ndarray
    place: Place
    tape: Tape

    def __init__(self, held: np.ndarray, place: Place, tape: Tape):
        self.held, self.place, self.tape = held, place, tape

    # what is known
    shape = property(lambda self: self.held.shape)
    dtype = property(lambda self: self.held.dtype)
    ndim = property(lambda self: self.held.ndim)
    size = property(lambda self: self.held.size)
    itemsize = property(lambda self: self.held.itemsize)
    nbytes = property(lambda self: self.held.nbytes)
    strides = property(lambda self: self.held.strides)
    flags = property(lambda self: self.held.flags)

    @property
    def base(self) -> Any:
        base = self.held.base
        return self.tape.stand_in(base) if type(base) is np.ndarray else None

    def __len__(self) -> int:
        return len(self.held)

    def __repr__(self) -> str:
        return f"<recorded {self.dtype}{list(self.shape)}>"

    # what is noted
    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, **keywords: Any) -> Any:
        out = keywords.get("out")
        if out is not None and len(out) == 1:
            keywords["out"] = out[0]
        f = ufunc if method == "__call__" else getattr(ufunc, method)
        name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}_{method}"
        return self.tape.call(f, args, keywords, name)

    def __array_function__(self, f: Any, types: Any, args: Any, keywords: Any) -> Any:
        return self.tape.call(f, args, keywords, f.__name__)

    def __getitem__(self, index: Any) -> Any:
        return self.tape.call(operator.getitem, (self, index), name="getitem")

    def __setitem__(self, index: Any, value: Any) -> None:
        self.tape.call(operator.setitem, (self, index, value), name="setitem")

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    # what cannot be repeated: the caller gets the real value, and the tape is spoilt
    def _told(self, what: str) -> np.ndarray:
        self.tape.spoil(f"{what} reads a value in the middle of the step, on which what follows may depend")
        return self.held

    def item(self, *at: Any) -> Any:
        return self._told("item()").item(*at)

    def tolist(self) -> Any:
        return self._told("tolist()").tolist()

    def tobytes(self, *args: Any) -> bytes:
        return self._told("tobytes()").tobytes(*args)

    def __bool__(self) -> bool:
        return bool(self._told("bool()"))

    def __float__(self) -> float:
        return float(self._told("float()"))

    def __int__(self) -> int:
        return int(self._told("int()"))

    def __index__(self) -> int:
        return operator.index(self._told("an index"))

    def __complex__(self) -> complex:
        return complex(self._told("complex()"))

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.array(self._told("numpy()"), dtype)

    def __copy__(self) -> Any:
        return self.copy()  # type: ignore[attr-defined]

    def __deepcopy__(self, memo: dict) -> Any:
        return self.copy()  # type: ignore[attr-defined]


def _method(name: str) -> Any:
    f = getattr(np.ndarray, name)

    def method(self: Recorded, *args: Any, **keywords: Any) -> Any:
        return self.tape.call(f, (self, *args), keywords, name)

    method.__name__ = name
    return method


def _operator(name: str, turned: bool = False) -> Any:
    f = getattr(operator, name)

    def method(self: Recorded, other: Any) -> Any:
        if not isinstance(other, (Recorded, np.ndarray, np.generic, bool, int, float, complex)):
            return NotImplemented
        return self.tape.call(f, (other, self) if turned else (self, other), name=name)

    return method


def _in_place(name: str) -> Any:
    f = getattr(operator, f"i{name.rstrip('_')}")

    def method(self: Recorded, other: Any) -> Any:
        return self.tape.call(f, (self, other))

    return method


def _attribute(name: str) -> property:
    f = operator.attrgetter(name)
    return property(lambda self: self.tape.call(f, (self,), name=name))


for _name in _METHODS.split():
    setattr(Recorded, _name, _method(_name))
for _name in _ATTRIBUTES.split():
    setattr(Recorded, _name, _attribute(_name))
for _name in _BINARY.split():
    _word = _name.rstrip("_")
    setattr(Recorded, f"__{_word}__", _operator(_name))
    setattr(Recorded, f"__r{_word}__", _operator(_name, turned=True))
    setattr(Recorded, f"__i{_word}__", _in_place(_name))
for _name in _COMPARISONS.split():
    setattr(Recorded, f"__{_name}__", _operator(_name))
for _name in _UNARY.split():
    setattr(Recorded, f"__{_name}__", (lambda f, name: lambda self: self.tape.call(f, (self,), name=name))(getattr(operator, _name), _name))

__all__ = ["Recorded"]
