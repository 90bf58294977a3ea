"""Peak memory of one training step, counting arrays, against PyTorch's.

    python benchmarks/memory.py

minigrad: NumPy reports every array to tracemalloc, which also counts Python's objects; what these take when backward begins is
measured in a step of its own and taken off. PyTorch: its profiler reports every CPU allocation. Both count what is allocated beside
the model, its optimizer's state and the batch. Arrays that are kept from one step to the next for reuse count, if they are not in use
as well. What a compiled function allocates for itself, on either side, nobody reports. Every measurement has a process of its own.
"""

import gc
import importlib
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any
from unittest import mock

import numpy as np
from workloads import Training, installed, workloads


def mlp(nn, width=512, depth=10):
    layers = []
    for _ in range(depth - 1):
        layers += [nn.Linear(width, width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(width, 10))


def cnn(nn):
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 14 * 14, 10),
    )


CASES = {"10-layer MLP, batch 256": (mlp, (256, 512)), "small CNN, batch 64": (cnn, (64, 1, 28, 28))}


def case(name: str, library: str) -> Training:
    """One of CASES in minigrad or torch, which have the same names for all of it."""
    net, shape = CASES[name]
    top = importlib.import_module(library)
    model = net(top.nn)
    optimizer = top.optim.SGD(model.parameters(), lr=0.01)
    x = top.tensor(np.random.default_rng(0).normal(size=shape).astype("float32"))
    y = top.tensor(np.arange(shape[0]) % 10)

    def step():
        optimizer.zero_grad()
        top.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()

    return Training(step, model, [optimizer])


def clear(training: Training) -> None:
    for p in training.parameters().values():
        p.grad = None


def traced(arrays: bool) -> int:
    """Bytes of all arrays, or of all objects that are none."""
    only = tracemalloc.DomainFilter(arrays, np.lib.tracemalloc_domain)
    return sum(t.size for t in tracemalloc.take_snapshot().filter_traces([only]).traces)


def ours(build: Callable[[], Training]) -> int:
    """Peak bytes of a step of minigrad's. All is traced from the start, so that nothing kept for reuse is missed."""
    import minigrad as mg

    def state() -> int:
        return sum(getattr(a, "nbytes", 0) for o in training.optimizers for s in o.state.values() for a in s.values())

    def backward(self: Any, *args: Any, **options: Any) -> None:
        objects.append(traced(arrays=False))
        plain(self, *args, **options)

    objects: list[int] = []
    plain = mg.Tensor.backward
    tracemalloc.start()
    try:
        training = build()
        held = traced(arrays=True) - state()
        training.step()
        with mock.patch.object(mg.Tensor, "backward", backward):
            for _ in range(3):  # until nothing is made for the first time
                training.step()
        clear(training)
        gc.collect()
        tracemalloc.reset_peak()
        training.step()
        return tracemalloc.get_traced_memory()[1] - min(objects) - held - state()
    finally:
        tracemalloc.stop()


def theirs(build: Callable[[], Training]) -> int:
    """Peak bytes of a step of PyTorch's."""
    from torch.profiler import ProfilerActivity, profile

    training = build()
    training.step()
    clear(training)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as prof:
        training.step()
    live = peak = 0
    events = [e for e in prof.profiler.kineto_results.events() if e.name() == "[memory]"]
    for e in sorted(events, key=lambda e: e.start_ns()):
        live += e.nbytes()
        peak = max(peak, live)
    return peak


def of_workload(name: str, library: str) -> int:
    """Peak bytes of a workload's step in ``ours`` or ``torch``."""
    build = workloads(library)[name]
    return ours(build) if library == "ours" else theirs(partial(build, {}))


def of_case(name: str, library: str) -> int:
    build = partial(case, name, library)
    return ours(build) if library == "minigrad" else theirs(build)


def apart(measure: Callable[[str, str], int], name: str, library: str) -> int:
    """The measurement, made in a new process: what was kept for reuse before would not be seen."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure, name, library).result()


if __name__ == "__main__":
    torch = installed("torch")
    if not torch:
        print("(torch is not installed and was left out)")
    print(f"{'peak of a training step':28} {'minigrad':>12}" + (f" {'PyTorch':>12} {'ratio':>7}" if torch else ""))
    for name in CASES:
        a = apart(of_case, name, "minigrad")
        line = f"{name:28} {a / 2**20:8.2f} MiB"
        if torch:
            b = apart(of_case, name, "torch")
            line += f" {b / 2**20:8.2f} MiB {a / b:7.2f}"
        print(line)
