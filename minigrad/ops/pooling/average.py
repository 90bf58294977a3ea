"""Average pooling: the mean, or the norm, of the numbers in each window.

Averaging over windows and spreading over them are linear, and each is the derivative of the other.
"""

from math import prod
from typing import Any

from ...autograd.forms import apply, general
from ...autograd.op import Op, compiled
from ...backend import working_dtype
from ...errors import DTypeError
from ..logic import not_equal, where
from ..powers import power
from ..windows import Ints, Pairs, batched, lengths, overlap, pool_geometry, unbatched


def _average(xp: Any, x: Any, out: Ints, kernel: Ints, stride: Ints, padding: Pairs, include: bool, divisor: Any) -> Any:
    """The sum over each window, one axis after the other, divided by how many it has."""
    y = x.astype(working_dtype(x.dtype), copy=False)
    for a, (o, k, s, (lo, _)) in enumerate(zip(out, kernel, stride, padding, strict=True), 2):
        z = xp.zeros((*y.shape[:a], o, *y.shape[a + 1 :]), y.dtype)
        for i in range(k):
            some, inside = overlap(i, y.shape[a], (0, o), s, lo, 1)
            z[along(a, some)] += y[along(a, inside)]
        y = z
    y = y / _divisor(xp, x.shape[2:], out, kernel, stride, padding, include, divisor, y.dtype)
    return y.astype(x.dtype, copy=False) if x.dtype.kind in "fcV" else y


def _spread(xp: Any, g: Any, spatial: Ints, kernel: Ints, stride: Ints, padding: Pairs, include: bool, divisor: Any) -> Any:
    """Each g, divided by how many its window has, added to all of them."""
    out = g.shape[2:]
    y = g.astype(working_dtype(g.dtype), copy=False)
    y = y / _divisor(xp, spatial, out, kernel, stride, padding, include, divisor, y.dtype)
    for a, (n, k, s, (lo, _)) in reversed(list(enumerate(zip(spatial, kernel, stride, padding, strict=True), 2))):
        z = xp.zeros((*y.shape[:a], n, *y.shape[a + 1 :]), y.dtype)
        for i in range(k):
            some, inside = overlap(i, n, (0, y.shape[a]), s, lo, 1)
            z[along(a, inside)] += y[along(a, some)]
        y = z
    return y.astype(g.dtype, copy=False)


def along(axis: int, part: slice) -> tuple:
    return (*[slice(None)] * axis, part)


def _divisor(xp: Any, spatial: Ints, out: Ints, kernel: Ints, stride: Ints, padding: Pairs, include: bool, given: Any, dtype: Any) -> Any:
    """How many elements each window has: one number, or an array where windows hang over an edge."""
    axes = list(zip(spatial, out, kernel, stride, padding, strict=True))
    if given is not None:
        return given
    if all((o - 1) * s + k <= n + (lo + hi if include else 0) and (include or not lo) for n, o, k, s, (lo, hi) in axes):
        return prod(kernel)
    number: Any = 1
    for a, (n, o, k, s, (lo, hi)) in enumerate(axes):
        first = xp.arange(o) * s - lo
        last = xp.minimum(first + k, n + hi if include else n)
        first = first if include else xp.maximum(first, 0)
        number = number * (last - first).reshape(-1, *[1] * (len(axes) - 1 - a))
    return number.astype(dtype)


AVERAGE = general(
    _average,
    lambda g, shape, kernel, stride, padding, include, divisor: apply(SPREAD, (g,), shape[2:], kernel, stride, padding, include, divisor),
    name="avg_pool",
)
SPREAD: Op = general(
    _spread,
    lambda v, shape, kernel, stride, padding, include, divisor: apply(AVERAGE, (v,), shape[2:], kernel, stride, padding, include, divisor),
    name="avg_pool_gradient",
)
compiled("pooling", AVERAGE, SPREAD)


def _avg_pool(
    name: str, n: int, x: Any, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool, count_include_pad: bool, divisor: Any
) -> Any:
    x, with_batch = batched(name, x, n)
    out, kernel, steps, pairs, _ = pool_geometry(name, n, x, kernel_size, stride, padding, 1, ceil_mode)
    if divisor is not None and (isinstance(divisor, bool) or not hasattr(divisor, "__index__") or divisor == 0):
        raise DTypeError(f"{name}: divisor_override must be an integer other than 0, got {divisor!r}")
    return unbatched(apply(AVERAGE, (x,), out, kernel, steps, pairs, bool(count_include_pad), divisor), with_batch)


