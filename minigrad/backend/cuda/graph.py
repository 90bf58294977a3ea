"""A step as CUDA graphs: what it computes on the device is captured once, and launched again with other inputs.

``Capture`` stands where a tape stands. While it runs nothing is computed: the GPU's work is noted in graphs, on a stream and with
memory of their own, and the host's work, such as the count of steps and the learning rate, is noted beside it. Then all that the host
has changed is put back, and the step is done for the first time as each time from then on: the numbers of the host are computed and
sent, and the graph is launched. Where the host decides by a value, as whether gradients are finite, a graph ends and another begins.
"""

import contextlib
import enum
import gc
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from ..arrays import is_array
from ..random import generator
from ..recording.beside import Changed, Uncapturable, copying, written_to
from ..recording.tape import Tape
from .sheet import Sheet

PLAIN = (int, float, str, tuple, list, enum.Enum, type(None))
"""What an object may hold that goes on from step to step; all else, such as arrays, must stay what it was."""


class Segment:
    """A graph and the numbers that it reads. ``condition``: whether it is launched; ``f``: what to call instead if it has changed."""

    def __init__(self, sheet: Sheet, condition: Callable[[], bool] | None = None, f: Callable[[], Any] | None = None):
        self.sheet, self.condition, self.f = sheet, condition, f
        self.graph: Any = None

    def launch(self) -> None:
        """Do this part of the step, if it is to be done."""
        if self.condition is None or self.condition():
            self.sheet.fill()
            self.graph.launch()


def restore(box: Any, old: Any) -> None:
    """Let a dict or a list hold what it held."""
    if type(box) is list:
        box[:] = old
        return
    for k in box.keys() - old.keys():
        del box[k]
    box.update(old)


class Memory:
    """What objects of the host hold, to be put back, and to see whether something else has taken its place."""

    def __init__(self) -> None:
        self.boxes: list[Any] = []
        self.fixed: list[tuple[Any, Any, Any]] = []
        self._before: list[Any] = []
        self._seen: set[int] = set()
        self._stream = generator()
        self._drawn = self._stream.state

    def meet(self, x: Any) -> None:
        """Remember what a dict or a list holds, or an optimizer or a schedule, and those in it."""
        box = vars(x) if hasattr(type(x), "beside") else x
        if type(box) not in (dict, list, tuple) or id(box) in self._seen:
            return
        self._seen.add(id(box))
        if type(box) is not tuple:
            self.boxes.append(box)
            self._before.append(box.copy())
        for v in box.values() if type(box) is dict else box:
            self.meet(v)

    def keep(self) -> None:
        """Remember what is held now."""
        self._before = [box.copy() for box in self.boxes]
        self._stream, self._drawn = generator(), generator().state

    def put_back(self) -> None:
        """Let all be as it was remembered."""
        for box, old in zip(self.boxes, self._before, strict=True):
            restore(box, old)
        self._stream.state = self._drawn

    def settle(self, who: str) -> None:
        """Fix the arrays that are held.

        Raises:
            Uncapturable: one has come, gone or changed since they were remembered.
        """
        for box, old in zip(self.boxes, self._before, strict=True):
            if type(box) is not dict:
                continue
            for k, v in box.items():
                if (k not in old and type(v) not in (int, float, bool)) or not (isinstance(v, PLAIN) or old[k] is v):
                    name = k if type(k) is str else type(k).__name__
                    raise Uncapturable(f"{who} begins to keep another {type(v).__name__}, for {name}; arrays must stay where they are")
            self.fixed += [(box, k, v) for k, v in old.items() if is_array(v) or type(v) is dict]

    def changed(self) -> bool:
        """Whether something that was fixed is another one now."""
        return any(box.get(k) is not v for box, k, v in self.fixed)


def _pinned(pool: Any, size: int) -> Any:
    """Memory of the host, by way of which CuPy copies."""
    copying()
    return pool.malloc(size)


