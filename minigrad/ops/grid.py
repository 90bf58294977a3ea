"""Images looked at through a grid of points: spatial transformers.

Each point of the grid mixes a few pixels near it. Which pixels is an array of integers; how much of each comes from the grid by
ordinary ops on arrays without channels; and the mixing itself is an op with two relatives, which are one another's derivatives: pixels
to points (``SAMPLE``), points back to pixels (``SCATTER``), and how alike the two are (``OVERLAP``), the gradient of the weights.
"""

from itertools import product
from math import prod
from typing import Any

from ..autograd.forms import apply, general
from ..autograd.op import Op
from ..autograd.tensor import raw
from ..backend import is_inexact, working_dtype
from ..backend.arrays import namespace
from ..errors import DTypeError, ShapeError
from .axes import swapaxes
from .fused import SPREAD
from .joining import stack
from .logic import where
from .losses import given
from .products import matmul
from .shape import reshape


# -- mixing: x (N, C, M) pixels, g (N, C, O) points, w and index (K, N, O): K pixels for each point ----------------------
def _lines(xp: Any, x: Any) -> Any:
    """(N, C, M) as N * M lines of C numbers, next to each other in memory."""
    return xp.ascontiguousarray(x.swapaxes(1, 2)).reshape(x.shape[0] * x.shape[2], x.shape[1])


def _rows(xp: Any, index: Any, pixels: int) -> Any:
    """Where the lines of each image begin, added to the index."""
    return index + (xp.arange(index.shape[1]) * pixels)[:, None]


def _sample(xp: Any, x: Any, w: Any, index: Any) -> Any:
    lines, rows = _lines(xp, x), _rows(xp, index, x.shape[2])
    y = xp.zeros((*index.shape[1:], x.shape[1]), working_dtype(x.dtype))
    for r, share in zip(rows, w, strict=True):
        y += lines[r] * share[..., None]
    return xp.ascontiguousarray(y.swapaxes(1, 2)).astype(x.dtype, copy=False)


def _scatter(xp: Any, g: Any, w: Any, index: Any, pixels: int) -> Any:
    n, c, points = g.shape
    lines, rows = _lines(xp, g).reshape(n, points, c), _rows(xp, index, pixels)
    x = xp.zeros((n * pixels, c), working_dtype(g.dtype))
    for r, share in zip(rows, w, strict=True):
        x += apply(SPREAD, ((lines * share[..., None]).reshape(n * points, c),), r.reshape(-1), n * pixels, None)
    return xp.ascontiguousarray(x.reshape(n, pixels, c).swapaxes(1, 2)).astype(g.dtype, copy=False)


def _overlap(xp: Any, g: Any, x: Any, index: Any) -> Any:
    n, c, points = g.shape
    lines, rows, seen = _lines(xp, x), _rows(xp, index, x.shape[2]), _lines(xp, g).reshape(n, points, c)
    w = xp.empty(index.shape, g.dtype)
    for k, r in enumerate(rows):
        w[k] = xp.add.reduce(lines[r] * seen, 2, working_dtype(g.dtype))
    return w


SAMPLE: Op = general(
    _sample,
    lambda g, w, index, shape: apply(SCATTER, (g, w), index, shape[2]),
    lambda g, x, index: apply(OVERLAP, (g, x), index),
    name="grid_sample",
)
SCATTER: Op = general(
    _scatter,
    lambda v, w, index: apply(SAMPLE, (v, w), index),
    lambda v, g, index: apply(OVERLAP, (g, v), index),
    name="grid_sample_gradient",
)
OVERLAP: Op = general(
    _overlap,
    lambda v, x, index: apply(SAMPLE, (x, v), index),
    lambda v, g, index, shapes: apply(SCATTER, (g, v), index, shapes[1][2]),
    name="grid_sample_weights",
)


# -- which pixels, and how much of each ---------------------------------------------------------------------------------
def _within(c: Any, n: int) -> Any:
    """c limited to the centres of the pixels; at the outermost and beyond without gradient."""
    a = raw(c)
    return where((a > 0) & (a < n - 1), c, namespace(type(a)).clip(a, 0, n - 1))


