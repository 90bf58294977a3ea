"""A model and its optimizer, put back as they were."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..autograd.tensor import wrap
from ..backend import generator
from ..errors import DTypeError
from ..nn import Module
from ..nn.parameter import Uninitialized
from ..optim import Optimizer


@contextmanager
def unchanged(model: Module, optimizer: Optimizer | None = None) -> Iterator[None]:
    """Whatever the block does: afterwards values, gradients, buffers, modes, the optimizer's state and the random stream are as before.

    Raises:
        DTypeError: that is no Module, or no Optimizer.
    """
    if not isinstance(model, Module) or not isinstance(optimizer, (Optimizer, type(None))):
        raise DTypeError(f"debug: expected a Module and an Optimizer or None, got {type(model).__name__} and {type(optimizer).__name__}")
    stream = generator()
    random, modes = stream.state, [(m, m.training) for m in model.modules()]
    groups = [p for g in optimizer.param_groups for p in g["params"]] if optimizer is not None else []
    params = {id(p): p for p in [*model.parameters(), *groups] if not isinstance(p, Uninitialized)}.values()
    values = [(p, p.data, p.data.copy(), p.grad, None if p.grad is None else p.grad.data.copy()) for p in params]
    buffers = [(m, name, b, b.data.copy()) for m in model.modules() for name, b in m._own("_buffers") if not isinstance(b, Uninitialized)]
    state = None if optimizer is None else optimizer.state_dict()
    try:
        yield
    finally:
        stream.state = random
        for m, training in modes:
            m.training = training
        for m, name, b, a in buffers:
            m.__dict__[name] = b
            b.data[...] = a
        for p, data, a, grad, g in values:
            p.data = data
            data[...] = a
            if p.requires_grad:
                p.grad = grad if g is None else wrap(g, None)
        if optimizer is not None and state is not None:
            optimizer.load_state_dict(state)


def tensors(x: Any) -> list[Any]:
    """The Tensors and arrays in something made of tuples, lists and dicts."""
    if isinstance(x, (tuple, list, dict)):
        return [t for v in (x.values() if isinstance(x, dict) else x) for t in tensors(v)]
    return [x] if hasattr(x, "shape") and hasattr(x, "dtype") else []
