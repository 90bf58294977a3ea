"""The door to drawing: ``graph(loss)`` gives a Graph that knows how to write itself down."""

import importlib.util
import json
import os
import shutil
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from ..autograd import Tensor
from ..errors import DTypeError
from .arrangement import arrange
from .diff import difference, told
from .dot import to_dot
from .extraction import record
from .layout import Layout
from .mermaid import to_mermaid
from .outline import Outline, outline
from .page import page
from .placement import place
from .record import Record
from .svg import to_svg
from .tree import to_text

SHOW = ("shape", "dtype", "bytes", "grad")
FORMATS = ("dot", "svg", "png", "pdf", "json", "html", "mmd", "txt")
FEW = 150
"""Nodes up to which graphviz finds the places; beyond, it takes minutes for some graphs, and is given ours."""


class Graph:
    """A drawn graph: ``save`` writes it to a file whose ending says how; notebooks show it; ``str(g)`` is DOT, ``g.to_text()`` a tree.

    ``record`` has what is drawn, ``layout`` where it is.

    Example:
        >>> import minigrad as mg
        >>> x = mg.tensor(2.0, requires_grad=True)
        >>> drawn = mg.viz.graph(x * x)
        >>> str(drawn).splitlines()[0]
        'digraph minigrad {'
    """

    def __init__(self, record: Record, show: tuple[str, ...] | None = None, direction: str = "TB", fold: bool = True):
        self.record, self.show, self.direction, self.fold = record, show, direction, fold

    @cached_property
    def layout(self) -> Layout:
        """Where everything is, found when it is first asked for."""
        return place(self.record, self.fold, self.show)

    @cached_property
    def outline(self) -> Outline:
        """What is seen at first: all of a small graph; of a large one its modules, those that repeat once."""
        return outline(self.record, self.layout)

    def to_dot(self) -> str:
        """DOT text; needs nothing."""
        return to_dot(self.outline, self.direction)

    def to_mermaid(self) -> str:
        """Mermaid text, for Markdown pages.

        Example:
            >>> import minigrad as mg
            >>> x = mg.tensor(2.0, requires_grad=True)
            >>> print(mg.viz.graph((x * x).exp(), show=()).to_mermaid().splitlines()[2])
              n1["multiply"]
        """
        return to_mermaid(self.outline, self.direction)

    def to_text(self) -> str:
        """A tree of modules and ops, for a terminal."""
        return to_text(self.record, self.layout)

    def to_svg(self) -> str:
        """SVG as minigrad lays it out; ``render("svg")`` asks graphviz."""
        return to_svg(self.record, self.layout)

    def to_html(self, title: str = "") -> str:
        """One page that needs no network: zoom, search, modules that open and close, a panel for each node, gradients in motion."""
        return page(self.record, self.layout, title)

    def to_dict(self) -> dict[str, Any]:
        """What is drawn as plain dicts and lists, as ``save`` writes it to ``.json``."""
        return self.record.to_dict()

    def render(self, format: str = "svg") -> bytes:
        """The picture in a format of graphviz.

        Raises:
            ImportError: the ``graphviz`` package or the ``dot`` program is missing; the message says what to install.
        """
        if not has_dot():
            raise ImportError(
                f"graph: {format} needs the graphviz package (pip install 'minigrad[viz]') and the dot program "
                "(apt install graphviz, brew install graphviz); .svg, .html, .dot, .mmd, .txt and .json are written without them"
            )
        import graphviz

        if sum(1 for _ in self.outline.walk()) <= FEW:
            return graphviz.Source(self.to_dot()).pipe(format=format, quiet=True)
        seen = arrange(self.layout)
        places = {f"n{k}": p for k, p in seen.boxes.items()} | {f"g{k}": p for k, p in seen.frames.items()}
        return graphviz.Source(to_dot(self.outline, self.direction, places)).pipe("neato", format, neato_no_op=2, quiet=True)

    def save(self, path: str | os.PathLike) -> Path:
        """Write the graph to a file whose ending says the format: .html, .svg, .png, .pdf, .dot, .mmd, .txt or .json; returns the path.

        Raises:
            ValueError: another ending.
            ImportError: .png and .pdf need graphviz.

        Example:
            >>> import minigrad as mg, tempfile, pathlib
            >>> x = mg.tensor(2.0, requires_grad=True)
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     mg.viz.graph(x * x, params={"x": x}).save(pathlib.Path(folder) / "square.svg").name
            'square.svg'
        """
        path = Path(path)
        format = path.suffix[1:].lower()
        if format not in FORMATS:
            raise ValueError(f"graph: cannot write {path.name!r}; its ending must be one of {', '.join('.' + f for f in FORMATS)}")
        if format in ("png", "pdf"):
            data = self.render(format)
        else:
            writers = {"dot": self.to_dot, "svg": self.to_svg, "mmd": self.to_mermaid, "txt": self.to_text, "html": self.to_html}
            data = (json.dumps(self.to_dict(), indent=1) if format == "json" else writers[format]()).encode()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def diff(self, other: "Graph") -> "Graph":
        """The graph of both, with marks for what ``other`` has besides (added), has no more (removed), or has otherwise (changed).

        ``changes`` of what comes back says it in words; its page colours it.

        Example:
            >>> import minigrad as mg
            >>> x = mg.tensor([1.0, 2.0], requires_grad=True)
            >>> both = mg.viz.graph(mg.exp(x).sum()).diff(mg.viz.graph(mg.tanh(x).sum()))
            >>> print(both.changes.splitlines()[0])
            1 added, 1 removed, 0 changed
        """
        return Graph(difference(self.record, other.record), self.show, self.direction, self.fold)

    @property
    def changes(self) -> str:
        """Of a ``diff``: what was added, removed and changed, a line each.

        Raises:
            AttributeError: the graph is no comparison of two.
        """
        if "diff" not in self.record.meta:
            raise AttributeError("Graph.changes: this graph is not a comparison; old.diff(new) makes one")
        return told(self.record)

    def __str__(self) -> str:
        return self.to_dot()

    def __repr__(self) -> str:
        ops = sum(b.kind in ("op", "output") for b in self.record.boxes)
        grads = sum(b.kind == "grad" for b in self.record.boxes)
        leaves = len(self.record.boxes) - ops - grads
        texts = f"{ops} op{'s' * (ops != 1)}", f"{leaves} lea{'ves' if leaves != 1 else 'f'}", f"{grads} gradient{'s' * (grads != 1)}"
        return f"<Graph of {' and '.join(texts[:2])}{f', {texts[2]}' if grads else ''}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """What a notebook shows: the SVG, or the text where it draws none."""
        return {"image/svg+xml": self.to_svg(), "text/plain": self.to_text()}


def has_dot() -> bool:
    """Whether graphviz can draw here: its Python package and its ``dot`` program."""
    return importlib.util.find_spec("graphviz") is not None and shutil.which("dot") is not None


def graph(
    outputs: Tensor | Iterable[Tensor],
    params: Any = None,
    mode: str = "forward",
    show: tuple[str, ...] | None = None,
    direction: str = "TB",
    fold: bool = True,
) -> Graph:
    """The graph behind some tensors, ready to be drawn.

    Green are leaves with a name, yellow those without, grey operations, orange the outputs, violet gradients. What was computed under
    ``mg.viz.trace()`` is drawn with its modules, and with whatever else the trace noted.

    Args:
        outputs: the loss, or several tensors.
        params: names of the leaves: a Module, a mapping of names to tensors, or pairs. An output's own ``name`` counts too.
        mode: ``"forward"`` draws the computation, ``"backward"`` that of the gradients, ``"both"`` each op with its gradients beside it.
        show: what to write into a node: any of ``shape``, ``dtype``, ``bytes`` (kept for backward), ``grad``; default: the shape, and
            in small graphs values and gradients, as far as a trace has noted them.
        direction: ``"TB"`` top to bottom or ``"LR"`` left to right (graphviz and Mermaid only).
        fold: draw equal blocks that follow each other once, with how many they are; pages can open them.

    Raises:
        GraphError: nothing was recorded.

    Example:
        >>> import minigrad as mg
        >>> w = mg.tensor([1.0, 2.0], requires_grad=True)
        >>> mg.viz.graph((w * w).sum(), params={"w": w})
        <Graph of 2 ops and 1 leaf>
    """
    if direction not in ("TB", "LR", "BT", "RL"):
        raise ValueError(f"graph: direction must be TB, LR, BT or RL, got {direction!r}")
    if show is not None:
        show = (show,) if isinstance(show, str) else tuple(show)
    if unknown := [s for s in show or () if s not in SHOW]:
        raise DTypeError(f"graph: show takes {', '.join(SHOW)}; got {unknown}")
    return Graph(record(outputs, params, mode), show, direction, fold)
