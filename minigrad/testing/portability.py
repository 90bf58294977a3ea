"""Whether a model will run on a GPU as it does on the CPU: tried on the strict double of one, where there is none."""

import copy
import functools
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any

import numpy as np

from .. import ops
from ..autograd import Tensor
from ..autograd import node as graph
from ..autograd.engine import propagate, toposort
from ..autograd.tensor import raw, wrap
from ..backend import is_inexact, to_device
from ..backend.random import Generator, drawing_from
from ..errors import DeviceError
from ..nn import Module
from .double import DoubleArray, put, register, watched
from .double.waiting import SENDING

KINDS = {
    "reads": "the host reads a value, for which it waits",
    "shape": "a shape depends on values, for which the host waits",
    "numpy": "NumPy is given an array of the device",
    "mixed": "arrays on different devices meet",
    "widens": "a dtype grows wider",
    "missing": "CuPy has no such function, or not with these arguments",
    "differs": "the numbers are others than NumPy's",
    "fails": "it raises an error",
    "sends": "something is copied from the host, which costs time in each step",
}
"""What can be found; the last is a remark and no fault."""
SHAPES = (
    "mask",
    "nonzero",
    "unique",
    "where",
    "argwhere",
    "compress",
    "extract",
    "delete",
    "bincount",
    "setdiff1d",
    "union1d",
    "intersect1d",
)
"""Words for what waits because it must know how many elements there will be."""
TOLERANCES = {2: 1e-2, 4: 1e-4, 8: 1e-9}
"""How far numbers may be off, relative to the largest of an array, by the bytes of a real one."""


@dataclass(frozen=True)
class Finding:
    """One thing that ``check_device`` found: its kind (of KINDS), what it was, in which module, at which line of source.

    Example:
        >>> from minigrad.testing.portability import Finding
        >>> print(Finding("reads", "float()", "head (Linear)", "model.py:7"))
        model.py:7: the host reads a value, for which it waits: float(), in head (Linear)
    """

    kind: str
    what: str
    module: str
    line: str

    def __str__(self) -> str:
        return f"{self.line or 'after the run'}: {KINDS[self.kind]}: {self.what}" + (f", in {self.module}" if self.module else "")


