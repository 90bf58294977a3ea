"""Modules some of whose tensors are computed at each use: they take a class of their own, in which these are properties.

Such classes are made from a class and the properties, each combination once, so copies and pickles of modules find theirs again.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from ..module import Module

Entries = tuple[tuple[str, Callable[[str], property]], ...]
"""Names, and for each what makes its property."""


def plan(module: Module) -> tuple[type, Entries]:
    """The class of a module without its computed tensors, and what these are."""
    return getattr(type(module), "_computed", (type(module), ()))


def names(module: Module, make: Callable[[str], property]) -> list[str]:
    """The tensors of a module that are computed by properties of this kind."""
    return [name for name, m in plan(module)[1] if m is make]


def compute(module: Module, name: str, make: Callable[[str], property]) -> None:
    """Take the tensor ``name`` out of the module, and let ``make(name)`` stand in its place."""
    base, entries = plan(module)
    delattr(module, name)
    module.__class__ = _class(base, (*entries, (name, make)))  # type: ignore[assignment]


def restore(module: Module, name: str) -> None:
    """Make ``name`` an ordinary attribute again, which is to be assigned now."""
    base, entries = plan(module)
    module.__class__ = _class(base, tuple([e for e in entries if e[0] != name]))  # type: ignore[assignment]


@cache
def _class(base: type, entries: Entries) -> type:
    if not entries:
        return base
    members = {name: make(name) for name, make in entries}
    return type(f"Parametrized{base.__name__}", (base,), {**members, "_computed": (base, entries), "__reduce_ex__": _reduce})


def _reduce(self: Any, protocol: int) -> Any:
    return _bare, plan(self), dict(self.__dict__)


def _bare(base: type, entries: Entries) -> Any:
    return object.__new__(_class(base, entries))


__all__ = ["compute", "names", "plan", "restore"]
