"""Parametrizations: a parameter that is computed from others each time it is used, so that it keeps a form while they are trained freely.

A module with parametrized tensors takes a class of its own, in which they are properties; what they are computed from lies in
``module.parametrizations``.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ...autograd import Tensor, no_grad
from ...autograd.node import stamp
from ...errors import DTypeError, GraphError, ShapeError
from ..container import ModuleDict, ModuleList
from ..module import Module
from ..parameter import Buffer, Parameter
from .properties import compute, names, plan, restore

_local = threading.local()


@contextmanager
def cached() -> Iterator[None]:
    """Within this block each parametrized tensor is computed once, at its first use: for modules that use theirs many times.

    Example:
        >>> from minigrad import nn
        >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))
        >>> with nn.utils.parametrize.cached():
        ...     layer.weight is layer.weight
        True
        >>> layer.weight is layer.weight
        False
    """
    outer = getattr(_local, "values", None)
    _local.values = {} if outer is None else outer
    try:
        yield
    finally:
        _local.values = outer


class ParametrizationList(ModuleList):
    """The parametrizations of one tensor, applied one after the other, and the parameters that they start from.

    Those are called ``original``, or ``original0``, ``original1``, ... where the last ``right_inverse`` gives several.

    Args:
        modules: the parametrizations, the first to be applied first.
        original: the tensor as it is before.
        unsafe: whether they may change shape and dtype, and are not tried out.

    Example:
        >>> from minigrad import nn
        >>> from minigrad.nn.utils import parametrize
        >>> class Positive(nn.Module):
        ...     def forward(self, w):
        ...         return w.exp()
        >>> layer = parametrize.register_parametrization(nn.Linear(2, 1), "weight", Positive())
        >>> layer.parametrizations.weight
        ParametrizationList(
          (0): Positive()
        )
        >>> layer.parametrizations.weight.original.shape
        (1, 2)
    """

    def __init__(self, modules: Any, original: Tensor, unsafe: bool = False):
        super().__init__(modules)
        self.unsafe = unsafe
        before = original.data.copy()
        try:
            self._start(original)
        except BaseException:
            _write(original, before)
            raise

    def _start(self, original: Tensor) -> None:
        value = self._inverse(original)
        self.is_tensor = isinstance(value, Tensor)
        self.ntensors = 1 if self.is_tensor else len(value)
        for name, v in zip(self._originals(), [value] if self.is_tensor else value, strict=True):
            self._keep(name, original, v)
        if not self.unsafe:
            with no_grad():
                _same(self(), original, "parametrization")

    def _originals(self) -> list[str]:
        return ["original"] if self.is_tensor else [f"original{i}" for i in range(self.ntensors)]

    def _inverse(self, value: Any) -> Any:
        """What the parametrizations would make ``value`` of."""
        with no_grad():
            for m in [*self][::-1]:
                if not hasattr(m, "right_inverse"):
                    break
                value = m.right_inverse(value)
        if not isinstance(value, Tensor) and not (isinstance(value, (tuple, list)) and all(isinstance(v, Tensor) for v in value)):
            raise DTypeError(f"parametrize: right_inverse must return a Tensor or a tuple of them, got {type(value).__name__}")
        return value

    def _keep(self, name: str, like: Tensor, value: Tensor) -> None:
        """Register ``value`` as what ``like`` is: the same object if it fits, so that an optimizer made before still knows it."""
        if self.is_tensor and value.shape == like.shape and value.dtype == like.dtype:
            if value is not like:
                _write(like, value.data)
            kept = like
        elif isinstance(like, Parameter):
            kept = Parameter(value.data, like.requires_grad)
        else:
            kept = Buffer(value.data)
        (self.register_parameter if isinstance(kept, Parameter) else self.register_buffer)(name, kept)  # type: ignore[arg-type]

    def forward(self) -> Tensor:
        first, *others = self
        y = first(*[getattr(self, name) for name in self._originals()])
        for m in others:
            y = m(y)
        return y

    def right_inverse(self, value: Tensor) -> None:
        """Set the originals so that the parametrized tensor becomes ``value``.

        Raises:
            GraphError: a parametrization has no ``right_inverse``.
            ShapeError, DTypeError: what it gives is not like the originals; nothing is written then.
        """
        for m in self:
            if not hasattr(m, "right_inverse"):
                raise GraphError(f"parametrize: {type(m).__name__} has no right_inverse, so the tensor cannot be assigned to")
        found = self._inverse(value)
        old, new = [getattr(self, n) for n in self._originals()], [found] if isinstance(found, Tensor) else list(found)
        if len(old) != len(new):
            raise ShapeError(f"parametrize: right_inverse gave {len(new)} tensors, expected {len(old)}")
        for a, b in zip(old, new, strict=True):
            _same(b, a, "right_inverse")
        for a, b in zip(old, new, strict=True):
            _write(a, b.data)


def _write(t: Tensor, values: Any) -> None:
    t.data[...] = values
    stamp(t.data, "right_inverse")


def _same(y: Any, x: Tensor, who: str) -> None:
    if not isinstance(y, Tensor):
        raise DTypeError(f"parametrize: the {who} must return a Tensor, got {type(y).__name__}")
    if y.shape != x.shape:
        raise ShapeError(f"parametrize: the {who} made shape {y.shape} of {x.shape}; pass unsafe=True if that is meant")
    if y.dtype != x.dtype:
        raise DTypeError(f"parametrize: the {who} made {y.dtype} of {x.dtype}; pass unsafe=True if that is meant")


# -- the functions ----------------------------------------------------------------------------------------------------
def _property(name: str) -> property:
    def get(self: Any) -> Tensor:
        values, how = getattr(_local, "values", None), self.parametrizations[name]
        if values is None:
            return how()
        if id(how) not in values:
            values[id(how)] = (how(), how)  # which also keeps the id from being used again
        return values[id(how)][0]

    def set_(self: Any, value: Any) -> None:
        if not isinstance(value, Tensor):
            raise DTypeError(f"{type(self).__name__}.{name}: expected a Tensor for a parametrized tensor, got {type(value).__name__}")
        self.parametrizations[name].right_inverse(value)

    return property(get, set_, doc=f"{name}, computed from self.parametrizations.{name}")


def register_parametrization(module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False) -> Module:
    """Let a tensor of ``module`` be ``parametrization(original)`` from now on; returns the module.

    A parametrization may have ``right_inverse(value)``, which gives the original for a value, so that the tensor keeps its values and
    can be assigned to; for one with several originals, ``forward(original0, original1, ...)``, it gives a tuple. On a tensor that is
    parametrized already, the new one is applied last.

    Args:
        module: the module.
        tensor_name: the name of a parameter or buffer.
        parametrization: a module that keeps shape and dtype.
        unsafe: allow it to change them, and do not try it out.

    Raises:
        AttributeError: the module has no such tensor.
        DTypeError: the parametrization is no Module, or changes the dtype.
        ShapeError: it changes the shape.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> class Symmetric(nn.Module):
        ...     def forward(self, x):
        ...         return mg.triu(x) + mg.triu(x, 1).mT
        >>> layer = nn.utils.parametrize.register_parametrization(nn.Linear(3, 3), "weight", Symmetric())
        >>> bool((layer.weight == layer.weight.mT).all()), list(layer.state_dict())
        (True, ['bias', 'parametrizations.weight.original'])
    """
    who = f"register_parametrization: {type(module).__name__}"
    if not isinstance(parametrization, Module):
        raise DTypeError(f"register_parametrization: expected a Module as parametrization, got {type(parametrization).__name__}")
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        _append(module.parametrizations[tensor_name], parametrization, unsafe)
        return module
    kind = next((k for k in ("_parameters", "_buffers") if tensor_name in module.__dict__[k]), None)
    original = module.__dict__.get(tensor_name)
    if kind is None or original is None:
        has = [*module.__dict__["_parameters"], *module.__dict__["_buffers"]]
        raise AttributeError(f"{who} has no parameter or buffer {tensor_name!r}; it has {has}")
    how = ParametrizationList([parametrization], original, unsafe)
    how.train(module.training)
    if not is_parametrized(module):
        module.register_module("parametrizations", ModuleDict())
    module.parametrizations[tensor_name] = how
    compute(module, tensor_name, _property)
    return module


def _append(how: ParametrizationList, parametrization: Module, unsafe: bool) -> None:
    if not unsafe and not how.unsafe:
        with no_grad():
            before = how()
            _same(after := parametrization(before), before, "parametrization")
            if hasattr(parametrization, "right_inverse"):
                _same(parametrization.right_inverse(after), before, "right_inverse")
    how.append(parametrization)
    how.unsafe = how.unsafe or unsafe


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether this tensor of a module is parametrized; without a name, whether any is.

    Example:
        >>> from minigrad import nn
        >>> nn.utils.parametrize.is_parametrized(nn.utils.parametrizations.weight_norm(nn.Linear(2, 2)), "weight")
        True
    """
    known = names(module, _property)
    return bool(known) if tensor_name is None else tensor_name in known


