"""Schedules of the learning rate: each a formula for the rate after ``t`` steps."""

from collections.abc import Callable, Mapping
from math import cos, pi
from typing import Any

from .optimizer import Optimizer


class LRScheduler:
    """The base: ``rate(base, t, i)`` says what the rate of group i is, given what it was at first. Call ``step()`` once an epoch.

    Args:
        optimizer: whose groups' ``lr`` is set; the first rate at once.
        last_epoch: the step to go on from; -1 starts.
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1):
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(self).__name__}: expected an Optimizer, got {type(optimizer).__name__}")
        self.optimizer = optimizer
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self.step()

    def rate(self, base: float, t: int, i: int) -> float:
        raise NotImplementedError(f"{type(self).__name__}: define rate(base, t, i)")

    def step(self) -> None:
        """Go on by one step, and set the rates."""
        self.last_epoch += 1
        for i, (group, base) in enumerate(zip(self.optimizer.param_groups, self.base_lrs, strict=False)):
            group["lr"] = float(self.rate(base, self.last_epoch, i))

    def get_last_lr(self) -> list[float]:
        """The rate of each group now."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """What it takes to go on elsewhere; functions are not in it."""
        return {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.last_epoch, self.base_lrs = state["last_epoch"] - 1, list(state["base_lrs"])
        self.step()


class LambdaLR(LRScheduler):
    """``base * f(t)``, with one function, or one for each group."""

    def __init__(self, optimizer: Optimizer, lr_lambda: Callable[[int], float] | list[Callable[[int], float]], last_epoch: int = -1):
        groups = len(optimizer.param_groups)
        self.functions = list(lr_lambda) if isinstance(lr_lambda, (list, tuple)) else [lr_lambda] * groups
        if len(self.functions) != groups:
            raise ValueError(f"LambdaLR: {len(self.functions)} functions for {groups} groups")
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, t: int, i: int) -> float:
        return base * self.functions[i](t)


class StepLR(LRScheduler):
    """``base * gamma^(t // step_size)``."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1):
        if step_size < 1:
            raise ValueError(f"StepLR: step_size must be at least 1, got {step_size}")
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, t: int, i: int) -> float:
        return base * self.gamma ** (t // self.step_size)


class ExponentialLR(LRScheduler):
    """``base * gamma^t``."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1):
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, t: int, i: int) -> float:
        return base * self.gamma**t


class CosineAnnealingLR(LRScheduler):
    """Half a cosine from base to ``eta_min`` in ``T_max`` steps, and back up after.

    Source:
        Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017, eq. 5, without the restarts.
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1):
        if T_max < 1:
            raise ValueError(f"CosineAnnealingLR: T_max must be at least 1, got {T_max}")
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, t: int, i: int) -> float:
        return self.eta_min + (base - self.eta_min) * (1 + cos(pi * t / self.T_max)) / 2


__all__ = ["CosineAnnealingLR", "ExponentialLR", "LRScheduler", "LambdaLR", "StepLR"]
