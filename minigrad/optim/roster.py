"""Which parameters one call of a compiled kernel updates where they lie, without gathering them."""

from collections import Counter
from collections.abc import Callable, Mapping
from operator import is_
from typing import Any

from ..autograd import Tensor
from ..backend import Kernels, device_of, holder
from ..backend.arrays import namespace
from .storage import Crew, States, slot


class Fleet(Crew):
    """Parameters of one dtype and device whose counters agree, updated in their own arrays."""

    def __init__(self, params: list[Tensor], states: list[dict[str, Any]], fills: Mapping[str, float], counters: Mapping[str, Any]):
        super().__init__(params, states, counters)
        self.arrays = {k: [slot(s, k, a, f) for s, a in zip(states, self.data, strict=True)] for k, f in fills.items()}
        self.refused = False

    def step(self, kernel: Callable | None, advance: Callable[[dict[str, Any]], None], group: dict[str, Any], by: str) -> bool:
        """One step of all its parameters; says True where the kernel cannot, and then nothing has moved."""
        if kernel is None or self.refused:
            return True
        gradients = [p.grad.data for p in self.params]  # type: ignore[union-attr]

        def act(counters: dict[str, Any]) -> bool:
            if kernel(self.data, gradients, self.arrays, counters, group):
                xp = namespace(type(self.data[0]))
                even = [xp.ascontiguousarray(g, dtype=a.dtype) for g, a in zip(gradients, self.data, strict=True)]
                self.refused = bool(kernel(self.data, even, self.arrays, counters, group))
            return self.refused

        return self.turn(advance, act, by)


class Roster:
    """How the parameters of a group that have a gradient now are shared out: fleets, and those that are left to NumPy."""

    def __init__(self, live: list[Tensor], fills: Mapping[str, float], counters: Mapping[str, Any], states: States):
        self.live, self.names = live, tuple(fills)
        self.rest: list[Tensor] = []
        alike: dict[Any, list[Tensor]] = {}
        owners = Counter(id(holder(p.data)) for p in live)
        for p in live:
            a = p.data
            if not a.flags.c_contiguous or owners[id(holder(a))] > 1:  # of two in the same memory, each must see what the other did
                self.rest.append(p)
                continue
            own = states.setdefault(p, {})
            for k, start in counters.items():
                own.setdefault(k, start)
            alike.setdefault((type(a), a.dtype, device_of(a), *[own[k] for k in counters]), []).append(p)
        self.fleets = [Fleet(many, [states[p] for p in many], fills, counters) for many in alike.values()]

    def fits(self, live: list[Tensor], fills: Mapping[str, float], states: States) -> bool:
        """Whether these parameters, with arrays of these names, are still as they were."""
        same = len(live) == len(self.live) and all(map(is_, live, self.live)) and tuple(fills) == self.names
        return same and all(f.intact(states) for f in self.fleets)

    def step(self, kernels: Kernels, advance: Callable[[dict[str, Any]], None], group: dict[str, Any], by: str) -> list[Tensor]:
        """Update all that can be; returns the others."""
        rest = self.rest
        for f in self.fleets:
            if f.step(kernels[type(f.data[0])], advance, group, by):
                rest = rest + f.params
        return rest


__all__ = ["Fleet", "Roster"]
