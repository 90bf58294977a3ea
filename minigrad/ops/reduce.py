"""Reductions: a rule sees g and y with the reduced axes still open, so that they broadcast against x."""

import builtins
import math
from typing import Any

from ..autograd.arguments import explained, normal_axis, settled, unexpected
from ..autograd.conform import cast, spread
from ..autograd.forms import reduction
from ..autograd.op import Op, compiled, named
from ..autograd.tensor import Tensor, raw, wrap
from ..backend import is_inexact
from ..backend.arrays import asarray, is_array
from ..errors import ShapeError
from .exponential import exp
from .logic import equal, where
from .shape import astype


# -- at the door, and in kernels ---------------------------------------------------------------------------------------
def widened(x: Any) -> Any:
    """An array in the dtype in which sums over it are computed: float32 for half precision, float64 for integers."""
    if x.dtype.kind in "biu":
        return x.astype("float64")
    return x.astype("float32") if x.dtype.itemsize == 2 else x


def narrowed(y: Any, dtype: Any) -> Any:
    """A result computed from a widened array, in the dtype the array had; integers stay float64."""
    return y.astype(dtype) if dtype.itemsize == 2 and is_inexact(dtype) else y


def count(shape: tuple[int, ...], axis: Any) -> int:
    """How many numbers a reduction of these axes takes together."""
    return math.prod(shape if axis is None else [shape[i] for i in axis])


def ready(name: str, x: Any, axis: Any, other: dict) -> tuple[Any, Any]:
    """x as a Tensor or an array, and axis as None or a tuple counted from the front."""
    if other:
        raise unexpected(name, other)
    x = x if isinstance(x, Tensor) or is_array(x) else asarray(x)
    return x, axis if axis is None else normal_axis(name, axis, x.ndim)


LONG = 1 << 16
"""Above this size a float32 sum looks after its rounding error."""


def plain_sum(xp: Any) -> Any:
    add = xp.add.reduce  # the ufunc's own reduce: half the cost of NumPy's wrapper

    def kernel(x: Any, axis: Any, keepdims: bool) -> Any:
        dtype = x.dtype
        if dtype.itemsize == 2 and is_inexact(dtype):
            return add(x, axis, "float32", None, keepdims).astype(dtype)
        if x.size > LONG and dtype.itemsize == 4 and dtype.kind == "f":
            return _in_blocks(add, x, axis, keepdims)
        return add(x, axis, None, None, keepdims)

    return kernel