@dataclass
class DeviceReport:
    """What ``check_device`` found; ``ok`` if there is no fault among it. Its text has a line for each finding.

    Example:
        >>> from minigrad.testing.portability import DeviceReport
        >>> print(DeviceReport())
        check_device: forward and backward ran on the double of a GPU as on the CPU
    """

    findings: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing stands in the way of a GPU."""
        return all(f.kind == "sends" for f in self.findings)

    def note(self, kind: str, what: str, module: str, line: str) -> None:
        """Add a finding, unless it is there already."""
        if not any(f.kind == kind and f.line == line and (f.what == what or kind == "widens") for f in self.findings):
            self.findings.append(Finding(kind, what, module, line))

    def __str__(self) -> str:
        ran = (
            "check_device: forward and backward ran on the double of a GPU as on the CPU"
            if self.ok
            else "check_device: not ready for a GPU"
        )
        return "\n".join([ran, *[f"  {f}" for f in self.findings]])


def check_device(model: Callable, *example: Any) -> DeviceReport:
    """Run a model forward and backward on the CPU and on a strict double of a GPU, and say what would fail or wait there.

    The double needs no GPU. It has what CuPy has and no more: nothing becomes a NumPy array by itself, NumPy's scalars are refused as
    they widen dtypes, and each time the host would wait for the device is noted, with the line of source and the module.

    Args:
        model: a module, of which copies are run, in the mode it is in; or a function.
        example: what to call it with: Tensors and arrays, which are sent, lists and dicts of them; other values, such as lengths in a
            list, as they are.

    Returns:
        A DeviceReport: ``report.ok``, ``report.findings``; print it to read them. What raises an error ends the run, so that there may be
        more to find when it is mended.

    Gradients are those of the output if it is a single number, else of the sum of the squares of all floating outputs.

    Example:
        >>> import minigrad as mg
        >>> class Scaled(mg.nn.Module):
        ...     def forward(self, x):
        ...         return x / float(x.max())
        >>> report = mg.check_device(Scaled(), mg.ones((2, 3)))
        >>> report.ok, [f.kind for f in report.findings]
        (False, ['reads'])
        >>> mg.check_device(mg.nn.Linear(3, 2), mg.ones((4, 3))).ok
        True
    """
    register()
    report = DeviceReport()
    here, there = (_copied(model), example), (_copied(model), example)
    want = Run(*here, lambda a: a)
    want.go()
    _widening(report, want)
    if isinstance(there[0], Module):
        there[0].to(device="double")
    got = Run(*there, put)
    with watched(lambda what: report.note(_waiting(what), what, *got.spot(sys._getframe(1)))):
        try:
            got.go()
        except Exception as error:
            report.note(_failing(error), " ".join(str(error).split()), *got.spot_of(error))
            return report
    coarsest = min(want.coarsest(), got.coarsest())
    for name, a in want.results().items():
        if off := _difference(got.results().get(name), a, coarsest):
            report.note("differs", f"{name}: {off}", "", "")
    return report


# -- one run ----------------------------------------------------------------------------------------------------------
class Run:
    """A forward and a backward pass, and what is known of where in it one is."""

    def __init__(self, model: Any, example: tuple, place: Callable):
        self.model, self.outputs = model, []  # type: Any, list[Tensor]
        self.names: dict[int, str] = {}
        self.open: list[tuple[str, int]] = []
        self.calls: list[tuple[int, int, str]] = []
        self.failed = ""
        self.lines: dict[int, str] = {}
        modules = model.named_modules() if isinstance(model, Module) else ()
        for name, m in modules:
            kind = type(m).__name__
            self.names[id(m)] = f"{name} ({kind})" if name else kind
            m.register_forward_pre_hook(self._enter, prepend=True)
            m.register_forward_hook(self._leave, always_call=True)
        self.inputs = [_placed(x, place) for x in example]
        self.leaves = [t for t in _tensors(self.inputs) if is_inexact(t.dtype)]
        if not any(p.requires_grad for p in self._parameters().values()):
            for t in self.leaves:
                t.requires_grad_()

    def _parameters(self) -> dict[str, Tensor]:
        return dict(self.model.named_parameters()) if isinstance(self.model, Module) else {}

    def _enter(self, module: Module, args: tuple) -> None:
        self.open.append((self.names[id(module)], graph.birth()))

    def _leave(self, module: Module, args: tuple, y: Any) -> None:
        name, start = self.open.pop()
        if y is None and sys.exc_info()[0] is not None:
            self.failed = self.failed or name
        self.calls.append((start, graph.birth(), name))

    def go(self) -> None:
        """Forward and backward, with random draws that are the same each time."""
        with drawing_from(Generator(0)):
            with _sources(self.lines):
                returned = self.model(*self.inputs)
            self.outputs = [y for y in _tensors(returned) if is_inexact(y.dtype)]
            parts = [y for y in self.outputs if y.requires_grad]
            if len(self.outputs) == 1 and self.outputs[0].size == 1:
                parts = [ops.reshape(y, ()) for y in parts]
            else:
                parts = [ops.sum(ops.real(y * ops.conj(y)) if y.dtype.kind == "c" else y * y) for y in parts]
            if parts:
                functools.reduce(ops.add, parts).backward()

    def results(self) -> dict[str, Any]:
        """Outputs, gradients and buffers, as NumPy arrays."""
        found: dict[str, Any] = {f"output {i}": y for i, y in enumerate(self.outputs)}
        found |= {f"gradient of input {i}": t.grad for i, t in enumerate(self.leaves)}
        found |= {f"gradient of {name}": p.grad for name, p in self._parameters().items()}
        if isinstance(self.model, Module):
            found |= dict(self.model.named_buffers())
        return {k: to_device(raw(v), "cpu") for k, v in found.items() if v is not None}

    def coarsest(self) -> int:
        """The fewest bytes that a real number took on the way, as under autocast."""
        nodes = toposort([y.node for y in self.outputs if y.node is not None])
        return min([w for w in map(_width, nodes) if w > 1], default=8)

    # -- where one is
    def spot(self, frame: FrameType | None) -> tuple[str, str]:
        """The module and the line of source at work in a frame."""
        frames = []
        while frame is not None and frame.f_code is not MARK:
            frames.append((frame, frame.f_lineno))
            frame = frame.f_back
        return self._spot(frames)

    def spot_of(self, error: BaseException) -> tuple[str, str]:
        """The module and the line of source that an error came from."""
        frames, trace = [], error.__traceback__
        while trace is not None:
            frames.append((trace.tb_frame, trace.tb_lineno))
            trace = trace.tb_next
        start = next((i for i, (f, _) in enumerate(frames) if f.f_code is MARK), 0)
        return self._spot(frames[:start:-1])

    def _spot(self, frames: Iterable[tuple[FrameType, int]]) -> tuple[str, str]:
        """The innermost line outside of minigrad; in a backward pass that of the op; else the innermost that is not machinery."""
        user = inside = ""
        node = None
        for frame, number in frames:
            name, line = frame.f_globals.get("__name__", ""), f"{frame.f_code.co_filename}:{number}"
            if not name.startswith("minigrad."):
                user = user or line
            elif frame.f_code is propagate.__code__:
                node = frame.f_locals["node"]
            elif not name.startswith(MACHINERY):
                inside = inside or line
        module = self.module(None if node is None else node.order)
        return module, user or (inside if node is None else f"{self.lines.get(node.order) or inside} (backward of {node.name})")

    def module(self, order: float | None = None) -> str:
        """The innermost module that is running, or that made the node of this birth."""
        if order is None:
            return self.open[-1][0] if self.open else self.failed
        return max([(start, name) for start, end, name in self.calls if start < order < end], default=(0, ""))[1]


MARK: CodeType = Run.go.__code__
"""Frames outside of this one are not the model's."""
MACHINERY = ("minigrad.testing", "minigrad.autograd", "minigrad.backend")


