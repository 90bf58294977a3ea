"""Floor 6: pictures of graphs. Nothing below imports it."""

from .drawing import Graph, graph
from .extraction import record
from .heat import Heat
from .landscape import landscape
from .record import Record
from .trace import trace

__all__ = ["Graph", "Heat", "Record", "graph", "landscape", "record", "trace"]
