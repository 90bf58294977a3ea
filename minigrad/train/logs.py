"""Logs of training: CSV, JSON lines, TensorBoard, pictures, the learning rate."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .callback import Callback
from .tensorboard import EventFile

if TYPE_CHECKING:
    from .trainer import Trainer


class CSVLogger(Callback):
    """One line per epoch in a CSV file, rewritten whole each time, so that columns may come later and a resumed run has no line twice.

    Example:
        >>> from minigrad.train import CSVLogger
        >>> str(CSVLogger("log.csv").path)
        'log.csv'
    """

    last = True

    def __init__(self, path: Any):
        self.path = Path(path)

    def on_epoch_end(self, trainer: "Trainer", row: dict[str, Any]) -> None:
        if trainer.trial:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        trainer.history.save_csv(self.path)


class JSONLLogger(Callback):
    """One JSON object per epoch, appended to a file as it happens, with the time.

    Example:
        >>> from minigrad.train import JSONLLogger
        >>> str(JSONLLogger("log.jsonl").path)
        'log.jsonl'
    """

    last = True

    def __init__(self, path: Any):
        self.path = Path(path)

    def on_epoch_end(self, trainer: "Trainer", row: dict[str, Any]) -> None:
        if trainer.trial:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a") as f:
            row = {**row, "step": trainer.step, "time": time.time()}
            f.write(json.dumps(row, default=lambda a: a.tolist()) + "\n")  # a confusion matrix is an array


class TensorBoardLogger(Callback):
    """Scalars for TensorBoard: every number of each epoch's record, and the loss of every so manieth step.

    Args:
        folder: where the event file goes; ``tensorboard --logdir folder`` shows it. No package is needed to write it.
        every: steps between two losses; each waits for a GPU. 0: none.

    Example:
        >>> from minigrad.train import TensorBoardLogger
        >>> TensorBoardLogger("runs/first", every=100).every
        100
    """

    last = True

    def __init__(self, folder: Any, every: int = 50):
        self.folder, self.every = Path(folder), every
        self._file: EventFile | None = None

    def _write(self, trainer: "Trainer", values: Mapping[str, float]) -> None:
        if trainer.trial:
            return
        if self._file is None:
            self._file = EventFile(self.folder)
        self._file.scalars(values, trainer.step)

    def on_step_end(self, trainer: "Trainer") -> None:
        if self.every and trainer.whole and trainer.step % self.every == 0:
            self._write(trainer, {"step/loss": trainer.last_loss.item()})

    def on_epoch_end(self, trainer: "Trainer", row: dict[str, Any]) -> None:
        self._write(trainer, {f"epoch/{k}": v for k, v in row.items() if isinstance(v, (int, float)) and k != "epoch"})

    def on_fit_end(self, trainer: "Trainer") -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class PlotHistory(Callback):
    """The losses (or the columns named) over the epochs as a picture, drawn again after each epoch.

    Args:
        path: the file: PNG where matplotlib is installed, else SVG.
        names: which columns.

    Example:
        >>> from minigrad.train import PlotHistory
        >>> PlotHistory("curve", ["val_accuracy"]).names
        ['val_accuracy']
    """

    last = True

    def __init__(self, path: Any, names: list[str] | None = None):
        self.path, self.names = Path(path), names

    def on_epoch_end(self, trainer: "Trainer", row: dict[str, Any]) -> None:
        if not trainer.trial:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            trainer.history.plot(self.path, self.names)


class LRMonitor(Callback):
    """The learning rate of every group in each epoch's record, as ``lr_0``, ``lr_1``, ...

    Example:
        >>> from minigrad.train import LRMonitor
        >>> LRMonitor().last
        False
    """

    def on_epoch_end(self, trainer: "Trainer", row: dict[str, Any]) -> None:
        row |= {f"lr_{i}": group["lr"] for i, group in enumerate(trainer.optimizer.param_groups)}


__all__ = ["CSVLogger", "JSONLLogger", "LRMonitor", "PlotHistory", "TensorBoardLogger"]
