"""Ten training steps, alternating with the same steps in PyTorch eager, and in other peers where they can express them.

    python benchmarks/train.py                     # all ten
    python benchmarks/train.py mlp char_gpt        # some
    python benchmarks/train.py --both --json result.json --markdown --picture train.svg
    python benchmarks/train.py --show result.json --markdown

A step clears the gradients, goes forward and backward, and updates the parameters, always on the same batch. In each round every
candidate takes its turn. Printed are the medians of the rounds in ms, how many times minigrad's time PyTorch takes, the quartiles of
that ratio over the rounds, the time of the step's matrix products alone, and the peak memory of a step in MiB, beside model, optimizer
and batch. Before that, losses and gradients from the same weights are compared: the nets are the same.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

KINDS: dict[str, tuple[str, dict[str, str]]] = {
    "on": ("default", {}),
    "captured": ("captured", {}),
    "off": ("NumPy", {"MINIGRAD_CC": "0"}),
}
"""For each choice of --kernels the kind of row that it makes, and the environment in which that is measured."""


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="workloads; default: all")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.3, help="how long a turn of a candidate takes, at least one step (default 0.3)")
    parser.add_argument("--threads", type=int, default=2, help="of NumPy's products and PyTorch (default 2)")
    parser.add_argument("--kernels", choices=[*KINDS], default="on", help="captured: mg.capture's recording; off: NumPy alone")
    parser.add_argument("--both", action="store_true", help="rows of all kinds, each in a process")
    parser.add_argument("--peers", nargs="*", help="default: all that are installed")
    parser.add_argument("--no-memory", action="store_true", help="leave out peak memory, the slow part")
    parser.add_argument("--json", type=Path, help="write what was measured to this file")
    parser.add_argument("--show", type=Path, help="measure nothing; take the rows of this file")
    parser.add_argument("--markdown", action="store_true", help="print the tables for the docs at the end")
    parser.add_argument("--picture", help="draw the ratios into this file; needs matplotlib")
    return parser.parse_args()


def candidates(name: str, args: argparse.Namespace) -> dict[str, Any]:
    """What takes turns: the steps of minigrad and its peers, and the products."""
    import agreement
    from workloads import PEERS, installed
    from workloads.products import products

    steps = {"minigrad": agreement.start(name)[0].step}
    if args.kernels == "captured":
        import minigrad as mg

        steps["minigrad"] = mg.capture(steps["minigrad"])
    for peer in PEERS if args.peers is None else args.peers:
        if not installed(peer):
            continue
        try:
            step = agreement.agree(name, peer)
        except Exception as error:
            if peer == "torch":
                raise
            print(f"{name}: {peer} fails and is left out: {type(error).__name__}: {error}")
            continue
        if step:
            steps[peer] = step
    if alone := products(name):
        steps["products"] = alone
    return steps


def measured(args: argparse.Namespace) -> dict[str, Any]:
    """One row for each workload, with the kernels as the environment says."""
    import memory
    import numpy as np
    import table
    from timing import alternate, quartiles
    from workloads import NAMES, PEERS, installed

    from minigrad.backend import compiled

    peers = PEERS if args.peers is None else {k: PEERS[k] for k in args.peers}
    for peer, title in peers.items():
        if not installed(peer):
            print(f"({title} is not installed and is left out)")
    torch = "torch" in peers and installed("torch")
    versions = [f"Python {platform.python_version()}", f"NumPy {np.__version__}"]
    if torch:
        import torch as pytorch

        pytorch.set_num_threads(args.threads)
        versions.append(f"PyTorch {pytorch.__version__}")
    rows = []
    print(table.HEAD, flush=True)
    for name in args.names or NAMES:
        times = alternate(candidates(name, args), None, args.rounds, args.seconds)
        ms = {k: median(t) * 1e3 for k, t in times.items()}
        ratio = {k: [ms[k] / ms["minigrad"], *quartiles(times[k], times["minigrad"])] for k in times if k in PEERS}
        peak = {}
        if not args.no_memory and args.kernels != "captured":
            peak["minigrad"] = memory.apart(memory.of_workload, name, "ours")
            if torch:
                peak["torch"] = memory.apart(memory.of_workload, name, "torch")
        rows.append({"workload": name, "kind": KINDS[args.kernels][0], "ms": ms, "ratio": ratio, "peak": peak})
        print(table.line(rows[-1]), flush=True)
    machine = f"{processor()}, {args.threads} threads; {', '.join(versions)}; {args.rounds} rounds"
    return {"machine": machine, "kernels": compiled.report(), "rows": rows}


def processor() -> str:
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.exists() else []
    return next((s.split(":")[1].strip() for s in lines if s.startswith("model name")), platform.processor() or platform.machine())


def both(args: argparse.Namespace) -> dict[str, Any]:
    """The same command for each kind of row, in a process of its own; peers other than PyTorch are measured once."""
    peers = {kind: args.peers if kind == "on" else [p for p in ("torch",) if args.peers is None or p in args.peers] for kind in KINDS}
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for kernels in KINDS:
            path = Path(folder) / f"{kernels}.json"
            command = [sys.executable, __file__, *args.names, "--kernels", kernels, "--json", str(path)]
            command += ["--rounds", str(args.rounds), "--seconds", str(args.seconds), "--threads", str(args.threads)]
            command += ["--no-memory"] if args.no_memory else []
            command += [] if peers[kernels] is None else ["--peers", *peers[kernels]]
            subprocess.run(command, check=True)
            results.append(json.loads(path.read_text()))
    order = list(dict.fromkeys(row["workload"] for row in results[0]["rows"]))
    rows = sorted((row for result in results for row in result["rows"]), key=lambda row: order.index(row["workload"]))
    return {**results[0], "rows": rows}


def main() -> None:
    args = options()
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):  # read when NumPy and PyTorch are imported
        os.environ[name] = str(args.threads)
    os.environ.update(KINDS[args.kernels][1])

    import table
    from workloads import NAMES, PEERS

    for asked, known in ((args.names, NAMES), (args.peers or [], PEERS)):
        if unknown := set(asked) - set(known):
            raise SystemExit(f"unknown {sorted(unknown)}; there are {', '.join(known)}")
    if args.show:
        result = json.loads(args.show.read_text())
        print(table.HEAD, *map(table.line, result["rows"]), *table.summary(result), sep="\n")
    elif args.both:
        result = both(args)
    else:
        result = measured(args)
        print(*table.summary(result), sep="\n")
    if args.json:
        args.json.write_text(json.dumps(result, indent=1))
    if args.markdown:
        print("\n" + table.markdown(result))
    if args.picture:
        table.picture(result, args.picture)


if __name__ == "__main__":
    main()
