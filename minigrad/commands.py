"""What the command line does with a user's file: draw a graph, list the layers of a model, measure a step."""

import importlib.util
import runpy
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import minigrad as mg
from minigrad import Tensor, debug, nn, viz
from minigrad.debug.flow import freed
from minigrad.debug.snapshot import tensors
from minigrad.errors import MinigradError


class CommandError(MinigradError, ValueError):
    """What was asked for on the command line is not there, or is of no use."""


def called(text: str, f: Callable, *args: Any) -> Any:
    """What the user's code gives, which sees no arguments of this command's.

    Raises:
        CommandError: it raises; the message has that part of the traceback which is the user's.
    """
    argv, sys.argv = sys.argv, [text.rpartition(":")[0]]
    try:
        return f(*args)
    except Exception as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_globals.get("__name__", "").startswith(("minigrad.", "runpy", "importlib")):
            trace = trace.tb_next
        raise CommandError(f"{text} raises\n{''.join(traceback.format_exception(error.with_traceback(trace)))}".rstrip()) from None
    finally:
        sys.argv = argv


def target(text: str) -> Any:
    """What ``FILE.py:name`` or ``package.module:name`` names; the file runs, but not what it does as a script.

    Raises:
        CommandError: no such file, module or name.
    """
    place, _, name = text.rpartition(":")
    if not place or not name:
        raise CommandError(f"expected FILE.py:name, got {text!r}")
    if place.endswith(".py"):
        path = Path(place)
        if not path.is_file():
            raise CommandError(f"there is no file {place}")
        sys.path.insert(0, str(path.resolve().parent))  # as when it is run
        space = called(text, lambda: runpy.run_path(str(path), run_name=path.stem))
    else:
        sys.path.insert(0, "")
        try:
            there = importlib.util.find_spec(place)
        except ModuleNotFoundError:  # of a package that it would be in
            there = None
        if there is None:
            raise CommandError(f"there is no module {place!r}")
        space = vars(called(text, importlib.import_module, place))
    if name not in space:
        near = [k for k, v in space.items() if not k.startswith("_") and callable(v)]
        raise CommandError(f"{place} has no {name!r}; it has {', '.join(near[-12:]) or 'no functions'}")
    return space[name]


def made(text: str) -> Any:
    """The Module or Tensor of that name, or what the class or function gives without arguments."""
    found = target(text)
    if isinstance(found, (nn.Module, Tensor)):
        return found
    if not callable(found):
        raise CommandError(f"expected a function without arguments, or a Module, got {type(found).__name__}")
    return called(text, found)


def shapes(texts: Sequence[str]) -> list[tuple[int, ...]]:
    """``8,3,32,32`` as a shape, each."""
    try:
        return [tuple([int(n) for n in text.split(",")]) for text in texts]
    except ValueError:
        raise CommandError(f"--shape: expected numbers between commas, as 8,3,32,32; got {' '.join(texts)}") from None


def computed(text: str, given: Sequence[str]) -> list[Tensor]:
    """What there is to draw: what the function returns, or what a model makes of numbers drawn in the shapes given."""
    found = made(text)
    if isinstance(found, nn.Module):
        if not given:
            raise CommandError("a Module needs the shapes of its inputs: --shape 8,3,32,32")
        found = called(text, found, *[mg.random.normal(size=s) for s in shapes(given)])
    outputs = [t for t in tensors(found) if isinstance(t, Tensor) and t.requires_grad]
    if not outputs:
        raise CommandError(f"{type(found).__name__} came back, with no Tensor in it that requires grad; return the loss")
    return outputs


def graph(text: str, out: str, mode: str, given: Sequence[str]) -> str:
    """Draw what a function returns; what is said of it."""
    with viz.trace(values=True, time=True):
        outputs = computed(text, given)
        for t in outputs:  # so that gradients can be seen
            if not freed(t):  # by a backward() of the function's own
                t.backward(mg.ones_like(t), retain_graph=True)
        drawn = viz.graph(outputs, mode=mode)
    return f"{drawn!r}\nwritten to {drawn.save(out).resolve()}"


def summary(text: str, given: Sequence[str], depth: int | None) -> str:
    """The table of a model's layers."""
    model, sizes = made(text), shapes(given)
    if not isinstance(model, nn.Module):
        raise CommandError(f"expected a Module, or a function that returns one, got {type(model).__name__}")
    return str(called(text, lambda: nn.summary(model, *sizes, depth=depth)))


def profile(text: str, steps: int, out: str | None) -> str:
    """Where the time of a step goes; ``out`` gets the events, for a viewer."""
    step = target(text)
    if not callable(step) or isinstance(step, (type, nn.Module)):
        raise CommandError(f"expected a function that does a step, got {type(step).__name__}")
    for _ in range(2):
        called(text, step)
    with debug.profile() as measured:
        for _ in range(steps):
            called(text, step)
    told = f"{steps} steps of {text}\n{measured}"
    return told if out is None else f"{told}\n\nwritten to {measured.save(out).resolve()}"