class Capture(Tape):
    """A step while it is captured, on the namespace ``xp`` of its arrays."""

    def __init__(self, xp: Any):
        super().__init__()
        self.xp, self.stream, self.pool = xp, xp.cuda.Stream(non_blocking=True), xp.cuda.MemoryPool()
        self.segments: list[Segment] = []
        self.memory, self.stale, self.last = Memory(), False, self.stream
        self._room = contextlib.ExitStack()

    @contextlib.contextmanager
    def captured(self) -> Iterator[None]:
        """A context in which what is computed is captured. What the host has changed is put back at its end.

        Raises:
            Uncapturable: the objects of the host do not hold what they held.
        """
        was_on, cuda = gc.isenabled(), self.xp.cuda
        cuda.set_pinned_memory_allocator(partial(_pinned, self.xp.get_default_pinned_memory_pool()))
        gc.collect()
        gc.disable()  # as what it would free may not be freed now
        self.xp.get_default_memory_pool().free_all_blocks()  # what earlier steps used, and the graphs are to use
        try:
            with self._room, self.stream, cuda.using_allocator(self.pool.malloc), self.running():
                self._begin()
                try:
                    yield
                except BaseException:
                    with contextlib.suppress(Exception):  # the capture is void by now, and the first error is the one to tell
                        self.stream.end_capture()
                    raise
                self._end()
            self.memory.settle("the step")
        finally:
            self.memory.put_back()
            if was_on:
                gc.enable()
        for segment in self.segments:
            segment.sheet.seal()

    def _begin(self, condition: Callable[[], bool] | None = None, f: Callable[[], Any] | None = None) -> None:
        segment = Segment(Sheet(self.xp, self.chosen, bool(self.segments) and f is None), condition, f)
        self.segments.append(segment)
        self._room.enter_context(written_to(segment.sheet))
        self.stream.begin_capture(self.xp.cuda.runtime.streamCaptureModeRelaxed)

    def _end(self) -> None:
        self.segments[-1].graph = self.stream.end_capture()

    # -- what stands where a tape stands ------------------------------------------------------------------------------
    def call(self, f: Any, args: tuple, keywords: dict | None = None, name: str = "") -> Any:
        raise Uncapturable(f"{name}() draws numbers on the host, which would be the same in each step; dropout's are drawn on the device")

    def beside(self, f: Callable, *args: Any) -> Any:  # type: ignore[override]
        """The step of an optimizer or a schedule. Their class says, as ``beside``, whether it changes numbers of the "host" alone."""
        owner: Any = f.__self__  # type: ignore[attr-defined]
        says = next((c for c in type(owner).__mro__ if "beside" in vars(c)), None)
        if args or says is None or getattr(type(owner), f.__name__) is not vars(says).get(f.__name__):
            why = "was given an argument" if args else "may count on the host, which would not go on from step to step"
            raise Uncapturable(f"{f.__qualname__} {why}")
        for x in (owner, getattr(owner, "optimizer", owner)):
            if getattr(x, "_before", None) or getattr(x, "_after", None):
                raise Uncapturable(f"{type(x).__name__} has hooks on its step, which would not be called")
        self.memory.meet(owner)
        with self.resting():
            returned = f()
        if says.beside == "host":  # type: ignore[attr-defined]
            self.segments[-1].sheet.entries.append(f)
        return returned

    def chosen(self, condition: Callable[[], bool], f: Callable[[], Any]) -> Any:
        """A graph of its own for f, launched where the condition holds."""
        self._end()
        self._begin(condition, f)
        returned = f()
        self._end()
        self._begin()
        return returned

    def follow(self) -> None:
        """Wait for what another stream than the current one was given last; the memory of the graphs is there once."""
        current = self.xp.cuda.get_current_stream()
        if current.ptr != self.last.ptr:
            self.last.synchronize()
        self.last = current

    def launch(self) -> None:
        """Do the step.

        Raises:
            Changed: it would be another one now; nothing was done.
        """
        if self.stale or self.memory.changed():
            raise Changed("the state of an optimizer lies elsewhere than when it was captured")
        for segment in self.segments:
            self.memory.keep()
            try:
                segment.launch()
            except BaseException as error:
                self.memory.put_back()
                if not isinstance(error, Changed) or segment.f is None:
                    raise
                segment.f()  # graphs before it have been launched, so it is done as it is this time
                self.stale = True

    def __repr__(self) -> str:
        numbers = sum(s.sheet.at for s in self.segments)
        return f"{len(self.segments)} CUDA graphs, {numbers:,} bytes of numbers before each launch, {self.pool.total_bytes():,} of memory"


__all__ = ["Capture", "restore"]
