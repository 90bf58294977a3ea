"""Metric: a number about outputs and targets, as sums that batches add to and that can be merged."""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..autograd.tensor import raw
from ..backend import asarray, device_of, to_device
from ..backend.arrays import namespace
from ..errors import CheckpointError, DTypeError, ShapeError


class Metric:
    """The base of all metrics: sums, to which ``update`` adds batch by batch, and of which ``compute`` makes the number.

    A subclass lists its sums in ``sums``, with the values they start from (0, or an empty list to collect arrays in), and says in
    ``measure`` what a batch adds to them. Whatever the batches were, and in whatever order states are merged, the result is that of
    all samples at once. Sums stay on the device of the outputs; nothing is read from it before ``compute``.

    Args:
        name: what logs call it; default: the class in lower case.

    Example:
        >>> from minigrad.metrics import Metric
        >>> class Share(Metric):
        ...     sums = {"hits": 0, "count": 0}
        ...     def measure(self, output, target):
        ...         return {"hits": (output == target).sum(), "count": target.size}
        ...     def compute(self):
        ...         return self.ratio(self.hits, self.count)
        >>> share = Share()
        >>> share.update([1, 2, 3, 4], [1, 2, 0, 0]); share.compute()
        0.5
    """

    sums: Mapping[str, Any] = {}

    def __init__(self, name: str | None = None):
        self.name = type(self).__name__.lower() if name is None else name
        self.reset()

    def reset(self) -> None:
        """Forget all batches."""
        for key, start in self.sums.items():
            setattr(self, key, copy.copy(start))

    def update(self, output: Any, target: Any) -> None:
        """Add a batch: Tensors, arrays or lists, as the loss takes them. If it is refused, the sums are as before."""
        more = self.measure(*[asarray(raw(a), xp=namespace(type(raw(a)))) for a in (output, target)])
        vars(self).update(self.join({key: _beside(getattr(self, key), more[key]) for key in self.sums}, more))

    def measure(self, output: Any, target: Any) -> Mapping[str, Any]:
        """What a batch of raw arrays adds to each of the sums."""
        raise NotImplementedError(f"{type(self).__name__}: define measure(self, output, target)")

    def compute(self) -> Any:
        """The number for all batches so far; NaN without any."""
        raise NotImplementedError(f"{type(self).__name__}: define compute(self)")

    def join(self, mine: Mapping[str, Any], more: Mapping[str, Any]) -> Mapping[str, Any]:
        """The sums of two sets of batches together; here each is added to its like."""
        for key in self.sums:
            shapes = [getattr(a[key], "shape", ()) for a in (mine, more)]
            if all(shapes) and shapes[0] != shapes[1]:
                raise ShapeError(f"{type(self).__name__}: {key} of shape {shapes[0]} so far, {shapes[1]} now; the classes must be the same")
        return {key: mine[key] + more[key] for key in self.sums}

    @staticmethod
    def ratio(part: Any, whole: Any) -> float:
        """part / whole, NaN where there is nothing."""
        return float(part) / float(whole) if float(whole) else float("nan")

    def merge(self, other: "Metric") -> "Metric":
        """Add another's batches, counted elsewhere; returns itself.

        Raises:
            DTypeError: the other is of another kind.
            ValueError: it has other settings.
        """
        if type(other) is not type(self):
            raise DTypeError(f"{type(self).__name__}.merge: expected another {type(self).__name__}, got {type(other).__name__}")
        if other._settings() != self._settings():
            raise ValueError(f"{type(self).__name__}.merge: settings {other._settings()} differ from {self._settings()}")
        mine = {key: getattr(self, key) for key in self.sums}
        vars(self).update(self.join(mine, {key: _beside(getattr(other, key), mine[key]) for key in self.sums}))
        return self

    def _settings(self) -> dict[str, Any]:
        return {k: v for k, v in vars(self).items() if k != "name" and k not in self.sums}

    def fresh(self) -> "Metric":
        """Another with the same settings and no batches."""
        new = copy.copy(self)
        new.reset()
        return new

    def state_dict(self) -> dict[str, Any]:
        """The sums as numbers and NumPy arrays, copied; reading them waits for the device."""
        return {key: _stored(getattr(self, key)) for key in self.sums}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what ``state_dict`` gave.

        Raises:
            CheckpointError: it is of another metric.
        """
        if set(state) != set(self.sums):
            raise CheckpointError(f"{type(self).__name__}: expected the sums {sorted(self.sums)}, got {sorted(state)}")
        for key, start in self.sums.items():
            if isinstance(start, list) is not isinstance(state[key], list):
                kind = "a list" if isinstance(start, list) else "a number or an array"
                raise CheckpointError(f"{type(self).__name__}: {key} must be {kind}, got {type(state[key]).__name__}")
        vars(self).update({key: _stored(state[key]) for key in self.sums})

    def __repr__(self) -> str:
        value = self.compute()
        return f"{type(self).__name__}({value:.4g})" if isinstance(value, float) else f"{type(self).__name__}({value})"


class Mean(Metric):
    """A metric that is a mean: ``measure`` gives what a batch adds to the total and to the count.

    Example:
        >>> from minigrad.metrics.metric import Mean
        >>> class Positive(Mean):
        ...     def measure(self, output, target):
        ...         return {"total": (output > 0).sum(), "count": output.size}
        >>> positive = Positive()
        >>> positive.update([1.0, -1.0, 2.0, 3.0], []); positive
        Positive(0.75)
    """

    total: Any
    count: Any
    sums: Mapping[str, Any] = {"total": 0, "count": 0}

    def compute(self) -> float:
        return self.ratio(self.total, self.count)


def _beside(value: Any, other: Any) -> Any:
    """A sum on the device of another one, if both are arrays."""
    if not (hasattr(value, "dtype") and hasattr(other, "dtype")) or device_of(value) == device_of(other):
        return value
    return to_device(np.asarray(value) if isinstance(value, np.generic) else value, device_of(other))


def _stored(value: Any) -> Any:
    """A sum as a number, a NumPy array of its own, or a list of such."""
    if isinstance(value, list):
        return [_stored(v) for v in value]
    value = raw(value)
    if not hasattr(value, "shape"):
        return value
    return to_device(value, "cpu").copy() if value.shape else value.item()


__all__ = ["Mean", "Metric"]
