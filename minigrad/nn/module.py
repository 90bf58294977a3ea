"""Module: a function with parameters. Assign Parameters, Buffers and Modules as attributes and they are found again."""

from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any, NamedTuple

import numpy as np

from ..autograd import Tensor
from ..autograd.node import Handle, stamp
from ..autograd.tensor import as_data, wrap
from ..backend import Device, device_of, is_inexact, to_device
from ..errors import CheckpointError, DTypeError, MinigradError
from .parameter import Buffer, Parameter, clear_grad, move

_keys = count()
_KINDS = ("_parameters", "_buffers", "_modules")


class IncompatibleKeys(NamedTuple):
    """What ``load_state_dict`` did not find, and what it did not use."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """The base of all layers and models. Subclass it, assign parts in ``__init__``, compute in ``forward``, and call the object.

    The values of registered names lie in the object like any attribute; ``_parameters``, ``_buffers`` and ``_modules`` only say, in
    order of assignment, which names are what.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> class Scale(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.factor = nn.Parameter(2.0)
        ...     def forward(self, x):
        ...         return x * self.factor
        >>> Scale()(mg.tensor([1.0, 2.0])).tolist()
        [2.0, 4.0]
    """

    training: bool = True

    def __init__(self) -> None:
        for kind in _KINDS:
            self.__dict__[kind] = {}
        self.__dict__.update(_transient=set(), _forward_hooks={}, _forward_pre_hooks={}, training=True)

    # -- calling ------------------------------------------------------------------------------------------------------
    def forward(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__}: define forward(self, ...)")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        for pre in tuple(self._forward_pre_hooks.values()):
            changed = pre(self, args)
            if changed is not None:
                args = changed if isinstance(changed, tuple) else (changed,)
        try:
            y = self.forward(*args, **kwargs)
        except MinigradError as error:
            error.add_note(f"in {type(self).__name__}({self.extra_repr()})")
            raise
        for hook in tuple(self._forward_hooks.values()):
            changed = hook(self, args, y)
            if changed is not None:
                y = changed
        return y

    def register_forward_hook(self, hook: Callable) -> Handle:
        """Call ``hook(module, args, output)`` after each forward; what it returns (if not None) replaces the output."""
        return self._hook(self._forward_hooks, hook)

    def register_forward_pre_hook(self, hook: Callable) -> Handle:
        """Call ``hook(module, args)`` before each forward; what it returns (if not None) replaces the arguments."""
        return self._hook(self._forward_pre_hooks, hook)

    @staticmethod
    def _hook(table: dict, hook: Callable) -> Handle:
        key = next(_keys)
        table[key] = hook
        return Handle(table, key)

    # -- registration -------------------------------------------------------------------------------------------------
    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Parameter):
            self.register_parameter(name, value)
        elif isinstance(value, Module):
            self.register_module(name, value)
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
        for kind in _KINDS:
            self.__dict__.get(kind, {}).pop(name, None)
        object.__delattr__(self, name)

    def _register(self, kind: str, name: str, value: Any) -> None:
        known = self.__dict__
        if "_modules" not in known:
            raise AttributeError(
                f"{type(self).__name__}: cannot assign {type(value).__name__} {name!r} before super().__init__() was called; "
                "call it first in __init__"
            )
        if not name or "." in name:
            raise ValueError(f"{type(self).__name__}: a name must not be empty or contain a dot, got {name!r}")
        for other in _KINDS:
            if other != kind:
                known[other].pop(name, None)
        known[kind][name] = None
        known[name] = value

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """What ``self.name = param`` does; None keeps the name for a parameter that is not used."""
        if param is not None and not isinstance(param, Parameter):
            raise DTypeError(f"register_parameter: expected a Parameter or None for {name!r}, got {type(param).__name__}")
        self._register("_parameters", name, param)
        if param is not None and param.name is None:
            param.name = name

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Keep a constant with the module; ``persistent=False`` leaves it out of ``state_dict()``."""
        if tensor is not None and not isinstance(tensor, Tensor):
            raise DTypeError(f"register_buffer: expected a Tensor or None for {name!r}, got {type(tensor).__name__}")
        self._register("_buffers", name, tensor)
        (self._transient.discard if persistent else self._transient.add)(name)

    def register_module(self, name: str, module: "Module | None") -> None:
        """What ``self.name = module`` does.

        Raises:
            ValueError: the module would contain itself.
        """
        if module is not None and not isinstance(module, Module):
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
        return (m for _, m in self.named_children())

    def named_modules(self, memo: set | None = None, prefix: str = "", remove_duplicate: bool = True) -> Iterator[tuple[str, "Module"]]:
        """This module and all inside it, with dotted names, each once."""
        memo = set() if memo is None else memo
        if id(self) in memo:
            return
        if remove_duplicate:
            memo.add(id(self))
        yield prefix, self
        for name, child in self._own("_modules"):
            yield from child.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self) -> Iterator["Module"]:
        return (m for _, m in self.named_modules())

    def _named(self, kind: str, prefix: str, recurse: bool, unique: bool) -> Iterator[tuple[str, Any]]:
        seen = set()
        for path, m in self.named_modules(prefix=prefix, remove_duplicate=unique) if recurse else [(prefix, self)]:
            for name, t in m._own(kind):
                if not unique or id(t) not in seen:
                    seen.add(id(t))
                    yield f"{path}.{name}" if path else name, t

    def named_parameters(self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True) -> Iterator[tuple[str, Parameter]]:
        """Every parameter with its dotted name; a shared one once, under its first name."""
        return self._named("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        return (p for _, p in self.named_parameters(recurse=recurse))

    def named_buffers(self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True) -> Iterator[tuple[str, Tensor]]:
        """Every buffer with its dotted name."""
        return self._named("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        return (b for _, b in self.named_buffers(recurse=recurse))

    def get_submodule(self, target: str) -> "Module":
        """The module with this dotted name; the empty name is this module."""
        m = self
        for part in target.split(".") if target else ():
            if part not in m._modules:
                raise AttributeError(f"get_submodule: {type(m).__name__} has no module {part!r} (of {target!r}); it has {list(m._modules)}")
            m = m.__dict__[part]
        return m

    def _get(self, who: str, kind: str, target: str) -> Any:
        path, _, name = target.rpartition(".")
        m = self.get_submodule(path)
        if name not in m.__dict__[kind]:
            raise AttributeError(f"{who}: {type(m).__name__} has no {kind[1:-1]} {name!r} (of {target!r}); it has {list(m.__dict__[kind])}")
        return m.__dict__[name]

    def get_parameter(self, target: str) -> Parameter:
        """The parameter with this dotted name."""
        return self._get("get_parameter", "_parameters", target)

    def get_buffer(self, target: str) -> Tensor:
        """The buffer with this dotted name."""
        return self._get("get_buffer", "_buffers", target)

    # -- changing -----------------------------------------------------------------------------------------------------
    def apply(self, f: Callable[["Module"], Any]) -> "Module":
        """Call ``f`` with every module inside, children first, and with this one. Returns itself."""
        for child in self.children():
            child.apply(f)
        f(self)
        return self

    def train(self, mode: bool = True) -> "Module":
        """Set training mode, which dropout and normalisation look at. Returns itself."""
        if not isinstance(mode, bool):
            raise ValueError(f"train: expected True or False, got {mode!r}")
        for m in self.modules():
            m.training = mode
        return self

    def eval(self) -> "Module":
        """``train(False)``."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> "Module":
        """Freeze (False) or unfreeze every parameter. Returns itself."""
        for p in self.parameters():
            p.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients of all parameters, or fill them with zeros."""
        for p in self.parameters():
            clear_grad(p, set_to_none)

    def to(self, *where: Any, device: Any = None, dtype: Any = None) -> "Module":
        """Move all parameters and buffers to a device, and cast the floating ones to a dtype. Returns itself.

        The tensors stay the same objects, so an optimizer made before still updates them.
        """
        for w in where:
            if isinstance(w, Device) or (isinstance(w, str) and w.startswith(("cpu", "cuda"))):
                device = w
            else:
                dtype = w
        dtype = None if dtype is None else np.dtype(dtype)
        if dtype is not None and not is_inexact(dtype):
            raise DTypeError(f"to: modules can be cast to floating dtypes, got {dtype}")
        for _, t in [*self.named_parameters(), *self.named_buffers()]:
            move(t, device, dtype)
        return self

    def cpu(self) -> "Module":
        return self.to(device="cpu")

    def cuda(self, index: int = 0) -> "Module":
        return self.to(device=f"cuda:{index}")

    def half(self) -> "Module":
        return self.to(dtype="float16")

    def float(self) -> "Module":
        return self.to(dtype="float32")

    def double(self) -> "Module":
        return self.to(dtype="float64")

    # -- state --------------------------------------------------------------------------------------------------------
    def _state(self, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
        """What is saved, under PyTorch's names and in its order; a shared tensor under each of its names."""
        for name, t in [*self._own("_parameters"), *self._own("_buffers")]:
            if name not in self._transient:
                yield prefix + name, t
        for name, child in self._own("_modules"):
            yield from child._state(f"{prefix}{name}.")

    def state_dict(self) -> dict[str, Tensor]:
        """Parameters and persistent buffers by dotted name: constants, copied, so that later training does not change them."""
        return {name: wrap(t.data.copy(), None) for name, t in self._state()}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> IncompatibleKeys:
        """Copy values into the parameters and buffers: all of them, or none if anything is wrong.

        Args:
            state: Tensors or arrays by name. Floating values are cast to the parameter's dtype; other kinds must match.
            strict: refuse missing and unexpected names; without it they are returned. Shapes and dtypes must always fit.

        Raises:
            CheckpointError: one error that lists everything that does not fit.
        """
        own = dict(self._state())
        found = {name: as_data(v) for name, v in state.items() if name in own}
        here = {id(own[name]) for name in found}
        missing = [n for n, t in own.items() if n not in found and id(t) not in here]  # one name of a shared tensor is enough
        extra = [n for n in state if n not in own]
        problems = [f"missing {n}" for n in missing] + [f"unexpected {n}" for n in extra] if strict else []
        for n, v in found.items():
            t = own[n]
            if tuple(v.shape) != t.shape:
                problems.append(f"{n} has shape {tuple(v.shape)}, expected {t.shape}")
            elif v.dtype != t.dtype and not (
                is_inexact(v.dtype) and is_inexact(t.dtype) and (v.dtype.kind == "c") == (t.dtype.kind == "c")
            ):
                problems.append(f"{n} is {v.dtype}, expected {t.dtype}")
        if problems:
            raise CheckpointError(f"load_state_dict: {type(self).__name__} was not changed:\n  " + "\n  ".join(problems))
        for n, v in found.items():
            t = own[n]
            t.data[...] = to_device(v, device_of(t.data)).astype(t.dtype, copy=False)
            stamp(t.data, "load_state_dict")
        return IncompatibleKeys(missing, extra)

    # -- showing ------------------------------------------------------------------------------------------------------
    def extra_repr(self) -> str:
        """The arguments, as they appear between the brackets of the repr."""
        return ""

    def __repr__(self) -> str:
        extra, lines = self.extra_repr(), []
        for name, child in self._own("_modules"):
            lines.append(f"  ({name}): " + repr(child).replace("\n", "\n  "))
        if not lines:
            return f"{type(self).__name__}({extra})"
        return "\n".join([f"{type(self).__name__}({extra}", *lines, ")"])


__all__ = ["IncompatibleKeys", "Module"]
