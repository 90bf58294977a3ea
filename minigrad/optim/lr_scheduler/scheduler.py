"""LRScheduler: a formula for the learning rate after ``t`` steps. All schedules are closed forms, so any step can be gone to at once."""

import warnings
from collections.abc import Mapping
from typing import Any

from ...backend.recording import running
from ...errors import CheckpointError
from ..optimizer import Optimizer


class LRScheduler:
    """The base: ``rate(base, t, i)`` says what the rate of group i is after t steps, given what it was at first.

    Call ``step()`` after the optimizer's steps: once an epoch, or once a batch, as the schedule is meant.

    Args:
        optimizer: whose groups' ``lr`` is set, at once for t = 0.
        last_epoch: the step to go on from; -1 starts.

    Source:
        The forms of PyTorch, which computes each rate from the one before; these agree up to rounding.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> class Halving(optim.lr_scheduler.LRScheduler):
        ...     def rate(self, base, t, i):
        ...         return base / 2**t
        >>> opt = optim.SGD([mg.tensor([1.0], requires_grad=True)], lr=1.0)
        >>> schedule = Halving(opt)
        >>> for _ in range(3):
        ...     opt.step(); schedule.step()
        >>> schedule.get_last_lr()
        [0.125]
    """

    beside = "host"
    """A step that is captured as a CUDA graph leaves ``step`` to the host."""

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1):
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(self).__name__}: expected an Optimizer, got {type(optimizer).__name__}")
        self.optimizer = optimizer
        self.base_lrs: list[float] = []
        self._meet_groups()
        self.last_epoch = last_epoch + 1
        self._set()

    def _meet_groups(self) -> None:
        """Note the first rates of groups that were added since."""
        for group in self.optimizer.param_groups[len(self.base_lrs) :]:
            self.base_lrs.append(group.setdefault("initial_lr", group["lr"]))

    def rate(self, base: float, t: int, i: int) -> float:
        """The rate of group i after t steps."""
        raise NotImplementedError(f"{type(self).__name__}: define rate(base, t, i)")

    def settings(self, t: int, i: int) -> dict[str, Any]:
        """What else of group i the schedule sets after t steps: momentum, for cycles."""
        return {}

    def step(self, epoch: int | None = None) -> None:
        """Go on by one step, or to the step given, and set the rates.

        Warns (UserWarning): the optimizer has made no step yet, so that its first one skips the schedule's first rate.
        """
        if (tape := running()) is not None:
            tape.beside(self.step, *(() if epoch is None else (epoch,)))
            return
        if epoch is None and not self.last_epoch and not self.optimizer._stepped:
            warnings.warn(
                f"{type(self).__name__}.step: called before the optimizer's first step, which will skip the first rate of the schedule; "
                "call optimizer.step() first, then the schedule's",
                UserWarning,
                stacklevel=2,
            )
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        self._set()

    def _set(self) -> None:
        self._meet_groups()
        for i, (group, base) in enumerate(zip(self.optimizer.param_groups, self.base_lrs, strict=True)):
            group["lr"] = float(self.rate(base, self.last_epoch, i))
            group.update(self.settings(self.last_epoch, i))

    def get_last_lr(self) -> list[float]:
        """The rate of each group now."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """What it takes to go on elsewhere; settings and functions are not in it, as the constructor has them."""
        return {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what ``state_dict`` gave, and set the rates.

        Raises:
            CheckpointError: it is something else, or of an optimizer with more groups; nothing has changed.
        """
        check_state(type(self).__name__, state, ("last_epoch", "base_lrs"))
        if len(state["base_lrs"]) > (groups := len(self.optimizer.param_groups)):
            raise CheckpointError(f"{type(self).__name__}.load_state_dict: rates of {len(state['base_lrs'])} groups, there are {groups}")
        self.last_epoch, self.base_lrs = state["last_epoch"], list(state["base_lrs"])
        self._set()


def check_state(who: str, state: Any, names: tuple[str, ...]) -> None:
    """CheckpointError unless these are in a saved state."""
    if not isinstance(state, Mapping) or not set(names) <= set(state):
        raise CheckpointError(f"{who}.load_state_dict: expected what state_dict() gives, a dict with {', '.join(names)}")


def per_group(who: str, name: str, value: Any, groups: int) -> list[Any]:
    """One value for each group, of one or of as many as there are."""
    many = list(value) if isinstance(value, (list, tuple)) else [value] * groups
    if len(many) != groups:
        raise ValueError(f"{who}: {len(many)} values of {name} for {groups} groups of parameters")
    return many


def counted(who: str, name: str, value: int, least: int = 1) -> int:
    """The value itself; ValueError unless it is an integer of at least that."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{who}: {name} must be an integer of at least {least}, got {value!r}")
    return value


__all__ = ["LRScheduler"]
