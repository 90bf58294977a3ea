"""Layer-sequential unit variance: initial values made with a batch of data."""

from typing import Any

from ...autograd import Tensor, no_grad
from ...autograd.node import stamp
from ...backend.arrays import namespace
from ...errors import DTypeError
from .isometry import orthogonal_


def lsuv_(
    model: Any, *inputs: Any, tolerance: float = 0.1, max_steps: int = 10, layers: tuple[type, ...] | None = None, orthogonal: bool = True
) -> dict[str, float]:
    """Scale each layer until its output over a batch has variance 1, one layer after the other, from the first to the last.

    Args:
        model: a Module. It is run in evaluation mode, so dropout does not draw and running statistics stay; the mode comes back.
        inputs: what the model is called with; a few hundred examples are enough.
        tolerance: how far from 1 a variance may stay.
        max_steps: how often a layer is scaled at most.
        layers: which classes of modules to scale; default: linear layers and convolutions. Those that the model does not reach are
            left out.
        orthogonal: start from orthogonal weights; False: from those that are there.

    Returns: the standard deviation of each layer's output at the end, by name, in the order in which the model runs them.

    Raises:
        DTypeError: ``model`` is no Module.
        ValueError: the output of a layer does not vary or is not finite; the message names the layer, and the model is as it was.

    Source:
        Mishkin and Matas, "All you need is a good init", 2016, algorithm 1.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> net = nn.Sequential(nn.Linear(20, 50), nn.ReLU(), nn.Linear(50, 10))
        >>> stds = nn.init.lsuv_(net, mg.random.normal(size=(200, 20)))
        >>> [name for name, std in stds.items() if abs(std - 1) < 0.06]
        ['0', '2']
    """
    from ..conv import Convolution, TransposedConvolution  # here, as layers need initializers first
    from ..linear import Linear
    from ..module import Module

    if not isinstance(model, Module):
        raise DTypeError(f"lsuv_: expected a Module, got {type(model).__name__}")
    kinds = (Linear, Convolution, TransposedConvolution) if layers is None else layers
    chosen = {m: name for name, m in model.named_modules() if isinstance(m, kinds)}
    modes = [(m, m.training) for m in model.modules()]
    before = [(m.weight, m.weight.data.copy()) for m in chosen]
    try:
        model.eval()
        with no_grad():
            if orthogonal:
                for m in chosen:
                    orthogonal_(m.weight)
            return {chosen[m]: _scaled(model, inputs, m, chosen[m], tolerance, max_steps) for m in _in_order(model, inputs, chosen)}
    except BaseException:
        for weight, values in before:
            _write(weight, values)
        raise
    finally:
        for m, mode in modes:
            m.training = mode


def _in_order(model: Any, inputs: tuple, chosen: Any) -> list[Any]:
    """The modules in the order in which the model calls them."""
    reached: dict[Any, None] = {}
    handles = [m.register_forward_hook(lambda m, args, y: reached.setdefault(m)) for m in chosen]
    try:
        model(*inputs)
    finally:
        for h in handles:
            h.remove()
    return list(reached)


def _scaled(model: Any, inputs: tuple, m: Any, name: str, tolerance: float, max_steps: int) -> float:
    """Scale one layer; the standard deviation of its output in the end."""
    outputs: list[Tensor] = []
    handle = m.register_forward_hook(lambda m, args, y: outputs.append(y))
    try:
        for step in range(max_steps + 1):
            outputs.clear()
            model(*inputs)
            std = float(outputs[0].data.std(dtype="float64"))
            if not 0 < std < float("inf"):
                raise ValueError(f"lsuv_: the output of layer {name!r} has standard deviation {std}; is it dead?")
            if step == max_steps or abs(std * std - 1) < tolerance:
                break
            _write(m.weight, m.weight.data / std)
        return std
    finally:
        handle.remove()


def _write(weight: Tensor, values: Any) -> None:
    weight.data[...] = namespace(type(weight.data)).asarray(values)
    stamp(weight.data, "lsuv_")


__all__ = ["lsuv_"]
