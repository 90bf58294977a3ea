"""Schedules that rise and fall: cosines, restarts, cycles."""

from collections.abc import Callable
from math import cos, pi
from typing import Any

from ..optimizer import Optimizer
from .scheduler import LRScheduler, counted, per_group


def half_cosine(start: float, end: float, share: float) -> float:
    """From start to end along half a cosine."""
    return end + (start - end) / 2 * (1 + cos(pi * share))


def line(start: float, end: float, share: float) -> float:
    """From start to end along a line."""
    return start + (end - start) * share


def moments(who: str, optimizer: Optimizer, value: float, i: int) -> dict[str, Any]:
    """The setting that makes ``value`` the momentum of group i: momentum itself, or the first of the betas."""
    group = optimizer.param_groups[i]
    if "betas" in group:
        return {"betas": (value, *group["betas"][1:])}
    if "momentum" in group:
        return {"momentum": value}
    raise ValueError(f"{who}: the optimizer has neither momentum nor betas to cycle; use cycle_momentum=False")


class CosineAnnealingLR(LRScheduler):
    """Half a cosine from base to ``eta_min`` in ``T_max`` steps, and back up after.

    Source:
        Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017, eq. 5, without the restarts.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> opt = optim.SGD([mg.tensor([1.0], requires_grad=True)], lr=1.0)
        >>> schedule = optim.lr_scheduler.CosineAnnealingLR(opt, T_max=4)
        >>> [round((opt.step(), schedule.step(), schedule.get_last_lr()[0])[2], 3) for _ in range(4)]
        [0.854, 0.5, 0.146, 0.0]
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1):
        self.T_max, self.eta_min = counted("CosineAnnealingLR", "T_max", T_max), eta_min
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, t: int, i: int) -> float:
        return half_cosine(base, self.eta_min, t / self.T_max)


class CosineAnnealingWarmRestarts(LRScheduler):
    """Half a cosine from base to ``eta_min`` in ``T_0`` steps, then again from the top, each time ``T_mult`` times as long.

    ``step(epoch)`` takes fractions too: ``epoch + batch / batches``.

    Source:
        Loshchilov and Hutter 2017, eq. 5.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> opt = optim.SGD([mg.tensor([1.0], requires_grad=True)], lr=1.0)
        >>> schedule = optim.lr_scheduler.CosineAnnealingWarmRestarts(opt, T_0=2)
        >>> [round((opt.step(), schedule.step(), schedule.get_last_lr()[0])[2], 3) for _ in range(4)]
        [0.5, 1.0, 0.5, 1.0]
    """

    def __init__(self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1):
        who = "CosineAnnealingWarmRestarts"
        self.T_0, self.T_mult, self.eta_min = counted(who, "T_0", T_0), counted(who, "T_mult", T_mult), eta_min
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, t: float, i: int) -> float:
        length: float = self.T_0
        if self.T_mult == 1:
            t %= length
        while t >= length:
            t, length = t - length, length * self.T_mult
        return half_cosine(base, self.eta_min, t / length)


class CyclicLR(LRScheduler):
    """Up from ``base_lr`` to ``max_lr`` along a line and down again, over and over; momentum the other way round.

    Args:
        base_lr, max_lr: the ends, one or one per group.
        step_size_up, step_size_down: how many steps up and down; down as up unless given.
        mode: "triangular"; "triangular2": each cycle half as high; "exp_range": heights shrink by ``gamma`` each step.
        scale_fn, scale_mode: a height of your own, of the "cycle" (from 1) or of "iterations"; instead of mode.
        cycle_momentum, base_momentum, max_momentum: whether and between what momentum (or the first beta) moves.

    Source:
        Smith, "Cyclical learning rates for training neural networks", 2017.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> opt = optim.SGD([mg.tensor([1.0], requires_grad=True)], lr=1.0, momentum=0.9)
        >>> schedule = optim.lr_scheduler.CyclicLR(opt, 0.25, 0.75, step_size_up=2)
        >>> [(opt.step(), schedule.step(), schedule.get_last_lr()[0])[2] for _ in range(4)]
        [0.5, 0.75, 0.5, 0.25]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: Any,
        max_lr: Any,
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[Any], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: Any = 0.8,
        max_momentum: Any = 0.9,
        last_epoch: int = -1,
    ):
        who, n = "CyclicLR", len(optimizer.param_groups)
        scales: dict[str, tuple[Callable[[Any], float], str]] = {
            "triangular": (lambda cycle: 1.0, "cycle"),
            "triangular2": (lambda cycle: 1 / 2.0 ** (cycle - 1), "cycle"),
            "exp_range": (lambda t: gamma**t, "iterations"),
        }
        if scale_fn is None and mode not in scales:
            raise ValueError(f"{who}: mode must be one of {', '.join(scales)}, got {mode!r}")
        self.scale, self.scale_mode = scales[mode] if scale_fn is None else (scale_fn, scale_mode)
        self.max_lrs = per_group(who, "max_lr", max_lr, n)
        up, down = step_size_up, step_size_up if step_size_down is None else step_size_down
        self.total, self.peak = float(up + down), up / (up + down)
        self.momenta = None
        if cycle_momentum:
            lows, highs = per_group(who, "base_momentum", base_momentum, n), per_group(who, "max_momentum", max_momentum, n)
            self.momenta = list(zip(lows, highs, strict=True))
            for i in range(n):
                moments(who, optimizer, 0.0, i)
        for group, lr in zip(optimizer.param_groups, per_group(who, "base_lr", base_lr, n), strict=True):
            group["initial_lr"] = lr
        super().__init__(optimizer, last_epoch)

    def _height(self, t: int) -> float:
        """How far up, from 0 to 1, after t steps."""
        cycle = 1 + t // self.total
        x = 1 + t / self.total - cycle
        up = x / self.peak if x <= self.peak else (x - 1) / (self.peak - 1)
        return up * self.scale(cycle if self.scale_mode == "cycle" else t)

    def rate(self, base: float, t: int, i: int) -> float:
        return base + (self.max_lrs[i] - base) * self._height(t)

    def settings(self, t: int, i: int) -> dict[str, Any]:
        if self.momenta is None:
            return {}
        low, high = self.momenta[i]
        return moments("CyclicLR", self.optimizer, high - (high - low) * self._height(t), i)


