"""Work on large arrays shared out to a few threads. NumPy computes on one, and lets go of the interpreter's lock meanwhile.

Products of matrices go to a BLAS that has threads of its own, which would stand in the way of these; where it is NumPy's OpenBLAS, it
is told to use one while work is shared out. Where it is another, products are not shared out.
"""

import ctypes
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import copy_context
from functools import cache
from threading import Lock
from typing import Any

import numpy as np

from .compiled.threads import count

_threads = cache(count)
_lock = Lock()
_sharing: list[int] = []
"""For each call that shares out products now, how many threads BLAS had before it."""


def shared(work: Callable, parts: Iterable[tuple], products: bool = False) -> list:
    """``work(*part)`` for each part, in as many threads as kernels may have; what they return, in the order of the parts.

    Args:
        work: writes to what belongs to its part alone.
        parts: how work is parted must not depend on the number of threads, so that results do not either.
        products: whether there are products of matrices in it.

    Example:
        >>> from minigrad.backend.sharing import shared
        >>> shared(lambda a, b: sum(range(a, b)), [(0, 5), (5, 10)])
        [10, 35]
    """
    parts, threads = list(parts), _threads()
    if len(parts) < 2 or threads < 2 or (products and _blas() is None):
        return [work(*part) for part in parts]
    made: list = [None] * len(parts)
    todo = iter(range(len(parts)))  # whose next() is one step of the interpreter, so that no two threads get the same

    def some() -> None:
        for i in todo:
            made[i] = work(*parts[i])

    with _one_thread_each() if products else nullcontext():
        # how NumPy treats errors is a matter of context
        helpers = [_pool().submit(copy_context().run, some) for _ in range(min(threads, len(parts)) - 1)]
        try:
            some()
        finally:
            for helper in helpers:
                helper.result()
    return made


@cache
def _pool() -> Any:
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(_threads() - 1, "minigrad")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # a child has none of the threads


# -- BLAS -------------------------------------------------------------------------------------------------------------
@cache
def _blas() -> tuple[Callable, Callable] | None:
    """What asks NumPy's OpenBLAS how many threads it uses, and what tells it; None if that is not to be found."""
    try:
        library = ctypes.CDLL(np._core._multiarray_umath.__file__)  # type: ignore[attr-defined]
        return library.scipy_openblas_get_num_threads64_, library.scipy_openblas_set_num_threads64_
    except (AttributeError, OSError):
        return None


@contextmanager
def _one_thread_each() -> Iterator[None]:
    found = _blas()
    assert found is not None
    get, put = found
    with _lock:
        _sharing.append(_sharing[0] if _sharing else get())
        put(1)
    try:
        yield
    finally:
        with _lock:
            before = _sharing.pop()
            if not _sharing:
                put(before)


__all__ = ["shared"]
