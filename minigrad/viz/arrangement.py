"""From cells to pixels: where everything is while some groups are open. Sums and greatest values only, so that the page can do the same.

Rows lie under each other, and a row is as tall as its tallest cell. A cell stays on its axis unless its left neighbour needs the
room; only then is it pushed, to the right. So opening a group moves what comes after it and nothing else.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from .layout import BOLD, CHANNEL, GAP_X, GAP_Y, HEAD, PAD, STACK, TRACK, WAY, Block, Cell, Group, Item, Layout, Line, Rect, Size
from .ranks import wrap

Point = tuple[float, float]


@dataclass
class Spread:
    """A group's inside while it is open."""

    sizes: list[Size]
    xs: list[float]
    """The axis of each cell, from the group's."""
    tops: list[float]
    heights: list[float]
    """Of rows."""
    ends: list[tuple[float, float]]
    """Of columns: where the channel to the next begins, and the lowest row ends."""
    left: float = 0.0
    right: float = 0.0
    height: float = 0.0


@dataclass
class Picture:
    """Everything that is seen, in pixels."""

    boxes: dict[int, Rect] = field(default_factory=dict)
    frames: dict[int, Rect] = field(default_factory=dict)
    """Of groups, open and closed, outer ones first; a closed fold has that of its shadow."""
    lines: list[tuple[Group, Line, list[Point]]] = field(default_factory=list)
    labels: list[tuple[str, Point]] = field(default_factory=list)
    """Texts on lines, and their middles."""
    width: float = 0.0
    height: float = 0.0


def arrange(layout: Layout, open: AbstractSet[int] | None = None) -> Picture:
    """Where everything is while the groups in ``open`` are open; by default those of the first view."""
    drawing = _Drawing(layout, layout.open if open is None else open)
    for g in drawing.seen:
        if g in drawing.spreads:
            drawing.draw(layout.groups[g])
    return drawing.out


def visible(layout: Layout, open: AbstractSet[int]) -> tuple[list[int], set[int]]:
    """Groups that are seen, outer ones first; and those among them with nothing on their left, which may grow that way too."""
    seen, free = [0], {0}
    for g in seen:  # grows while it is read
        group = layout.groups[g]
        block = layout.blocks[group.block]
        if g in open:
            edge = {block.rows[r][0] for r in range(*block.columns[0]) if block.rows[r]} if g in free else set()
            inner = [(i, item.group) for i, item in enumerate(group.items) if item.group >= 0]
        else:
            edge = {0} if g in free else set()
            inner = [(0, group.items[0].group)] if group.kind == "fold" and group.items[0].group >= 0 else []
        seen += [child for _, child in inner]
        free |= {child for i, child in inner if i in edge}
    return seen, free


def face(layout: Layout, g: int, open: AbstractSet[int]) -> tuple[int, list[int]]:
    """What is seen of a group: itself, or of a closed fold its first member, a group or (-1 and) the boxes of an op."""
    boxes: list[int] = []
    while g >= 0 and g not in open and layout.groups[g].kind == "fold":
        g, boxes = layout.groups[g].items[0].group, layout.groups[g].items[0].boxes
    return g, boxes


def spread_all(layout: Layout, open: AbstractSet[int], seen: list[int], free: set[int], fit: float = 0.0) -> dict[int, Spread]:
    """The inside of every open group that is seen, inner ones first; ``fit`` wraps anew what is so many times
    taller than wide."""
    out: dict[int, Spread] = {}
    for g in reversed(seen):
        if g in open:
            group = layout.groups[g]
            block = layout.blocks[group.block]
            sizes = [c.size for c in block.cells]
            for i, item in enumerate(group.items):
                inner = out.get(face(layout, item.group, open)[0])
                if inner is not None:
                    left, right = inner.left + PAD, inner.right + PAD
                    if item.group not in free:
                        left, right = sizes[i][0], max(left + right - sizes[i][0], sizes[i][1])
                    stack = STACK if item.group not in open else 0.0
                    sizes[i] = (left, right + stack, inner.height + HEAD + PAD + stack)
            if fit:
                wrap(block, sizes, min(fit, 2.2) if group.parent <= 0 else fit)
            out[g] = spread(block, sizes)
    return out


def spread(block: Block, sizes: list[Size]) -> Spread:
    """Cells pushed apart, rows put under each other, and columns of rows side by side."""
    out = Spread(sizes, [c.at for c in block.cells], [], [], [])
    margin = TRACK * (1 + max(map(len, block.crossing))) if block.crossing else 0.0
    xs, offset = out.xs, 0.0
    for c, column in enumerate(block.columns):
        left = right = 0.0
        y = margin
        last = None
        for row in block.rows[slice(*column)]:
            end = None
            for i in row:
                if end is not None:
                    xs[i] = max(xs[i], end + GAP_X + sizes[i][0])
                end = xs[i] + sizes[i][1]
                left, right = min(left, xs[i] - sizes[i][0]), max(right, end)
            height = max([sizes[i][2] for i in row], default=0.0)
            if last is not None:  # rows of ports and of texts stand closer
                y += GAP_Y if min(last, height) > WAY else GAP_Y / 2
            out.tops.append(y)
            out.heights.append(height)
            y += height
            last = height
        if c:
            offset += CHANNEL + TRACK * len(block.crossing[c - 1]) - left
            for row in block.rows[slice(*column)]:
                for i in row:
                    xs[i] += offset
        else:
            out.left = -left
        offset += right
        out.ends.append((offset + CHANNEL / 2, y))
        out.height = max(out.height, y + margin)
    out.right = offset
    return out