def avg_pool1d(
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Any:
    """The mean of each window of a signal. Shapes: x (N, C, L) or (C, L). See ``avg_pool2d``.

    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.avg_pool1d(mg.tensor([[1.0, 3.0, 2.0, 0.0]]), 2).tolist()
        [[2.0, 1.0]]
    """
    return _avg_pool("avg_pool1d", 1, x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def avg_pool2d(
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Any:
    """The mean of each window of an image.

    Shapes: x (N, C, H, W) or (C, H, W); result (N, C, H', W') with H' = (H + 2 padding - k) // stride + 1.
    Args:
        x: the input.
        kernel_size: the size of the window; an integer or one per axis, as stride and padding.
        stride: the step from window to window; default: ``kernel_size``.
        padding: how far windows reach over the edges, at most half of the window.
        ceil_mode: round H' up: keep a last window that hangs over the end.
        count_include_pad: whether the zeros of the padding count in the mean.
        divisor_override: divide by this instead of the number of elements.
    Raises:
        ShapeError: no window fits, or a number is out of range.
    Gradient: g / (elements of the window) to each of them.
    Numerics: float16 is summed in float32.
    Source: LeCun et al., "Gradient-based learning applied to document recognition", 1998 (there called subsampling).
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.avg_pool2d(mg.tensor([[[1.0, 2.0, 5.0, 0.0], [4.0, 3.0, 0.0, 7.0]]]), 2)
        Tensor([[[2.5, 3. ]]], shape (1, 1, 2), float32, cpu)
    """
    return _avg_pool("avg_pool2d", 2, x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def avg_pool3d(
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Any:
    """The mean of each window of a volume. Shapes: x (N, C, D, H, W) or (C, D, H, W). See ``avg_pool2d``.

    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.avg_pool3d(mg.ones((1, 4, 4, 6)), 2).shape
        (1, 2, 2, 3)
    """
    return _avg_pool("avg_pool3d", 3, x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


# -- power-average pooling ---------------------------------------------------------------------------------------------
def _lp_pool(name: str, n: int, x: Any, norm_type: float, kernel_size: Any, stride: Any, ceil_mode: bool) -> Any:
    if isinstance(norm_type, bool) or not isinstance(norm_type, (int, float)) or not norm_type > 0:
        raise DTypeError(f"{name}: norm_type must be a number above 0, got {norm_type!r}")
    x, with_batch = batched(name, x, n)
    y = _avg_pool(name, n, x if norm_type == 1 else power(x, norm_type), kernel_size, stride, 0, ceil_mode, True, None if ceil_mode else 1)
    if ceil_mode:  # PyTorch's: the mean of what is there, times the size of a whole window
        y = y * prod(lengths(name, "kernel_size", kernel_size, n, 1))
    if norm_type != 1:
        some = not_equal(y, 0)  # the root has no slope at 0: take 1 there, and drop it
        y = where(some, power(where(some, y, 1.0), 1 / norm_type), 0.0)
    return unbatched(y, with_batch)


def lp_pool1d(x: Any, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Any:
    """The p-norm of each window of a signal. Shapes: x (N, C, L) or (C, L). See ``lp_pool2d``.

    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.lp_pool1d(mg.tensor([[3.0, 4.0]]), 2, 2).tolist()
        [[5.0]]
    """
    return _lp_pool("lp_pool1d", 1, x, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(x: Any, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Any:
    """The root of the sum of powers of each window of an image, ``(sum x**p) ** (1/p)``: the sum for p = 1, nearly the maximum for large p.

    Shapes: x (N, C, H, W) or (C, H, W); result as ``avg_pool2d``.
    Args:
        x: the input; negative numbers make sense with an even p only.
        norm_type: p, above 0.
        kernel_size: the size of the window; an integer or one per axis.
        stride: the step from window to window; default: ``kernel_size``.
        ceil_mode: keep a last window that hangs over the end; its sum is scaled up to that of a whole window, as in PyTorch.
    Gradient: 0 in windows whose sum is 0.
    Source: Sermanet, Chintala and LeCun, "Convolutional neural networks applied to house numbers digit classification", 2012.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.lp_pool2d(mg.tensor([[[3.0, 0.0], [0.0, 4.0]]]), 2, 2)
        Tensor([[[5.]]], shape (1, 1, 1), float32, cpu)
    """
    return _lp_pool("lp_pool2d", 2, x, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(x: Any, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Any:
    """The p-norm of each window of a volume. Shapes: x (N, C, D, H, W) or (C, D, H, W). See ``lp_pool2d``.

    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.lp_pool3d(mg.ones((1, 2, 2, 2)), 1, 2).tolist()
        [[[[8.0]]]]
    """
    return _lp_pool("lp_pool3d", 3, x, norm_type, kernel_size, stride, ceil_mode)


__all__ = ["avg_pool1d", "avg_pool2d", "avg_pool3d", "lp_pool1d", "lp_pool2d", "lp_pool3d"]
