"""Threads that work ahead: results in the order of the jobs, a bounded number of them in flight."""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import count, islice
from typing import Any


class Workers:
    """Threads that run jobs ahead of whoever takes the results.

    Threads, not processes: NumPy lets go of the interpreter while it computes, nothing need be pickled, and what a worker makes is
    there without a copy.

    Args:
        number: how many threads.
        ahead: how many results are made before they are asked for.
        init: called as ``init(worker)`` in each thread before its first job.
        persistent: keep the threads from one run to the next.
    """

    def __init__(self, number: int, ahead: int, init: Callable[[int], Any] | None = None, persistent: bool = False):
        self.number, self.ahead, self.init, self.persistent = number, ahead, init, persistent
        self._kept: Any = None
        self._process = 0

    def run(self, jobs: Iterator[Callable[[], Any]]) -> Iterator[Any]:
        """The results of the jobs, in their order; an error is raised where its result would have come.

        However the loop over it ends, jobs that have not begun are dropped and those that have are waited for.
        """
        pool, started = self._pool()
        pending: deque[Future] = deque()
        try:
            for job in islice(jobs, self.ahead):
                pending.append(pool.submit(started, job))
            while pending:
                result = pending.popleft().result()
                for job in islice(jobs, 1):
                    pending.append(pool.submit(started, job))
                yield result
        finally:
            running = [future for future in pending if not future.cancel()]
            inside = threading.current_thread().name.startswith(_NAME)  # the collector may close this loop in any thread
            if not inside:
                wait(running)
            if not self.persistent:
                pool.shutdown(wait=not inside)

    def _pool(self) -> tuple[ThreadPoolExecutor, Callable]:
        if self._kept is not None and self._process == os.getpid():  # threads are not there in a forked child
            return self._kept
        numbers, local, init = count(), threading.local(), self.init

        def started(job: Callable[[], Any]) -> Any:
            if init is not None and not hasattr(local, "number"):
                init(number := next(numbers))
                local.number = number
            return job()

        made = ThreadPoolExecutor(self.number, thread_name_prefix=_NAME), started
        if self.persistent:
            self._kept, self._process = made, os.getpid()
        return made


_NAME = "minigrad-data"

__all__ = ["Workers"]
