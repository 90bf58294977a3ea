"""Line charts: by matplotlib where it is installed, else as an SVG of our own."""

import importlib.util
from collections.abc import Mapping, Sequence
from html import escape
from math import isfinite, log10
from pathlib import Path

COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b")


def save_curve(
    path: Path, series: Mapping[str, Sequence[float]], x: str = "", y: str = "", *, at: Sequence[float] | None = None, log: bool = False
) -> Path:
    """Draw one line per series over ``at``, or 1, 2, 3, ...; the file gets the ending .png, or .svg without matplotlib. Returns its path.

    ``log`` makes the horizontal axis logarithmic.
    """
    if importlib.util.find_spec("matplotlib") is None:
        path = path.with_suffix(".svg")
        path.write_text(svg(series, x, y, at=at, log=log), encoding="utf-8")
        return path
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(6, 4), layout="constrained")  # not pyplot, which would choose a window system
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for name, values in series.items():
        axes.plot(range(1, len(values) + 1) if at is None else at, values, marker=".", label=name)
    axes.set(xlabel=x, ylabel=y, xscale="log" if log else "linear")
    if at is None:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
    path = path.with_suffix(".png")
    figure.savefig(path, dpi=120)
    return path


def svg(series: Mapping[str, Sequence[float]], x: str = "", y: str = "", *, at: Sequence[float] | None = None, log: bool = False) -> str:
    """The chart as SVG text."""
    width, height, left, right, top, bottom = 640, 400, 64, 16, 16, 48
    finite = [v for values in series.values() for v in values if isfinite(v)]
    low, high = min([0.0, *finite]), max(finite, default=1.0)
    high = high if high > low else low + 1
    steps = max([len(v) for v in series.values()] + [2])
    places = [log10(a) if log else float(a) for a in (range(1, steps + 1) if at is None else at)]
    first, span = places[0], (places[-1] - places[0]) or 1.0

    def place(i: int, v: float) -> tuple[float, float]:
        return (
            left + (width - left - right) * (places[i] - first) / span,
            top + (height - top - bottom) * (high - v) / (high - low),
        )

    parts = [f'<rect width="{width}" height="{height}" fill="white"/>']
    for k in range(5):
        v = low + (high - low) * k / 4
        px, py = place(0, v)
        parts.append(f'<line x1="{px:.1f}" y1="{py:.1f}" x2="{width - right}" y2="{py:.1f}" stroke="#ddd"/>')
        parts.append(text(px - 6, py + 4, f"{v:.3g}", "end"))
    for i in range(0, len(places), max(1, steps // 10)):
        parts.append(text(place(i, low)[0], height - bottom + 18, str(i + 1) if at is None else f"{at[i]:.2g}"))
    parts.append(text((left + width - right) / 2, height - 10, x))
    parts.append(text(16, (top + height - bottom) / 2, y, more=f' transform="rotate(-90 16 {(top + height - bottom) / 2:.1f})"'))
    for k, (name, values) in enumerate(series.items()):
        colour = COLOURS[k % len(COLOURS)]
        points = " ".join("{:.1f},{:.1f}".format(*place(i, v)) for i, v in enumerate(values) if isfinite(v))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(text(width - right - 8, top + 18 + 18 * k, name, "end", f' fill="{colour}"'))
    return framed(width, height, parts)


def text(px: float, py: float, words: str, anchor: str = "middle", more: str = "") -> str:
    """Words in a chart."""
    return f'<text x="{px:.1f}" y="{py:.1f}" text-anchor="{anchor}"{more}>{escape(words)}</text>'


def framed(width: float, height: float, parts: Sequence[str]) -> str:
    """The parts of a chart as an SVG file of this size, in pixels."""
    frame = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    body = "\n".join(parts)
    return f'<svg xmlns="http://www.w3.org/2000/svg" {frame} font-family="sans-serif" font-size="12">\n{body}\n</svg>\n'


__all__ = ["save_curve", "svg"]
