"""The walk over time that all recurrent layers share, for sequences of several lengths without padding and without masks.

Sequences lie packed: sorted by length, longest first, the rows of step 0, then those of step 1, and so on. ``sizes[t]`` says how
many sequences reach step t, so that a step works on the first ``sizes[t]`` states and leaves the others as they are. A batch of
equal lengths is the ordinary (time, batch) layout, and none of this costs it anything. Such a batch may also come sequence after
sequence, as (batch, time, features). C leaves it so, and takes rows for a step that are ``apart``; NumPy's many passes over a step want
them together, for the sake of the cache, and so they are copied.

All steps of a walk are one kernel, of which there is a form in C.
"""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np

from ...autograd.op import Op, compiled
from ...autograd.tensor import raw
from ...backend import working_dtype
from ...backend.arrays import Kernels, namespace
from ..fused import AFFINE
from ..joining import concat, stack
from ..reduce import sum

Sizes = tuple[int, ...]


class Step(NamedTuple):
    """A step: its rows, ``size`` of them, and the rows of the same sequences in the step before, for the ``met`` that were in it.

    The states of the others, which no step has reached yet, are those given at the start.
    """

    now: slice
    size: int
    before: slice
    met: int


class Walk(NamedTuple):
    """All steps in the order in which they are taken.

    ``table`` says the same to C: of each step the row of its first sequence, how many there are, and both of the step before.
    """

    sequences: int
    apart: int
    steps: tuple[Step, ...]
    table: np.ndarray


@lru_cache(maxsize=64)
def walk(sizes: Sizes, reverse: bool, apart: int) -> Walk:
    """The walk over sequences of these lengths, whose rows in a step are so far apart."""
    starts, a = [], 0
    for n in sizes:
        starts.append(a)
        a += n if apart == 1 else 1
    rows, p, m = [], 0, 0
    for t in range(len(sizes) - 1, -1, -1) if reverse else range(len(sizes)):
        a, n = starts[t], sizes[t]
        rows.append((a, n, p, min(m, n)))
        p, m = a, n
    steps = tuple([Step(slice(a, a + n * apart, apart), n, slice(p, p + m * apart, apart), m) for a, n, p, m in rows])
    return Walk(sizes[0], apart, steps, np.array(rows, "int64"))


def rows_of(x: Any, sizes: Sizes, reverse: bool) -> tuple[Any, Walk]:
    """x, packed or (batch, time, features), as a matrix, and the walk over its rows."""
    w = walk(sizes, reverse, 1 if x.ndim == 2 else APART[type(x)](x))
    return matrix(w, x), w


def matrix(walk: Walk, x: Any) -> Any:
    """x with its rows in the order of the walk."""
    if x.ndim == 2:
        return x
    n, steps, width = x.shape
    return (x if walk.apart > 1 else x.swapaxes(0, 1)).reshape((n * steps, width))


def like(walk: Walk, rows: Any, x: Any) -> Any:
    """Rows in the order of the walk, laid out as x was."""
    if x.ndim == 2:
        return rows
    (n, steps, _), width = x.shape, rows.shape[1]
    return rows.reshape((n, steps, width)) if walk.apart > 1 else rows.reshape((steps, n, width)).swapaxes(0, 1)


def walk_kernels(name: str, f: Callable) -> Kernels:
    """The kernels for what is done step after step, ``f(xp, *arrays, walk)``; there is a form in C of each."""
    op = Op(name, (), (), kernel=lambda xp: partial(f, xp))
    compiled("recurrent", op)
    return op.kernels


APART = walk_kernels("rows_apart", lambda xp, x: 1)
"""How far apart the rows of a step are to be, for x (batch, time, features)."""


def times(a: Any, b: Any) -> Any:
    """a b, by whatever kernel there is for products of matrices."""
    return AFFINE.kernels[type(a)](a, b.T, None)


def total(slopes: Any) -> Any:
    """The sum of all rows, the gradient of a bias."""
    return sum.op.kernels[type(slopes)](slopes, (0,), False)


def earlier(xp: Any, states: Any, start: Any, step: Step) -> Any:
    """The states before a step: a view wherever they lie together."""
    _, n, before, m = step
    if m == n:
        return states[before]
    return xp.concatenate((states[before], start[m:n])) if m else start[:n]


