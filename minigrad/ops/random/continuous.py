"""Continuous distributions, and what all random functions check at the door."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...autograd.arguments import operand
from ...autograd.tensor import Tensor, raw, wrap
from ...backend import Generator, default_dtype, device_of, is_inexact, to_device, working_dtype
from ...backend import generator as current_generator
from ...errors import DTypeError, ShapeError


# -- at the door ------------------------------------------------------------------------------------------------------
def number(p: Any) -> bool:
    return isinstance(p, (bool, int, float, np.bool_, np.integer, np.floating)) and not hasattr(p, "node")


def parameter(p: Any) -> Any:
    """A parameter as a Python number, an array or a Tensor."""
    return p.item() if isinstance(p, np.generic) else p if isinstance(p, Tensor) or number(p) else operand(p)


def size_lengths(name: str, size: Any) -> tuple[int, ...]:
    many = tuple(size) if isinstance(size, (tuple, list)) else (size,)
    for n in many:
        if isinstance(n, bool) or not hasattr(n, "__index__"):
            raise DTypeError(f"{name}: size must be an integer or a tuple of them, got {size!r}")
    out = tuple([n.__index__() for n in many])
    if any(n < 0 for n in out):
        raise ShapeError(f"{name}: size must not be negative, got {size!r}")
    return out


def common_shape(name: str, size: Any, *parameters: Any) -> tuple[int, ...]:
    """The shape asked for, or that to which the parameters broadcast."""
    shapes = [tuple(p.shape) for p in parameters if not number(p)]
    wanted = None if size is None else size_lengths(name, size)
    try:
        common = np.broadcast_shapes(*shapes)
        if wanted is None:
            return common
        shape = wanted
        fits = np.broadcast_shapes(shape, common) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(f"{name}: size {size} does not fit parameters of shapes {', '.join(map(str, shapes))}")
    return shape


def place(name: str, dtype: Any, device: Any, *parameters: Any) -> tuple[Any, Any]:
    """The dtype and the device of the result."""
    arrays = [raw(p) for p in parameters if not number(p)]
    if dtype is not None:
        dtype = np.dtype(dtype)
        if not is_inexact(dtype) or dtype.kind == "c":
            raise DTypeError(f"{name}: expected a real floating dtype, got {dtype}")
    else:
        kinds = [a.dtype for a in arrays if is_inexact(a.dtype)]
        dtype = np.result_type(*kinds) if kinds else default_dtype()
    return dtype, device if device is not None else device_of(arrays[0]) if arrays else "cpu"


def stream(name: str, generator: Any) -> np.random.Generator:
    if generator is None:
        return current_generator().rng
    if not isinstance(generator, Generator):
        raise DTypeError(f"{name}: generator must be a minigrad Generator, got {type(generator).__name__}")
    return generator.rng


def require(name: str, what: str, p: Any, good: Any, expected: str) -> None:
    """ValueError if a parameter has a value that is not ``good``; arrays on a device are not read back for this."""
    a = raw(p)
    if number(a):
        bad = not good(a)
    elif type(a) is np.ndarray:
        with np.errstate(invalid="ignore"):
            bad = not np.all(good(a))
    else:
        bad = False
    if bad:
        raise ValueError(f"{name}: {what} must be {expected}, got {p!r}")


def standard(kind: str, rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Standard numbers in the dtype in which to go on: float32 for the half precisions."""
    work = working_dtype(dtype) if dtype.itemsize <= 2 else dtype
    work = work if work in (np.float32, np.float64) else np.dtype("float64")
    if kind == "uniform":
        return rng.random(shape, dtype=work)
    if kind == "normal":
        return rng.standard_normal(shape, dtype=work)
    e = rng.standard_exponential(shape, dtype=work)
    return np.maximum(e, np.finfo(work).tiny, out=e)  # so that its logarithm is finite


