"""What the host computes beside a step that is captured as a CUDA graph: numbers that are others in each step.

A graph repeats its kernels with the arguments that they had. So what changes, a learning rate, a bias correction, the key of a random
draw, is written to a sheet of device memory before each launch, and the kernels of a graph read it there. While a step is captured,
and while its numbers are computed anew, ``sheet()`` is where they go; at all other times the functions here just call what they are given.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_local = threading.local()


class Changed(Exception):
    """Why a graph no longer does what the step would do."""


class Uncapturable(Changed):
    """Why a step cannot be a graph."""


def sheet() -> Any:
    """Where this thread's numbers are to be written, if kernels of a graph are to read them."""
    return getattr(_local, "sheet", None)


def copying() -> None:
    """Raise Uncapturable while a step is captured, as a graph cannot copy from the host: what it has noted it would read once more, from
    memory that is by then another array's."""
    if (page := sheet()) is not None and not page.rehearsing:
        raise Uncapturable("an array is copied from the host, or to it; let the arguments be arrays of the device")


@contextmanager
def written_to(page: Any) -> Iterator[None]:
    """A context in which ``sheet()`` is this one."""
    before, _local.sheet = sheet(), page
    try:
        yield
    finally:
        _local.sheet = before


def varying(part: Callable[[], Any]) -> Any:
    """Call ``part``; where a step is captured it is called again before each launch, without what it does to arrays by ``fed``."""
    page = sheet()
    return part() if page is None else page.part(part)


def fed(update: Callable, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
    """``update(p, g, state, group)``; where a step is captured, the numbers that meet arrays in it are read from the sheet."""
    page = sheet()
    if page is None:
        update(p, g, state, group)
    else:
        page.fed(update, p, g, state, group)


def chosen(condition: Callable[[], bool], f: Callable[[], Any]) -> Any:
    """``f()`` if the condition holds, else None. Where a step is captured, f is a graph of its own, and the condition asked each time."""
    page = sheet()
    if page is not None:
        return page.chosen(condition, f)
    return f() if condition() else None


__all__ = ["Changed", "Uncapturable", "chosen", "copying", "fed", "sheet", "varying", "written_to"]
