"""Layers that change the size of an image, or lay out its windows, pixels and channels anew. They have no parameters."""

from typing import Any

from ..ops.resample import MODES
from ..ops.windows import lengths
from . import functional as F
from .functional.targets import check_positive
from .module import Module


class Upsample(Module):
    """A signal, image or volume of another size, larger or smaller, by ``functional.interpolate``.

    Shapes: x (N, C, L), (N, C, H, W) or (N, C, D, H, W); y (N, C, *size).

    Args:
        size: the lengths of the result; an integer or one per axis.
        scale_factor: or how many times longer it is to be; a number or one per axis.
        mode: "nearest", "nearest-exact", "linear", "bilinear", "bicubic", "trilinear" or "area".
        align_corners: let the outermost elements, not their outer edges, keep their places; linear and cubic modes only.
        recompute_scale_factor: with a factor, take steps that fit the rounded size instead of exactly 1 / factor.

    Raises:
        ValueError: both or neither of size and factor, or an unknown mode.

    Source: as ``functional.interpolate``.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.Upsample(scale_factor=2, mode="bilinear")(mg.ones((1, 3, 4, 5))).shape
        (1, 3, 8, 10)
    """

    def __init__(
        self,
        size: Any = None,
        scale_factor: Any = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ):
        super().__init__()
        if (size is None) == (scale_factor is None):
            raise ValueError(f"{type(self).__name__}: give either size or scale_factor, got {size!r} and {scale_factor!r}")
        if mode not in MODES and mode != "area":
            raise ValueError(f"{type(self).__name__}: mode must be one of {', '.join([*MODES, 'area'])}, got {mode!r}")
        if size is not None:
            lengths(type(self).__name__, "size", size, len(size) if isinstance(size, (tuple, list)) else 1, 1)
        for f in scale_factor if isinstance(scale_factor, (tuple, list)) else [] if scale_factor is None else [scale_factor]:
            check_positive(type(self).__name__, scale_factor=f)
        self.size, self.scale_factor, self.mode = size, scale_factor, mode
        self.align_corners, self.recompute_scale_factor = align_corners, recompute_scale_factor

    def forward(self, x: Any) -> Any:
        return F.interpolate(
            x, self.size, self.scale_factor, self.mode, self.align_corners, recompute_scale_factor=self.recompute_scale_factor
        )

    def extra_repr(self) -> str:
        how = f"scale_factor={self.scale_factor}" if self.size is None else f"size={self.size}"
        return f"{how}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """An image of another size whose pixels are repeated. Shapes: x (N, C, H, W). Args: as Upsample.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.UpsamplingNearest2d(scale_factor=2)(mg.tensor([[[[1.0, 2.0]]]])).tolist()
        [[[[1.0, 1.0, 2.0, 2.0], [1.0, 1.0, 2.0, 2.0]]]]
    """

    def __init__(self, size: Any = None, scale_factor: Any = None):
        super().__init__(size, scale_factor)


class UpsamplingBilinear2d(Upsample):
    """An image of another size whose pixels are mixed; the corners keep their places. Shapes: x (N, C, H, W). Args: as Upsample.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.UpsamplingBilinear2d((1, 3))(mg.tensor([[[[1.0, 2.0]]]])).tolist()
        [[[[1.0, 1.5, 2.0]]]]
    """

    def __init__(self, size: Any = None, scale_factor: Any = None):
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)


class PixelShuffle(Module):
    """Deals channels out to pixels: an image r times as high and wide.

    Shapes: x (..., C r^2, H, W); y (..., C, H r, W r).

    Args:
        upscale_factor: r.

    Source:
        Shi et al., "Real-time single image and video super-resolution using an efficient sub-pixel convolutional network", 2016.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.PixelShuffle(2)(mg.ones((1, 8, 3, 4))).shape
        (1, 2, 6, 8)
    """

    def __init__(self, upscale_factor: int):
        super().__init__()
        (self.upscale_factor,) = lengths("PixelShuffle", "upscale_factor", upscale_factor, 1, 1)

    def forward(self, x: Any) -> Any:
        return F.pixel_shuffle(x, self.upscale_factor)

    def extra_repr(self) -> str:
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """The inverse of PixelShuffle. Shapes: x (..., C, H r, W r); y (..., C r^2, H, W). Args: ``downscale_factor`` is r.

    Source:
        Shi et al., "Real-time single image and video super-resolution using an efficient sub-pixel convolutional neural network", 2016.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.PixelUnshuffle(2)(mg.ones((1, 2, 6, 8))).shape
        (1, 8, 3, 4)
    """

    def __init__(self, downscale_factor: int):
        super().__init__()
        (self.downscale_factor,) = lengths("PixelUnshuffle", "downscale_factor", downscale_factor, 1, 1)

    def forward(self, x: Any) -> Any:
        return F.pixel_unshuffle(x, self.downscale_factor)

    def extra_repr(self) -> str:
        return f"downscale_factor={self.downscale_factor}"


class ChannelShuffle(Module):
    """Deals the channels of several groups out in turn. Shapes: x (N, C, ...), C a multiple of ``groups``; y the same.

    Source:
        Zhang et al., "ShuffleNet: an extremely efficient convolutional neural network for mobile devices", 2017.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.ChannelShuffle(2)(mg.tensor([[[1.0], [2.0], [3.0], [4.0]]])).reshape(-1).tolist()
        [1.0, 3.0, 2.0, 4.0]
    """

    def __init__(self, groups: int):
        super().__init__()
        (self.groups,) = lengths("ChannelShuffle", "groups", groups, 1, 1)

    def forward(self, x: Any) -> Any:
        return F.channel_shuffle(x, self.groups)

    def extra_repr(self) -> str:
        return f"groups={self.groups}"


class _Windows(Module):
    def __init__(self, kernel_size: Any, dilation: Any, padding: Any, stride: Any):
        super().__init__()
        for what, value, least in (
            ("kernel_size", kernel_size, 1),
            ("dilation", dilation, 1),
            ("padding", padding, 0),
            ("stride", stride, 1),
        ):
            lengths(type(self).__name__, what, value, 2, least)
        self.kernel_size, self.dilation, self.padding, self.stride = kernel_size, dilation, padding, stride

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, stride={self.stride}"


class Unfold(_Windows):
    """The windows of an image as the columns of a matrix (im2col).

    Shapes: x (N, C, H, W) or (C, H, W); y (N, C kH kW, L) with L windows, row by row.

    Args:
        kernel_size: the size of the window; an integer or one per axis, as all of these.
        dilation: the step from element to element of a window.
        padding: zeros on either side.
        stride: the step from window to window.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.Unfold(2)(mg.ones((1, 3, 4, 5))).shape
        (1, 12, 12)
    """

    def __init__(self, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1):
        super().__init__(kernel_size, dilation, padding, stride)

    def forward(self, x: Any) -> Any:
        return F.unfold(x, self.kernel_size, self.dilation, self.padding, self.stride)


class Fold(_Windows):
    """An image from the columns that Unfold makes: windows are added where they overlap.

    Shapes: x (N, C kH kW, L) or (C kH kW, L); y (N, C, *output_size).

    Args:
        output_size: the height and width of the result.
        others: as Unfold.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.Fold((4, 5), 2)(mg.ones((1, 12, 12))).shape
        (1, 3, 4, 5)
    """

    def __init__(self, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1):
        super().__init__(kernel_size, dilation, padding, stride)
        lengths("Fold", "output_size", output_size, 2, 1)
        self.output_size = output_size

    def forward(self, x: Any) -> Any:
        return F.fold(x, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}, {super().extra_repr()}"


__all__ = [
    "ChannelShuffle",
    "Fold",
    "PixelShuffle",
    "PixelUnshuffle",
    "Unfold",
    "Upsample",
    "UpsamplingBilinear2d",
    "UpsamplingNearest2d",
]
