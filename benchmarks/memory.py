"""Peak memory of one training step, counting arrays, against PyTorch's.

    python benchmarks/memory.py

minigrad: NumPy reports every array to tracemalloc, which also counts Python's objects; what these take between forward and
backward is measured in a step of its own and taken off (20 to 40 KB). PyTorch: its profiler reports every CPU allocation. Both
count what is allocated above what the model, its optimizer state and the batch hold before the step.
"""

import importlib.util
import tracemalloc

import numpy as np

import minigrad as mg
from minigrad import nn, optim
from minigrad.nn import functional as F


def mlp(m, width=512, depth=10):
    layers = []
    for _ in range(depth - 1):
        layers += [m.Linear(width, width), m.ReLU()]
    return m.Sequential(*layers, m.Linear(width, 10))


def cnn(m):
    return m.Sequential(
        m.Conv2d(1, 16, 3, padding=1),
        m.ReLU(),
        m.Conv2d(16, 32, 3, padding=1),
        m.ReLU(),
        m.MaxPool2d(2),
        m.Flatten(),
        m.Linear(32 * 14 * 14, 10),
    )


CASES = {"10-layer MLP, batch 256": (mlp, (256, 512)), "small CNN, batch 64": (cnn, (64, 1, 28, 28))}


def ours(build, shape):
    mg.manual_seed(0)
    model = build(nn)
    opt = optim.SGD(model.parameters(), lr=0.01)
    x, y = mg.tensor(np.random.default_rng(0).normal(size=shape).astype("f")), np.arange(shape[0]) % 10

    def step():
        opt.zero_grad()
        F.cross_entropy(model(x), y).backward()
        opt.step()

    step()
    opt.zero_grad()
    tracemalloc.start()
    loss = F.cross_entropy(model(x), y)
    arrays = tracemalloc.DomainFilter(False, np.lib.tracemalloc_domain)
    objects = sum(s.size for s in tracemalloc.take_snapshot().filter_traces([arrays]).statistics("filename"))
    tracemalloc.stop()
    del loss
    tracemalloc.start()
    step()
    peak = tracemalloc.get_traced_memory()[1] - objects
    tracemalloc.stop()
    return peak


def theirs(build, shape):
    import torch
    from torch.profiler import ProfilerActivity, profile

    model = build(torch.nn)
    opt = torch.optim.SGD(model.parameters(), lr=0.01)
    x, y = torch.randn(shape), torch.arange(shape[0]) % 10

    def step():
        opt.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        opt.step()

    step()
    opt.zero_grad()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as prof:
        step()
    live = peak = 0
    events = [e for e in prof.profiler.kineto_results.events() if e.name() == "[memory]"]
    for e in sorted(events, key=lambda e: e.start_ns()):
        live += e.nbytes()
        peak = max(peak, live)
    return peak


if __name__ == "__main__":
    torch = importlib.util.find_spec("torch")
    if torch is None:
        print("(torch is not installed and was left out)")
    print(f"{'peak of a training step':28} {'minigrad':>12}" + (f" {'PyTorch':>12} {'ratio':>7}" if torch else ""))
    for name, (build, shape) in CASES.items():
        a = ours(build, shape)
        line = f"{name:28} {a / 2**20:8.2f} MiB"
        if torch:
            b = theirs(build, shape)
            line += f" {b / 2**20:8.2f} MiB {a / b:7.2f}"
        print(line)
