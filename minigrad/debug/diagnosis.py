"""A model, a loss and a batch, looked at from all sides; and what is to be mended first."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite, log
from typing import Any

import numpy as np

from ..autograd import Tensor, no_grad
from ..autograd.engine import toposort
from ..autograd.tensor import raw, wrap
from ..backend import to_device
from ..errors import MinigradError
from ..nn import Module
from ..nn.summary import in_bytes
from ..optim import Adam, Optimizer
from .depth import DepthProfile, check_batch, depth_profile, loss_of
from .linter import Lint, lint
from .memory import MemoryReport, memory_report
from .nan import detect_nan
from .snapshot import unchanged

STEPS = 60
"""Steps in which a model should get a good way towards knowing one batch by heart."""
FAR = 1e5
"""How many times smaller or greater than another layer's a gradient may be."""


@dataclass
class Diagnosis:
    """What ``diagnose`` found: ``faults``, the gravest first, as sentences; the parts it is made of; and its text."""

    faults: list[str]
    notes: list[str]
    depth: DepthProfile | None = None
    lint: Lint | None = None
    memory: MemoryReport | None = None

    @property
    def ok(self) -> bool:
        """Whether no fault was found."""
        return not self.faults

    def __str__(self) -> str:
        parts = [f"- {note}" for note in self.notes]
        if self.depth is not None:
            parts.append(f"\n{self.depth}\n")
        if self.ok:
            return "\n".join([*parts, "Verdict: nothing is wrong as far as one batch can tell."])
        more = [f"  then: {fault}" for fault in self.faults[1:]]
        return "\n".join([*parts, f"Verdict: {len(self.faults)} to mend. First: {self.faults[0]}", *more])


def diagnose(model: Module, loss_fn: Callable, batch: Any, optimizer: Optimizer | None = None) -> Diagnosis:
    """Try a model out on one batch, and say what is wrong with it: in a report that ends with what is to be mended first.

    Looked at are: NaN on the way, what ``lint`` finds, the loss at the start against that of guessing, gradients by layer (vanishing,
    exploding, dead), whether one sample's output depends on another sample, whether the model can learn the batch by heart, time and
    memory of a step. Afterwards the model, the optimizer and the random stream are as they were.

    Args:
        model: a Module.
        loss_fn: ``loss_fn(output, target)``, one number.
        batch: ``(input, ..., target)``, samples along the first axis.
        optimizer: to look at its parameters, too, and at the size of its steps. The batch is learnt by heart with Adam in any case.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> _ = mg.manual_seed(0)
        >>> net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
        >>> batch = mg.random.normal(size=(8, 4), dtype="float32"), mg.tensor([0, 1, 2, 0, 1, 2, 0, 1])
        >>> str(mg.debug.diagnose(net, nn.functional.cross_entropy, batch)).splitlines()[-1]
        'Verdict: nothing is wrong as far as one batch can tell.'
    """
    check_batch("diagnose", loss_fn, batch)
    faults: list[str] = []
    notes: list[str] = []

    def step() -> Tensor:
        return loss_of(model, loss_fn, batch)

    def whole() -> Any:
        optimizer.zero_grad()  # type: ignore[union-attr]
        loss = step()
        loss.backward()
        optimizer.step()  # type: ignore[union-attr]
        return loss

    with unchanged(model, optimizer):
        try:
            with detect_nan():
                model.zero_grad()
                step().backward()
        except MinigradError as error:
            return Diagnosis([" ".join(str(error).split())], notes)
        found = lint(model, step if optimizer is None else whole, optimizer)
        symptoms = [str(f) for f in found.findings if f.kind in ("constant output", "unused")]
        faults += [str(f) for f in found.findings if str(f) not in symptoms]
        depth = depth_profile(model, loss_fn, batch, optimizer)
        with unchanged(model, optimizer):
            memory = memory_report(step)
        _start(step(), notes, faults)
        _gradients(depth, faults)
        faults += symptoms  # of what is above, where there is something
        _independence(model, batch, notes, faults)
        start = time.perf_counter()
        step().backward()
        notes.append(f"a step takes {(time.perf_counter() - start) * 1e3:.1f} ms and {in_bytes(memory.peak)}, {memory.peak_at}")
        _by_heart(model, step, notes, faults)
    return Diagnosis(faults, notes, depth, found, memory)


