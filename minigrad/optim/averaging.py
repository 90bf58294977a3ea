"""Averages of weights over training: stochastic weight averaging, exponential moving averages."""

import copy
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..autograd import Tensor, no_grad
from ..autograd.node import stamp
from ..autograd.op import Op, compiled
from ..backend import device_of, to_device
from ..backend.arrays import namespace
from ..nn import BatchNorm1d, BatchNorm2d, BatchNorm3d, Buffer, Module
from .lr_scheduler import LRScheduler
from .lr_scheduler.cycles import half_cosine, line
from .lr_scheduler.scheduler import per_group
from .optimizer import Optimizer


def _mix(a: Any, p: Any, share: Any) -> None:
    a += (p - a) * share.astype(a.dtype)


MIX = Op("averaged", (), (), kernel=lambda xp: _mix, doc="a + (p - a) share, in place.")
compiled("optimizers", MIX)


class AveragedModel(Module):
    """A copy of a model whose weights are averages of the model's; ``update_parameters(model)`` adds the weights of now.

    By default all count equally: ``avg <- avg + (p - avg) / (n + 1)``.

    Args:
        model: is copied; calling the average calls the copy, ``.module``.
        device: where the copy is kept.
        avg_fn: ``avg_fn(avg, p, n)`` gives the new average of a parameter, for other averages.
        use_buffers: average buffers too (running statistics); otherwise they stay as they were copied, see ``update_bn``.

    Source:
        Izmailov et al., "Averaging weights leads to wider optima and better generalization", 2018 (SWA); Polyak and Juditsky 1992.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> from minigrad.optim import AveragedModel
        >>> model = nn.Linear(1, 1, bias=False)
        >>> average = AveragedModel(model)
        >>> for value in (1.0, 2.0, 6.0):
        ...     _ = nn.init.constant_(model.weight, value)
        ...     average.update_parameters(model)
        >>> average.module.weight.item()
        3.0
    """

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Callable[[Tensor, Tensor, Tensor], Any] | None = None,
        use_buffers: bool = False,
    ):
        super().__init__()
        self.module = copy.deepcopy(model)
        self.module.requires_grad_(False)
        self.module.zero_grad()
        first = next(iter(self.module.parameters()), None)
        self.n_averaged = Buffer(to_device(np.zeros((), "int64"), "cpu" if first is None else device_of(first.data)))
        self.avg_fn, self.use_buffers = avg_fn, use_buffers
        if device is not None:
            self.to(device)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)

    def share(self, n: Any) -> Any:
        """How much of the new weights goes into the average after n others; n is an array of no dimensions."""
        return 1 / (n + 1)

    def update_parameters(self, model: Module) -> None:
        """Take the weights that the model has now into the average."""
        n, pairs = self.n_averaged.data, list(zip(_values(self.module), _values(model), strict=True))
        parameters = {id(p) for p in self.module.parameters()}
        for mine, theirs in pairs:
            a, p = mine.data, theirs.data
            if not (self.use_buffers or id(mine) in parameters):
                continue
            if type(a) is not type(p):
                p = theirs.detach().to(mine.device).data
            if a.dtype.kind not in "fc":
                a[...] = p  # counts are not averaged
            elif self.avg_fn is not None:
                with no_grad():
                    a[...] = getattr(new := self.avg_fn(mine, theirs, self.n_averaged), "data", new)
            else:
                MIX.kernels[type(a)](a, p, self.share(n))
            stamp(a, "update_parameters")
        if not self.use_buffers:
            for mine, theirs in zip(self.module.buffers(), model.buffers(), strict=True):
                mine.data[...] = theirs.data
        n += 1
        stamp(n, "update_parameters")

    @contextmanager
    def applied(self, model: Module) -> Iterator[Module]:
        """Within the block, ``model`` has the averaged weights; afterwards its own again.

        Example:
            >>> from minigrad import nn
            >>> from minigrad.optim import EMA
            >>> model = nn.Linear(2, 1)
            >>> ema = EMA(model)
            >>> with ema.applied(model) as averaged:
            ...     averaged is model
            True
        """
        own = model.state_dict()
        model.load_state_dict(self.module.state_dict())
        try:
            yield model
        finally:
            model.load_state_dict(own)


