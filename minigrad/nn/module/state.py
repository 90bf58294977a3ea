"""The state of a module: saving it by name, and loading it, all or nothing."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ...autograd import Tensor
from ...autograd.node import stamp
from ...autograd.tensor import as_data, wrap
from ...backend import device_of, is_inexact, to_device
from ...backend.arrays import namespace
from ...errors import CheckpointError
from ..parameter import Uninitialized
from .registry import Registry


class IncompatibleKeys(NamedTuple):
    """What ``load_state_dict`` did not find, and what it did not use."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Stateful(Registry):
    """A registry whose values can be saved and loaded."""

    def _state(self, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
        """What is saved, under PyTorch's names and in its order; a shared tensor under each of its names."""
        for name, t in [*self._own("_parameters"), *self._own("_buffers")]:
            if name not in self._transient:
                yield prefix + name, t
        for name, child in self._own("_modules"):
            yield from child._state(f"{prefix}{name}.")

    def state_dict(self, prefix: str = "") -> dict[str, Tensor]:
        """Parameters and persistent buffers by dotted name: constants, copied, so that later training does not change them.

        Args:
            prefix: what stands before the names.

        Raises:
            GraphError: a lazy module that was not called yet has no values to save.

        Example:
            >>> from minigrad import nn
            >>> list(nn.Sequential(nn.Linear(3, 2)).state_dict())
            ['0.weight', '0.bias']
        """
        return {name: wrap(t.data.copy(), None) for name, t in self._state(prefix)}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True, *, finite: bool = False) -> IncompatibleKeys:
        """Copy values into the parameters and buffers: all of them, or none if anything is wrong.

        Args:
            state: Tensors or arrays by name. Floating values are cast to the parameter's dtype; other kinds must match.
            strict: refuse missing and unexpected names; without it they are returned. Shapes and dtypes must always fit.
            finite: refuse NaN and infinity.

        Raises:
            CheckpointError: one error that lists everything that does not fit.

        Example:
            >>> from minigrad import nn
            >>> a, b = nn.Linear(3, 2), nn.Linear(3, 2)
            >>> a.load_state_dict(b.state_dict())
            IncompatibleKeys(missing_keys=[], unexpected_keys=[])
        """
        own = dict(self._state())
        found = {name: as_data(v) for name, v in state.items() if name in own}
        here = {id(own[name]) for name in found}
        missing = [n for n, t in own.items() if n not in found and id(t) not in here]  # one name of a shared tensor is enough
        extra = [n for n in state if n not in own]
        problems = [f"missing {n}" for n in missing] + [f"unexpected {n}" for n in extra] if strict else []
        problems += [f"{n} {why}" for n, v in found.items() if (why := _misfit(v, own[n], finite))]
        if problems:
            raise CheckpointError(f"load_state_dict: {type(self).__name__} was not changed:\n  " + "\n  ".join(problems))
        ready = []
        for n, v in found.items():  # first all that can fail, then the writes
            t = own[n]
            place, dtype = t.place if isinstance(t, Uninitialized) else (device_of(t.data), t.dtype)
            ready.append((t, to_device(v, place).astype(dtype, copy=False)))
        for t, v in ready:
            if isinstance(t, Uninitialized):
                t.materialize(tuple(v.shape))
            t.data[...] = v
            stamp(t.data, "load_state_dict")
        return IncompatibleKeys(missing, extra)


def _misfit(v: Any, t: Tensor, finite: bool) -> str:
    """Why the array ``v`` cannot be loaded into ``t``; empty if it can."""
    lazy = isinstance(t, Uninitialized)
    dtype = t.place[1] if lazy else t.dtype  # type: ignore[attr-defined]
    if not lazy and tuple(v.shape) != t.shape:
        return f"has shape {tuple(v.shape)}, expected {t.shape}"
    floating = is_inexact(v.dtype)
    if v.dtype != dtype and not (floating and is_inexact(dtype) and (v.dtype.kind == "c") == (dtype.kind == "c")):
        return f"is {v.dtype}, expected {dtype}"
    if finite and floating and not bool(namespace(type(v)).isfinite(v).all()):
        return "holds NaN or infinity"
    return ""


__all__ = ["IncompatibleKeys", "Stateful"]
