"""Pooling of signals, images and volumes."""

from typing import Any

from ..ops import pooling
from .module import Module


class _MaxPool(Module):
    n = 0

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ):
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation, self.return_indices, self.ceil_mode = padding, dilation, return_indices, ceil_mode

    def forward(self, x: Any) -> Any:
        f = getattr(pooling, f"max_pool{self.n}d")
        return f(
            x,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            ceil_mode=self.ceil_mode,
            return_indices=self.return_indices,
        )

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, dilation={self.dilation}, "
            f"ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPool):
    """The largest of each window of a signal. Shapes: x (N, C, L) or (C, L). Args: as MaxPool2d."""

    n = 1


class MaxPool2d(_MaxPool):
    """The largest of each window of an image.

    Shapes: x (N, C, H, W) or (C, H, W); y (N, C, H', W').

    Args:
        kernel_size: the window, an integer or one per axis.
        stride: from window to window; default: the window.
        padding: minus infinity on both sides.
        dilation: from entry to entry of a window.
        return_indices: give the places of the maxima too.
        ceil_mode: let windows begin that do not fit to their end.
    """

    n = 2


class MaxPool3d(_MaxPool):
    """The largest of each window of a volume. Shapes: x (N, C, D, H, W). Args: as MaxPool2d."""

    n = 3


class AvgPool1d(Module):
    """The mean of each window of a signal. Shapes: x (N, C, L) or (C, L). Args: as AvgPool2d, without ``divisor_override``."""

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False, count_include_pad: bool = True):
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.ceil_mode, self.count_include_pad = padding, ceil_mode, count_include_pad

    def forward(self, x: Any) -> Any:
        return pooling.avg_pool1d(x, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class _AvgPool(Module):
    n = 0

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ):
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.ceil_mode, self.count_include_pad = padding, ceil_mode, count_include_pad
        self.divisor_override = divisor_override

    def forward(self, x: Any) -> Any:
        f = getattr(pooling, f"avg_pool{self.n}d")
        return f(x, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad, self.divisor_override)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(_AvgPool):
    """The mean of each window of an image.

    Shapes: x (N, C, H, W) or (C, H, W); y (N, C, H', W').

    Args:
        kernel_size: the window, an integer or one per axis.
        stride: from window to window; default: the window.
        padding: zeros on both sides.
        ceil_mode: let windows begin that do not fit to their end.
        count_include_pad: count the padding in the mean.
        divisor_override: what to divide by instead of the size of the window.
    """

    n = 2


class AvgPool3d(_AvgPool):
    """The mean of each window of a volume. Shapes: x (N, C, D, H, W). Args: as AvgPool2d."""

    n = 3


class _Adaptive(Module):
    name = ""

    def __init__(self, output_size: Any):
        super().__init__()
        self.output_size = output_size

    def forward(self, x: Any) -> Any:
        return getattr(pooling, self.name)(x, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_Adaptive):
    """The means of so many windows that the signal gets the length ``output_size``."""

    name = "adaptive_avg_pool1d"


class AdaptiveAvgPool2d(_Adaptive):
    """The means of so many windows that the image gets the size ``output_size``; an axis of None keeps its length."""

    name = "adaptive_avg_pool2d"


class AdaptiveAvgPool3d(_Adaptive):
    """The means of so many windows that the volume gets the size ``output_size``."""

    name = "adaptive_avg_pool3d"


class _AdaptiveMax(_Adaptive):
    def __init__(self, output_size: Any, return_indices: bool = False):
        super().__init__(output_size)
        self.return_indices = return_indices

    def forward(self, x: Any) -> Any:
        return getattr(pooling, self.name)(x, self.output_size, self.return_indices)


class AdaptiveMaxPool1d(_AdaptiveMax):
    """The maxima of so many windows that the signal gets the length ``output_size``."""

    name = "adaptive_max_pool1d"


class AdaptiveMaxPool2d(_AdaptiveMax):
    """The maxima of so many windows that the image gets the size ``output_size``."""

    name = "adaptive_max_pool2d"


class AdaptiveMaxPool3d(_AdaptiveMax):
    """The maxima of so many windows that the volume gets the size ``output_size``."""

    name = "adaptive_max_pool3d"


__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
]
