"""From a Record to a Layout: groups, texts, lines lifted to where both their ends lie, one block per kind of inside, the first view."""

from collections.abc import Collection
from typing import Any

from ..nn.summary import in_bytes
from .arrangement import spread_all, visible
from .folding import SMALL, Knot, Strands, knots, strands
from .layout import BOLD, BOTTOM, STACK, TOP, Block, Cell, Group, Item, Layout
from .ranks import Ends, block
from .record import Box, Record, shaped

LINE, EDGE, CHIP, CHAR, LEAST = 15.0, 7.0, 18.0, 6.3, 56.0
"""Height of a line of text, room around texts, height of a chip, width of a letter, least width of a box."""
LETTERS, FIRST = 30, 40
"""So many letters at most in a line of text, and boxes in the first view."""


def place(record: Record, fold: bool = True, show: Collection[str] | None = None) -> Layout:
    """Lay a graph out: what lies in what, what is open at first, and a block of rows for every kind of group.

    Args:
        record: what to lay out.
        fold: whether three or more equal siblings in a row are folded into one that can be opened.
        show: what to write into a box besides its name: any of shape, dtype, bytes and grad; by default as ``describe`` does.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.viz.placement import place
        >>> x = mg.tensor(2.0, requires_grad=True)
        >>> layout = place(mg.viz.record(x * x))
        >>> [item.boxes for item in layout.groups[0].items]
        [[0], [1]]
    """
    small = len(record.boxes) <= SMALL
    twine = strands(record)
    words = {b.id: describe(record, b, small, show) for b in record.boxes}
    tree = knots(record, twine, words, fold)
    out = Layout(texts=[words[b.id] for b in record.boxes], chips=twine.chips, home=[0] * len(record.boxes))
    up = _groups(out, tree, twine, record)
    lines = _lift(out, record, twine, up)
    _blocks(out, lines, twine)
    _first_view(out)
    return out


def describe(record: Record, box: Box, small: bool, show: Collection[str] | None = None) -> list[str]:
    """What is written into a box: name and op, then what is to be shown; by default the shape, in small graphs value and gradient too."""
    mirrored = record.boxes[-1].kind == "grad"
    leaf = box.kind in ("param", "input", "const")
    op = "∂" + box.name.rpartition(".")[2] if box.op == "grad" and box.name else box.op
    out = [(box.name if small else box.name.rpartition(".")[2]) or "input" if leaf else op]
    if box.name and not leaf and box.op != "grad":
        out[0] = f"{box.name} = {op}"
    of = record.boxes[box.pair] if box.kind == "grad" and box.pair >= 0 else box
    stats = of.stats or {}
    value = small and box is of and "value" in stats
    if show is None:
        out.append(f"value {stats['value']}" if value else shaped(box.shape))
        if small and (of is not box or not mirrored) and (value or leaf or "grad_value" in stats):
            out.append(f"grad {stats.get('grad_value', of.grad)}")
    else:
        facts = [shaped(box.shape)] * ("shape" in show) + [box.dtype] * ("dtype" in show)
        out += [" ".join(facts)] * bool(facts)
        out += [f"keeps {in_bytes(box.saved_bytes)}"] * ("bytes" in show and box.saved_bytes > 0)
        out += [f"grad {box.grad}"] * ("grad" in show and leaf)
    return [text if len(text) <= LETTERS else text[: LETTERS - 1] + "…" for text in out]


