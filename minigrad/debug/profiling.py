"""Where the time of a step goes: by op and module, on the way there and on the way back."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..backend.arrays import holder
from ..nn.summary import in_bytes, table
from ..optim import Optimizer
from ..viz.listening import NOBODY, Call, Event, here
from .observer import Observer, arrays, label, outputs

MOST = 30
"""Rows of a table."""


@dataclass
class Row:
    """One op in one module, there ("forward"), back ("backward") or in the optimizer ("step"); or a module's calls ("module").

    ``seconds`` are its own; ``total`` counts what ran inside of it, too. ``bytes`` are those of what it computed.
    """

    name: str
    modules: tuple[str, ...]
    """The one that it ran in, and those around it."""
    way: str
    calls: int = 0
    seconds: float = 0.0
    total: float = 0.0
    bytes: int = 0

    @property
    def module(self) -> str:
        """The module that it ran in."""
        return self.modules[0] if self.modules else ""


class profile(Observer):
    """Within the block, measure each op of this thread: how long its kernel took, and on the way back its rules; how much it computed.

    What is between the ops, Python's own part, is ``elapsed`` less the sum of the rows; measuring adds some microseconds an op to that.
    A GPU is waited for after each kernel, so that the sum is more than a step takes without. A captured step is one program, of which
    few parts are seen. With nobody measuring it costs nothing.

    Example:
        >>> import minigrad as mg
        >>> net = mg.nn.Sequential(mg.nn.Linear(8, 8), mg.nn.ReLU())
        >>> with mg.debug.profile() as measured:
        ...     net(mg.ones((4, 8))).sum().backward()
        >>> [(r.name, r.module, r.calls) for r in measured.rows("forward") if r.name == "relu"]
        [('relu', '1 (ReLU)', 1)]
        >>> str(measured).startswith("profile: ")
        True
    """

    def __init__(self) -> None:
        super().__init__()
        self.elapsed = 0.0
        self.events: list[tuple[str, tuple, str, float, float, int]] = []  # name, modules, way, start, seconds, bytes
        self._calls: list[tuple[float, int]] = []
        self._in_step = False

    def __enter__(self) -> "profile":
        super().__enter__()
        self.swap(Optimizer, "step", self._stepping)
        self._start = time.perf_counter()
        return self

    def __exit__(self, *error: Any) -> None:
        self.elapsed += time.perf_counter() - self._start
        super().__exit__(*error)

    def _stepping(self, original: Callable) -> Callable:
        def step(optimizer: Any, *args: Any, **kwargs: Any) -> Any:
            start, self._in_step = time.perf_counter(), True
            try:
                return original(optimizer, *args, **kwargs)
            finally:
                self._in_step = False
                self._note(f"{type(optimizer).__name__}.step", "step", start, -1)

        return step

    def _note(self, name: str, way: str, start: float, call: int, seconds: float | None = None, size: int = 0) -> None:
        modules = []
        while (found := self.calls.get(call)) is not None:
            modules.append(label(found))
            call = found.parent
        self.events.append((name, tuple(modules), way, start, time.perf_counter() - start if seconds is None else seconds, size))

    # -- what is heard
    def ran(self, event: Event, args: tuple, y: Any) -> None:
        given = {id(holder(a)) for a in arrays(args)}
        size = sum([a.nbytes for a in outputs(y) if id(holder(a)) not in given])  # of views none
        self._note(event.name, "step" if self._in_step else "forward", event.start, event.call, event.seconds, size)

    def passed(self, event: Event) -> None:
        self._note(event.name, "backward", event.start, self.births.get(event.order, NOBODY)[0], event.seconds)

    def entered(self, call: Call) -> None:
        self._calls.append((time.perf_counter(), here()[0]))

    def left(self, call: Call) -> None:
        if self._calls:  # else it was entered before the block was
            self._note(label(call), "module", *self._calls.pop())

    # -- what came of it
    def rows(self, way: str | None = None) -> list[Row]:
        """What was measured, the longest first: all, or of one way."""
        found: dict[tuple, Row] = {}
        open: list[tuple[float, Row]] = []  # events that the next may lie in
        for name, modules, kind, start, seconds, size in sorted(self.events, key=lambda e: (e[3], -e[4])):
            row = found.setdefault((name, modules, kind), Row(name, modules, kind))
            while open and start >= open[-1][0]:
                open.pop()
            if open:
                open[-1][1].seconds -= seconds
            row.calls += 1
            row.bytes += size
            row.seconds += seconds
            row.total += 0 if any(r is row for _, r in open) else seconds
            open.append((start + seconds, row))
        return sorted([r for r in found.values() if way in (None, r.way)], key=lambda r: -r.seconds)

    def __str__(self) -> str:
        rows = self.rows()
        ways = {way: sum(r.seconds for r in rows if r.way == way) for way in ("forward", "backward", "step")}
        head = f"profile: {_ms(self.elapsed)}: " + ", ".join([f"{way} {_ms(s)}" for way, s in ways.items()])
        ops: dict[str, list] = {}
        for r in rows:
            if r.way != "module" and r.name not in ("leaf", "output"):
                sums = ops.setdefault(r.name, [0, 0.0, 0.0, 0.0, 0])
                sums[0] += r.calls if r.way != "backward" else 0
                sums[("forward", "backward", "step").index(r.way) + 1] += r.seconds
                sums[4] += r.bytes
        lines = [(op, str(n), *map(_ms, (there, back, step, there + back + step)), in_bytes(size))
                 for op, (n, there, back, step, size) in sorted(ops.items(), key=lambda item: -sum(item[1][1:4]))]  # fmt: skip
        calls = []
        for r in sorted([r for r in rows if r.way == "module"], key=lambda r: -r.total):
            inside = [o for o in rows if o.way in ("forward", "backward") and r.name in o.modules]
            back = sum(o.seconds for o in inside if o.way == "backward")
            calls.append((r.name, str(r.calls), _ms(r.seconds), _ms(r.total), _ms(back), in_bytes(sum(o.bytes for o in inside))))
        return "\n\n".join(
            [
                f"{head}, between ops {_ms(self.elapsed - sum(ways.values()))}",
                table(("op", "calls", "forward", "backward", "step", "all", "computed"), lines[:MOST]),
                table(("module", "calls", "its own", "forward", "backward", "computed"), calls[:MOST]),
            ][: 3 if calls else 2]
        )

    def to_chrome(self) -> dict[str, Any]:
        """The events as Chrome's tracing (chrome://tracing, Perfetto) reads them."""
        made = [
            {"name": name, "cat": way, "ph": "X", "ts": (start - self._start) * 1e6, "dur": seconds * 1e6, "pid": os.getpid(), "tid": 0,
             "args": {"module": modules[0] if modules else "", "bytes": size}}
            for name, modules, way, start, seconds, size in self.events
        ]  # fmt: skip
        return {"traceEvents": sorted(made, key=lambda e: e["ts"]), "displayTimeUnit": "ms"}

    def save(self, path: str | os.PathLike) -> Path:
        """Write ``to_chrome()`` to a file as JSON; returns its path."""
        path = Path(path)
        path.write_text(json.dumps(self.to_chrome()))
        return path


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.2f} ms"
