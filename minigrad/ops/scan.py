"""Running sums, products and extremes along an axis.

The gradient of a scan is a scan from the other end. Two primitives carry them all: the running sum, and the linear recurrence
s[i] = b[i] + a[i] s[i-1], which divides by nothing and so is exact where x has zeros.
"""

import math
from typing import Any

from ..autograd.forms import apply, general
from ..autograd.op import compiled
from ..autograd.tensor import Tensor
from ..backend import is_inexact
from ..errors import ShapeError
from .axes import permute_dims
from .exponential import exp
from .indexing import take_along_axis
from .logic import equal, where
from .reduce import count, narrowed, ready, widened
from .shape import astype, reshape


# -- primitives -------------------------------------------------------------------------------------------------------
def turned(x: Any, axis: int, reverse: bool) -> Any:
    """A view of an array that runs the other way along axis."""
    return x[(slice(None),) * axis + (slice(None, None, -1),)] if reverse else x


def _scan(name: str) -> Any:
    """The kernel of a running sum or product, from either end."""

    def kernel(xp: Any, x: Any, axis: int, reverse: bool) -> Any:
        half = x.dtype.itemsize == 2 and is_inexact(x.dtype)
        y = getattr(xp, name)(turned(x, axis, reverse), axis, "float32" if half else None)
        return turned(narrowed(y, x.dtype), axis, reverse)

    return kernel


def _shift_kernel(xp: Any, x: Any, axis: int, step: int, fill: float) -> Any:
    y = xp.full(x.shape, fill, x.dtype)
    before = (slice(None),) * axis
    here, there = (slice(1, None), slice(None, -1)) if step > 0 else (slice(None, -1), slice(1, None))
    y[(*before, here)] = x[(*before, there)]
    return y


_SHIFT = general(_shift_kernel, lambda g, axis, step: _shift(g, axis, -step, 0), name="shift")


def _shift(x: Any, axis: int, step: int, fill: float) -> Any:
    """x moved one place up (step 1) or down (-1) along axis, with ``fill`` in the place that becomes free."""
    return apply(_SHIFT, (x,), axis, step, fill)


STEPS = 4096
"""A recurrence of more steps than this, and few lanes, is computed in about log2(n) sweeps over all of it."""


def _recurrence_kernel(xp: Any, b: Any, a: Any, axis: int, reverse: bool) -> Any:
    dtype = b.dtype
    first = lambda x: xp.moveaxis(turned(widened(x), axis, reverse), axis, 0)  # noqa: E731
    b, a = first(b), first(a)
    s = xp.array(b, copy=True)
    n = len(s)
    if n <= STEPS or n * n < s.size:
        for i in range(1, n):
            s[i] += a[i] * s[i - 1]
    else:  # few lanes, many steps: join spans of 1, 2, 4, ... steps
        a, d = xp.array(a, copy=True), 1
        while d < n:
            s[d:] += a[d:] * s[:-d]
            a[d:] = a[d:] * a[:-d]
            d *= 2
    return narrowed(turned(xp.moveaxis(s, 0, axis), axis, reverse), dtype)


def _recurrence_rule_a(g: Any, y: Any, a: Any, axis: int, reverse: bool) -> Any:
    return _recurrence_rule_b(g, a, axis, reverse) * _shift(y, axis, -1 if reverse else 1, 0)


def _recurrence_rule_b(g: Any, a: Any, axis: int, reverse: bool) -> Any:
    return _recurrence(g, _shift(a, axis, 1 if reverse else -1, 0), axis, not reverse)


_RECURRENCE = general(_recurrence_kernel, _recurrence_rule_b, _recurrence_rule_a, name="recurrence")


def _recurrence(b: Any, a: Any, axis: int, reverse: bool) -> Any:
    """s with s[i] = b[i] + a[i] s[i-1], or s[i+1] if reversed; a and b have one shape."""
    return apply(_RECURRENCE, (b, a), axis, reverse)


def _prefix(xp: Any, x: Any, axis: int, value: float) -> Any:
    return xp.concatenate([xp.full((*x.shape[:axis], 1, *x.shape[axis + 1 :]), value, x.dtype), x], axis)


_PREFIX = general(_prefix, lambda g, axis: between(g, axis, 1, None), name="prefix")


def between(x: Any, axis: int, start: int | None, stop: int | None) -> Any:
    """x[start:stop] along axis."""
    return x[(slice(None),) * axis + (slice(start, stop),)]


_CUMSUM: Any = general(_scan("cumsum"), lambda g, axis, reverse: apply(_CUMSUM, (g,), axis, not reverse), name="cumsum")
compiled("lines", _CUMSUM)


