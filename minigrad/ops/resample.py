"""Windows laid out as columns and added back, images made larger or smaller, pixels dealt out to channels.

``unfold`` and ``fold`` are linear, and each is the derivative of the other; so are the two halves of ``interpolate``, which
mixes a few neighbours along one axis at a time.
"""

from collections.abc import Callable
from math import floor, prod
from typing import Any

from ..autograd.arguments import operand
from ..autograd.forms import apply, general
from ..autograd.op import Op
from ..autograd.tensor import Tensor
from ..backend import working_dtype
from ..errors import DTypeError, ShapeError
from .axes import permute_dims
from .correlation import fold as add_windows
from .pooling.adaptive import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d
from .pooling.average import along
from .windows import Ints, Pairs, batched, counts, lengths, unbatched, windows


# -- unfold and fold --------------------------------------------------------------------------------------------------
def _unfold(xp: Any, x: Any, out: Ints, kernel: Ints, stride: Ints, padding: Pairs, dilation: Ints) -> Any:
    n = len(out)
    view = windows(xp, x, [(0, o) for o in out], kernel, stride, padding, dilation)
    order = (n + 1, *range(n + 1), *range(n + 2, 2 * n + 2))
    return xp.array(view.transpose(order), copy=True, order="C").reshape(x.shape[0], x.shape[1] * prod(kernel), prod(out))


def _fold(xp: Any, cols: Any, spatial: Ints, out: Ints, kernel: Ints, stride: Ints, padding: Pairs, dilation: Ints) -> Any:
    n, c = len(out), cols.shape[1] // prod(kernel)
    y = xp.zeros((cols.shape[0], c, *spatial), working_dtype(cols.dtype))
    view = cols.reshape(cols.shape[0], c, *kernel, *out).transpose(*range(1, n + 2), 0, *range(n + 2, 2 * n + 2))
    add_windows(y.swapaxes(0, 1), view, [(0, o) for o in out], stride, padding, dilation)
    return y.astype(cols.dtype, copy=False)


UNFOLD = general(
    _unfold,
    lambda g, shape, out, kernel, stride, padding, dilation: apply(FOLD, (g,), shape[2:], out, kernel, stride, padding, dilation),
    name="unfold",
)
FOLD: Op = general(
    _fold,
    lambda v, out, kernel, stride, padding, dilation: apply(UNFOLD, (v,), out, kernel, stride, padding, dilation),
    name="fold",
)


