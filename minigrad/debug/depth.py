"""What passes through a model, layer by layer: activations there, gradients back, updates of the weights."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod, sqrt
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..autograd.engine import toposort
from ..errors import DTypeError
from ..nn import Module
from ..nn.summary import table
from ..optim import Optimizer
from ..viz import Heat
from ..viz.listening import NOBODY
from ..viz.statistics import measure
from ..viz.trace import trace
from .flow import norm
from .snapshot import unchanged


@dataclass
class Layer:
    """One call of a module: statistics of what it gave and of the gradient that came back to that; of its weights, their gradients and
    the share by which a step of the optimizer changes them.

    The dicts are those of ``viz.statistics.measure``, with ``rms``, the root of the mean square.
    """

    name: str
    cls: str
    shape: tuple
    line: str
    activation: dict[str, Any]
    gradient: dict[str, Any]
    weights: dict[str, dict[str, Any]] = field(default_factory=dict)
    weight_gradients: dict[str, dict[str, Any]] = field(default_factory=dict)
    updates: dict[str, float] = field(default_factory=dict)


@dataclass
class DepthProfile:
    """What ``depth_profile`` found: the loss, and the layers from the input to the output."""

    loss: float
    layers: list[Layer]

    def __str__(self) -> str:
        rows = []
        for k in self.layers:
            weights = [(w["rms"], k.weight_gradients[n]["rms"], k.updates.get(n)) for n, w in k.weights.items() if n in k.weight_gradients]
            w, g, u = weights[0] if weights else (None, None, None)
            rows.append(
                (k.name or k.cls, k.cls, *map(_short, (k.activation["rms"], k.activation["zeros"], k.gradient.get("rms"), w, g, u)))
            )
        return table(("layer", "class", "output", "zeros", "gradient", "weight", "its gradient", "update"), rows, (0, 1))

    def heat(self, of: str = "activation", bins: int = 41) -> Heat:
        """Histograms layer by layer, as a picture: a row for each layer, from the input down, and how many numbers lie where on one axis.

        Args:
            of: ``"activation"`` or ``"gradient"``.
            bins: how many columns; the middle one is around 0.

        Raises:
            ValueError: ``of`` is neither.
        """
        if of not in ("activation", "gradient"):
            raise ValueError(f"heat: of must be 'activation' or 'gradient', got {of!r}")
        stats = [(layer.name or layer.cls, getattr(layer, of)) for layer in self.layers if getattr(layer, of).get("histogram")]
        far = max([abs(s[k]) for _, s in stats for k in ("least", "greatest")], default=1.0) or 1.0
        rows = np.zeros((max(len(stats), 1), bins))
        for row, (_, s) in zip(rows, stats, strict=False):
            counts = np.asarray(s["histogram"], float)
            edges = np.linspace(s["least"], s["greatest"], len(counts) + 1)
            middles = (edges[1:] + edges[:-1]) / 2
            np.add.at(row, np.clip(((middles / far + 1) / 2 * bins).astype(int), 0, bins - 1), counts / max(counts.sum(), 1))
        names = [f"{v:.2g}" for v in np.linspace(-far, far, bins)]
        return Heat(rows, rows=[n for n, _ in stats] or [""], columns=names, x=of, title=f"{of}s through the layers, as shares")


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.2g}"


def loss_of(model: Module, loss_fn: Callable, batch: Any) -> Tensor:
    """The loss of a batch: all but its last part go to the model, the last is the target.

    Raises:
        DTypeError: it is no Tensor of one number.
    """
    loss = loss_fn(model(*batch[:-1]), batch[-1])
    if not isinstance(loss, Tensor) or loss.size != 1:
        got = f"a Tensor of shape {loss.shape}" if isinstance(loss, Tensor) else type(loss).__name__
        raise DTypeError(f"debug: the loss must be a Tensor of one number, got {got}; use reduction='mean'")
    return loss


def check_batch(who: str, loss_fn: Any, batch: Any) -> None:
    """Raise DTypeError unless a batch is a tuple of inputs and a target, and there is a function for them."""
    if not isinstance(batch, (tuple, list)) or len(batch) < 2:
        raise DTypeError(f"{who}: a batch must be (input, ..., target), got {type(batch).__name__}")
    if not callable(loss_fn):
        raise DTypeError(f"{who}: loss_fn must be a function of output and target, got {type(loss_fn).__name__}")


def depth_profile(model: Module, loss_fn: Callable, batch: Any, optimizer: Optimizer | None = None) -> DepthProfile:
    """Statistics of activations, gradients and updates through the depth of a model, of one step. The model stays as it is.

    Args:
        model: a Module, in the mode that it is in.
        loss_fn: ``loss_fn(output, target)``.
        batch: ``(input, ..., target)``.
        optimizer: to say by how much its step changes each weight, relative to it.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
        >>> batch = mg.ones((2, 4)), mg.tensor([0, 2])
        >>> profile = mg.debug.depth_profile(net, nn.functional.cross_entropy, batch)
        >>> [(layer.name, layer.cls, layer.shape) for layer in profile.layers]
        [('0', 'Linear', (2, 8)), ('1', 'ReLU', (2, 8)), ('2', 'Linear', (2, 3))]
    """
    check_batch("depth_profile", loss_fn, batch)
    with unchanged(model, optimizer):
        model.zero_grad()
        with trace(values=True) as notes:
            loss = loss_of(model, loss_fn, batch)
            last: dict[int, Any] = {}  # the youngest node of each call, of those with a value of their own
            for node in reversed(toposort([loss.node])) if loss.node is not None else ():
                call = notes.births.get(node.order, NOBODY)[0]
                if call in notes.calls and call not in last and node.op is not None and notes.stats(node.order):
                    last[call] = node
            if loss.node is not None:
                loss.backward()
        before = {id(p): p.data.copy() for p in model.parameters()}
        if optimizer is not None:
            optimizer.step()
        layers, told = [], set()
        for call in sorted(last):
            node, known = last[call], notes.calls[call]
            shape = node.shape if type(node.dtype) is not tuple else node.shape[0]  # of several outputs the first
            size = prod(shape)
            there, back = notes.stats(node.order), {k.removeprefix("grad_"): v for k, v in notes.stats(node.order, "grad_").items()}
            layer = Layer(known.name, known.cls, shape, notes.where(node), _sized(there, size), _sized(back, size))
            module = known.module()
            for name, p in module.named_parameters(recurse=False) if module is not None else ():
                if id(p) in told:
                    continue
                told.add(id(p))
                old = before[id(p)]
                layer.weights[name] = _sized(measure(old), p.size)
                if p.grad is not None:
                    layer.weight_gradients[name] = _sized(measure(p.grad.data), p.size)
                if optimizer is not None and (length := norm(old)):
                    layer.updates[name] = norm(p.data - old) / length
            layers.append(layer)
        return DepthProfile(loss.item(), layers)


def _sized(stats: dict[str, Any], size: int) -> dict[str, Any]:
    """Statistics with the root of the mean square."""
    found = stats.get("norm")
    return {**stats, "rms": None if found is None else found / sqrt(max(size, 1))}
