"""Optimizer: the groups of parameters, their state, and the loop that every method shares."""

from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from typing import Any

from ..autograd import Tensor, enable_grad
from ..autograd.node import stamp
from ..autograd.tensor import as_data, wrap
from ..backend import device_of, is_inexact, to_device, working_dtype
from ..backend.arrays import namespace
from ..errors import CheckpointError, DTypeError


class Optimizer:
    """The base of all optimizers. A method is one function, ``update(p, g, state, group)``, on raw arrays.

    Args:
        params: parameters, or (name, parameter) pairs as ``model.named_parameters()`` gives them, or dicts ``{"params": ..., "lr": ...}``
            with settings of their own. With names, the saved state is keyed by name, else by position.
        defaults: the settings of groups that do not give their own.

    Raises:
        ValueError: no parameters, one that occurs twice, one that was computed, or a setting that makes no sense.
        DTypeError: something that is not a Tensor.
    """

    def __init__(self, params: Any, defaults: dict[str, Any]):
        self.defaults = defaults
        self.state: dict[Tensor, dict[str, Any]] = {}
        self.param_groups: list[dict[str, Any]] = []
        self._owner = type(self).__name__
        if isinstance(params, (Tensor, Mapping)):
            raise DTypeError(f"{self._owner}: params must be an iterable of parameters or groups, got {type(params).__name__}")
        groups = list(params)
        if not groups:
            raise ValueError(f"{self._owner}: got no parameters; was the generator used before?")
        for group in groups if isinstance(groups[0], Mapping) else [{"params": groups}]:
            self.add_param_group(group)

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Add parameters with settings of their own; what is not given is the default."""
        group = dict(group)
        many = group["params"]
        items = [many] if isinstance(many, Tensor) else list(many)
        if not items:
            raise ValueError(f"{self._owner}: a group has no parameters")
        pairs = [i if isinstance(i, tuple) else (None, i) for i in items]
        known = {id(p) for g in self.param_groups for p in g["params"]}
        for i, (name, p) in enumerate(pairs):
            what = f"parameter {i if name is None else name!r}"
            if not isinstance(p, Tensor):
                raise DTypeError(f"{self._owner}: {what} is a {type(p).__name__}, expected a Tensor")
            if not p.is_leaf:
                raise ValueError(f"{self._owner}: {what} of shape {p.shape} was computed by {p.node.name}; only leaves can be optimized")  # type: ignore[union-attr]
            if not is_inexact(p.dtype):
                raise DTypeError(f"{self._owner}: {what} is {p.dtype}; only floating parameters can be optimized")
            if id(p) in known:
                raise ValueError(f"{self._owner}: {what} of shape {p.shape} occurs twice; it would be updated twice a step")
            known.add(id(p))
        names = [n for n, _ in pairs]
        if any(n is None for n in names) != all(n is None for n in names):
            raise ValueError(f"{self._owner}: name all parameters of a group or none")
        if names[0] is not None:
            taken = [n for g in self.param_groups for n in g.get("param_names", ())] + names
            if len(set(taken)) != len(taken):
                raise ValueError(f"{self._owner}: two parameters have the same name")
            group["param_names"] = names
        group["params"] = [p for _, p in pairs]
        unknown = set(group) - set(self.defaults) - {"params", "param_names", "initial_lr"}
        if unknown:
            raise ValueError(f"{self._owner}: unknown settings {sorted(unknown)}; it knows {sorted(self.defaults)}")
        for key, value in self.defaults.items():
            group.setdefault(key, value)
        self.check(group)
        self.param_groups.append(group)

    def check(self, group: dict[str, Any]) -> None:
        """Raise ValueError for settings that make no sense."""
        for key in ("lr", "weight_decay", "eps", "momentum"):
            if key in group and not (isfinite(group[key]) and group[key] >= 0):
                raise ValueError(f"{self._owner}: {key} must be a finite number >= 0, got {group[key]}")
            if key in group:
                group[key] = float(group[key])  # a NumPy scalar would widen float32 arrays
        for beta in group.get("betas", ()):
            if not 0 <= beta < 1:
                raise ValueError(f"{self._owner}: betas must be in [0, 1), got {group['betas']}")

    # -- stepping -----------------------------------------------------------------------------------------------------
    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Change the array ``p`` in place, given its gradient ``g``, which must not be changed. ``state`` starts empty."""
        raise NotImplementedError(f"{self._owner}: define update(p, g, state, group)")

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient; others and their state stay as they are.

        Args:
            closure: computes the loss and its gradients again; called first, and what it returns is returned.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        by = f"{self._owner}.step"
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                data, g = p.data, p.grad.data
                wide = working_dtype(data.dtype)
                if wide == data.dtype:
                    self.update(data, g, self.state.setdefault(p, {}), group)
                else:  # half precision is updated in float32, where small steps survive until they are rounded
                    a = data.astype(wide)
                    self.update(a, g.astype(wide), self.state.setdefault(p, {}), group)
                    data[...] = a
                stamp(data, by)
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients of all parameters, or fill them with zeros."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                p.grad = None if set_to_none else wrap(namespace(type(p.data)).zeros_like(p.data), None)

    # -- state --------------------------------------------------------------------------------------------------------
    def _keys(self) -> list[tuple[Any, Tensor]]:
        """What each parameter is called in a saved state: its name, or its position among all."""
        named: list[tuple[Any, Tensor]] = []
        for group in self.param_groups:
            names = group.get("param_names") or range(len(named), len(named) + len(group["params"]))
            named += zip(names, group["params"], strict=True)
        return named

    def state_dict(self) -> dict[str, Any]:
        """The settings, and each parameter's state, by name or position; copied, so that later steps do not change it."""
        state = {}
        for key, p in self._keys():
            if self.state.get(p):
                state[key] = {k: wrap(v.copy(), None) if hasattr(v, "dtype") else v for k, v in self.state[p].items()}
        names = iter([key for key, _ in self._keys()])
        groups = [
            {k: v for k, v in group.items() if k not in ("params", "param_names")} | {"params": [next(names) for _ in group["params"]]}
            for group in self.param_groups
        ]
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over settings and state: all, or nothing if they do not fit.

        Raises:
            CheckpointError: other groups, other parameters, or arrays of other shapes.
        """
        saved, mine = list(state_dict["param_groups"]), self._keys()
        sizes, expected = [len(g["params"]) for g in saved], [len(g["params"]) for g in self.param_groups]
        if sizes != expected:
            raise CheckpointError(f"{self._owner}.load_state_dict: groups of {sizes} parameters, expected {expected}")
        theirs = [k for g in saved for k in g["params"]]
        by_name = all(isinstance(k, str) for k in theirs) and all(isinstance(k, str) for k, _ in mine)
        if by_name and set(theirs) != {k for k, _ in mine}:
            raise CheckpointError(f"{self._owner}.load_state_dict: other parameters: {sorted(set(theirs) ^ {k for k, _ in mine})}")
        fresh: dict[Tensor, dict[str, Any]] = {}
        for (name, p), other in zip(mine, theirs, strict=True):
            entries = state_dict["state"].get(name if by_name else other)
            if entries is None:
                continue
            own = fresh[p] = {}
            for k, v in entries.items():
                if hasattr(v, "shape") and v.shape:
                    if tuple(v.shape) != p.shape:
                        raise CheckpointError(
                            f"{self._owner}.load_state_dict: {k} of {name!r} has shape {tuple(v.shape)}, expected {p.shape}"
                        )
                    own[k] = to_device(as_data(v, copy=True), device_of(p.data))
                elif hasattr(v, "shape"):
                    own[k] = v.item() if k == "step" or p.shape != () else to_device(as_data(v, copy=True), device_of(p.data))
                else:
                    own[k] = v
        settings = [{k: v for k, v in g.items() if k in self.defaults or k == "initial_lr"} for g in saved]
        for group in settings:
            self.check(group)
        self.state = fresh
        for group, new in zip(self.param_groups, settings, strict=True):
            group.update(new)

    def __repr__(self) -> str:
        lines = []
        for i, group in enumerate(self.param_groups):
            settings = ", ".join(f"{k}={v}" for k, v in group.items() if k not in ("params", "param_names"))
            lines.append(f"  group {i}: {len(group['params'])} parameters, {settings}")
        return "\n".join([f"{self._owner}(", *lines, ")"])


def directed(p: Any, g: Any, group: dict[str, Any], decay: bool = True) -> Any:
    """The gradient to follow down: turned round to maximize, with the decay lambda p added."""
    if group["maximize"]:
        g = -g
    if decay and group["weight_decay"]:
        g = g + group["weight_decay"] * p
    return g


def descend(p: Any, rate: float, g: Any, block: int = 1 << 16) -> None:
    """``p -= rate * g``, a block at a time where memory allows it, so that the product needs no array of its own size."""
    if p.size <= block or not (p.flags.c_contiguous and g.flags.c_contiguous):
        p -= rate * g
        return
    here, slope = p.reshape(-1), g.reshape(-1)
    for i in range(0, here.size, block):
        here[i : i + block] -= rate * slope[i : i + block]


Params = Iterable[Any]
__all__ = ["Optimizer"]