def _cumprod_rule(g: Any, y: Any, x: Any, axis: int, reverse: bool) -> Any:
    step = -1 if reverse else 1
    rest = _recurrence(g, _shift(x, axis, -step, 0), axis, not reverse)  # sum over k >= i of g[k] x[i+1] ... x[k]
    return rest * _shift(y, axis, step, 1)


_CUMPROD: Any = general(_scan("cumprod"), _cumprod_rule, name="cumprod")


def lined_up(x: Any, axis: Any) -> tuple[Any, list[int], tuple[int, ...]]:
    """x with these axes (None: all) made one, the last; the axes that were kept; and the order that all were put in."""
    axes = range(x.ndim) if axis is None else axis
    kept = [i for i in range(x.ndim) if i not in axes]
    order = (*kept, *axes)
    return reshape(permute_dims(x, order), (*[x.shape[i] for i in kept], count(x.shape, axis))), kept, order


def others(x: Any, axis: Any) -> Any:
    """For each x the product of all others along the axes (None: all): what comes before it times what comes after."""
    lines, kept, order = lined_up(x, axis)
    last = len(kept)
    before = _shift(apply(_CUMPROD, (lines,), last, False), last, 1, 1)
    after = _shift(apply(_CUMPROD, (lines,), last, True), last, -1, 1)
    y = reshape(before * after, tuple([x.shape[i] for i in order]))
    return permute_dims(y, tuple([order.index(i) for i in range(x.ndim)]))


# -- running sums and products ----------------------------------------------------------------------------------------
def line(name: str, x: Any, axis: Any, dtype: Any, other: dict) -> tuple[Any, int]:
    """x and the one axis to run along; None flattens x."""
    x, axes = ready(name, x, axis, other)
    if dtype is not None:
        x = astype(x, dtype)
    if axes is None:
        return reshape(x, (x.size,)), 0
    if len(axes) != 1:
        raise ShapeError(f"{name}: axis must be one integer, got {axis!r}")
    return x, axes[0]


def cumsum(x: Any, axis: Any = None, dtype: Any = None, **other: Any) -> Any:
    """Running sum along axis.

    Args: axis (None flattens x first), dtype (x is cast to it first).
    Gradient: the running sum of g from the other end.
    Numerics: half precision is accumulated in float32.
    Example:
        >>> import minigrad as mg
        >>> mg.cumsum(mg.tensor([1.0, 2.0, 3.0])).tolist()
        [1.0, 3.0, 6.0]
    """
    x, axis = line("cumsum", x, axis, dtype, other)
    y = apply(_CUMSUM, (x,), axis, False)
    return y if dtype is None else astype(y, dtype, copy=False)  # small integers are widened to be summed


def cumprod(x: Any, axis: Any = None, dtype: Any = None, **other: Any) -> Any:
    """Running product along axis.

    Args: axis (None flattens x first), dtype (x is cast to it first).
    Gradient: exact where x has zeros, to any order: a linear recurrence, no division.
    Numerics: half precision is accumulated in float32.
    Example:
        >>> import minigrad as mg
        >>> mg.cumprod(mg.tensor([1.0, 2.0, 3.0])).tolist()
        [1.0, 2.0, 6.0]
    """
    x, axis = line("cumprod", x, axis, dtype, other)
    y = apply(_CUMPROD, (x,), axis, False)
    return y if dtype is None else astype(y, dtype, copy=False)


def cumulative_sum(x: Any, axis: Any = None, dtype: Any = None, include_initial: bool = False, **other: Any) -> Any:
    """``cumsum`` as the array API has it: axis may be left out in one dimension only; ``include_initial`` puts a 0 in front.

    Example:
        >>> import minigrad as mg
        >>> mg.cumulative_sum(mg.tensor([1.0, 2.0]), include_initial=True).tolist()
        [0.0, 1.0, 3.0]
    """
    return _cumulative("cumulative_sum", cumsum, 0, x, axis, dtype, include_initial, other)


def cumulative_prod(x: Any, axis: Any = None, dtype: Any = None, include_initial: bool = False, **other: Any) -> Any:
    """``cumprod`` as the array API has it: axis may be left out in one dimension only; ``include_initial`` puts a 1 in front.

    Example:
        >>> import minigrad as mg
        >>> mg.cumulative_prod(mg.tensor([2.0, 3.0]), include_initial=True)
        Tensor([1., 2., 6.], shape (3,), float32, cpu)
    """
    return _cumulative("cumulative_prod", cumprod, 1, x, axis, dtype, include_initial, other)


