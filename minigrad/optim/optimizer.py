"""Optimizer: the groups of parameters, their state, and the loop that every method shares."""

from collections.abc import Callable, Iterable, Mapping
from itertools import count
from math import inf
from typing import Any

import numpy as np

from ..autograd import Tensor, enable_grad
from ..autograd.node import Handle, stamp
from ..autograd.shortage import out_of_memory
from ..autograd.tensor import as_data, wrap
from ..backend import Kernels, device_of, to_device, working_dtype
from ..backend.recording import running
from ..backend.recording.beside import fed, varying
from ..errors import CheckpointError, DTypeError, OutOfMemoryError
from ..nn.parameter import clear_grad
from .interrupt import uninterrupted
from .roster import Roster
from .settings import TRUTHS, check_parameter, truth, two_betas, within
from .storage import Plan, blockwise, slot

_keys = count()


class Optimizer:
    """The base of all optimizers. A method is one function, ``update(p, g, state, group)``, on raw arrays.

    A method that treats every number alike says ``elementwise = True`` and names the ``arrays`` and ``counters`` of its state: then
    small parameters are updated together and large ones in blocks (see storage.py). Any other is given each parameter whole, and may
    put into ``state`` what it likes. An interrupt (Ctrl-C) that comes during the updates takes effect after them.

    Args:
        params: parameters, or (name, parameter) pairs as ``model.named_parameters()`` gives them, or dicts ``{"params": ..., "lr": ...}``
            with settings of their own. With names, the saved state is keyed by name, else by position.
        defaults: the settings of groups that do not give their own.

    Raises:
        ValueError: no parameters, one that occurs twice, was computed or (of a lazy module) has no values yet, a senseless setting.
        DTypeError: something that is not a Tensor, or not floating.

    Numerics:
        Half precision is updated in float32, and the state is kept in it. A step is silent about overflow and the like.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> class Halving(optim.Optimizer):
        ...     def update(self, p, g, state, group):
        ...         p *= 0.5
        >>> x = mg.tensor([8.0], requires_grad=True)
        >>> opt = Halving([x], {})
        >>> x.sum().backward(); opt.step(); x.item()
        4.0
    """

    elementwise = False
    """Whether ``update`` treats every number alike, so that it may be given many parameters at once, or a part of one."""
    complex = True
    """Whether complex parameters make sense. Elementwise methods are given them as real and imaginary parts."""
    beside = "device"
    """What a step that is captured as a CUDA graph does with ``step``; its counters and settings go on all the same."""
    two_eps = False
    """Whether ``eps`` is a pair, which the method checks itself."""
    kernels: Kernels | None = None
    """By array type, a form of ``update`` for lists of arrays (None: there is none). A subclass that changes the formula has none."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "kernels" in vars(cls):
            cls.formula = cls.update
        elif vars(cls).keys() & {"update", "advance", "arrays", "counters", *cls.terms}:
            cls.kernels = None

    formula: Callable | None = None
    """The ``update`` that ``kernels`` has forms of."""
    terms: tuple[str, ...] = ()
    """The methods, besides ``update``, of which it is made."""

    def __init__(self, params: Any, defaults: dict[str, Any]):
        self.defaults = defaults
        self.state: dict[Tensor, dict[str, Any]] = {}
        self.param_groups: list[dict[str, Any]] = []
        self._owner = type(self).__name__
        self._plans: dict[int, Plan] = {}
        self._rosters: dict[int, Roster] = {}
        self._before: dict[int, Callable] = {}
        self._after: dict[int, Callable] = {}
        self._stepped = type(self).step is not Optimizer.step  # a step of a subclass's own is not seen, so no schedule complains
        if isinstance(params, (Tensor, Mapping, set, frozenset, str)) or not isinstance(params, Iterable):
            raise DTypeError(
                f"{self._owner}: params must be an iterable of parameters or groups that has an order, got {type(params).__name__}"
            )
        groups = list(params)
        if not groups:
            raise ValueError(f"{self._owner}: got no parameters; was the generator used before?")
        for group in groups if any(isinstance(g, Mapping) for g in groups) else [{"params": groups}]:
            self.add_param_group(group)

    # -- groups -------------------------------------------------------------------------------------------------------
    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Add parameters with settings of their own; what is not given is the default."""
        if not isinstance(group, Mapping) or "params" not in group:
            raise DTypeError(f"{self._owner}: a group must be a dict with 'params', got {type(group).__name__}")
        group = dict(group)
        many = group["params"]
        if isinstance(many, (set, frozenset)):
            raise DTypeError(f"{self._owner}: params must have an order, got a {type(many).__name__}; give a list")
        pairs = [i if isinstance(i, tuple) else (None, i) for i in ([many] if isinstance(many, Tensor) else many)]
        if not pairs:
            raise ValueError(f"{self._owner}: a group has no parameters; was the generator used before?")
        known = {id(p) for g in self.param_groups for p in g["params"]}
        for i, (name, p) in enumerate(pairs):
            check_parameter(self._owner, f"parameter {i if name is None else name!r}", p, known, self.complex)
            known.add(id(p))
        names = [n for n, _ in pairs]
        if len({n is None for n in names} | {"param_names" not in g for g in self.param_groups}) > 1:
            raise ValueError(f"{self._owner}: name all parameters or none")
        if names[0] is not None:
            taken = [n for g in self.param_groups for n in g["param_names"]] + names
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
        """Raise ValueError for settings that make no sense; a method with more settings adds its own."""
        for key in ("lr", "weight_decay", "momentum", *(() if self.two_eps else ("eps",))):
            self.within(group, key)
        for key in TRUTHS:
            if key in group:
                group[key] = truth(self._owner, key, group[key])
        if "betas" in group:
            group["betas"] = two_betas(self._owner, group["betas"])

    def within(self, group: dict[str, Any], key: str, low: float = 0.0, high: float = inf) -> None:
        """Make a setting, if it is there, a Python float; ValueError where it is outside its range."""
        if key in group:
            group[key] = within(self._owner, key, group[key], low, high)

    # -- the method ---------------------------------------------------------------------------------------------------
    def arrays(self, group: dict[str, Any]) -> dict[str, float]:
        """The arrays of a parameter's state that are as large as it is, and the value that each starts with."""
        return {}

    def counters(self, group: dict[str, Any]) -> dict[str, Any]:
        """The numbers in a parameter's state, and where they start."""
        return {}

    def advance(self, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Move the counters on, before each update."""
        if "step" in self.counters(group):
            state["step"] += 1

    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Change the array ``p`` and the arrays of ``state`` in place, given the gradient ``g``, which must not be changed."""
        raise NotImplementedError(f"{self._owner}: define update(p, g, state, group)")

    # -- stepping -----------------------------------------------------------------------------------------------------
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient; others and their state stay as they are.

        Args:
            closure: computes the loss and its gradients again; called first, and what it returns is returned.

        Raises:
            OutOfMemoryError: memory ran out, as for the state of a parameter at its first step.

        An interrupt waits until the updates are done (not the closure). If an update raises, the error notes which parameter it was;
        those before it have been updated.
        """
        if (tape := running()) is not None:
            return tape.beside(self.step, *(() if closure is None else (closure,)))
        args, kwargs = (() if closure is None else (closure,)), {}  # type: tuple[Any, ...], dict[str, Any]
        for before in tuple(self._before.values()):
            changed = before(self, args, kwargs)
            if changed is not None:
                args, kwargs = changed
        try:
            loss = self._step(*args, **kwargs)
        except MemoryError as error:
            if isinstance(error, OutOfMemoryError):
                raise
            notes = "; ".join(getattr(error, "__notes__", ()))
            raise out_of_memory(f"{self._owner}.step", error, notes, self.param_groups[0]["params"][0].data) from error
        self._stepped = True
        for after in tuple(self._after.values()):
            after(self, args, kwargs)
        return loss

    def _step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        by = f"{self._owner}.step"
        with uninterrupted(), np.errstate(all="ignore"):  # a warning made an error would stop half-way
            for i, group in enumerate(self.param_groups):
                if type(group.get("lr", 0.0)) is not float:
                    self.check(group)
                live = [p for p in group["params"] if p.grad is not None]
                if self.kernels is not None and type(self).update is type(self).formula:
                    live = self._together(i, live, group, by)
                for p in self._gathered(i, live, group, by) if self.elementwise and live else live:
                    try:
                        self._alone(p, group)
                    except Exception as error:
                        self._note(error, [p])
                        raise
                    stamp(p.data, by)
        return loss

    def _together(self, i: int, live: list[Tensor], group: dict[str, Any], by: str) -> list[Tensor]:
        """Update at once all parameters for which there is a kernel; returns the others."""
        if not live or self.kernels is None or self.kernels[type(live[0].data)] is None:
            return live
        fills, roster = self.arrays(group), self._rosters.get(i)
        if roster is None or not roster.fits(live, fills, self.state):
            roster = self._rosters[i] = Roster(live, fills, self.counters(group), self.state)
        return roster.step(self.kernels, lambda s: self.advance(s, group), group, by)

    def _gathered(self, i: int, live: list[Tensor], group: dict[str, Any], by: str) -> list[Tensor]:
        """Update the small parameters of a group together; returns those that are to be updated alone."""
        fills, plan = self.arrays(group), self._plans.get(i)
        if plan is None or not plan.fits(live, fills, self.state):
            if plan is not None:
                plan.dissolve(self.state)
            plan = self._plans[i] = Plan(live, fills, self.counters(group), self.state)
        for bucket in plan.buckets:
            try:
                bucket.step(lambda s: self.advance(s, group), lambda p, g, s: fed(self.update, p, g, s, group), by)
            except Exception as error:
                self._note(error, bucket.params)
                raise
        return plan.alone

    def _alone(self, p: Tensor, group: dict[str, Any]) -> None:
        data, g = p.data, p.grad.data  # type: ignore[union-attr]
        state = self.state.setdefault(p, {})
        own = {k: slot(state, k, data, fill) for k, fill in self.arrays(group).items()}
        counters: dict[str, Any] = {}

        def ahead() -> None:
            counters.update({k: state.get(k, start) for k, start in self.counters(group).items()})
            self.advance(counters, group)
            if not self.elementwise:
                state.update(counters)

        varying(ahead)
        if self.elementwise:
            blockwise(data, g, own, lambda a, d, s: varying(lambda: fed(self.update, a, d, s | counters, group)))
            varying(lambda: state.update(counters))
            return
        wide = working_dtype(data.dtype)
        a = data if data.dtype == wide else data.astype(wide)
        d = g.astype(wide, copy=False)
        varying(lambda: fed(self.update, a, d, state, group))
        if a is not data:  # half precision is updated in float32, where small steps survive until they are rounded
            data[...] = a

    def _note(self, error: Exception, params: list[Tensor]) -> None:
        ids = {id(p) for p in params}
        labels = [f"{key!r} {p.shape}" for key, p in self._keys() if id(p) in ids]
        error.add_note(f"in {self._owner}.step, parameter {', '.join(labels)}; those before have been updated")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients of all parameters, or fill them with zeros."""
        for group in self.param_groups:
            for p in group["params"]:
                clear_grad(p, set_to_none)

    def register_step_pre_hook(self, hook: Callable) -> Handle:
        """Call ``hook(optimizer, args, kwargs)`` before each step; it may return new (args, kwargs) for it. Returns what removes it."""
        return self._hook(self._before, hook)

    def register_step_post_hook(self, hook: Callable) -> Handle:
        """Call ``hook(optimizer, args, kwargs)`` after each step. Returns what removes it."""
        return self._hook(self._after, hook)

    @staticmethod
    def _hook(table: dict, hook: Callable) -> Handle:
        key = next(_keys)
        table[key] = hook
        return Handle(table, key)

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
                state[key] = {k: wrap(v.copy(), None) if hasattr(v, "dtype") else v for k, v in self.packed(self.state[p]).items()}
        names = iter([key for key, _ in self._keys()])
        groups = [
            {k: v for k, v in group.items() if k not in ("params", "param_names")} | {"params": [next(names) for _ in group["params"]]}
            for group in self.param_groups
        ]
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over settings and state: all, or nothing if they do not fit.

        With names on both sides the parameters may be in another order. Numbers may come as 0-d tensors, as from a file.

        Raises:
            CheckpointError: other groups, other parameters, or arrays of other shapes.
        """
        who = f"{self._owner}.load_state_dict"
        if not isinstance(state_dict, Mapping) or not {"state", "param_groups"} <= set(state_dict):
            raise CheckpointError(f"{who}: expected what state_dict() gives, a dict with 'state' and 'param_groups'")
        saved, mine = list(state_dict["param_groups"]), self._keys()
        sizes, expected = [len(g["params"]) for g in saved], [len(g["params"]) for g in self.param_groups]
        if sizes != expected:
            raise CheckpointError(f"{who}: groups of {sizes} parameters, expected {expected}")
        theirs = [k for g in saved for k in g["params"]]
        by_name = all(isinstance(k, str) for k in theirs) and all(isinstance(k, str) for k, _ in mine)
        if by_name and set(theirs) != {k for k, _ in mine}:
            raise CheckpointError(f"{who}: other parameters: {sorted(set(theirs) ^ {k for k, _ in mine})}")
        settings = [{k: v for k, v in g.items() if k in self.defaults or k == "initial_lr"} for g in saved]
        merged = [{**group, **new} for group, new in zip(self.param_groups, settings, strict=True)]
        for group in merged:
            self.check(group)
        of = {id(p): group for group in merged for p in group["params"]}
        fresh: dict[Tensor, dict[str, Any]] = {}
        for (name, p), other in zip(mine, theirs, strict=True):
            entries = state_dict["state"].get(name if by_name else other)
            if entries is not None:
                fresh[p] = self.unpacked({k: self._taken(who, name, p, k, v, of[id(p)]) for k, v in entries.items()})
        self.state, self._stepped = fresh, True
        for group, new in zip(self.param_groups, merged, strict=True):
            group.update(new)

    def _taken(self, who: str, name: Any, p: Tensor, key: str, value: Any, group: dict[str, Any]) -> Any:
        """An entry of a saved state as it is kept: a counter as a Python number, an array on the parameter's device."""
        counters = self.counters(group)
        if key in counters:
            value = value.item() if hasattr(value, "item") else value
            return value if counters[key] is None else type(counters[key])(value)
        if not hasattr(value, "shape"):
            return value
        expected = self.shape_of(key, p)
        if expected is not None and tuple(value.shape) != expected:
            raise CheckpointError(f"{who}: {key} of {name!r} has shape {tuple(value.shape)}, expected {expected}")
        return to_device(as_data(value, copy=True), device_of(p.data))

    def shape_of(self, key: str, p: Tensor) -> tuple[int, ...] | None:
        """The shape of an array in the state of ``p``; None: any."""
        return p.shape

    def packed(self, state: dict[str, Any]) -> dict[str, Any]:
        """A parameter's state as it is saved: arrays and numbers."""
        return state

    def unpacked(self, state: dict[str, Any]) -> dict[str, Any]:
        """The inverse of ``packed``."""
        return state

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_plans": {}, "_rosters": {}}  # a copy makes its own: its arrays are no views of one another

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


Params = Iterable[Any]
__all__ = ["Optimizer"]
