"""The loss around some weights, in two directions; and the way that an optimizer took through it."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..autograd import Tensor, no_grad
from ..backend import device_of, generator, to_device
from ..errors import ShapeError
from ..nn import Module
from .heat import Heat


def landscape(
    loss: Callable[[], Any], model: Module, *, span: float = 1.0, steps: int = 21, seed: int = 0, path: Sequence[Any] = ()
) -> Heat:
    """The loss at the model's weights, moved by up to ``span`` in two directions, as a picture; the weights are left as they were.

    Without a path the directions are random, each row of them (a unit's weights) as long as the model's own row, so that the picture
    does not depend on how the layers are scaled. With a path they are those in which it goes furthest (principal components), the
    span is what it needs, and it is drawn.

    Args:
        loss: computes the loss with the model as it is: ``lambda: F.cross_entropy(model(x), y)``; with ``model.eval()``, so that
            no statistics change.
        model: whose parameters are moved.
        span: how far to go; in lengths of the weights.
        steps: how many values per direction; the loss is computed ``steps ** 2`` times.
        seed: fixes the random directions.
        path: weights on the way, each a ``state_dict`` of the model.

    Returns:
        The picture of log10 of the loss where that is positive everywhere, of the loss itself elsewhere; ``values`` from its top row down.

    Raises:
        ShapeError: a path of fewer than two different points.

    Source:
        H. Li et al., "Visualizing the loss landscape of neural nets", 2018, sections 4 (filter normalisation) and 7 (trajectories).

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> model, x = nn.Linear(2, 1), mg.ones((4, 2))
        >>> mg.viz.landscape(lambda: (model(x) ** 2).mean(), model, steps=5).values.shape
        (5, 5)
    """
    params = dict(model.named_parameters())
    start = {name: to_device(p.data, "cpu").copy() for name, p in params.items()}
    xs = ys = np.linspace(-span, span, steps)
    trodden = np.zeros((0, 2))
    if path:
        flat = np.stack([np.concatenate([_array(point[name]).ravel() for name in params]) for point in path]).astype(float)
        offsets = flat - np.concatenate([a.ravel() for a in start.values()])
        _, lengths, axes = np.linalg.svd(offsets, full_matrices=False)
        if len(path) < 2 or lengths[1] <= 1e-12 * lengths[0]:
            raise ShapeError(f"landscape: a path of {len(path)} points that lie on a line; give weights from more of the training")
        places = offsets @ axes[:2].T
        low, high = places.min(0), places.max(0)
        xs, ys = (np.linspace(a - 0.15 * (b - a), b + 0.15 * (b - a), steps) for a, b in zip(low, high, strict=True))
        trodden = (places - [xs[0], ys[0]]) / [xs[1] - xs[0], ys[1] - ys[0]]
        directions = [_cut(axis, start) for axis in axes[:2]]
    else:
        rng = np.random.default_rng(seed)
        directions = [{name: _like(rng, a) for name, a in start.items()} for _ in range(2)]
    values, stream = np.empty((len(ys), len(xs))), generator()
    random = stream.state
    try:
        with no_grad():
            for i, t in enumerate(ys):
                for j, s in enumerate(xs):
                    for name, p in params.items():
                        p.data[...] = _sent(start[name] + s * directions[0][name] + t * directions[1][name], p)
                    stream.state = random  # the same dropout everywhere
                    values[i, j] = float(loss().item())
    finally:
        stream.state = random
        for name, p in params.items():
            p.data[...] = _sent(start[name], p)
    positive = bool((values > 0).all())
    trodden[:, 1] = steps - 1 - trodden[:, 1]  # upwards
    return Heat(
        (np.log10(values) if positive else values)[::-1],
        rows=[f"{t:.2g}" for t in ys[::-1]],
        columns=[f"{s:.2g}" for s in xs],
        title="log10 of the loss" if positive else "loss",
        x="furthest direction of the path" if path else "one direction, in lengths of the weights",
        y="second direction" if path else "another",
        path=trodden,
    )


def _array(x: Any) -> np.ndarray:
    return to_device(x.data if isinstance(x, Tensor) else np.asarray(x), "cpu")


def _sent(a: np.ndarray, p: Tensor) -> Any:
    return to_device(a.astype(p.data.dtype), device_of(p.data))


def _like(rng: Any, a: np.ndarray) -> np.ndarray:
    """A random direction whose rows are as long as those of the weights; biases stay where they are, as in the paper."""
    if a.ndim < 2:
        return np.zeros_like(a)
    d = rng.normal(size=a.shape)
    rest = tuple(range(1, a.ndim))
    return d * np.sqrt((a**2).sum(rest, keepdims=True) / (d**2).sum(rest, keepdims=True))


def _cut(flat: np.ndarray, like: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    out, at = {}, 0
    for name, a in like.items():
        out[name] = flat[at : at + a.size].reshape(a.shape)
        at += a.size
    return out


__all__ = ["landscape"]
