"""What the command line does with a user's file: draw a graph, list the layers of a model, measure a step."""

import importlib
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import minigrad as mg
from minigrad import Tensor, debug, nn, viz
from minigrad.errors import MinigradError


class CommandError(MinigradError, ValueError):
    """What was asked for on the command line is not there, or is of no use."""


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
        space = runpy.run_path(str(path), run_name=path.stem)
    else:
        sys.path.insert(0, "")
        try:
            space = vars(importlib.import_module(place))
        except ModuleNotFoundError as error:
            raise CommandError(f"there is no module {place!r} ({error})") from None
    if name not in space:
        near = [k for k, v in space.items() if not k.startswith("_") and callable(v)]
        raise CommandError(f"{place} has no {name!r}; it has {', '.join(near[-12:]) or 'no functions'}")
    return space[name]


def model_of(found: Any) -> nn.Module:
    """A Module, or what a class or a function without arguments gives."""
    made = found if isinstance(found, nn.Module) else found()
    if not isinstance(made, nn.Module):
        raise CommandError(f"expected a Module, or a function that returns one, got {type(made).__name__}")
    return made


def shapes(texts: Sequence[str]) -> list[tuple[int, ...]]:
    """``8,3,32,32`` as a shape, each."""
    try:
        return [tuple([int(n) for n in text.split(",")]) for text in texts]
    except ValueError:
        raise CommandError(f"--shape: expected numbers between commas, as 8,3,32,32; got {' '.join(texts)}") from None


def tensors(x: Any) -> list[Tensor]:
    """The Tensors with a graph in what a function returned."""
    if isinstance(x, (tuple, list, dict)):
        return [t for v in (x.values() if isinstance(x, dict) else x) for t in tensors(v)]
    return [x] if isinstance(x, Tensor) and x.requires_grad else []


def computed(found: Any, given: Sequence[str]) -> list[Tensor]:
    """What there is to draw: what the function returns, or what a model makes of numbers drawn in the shapes given."""
    made = found if isinstance(found, nn.Module) else found()
    if isinstance(made, nn.Module):
        if not given:
            raise CommandError("a Module needs the shapes of its inputs: --shape 8,3,32,32")
        made = made(*[mg.random.normal(size=s) for s in shapes(given)])
    outputs = tensors(made)
    if not outputs:
        raise CommandError(f"{type(made).__name__} came back, with no Tensor in it that requires grad; return the loss")
    return outputs


def graph(text: str, out: str, mode: str, given: Sequence[str]) -> str:
    """Draw what a function returns; what is said of it."""
    found = target(text)
    with viz.trace(values=True, time=True):
        outputs = computed(found, given)
        for t in outputs:  # so that gradients can be seen
            t.backward(mg.ones_like(t), retain_graph=True)
        drawn = viz.graph(outputs, mode=mode)
    return f"{drawn!r}\nwritten to {drawn.save(out).resolve()}"


def summary(text: str, given: Sequence[str], depth: int | None) -> str:
    """The table of a model's layers."""
    return str(nn.summary(model_of(target(text)), *shapes(given), depth=depth))


def profile(text: str, steps: int, out: str | None) -> str:
    """Where the time of a step goes; ``out`` gets the events, for a viewer."""
    step = target(text)
    if not callable(step) or isinstance(step, type):
        raise CommandError(f"expected a function that does a step, got {type(step).__name__}")
    for _ in range(2):
        step()
    with debug.profile() as measured:
        for _ in range(steps):
            step()
    told = f"{steps} steps of {text}\n{measured}"
    return told if out is None else f"{told}\n\nwritten to {measured.save(out).resolve()}"
