"""The door to drawing: ``graph(loss)`` gives a Graph that knows how to write itself down."""

import importlib.util
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..autograd import Tensor
from ..errors import DTypeError
from .dot import to_dot
from .record import Record, record
from .svg import to_svg

SHOW = ("shape", "dtype", "bytes", "grad")
FORMATS = ("dot", "svg", "png", "pdf", "json")


class Graph:
    """A drawn graph. ``str(g)`` is DOT; ``save`` writes ``.dot``, ``.svg``, ``.png``, ``.pdf`` or ``.json``; notebooks show it.

    Example:
        >>> import minigrad as mg
        >>> x = mg.tensor(2.0, requires_grad=True)
        >>> drawn = mg.viz.graph(x * x)
        >>> str(drawn).splitlines()[0]
        'digraph minigrad {'
    """

    def __init__(self, record: Record, mode: str, show: tuple[str, ...], direction: str):
        self.record, self.mode, self.show, self.direction = record, mode, show, direction

    def to_dot(self) -> str:
        """DOT text; needs nothing."""
        return to_dot(self.record, self.show, self.mode, self.direction)

    def to_svg(self) -> str:
        """SVG by graphviz where the package and its ``dot`` program are there; else laid out by minigrad itself."""
        return self.render("svg").decode() if has_dot() else to_svg(self.record, self.show, self.mode)

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
                "(apt install graphviz, brew install graphviz); .dot, .svg and .json are written without them"
            )
        import graphviz

        return graphviz.Source(self.to_dot()).pipe(format=format, quiet=True)

    def save(self, path: str | os.PathLike) -> Path:
        """Write the graph to a file whose ending says the format; returns the path.

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
        if format == "dot":
            data = self.to_dot().encode()
        elif format == "svg":
            data = self.to_svg().encode()
        elif format == "json":
            data = json.dumps(self.to_dict(), indent=1).encode()
        else:
            data = self.render(format)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def __str__(self) -> str:
        return self.to_dot()

    def __repr__(self) -> str:
        ops = sum(b.kind in ("op", "output") for b in self.record.boxes)
        return f"<Graph of {ops} ops and {len(self.record.boxes) - ops} leaves>"

    def _repr_svg_(self) -> str:
        return self.to_svg()


def has_dot() -> bool:
    """Whether graphviz can draw here: its Python package and its ``dot`` program."""
    return importlib.util.find_spec("graphviz") is not None and shutil.which("dot") is not None


def graph(
    outputs: Tensor | Iterable[Tensor],
    params: Any = None,
    mode: str = "forward",
    show: tuple[str, ...] = ("shape", "dtype"),
    direction: str = "TB",
) -> Graph:
    """The graph behind some tensors, ready to be drawn.

    Green boxes are leaves with a name, yellow ones leaves without, grey ones operations, orange ones the outputs.

    Args:
        outputs: the loss, or several tensors.
        params: names of the leaves: a Module, a mapping of names to tensors, or pairs. A tensor's own ``name`` counts too.
        mode: ``"forward"`` draws arrows along the computation, ``"backward"`` along the gradients.
        show: what to write into a node: any of ``shape``, ``dtype``, ``bytes`` (kept for backward), ``grad``.
        direction: ``"TB"`` top to bottom or ``"LR"`` left to right (graphviz only).

    Raises:
        GraphError: nothing was recorded.

    Example:
        >>> import minigrad as mg
        >>> w = mg.tensor([1.0, 2.0], requires_grad=True)
        >>> mg.viz.graph((w * w).sum(), params={"w": w})
        <Graph of 2 ops and 1 leaves>
    """
    if mode not in ("forward", "backward"):
        raise ValueError(f"graph: mode must be 'forward' or 'backward', got {mode!r}")
    if direction not in ("TB", "LR", "BT", "RL"):
        raise ValueError(f"graph: direction must be TB, LR, BT or RL, got {direction!r}")
    show = (show,) if isinstance(show, str) else tuple(show)
    if unknown := [s for s in show if s not in SHOW]:
        raise DTypeError(f"graph: show takes {', '.join(SHOW)}; got {unknown}")
    return Graph(record(outputs, params), mode, show, direction)
