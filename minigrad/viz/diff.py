"""Two graphs compared: what one has that the other has not, as one graph of both with marks."""

from dataclasses import replace
from difflib import SequenceMatcher

from .record import Box, Edge, Record, Scope, shaped

SIGNS = {"added": "+", "removed": "-", "changed": "~"}


def difference(old: Record, new: Record) -> Record:
    """All boxes of both, those that both have once, in an order of births that suits both.

    Boxes are the same if they are the same op in the same call of a module of the same name, and come in the same order.
    ``meta["diff"]`` lists the ids of boxes that were ``added`` and ``removed``, and says of those that ``changed`` what did: a shape,
    a dtype, a name.
    """
    before, after = [_key(old, b) for b in old.boxes], [_key(new, b) for b in new.boxes]
    out = Record(scopes=[replace(s) for s in new.scopes], meta={**new.meta})
    added: list[int] = []
    removed: list[int] = []
    changed: dict[str, str] = {}
    ids: tuple[dict[int, int], dict[int, int]] = {}, {}
    scopes = _joined(old, out)
    for tag, i1, i2, j1, j2 in _opcodes(before, after):
        if tag == "equal":
            for b, c in zip(old.boxes[i1:i2], new.boxes[j1:j2], strict=True):
                k = len(out.boxes)
                ids[0][b.id] = ids[1][c.id] = k
                out.boxes.append(replace(c, id=k))
                if said := _changes(b, c):
                    changed[str(k)] = said
            continue
        for b in old.boxes[i1:i2]:
            removed.append(_append(out, b, ids[0], scopes[b.scope]))
        for c in new.boxes[j1:j2]:
            added.append(_append(out, c, ids[1], c.scope))
    for record, known in ((old, ids[0]), (new, ids[1])):
        for b in record.boxes:
            if b.pair >= 0:
                out.boxes[known[b.id]].pair = known[b.pair]
    edges = {(ids[0][e.src], ids[0][e.dst], e.role): None for e in old.edges} | {
        (ids[1][e.src], ids[1][e.dst], e.role): None for e in new.edges
    }
    out.edges = [Edge(*e) for e in sorted(edges, key=lambda e: (e[1], e[0], e[2]))]
    out.meta["diff"] = {"added": added, "removed": removed, "changed": changed}
    return out


def told(record: Record) -> str:
    """The marks of a difference in words, a line each."""
    diff, marks = record.meta["diff"], record.marks()
    lines = [", ".join([f"{len(diff[kind])} {kind}" for kind in SIGNS])]
    for b in record.boxes:
        if b.id in marks:
            place = record.scopes[b.scope].name
            what = diff["changed"].get(str(b.id), shaped(b.shape))
            lines.append(f"{SIGNS[marks[b.id]]} {f'{place}: ' if place else ''}{b.name or b.op}  {what}")
    return "\n".join(lines) + "\n"


def _opcodes(a: list, b: list) -> list[tuple[str, int, int, int, int]]:
    """How to make ``b`` of ``a``, as ``SequenceMatcher`` says it; it is spared what both begin and end with, as it takes long for that."""
    least = min(len(a), len(b))
    head = next((k for k in range(least) if a[k] != b[k]), least)
    tail = next((k for k in range(least - head) if a[-1 - k] != b[-1 - k]), least - head)
    i, j = len(a) - tail, len(b) - tail
    inner = SequenceMatcher(None, a[head:i], b[head:j], autojunk=False).get_opcodes()
    moved = [(tag, i1 + head, i2 + head, j1 + head, j2 + head) for tag, i1, i2, j1, j2 in inner]
    return [("equal", 0, head, 0, head), *moved, ("equal", i, len(a), j, len(b))]


def _key(record: Record, b: Box) -> tuple:
    scope = record.scopes[b.scope]
    return scope.name, scope.call, b.op, b.kind in ("param", "input") and b.name


def _changes(a: Box, b: Box) -> str:
    pairs = [(shaped(a.shape), shaped(b.shape)), (a.dtype, b.dtype), (a.name, b.name)]
    return ", ".join([f"{x} → {y}" for x, y in pairs if x != y])


def _append(out: Record, b: Box, known: dict[int, int], scope: int) -> int:
    k = known[b.id] = len(out.boxes)
    out.boxes.append(replace(b, id=k, scope=scope))
    return k


def _joined(old: Record, out: Record) -> list[int]:
    """By scope of the old record: the scope in ``out`` that it is, added where there is none of its name and call."""
    there = {(s.name, s.call): s.id for s in out.scopes}
    ids: list[int] = []
    for s in old.scopes:
        found = there.get((s.name, s.call))
        if found is None:
            found = len(out.scopes)
            out.scopes.append(Scope(found, ids[s.parent], s.name, s.cls, s.call, s.alike))
        ids.append(found)
    return ids


__all__ = ["difference", "told"]
