"""Training steps that are recorded once and then repeated without Python's part in them."""

import dis
import functools
import itertools
import types
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import numpy as np

from .autograd import Tensor, is_grad_enabled
from .autograd.arguments import settled
from .autograd.mode import surroundings
from .autograd.tensor import raw, wrap
from .backend import device_of, is_array
from .backend.recording import Program, Recorded, Tape, program, register, running
from .backend.recording.program import places
from .errors import GraphError
from .nn import Module

register()


def capture(step: Callable) -> "Captured":
    """The same step, recorded in its first two calls and repeated from then on: no graph, no checks, one kernel after the other.

    The results are the same to the last bit. What is repeated are the computations on arrays, the steps of optimizers and schedules,
    and what dropout draws. Every other thing that the step does, such as printing, counting, or appending to a list, it does only
    while it is recorded.
    Two recordings are compared. Where they differ, as after a branch on a value or with random numbers of NumPy's, nothing is
    repeated: the step goes on being called, after a warning that says why.

    Args:
        step: a function of arrays, Tensors that need no gradient, and settings that can be hashed. It clears the gradients itself
            (``optimizer.zero_grad()``) if it computes any, and returns Tensors, or tuples, lists or dicts of them, without a graph.

    For each combination of shapes, dtypes and settings of the arguments, of training mode, of autocasting and of parameters that require a
    gradient there is a recording of its own. What the step changes by other means must not change after it was recorded. While it is
    recorded, nothing that it computes is freed before its end.

    Example:
        >>> import minigrad as mg
        >>> model = mg.nn.Linear(2, 1)
        >>> optimizer = mg.optim.SGD(model.parameters(), lr=0.1)
        >>> @mg.capture
        ... def step(x, y):
        ...     optimizer.zero_grad()
        ...     loss = ((model(x) - y) ** 2).mean()
        ...     loss.backward()
        ...     optimizer.step()
        ...     return loss
        >>> x, y = mg.ones((4, 2)), mg.zeros((4, 1))
        >>> losses = [step(x, y).item() for _ in range(5)]
        >>> losses == sorted(losses, reverse=True), step.replays
        (True, 3)
        >>> print(step.source.splitlines()[0])
        def step(v0, v1):
    """
    return Captured(step)


class Captured:
    """A step that ``capture`` repeats. ``replays`` counts how often it was; ``source`` is the program that was run last, as Python."""

    def __init__(self, step: Callable):
        self.step, self.replays, self.source = step, 0, ""
        self._programs: dict[Any, Program | None] = {}
        """By what the arguments are; None: it cannot be repeated."""
        self._drafts: dict[Any, Program] = {}
        self._scene = Scene(step)
        functools.update_wrapper(self, step)

    def __call__(self, *args: Any) -> Any:
        if running() is not None:  # another step is being recorded, of which this one is a part
            return self.step(*args)
        key = (tuple([_kind(a) for a in args]), is_grad_enabled(), surroundings(), self._scene.modes())
        if key not in self._programs:
            return self._record(key, args)
        found = self._programs[key]
        if found is None:
            return self.step(*args)
        self.replays += 1
        self.source = found.source
        return _tensors(found.run(*[raw(a) for a in args if isinstance(a, (Tensor, np.ndarray))]))

    def _record(self, key: Any, args: tuple) -> Any:
        self._scene = Scene(self.step)
        key = (*key[:-1], self._scene.modes())
        if place := self._scene.elsewhere(args):
            self._leave(key, f"it computes on {place}, and what is recorded so far are the CPU's kernels")
            return self.step(*args)
        tape = Tape()
        with self._scene.recorded(tape):
            given = [_stand_in(tape, a) for a in args]
            with tape.running():
                returned = self.step(*given)
            self._scene.note_gradients(tape)
            returned = _arrays(returned)
            made = None if tape.flaw else program(tape, returned, "step")
        if made is not None and key in self._drafts:
            tape.spoil(_difference(self._drafts[key], made))
        if tape.flaw:
            self._leave(key, tape.flaw)
        elif key in self._drafts:
            self._programs[key] = made
            del self._drafts[key]
        elif made is not None:
            self._drafts[key] = made
        return _tensors(_held(returned))

    def _leave(self, key: Any, why: str) -> None:
        """Call the step as it is from now on."""
        self._programs[key] = None
        self._drafts.pop(key, None)
        name = getattr(self.step, "__qualname__", "step")
        warnings.warn(f"capture: {name} is called as it is, and not repeated from a recording: {why}", RuntimeWarning, stacklevel=4)


