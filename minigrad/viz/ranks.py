"""The inside of one group: rows by longest path, order by barycenters, axes that keep lines straight, columns against length.

Source: Sugiyama, Tagawa & Toda, "Methods for visual understanding of hierarchical system structures", 1981.
"""

from itertools import accumulate, pairwise
from math import sqrt
from typing import Any

from .layout import BOLD, BOTTOM, GAP_X, GAP_Y, TOP, TRACK, WAY, Block, Cell, Line, Size

Ends = tuple[int, int, int, int, str, bool, str]
"""Upper item and its lane, lower item and its lane, role, whether it runs upwards, text."""


def block(items: list[Cell], lines: dict[Ends, int], lanes: list[float]) -> Block:
    """Lay out items that have a size, in the order of their birth; every line leads from an earlier one to a later one."""
    above, below = any(e[0] == TOP for e in lines), any(e[2] == BOTTOM for e in lines)
    ranks = _ranks(items, lines, int(above))
    last = max(ranks, default=0) + below
    out = Block(list(items), [[] for _ in range(last + 1)], [])
    for cell, row in zip(items, ranks, strict=True):
        cell.row = row
    half = max(abs(x) for x in lanes) + TRACK
    if above:
        out.top = len(out.cells)
        out.cells.append(Cell("port", half, half, 0.0, lanes))
    if below:
        out.bottom = len(out.cells)
        out.cells.append(Cell("port", half, half, 0.0, lanes, row=last))
    _route(out, lines)
    for i, cell in enumerate(out.cells):
        out.rows[cell.row].append(i)
    _order(out, near := _near(out))
    _straighten(out, near)
    wrap(out, [c.size for c in out.cells])
    return out


def _ranks(items: list[Cell], lines: dict[Ends, int], first: int) -> list[int]:
    """Longest path from the top, in rows of limited width; leaves then sink to just above what uses them."""
    before: list[list[tuple[int, int]]] = [[] for _ in items]
    after: list[list[tuple[int, int]]] = [[] for _ in items]
    inner = [True] * len(items)
    for a, _, b, _, _, _, text in lines:
        if a == TOP and b >= 0:
            inner[b] = False
        elif a >= 0 and b >= 0 and a != b:
            before[b].append((a, 1 + bool(text)))
            after[a].append((b, 1 + bool(text)))
    widths = [c.left + c.right + GAP_X for c in items]
    area = sum([w * (c.height + GAP_Y) for w, c in zip(widths, items, strict=True)])
    limit = max(1.6 * sqrt(area), 4 * max(widths, default=0.0))
    used: dict[int, float] = {}
    ranks: list[int] = []
    for i, width in enumerate(widths):
        r = max([ranks[a] + gap for a, gap in before[i]], default=first)
        while used.get(r, 0.0) + width > limit:
            r += 1
        used[r] = used.get(r, 0.0) + width
        ranks.append(r)
    for i in range(len(items) - 1, -1, -1):
        if inner[i] and not before[i] and after[i]:
            r = min([ranks[b] - gap for b, gap in after[i]])
            while r > ranks[i] and used.get(r, 0.0) + widths[i] > limit:
                r -= 1
            used[ranks[i]] -= widths[i]
            used[r] = used.get(r, 0.0) + widths[i]
            ranks[i] = r
    return ranks


def _route(out: Block, lines: dict[Ends, int]) -> None:
    """Paths of the lines. Those that pass rows have ways there; all from one cell (or to the bottom) share theirs, like a bus."""
    cells, ends = out.cells, {TOP: out.top, BOTTOM: out.bottom}
    buses: dict[Any, dict[Any, list[tuple[int, int, int, Ends]]]] = {}
    for e, count in lines.items():
        upper, la, lower, lb, role, up, text = e
        a, b = ends.get(upper, upper), ends.get(lower, lower)
        span = cells[b].row - cells[a].row
        if span <= 1 and not text:
            out.lines.append(Line([(a, la), (b, lb)], role, up, count))
        else:
            owner, lane = ((True, b), lb) if lower == BOTTOM else ((False, a), la)
            buses.setdefault((*owner, b, text) if text else owner, {}).setdefault((lane, role, up), []).append((span, a, b, e))
    for owner, tracks in buses.items():
        ways: dict[int, int] = {}
        offsets = [(t - (len(tracks) - 1) / 2) * TRACK for t in range(len(tracks))]
        for track, members in enumerate(tracks.values()):
            longest = max(members, key=lambda m: m[0])  # goes all the way; the others join or leave it next to their own end
            for member in members:
                _, a, b, (_, la, _, lb, role, up, text) = member
                rows = range(cells[a].row + 1, cells[b].row)
                path = [(a, la)]
                for r in rows if member is longest else rows[:1] if owner[0] else rows[-1:]:
                    if r not in ways:
                        ways[r] = len(cells)
                        words = text if r == rows[-1] else ""
                        half = max(len(tracks) * TRACK / 2, len(words) * BOLD / 2)
                        cells.append(Cell("way", half, half, WAY if words else 0.0, offsets, text=words, row=r))
                    path.append((ways[r], track))
                path.append((b, lb))
                if member is not longest and len(path) > 2:
                    path = path[:-1] if owner[0] else path[1:]
                out.lines.append(Line(path, role, up, lines[member[3]]))


Near = list[list[tuple[int, float, float]]]
"""By cell: its neighbours, how much further right than theirs its axis should be, and how much that matters."""


