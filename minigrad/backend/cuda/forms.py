"""Forms in CUDA of kernels, for CuPy's arrays: which there are, and how one takes its place.

A family is a module of this folder, called as its sibling for the processor in ``compiled``. Most forms are the same as there: they make
the result and call an entry, which says whether it refuses. There the entry is in C, here it is a function that looks at the arrays
and launches a kernel:

    FAMILY = Family("elementwise")
    SOFTENED = Kernel("elementwise", "softened", "PPl")  # the kernel softened of elementwise.c: two arrays and a length

    @FAMILY.entry("softened")
    def softened(x, y):
        return launch(SOFTENED, x.size, x, y, x.size)

A form that is another on a GPU is declared by ``@FAMILY.form(name)`` above a function that makes it of a Form ``c`` and of ``plain``,
the form in CuPy's functions, which computes whatever is refused. ``c.least`` is beyond any size while forms are turned off.
"""

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .launch import runners

_forms: list["Form"] = []
_least = 1


class Form:
    """One kernel's form for one type of array: ``call`` its entry. ``xp`` makes arrays of that type."""

    __slots__ = ("call", "least", "name", "xp")

    def __init__(self, name: str, call: Any, xp: Any):
        self.name, self.call, self.xp, self.least = name, call, xp, _least


class Family:
    """The forms of a family's kernels; ``name`` is its sibling's in ``compiled``.

    Example:
        >>> from minigrad.backend.cuda.elementwise import FAMILY
        >>> FAMILY.name, "gelu" in FAMILY.forms
        ('elementwise', True)
    """

    def __init__(self, name: str):
        self.name = name
        self.forms: dict[str, tuple[Callable | None, Callable]] = {}
        """By name: the entry, and what makes the form."""

    def entry(self, *names: str) -> Callable:
        """Declare what the forms of these names, which are those of ``compiled``, call on a GPU."""
        shared = importlib.import_module(f"..compiled.{self.name}", __package__).FAMILY.forms

        def declare(call: Callable) -> Callable:
            self.forms |= {name: (call, shared[name].make) for name in names}
            return call

        return declare

    def form(self, *names: str) -> Callable:
        """Declare forms of their own: the function below makes each from a Form and the kernel in CuPy's functions."""

        def declare(make: Callable) -> Callable:
            self.forms |= dict.fromkeys(names, (None, make))
            return make

        return declare


def wanted() -> bool:
    """Whether forms in CUDA may be used at all: a matter of the machine and of the user's word."""
    return os.name == "posix" and os.environ.get("MINIGRAD_CUDA_KERNELS", "").strip() != "0"


def replaced(family: str, name: str, plain: Callable, kind: type, xp: Any) -> Callable:
    """The kernel with its form in CUDA, if the family has one and arrays are of a type that it can run on."""
    if not wanted() or (kind not in runners and kind.__module__.partition(".")[0] != "cupy"):
        return plain
    if importlib.util.find_spec(f".{family}", __package__) is None:
        return plain
    own = getattr(importlib.import_module(f".{family}", __package__), "FAMILY", None)
    if own is None or name not in own.forms:
        return plain
    call, make = own.forms[name]
    made = Form(name, call, xp)
    _forms.append(made)
    return make(made, plain)


@contextmanager
def disabled() -> Iterator[None]:
    """A context in which all kernels on a GPU are in CuPy's functions.

    Example:
        >>> from minigrad.backend.cuda import disabled
        >>> with disabled():
        ...     pass
    """
    global _least
    before = _least
    try:
        _set(sys.maxsize)
        yield
    finally:
        _set(before)


def _set(least: int) -> None:
    global _least
    _least = least
    for f in _forms:
        f.least = least


def report() -> list[str]:
    """What is known of the forms in CUDA, a line.

    Example:
        >>> from minigrad.backend.cuda.forms import report
        >>> report()[0].split()[:2]
        ['in', 'CUDA']
    """
    if not wanted():
        return ["in CUDA    nothing (MINIGRAD_CUDA_KERNELS=0)" if os.name == "posix" else "in CUDA    nothing on this system"]
    return [f"in CUDA    {' '.join(sorted({f.name for f in _forms})) or 'nothing yet; a kernel is compiled when a GPU first needs it'}"]