def unfold(x: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """The windows of an image as the columns of a matrix (im2col), for layers of your own.

    Shapes: x (N, C, H, W) or (C, H, W); result (N, C * kH * kW, L) with L windows, row by row.
    Args:
        x: the input.
        kernel_size: the size of the window; an integer or one per axis, as all of these.
        dilation: the step from element to element of a window.
        padding: zeros on either side.
        stride: the step from window to window.
    Raises:
        ShapeError: no window fits, or a number is out of range.
    Gradient: ``fold`` of g.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.unfold(mg.tensor([[[1.0, 2.0, 3.0]]]), (1, 2))
        Tensor([[1., 2.],
                [2., 3.]], shape (2, 2), float32, cpu)
    """
    x, with_batch = batched("unfold", x, 2)
    kernel, steps, dilations = [
        lengths("unfold", what, value, 2, 1) for what, value in (("kernel_size", kernel_size), ("stride", stride), ("dilation", dilation))
    ]
    pairs = tuple([(p, p) for p in lengths("unfold", "padding", padding, 2, 0)])
    out = counts("unfold", tuple(x.shape[2:]), kernel, steps, pairs, dilations)
    return unbatched(apply(UNFOLD, (x,), out, kernel, steps, pairs, dilations), with_batch)


def fold(x: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """An image from the columns that ``unfold`` makes: windows are added where they overlap.

    Shapes: x (N, C * kH * kW, L) or (C * kH * kW, L); result (N, C, *output_size).
    Args:
        x: the columns.
        output_size: the height and width of the result.
        kernel_size, dilation, padding, stride: as in ``unfold``.
    Raises:
        ShapeError: the columns are not those of such an image.
    Gradient: ``unfold`` of g.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.fold(mg.tensor([[1.0, 2.0], [2.0, 3.0]]), (1, 3), (1, 2))
        Tensor([[[1., 4., 3.]]], shape (1, 1, 3), float32, cpu)
    """
    x, with_batch = batched("fold", x, 1)
    spatial, kernel, steps, dilations = [
        lengths("fold", what, value, 2, 1)
        for what, value in (("output_size", output_size), ("kernel_size", kernel_size), ("stride", stride), ("dilation", dilation))
    ]
    pairs = tuple([(p, p) for p in lengths("fold", "padding", padding, 2, 0)])
    out = counts("fold", spatial, kernel, steps, pairs, dilations)
    if x.shape[1] % prod(kernel) or x.shape[2] != prod(out):
        expected = f"(batch, channels * {prod(kernel)}, {prod(out)})"
        raise ShapeError(f"fold: x has shape {tuple(x.shape)}, expected {expected} for windows {kernel} of {spatial}")
    return unbatched(apply(FOLD, (x,), spatial, out, kernel, steps, pairs, dilations), with_batch)


# -- interpolation ----------------------------------------------------------------------------------------------------
Taps = tuple[tuple[Ints, tuple[float, ...] | None], ...]
"""For each of the neighbours that are mixed: their indices and weights (None: 1), one per element of the result."""


def _mix(xp: Any, x: Any, axis: int, taps: Taps) -> Any:
    """``y[o] = sum_t weights[t][o] * x[indices[t][o]]`` along an axis."""
    y = None
    for indices, weights in taps:
        part = xp.take(x, xp.asarray(indices, "int64"), axis=axis)
        if weights is not None:
            part = part * _weights(xp, x, axis, weights)
        if y is None:
            y = part
        else:
            y += part
    return y.astype(x.dtype, copy=False)  # type: ignore[union-attr]


def _unmix(xp: Any, g: Any, n: int, axis: int, taps: Taps) -> Any:
    """``y[indices[t][o]] += weights[t][o] * g[o]`` along an axis of n."""
    y = xp.zeros((*g.shape[:axis], n, *g.shape[axis + 1 :]), working_dtype(g.dtype))
    for indices, weights in taps:
        part = g if weights is None else g * _weights(xp, g, axis, weights)
        for places in _rounds(indices):
            to = xp.asarray([indices[o] for o in places], "int64")
            y[along(axis, to)] += part[along(axis, xp.asarray(places, "int64"))]
    return y.astype(g.dtype, copy=False)


def _weights(xp: Any, x: Any, axis: int, weights: tuple[float, ...]) -> Any:
    real = x.real.dtype if x.dtype.kind == "c" else working_dtype(x.dtype)
    return xp.asarray(weights, real).reshape(-1, *[1] * (x.ndim - 1 - axis))


def _rounds(indices: Ints) -> list[list[int]]:
    """The places of the indices in rounds without repetition, so that each round can be added at once."""
    rounds: list[list[int]] = []
    seen: dict[int, int] = {}
    for place, i in enumerate(indices):
        r = seen[i] = seen.get(i, -1) + 1
        if r == len(rounds):
            rounds.append([])
        rounds[r].append(place)
    return rounds


MIX = general(_mix, lambda g, shape, axis, taps: apply(UNMIX, (g,), shape[axis], axis, taps), name="interpolate")
UNMIX: Op = general(_unmix, lambda v, axis, taps: apply(MIX, (v,), axis, taps), name="interpolate_gradient")


def _nearest(n: int, out: int, step: float, align: bool) -> Taps:
    return ((tuple([min(floor(o * step), n - 1) for o in range(out)]), None),)


def _nearest_exact(n: int, out: int, step: float, align: bool) -> Taps:
    return ((tuple([min(floor((o + 0.5) * step), n - 1) for o in range(out)]), None),)


def _source(o: int, n: int, out: int, step: float, align: bool) -> float:
    """Where element o of the result lies among the elements of the input."""
    if align:
        return o * (n - 1) / (out - 1) if out > 1 else 0.0
    return (o + 0.5) * step - 0.5


def _linear(n: int, out: int, step: float, align: bool) -> Taps:
    at = [max(0.0, _source(o, n, out, step, align)) for o in range(out)]
    low = [min(floor(s), n - 1) for s in at]
    share = [min(s - i, 1.0) for s, i in zip(at, low, strict=True)]
    return (tuple(low), tuple([1 - t for t in share])), (tuple([min(i + 1, n - 1) for i in low]), tuple(share))


def _cubic(n: int, out: int, step: float, align: bool, a: float = -0.75) -> Taps:
    """Keys's kernel through four neighbours; beyond an edge its element is repeated."""

    def near(t: float) -> float:
        return ((a + 2) * t - (a + 3)) * t * t + 1

    def far(t: float) -> float:
        return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a

    at = [_source(o, n, out, step, align) for o in range(out)]
    low = [floor(s) for s in at]
    share = [s - i for s, i in zip(at, low, strict=True)]
    weigh: list[Callable[[float], float]] = [lambda t: far(1 + t), near, lambda t: near(1 - t), lambda t: far(2 - t)]
    return tuple([(tuple([min(max(i + k - 1, 0), n - 1) for i in low]), tuple([w(t) for t in share])) for k, w in enumerate(weigh)])


MODES: dict[str, tuple[Callable[..., Taps], tuple[int, ...]]] = {
    "nearest": (_nearest, (1, 2, 3)),
    "nearest-exact": (_nearest_exact, (1, 2, 3)),
    "linear": (_linear, (1,)),
    "bilinear": (_linear, (2,)),
    "trilinear": (_linear, (3,)),
    "bicubic": (_cubic, (2,)),
}


def interpolate(
    x: Any,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Any:
    """A signal, image or volume of another size.

    Shapes: x (N, C, L), (N, C, H, W) or (N, C, D, H, W); result (N, C, *size).
    Args:
        x: the input.
        size: the lengths of the result; an integer or one per axis.
        scale_factor: or how many times longer it is to be; a number or one per axis.
        mode: ``"nearest"`` repeats or drops elements, ``"nearest-exact"`` likewise by their centres; ``"linear"``, ``"bilinear"`` and
            ``"trilinear"`` (for 1, 2, 3 dimensions) mix two neighbours along each axis, ``"bicubic"`` four; ``"area"`` averages.
        align_corners: let the outermost elements, not their outer edges, keep their places; linear and cubic modes only.
        recompute_scale_factor: with ``scale_factor``, take steps that fit the rounded lengths instead of 1 / factor.
        antialias: False; there is no filter for making images smaller but ``"area"``.
    Raises:
        ShapeError: an empty result, or a mode that is not for so many dimensions.
        DTypeError: both or neither of ``size`` and ``scale_factor``, or an unknown mode.
    Source: Keys, "Cubic convolution interpolation for digital image processing", 1981 (bicubic, with a = -0.75 as in PyTorch).
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.interpolate(mg.tensor([[[1.0, 2.0]]]), scale_factor=2)
        Tensor([[[1., 1., 2., 2.]]], shape (1, 1, 4), float32, cpu)
    """
    if not isinstance(x, Tensor):
        x = operand(x)
    n = len(getattr(x, "shape", ())) - 2
    if n not in (1, 2, 3):
        raise ShapeError(f"interpolate: x has shape {tuple(getattr(x, 'shape', ()))}, expected (batch, channels, 1 to 3 lengths)")
    spatial = tuple(x.shape[2:])
    if antialias:
        raise ValueError('interpolate: antialias=True does not exist here; mode="area" averages what it leaves out')
    if recompute_scale_factor and scale_factor is None:
        raise ValueError("interpolate: recompute_scale_factor needs a scale_factor; leave it out where size is given")
    out, steps = _sizes(n, spatial, size, scale_factor)
    if recompute_scale_factor:
        steps = [m / o for m, o in zip(spatial, out, strict=True)]
    if align_corners is not None and (mode.startswith("nearest") or mode == "area"):
        raise DTypeError(f"interpolate: align_corners has no meaning in mode {mode!r}; leave it out")
    if mode == "area":
        return (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d)[n - 1](x, out)
    if mode not in MODES:
        raise DTypeError(f"interpolate: mode must be one of {', '.join([*MODES, 'area'])}, got {mode!r}")
    make, dimensions = MODES[mode]
    if n not in dimensions:
        raise ShapeError(f"interpolate: mode {mode!r} is for {dimensions[0]} spatial dimensions, x has {n}: {tuple(x.shape)}")
    for axis, (m, o, step) in enumerate(zip(spatial, out, steps, strict=True), 2):
        if m != o or step != 1.0:
            x = apply(MIX, (x,), axis, make(m, o, step, bool(align_corners)))
    if out == spatial and max(steps) == min(steps) == 1.0:
        x = apply(MIX, (x,), 2, _nearest(out[0], out[0], 1.0, False))  # a copy all the same
    return x


def _sizes(n: int, spatial: Ints, size: Any, scale_factor: Any) -> tuple[Ints, list[float]]:
    """The lengths of the result, and the step in the input per element of it."""
    if (size is None) == (scale_factor is None):
        raise DTypeError(f"interpolate: give either size or scale_factor, got {size!r} and {scale_factor!r}")
    if size is not None:
        out = lengths("interpolate", "size", size, n, 1)
        steps = [m / o for m, o in zip(spatial, out, strict=True)]
    else:
        factors = list(scale_factor) if isinstance(scale_factor, (tuple, list)) else [scale_factor] * n
        if len(factors) != n or not all(isinstance(f, (int, float)) and f > 0 for f in factors):
            raise ShapeError(f"interpolate: scale_factor must be one number above 0 or {n} of them, got {scale_factor!r}")
        out = tuple([floor(m * f) for m, f in zip(spatial, factors, strict=True)])
        steps = [1 / f for f in factors]
    if min(out) < 1 or min(spatial) < 1:
        raise ShapeError(f"interpolate: output would be {out} for an input of {spatial}")
    return out, steps


# -- pixels and channels ------------------------------------------------------------------------------------------------
def _images(name: str, x: Any) -> Any:
    if not isinstance(x, Tensor):
        x = operand(x)
    if len(getattr(x, "shape", ())) < 3:
        raise ShapeError(f"{name}: x has shape {tuple(getattr(x, 'shape', ()))}, expected (..., channels, height, width)")
    return x


def pixel_shuffle(x: Any, upscale_factor: int) -> Any:
    """Deal channels out to pixels: an image r times as high and wide, of r * r times fewer channels.

    Shapes: x (..., C * r * r, H, W); result (..., C, H * r, W * r).
    Source: Shi et al., "Real-time single image and video super-resolution using an efficient sub-pixel convolutional network", 2016.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.pixel_shuffle(mg.tensor([[[1.0]], [[2.0]], [[3.0]], [[4.0]]]), 2)
        Tensor([[[1., 2.],
                 [3., 4.]]], shape (1, 2, 2), float32, cpu)
    """
    x = _images("pixel_shuffle", x)
    (r,) = lengths("pixel_shuffle", "upscale_factor", upscale_factor, 1, 1)
    *lead, c, h, w = x.shape
    if c % (r * r):
        raise ShapeError(f"pixel_shuffle: x has {c} channels, expected a multiple of {r} * {r} (x {tuple(x.shape)})")
    k = len(lead)
    x = permute_dims(x.reshape((*lead, c // (r * r), r, r, h, w)), (*range(k + 1), k + 3, k + 1, k + 4, k + 2))
    return x.reshape((*lead, c // (r * r), h * r, w * r))


def pixel_unshuffle(x: Any, downscale_factor: int) -> Any:
    """The inverse of ``pixel_shuffle``. Shapes: x (..., C, H * r, W * r); result (..., C * r * r, H, W).

    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.pixel_unshuffle(mg.tensor([[[1.0, 2.0], [3.0, 4.0]]]), 2).tolist()
        [[[1.0]], [[2.0]], [[3.0]], [[4.0]]]
    """
    x = _images("pixel_unshuffle", x)
    (r,) = lengths("pixel_unshuffle", "downscale_factor", downscale_factor, 1, 1)
    *lead, c, h, w = x.shape
    if h % r or w % r:
        raise ShapeError(f"pixel_unshuffle: height and width must be multiples of {r}, got x {tuple(x.shape)}")
    k = len(lead)
    x = permute_dims(x.reshape((*lead, c, h // r, r, w // r, r)), (*range(k + 1), k + 2, k + 4, k + 1, k + 3))
    return x.reshape((*lead, c * r * r, h // r, w // r))


def channel_shuffle(x: Any, groups: int) -> Any:
    """Deal the channels of ``groups`` groups out in turn. Shapes: x (N, C, ...); result the same.

    Source: Zhang et al., "ShuffleNet", 2017.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.channel_shuffle(mg.tensor([[[1.0], [2.0], [3.0], [4.0]]]), 2).tolist()
        [[[1.0], [3.0], [2.0], [4.0]]]
    """
    if not isinstance(x, Tensor):
        x = operand(x)
    (groups,) = lengths("channel_shuffle", "groups", groups, 1, 1)
    if len(x.shape) < 3 or x.shape[1] % groups:
        raise ShapeError(f"channel_shuffle: x has shape {tuple(x.shape)}, expected (N, C, ...) with C a multiple of {groups} groups")
    n, c, *rest = x.shape
    x = x.reshape((n, groups, c // groups, *rest))
    return permute_dims(x, (0, 2, 1, *range(3, len(rest) + 3))).reshape((n, c, *rest))


__all__ = ["channel_shuffle", "fold", "interpolate", "pixel_shuffle", "pixel_unshuffle", "unfold"]
