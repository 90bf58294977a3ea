"""Modules made of modules, and modules that only reshape or call a function."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ..ops.shape import reshape
from .module import Module
from .parameter import Parameter


class _Listed(Module):
    """A sequence of modules under the names 0, 1, 2, ..."""

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return (self.__dict__[name] for name in tuple(self._modules))

    def _name(self, i: int) -> str:
        n = len(self)
        if not -n <= i < n:
            raise IndexError(f"{type(self).__name__}: index {i} is out of range for {n} modules")
        return list(self._modules)[i]

    def __getitem__(self, i: Any) -> Any:
        if isinstance(i, slice):
            return type(self)._of(dict(list(zip(self._modules, self, strict=True))[i]))
        return self.__dict__[self._name(i.__index__())]

    def __setitem__(self, i: int, module: Module) -> None:
        setattr(self, self._name(i), module)

    def __delitem__(self, i: int) -> None:
        self._fill([m for j, m in enumerate(self) if j != i % len(self)])

    def _fill(self, modules: Iterable[Module]) -> None:
        modules = list(modules)
        for name in tuple(self._modules):
            delattr(self, name)
        for j, m in enumerate(modules):
            self.register_module(str(j), m)

    @classmethod
    def _of(cls, named: Mapping[str, Module]) -> Any:
        return cls(*named.values())

    def append(self, module: Module) -> Any:
        """Add a module at the end. Returns itself."""
        self.register_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Any:
        """Add several modules at the end. Returns itself."""
        for m in list(modules):
            self.append(m)
        return self

    def insert(self, i: int, module: Module) -> Any:
        """Put a module before position i. Returns itself."""
        many = list(self)
        many.insert(i, module)
        self._fill(many)
        return self


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
        for m in self:
            x = m(x)
        return x


class ModuleList(_Listed):
    """A list whose modules are registered; it has no forward of its own."""

    def __init__(self, modules: Iterable[Module] = ()):
        super().__init__()
        self.extend(modules)

    @classmethod
    def _of(cls, named: Mapping[str, Module]) -> Any:
        return cls(named.values())


class ModuleDict(Module):
    """A dict whose modules are registered; it has no forward of its own."""

    def __init__(self, modules: Mapping[str, Module] | None = None):
        super().__init__()
        self.update(modules or {})

    def update(self, modules: Mapping[str, Module]) -> None:
        for name, m in modules.items():
            self[name] = m

    def __setitem__(self, name: str, module: Module) -> None:
        if hasattr(type(self), name) or name in ("training", "_modules"):
            raise ValueError(f"{type(self).__name__}: the name {name!r} is taken by an attribute of the class; choose another")
        self.register_module(name, module)

    def __getitem__(self, name: str) -> Module:
        if name not in self._modules:
            raise KeyError(name)
        return self.__dict__[name]

    def __delitem__(self, name: str) -> None:
        delattr(self, name)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._modules))

    def __contains__(self, name: object) -> bool:
        return name in self._modules

    def keys(self) -> Iterator[str]:
        return iter(self)

    def values(self) -> Iterator[Module]:
        return (self[name] for name in self)

    def items(self) -> Iterator[tuple[str, Module]]:
        return ((name, self[name]) for name in self)


class ParameterList(Module):
    """A list whose parameters are registered."""

    def __init__(self, parameters: Iterable[Any] = ()):
        super().__init__()
        for p in parameters:
            self.append(p)

    def append(self, p: Any) -> "ParameterList":
        self.register_parameter(str(len(self)), p if isinstance(p, Parameter) else Parameter(p))
        return self

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[Parameter]:
        return (self.__dict__[name] for name in tuple(self._parameters))

    def __getitem__(self, i: int) -> Parameter:
        return list(self)[i]


class Identity(Module):
    """Returns its input; any arguments to its constructor are ignored, so that it can stand in for a layer."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__()

    def forward(self, x: Any) -> Any:
        return x


class Lambda(Module):
    """A function as a module."""

    def __init__(self, f: Callable):
        super().__init__()
        self.f = f

    def forward(self, *args: Any) -> Any:
        return self.f(*args)

    def extra_repr(self) -> str:
        return getattr(self.f, "__name__", repr(self.f))


class Flatten(Module):
    """Joins the axes from ``start_dim`` to ``end_dim`` into one; by default all but the batch.

    Shapes: x (N, ...); y (N, product of the rest).
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1):
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Any) -> Any:
        n = len(x.shape)
        start, end = self.start_dim % max(n, 1), self.end_dim % max(n, 1)
        size = 1
        for length in x.shape[start : end + 1]:
            size *= length
        return reshape(x, (*x.shape[:start], size, *x.shape[end + 1 :]))

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Splits the axis ``dim`` into the lengths ``unflattened_size``; one may be -1."""

    def __init__(self, dim: int, unflattened_size: tuple[int, ...]):
        super().__init__()
        self.dim, self.unflattened_size = dim, tuple(unflattened_size)

    def forward(self, x: Any) -> Any:
        d = self.dim % len(x.shape)
        sizes, length = list(self.unflattened_size), x.shape[d]
        if -1 in sizes:
            known = 1
            for s in sizes:
                known *= s if s != -1 else 1
            sizes[sizes.index(-1)] = length // known if known else 0
        return reshape(x, (*x.shape[:d], *sizes, *x.shape[d + 1 :]))

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


__all__ = ["Flatten", "Identity", "Lambda", "ModuleDict", "ModuleList", "ParameterList", "Sequential", "Unflatten"]
