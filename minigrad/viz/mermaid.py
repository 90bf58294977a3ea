"""The graph as Mermaid text, which Markdown pages draw by themselves."""

from .dot import STYLE
from .outline import Outline

ARROWS = {"data": "-->", "grad": "-.->", "saved": "-.-", "accum": "==>"}


def to_mermaid(seen: Outline, direction: str = "TB") -> str:
    """A flowchart: frames are subgraphs; gradients are dashed arrows, what they need of the way there dashed lines."""
    out = [f"flowchart {direction}"]
    kinds: dict[str, list[str]] = {}
    for node, depth in seen.walk():
        pad = "  " * (depth + 1)
        if node is None:
            out.append(f"{pad}end")
        elif node.kind == "frame":
            out.append(f'{pad}subgraph {node.key}["{escaped(node.text[0])}"]')
        else:
            left, right = ("[[", "]]") if node.kind == "group" else ("(", ")") if node.kind in ("param", "input") else ("[", "]")
            out.append(f'{pad}{node.key}{left}"{"<br/>".join(map(escaped, node.text))}"{right}')
            kinds.setdefault(node.kind, []).append(node.key)
    out += [f"  {a} {ARROWS[role]} {b}" for a, b, role in seen.edges]
    for kind, keys in kinds.items():
        _, fill, line = STYLE[kind]
        out += [f"  classDef {kind} fill:{fill},stroke:{line},color:#1c2430", f"  class {','.join(keys)} {kind}"]
    return "\n".join(out) + "\n"


def escaped(text: str) -> str:
    """Text between quotes, in the codes that Mermaid has for what it would take for its own."""
    for sign in '#&"<>':
        text = text.replace(sign, f"#{ord(sign)};" if sign == "#" else f"\0{ord(sign)};")
    return text.replace("\0", "#")


__all__ = ["to_mermaid"]