def _kind(a: Any) -> Any:
    """What of an argument a recording depends on.

    Raises:
        GraphError: it is a Tensor that is part of a graph.
    """
    if isinstance(a, Tensor):
        if a.node is not None:
            raise GraphError("capture: an argument requires a gradient; pass data, and let the step use the parameters by itself")
        return Tensor, type(a.data), a.data.shape, a.data.dtype
    return (type(a), a.shape, a.dtype) if is_array(a) else a


def _stand_in(tape: Tape, a: Any) -> Any:
    if isinstance(a, Tensor):
        return wrap(tape.input(a.data), None)
    return tape.input(a) if isinstance(a, np.ndarray) else a


def _mapped(f: Callable, x: Any) -> Any:
    if type(x) in (tuple, list):
        return type(x)([_mapped(f, v) for v in x])
    return {k: _mapped(f, v) for k, v in x.items()} if type(x) is dict else f(x)


def _arrays(x: Any) -> Any:
    return _mapped(raw, x)


def _held(x: Any) -> Any:
    return _mapped(lambda a: a.held if isinstance(a, Recorded) else a, x)


def _tensors(x: Any) -> Any:
    return _mapped(lambda a: wrap(settled(a), None) if isinstance(a, (np.ndarray, np.generic)) else a, x)


def _difference(one: Program, other: Program) -> str:
    """Why two recordings of one step are not the same; nothing if they are."""
    if one.source != other.source:
        pairs = itertools.zip_longest(one.source.splitlines(), other.source.splitlines(), fillvalue="nothing more")
        first, then = next((a.strip(), b.strip()) for a, b in pairs if a != b)
        return f"it did {first!r} the first time and {then!r} the second"
    for name, a in one.constants.items():
        if not _same(a, other.constants[name]):
            line = next((line.strip() for line in one.source.splitlines() if name in line), name)
            return f"{name} in {line!r} was {_shown(a)} and then {_shown(other.constants[name])}"
    return ""


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, (np.ndarray, np.generic)) and isinstance(b, (np.ndarray, np.generic)):
        return a is b or (a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind in "fc"))
    return a is b or (type(a) is type(b) and bool(a == b))


def _shown(a: Any) -> str:
    return f"an array with other values {list(a.shape)}" if isinstance(a, np.ndarray) and a.size > 4 else repr(a)


# -- what a step changes ----------------------------------------------------------------------------------------------
class _Data:
    """Fetches the array of a Tensor."""

    def __init__(self, tensor: Tensor):
        self.tensor = tensor

    def __call__(self) -> Any:
        return self.tensor.data

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Data) and self.tensor is other.tensor

    def __hash__(self) -> int:
        return id(self.tensor)

    def __repr__(self) -> str:
        return f"the array of a tensor at {id(self.tensor):#x}, {self.tensor.shape}"


class _Gradient(_Data):
    """Sets the gradient of a Tensor."""

    __name__ = "gradient"

    def __call__(self, g: Any = None) -> Any:
        self.tensor.node.watch.grad = None if g is None else wrap(g, None)  # type: ignore[union-attr]


_LEAVES = (type, types.ModuleType, int, float, str, bytes, np.ndarray)
"""What refers to nothing that a step changes."""


