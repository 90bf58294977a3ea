"""GradScaler: the loss is multiplied so that float16 can hold its gradients, and they are divided again before the step."""

import warnings
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..autograd.arguments import number
from ..autograd.node import stamp
from ..autograd.op import Op, compiled
from ..autograd.tensor import wrap
from ..backend import device, device_of, is_available, to_device
from ..backend.arrays import namespace
from ..backend.recording import Recorded, running
from ..backend.recording.beside import chosen
from ..errors import CheckpointError, DeviceError, DTypeError
from ..optim import Optimizer


class Stage(Enum):
    """What was done with an optimizer since the last update."""

    READY = "ready"
    UNSCALED = "unscaled"
    STEPPED = "stepped"


class Turn:
    """One optimizer since the last update: its stage, and for each device whether a gradient there was not finite (1 or 0)."""

    beside = "device"

    def __init__(self, optimizer: Any):
        self.optimizer = optimizer
        self.scale: Any = None
        self.begin()

    def begin(self) -> None:
        """Forget what was done."""
        self.stage = Stage.READY
        self.flags: list[Any] = []

    def unscale(self) -> None:
        """Divide the gradients by the scale."""
        if self.stage is Stage.UNSCALED:
            raise RuntimeError("GradScaler.unscale_: it was already called for this optimizer since the last update()")
        if self.stage is Stage.STEPPED:
            raise RuntimeError("GradScaler.unscale_: it was called after step(); call it before, or update() first")
        found: dict[Any, list[Any]] = {}
        for group in self.optimizer.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    found.setdefault(device_of(p.grad.data), []).append(p.grad.data)
        for g in (g for many in found.values() for g in many):
            if g.dtype == "float16":
                raise DTypeError("GradScaler.unscale_: a gradient is in float16; keep the parameters in float32, autocast casts them")
        scales = [to_device(self.scale, where) for where in found]
        self.flags = [UNSCALE.kernels[type(scale)](many, scale) for many, scale in zip(found.values(), scales, strict=True)]
        for g in (g for many in found.values() for g in many):
            stamp(g, "GradScaler.unscale_")
        self.stage = Stage.UNSCALED

    def step(self, **kwargs: Any) -> Any:
        """The optimizer's step, if the gradients are finite."""
        if self.stage is Stage.STEPPED:
            raise RuntimeError("GradScaler.step: it was already called for this optimizer since the last update()")
        if self.stage is Stage.READY:
            self.unscale()
        if not self.flags:
            raise RuntimeError("GradScaler.step: no parameter of the optimizer has a gradient; call scaler.scale(loss).backward() first")
        flags = self.flags
        returned = chosen(lambda: not any(bool(flag) for flag in flags), lambda: self.optimizer.step(**kwargs))
        self.stage = Stage.STEPPED
        return returned


def _unscaled(gradients: list[Any], scale: Any) -> Any:
    """Divide arrays by the scale; 1 if there was one that is not finite, else 0, on their device."""
    xp = namespace(type(scale))
    flag = (~xp.stack([xp.isfinite(g).all() for g in gradients]).all()).astype("float32")
    inverse = 1.0 / scale
    with np.errstate(all="ignore"):  # infinities are what is looked for
        for g in gradients:
            g *= inverse.astype(g.dtype)
    return flag


UNSCALE = Op(
    "unscale", (), (), kernel=lambda xp: _unscaled, doc="A list of arrays divided by a number, in place, and whether all are finite."
)
compiled("optimizers", UNSCALE)


