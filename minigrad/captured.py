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
from .backend.recording.beside import Changed
from .backend.recording.program import places
from .errors import GraphError
from .launched import Belongings, Launched, mapped, reason, rehearsed
from .nn import Module

CALLS, CHANGES = 2, 4
"""On a GPU: how many calls there are before a step is captured, and how often it may be captured anew."""
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

    On a GPU the first two calls are as they are, and then the step is captured as CUDA graphs, in memory of their own. Learning rates, bias
    corrections, loss scales and keys of dropout are sent anew before each launch. Arguments must be on the GPU, and are copied; so are
    results, which may be kept; gradients lie where the next repetition writes its own. What cannot be captured (a value that is
    read, a copy from the host, other random numbers than dropout's) is named by a warning, and the step goes on being called. Captures
    are not compared with one another: numbers that the step counts by itself stay what they were.

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
    """A step that ``capture`` repeats.

    ``replays`` counts how often it was; ``source`` is the program that was run last, as Python, or a line about the graphs of a GPU.
    """

    def __init__(self, step: Callable):
        self.step, self.replays, self.source = step, 0, ""
        self._programs: dict[Any, Any] = {}
        """By what the arguments are; None: it cannot be repeated."""
        self._drafts: dict[Any, Program] = {}
        self._calls: dict[Any, int] = {}
        """On a GPU: how often the step was called as it is since it was another one."""
        self._changes: dict[Any, int] = {}
        self._scene = Scene(step)
        functools.update_wrapper(self, step)

    def __call__(self, *args: Any) -> Any:
        if running() is not None:  # another step is being recorded, of which this one is a part
            return self.step(*args)
        key = (tuple([_kind(a) for a in args]), is_grad_enabled(), surroundings(), self._scene.modes())
        if key not in self._programs:
            return self._record(key, args)
        return self.step(*args) if (found := self._programs[key]) is None else self._repeat(found, key, args)

    def _repeat(self, found: Any, key: Any, args: tuple) -> Any:
        self.replays += 1
        try:
            returned = found.run(*[a for a in map(raw, args) if is_array(a)])
        except Changed as change:  # of a GPU's graph, which is captured anew when there have been calls again
            self.replays -= 1
            del self._programs[key]
            self._calls[key], self._changes[key] = 1, self._changes.get(key, 0) + 1
            returned = self.step(*args)
            if self._changes[key] > CHANGES:
                self._leave(key, f"again and again it is another one than was captured: {change}")
            return returned
        self.source = found.source
        return _tensors(returned)

    def _launch(self, key: Any, args: tuple) -> Any:
        """On a GPU: calls as they are, in which kernels are compiled and state is made; then the step is captured as CUDA graphs."""
        self._calls[key] = self._calls.get(key, 0) + 1
        tensors, kept = (scene := self._scene).held()
        if self._calls[key] <= CALLS:
            return self.step(*args) if self._calls[key] < CALLS else rehearsed(self.step, args, tensors)
        try:
            found = self._programs[key] = Launched(self.step, args, tensors, kept, Belongings(scene.boxes, scene.names, scene.cells))
        except Exception as error:
            returned = self.step(*args)  # which tells what is wrong, if it is the step's own fault
            self._leave(key, reason(error), 5)
            return returned
        return self._repeat(found, key, args)

    def _record(self, key: Any, args: tuple) -> Any:
        self._scene = Scene(self.step)
        key = (*key[:-1], self._scene.modes())
        if self._scene.elsewhere(args):
            return self._launch(key, args)
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

    def _leave(self, key: Any, why: str, depth: int = 4) -> None:
        """Call the step as it is from now on, and say why; ``depth``: how far away the caller is."""
        self._programs[key] = None
        self._drafts.pop(key, None)
        name = getattr(self.step, "__qualname__", "step")
        warnings.warn(f"capture: {name} is called as it is, and not repeated from a recording: {why}", RuntimeWarning, stacklevel=depth)


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


def _arrays(x: Any) -> Any:
    return mapped(raw, x)


def _held(x: Any) -> Any:
    return mapped(lambda a: a.held if isinstance(a, Recorded) else a, x)


def _tensors(x: Any) -> Any:
    return mapped(lambda a: wrap(settled(a), None) if isinstance(a, np.generic) or is_array(a) else a, x)


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
        self.arrays: list[Any] = []
        self.boxes: list[Any] = []
        """Dicts and lists, those of objects too; and the names of globals, as pairs of a dict and a name."""
        self.names: list[tuple[dict, str]] = []
        self.cells: list[Any] = []
        self._seen: dict[int, Any] = {}
        self._gradients: dict[int, Any] = {}
        self._visit(step, 0)
        self._seen.clear()

    def elsewhere(self, args: tuple) -> bool:
        """Whether an argument or a Tensor is not on the CPU."""
        arrays = [raw(a) for a in (*args, *self.tensors.values())]
        return any(is_array(a) and device_of(a).type != "cpu" for a in arrays)

    def held(self) -> tuple[list[Tensor], list[Any]]:
        """The Tensors, and the arrays that are found besides."""
        own = [raw(v) for m in self.modules.values() for v in vars(m).values()]
        return list(self.tensors.values()), [*self.arrays, *filter(is_array, own)]

    def modes(self) -> tuple:
        """Training mode of each module, and which Tensors require a gradient; not those that were computed, as steps may collect losses."""
        leaves = [k for k, t in self.tensors.items() if t.node is not None and t.node.op is None]
        return tuple([m.training for m in self.modules.values()]), tuple(leaves)

    def _visit(self, x: Any, depth: int) -> None:
        if id(x) in self._seen or depth > 8 or x is None or isinstance(x, _LEAVES):
            return
        self._seen[id(x)] = x
        if isinstance(x, Captured):
            self._visit(x.step, depth + 1)
        elif isinstance(x, Tensor):
            self.tensors[id(x)] = x
        elif is_array(x):
            self.arrays.append(x)
        elif isinstance(x, Module):
            self.modules |= {id(m): m for m in x.modules()}
            self.boxes += map(vars, x.modules())
            self.tensors |= {id(t): t for t in (*x.parameters(), *x.buffers())}
        elif isinstance(x, types.MethodType):
            self._visit(x.__self__, depth + 1)
            self._visit(x.__func__, depth + 1)
        elif isinstance(x, types.FunctionType):
            cells = [c for c in x.__closure__ or () if _is_full(c)]
            for v in (*[c.cell_contents for c in cells], *(x.__defaults__ or ())):
                self._visit(v, depth + 1)
            names = [(x.__globals__, name) for name in _names(x.__code__) if name in x.__globals__]
            for room, name in names:
                self._visit(room[name], depth + 1)
            self.cells += cells
            self.names += names
        elif isinstance(x, functools.partial):
            for v in (x.func, *x.args, *x.keywords.values()):
                self._visit(v, depth + 1)
        elif isinstance(x, (tuple, list, set, frozenset, dict)):
            if type(x) in (dict, list):
                self.boxes.append(x)
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