def _near(out: Block) -> tuple[Near, Near]:
    """Neighbours above, and below. Chains of items are kept straight, long ways more so, and ways bend to where they end."""
    cells = out.cells
    above: Near = [[] for _ in cells]
    below: Near = [[] for _ in cells]
    for line in out.lines:
        for (a, la), (b, lb) in pairwise(line.path):
            if a != b:
                shift = cells[a].lanes[la] - cells[b].lanes[lb]
                matters = (1e3, 1.0, 2e3)[(cells[a].kind == "way") + (cells[b].kind == "way")]
                above[b].append((a, shift, matters))
                below[a].append((b, -shift, matters))
    return above, below


def _order(out: Block, near: tuple[Near, Near]) -> None:
    """Sweeps that move everything towards the middle of its neighbours."""
    where = [0.0] * len(out.cells)
    for row in out.rows:
        for k, i in enumerate(row):
            where[i] = float(k)
    for sweep in range(4):
        side = near[sweep % 2]
        for row in out.rows[::-1] if sweep % 2 else out.rows:
            for i in row:
                if side[i]:
                    where[i] = sum([where[j] for j, _, _ in side[i]]) / len(side[i])
            row.sort(key=where.__getitem__)
            for k, i in enumerate(row):
                where[i] = float(k)


def _straighten(out: Block, near: tuple[Near, Near]) -> None:
    """Axes that bend lines as little as the order allows."""
    cells = out.cells
    for row in out.rows:
        x = 0.0
        for i in row:
            cells[i].at = x + cells[i].left
            x = cells[i].at + cells[i].right + GAP_X
        for i in row:
            cells[i].at -= (x - GAP_X) / 2
    both = [a + b for a, b in zip(*near, strict=True)]
    gaps = [[cells[a].right + GAP_X + cells[b].left for a, b in pairwise(row)] for row in out.rows]
    heavy = [[sum([w for _, _, w in hops]) for hops in side] for side in (*near, both)]
    for sweep in range(6):
        side, mass = (*near, both)[sweep % 3], heavy[sweep % 3]
        for r in reversed(range(len(gaps))) if sweep % 3 == 1 else range(len(gaps)):
            want, weight = [], []
            for i in out.rows[r]:
                want.append(sum([w * (cells[j].at + shift) for j, shift, w in side[i]]) / mass[i] if mass[i] else cells[i].at)
                weight.append((mass[i] or 0.1) * (1 if cells[i].kind == "way" else 1000))
            for i, x in zip(out.rows[r], settled(want, weight, gaps[r]), strict=True):
                cells[i].at = x
    ends = [(c.at - c.left, c.at + c.right) for c in cells]
    axis = cells[out.top].at if out.top >= 0 else (min(ends)[0] + max([e[1] for e in ends])) / 2 if ends else 0.0
    for c in cells:
        c.at = round(c.at - axis, 1)


def settled(want: list[float], weight: list[float], gaps: list[float]) -> list[float]:
    """The places nearest to ``want`` (in weighted squares) that are ``gaps`` apart at least: pooled where they collide.

    Source: Best & Chakravarti, "Active set algorithms for isotonic regression", 1990.
    """
    offset = 0.0
    pools: list[Any] = []
    for i, (x, w) in enumerate(zip(want, weight, strict=True)):
        offset += gaps[i - 1] if i else 0.0
        pool: list[Any] = [(x - offset) * w, w, [offset]]
        while pools and pools[-1][0] / pools[-1][1] > pool[0] / pool[1]:
            left = pools.pop()
            pool = [left[0] + pool[0], left[1] + pool[1], left[2] + pool[2]]
        pools.append(pool)
    return [total / heavy + o for total, heavy, offsets in pools for o in offsets]


def wrap(out: Block, sizes: list[Size], limit: float = 3.0) -> None:
    """Break the rows into columns, as few as keep a block from being much taller than wide."""
    rows = out.rows
    tall = [max([sizes[i][2] for i in row], default=0.0) + GAP_Y for row in rows]
    left = [min([out.cells[i].at - sizes[i][0] for i in row], default=0.0) for row in rows]
    right = [max([out.cells[i].at + sizes[i][1] for i in row], default=0.0) for row in rows]
    ends = [0.0, *accumulate(tall)]
    crossing: list[set[int]] = [set() for _ in rows]
    for line in out.lines:
        for (a, _), (b, _) in pairwise(line.path):
            if a != b:
                crossing[out.cells[b].row].add(a)
    out.columns = [(0, len(rows))]
    many = 1
    while many < len(rows):
        width = sum([max(right[a:b]) - min(left[a:b]) + 2 * GAP_X for a, b in out.columns])
        height = max([sum(tall[a:b]) for a, b in out.columns])
        if height < 700 or height < (1.5 if many > 1 else limit) * width:
            break
        many += 1
        share = ends[-1] / many
        breaks = [0]
        for k in range(1, many):  # near equal heights, and where few lines have to go on
            near = [r for r in range(breaks[-1] + 1, len(rows)) if abs(ends[r] - k * share) < 0.4 * share]
            if near:
                breaks.append(min(near, key=lambda r: (len(crossing[r]), abs(ends[r] - k * share))))
        out.columns = list(pairwise([*breaks, len(rows)]))
    if max([sum(tall[a:b]) for a, b in out.columns]) > 0.75 * ends[-1]:
        out.columns = [(0, len(rows))]  # one row is most of it
    out.crossing = [[] for _ in out.columns[1:]]
    firsts = {a: k for k, (a, _) in enumerate(out.columns) if k}
    for n, line in enumerate(out.lines):
        for step, (_, (b, _)) in enumerate(pairwise(line.path)):
            if (row := out.cells[b].row) in firsts and line.path[step][0] != b:
                out.crossing[firsts[row] - 1].append((n, step))
