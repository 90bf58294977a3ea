"""Forms in C of kernels: which there are, and how one takes its place.

A family is a module of this folder and a source of the same name. The module says, for each kernel that it replaces, what the C
function takes and how many elements make it worth calling:

    FAMILY = Family("elementwise")

    @FAMILY.form("relu", "oo", least=4096)
    def relu(c, plain):
        def kernel(x):
            if x.size < c.least:
                return plain(x)
            y = np.empty_like(x)
            return plain(x) if c.call(x, y) else y
        return kernel

``plain`` is the form in NumPy, ``c.call`` the C function, which answers whether it refuses. Nothing is compiled before ``c.call``
is called for the first time; where that fails, ``c.least`` becomes endless, and ``plain`` is all there is.
"""

import ctypes
import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import compiler
from .library import load

NEVER = sys.maxsize
TYPES = {"o": ctypes.py_object, "l": ctypes.c_long, "d": ctypes.c_double, "f": ctypes.c_float, "i": ctypes.c_int}
"""What a C function takes, a letter each: an array (or any object), whole numbers and floating ones."""

_forms: list["Form"] = []
_size: int | None = None
"""Where tests set it, the number of elements from which every form in C is used."""


@dataclass(frozen=True)
class Declaration:
    """What a family says of one kernel."""

    family: str
    name: str
    takes: str
    least: int
    make: Callable[["Form", Callable], Callable]
    entry: str = ""


class Family:
    """A source of C, and the kernels that it has forms of."""

    def __init__(self, name: str):
        self.name = name
        self.forms: dict[str, Declaration] = {}

    def form(self, name: str, takes: str, least: int, entry: str = "") -> Callable:
        """Declare the form of the kernel of that name: the function below makes it from a Form and the kernel in NumPy.

        Args:
            name: the op's name, with ``_gradient`` for the slopes of a fused op.
            takes: what the entry takes, a letter of TYPES each.
            least: the number of elements from which it pays.
            entry: what it is called in C, if not so.
        """

        def declare(make: Callable) -> Callable:
            self.forms[name] = Declaration(self.name, name, takes, least, make, entry)
            return make

        return declare


class Form:
    """The C function of one kernel: ``call`` it with what was declared; it says 1 where it refuses. ``least``: see above."""

    __slots__ = ("call", "declared", "failed", "least")
    xp: Any = np
    """What makes arrays. Where forms serve GPUs, too, it is another's namespace; see ``cuda``."""
    name = property(lambda self: self.declared.name)

    def __init__(self, declared: Declaration):
        self.declared = declared
        self.failed = False
        self.call: Callable = self.first
        self.least = declared.least if _size is None else _size

    def first(self, *args: Any) -> int:
        """Load the library, then call."""
        try:
            library = load(self.declared.family)
        except RuntimeWarning:  # where warnings are errors
            self.give_up()
            raise
        if library is None:
            self.give_up()
            return 1
        c = getattr(library, f"mg_{self.declared.entry or self.declared.name}")
        c.argtypes = [TYPES[t] for t in self.declared.takes]
        self.call = c
        return c(*args)

    def give_up(self) -> None:
        """Leave everything to NumPy, from now on."""
        self.failed, self.least = True, NEVER
        self.call = lambda *args: 1


def replaced(family: str, name: str, plain: Callable) -> Callable:
    """The kernel with its form in C, if the family has one and the user lets it."""
    if not compiler.wanted():
        return plain
    declared = importlib.import_module(f".{family}", __package__).FAMILY.forms.get(name)
    if declared is None:
        return plain
    made = Form(declared)
    _forms.append(made)
    return declared.make(made, plain)


def names() -> list[str]:
    """The kernels whose C functions are in use."""
    return sorted({f.declared.name for f in _forms if not f.failed and f.call != f.first})


@contextmanager
def disabled() -> Iterator[None]:
    """A context in which all kernels are NumPy's."""
    with _from(NEVER):
        yield


@contextmanager
def everywhere() -> Iterator[None]:
    """A context in which C computes arrays of any size that it can, and not only where it pays; for tests."""
    with _from(1):
        yield


@contextmanager
def _from(size: int) -> Iterator[None]:
    global _size
    before = _size
    try:
        _set(size)
        yield
    finally:
        _set(before)


def _set(size: int | None) -> None:
    global _size
    _size = size
    for f in _forms:
        f.least = NEVER if f.failed else f.declared.least if size is None else size
