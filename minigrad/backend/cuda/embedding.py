"""The way back from a lookup: additions to the rows of a table, in the same order each time."""

from typing import Any

from .activations import ordered
from .forms import Family
from .launch import REFUSED, Kernel, launch, number_of
from .walks import WIDEST

FAMILY = Family("embedding")
BLOCK = 64
"""As many keys are sorted at once; see the source."""
SORT, MERGE = Kernel("embedding", "sort_blocks", "PPll"), Kernel("embedding", "merge", "PPll")
CONTINUED, RUNS = Kernel("embedding", "continued_runs", "PPPll"), Kernel("embedding", "runs", "PPPPlll")


def sorted_keys(ids: Any, rows: int) -> Any:
    """The places of ids, in the order of the ids, in one number each with them; None where kernels refuse."""
    n = ids.size
    keys, room = type(ids)((2, n), "uint64")
    if launch(SORT, n, ids, keys, n, rows):
        return None
    width = BLOCK
    while width < n:
        launch(MERGE, n, keys, room, n, width)
        keys, room, width = room, keys, 2 * width
    return keys


@FAMILY.entry("embedding_gradient")
def embedding_gradient(g: Any, ids: Any, y: Any, padding: int) -> int:
    """y is zero."""
    n, (rows, d), number = ids.size, y.shape, number_of(g)
    if not 0 < n < WIDEST or not rows or ids.dtype.name != "int64" or not ids.flags.c_contiguous or not ordered(number, g, y):
        return REFUSED
    keys, partial = sorted_keys(ids, rows), type(g)((-(-n // BLOCK), d), "float32")
    if keys is None:
        return REFUSED
    launch(CONTINUED, partial.size, g, keys, partial, n, d, number=number)
    return launch(RUNS, g.size, g, keys, partial, y, n, d, padding, number=number)
