"""Trainer: the training loop, written once. It is optional: everything in it can be done by hand, in this order."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from ..autograd import Tensor, no_grad
from ..backend import generator
from ..errors import CheckpointError, DTypeError
from ..io import load_run, save_run
from ..metrics import Metric
from ..nn import Module
from ..nn.utils import clip_grad_norm_
from ..ops import concat
from ..optim import Optimizer
from ..optim.lr_scheduler import ReduceLROnPlateau
from .batches import batches_of, first, moved, parted
from .callback import Callback
from .history import History
from .interruption import Interruption
from .modes import evaluating, warn_of_what_stays
from .progress import ProgressBar
from .running import Running, named

_PARTS = ("model", "optimizer", "schedulers", "callbacks", "history", "epoch", "step", "begin")
_PLACE = ("random", "loader", "running", "trained")


class Trainer:
    """Fits a model: batches, loss, backward, step; validation, metrics, callbacks, Ctrl-C and exact resuming.

    Args:
        model: what is trained.
        loss: ``loss(output, target)``, a Tensor of one number, averaged over the batch.
        optimizer: over the model's parameters; ``model.named_parameters()`` lets its state survive changes of the model.
        scheduler: a learning-rate schedule, or several.
        schedule_each: "epoch" or "step": when the schedules go on.
        metrics: states from ``minigrad.metrics``, or a dict that names them.
        callbacks: see ``Callback``.
        regularizers: from ``minigrad.regularizers``: penalties are added to the loss, projections follow each step.
        clip_norm: the largest norm that all gradients together may have.
        accumulate: add up the gradients of so many batches before each step.
        device: where the model and the batches go.
        progress: show a bar in a terminal, a line per epoch elsewhere.

    A batch is (input, target), or (input, ..., target) for models of several inputs, or an input alone, which is then its own
    target. For anything else override ``training_step``.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn, optim
        >>> from minigrad.train import Trainer
        >>> _ = mg.manual_seed(0)
        >>> x = mg.linspace(-1, 1, 64, dtype="float32").reshape((64, 1))
        >>> model = nn.Linear(1, 1)
        >>> trainer = Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.3), progress=False)
        >>> history = trainer.fit((x, 3 * x), epochs=20, batch_size=16)
        >>> round(model.weight.item(), 2), len(history)
        (3.0, 20)
    """

    def __init__(
        self,
        model: Module,
        loss: Callable[[Any, Any], Tensor],
        optimizer: Optimizer,
        *,
        scheduler: Any = None,
        schedule_each: str = "epoch",
        metrics: Any = (),
        callbacks: Iterable[Callback] = (),
        regularizers: Sequence[Any] = (),
        clip_norm: float | None = None,
        accumulate: int = 1,
        device: Any = None,
        progress: bool = True,
    ):
        if not isinstance(optimizer, Optimizer):
            raise DTypeError(f"Trainer: expected an Optimizer, got {type(optimizer).__name__}; make one: optim.Adam(model.parameters())")
        if schedule_each not in ("epoch", "step"):
            raise ValueError(f"Trainer: schedule_each must be 'epoch' or 'step', got {schedule_each!r}")
        if accumulate < 1:
            raise ValueError(f"Trainer: accumulate must be at least 1, got {accumulate}")
        self.model, self.loss, self.optimizer, self.device = model if device is None else model.to(device), loss, optimizer, device
        self.schedulers: list[Any] = [] if scheduler is None else list(scheduler) if isinstance(scheduler, (list, tuple)) else [scheduler]
        self.schedule_each, self.clip_norm, self.accumulate = schedule_each, clip_norm, accumulate
        self.metrics: dict[str, Metric] = named(metrics)
        self.regularizers = list(regularizers)
        self.callbacks = [*callbacks, *([ProgressBar()] if progress else [])]
        self.history = History()
        self.epoch = self.step = 0
        self.stop = self.trial = self.resuming = self.interrupted = False
        self.whole = True  # whether the last batch completed a step of the optimizer
        self.epochs = 0  # the epoch at which this call of fit ends
        self.batches: int | None = None  # how many an epoch has, where that is known
        self.last_loss: Any = None
        self._begin = 0  # the epoch at which this call of fit began
        self._loader: Any = None
        self._listening: list[Callback] = []
        self._running = Running(self.metrics)
        self._trained = False  # whether all batches of this epoch have been seen, so that validation is next
        self._paused: dict[str, Any] | None = None

    # -- the loop -----------------------------------------------------------------------------------------------------
    def fit(
        self,
        train: Any,
        validation: Any = None,
        epochs: int = 1,
        *,
        batch_size: int = 32,
        shuffle: bool = True,
        resume: Any = None,
        fast_dev_run: bool = False,
        overfit_batches: int = 0,
    ) -> History:
        """Train for so many epochs.

        Args:
            train, validation: a DataLoader (anything that gives batches each time it is iterated), a Dataset, or a tuple of arrays.
            epochs: how many; with ``resume``, how many the resumed call is to have in all.
            batch_size, shuffle: for datasets and arrays.
            resume: a file that ``save`` or a ``ModelCheckpoint`` wrote, or True for the last call of ``fit``: go on from there, with the
                same batches, random numbers and schedules, as if nothing had happened; on the CPU every bit is the same.
            fast_dev_run: try everything out: one batch of training, one of validation, and no files.
            overfit_batches: train on the first so many batches only, and validate on them: a model that cannot learn these has a fault.

        Returns:
            The history, also ``self.history``: one record per epoch. After Ctrl-C, ``self.interrupted`` is True, and model, optimizer and
            counts are those after the last whole step; a second Ctrl-C raises at once.

        Raises:
            ValueError: there are no batches.
            CheckpointError: ``resume`` does not fit.
        """
        if epochs < 0:
            raise ValueError(f"fit: epochs must not be negative, got {epochs}")
        self.trial, self.resuming, self.stop, self.interrupted = fast_dev_run, resume is not None, False, False
        limit = 1 if fast_dev_run else overfit_batches or None
        self._loader = loader = batches_of(train, batch_size, shuffle and not overfit_batches)
        if limit:
            loader = first(loader, limit)
            validation = loader if overfit_batches and not fast_dev_run else validation
        self.batches = len(loader) if hasattr(loader, "__len__") else None
        if self.batches == 0:
            raise ValueError("fit: there are no batches; the data are empty, or drop_last dropped the only one")
        warn_of_what_stays(self.model, self.optimizer)
        if resume is None:
            self._begin, self._paused, self._trained = self.epoch, None, False
            self._running.reset()
        if not self.model.training:
            self.model.train()
        self._listening = sorted(self.callbacks, key=lambda c: c.last)
        try:
            with Interruption() as ctrl_c:
                self._ctrl_c = ctrl_c
                many = min(epochs, 1) if fast_dev_run else epochs
                self.epochs = self._begin + many
                self._tell("on_fit_start")
                self._go_on(resume)
                self.epochs = self._begin + many
                while self.epoch < self.epochs and not self.stop:
                    if not self._fit_epoch(loader, validation, batch_size, 1 if fast_dev_run else None):
                        self.interrupted = True
                        self._tell("on_interrupt")
                        break
                self._paused = self._place()
        finally:
            self._tell("on_fit_end")
            self._loader = None
        return self.history

    def _fit_epoch(self, loader: Any, validation: Any, batch_size: int, limit: int | None) -> bool:
        """One epoch, or what is left of it; False if Ctrl-C ended it."""
        self._tell("on_epoch_start")
        for batch in [] if self._trained else self._left_of(loader):
            self.whole = self._fit_batch(batch)
            self._tell("on_step_end")
            if self._ctrl_c.asked and self.whole:  # not with half the gradients of a step, which no file would hold
                return False
            if self.stop:
                break
        self._trained = True
        row = {"epoch": self.epoch + 1, **self._running.compute()}
        if validation is not None:
            self._tell("on_validation_start")
            found = self._evaluate(batches_of(validation, batch_size, False, apart=True), limit)
            self._tell("on_validation_end")
            if found is None:
                return False
            row |= {f"val_{k}": v for k, v in found.items()}
        row["lr"] = self.optimizer.param_groups[0]["lr"]
        self._schedule("epoch", row)
        self.epoch, self._trained = self.epoch + 1, False
        self._running.reset()
        self.history.append(row)
        self._tell("on_epoch_end", self.history.rows[-1])
        return True

    def _fit_batch(self, batch: Any) -> bool:
        """Forward, backward, and, when enough batches have been added up, a step; whether there was one."""
        running = self._running
        first = running.batches - running.batches % self.accumulate
        group = self.accumulate if self.batches is None else min(self.accumulate, self.batches - first)
        loss, output, target = self.training_step(moved(batch, self.device))
        if not isinstance(loss, Tensor) or loss.size != 1:
            raise DTypeError(f"fit: the loss must be a Tensor of one number, got {loss!r:.80}; use reduction='mean'")
        total = loss
        for r in self.regularizers:
            penalty = r.penalty(self.model)
            total = total if penalty is None else total + penalty
        (total if group == 1 else total / group).backward()
        self.last_loss = loss.detach()
        running.update(self.last_loss, output, target)
        self._tell("on_backward_end")
        if running.batches - first < group:
            return False
        for r in self.regularizers:
            r.gradients(self.model)
        if self.clip_norm is not None:
            clip_grad_norm_(self.model.parameters(), self.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        for r in self.regularizers:
            r.project(self.model, self.optimizer)
        self.step += 1
        self._schedule("step", {})
        return True

    def training_step(self, batch: Any) -> tuple[Tensor, Any, Any]:
        """The loss of a batch, the output and the target. Override it for models that are called in another way."""
        inputs, target = parted(batch)
        output = self.model(*inputs)
        return self.loss(output, target), output, target

    # -- looking ------------------------------------------------------------------------------------------------------
    def evaluate(self, data: Any, batch_size: int = 256) -> dict[str, float]:
        """The mean loss and the metrics over data, in evaluation mode and without a graph."""
        self._ctrl_c = Interruption()
        found = self._evaluate(batches_of(data, batch_size, False, apart=True), None)
        assert found is not None
        return found

    def _evaluate(self, loader: Any, limit: int | None) -> dict[str, float] | None:
        """The same, or None if Ctrl-C came in between."""
        running = Running({name: metric.fresh() for name, metric in self.metrics.items()})
        with evaluating(self.model), no_grad():
            for batch in first(loader, limit) if limit else loader:
                loss, output, target = self.training_step(moved(batch, self.device))
                running.update(loss, output, target)
                if self._ctrl_c.asked:
                    return None
        return running.compute()

    def predict(self, data: Any, batch_size: int = 256) -> Tensor:
        """The outputs for data, joined along the first axis. Data are inputs alone: an array, a tuple of arrays, a Dataset or a loader
        (whose batches may have a target at their end, which is left out).
        """
        alone = isinstance(data, Tensor) or hasattr(data, "dtype")
        outputs = []
        with evaluating(self.model), no_grad():
            for batch in batches_of((data,) if alone else data, batch_size, False, apart=True):
                batch = moved(batch, self.device)
                many = isinstance(batch, (tuple, list))
                inputs = batch if many and (len(batch) == 1 or isinstance(data, tuple)) else parted(batch)[0]
                outputs.append(self.model(*inputs))
        if not outputs:
            raise ValueError("predict: there are no batches")
        return concat(outputs, axis=0)

    # -- stopping and going on ----------------------------------------------------------------------------------------
    def save(self, path: Any) -> None:
        """Write the whole run to a file: model, optimizer, schedules, random streams, place in the data, history, callbacks."""
        save_run(self.state_dict(), path)

    def load(self, path: Any) -> None:
        """Take over what ``save`` wrote; ``fit(..., resume=path)`` does this, and goes on."""
        self.load_state_dict(load_run(path))

    def state_dict(self) -> dict[str, Any]:
        """All that a run is; see ``save``."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedulers": [s.state_dict() for s in self.schedulers],
            "callbacks": [[type(c).__name__, c.state_dict()] for c in self.callbacks],
            "history": [dict(row) for row in self.history.rows],
            "epoch": self.epoch,
            "step": self.step,
            "begin": self._begin,
            **(self._place() if self._paused is None else self._paused),
        }

    def _place(self) -> dict[str, Any]:
        """Where the run stands within its epoch."""
        keeps = getattr(self._loader, "state_dict", None)
        loader = None if keeps is None else keeps()
        return {"random": generator().state, "loader": loader, "running": self._running.state_dict(), "trained": self._trained}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what ``state_dict`` gave: all, or nothing if a part of it does not fit.

        Raises:
            CheckpointError: this is no run, or that of another model, optimizer, schedules or callbacks.
        """
        parts = {
            "model",
            "optimizer",
            "schedulers",
            "callbacks",
            "history",
            "epoch",
            "step",
            "begin",
            "random",
            "loader",
            "running",
            "trained",
        }
        if not parts <= set(state):
            raise CheckpointError(f"Trainer: this is no saved run; it lacks {sorted(parts - set(state))}")
        theirs, mine = [name for name, _ in state["callbacks"]], [type(c).__name__ for c in self.callbacks]
        for what, saved, here in (
            ("schedulers", len(state["schedulers"]), len(self.schedulers)),
            (
                "callbacks that keep a state",
                [n for n, s in state["callbacks"] if s],
                [n for n in mine if n in dict(_kept(state["callbacks"]))],
            ),
        ):
            if saved != here:
                raise CheckpointError(f"Trainer: the saved run has {what} {saved}, this one {here}; of all: {theirs} and {mine}")
        before, paused = self.state_dict(), self._paused
        try:
            self._take(state)
        except Exception:
            self._take(before)
            self._paused = paused
            raise

    def _take(self, state: Mapping[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        for scheduler, own in zip(self.schedulers, state["schedulers"], strict=True):
            scheduler.load_state_dict(own)
        waiting = list(_kept(state["callbacks"]))
        for c in self.callbacks:
            if waiting and waiting[0][0] == type(c).__name__:
                c.load_state_dict(waiting.pop(0)[1])
        self.optimizer.load_state_dict(state["optimizer"])  # after the schedules, which set its rates as they load
        self.history = History(state["history"])
        self.epoch, self.step, self._begin = state["epoch"], state["step"], state["begin"]
        self._paused = {k: state[k] for k in _PLACE}

    def _go_on(self, resume: Any) -> None:
        """Take up a run that was stopped, from memory or from a file."""
        if resume is None:
            return
        if resume is not True:
            self.load(resume)
        paused, self._paused = self._paused, None
        if paused is None:
            raise CheckpointError(
                "fit: resume=True, but there was no run, or it ended in an error; give the name of a file, or leave resume out"
            )
        self._running.load_state_dict(paused["running"])
        self._trained = paused["trained"]
        generator().state = paused["random"]
        if paused["loader"] is not None:
            if not hasattr(self._loader, "load_state_dict"):
                raise CheckpointError("fit: the run to be resumed had a DataLoader that knows its place; give one again")
            self._loader.load_state_dict(paused["loader"])

    def _left_of(self, loader: Any) -> Iterator[Any]:
        """The batches of this epoch that have not been seen; a loader that does not know its place repeats them, and they are left out."""
        return islice(loader, 0 if hasattr(self._loader, "load_state_dict") else self._running.batches, None)

    def _schedule(self, each: str, row: dict[str, Any]) -> None:
        for s in self.schedulers if each == self.schedule_each else ():
            if isinstance(s, ReduceLROnPlateau):
                s.step(row["val_loss" if "val_loss" in row else "loss"])
            else:
                s.step()

    def _tell(self, what: str, *more: Any) -> None:
        for c in self._listening:
            getattr(c, what)(self, *more)

    @property
    def running(self) -> dict[str, float]:
        """The means so far in this epoch; reading them waits for the device."""
        return self._running.compute()


def _kept(callbacks: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    """The callbacks that keep a state, with it."""
    return ((name, state) for name, state in callbacks if state)


__all__ = ["Trainer"]
