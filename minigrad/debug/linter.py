"""What is often wrong with a training step, found by watching it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..autograd.mode import recording
from ..autograd.node import Node, caller
from ..autograd.tensor import raw
from ..backend import to_device
from ..errors import DTypeError, MinigradError
from ..nn import Module
from ..nn.batchnorm import BatchNorm
from ..nn.dropout import _Dropout
from ..optim import Optimizer
from ..viz.listening import Call, Event
from .flow import norm
from .observer import Observer, Place, Tags
from .snapshot import tensors, unchanged

KINDS = {
    "error": ("nothing is learned", "mend that first"),
    "bad input": ("all that is computed from it will be so, too", "clean the data"),
    "no gradient": ("nothing is learned", "ask debug.why_no_grad"),
    "no backward": ("no parameter has a gradient, so that nothing is updated", "call loss.backward() before, and zero_grad() before that"),
    "no step": ("nothing is updated", "call optimizer.step() after it"),
    "no zero_grad": ("the gradients of the step before are added to those of this one", "call optimizer.zero_grad() before it"),
    "clip after step": ("the step was taken with the gradients as they were", "clip between backward() and step()"),
    "not optimized": ("it is not trained", "give the optimizer model.parameters() when the model is complete, or freeze it"),
    "frozen": ("it stays as it is", "unfreeze() it, if that is not meant"),
    "eval mode": ("dropout does nothing there, and statistics do not follow the data", "call model.train() before"),
    "train mode": ("results are random, or depend on the rest of the batch", "call model.eval() before"),
    "recording": ("the graph is kept in memory for a way back that never comes", "evaluate under mg.no_grad()"),
    "lr": ("a step throws away what the weights have learnt", "divide the learning rate by 10 until this goes"),
    "softmax before cross_entropy": ("cross_entropy applies softmax itself, and twice is too flat to learn from", "leave the softmax out"),
    "sigmoid before logits": ("the loss applies sigmoid itself", "leave the sigmoid out, or take BCELoss"),
    "softmax over the batch": ("each sample's probabilities depend on the other samples", "give it axis=1"),
    "broadcast target": ("that makes a square, each sample against each target", "reshape one to the shape of the other"),
    "one class": ("there is nothing to tell apart", "shuffle the data, and look at the labels"),
    "input scale": ("initial weights are made for inputs around 0 and 1", "subtract the mean and divide by the deviation"),
    "dead relu": ("they are 0 for every sample, so no gradient passes", "lower the learning rate, or look at the initial weights"),
    "unused": ("it is not trained", "ask debug.why_no_grad, or freeze it"),
    "constant output": ("it does not depend on the input: a layer is dead, or saturates", "look for it with debug.depth_profile"),
}
"""What can be found, the gravest first: why it matters, and what to do."""
DOUBLED = {("softmax", "cross_entropy"): "softmax before cross_entropy", ("sigmoid", "logistic_error"): "sigmoid before logits"}
"""Ops that a loss applies itself."""
DEAD = 0.5
"""The share of units that may be dead before a rectifier is reported,"""
FEW = 8
"""if each was seen so many times."""
FAST = 1.0
"""How large an update may be relative to the weights."""


@dataclass(frozen=True)
class Finding:
    """One thing that is probably wrong: its kind (of KINDS), what it is, at which line or in which module.

    Example:
        >>> from minigrad.debug.linter import Finding
        >>> print(Finding("no step", "backward() without step()", "train.py:7"))
        train.py:7: backward() without step(): nothing is updated; call optimizer.step() after it
    """

    kind: str
    what: str
    where: str

    def __str__(self) -> str:
        return f"{self.where + ': ' if self.where else ''}{self.what}: {'; '.join(KINDS[self.kind])}"


@dataclass
class Lint:
    """What ``lint`` found, the gravest first; ``ok`` if nothing."""

    findings: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def add(self, kind: str, what: str, where: Any = "") -> None:
        """Add a finding, unless it is there already."""
        new = Finding(kind, what, "" if where == Place() else str(where))
        if new not in self.findings:
            self.findings.append(new)
            self.findings.sort(key=lambda f: list(KINDS).index(f.kind))

    def __str__(self) -> str:
        return "\n".join(["lint: nothing found" if self.ok else f"lint: {len(self.findings)} found", *[f"  {f}" for f in self.findings]])


def lint(model: Module, step: Callable[[], Any], optimizer: Optimizer | None = None, training: bool = True) -> Lint:
    """Run a training step twice, watch it, and say what is probably wrong with it; then put model, optimizers and random stream back.

    What can be found is listed in ``debug.linter.KINDS``.

    Args:
        model: what is trained.
        step: a function without arguments: a whole training step, or one that returns the loss, of which ``backward()`` is then called.
        optimizer: the optimizer of the step, if it has one.
        training: False: ``step`` evaluates the model.

    Returns:
        A Lint: ``lint.ok``, ``lint.findings``; print it to read them.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> net = nn.Sequential(nn.Linear(4, 3), nn.Softmax(1))
        >>> x, y = mg.random.normal(size=(8, 4), dtype="float32"), mg.tensor([0, 1, 2, 0, 1, 2, 0, 1])
        >>> [f.kind for f in mg.debug.lint(net, lambda: nn.functional.cross_entropy(net(x), y)).findings]
        ['softmax before cross_entropy']
    """
    if not callable(step):
        raise DTypeError(f"lint: expected a function without arguments that runs a step, got {type(step).__name__}")
    found = Lint()
    with unchanged(model, optimizer):
        watcher = _Watcher(model, optimizer, found, training)
        try:
            with watcher, np.errstate(all="ignore"):
                for _ in range(2):
                    watcher.run(step)
        except MinigradError as error:
            found.add("error", f"the step raises {type(error).__name__}: {' '.join(str(error).split())}", _line_of(error))
        else:
            watcher.judge()
    return found


def _line_of(error: BaseException) -> str:
    """The user's line that an error came from."""
    trace, line = error.__traceback__, ""
    while trace is not None:
        if not trace.tb_frame.f_globals.get("__name__", "").startswith("minigrad."):
            line = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    return line


