"""Convolution in one, two and three dimensions, and its transpose.

Convolution is linear in the input and in the weight. With ``<y, g>`` the sum of products,

    T(x, w, g) = <convolution(x, w), g>

is linear in each of three arrays, and the derivative with respect to one is a function of the other two. These three functions
are the three primitives here: ``convolution`` (w.r.t. g), ``input_gradient`` (w.r.t. x), which is also the transposed convolution,
and ``weight_gradient`` (w.r.t. w). Each is the derivative of the other two, so they are closed under differentiation: any order
of gradient is again one of them.
"""

from functools import lru_cache
from typing import Any

from ..autograd.forms import apply, general
from ..autograd.op import compiled
from ..errors import DTypeError, ShapeError
from .correlation import correlation, input_slope, weight_slope
from .losses import given
from .reduce import sum as total
from .windows import Ints, Pairs, batched, counts, lengths, unbatched

# -- the three primitives ---------------------------------------------------------------------------------------------
CONVOLUTION = general(
    correlation,
    lambda g, w, shape, stride, padding, dilation, groups: input_gradient(g, w, None, shape[2:], stride, padding, dilation, groups),
    lambda g, x, shapes, stride, padding, dilation, groups: weight_gradient(x, g, shapes[1][2:], stride, padding, dilation, groups),
    lambda g: total(g, axis=(0, *range(2, g.ndim))),
    name="convolution",
    doc="Cross-correlation of x (N, C, *spatial) with w (O, C / groups, *kernel), plus a bias (O,) or None.",
)
INPUT_GRADIENT = general(
    input_slope,
    lambda v, w, stride, padding, dilation, groups: convolution(v, w, None, stride, padding, dilation, groups),
    lambda v, g, shapes, stride, padding, dilation, groups: weight_gradient(v, g, shapes[1][2:], stride, padding, dilation, groups),
    lambda v: total(v, axis=(0, *range(2, v.ndim))),
    name="convolution_input_gradient",
    doc="The gradient of a convolution with respect to its input, of which ``spatial`` is the shape; plus a bias or None.",
)
WEIGHT_GRADIENT = general(
    weight_slope,
    lambda v, g, shape, stride, padding, dilation, groups: input_gradient(g, v, None, shape[2:], stride, padding, dilation, groups),
    lambda v, x, stride, padding, dilation, groups: convolution(x, v, None, stride, padding, dilation, groups),
    name="convolution_weight_gradient",
    doc="The gradient of a convolution with respect to its weight, of which ``kernel`` is the spatial shape.",
)
compiled("conv", CONVOLUTION, INPUT_GRADIENT, WEIGHT_GRADIENT)


def convolution(x: Any, w: Any, bias: Any, stride: Ints, padding: Pairs, dilation: Ints, groups: int) -> Any:
    return apply(CONVOLUTION, (x, w, bias), stride, padding, dilation, groups)


def input_gradient(g: Any, w: Any, bias: Any, spatial: Ints, stride: Ints, padding: Pairs, dilation: Ints, groups: int) -> Any:
    return apply(INPUT_GRADIENT, (g, w, bias), spatial, stride, padding, dilation, groups)


def weight_gradient(x: Any, g: Any, kernel: Ints, stride: Ints, padding: Pairs, dilation: Ints, groups: int) -> Any:
    return apply(WEIGHT_GRADIENT, (x, g), kernel, stride, padding, dilation, groups)


# -- the public functions ---------------------------------------------------------------------------------------------
def _operands(name: str, n: int, x: Any, weight: Any, bias: Any) -> tuple[Any, Any, Any, bool]:
    """The operands of a convolution, x with a batch axis, and whether it came with one."""
    x, with_batch = batched(name, x, n)
    return x, given(weight), bias if bias is None else given(bias), with_batch


def _check(name: str, x: Ints, weight: Ints, bias: Ints | None, groups: int, n: int, transposed: bool) -> None:
    """Raise ShapeError where operands of these shapes do not fit one another."""
    if len(weight) != n + 2:
        layout = "(inputs, outputs / groups, *kernel)" if transposed else "(outputs, inputs / groups, *kernel)"
        raise ShapeError(f"{name}: weight has shape {weight}, expected {n + 2} dimensions {layout}")
    if 0 in weight[2:]:
        raise ShapeError(f"{name}: weight has shape {weight}, expected a kernel of at least 1 along each axis")
    channels, first, outputs = x[1], weight[0], weight[1] * groups if transposed else weight[0]
    shapes = f"(x {x}, weight {weight}, groups {groups})"
    if channels % groups or first % groups:
        raise ShapeError(f"{name}: groups={groups} must divide {channels} channels of x and the {first} of weight's first axis {shapes}")
    wanted = first if transposed else weight[1] * groups
    if channels != wanted:
        raise ShapeError(f"{name}: x has {channels} channels, weight expects {wanted} {shapes}")
    if bias is not None and bias != (outputs,):
        raise ShapeError(f"{name}: bias has shape {bias}, expected ({outputs},), one per output channel {shapes}")


