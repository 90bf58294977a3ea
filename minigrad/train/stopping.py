"""Callbacks that end training: when it no longer improves, and when it has gone wrong."""

from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any

from ..errors import MinigradError
from .callback import Callback

if TYPE_CHECKING:
    from .trainer import Trainer


class Watch(Callback):
    """The base of callbacks that follow one number of the epochs' records.

    Args:
        monitor: which; by default the loss on the validation data, or on the training data where there are none.
        mode: "min" or "max"; by default "max" for names that speak of accuracy, precision, recall, f1, auroc or r2.
        min_delta: by how much it must be better to count.

    Example:
        >>> from minigrad.train import Watch
        >>> watch = Watch("val_accuracy")
        >>> watch.improved({"val_accuracy": 0.7}), watch.improved({"val_accuracy": 0.6})
        (True, False)
    """

    def __init__(self, monitor: str | None = None, mode: str | None = None, min_delta: float = 0.0):
        if mode not in (None, "min", "max"):
            raise ValueError(f"{type(self).__name__}: mode must be 'min' or 'max', got {mode!r}")
        if not min_delta >= 0:
            raise ValueError(f"{type(self).__name__}: min_delta must not be negative, got {min_delta}")
        self.monitor, self.mode, self.min_delta = monitor, mode, min_delta
        self.best: float | None = None

    def improved(self, row: Mapping[str, Any]) -> bool:
        """Whether this record is the best so far, which is then kept. NaN never is."""
        name = self.monitor or ("val_loss" if "val_loss" in row else "loss")
        if name not in row:
            raise KeyError(f"{type(self).__name__}: there is no {name!r} to watch; records have {', '.join(row)}")
        words = ("acc", "precision", "recall", "f1", "auroc", "r2", "top")
        sign = -1 if (self.mode or ("max" if any(w in name for w in words) else "min")) == "max" else 1
        value = float(row[name])
        if value != value or (self.best is not None and not sign * value < sign * self.best - self.min_delta):
            return False
        self.best = value
        return True


class EarlyStopping(Watch):
    """Ends training after ``patience`` epochs without improvement, and gives the model its best weights back.

    Args:
        monitor, mode, min_delta: see ``Watch``.
        patience: how many epochs to wait.
        restore_best: put the best weights back at the end of training.

    Source:
        Prechelt, "Early stopping - but when?", 1998.

    Example:
        >>> from minigrad.train import EarlyStopping
        >>> EarlyStopping("val_accuracy", patience=3).patience
        3
    """

    def __init__(
        self, monitor: str | None = None, mode: str | None = None, min_delta: float = 0.0, patience: int = 5, restore_best: bool = True
    ):
        super().__init__(monitor, mode, min_delta)
        if patience < 0:
            raise ValueError(f"EarlyStopping: patience must not be negative, got {patience}")
        self.patience, self.restore_best = patience, restore_best
        self.waited = self.best_epoch = 0
        self._weights: Any = None

    def on_epoch_end(self, trainer: "Trainer", row: dict[str, Any]) -> None:
        if self.improved(row):
            self.waited, self.best_epoch = 0, trainer.epoch
            if self.restore_best:
                self._weights = trainer.model.state_dict()
            return
        self.waited += 1
        if self.waited >= max(self.patience, 1):
            trainer.stop = True

    def on_fit_end(self, trainer: "Trainer") -> None:
        if self.restore_best and self._weights is not None and not trainer.interrupted and self.best_epoch != trainer.epoch:
            trainer.model.load_state_dict(self._weights)

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "waited": self.waited, "best_epoch": self.best_epoch, "weights": self._weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.best, self.waited, self.best_epoch = state["best"], state["waited"], state["best_epoch"]
        self._weights = state["weights"]


class TerminateOnNaN(Callback):
    """Ends training with an error at the first loss that is not finite, before the step that would spoil the parameters.

    Args:
        every: look at every so manieth batch only; looking waits for a GPU.

    Raises:
        NotFiniteError: in ``fit``; says the epoch and the batch, and whether the parameters are still finite.

    Example:
        >>> from minigrad.train import TerminateOnNaN
        >>> TerminateOnNaN(every=10).every
        10
    """

    def __init__(self, every: int = 1):
        if every < 1:
            raise ValueError(f"TerminateOnNaN: every must be at least 1, got {every}")
        self.every = every
        self._seen = 0

    def on_backward_end(self, trainer: "Trainer") -> None:
        self._seen += 1
        if self._seen % self.every or isfinite(loss := trainer.last_loss.item()):
            return
        bad = [name for name, p in trainer.model.named_parameters() if not isfinite(float(abs(p.data).sum()))]
        where = f"not finite are {', '.join(bad[:5])}{' and others' if len(bad) > 5 else ''}" if bad else "all parameters are still finite"
        raise NotFiniteError(
            f"fit: the loss is {loss} in epoch {trainer.epoch + 1}, after {trainer.step} steps; {where}, and no step was taken. Try a "
            "smaller learning rate or clip_norm, and minigrad.autograd.detect_anomaly() to find the operation"
        )


class NotFiniteError(MinigradError, ArithmeticError):
    """A loss that is NaN or infinite.

    Example:
        >>> from minigrad.train import NotFiniteError
        >>> issubclass(NotFiniteError, ArithmeticError)
        True
    """


__all__ = ["EarlyStopping", "NotFiniteError", "TerminateOnNaN", "Watch"]
