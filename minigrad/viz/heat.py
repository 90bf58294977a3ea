"""Tables of numbers as pictures: confusion matrices, histograms layer by layer, landscapes. SVG of our own; no package is needed."""

import os
from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ShapeError
from .curve import framed, text

RAMP = ((247, 251, 255), (198, 219, 239), (107, 174, 214), (33, 113, 181), (8, 48, 107))
"""From little to much: one hue, so that a print in grey says the same (ColorBrewer's Blues, by Cynthia Brewer)."""


class Heat:
    """A table as a picture. ``save`` writes it to an .svg file; notebooks show it; ``values`` are its numbers.

    Args:
        values: (rows, columns); NaN is left white.
        rows, columns: names, from the top and from the left; too many of them are thinned out.
        x, y: what the axes are.
        title: above it.
        numbers: write each number into its cell.
        path: points (column, row), in cells, of a line that is drawn over it.

    Raises:
        ShapeError: values that are no table, or names that do not fit.

    Example:
        >>> from minigrad.viz import Heat
        >>> Heat([[5, 1], [0, 6]], rows=("cat", "dog"), columns=("cat", "dog"), numbers=True).svg.count("<rect")
        5
    """

    def __init__(
        self,
        values: Any,
        *,
        rows: Sequence[str] = (),
        columns: Sequence[str] = (),
        x: str = "",
        y: str = "",
        title: str = "",
        numbers: bool = False,
        path: Any = (),
    ):
        self.values = np.asarray(values, dtype=float)
        if self.values.ndim != 2 or not self.values.size:
            raise ShapeError(f"Heat: expected a table of numbers, got shape {self.values.shape}")
        for name, words, n in (("rows", rows, len(self.values)), ("columns", columns, self.values.shape[1])):
            if words and len(words) != n:
                raise ShapeError(f"Heat: {len(words)} names for {n} {name}")
        self.svg = _svg(self.values, [*map(str, rows)], [*map(str, columns)], x, y, title, numbers, np.asarray(path, float).reshape(-1, 2))

    def save(self, path: str | os.PathLike) -> Path:
        """Write the picture; the file gets the ending .svg. Returns its path."""
        path = Path(path).with_suffix(".svg")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.svg, encoding="utf-8")
        return path

    def _repr_svg_(self) -> str:
        return self.svg


def colour(share: float) -> str:
    """The colour of a number from 0 to 1."""
    at = share * (len(RAMP) - 1)
    k = min(int(at), len(RAMP) - 2)
    mixed = [round(a + (b - a) * (at - k)) for a, b in zip(RAMP[k], RAMP[k + 1], strict=True)]
    return "#{:02x}{:02x}{:02x}".format(*mixed)


def _svg(values: np.ndarray, rows: list[str], columns: list[str], x: str, y: str, title: str, numbers: bool, path: np.ndarray) -> str:
    n, k = values.shape
    cell_w, cell_h = (max(8.0, min(48.0, 560 / k)), max(8.0, min(32.0, 480 / n)))
    left = 16 + (18 if y else 0) + 6.6 * max(map(len, rows), default=0)
    top = 14 + (22 if title else 0)
    width, height = left + k * cell_w + 90, top + n * cell_h + (20 if columns else 8) + (22 if x else 0)
    finite = values[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
    span = (high - low) or 1.0
    out = [f'<rect width="{width:.0f}" height="{height:.0f}" fill="white"/>']

    for i in range(n):
        for j in range(k):
            v = values[i, j]
            if not isfinite(v):
                continue
            share = (v - low) / span
            px, py = left + j * cell_w, top + i * cell_h
            place = f'x="{px:.1f}" y="{py:.1f}" width="{cell_w:.2f}" height="{cell_h:.2f}"'
            out.append(f'<rect {place} fill="{colour(share)}" shape-rendering="crispEdges"/>')
            if numbers:
                out.append(text(px + cell_w / 2, py + cell_h / 2 + 4, f"{v:.4g}", more=' fill="white"' if share > 0.55 else ""))
    for words, count in ((rows, n), (columns, k)):
        room = cell_h / 14 if words is rows else cell_w / (6.6 * max(map(len, words), default=1) + 8)
        step = max(1, round(1 / room)) if words else 1
        for i in range(0, count if words else 0, step):
            if words is rows:
                out.append(text(left - 6, top + (i + 0.5) * cell_h + 4, words[i], "end"))
            else:
                out.append(text(left + (i + 0.5) * cell_w, top + n * cell_h + 16, words[i]))
    if len(path):
        points = " ".join([f"{left + (a + 0.5) * cell_w:.1f},{top + (b + 0.5) * cell_h:.1f}" for a, b in path])
        out.append(f'<polyline points="{points}" fill="none" stroke="#d9722e" stroke-width="2" stroke-linejoin="round"/>')
        a, b = points.split(" ")[-1].split(",")
        out.append(f'<circle cx="{a}" cy="{b}" r="4" fill="#d9722e"/>')
    if title:
        out.append(text(left + k * cell_w / 2, 22, title, more=' font-weight="bold"'))
    if x:
        out.append(text(left + k * cell_w / 2, height - 8, x))
    if y:
        out.append(text(14, top + n * cell_h / 2, y, more=f' transform="rotate(-90 14 {top + n * cell_h / 2:.1f})"'))
    bar, tall = left + k * cell_w + 18, n * cell_h
    for i in range(32):
        out.append(f'<path d="M{bar:.1f} {top + tall * i / 32:.1f}h12v{tall / 32 + 0.5:.2f}h-12z" fill="{colour(1 - i / 31)}"/>')
    out.append(text(bar + 16, top + 10, f"{high:.3g}", "start"))
    out.append(text(bar + 16, top + tall, f"{low:.3g}", "start"))
    return framed(width, height, out)


__all__ = ["Heat"]
