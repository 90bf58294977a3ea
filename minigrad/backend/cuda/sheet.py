"""The sheet of a graph: numbers that are others in each step, in device memory, written there by one copy before each launch.

While a step is captured, its numbers get places on the sheet, one after the other. Before each launch the same code is called again to
compute them: the parts of an optimizer's step that ``varying`` wraps. Then arrays are no longer touched; only the numbers that would meet
them are gathered. They must come in the same order as before, with the same calls between them; else the step has taken
another way, and must be captured anew.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..arrays import is_array
from ..philox import schedule
from ..recording.array import Recorded
from ..recording.beside import Changed, Uncapturable, written_to
from ..recording.tape import Drawn, Place, Tape

SIZE, ALIGNED = 1 << 20, 16
PAGES = 4
"""How many copies may be on their way at once, so that the host can compute the numbers of the next step meanwhile."""


class Sheet(Tape):
    """Numbers of one graph. ``entries`` are called before each launch, and write them. ``open``: a part that varies is running.

    ``chosen``: see ``beside``. ``late``: another graph was launched before, so that it is too late to find that the step has changed.
    """

    rehearsing = False

    def __init__(self, xp: Any, chosen: Callable, late: bool = False):
        super().__init__()
        self.xp, self.chosen, self.late = xp, chosen, late
        self.memory, self.host = xp.empty(SIZE, dtype="uint8"), np.zeros(SIZE, "uint8")
        self.at, self.open, self.filling = 0, False, False
        self.entries: list[Callable[[], Any]] = []
        self.lines: Any = None
        self._pages: list[tuple[Any, Any]] = []
        self._turn = 0

    # -- places -------------------------------------------------------------------------------------------------------
    def _put(self, data: Any) -> int:
        """Write at the next place; returns it."""
        place, size = self.at, len(data)
        self.at += -(-size // ALIGNED) * ALIGNED
        if self.at > SIZE:
            raise Uncapturable(f"more than {SIZE:,} bytes of numbers change from step to step")
        self.host[place : place + size] = np.frombuffer(data, "uint8")
        return place

    def view(self, place: int, data: Any) -> Any:
        """Numbers of the sheet as an array."""
        return self.memory[place : place + data.nbytes].view(data.dtype)

    def number(self, x: float, dtype: Any) -> Any:
        """A number as an array of no dimensions; None where only its value was wanted."""
        data = np.array([x], dtype)
        place = self._put(data.tobytes())
        return None if self.filling else self.view(place, data).reshape(())

    def struct(self, data: bytes, changing: dict[int, Drawn]) -> int | bytes | None:
        """The address of a copy of a kernel's arguments, with the keys among them kept up to date; None where only they were wanted."""
        place = self._put(data)
        for offset, key in changing.items():
            key.places.append((self.host, place + offset))  # type: ignore[attr-defined]
        return None if self.filling else self.memory.data.ptr + place

    def drawn(self, f: Callable[[], int]) -> Drawn:
        """A key that is drawn anew before each launch."""
        key: Any = Drawn(f())
        data = np.array(schedule(key), "uint64")
        place = self._put(data.tobytes())
        key.words, key.places = self.view(place, data), []

        def again() -> None:
            drawn = f()
            self.host[place : place + data.nbytes] = np.array(schedule(drawn), "uint64").view("uint8")
            for host, where in key.places:
                host[where : where + 8] = np.array([drawn], "uint64").view("uint8")

        self.entries.append(again)
        return key

    def part(self, f: Callable[[], Any]) -> Any:
        """Call f, whose numbers vary, and note it."""
        if self.open:  # of a part that was noted
            return f()
        if self.late:
            raise Uncapturable("an optimizer steps by itself after a GradScaler's step; let the scaler step them all, or none")
        start, lines = self.at, []  # type: ignore[var-annotated]
        self.open, self.lines = True, lines
        try:
            returned = f()
        finally:
            self.open = False
        end = self.at

        def again() -> None:
            self.at, self.open, self.lines = start, True, iter(lines)
            try:
                f()
            finally:
                self.open = False
            if self.at != end or next(self.lines, None) is not None:
                raise Changed("the step of an optimizer uses other numbers than when it was captured")

        self.entries.append(again)
        return returned

    # -- before a launch ----------------------------------------------------------------------------------------------
    def seal(self) -> None:
        """The graph is complete: from now on only numbers are gathered."""
        self.filling, self.end, cuda = True, self.at, self.xp.cuda
        for _ in range(PAGES if self.end else 0):
            pinned = np.frombuffer(cuda.alloc_pinned_memory(self.end), "uint8", self.end)
            self._pages.append((pinned, cuda.Event(disable_timing=True)))

    def fill(self) -> None:
        """Compute the numbers anew, and send them."""
        with written_to(self):
            for again in self.entries:
                again()
        if self.end:
            self._turn = (self._turn + 1) % PAGES
            pinned, sent = self._pages[self._turn]
            sent.synchronize()  # what was last sent from this page has arrived; nearly always long ago
            pinned[:] = self.host[: self.end]
            self.memory.data.copy_from_host_async(pinned.ctypes.data, self.end)
            sent.record()

    # -- updates in an array namespace's functions --------------------------------------------------------------------
    def fed(self, update: Callable, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        """``update(p, g, state, group)`` with stand-ins for its arrays, whose calls come to ``call``."""
        own = {k: Recorded(v, NOWHERE, self) if is_array(v) else v for k, v in state.items()}
        with self.running():
            update(Recorded(p, NOWHERE, self), Recorded(g, NOWHERE, self), own, group)
        for k, v in own.items():
            if type(v) is not Recorded:
                state[k] = v
            elif v.held is not state.get(k):
                self.spoil(f"{update.__qualname__} puts another array into the state, as {k!r}")

    def spoil(self, flaw: str) -> None:
        raise Uncapturable(flaw)

    def call(self, f: Any, args: tuple, keywords: dict | None = None, name: str = "") -> Any:
        """Make a call on the real arrays, with numbers of the sheet, and note it; when it is filled, only gather its numbers."""
        arrays: list[Recorded] = []
        numbers: list[float] = []
        name = name or f.__name__
        said = name, _said([args, list((keywords or {}).items())], name in FED, arrays, numbers)
        if self.filling:
            line = next(self.lines, ("nothing", None, None))
            if line[0] != said:
                raise Changed(f"the step of an optimizer computes {name} where it was captured with {line[0][0]}")
            for x in numbers:
                self.number(x, line[1])
            return arrays[line[2]] if type(line[2]) is int else line[2]
        floating = [a.dtype for a in arrays if a.dtype.kind == "f"]
        if numbers and not floating:
            self.spoil(f"the step of an optimizer computes {name} of {numbers} and no array")
        dtype = np.result_type(*floating) if numbers and floating else None
        y = self._theirs(f, name)(*self._real(args, dtype), **self._real(keywords or {}, dtype))
        at = next((i for i, a in enumerate(arrays) if a.held is y), None)
        self.lines.append((said, dtype, self._dressed(y, True) if at is None else at))
        return self._dressed(y) if at is None else arrays[at]  # type: ignore[func-returns-value]

    def _theirs(self, f: Any, name: str) -> Any:
        """What a function, or a method, of NumPy is called on the device."""
        if getattr(f, "__objclass__", None) is np.ndarray:
            return lambda a, *args, **keywords: getattr(a, name)(*args, **keywords)
        if type(owner := getattr(f, "__self__", None)) is np.ufunc:
            return getattr(getattr(self.xp, owner.__name__), f.__name__)
        if type(f) is np.ufunc or f.__module__ == "numpy":
            return getattr(self.xp, f.__name__)
        return getattr(self.xp.linalg, f.__name__) if f.__module__ == "numpy.linalg" else f

    def _real(self, x: Any, dtype: Any) -> Any:
        if isinstance(x, (tuple, list)):
            return type(x)([self._real(v, dtype) for v in x])
        if isinstance(x, dict):
            return {k: self._real(v, dtype) for k, v in x.items()}
        return x.held if type(x) is Recorded else self.number(x, dtype) if dtype and type(x) is float else x

    def _dressed(self, y: Any, bare: bool = False) -> Any:  # type: ignore[override]
        """A result as a stand-in; ``bare``: one that keeps no memory."""
        if isinstance(y, (tuple, list)):
            return type(y)([self._dressed(v, bare) for v in y])
        return Recorded(np.broadcast_to(np.zeros((), y.dtype), y.shape) if bare else y, NOWHERE, self) if is_array(y) else y


class Rehearsal(Sheet):
    """Where a step is done as it is, before it is captured. What it will be captured with is compiled and loaded: other kernels, as numbers
    come from memory then."""

    rehearsing = True

    def __init__(self, xp: Any):
        super().__init__(xp, lambda condition, f: f() if condition() else None)

    def number(self, x: float, dtype: Any) -> Any:
        return self.xp.full((), x, dtype=dtype)

    def struct(self, data: bytes, changing: dict[int, Drawn]) -> bytes:
        return data  # see ``launch``

    def drawn(self, f: Callable[[], int]) -> Drawn:
        key: Any = Drawn(f())
        key.words = self.xp.asarray(np.array(schedule(key), "uint64"))
        return key

    def fed(self, update: Callable, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        copies = {k: v.copy() if is_array(v) else v for k, v in state.items()}
        super().fed(update, p.copy(), g, copies, group)
        update(p, g, state, group)

    def spoil(self, flaw: str) -> None:
        """It will be told when the step is captured."""


NOWHERE = Place(0)
_FED = "add sub mul truediv subtract multiply divide true_divide maximum minimum where clip iadd isub imul itruediv"
FED = frozenset(_FED.split())
"""Calls whose Python numbers are read from the sheet. In others, such as powers, they are part of what is captured."""


def _said(x: Any, feeds: bool, arrays: list[Recorded], numbers: list[float]) -> Any:
    """What must be the same each time: all but the values of numbers that are fed. Lists the arrays and these numbers."""
    if isinstance(x, (tuple, list)):
        return tuple([_said(v, feeds, arrays, numbers) for v in x])
    if type(x) is Recorded:
        arrays.append(x)
        return x.shape, x.dtype
    if type(x) is float and feeds:
        numbers.append(x)
        return "number"
    return id(x) if is_array(x) else (type(x), repr(x))


__all__ = ["Rehearsal", "Sheet"]
