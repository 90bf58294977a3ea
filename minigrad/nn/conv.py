"""Convolutions and transposed convolutions of signals, images and volumes."""

from typing import Any

from ..errors import DTypeError
from ..ops import conv
from ..ops.windows import lengths
from . import init as initial
from .functional import pad
from .module import Module
from .parameter import Parameter, blank, size

_FORWARD = {1: conv.conv1d, 2: conv.conv2d, 3: conv.conv3d}
_BACK = {1: conv.conv_transpose1d, 2: conv.conv_transpose2d, 3: conv.conv_transpose3d}
_MODES = ("zeros", "reflect", "replicate", "circular")


class _Conv(Module):
    """What all have in common; a subclass says of how many axes (n) and which function it is."""

    n = 0
    transposed = False
    bias: Parameter | None

    def _build(
        self,
        channels: tuple[int, int],
        kernel_size: Any,
        stride: Any,
        padding: Any,
        dilation: Any,
        groups: int,
        bias: bool,
        place: tuple,
        init: Any,
    ) -> None:
        Module.__init__(self)
        who = type(self).__name__
        inside, outside = size(who, "in_channels", channels[0]), size(who, "out_channels", channels[1])
        groups = size(who, "groups", groups, 1)
        if inside % groups or outside % groups:
            raise ValueError(f"{who}: groups={groups} must divide in_channels={inside} and out_channels={outside}")
        self.in_channels, self.out_channels, self.groups = inside, outside, groups
        self.kernel_size = lengths(who, "kernel_size", kernel_size, self.n, 1)
        self.stride, self.dilation = lengths(who, "stride", stride, self.n, 1), lengths(who, "dilation", dilation, self.n, 1)
        if isinstance(padding, str) and (self.transposed or padding not in ("same", "valid")):
            words = "" if self.transposed else ", 'same' or 'valid'"
            raise DTypeError(f"{who}: padding must be integers{words}, got {padding!r}")
        self.padding = padding if isinstance(padding, str) else lengths(who, "padding", padding, self.n, 0)
        self.init = initial.checked(who, init)
        self.weight = blank(self._weight_shape(), *place)
        self.register_parameter("bias", blank((outside,), *place) if bias else None)
        self.reset_parameters()

    def _weight_shape(self) -> tuple[int, ...]:
        inside, outside = self.in_channels, self.out_channels
        first = (inside, outside // self.groups) if self.transposed else (outside, inside // self.groups)
        return (*first, *self.kernel_size)

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        initial.layer_(self.weight, self.bias, self.init)

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        ordinary = {
            "padding": (0,) * self.n,
            "output_padding": (0,) * self.n,
            "dilation": (1,) * self.n,
            "groups": 1,
            "padding_mode": "zeros",
        }
        for name, usual in ordinary.items():
            if getattr(self, name, usual) != usual:
                text += f", {name}={getattr(self, name)}"
        return text + ("" if self.bias is not None else ", bias=False")


class Convolution(_Conv):
    """A convolution of n axes; see Conv2d."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
        *,
        init: Any = None,
    ):
        if padding_mode not in _MODES:
            raise ValueError(f"{type(self).__name__}: padding_mode must be one of {_MODES}, got {padding_mode!r}")
        self._build((in_channels, out_channels), kernel_size, stride, padding, dilation, groups, bias, (dtype, device), init)
        self.padding_mode = padding_mode

    def forward(self, x: Any) -> Any:
        padding: Any = self.padding
        if self.padding_mode != "zeros" and padding != "valid":
            x, padding = pad(x, self._both_sides(), self.padding_mode), 0
        return _FORWARD[self.n](x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)

    def _both_sides(self) -> list[int]:
        """The padding as ``pad`` takes it: the last axis first, both of its sides."""
        out = []
        for i in reversed(range(self.n)):
            reach = self.dilation[i] * (self.kernel_size[i] - 1)
            out += [reach // 2, reach - reach // 2] if isinstance(self.padding, str) else [self.padding[i]] * 2
        return out


class TransposedConvolution(_Conv):
    """A transposed convolution of n axes; see ConvTranspose2d."""

    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
        *,
        init: Any = None,
    ):
        if padding_mode != "zeros":
            raise ValueError(f"{type(self).__name__}: only padding_mode='zeros' exists for transposed convolutions, got {padding_mode!r}")
        self._build((in_channels, out_channels), kernel_size, stride, padding, dilation, groups, bias, (dtype, device), init)
        self.output_padding = lengths(type(self).__name__, "output_padding", output_padding, self.n, 0)

    def forward(self, x: Any, output_size: Any = None) -> Any:
        """The result; ``output_size`` chooses the spatial size among those that a stride leaves open."""
        extra = self.output_padding
        if output_size is not None:
            extra = self._extra(x.shape[-self.n :], tuple(output_size)[-self.n :])
        return _BACK[self.n](x, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation)

    def _extra(self, spatial: tuple[int, ...], wanted: tuple[int, ...]) -> tuple[int, ...]:
        out = []
        for m, w, k, s, p, d in zip(spatial, wanted, self.kernel_size, self.stride, self.padding, self.dilation, strict=True):
            least = (m - 1) * s - 2 * p + d * (k - 1) + 1
            if not least <= w < least + s:
                raise ValueError(
                    f"{type(self).__name__}: output_size {wanted} cannot come of {spatial}; possible are {least} to {least + s - 1}"
                )
            out.append(w - least)
        return tuple(out)


class Conv1d(Convolution):
    """Convolution of signals.

    Shapes: x (N, in, L) or (in, L); weight (out, in / groups, k); bias (out,); y (N, out, L').

    Args: as Conv2d.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.Conv1d(4, 8, 3, stride=2)(mg.ones((2, 4, 9))).shape
        (2, 8, 4)
    """

    n = 1


class Conv2d(Convolution):
    """Convolution of images.

    Shapes: x (N, in, H, W) or (in, H, W); weight (out, in / groups, kH, kW); bias (out,);
        y (N, out, H', W') with H' = (H + 2 padding - dilation (kH - 1) - 1) // stride + 1.

    Args:
        in_channels, out_channels: channels of x and y.
        kernel_size, stride, padding, dilation: an integer, or one per axis; padding may be "same" or "valid".
        groups: blocks of channels that do not see each other.
        bias: whether to add a number per channel.
        padding_mode: "zeros", "reflect", "replicate" or "circular".
        device, dtype: where the parameters are made, and of what.
        init: what fills the weight, as for Linear.

    Raises:
        ValueError: groups does not divide the channels, a length is too small, or an unknown padding_mode.
        DTypeError: a length that is no integer, or an ``init`` that is no function.

    Source:
        LeCun et al., "Gradient-based learning applied to document recognition", 1998. Initial values as in PyTorch.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.Conv2d(1, 16, 3, padding=1)(mg.ones((2, 1, 8, 8))).shape
        (2, 16, 8, 8)
    """

    n = 2


class Conv3d(Convolution):
    """Convolution of volumes.

    Shapes: x (N, in, D, H, W) or (in, D, H, W); weight (out, in / groups, kD, kH, kW); bias (out,); y (N, out, D', H', W').

    Args: as Conv2d.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.Conv3d(1, 2, (1, 3, 3))(mg.ones((1, 1, 4, 5, 5))).shape
        (1, 2, 4, 3, 3)
    """

    n = 3


class ConvTranspose1d(TransposedConvolution):
    """Transposed convolution of signals.

    Shapes: x (N, in, L) or (in, L); weight (in, out / groups, k); bias (out,); y (N, out, L').

    Args: as ConvTranspose2d.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.ConvTranspose1d(4, 8, 2, stride=2)(mg.ones((2, 4, 9))).shape
        (2, 8, 18)
    """

    n = 1


class ConvTranspose2d(TransposedConvolution):
    """Transposed convolution of images: the gradient of a convolution as a layer, so that it enlarges.

    Shapes: x (N, in, H, W) or (in, H, W); weight (in, out / groups, kH, kW); bias (out,); y (N, out, H', W') with
        H' = (H - 1) stride - 2 padding + dilation (kH - 1) + output_padding + 1.

    Args:
        in_channels, out_channels, kernel_size, stride, padding, groups, bias, dilation, device, dtype, init: as Conv2d.
        output_padding: how much larger to make the result at its end, where a stride leaves its size open.
        padding_mode: "zeros"; there is no other.

    Raises: as Conv2d.

    Source:
        Zeiler et al., "Deconvolutional networks", 2010. Initial values as in PyTorch.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.ConvTranspose2d(8, 3, 4, stride=2, padding=1)(mg.ones((2, 8, 7, 7))).shape
        (2, 3, 14, 14)
    """

    n = 2


class ConvTranspose3d(TransposedConvolution):
    """Transposed convolution of volumes.

    Shapes: x (N, in, D, H, W) or (in, D, H, W); weight (in, out / groups, kD, kH, kW); bias (out,); y (N, out, D', H', W').

    Args: as ConvTranspose2d.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.ConvTranspose3d(2, 1, 2, stride=2)(mg.ones((1, 2, 3, 3, 3))).shape
        (1, 1, 6, 6, 6)
    """

    n = 3


__all__ = ["Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"]