def last(xp: Any, states: Any, walk: Walk) -> Any:
    """Each sequence's state after its last step."""
    n = walk.sequences
    if walk.steps[-1].size == n:
        return states[walk.steps[-1].now].copy()
    y, m = xp.empty((n, *states.shape[1:]), states.dtype), 0
    for now, size, _, _ in reversed(walk.steps):
        if size > m:
            y[m:size] = states[now][m:]
            m = size
    return y


def _weight_slopes(xp: Any, slopes: Any, column: int, x: Any, states: Any, first: Any, walk: Walk) -> tuple:
    """The gradients of the matrices that x and the earlier states were multiplied by, and the sums of the slopes.

    For x, if it is wanted, these are slopes^T @ x, of as many columns as the others are; for the states the sum of slopes^T @ earlier over
    all steps, of the columns from ``column`` on; ``first``: the states at the start.
    """
    n = slopes.shape[1] - column
    of_x, sums = (None, None) if x is None else (times(slopes[:, :n].T, x), total(slopes))
    slopes = slopes[:, column:]
    if walk.apart == 1 and walk.steps[0].size == walk.steps[-1].size:
        n, k = walk.sequences, slopes.shape[0] - walk.sequences
        early, then, before = (slopes[:n], slopes[n:], states[:k]) if walk.steps[0].now.start == 0 else (slopes[k:], slopes[:k], states[n:])
        w = xp.matmul(early.T, first)
        w += xp.matmul(then.T, before)
        return of_x, w, sums
    before = xp.empty_like(states)
    for now, _, past, m in walk.steps:
        rows = before[now]
        rows[:m] = states[past]
        rows[m:] = first[m : len(rows)]
    return of_x, xp.matmul(slopes.T, before), sums


WEIGHT_SLOPES = walk_kernels("weight_slopes", _weight_slopes)


def parameter_slopes(slopes: Any, column: int, x: Any, states: Any, first: Any, walk: Walk, wanted: Any) -> tuple:
    """The gradients of both matrices, and the sums of the slopes, so far as they are ``wanted``: of (x's, the states', sums)."""
    of_x = of_h = sums = None
    if wanted[1]:
        of_x, of_h, sums = WEIGHT_SLOPES[type(slopes)](slopes, column, matrix(walk, x) if wanted[0] else None, states, first, walk)
    elif wanted[0]:
        of_x = times(slopes[:, : slopes.shape[1] - column].T, matrix(walk, x))
    return of_x, of_h, total(slopes) if sums is None and wanted[2] else sums


def widened(xp: Any, *arrays: Any) -> tuple[Any, list]:
    """The dtype of the output, and the arrays in the dtype in which it is computed."""
    out = xp.result_type(*[a.dtype for a in arrays if a is not None])
    wide = working_dtype(out)
    return out, [None if a is None else a.astype(wide, copy=False) for a in arrays]


def start(xp: Any, state: Any, rows: int, width: int, dtype: Any) -> Any:
    """The state at the start: zeros if none was given."""
    return xp.zeros((rows, width), dtype) if state is None else state


def dense(xp: Any, g: Any, walk: Walk) -> Any:
    """The gradient of an output, if there is one, row after row in memory."""
    return None if g is None else xp.ascontiguousarray(matrix(walk, g))


def flow(xp: Any, g: Any, rows: int, width: int, dtype: Any) -> Any:
    """What flows back through time, from the gradient of the last state on: an array of its own, to be written to."""
    return xp.zeros((rows, width), dtype) if g is None else xp.array(g, dtype=dtype)


def unrolled(cell: Callable, projected: Any, states: tuple, widths: tuple[int, ...], sizes: Sizes, reverse: bool) -> Any:
    """The composed form of all layers: ``cell(projected, *states)`` step after step. Returns the outputs and the last states."""
    a = raw(projected)
    xp, rows = namespace(type(a)), sizes[0]
    states = tuple([start(xp, s, rows, w, a.dtype) for s, w in zip(states, widths, strict=True)])
    together = a.ndim == 2
    ys = []
    for t, step in zip(range(len(sizes))[:: -1 if reverse else 1], walk(sizes, reverse, 1).steps, strict=True):
        n = step.size
        new = cell(projected[step.now] if together else projected[:, t], *[s[:n] for s in states])
        states = tuple([v if n == rows else concat([v, s[n:]]) for v, s in zip(new, states, strict=True)])
        ys.append(new[0])
    ys = ys[::-1] if reverse else ys
    return concat(ys) if together else stack(ys, axis=1), *states
