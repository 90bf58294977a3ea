"""Comparisons and tests: functions without a gradient, whose results are constants; and ``where``, which chooses by them."""

from typing import Any

import numpy as np

from ..autograd.arguments import explained, operand, settled
from ..autograd.forms import apply, general
from ..autograd.op import Op, compiled, named, on_arrays
from ..autograd.tensor import Tensor, raw, wrap
from ..backend import namespace
from ..errors import ShapeError
from .masks import either, masked


def constant(name: str, doc: str, kernel: Any = None, inputs: int = 2) -> Any:
    """An elementwise op of one or two inputs whose result is never recorded: nothing small that one does to them changes it."""
    op = Op(name, ("y", "a", "b")[: inputs + 1], (), kernel=kernel, doc=doc, inputs=inputs, elementwise=True)
    kernels = op.kernels

    def one(x: Any) -> Any:
        if not isinstance(x, Tensor):
            return on_arrays(op, operand(x))
        a = x.data
        try:
            return wrap(settled(kernels[type(a)](a)), None)
        except Exception as error:
            raise explained(op, error, (a,)) from None

    def two(a: Any, b: Any) -> Any:
        if not isinstance(a, Tensor) and not isinstance(b, Tensor):
            return on_arrays(op, operand(a), operand(b))
        kind = type(a.data if isinstance(a, Tensor) else b.data)
        a, b = operand(raw(a)), operand(raw(b))
        try:
            return wrap(settled(kernels[kind](a, b)), None)
        except Exception as error:
            raise explained(op, error, (a, b)) from None

    return named(one if inputs == 1 else two, op)


# -- comparisons ------------------------------------------------------------------------------------------------------
equal = constant(
    "equal",
    """Whether a == b, element by element, broadcast; NaN equals nothing.

    Example:
        >>> import minigrad as mg
        >>> mg.equal(mg.tensor([1.0, 2.0]), 2.0)
        Tensor([False,  True], shape (2,), bool, cpu)
    """,
)
not_equal = constant(
    "not_equal",
    """Whether a != b, element by element, broadcast; NaN differs from everything.

    Example:
        >>> import minigrad as mg
        >>> mg.not_equal(mg.tensor([1.0, mg.nan]), mg.tensor([1.0, mg.nan]))
        Tensor([False,  True], shape (2,), bool, cpu)
    """,
)
less = constant(
    "less",
    """Whether a < b, element by element, broadcast.

    Example:
        >>> import minigrad as mg
        >>> mg.less(mg.tensor([1.0, 2.0, 3.0]), 2.0)
        Tensor([ True, False, False], shape (3,), bool, cpu)
    """,
)
less_equal = constant(
    "less_equal",
    """Whether a <= b, element by element, broadcast.

    Example:
        >>> import minigrad as mg
        >>> mg.less_equal(mg.tensor([1.0, 2.0, 3.0]), 2.0)
        Tensor([ True,  True, False], shape (3,), bool, cpu)
    """,
)
greater = constant(
    "greater",
    """Whether a > b, element by element, broadcast.

    Example:
        >>> import minigrad as mg
        >>> mg.greater(mg.tensor([1.0, 2.0, 3.0]), 2.0)
        Tensor([False, False,  True], shape (3,), bool, cpu)
    """,
)
greater_equal = constant(
    "greater_equal",
    """Whether a >= b, element by element, broadcast.

    Example:
        >>> import minigrad as mg
        >>> mg.greater_equal(mg.tensor([1.0, 2.0, 3.0]), 2.0)
        Tensor([False,  True,  True], shape (3,), bool, cpu)
    """,
)

