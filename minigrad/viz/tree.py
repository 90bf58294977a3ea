"""The graph as a tree for a terminal: modules, repeats once, and the ops in them."""

from ..nn.summary import in_bytes
from .layout import Layout
from .record import Record, shaped


def to_text(record: Record, layout: Layout, width: int = 100) -> str:
    """One line each: name, shape, and what it keeps for backward. Of blocks that repeat, the first stands for all of them."""
    kept = [0] * len(layout.groups)
    for box in record.boxes:
        g = layout.home[box.id]
        while g >= 0:
            kept[g] += box.saved_bytes
            g = layout.groups[g].parent
    rows: list[tuple[str, str, int]] = []
    open = [(_entries(record, layout, 0), "")]
    while open:
        entries, lead = open[-1]
        if not entries:
            open.pop()
            continue
        g, b = entries.pop(0)
        twig, below = ("├─ ", "│  ") if entries else ("└─ ", "   ")
        if b >= 0:
            chips = [record.boxes[leaf].name.rpartition(".")[2] or "leaf" for leaf in layout.chips.get(b, ())]
            rows.append(
                (lead + twig + " · ".join([layout.texts[b][0], *chips]), shaped(record.boxes[b].shape), record.boxes[b].saved_bytes)
            )
            continue
        group = layout.groups[g]
        inside = g
        if group.kind == "fold":
            inside = group.items[0].group
            rows.append((f"{lead}{twig}{group.title} ×{group.count}", "", kept[g]))
        else:
            rows.append((lead + twig + "  ".join([t for t in (group.title, group.note) if t]), "", kept[g]))
        open.append((_entries(record, layout, inside) if inside >= 0 else [(-1, group.items[0].boxes[0])], lead + below))
    first = min(max([len(r[0]) for r in rows], default=0), width - 32)
    ops = sum(b.kind in ("op", "output") for b in record.boxes)
    total = f"{ops:,} ops, {sum(b.kind == 'param' for b in record.boxes):,} parameters, {in_bytes(kept[0])} kept for backward"
    return "\n".join([total, *[f"{a:{first}}  {s:>12}  {f'keeps {in_bytes(n)}' if n else ''}".rstrip() for a, s, n in rows]]) + "\n"


def _entries(record: Record, layout: Layout, g: int) -> list[tuple[int, int]]:
    """What is in a group, as (group, -1) and (-1, op); gradients are not told of, as they mirror the ops."""
    out = []
    for item in layout.groups[g].items:
        if item.group >= 0:
            out.append((item.group, -1))
        else:
            out += [(-1, b) for b in item.boxes[:1] if record.boxes[b].op != "grad"]
    return out


__all__ = ["to_text"]
