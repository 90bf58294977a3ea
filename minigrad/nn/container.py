"""Modules made of modules or of parameters: sequences, lists and dicts."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .module import Module
from .parameter import Parameter


class _Listed(Module):
    """A sequence under the names 0, 1, 2, ...; ``_kind`` says which table of the module holds it."""

    _kind = "_modules"

    def _names(self) -> list[str]:
        return list(self.__dict__[self._kind])

    def __len__(self) -> int:
        return len(self.__dict__[self._kind])

    def __iter__(self) -> Iterator[Any]:
        return (self.__dict__[name] for name in self._names())

    def __reversed__(self) -> Iterator[Any]:
        return iter([*self][::-1])

    def __contains__(self, item: object) -> bool:
        return any(m is item for m in self)

    def _name(self, i: Any) -> str:
        n, k = len(self), i.__index__()
        if not -n <= k < n:
            raise IndexError(f"{type(self).__name__}: index {k} is out of range for {n} entries")
        return self._names()[k]

    def __getitem__(self, i: Any) -> Any:
        if isinstance(i, slice):
            return type(self)._of(dict(list(zip(self._names(), self, strict=True))[i]))
        return self.__dict__[self._name(i)]

    def __setitem__(self, i: Any, item: Any) -> None:
        setattr(self, self._name(i), self._entry(item))

    def __delitem__(self, i: Any) -> None:
        gone = set(range(len(self))[i]) if isinstance(i, slice) else {self._names().index(self._name(i))}
        self._fill([m for j, m in enumerate(self) if j not in gone])

    def _entry(self, item: Any) -> Any:
        """What is kept for ``item``."""
        return item

    def _fill(self, items: Iterable[Any]) -> None:
        """Let these be the whole list; names are given anew."""
        items = list(items)
        for name in self._names():
            delattr(self, name)
        for j, m in enumerate(items):
            self._register(self._kind, str(j), m)

    @classmethod
    def _of(cls, named: Mapping[str, Any]) -> Any:
        return cls(named.values())  # type: ignore[call-arg]

    def append(self, item: Any) -> Any:
        """Add an entry at the end. Returns itself."""
        name, item = str(len(self)), self._entry(item)
        if self._kind == "_modules":
            self.register_module(name, item)
        else:
            self.register_parameter(name, item)
        return self

    def extend(self, items: Iterable[Any]) -> Any:
        """Add several entries at the end. Returns itself."""
        for m in list(items):
            self.append(m)
        return self

    def __iadd__(self, items: Iterable[Any]) -> Any:
        return self.extend(items)

    def __add__(self, items: Iterable[Any]) -> Any:
        return type(self)._of({str(j): m for j, m in enumerate([*self, *items])})

    def insert(self, i: int, item: Any) -> Any:
        """Put an entry before position i. Returns itself."""
        before = [*self]
        many = [*before]
        many.insert(i, item)
        self.append(item)  # which checks it
        self._fill([self._entry(m) for m in many])
        return self

    def pop(self, i: Any = -1) -> Any:
        """Take the entry at position i out, and return it."""
        item = self[i]
        del self[i]
        return item


class Sequential(_Listed):
    """Calls its modules one after the other.

    Args:
        modules: the modules in order, or one dict of them by name.

    Example:
        >>> from minigrad import nn
        >>> nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        Sequential(
          (0): Linear(in_features=4, out_features=8, bias=True)
          (1): ReLU()
          (2): Linear(in_features=8, out_features=2, bias=True)
        )
    """

    def __init__(self, *modules: Any):
        super().__init__()
        named = modules[0].items() if len(modules) == 1 and isinstance(modules[0], Mapping) else enumerate(modules)
        for name, m in named:
            self.register_module(str(name), m)

    @classmethod
    def _of(cls, named: Mapping[str, Module]) -> Any:
        return Sequential(named)

    def forward(self, x: Any) -> Any:
        known = self.__dict__
        for name in tuple(known["_modules"]):
            x = known[name](x)
        return x


class ModuleList(_Listed):
    """A list whose modules are registered; it has no forward of its own.

    Args:
        modules: the modules in order.

    Example:
        >>> from minigrad import nn
        >>> blocks = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))
        >>> len(blocks), len(blocks[:2]), len(list(blocks.parameters()))
        (3, 2, 6)
    """

    def __init__(self, modules: Iterable[Module] = ()):
        super().__init__()
        self.extend(modules)


class ParameterList(_Listed):
    """A list whose parameters are registered.

    Args:
        values: Parameters, or what a Parameter can be made of.

    Example:
        >>> from minigrad import nn
        >>> steps = nn.ParameterList([[1.0], [2.0]])
        >>> steps[-1].tolist(), list(steps.state_dict())
        ([2.0], ['0', '1'])
    """

    _kind = "_parameters"

    def __init__(self, values: Iterable[Any] = ()):
        super().__init__()
        self.extend(values)

    def _entry(self, item: Any) -> Parameter:
        return item if isinstance(item, Parameter) else Parameter(item)

    def extra_repr(self) -> str:
        return ", ".join([f"{i}: {p.dtype} {p.shape}" for i, p in enumerate(self)])


class _Mapped(Module):
    """A dict of entries; ``_kind`` says which table of the module holds them."""

    _kind = "_modules"

    def __setitem__(self, name: str, item: Any) -> None:
        if hasattr(type(self), name) or name in ("training", "_modules", "_parameters", "_buffers", "_hooks", "_transient"):
            raise ValueError(f"{type(self).__name__}: the name {name!r} is taken by an attribute of the class; choose another")
        self._enter(name, item)

    def _enter(self, name: str, item: Any) -> None:
        self.register_module(name, item)

    def __getitem__(self, name: str) -> Any:
        if name not in self:
            raise KeyError(name)
        return self.__dict__[name]

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise KeyError(name)
        delattr(self, name)

    def __len__(self) -> int:
        return len(self.__dict__[self._kind])

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self.__dict__[self._kind]))

    def __contains__(self, name: object) -> bool:
        return name in self.__dict__[self._kind]

    def keys(self) -> Iterator[str]:
        """The names, in order of insertion."""
        return iter(self)

    def values(self) -> Iterator[Any]:
        """The entries, in order of insertion."""
        return (self[name] for name in self)

    def items(self) -> Iterator[tuple[str, Any]]:
        """Names and entries, in order of insertion."""
        return ((name, self[name]) for name in self)

    def get(self, name: str, default: Any = None) -> Any:
        """The entry of this name, or ``default`` if there is none."""
        return self.__dict__[name] if name in self else default

    def pop(self, name: str) -> Any:
        """Take the entry of this name out, and return it."""
        item = self[name]
        del self[name]
        return item

    def clear(self) -> None:
        """Take everything out."""
        for name in self:
            del self[name]

    def update(self, items: Any) -> None:
        """Add or replace entries: of a dict, of another of this kind, or (name, entry) pairs."""
        for name, item in list(items.items() if hasattr(items, "items") else items):
            self[name] = item


class ModuleDict(_Mapped):
    """A dict whose modules are registered; it has no forward of its own.

    Args:
        modules: modules by name, or (name, module) pairs.

    Raises:
        ValueError: a name that is an attribute of the class, such as ``keys``.

    Example:
        >>> from minigrad import nn
        >>> heads = nn.ModuleDict({"value": nn.Linear(4, 1), "policy": nn.Linear(4, 2)})
        >>> list(heads), heads["policy"].out_features
        (['value', 'policy'], 2)
    """

    def __init__(self, modules: Any = ()):
        super().__init__()
        self.update(() if modules is None else modules)


class ParameterDict(_Mapped):
    """A dict whose parameters are registered.

    Args:
        parameters: Parameters, or what a Parameter can be made of, by name.

    Raises:
        ValueError: a name that is an attribute of the class, such as ``keys``.

    Example:
        >>> from minigrad import nn
        >>> p = nn.ParameterDict({"left": [1.0], "right": [2.0]})
        >>> p["right"].requires_grad, list(p.state_dict())
        (True, ['left', 'right'])
    """

    _kind = "_parameters"

    def __init__(self, parameters: Any = ()):
        super().__init__()
        self.update(() if parameters is None else parameters)

    def _enter(self, name: str, item: Any) -> None:
        self.register_parameter(name, item if isinstance(item, Parameter) else Parameter(item))

    def extra_repr(self) -> str:
        return ", ".join([f"{name}: {p.dtype} {p.shape}" for name, p in self.items()])


__all__ = ["ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"]