# -- truth ------------------------------------------------------------------------------------------------------------
logical_and = constant(
    "logical_and",
    """Whether both a and b are true (not 0), element by element, broadcast.

    Example:
        >>> import minigrad as mg
        >>> mg.logical_and(mg.tensor([True, True]), mg.tensor([True, False]))
        Tensor([ True, False], shape (2,), bool, cpu)
    """,
)
logical_or = constant(
    "logical_or",
    """Whether a or b is true (not 0), element by element, broadcast.

    Example:
        >>> import minigrad as mg
        >>> mg.logical_or(mg.tensor([True, False]), mg.tensor([False, False]))
        Tensor([ True, False], shape (2,), bool, cpu)
    """,
)
logical_xor = constant(
    "logical_xor",
    """Whether exactly one of a and b is true (not 0), element by element, broadcast.

    Example:
        >>> import minigrad as mg
        >>> mg.logical_xor(mg.tensor([True, True]), mg.tensor([True, False]))
        Tensor([False,  True], shape (2,), bool, cpu)
    """,
)
logical_not = constant(
    "logical_not",
    """Whether x is false (0), element by element.

    Example:
        >>> import minigrad as mg
        >>> mg.logical_not(mg.tensor([0.0, 2.0]))
        Tensor([ True, False], shape (2,), bool, cpu)
    """,
    inputs=1,
)

# -- what kind of number ----------------------------------------------------------------------------------------------
isnan = constant(
    "isnan",
    """Whether x is NaN, element by element.

    Example:
        >>> import minigrad as mg
        >>> mg.isnan(mg.tensor([1.0, mg.nan, mg.inf]))
        Tensor([False,  True, False], shape (3,), bool, cpu)
    """,
    inputs=1,
)
isinf = constant(
    "isinf",
    """Whether x is infinite, of either sign, element by element.

    Example:
        >>> import minigrad as mg
        >>> mg.isinf(mg.tensor([1.0, mg.nan, -mg.inf]))
        Tensor([False, False,  True], shape (3,), bool, cpu)
    """,
    inputs=1,
)
isfinite = constant(
    "isfinite",
    """Whether x is neither infinite nor NaN, element by element.

    Example:
        >>> import minigrad as mg
        >>> mg.isfinite(mg.tensor([1.0, mg.nan, mg.inf]))
        Tensor([ True, False, False], shape (3,), bool, cpu)
    """,
    inputs=1,
)
isposinf = constant(
    "isposinf",
    """Whether x is +inf, element by element.

    Example:
        >>> import minigrad as mg
        >>> mg.isposinf(mg.tensor([mg.inf, -mg.inf]))
        Tensor([ True, False], shape (2,), bool, cpu)
    """,
    lambda xp: lambda x: xp.equal(x, float("inf")),
    inputs=1,
)
isneginf = constant(
    "isneginf",
    """Whether x is -inf, element by element.

    Example:
        >>> import minigrad as mg
        >>> mg.isneginf(mg.tensor([mg.inf, -mg.inf]))
        Tensor([False,  True], shape (2,), bool, cpu)
    """,
    lambda xp: lambda x: xp.equal(x, float("-inf")),
    inputs=1,
)
signbit = constant(
    "signbit",
    """Whether the sign bit of x is set: of negative numbers and of -0.0.

    Example:
        >>> import minigrad as mg
        >>> mg.signbit(mg.tensor([-2.0, -0.0, 0.0]))
        Tensor([ True,  True, False], shape (3,), bool, cpu)
    """,
    inputs=1,
)
isreal = constant(
    "isreal",
    """Whether the imaginary part of x is 0, element by element.

    Example:
        >>> import minigrad as mg
        >>> mg.isreal(mg.tensor([1 + 0j, 1 + 2j]))
        Tensor([ True, False], shape (2,), bool, cpu)
    """,
    lambda xp: lambda x: xp.equal(xp.imag(x), 0),
    inputs=1,
)
iscomplex = constant(
    "iscomplex",
    """Whether x has an imaginary part other than 0, element by element.

    Example:
        >>> import minigrad as mg
        >>> mg.iscomplex(mg.tensor([1 + 0j, 1 + 2j]))
        Tensor([False,  True], shape (2,), bool, cpu)
    """,
    lambda xp: lambda x: xp.not_equal(xp.imag(x), 0),
    inputs=1,
)


