"""One command that says whether minigrad works on the GPU of this machine, and how fast: tests, then ten training steps.

    python tools/gpu_check.py                          # all of it, in less than ten minutes
    python tools/gpu_check.py --only tests
    python tools/gpu_check.py --only steps mlp char_gpt
    python tools/gpu_check.py --json gpu.json --report gpu.md

The tests are those of tests/gpu: every op of the table in NumPy and on the GPU, layers, optimizers, training, errors. The steps are
those of benchmarks/workloads, alternating with PyTorch's on the same GPU where PyTorch is installed with CUDA; before they are timed,
three losses from the same weights are compared. PyTorch runs eager, with TF32 off, as minigrad does. Of several GPUs, the first that
CUDA_VISIBLE_DEVICES lets be seen is checked.

The exit status is 0 if all is well, 1 if something failed, 2 if there is no GPU to check. ``--device double`` tries this program itself
on the double of a GPU; its figures mean nothing.
"""

import argparse
import importlib.util
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]
TOLERANCE = 1e-3
"""How far losses may be from PyTorch's, relative to them."""
TESTS_TAKE, STEPS_TAKE = 360, 200
"""Seconds after which tests are stopped, and after which no further workload is begun."""


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="workloads to time; default: all ten")
    parser.add_argument("--device", choices=("cuda", "double"), default="cuda", help="double: to try this program without a GPU")
    parser.add_argument("--only", choices=("tests", "steps"), help="leave out the other part")
    parser.add_argument("--processes", type=int, default=max(1, min(8, (os.cpu_count() or 2) // 2)), help="that share the tests")
    parser.add_argument("--all-dtypes", action="store_true", help="the ops in float64 and float16 too; takes longer than ten minutes")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each candidate (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=0.3, help="how long a turn takes, at least one step (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="write what was found to this file")
    parser.add_argument("--report", type=Path, help="write the report to this file too")
    return parser.parse_args(arguments)


# -- tests ------------------------------------------------------------------------------------------------------------
def tests(args: argparse.Namespace) -> dict[str, Any]:
    """Run tests/gpu in a few processes; how many passed, failed and were skipped, and the last lines of those that failed."""
    start, running = time.monotonic(), []
    for part in range(args.processes):
        env = {**os.environ, "MINIGRAD_GPU": args.device, "MINIGRAD_GPU_SHARD": f"{part}/{args.processes}", "PYTHONPATH": str(ROOT)}
        if args.all_dtypes:
            env["MINIGRAD_GPU_DTYPES"] = "all"
        command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "--tb=short", "-p", "no:cacheprovider", str(ROOT / "tests" / "gpu")]
        running.append(subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
    result: dict[str, Any] = {"passed": 0, "failed": 0, "tails": []}
    limit = None if args.all_dtypes else TESTS_TAKE
    for process in running:
        try:
            out, _ = process.communicate(timeout=None if limit is None else max(1.0, start + limit - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            out, _ = process.communicate()
            out += f"\nstopped after {limit} s\n"
        result["passed"] += counted(out, "passed")
        failed = counted(out, "failed") + counted(out, "error")
        if process.returncode:
            result["failed"] += max(1, failed)
            result["tails"].append("\n".join(out.splitlines()[-60:]))
    result["seconds"] = round(time.monotonic() - start, 1)
    return result


def counted(out: str, word: str) -> int:
    """What pytest says of ``3 passed``, in its last lines."""
    found = re.findall(rf"(\d+) {word}", "\n".join(out.splitlines()[-3:]))
    return int(found[-1]) if found else 0


# -- steps ------------------------------------------------------------------------------------------------------------
def waiting(device: str) -> dict[str, Callable[[], None]]:
    """What waits until the device has done all that it was given, for each library that computes on it."""
    if device == "double":
        return {"minigrad": lambda: None}
    import cupy

    out = {"minigrad": cupy.cuda.Device(0).synchronize}
    if importlib.util.find_spec("torch") is None:
        return out
    import torch

    if torch.cuda.is_available():
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
        out["torch"] = torch.cuda.synchronize
    return out


def timed(step: Callable[[], Any], wait: Callable[[], None], number: int) -> float:
    """Seconds per step, the device being idle before and after."""
    wait()
    start = time.perf_counter()
    for _ in range(number):
        step()
    wait()
    return (time.perf_counter() - start) / number


def agreed(name: str, waits: dict[str, Any]) -> dict[str, Callable[[], Any]]:
    """The steps of a workload, after three losses of each from the same weights were found to agree.

    Raises:
        ValueError: they do not.
    """
    import agreement
    from workloads import workloads

    training, weights = agreement.start(name)
    steps = {"minigrad": training.step}
    if "torch" in waits:
        theirs = workloads("torch")[name](weights)
        steps["torch"] = theirs.step
        if name == "dropout_mlp":  # each draws for itself
            training.model.eval()
            theirs.model.eval()
    losses = {library: [float(step().item()) for _ in range(3)] for library, step in steps.items()}
    for a, b in zip(losses["minigrad"], losses.get("torch", losses["minigrad"]), strict=True):
        if not abs(a - b) <= TOLERANCE * max(1.0, abs(b)):
            raise ValueError(f"minigrad's losses {losses['minigrad']} and PyTorch's {losses['torch']} differ")
    if name == "dropout_mlp" and "torch" in steps:
        training.model.train()
        theirs.model.train()
    return steps


def measured(name: str, args: argparse.Namespace, waits: dict[str, Any]) -> dict[str, Any]:
    """The row of a workload: milliseconds per step of each library, and how many times minigrad's time PyTorch takes."""
    steps = agreed(name, waits)
    number = {}
    for library, step in steps.items():
        timed(step, waits[library], 3)
        number[library] = max(1, round(args.seconds / timed(step, waits[library], 1)))
    times: dict[str, list[float]] = {library: [] for library in steps}
    for _ in range(args.rounds):
        for library, step in steps.items():
            times[library].append(timed(step, waits[library], number[library]))
    row: dict[str, Any] = {"workload": name, "ms": {library: median(t) * 1e3 for library, t in times.items()}}
    if "torch" in times:
        ratios = sorted(b / a for a, b in zip(times["minigrad"], times["torch"], strict=True))
        row["ratio"] = [median(ratios), ratios[0], ratios[-1]]
    return row


def steps(args: argparse.Namespace) -> dict[str, Any]:
    """Rows of the workloads, and the errors of those that failed."""
    os.environ["BENCHMARK_DEVICE"] = args.device
    from workloads import NAMES

    waits, start = waiting(args.device), time.monotonic()
    result: dict[str, Any] = {"rows": [], "errors": {}, "left": []}
    for name in args.names or NAMES:
        if time.monotonic() - start > STEPS_TAKE:
            result["left"].append(name)
            continue
        try:
            result["rows"].append(measured(name, args, waits))
        except Exception as error:
            result["errors"][name] = f"{type(error).__name__}: {' '.join(str(error).split())}"
    result["seconds"] = round(time.monotonic() - start, 1)
    return result


# -- the report -------------------------------------------------------------------------------------------------------
def report(found: dict[str, Any]) -> str:
    """What was found, to be read."""
    lines = ["# minigrad on a GPU", "", *[f"    {line}" for line in found["configuration"]], ""]
    if done := found.get("tests"):
        lines += [f"Tests: {done['passed']} passed, {done['failed']} failed, in {done['seconds']} s.", ""]
        for tail in done["tails"]:
            lines += ["```", tail, "```", ""]
    if timings := found.get("steps"):
        lines += ["| step | minigrad [ms] | PyTorch eager [ms] | PyTorch / minigrad | least, greatest |", "| --- | --- | --- | --- | --- |"]
        for row in timings["rows"]:
            ms, ratio = row["ms"], row.get("ratio")
            torch = f"{ms['torch']:.3f} | {ratio[0]:.2f} | {ratio[1]:.2f}, {ratio[2]:.2f}" if ratio else "- | - | -"
            lines.append(f"| {row['workload']} | {ms['minigrad']:.3f} | {torch} |")
        lines += ["", *[f"{name} failed: {error}" for name, error in timings["errors"].items()]]
        lines += [f"left out, as time was up: {', '.join(timings['left'])}"] if timings["left"] else []
    lines.append("All is well." if found["ok"] else "Something failed.")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    args = options(arguments)
    from minigrad.backend.devices import obstacle
    from minigrad.configuration import configuration

    if args.device == "double":
        from minigrad.testing.double import register

        register()
    elif why := obstacle():
        print(f"gpu_check: there is no GPU to check: {why}", file=sys.stderr)
        return 2
    from workloads import NAMES

    if unknown := set(args.names) - set(NAMES):
        print(f"gpu_check: unknown {sorted(unknown)}; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    found: dict[str, Any] = {"configuration": [*configuration(), f"checked    {args.device}"]}
    if args.only != "steps":
        found["tests"] = tests(args)
    if args.only != "tests":
        found["steps"] = steps(args)
    well = not found.get("tests", {}).get("failed") and found.get("tests", {"passed": 1})["passed"] > 0
    found["ok"] = well and not found.get("steps", {}).get("errors") and not found.get("steps", {}).get("left")
    text = report(found)
    print(text)
    if args.json:
        args.json.write_text(json.dumps(found, indent=1))
    if args.report:
        args.report.write_text(text + "\n")
    return 0 if found["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
