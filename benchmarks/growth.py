"""Does the cost grow as the problem does? Time per op, per parameter and per sample, over sizes from small to large.

    python benchmarks/growth.py [--picture growth.svg]

A cost is linear if a unit (an op, a parameter, a sample) costs as much in a large problem as in a small one. It may cost less, since
what every step costs is shared by more. So each size is compared with all smaller ones:

    over linear   time per unit, over the least time per unit at any smaller size

and the greatest of these is how much worse than linear the cost ever becomes. Nothing is fitted and nothing taken off: what the machine
does is in it too, caches that get too small, pages of memory used for the first time. In each round every size takes its turn. PyTorch,
where it is installed, is measured in the same way in a process of its own. Chains are measured a second time without Python's collector
of cycles, which walks over all objects that are alive, again and again while a graph grows (those that an import left, too, which are
many if it is PyTorch's), and finds nothing: graphs are freed by reference counting.
"""

import argparse
import gc
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

BOUND = 1.3
NAMES = {"minigrad": "minigrad", "uncollected": "minigrad, collector off", "torch": "PyTorch"}
Step = Callable[[], Any]
Times = dict[int, float]


@dataclass(frozen=True)
class Study:
    """A problem that comes in sizes: how to make a step of one, and in what its time per unit is told."""

    title: str
    unit: str
    step: Callable[[Any, int], Step]
    sizes: list[int]
    scale: float
    symbol: str


def studies(ops: int, parameters: int, batch: int) -> list[Study]:
    """The three, up to these sizes."""
    return [
        Study("Chain of ops on 8x8", "op", chain, ladder(100, ops), 1e6, "us"),
        Study("MLP of four layers, batch 64", "parameter", mlp, ladder(10**4, parameters), 1e9, "ns"),
        Study("MLP 784-256-128-10", "sample", samples, [2**k for k in range(13) if 2**k <= batch], 1e6, "us"),
    ]


def ladder(low: int, high: int) -> list[int]:
    """Low, three times low, ten times low, and so on up to high."""
    out = [r * low * 10**k for k in range(20) for r in (1, 3)]
    return [n for n in out if n <= high]


def chain(top: Any, n: int) -> Step:
    """n ops on 8x8, forward and backward. The factor -1 keeps values and gradients as large as they are, at any length."""
    x = top.full((8, 8), 0.5, dtype=top.float32, requires_grad=True)
    y = top.full((8, 8), -1.0, dtype=top.float32, requires_grad=True)

    def step() -> None:
        z = x
        for _ in range(n // 2):
            z = z * y + x
        z.sum().backward()
        x.grad = y.grad = None

    return step


def uncollected(step: Step) -> Step:
    """The step without Python's collector of cycles."""

    def alone() -> None:
        gc.disable()
        try:
            step()
        finally:
            gc.enable()

    return alone


def mlp(top: Any, n: int) -> Step:
    """About n parameters in four layers of one width, a batch of 64, plain gradient descent."""
    width = max(1, round((n / 4) ** 0.5))
    model = top.nn.Sequential(*[layer for _ in range(4) for layer in (top.nn.Linear(width, width), top.nn.ReLU())])
    optimizer = top.optim.SGD(model.parameters(), lr=1e-6)
    x = top.ones((64, width), dtype=top.float32)

    def step() -> None:
        optimizer.zero_grad()
        (model(x) ** 2).mean().backward()
        optimizer.step()

    return step


def samples(top: Any, n: int) -> Step:
    """A batch of n for the MLP 784-256-128-10, by Adam."""
    nn = top.nn
    model = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10))
    optimizer = top.optim.Adam(model.parameters(), lr=1e-6)
    x, y = top.ones((n, 784), dtype=top.float32), top.ones((n,), dtype=top.int64)

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()

    return step


def measured(study: Study, library: str, rounds: int, seconds: float) -> dict[str, Times]:
    """The curves of a library: median time of a step for each size. All take turns, each about ``seconds`` long but at least one step.

    Steps of more than half a second have three rounds at most, and no other step before each to warm up.
    """
    from timing import PAUSE, timed

    top = importlib.import_module(library)
    steps = {(library, n): study.step(top, n) for n in study.sizes}
    if study.step is chain and library == "minigrad":
        steps |= {("uncollected", n): uncollected(steps[library, n]) for n in study.sizes}
    first = {key: timed(step, 1) for key, step in steps.items()}
    once = {key: t if t > 0.5 else timed(steps[key], 2) for key, t in first.items()}
    times: dict[tuple[str, int], list[float]] = {key: [] for key in steps}
    for i in range(rounds):
        for key, step in steps.items():
            slow = once[key] > 0.5
            if slow and i >= 3:
                continue
            time.sleep(PAUSE)
            if not slow:
                timed(step, 1)
            times[key].append(timed(step, max(1, round(seconds / once[key]))))
    return {name: {n: median(times[name, n]) for n in study.sizes} for name in dict.fromkeys(name for name, _ in steps)}


