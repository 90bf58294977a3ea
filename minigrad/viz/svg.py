"""The graph as SVG of our own: nothing needs to be installed, and the same graph gives the same bytes."""

from collections.abc import Set as AbstractSet
from html import escape

from .arrangement import Point, arrange
from .dot import STYLE
from .layout import STACK, Group, Layout, Rect
from .placement import CHAR, CHIP, EDGE, LINE
from .record import Record

ROLES = {"data": ("#8a94a6", ""), "grad": ("#7d5ba6", ""), "saved": ("#b79a5b", ' stroke-dasharray="3 3"'), "accum": ("#4b9a55", "")}
"""Colour of each kind of line, and how it is dashed."""
FRAMES = ("#ffffff", "#f5f7fb")
"""Of open groups, outer and inner by turns."""
MARK = '<marker id="{}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse">{}</marker>'


def to_svg(record: Record, layout: Layout, open: AbstractSet[int] | None = None, mode: str = "forward") -> str:
    """A picture of the graph while the groups in ``open`` are open; by default those of the layout's first view.

    ``mode="backward"`` turns the arrows of the computation round, the way that gradients take.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.viz.placement import place
        >>> from minigrad.viz.svg import to_svg
        >>> x = mg.tensor(2.0, requires_grad=True)
        >>> r = mg.viz.record(x * x)
        >>> to_svg(r, place(r)).count("<g>")
        2
    """
    open = layout.open if open is None else open
    picture = arrange(layout, open)
    wide, tall = max(picture.width, picture.height / 3.5), max(picture.height, picture.width / 3.5)  # never a mere strip
    left, top = (picture.width - wide) / 2, (picture.height - tall) / 2
    place = f'width="{wide:.0f}" height="{tall:.0f}"'
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {place} viewBox="{left:.0f} {top:.0f} {wide:.0f} {tall:.0f}" '
        'font-family="Helvetica, Arial, sans-serif" font-size="11" text-anchor="middle">',
        "<defs>",
        *[MARK.format(role, f'<path d="M0 0L8 4L0 8z" fill="{colour}"/>') for role, (colour, _) in ROLES.items()],
        f'</defs><rect x="{left:.0f}" y="{top:.0f}" {place} fill="#ffffff"/>',
    ]
    depth = [0] * len(layout.groups)
    for g, rect in picture.frames.items():
        depth[g] = depth[layout.groups[g].parent] + (g in open)
        out += _frame(layout, layout.groups[g], rect, depth[g] % 2 if g in open else -1, open)
    for group, line, points in picture.lines:
        cells = layout.blocks[group.block].cells
        up = line.up != (mode == "backward" and line.role == "data")
        end = line.path[0 if up else -1][0]
        colour, dashes = ROLES[line.role]
        arrow = f' marker-{"start" if up else "end"}="url(#{line.role})"' if cells[end].kind == "item" else ""
        out.append(f'<path d="{curve(points)}" fill="none" stroke="{colour}"{dashes}{arrow}/>')
    for text, (x, y) in picture.labels:
        half = len(text) * CHAR / 2
        out.append(f'<rect x="{x - half:.1f}" y="{y - 7:.1f}" width="{2 * half:.1f}" height="14" fill="#fff" fill-opacity="0.9"/>')
        out.append(f'<text x="{x:.1f}" y="{y + 4:.1f}" fill="#b3541e">{escape(text)}</text>')
    marks = record.marks()
    for b, rect in picture.boxes.items():
        out += _box(record, layout, b, rect, marks)
    for g, (x, y, w, _) in picture.frames.items():  # above all else: how many members a fold stands for
        parent = layout.groups[g].parent
        outermost = parent < 0 or parent in open or layout.groups[parent].kind != "fold"
        if layout.groups[g].kind == "fold" and g not in open and outermost:
            text = f"×{layout.groups[g].count}"
            half = len(text) * 3.6 + 6
            at = x + w - STACK - half
            out.append(f'<rect x="{at - half:.1f}" y="{y - 10:.1f}" width="{2 * half:.1f}" height="16" rx="8" fill="#5b6b85"/>')
            out.append(f'<text x="{at:.1f}" y="{y + 2:.1f}" fill="#fff" font-weight="bold">{text}</text>')
    return "\n".join([*out, "</svg>"]) + "\n"


