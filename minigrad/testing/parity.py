"""One row of the table of ops on two devices: the same values, gradients, and gradients of gradients."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd import Tensor, grad
from ..autograd.tensor import wrap
from ..backend import is_array, to_device
from .checks import close, outputs
from .spec import OpSpec

TOLERANCES = {"float16": 4e-3, "float32": 2e-5, "float64": 1e-11}
"""How far results may be off, relative to the largest of an array."""


def moved(x: Any, put: Callable) -> Any:
    """An argument with its arrays elsewhere."""
    if isinstance(x, (tuple, list)):
        return type(x)([moved(v, put) for v in x])
    return put(x) if isinstance(x, np.ndarray) else x


def keywords(given: dict, put: Callable) -> dict:
    """The keywords with their arrays elsewhere, and the lists of weights that stand for arrays."""
    return {k: put(np.asarray(v)) if "weight" in k and isinstance(v, list) else moved(v, put) for k, v in given.items()}


def _tensors(x: Any) -> Any:
    if is_array(x):
        t = wrap(x, None)
        return t.requires_grad_() if x.dtype.kind in "fc" else t
    return [_tensors(v) for v in x] if isinstance(x, list) and x and is_array(x[0]) else x


def _leaves(x: Any) -> list[Tensor]:
    """The Tensors of floating numbers among the inputs, in lists too."""
    if isinstance(x, Tensor):
        return [x] if x.dtype.kind in "fc" else []
    return [t for v in x for t in _leaves(v)] if isinstance(x, (list, tuple)) else []


def run(f: Callable, inputs: Any, kwargs: dict, put: Callable, order: int = 1) -> tuple[list, list]:
    """Outputs, gradients and (order 2) gradients of the gradients, as arrays of their device."""
    xs = [_tensors(x) for x in inputs]
    ys = outputs(f(*xs, **kwargs))
    out, found = [y for y in ys if isinstance(y, Tensor) and y.requires_grad], []
    for k in range(order):
        if not out or not _leaves(xs):
            break
        seeds = [put(np.cos(np.arange(y.size) + k).reshape(y.shape).astype(y.dtype)) for y in out]
        gs = grad(out, _leaves(xs), seeds, allow_unused=True, create_graph=k + 1 < order)
        found += [g if g is None else g.data for g in gs]
        out = [g for g in gs if g is not None and g.requires_grad]
    return [y.data if isinstance(y, Tensor) else y for y in ys], found


def fetched(values: list) -> list[np.ndarray]:
    """Results as NumPy arrays, those that are None left out."""
    return [to_device(v, "cpu") if is_array(v) else np.asarray(v) for v in values if v is not None]


def agree(spec: OpSpec, device: Any, dtypes: tuple[str, ...] = ("float32",), slack: float = 1.0) -> int:
    """Check that every sample of an op gives on a device what NumPy gives, forward and backward; returns how many there were.

    Args:
        spec: the row of the table.
        device: where to compute.
        dtypes: the floating dtypes to try, of those that the op has.
        slack: a factor for the tolerances, as other devices add up in another order.

    Raises:
        AssertionError: a result differs in shape, dtype or value.

    Example:
        >>> import numpy as np
        >>> from minigrad.testing import OpSpec, S
        >>> from minigrad.testing.parity import agree
        >>> agree(OpSpec("exp", np.exp, [S((2, 3))]), "cpu")
        1
    """
    f, count = spec.function(), 0
    for dtype in dtypes if set(dtypes) <= set(spec.dtypes) else [d for d in dtypes if d in spec.dtypes]:
        for sample in [s.cast(dtype) for s in spec.draw()]:
            count += 1
            order = min(spec.order, 1 if dtype == "float16" else 2)
            want = run(f, sample.inputs, sample.kwargs, lambda a: a, order)
            put = lambda a: to_device(a, device)  # noqa: E731
            got = run(f, moved(sample.inputs, put), keywords(sample.kwargs, put), put, order)
            for a, b, what in zip(got, want, ("", " gradient"), strict=True):
                close(fetched(a), fetched(b), slack * TOLERANCES[dtype], f"{spec.name} {dtype}{what} on {device}")
    return count


__all__ = ["TOLERANCES", "agree", "fetched", "keywords", "moved", "run"]
