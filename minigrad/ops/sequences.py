"""Differences, integrals and convolutions of sequences of numbers."""

from typing import Any

from ..autograd.conform import broadcast_to, conj
from ..autograd.forms import apply, general
from ..autograd.tensor import Tensor, raw
from ..backend import namespace, result_type
from ..backend.arrays import asarray, is_array
from ..errors import ShapeError
from .arithmetic import multiply
from .axes import flip
from .joining import concat
from .logic import not_equal
from .reduce import narrowed, ready, sum, widened
from .scan import between, line
from .shape import reshape


# -- differences and integrals ----------------------------------------------------------------------------------------
def diff(x: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None, **other: Any) -> Any:
    """The n-th differences x[i+1] - x[i] along axis.

    Args:
        n: how often.
        prepend, append: what to put before and after x first, an array or a number.

    Gradient: to x, prepend and append.
    Example:
        >>> import minigrad as mg
        >>> mg.diff(mg.tensor([1.0, 4.0, 9.0])).tolist()
        [3.0, 5.0]
    """
    x, axis = line("diff", x, axis, None, other)
    if n < 0:
        raise ShapeError(f"diff: n must not be negative, got {n}")
    ends = [_end(x, axis, prepend), x, _end(x, axis, append)]
    parts = [part for part in ends if part is not None]
    x = concat(parts, axis) if len(parts) > 1 else x
    for _ in range(n):
        upper, lower = between(x, axis, 1, None), between(x, axis, None, -1)
        x = not_equal(upper, lower) if x.dtype.kind == "b" else upper - lower
    return x


def _end(x: Any, axis: int, end: Any) -> Any:
    """What is put at an end of x: an array, or a number repeated across."""
    if end is None:
        return None
    if not isinstance(end, Tensor) and not is_array(end):
        if isinstance(end, (list, tuple)):
            end = asarray(end)
        else:
            end = namespace(type(raw(x))).full((), end, result_type(x.dtype, end))
    return end if end.ndim else broadcast_to(end, (*x.shape[:axis], 1, *x.shape[axis + 1 :]))


def ediff1d(x: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """The differences of the flattened x, with other numbers before and after them if given.

    Example:
        >>> import minigrad as mg
        >>> mg.ediff1d(mg.tensor([1.0, 4.0, 9.0]), to_end=0.0).tolist()
        [3.0, 5.0, 0.0]
    """
    x, _ = line("ediff1d", x, None, None, {})
    y = diff(x)
    parts = [y if end is y else reshape(_end(y, 0, end), (-1,)) for end in (to_begin, y, to_end) if end is not None]
    return concat(parts, 0) if len(parts) > 1 else y


def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1, **other: Any) -> Any:
    """The integral along axis by the trapezoid rule.

    Args:
        y: the heights.
        x: where they are, one-dimensional or of y's shape; without it they are ``dx`` apart.

    Gradient: to y, x and dx.
    Example:
        >>> import minigrad as mg
        >>> mg.trapezoid(mg.tensor([1.0, 2.0, 3.0])).item()
        4.0
    """
    y, axis = line("trapezoid", y, axis, None, other)
    if x is not None:
        x, _ = ready("trapezoid", x, None, {})
        dx = reshape(diff(x), (-1,) + (1,) * (y.ndim - axis - 1)) if x.ndim == 1 else diff(x, axis=axis)
    return sum(multiply(between(y, axis, 1, None) + between(y, axis, None, -1), dx), axis) * 0.5


# -- convolution ------------------------------------------------------------------------------------------------------
def _full(xp: Any, a: Any, v: Any) -> Any:
    dtype = xp.result_type(a, v)
    return narrowed(xp.convolve(*[widened(t) if dtype.itemsize == 2 and dtype.kind not in "iu" else t for t in (a, v)], "full"), dtype)


def _full_rule(g: Any, other: Any) -> Any:
    """The gradient of either operand: what g and the other turned round have in common."""
    m = other.shape[0]
    return between(apply(_FULL, (g, flip(other))), 0, m - 1, g.shape[0])


_FULL: Any = general(_full, lambda g, v: _full_rule(g, v), lambda g, a: _full_rule(g, a), name="convolve")


def _part(name: str, a: Any, v: Any, mode: str, turned: bool) -> Any:
    a, v = ready(name, a, None, {})[0], ready(name, v, None, {})[0]
    if a.ndim != 1 or v.ndim != 1 or not a.size or not v.size:
        raise ShapeError(f"{name}: a and v must be 1-D and not empty, got {tuple(a.shape)} and {tuple(v.shape)}")
    if mode not in ("full", "same", "valid"):
        raise ShapeError(f"{name}: mode must be 'full', 'same' or 'valid', got {mode!r}")
    if turned:
        v = flip(conj(v) if v.dtype.kind == "c" else v)
    long, short = (a.shape[0], v.shape[0]) if a.shape[0] >= v.shape[0] else (v.shape[0], a.shape[0])
    start = (short - 1) // 2
    if turned and a.shape[0] < v.shape[0]:
        start = short // 2
    bounds = {"full": (0, None), "same": (start, start + long), "valid": (short - 1, long)}
    return between(apply(_FULL, (a, v)), 0, *bounds[mode])


def convolve(a: Any, v: Any, mode: str = "full") -> Any:
    """The convolution of two sequences: y[n] = sum over k of a[n-k] v[k].

    Args:
        a, v: 1-D, of lengths N and M.
        mode: "full": all N+M-1 numbers; "same": the max(N, M) in the middle; "valid": those in which neither ends.

    Gradient: to both, again convolutions.
    Example:
        >>> import minigrad as mg
        >>> mg.convolve(mg.tensor([1.0, 2.0]), mg.tensor([1.0, 1.0])).tolist()
        [1.0, 3.0, 2.0]
    """
    return _part("convolve", a, v, mode, False)


def correlate(a: Any, v: Any, mode: str = "valid") -> Any:
    """The correlation of two sequences: y[n] = sum over k of a[n+k] conj(v[k]), with the modes of ``convolve``.

    Example:
        >>> import minigrad as mg
        >>> mg.correlate(mg.tensor([1.0, 2.0, 4.0]), mg.tensor([1.0, -1.0])).tolist()
        [-1.0, -2.0]
    """
    return _part("correlate", a, v, mode, True)


__all__ = ["convolve", "correlate", "diff", "ediff1d", "trapezoid"]
