"""Callback: what wants to be told how training goes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .trainer import Trainer


class Callback:
    """The base of all callbacks: override what you need; ``trainer`` holds the model, the optimizer, the counts and the history.

    Set ``trainer.stop = True`` to end training after the epoch, or at once from ``on_step_end``.

    Example:
        >>> from minigrad.train import Callback
        >>> class Cheer(Callback):
        ...     def on_epoch_end(self, trainer, row):
        ...         print("epoch", row["epoch"], "done")
    """

    last = False
    """Whether to be told after all others: for those that write down what the others have done."""

    def on_fit_start(self, trainer: "Trainer") -> None:
        """Before the first epoch of a call of ``fit``."""

    def on_epoch_start(self, trainer: "Trainer") -> None:
        """Before the first batch of an epoch (or of what is left of it)."""

    def on_backward_end(self, trainer: "Trainer") -> None:
        """When the gradients of a batch are there, before the step."""

    def on_step_end(self, trainer: "Trainer") -> None:
        """After each batch; ``trainer.last_loss`` is its loss. With accumulation, not every batch is an optimizer's step."""

    def on_validation_start(self, trainer: "Trainer") -> None:
        """Before the validation data are looked at."""

    def on_validation_end(self, trainer: "Trainer") -> None:
        """After they were."""

    def on_epoch_end(self, trainer: "Trainer", row: dict[str, Any]) -> None:
        """After an epoch, with its record, to which more may be added."""

    def on_interrupt(self, trainer: "Trainer") -> None:
        """After Ctrl-C, at the end of the step that it met."""

    def on_fit_end(self, trainer: "Trainer") -> None:
        """At the end of ``fit``, also after Ctrl-C and errors."""

    def state_dict(self) -> dict[str, Any]:
        """What it takes to go on in another process."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what ``state_dict`` gave."""


__all__ = ["Callback"]