class OneCycleLR(LRScheduler):
    """Up to ``max_lr`` in the first part of training, and down to almost nothing in the rest; momentum the other way round.

    Starts at ``max_lr / div_factor``, ends at that divided by ``final_div_factor``. To be stepped after each batch.

    Args:
        max_lr: the peak, one or one per group.
        total_steps: how many steps in all, or ``epochs`` and ``steps_per_epoch``, whose product it is.
        pct_start: the part of the steps that goes up.
        anneal_strategy: "cos" or "linear".
        cycle_momentum, base_momentum, max_momentum: whether and between what momentum (or the first beta) moves.
        div_factor, final_div_factor: see above.
        three_phase: come down to the first rate as slowly as up, then to the last.

    Raises:
        ValueError: a step after the last.

    Source:
        Smith and Topin, "Super-convergence: very fast training of neural networks using large learning rates", 2018.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> opt = optim.SGD([mg.tensor([1.0], requires_grad=True)], lr=1.0, momentum=0.9)
        >>> schedule = optim.lr_scheduler.OneCycleLR(opt, max_lr=1.0, total_steps=10)
        >>> rates = schedule.get_last_lr() + [(opt.step(), schedule.step(), schedule.get_last_lr()[0])[2] for _ in range(9)]
        >>> rates.index(max(rates)), round(rates[0], 3), rates[-1] < 1e-5
        (2, 0.04, True)
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: Any,
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: Any = 0.85,
        max_momentum: Any = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ):
        who, n = "OneCycleLR", len(optimizer.param_groups)
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ValueError(f"{who}: give total_steps, or epochs and steps_per_epoch")
            total_steps = counted(who, "epochs", epochs) * counted(who, "steps_per_epoch", steps_per_epoch)
        if not 0 <= pct_start <= 1:
            raise ValueError(f"{who}: pct_start must be in [0, 1], got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"{who}: anneal_strategy must be 'cos' or 'linear', got {anneal_strategy!r}")
        self.total_steps, self.between = counted(who, "total_steps", total_steps), half_cosine if anneal_strategy == "cos" else line
        up = pct_start * total_steps - 1
        self.ends = [up, 2 * pct_start * total_steps - 2, total_steps - 1] if three_phase else [up, total_steps - 1]
        self.rates, self.momenta = [], []
        momentum = zip(per_group(who, "base_momentum", base_momentum, n), per_group(who, "max_momentum", max_momentum, n), strict=True)
        for i, (top, (low, high)) in enumerate(zip(per_group(who, "max_lr", max_lr, n), momentum, strict=True)):
            first = top / div_factor
            last = first / final_div_factor
            self.rates.append([first, top, first, last] if three_phase else [first, top, last])
            self.momenta.append([high, low, high, high] if three_phase else [high, low, high])
            if cycle_momentum:
                moments(who, optimizer, low, i)
            optimizer.param_groups[i]["initial_lr"] = first
        self.cycle_momentum = cycle_momentum
        super().__init__(optimizer, last_epoch)

    def _along(self, corners: list[float], t: int) -> float:
        """The value after t steps of what goes through these corners."""
        if t >= self.total_steps:
            raise ValueError(f"OneCycleLR: step {t} of {self.total_steps}; the cycle is over. Give more total_steps, or stop stepping")
        k = next((k for k, end in enumerate(self.ends) if t <= end), len(self.ends) - 1)
        begin = self.ends[k - 1] if k else 0.0
        return self.between(corners[k], corners[k + 1], (t - begin) / ((self.ends[k] - begin) or 1.0))

    def rate(self, base: float, t: int, i: int) -> float:
        return self._along(self.rates[i], t)

    def settings(self, t: int, i: int) -> dict[str, Any]:
        return moments("OneCycleLR", self.optimizer, self._along(self.momenta[i], t), i) if self.cycle_momentum else {}


__all__ = ["CosineAnnealingLR", "CosineAnnealingWarmRestarts", "CyclicLR", "OneCycleLR"]
