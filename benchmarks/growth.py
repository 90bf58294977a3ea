"""Does the cost grow as the problem does? Time per op, per parameter and per sample, over sizes from small to large.

    python benchmarks/growth.py [--picture growth.svg] [--torch]

A step costs ``t = a + b n``: what every step costs, and what every unit costs. While n is small, a is most of it, and the time per unit
falls as 1 / n; that is no fault. So a and b are fitted (all sizes count alike, by their relative errors), and two figures are given:

    the large half   (t - a) / (b n) over the larger half of the sizes: 1 if the cost is linear
    linear range     the sizes at which a is less than a tenth of t: the greatest and least time per unit, over their median

The second takes nothing off. What the machine does shows in both: caches that get too small, products that get efficient with width;
``--torch`` measures PyTorch beside it, in the same rounds. So does Python's collector of cycles, which walks over all nodes that are
alive, again and again while a graph grows; ``--no-gc`` turns it off.
"""

import argparse
import gc
import importlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from typing import Any

BOUND = 1.3
Step = Callable[[], Any]


def ladder(low: int, high: int, rungs: tuple[float, ...] = (1, 3)) -> list[int]:
    """Low, three times low, ten times low, and so on up to high."""
    out = [int(r * low * 10**k) for k in range(20) for r in rungs]
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


def fit(sizes: Iterable[int], times: Iterable[float]) -> tuple[float, float]:
    """a >= 0 and b of t = a + b n with the least squares of the relative errors."""
    import numpy as np

    n, t = np.array(list(sizes), float), np.array(list(times))
    a, b = np.linalg.lstsq(np.stack([1 / t, n / t], 1), np.ones(len(t)), rcond=None)[0].tolist()
    if a < 0:  # nothing constant to be seen
        a, b = 0.0, float((n / t).sum() / ((n / t) ** 2).sum())
    return a, b


def judged(times: dict[int, float]) -> dict[str, Any]:
    """The figures of one curve."""
    a, b = fit(times, times.values())
    large = [(t - a) / (b * n) for n, t in times.items()][len(times) // 2 :]
    per = {n: t / n for n, t in times.items() if a < t / 10}
    middle = median(per.values()) if per else None
    return {
        "times": times, "a": a, "b": b, "large": (min(large), max(large)),
        "range": (min(per), max(per)) if per else None,
        "spread": (min(per.values()) / middle, max(per.values()) / middle) if middle else None,
    }  # fmt: skip


def report(title: str, unit: str, library: str, curve: dict[str, Any]) -> None:
    a, b = curve["a"], curve["b"]
    print(f"\n{title}, {library}: t = {a * 1e6:.1f} us + {b * 1e6:.4g} us per {unit}")
    print(f"{unit + 's':>12} {'ms':>12} {f'us per {unit}':>18} {'t / (a + b n)':>14}")
    for n, t in curve["times"].items():
        print(f"{n:12} {t * 1e3:12.3f} {t / n * 1e6:18.4g} {t / (a + b * n):14.2f}")
    low, high = curve["large"]
    print(f"the large half: (t - a) / (b n) from {low:.2f} to {high:.2f}")
    if curve["range"] is None:
        print(f"linear range: none of these sizes; what every step costs is more than a tenth up to {max(curve['times'])} {unit}s")
        return
    (first, last), (low, high) = curve["range"], curve["spread"]
    verdict = "within" if high <= BOUND else "NOT within"
    print(f"linear range {first} to {last}: {low:.2f} to {high:.2f} times the median, {verdict} {BOUND}")


def picture(results: list[dict[str, Any]], path: str) -> None:
    """Time per unit over size, both logarithmic, with the fitted a / n + b."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4), layout="constrained")
    for axes, result in zip(figure.subplots(1, len(results), squeeze=False)[0], results, strict=True):
        for library, curve in result["curves"].items():
            n = [*curve["times"]]
            dots = axes.loglog(n, [t / k * 1e6 for k, t in curve["times"].items()], "o", label=library)
            axes.loglog(n, [(curve["a"] / k + curve["b"]) * 1e6 for k in n], color=dots[0].get_color(), linewidth=0.8, label="a / n + b")
        axes.set(title=result["title"], xlabel=f"{result['unit']}s", ylabel=f"us per {result['unit']}")
        axes.grid(which="both", linewidth=0.2)
        axes.legend()
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ops", type=int, default=10**6, help="of the longest chain (0: no chains)")
    parser.add_argument("--parameters", type=int, default=10**8, help="of the largest MLP (0: none)")
    parser.add_argument("--samples", type=int, default=4096, help="in the largest batch (0: none)")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.2, help="how long a turn of one size takes, at least one step (default 0.2)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--torch", action="store_true", help="measure PyTorch too")
    parser.add_argument("--no-gc", action="store_true", help="without Python's collector of cycles")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--picture", help="draw the curves into this file; needs matplotlib")
    args = parser.parse_args()
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):  # read when NumPy and PyTorch are imported
        os.environ[name] = str(args.threads)

    from timing import alternate

    if args.no_gc:
        gc.disable()
    libraries = {name: importlib.import_module(name) for name in ["minigrad", *(["torch"] if args.torch else [])]}
    studies = [
        ("chain of ops on 8x8", "op", chain, ladder(100, args.ops)),
        ("MLP, batch 64", "parameter", mlp, ladder(10**4, args.parameters)),
        ("MLP 784-256-128-10", "sample", samples, [2**k for k in range(13) if 2**k <= args.samples]),
    ]
    results = []
    for title, unit, build, sizes in studies:
        if not sizes:
            continue
        steps = {(name, n): build(top, n) for n in sizes for name, top in libraries.items()}
        times = alternate(steps, None, args.rounds, args.seconds)
        curves = {name: judged({n: median(times[name, n]) for n in sizes}) for name in libraries}
        for name, curve in curves.items():
            report(title, unit, name, curve)
        results.append({"title": title, "unit": unit, "curves": curves})
    if args.json:
        args.json.write_text(json.dumps(results, indent=1))
    if args.picture:
        picture(results, args.picture)


if __name__ == "__main__":
    main()
