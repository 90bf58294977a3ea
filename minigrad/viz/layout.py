"""What a layout is made of. Boxes lie in groups (calls of modules, runs of equal siblings), and a group's inside is a block of rows."""

from dataclasses import dataclass, field

Rect = tuple[float, float, float, float]
"""x, y, width, height."""
Size = tuple[float, float, float]
"""How far something reaches from its axis to the left and right, and down."""
GAP_X, GAP_Y, PAD, HEAD, STACK, CHANNEL, TRACK, WAY = 18.0, 30.0, 12.0, 22.0, 6.0, 30.0, 7.0, 16.0
"""Between cells, between rows, within a frame, for its title, for the shadow of a fold, between columns and between lines there, for a
text on a line."""
BOLD = 7.2
"""Width of a bold letter."""
TOP, BOTTOM = -1, -2
"""In place of an item: what lies outside of the group, above or below."""


@dataclass(slots=True)
class Cell:
    """A place in a row: for an item, for the way of a line past that row, or for the lines that enter or leave the block."""

    kind: str
    """``item``, ``way`` or ``port``."""
    left: float
    right: float
    height: float
    """How far it reaches from its axis, and down, while nothing in it is open."""
    lanes: list[float]
    """Where lines of each lane pass, from the axis: 0 forward, 1 gradients, 2 gradients of gradients; a way has one per line."""
    rects: list[Rect] = field(default_factory=list)
    """Of each box in it, from the axis and the top of the row: an op, on its right the ops of its gradient, and theirs."""
    text: str = ""
    """What is written on the line here."""
    row: int = 0
    at: float = 0.0
    """The axis, from that of the block."""

    @property
    def size(self) -> Size:
        """Its size while nothing in it is open."""
        return self.left, self.right, self.height


@dataclass(slots=True)
class Line:
    """Edges with the same ends, drawn as one line."""

    path: list[tuple[int, int]]
    """Cells and the lanes in them, from the upper row to the lower; within one cell, from left to right."""
    role: str
    up: bool
    """Whether it runs from the lower end to the upper one, as gradients do."""
    count: int
    """How many edges it stands for; 1 if it leads out of the group."""


@dataclass(slots=True)
class Block:
    """The inside of a group, shared by all groups that look the same."""

    cells: list[Cell]
    """The items' first, in the order of their birth."""
    rows: list[list[int]]
    """Cells of each row, from left to right."""
    lines: list[Line]
    columns: list[tuple[int, int]] = field(default_factory=list)
    """First row and the row behind the last: many rows are wrapped like text into columns."""
    crossing: list[list[tuple[int, int]]] = field(default_factory=list)
    """For each column but the last: (line, step of its path) of what goes on to the next column."""
    top: int = -1
    bottom: int = -1
    """The cells of the two ports; -1: none."""


@dataclass(slots=True)
class Item:
    """What is in a cell: a group, or an op (a leaf) with its gradients, one box per rectangle of the cell."""

    group: int = -1
    boxes: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Group:
    """What can be opened and closed. While a fold is closed, its first member stands for all."""

    id: int
    parent: int
    kind: str
    """``whole``, ``scope`` (a call of a module), ``fold`` (equal siblings), ``run`` (one turn of a loop) or ``part`` (of many items)."""
    scope: int
    """The scope that it is, or -1."""
    title: str
    note: str
    count: int
    """Of a fold: how many members it has, those of folds in it included."""
    items: list[Item] = field(default_factory=list)
    block: int = 0
    """Its inside, in ``Layout.blocks``."""


@dataclass
class Layout:
    """Groups, outer ones before inner ones; [0] is the whole. Says for any set of open groups where everything is: ``arrange``."""

    groups: list[Group] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    open: set[int] = field(default_factory=set)
    """Groups that are open in the first view."""
    texts: list[list[str]] = field(default_factory=list)
    """By box: lines to write into it."""
    chips: dict[int, list[int]] = field(default_factory=dict)
    """By box: leaves written into it instead of having boxes of their own, as they do in all but small graphs."""
    home: list[int] = field(default_factory=list)
    """By box: the group that it lies in."""
