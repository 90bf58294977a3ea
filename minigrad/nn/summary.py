"""A model as a table: what each layer makes of an input, how many parameters it has, what it costs in multiply-adds and memory."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..autograd import Tensor, no_grad
from ..autograd.tensor import as_data, wrap
from ..backend import default_dtype, device_of, generator, to_device
from ..backend.arrays import holder
from ..errors import DTypeError
from .counting import multiply_adds
from .module import Module
from .parameter import Uninitialized


class Row(NamedTuple):
    """One module of a summary, with all that is inside it. ``output`` is the shape (or shapes) of what it returned last."""

    name: str
    kind: str
    depth: int
    output: Any
    parameters: int
    trainable: int
    multiply_adds: int
    output_bytes: int


class Summary:
    """What ``summary`` found out; ``str`` of it is the table.

    ``rows`` are the modules in order; ``summary[name]`` is the row of one, by its dotted name, "" for the whole model. The sums are
    ``parameters``, ``trainable``, ``multiply_adds``, and in bytes ``input_bytes``, ``output_bytes`` (of all layers without inner
    modules), ``parameter_bytes``, ``gradient_bytes``, ``buffer_bytes``, and ``training_bytes``: all of these, and two more arrays for
    each trainable parameter, as Adam keeps them. Most layers keep what they return until backward, so this is a fair guess for one step.
    """

    def __init__(self, rows: list[Row], model: Module, input_bytes: int):
        self.rows = rows
        self._by_name = {row.name: row for row in rows}
        top = rows[0]
        self.parameters, self.trainable, self.multiply_adds, self.output_bytes = top[4:]
        many = list(model.parameters())
        self.input_bytes = input_bytes
        self.parameter_bytes = sum(p.nbytes for p in many)
        self.gradient_bytes = sum(p.nbytes for p in many if p.requires_grad)
        self.buffer_bytes = sum(b.nbytes for b in model.buffers())
        self.training_bytes = (
            self.input_bytes + self.output_bytes + self.parameter_bytes + self.buffer_bytes + self.gradient_bytes + 2 * self.gradient_bytes
        )

    def __getitem__(self, name: str) -> Row:
        if name not in self._by_name:
            raise KeyError(f"{name!r}; there are {list(self._by_name)}")
        return self._by_name[name]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        rows = []
        for r in self.rows:
            label = "  " * r.depth + (f"{r.name.rpartition('.')[2]}: {r.kind}" if r.name else r.kind)
            numbers = [f"{n:,}" for n in (r.parameters, r.trainable, r.multiply_adds)]
            rows.append((label, "-" if r.output is None else str(r.output), *numbers, in_bytes(r.output_bytes)))
        head = ("layer", "output", "parameters", "trainable", "multiply-adds", "output bytes")
        lines = table(head, rows, (0, 1)).splitlines()
        rule = "-" * max(len(line) for line in lines)
        sums = [
            f"parameters {self.parameters:,}, of which {self.trainable:,} trainable; multiply-adds {self.multiply_adds:,}",
            f"memory: parameters {in_bytes(self.parameter_bytes)}, buffers {in_bytes(self.buffer_bytes)}, "
            f"gradients {in_bytes(self.gradient_bytes)}, input {in_bytes(self.input_bytes)}, outputs {in_bytes(self.output_bytes)}; "
            f"training with Adam about {in_bytes(self.training_bytes)}",
        ]
        return "\n".join([lines[0], rule, *lines[1:], rule, *sums])


def in_bytes(n: float) -> str:
    """A number of bytes as people write it.

    Example:
        >>> from minigrad.nn.summary import in_bytes
        >>> in_bytes(800), in_bytes(3 * 2**20)
        ('800 B', '3.0 MiB')
    """
    for unit in ("B", "KiB", "MiB", "GiB"):
        if n < 1024 or unit == "GiB":
            break
        n /= 1024
    return f"{n:.0f} B" if unit == "B" else f"{n:.1f} {unit}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> str:
    """Columns as wide as they must be; those whose numbers are in ``left`` begin at the left, the others end at the right.

    Example:
        >>> from minigrad.nn.summary import table
        >>> print(table(("op", "bytes"), [("exp", "80"), ("log", "4")]))
        op   bytes
        exp     80
        log      4
    """
    lines = [head, *rows]
    widths = [(max([len(line[i]) for line in lines]), "<" if i in left else ">") for i in range(len(head))]
    return "\n".join(["  ".join([f"{cell:{way}{w}}" for cell, (w, way) in zip(line, widths, strict=True)]).rstrip() for line in lines])


def summary(model: Module, *inputs: Any, depth: int | None = None, dtype: Any = None) -> Summary:
    """Run a model once, and say what each of its layers did.

    The run is in evaluation mode and unrecorded. Modes, buffers, gradients and the random generator are afterwards what they were;
    lazy layers alone are settled by it.

    Args:
        model: a Module.
        inputs: what it is called with: Tensors or arrays, or shapes (tuples of integers), for which zeros are put in.
        depth: rows down to this depth, the model itself being at 0; default: all. What lies deeper is part of the rows above it.
        dtype: of the zeros; default: that of the first parameter.

    Returns: a ``Summary``, which prints as a table, and whose rows and sums can be asked for.

    Raises:
        DTypeError: ``model`` is no Module, or there is no input.

    Numerics: multiply-adds are counted for linear, bilinear, convolution, recurrent and attention layers. A layer that is called several
        times costs them each time. Outputs that share the memory of an input, such as those of Flatten, take none.

    Example:
        >>> from minigrad import nn
        >>> net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2).freeze())
        >>> nn.summary(net, (16, 4))
        layer        output   parameters  trainable  multiply-adds  output bytes
        ------------------------------------------------------------------------
        Sequential   (16, 2)          58         40            768       1.1 KiB
          0: Linear  (16, 8)          40         40            512         512 B
          1: ReLU    (16, 8)           0          0              0         512 B
          2: Linear  (16, 2)          18          0            256         128 B
        ------------------------------------------------------------------------
        parameters 58, of which 40 trainable; multiply-adds 768
        memory: parameters 232 B, buffers 0 B, gradients 160 B, input 256 B, outputs 1.1 KiB; training with Adam about 2.1 KiB
    """
    if not isinstance(model, Module):
        raise DTypeError(f"summary: expected a Module, got {type(model).__name__}")
    if not inputs:
        raise DTypeError("summary: expected an input, or its shape: summary(model, (1, 3, 32, 32))")
    given = tuple([_input(x, model, dtype) for x in inputs])
    calls = _observed(model, given)
    rows = []
    for name, m in model.named_modules():
        level = name.count(".") + 1 if name else 0
        if depth is None or level <= depth:
            costs = [calls[inner] for inner in m.modules() if inner in calls]
            many = list(m.parameters())
            rows.append(
                Row(
                    name,
                    type(m).__name__,
                    level,
                    calls[m].output if m in calls else None,
                    sum(p.size for p in many),
                    sum(p.size for p in many if p.requires_grad),
                    sum(c.multiply_adds for c in costs),
                    sum(c.output_bytes for c in costs),
                )
            )
    return Summary(rows, model, sum(t.nbytes for t in _tensors(given)))


class _Calls:
    """What one module did, over all its calls."""

    def __init__(self) -> None:
        self.output: Any = None
        self.multiply_adds = self.output_bytes = 0


def _input(x: Any, model: Module, dtype: Any) -> Any:
    if not (isinstance(x, tuple) and all(hasattr(n, "__index__") and not isinstance(n, bool) for n in x)):
        return x if isinstance(x, Tensor) or not hasattr(x, "dtype") else wrap(as_data(x), None)
    first = next(iter(model.parameters()), None)
    place = None if first is None else first.place if isinstance(first, Uninitialized) else (device_of(first.data), first.dtype)
    zeros = np.zeros(x, dtype or (place[1] if place else default_dtype()))
    return wrap(to_device(zeros, place[0]) if place else zeros, None)


def _observed(model: Module, inputs: tuple) -> dict[Module, _Calls]:
    """Call the model, and watch its modules; all else stays as it is."""
    calls: dict[Module, _Calls] = {}

    def note(m: Module, args: tuple, kwargs: dict, y: Any) -> None:
        c = calls.setdefault(m, _Calls())
        c.output = _shapes(y)
        c.multiply_adds += multiply_adds(m, args, kwargs, y)
        if not m._modules:  # what a module with inner ones returns, one of those has made
            taken = {id(holder(t.data)) for t in _tensors((args, kwargs))}
            c.output_bytes += sum(t.nbytes for t in _tensors(y) if id(holder(t.data)) not in taken)

    modes = [(m, m.training) for m in model.modules()]
    buffers = [(m, name, b, b.data.copy()) for m in model.modules() for name, b in m._own("_buffers") if not isinstance(b, Uninitialized)]
    stream = generator()
    state = stream.state
    handles = [m.register_forward_hook(note, with_kwargs=True) for m in model.modules()]
    try:
        model.eval()
        with no_grad():
            model(*inputs)
    finally:
        stream.state = state
        for h in handles:
            h.remove()
        for m, mode in modes:
            m.training = mode
        for m, name, b, values in buffers:
            m.__dict__[name] = b
            b.data[...] = values
    return calls


def _tensors(y: Any) -> Iterator[Tensor]:
    """The tensors in something made of tuples, lists and dicts."""
    if isinstance(y, Tensor):
        yield y
    elif isinstance(y, (tuple, list, dict)):
        for part in y.values() if isinstance(y, dict) else y:
            yield from _tensors(part)


def _shapes(y: Any) -> Any:
    shapes = [t.shape for t in _tensors(y)]
    return shapes[0] if len(shapes) == 1 else shapes or None


__all__ = ["Row", "Summary", "summary"]