def _cumulative(name: str, f: Any, start: int, x: Any, axis: Any, dtype: Any, include_initial: bool, other: dict) -> Any:
    x, axes = ready(name, x, axis, other)
    if axes is None and x.ndim != 1:
        raise ShapeError(f"{name}: axis may be left out only in one dimension, got shape {tuple(x.shape)}")
    x, axis = line(name, x, axis if axis is not None else 0, None, {})
    y = f(x, axis, dtype)
    if not include_initial:
        return y
    return apply(_PREFIX, (y,), axis, start)


# -- running extremes and logarithms ----------------------------------------------------------------------------------
def accumulated(f: Any, x: Any, axis: int) -> Any:
    """``f.accumulate(x, axis)``; where the namespace has none, by doubling: each pass lets every place see twice as far back."""
    try:
        return f.accumulate(x, axis)
    except NotImplementedError:  # CuPy has running sums and products only
        pass
    y, step, before = x, 1, (slice(None),) * axis
    while step < x.shape[axis]:
        longer = y.copy()
        f(y[(*before, slice(step, None))], y[(*before, slice(None, -step))], out=longer[(*before, slice(step, None))])
        y, step = longer, 2 * step
    return y


def _running(xp: Any, x: Any, axis: int, largest: bool) -> Any:
    """Where the running extreme was found: the latest of equal ones, the latest NaN after a NaN."""
    y = accumulated(xp.maximum if largest else xp.minimum, x, axis)
    n = x.shape[axis]
    place = xp.arange(n).reshape((n,) + (1,) * (x.ndim - axis - 1))
    return accumulated(xp.maximum, xp.where((x == y) | (x != x), place, 0), axis)


_RUNNING = general(_running, inputs=1, name="running")


def cummax(x: Any, axis: int = -1, **other: Any) -> tuple[Any, Any]:
    """Running maximum along axis, and where it was found.

    Returns: (values, indices), both of the shape of x.
    Gradient: g to the number at the index: the latest of equal ones, as in PyTorch. NaN wins from where it stands.
    Example:
        >>> import minigrad as mg
        >>> values, indices = mg.cummax(mg.tensor([1.0, 3.0, 2.0]))
        >>> values.tolist(), indices.tolist()
        ([1.0, 3.0, 3.0], [0, 1, 1])
    """
    return _extreme("cummax", x, axis, True, other)


def cummin(x: Any, axis: int = -1, **other: Any) -> tuple[Any, Any]:
    """Running minimum along axis, and where it was found: (values, indices), as ``cummax``.

    Example:
        >>> import minigrad as mg
        >>> values, indices = mg.cummin(mg.tensor([2.0, 1.0, 3.0]))
        >>> values.tolist(), indices.tolist()
        ([2.0, 1.0, 1.0], [0, 1, 1])
    """
    return _extreme("cummin", x, axis, False, other)


def _extreme(name: str, x: Any, axis: Any, largest: bool, other: dict) -> tuple[Any, Any]:
    x, i = line(name, x, axis, None, other)
    places = apply(_RUNNING, (x.detach() if isinstance(x, Tensor) else x,), i, largest)
    return take_along_axis(x, places, i), places


def _logcumsumexp(xp: Any, x: Any, axis: int) -> Any:
    return narrowed(accumulated(xp.logaddexp, widened(x), axis), x.dtype)


def _logcumsumexp_rule(g: Any, y: Any, x: Any, axis: int) -> Any:
    finite = where(equal(y, -math.inf), 0.0, y)
    falling = exp(y - _shift(finite, axis, -1, math.inf))  # exp(y[i] - y[i+1]), at most 1: nothing overflows
    return _recurrence(g, falling, axis, True) * exp(x - finite)


_LOGCUMSUMEXP = general(_logcumsumexp, _logcumsumexp_rule, name="logcumsumexp")


def logcumsumexp(x: Any, axis: int = -1, **other: Any) -> Any:
    """log(cumsum(exp(x))) along axis, without overflow.

    Gradient: a linear recurrence whose factors are at most 1; 0 where y is -inf.
    Example:
        >>> import minigrad as mg
        >>> mg.logcumsumexp(mg.tensor([1e4, 0.0])).tolist()
        [10000.0, 10000.0]
    """
    x, axis = line("logcumsumexp", x, axis, None, other)
    return apply(_LOGCUMSUMEXP, (x,), axis)


__all__ = ["cummax", "cummin", "cumprod", "cumsum", "cumulative_prod", "cumulative_sum", "logcumsumexp"]
