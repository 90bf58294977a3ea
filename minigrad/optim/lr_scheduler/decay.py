"""Schedules that only go one way: steps, powers, lines, and functions of your own."""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import Any

from ..optimizer import Optimizer
from .scheduler import LRScheduler, counted, per_group


class LambdaLR(LRScheduler):
    """``base f(t)``, with one function, or one for each group.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> opt = optim.SGD([mg.tensor([1.0], requires_grad=True)], lr=0.5)
        >>> schedule = optim.lr_scheduler.LambdaLR(opt, lambda t: 1 / (1 + t))
        >>> opt.step(); schedule.step(); schedule.get_last_lr()
        [0.25]
    """

    def __init__(self, optimizer: Optimizer, lr_lambda: Callable[[int], float] | list[Callable[[int], float]], last_epoch: int = -1):
        self.lr_lambdas = per_group("LambdaLR", "lr_lambda", lr_lambda, len(optimizer.param_groups))
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, t: int, i: int) -> float:
        return base * self.lr_lambdas[i](t)


class MultiplicativeLR(LRScheduler):
    """``base f(1) f(2) ... f(t)``, with one function, or one for each group.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> opt = optim.SGD([mg.tensor([1.0], requires_grad=True)], lr=1.0)
        >>> schedule = optim.lr_scheduler.MultiplicativeLR(opt, lambda t: 0.5)
        >>> for _ in range(3):
        ...     opt.step(); schedule.step()
        >>> schedule.get_last_lr()
        [0.125]
    """

    def __init__(self, optimizer: Optimizer, lr_lambda: Callable[[int], float] | list[Callable[[int], float]], last_epoch: int = -1):
        self.lr_lambdas = per_group("MultiplicativeLR", "lr_lambda", lr_lambda, len(optimizer.param_groups))
        self._products = [[1.0] for _ in self.lr_lambdas]  # by t, so that each factor is asked for once
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, t: int, i: int) -> float:
        known = self._products[i]
        while len(known) <= t:
            known.append(known[-1] * self.lr_lambdas[i](len(known)))
        return base * known[t]


class StepLR(LRScheduler):
    """``base gamma^(t // step_size)``.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> opt = optim.SGD([mg.tensor([1.0], requires_grad=True)], lr=1.0)
        >>> schedule = optim.lr_scheduler.StepLR(opt, step_size=2, gamma=0.5)
        >>> [(opt.step(), schedule.step(), schedule.get_last_lr()[0])[2] for _ in range(4)]
        [1.0, 0.5, 0.5, 0.25]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1):
        self.step_size, self.gamma = counted("StepLR", "step_size", step_size), gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, t: int, i: int) -> float:
        return base * self.gamma ** (t // self.step_size)


class MultiStepLR(LRScheduler):
    """``base gamma^k`` after k of the milestones; one that is listed twice counts twice.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> opt = optim.SGD([mg.tensor([1.0], requires_grad=True)], lr=1.0)
        >>> schedule = optim.lr_scheduler.MultiStepLR(opt, milestones=[1, 3], gamma=0.5)
        >>> [(opt.step(), schedule.step(), schedule.get_last_lr()[0])[2] for _ in range(4)]
        [0.5, 0.5, 0.25, 0.25]
    """

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1):
        self.milestones, self.gamma = sorted(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, t: int, i: int) -> float:
        return base * self.gamma ** bisect_right(self.milestones, t)


class ConstantLR(LRScheduler):
    """``factor base`` for the first ``total_iters`` steps, then base.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> opt = optim.SGD([mg.tensor([1.0], requires_grad=True)], lr=1.0)
        >>> schedule = optim.lr_scheduler.ConstantLR(opt, factor=0.5, total_iters=2)
        >>> [(opt.step(), schedule.step(), schedule.get_last_lr()[0])[2] for _ in range(3)]
        [0.5, 1.0, 1.0]
    """

    def __init__(self, optimizer: Optimizer, factor: float = 1 / 3, total_iters: int = 5, last_epoch: int = -1):
        if not 0 <= factor <= 1:
            raise ValueError(f"ConstantLR: factor must be in [0, 1], got {factor}")
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, t: int, i: int) -> float:
        return base * self.factor if t < self.total_iters else base


class LinearLR(LRScheduler):
    """A line from ``start_factor base`` to ``end_factor base`` in ``total_iters`` steps, then level: a warm-up, for example.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> opt = optim.SGD([mg.tensor([1.0], requires_grad=True)], lr=1.0)
        >>> schedule = optim.lr_scheduler.LinearLR(opt, start_factor=0.5, total_iters=2)
        >>> [(opt.step(), schedule.step(), schedule.get_last_lr()[0])[2] for _ in range(3)]
        [0.75, 1.0, 1.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ):
        if not (0 < start_factor <= 1 and 0 <= end_factor <= 1):
            raise ValueError(f"LinearLR: start_factor must be in (0, 1] and end_factor in [0, 1], got {start_factor} and {end_factor}")
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, counted("LinearLR", "total_iters", total_iters)
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, t: int, i: int) -> float:
        return base * (self.start_factor + (self.end_factor - self.start_factor) * min(t, self.total_iters) / self.total_iters)


