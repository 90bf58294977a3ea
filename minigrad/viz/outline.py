"""What is seen of a graph while some groups are open: nodes, the frames they lie in, and the edges between them. No places yet."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from .layout import Layout
from .record import Record


@dataclass
class Seen:
    """A box, or a closed group in place of all that it holds; or an open group, which has ``inside``."""

    key: str
    """``n`` and the box's id, or ``g`` and the group's."""
    text: list[str]
    kind: str
    """A box's kind, or its mark in a comparison; ``group``, or ``frame`` of an open one."""
    id: int
    inside: "list[Seen]" = field(default_factory=list)


@dataclass
class Outline:
    """The outermost things that are seen, and edges as (key, key, role), each once."""

    inside: list[Seen]
    edges: list[tuple[str, str, str]]

    def walk(self) -> Iterator[tuple[Seen | None, int]]:
        """Everything in order with its depth; None where a frame ends."""
        stack: list[tuple[Seen | None, int]] = [(s, 0) for s in reversed(self.inside)]
        while stack:
            seen, depth = stack.pop()
            yield seen, depth
            if seen is not None and seen.kind == "frame":
                stack.append((None, depth))
                stack += [(s, depth + 1) for s in reversed(seen.inside)]


def outline(record: Record, layout: Layout, open: AbstractSet[int] | None = None) -> Outline:
    """The graph with these groups open; by default those of the layout's first view."""
    open = layout.open if open is None else open
    groups, marks = layout.groups, record.marks()
    top = Seen("", [], "frame", 0)
    frames: dict[int, Seen] = {0: top}
    stands: dict[int, str] = {}  # by box: the key of what is seen in its place
    closed: list[int] = [-1] * len(groups)  # by group: the outermost one around it that is closed
    waiting = [0]
    for g in waiting:  # grows while it is read: outer groups come first
        group = groups[g]
        for item in group.items:
            if item.group < 0:
                for b in item.boxes:
                    if closed[g] >= 0:
                        stands[b] = f"g{closed[g]}"
                    else:
                        box = record.boxes[b]
                        stands[b] = f"n{b}"
                        chips = [layout.texts[leaf][0] for leaf in layout.chips.get(b, ())]
                        frames[g].inside.append(Seen(f"n{b}", [*layout.texts[b], *chips], marks.get(b, box.kind), b))
                continue
            inner = groups[item.group]
            waiting.append(inner.id)
            closed[inner.id] = closed[g] if closed[g] >= 0 or inner.id in open else inner.id
            if closed[g] >= 0:
                continue
            title = f"{inner.title} ×{inner.count}" if inner.kind == "fold" else inner.title
            kind = "frame" if inner.id in open else "group"
            seen = frames[inner.id] = Seen(f"g{inner.id}", [t for t in (title, inner.note) if t], kind, inner.id)
            frames[g].inside.append(seen)
    found: dict[tuple[str, str, str], None] = {}
    for e in record.edges:
        src, dst = stands.get(e.src), stands.get(e.dst)
        if src and dst and src != dst:
            found[src, dst, e.role] = None
    return Outline(top.inside, list(found))


__all__ = ["Outline", "Seen", "outline"]