class _Drawing:
    """A picture being made, group by group from outside to inside."""

    def __init__(self, layout: Layout, open: AbstractSet[int]):
        self.layout, self.open, self.out = layout, open, Picture()
        self.seen, self.free = visible(layout, open)
        self.spreads = spread_all(layout, open, self.seen, self.free)
        root = self.spreads[0]
        self.out.width, self.out.height = root.left + root.right + 2 * PAD, root.height + 2 * PAD
        self.origins = {0: (PAD + root.left, PAD)}
        """By group: its axis, and the top of its first row."""

    def draw(self, group: Group) -> None:
        """Put down what is in a group, and find the points of its lines."""
        block, s = self.layout.blocks[group.block], self.spreads[group.id]
        ox, oy = self.origins[group.id]
        xs = [(ox + x, ox + x) for x in s.xs]
        lanes = [(c.lanes, c.lanes) for c in block.cells]
        for i, cell in enumerate(block.cells):
            y = oy + s.tops[cell.row]
            if cell.text:
                self.out.labels.append((cell.text, (xs[i][0], y + cell.height / 2)))
            if cell.kind == "item" and (inner := self._put(group.items[i], cell, s.sizes[i], xs[i][0], y)) >= 0:
                deep, axis = self.layout.blocks[self.layout.groups[inner].block], self.origins[inner][0]
                ends = [axis + self.spreads[inner].xs[p] if p >= 0 else xs[i][0] for p in (deep.top, deep.bottom)]
                xs[i] = ends[0], ends[1]
                through = [deep.cells[p].lanes if p >= 0 else cell.lanes for p in (deep.top, deep.bottom)]
                lanes[i] = through[0], through[1]
        tracks = {hop: (c, k) for c, hops in enumerate(block.crossing) for k, hop in enumerate(hops)}
        for n, line in enumerate(block.lines):
            (a, la), (b, lb) = line.path[0], line.path[-1]
            if a == b:
                self.out.lines.append((group, line, _beside(block.cells[a], la, lb, ox + s.xs[a], oy + s.tops[block.cells[a].row])))
                continue
            points: list[Point] = []
            for step, (i, lane) in enumerate(line.path):
                cell = block.cells[i]
                top = oy + s.tops[cell.row]
                upper, lower = [xs[i][side] + lanes[i][side][lane] for side in (0, 1)]
                if step or cell.kind == "way":
                    points.append((upper, top))
                elif i == block.top and lower > self.out.frames[group.id][0] + PAD + BOLD * len(group.title):
                    points.append((lower, oy - HEAD))  # from the frame's edge, beside its title
                if cell.kind == "item" and i != b:
                    points.append((lower, top + _depth(cell, lane, s.sizes[i][2])))
                if cell.kind != "item" or i != b:
                    points.append((lower, top + s.heights[cell.row]))
                if i == block.bottom:
                    points.append((lower, oy + s.height + PAD))
                if (n, step) in tracks:
                    c, k = tracks[n, step]
                    channel, low, high = ox + s.ends[c][0] + TRACK * k, oy + s.ends[c][1] + TRACK * (k + 1), oy + TRACK * (k + 1)
                    j, next_lane = line.path[step + 1]
                    points += [(lower, low), (channel, low), (channel, high), (xs[j][0] + lanes[j][0][next_lane], high)]
            self.out.lines.append((group, line, points))

    def _put(self, item: Item, cell: Cell, size: Size, x: float, y: float) -> int:
        """The boxes, or the frames, of what is in a cell; returns the group that is open there, or -1."""
        left, right, height = size
        g, boxes = face(self.layout, item.group, self.open) if item.group >= 0 else (-1, item.boxes)
        if item.group >= 0:
            stack = STACK if item.group not in self.open and self.layout.groups[item.group].kind == "fold" else 0.0
            self.out.frames[item.group] = (x - left, y, left + right, height)
            if g >= 0:
                self.out.frames[g] = (x - left, y, left + right - stack, height - stack)
        for b, (dx, dy, w, h) in zip(boxes, cell.rects, strict=False):
            self.out.boxes[b] = (x + dx, y + dy, w, h)
        if g not in self.spreads:
            return -1
        self.origins[g] = (x if item.group in self.free else x - left + PAD + self.spreads[g].left), y + HEAD
        return g


def _depth(cell: Cell, lane: int, height: float) -> float:
    """Where a line of a lane leaves a cell: at the lower end of the boxes there, of the shadow, or of the open group."""
    single = [y + h for x, y, w, h in cell.rects if x <= cell.lanes[lane] <= x + w]
    stacked = max([y + h for _, y, _, h in cell.rects], default=height) != cell.height
    return height if stacked or height != cell.height or not single else max(single)


def _beside(cell: Cell, from_lane: int, to_lane: int, x: float, y: float) -> list[Point]:
    """From an op to its gradient: from the right of one lane's first box to the left of another's."""
    a, b = [next(r for r in cell.rects if r[0] <= cell.lanes[lane] <= r[0] + r[2]) for lane in (from_lane, to_lane)]
    middle = y + min(a[3], b[3]) / 2
    return [(x + a[0] + a[2], middle), (x + b[0], middle)]