def elsewhere(library: str, arguments: list[str]) -> list[dict[str, Times]]:
    """The curves of a library for each study, measured in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "curves.json")
        subprocess.run([sys.executable, __file__, *arguments, "--library", library, "--json", str(path)], check=True)
        return [{name: {int(n): t for n, t in times.items()} for name, times in curves.items()} for curves in json.loads(path.read_text())]


def over_linear(times: Times) -> Times:
    """For each size but the first the time per unit, over the least at any smaller size."""
    out, least = {}, float("inf")
    for n, t in sorted(times.items()):
        if least < float("inf"):
            out[n] = t / n / least
        least = min(least, t / n)
    return out


def worst(times: Times) -> tuple[float, int]:
    """How much worse than linear the cost ever becomes, and at which size."""
    return max(((f, n) for n, f in over_linear(times).items()), default=(1.0, max(times)))


def report(study: Study, curves: dict[str, Times]) -> None:
    """Time per unit and over linear, a line for each size."""
    print(f"\n{study.title}: {study.symbol} per {study.unit}, and over linear")
    print(f"{study.unit + 's':>10}" + "".join(f"{NAMES[name]:>26}" for name in curves))
    factors = {name: over_linear(times) for name, times in curves.items()}
    for n in study.sizes:
        cells = [f"{times[n] / n * study.scale:.3g}" + f"{factors[name].get(n, 1):8.2f}" for name, times in curves.items()]
        print(f"{n:10}" + "".join(f"{cell:>26}" for cell in cells))


def summary(results: list[tuple[Study, dict[str, Times]]]) -> str:
    """The table of the docs."""
    names = [name for name in NAMES if any(name in curves for _, curves in results)]
    lines = ["| at most times linear | sizes | " + " | ".join(NAMES[n] for n in names) + " |", "|---" * (len(names) + 2) + "|"]
    for study, curves in results:
        found = {name: worst(times) for name, times in curves.items()}
        cells = [f"{found[n][0]:.2f} (at {found[n][1]:,})" if n in found else "" for n in names]
        lines.append(f"| time per {study.unit} | {study.sizes[0]:,} to {study.sizes[-1]:,} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def picture(results: list[tuple[Study, dict[str, Times]]], path: str) -> None:
    """Time per unit over size, both logarithmic, and what minigrad's may be: the least so far, times 1.3."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    figure = Figure(figsize=(11, 3.8), layout="constrained")
    looks = {"minigrad": ("C0", "o-"), "uncollected": ("C0", ".:"), "torch": ("C1", "s-")}
    for axes, (study, curves) in zip(figure.subplots(1, len(results), squeeze=False)[0], results, strict=True):
        for name, times in curves.items():
            color, style = looks[name]
            per = [t / n * study.scale for n, t in times.items()]
            axes.plot([*times], per, style, color=color, markersize=4, linewidth=1.2, label=NAMES[name])
        ours = curves["minigrad"]
        bound = [BOUND * min(t / n for n, t in ours.items() if n <= size) * study.scale for size in ours]
        axes.plot([*ours], bound, "--", color="gray", linewidth=0.8, label=f"{BOUND} times linear")
        axes.set_xscale("log")
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        axes.set_ylim(low / 1.3, high * 1.3)
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set(title=study.title, xlabel=f"{study.unit}s", ylabel=f"{study.symbol} per {study.unit}")
        axes.grid(color="0.9", linewidth=0.6)
        axes.legend(fontsize="small")
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ops", type=int, default=10**6, help="of the longest chain (0: no chains)")
    parser.add_argument("--parameters", type=int, default=10**8, help="of the largest MLP (0: none)")
    parser.add_argument("--samples", type=int, default=4096, help="in the largest batch (0: none)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.06, help="how long a turn of one size takes, at least one step (default 0.06)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--library", choices=("minigrad", "torch"), help="measure this one alone, and in this process")
    parser.add_argument("--json", type=Path, help="write the times to this file")
    parser.add_argument("--picture", help="draw the curves into this file; needs matplotlib")
    args = parser.parse_args()
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):  # read when NumPy and PyTorch are imported
        os.environ[name] = str(args.threads)

    chosen = [study for study in studies(args.ops, args.parameters, args.samples) if study.sizes]
    if args.library:
        found = [measured(study, args.library, args.rounds, args.seconds) for study in chosen]
    else:
        libraries = [name for name in ("minigrad", "torch") if find_spec(name) is not None]
        found = [
            {k: v for curves in both for k, v in curves.items()}
            for both in zip(*(elsewhere(name, sys.argv[1:]) for name in libraries), strict=True)
        ]
    if args.json:
        args.json.write_text(json.dumps(found, indent=1))
    results = list(zip(chosen, found, strict=True))
    if not args.library:
        for study, curves in results:
            report(study, curves)
        print(f"\n{summary(results)}")
        if args.picture:
            picture(results, args.picture)


if __name__ == "__main__":
    main()
