"""Pooling by the mean of a window, by its norm, or by a draw from it."""

from typing import Any

from ...errors import DTypeError
from ...ops import pooling
from ..module import Module
from .max import check


class AvgPool1d(Module):
    """The mean of each window of a signal. Shapes: x (N, C, L) or (C, L). Args: as AvgPool2d, without ``divisor_override``.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.AvgPool1d(2)(mg.tensor([[1.0, 3.0, 2.0, 0.0]])).tolist()
        [[2.0, 1.0]]
    """

    n = 1

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False, count_include_pad: bool = True):
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.ceil_mode, self.count_include_pad = padding, ceil_mode, count_include_pad
        check(self, ("kernel_size", 1), ("stride", 1), ("padding", 0))

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
        check(self, ("kernel_size", 1), ("stride", 1), ("padding", 0))

    def forward(self, x: Any) -> Any:
        f = getattr(pooling, f"avg_pool{self.n}d")
        return f(x, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad, self.divisor_override)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(_AvgPool):
    """The mean of each window of an image.

    Shapes: x (N, C, H, W) or (C, H, W); y (N, C, H', W') with H' = (H + 2 padding - k) // stride + 1.

    Args:
        kernel_size: the window, an integer or one per axis.
        stride: from window to window; default: the window.
        padding: zeros on both sides.
        ceil_mode: let windows begin that do not fit to their end.
        count_include_pad: count the padding in the mean.
        divisor_override: what to divide by instead of the size of the window.

    Raises:
        ShapeError: a setting that is too small, when the layer is made; no window that fits, when it is called.

    Source:
        LeCun et al., "Gradient-based learning applied to document recognition", 1998 (there called subsampling).

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.AvgPool2d(2)(mg.tensor([[[1.0, 2.0, 5.0, 0.0], [4.0, 3.0, 0.0, 7.0]]])).tolist()
        [[[2.5, 3.0]]]
    """

    n = 2


class AvgPool3d(_AvgPool):
    """The mean of each window of a volume. Shapes: x (N, C, D, H, W). Args: as AvgPool2d.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.AvgPool3d(2)(mg.ones((1, 3, 4, 4, 6))).shape
        (1, 3, 2, 2, 3)
    """

    n = 3


# -- norms ------------------------------------------------------------------------------------------------------------
class _LPPool(Module):
    n = 0

    def __init__(self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False):
        super().__init__()
        if isinstance(norm_type, bool) or not isinstance(norm_type, (int, float)) or not norm_type > 0:
            raise DTypeError(f"{type(self).__name__}: norm_type must be a number above 0, got {norm_type!r}")
        self.norm_type, self.kernel_size, self.ceil_mode = norm_type, kernel_size, ceil_mode
        self.stride = kernel_size if stride is None else stride
        check(self, ("kernel_size", 1), ("stride", 1))

    def forward(self, x: Any) -> Any:
        return getattr(pooling, f"lp_pool{self.n}d")(x, self.norm_type, self.kernel_size, self.stride, self.ceil_mode)

    def extra_repr(self) -> str:
        return f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, ceil_mode={self.ceil_mode}"


class LPPool1d(_LPPool):
    """The p-norm of each window of a signal. Shapes: x (N, C, L) or (C, L). Args: as LPPool2d.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.LPPool1d(2, 2)(mg.tensor([[3.0, 4.0]])).tolist()
        [[5.0]]
    """

    n = 1


class LPPool2d(_LPPool):
    """The root of the sum of powers of each window of an image, (sum x^p)^(1/p): the sum for p = 1, nearly the maximum for large p.

    Shapes: x (N, C, H, W) or (C, H, W); y as AvgPool2d.

    Args:
        norm_type: p, above 0; negative x make sense with an even p only.
        kernel_size: the window, an integer or one per axis.
        stride: from window to window; default: the window.
        ceil_mode: let windows begin that do not fit to their end.

    Gradient: 0 in windows whose sum is 0.

    Source:
        Sermanet, Chintala and LeCun, "Convolutional neural networks applied to house numbers digit classification", 2012.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.LPPool2d(2, 2)(mg.tensor([[[3.0, 0.0], [0.0, 4.0]]])).tolist()
        [[[5.0]]]
    """

    n = 2


class LPPool3d(_LPPool):
    """The p-norm of each window of a volume. Shapes: x (N, C, D, H, W). Args: as LPPool2d.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.LPPool3d(1, 2)(mg.ones((1, 1, 2, 2, 2))).item()
        8.0
    """

    n = 3


# -- draws ------------------------------------------------------------------------------------------------------------
class StochasticPool2d(Module):
    """One number a of each window, drawn with probability p = a / sum(a) while training; sum(p a) else.

    Shapes: x (N, C, H, W) or (C, H, W), not negative, as after a ReLU; y as MaxPool2d.

    Args:
        kernel_size: the window, an integer or one per axis.
        stride: from window to window; default: the window.
        padding: what is there is never drawn.
        ceil_mode: let windows begin that do not fit to their end.

    Raises:
        ValueError: x has a negative number.

    Gradient: to the number drawn; in evaluation that of the formula. Windows of zeros give 0 with gradient 0.

    Source:
        Zeiler and Fergus, "Stochastic pooling for regularization of deep convolutional neural networks", 2013, eq. 3 to 6.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> pool, x = nn.StochasticPool2d(2), mg.tensor([[[1.0, 0.0], [0.0, 3.0]]])
        >>> pool(x).item() in (1.0, 3.0), pool.eval()(x).item()
        (True, 2.5)
    """

    n = 2

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False):
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.ceil_mode = padding, ceil_mode
        check(self, ("kernel_size", 1), ("stride", 1), ("padding", 0))

    def forward(self, x: Any) -> Any:
        return pooling.stochastic_pool2d(x, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.training)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, ceil_mode={self.ceil_mode}"


__all__ = ["AvgPool1d", "AvgPool2d", "AvgPool3d", "LPPool1d", "LPPool2d", "LPPool3d", "StochasticPool2d"]
