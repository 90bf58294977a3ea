"""Pruning: masks that hold entries of a weight at zero, as lottery tickets need them.

A pruned ``weight`` is ``weight_orig * weight_mask``: a parameter, which is trained on, and a buffer of ones and zeros.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ...autograd import Tensor
from ...autograd.node import stamp
from ...backend import device_of, generator, to_device
from ...errors import ShapeError
from ..module import Module
from ..parameter import Buffer, Parameter
from .properties import compute, names, restore


def _masked(name: str) -> property:
    def get(self: Any) -> Tensor:
        return getattr(self, f"{name}_orig") * getattr(self, f"{name}_mask")

    return property(get, doc=f"{name}_orig * {name}_mask")


def is_pruned(module: Module, name: str | None = None) -> bool:
    """Whether this tensor of a module is pruned; without a name, whether any is, here or in a module inside.

    Example:
        >>> from minigrad import nn
        >>> nn.utils.prune.is_pruned(nn.utils.prune.l1_unstructured(nn.Linear(2, 2), "weight", 1))
        True
    """
    if name is not None:
        return name in names(module, _masked)
    return any(names(m, _masked) for m in module.modules())


def custom_from_mask(module: Module, name: str, mask: Any) -> Module:
    """Hold the entries of a parameter at zero where ``mask`` is 0, besides those that are held already; returns the module.

    Args:
        module: the module.
        name: which of its parameters.
        mask: ones and zeros, of the parameter's shape.

    Raises:
        AttributeError: there is no such parameter.
        ShapeError: the mask has another shape.

    Example:
        >>> from minigrad import nn
        >>> layer = nn.utils.prune.custom_from_mask(nn.Linear(2, 1, init=nn.init.Ones()), "weight", [[1, 0]])
        >>> layer.weight.tolist(), list(layer.state_dict())
        ([[1.0, 0.0]], ['bias', 'weight_orig', 'weight_mask'])
    """
    p, old = _parts("custom_from_mask", module, name)
    new = np.asarray(to_device(mask.data, "cpu") if isinstance(mask, Tensor) else mask) != 0
    if new.shape != p.shape:
        raise ShapeError(f"custom_from_mask: the mask has shape {new.shape}, {name!r} has {p.shape}")
    kept = to_device((old & new).astype(p.dtype), device_of(p.data))
    if is_pruned(module, name):
        there: Tensor = getattr(module, f"{name}_mask")
        there.data[...] = kept
        stamp(there.data, "prune")
        return module
    compute(module, name, _masked)
    module.register_parameter(f"{name}_orig", p)
    module.register_buffer(f"{name}_mask", Buffer(kept))
    return module


def _parts(who: str, module: Module, name: str) -> tuple[Parameter, np.ndarray]:
    """The parameter behind a name, and where it is not pruned yet."""
    if is_pruned(module, name):
        return getattr(module, f"{name}_orig"), to_device(getattr(module, f"{name}_mask").data, "cpu") != 0
    p = module.__dict__.get(name)
    if not isinstance(p, Parameter):
        raise AttributeError(f"{who}: {type(module).__name__} has no parameter {name!r}; it has {list(module.__dict__['_parameters'])}")
    return p, np.ones(p.shape, bool)


def _drop_lowest(who: str, places: Sequence[tuple[Module, str]], amount: float, scores: Sequence[Any] | None) -> None:
    """Prune those entries of all places together whose scores are lowest; ``amount`` counts, or is a share of, those that are left."""
    if not places:
        raise ValueError(f"{who}: got no parameters")
    found = [_parts(who, module, name) for module, name in places]
    if scores is None:
        scores = [p for p, _ in found]
    values = [np.abs(to_device(s.data, "cpu") if isinstance(s, Tensor) else np.asarray(s)) for s in scores]
    for v, (p, _) in zip(values, found, strict=True):
        if v.shape != p.shape:
            raise ShapeError(f"{who}: importance scores of shape {v.shape}, expected {p.shape}")
    left = np.concatenate([mask.reshape(-1) for _, mask in found])
    flat = np.concatenate([v.reshape(-1) for v in values])[left]
    n = _how_many(who, amount, flat.size)
    left[np.flatnonzero(left)[np.argsort(flat, kind="stable")[:n]]] = False
    start = 0
    for (module, name), (p, _) in zip(places, found, strict=True):
        custom_from_mask(module, name, left[start : start + p.size].reshape(p.shape))
        start += p.size


def _how_many(who: str, amount: Any, size: int) -> int:
    whole = hasattr(amount, "__index__") and not isinstance(amount, bool)
    if not (0 <= amount <= size if whole else isinstance(amount, float) and 0 <= amount <= 1):
        raise ValueError(f"{who}: amount must be an integer up to the {size} entries left, or a float in [0, 1], got {amount!r}")
    return amount.__index__() if whole else round(amount * size)


def l1_unstructured(module: Module, name: str, amount: float, importance_scores: Any = None) -> Module:
    """Prune the entries of a parameter with the lowest absolute values; returns the module.

    Args:
        module: the module.
        name: which of its parameters.
        amount: how many of the entries that are not pruned yet: an integer, or a float, their share.
        importance_scores: what to rank by instead of the values.

    Raises:
        AttributeError: there is no such parameter.
        ValueError: an amount that makes no sense.
        ShapeError: scores of another shape.

    Source:
        Han et al., "Learning both weights and connections for efficient neural networks", 2015; in rounds, with the weights rewound in
        between: Frankle and Carbin, "The lottery ticket hypothesis", 2019.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> layer = nn.Linear(4, 1)
        >>> _ = nn.init.constant_(layer.weight, 1.0); layer.weight.data[0, 2] = 0.1
        >>> nn.utils.prune.l1_unstructured(layer, "weight", 0.25).weight.tolist()
        [[1.0, 1.0, 0.0, 1.0]]
    """
    _drop_lowest("l1_unstructured", [(module, name)], amount, None if importance_scores is None else [importance_scores])
    return module


def random_unstructured(module: Module, name: str, amount: float) -> Module:
    """Prune entries of a parameter at random; returns the module. Args, Raises: as ``l1_unstructured``.

    Example:
        >>> from minigrad import nn
        >>> layer = nn.utils.prune.random_unstructured(nn.Linear(4, 4), "weight", 0.5)
        >>> int(layer.weight_mask.sum().item())
        8
    """
    p, _ = _parts("random_unstructured", module, name)
    _drop_lowest("random_unstructured", [(module, name)], amount, [generator().rng.random(p.shape)])
    return module


def global_unstructured(parameters: Iterable[tuple[Module, str]], amount: float, importance_scores: Sequence[Any] | None = None) -> None:
    """Prune the entries with the lowest absolute values of several parameters taken together.

    Args:
        parameters: (module, name) pairs.
        amount: how many of all entries that are not pruned yet: an integer, or a float, their share.
        importance_scores: what to rank by instead of the values, one for each pair.

    Raises: as ``l1_unstructured``; nothing is pruned then.

    Example:
        >>> from minigrad import nn
        >>> net = nn.Sequential(nn.Linear(2, 2, init=nn.init.Constant(0.1)), nn.Linear(2, 2, init=nn.init.Constant(1.0)))
        >>> nn.utils.prune.global_unstructured([(net[0], "weight"), (net[1], "weight")], 0.5)
        >>> [int(layer.weight_mask.sum().item()) for layer in net]
        [0, 4]
    """
    _drop_lowest("global_unstructured", list(parameters), amount, importance_scores)


def remove(module: Module, name: str) -> Module:
    """Make a pruned parameter an ordinary one again, its entries zero where they were pruned; returns the module.

    Raises:
        ValueError: it is not pruned.

    Example:
        >>> from minigrad import nn
        >>> nn.utils.prune.remove(nn.utils.prune.l1_unstructured(nn.Linear(2, 2), "weight", 1), "weight")
        Linear(in_features=2, out_features=2, bias=True)
    """
    if not is_pruned(module, name):
        raise ValueError(f"remove: {name!r} of {type(module).__name__} is not pruned")
    p, mask = getattr(module, f"{name}_orig"), getattr(module, f"{name}_mask")
    p.data *= mask.data
    stamp(p.data, "prune")
    restore(module, name)
    delattr(module, f"{name}_orig")
    delattr(module, f"{name}_mask")
    module.register_parameter(name, p)
    return module


__all__ = [
    "custom_from_mask",
    "global_unstructured",
    "is_pruned",
    "l1_unstructured",
    "random_unstructured",
    "remove",
]
