"""How far training is: a bar where someone watches, a line per epoch elsewhere."""

import importlib.util
import sys
import time
from typing import TYPE_CHECKING, Any

from .callback import Callback

if TYPE_CHECKING:
    from .trainer import Trainer


class ProgressBar(Callback):
    """A bar per epoch by tqdm, where it is installed and standard error is a terminal; one line per epoch in any case.

    Args:
        every: seconds between two looks at the loss, each of which waits for a GPU.

    Example:
        >>> from minigrad.train import ProgressBar
        >>> ProgressBar(every=1.0).every
        1.0
    """

    def __init__(self, every: float = 0.2):
        self.every = every
        self._bar: Any = None
        self._last = self._begin = 0.0

    def on_epoch_start(self, trainer: "Trainer") -> None:
        self._begin = time.perf_counter()
        if sys.stderr.isatty() and importlib.util.find_spec("tqdm"):
            from tqdm import tqdm

            self._bar = tqdm(total=trainer.batches, desc=f"epoch {trainer.epoch + 1}/{trainer.epochs}", leave=False)

    def on_step_end(self, trainer: "Trainer") -> None:
        if self._bar is None:
            return
        now = time.perf_counter()
        if now - self._last > self.every:
            self._bar.set_postfix_str(f"loss {trainer.running['loss']:.4f}", refresh=False)
            self._last = now
        self._bar.update()

    def on_epoch_end(self, trainer: "Trainer", row: dict[str, Any]) -> None:
        self._close()
        numbers = "  ".join(f"{k} {v:.4f}" for k, v in row.items() if isinstance(v, float) and k != "lr")
        seconds = time.perf_counter() - self._begin
        print(f"epoch {row['epoch']:{len(str(trainer.epochs))}d}/{trainer.epochs}  {numbers}  {seconds:.1f} s", flush=True)

    def on_interrupt(self, trainer: "Trainer") -> None:
        self._close()
        seen, of = trainer.state_dict()["running"]["batches"], "" if trainer.batches is None else f" of {trainer.batches}"
        print(
            f"interrupted in epoch {trainer.epoch + 1} after {seen}{of} batches; the model is that of the last whole step. "
            "fit(..., resume=True) goes on, trainer.save(path) keeps it",
            flush=True,
        )

    def on_fit_end(self, trainer: "Trainer") -> None:
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


__all__ = ["ProgressBar"]