def _start(loss: Tensor, notes: list[str], faults: list[str]) -> None:
    """The loss before training against that of an even guess."""
    value = loss.item()
    found = next((n for n in toposort([loss.node]) if n.name in ("cross_entropy", "logistic_error", "binary_error")), None)  # type: ignore[list-item]
    if found is None:
        notes.append(f"the loss starts at {value:.4g}")
        return
    classes = found.parents[0].shape[1] if found.name == "cross_entropy" else 2
    notes.append(f"the loss starts at {value:.4g}; guessing among {classes} classes gives {log(classes):.4g}")
    if value > 2 * log(classes) + 1:
        faults.append(
            f"the loss starts at {value:.3g}, but guessing among {classes} classes gives {log(classes):.3g}: the model is sure of wrong "
            "answers before it has learnt anything; make the last layer's initial weights smaller, and look at the scale of the input"
        )


def _gradients(depth: DepthProfile, faults: list[str]) -> None:
    """Layers whose weights get a gradient that is nothing, or far from that of other layers."""
    sizes = [(k, g["rms"]) for k in depth.layers for g in [next(iter(k.weight_gradients.values()), None)] if g and g["rms"] is not None]
    if dead := [k for k, size in sizes if size == 0]:
        faults.append(
            f"no gradient comes to {', '.join([k.name or k.cls for k in dead])} ({dead[0].line}): what is behind it hands on 0 only"
        )
    live = [(k, size) for k, size in sizes if size > 0]
    if not live:
        return
    (low, least), (high, most) = (f(live, key=lambda item: item[1]) for f in (min, max))
    if most > FAR * least:
        what = "vanishes" if depth.layers.index(low) < depth.layers.index(high) else "explodes"
        faults.append(
            f"the gradient {what} on its way: {most:.2g} at {high.name or high.cls} ({high.cls}), {least:.2g} at {low.name or low.cls} "
            f"({low.line}); use normalisation, residual connections, another activation or another initialisation; "
            "debug.explain_grad shows the way op by op"
        )


def _independence(model: Module, batch: Any, notes: list[str], faults: list[str]) -> None:
    """Whether in evaluation the output for one sample changes with another sample."""
    x, target = raw(batch[0]), raw(batch[-1])
    if not hasattr(x, "ndim") or not getattr(target, "ndim", 0) or not x.ndim or len(x) < 3 or len(target) != len(x):
        return
    other = x.copy()
    other[0] = x[1] if bool((x[1] != x[0]).any()) else x[0] * 2
    with no_grad():
        model.eval()
        a, b = (model(wrap(v, None) if isinstance(batch[0], Tensor) else v, *batch[1:-1]) for v in (x, other))
    if not isinstance(a, Tensor) or not a.ndim or len(a) != len(x) or a.dtype.kind != "f":
        return
    a, b = (to_device(t.data, "cpu")[2:] for t in (a, b))
    if np.allclose(a, b, rtol=1e-3, atol=1e-4 * float(np.abs(a).max(initial=1e-9))):
        notes.append("in evaluation, the output for a sample does not depend on other samples")
    else:
        faults.append(
            "in evaluation, the output for samples 2 and on changes with sample 0: something mixes the batch, such as a reshape or softmax "
            "over its axis, or statistics of the batch"
        )


def _by_heart(model: Module, step: Callable[[], Tensor], notes: list[str], faults: list[str]) -> None:
    """Whether the model can learn the batch."""
    params = [p for p in model.parameters() if p.requires_grad]
    if not params:
        return
    model.train()
    optimizer, losses = Adam(params, lr=3e-3), []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = step()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    first, best = losses[0], min(losses)
    notes.append(f"learning this batch by heart: from {first:.4g} to {best:.4g} in {STEPS} steps of Adam")
    if not isfinite(losses[-1]) or best > first - 0.1 * abs(first):
        faults.append(
            f"the model cannot learn even this one batch: the loss goes from {first:.4g} to {best:.4g} in {STEPS} steps of Adam; "
            "unless it knew it before, look for a cut in the graph (debug.why_no_grad), a wrong loss, targets that do not fit the inputs"
        )
