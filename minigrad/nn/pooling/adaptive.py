"""Pooling to a given size, down to one number for each channel."""

from math import prod
from typing import Any

from ...errors import ShapeError
from ...ops import pooling
from ...ops.fused import given
from ...ops.reduce import max as largest
from ...ops.reduce import mean
from ...ops.windows import lengths
from ..module import Module


class _Adaptive(Module):
    n = 0
    kind = ""

    def __init__(self, output_size: Any):
        super().__init__()
        many = tuple(output_size) if isinstance(output_size, (tuple, list)) else (output_size,)
        lengths(type(self).__name__, "output_size", [1 if o is None else o for o in many], self.n, 1)
        self.output_size = output_size

    def forward(self, x: Any) -> Any:
        return getattr(pooling, f"adaptive_{self.kind}_pool{self.n}d")(x, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_Adaptive):
    """The means of so many windows that the signal gets the length ``output_size``. Shapes: x (N, C, L) or (C, L).

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.AdaptiveAvgPool1d(2)(mg.tensor([[1.0, 3.0, 5.0]])).tolist()
        [[2.0, 4.0]]
    """

    n, kind = 1, "avg"


class AdaptiveAvgPool2d(_Adaptive):
    """The means of so many windows that the image gets the size ``output_size``.

    Window o of an axis of n goes from floor(o n / out) to ceil((o + 1) n / out), so that neighbours overlap where out does not divide n.

    Shapes: x (N, C, H, W) or (C, H, W); y (N, C, *output_size).

    Args:
        output_size: an integer or one per axis; None: as the input.

    Raises:
        ShapeError: a size below 1.

    Source:
        He et al., "Spatial pyramid pooling in deep convolutional networks for visual recognition", 2014.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.AdaptiveAvgPool2d((None, 1))(mg.tensor([[[1.0, 2.0, 3.0], [3.0, 4.0, 5.0]]])).tolist()
        [[[2.0], [4.0]]]
    """

    n, kind = 2, "avg"


class AdaptiveAvgPool3d(_Adaptive):
    """The means of so many windows that the volume gets the size ``output_size``. Shapes: x (N, C, D, H, W).

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.AdaptiveAvgPool3d((1, 2, None))(mg.ones((1, 3, 4, 5, 6))).shape
        (1, 3, 1, 2, 6)
    """

    n, kind = 3, "avg"


class _AdaptiveMax(_Adaptive):
    kind = "max"

    def __init__(self, output_size: Any, return_indices: bool = False):
        super().__init__(output_size)
        self.return_indices = return_indices

    def forward(self, x: Any) -> Any:
        return getattr(pooling, f"adaptive_max_pool{self.n}d")(x, self.output_size, self.return_indices)


class AdaptiveMaxPool1d(_AdaptiveMax):
    """The maxima of so many windows that the signal gets the length ``output_size``. Args: as AdaptiveMaxPool2d.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.AdaptiveMaxPool1d(2)(mg.tensor([[1.0, 3.0, 5.0]])).tolist()
        [[3.0, 5.0]]
    """

    n = 1


class AdaptiveMaxPool2d(_AdaptiveMax):
    """The maxima of so many windows that the image gets the size ``output_size``; windows as in AdaptiveAvgPool2d.

    Shapes: x (N, C, H, W) or (C, H, W); y (N, C, *output_size).

    Args:
        output_size: an integer or one per axis; None: as the input.
        return_indices: give the places of the maxima too.

    Source:
        He et al., "Spatial pyramid pooling in deep convolutional networks for visual recognition", 2014.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.AdaptiveMaxPool2d(1)(mg.tensor([[[1.0, 2.0, 3.0], [3.0, 4.0, 5.0]]])).tolist()
        [[[5.0]]]
    """

    n = 2


class AdaptiveMaxPool3d(_AdaptiveMax):
    """The maxima of so many windows that the volume gets the size ``output_size``. Args: as AdaptiveMaxPool2d.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.AdaptiveMaxPool3d(2)(mg.ones((1, 3, 4, 5, 6))).shape
        (1, 3, 2, 2, 2)
    """

    n = 3


