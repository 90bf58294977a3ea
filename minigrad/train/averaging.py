"""The moving average of the weights, kept during training."""

from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from ..optim.averaging import EMA
from .callback import Callback

if TYPE_CHECKING:
    from .trainer import Trainer


class EMACallback(Callback):
    """Keeps an exponential moving average of the model in ``.ema``, and validates with it. The model keeps its own weights unless told.

    Args:
        decay, warmup: see ``optim.EMA``.
        validate: look at the validation data with the average.
        keep: leave the average in the model when all epochs are done; training on from there is another run.

    Example:
        >>> from minigrad.train import EMACallback
        >>> EMACallback(0.99).decay
        0.99
    """

    def __init__(self, decay: float = 0.999, warmup: bool = False, validate: bool = True, keep: bool = False):
        self.decay, self.warmup, self.validate, self.keep = decay, warmup, validate, keep
        self.ema: EMA | None = None
        self._shown = ExitStack()

    def on_fit_start(self, trainer: "Trainer") -> None:
        if self.ema is None:
            self.ema = EMA(trainer.model, self.decay, self.warmup)

    def on_step_end(self, trainer: "Trainer") -> None:
        if self.ema is not None and trainer.whole:
            self.ema.update_parameters(trainer.model)

    def on_validation_start(self, trainer: "Trainer") -> None:
        if self.validate and self.ema is not None:
            self._shown.enter_context(self.ema.applied(trainer.model))

    def on_validation_end(self, trainer: "Trainer") -> None:
        self._shown.close()

    def on_fit_end(self, trainer: "Trainer") -> None:
        self.on_validation_end(trainer)  # if an error came in between
        if self.keep and self.ema is not None and not trainer.interrupted and trainer.epoch == trainer.epochs:
            trainer.model.load_state_dict(self.ema.module.state_dict())

    def state_dict(self) -> dict[str, Any]:
        return {} if self.ema is None else {"ema": self.ema.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if self.ema is not None:
            self.ema.load_state_dict(state["ema"])


__all__ = ["EMACallback"]
