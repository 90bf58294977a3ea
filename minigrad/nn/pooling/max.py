"""Pooling by the largest number of a window, at given or drawn places, and the way back."""

from typing import Any

from ...ops import pooling
from ...ops.pooling.fractional import ratios
from ...ops.windows import lengths
from ..module import Module
from ..parameter import Buffer


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
        check(self, ("kernel_size", 1), ("stride", 1), ("padding", 0), ("dilation", 1))

    def forward(self, x: Any) -> Any:
        f = getattr(pooling, f"max_pool{self.n}d")
        return f(x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices)

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, dilation={self.dilation}, "
            f"ceil_mode={self.ceil_mode}"
        )


def check(module: Any, *settings: tuple[str, int]) -> None:
    """ShapeError or DTypeError unless each setting is one integer of at least so much, or one for each of the module's n axes."""
    for what, least in settings:
        lengths(type(module).__name__, what, getattr(module, what), module.n, least)


class MaxPool1d(_MaxPool):
    """The largest of each window of a signal. Shapes: x (N, C, L) or (C, L). Args: as MaxPool2d.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.MaxPool1d(2)(mg.tensor([[1.0, 3.0, 2.0, 0.0]])).tolist()
        [[3.0, 2.0]]
    """

    n = 1


class MaxPool2d(_MaxPool):
    """The largest of each window of an image.

    Shapes: x (N, C, H, W) or (C, H, W); y (N, C, H', W') with H' = (H + 2 padding - dilation (k - 1) - 1) // stride + 1.

    Args:
        kernel_size: the window, an integer or one per axis.
        stride: from window to window; default: the window.
        padding: minus infinity on both sides.
        dilation: from entry to entry of a window.
        return_indices: give the places of the maxima too, for MaxUnpool2d.
        ceil_mode: let windows begin that do not fit to their end.

    Raises:
        ShapeError: a setting that is too small, when the layer is made; no window that fits, when it is called.

    Gradient: to the largest number of the window; of equals to the first.

    Source:
        Riesenhuber and Poggio, "Hierarchical models of object recognition in cortex", 1999.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.MaxPool2d(2)(mg.tensor([[[1.0, 2.0, 5.0, 0.0], [4.0, 3.0, 0.0, 6.0]]])).tolist()
        [[[4.0, 6.0]]]
    """

    n = 2


class MaxPool3d(_MaxPool):
    """The largest of each window of a volume. Shapes: x (N, C, D, H, W). Args: as MaxPool2d.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.MaxPool3d(2)(mg.ones((1, 3, 4, 4, 6))).shape
        (1, 3, 2, 2, 3)
    """

    n = 3


# -- the way back -----------------------------------------------------------------------------------------------------
class _MaxUnpool(Module):
    n = 0

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0):
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, kernel_size if stride is None else stride, padding
        check(self, ("kernel_size", 1), ("stride", 1), ("padding", 0))

    def forward(self, x: Any, indices: Any, output_size: Any = None) -> Any:
        """The numbers at their places; ``output_size`` chooses the size among those that a stride leaves open."""
        f = getattr(pooling, f"max_unpool{self.n}d")
        return f(x, indices, self.kernel_size, self.stride, self.padding, output_size)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    """The maxima of a signal put back where they were found. Shapes: x and indices (N, C, L) or (C, L). Args: as MaxUnpool2d.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> y, places = nn.MaxPool1d(2, return_indices=True)(mg.tensor([[1.0, 3.0, 2.0, 0.0]]))
        >>> nn.MaxUnpool1d(2)(y, places).tolist()
        [[0.0, 3.0, 2.0, 0.0]]
    """

    n = 1


class MaxUnpool2d(_MaxUnpool):
    """The maxima of an image put back where they were found, zeros elsewhere: called with what MaxPool2d gives with its indices.

    Shapes: x and indices (N, C, H, W) or (C, H, W); y (N, C, H', W') with H' = (H - 1) stride - 2 padding + k, or ``output_size``.

    Args:
        kernel_size, stride, padding: those of the pooling.

    Raises:
        IndexRangeError: a place outside the result.

    Source:
        Zeiler and Fergus, "Visualizing and understanding convolutional networks", 2014, section 2.1.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> y, places = nn.MaxPool2d(2, return_indices=True)(mg.tensor([[[1.0, 2.0], [4.0, 3.0]]]))
        >>> nn.MaxUnpool2d(2)(y, places).tolist()
        [[[0.0, 0.0], [4.0, 0.0]]]
    """

    n = 2


class MaxUnpool3d(_MaxUnpool):
    """The maxima of a volume put back where they were found. Shapes: x and indices (N, C, D, H, W). Args: as MaxUnpool2d.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> y, places = nn.MaxPool3d(2, return_indices=True)(mg.ones((1, 3, 4, 4, 6)))
        >>> nn.MaxUnpool3d(2)(y, places).shape
        (1, 3, 4, 4, 6)
    """

    n = 3


# -- drawn places -----------------------------------------------------------------------------------------------------
class _Fractional(Module):
    n = 0

    def __init__(
        self,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Any = None,
    ):
        super().__init__()
        name = type(self).__name__
        self.kernel_size, self.return_indices = kernel_size, return_indices
        self.output_size, self.output_ratio = output_size, output_ratio
        if (output_size is None) == (output_ratio is None):
            raise ValueError(f"{name}: give either output_size or output_ratio, got {output_size!r} and {output_ratio!r}")
        if output_ratio is not None:
            self.output_ratio = ratios(name, output_ratio, self.n)
        check(self, ("kernel_size", 1), *([("output_size", 1)] if output_ratio is None else []))
        self.register_buffer("_random_samples", None if _random_samples is None else Buffer(_random_samples))

    def forward(self, x: Any) -> Any:
        f = getattr(pooling, f"fractional_max_pool{self.n}d")
        return f(x, self.kernel_size, self.output_size, self.output_ratio, self.return_indices, self._random_samples)

    def extra_repr(self) -> str:
        how = f"output_ratio={self.output_ratio}" if self.output_size is None else f"output_size={self.output_size}"
        return f"kernel_size={self.kernel_size}, {how}"


class FractionalMaxPool2d(_Fractional):
    """The largest of windows at drawn places, of an image that is to shrink by any factor; drawn anew in evaluation too.

    Shapes: x (N, C, H, W) or (C, H, W); y (N, C, *output_size).

    Args:
        kernel_size: the window, an integer or one per axis.
        output_size: the size of the result; an integer or one per axis.
        output_ratio: or its size as a part of the input's, between 0 and 1.
        return_indices: give the places of the maxima too.
        _random_samples: the drawn numbers, a Tensor (N, C, 2), to fix the places; saved with the state, as in PyTorch.

    Raises:
        ValueError: both or neither of size and ratio, or a ratio outside (0, 1).

    Source:
        Graham, "Fractional max-pooling", 2014; pseudorandom, overlapping.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.FractionalMaxPool2d(2, output_ratio=0.7)(mg.ones((1, 3, 10, 20))).shape
        (1, 3, 7, 14)
    """

    n = 2


class FractionalMaxPool3d(_Fractional):
    """The largest of windows at drawn places of a volume. Shapes: x (N, C, D, H, W). Args: as FractionalMaxPool2d, with (N, C, 3).

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.FractionalMaxPool3d(2, 3)(mg.ones((1, 2, 5, 6, 7))).shape
        (1, 2, 3, 3, 3)
    """

    n = 3


__all__ = [
    "FractionalMaxPool2d",
    "FractionalMaxPool3d",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "MaxUnpool1d",
    "MaxUnpool2d",
    "MaxUnpool3d",
]