# -- to one number ----------------------------------------------------------------------------------------------------
class _Global(Module):
    n = 0

    def __init__(self, keepdims: bool = False):
        super().__init__()
        self.keepdims = keepdims

    def _axes(self, x: Any) -> tuple[int, ...]:
        if len(x.shape) not in (self.n + 1, self.n + 2):
            raise ShapeError(
                f"{type(self).__name__}: x has shape {tuple(x.shape)}, expected {self.n + 2} axes, or {self.n + 1} without batch"
            )
        if not prod(x.shape[-self.n :]):
            raise ShapeError(f"{type(self).__name__}: x has shape {tuple(x.shape)}, nothing to pool")
        return tuple(range(-self.n, 0))

    def extra_repr(self) -> str:
        return f"keepdims={self.keepdims}" if self.keepdims else ""


class _GlobalAvg(_Global):
    def forward(self, x: Any) -> Any:
        x = given(x)
        return mean(x, self._axes(x), self.keepdims)


class _GlobalMax(_Global):
    def forward(self, x: Any) -> Any:
        x = given(x)
        return largest(x, self._axes(x), self.keepdims)


class GlobalAvgPool1d(_GlobalAvg):
    """The mean of each channel of a signal. Shapes: x (N, C, L) or (C, L); y (N, C). Args: as GlobalAvgPool2d.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.GlobalAvgPool1d()(mg.tensor([[1.0, 3.0]])).tolist()
        [2.0]
    """

    n = 1


class GlobalAvgPool2d(_GlobalAvg):
    """The mean of each channel of an image, ready for a linear layer.

    Shapes: x (N, C, H, W) or (C, H, W); y (N, C).

    Args:
        keepdims: keep axes of length 1 for height and width, as ``AdaptiveAvgPool2d(1)`` does.

    Source:
        Lin, Chen and Yan, "Network in network", 2014, section 3.2.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.GlobalAvgPool2d()(mg.ones((2, 3, 4, 5))).shape
        (2, 3)
    """

    n = 2


class GlobalAvgPool3d(_GlobalAvg):
    """The mean of each channel of a volume. Shapes: x (N, C, D, H, W) or (C, D, H, W); y (N, C). Args: as GlobalAvgPool2d.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.GlobalAvgPool3d(keepdims=True)(mg.ones((2, 3, 4, 5, 6))).shape
        (2, 3, 1, 1, 1)
    """

    n = 3


class GlobalMaxPool1d(_GlobalMax):
    """The largest number of each channel of a signal. Shapes: x (N, C, L) or (C, L); y (N, C). Args: as GlobalMaxPool2d.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.GlobalMaxPool1d()(mg.tensor([[1.0, 3.0]])).tolist()
        [3.0]
    """

    n = 1


class GlobalMaxPool2d(_GlobalMax):
    """The largest number of each channel of an image.

    Shapes: x (N, C, H, W) or (C, H, W); y (N, C).

    Args:
        keepdims: keep axes of length 1 for height and width.

    Gradient: equals share it, unlike in the windows of MaxPool2d.

    Source:
        Oquab et al., "Is object localization for free?", 2015.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.GlobalMaxPool2d()(mg.ones((2, 3, 4, 5))).shape
        (2, 3)
    """

    n = 2


class GlobalMaxPool3d(_GlobalMax):
    """The largest number of each channel of a volume. Shapes: x (N, C, D, H, W) or (C, D, H, W); y (N, C). Args: as GlobalMaxPool2d.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.GlobalMaxPool3d()(mg.ones((2, 3, 4, 5, 6))).shape
        (2, 3)
    """

    n = 3


__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
    "GlobalAvgPool1d",
    "GlobalAvgPool2d",
    "GlobalAvgPool3d",
    "GlobalMaxPool1d",
    "GlobalMaxPool2d",
    "GlobalMaxPool3d",
]
