"""Floor 6: pictures of graphs. Nothing below imports it."""

from .drawing import Graph, graph
from .record import Record, record

__all__ = ["Graph", "Record", "graph", "record"]