def _groups(out: Layout, tree: Knot, twine: Strands, record: Record) -> list[tuple[int, int, int]]:
    """Number the groups, outer ones first. Returns parent, place in it and depth of each."""
    todo: list[tuple[Knot, int, int, int]] = [(tree, -1, 0, 0)]
    up: list[tuple[int, int, int]] = []
    for knot, parent, place_in, depth in todo:  # grows while it is read
        g = len(out.groups)
        group = Group(g, parent, knot.kind, knot.scope, knot.title, knot.note, knot.count)
        out.groups.append(group)
        up.append((parent, place_in, depth))
        if parent >= 0:
            out.groups[parent].items[place_in].group = g
        for i, entry in enumerate(knot.entries):
            if isinstance(entry, Knot):
                group.items.append(Item())
                todo.append((entry, g, i, depth + 1))
            else:
                group.items.append(Item(-1, twine.stacks[entry]))
                for b in twine.stacks[entry]:
                    out.home[b] = g
    for host, chips in twine.chips.items():
        for c in chips:
            out.home[c] = out.home[host]
    counted = [b.kind in ("op", "output") for b in record.boxes]
    counted = counted if any(counted) else [True] * len(counted)  # of the way back alone
    ops = [0] * len(out.groups)
    for group in reversed(out.groups):
        ops[group.id] += sum([counted[b] for i in group.items for b in i.boxes])
        if group.parent >= 0:
            ops[group.parent] += ops[group.id]
        if group.kind in ("run", "part", "whole"):
            names = [out.groups[i.group].title if i.group >= 0 else out.texts[i.boxes[0]][0] for i in group.items[:4]]
            group.note = group.note or ", ".join(names) + ("…" if len(group.items) > 4 else "")
        elif group.kind == "fold":
            first = group.items[0]
            group.title = out.groups[first.group].title.rstrip(" 0123456789") if first.group >= 0 else out.texts[first.boxes[0]][0]
        else:
            many = f"{ops[group.id]} op{'s' * (ops[group.id] != 1)}"
            group.note = f"{group.note} · {many}" if group.note else many
    return up


def _lift(out: Layout, record: Record, twine: Strands, up: list[tuple[int, int, int]]) -> list[dict[Ends, int]]:
    """Lines of each group: an edge is one between the two items that hold its ends, and leads out of, or into, all groups below."""
    at: dict[int, tuple[int, int]] = {}
    for group in out.groups:
        for i, item in enumerate(group.items):
            if item.group < 0:
                at[item.boxes[0]] = group.id, i
    lines: list[dict[Ends, int]] = [{} for _ in out.groups]
    base, lane, hidden = twine.base, twine.lane, twine.hidden
    depth = [d for _, _, d in up]
    handed: dict[tuple[int, int], Ends] = {}
    for e in record.edges:
        if e.src in hidden or e.dst in hidden:
            continue
        text = getattr(e, "label", "")
        a, b, la, lb = base[e.src], base[e.dst], lane[e.src], lane[e.dst]
        g, i = at[a]
        h, j = at[b]
        if la < lb or a == b:  # from an op to the ops of a gradient: it is the op beside them that hands it on
            if la < lb:
                beside = max([lane[x] for x in twine.stacks[b] if lane[x] < lb])
                key = handed.setdefault((b, lb), (j, beside, j, lb, e.role, False, ""))
                lines[h][key] = lines[h].get(key, 0) + 1
            continue
        here, there = [], []
        while g != h:
            if depth[g] >= depth[h]:
                here.append((g, i))
                g, i, _ = up[g]
            else:
                there.append((h, j))
                h, j, _ = up[h]
        back = i > j
        if back:
            i, j, la, lb, here, there = j, i, lb, la, there, here
        key = (i, la, j, lb, e.role, back, text)
        lines[g][key] = lines[g].get(key, 0) + 1
        for k, m in here:
            lines[k][m, la, BOTTOM, la, e.role, back, ""] = 1
        for k, m in there:
            lines[k][TOP, lb, m, lb, e.role, back, ""] = 1
    return lines