def remove_parametrizations(module: Module, tensor_name: str, leave_parametrized: bool = True) -> Module:
    """Make a parametrized tensor an ordinary one again; returns the module.

    Args:
        module: the module.
        tensor_name: the name of the tensor.
        leave_parametrized: with the values that the parametrization gives now; False: with the original ones.

    Raises:
        ValueError: the tensor is not parametrized, or has several originals and is to get them back.

    Example:
        >>> from minigrad import nn
        >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))
        >>> nn.utils.parametrize.remove_parametrizations(layer, "weight")
        Linear(in_features=2, out_features=2, bias=True)
    """
    known = names(module, _property)
    if tensor_name not in known:
        raise ValueError(f"remove_parametrizations: {type(module).__name__} has no parametrized {tensor_name!r}; it has {known}")
    how: ParametrizationList = module.parametrizations[tensor_name]
    if not leave_parametrized and not how.is_tensor:
        raise ValueError(
            f"remove_parametrizations: {tensor_name!r} has {how.ntensors} originals, none of which can take its place; "
            "use leave_parametrized=True"
        )
    first = getattr(how, how._originals()[0])
    if leave_parametrized:
        with no_grad():
            value = how()
        if how.is_tensor and value.shape == first.shape and value.dtype == first.dtype:
            _write(first, value.data)
        else:
            wanted = any(p.requires_grad for p in how.parameters(False))
            first = Parameter(value.data, wanted) if isinstance(first, Parameter) else Buffer(value.data)
    restore(module, tensor_name)
    del module.parametrizations[tensor_name]
    if not is_parametrized(module):
        del module.parametrizations
    (module.register_parameter if isinstance(first, Parameter) else module.register_buffer)(tensor_name, first)
    return module


def type_before_parametrizations(module: Module) -> type:
    """The class that a module had before its tensors were parametrized.

    Example:
        >>> from minigrad import nn
        >>> nn.utils.parametrize.type_before_parametrizations(nn.Linear(2, 2)).__name__
        'Linear'
    """
    return plan(module)[0]


__all__ = [
    "ParametrizationList",
    "cached",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "type_before_parametrizations",
]
