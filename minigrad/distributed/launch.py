"""Workers as threads of this process: one for each part of the CPU's work, or one for each GPU."""

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from ..autograd.mode import surroundings
from ..backend import device, generator
from ..backend.devices import using
from ..backend.random import drawing_from
from .communicator import Alone, BrokenGroupError, Communicator, Threads
from .nccl import Nccl


def run(f: Callable[[Communicator], Any], workers: int | Sequence[Any]) -> list[Any]:
    """Call ``f(communicator)`` in several threads at once; returns what each returned, in the order of ranks.

    Args:
        f: what a worker does. It makes a model of its own, ``broadcast``s it, and calls ``average_gradients`` in each step.
        workers: how many, on the CPU; or the name of a device for each, ``["cuda:0", "cuda:1"]``, which is the thread's current one.

    Raises:
        ValueError: no workers, or devices of several kinds.
        DeviceError, ImportError: a GPU that is not there, or no NCCL.
        The first worker's error, if one failed; the others are told and end too.

    Each worker draws random numbers from a stream of its own, fixed by the seed and its rank.

    Example:
        >>> from minigrad.distributed import run
        >>> run(lambda line: line.rank * 10, 3)
        [0, 10, 20]
    """
    places = ["cpu"] * workers if isinstance(workers, int) else list(workers)
    kinds = {device(p).type for p in places}
    if len(kinds) != 1 or (kinds != {"cpu"} and len(set(map(str, places))) != len(places)):
        raise ValueError(f"run: expected a number of workers >= 1, or a list of GPUs, each once; got {workers!r}")
    for place in places:
        with using(place):  # raises here, and not in a thread, where it is not there
            pass
    make = _lines(kinds.pop(), len(places))
    streams = [generator().child() for _ in places]
    results: list[Any] = [None] * len(places)
    errors: dict[int, BaseException] = {}
    lines: dict[int, Any] = {}
    around = surroundings()

    def work(rank: int) -> None:
        try:
            with ExitStack() as stack:
                for context in (using(places[rank]), drawing_from(streams[rank]), *around):
                    stack.enter_context(context)
                lines[rank] = make(rank)
                results[rank] = f(lines[rank])
        except BaseException as error:
            errors[rank] = error
            for line in list(lines.values()):  # of all: on a GPU nobody notices that another one has left
                line.leave()

    threads = [threading.Thread(target=work, args=(rank,), name=f"worker {rank}", daemon=True) for rank in range(len(places))]
    for t in threads:
        t.start()
    try:
        for t in threads:
            t.join()
    except BaseException:  # the user's interrupt: nobody is to wait for somebody who does not come
        for line in list(lines.values()):
            line.leave()
        raise
    if errors:
        rank = min(errors, key=lambda r: (isinstance(errors[r], BrokenGroupError), r))
        errors[rank].add_note(f"in worker {rank} of {len(places)} ({places[rank]})")
        raise errors[rank]
    return results


def _lines(kind: str, size: int) -> Callable[[int], Communicator]:
    """What makes the communicator of a rank, in its own thread."""
    if size == 1:
        return lambda rank: Alone()
    if kind == "cpu":
        return Threads.group(size).__getitem__
    identity = Nccl.identity()
    return lambda rank: Nccl(rank, size, identity)


__all__ = ["run"]
