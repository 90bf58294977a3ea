"""What a module consists of: parameters, buffers and modules are registered when they are assigned, and found again by name."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ...autograd import Tensor
from ...errors import DTypeError
from ..parameter import Buffer, Parameter

if TYPE_CHECKING:
    from .module import Module

KINDS = ("_parameters", "_buffers", "_modules")


class Registry:
    """The parts of a module.

    The values of registered names lie in the object like any attribute; ``_parameters``, ``_buffers`` and ``_modules`` only say, in
    order of assignment, which names are what.
    """

    _transient: set[str]

    def __init__(self) -> None:
        for kind in KINDS:
            self.__dict__[kind] = {}
        self.__dict__["_transient"] = set()

    # -- registering --------------------------------------------------------------------------------------------------
    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Parameter):
            self.register_parameter(name, value)
        elif isinstance(value, Registry):
            self.register_module(name, value)  # type: ignore[arg-type]
        elif isinstance(value, Buffer):
            self.register_buffer(name, value, value.persistent)
        else:
            self._check_plain(name, value)
            object.__setattr__(self, name, value)

    def _check_plain(self, name: str, value: Any) -> None:
        """Refuse a value that would silently take the place of something registered."""
        known = self.__dict__
        if value is None or "_modules" not in known:
            return
        if name in known["_parameters"]:
            raise DTypeError(
                f"{type(self).__name__}.{name}: expected a Parameter or None, got {type(value).__name__}; wrap it in nn.Parameter(...), "
                f"or delete the parameter first: del module.{name}"
            )
        if name in known["_modules"]:
            raise DTypeError(f"{type(self).__name__}.{name}: expected a Module or None, got {type(value).__name__}")
        if name in known["_buffers"] and not isinstance(value, Tensor):
            raise DTypeError(f"{type(self).__name__}.{name}: expected a Tensor or None for a buffer, got {type(value).__name__}")

    def __getattr__(self, name: str) -> Any:
        # only reached when the attribute is not there
        if "_modules" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__}: {name!r} is not there; call super().__init__() first in __init__")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __delattr__(self, name: str) -> None:
        for kind in KINDS:
            self.__dict__.get(kind, {}).pop(name, None)
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if name.isidentifier()]  # not the 0, 1, 2 of a Sequential

    def _register(self, kind: str, name: str, value: Any) -> None:
        known = self.__dict__
        if "_modules" not in known:
            raise AttributeError(
                f"{type(self).__name__}: cannot assign {type(value).__name__} {name!r} before super().__init__() was called; "
                "call it first in __init__"
            )
        if not isinstance(name, str):
            raise DTypeError(f"{type(self).__name__}: a name must be a string, got {name!r}")
        if not name or "." in name:
            raise ValueError(f"{type(self).__name__}: a name must not be empty or contain a dot, got {name!r}")
        if isinstance(getattr(type(self), name, None), property):  # which would hide what is registered
            raise AttributeError(
                f"{type(self).__name__}.{name} is a property of the class, so a {type(value).__name__} of this name would never be seen; "
                "choose another name, or assign a plain Tensor if the property is a parametrization"
            )
        for other in KINDS:
            if other != kind:
                known[other].pop(name, None)
        known[kind][name] = None
        known[name] = value

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """What ``self.name = param`` does; None keeps the name for a parameter that is not used.

        Raises:
            DTypeError: something that is no Parameter.
            ValueError: the name is empty or contains a dot.
            AttributeError: ``super().__init__()`` was not called, or the name is a property of the class.
        """
        if param is not None and not isinstance(param, Parameter):
            raise DTypeError(f"register_parameter: expected a Parameter or None for {name!r}, got {type(param).__name__}")
        self._register("_parameters", name, param)
        if param is not None and param.name is None:
            param.name = name

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Keep a constant with the module; ``persistent=False`` leaves it out of ``state_dict()``.

        Raises: as ``register_parameter``.
        """
        if tensor is not None and not isinstance(tensor, Tensor):
            raise DTypeError(f"register_buffer: expected a Tensor or None for {name!r}, got {type(tensor).__name__}")
        self._register("_buffers", name, tensor)
        (self._transient.discard if persistent else self._transient.add)(name)

    def register_module(self, name: str, module: "Module | None") -> None:
        """What ``self.name = module`` does.

        Raises:
            ValueError: the module would contain itself, or as for ``register_parameter``.
        """
        if module is not None and not isinstance(module, Registry):
            raise DTypeError(f"register_module: expected a Module or None for {name!r}, got {type(module).__name__}")
        if module is not None and any(m is self for m in module.modules()):
            raise ValueError(f"{type(self).__name__}.{name}: a module cannot contain itself")
        self._register("_modules", name, module)

    add_module = register_module

    # -- finding ------------------------------------------------------------------------------------------------------
    def _own(self, kind: str) -> Iterator[tuple[str, Any]]:
        known = self.__dict__
        for name in known[kind]:
            if known[name] is not None:
                yield name, known[name]

    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        """The modules directly inside this one, with their names; a shared one once."""
        seen = set()
        for name, child in self._own("_modules"):
            if id(child) not in seen:
                seen.add(id(child))
                yield name, child

    def children(self) -> Iterator["Module"]:
        """The modules directly inside this one; a shared one once."""
        return (m for _, m in self.named_children())

    def named_modules(self, memo: set | None = None, prefix: str = "", remove_duplicate: bool = True) -> Iterator[tuple[str, "Module"]]:
        """This module and all inside it, with dotted names, each once.

        Args:
            memo: ids of modules to leave out; those that are found are added to it.
            prefix: what stands before the names.
            remove_duplicate: False: a shared module under each of its names.
        """
        memo = set() if memo is None else memo
        if id(self) in memo:
            return
        if remove_duplicate:
            memo.add(id(self))
        yield prefix, self  # type: ignore[misc]
        for name, child in self._own("_modules"):
            yield from child.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self) -> Iterator["Module"]:
        """This module and all inside it, each once."""
        return (m for _, m in self.named_modules())

    def _named(self, kind: str, prefix: str, recurse: bool, unique: bool) -> Iterator[tuple[str, Any]]:
        seen = set()
        for path, m in self.named_modules(prefix=prefix, remove_duplicate=unique) if recurse else [(prefix, self)]:
            for name, t in m._own(kind):
                if not unique or id(t) not in seen:
                    seen.add(id(t))
                    yield f"{path}.{name}" if path else name, t

    def named_parameters(self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True) -> Iterator[tuple[str, Parameter]]:
        """Every parameter with its dotted name; a shared one once, under its first name.

        Args:
            prefix: what stands before the names.
            recurse: False: only this module's own.
            remove_duplicate: False: a shared one under each of its names.
        """
        return self._named("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Every parameter, a shared one once: what an optimizer takes.

        Example:
            >>> from minigrad import nn
            >>> sum(p.size for p in nn.Linear(3, 2).parameters())
            8
        """
        return (p for _, p in self.named_parameters(recurse=recurse))

    def named_buffers(self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True) -> Iterator[tuple[str, Tensor]]:
        """Every buffer with its dotted name. Args: as ``named_parameters``."""
        return self._named("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Every buffer, a shared one once."""
        return (b for _, b in self.named_buffers(recurse=recurse))

    def get_submodule(self, target: str) -> "Module":
        """The module with this dotted name; the empty name is this module.

        Raises:
            AttributeError: there is none; the message says which part of the name is unknown, and what there is.
        """
        m = self
        for part in target.split(".") if target else ():
            if part not in m.__dict__["_modules"]:
                has = list(m.__dict__["_modules"])
                raise AttributeError(f"get_submodule: {type(m).__name__} has no module {part!r} (of {target!r}); it has {has}")
            m = m.__dict__[part]
        return m  # type: ignore[return-value]

    def _get(self, who: str, kind: str, target: str) -> Any:
        path, _, name = target.rpartition(".")
        m = self.get_submodule(path)
        if name not in m.__dict__[kind]:
            raise AttributeError(f"{who}: {type(m).__name__} has no {kind[1:-1]} {name!r} (of {target!r}); it has {list(m.__dict__[kind])}")
        return m.__dict__[name]

    def get_parameter(self, target: str) -> Parameter:
        """The parameter with this dotted name. Raises: AttributeError, there is none."""
        return self._get("get_parameter", "_parameters", target)

    def get_buffer(self, target: str) -> Tensor:
        """The buffer with this dotted name. Raises: AttributeError, there is none."""
        return self._get("get_buffer", "_buffers", target)


__all__ = ["Registry"]