# -- nearly and wholly equal ------------------------------------------------------------------------------------------
def _isclose(xp: Any, a: Any, b: Any, rtol: float, atol: float, equal_nan: bool) -> Any:
    return xp.isclose(a, b, rtol, atol, equal_nan)


_isclose_op = general(_isclose, inputs=2, name="isclose")


def isclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    """Whether ``|a - b| <= atol + rtol * |b|``, element by element, broadcast; equal infinities are close.

    Example:
        >>> import minigrad as mg
        >>> mg.isclose(mg.tensor([1.0, 2.0]), mg.tensor([1.0, 2.1]))
        Tensor([ True, False], shape (2,), bool, cpu)
    """
    y = apply(_isclose_op, (raw(a), raw(b)), rtol, atol, equal_nan)
    return wrap(settled(y), None) if isinstance(a, Tensor) or isinstance(b, Tensor) else y


def allclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    """Whether all elements are close: one boolean.

    Example:
        >>> import minigrad as mg
        >>> bool(mg.allclose(mg.tensor([1.0, 2.0]), mg.tensor([1.0, 2.1])))
        False
    """
    return _all(isclose(a, b, rtol, atol, equal_nan))


def array_equal(a: Any, b: Any, equal_nan: bool = False) -> Any:
    """Whether a and b have the same shape and the same values: one boolean.

    Example:
        >>> import minigrad as mg
        >>> bool(mg.array_equal(mg.tensor([1.0, 2.0]), [1.0, 2.0]))
        True
    """
    a, b = (v if isinstance(v, Tensor) else np.asarray(operand(v)) if not hasattr(v, "shape") else v for v in (a, b))
    if tuple(a.shape) != tuple(b.shape):
        return _false(a, b)
    same = equal(a, b)
    return _all(same | ((a != a) & (b != b)) if equal_nan else same)


def array_equiv(a: Any, b: Any) -> Any:
    """Whether a and b broadcast against each other and then have the same values: one boolean.

    Example:
        >>> import minigrad as mg
        >>> bool(mg.array_equiv(mg.tensor([2.0, 2.0]), 2.0))
        True
    """
    try:
        return _all(equal(a, b))
    except ShapeError:
        return _false(a, b)


def _all(x: Any) -> Any:
    return wrap(settled(x.data.all()), None) if isinstance(x, Tensor) else x.all()


def _false(a: Any, b: Any) -> Any:
    t = a if isinstance(a, Tensor) else b
    return wrap(namespace(type(t.data)).zeros((), "bool"), None) if isinstance(t, Tensor) else np.False_


# -- choosing ---------------------------------------------------------------------------------------------------------
def _where(xp: Any, condition: Any, a: Any, b: Any) -> Any:
    return either(xp, condition, a, b)


_where_op = general(
    _where,
    None,
    lambda g, condition: masked(g, condition),
    lambda g, condition: masked(g, logical_not(condition)),
    name="where",
)
compiled("activations", _where_op)


def where(condition: Any, a: Any, b: Any) -> Any:
    """``a`` where the condition holds, ``b`` elsewhere; all three broadcast.

    Args:
        condition: booleans; of numbers, those other than 0 count as true.
        a, b: what to take; both have been computed in full before ``where`` sees them.
    Gradient: g to whichever was taken, 0 to the other. Where the other's own slope is infinite, 0 * inf makes NaN further
        down: make its input harmless too, ``where(x > 0, log(where(x > 0, x, 1)), 0)``.
    Example:
        >>> import minigrad as mg
        >>> x = mg.tensor([-1.0, 2.0])
        >>> mg.where(x > 0, x, 0.0)
        Tensor([0., 2.], shape (2,), float32, cpu)
    """
    return apply(_where_op, (condition, a, b))


__all__ = [
    "allclose",
    "array_equal",
    "array_equiv",
    "equal",
    "greater",
    "greater_equal",
    "isclose",
    "iscomplex",
    "isfinite",
    "isinf",
    "isnan",
    "isneginf",
    "isposinf",
    "isreal",
    "less",
    "less_equal",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "not_equal",
    "signbit",
    "where",
]
