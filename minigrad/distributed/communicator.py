"""What workers say to each other: sums, copies, and waiting. All of it is in terms of arrays; gradients are another file's."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import MinigradError, ShapeError

OPS: dict[str, Any] = {"sum": np.add, "max": np.maximum, "min": np.minimum}
"""How arrays are reduced, as NumPy does it; each kind of communicator has its own word for them."""


class BrokenGroupError(MinigradError, RuntimeError):
    """Another worker of the group failed, and is not coming."""


class Communicator:
    """One worker's line to the others. ``rank`` is its number, ``size`` how many there are.

    Every method is called by all workers, in the same order, with arrays of the same shape and dtype; it may wait for the others.
    Subclasses define these four: threads of a process, NCCL among GPUs, or whatever a program is launched by.
    """

    rank: int = 0
    size: int = 1

    def all_reduce(self, a: Any, op: str = "sum") -> None:
        """Replace the array by the sum (``"max"``, ``"min"``) of all workers' arrays; the same bits for all."""
        raise NotImplementedError(f"{type(self).__name__}: define all_reduce(a, op)")

    def broadcast(self, a: Any, root: int = 0) -> None:
        """Replace the array by that of the worker ``root``."""
        raise NotImplementedError(f"{type(self).__name__}: define broadcast(a, root)")

    def all_gather(self, a: Any) -> Any:
        """All workers' arrays, stacked along a new first axis."""
        raise NotImplementedError(f"{type(self).__name__}: define all_gather(a)")

    def barrier(self) -> None:
        """Wait until all workers are here."""
        raise NotImplementedError(f"{type(self).__name__}: define barrier()")

    def leave(self) -> None:
        """Tell all who wait, now or later, that this worker is not coming; called where it fails."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.rank} of {self.size}>"


class Alone(Communicator):
    """A group of one: nothing is sent. What a program has that was not launched as a part of a group.

    Example:
        >>> import numpy as np
        >>> from minigrad.distributed import Alone
        >>> Alone().all_gather(np.ones(2)).shape
        (1, 2)
    """

    def all_reduce(self, a: Any, op: str = "sum") -> None:
        checked("all_reduce", op)

    def broadcast(self, a: Any, root: int = 0) -> None:
        pass

    def all_gather(self, a: Any) -> Any:
        return a[None].copy()

    def barrier(self) -> None:
        pass


class Threads(Communicator):
    """Threads of one process, with arrays on the CPU. ``Threads.group(n)`` gives the ``n`` ends of a line.

    Each worker reduces its share of the numbers, in the order of ranks, so that the result does not depend on who comes first.

    Example:
        >>> import numpy as np
        >>> from threading import Thread
        >>> from minigrad.distributed import Threads
        >>> arrays = [np.array([1.0, 2.0]), np.array([10.0, 20.0])]
        >>> workers = [Thread(target=c.all_reduce, args=(a,)) for c, a in zip(Threads.group(2), arrays)]
        >>> for w in workers: w.start()
        >>> for w in workers: w.join()
        >>> arrays[0].tolist(), arrays[1].tolist()
        ([11.0, 22.0], [11.0, 22.0])
    """

    def __init__(self, rank: int, size: int, meeting: threading.Barrier, table: list[Any]):
        self.rank, self.size, self._meeting, self._table = rank, size, meeting, table

    @classmethod
    def group(cls, size: int) -> "list[Threads]":
        """The communicators of ``size`` threads, one for each."""
        meeting, table = threading.Barrier(size), [None] * size
        return [cls(rank, size, meeting, table) for rank in range(size)]

    def _together(self, a: Any, work: Callable[[list[Any]], Any]) -> Any:
        """Lay ``a`` on the table, ``work`` on what all have laid there, and leave together."""
        self._table[self.rank] = a
        self.barrier()
        arrays = list(self._table)
        try:
            different = {(v.shape, v.dtype) for v in arrays if v is not None}
            if len(different) > 1:
                said = ", ".join([f"{v.dtype}{list(v.shape)}" for v in arrays])
                raise ShapeError(f"{type(self).__name__}: the workers came with different arrays ({said}); call the same in each of them")
            return work(arrays)
        finally:
            self.barrier()
            self._table[self.rank] = None

    def all_reduce(self, a: Any, op: str = "sum") -> None:
        reduce = checked("all_reduce", op)

        def work(arrays: list[Any]) -> None:
            n = a.size
            mine = slice(n * self.rank // self.size, n * (self.rank + 1) // self.size)
            parts = [v.reshape(-1)[mine] for v in arrays]
            total = parts[0].copy()
            for part in parts[1:]:
                reduce(total, part, out=total)
            for part in parts:
                part[...] = total

        self._together(writable("all_reduce", a), work)

    def broadcast(self, a: Any, root: int = 0) -> None:
        def work(arrays: list[Any]) -> None:
            if self.rank != root:
                a[...] = arrays[root]

        self._together(writable("broadcast", a), work)

    def all_gather(self, a: Any) -> Any:
        return self._together(a, np.stack)

    def barrier(self) -> None:
        try:
            self._meeting.wait()
        except threading.BrokenBarrierError:
            raise BrokenGroupError(f"worker {self.rank} of {self.size}: another worker failed or has ended; see its error") from None

    def leave(self) -> None:
        self._meeting.abort()


def checked(who: str, op: str) -> Any:
    """What reduces arrays in NumPy; ValueError for an op that is none."""
    if op not in OPS:
        raise ValueError(f"{who}: op must be one of {', '.join(OPS)}, got {op!r}")
    return OPS[op]


def writable(who: str, a: Any) -> Any:
    """The array, if it can be replaced in place by way of a flat view; ShapeError if it has gaps."""
    if not a.flags.c_contiguous:
        raise ShapeError(f"{who}: the array {a.dtype}{list(a.shape)} must be contiguous, as it is written to in place; send a copy of it")
    return a


__all__ = ["Alone", "BrokenGroupError", "Communicator", "Threads"]
