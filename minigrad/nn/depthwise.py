"""Convolutions in which no channel sees another."""

from typing import Any

from .conv import Conv2d
from .parameter import size


class DepthwiseConv2d(Conv2d):
    """A Conv2d with a group for each channel: each is filtered on its own, by ``depth_multiplier`` kernels.

    Shapes: x (N, C, H, W) or (C, H, W); y (N, C m, H', W') with H' as for Conv2d; channel c gives the channels c m to c m + m - 1.
        Keys: weight (C m, 1, kH, kW) and bias (C m,), those of PyTorch's Conv2d(C, C m, ..., groups=C).

    Args:
        in_channels: C.
        kernel_size, stride, padding, dilation, bias, padding_mode, device, dtype, init: as Conv2d.
        depth_multiplier: m, how many kernels each channel has.

    Raises:
        ShapeError: in_channels or depth_multiplier is below 1.
        DTypeError: one of them is no integer.

    Source:
        Howard et al., "MobileNets: efficient convolutional neural networks for mobile vision applications", 2017, section 3.1.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> layer = nn.DepthwiseConv2d(3, 3, padding=1)
        >>> layer(mg.ones((1, 3, 4, 5))).shape, layer.weight.shape
        ((1, 3, 4, 5), (3, 1, 3, 3))
    """

    def __init__(
        self,
        in_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        depth_multiplier: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
        *,
        init: Any = None,
    ):
        channels = size("DepthwiseConv2d", "in_channels", in_channels, 1)
        multiplier = size("DepthwiseConv2d", "depth_multiplier", depth_multiplier, 1)
        super().__init__(
            channels,
            channels * multiplier,
            kernel_size,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=channels,
            bias=bias,
            padding_mode=padding_mode,
            device=device,
            dtype=dtype,
            init=init,
        )
        self.depth_multiplier = multiplier


__all__ = ["DepthwiseConv2d"]
