"""Runs kept in files as training goes."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .stopping import Watch

if TYPE_CHECKING:
    from .trainer import Trainer


class ModelCheckpoint(Watch):
    """Writes the whole run to a file after epochs, and after Ctrl-C; ``fit(..., resume=path)`` goes on from it.

    Args:
        path: the file; ``{epoch}`` and columns of the record, such as ``{val_loss:.3f}``, are filled in. Folders are made.
        every: write after every so manieth epoch.
        save_best_only: write only when the monitored number is the best so far.
        monitor, mode, min_delta: which number; see ``Watch``.
        keep: how many files to keep, if their names differ; the oldest goes first.
        steps: write after so many steps too, within an epoch.

    Nothing is written in a ``fast_dev_run``. A file is the old one or the new one at every moment.

    Example:
        >>> from minigrad.train import ModelCheckpoint
        >>> ModelCheckpoint("runs/{epoch:03d}.safetensors", keep=3).keep
        3
    """

    last = True

    def __init__(
        self,
        path: Any = "run.safetensors",
        every: int = 1,
        save_best_only: bool = False,
        monitor: str | None = None,
        mode: str | None = None,
        min_delta: float = 0.0,
        keep: int | None = None,
        steps: int | None = None,
    ):
        super().__init__(monitor, mode, min_delta)
        for name, value in (("every", every), ("keep", keep), ("steps", steps)):
            if value is not None and value < 1:
                raise ValueError(f"ModelCheckpoint: {name} must be at least 1, got {value}")
        self.path, self.every, self.save_best_only, self.keep, self.steps = str(path), every, save_best_only, keep, steps
        self.files: list[str] = []

    def on_epoch_end(self, trainer: "Trainer", row: dict[str, Any]) -> None:
        if trainer.epoch % self.every == 0 and (not self.save_best_only or self.improved(row)):
            self._write(trainer, row)

    def on_step_end(self, trainer: "Trainer") -> None:
        if self.steps is not None and trainer.whole and trainer.step % self.steps == 0:
            self._write(trainer, {"epoch": trainer.epoch + 1})

    def on_interrupt(self, trainer: "Trainer") -> None:
        if not self.save_best_only:
            self._write(trainer, {"epoch": trainer.epoch + 1})

    def _write(self, trainer: "Trainer", row: Mapping[str, Any]) -> None:
        if trainer.trial:
            return
        try:
            path = self.path.format_map({**(trainer.history[-1] if len(trainer.history) else {}), "step": trainer.step, **row})
        except KeyError as error:
            raise KeyError(f"ModelCheckpoint: {self.path!r} asks for {error}; there are step, {', '.join(row)}") from None
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        stale = [f for f in self.files if f != path][: -(self.keep - 1) or None] if self.keep else []
        self.files = [f for f in self.files if f != path and f not in stale] + [path]
        trainer.save(path)
        for f in stale:
            Path(f).unlink(missing_ok=True)

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "files": list(self.files)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.best, self.files = state["best"], list(state["files"])


__all__ = ["ModelCheckpoint"]