@contextmanager
def _sources(lines: dict[int, str]) -> Iterator[None]:
    """Note in ``lines`` from which line of source each node comes. Not in backward, where that would look for NaN, by reading values."""
    already = graph.sources
    if already is None:
        graph.trace_sources(True)
    try:
        yield
    finally:
        lines.update(graph.sources or {})
        if already is None:
            graph.trace_sources(False)


def _copied(model: Any) -> Any:
    return copy.deepcopy(model) if isinstance(model, Module) else model


def _placed(x: Any, place: Callable) -> Any:
    """The Tensors and arrays in an argument as Tensors, put where the run is."""
    if type(x) in (list, tuple):
        return type(x)([_placed(v, place) for v in x])
    if type(x) is dict:
        return {k: _placed(v, place) for k, v in x.items()}
    if not isinstance(x, (Tensor, np.ndarray)):
        return x
    t = wrap(place(np.array(to_device(raw(x), "cpu"))), None)
    return t.requires_grad_() if isinstance(x, Tensor) and x.requires_grad else t


def _tensors(x: Any) -> list[Tensor]:
    if isinstance(x, (list, tuple, dict)):
        return [t for v in (x.values() if isinstance(x, dict) else x) for t in _tensors(v)]
    return [x] if isinstance(x, Tensor) else []


# -- what was found ---------------------------------------------------------------------------------------------------
def _waiting(what: str) -> str:
    if what.startswith(SENDING):
        return "sends"
    return "shape" if any(word in what for word in SHAPES) else "reads"


def _failing(error: Exception) -> str:
    """What kind of fault an error on the double tells of."""
    text = str(error)
    if "widens the dtype" in text or (isinstance(error, DeviceError) and "float64[] on cpu" in text):
        return "widens"
    if text.startswith("np.") or "implicit conversion" in text or "__array_ufunc__" in text or "was given an array of the device" in text:
        return "numpy"
    if isinstance(error, DeviceError) or "a NumPy array where" in text or "CuPy expects an" in text:
        return "mixed"
    return "missing" if "CuPy" in text else "fails"


def _widening(report: DeviceReport, run: Run) -> None:
    """Note the ops whose result is wider than the floating inputs that have a gradient, other than casts."""
    for node in toposort([y.node for y in run.outputs if y.node is not None]):
        parents = [p for p in node.parents if p is not None] if node.op else []
        if parents and _width(node) > max(map(_width, parents)) and node.name not in ("astype", "cast"):
            what = f"{node.name} makes {node.dtype} of {parents[0].dtype}"
            report.note("widens", what, run.module(node.order), run.lines.get(node.order, ""))


def _width(node: graph.Node) -> int:
    """How many bytes a real number takes in what a node gives."""
    dtypes = node.dtype if type(node.dtype) is tuple else (node.dtype,)
    return max([d.itemsize // (2 if d.kind == "c" else 1) for d in dtypes if d.kind in "fc"], default=0)


def _difference(got: Any, want: Any, coarsest: int) -> str:
    """How two arrays differ; nothing if they do not, up to rounding."""
    if got is None:
        return "is not there"
    if isinstance(got, DoubleArray) or got.shape != want.shape or got.dtype != want.dtype:
        return f"{got.dtype}{list(got.shape)} where NumPy has {want.dtype}{list(want.shape)}"
    if want.dtype.kind not in "fc":
        return "" if np.array_equal(got, want) else "other values"
    a, b = (v.astype("complex128" if want.dtype.kind == "c" else "float64") for v in (got, want))
    finite = np.isfinite(b)
    if not np.array_equal(np.where(finite, 0, a), np.where(finite, 0, b), equal_nan=True):
        return "NaN or infinity in other places"
    scale = max(1.0, float(np.abs(b[finite]).max(initial=0)))
    off = float(np.abs(a[finite] - b[finite]).max(initial=0)) / scale
    allowed = TOLERANCES[min(coarsest, want.dtype.itemsize // (2 if want.dtype.kind == "c" else 1))]
    return "" if off <= allowed else f"off by {off:.2g} of its scale, allowed {allowed:.2g}"


__all__ = ["DeviceReport", "Finding", "check_device"]