class Scene:
    """The modules and Tensors that a function refers to, by its closure, its defaults, its object, the globals that it names."""

    def __init__(self, step: Callable):
        self.tensors: dict[int, Tensor] = {}
        self.modules: dict[int, Module] = {}
        self._seen: dict[int, Any] = {}
        self._gradients: dict[int, Any] = {}
        self._visit(step, 0)
        self._seen.clear()

    def elsewhere(self, args: tuple) -> str:
        """The device of an argument or of a Tensor that is not on the CPU; nothing if all are."""
        arrays = [raw(a) for a in (*args, *self.tensors.values())]
        return next((str(place) for a in arrays if is_array(a) and (place := device_of(a)).type != "cpu"), "")

    def modes(self) -> tuple:
        """Training mode of each module, and whether each Tensor requires a gradient."""
        return tuple([m.training for m in self.modules.values()]), tuple([t.node is None for t in self.tensors.values()])

    def _visit(self, x: Any, depth: int) -> None:
        if id(x) in self._seen or depth > 8 or x is None or isinstance(x, _LEAVES):
            return
        self._seen[id(x)] = x
        if isinstance(x, Captured):
            self._visit(x.step, depth + 1)
        elif isinstance(x, Tensor):
            self.tensors[id(x)] = x
        elif isinstance(x, Module):
            self.modules |= {id(m): m for m in x.modules()}
            self.tensors |= {id(t): t for t in (*x.parameters(), *x.buffers())}
        elif isinstance(x, types.MethodType):
            self._visit(x.__self__, depth + 1)
            self._visit(x.__func__, depth + 1)
        elif isinstance(x, types.FunctionType):
            for v in (*(c.cell_contents for c in x.__closure__ or () if _is_full(c)), *(x.__defaults__ or ())):
                self._visit(v, depth + 1)
            for name in _names(x.__code__):
                self._visit(x.__globals__.get(name), depth + 1)
        elif isinstance(x, functools.partial):
            for v in (x.func, *x.args, *x.keywords.values()):
                self._visit(v, depth + 1)
        elif isinstance(x, (tuple, list, set, frozenset, dict)):
            for v in x.values() if isinstance(x, dict) else x:
                self._visit(v, depth + 1)
        elif hasattr(x, "__dict__"):
            self._visit(vars(x), depth + 1)

    @contextmanager
    def recorded(self, tape: Tape) -> Any:
        """A context in which the Tensors hold stand-ins."""
        old = {}
        for k, t in self.tensors.items():
            t.data = tape.input(t.data, _Data(t))
            if t.node is not None and t.node.op is None and t.grad is not None:
                old[k] = t.grad.data = tape.stand_in(t.grad.data)
        self._gradients = {k: t.grad for k, t in self.tensors.items()}
        before = {stand_in.place.number for stand_in in old.values()}
        tape.beside = functools.partial(self._beside, tape)
        try:
            yield
        finally:
            self._put_back()
        if before and any(before.intersection(places([c.args, c.keywords])) for c in tape.calls):
            tape.spoil("it adds to gradients of the step before; call optimizer.zero_grad() inside the step")

    def _put_back(self) -> None:
        for t in self.tensors.values():
            t.data = _held(t.data)
            if t.node is not None and t.grad is not None:
                t.grad.data = _held(t.grad.data)

    def note_gradients(self, tape: Tape) -> None:
        """Note the gradients that are other ones than when they were last noted."""
        with tape.running():
            for k, t in self.tensors.items():
                if t.node is not None and t.node.op is None and t.grad is not self._gradients[k]:
                    tape.note("gradient", _Gradient(t), () if t.grad is None else (t.grad.data,), {}, None)
                    self._gradients[k] = t.grad

    def _beside(self, tape: Tape, f: Callable, *args: Any) -> Any:
        """Run the step of an optimizer or of a schedule, on the real arrays."""
        if args:
            tape.spoil(f"{f.__qualname__} was given {', '.join(type(a).__name__ for a in args)}, which is not recorded")
        self.note_gradients(tape)
        self._put_back()
        with tape.resting():
            returned = f(*args)
        for t in self.tensors.values():
            if t.data is not _held(tape.stand_in(t.data)):
                tape.spoil(f"{f.__qualname__} gave a parameter another array")
            t.data = tape.stand_in(t.data)
            if t.node is not None and t.grad is not None:
                t.grad.data = tape.stand_in(t.grad.data)
        tape.note(f.__name__, f, (), {}, None)
        return returned


def _names(code: types.CodeType) -> set[str]:
    """The names of globals in a piece of code and in the functions that it defines."""
    own = {i.argval for i in dis.get_instructions(code) if i.opname == "LOAD_GLOBAL"}
    return own.union(*[_names(c) for c in code.co_consts if isinstance(c, types.CodeType)])


def _is_full(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


__all__ = ["Captured", "capture"]
