"""The tape: calls in the order in which they were made, their arguments, and the places of what they returned."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

_local = threading.local()


def running() -> "Tape | None":
    """The tape of this thread, if one is running."""
    return getattr(_local, "tape", None)


class Place:
    """Stands in a call's arguments for a value that the tape knows."""

    __slots__ = ("number",)

    def __init__(self, number: int):
        self.number = number


class Drawn(int):
    """A whole number from a random generator, which is another in each step."""

    place: Place


class Call:
    """One call: ``made`` has a Place for each array in what it returned, and None for all else. ``scalar``: it was a number of NumPy's."""

    __slots__ = ("args", "f", "keywords", "made", "name", "scalar")

    def __init__(self, name: str, f: Any, args: tuple, keywords: dict, made: Any, scalar: bool = False):
        self.name, self.f, self.args, self.keywords, self.made, self.scalar = name, f, args, keywords, made, scalar


class Tape:
    """Calls that were made, from the first ``start`` to the last.

    ``calls`` holds them, ``inputs`` the places of what is given anew each time, each with the function that fetches it, or None for an
    argument. ``flaw`` says why the calls cannot be repeated, if they cannot. ``beside(f, *args)`` is set by whoever records: it
    runs what is called as a whole each time, the step of an optimizer or of a schedule, on the real arrays.
    """

    beside: Callable[..., Any]

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.inputs: list[tuple[Place, Callable[[], Any] | None]] = []
        self.flaw = ""
        self.count = 0
        self._known: dict[int, Any] = {}
        """By the identity of an array: what stands for it."""

    @contextmanager
    def running(self) -> Iterator["Tape"]:
        """A context in which this thread writes on the tape."""
        before, _local.tape = running(), self
        try:
            yield self
        finally:
            _local.tape = before

    @contextmanager
    def resting(self) -> Iterator[None]:
        """A context in which nothing is written."""
        before, _local.tape = running(), None
        try:
            yield
        finally:
            _local.tape = before

    def spoil(self, flaw: str) -> None:
        """Note why the calls cannot be repeated; the first reason stays."""
        self.flaw = self.flaw or flaw

    def place(self) -> Place:
        self.count += 1
        return Place(self.count - 1)

    def stand_in(self, held: Any) -> Any:
        """What stands for this array: the same as before, if the tape has seen it."""
        from .array import Recorded

        found = self._known.get(id(held))
        if found is None:
            found = self._known[id(held)] = Recorded(held, self.place(), self)  # which keeps the array alive, and its id its own
        return found

    def own(self) -> set[int]:
        """The numbers of the arrays that calls made as memory of their own, and of which there is no view."""
        bases, given = {id(a.held.base) for a in self._known.values()}, {p.number for p, _ in self.inputs}
        alone = [a.place.number for k, a in self._known.items() if a.held.base is None and k not in bases]
        return set(alone) - given

    def input(self, held: Any, fetch: Callable[[], Any] | None = None) -> Any:
        """What stands for an array that is given anew each time: an argument, or what ``fetch()`` returns."""
        known = id(held) in self._known
        found = self.stand_in(held)
        if not known:
            self.inputs.append((found.place, fetch))
        return found

    def call(self, f: Any, args: tuple, keywords: dict | None = None, name: str = "") -> Any:
        """Make a call with the real arrays, and note it; what it returns comes back as stand-ins."""
        keywords = keywords or {}
        y = f(*bare(args), **bare(keywords))
        return self.note(name or f.__name__, f, args, keywords, y)

    def note(self, name: str, f: Any, args: tuple, keywords: dict, y: Any) -> Any:
        """Note a call that was made, and dress up what it returned."""
        if running() is not self:  # the recording is over, and this was kept
            return y
        dressed, made = self._dressed(y)
        self.calls.append(Call(name, f, self.noted(args), self.noted(keywords), made, isinstance(y, np.generic)))
        return dressed

    def _dressed(self, y: Any) -> tuple[Any, Any]:
        if isinstance(y, (np.ndarray, np.generic)):
            found = self.stand_in(y if isinstance(y, np.ndarray) else np.asarray(y))
            return found, found.place
        if type(y) in (tuple, list):
            pairs = [self._dressed(v) for v in y]
            return type(y)([d for d, _ in pairs]), tuple([m for _, m in pairs])
        return y, None

    def draw(self, name: str, f: Callable[[], int]) -> int:
        """A number that ``f()`` draws from a generator, noted as a call."""
        n = Drawn(f())
        n.place = self.place()
        self.calls.append(Call(name, f, (), {}, n.place))
        return n

    def noted(self, x: Any) -> Any:
        """Arguments with Places for what the tape knows."""
        kind = type(x)
        if kind is Drawn:
            return x.place
        if hasattr(kind, "held"):
            if x.tape is self:
                return x.place
            self.spoil("a tensor that was made in an earlier step is used; let the step return it, and pass it as an argument")
            return x.held
        if kind is np.ndarray:
            known = self._known.get(id(x))
            return x if known is None else known.place
        if kind is tuple or kind is list:
            return kind([self.noted(v) for v in x])
        if kind is dict:
            return {k: self.noted(v) for k, v in x.items()}
        if kind is slice:
            return slice(*[self.noted(v) for v in (x.start, x.stop, x.step)])
        return x


def as_one(f: Callable, *args: Any) -> Any:
    """``f(*args)``, noted as one call if an argument stands for an array: so ``f`` may look at values, and go another way each time."""
    tape = next((a.tape for a in args if hasattr(type(a), "held")), None)
    return f(*args) if tape is None else tape.call(f, args)


class Drawing:
    """NumPy's generator, with methods that are noted."""

    def __init__(self, rng: Any, tape: Tape):
        self._rng, self._tape = rng, tape

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._rng, name)
        if not callable(found):
            return found

        def method(*args: Any, **keywords: Any) -> Any:
            y = self._tape.call(found, args, keywords, name)
            if isinstance(y, (bool, int, float)):
                self._tape.spoil(f"{name}() draws a number of Python's, which is not recorded")
            return y

        return method


def bare(x: Any) -> Any:
    """Arguments with the real arrays in place of what stands for them."""
    from .array import Recorded

    kind = type(x)
    if kind is Recorded:
        return x.held
    if kind is tuple or kind is list:
        return kind([bare(v) for v in x])
    if kind is dict:
        return {k: bare(v) for k, v in x.items()}
    return int(x) if kind is Drawn else x


__all__ = ["Call", "Drawing", "Drawn", "Place", "Tape", "as_one", "bare", "running"]