class PolynomialLR(LRScheduler):
    """``base (1 - t / total_iters)^power``, then 0.

    Source:
        Chen et al., "DeepLab: semantic image segmentation with deep convolutional nets, atrous convolution, and fully connected CRFs",
        2016.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> opt = optim.SGD([mg.tensor([1.0], requires_grad=True)], lr=1.0)
        >>> schedule = optim.lr_scheduler.PolynomialLR(opt, total_iters=4, power=2.0)
        >>> [(opt.step(), schedule.step(), schedule.get_last_lr()[0])[2] for _ in range(4)]
        [0.5625, 0.25, 0.0625, 0.0]
    """

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1):
        self.total_iters, self.power = counted("PolynomialLR", "total_iters", total_iters), power
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, t: int, i: int) -> float:
        return base * (1 - min(t, self.total_iters) / self.total_iters) ** self.power


class ExponentialLR(LRScheduler):
    """``base gamma^t``.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> opt = optim.SGD([mg.tensor([1.0], requires_grad=True)], lr=1.0)
        >>> schedule = optim.lr_scheduler.ExponentialLR(opt, gamma=0.5)
        >>> [(opt.step(), schedule.step(), schedule.get_last_lr()[0])[2] for _ in range(3)]
        [0.5, 0.25, 0.125]
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1):
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, t: int, i: int) -> float:
        return base * self.gamma**t


class WarmupLR(LRScheduler):
    """A line up to base in ``warmup_steps`` steps, then another schedule, or base.

    Step t of the warm-up has ``start_factor + (1 - start_factor) (t + 1) / warmup_steps`` of the rate.

    Args:
        warmup_steps: how many steps have less than the whole rate, the last of them excepted.
        after: the schedule that follows, whose steps count from the end of the warm-up.
        start_factor: where the line begins.

    Source:
        Goyal et al., "Accurate, large minibatch SGD", 2017, section 2.2.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> opt = optim.SGD([mg.tensor([1.0], requires_grad=True)], lr=1.0)
        >>> schedule = optim.lr_scheduler.WarmupLR(opt, 2, optim.lr_scheduler.ExponentialLR(opt, 0.5))
        >>> schedule.get_last_lr() + [(opt.step(), schedule.step(), schedule.get_last_lr()[0])[2] for _ in range(3)]
        [0.5, 1.0, 1.0, 0.5]
    """

    def __init__(
        self, optimizer: Optimizer, warmup_steps: int, after: LRScheduler | None = None, start_factor: float = 0.0, last_epoch: int = -1
    ):
        if not 0 <= start_factor <= 1:
            raise ValueError(f"WarmupLR: start_factor must be in [0, 1], got {start_factor}")
        self.warmup_steps, self.after, self.start_factor = counted("WarmupLR", "warmup_steps", warmup_steps), after, start_factor
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, t: int, i: int) -> float:
        if t < self.warmup_steps:
            return base * (self.start_factor + (1 - self.start_factor) * (t + 1) / self.warmup_steps)
        return base if self.after is None else self.after.rate(base, t - self.warmup_steps, i)

    def settings(self, t: int, i: int) -> dict[str, Any]:
        return {} if self.after is None or t < self.warmup_steps else self.after.settings(t - self.warmup_steps, i)


__all__ = [
    "ConstantLR",
    "ExponentialLR",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "PolynomialLR",
    "StepLR",
    "WarmupLR",
]
