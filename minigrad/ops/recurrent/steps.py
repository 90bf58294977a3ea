"""The walk over time that all recurrent layers share, for sequences of several lengths without padding and without masks.

Sequences lie packed: sorted by length, longest first, the rows of step 0, then those of step 1, and so on. ``sizes[t]`` says how
many sequences reach step t, so that a step works on the first ``sizes[t]`` states and leaves the others as they are. A batch of
equal lengths is the ordinary (time, batch) layout, and none of this costs it anything.
"""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

from ...autograd.op import Op, compiled
from ...autograd.tensor import raw
from ...backend import working_dtype
from ...backend.arrays import Kernels, namespace
from ..joining import concat

Sizes = tuple[int, ...]


def step_kernels(name: str, f: Callable) -> Kernels:
    """The kernels for what a step does between two products of matrices, ``f(xp, *arrays)``; there is a form in C of each."""
    op = Op(name, (), (), kernel=lambda xp: partial(f, xp))
    compiled("recurrent", op)
    return op.kernels


@lru_cache(maxsize=64)
def steps(sizes: Sizes, reverse: bool) -> tuple[tuple[int, int, int, int], ...]:
    """The steps in the order in which they are taken: rows ``a`` to ``b``, whose states before it are ``m`` rows from ``p`` on.

    States that no step has reached yet, from the ``m``-th on, are those given at the start.
    """
    starts, a = [], 0
    for n in sizes:
        starts.append(a)
        a += n
    found, p, m = [], 0, 0
    for t in range(len(sizes) - 1, -1, -1) if reverse else range(len(sizes)):
        a, n = starts[t], sizes[t]
        found.append((a, a + n, p, min(m, n)))
        p, m = a, n
    return tuple(found)


def earlier(xp: Any, states: Any, start: Any, p: int, m: int, n: int) -> Any:
    """The n states before a step: a view wherever they lie together."""
    if m == n:
        return states[p : p + n]
    return xp.concatenate((states[p : p + m], start[m:n])) if m else start[:n]


def last(xp: Any, states: Any, sizes: Sizes, reverse: bool) -> Any:
    """Each sequence's state after its last step."""
    n = sizes[0]
    if reverse or sizes[-1] == n:
        a = 0 if reverse else states.shape[0] - n
        return states[a : a + n].copy()
    y, m, a = xp.empty((n, *states.shape[1:]), states.dtype), 0, states.shape[0]
    for size in reversed(sizes):
        a -= size
        if size > m:
            y[m:size] = states[a + m : a + size]
            m = size
    return y


def weight_slope(xp: Any, slopes: Any, states: Any, first: Any, sizes: Sizes, reverse: bool) -> Any:
    """The gradient of the matrix that the earlier states were multiplied by: the sum of slopes^T @ earlier over all steps.

    ``first`` is the state at the start, None where it is zero.
    """
    n = sizes[0]
    if sizes[-1] == n:
        k = slopes.shape[0] - n
        early, then, before = (slopes[k:], slopes[:k], states[n:]) if reverse else (slopes[:n], slopes[n:], states[:k])
        w = xp.matmul(then.T, before)  # zero where there is but one step
        if first is not None:
            w += xp.matmul(early.T, first)
        return w
    before = xp.zeros_like(states) if first is None else xp.empty_like(states)
    for a, b, p, m in steps(sizes, reverse):
        before[a : a + m] = states[p : p + m]
        if first is not None:
            before[a + m : b] = first[m : b - a]
    return xp.matmul(slopes.T, before)


def widened(xp: Any, *arrays: Any) -> tuple[Any, list]:
    """The dtype of the output, and the arrays in the dtype in which it is computed."""
    out = xp.result_type(*[a.dtype for a in arrays if a is not None])
    wide = working_dtype(out)
    return out, [None if a is None else a.astype(wide, copy=False) for a in arrays]


def start(xp: Any, state: Any, rows: int, width: int, dtype: Any) -> Any:
    """The state at the start: zeros if none was given."""
    return xp.zeros((rows, width), dtype) if state is None else state


def dense(xp: Any, g: Any) -> Any:
    """The gradient of an output, if there is one, row after row in memory."""
    return None if g is None else xp.ascontiguousarray(g)


def flow(xp: Any, g: Any, rows: int, width: int, dtype: Any) -> Any:
    """What flows back through time, from the gradient of the last state on: an array of its own, to be written to."""
    return xp.zeros((rows, width), dtype) if g is None else xp.array(g, dtype=dtype)


def unrolled(cell: Callable, projected: Any, states: tuple, widths: tuple[int, ...], sizes: Sizes, reverse: bool) -> Any:
    """The composed form of all layers: ``cell(projected, *states)`` step after step. Returns the outputs and the last states."""
    a = raw(projected)
    xp, rows = namespace(type(a)), sizes[0]
    states = tuple([start(xp, s, rows, w, a.dtype) for s, w in zip(states, widths, strict=True)])
    ys = []
    for i, k, _, _ in steps(sizes, reverse):
        n = k - i
        new = cell(projected[i:k], *[s[:n] for s in states])
        states = tuple([v if n == rows else concat([v, s[n:]]) for v, s in zip(new, states, strict=True)])
        ys.append(new[0])
    return concat(ys[::-1] if reverse else ys), *states
