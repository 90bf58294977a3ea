"""The graph as DOT text, which needs nothing but is drawn by graphviz."""

from .record import Box, Record

STYLE = {
    "op": ("box", "#eef1f6", "#8a94a6"),
    "output": ("box", "#ffe2d1", "#d9722e"),
    "param": ("box", "#d8efd9", "#4b9a55"),
    "input": ("box", "#fff3c4", "#c79a1b"),
}
"""Shape, fill and line of each kind of node."""


def lines(box: Box, show: tuple[str, ...]) -> list[str]:
    """What is written into a node: its name, then what was asked for."""
    first = box.name or ("leaf" if box.op == "leaf" else box.op)
    if box.name and box.op != "leaf":
        first = f"{box.name} = {box.op}"
    facts = []
    if "shape" in show:
        facts.append(_shape(box.shape))
    if "dtype" in show:
        facts.append(box.dtype)
    out = [first]
    if facts:
        out.append(" ".join(facts))
    if "bytes" in show and box.saved_bytes:
        out.append(f"keeps {size(box.saved_bytes)}")
    if "grad" in show and box.kind in ("param", "input"):
        out.append(f"grad {box.grad}")
    return out


def _shape(shape: tuple) -> str:
    if shape and isinstance(shape[0], tuple):
        return " ".join([_shape(s) for s in shape])
    return "×".join(map(str, shape)) if shape else "scalar"


def size(n: float) -> str:
    """A number of bytes for people."""
    for unit in ("B", "KiB", "MiB"):
        if n < 1024:
            return f"{n:.0f} {unit}" if unit == "B" or n >= 10 else f"{n:.1f} {unit}"
        n /= 1024
    return f"{n:.1f} GiB"


def to_dot(record: Record, show: tuple[str, ...], mode: str, direction: str) -> str:
    """DOT text; the same graph gives the same bytes."""
    out = [
        "digraph minigrad {",
        f'  rankdir={direction}; bgcolor="transparent"; nodesep=0.25; ranksep=0.35;',
        '  node [style="filled,rounded", fontname="Helvetica", fontsize=11, margin="0.12,0.06"];',
        '  edge [color="#8a94a6", arrowsize=0.7];',
    ]
    for box in record.boxes:
        shape, fill, line = STYLE[box.kind]
        label = "\\n".join([_escaped(text) for text in lines(box, show)])
        out.append(f'  n{box.id} [label="{label}", shape={shape}, fillcolor="{fill}", color="{line}"];')
    for edge in record.edges:
        extra = " [dir=back]" if mode == "backward" else ""
        out.append(f"  n{edge.src} -> n{edge.dst}{extra};")
    out.append("}")
    return "\n".join(out) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
