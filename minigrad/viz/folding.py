"""What lies in what: calls of modules, runs of equal siblings folded, steps of loops found, long lists cut into parts."""

import re
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from .record import Record

SMALL, MANY, MEMBERS = 30, 40, 64
"""Up to so many boxes every leaf has a box of its own and nothing is folded; more items than this in a group are cut into parts; more
members than this of a fold are folded again."""


@dataclass(eq=False)
class Knot:
    """A group to be: its entries are bases (boxes of order 0) or knots."""

    kind: str
    entries: list[Any]
    scope: int = -1
    title: str = ""
    note: str = ""
    count: int = 0


@dataclass
class Strands:
    """Which boxes belong together: an op, the ops that compute its gradients, and theirs."""

    base: list[int]
    """By box: the first of its pairs."""
    lane: list[int]
    """By box: how many pairs away that is."""
    stacks: dict[int, list[int]] = field(default_factory=dict)
    """By base: all boxes, by lane."""
    chips: dict[int, list[int]] = field(default_factory=dict)
    hidden: set[int] = field(default_factory=set)
    """Leaves (and their gradients) that are chips."""
    uses: dict[int, list[int]] = field(default_factory=dict)
    """By base: the bases that use it."""


def strands(record: Record) -> Strands:
    """Boxes in pairs; in large graphs leaves that are parameters or much used become chips in the ops that use them."""
    n = len(record.boxes)
    out = Strands(list(range(n)), [0] * n)
    boxes = sorted(record.boxes, key=lambda b: b.order)
    for b in boxes:
        if 0 <= b.pair < n and record.boxes[b.pair].order < b.order:
            out.base[b.id], out.lane[b.id] = out.base[b.pair], out.lane[b.pair] + 1
    for b in boxes:
        out.stacks.setdefault(out.base[b.id], []).append(b.id)
    for e in record.edges:
        if e.role == "data":
            out.uses.setdefault(out.base[e.src], []).append(out.base[e.dst])
    if n > SMALL:
        much = {b for b, used in out.uses.items() if len(used) > 5}
        leaves = {b.id for b in boxes if b.kind in ("param", "const") or (b.kind == "input" and b.id in much)}
        leaves |= {b.id for b in boxes if b.op == "grad" and b.pair < 0}
        hidden = {b.id for b in boxes if out.base[b.id] in leaves and b.kind != "output"}
        for e in record.edges:
            if e.role != "saved" and (e.src in hidden) != (e.dst in hidden):
                chip, host = (e.src, e.dst) if e.src in hidden else (e.dst, e.src)
                if chip not in (row := out.chips.setdefault(host, [])):
                    row.append(chip)
                    out.hidden.add(chip)
        for row in out.chips.values():
            row.sort(key=out.base.__getitem__)
    return out


def knots(record: Record, strands: Strands, texts: dict[int, list[str]], fold: bool) -> Knot:
    """The whole graph as a tree of groups."""
    held: list[list[tuple[tuple[int, int], Any]]] = [[] for _ in record.scopes]
    for base in strands.stacks:
        if base not in strands.hidden:
            leaf = record.boxes[base].kind in ("param", "input", "const")
            key = (strands.uses.get(base, [base])[0], 0) if leaf else (base, 1)
            held[record.boxes[base].scope].append((key, base))
    tokens = Tokens(record, strands)
    small = len(record.boxes) <= SMALL
    for scope in reversed(record.scopes):
        if not held[scope.id] and scope.id:
            continue
        entries = [entry for _, entry in sorted(held[scope.id], key=lambda pair: pair[0])]
        name = scope.name.rpartition(".")[2]
        title = f"{scope.cls} {name}" if name.isdigit() else name or scope.cls
        knot = Knot("scope" if scope.id else "whole", entries, scope.id, title, "" if scope.cls in title else scope.cls)
        if scope.id and len(entries) == 1 and not isinstance(entries[0], Knot):
            words = texts[entries[0]]  # a module of a single op is that op
            if name and not name.isdigit() and name != words[0]:
                words[0] = f"{name} · {words[0]}"
            held[scope.parent].append(held[scope.id][0])
            continue
        if not small:
            if fold:
                knot.entries = folded(entries, tokens)
            knot.entries = parted(knot.entries)
        if scope.id:
            held[scope.parent].append((min(key for key, _ in held[scope.id]), knot))
    return knot


