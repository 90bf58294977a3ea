"""What was measured as text, as tables for the docs, and as a picture.

A result is ``{"machine": ..., "kernels": [...], "rows": [...]}``. A row belongs to a workload and to a kind of step ("default", "NumPy";
there may be others), and has by the candidates' names ``ms`` (medians), ``ratio`` (times minigrad's: of the medians, and the quartiles of
the rounds), and ``peak`` (bytes of a step).
"""

from statistics import geometric_mean
from typing import Any

from workloads import NAMES, PEERS

Row = dict[str, Any]
HEAD = (
    f"{'step':12} {'kernels':8} {'minigrad':>9} {'PyTorch':>9} {'ratio':>6} {'quartiles':>14}"
    f" {'products':>9} {'peak':>8} {'PyTorch':>8} {'ratio':>6}"
)


def number(value: float | None, form: str = ".2f") -> str:
    return "-" if value is None else format(value, form)


def cells(row: Row) -> list[str]:
    """The columns of HEAD."""
    ms, peak, times = row["ms"], row["peak"], row["ratio"].get("torch")
    mib = [peak[k] / 2**20 if k in peak else None for k in ("minigrad", "torch")]
    less = mib[0] / mib[1] if None not in mib and mib[1] else None
    return [
        row["workload"],
        row["kind"],
        *(number(ms.get(k), ".3f") for k in ("minigrad", "torch")),
        number(times and times[0]),
        f"{times[1]:.2f} - {times[2]:.2f}" if times else "-",
        number(ms.get("products"), ".3f"),
        *(number(m) for m in mib),
        number(less),
    ]


def line(row: Row) -> str:
    widths = (-12, -8, 9, 9, 6, 14, 9, 8, 8, 6)
    text = " ".join(f"{c:<{-w}}" if w < 0 else f"{c:>{w}}" for c, w in zip(cells(row), widths, strict=True))
    others = [f"{PEERS[k]} {row['ratio'][k][0]:.2f}" for k in PEERS if k in row["ratio"] and k != "torch"]
    return text + (f"   {', '.join(others)}" if others else "")


def means(rows: list[Row]) -> dict[str, dict[str, tuple[float, int]]]:
    """For each kind and peer the geometric mean of the ratios, and of how many workloads."""
    out: dict[str, dict[str, tuple[float, int]]] = {}
    for kind in dict.fromkeys(row["kind"] for row in rows):
        for peer in PEERS:
            ratios = [row["ratio"][peer][0] for row in rows if row["kind"] == kind and peer in row["ratio"]]
            if ratios:
                out.setdefault(kind, {})[peer] = geometric_mean(ratios), len(ratios)
    return out


def summary(result: dict[str, Any]) -> list[str]:
    """The geometric means, and what is known of the kernels."""
    lines = [
        f"geometric mean, {kind}: {PEERS[peer]} takes {mean:.2f} times minigrad's time ({n} steps)"
        for kind, peers in means(result["rows"]).items()
        for peer, (mean, n) in peers.items()
    ]
    return lines + result["kernels"]


def markdown(result: dict[str, Any]) -> str:
    """The tables of the docs: against PyTorch, and the other peers' times as multiples of minigrad's."""
    rows = result["rows"]
    head = (
        "step", "kernels", "minigrad [ms]", "PyTorch [ms]", "PyTorch / minigrad", "quartiles",
        "products alone [ms]", "peak [MiB]", "PyTorch's peak [MiB]", "peak / PyTorch's",
    )  # fmt: skip
    body = [[NAMES[row["workload"]], *cells(row)[1:]] for row in rows]
    body += [["geometric mean", kind, "", "", f"{m['torch'][0]:.2f}", *[""] * 5] for kind, m in means(rows).items() if "torch" in m]
    tables = [grid(head, body)]
    others = [p for p in PEERS if p != "torch" and any(p in row["ratio"] for row in rows)]
    if others:
        measured = [row for row in rows if any(p in row["ratio"] for p in others)]
        times = [[NAMES[row["workload"]], row["kind"], *(number(row["ratio"].get(p, [None])[0]) for p in others)] for row in measured]
        tables.append(grid(("times minigrad", "kernels", *(PEERS[p] for p in others)), times))
    return "\n\n".join([f"{result['machine']}; {' '.join(result['kernels'][0].split())}.", *tables])


def grid(head: Any, body: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *body])


def picture(result: dict[str, Any], path: str) -> None:
    """A bar for each step and kind: how many times minigrad's time PyTorch takes, with the quartiles."""
    from matplotlib.figure import Figure

    rows = [row for row in result["rows"] if "torch" in row["ratio"]]
    names, kinds = (list(dict.fromkeys(row[k] for row in rows)) for k in ("workload", "kind"))
    figure = Figure(figsize=(8, 1.2 + 0.25 * len(names) * (len(kinds) + 0.5)), layout="constrained")
    axes = figure.subplots()
    for j, kind in enumerate(kinds):
        of = {row["workload"]: row["ratio"]["torch"] for row in rows if row["kind"] == kind}
        at = [names.index(n) + 0.8 * (j + 0.5) / len(kinds) - 0.4 for n in of]
        middle, low, high = zip(*of.values(), strict=True)
        length = [m - 1 for m in middle]
        spread = [[max(0.0, m - q) for m, q in zip(middle, low, strict=True)], [max(0.0, q - m) for m, q in zip(middle, high, strict=True)]]
        axes.barh(at, length, 0.75 / len(kinds), left=1, xerr=spread, label=f"kernels: {kind}", error_kw={"linewidth": 0.8})
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xscale("log")
    ticks = [t for t in (0.25, 0.5, 1, 2, 4, 8, 16) if axes.get_xlim()[0] <= t <= axes.get_xlim()[1]]
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel("PyTorch's time / minigrad's (right of 1: minigrad is faster)")
    axes.legend()
    figure.savefig(path)
