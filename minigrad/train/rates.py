"""Learning rates: the range test that finds one, and the one-cycle policy."""

from collections.abc import Mapping
from math import exp, inf, isfinite, log
from pathlib import Path
from typing import Any

from ..backend import generator
from ..optim.lr_scheduler import OneCycleLR
from ..viz.curve import save_curve
from .batches import batches_of
from .callback import Callback
from .trainer import Trainer


class RateTest:
    """What ``find_lr`` saw: ``rates``, smoothed ``losses``, and the ``suggestion``.

    Example:
        >>> from minigrad.train.rates import RateTest
        >>> RateTest([1e-4, 1e-3, 1e-2, 0.1, 1.0], [4.0, 3.9, 2.0, 1.0, 9.0])
        RateTest(5 rates from 0.0001 to 1, suggestion 0.01)
    """

    def __init__(self, rates: list[float], losses: list[float]):
        self.rates, self.losses = rates, losses

    @property
    def suggestion(self) -> float:
        """The rate at which the smoothed loss falls most steeply over the logarithm of the rate, before its minimum.

        The first tenth, where the mean has hardly begun, is not looked at.
        """
        lowest = min(range(len(self.losses)), key=self.losses.__getitem__)
        reach = max(1, len(self.losses) // 40)
        inner = range(len(self.losses) // 10 + reach, lowest - reach + 1)
        slopes = [(self.losses[i + reach] - self.losses[i - reach], i) for i in inner]
        return self.rates[min(slopes)[1]] if slopes else self.rates[lowest]

    def plot(self, path: Any) -> Path:
        """Draw loss over rate, with a logarithmic axis; returns the file's path."""
        return save_curve(Path(path), {"loss": self.losses}, "learning rate", "loss", at=self.rates, log=True)

    def __repr__(self) -> str:
        return f"RateTest({len(self.rates)} rates from {self.rates[0]:.2g} to {self.rates[-1]:.2g}, suggestion {self.suggestion:.2g})"


def find_lr(
    trainer: Trainer, train: Any, low: float = 1e-6, high: float = 1.0, steps: int = 100, batch_size: int = 32, smoothing: float = 0.9
) -> RateTest:
    """Train with a rate that grows from ``low`` to ``high``, and look where the loss falls fastest. Everything is put back after.

    Args:
        trainer: its model and optimizer are used; weights, state, rates and random numbers are restored, also after an error.
        train: as for ``fit``.
        low, high: the range, run through in equal factors.
        steps: how many batches; the data are repeated if they have fewer.
        batch_size: for datasets and arrays.
        smoothing: how much of the loss shown is that of the steps before.

    Stops early when the loss has grown to four times its smallest.

    Source:
        Smith, "Cyclical learning rates for training neural networks", 2017, section 3.3.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn, optim
        >>> from minigrad.train import Trainer, find_lr
        >>> _ = mg.manual_seed(0)
        >>> model, x = nn.Linear(1, 1), mg.linspace(-1, 1, 64, dtype="float32").reshape((64, 1))
        >>> trainer = Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.1), progress=False)
        >>> before = model.weight.item()
        >>> found = find_lr(trainer, (x, 3 * x), high=10.0)
        >>> 1e-3 < found.suggestion < 10, model.weight.item() == before
        (True, True)
    """
    if not 0 < low < high:
        raise ValueError(f"find_lr: expected 0 < low < high, got low={low}, high={high}")
    if steps < 3:
        raise ValueError(f"find_lr: steps must be at least 3, got {steps}")
    probe = _Probe(low, high, steps, smoothing)
    before, random, paused = trainer.state_dict(), generator().state, trainer._paused
    kept = trainer.callbacks, trainer.schedulers
    trainer.callbacks, trainer.schedulers = [probe], []
    try:
        loader = batches_of(train, batch_size, True)
        while len(probe.losses) < steps and not (trainer.stop or trainer.interrupted):
            trainer.fit(loader, epochs=1)
    finally:
        trainer.callbacks, trainer.schedulers = kept
        trainer.load_state_dict(before)
        trainer.optimizer.zero_grad()
        generator().state, trainer.stop, trainer._paused = random, False, paused
    return RateTest(probe.rates, probe.losses)


class _Probe(Callback):
    """Sets the rate before each step, and notes the loss."""

    def __init__(self, low: float, high: float, steps: int, smoothing: float):
        self.low, self.growth, self.steps, self.smoothing = low, log(high / low) / (steps - 1), steps, smoothing
        self.rates: list[float] = []
        self.losses: list[float] = []
        self._mean, self._best = 0.0, inf

    def _set(self, trainer: Trainer) -> None:
        self._rate = self.low * exp(self.growth * len(self.rates))
        for group in trainer.optimizer.param_groups:
            group["lr"] = self._rate

    def on_epoch_start(self, trainer: Trainer) -> None:
        self._set(trainer)

    def on_step_end(self, trainer: Trainer) -> None:
        if not trainer.whole:
            return
        self._mean = self.smoothing * self._mean + (1 - self.smoothing) * trainer.last_loss.item()
        loss = self._mean / (1 - self.smoothing ** (len(self.losses) + 1))
        if not isfinite(loss) or loss > 4 * self._best or len(self.losses) == self.steps:
            trainer.stop = True
            return
        self._best = min(self._best, loss)
        self.rates.append(self._rate)
        self.losses.append(loss)
        self._set(trainer)


class OneCycle(Callback):
    """The one-cycle policy over the whole of ``fit``, in one line: the rate climbs to ``max_lr`` and falls to almost nothing.

    Args:
        max_lr: the peak; ``find_lr`` suggests one.
        options: as ``optim.lr_scheduler.OneCycleLR``: ``pct_start``, ``div_factor``, ``final_div_factor``, ``anneal_strategy``, ...

    Source:
        Smith and Topin, "Super-convergence", 2018.

    Example:
        >>> from minigrad.train import OneCycle
        >>> OneCycle(0.1, pct_start=0.25).options
        {'pct_start': 0.25}
    """

    def __init__(self, max_lr: float, **options: Any):
        self.max_lr, self.options = max_lr, options
        self._schedule: OneCycleLR | None = None
        self._total = 0

    def on_fit_start(self, trainer: Trainer) -> None:
        if trainer.resuming and self._schedule is not None:
            return
        if trainer.batches is None:
            raise ValueError("OneCycle: the loader does not say how many batches it has (no len), so the cycle has no length")
        self._total = -(-trainer.batches // trainer.accumulate) * max(trainer.epochs - trainer.epoch, 1)
        self._schedule = OneCycleLR(trainer.optimizer, self.max_lr, total_steps=self._total, **self.options)

    def on_step_end(self, trainer: Trainer) -> None:
        if trainer.whole and self._schedule is not None and self._schedule.last_epoch < self._schedule.total_steps - 1:
            self._schedule.step()

    def state_dict(self) -> dict[str, Any]:
        return {} if self._schedule is None else {"schedule": self._schedule.state_dict(), "total": self._total}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if self._schedule is not None:
            self._total = self._schedule.total_steps = state["total"]
            self._schedule.load_state_dict(state["schedule"])


class GradientAccumulation(Callback):
    """How many batches to add up before a step, by epoch: ``{0: 1, 5: 4}`` adds up four from the sixth epoch on.

    Example:
        >>> from minigrad.train import GradientAccumulation
        >>> GradientAccumulation({0: 1, 5: 4}).at(7)
        4
    """

    def __init__(self, schedule: Mapping[int, int]):
        if not schedule or any(epoch < 0 or k < 1 for epoch, k in schedule.items()):
            raise ValueError(f"GradientAccumulation: expected counts of at least 1 by epoch from 0, got {dict(schedule)}")
        self.schedule = dict(sorted(schedule.items()))

    def at(self, epoch: int) -> int:
        """The count in an epoch."""
        return next((k for e, k in reversed(self.schedule.items()) if e <= epoch), 1)

    def on_epoch_start(self, trainer: Trainer) -> None:
        trainer.accumulate = self.at(trainer.epoch)


__all__ = ["GradientAccumulation", "OneCycle", "RateTest", "find_lr"]
