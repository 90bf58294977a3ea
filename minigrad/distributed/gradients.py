"""Data parallelism: the same model in every worker, each worker's gradients from its part of the batch, then their mean."""

from collections.abc import Iterable
from itertools import accumulate, pairwise
from typing import Any

from ..autograd import Tensor
from ..autograd.node import stamp
from ..autograd.tensor import wrap
from ..backend import device_of, working_dtype
from ..backend.arrays import namespace
from ..nn import Module
from .communicator import Communicator


def average_gradients(parameters: Iterable[Tensor], communicator: Communicator, weight: float = 1.0) -> None:
    """Replace each worker's gradients by the mean over all workers: call it between ``backward()`` and ``step()``.

    g <- sum_r weight_r g_r / sum_r weight_r. With the mean as the loss and the number of samples as the weight, that is the gradient
    of the whole batch, also where its parts are not equally large. All gradients go in one message per dtype.

    Args:
        parameters: the model's; the same ones in the same order in every worker. One that has no gradient here counts as 0, for
            another worker may have one.
        communicator: the line to the other workers.
        weight: how much this worker's gradients count, such as the samples in its part.

    Raises:
        ShapeError: the workers' parameters differ.
        ValueError: a weight that is negative.

    Numerics: half precision is summed in float32. Every worker gets the same bits. Nothing is read from a GPU.
    Example:
        >>> import minigrad as mg
        >>> from minigrad.distributed import average_gradients, run
        >>> def work(line):
        ...     w = mg.tensor([1.0], requires_grad=True)
        ...     (w * float(line.rank)).sum().backward()
        ...     average_gradients([w], line)
        ...     return w.grad.tolist()
        >>> run(work, 3)
        [[1.0], [1.0], [1.0]]
    """
    if not weight >= 0:
        raise ValueError(f"average_gradients: weight must not be negative, got {weight!r}")
    alike: dict[Any, list[Tensor]] = {}
    for p in parameters:
        if p.requires_grad:
            alike.setdefault((type(p.data), p.dtype, device_of(p.data)), []).append(p)
    for (kind, dtype, _), params in alike.items():
        xp, wide = namespace(kind), working_dtype(dtype)
        parts = [(xp.zeros_like(p.data) if p.grad is None else p.grad.data).reshape(-1).astype(wide, copy=False) for p in params]
        flat = xp.concatenate([*parts, xp.ones(1, wide)])
        flat *= weight
        communicator.all_reduce(flat)
        flat[:-1] /= flat[-1:]
        for p, (i, j) in zip(params, pairwise(accumulate([p.data.size for p in params], initial=0)), strict=True):
            g = flat[i:j].reshape(p.data.shape).astype(dtype, copy=False)
            if p.grad is None:
                p.grad = wrap(g.copy(), None)
            else:
                p.grad.data[...] = g
                stamp(p.grad.data, "average_gradients")


def broadcast(model: Module, communicator: Communicator, root: int = 0) -> Module:
    """Give every worker the parameters and buffers of the worker ``root``: call it once, before training. Returns the model.

    Raises:
        ShapeError: the models are not alike.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.distributed import broadcast, run
        >>> weights = run(lambda line: broadcast(mg.nn.Linear(2, 1), line).weight.tolist(), 2)
        >>> weights[0] == weights[1]
        True
    """
    for _, t in (*model.named_parameters(), *model.named_buffers()):
        a = t.data
        if not a.flags.c_contiguous:
            a = t.data = namespace(type(a)).ascontiguousarray(a)
        communicator.broadcast(a, root)
        stamp(a, "broadcast")
    return model


__all__ = ["average_gradients", "broadcast"]