class Tokens:
    """Small numbers that are equal for what looks equal."""

    def __init__(self, record: Record, strands: Strands):
        self.record, self.strands = record, strands
        self.known: dict[Any, int] = {}
        self.of_knot: dict[Knot, int] = {}

    def __call__(self, entry: Any) -> int:
        if isinstance(entry, Knot):
            if entry not in self.of_knot:
                name, cls = re.sub(r"\d+", "#", entry.title), entry.note
                self.of_knot[entry] = self.number((entry.kind, name, cls, entry.count, *map(self, entry.entries)))
            return self.of_knot[entry]
        box, stacks = self.record.boxes[entry], self.strands.stacks[entry]
        chips = [self.record.boxes[c].shape for b in stacks for c in self.strands.chips.get(b, ())]
        return self.number((box.op, box.kind, box.shape, len(stacks), *chips))

    def number(self, what: Any) -> int:
        return self.known.setdefault(what, len(self.known))


def folded(entries: list[Any], tokens: Tokens) -> list[Any]:
    """Three or more equal siblings in a row, or turns of a loop, as one fold; then folds of folds, until nothing repeats."""
    while True:
        runs = repeats([tokens(e) for e in entries])
        runs = [r for r in runs if len(entries) > 12 or any(isinstance(e, Knot) for e in entries[r[0] : r[0] + r[1]])]
        if not runs:
            return entries
        last = _last_uses(entries, tokens.strands.uses) if any(r[3] for r in runs) else []
        out: list[Any] = []
        end = 0
        for start, period, count, more in runs:
            if more:  # the turn may begin a little later, too: where the fewest values are handed on to the next turn
                ends = range(start + period + more, start + period - 1, -1)
                start = min(ends, key=lambda end: sum([u >= end for u in last[end - period : end]])) - period
            units = [entries[start + j * period : start + (j + 1) * period] for j in range(count)]
            members = [u[0] if period == 1 else Knot("run", u, title=f"turn {j + 1}") for j, u in enumerate(units)]
            out += [*entries[end:start], _fold(members)]
            end = start + period * count
        entries = out + entries[end:]


def _last_uses(entries: list[Any], uses: dict[int, list[int]]) -> list[int]:
    """By entry: the place of the last one that uses what it computes."""
    place: dict[int, int] = {}
    for i, entry in enumerate(entries):
        inner = [entry]
        for e in inner:  # grows while it is read
            if isinstance(e, Knot):
                inner += e.entries
            else:
                place[e] = i
    out = list(range(len(entries)))
    for base, i in place.items():
        out[i] = max([out[i], *[place.get(u, i) for u in uses.get(base, ())]])
    return out


def _fold(members: list[Any]) -> Knot:
    """A fold; of very many members, a fold of folds."""
    n = len(members)
    if n > MEMBERS:
        levels = 2 if n <= MEMBERS**2 else 3
        size = ceil(n ** ((levels - 1) / levels))
        members = [_fold(members[i : i + size]) for i in range(0, n, size)]
    return Knot("fold", members, count=n)


def repeats(tokens: list[int]) -> list[tuple[int, int, int, int]]:
    """(start, period, count, more) of runs that repeat three times or more, from left to right, the shortest period first.

    After the last turn so many tokens ``more`` go on like another turn.

    Compares slices by hashes that are made of prefixes' (Karp & Rabin, 1987), so that the time hardly grows with the period.
    """
    n, modulus, factor = len(tokens), (1 << 61) - 1, 1_000_003
    prefix, power = [0], [1]
    for t in tokens:
        prefix.append((prefix[-1] * factor + t + 1) % modulus)
        power.append(power[-1] * factor % modulus)

    def slice_hash(i: int, length: int) -> int:
        return (prefix[i + length] - prefix[i] * power[length]) % modulus

    following: list[int] = [n] * n
    last: dict[int, int] = {}
    for i in range(n - 1, -1, -1):
        following[i] = last.get(tokens[i], n)
        last[tokens[i]] = i
    out, i = [], 0
    while i < n:
        j = following[i]
        for _ in range(32):
            period = j - i
            if i + 3 * period > n:
                break
            count = 1
            if tokens[j + period] == tokens[i] and tokens[j - 1] == tokens[j + period - 1]:  # else it is none: spares the hashes
                unit = slice_hash(i, period)
                while i + (count + 1) * period <= n and slice_hash(i + count * period, period) == unit:
                    count += 1
            if count >= 3:
                end = more = i + period * count
                while more < n and tokens[more] == tokens[more - period]:
                    more += 1
                out.append((i, period, count, more - end))
                i = more - 1
                break
            j = following[j]
        i += 1
    return out


def parted(entries: list[Any]) -> list[Any]:
    """At most MANY entries: longer lists are cut into parts of equal length, in the order of birth."""
    while len(entries) > MANY:
        n = len(entries)
        size = min(MANY, max(8, ceil(n**0.5)))
        entries = [Knot("part", entries[i : i + size], title=f"{i + 1}–{min(i + size, n)}") for i in range(0, n, size)]
    return entries
