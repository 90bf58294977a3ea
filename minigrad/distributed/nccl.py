"""Workers with a GPU each: a communicator over NCCL."""

from typing import Any

from ..backend.cuda.nccl import Line, unique_id
from .communicator import BrokenGroupError, Communicator, checked, writable


class Nccl(Communicator):
    """A worker that has a GPU; all workers make theirs at the same time, each in a thread or process of its own.

    Args:
        rank: this worker's number.
        size: how many there are.
        identity: what ``Nccl.identity()`` gave one of them, sent to all.

    Nothing waits for a GPU: what is sent is queued on its current stream, behind what was computed before.

    Raises:
        DeviceError: NCCL is not there.
    """

    def __init__(self, rank: int, size: int, identity: Any):
        self.rank, self.size = rank, size
        self._end, self._left = Line(size, identity, rank), False

    @property
    def _line(self) -> Line:
        if self._left:
            raise BrokenGroupError(f"worker {self.rank} of {self.size}: another worker failed or has ended; see its error")
        return self._end

    @staticmethod
    def identity() -> Any:
        """What a new group is known by."""
        return unique_id()

    def all_reduce(self, a: Any, op: str = "sum") -> None:
        checked("all_reduce", op)
        self._line.all_reduce(writable("all_reduce", a), op)

    def broadcast(self, a: Any, root: int = 0) -> None:
        self._line.broadcast(writable("broadcast", a), root)

    def all_gather(self, a: Any) -> Any:
        return self._line.all_gather(a)

    def barrier(self) -> None:
        self._line.wait()

    def leave(self) -> None:
        self._left = True
        self._end.abort()


__all__ = ["Nccl"]