# What follows from shapes and settings alone is found once, and looked up after that: a net asks for the same again and again.
@lru_cache(1024)
def _pairs(
    name: str, x: Ints, weight: Ints, bias: Ints | None, stride: Ints, padding: Ints | str, dilation: Ints, groups: int, n: int
) -> Pairs:
    """The padding on both sides of each axis of a convolution whose operands have these shapes, all of it checked."""
    _check(name, x, weight, bias, groups, n, False)
    kernel = weight[2:]
    if padding == "same":
        if max(stride) > 1:
            raise ShapeError(f"{name}: padding='same' needs stride 1, got {stride}; give the padding in numbers")
        reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        pairs = tuple([(r // 2, r - r // 2) for r in reach])
    else:
        pairs = ((0, 0),) * n if isinstance(padding, str) else tuple([(p, p) for p in padding])
    counts(name, x[2:], kernel, stride, pairs, dilation)
    return pairs


@lru_cache(1024)
def _spatial(
    name: str, x: Ints, weight: Ints, bias: Ints | None, stride: Ints, pads: Ints, extra: Ints, dilation: Ints, groups: int, n: int
) -> tuple[Ints, Pairs]:
    """The size of the images that a transposed convolution makes, and its padding on both sides of each axis, all of it checked."""
    _check(name, x, weight, bias, groups, n, True)
    if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
        raise ShapeError(f"{name}: output_padding {extra} must be smaller than stride {stride} or dilation {dilation}")
    pairs = tuple([(p, p - e) for p, e in zip(pads, extra, strict=True)])
    sizes = zip(x[2:], weight[2:], stride, pairs, dilation, strict=True)
    spatial = tuple([(m - 1) * s - lo - hi + d * (k - 1) + 1 for m, k, s, (lo, hi), d in sizes])
    if min(spatial) < 1 or 0 in x[2:]:
        empty = tuple([max(s, 0) for s in spatial])
        shapes = f"x {x}, weight {weight}, padding {pads}"
        raise ShapeError(f"{name}: output would be {empty} for {shapes}; use less padding or a larger input")
    return spatial, pairs


def _conv(name: str, n: int, x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: Any) -> Any:
    x, weight, bias, with_batch = _operands(name, n, x, weight, bias)
    (groups,) = lengths(name, "groups", groups, 1, 1)
    stride, dilation = lengths(name, "stride", stride, n, 1), lengths(name, "dilation", dilation, n, 1)
    if not isinstance(padding, str):
        padding = lengths(name, "padding", padding, n, 0)
    elif padding not in ("same", "valid"):
        raise DTypeError(f"{name}: padding must be integers, 'same' or 'valid', got {padding!r}")
    pairs = _pairs(name, x.shape, weight.shape, None if bias is None else bias.shape, stride, padding, dilation, groups, n)
    return unbatched(convolution(x, weight, bias, stride, pairs, dilation, groups), with_batch)


def _conv_transpose(
    name: str, n: int, x: Any, weight: Any, bias: Any, stride: Any, padding: Any, output_padding: Any, groups: Any, dilation: Any
) -> Any:
    x, weight, bias, with_batch = _operands(name, n, x, weight, bias)
    (groups,) = lengths(name, "groups", groups, 1, 1)
    stride, dilation = lengths(name, "stride", stride, n, 1), lengths(name, "dilation", dilation, n, 1)
    pads, extra = lengths(name, "padding", padding, n, 0), lengths(name, "output_padding", output_padding, n, 0)
    shapes = x.shape, weight.shape, None if bias is None else bias.shape
    spatial, pairs = _spatial(name, *shapes, stride, pads, extra, dilation, groups, n)
    return unbatched(input_gradient(x, weight, bias, spatial, stride, pairs, dilation, groups), with_batch)


def conv1d(x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1) -> Any:
    """Cross-correlation of signals with a bank of kernels.

    Shapes: x (N, C, L) or (C, L); weight (O, C / groups, k); bias (O,); result (N, O, L') with
        L' = (L + 2 padding - dilation (k - 1) - 1) // stride + 1.
    Args: as ``conv2d``.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.conv1d(mg.tensor([[[1.0, 2.0, 4.0]]]), mg.tensor([[[-1.0, 1.0]]]))
        Tensor([[[1., 2.]]], shape (1, 1, 2), float32, cpu)
    """
    return _conv("conv1d", 1, x, weight, bias, stride, padding, dilation, groups)


def conv2d(x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1) -> Any:
    """Cross-correlation of images with a bank of kernels.

    ``y[n, o, i, j] = bias[o] + sum_cuv w[o, c, u, v] * x[n, c, s i + d u - p, s j + d v - p]`` for stride s, dilation d, padding p.

    Shapes: x (N, C, H, W) or (C, H, W); weight (O, C / groups, kH, kW); bias (O,); result (N, O, H', W') with
        H' = (H + 2 padding - dilation (kH - 1) - 1) // stride + 1.
    Args:
        x: the input.
        weight: the kernels.
        bias: one number per output channel, or None.
        stride: the step from window to window; an integer or one per axis, as ``padding`` and ``dilation``.
        padding: zeros on either side; ``"same"`` keeps H and W (stride 1 only; of an odd number, the larger half comes last),
            ``"valid"`` is 0.
        dilation: the step from element to element of a window.
        groups: split the channels into so many groups that do not see each other; C of them is a depthwise convolution.
    Raises:
        ShapeError: channels do not fit, no window fits, or a number is out of range.
        DTypeError: a stride, padding or dilation that is not an integer.
    Gradient: with respect to x a transposed convolution, with respect to weight a correlation of x and g; of any order.
    Numerics: float16 is multiplied and summed in float32.
    Source: Chellapilla, Puri, Simard, "High performance convolutional neural networks for document processing", 2006 (im2col).
    Example:
        >>> import minigrad as mg
        >>> x, w = mg.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), mg.tensor([[[[1.0, 0.0], [0.0, 1.0]]]])
        >>> mg.nn.functional.conv2d(x, w)
        Tensor([[[[5.]]]], shape (1, 1, 1, 1), float32, cpu)
    """
    return _conv("conv2d", 2, x, weight, bias, stride, padding, dilation, groups)


def conv3d(x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1) -> Any:
    """Cross-correlation of volumes with a bank of kernels.

    Shapes: x (N, C, D, H, W) or (C, D, H, W); weight (O, C / groups, kD, kH, kW); bias (O,); result (N, O, D', H', W').
    Args: as ``conv2d``.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.conv3d(mg.ones((1, 2, 4, 5, 6)), mg.ones((3, 2, 2, 2, 2))).shape
        (1, 3, 3, 4, 5)
    """
    return _conv("conv3d", 3, x, weight, bias, stride, padding, dilation, groups)


def conv_transpose1d(
    x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0, groups: int = 1, dilation: Any = 1
) -> Any:
    """Transposed convolution of signals.

    Shapes: x (N, I, L) or (I, L); weight (I, O / groups, k); bias (O,);
        result (N, O, (L - 1) stride - 2 padding + dilation (k - 1) + output_padding + 1).
    Args: as ``conv_transpose2d``.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.conv_transpose1d(mg.tensor([[1.0, 2.0]]), mg.tensor([[[1.0, 1.0]]]), stride=2).tolist()
        [[1.0, 1.0, 2.0, 2.0]]
    """
    return _conv_transpose("conv_transpose1d", 1, x, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(
    x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0, groups: int = 1, dilation: Any = 1
) -> Any:
    """Transposed convolution of images: what the gradient of ``conv2d`` with respect to its input computes, so that it enlarges.

    Shapes: x (N, I, H, W) or (I, H, W); weight (I, O / groups, kH, kW); bias (O,); result (N, O, H', W') with
        H' = (H - 1) stride - 2 padding + dilation (kH - 1) + output_padding + 1.
    Args:
        x: the input.
        weight: the kernels, laid out as those of the convolution this transposes.
        bias: one number per output channel, or None.
        stride: the distance between the places to which neighbours of x contribute.
        padding: how much the transposed convolution would pad, which is cut off here.
        output_padding: how much larger to make the result at its end; smaller than stride or dilation.
        groups: as in ``conv2d``.
        dilation: as in ``conv2d``.
    Raises:
        ShapeError: channels do not fit, the result would be empty, or a number is out of range.
    Source: Zeiler, Krishnan, Taylor, Fergus, "Deconvolutional networks", 2010.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.conv_transpose2d(mg.tensor([[[[1.0, 2.0]]]]), mg.tensor([[[[1.0, 10.0]]]]), stride=2)
        Tensor([[[[ 1., 10.,  2., 20.]]]], shape (1, 1, 1, 4), float32, cpu)
    """
    return _conv_transpose("conv_transpose2d", 2, x, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose3d(
    x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0, groups: int = 1, dilation: Any = 1
) -> Any:
    """Transposed convolution of volumes.

    Shapes: x (N, I, D, H, W) or (I, D, H, W); weight (I, O / groups, kD, kH, kW); bias (O,); result (N, O, D', H', W').
    Args: as ``conv_transpose2d``.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.conv_transpose3d(mg.ones((1, 2, 4, 5, 6)), mg.ones((2, 3, 2, 2, 2)), stride=2).shape
        (1, 3, 8, 10, 12)
    """
    return _conv_transpose("conv_transpose3d", 3, x, weight, bias, stride, padding, output_padding, groups, dilation)


__all__ = ["conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"]
