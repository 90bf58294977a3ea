"""Schedules made of schedules: one after the other, or all at once."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from ..optimizer import Optimizer
from .scheduler import LRScheduler


class SequentialLR(LRScheduler):
    """One schedule after the other: the k-th from the k-th milestone on, its steps counted from there.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.optim import SGD, lr_scheduler
        >>> opt = SGD([mg.tensor([1.0], requires_grad=True)], lr=1.0)
        >>> parts = [lr_scheduler.ConstantLR(opt, 0.5, 2), lr_scheduler.ExponentialLR(opt, 0.5)]
        >>> schedule = lr_scheduler.SequentialLR(opt, parts, milestones=[2])
        >>> schedule.get_last_lr() + [(opt.step(), schedule.step(), schedule.get_last_lr()[0])[2] for _ in range(3)]
        [0.5, 0.5, 1.0, 0.5]
    """

    def __init__(self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int], last_epoch: int = -1):
        _same_optimizer("SequentialLR", optimizer, schedulers)
        if len(milestones) != len(schedulers) - 1 or list(milestones) != sorted(milestones):
            raise ValueError(
                f"SequentialLR: {len(schedulers)} schedules need {len(schedulers) - 1} rising milestones, got {list(milestones)}"
            )
        self.schedulers, self.milestones = list(schedulers), list(milestones)
        super().__init__(optimizer, last_epoch)

    def _now(self, t: int) -> tuple[LRScheduler, int]:
        k = bisect_right(self.milestones, t)
        return self.schedulers[k], t - (self.milestones[k - 1] if k else 0)

    def rate(self, base: float, t: int, i: int) -> float:
        schedule, own = self._now(t)
        return schedule.rate(schedule.base_lrs[i], own, i)

    def settings(self, t: int, i: int) -> dict[str, Any]:
        schedule, own = self._now(t)
        return schedule.settings(own, i)


class ChainedScheduler(LRScheduler):
    """All at once: base times the product of what each makes of it.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.optim import SGD, lr_scheduler
        >>> opt = SGD([mg.tensor([1.0], requires_grad=True)], lr=1.0)
        >>> schedule = lr_scheduler.ChainedScheduler([lr_scheduler.ConstantLR(opt, 0.5, 2), lr_scheduler.ExponentialLR(opt, 0.5)])
        >>> schedule.get_last_lr() + [(opt.step(), schedule.step(), schedule.get_last_lr()[0])[2] for _ in range(2)]
        [0.5, 0.25, 0.25]
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None):
        if not schedulers:
            raise ValueError("ChainedScheduler: expected at least one schedule")
        optimizer = schedulers[0].optimizer if optimizer is None else optimizer
        _same_optimizer("ChainedScheduler", optimizer, schedulers)
        self.schedulers = list(schedulers)
        super().__init__(optimizer)

    def rate(self, base: float, t: int, i: int) -> float:
        out = base
        for s in self.schedulers:
            out *= s.rate(base, t, i) / base if base else 1.0
        return out

    def settings(self, t: int, i: int) -> dict[str, Any]:
        return {k: v for s in self.schedulers for k, v in s.settings(t, i).items()}


def _same_optimizer(who: str, optimizer: Optimizer, schedulers: Sequence[LRScheduler]) -> None:
    for k, s in enumerate(schedulers):
        if not isinstance(s, LRScheduler):
            raise TypeError(f"{who}: schedule {k} is a {type(s).__name__}, whose rate is no function of the step alone")
        if s.optimizer is not optimizer:
            raise ValueError(f"{who}: schedule {k} ({type(s).__name__}) belongs to another optimizer")


__all__ = ["ChainedScheduler", "SequentialLR"]