def curve(points: list[Point]) -> str:
    """A path through points, level and upright pieces straight, slanted ones swung."""
    (x, y), *rest = points
    out = [f"M{x:.1f} {y:.1f}"]
    for u, v in rest:
        middle = (y + v) / 2
        swung = abs(u - x) > 0.5 and abs(v - y) > 0.5
        out.append(f"C{x:.1f} {middle:.1f} {u:.1f} {middle:.1f} {u:.1f} {v:.1f}" if swung else f"L{u:.1f} {v:.1f}")
        x, y = u, v
    return "".join(out)


def _rect(rect: Rect, fill: str, line: str, more: str = "") -> str:
    x, y, w, h = rect
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" rx="6" fill="{fill}" stroke="{line}"{more}/>'


def _frame(layout: Layout, group: Group, rect: Rect, shade: int, open: AbstractSet[int]) -> list[str]:
    x, y, w, h = rect
    _, fill, line = STYLE["group"]
    above = layout.groups[max(group.parent, 0)]
    sample = above.kind == "fold" and above.id not in open  # it stands for all members
    title, note = escape(above.title if sample else group.title), escape(group.note)
    if group.kind == "fold" and shade < 0:
        inner = (x, y, w - STACK, h - STACK)
        return [_rect((x + d, y + d, *inner[2:]), "#fff", line) for d in (STACK, STACK / 2)]
    if shade >= 0:
        title = f"{title} ×{group.count}" if group.kind == "fold" else title
        head = f'<text x="{x + 8:.1f}" y="{y + 15:.1f}" text-anchor="start" fill="{line}"><tspan font-weight="bold">{title}</tspan></text>'
        return [_rect(rect, FRAMES[shade], line, ' stroke-opacity="0.5"'), head]
    middle = x + w / 2
    return [
        _rect(rect, fill, line),
        f'<text x="{middle:.1f}" y="{y + EDGE + 11:.1f}" font-weight="bold">{title}</text>',
        f'<text x="{middle:.1f}" y="{y + EDGE + LINE + 11:.1f}" fill="#5b6b85">{note}</text>',
    ]


def _box(record: Record, layout: Layout, b: int, rect: Rect, marks: dict[int, str]) -> list[str]:
    box = record.boxes[b]
    _, fill, line = STYLE[marks.get(b, box.kind)]
    x, y, w, _ = rect
    out = [f"<g><title>{escape(box.name or box.op)} {box.shape} {box.dtype}</title>", _rect(rect, fill, line)]
    for i, text in enumerate(layout.texts[b]):
        style = ' fill="#5b6472"' if i else ' font-weight="bold"'
        out.append(f'<text x="{x + w / 2:.1f}" y="{y + EDGE + LINE * i + 11:.1f}"{style}>{escape(text)}</text>')
    top = y + EDGE + LINE * len(layout.texts[b])
    for i, c in enumerate(layout.chips.get(b, ())):
        kind, text = STYLE[marks.get(c, record.boxes[c].kind)], layout.texts[c][0]
        half = len(text) * 3 + 8
        middle = top + CHIP * i + 9
        out.append(
            f'<rect x="{x + w / 2 - half:.1f}" y="{middle - 7:.1f}" width="{2 * half:.1f}" height="15" rx="7.5" fill="{kind[1]}" '
            f'stroke="{kind[2]}"/><text x="{x + w / 2:.1f}" y="{middle + 4:.1f}" font-size="10">{escape(text)}</text>'
        )
    return [*out, "</g>"]
