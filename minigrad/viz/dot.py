"""The graph as DOT text, which needs nothing but is drawn by graphviz."""

from collections.abc import Mapping

from .outline import Outline

STYLE = {
    "op": ("box", "#eef1f6", "#8a94a6"),
    "output": ("box", "#ffe2d1", "#d9722e"),
    "param": ("box", "#d8efd9", "#4b9a55"),
    "input": ("box", "#fff3c4", "#c79a1b"),
    "grad": ("box", "#efe6f7", "#7d5ba6"),
    "added": ("box", "#d9f2df", "#1f8a4c"),
    "removed": ("box", "#fbdcd9", "#c0392b"),
    "changed": ("box", "#fdf0cf", "#c98a12"),
    "group": ("box3d", "#e3eaf4", "#5b6b85"),
}
"""Shape, fill and line of each kind of node, and of what a comparison found."""

BACK = 'dir=back, color="#7d5ba6"'
ROLES = {"data": "", "grad": "", "saved": "style=dotted, constraint=false", "accum": 'color="#4b9a55"'}
"""What sets an edge of each role apart."""


def to_dot(seen: Outline, direction: str = "TB", places: Mapping[str, tuple[float, float, float, float]] | None = None) -> str:
    """DOT text; the same graph gives the same bytes.

    Gradients run against the way in which the graph is ranked, as dot takes very long for graphs with long cycles. With ``places``, (x, y,
    width, height) in pixels by key, nodes stay there, for ``neato -n2``.
    """
    out = [
        "digraph minigrad {",
        f'  rankdir={direction}; bgcolor="transparent"; nodesep=0.25; ranksep=0.35; compound=true;',
        '  node [style="filled,rounded", fontname="Helvetica", fontsize=11, margin="0.12,0.06"];',
        '  edge [color="#8a94a6", arrowsize=0.7];',
    ]
    if len(seen.edges) > 200:
        out.append("  splines=line; nslimit=2;")
    for node, depth in seen.walk():
        pad = "  " * (depth + 1)
        if node is None:
            out.append(f"{pad}}}")
        elif node.kind == "frame":
            out.append(
                f'{pad}subgraph cluster_{node.key} {{ label="{escaped(node.text[0])}"; fontname="Helvetica"; fontsize=11; color="#b7c0ce";'
            )
        else:
            shape, fill, line = STYLE[node.kind]
            label = "\\n".join([escaped(text) for text in node.text])
            more = ""
            if places is not None and node.key in places:
                x, y, w, h = places[node.key]
                more = f', pos="{x + w / 2:.1f},{-y - h / 2:.1f}!", width={w / 72:.3f}, height={h / 72:.3f}, fixedsize=true'
            out.append(f'{pad}{node.key} [label="{label}", shape={shape}, fillcolor="{fill}", color="{line}"{more}];')
    for a, b, role in seen.edges:
        turned = role == "grad"
        words = ", ".join([w for w in (BACK if turned else "", ROLES[role]) if w])
        out.append(f"  {b if turned else a} -> {a if turned else b}{f' [{words}]' if words else ''};")
    out.append("}")
    return "\n".join(out) + "\n"


def escaped(text: str) -> str:
    """Text between the quotes of DOT."""
    return text.replace("\\", "\\\\").replace('"', '\\"')
