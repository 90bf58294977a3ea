"""How near single kernels come to what the GPU can do: bytes over the bandwidth of a copy, operations over the rate of a large product.

Both limits are measured on the same GPU in the same run, so the figures say nothing of its data sheet.
"""

from collections.abc import Callable
from statistics import median
from typing import Any


def seconds(f: Callable[[], Any], rounds: int = 7, turns: int = 10) -> float:
    """Of one call, by the GPU's own clock."""
    import cupy

    f()
    start, end, found = cupy.cuda.Event(), cupy.cuda.Event(), []
    for _ in range(rounds):
        start.record()
        for _ in range(turns):
            f()
        end.record()
        end.synchronize()
        found.append(cupy.cuda.get_elapsed_time(start, end) / turns / 1e3)
    return median(found)


def limits() -> dict[str, float]:
    """Bytes per second of a copy of 1 GiB (read and written), and operations per second of a product of 8192 x 8192, by dtype."""
    import cupy

    a = cupy.zeros(1 << 28, "float32")
    b = cupy.empty_like(a)
    found = {"copy": 2 * a.nbytes / seconds(lambda: cupy.copyto(b, a))}
    for dtype in ("float32", "float16"):
        x = cupy.ones((8192, 8192), dtype)
        y = cupy.empty_like(x)
        found[dtype] = 2 * 8192**3 / seconds(lambda x=x, y=y: cupy.matmul(x, x, out=y))
    return found


def candidates() -> dict[str, tuple[Callable[[], Any], str, float]]:
    """By name: a call, the limit that holds for it, and how many bytes or operations it cannot do without."""
    import numpy as np

    import minigrad as mg
    from minigrad import optim
    from minigrad.nn import functional as F

    def drawn(*shape: int, dtype: str = "float32") -> Any:
        return mg.tensor(np.random.default_rng(0).normal(size=shape).astype(dtype)).to(device="cuda")

    out: dict[str, tuple[Callable[[], Any], str, float]] = {}
    for dtype in ("float32", "float16"):
        a, b = drawn(4096, 4096, dtype=dtype), drawn(4096, 4096, dtype=dtype)
        out[f"matmul 4096, {dtype}"] = (lambda a=a, b=b: a @ b, dtype, 2 * 4096**3)
    rows, short = drawn(8192, 4096), drawn(262144, 128)
    weight, bias = drawn(4096), drawn(4096)
    labels = mg.tensor(np.arange(8192) % 4096).to(device="cuda")
    size = rows.data.nbytes
    out["softmax 8192 x 4096"] = (lambda: mg.softmax(rows, axis=-1), "copy", 2 * size)
    out["softmax 262144 x 128"] = (lambda: mg.softmax(short, axis=-1), "copy", 2 * short.data.nbytes)
    out["layer norm 8192 x 4096"] = (lambda: F.layer_norm(rows, (4096,), weight, bias), "copy", 2 * size)
    out["cross entropy 8192 x 4096"] = (lambda: F.cross_entropy(rows, labels), "copy", size)
    out["gelu 8192 x 4096"] = (lambda: F.gelu(rows), "copy", 2 * size)
    out["sum over rows 8192 x 4096"] = (lambda: rows.sum(axis=0), "copy", size)
    parameter = mg.nn.Parameter(drawn(1 << 26))
    parameter.grad = drawn(1 << 26)
    adam = optim.Adam([parameter], lr=1e-6)
    out["Adam, 67 million numbers"] = (adam.step, "copy", 7 * parameter.data.nbytes)
    return out


def floors() -> dict[str, Any]:
    """Seconds of each candidate, and how many times its floor that is."""
    found: dict[str, Any] = {"limits": limits(), "rows": [], "errors": {}}
    for name, (f, limit, amount) in candidates().items():
        try:
            took = seconds(f)
        except Exception as error:
            found["errors"][name] = f"{type(error).__name__}: {' '.join(str(error).split())[:400]}"
            continue
        found["rows"].append({"kernel": name, "ms": took * 1e3, "times": took * found["limits"][limit] / amount})
    return found


def table(found: dict[str, Any]) -> list[str]:
    """What was found, in Markdown."""
    limits = found["limits"]
    rates = ", ".join([f"{dtype} {rate / 1e12:.1f} TFLOP/s" for dtype, rate in limits.items() if dtype != "copy"])
    lines = [f"Limits measured: copy {limits['copy'] / 1e12:.2f} TB/s, products {rates}.", "", "| kernel | ms | times its floor |"]
    lines += ["| --- | --- | --- |", *[f"| {r['kernel']} | {r['ms']:.3f} | {r['times']:.2f} |" for r in found["rows"]]]
    return lines
