"""The calls of modules in which the boxes of a record were made, and which of them are of the same structure."""

from hashlib import blake2b

from ..autograd.node import Node
from .listening import NOBODY, Call
from .record import Record, Scope, written
from .trace import trace


def settle(out: Record, nodes: list[Node], notes: list[trace]) -> list[list]:
    """Put each box into the scope of the call that made it; returns for each scope the shapes that went in and came out.

    A parameter belongs to the innermost scope that holds all its users, an op of a backward pass to the scope of its pair.
    """
    boxes, scopes = out.boxes, out.scopes
    used: dict[tuple[int, int], Call] = {}
    of: list[tuple[int, int] | None] = []
    for node in nodes:
        key = None
        for i, t in enumerate(notes):
            call = t.births.get(node.order, NOBODY)[0]
            if call in t.calls:
                key = (-i, call)
                while call in t.calls and (-i, call) not in used:
                    used[-i, call] = t.calls[call]
                    call = t.calls[call].parent
                break
        of.append(key)
    ids: dict[tuple[int, int] | None, int] = {None: 0}
    times: dict[tuple[int, int], int] = {}
    shapes: list[list] = [[[], []]]
    for key in sorted(used):  # a call has a greater number than the one it was made in
        made, one = used[key], (key[0], id(used[key].module))
        n = ids[key] = len(scopes)
        times[one] = times.get(one, -1) + 1
        scopes.append(Scope(n, ids.get((key[0], made.parent), 0), written(made.name), made.cls, times[one]))
        shapes.append([made.inputs, made.outputs])
    for box, key in zip(boxes, of, strict=True):
        box.scope = boxes[box.pair].scope if box.pair >= 0 else ids[key]
    common: dict[int, int] = {}
    for e in out.edges:
        if boxes[e.src].kind == "param":
            a, b = common.get(e.src, boxes[e.dst].scope), boxes[e.dst].scope
            while a != b:
                a, b = (scopes[a].parent, b) if a > b else (a, scopes[b].parent)
            common[e.src] = a
    for k, s in common.items():
        boxes[k].scope = s
    for scope, digest in zip(scopes, _digests(out), strict=True):
        scope.alike = digest
    return shapes


def _digests(r: Record) -> list[str]:
    """For each scope a digest of what is inside: ops, shapes, and which uses what; equal for equal structures.

    Everything in a scope has a number there, in the order of birth; a box is known in an outer scope by the numbers on the way to it.
    What comes from outside has a number as well, in the order in which it is first used.
    """
    n, scopes = len(r.boxes), r.scopes
    first: dict[int, int] = {}  # the first box in each scope says where among its siblings it stands
    for box in r.boxes:
        s = box.scope
        while s > 0 and s not in first:
            first[s] = box.id
            s = scopes[s].parent
    parent = [b.scope for b in r.boxes] + [s.parent for s in scopes]  # of boxes by id, of scopes from n on
    items: list[list[int]] = [[] for _ in scopes]
    for _, x in sorted([(b.id, b.id) for b in r.boxes] + [(first[s.id], n + s.id) for s in scopes[1:] if s.id in first]):
        items[parent[x]].append(x)
    number = {x: i for inside in items for i, x in enumerate(inside)}
    wires: list[list] = [[] for _ in scopes]
    ports: list[dict[int, int]] = [{} for _ in scopes]
    for e in r.edges:
        x, s, port = e.dst, r.boxes[e.dst].scope, -1
        while True:
            src, path = e.src, []
            while src < n or scopes[src - n].id > s:
                path.append(number[src])
                src = n + parent[src]
            if src - n == s:
                wires[s].append((number[x], port, tuple(path)))
                break
            fresh = e.src not in ports[s]
            inner = ports[s].setdefault(e.src, len(ports[s]))
            box = r.boxes[e.src]
            wires[s].append((number[x], port, inner, (box.kind == "param", box.shape) if fresh else None))
            x, s, port = n + s, scopes[s].parent, inner
    out = [""] * len(scopes)
    for s in range(len(scopes) - 1, -1, -1):
        held = []
        for x in items[s]:
            held.append(out[x - n] if x >= n else [getattr(r.boxes[x], f) for f in ("kind", "op", "shape", "dtype", "order")])
        out[s] = blake2b(repr((scopes[s].cls, held, wires[s])).encode(), digest_size=6).hexdigest()
    return out


__all__ = ["settle"]