def _mirrored(c: Any, n: int, align: bool) -> Any:
    """c reflected, as often as needed, at the centres of the outermost pixels or at their outer edges."""
    low, span = (0.0, float(n - 1)) if align else (-0.5, float(n))
    if not span:
        return c * 0
    far = abs(c - low)
    turns = namespace(type(raw(far))).floor(raw(far) / span)
    rest = far - turns * span
    return where(turns % 2 == 0, rest, span - rest) + low


def _cubic(t: Any, a: float = -0.75) -> list[Any]:
    """The weights of four neighbours, t after the second: Keys's kernel."""

    def near(t: Any) -> Any:
        return ((a + 2) * t - (a + 3)) * t * t + 1

    def far(t: Any) -> Any:
        return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a

    return [far(t + 1), near(t), near(1 - t), far(2 - t)]


def _taps(c: Any, n: int, mode: str, padding: str, align: bool) -> list[tuple[Any, Any]]:
    """The pixels of one axis that a coordinate mixes, and their weights: those outside are pixel 0 with weight 0."""
    if mode != "bicubic" and padding != "zeros":
        c = _within(_mirrored(c, n, align) if padding == "reflection" else c, n)
    a = raw(c)
    xp = namespace(type(a))
    first = xp.rint(a) if mode == "nearest" else xp.floor(a)
    if mode == "nearest":
        weights = [1.0]
    elif mode == "bilinear":
        weights = [1 - (c - first), c - first]
    else:
        weights, first = _cubic(c - first), first - 1
    taps = []
    for k, w in enumerate(weights):
        i = first + k
        if mode == "bicubic" and padding != "zeros":
            i = xp.clip(_mirrored(i, n, align) if padding == "reflection" else i, 0, n - 1)
        inside = (i >= 0) & (i < n)
        taps.append((xp.where(inside, i, 0).astype("int64"), w * inside.astype(a.dtype)))
    return taps


MODES, PADDINGS = ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")


def grid_sample(input: Any, grid: Any, mode: str = "bilinear", padding_mode: str = "zeros", align_corners: bool | None = None) -> Any:
    """The values of an image at the points of a grid.

    Shapes: input (N, C, H, W), grid (N, H', W', 2), result (N, C, H', W'); or (N, C, D, H, W), (N, D', H', W', 3), (N, C, D', H', W').

    Args:
        grid: points (x, y) or (x, y, z), x along the last axis of input, from -1 to 1 between the edges of the image.
        mode: "bilinear" (of a volume trilinear), "nearest", or "bicubic" (of an image only).
        padding_mode: what lies outside: "zeros"; "border", the nearest pixel; "reflection", the image mirrored at its edge.
        align_corners: whether -1 and 1 are the centres of the outermost pixels; otherwise (None too) their outer edges.

    Raises:
        ShapeError: shapes that do not fit, or an image without pixels.
        DTypeError: input or grid not floating.
        ValueError: another mode or padding_mode, or "bicubic" of a volume.

    Gradient: to the grid too, but for "nearest"; at points where the neighbours change that of the pixels after, and 0 where "border"
    or "reflection" limit a point to the outermost pixel. Added in the same order every time.
    Source:
        Jaderberg et al., "Spatial transformer networks", 2015, eqs. 3 to 7; Keys, "Cubic convolution interpolation for digital image
        processing", 1981, with a = -0.75 as in PyTorch.
    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> image, points = mg.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), mg.tensor([[[[0.0, 0.0], [1.0, -1.0]]]])
        >>> F.grid_sample(image, points, align_corners=True).tolist()
        [[[[2.5, 2.0]]]]
    """
    who = "grid_sample"
    x, grid = given(input), given(grid)
    n = len(x.shape) - 2
    if n not in (2, 3) or len(grid.shape) != n + 2 or grid.shape[-1] != n or grid.shape[0] != x.shape[0]:
        raise ShapeError(
            f"{who}: expected input (N, C, H, W) and grid (N, H', W', 2), or input (N, C, D, H, W) and grid (N, D', H', W', 3), "
            f"got {tuple(x.shape)} and {tuple(grid.shape)}"
        )
    if not is_inexact(x.dtype) or not is_inexact(grid.dtype):
        raise DTypeError(f"{who}: input and grid must be floating, got {x.dtype} and {grid.dtype}")
    if mode not in MODES or (mode == "bicubic" and n == 3):
        raise ValueError(f"{who}: mode must be one of {', '.join(MODES)} (bicubic for images only), got {mode!r} of {n} dimensions")
    if padding_mode not in PADDINGS:
        raise ValueError(f"{who}: padding_mode must be one of {', '.join(PADDINGS)}, got {padding_mode!r}")
    batch, channels, *sizes = x.shape
    if not all(sizes):
        raise ShapeError(f"{who}: input {tuple(x.shape)} has no pixels")
    out, align = tuple(grid.shape[1:-1]), bool(align_corners)
    points = reshape(grid, (batch, prod(out), n))
    axes = []
    for a, size in enumerate(sizes):
        p = points[:, :, n - 1 - a] + 1
        axes.append(_taps(p * ((size - 1) / 2) if align else p * (size / 2) - 0.5, size, mode, padding_mode, align))
    indices, weights = [], []
    for taps in product(*axes):
        index: Any = 0
        weight: Any = 1.0
        for (i, w), size in zip(taps, sizes, strict=True):
            index, weight = index * size + i, weight * w
        indices.append(index)
        weights.append(weight)
    y = apply(SAMPLE, (reshape(x, (batch, channels, prod(sizes))), stack(weights)), namespace(type(indices[0])).stack(indices))
    return reshape(y, (batch, channels, *out))


