"""Training steps on a GPU, in all the ways in which minigrad and PyTorch can run them, one after the other in each round.

minigrad: eager, and captured (``mg.capture``). PyTorch: eager, compiled (``torch.compile`` of the model), and as a CUDA graph. Before
anything is timed, three losses from the same weights are compared.
"""

import importlib.util
import math
import time
import warnings
from collections.abc import Callable
from statistics import median
from typing import Any

TOLERANCE = {"gpt": 2e-2}
"""How far losses may be from PyTorch's, relative to them; where it is not said, 1e-3."""
THEIRS = ("torch", "torch compiled", "torch graph")

Step = Callable[[], Any]


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


def timed(step: Step, wait: Callable[[], None], number: int) -> float:
    """Seconds per step, the device being idle before and after."""
    wait()
    start = time.perf_counter()
    for _ in range(number):
        step()
    wait()
    return (time.perf_counter() - start) / number


def losses(step: Step) -> list[float]:
    return [float(step().item()) for _ in range(3)]


def agreed(name: str, waits: dict[str, Any]) -> tuple[Any, Any, dict[str, Any]]:
    """minigrad's workload, PyTorch's (None without it) and the weights they began with, after their losses were found to agree.

    Raises:
        ValueError: they do not, or minigrad's is not where it should be.
    """
    import agreement
    from workloads import DEVICE, workloads

    ours, weights = agreement.start(name)
    theirs = workloads("torch")[name](weights) if "torch" in waits else None
    if where := {str(p.device) for p in ours.parameters().values() if str(p.device).partition(":")[0] != DEVICE.partition(":")[0]}:
        raise ValueError(f"parameters are on {', '.join(where)}, and not on {DEVICE}")
    both = [t for t in (ours, theirs) if t is not None]
    if name == "dropout_mlp":  # each draws for itself
        for t in both:
            t.model.eval()
    found = [losses(t.step) for t in both]
    tolerance = TOLERANCE.get(name, 1e-3)
    for a, b in zip(found[0], found[-1], strict=True):
        if not math.isfinite(a) or abs(a - b) > tolerance * max(1.0, abs(b)):
            raise ValueError(f"minigrad's losses {found[0]} and PyTorch's {found[-1]} differ")
    if name == "dropout_mlp":
        for t in both:
            t.model.train()
    return ours, theirs, weights


def graphed(training: Any) -> Step:
    """PyTorch's step as a CUDA graph, as its documentation says: some steps on another stream, then one that is captured."""
    import torch

    for optimizer in training.optimizers:
        for group in optimizer.param_groups:
            if "capturable" in group:
                group["capturable"] = True
        for state in optimizer.state.values():
            if torch.is_tensor(state.get("step")):
                state["step"] = state["step"].cuda()
    aside, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(3):
            training.step()
    torch.cuda.current_stream().wait_stream(aside)
    with torch.cuda.graph(graph):
        value = training.step()

    def step() -> Any:
        graph.replay()
        return value

    return step


def compiled(training: Any) -> Step:
    """PyTorch's step with its modules compiled."""
    for module in training.model.children() if type(training.model).__name__ == "ModuleDict" else (training.model,):
        module.compile()
    return training.step


def ways(name: str, waits: dict[str, Any], errors: dict[str, str]) -> dict[str, Step]:
    """The steps to time, by what they are called; why one of them cannot run goes to ``errors``."""
    import agreement
    from workloads import DEVICE, workloads

    import minigrad as mg

    ours, theirs, weights = agreed(name, waits)
    found = {"minigrad": ours.step}
    makers: dict[str, Callable[[], Step]] = {}
    if DEVICE != "double":  # which has no graphs outside its own tests
        makers["minigrad captured"] = lambda: mg.capture(agreement.start(name)[0].step)
    if theirs is not None:
        found["torch"] = theirs.step
        if not isinstance(theirs.model, dict):
            makers["torch compiled"] = lambda: compiled(workloads("torch")[name](weights))
        makers["torch graph"] = lambda: graphed(workloads("torch")[name](weights))
    for way, make in makers.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", RuntimeWarning)  # a step that minigrad cannot capture runs eager, and is none of this kind
                step = make()
                for _ in range(4):
                    step()
            waits[way.split()[0]]()
            found[way] = step
        except Exception as error:
            errors[f"{name}, {way}"] = f"{type(error).__name__}: {' '.join(str(error).split())[:400]}"
    return found


def measured(name: str, args: Any, waits: dict[str, Any], errors: dict[str, str]) -> dict[str, Any]:
    """The row of a workload: milliseconds per step of each way, and how many times minigrad's best time PyTorch's take, each."""
    steps = ways(name, waits, errors)
    number = {}
    for way, step in steps.items():
        wait = waits[way.split()[0]]
        timed(step, wait, 3)
        number[way] = max(1, round(args.seconds / timed(step, wait, 1)))
    times: dict[str, list[float]] = {way: [] for way in steps}
    for _ in range(args.rounds):
        for way, step in steps.items():
            times[way].append(timed(step, waits[way.split()[0]], number[way]))
    row: dict[str, Any] = {"workload": name, "ms": {way: median(t) * 1e3 for way, t in times.items()}}
    if "torch" in times:
        ratios = sorted(b / a for a, b in zip(times["minigrad"], times["torch"], strict=True))
        row["ratio"] = [median(ratios), ratios[0], ratios[-1]]
        best = min((w for w in times if w.startswith("minigrad")), key=lambda w: row["ms"][w])
        row["best"] = {w: median(b / a for a, b in zip(times[best], times[w], strict=True)) for w in THEIRS if w in times}
    return row


def table(rows: list[dict[str, Any]]) -> list[str]:
    """The rows in Markdown."""
    names = ["minigrad", "minigrad captured", *THEIRS]
    lines = [
        "Milliseconds per step; then how many times minigrad's better time PyTorch takes.",
        "",
        f"| step | {' | '.join(names)} | eager / ours | compiled / ours | graph / ours |",
        "|" + " --- |" * 9,
    ]
    for row in rows:
        ms, best = row["ms"], row.get("best", {})
        cells = [f"{ms[n]:.3f}" if n in ms else "-" for n in names] + [f"{best[n]:.2f}" if n in best else "-" for n in THEIRS]
        lines.append(f"| {row['workload']} | {' | '.join(cells)} |")
    return lines
