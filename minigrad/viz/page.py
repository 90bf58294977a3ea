"""The graph as one HTML file that needs nothing else: to be opened from disk, moved about in, searched, coloured and played."""

import json
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import fields
from hashlib import sha256
from html import escape
from importlib.resources import files
from math import isfinite
from typing import Any

from ..nn.summary import in_bytes
from .extraction import formula
from .layout import CHANNEL, GAP_X, GAP_Y, HEAD, PAD, STACK, TRACK, WAY, Block, Layout
from .placement import CHIP, LINE
from .record import Box, Record, shaped

SCRIPTS = ("graph.js", "colours.js", "drawing.js", "lines.js", "panel.js", "movie.js", "page.js")
SIZES = {"PAD": PAD, "HEAD": HEAD, "GAP_X": GAP_X, "GAP_Y": GAP_Y, "STACK": STACK, "CHANNEL": CHANNEL}
SIZES |= {"TRACK": TRACK, "WAY": WAY, "LINE": LINE, "CHIP": CHIP}
"""What the layout's arithmetic goes by; the page does the same sums when something is opened."""


def page(record: Record, layout: Layout, title: str = "") -> str:
    """HTML that draws a record where a layout has put it. Asks the network for nothing: a policy in the page forbids it.

    The same record and layout give the same bytes.

    Args:
        record: what there is to draw.
        layout: where it is, from ``place(record)``.
        title: the page's heading; by default the outermost module's class.

    Example:
        >>> import minigrad as mg
        >>> x = mg.tensor(2.0, requires_grad=True)
        >>> r = mg.viz.record(x * x)
        >>> from minigrad.viz.placement import place
        >>> from minigrad.viz.page import page
        >>> page(r, place(r)).splitlines()[0]
        '<!doctype html>'
    """
    text = {name: files(__package__).joinpath("files", name).read_text("utf-8") for name in ("page.html", "page.css", *SCRIPTS)}
    script = "\n".join([text[name] for name in SCRIPTS])
    style = text["page.css"]
    rules = (
        f"default-src 'none'; img-src data:; script-src {_digest(script)}; style-src {_digest(style)}; base-uri 'none'; form-action 'none'"
    )
    parts = {
        "policy": rules,
        "title": escape(title or _title(record)),
        "style": style,
        "script": script,
        "graph": _harmless(json.dumps(_content(record, layout), separators=(",", ":"), ensure_ascii=False, allow_nan=False)),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], text["page.html"])  # in one pass: a part may contain braces


def _digest(text: str) -> str:
    """What the policy knows an inline script or style by."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _harmless(text: str) -> str:
    """JSON that may stand in a script element: nothing in it can end the element or begin a comment."""
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _title(record: Record) -> str:
    outer = [s.cls for s in record.scopes if s.parent == 0]
    return outer[0] if outer else "Graph"


def _table(columns: Mapping[str, list], count: int, words: dict[str, int]) -> dict[str, Any]:
    """Rows by column: one that is the same everywhere is sent as that one value, a text as its place in ``words``."""
    texts = [name for name, column in columns.items() if {*map(type, column)} == {str}]
    sent: dict[str, Any] = {}
    for name, column in columns.items():
        values = [words.setdefault(v, len(words)) for v in column] if name in texts else column
        sent[name] = values if values != values[:1] * count else values[0]
    return {"count": count, "columns": sent, "words": texts}


def _columns(rows: Sequence[Any], without: Sequence[str] = ("id",)) -> dict[str, list]:
    """The fields of dataclasses, by name."""
    return {f.name: [getattr(row, f.name) for row in rows] for f in fields(rows[0]) if f.name not in without} if rows else {}


def _content(record: Record, layout: Layout) -> dict[str, Any]:
    """Everything that the page is told."""
    words: dict[str, int] = {}
    boxes = _columns(record.boxes) | {
        "shape": [shaped(b.shape) for b in record.boxes],
        "formula": [b.formula or formula(b.op) for b in record.boxes],
        "stats": [None if b.stats is None else {k: _short(v) for k, v in b.stats.items()} for b in record.boxes],
        "time": [_short(b.time) for b in record.boxes],
        "lines": ["\n".join(lines) for lines in layout.texts],
        "home": layout.home,
    }
    out = {
        "boxes": _table(boxes, len(record.boxes), words),
        "edges": _table(_columns(record.edges), len(record.edges), words),
        "scopes": _table(_columns(record.scopes), len(record.scopes), words),
        "groups": _table(_columns(layout.groups, ("id", "items")), len(layout.groups), words),
        "items": [[i.boxes if i.group < 0 else i.group for i in g.items] for g in layout.groups],
        "blocks": [_block(b) for b in layout.blocks],
        "chips": list(layout.chips.items()),
        "open": sorted(layout.open),
        "diff": record.meta.get("diff"),
        "sizes": SIZES,
        "summary": _summary(record.boxes),
    }
    return {"words": list(words), **out}


def _block(block: Block) -> dict[str, Any]:
    """A block's geometry, to a tenth of a pixel."""
    return {
        "cells": [[c.kind, *_tenths((c.at, c.left, c.right, c.height, c.lanes, c.rects)), c.text] for c in block.cells],
        "rows": block.rows,
        "columns": block.columns,
        "lines": [[line.path, line.role, line.up, line.count] for line in block.lines],
        "crossing": block.crossing,
        "top": block.top,
        "bottom": block.bottom,
    }


def _tenths(value: Any) -> Any:
    return round(value, 1) if isinstance(value, float) else [_tenths(v) for v in value] if isinstance(value, (list, tuple)) else value


def _short(value: Any) -> Any:
    """Numbers to five digits; what JSON has no word for becomes null."""
    if isinstance(value, float):
        return float(f"{value:.5g}") if isfinite(value) else None
    return [_short(v) for v in value] if isinstance(value, (list, tuple)) else value


def _summary(boxes: Sequence[Box]) -> str:
    """The whole graph in a line."""
    kept = sum([b.saved_bytes for b in boxes])
    params = sum([b.kind == "param" for b in boxes])
    parts = [f"{len(boxes):,} nodes", f"{params:,} parameters" if params else "", f"{in_bytes(kept)} kept for backward" if kept else ""]
    return " · ".join([p for p in parts if p])
