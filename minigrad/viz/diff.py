"""Two graphs compared: what one has that the other has not, as one graph of both with marks."""

from dataclasses import replace
from difflib import SequenceMatcher
from typing import Any

from .dot import shaped
from .record import Box, Edge, Record, Scope


def difference(old: Record, new: Record) -> Record:
    """All boxes of both, those that both have once, in an order of births that suits both.

    Boxes are the same if they are the same op in modules of the same name, and come in the same order. ``meta["diff"]`` lists the ids of
    boxes that were ``added`` and ``removed``, and says of those that ``changed`` what did: a shape, a dtype, a name.
    """
    before, after = [_key(old, b) for b in old.boxes], [_key(new, b) for b in new.boxes]
    out = Record(scopes=[replace(s) for s in new.scopes], meta={**new.meta})
    added: list[int] = []
    removed: list[int] = []
    changed: dict[str, str] = {}
    ids: tuple[dict[int, int], dict[int, int]] = {}, {}
    scopes = _joined(old, out)
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
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
    marks = record.meta["diff"]
    changed: dict[str, Any] = marks["changed"]
    lines = [f"{len(marks['added'])} added, {len(marks['removed'])} removed, {len(changed)} changed"]
    for b in record.boxes:
        sign = "+" if b.id in marks["added"] else "-" if b.id in marks["removed"] else "~" if str(b.id) in changed else ""
        if sign:
            place = record.scopes[b.scope].name
            what = changed.get(str(b.id), shaped(b.shape))
            lines.append(f"{sign} {f'{place}: ' if place else ''}{b.name or b.op}  {what}")
    return "\n".join(lines) + "\n"


def _key(record: Record, b: Box) -> tuple:
    return record.scopes[b.scope].name, b.op, b.kind in ("param", "input") and b.name


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
