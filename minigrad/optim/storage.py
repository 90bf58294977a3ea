"""Where the numbers of a step lie: small parameters gathered in flat arrays, large ones a block at a time.

For methods that treat every number alike. A call of NumPy costs as much as a few thousand additions, so the small parameters of a
group are updated together: their values and gradients are gathered into one flat array each, the method runs once, and the values
are written back. Their state stays flat between steps. The parameters themselves stay where they are, each with memory of its own:
as views of one array they would keep each other alive, and a write to one would look like a write to all to the check of the graph.

Invariants:
    * ``states[p]`` is the truth. The arrays in it are views of a bucket's flat ones only while that bucket is in use.
    * A bucket is used only if every parameter still has the array, the state and the counters that it was made for; otherwise it is
      dissolved, which gives each state arrays of its own, and buckets are made anew.
    * Parameters in one bucket have no memory in common.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import accumulate, pairwise
from operator import is_
from typing import Any

from ..autograd import Tensor
from ..autograd.node import stamp_all
from ..backend import device_of, holder, to_device, working_dtype
from ..backend.arrays import namespace
from ..backend.recording.beside import varying
from ..errors import ShapeError
from ..ops.losses import on_cpu

BLOCK = 1 << 16
"""Elements that are updated at once on the CPU: what a step needs besides has this size, and stays in the cache."""
SMALL = 1 << 14
"""Parameters with fewer elements are gathered; beyond, the calls cost less than the copies."""

States = dict[Tensor, dict[str, Any]]


def real(a: Any) -> Any:
    """A complex array as twice as many real numbers; a method treats real and imaginary parts alike."""
    return a.view(a.real.dtype) if a.dtype.kind == "c" else a


def slot(state: dict[str, Any], name: str, data: Any, fill: float) -> Any:
    """The array ``name`` of a state, made where it is missing, and brought to where the parameter's ``data`` has been moved or cast.

    Raises:
        ShapeError: the parameter has been given another shape.
    """
    wide, a = working_dtype(data.dtype), state.get(name)
    if a is None:
        value = complex(fill, fill) if wide.kind == "c" else fill
        a = state[name] = namespace(type(data)).full(data.shape, value, dtype=wide)
    elif a.shape != data.shape:
        raise ShapeError(
            f"step: {name} has shape {a.shape}, but its parameter now has {data.shape}; make a new optimizer, or drop its entry in .state"
        )
    elif a.dtype != wide or not a.flags.c_contiguous or device_of(a) != device_of(data):
        a = state[name] = to_device(a, device_of(data)).astype(wide, order="C")
    return a


def blockwise(data: Any, g: Any, arrays: dict[str, Any], update: Callable[[Any, Any, dict[str, Any]], None]) -> None:
    """Call ``update(p, g, arrays)`` on flat pieces of a parameter, its gradient and state, in the dtype in which it is computed."""
    wide = working_dtype(data.dtype)
    p, d = data.reshape(-1), g.reshape(-1)
    flat = {k: a.reshape(-1) for k, a in arrays.items()}
    step = BLOCK if on_cpu(data) else max(p.size, 1)  # a GPU wants few large launches
    for i in range(0, p.size, step):
        part = slice(i, i + step)
        here = p[part] if p.dtype == wide else p[part].astype(wide)
        update(real(here), real(d[part].astype(wide, copy=False)), {k: real(a[part]) for k, a in flat.items()})
        if p.dtype != wide:
            p[part] = here
    if not data.flags.c_contiguous:  # then p was a copy
        data[...] = p.reshape(data.shape)


class Crew:
    """Parameters of one dtype and device whose counters agree, updated by one call. ``arrays``: those of their states, by name."""

    arrays: dict[str, list[Any]]

    def __init__(self, params: list[Tensor], states: list[dict[str, Any]], counters: Mapping[str, Any]):
        self.params, self.states, self.counters = params, states, tuple(counters)
        self.data = [p.data for p in params]
        self.owners = [holder(a) for a in self.data]

    def intact(self, states: States) -> bool:
        """Whether every parameter still has the array, the state and the counters that this was made for."""
        for p, a, own in zip(self.params, self.data, self.states, strict=True):
            if p.data is not a or states.get(p) is not own:
                return False
        for k, arrays in self.arrays.items():
            for own, a in zip(self.states, arrays, strict=True):
                if own.get(k) is not a:
                    return False
        for k in self.counters:
            first = self.states[0].get(k)
            for own in self.states:
                if own.get(k) != first:
                    return False
        return True

    def counted(self) -> dict[str, Any]:
        """The counters, which are the same for all."""
        return {k: self.states[0][k] for k in self.counters}

    def turn(self, advance: Callable[[dict[str, Any]], None], act: Callable[[dict[str, Any]], Any], by: str) -> Any:
        """Move the counters on, and act on the arrays with them; returns what that says, and notes nothing if it is true: it could not."""

        def part() -> Any:
            counters = self.counted()
            advance(counters)
            refused = act(counters)
            if not refused:
                self.finish(counters, by)
            return refused

        return varying(part)

    def finish(self, counters: dict[str, Any], by: str) -> None:
        """Note that all of them have been written to."""
        stamp_all(self.owners, by)
        if counters:
            for own in self.states:
                own.update(counters)


class Bucket(Crew):
    """Small parameters, gathered in flat arrays; those of their states are views of these."""

    def __init__(self, params: list[Tensor], states: list[dict[str, Any]], fills: Mapping[str, float], counters: Mapping[str, Any]):
        super().__init__(params, states, counters)
        self.xp = xp = namespace(type(self.data[0]))
        wide = working_dtype(self.data[0].dtype)
        self.flat = {k: xp.concatenate([slot(s, k, a, f) for s, a in zip(states, self.data, strict=True)], None) for k, f in fills.items()}
        self.arrays = {k: self._cut(a) for k, a in self.flat.items()}
        for k, views in self.arrays.items():
            for s, v in zip(states, views, strict=True):
                s[k] = v
        size = sum(a.size for a in self.data)
        self.values, self.gradients = xp.empty(size, dtype=wide), xp.empty(size, dtype=wide)
        self.places = self._cut(self.values)

    def _cut(self, flat: Any) -> list[Any]:
        bounds = pairwise(accumulate([a.size for a in self.data], initial=0))
        return [flat[i:j].reshape(a.shape) for (i, j), a in zip(bounds, self.data, strict=True)]

    def dissolve(self, states: States) -> None:
        """Give each state that still lies here arrays of its own."""
        for k, views in self.arrays.items():
            for p, own, view in zip(self.params, self.states, views, strict=True):
                if states.get(p) is own and own.get(k) is view:
                    own[k] = view.copy()  # type: ignore[union-attr]

    def step(self, advance: Callable[[dict[str, Any]], None], update: Callable[[Any, Any, dict[str, Any]], None], by: str) -> None:
        """One step of all its parameters. If the method raises, no parameter has moved."""
        self.xp.concatenate(self.data, None, self.values)
        self.xp.concatenate([p.grad.data for p in self.params], None, self.gradients)  # type: ignore[union-attr]
        arrays = {k: real(a) for k, a in self.flat.items()}
        self.turn(advance, lambda counters: update(real(self.values), real(self.gradients), counters | arrays), by)
        for a, place in zip(self.data, self.places, strict=True):
            a[...] = place


class Plan:
    """How the parameters of a group that have a gradient now are updated: some in buckets, some alone."""

    def __init__(self, live: list[Tensor], fills: Mapping[str, float], counters: Mapping[str, Any], states: States):
        self.live, self.names = live, tuple(fills)
        self.alone: list[Tensor] = []
        alike: dict[Any, list[Tensor]] = {}
        owners = Counter(id(holder(p.data)) for p in live)
        for p in live:
            own = states.setdefault(p, {})
            for k, start in counters.items():
                own.setdefault(k, start)
            if p.data.size >= SMALL or owners[id(holder(p.data))] > 1:
                self.alone.append(p)
                continue
            key = type(p.data), working_dtype(p.data.dtype), device_of(p.data), *[own[k] for k in counters]
            alike.setdefault(key, []).append(p)
        self.buckets = []
        for many in alike.values():
            for some in _portions(many):
                if len(some) > 1:
                    self.buckets.append(Bucket(some, [states[p] for p in some], fills, counters))
                else:
                    self.alone += some

    def fits(self, live: list[Tensor], fills: Mapping[str, float], states: States) -> bool:
        """Whether these parameters, with arrays of these names, can be updated by this plan."""
        same = len(live) == len(self.live) and all(map(is_, live, self.live)) and tuple(fills) == self.names
        return same and all(b.intact(states) for b in self.buckets)

    def dissolve(self, states: States) -> None:
        for b in self.buckets:
            b.dissolve(states)


def _portions(params: list[Tensor]) -> list[list[Tensor]]:
    """The parameters in order, as many at a time as fit into a block."""
    portions: list[list[Tensor]] = []
    room = 0
    for p in params:
        room -= p.data.size
        if room < 0 or not portions:
            portions.append([])
            room = BLOCK - p.data.size
        portions[-1].append(p)
    return portions


__all__ = ["Bucket", "Crew", "Plan", "blockwise", "real", "slot"]
