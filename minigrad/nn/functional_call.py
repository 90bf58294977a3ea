"""A module as a function of its parameters."""

from collections.abc import Iterator, Mapping
from typing import Any

from ..autograd import Tensor
from ..autograd.tensor import as_data, wrap
from .module import Module


def functional_call(
    module: Module,
    parameter_and_buffer_dicts: Any,
    args: Any = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Call ``module`` with other parameters and buffers than its own, which come back even if the call fails.

    Args:
        module: what to call.
        parameter_and_buffer_dicts: values by dotted name, or several such dicts. They may be computed: gradients reach whatever they
            were computed from, as for weights that another network gives, or for a step of an optimizer inside a loss.
        args: the positional arguments, as a tuple; one Tensor alone is one argument.
        kwargs: the keyword arguments.
        tie_weights: a value for one name of a shared tensor is used under its other names too.
        strict: every parameter and buffer must be given.

    Raises:
        AttributeError: a name that is no parameter or buffer, or with ``strict`` one that is missing.
        ValueError: a name in two of the dicts, or two values for one shared tensor.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> layer = nn.Linear(1, 1, bias=False)
        >>> w = mg.tensor([[3.0]], requires_grad=True)
        >>> y = nn.functional_call(layer, {"weight": w * w}, mg.tensor([[2.0]]))
        >>> y.sum().backward(); y.tolist(), w.grad.tolist()
        ([[18.0]], [[12.0]])
    """
    given = _joined(parameter_and_buffer_dicts)
    places = {name: (m, attribute, t) for name, m, attribute, t in _places(module)}
    unknown = [name for name in given if name not in places]
    if unknown:
        raise AttributeError(
            f"functional_call: {type(module).__name__} has no parameter or buffer {', '.join(map(repr, unknown))}; it has {list(places)}"
        )
    values = {name: v if isinstance(v, Tensor) else wrap(as_data(v), None) for name, v in given.items()}
    if tie_weights:
        values = _tied(values, places)
    if strict and (missing := [name for name in places if name not in values]):
        raise AttributeError(f"functional_call: missing {', '.join(missing)}; give them, or call without strict")
    try:
        for name, v in values.items():
            m, attribute, _ = places[name]
            m.__dict__[attribute] = v
        return module(*(args if isinstance(args, tuple) else (args,)), **(kwargs or {}))
    finally:
        for name in values:
            m, attribute, t = places[name]
            m.__dict__[attribute] = t


def _joined(dicts: Any) -> dict[str, Any]:
    many = [dicts] if isinstance(dicts, Mapping) else list(dicts)
    out: dict[str, Any] = {}
    for d in many:
        twice = [name for name in d if name in out]
        if twice:
            raise ValueError(f"functional_call: {', '.join(map(repr, twice))} is given in two of the dicts")
        out.update(d)
    return out


def _places(module: Module) -> Iterator[tuple[str, Module, str, Tensor]]:
    """Every name of every parameter and buffer, the module it lies in, what it is called there, and the tensor."""
    for path, m in module.named_modules(remove_duplicate=False):
        for kind in ("_parameters", "_buffers"):
            for attribute, t in m._own(kind):
                yield f"{path}.{attribute}" if path else attribute, m, attribute, t


def _tied(values: dict[str, Tensor], places: dict[str, tuple]) -> dict[str, Tensor]:
    """The values under all names of the tensors that they stand for."""
    chosen: dict[int, Tensor] = {}
    for name, v in values.items():
        t = places[name][2]
        if chosen.setdefault(id(t), v) is not v:
            raise ValueError(f"functional_call: {name!r} shares its tensor with another name, for which another value was given")
    return {name: chosen[id(t)] for name, (_, _, t) in places.items() if id(t) in chosen}


__all__ = ["functional_call"]
