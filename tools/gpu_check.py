"""One command that says whether minigrad works on the GPU of this machine, and how fast: tests, training steps, single kernels.

    python tools/gpu_check.py                          # all of it, in less than ten minutes
    python tools/gpu_check.py --only tests
    python tools/gpu_check.py --only steps mlp gpt
    python tools/gpu_check.py --json gpu.json --report gpu.md

The tests are those of tests/gpu: every op of the table in NumPy and on the GPU, layers, optimizers, training, errors. The steps
(gpu_steps.py) are those of benchmarks/workloads with two large nets more, eager and captured, alternating with PyTorch's eager, compiled
and as CUDA graphs on the same GPU, where it is installed with CUDA; TF32 is off for both. The kernels (gpu_floors.py) are held against
the bandwidth and the rate of products that were measured just before. Of several GPUs, the first that CUDA_VISIBLE_DEVICES lets be
seen is checked.

The exit status is 0 if all is well, 1 if something failed, 2 if there is no GPU to check. ``--device double`` tries this program itself
on the double of a GPU; its figures mean nothing.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks"), str(ROOT / "tools")]
TESTS_TAKE, STEPS_TAKE = 300, 200
"""Seconds after which tests are stopped, and after which no further workload is begun."""


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="workloads to time; default: all")
    parser.add_argument("--device", choices=("cuda", "double"), default="cuda", help="double: to try this program without a GPU")
    parser.add_argument("--only", choices=("tests", "steps", "kernels"), help="leave out the other parts")
    parser.add_argument("--processes", type=int, default=max(1, min(8, (os.cpu_count() or 2) // 2)), help="that share the tests")
    parser.add_argument("--all-dtypes", action="store_true", help="the ops in float64 and float16 too; takes longer than ten minutes")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each candidate (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=0.3, help="how long a turn takes, at least one step (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="write what was found to this file")
    parser.add_argument("--report", type=Path, help="write the report to this file too")
    return parser.parse_args(arguments)


# -- tests ------------------------------------------------------------------------------------------------------------
def tests(args: argparse.Namespace) -> dict[str, Any]:
    """Run tests/gpu in a few processes; how many passed and failed, the last lines of those that failed, and why some were left out."""
    start, running = time.monotonic(), []
    for part in range(args.processes):
        env = {**os.environ, "MINIGRAD_GPU": args.device, "MINIGRAD_GPU_SHARD": f"{part}/{args.processes}", "PYTHONPATH": str(ROOT)}
        if args.all_dtypes:
            env["MINIGRAD_GPU_DTYPES"] = "all"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-rs",
            "-m",
            "gpu",
            "--tb=short",
            "-p",
            "no:cacheprovider",
            str(ROOT / "tests" / "gpu"),
        ]
        running.append(subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
    result: dict[str, Any] = {"passed": 0, "failed": 0, "tails": [], "skipped": {}}
    limit = None if args.all_dtypes else TESTS_TAKE
    for process in running:
        try:
            out, _ = process.communicate(timeout=None if limit is None else max(1.0, start + limit - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            out, _ = process.communicate()
            out += f"\nstopped after {limit} s\n"
        result["passed"] += counted(out, "passed")
        for number, why in re.findall(r"^SKIPPED \[(\d+)\] \S+: (?!another process)(.+)$", out, re.MULTILINE):
            result["skipped"][why] = result["skipped"].get(why, 0) + int(number)
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
def steps(args: argparse.Namespace) -> dict[str, Any]:
    """Rows of the workloads, and the errors of those that failed."""
    import gpu_steps
    from workloads import LARGE, NAMES

    waits, start = gpu_steps.waiting(args.device), time.monotonic()
    result: dict[str, Any] = {"rows": [], "errors": {}, "ways": {}, "left": []}
    for name in args.names or [*NAMES, *(LARGE if args.device != "double" else ())]:
        if time.monotonic() - start > STEPS_TAKE:
            result["left"].append(name)
            continue
        try:
            result["rows"].append(gpu_steps.measured(name, args, waits, result["ways"]))
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
        lines += [*[f"- {number} left out: {why}" for why, number in sorted(done["skipped"].items())], ""]
        for tail in done["tails"]:
            lines += ["```", tail, "```", ""]
    if timings := found.get("steps"):
        import gpu_steps

        lines += [*gpu_steps.table(timings["rows"]), ""]
        lines += [f"{name} failed: {error}" for name, error in {**timings["errors"], **timings["ways"]}.items()]
        lines += [f"left out, as time was up: {', '.join(timings['left'])}"] if timings["left"] else []
    if kernels := found.get("kernels"):
        import gpu_floors

        lines += ["", *gpu_floors.table(kernels), "", *[f"{name} failed: {error}" for name, error in kernels["errors"].items()]]
    lines.append("All is well." if found["ok"] else "Something failed.")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    args = options(arguments)
    os.environ["BENCHMARK_DEVICE"] = args.device  # which the workloads read when they are imported
    from minigrad.backend.devices import obstacle
    from minigrad.configuration import configuration

    if args.device == "double":
        from minigrad.testing.double import register

        register()
    elif why := obstacle():
        print(f"gpu_check: there is no GPU to check: {why}", file=sys.stderr)
        return 2
    from workloads import LARGE, NAMES

    if unknown := set(args.names) - {*NAMES, *LARGE}:
        print(f"gpu_check: unknown {sorted(unknown)}; there are {', '.join([*NAMES, *LARGE])}", file=sys.stderr)
        return 2
    found: dict[str, Any] = {"configuration": [*configuration(), f"checked    {args.device}"]}
    if args.only in (None, "tests"):
        found["tests"] = tests(args)
    if args.only in (None, "steps"):
        found["steps"] = steps(args)
    if args.only in (None, "kernels") and args.device != "double":  # which has no clock
        import gpu_floors

        found["kernels"] = gpu_floors.floors()
    done, timings = found.get("tests", {"passed": 1, "failed": 0}), found.get("steps", {})
    trouble = [done["failed"], not done["passed"], timings.get("errors"), timings.get("left"), found.get("kernels", {}).get("errors")]
    found["ok"] = not any(trouble) and not any("minigrad" in way for way in timings.get("ways", ()))
    text = report(found)
    print(text)
    if args.json:
        args.json.write_text(json.dumps(found, indent=1))
    if args.report:
        args.report.write_text(text + "\n")
    return 0 if found["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