def _finished(a: np.ndarray, dtype: Any, device: Any) -> Tensor:
    return wrap(to_device(a.astype(dtype, copy=False), device), None)


def _scaled(z: np.ndarray, loc: Any, scale: Any, dtype: Any, device: Any) -> Tensor:
    """``loc + scale * z``: in place for numbers, by ops (and with their gradients) for arrays and Tensors."""
    if number(loc) and number(scale):
        if scale != 1:
            z *= float(scale)
        if loc != 0:
            z += float(loc)
        return _finished(z, dtype, device)
    y = scale * _finished(z, dtype, device) + loc
    return y if y.dtype == dtype else y.astype(dtype)


# -- continuous ---------------------------------------------------------------------------------------------------------
def uniform(low: Any = 0.0, high: Any = 1.0, size: Any = None, *, dtype: Any = None, device: Any = None, generator: Any = None) -> Tensor:
    """Numbers from the uniform distribution on [low, high).

    Args:
        low, high: the interval; numbers, arrays or Tensors.
        size: the shape; default: that to which ``low`` and ``high`` broadcast.
    Raises:
        ValueError: ``low`` above ``high``, or one that is not finite.
    Gradient: y = low + (high - low) u with u fixed: 1 - u to low, u to high.
    Example:
        >>> import minigrad as mg
        >>> _ = mg.manual_seed(0)
        >>> u = mg.random.uniform(-1, 1, size=(2, 3))
        >>> u.shape, bool((abs(u) <= 1).all())
        ((2, 3), True)
    """
    low, high = parameter(low), parameter(high)
    for what, p in (("low", low), ("high", high)):
        require("uniform", what, p, np.isfinite, "finite")
    shape = common_shape("uniform", size, low, high)
    dtype, device = place("uniform", dtype, device, low, high)
    u = standard("uniform", stream("uniform", generator), shape, dtype)
    if not (number(low) and number(high)):
        gap = raw(high) - raw(low)
        require("uniform", "high - low", gap, lambda d: d >= 0, "at least 0")
        return _scaled(u, low, high - low, dtype, device)
    if low > high:
        raise ValueError(f"uniform: low must not be above high, got {low} and {high}")
    y = _scaled(u, low, high - low, dtype, "cpu").data
    if y.dtype.kind == "f" and low < high:  # rounding must not reach the open end
        np.minimum(y, np.nextafter(y.dtype.type(high), y.dtype.type(low)), out=y)
    return _finished(y, dtype, device)


def normal(loc: Any = 0.0, scale: Any = 1.0, size: Any = None, *, dtype: Any = None, device: Any = None, generator: Any = None) -> Tensor:
    """Numbers from the normal distribution with mean ``loc`` and standard deviation ``scale``.

    Args:
        loc, scale: the parameters; numbers, arrays or Tensors.
        size: the shape; default: that to which the parameters broadcast.
    Raises:
        ValueError: a scale that is negative or NaN.
    Gradient: y = loc + scale z with z fixed: 1 to loc, z to scale.
    Source: Kingma and Welling, "Auto-encoding variational Bayes", 2014, section 2.4 (the reparametrisation).
    Example:
        >>> import minigrad as mg
        >>> scale = mg.tensor(2.0, requires_grad=True)
        >>> z = mg.random.normal(0.0, scale, size=4)
        >>> z.sum().backward()
        >>> bool(abs(scale.grad * 2 - z.sum()) < 1e-5)
        True
    """
    return _located("normal", "normal", loc, scale, size, dtype, device, generator)