class _Watcher(Observer):
    """Notes the order of things in a step, and looks at what goes into some ops."""

    def __init__(self, model: Module, optimizer: Optimizer | None, found: Lint, training: bool):
        super().__init__()
        self.model, self.optimizer, self.add, self.training = model, optimizer, found.add, training
        self.passes = self.steps = 0
        self.stepped = False  # since gradients were dropped last
        self.made = Tags()  # what softmax and sigmoid gave
        self.alive: dict[Place, Any] = {}  # units of rectifiers that were not 0 for some sample
        self.reached: set[float] = set()  # leaves that got a gradient, by birth
        self.optimizers = [optimizer] if optimizer is not None else []
        self.trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]

    def __enter__(self) -> "_Watcher":
        super().__enter__()
        self.swap(Optimizer, "zero_grad", self._zeroing)
        self.swap(Module, "zero_grad", self._zeroing)
        self.swap(Optimizer, "step", self._stepping)
        self.swap(import_module("minigrad.nn.utils.clip_grad"), "stamp", self._clipping)
        self.stack.callback(self.model.register_forward_hook(self._look, with_kwargs=True).remove)
        return self

    def run(self, step: Callable[[], Any]) -> None:
        """One step."""
        before = self.passes
        loss = step()
        if not self.training:
            return
        if self.passes > before:
            if self.optimizer is not None and not self.steps:
                self.add("no step", "backward() without step()")
        elif isinstance(loss, Tensor) and not loss.requires_grad:
            self.add("no gradient", "the loss does not require grad")
        elif isinstance(loss, Tensor) and not self.steps:
            self.model.zero_grad()
            loss.backward()

    # -- the order of things
    def started(self, roots: list[Node]) -> None:
        self.passes += 1
        if self.stepped and any(p.grad is not None and bool((p.grad.data != 0).any()) for _, p in self.trained):
            self.add("no zero_grad", "backward() without zero_grad()", caller())
        self.stepped = False
        for name, m in self.model.named_modules() if self.training else ():
            fixed = isinstance(m, BatchNorm) and not any(p.requires_grad for p in m.parameters())
            if not m.training and isinstance(m, (BatchNorm, _Dropout)) and not fixed:
                self.add("eval mode", f"{type(m).__name__} is in eval mode while training", name)

    def arrived(self, node: Node, g: Any) -> None:
        if node.op is None:
            self.reached.add(node.order)

    def _zeroing(self, original: Callable) -> Callable:
        def zero_grad(*args: Any, **kwargs: Any) -> Any:
            self.stepped = False
            return original(*args, **kwargs)

        return zero_grad

    def _stepping(self, original: Callable) -> Callable:
        def step(optimizer: Any, *args: Any, **kwargs: Any) -> Any:
            closure, has = args or kwargs, [p for g in optimizer.param_groups for p in g["params"]]
            if optimizer not in self.optimizers:  # another than the one that is known
                self.optimizers.append(optimizer)
                self.stack.callback(optimizer.load_state_dict, optimizer.state_dict())
            if not closure and all(p.grad is None for p in has):
                self.add("no backward", "step() without backward()", caller())
            before = [(name, p, p.data.copy()) for name, p in self.trained if p.ndim > 1]
            result = original(optimizer, *args, **kwargs)
            for name, p, old in before if not closure else ():  # with a closure, a step may be a whole search
                if (size := norm(old)) and (change := norm(p.data - old)) > FAST * size:
                    self.add("lr", f"the update of {name} is {change / size:.1g} times as large as its values", caller())
            self.stepped = True
            self.steps += 1
            return result

        return step

    def _clipping(self, original: Callable) -> Callable:
        def stamp(a: Any, by: str) -> int:
            if self.stepped:
                self.add("clip after step", f"{by} after step()", caller())
            return original(a, by)

        return stamp

    # -- what goes through
    def entered(self, call: Call) -> None:
        if call.module() is not self.model or self.training:
            return
        for name, m in self.model.named_modules():
            if m.training and isinstance(m, (BatchNorm, _Dropout)):
                self.add("train mode", f"{type(m).__name__} is in train mode while evaluating", name)
        if recording():
            self.add("recording", "evaluation records a graph", caller())

    def ran(self, event: Event, args: tuple, y: Any) -> None:
        op, first = event.name, args[0] if args and hasattr(args[0], "dtype") else None
        if first is None:
            return
        if kind := DOUBLED.get((self.made.get(first), op)):
            self.add(kind, f"{op} of a {kind.split()[0]}", self.here())
        if op in ("softmax", "sigmoid"):
            self.made[y] = op
            if op == "softmax" and y.ndim == 2 and args[1] in (0, (0,), -2) and min(y.shape) > 1:
                self.add("softmax over the batch", "softmax along axis 0", self.here())
        elif op in ("subtract", "squared_error") and hasattr(args[1], "shape"):
            a, b = sorted((tuple(first.shape), tuple(args[1].shape)), key=len)
            if len(a) == 1 and len(b) == 2 and 1 < a[0] == b[0] and b[1] == 1:
                self.add("broadcast target", f"{op} of {tuple(first.shape)} and {tuple(args[1].shape)}", self.here())
        elif op == "cross_entropy" and args[1].dtype.kind in "iu" and args[1].size > 8 and bool((args[1] == args[1].ravel()[0]).all()):
            self.add("one class", f"all targets are {int(args[1].ravel()[0])}", self.here())
        elif op == "relu" and y.ndim > 1:
            axes = (0, 1) if y.ndim == 3 else (0, *range(2, y.ndim))  # leaves features, or the channels of a picture
            units = (to_device(y, "cpu") != 0).any(axis=axes)
            if y.size < FEW * units.size:
                return
            before = self.alive.setdefault(at := self.here(), units)
            self.alive[at] = units | before if units.shape == before.shape else units

    def _look(self, module: Module, args: tuple, kwargs: dict, output: Any) -> None:
        """Look at the model's input and output."""
        at, varied = self.here(), False
        for x in [to_device(raw(x), "cpu") for x in tensors([args, kwargs])]:
            if x.dtype.kind != "f" or x.ndim < 2 or not x.size:
                continue
            if not np.isfinite(x).all():
                index = tuple(np.argwhere(~np.isfinite(x))[0].tolist())
                self.add("bad input", f"the input has {x[index]} at {list(index)}", at)
            elif abs(float(x.mean())) > 10 or float(x.std()) > 10:
                self.add("input scale", f"the input is not normalised (mean {x.mean():.3g}, deviation {x.std():.3g})", at)
            varied = varied or bool(np.ptp(x, axis=0).any())
        for y in [to_device(raw(y), "cpu") for y in tensors(output)[:1]]:
            if varied and y.ndim and len(y) > 1 and y.size and y.dtype.kind == "f" and not np.ptp(y, axis=0).any():
                self.add("constant output", "the output is the same for all samples", at)

    # -- the end
    def judge(self) -> None:
        """What can be said once all has run."""
        for at, units in self.alive.items():
            if (share := 1 - units.mean()) > DEAD and units.size > 1:
                self.add("dead relu", f"{share:.0%} of {units.size} units are dead", at)
        if self.passes and self.training and (unused := [k for k, p in self.trained if p.node.order not in self.reached]):  # type: ignore[union-attr]
            self.add("unused", f"no gradient comes to {_listed(unused)}")
        if self.optimizer is None or not self.training:
            return
        has = {id(p) for optimizer in self.optimizers for g in optimizer.param_groups for p in g["params"]}
        if without := [name for name, p in self.trained if id(p) not in has]:
            self.add("not optimized", f"the optimizer does not have {_listed(without)}")
        for name, p in self.model.named_parameters():
            if not p.requires_grad and id(p) in has:
                self.add("frozen", f"the optimizer has {name}, which is frozen")


def _listed(names: list[str]) -> str:
    """The first names, and how many more there are."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
