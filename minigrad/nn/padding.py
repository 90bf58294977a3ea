"""Layers that make a signal, an image or a volume larger on its sides: with a number, mirrored, repeated or wrapped around.

What an axis is padded by is given as PyTorch has it: the last axis first, both of its sides; one integer stands for all sides.
"""

from typing import Any

from ..errors import ShapeError
from ..ops.losses import given
from ..ops.windows import lengths
from .functional import pad
from .module import Module


class _Pad(Module):
    """What all have in common; a subclass says of how many axes (n) and in which mode."""

    n = 0
    mode = "constant"
    value = 0.0

    def __init__(self, padding: Any):
        super().__init__()
        self.padding = lengths(type(self).__name__, "padding", padding, 2 * self.n, -(2**63))

    def forward(self, x: Any) -> Any:
        x = given(x)
        if len(x.shape) < self.n:
            raise ShapeError(f"{type(self).__name__}: x has shape {tuple(x.shape)}, expected at least {self.n} axes")
        return pad(x, self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _Constant(_Pad):
    def __init__(self, padding: Any, value: float):
        super().__init__(padding)
        self.value = value

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_Constant):
    """A signal with ``value`` at its sides. Shapes: x (..., L); y (..., L + left + right). Args: as ConstantPad2d.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.ConstantPad1d((1, 2), 7.0)(mg.tensor([[1.0, 2.0]])).tolist()
        [[7.0, 1.0, 2.0, 7.0, 7.0]]
    """

    n = 1


class ConstantPad2d(_Constant):
    """An image with ``value`` at its sides.

    Shapes: x (..., H, W); y (..., H + top + bottom, W + left + right).

    Args:
        padding: an integer, or (left, right, top, bottom); negative ones cut off.
        value: what to fill with.

    Raises:
        ShapeError: another number of integers.

    Gradient: that of the part which is x.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.ConstantPad2d((1, 0, 0, 1), 5.0)(mg.tensor([[1.0, 2.0]])).tolist()
        [[5.0, 1.0, 2.0], [5.0, 5.0, 5.0]]
    """

    n = 2


class ConstantPad3d(_Constant):
    """A volume with ``value`` at its sides. Shapes: x (..., D, H, W). Args: ``padding`` six integers; else as ConstantPad2d.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.ConstantPad3d(1, 0.5)(mg.ones((1, 2, 3))).shape
        (3, 4, 5)
    """

    n = 3


class ZeroPad1d(_Pad):
    """A signal with zeros at its sides. Shapes: x (..., L). Args: ``padding`` an integer or (left, right).

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.ZeroPad1d(1)(mg.tensor([[1.0, 2.0]])).tolist()
        [[0.0, 1.0, 2.0, 0.0]]
    """

    n = 1


class ZeroPad2d(_Pad):
    """An image with zeros at its sides. Shapes: x (..., H, W). Args: ``padding`` an integer or (left, right, top, bottom).

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.ZeroPad2d((0, 1, 0, 0))(mg.tensor([[1.0, 2.0]])).tolist()
        [[1.0, 2.0, 0.0]]
    """

    n = 2


class ZeroPad3d(_Pad):
    """A volume with zeros at its sides. Shapes: x (..., D, H, W). Args: ``padding`` an integer or six of them.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.ZeroPad3d(1)(mg.ones((1, 2, 3))).shape
        (3, 4, 5)
    """

    n = 3


class ReflectionPad1d(_Pad):
    """A signal mirrored at its ends, which are not repeated. Shapes: x (..., L). Args: ``padding`` an integer or (left, right).

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.ReflectionPad1d(2)(mg.tensor([[1.0, 2.0, 3.0]])).tolist()
        [[3.0, 2.0, 1.0, 2.0, 3.0, 2.0, 1.0]]
    """

    n, mode = 1, "reflect"


class ReflectionPad2d(_Pad):
    """An image mirrored at its edges. Shapes: x (..., H, W). Args: ``padding`` an integer or (left, right, top, bottom).

    Gradient: added up where an entry appears several times.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.ReflectionPad2d((1, 0, 0, 0))(mg.tensor([[[1.0, 2.0]]])).tolist()
        [[[2.0, 1.0, 2.0]]]
    """

    n, mode = 2, "reflect"


class ReflectionPad3d(_Pad):
    """A volume mirrored at its faces. Shapes: x (..., D, H, W). Args: ``padding`` an integer or six of them.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.ReflectionPad3d(1)(mg.ones((1, 2, 3, 4))).shape
        (1, 4, 5, 6)
    """

    n, mode = 3, "reflect"


class ReplicationPad1d(_Pad):
    """A signal whose ends are repeated. Shapes: x (..., L). Args: ``padding`` an integer or (left, right).

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.ReplicationPad1d(2)(mg.tensor([[1.0, 2.0]])).tolist()
        [[1.0, 1.0, 1.0, 2.0, 2.0, 2.0]]
    """

    n, mode = 1, "replicate"


class ReplicationPad2d(_Pad):
    """An image whose edges are repeated. Shapes: x (..., H, W). Args: ``padding`` an integer or (left, right, top, bottom).

    Gradient: added up where an entry appears several times.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.ReplicationPad2d((1, 0, 0, 1))(mg.tensor([[[1.0, 2.0]]])).tolist()
        [[[1.0, 1.0, 2.0], [1.0, 1.0, 2.0]]]
    """

    n, mode = 2, "replicate"


class ReplicationPad3d(_Pad):
    """A volume whose faces are repeated. Shapes: x (..., D, H, W). Args: ``padding`` an integer or six of them.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.ReplicationPad3d(1)(mg.ones((1, 1, 2, 3))).shape
        (1, 3, 4, 5)
    """

    n, mode = 3, "replicate"


class CircularPad1d(_Pad):
    """A signal that goes on with its other end. Shapes: x (..., L). Args: ``padding`` an integer or (left, right).

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.CircularPad1d(1)(mg.tensor([[1.0, 2.0, 3.0]])).tolist()
        [[3.0, 1.0, 2.0, 3.0, 1.0]]
    """

    n, mode = 1, "circular"


class CircularPad2d(_Pad):
    """An image that goes on with its other edge. Shapes: x (..., H, W). Args: ``padding`` an integer or (left, right, top, bottom).

    Gradient: added up where an entry appears several times.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.CircularPad2d((1, 0, 0, 0))(mg.tensor([[[1.0, 2.0]]])).tolist()
        [[[2.0, 1.0, 2.0]]]
    """

    n, mode = 2, "circular"


class CircularPad3d(_Pad):
    """A volume that goes on with its other face. Shapes: x (..., D, H, W). Args: ``padding`` an integer or six of them.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.CircularPad3d(1)(mg.ones((1, 1, 2, 3))).shape
        (1, 3, 4, 5)
    """

    n, mode = 3, "circular"


__all__ = [
    "CircularPad1d",
    "CircularPad2d",
    "CircularPad3d",
    "ConstantPad1d",
    "ConstantPad2d",
    "ConstantPad3d",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReflectionPad3d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ReplicationPad3d",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
]