def _in_blocks(add: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    """The sum of a long array, with an error that hardly grows with its length.

    NumPy sums pairwise only along the axis that is contiguous in memory; along others it adds row after row, and the error grows with
    the number of rows. So the longest of those is first summed in blocks of 64, and the sums of blocks in turn.
    """
    near = builtins.min([abs(s) for s in x.strides])
    far = [i for i in (range(x.ndim) if axis is None else axis) if abs(x.strides[i]) != near]
    i = builtins.max(far, key=x.shape.__getitem__, default=0)
    n = x.shape[i]
    if not far or n < 512 or (axis is None and (x.flags.c_contiguous or x.flags.f_contiguous)):
        return add(x, axis, None, None, keepdims)
    before = (slice(None),) * i
    whole = n // 64 * 64
    blocks = x[(*before, slice(0, whole))].reshape(*x.shape[:i], n // 64, 64, *x.shape[i + 1 :])
    y = _in_blocks(add, add(blocks, i + 1), axis, keepdims)
    return y + add(x[(*before, slice(whole, n))], axis, None, None, keepdims) if whole < n else y


# -- sums and products ------------------------------------------------------------------------------------------------
def _in_dtype(f: Any, x: Any, axis: Any, keepdims: bool, keywords: dict) -> Any:
    """A reduction called with ``dtype=``: x is cast before it is reduced; small integers, which are widened for that, also after."""
    dtype = keywords.pop("dtype", None)
    if keywords:
        raise unexpected(f.__name__, keywords)
    return f(x, axis, keepdims) if dtype is None else astype(f(astype(x, dtype), axis, keepdims), dtype, copy=False)


sum = reduction(
    "sum",
    """Sum over axis.

    Shapes: x any; y without the axes, or with length 1 there if keepdims. Nothing to sum gives 0.
    Args: axis (None: all; an integer or a tuple), keepdims, dtype (x is cast to it first).
    Gradient: g, repeated.
    Numerics: half precision is accumulated in float32; float32 pairwise, or in blocks along axes that are not contiguous.
    Example:
        >>> import minigrad as mg
        >>> mg.sum(mg.tensor([[1.0, 2.0], [3.0, 4.0]]), axis=0)
        Tensor([4., 6.], shape (2,), float32, cpu)
    """,
    lambda g, shape: spread(g, shape),
    plain_sum,
    _in_dtype,
)


def _prod(xp: Any) -> Any:
    multiply = xp.multiply.reduce

    def kernel(x: Any, axis: Any, keepdims: bool) -> Any:
        if x.dtype.itemsize == 2 and is_inexact(x.dtype):
            return multiply(x, axis, "float32", None, keepdims).astype(x.dtype)
        return multiply(x, axis, None, None, keepdims)

    return kernel


def _prod_rule(g: Any, x: Any, axis: Any) -> Any:
    from .scan import others  # products from the left and from the right are scans

    return g * others(x, axis)


prod = reduction(
    "prod",
    """Product over axis.

    Shapes: x any; y without the axes. The product of nothing is 1.
    Args: axis (None: all; an integer or a tuple), keepdims, dtype (x is cast to it first).
    Gradient: g times the product of the others, exact where x has zeros: [0, 2, 3] gives [6, 0, 0]; so are higher orders.
    Example:
        >>> import minigrad as mg
        >>> mg.prod(mg.tensor([2.0, 3.0]))
        Tensor(6., shape (), float32, cpu)
    """,
    _prod_rule,
    _prod,
    _in_dtype,
)


def _mean(xp: Any) -> Any:
    total = plain_sum(xp)
    return lambda x, axis, keepdims: narrowed(total(widened(x), axis, keepdims) / count(x.shape, axis), x.dtype)


mean = reduction(
    "mean",
    """Arithmetic mean over axis.

    Shapes: x any; y without the axes. The mean of nothing is nan, with NumPy's warning.
    Args: axis (None: all; an integer or a tuple), keepdims, dtype (x is cast to it first).
    Gradient: g / n, repeated.
    Numerics: half precision is accumulated in float32, so that a sum above 65504 does no harm; integers give float64.
    Example:
        >>> import minigrad as mg
        >>> mg.mean(mg.tensor([1.0, 2.0, 6.0]))
        Tensor(3., shape (), float32, cpu)
    """,
    lambda g, shape, axis: spread(g * (1.0 / (count(shape, axis) or math.nan)), shape),
    _mean,
    _in_dtype,
)
compiled("reductions", sum, mean)


# -- extremes ---------------------------------------------------------------------------------------------------------
def _share(g: Any, y: Any, x: Any, axis: Any) -> Any:
    """g, in equal shares, to those that equal the extreme y."""
    hit = cast(equal(x, y), g.dtype)
    return hit * (g / sum(hit, axis, True))


_EXTREME = """{0} over axis.

    Shapes: x any; y without the axes.
    Args: axis (None: all; an integer or a tuple), keepdims.
    Raises: ShapeError where there is nothing to choose from.
    Gradient: g to the {1}; equal ones share it equally. NaN wins, and gives its slice a NaN gradient.
    Example:
        >>> import minigrad as mg
        >>> x = mg.tensor([1.0, 3.0, 3.0, 1.0], requires_grad=True)
        >>> mg.{2}(x).backward()
        >>> x.grad.tolist()
        {3}
    """

max = reduction(
    "max",
    _EXTREME.format("Largest", "largest", "max", [0.0, 0.5, 0.5, 0.0]),
    _share,
    lambda xp: lambda x, axis, keepdims: x.max(axis, keepdims=keepdims),
)
min = reduction(
    "min",
    _EXTREME.format("Smallest", "smallest", "min", [0.5, 0.0, 0.0, 0.5]),
    _share,
    lambda xp: lambda x, axis, keepdims: x.min(axis, keepdims=keepdims),
)
amax, amin = max, min
compiled("lines", max, min)


def _logsumexp(xp: Any) -> Any:
    total = plain_sum(xp)

    def kernel(x: Any, axis: Any, keepdims: bool) -> Any:
        dtype = x.dtype
        x = widened(x)
        m = x.max(axis, keepdims=True) if x.size else total(x, axis, True) - math.inf
        y = total(xp.exp(x - xp.where(xp.isfinite(m), m, 0)), axis, True)
        y = xp.log(y + (m == -math.inf)) + m  # where m is -inf, log 1 + m
        return narrowed(y if keepdims else y.reshape([n for i, n in enumerate(x.shape) if axis is not None and i not in axis]), dtype)

    return kernel


logsumexp = reduction(
    "logsumexp",
    """log(sum(exp(x))) over axis, without overflow.

    Shapes: x any; y without the axes. Nothing, or nothing but -inf, gives -inf.
    Args: axis (None: all; an integer or a tuple), keepdims.
    Gradient: g * softmax(x); 0 where y is -inf, NaN to an x of +inf.
    Numerics: the largest x is taken out first, so x = 1e4 is exact; half precision is computed in float32.
    Example:
        >>> import minigrad as mg
        >>> mg.logsumexp(mg.tensor([1e4, 1e4])).item() == 1e4 + 0.693359375
        True
    """,
    lambda g, y, x: g * exp(x - where(equal(y, -math.inf), 0.0, y)),
    _logsumexp,
)


# -- without a gradient -----------------------------------------------------------------------------------------------
def _constant(name: str, doc: str, kernel: Any) -> Any:
    """A reduction to integers or booleans: ``f(x, axis=None, keepdims=False)``."""
    op = Op(name, ("y", "x"), (), kernel=lambda xp: kernel, doc=doc)

    def f(x: Any, axis: Any = None, keepdims: bool = False, **other: Any) -> Any:
        x, axis = ready(name, x, axis, other)
        a = raw(x)
        try:
            y = op.kernels[type(a)](a, axis, keepdims)
        except Exception as error:
            raise explained(op, error, (a,)) from None
        return wrap(settled(y), None) if isinstance(x, Tensor) else y

    return named(f, op)


def _one(name: str, axis: Any) -> Any:
    """The one axis of a function that takes no more."""
    if axis is None or len(axis) == 1:
        return axis and axis[0]
    raise ShapeError(f"{name}: axis must be one integer or None, got {axis}")


def _arg(which: str) -> Any:
    def kernel(x: Any, axis: Any, keepdims: bool) -> Any:
        return getattr(x, which)(_one(which, axis), keepdims=keepdims)

    return kernel


_ARG = """Where the {0} number along axis is, as an integer; the first of equal ones, the first NaN if there is one.

    Args: axis (None: counted through the flattened x; an integer), keepdims.
    Raises: ShapeError where there is nothing to choose from.
    Gradient: none.
    Example:
        >>> import minigrad as mg
        >>> mg.{1}(mg.tensor([1.0, 3.0, 2.0])).item()
        {2}
    """

argmax = _constant("argmax", _ARG.format("largest", "argmax", 1), _arg("argmax"))
argmin = _constant("argmin", _ARG.format("smallest", "argmin", 0), _arg("argmin"))
_TEST = """Whether {0} along axis {1} true (not 0).

    Args: axis (None: all; an integer or a tuple), keepdims.
    Gradient: none.
    Example:
        >>> import minigrad as mg
        >>> mg.{2}(mg.tensor([[True, True], [True, False]]), axis=1)
        Tensor([ True, {3}], shape (2,), bool, cpu)
    """

all = _constant("all", _TEST.format("all numbers", "are", "all", "False"), lambda x, axis, keepdims: x.all(axis, keepdims=keepdims))
any = _constant("any", _TEST.format("any number", "is", "any", " True"), lambda x, axis, keepdims: x.any(axis, keepdims=keepdims))
count_nonzero = _constant(
    "count_nonzero",
    """How many numbers along axis are not 0; NaN is not. No gradient.

    Example:
        >>> import minigrad as mg
        >>> mg.count_nonzero(mg.tensor([0.0, 2.0, 3.0])).item()
        2
    """,
    lambda x, axis, keepdims: (x != 0).sum(axis, keepdims=keepdims),
)

__all__ = [
    "all",
    "amax",
    "amin",
    "any",
    "argmax",
    "argmin",
    "count_nonzero",
    "logsumexp",
    "max",
    "mean",
    "min",
    "prod",
    "sum",
]