class GradScaler:
    """Scales the loss, unscales gradients, skips steps whose gradients are not finite, and finds the scale by that.

    After a skipped step the scale is multiplied by ``backoff_factor``; after ``growth_interval`` steps in a row that were not skipped, by
    ``growth_factor``. ``update`` is called once per iteration, after the steps of all optimizers.

    Args:
        device: the type of device of the losses, "cuda" or "cpu". If it is not there, the scaler warns and does nothing.
        init_scale: the scale at first.
        growth_factor: above 1.
        backoff_factor: between 0 and 1.
        growth_interval: after how many good steps the scale grows.
        enabled: False: ``scale`` returns what it is given, ``step`` steps, and the rest does nothing.

    Raises:
        ValueError: a setting out of its range.
        RuntimeError: from the methods, where they are called in an order that makes no sense.

    Numerics: scale, flags and the count of good steps are arrays on the device, and ``scale``, ``unscale_`` and ``update`` read none of
        them. ``step`` reads one flag per optimizer, because a step moves counters on the host: it is the only wait for the device in an
        iteration. (PyTorch does the same, but for optimizers that take the flag along.) In a step that ``mg.capture`` repeats, the flag
        is looked at in each repetition.
    Source:
        Micikevicius et al., "Mixed precision training", 2018, section 3.2; dynamic scaling as in PyTorch.
    Example:
        >>> import minigrad as mg
        >>> w = mg.tensor([1.0], requires_grad=True)
        >>> optimizer, scaler = mg.optim.SGD([w], lr=0.5), mg.amp.GradScaler("cpu", init_scale=4.0)
        >>> scaler.scale((w * 1.0).sum()).backward(); w.grad.item()
        4.0
        >>> scaler.step(optimizer); scaler.update(); w.item()
        0.5
    """

    beside = "device"

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ):
        self._device = _type_of(device)
        if enabled and not is_available(self._device):
            warnings.warn(f"GradScaler: {self._device} is not available; nothing will be scaled", RuntimeWarning, stacklevel=2)
            enabled = False
        self._enabled = bool(enabled)
        self._settings: dict[str, Any] = {}
        self.set_growth_factor(growth_factor)
        self.set_backoff_factor(backoff_factor)
        self.set_growth_interval(growth_interval)
        self._init_scale, self._init_tracker = _positive("init_scale", init_scale), 0
        self._scale: Any = None
        """The scale, made on the device when there is a first loss; and how many good steps there were since it was changed."""
        self._tracker: Any = None
        self._turns: dict[int, Turn] = {}

    # -- the loss -----------------------------------------------------------------------------------------------------
    def scale(self, outputs: Any) -> Any:
        """A loss, or a list or tuple of losses (also nested), times the scale.

        Raises:
            DTypeError: something that is not a Tensor.
            DeviceError: a Tensor that is not on the scaler's type of device.
        """
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):
            a = outputs.data
            where = device_of(a)
            if where.type != self._device:
                raise DeviceError(f"GradScaler.scale: the scaler was made for {self._device}, the loss is on {where}")
            if self._scale is None:
                self._start(a)
            return outputs * wrap(to_device(self._scale, where), None)
        if isinstance(outputs, (list, tuple)):
            return type(outputs)([self.scale(v) for v in outputs])
        if isinstance(outputs, Iterable):
            return map(self.scale, outputs)
        raise DTypeError(f"GradScaler.scale: expected a Tensor or several, got {type(outputs).__name__}")

    def _start(self, like: Any) -> None:
        xp = np if type(like) is Recorded else namespace(type(like))
        self._scale = xp.full((), self._init_scale, dtype="float32")
        self._tracker = xp.full((), self._init_tracker, dtype="int32")

    def _begun(self, who: str) -> None:
        if self._scale is None:
            raise RuntimeError(f"GradScaler.{who}: no loss was scaled yet; call scaler.scale(loss).backward() first")

    # -- the gradients and the step -----------------------------------------------------------------------------------
    def _turn(self, who: str, optimizer: Optimizer) -> Turn:
        self._begun(who)
        turn = self._turns.get(id(optimizer))
        if turn is None:
            turn = self._turns[id(optimizer)] = Turn(optimizer)
        turn.scale = self._scale
        return turn

    def unscale_(self, optimizer: Optimizer) -> None:
        """Divide the gradients of an optimizer's parameters by the scale, in place: to be called before they are clipped or looked at.

        ``step`` does it where it was not done. Call it once per step, after all gradients have been added up.

        Raises:
            RuntimeError: it was called already since the last update, or after ``step``, or no loss was scaled yet.
            DTypeError: a gradient is in float16; parameters belong in float32.
        """
        if self._enabled:
            _beside(self._turn("unscale_", optimizer).unscale)

    def step(self, optimizer: Optimizer, *args: Any, **kwargs: Any) -> Any:
        """``optimizer.step(**kwargs)``, unless a gradient is infinite or NaN; what that returns, or None.

        Raises:
            RuntimeError: it was called already since the last update, a closure is given, no loss was scaled yet, or no parameter has a
                gradient.
        """
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs or args:
            raise RuntimeError("GradScaler.step: closures are not supported, their gradients could not be unscaled; compute them before")
        turn = self._turn("step", optimizer)
        return turn.step(**kwargs) if kwargs else _beside(turn.step)

    def update(self, new_scale: Any = None) -> None:
        """Adapt the scale to what the gradients were, or set it.

        Args:
            new_scale: the scale from now on, a number or a Tensor of one; None: by the rule.

        Raises:
            RuntimeError: no optimizer was unscaled or stepped since the last update.
        """
        if not self._enabled:
            return
        self._begun("update")
        if new_scale is None:
            _beside(self._adapt)
            return
        self._scale[...] = (
            to_device(new_scale.data, device_of(self._scale)).astype("float32").reshape(())
            if isinstance(new_scale, Tensor)
            else _positive("new_scale", new_scale)
        )
        self._end()

    def _end(self) -> None:
        stamp(self._scale, "GradScaler.update")
        for turn in self._turns.values():
            turn.begin()

    def _adapt(self) -> None:
        flags = [to_device(flag, device_of(self._scale)) for turn in self._turns.values() for flag in turn.flags]
        if not flags:
            raise RuntimeError("GradScaler.update: no gradients were looked at; call scaler.step(optimizer) first")
        scale, tracker = self._scale, self._tracker
        xp = namespace(type(scale))
        bad = xp.stack(flags).max() > 0
        good = xp.where(bad, 0, tracker + 1)
        full = good >= self._settings["growth_interval"]
        with np.errstate(over="ignore"):
            grown = scale * self._settings["growth_factor"]
        raised = xp.where(full & xp.isfinite(grown), grown, scale)
        scale[...] = xp.where(bad, scale * self._settings["backoff_factor"], raised)
        tracker[...] = xp.where(full, 0, good)
        self._end()

    # -- settings -----------------------------------------------------------------------------------------------------
    def get_scale(self) -> float:
        """The scale as a number; reading it waits for the device. 1.0 where the scaler is not enabled."""
        if not self._enabled:
            return 1.0
        return self._init_scale if self._scale is None else float(self._scale)

    def is_enabled(self) -> bool:
        """Whether it does anything."""
        return self._enabled

    def get_growth_factor(self) -> float:
        """By what the scale grows."""
        return self._settings["growth_factor"]

    def set_growth_factor(self, new_factor: float) -> None:
        """Let the scale grow by another factor; ValueError unless it is above 1."""
        value = number("GradScaler", "growth_factor", new_factor)
        if not 1 < value < np.inf:
            raise ValueError(f"GradScaler: growth_factor must be above 1, got {value}")
        self._settings["growth_factor"] = float(value)

    def get_backoff_factor(self) -> float:
        """By what the scale is multiplied after a skipped step."""
        return self._settings["backoff_factor"]

    def set_backoff_factor(self, new_factor: float) -> None:
        """Let the scale fall by another factor; ValueError unless it is between 0 and 1."""
        value = number("GradScaler", "backoff_factor", new_factor)
        if not 0 < value < 1:
            raise ValueError(f"GradScaler: backoff_factor must be between 0 and 1, got {value}")
        self._settings["backoff_factor"] = float(value)

    def get_growth_interval(self) -> int:
        """After how many good steps the scale grows."""
        return self._settings["growth_interval"]

    def set_growth_interval(self, new_interval: int) -> None:
        """Let the scale grow after another number of good steps; ValueError unless it is a positive integer."""
        if isinstance(new_interval, bool) or not hasattr(new_interval, "__index__") or new_interval < 1:
            raise ValueError(f"GradScaler: growth_interval must be a positive integer, got {new_interval!r}")
        self._settings["growth_interval"] = int(new_interval)

    # -- state --------------------------------------------------------------------------------------------------------
    def state_dict(self) -> dict[str, Any]:
        """Scale, settings and the count of good steps, as numbers, under PyTorch's names; empty where the scaler is not enabled."""
        if not self._enabled:
            return {}
        tracker = self._init_tracker if self._tracker is None else int(self._tracker)
        return {"scale": self.get_scale(), **self._settings, "_growth_tracker": tracker}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what ``state_dict`` gave; all, or nothing if something in it is wrong.

        Raises:
            CheckpointError: something is missing, as in the state of a scaler that was not enabled.
            ValueError: a value out of its range.
        """
        if not self._enabled:
            return
        lacking = [k for k in ("scale", *self._settings, "_growth_tracker") if k not in state_dict]
        if lacking:
            raise CheckpointError(f"GradScaler: the saved state lacks {lacking}; was it that of a scaler that was not enabled?")
        new = GradScaler(self._device, state_dict["scale"], *[state_dict[k] for k in self._settings])
        tracker = state_dict["_growth_tracker"]
        if not tracker >= 0:
            raise ValueError(f"GradScaler: the count of good steps must not be negative, got {tracker}")
        self._settings = new._settings
        self._init_scale, self._init_tracker = new._init_scale, int(tracker)
        if self._scale is not None:
            self._scale[...], self._tracker[...] = self._init_scale, self._init_tracker
            stamp(self._scale, "GradScaler.load_state_dict")


def _beside(f: Callable[[], Any]) -> Any:
    """Call f; while a step is recorded, note that it is to be called again in each repetition."""
    tape = running()
    return f() if tape is None else tape.beside(f)


def _type_of(name: str) -> str:
    return device(name).type


def _positive(name: str, value: Any) -> float:
    """A setting as a Python number above 0 that float32 holds."""
    value = float(number("GradScaler", name, value))
    if not 0 < value <= float(np.finfo("float32").max):
        raise ValueError(f"GradScaler: {name} must be positive and finite in float32, got {value}")
    return value


__all__ = ["GradScaler"]