def _blocks(out: Layout, lines: list[dict[Ends, int]], twine: Strands) -> None:
    """Sizes of what is closed, and one block for all groups with the same items and lines."""
    orders = 1 + max(twine.lane, default=0)
    known: dict[Any, int] = {}
    for group in reversed(out.groups):
        faces = []
        for item in group.items:
            stack, face = 0.0, item
            while face.group >= 0 and out.groups[face.group].kind == "fold":
                stack, face = STACK, out.groups[face.group].items[0]
            faces.append((stack, _rects(out, face.boxes, twine) if face.boxes else _title(out.groups[face.group])))
        key = (tuple(faces), tuple(lines[group.id].items()))
        if key not in known:
            known[key] = len(out.blocks)
            out.blocks.append(_block(faces, lines[group.id], orders))
        group.block = known[key]


Face = tuple[tuple[int, float, float], ...]
"""Lane, width and height of each box in a cell; lane -1: of a group."""


def _rects(out: Layout, boxes: list[int], twine: Strands) -> Face:
    rects = []
    for b in boxes:
        chips = [out.texts[c][0] for c in twine.chips.get(b, ())]
        width = max(LEAST, _width(out.texts[b]), *[len(c) * 6 + 2 * EDGE + 10 for c in chips])
        rects.append((twine.lane[b], width, len(out.texts[b]) * LINE + len(chips) * CHIP + 2 * EDGE))
    return tuple(rects)


def _title(group: Group) -> Face:
    return ((-1, max(LEAST, _width([group.title + "×999", group.note])), 2 * LINE + 2 * EDGE),)


def _width(lines: list[str]) -> float:
    return max(len(lines[0]) * BOLD, *[len(text) * CHAR for text in lines[1:]], 0.0) + 2 * EDGE


def _block(faces: list[tuple[float, Face]], lines: dict[Ends, int], orders: int) -> Block:
    """Every lane is as wide as its widest box, so that ops and their gradients stand in columns."""
    gap = 14.0
    wide = [max([w for _, face in faces for lane, w, _ in face if lane == k], default=0.0) for k in range(orders)]
    while len(wide) > 1 and not wide[-1] and all(face[0][0] >= 0 for _, face in faces):
        wide.pop()
    whole = max([w for _, face in faces for lane, w, _ in face if lane < 0], default=0.0)
    room = whole - sum(wide) - gap * (len(wide) - 1)
    wide = [w + max(0.0, room) / len(wide) for w in wide]
    whole = sum(wide) + gap * (len(wide) - 1)
    starts = [sum(wide[:k]) + gap * k - whole / 2 for k in range(len(wide))]
    lanes = [x + w / 2 for x, w in zip(starts, wide, strict=True)]
    lanes += [lanes[-1]] * (orders - len(lanes))
    cells = []
    for stack, face in faces:
        ends = [0.0] * len(wide)
        rects = []
        for lane, w, h in face:
            if lane < 0:
                rects.append((-whole / 2, 0.0, whole, h))
            else:
                width = wide[lane] if orders > 1 else w
                rects.append((lanes[lane] - width / 2, ends[lane], width, h))
                ends[lane] += h
        left, right = -min([r[0] for r in rects]), max([r[0] + r[2] for r in rects])
        cells.append(Cell("item", left, right + stack, max([r[1] + r[3] for r in rects]) + stack, lanes, rects))
    return block(cells, lines, lanes)


def _first_view(out: Layout) -> None:
    """Open groups from outside to inside while there are few boxes, then break what is open into columns by its real size."""
    out.open = {0}
    shown = sum([max(1, len(i.boxes)) for i in out.groups[0].items])
    for g in (queue := [i.group for i in out.groups[0].items if i.group >= 0]):  # grows while it is read
        group = out.groups[g]
        if group.kind == "fold":
            queue += [i.group for i in group.items[:1] if i.group >= 0]
            continue
        more = sum([max(1, len(i.boxes)) for i in group.items]) - 1
        if shown + more <= FIRST:
            out.open.add(g)
            shown += more
            queue += [i.group for i in group.items if i.group >= 0]
    for limit in (3.0, 2.0, 1.4):
        root = spread_all(out, out.open, *visible(out, out.open), fit=limit)[0]
        if root.height < 2.6 * (root.left + root.right):
            break