def affine_grid(theta: Any, size: Any, align_corners: bool | None = None) -> Any:
    """The points of an image of this size, moved by an affine map: a grid for ``grid_sample``.

    Shapes: theta (N, 2, 3), result (N, H, W, 2) for a size (N, C, H, W); or (N, 3, 4) and (N, D, H, W, 3) for (N, C, D, H, W).

    Args:
        theta: maps (x, y, 1) or (x, y, z, 1), from -1 to 1 between the edges of the result, to points of the input.
        size: the shape of the result of ``grid_sample``.
        align_corners: as in ``grid_sample``; give the same to both.

    Raises:
        ShapeError: theta and size do not fit, or the size is empty.
        DTypeError: theta is not floating.

    Source:
        Jaderberg et al., "Spatial transformer networks", 2015, eq. 1.
    Example:
        >>> import minigrad as mg
        >>> from minigrad.nn import functional as F
        >>> F.affine_grid(mg.tensor([[[1.0, 0.0, 0.5], [0.0, 1.0, 0.0]]]), (1, 1, 1, 2)).tolist()
        [[[[0.0, 0.0], [1.0, 0.0]]]]
    """
    theta = given(theta)
    size = tuple([int(s) for s in size])
    n = len(size) - 2
    if n not in (2, 3) or tuple(theta.shape) != (size[0], n, n + 1):
        raise ShapeError(
            f"affine_grid: expected theta (N, 2, 3) for a size (N, C, H, W), or (N, 3, 4) for (N, C, D, H, W), "
            f"got {tuple(theta.shape)} and {size}"
        )
    if min(size) < 1:
        raise ShapeError(f"affine_grid: size must be positive, got {size}")
    if not is_inexact(theta.dtype):
        raise DTypeError(f"affine_grid: theta must be floating, got {theta.dtype}")
    xp, spatial = namespace(type(raw(theta))), size[2:]
    base = xp.ones((*spatial, n + 1), theta.dtype)
    for a, length in enumerate(spatial):
        places = (xp.arange(length) * 2 + 1) / length - 1
        if align_corners:
            places = xp.arange(length) * (2 / (length - 1)) - 1 if length > 1 else places
        base[..., n - 1 - a] = places.reshape([-1 if k == a else 1 for k in range(n)])
    points = matmul(base.reshape(-1, n + 1), swapaxes(theta, 1, 2))
    return reshape(points, (size[0], *spatial, n))


__all__ = ["affine_grid", "grid_sample"]
