"""How far the float32 gradients of a training step are from those in float64, here and in PyTorch.

    python benchmarks/accuracy.py [names]

All start from the same weights, on the same batch. The gradients in float64 are PyTorch's. Printed is the root of the mean square error
of all gradients relative to their norm, and their ratio: below 1, minigrad is closer. Dropout is off.
"""

import sys
from typing import Any

import numpy as np


def gradients(training: Any) -> dict[str, np.ndarray]:
    """Those of the first step, in float64."""
    if hasattr(training.model, "eval") and any("Dropout" in type(m).__name__ for m in training.model.modules()):
        training.model.eval()
    training.step()
    return {k: np.array(p.grad.detach().numpy(), "float64") for k, p in training.parameters().items()}


def exact(name: str, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The gradients in float64, by PyTorch."""
    import torch
    from workloads import torch as theirs

    single = theirs.data
    theirs.data = lambda name: [t.double() if t.is_floating_point() else t for t in single(name)]
    torch.set_default_dtype(torch.float64)
    try:
        training = getattr(theirs, name)({k: a.astype("float64") if a.dtype == np.float32 else a for k, a in weights.items()})
        training.model.double()
        return gradients(training)
    finally:
        torch.set_default_dtype(torch.float32)
        theirs.data = single


def error(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> float:
    """Of all gradients, relative to their norm."""
    off, whole = (sum(float((d**2).sum()) for d in ds) for ds in ([found[k] - a for k, a in wanted.items()], wanted.values()))
    return (off / whole) ** 0.5


def errors(name: str) -> tuple[float, float]:
    """Minigrad's and PyTorch's."""
    from agreement import start
    from workloads import workloads

    mine, weights = start(name)
    wanted = exact(name, weights)
    return error(gradients(mine), wanted), error(gradients(workloads("torch")[name](weights)), wanted)


def main() -> None:
    from workloads import NAMES, installed

    if not installed("torch"):
        raise SystemExit("accuracy.py compares with PyTorch, which is not installed")
    names = sys.argv[1:] or [n for n in NAMES if n != "chain"]
    if unknown := set(names) - set(NAMES) | {"chain"} & set(names):
        raise SystemExit(f"unknown {sorted(unknown)}; there are {', '.join(n for n in NAMES if n != 'chain')}")
    print(f"{'step':12}{'minigrad':>10}{'PyTorch':>10}{'ratio':>7}")
    for name in names:
        mine, theirs = errors(name)
        print(f"{name:12}{mine:10.1e}{theirs:10.1e}{mine / theirs:7.2f}", flush=True)


if __name__ == "__main__":
    main()