def _located(name: str, kind: str, loc: Any, scale: Any, size: Any, dtype: Any, device: Any, generator: Any) -> Tensor:
    """A distribution of a location and a scale, drawn in its standard form."""
    loc, scale = parameter(loc), parameter(scale)
    require(name, "loc", loc, lambda p: p == p, "a number")
    require(name, "scale", scale, lambda p: p >= 0, "at least 0")
    shape = common_shape(name, size, loc, scale)
    dtype, device = place(name, dtype, device, loc, scale)
    rng = stream(name, generator)
    if kind == "laplace":
        z = standard("exponential", rng, shape, dtype)
        z -= standard("exponential", rng, shape, dtype)
    elif kind == "gumbel":
        z = standard("exponential", rng, shape, dtype)
        np.negative(np.log(z, out=z), out=z)
    else:
        z = standard(kind, rng, shape, dtype)
    return _scaled(z, loc, scale, dtype, device)


def laplace(loc: Any = 0.0, scale: Any = 1.0, size: Any = None, *, dtype: Any = None, device: Any = None, generator: Any = None) -> Tensor:
    """Numbers from the Laplace distribution, whose density falls like ``exp(-|x - loc| / scale)``; as ``normal``.

    Example:
        >>> import minigrad as mg
        >>> _ = mg.manual_seed(0)
        >>> x = mg.random.laplace(0.0, 2.0, (10_000,))
        >>> abs(x.abs().mean().item() - 2.0) < 0.1  # the mean of |x - loc| is the scale
        True
    """
    return _located("laplace", "laplace", loc, scale, size, dtype, device, generator)


def gumbel(loc: Any = 0.0, scale: Any = 1.0, size: Any = None, *, dtype: Any = None, device: Any = None, generator: Any = None) -> Tensor:
    """Numbers from the Gumbel distribution of largest values; as ``normal``.

    Added to logits, they make the argmax a draw from the softmax of these.
    Example:
        >>> import minigrad as mg
        >>> _ = mg.manual_seed(0)
        >>> logits = mg.log(mg.tensor([0.9, 0.1]))
        >>> draws = (logits + mg.random.gumbel(0.0, 1.0, (1000, 2))).argmax(1)
        >>> 860 < (draws == 0).sum().item() < 940
        True
    """
    return _located("gumbel", "gumbel", loc, scale, size, dtype, device, generator)


def exponential(scale: Any = 1.0, size: Any = None, *, dtype: Any = None, device: Any = None, generator: Any = None) -> Tensor:
    """Numbers from the exponential distribution of mean ``scale``.

    Raises:
        ValueError: a scale that is negative or NaN.
    Gradient: y = scale e with e fixed: e to scale.
    Example:
        >>> import minigrad as mg
        >>> mg.random.exponential(mg.tensor([1.0, 5.0])).shape
        (2,)
    """
    return _located("exponential", "exponential", 0.0, scale, size, dtype, device, generator)


def standard_normal(size: Any = None, *, dtype: Any = None, device: Any = None, generator: Any = None) -> Tensor:
    """Numbers from the normal distribution of mean 0 and standard deviation 1.

    Example:
        >>> import minigrad as mg
        >>> mg.random.standard_normal((2, 3)).shape
        (2, 3)
    """
    return normal(size=size, dtype=dtype, device=device, generator=generator)


def _counted(name: str, shape: tuple) -> Any:
    return shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape


def randn(*shape: Any, dtype: Any = None, device: Any = None, generator: Any = None) -> Tensor:
    """Standard normal numbers of a shape given as arguments or as one tuple.

    Example:
        >>> import minigrad as mg
        >>> mg.random.randn(2, 3).shape
        (2, 3)
    """
    return normal(size=_counted("randn", shape), dtype=dtype, device=device, generator=generator)


def rand(*shape: Any, dtype: Any = None, device: Any = None, generator: Any = None) -> Tensor:
    """Numbers from [0, 1) of a shape given as arguments or as one tuple.

    Example:
        >>> import minigrad as mg
        >>> mg.random.rand(2, 3).shape
        (2, 3)
    """
    return uniform(size=_counted("rand", shape), dtype=dtype, device=device, generator=generator)


__all__ = ["exponential", "gumbel", "laplace", "normal", "rand", "randn", "standard_normal", "uniform"]
