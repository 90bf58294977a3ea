"""A training step as CUDA graphs: its arguments in memory that stays, its results copied out, and why it could not be captured."""

import contextlib
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .autograd import Tensor
from .autograd.tensor import raw, wrap
from .backend import device_of, is_array
from .backend.arrays import namespace
from .backend.cuda.graph import Capture, restore
from .backend.cuda.sheet import Rehearsal
from .backend.recording.beside import Changed, Uncapturable, written_to

HERE = str(Path(__file__).parent)


def mapped(f: Callable, x: Any) -> Any:
    """``f`` of each value in tuples, lists and dicts."""
    if type(x) in (tuple, list):
        return type(x)([mapped(f, v) for v in x])
    return {k: mapped(f, v) for k, v in x.items()} if type(x) is dict else f(x)


def namespace_of(args: tuple, tensors: list[Tensor]) -> Any:
    """The namespace of a step's arrays that are not on the CPU."""
    arrays = [raw(a) for a in (*args, *tensors)]
    return namespace(next(type(a) for a in arrays if is_array(a) and device_of(a).type != "cpu"))


def rehearsed(step: Callable, args: tuple, tensors: list[Tensor]) -> Any:
    """``step(*args)``, and what it will be captured with is compiled."""
    with written_to(Rehearsal(namespace_of(args, tensors))):
        return step(*args)


class Stale:
    """Stands for a gradient of the step before while a step is captured."""

    node = None

    def __getattr__(self, name: str) -> Any:
        raise Uncapturable("it uses gradients of the step before; call optimizer.zero_grad() inside the step")


class Belongings:
    """What a step refers to in dicts and lists, globals and closures. What it puts there while it is captured has not been computed, and so
    all of it is put back."""

    def __init__(self, boxes: list[Any], names: list[tuple[dict, str]], cells: list[Any]):
        self.boxes = [(box, box.copy()) for box in boxes]
        self.names = [(room, name, room[name]) for room, name in names]
        self.cells = [(cell, cell.cell_contents) for cell in cells]

    def check(self) -> None:
        """Raise Uncapturable if a tensor was put in the place of another."""
        pairs = [(box.get(k), v) for box, old in self.boxes if type(box) is dict for k, v in old.items()]
        pairs += [(room.get(name), v) for room, name, v in self.names] + [(cell.cell_contents, v) for cell, v in self.cells]
        for now, v in pairs:
            if now is not v and (isinstance(v, Tensor) or is_array(v)):
                raise Uncapturable(f"it keeps a tensor of shape {v.shape} for the next step; let it return it, and pass it as an argument")

    def put_back(self) -> None:
        """Let everything refer to what it did."""
        for box, old in self.boxes:
            restore(box, old)
        for room, name, v in self.names:
            room[name] = v
        for cell, v in self.cells:
            cell.cell_contents = v


class Launched:
    """A captured step: ``run(*arrays)`` does what the step does with arguments of the same kinds.

    What the graphs use lies where it lay: the arrays of ``tensors``, copies of the arguments, gradients. ``kept`` are other arrays that the
    step refers to. All of it lives as long as this.

    Raises:
        Uncapturable: the step cannot be captured; it has changed nothing. So with whatever else its functions raise.
    """

    def __init__(self, step: Callable, args: tuple, tensors: list[Tensor], kept: list[Any], belongings: Belongings):
        self.kept, self.inputs = kept, []  # type: ignore[var-annotated]
        self.places = [(t, t.data) for t in tensors]
        if any(is_array(raw(a)) and device_of(raw(a)).type == "cpu" for a in args):
            raise Uncapturable("an argument is on the CPU; send it to the device of the others before")
        self.capture = Capture(namespace_of(args, tensors))
        held = [self._held(a) for a in args]
        watches = [t.node.watch for t in tensors if t.node is not None and t.node.op is None and t.node.watch is not None]
        old = [w.grad for w in watches]
        for w in watches:
            w.grad = None if w.grad is None else Stale()
        try:
            with self.capture.captured():
                self.returned = mapped(raw, step(*held))
            self.gradients = [(w, w.grad) for w in watches if type(w.grad) is not Stale]
            belongings.check()
            moved = next((t for t, a in self.places if t.data is not a), None)
            if moved is not None:
                raise Uncapturable(f"it gives a tensor of shape {moved.shape} another array; write into it, with t.data[...] = ...")
        finally:
            belongings.put_back()
            for t, a in self.places:
                if t.data is not a:
                    t.data = a
            for w, g in zip(watches, old, strict=True):
                w.grad = g
        self.source = f"# {self.capture!r}"

    def _held(self, a: Any) -> Any:
        """An argument in memory that stays."""
        if not is_array(raw(a)):
            return a
        self.inputs.append(raw(a).copy())
        return wrap(self.inputs[-1], None) if isinstance(a, Tensor) else self.inputs[-1]

    def run(self, *arrays: Any) -> Any:
        """Do the step; returns copies of its results.

        Raises:
            Changed: it would do something else now than when it was captured; it has changed nothing.
        """
        for t, a in self.places:
            if t.data is not a:
                raise Changed(f"a tensor of shape {t.shape} has another array than when it was captured")
        self.capture.follow()
        for held, a in zip(self.inputs, arrays, strict=True):
            held[...] = a
        before = [w.grad for w, _ in self.gradients]
        for w, g in self.gradients:
            w.grad = g
        try:
            self.capture.launch()
        except Changed:
            for (w, _), g in zip(self.gradients, before, strict=True):
                w.grad = g
            raise
        return mapped(lambda y: y.copy() if is_array(y) else y, self.returned)


def reason(error: Exception) -> str:
    """Why a step could not be captured: the op, the line outside of minigrad, and what the error says."""
    frames = list(traceback.walk_tb(error.__traceback__))
    op = next((found for frame, _ in reversed(frames) if (found := _op(frame.f_locals))), "")
    lines = [(f.f_code.co_filename, n) for f, n in reversed(frames)]
    line = next((f"{Path(name).name}:{n}" for name, n in lines if not name.startswith(HERE) and name != contextlib.__file__), "")
    what = str(error) if isinstance(error, Uncapturable) else f"{type(error).__name__}: {error}"
    return f"{f'{op} ' if op else ''}{f'at {line}' if line else ''}{': ' if op or line else ''}{what}"


def _op(names: dict[str, Any]) -> str:
    """The name of the op that a frame carries out."""
    found = names.get("op") or getattr(names.get("node"), "op", None)
    return getattr(found, "name", "") if hasattr(found, "kernels") else ""


__all__ = ["Belongings", "Launched", "mapped", "reason", "rehearsed"]
