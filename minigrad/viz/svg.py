"""The graph as SVG of our own, for where graphviz is not installed."""

from html import escape

from .dot import STYLE, lines
from .layout import LINE, PAD, place
from .record import Record


def to_svg(record: Record, show: tuple[str, ...], mode: str) -> str:
    """A picture without any program or package; the same graph gives the same bytes."""
    texts = {b.id: lines(b, show) for b in record.boxes}
    where = place(record, texts)
    end = "marker-start" if mode == "backward" else "marker-end"
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{where.width:.0f}" height="{where.height:.0f}" '
        f'viewBox="0 0 {where.width:.0f} {where.height:.0f}" font-family="Helvetica, Arial, sans-serif" font-size="11">',
        '<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse">'
        '<path d="M0 0L8 4L0 8z" fill="#8a94a6"/></marker></defs>',
    ]
    for line in where.lines:
        path = "L".join([f"{x:.1f} {y:.1f}" for x, y in line])
        out.append(f'<path d="M{path}" fill="none" stroke="#8a94a6" {end}="url(#a)"/>')
    for box in record.boxes:
        p = where.boxes[box.id]
        _, fill, stroke = STYLE[box.kind]
        out.append(
            f'<g><title>{escape(box.op)} {box.shape} {box.dtype}</title><rect x="{p.x:.1f}" y="{p.y:.1f}" width="{p.width:.1f}" '
            f'height="{p.height:.1f}" rx="6" fill="{fill}" stroke="{stroke}"/>'
        )
        for i, text in enumerate(texts[box.id]):
            weight = ' font-weight="bold"' if i == 0 else ""
            y = p.y + PAD + LINE * (i + 0.75)
            out.append(f'<text x="{p.x + p.width / 2:.1f}" y="{y:.1f}" text-anchor="middle"{weight}>{escape(text)}</text>')
        out.append("</g>")
    out.append("</svg>")
    return "\n".join(out) + "\n"
