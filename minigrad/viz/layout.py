"""Where the boxes go when graphviz is not there: ranks by longest path, order by barycenters, edges in straight pieces.

Source: Sugiyama, Tagawa & Toda, "Methods for visual understanding of hierarchical system structures", 1981.
"""

from dataclasses import dataclass, field
from itertools import pairwise

from .record import Record

GAP_X, GAP_Y, LINE, PAD, CHAR = 22.0, 34.0, 15.0, 8.0, 6.6


@dataclass
class Placed:
    """A box with its corner and size, in pixels."""

    x: float
    y: float
    width: float
    height: float


@dataclass
class Layout:
    """Boxes by id, one polyline per edge, and the size of it all."""

    boxes: dict[int, Placed] = field(default_factory=dict)
    lines: list[list[tuple[float, float]]] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0


def place(record: Record, texts: dict[int, list[str]]) -> Layout:
    """Lay a graph out from top to bottom, in time that grows with its size."""
    rank = _ranks(record)
    rows, chains = _rows(record, rank)
    _order(rows, chains)
    return _coordinates(record, rows, chains, texts)


def _ranks(record: Record) -> dict[int, int]:
    """Longest path from the top; leaves then sink to just above what uses them."""
    rank = {b.id: 0 for b in record.boxes}
    for e in record.edges:  # edges come in the order of births, so one pass is enough
        rank[e.dst] = max(rank[e.dst], rank[e.src] + 1)
    lowest: dict[int, int] = {}
    for e in record.edges:
        lowest[e.src] = min(lowest.get(e.src, rank[e.dst] - 1), rank[e.dst] - 1)
    for b in record.boxes:
        if b.kind in ("param", "input") and b.id in lowest:
            rank[b.id] = lowest[b.id]
    return rank


def _rows(record: Record, rank: dict[int, int]) -> tuple[list[list], list[list]]:
    """The rows, and each edge as a chain with a waypoint in every row that it crosses."""
    rows: list[list] = [[] for _ in range(max(rank.values(), default=0) + 1)]
    for b in record.boxes:
        rows[rank[b.id]].append(b.id)
    chains = []
    for k, e in enumerate(record.edges):
        chain: list = [e.src]
        for r in range(rank[e.src] + 1, rank[e.dst]):
            point = (k, r)
            rows[r].append(point)
            chain.append(point)
        chains.append([*chain, e.dst])
    return rows, chains


def _order(rows: list[list], chains: list[list]) -> None:
    """Four sweeps that move everything towards the middle of its neighbours."""
    up: dict = {}
    down: dict = {}
    for chain in chains:
        for a, b in pairwise(chain):
            down.setdefault(a, []).append(b)
            up.setdefault(b, []).append(a)
    for sweep in range(4):
        near = up if sweep % 2 == 0 else down
        order = rows if sweep % 2 == 0 else rows[::-1]
        where: dict = {}
        for row in order:
            middle = {}
            for i, item in enumerate(row):
                ns = [where[n] for n in near.get(item, ()) if n in where]
                middle[item] = sum(ns) / len(ns) if ns else float(i)
            row.sort(key=middle.__getitem__)
            where.update({item: float(i) for i, item in enumerate(row)})


def _coordinates(record: Record, rows: list[list], chains: list[list], texts: dict[int, list[str]]) -> Layout:
    out = Layout()
    sizes = {k: (max(len(s) for s in t) * CHAR + 2 * PAD, len(t) * LINE + 2 * PAD) for k, t in texts.items()}
    widths = [sum(sizes[i][0] if i in sizes else 4.0 for i in row) + GAP_X * max(len(row) - 1, 0) for row in rows]
    out.width = max(widths, default=0.0) + 2 * GAP_X
    y = GAP_Y / 2
    points: dict = {}
    for row, width in zip(rows, widths, strict=True):
        tall = max((sizes[i][1] for i in row if i in sizes), default=0.0)
        x = (out.width - width) / 2
        for item in row:
            w, h = sizes.get(item, (4.0, tall))
            if item in sizes:
                out.boxes[item] = Placed(x, y + (tall - h) / 2, w, h)
            else:
                points[item] = (x + w / 2, y, y + tall)
            x += w + GAP_X
        y += tall + GAP_Y
    out.height = y
    for chain in chains:
        a, b = out.boxes[chain[0]], out.boxes[chain[-1]]
        line = [(a.x + a.width / 2, a.y + a.height)]
        for p in chain[1:-1]:
            x, top, bottom = points[p]
            line += [(x, top), (x, bottom)]
        out.lines.append([*line, (b.x + b.width / 2, b.y)])
    return out
