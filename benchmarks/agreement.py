"""Before anything is timed: the same net from the same weights gives the same losses, and in PyTorch the same gradients."""

from collections.abc import Callable
from typing import Any

import numpy as np
from workloads import Training, workloads

TOLERANCE = 1e-4
"""Of a loss relative to itself, and of a gradient relative to its largest entry; where that is nothing but rounding, as of a bias before
a batch norm, relative to a hundredth of the largest of all gradients."""


def arrays(tensors: dict[str, Any]) -> dict[str, np.ndarray]:
    """The values as arrays of their own."""
    return {k: np.array(t.detach().numpy()) for k, t in tensors.items()}


def gradients(training: Training) -> dict[str, np.ndarray]:
    return arrays({k: p.grad for k, p in training.parameters().items()})


def start(name: str) -> tuple[Training, dict[str, np.ndarray]]:
    """The workload in minigrad, and the weights that it starts from."""
    import minigrad as mg

    mg.manual_seed(0)
    training = workloads("ours")[name]()
    return training, arrays(training.state())


def worst(mine: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> float:
    floor = max(np.abs(a).max() for a in theirs.values()) / 100
    return max(float(np.abs(mine[k] - a).max() / max(np.abs(a).max(), floor)) for k, a in theirs.items())


def agree(name: str, peer: str) -> Callable[[], Any] | None:
    """The peer's step, if it trains as minigrad's does for three steps; None if the peer has no such workload.

    Dropout, whose draws are each library's own, is off meanwhile, and not compared where it cannot be turned off.

    Raises:
        SystemExit: it does not; then there is nothing to compare.
    """
    if name not in workloads(peer):
        return None
    mine, weights = start(name)
    theirs = workloads(peer)[name](weights)
    if name == "dropout_mlp":
        if theirs.model is None:
            return theirs.step
        mine.model.eval()
        theirs.model.eval()
    errors = {}
    for i in range(3):
        a, b = mine.step().item(), theirs.step().item()
        errors[f"loss {i}"] = abs(a - b) / abs(b)
        if i == 0 and theirs.model is not None:
            errors["gradients"] = worst(gradients(mine), gradients(theirs))
    if name == "dropout_mlp":
        theirs.model.train()
    if off := {k: e for k, e in errors.items() if not e <= TOLERANCE}:
        raise SystemExit(f"{name}: minigrad and {peer} do not train the same net: {off}")
    return theirs.step