class EMA(AveragedModel):
    """An exponential moving average of a model: ``avg <- decay avg + (1 - decay) p``; the first update copies.

    Args:
        model, device: as AveragedModel.
        decay: how much of the average stays.
        warmup: use min(decay, (1 + n) / (10 + n)) at first, so that early weights are soon forgotten.
        use_buffers: average buffers too; by default they are copied.

    Source:
        Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992; the warm-up as in TensorFlow's
        ExponentialMovingAverage.

    Example:
        >>> from minigrad import nn
        >>> from minigrad.optim import EMA
        >>> model = nn.Linear(1, 1, bias=False)
        >>> ema = EMA(model, decay=0.5)
        >>> for value in (1.0, 3.0):
        ...     _ = nn.init.constant_(model.weight, value)
        ...     ema.update_parameters(model)
        >>> ema.module.weight.item()
        2.0
    """

    def __init__(self, model: Module, decay: float = 0.999, warmup: bool = False, device: Any = None, use_buffers: bool = False):
        if not 0 <= decay <= 1:
            raise ValueError(f"EMA: decay must be in [0, 1], got {decay}")
        super().__init__(model, device, use_buffers=use_buffers)
        self.decay, self.warmup = decay, warmup

    def share(self, n: Any) -> Any:
        xp = namespace(type(n))
        new = 1 - self.decay
        if self.warmup:
            new = xp.maximum(new, 1 - (1 + n) / (10 + n))
        return xp.where(n == 0, 1.0, new)


def get_ema_avg_fn(decay: float = 0.999) -> Callable[[Any, Any, Any], Any]:
    """An ``avg_fn`` for AveragedModel, as PyTorch has it: the exponential moving average.

    Source:
        Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992, with weights that fade.

    Example:
        >>> from minigrad.optim import get_ema_avg_fn
        >>> get_ema_avg_fn(0.5)(2.0, 4.0, 1)
        3.0
    """
    return lambda average, now, n: decay * average + (1 - decay) * now


def get_swa_avg_fn() -> Callable[[Any, Any, Any], Any]:
    """An ``avg_fn`` for AveragedModel, as PyTorch has it: the mean of all.

    Source:
        Izmailov et al., "Averaging weights leads to wider optima and better generalization", 2018.

    Example:
        >>> from minigrad.optim import get_swa_avg_fn
        >>> get_swa_avg_fn()(2.0, 5.0, 2)
        3.0
    """
    return lambda average, now, n: average + (now - average) / (n + 1)


def _values(model: Module) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]


def update_bn(loader: Iterable[Any], model: Module) -> None:
    """Compute the running statistics of all batch norms anew, as averages over the batches of a loader: averaged weights need their own.

    Args:
        loader: batches; of a tuple the first part is the input.
        model: is called in training mode without a graph; modes are put back.

    Source:
        Izmailov et al. 2018, section 3.2.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> from minigrad.optim import update_bn
        >>> model = nn.BatchNorm1d(1)
        >>> update_bn([mg.tensor([[1.0], [3.0]]), mg.tensor([[4.0], [6.0]])], model)
        >>> model.running_mean.tolist()
        [3.5]
    """
    norms: list[Any] = [m for m in model.modules() if isinstance(m, (BatchNorm1d, BatchNorm2d, BatchNorm3d))]
    if not norms:
        return
    modes, momenta = [(m, m.training) for m in model.modules()], [(m, m.momentum) for m in norms]
    for m in norms:
        m.reset_running_stats()
        m.momentum = None
    model.train()
    try:
        with no_grad():
            for batch in loader:
                model(batch[0] if isinstance(batch, (tuple, list)) else batch)
    finally:
        for m, momentum in momenta:
            m.momentum = momentum
        for m, training in modes:
            m.training = training


class SWALR(LRScheduler):
    """From the rates of now to ``swa_lr`` in ``anneal_epochs`` steps, then level: the schedule of stochastic weight averaging.

    Args:
        swa_lr: the last rate, one or one per group.
        anneal_epochs: how many steps it takes to get there.
        anneal_strategy: "cos" or "linear".

    Source:
        Izmailov et al. 2018, section 3.1.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> opt = optim.SGD([mg.tensor([1.0], requires_grad=True)], lr=1.0)
        >>> schedule = optim.SWALR(opt, swa_lr=0.5, anneal_epochs=2, anneal_strategy="linear")
        >>> [(opt.step(), schedule.step(), schedule.get_last_lr()[0])[2] for _ in range(3)]
        [0.75, 0.5, 0.5]
    """

    def __init__(self, optimizer: Optimizer, swa_lr: Any, anneal_epochs: int = 10, anneal_strategy: str = "cos", last_epoch: int = -1):
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"SWALR: anneal_strategy must be 'cos' or 'linear', got {anneal_strategy!r}")
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"SWALR: anneal_epochs must be an integer >= 0, got {anneal_epochs!r}")
        self.swa_lrs = per_group("SWALR", "swa_lr", swa_lr, len(optimizer.param_groups))
        self.anneal_epochs, self.between = anneal_epochs, half_cosine if anneal_strategy == "cos" else line
        super().__init__(optimizer, last_epoch)

    def _meet_groups(self) -> None:
        for group in self.optimizer.param_groups[len(self.base_lrs) :]:
            self.base_lrs.append(group["lr"])  # of now, not of the beginning

    def rate(self, base: float, t: int, i: int) -> float:
        return self.between(base, self.swa_lrs[i], min(1.0, t / max(1, self.anneal_epochs)))


__all__ = ["EMA", "SWALR", "AveragedModel", "get_ema_avg_fn", "get_swa_avg_fn", "update_bn"]
