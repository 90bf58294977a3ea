"""A schedule that waits: the rate falls when a number no longer improves."""

from collections.abc import Mapping
from math import inf
from typing import Any

from ...errors import CheckpointError
from ..optimizer import Optimizer
from .scheduler import check_state, counted, per_group


class ReduceLROnPlateau:
    """Multiplies the rate by ``factor`` after ``patience`` epochs without improvement. Call ``step(loss)`` with the number to watch.

    Args:
        mode: "min" or "max": whether smaller or larger is better.
        factor: below 1.
        patience: how many epochs without improvement are let pass.
        threshold, threshold_mode: by how much it must be better: "rel"ative to the best, or "abs"olutely.
        cooldown: epochs to wait after a reduction before counting again.
        min_lr: the smallest rate, one or one per group.
        eps: changes smaller than this are not made.

    Source:
        He et al., "Deep residual learning for image recognition", 2015, section 3.4, where it was done by hand.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> opt = optim.SGD([mg.tensor([1.0], requires_grad=True)], lr=1.0)
        >>> schedule = optim.lr_scheduler.ReduceLROnPlateau(opt, factor=0.5, patience=1)
        >>> [(schedule.step(loss), schedule.get_last_lr()[0])[1] for loss in (1.0, 1.0, 1.0, 0.5)]
        [1.0, 1.0, 0.5, 0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: Any = 0.0,
        eps: float = 1e-8,
    ):
        who = "ReduceLROnPlateau"
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{who}: expected an Optimizer, got {type(optimizer).__name__}")
        if not 0 <= factor < 1:
            raise ValueError(f"{who}: factor must be in [0, 1), got {factor}")
        if mode not in ("min", "max") or threshold_mode not in ("rel", "abs"):
            raise ValueError(f"{who}: mode must be 'min' or 'max' and threshold_mode 'rel' or 'abs', got {mode!r} and {threshold_mode!r}")
        self.optimizer, self.mode, self.factor, self.patience = optimizer, mode, factor, counted(who, "patience", patience, 0)
        self.threshold, self.threshold_mode, self.cooldown, self.eps = threshold, threshold_mode, counted(who, "cooldown", cooldown, 0), eps
        self.min_lrs = per_group(who, "min_lr", min_lr, len(optimizer.param_groups))
        self.best = inf if mode == "min" else -inf
        self.num_bad_epochs = self.cooldown_counter = self.last_epoch = 0

    def is_better(self, value: float) -> bool:
        """Whether a value counts as an improvement on the best so far. NaN never does."""
        sign = 1 if self.mode == "min" else -1
        if self.threshold_mode == "rel":  # the best is infinite at first
            bound = self.best * (1 - sign * self.threshold)
        else:
            bound = self.best - sign * self.threshold
        return sign * value < sign * bound

    def step(self, metrics: Any) -> None:
        """Look at the number of this epoch, and lower the rates if it is time."""
        value = float(metrics)
        self.last_epoch += 1
        if self.is_better(value):
            self.best, self.num_bad_epochs = value, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            for group, least in zip(self.optimizer.param_groups, self.min_lrs, strict=False):
                lower = max(group["lr"] * self.factor, least)
                if group["lr"] - lower > self.eps:
                    group["lr"] = lower
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0

    def get_last_lr(self) -> list[float]:
        """The rate of each group now."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """What it takes to go on elsewhere, the rates among it."""
        names = ("best", "num_bad_epochs", "cooldown_counter", "last_epoch")
        return {name: getattr(self, name) for name in names} | {"lrs": self.get_last_lr()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what ``state_dict`` gave.

        Raises:
            CheckpointError: it is something else, or of an optimizer with other groups; nothing has changed.
        """
        names = ("best", "num_bad_epochs", "cooldown_counter", "last_epoch")
        check_state("ReduceLROnPlateau", state, (*names, "lrs"))
        if len(state["lrs"]) != (groups := len(self.optimizer.param_groups)):
            raise CheckpointError(f"ReduceLROnPlateau.load_state_dict: rates of {len(state['lrs'])} groups, there are {groups}")
        for name in names:
            setattr(self, name, state[name])
        for group, lr in zip(self.optimizer.param_groups, state["lrs"], strict=True):
            group["lr"] = lr


__all__ = ["ReduceLROnPlateau"]
