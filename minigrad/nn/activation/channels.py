"""Activations in which the entries along an axis see each other: softmax and its kin, gates, maxima of groups."""

from typing import Any

from ...errors import ShapeError
from ...ops.losses import given
from .. import functional as F
from ..module import Module
from ..parameter import size


class _AlongAxis(Module):
    def __init__(self, dim: int = -1):
        super().__init__()
        self.dim = size(type(self).__name__, "dim", dim, None)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


# -- softmax ----------------------------------------------------------------------------------------------------------
class _Soft(Module):
    def __init__(self, dim: int | None = None):
        super().__init__()
        self.dim = None if dim is None else size(type(self).__name__, "dim", dim, None)

    def _axis(self, x: Any) -> int:
        if self.dim is not None:
            return self.dim
        if len(x.shape) > 2:
            raise ValueError(
                f"{type(self).__name__}: x has {len(x.shape)} axes, {tuple(x.shape)}; say along which: {type(self).__name__}(dim)"
            )
        return -1

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Softmax(_Soft):
    """exp(x) / sum(exp(x)) along an axis: positive numbers that add up to 1.

    Shapes: x any; y the same.

    Args:
        dim: the axis, PyTorch's word for it. It must be given where x has more than two axes; else it is the last.

    Numerics: no overflow: the largest x is taken out first.
    Source: Bridle, "Probabilistic interpretation of feedforward classification network outputs", 1990.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.Softmax(dim=1)(mg.tensor([[0.0, 0.0], [1e4, 0.0]])).tolist()
        [[0.5, 0.5], [1.0, 0.0]]
    """

    def forward(self, x: Any) -> Any:
        return F.softmax(x, self._axis(x))


class Softmin(_Soft):
    """The softmax of -x along the axis ``dim``. Shapes: x any; y the same. Args: as Softmax.

    Source: as ``Softmax``, of -x.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.Softmin(dim=0)(mg.tensor([1e4, 0.0])).tolist()
        [0.0, 1.0]
    """

    def forward(self, x: Any) -> Any:
        return F.softmin(x, self._axis(x))


class LogSoftmax(_Soft):
    """The logarithm of the softmax along the axis ``dim``, exact where that would be 0. Shapes: x any; y the same. Args: as Softmax.

    Source: as ``Softmax``.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.LogSoftmax(dim=0)(mg.tensor([1e4, 0.0])).tolist()
        [0.0, -10000.0]
    """

    def forward(self, x: Any) -> Any:
        return F.log_softmax(x, self._axis(x))


class Softmax2d(Module):
    """The softmax over the channels at each pixel. Shapes: x (N, C, H, W) or (C, H, W); y the same.

    Raises:
        ShapeError: x is no image.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.Softmax2d()(mg.zeros((2, 1, 1))).tolist()
        [[[0.5]], [[0.5]]]
    """

    def forward(self, x: Any) -> Any:
        x = given(x)
        if len(x.shape) not in (3, 4):
            raise ShapeError(f"Softmax2d: x has shape {tuple(x.shape)}, expected (batch, channels, height, width) or without batch")
        return F.softmax(x, -3)


# -- gates ------------------------------------------------------------------------------------------------------------
class GLU(_AlongAxis):
    """a sigmoid(b) for the halves a, b of x along the axis ``dim``, whose length is halved.

    Raises:
        ShapeError: the length of the axis is odd.

    Source: Dauphin et al., "Language modeling with gated convolutional networks", 2017, eq. 1.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.GLU()(mg.tensor([4.0, 0.0])).tolist()
        [2.0]
    """

    def forward(self, x: Any) -> Any:
        return F.glu(x, self.dim)


class SwiGLU(_AlongAxis):
    """silu(a) b for the halves a, b of x along the axis ``dim``: a linear layer before it gives both.

    Shapes: x (..., 2 n, ...) with 2 n along ``dim``; y (..., n, ...).
    Source: Shazeer, "GLU variants improve transformer", 2020, eq. 5.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.Sequential(nn.Linear(3, 8), nn.SwiGLU(), nn.Linear(4, 3))(mg.ones((2, 3))).shape
        (2, 3)
    """

    def forward(self, x: Any) -> Any:
        return F.swiglu(x, self.dim)


class GEGLU(_AlongAxis):
    """gelu(a) b for the halves a, b of x along the axis ``dim``.

    Shapes: x (..., 2 n, ...) with 2 n along ``dim``; y (..., n, ...).
    Source: Shazeer, "GLU variants improve transformer", 2020, eq. 5.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.GEGLU()(mg.tensor([100.0, 2.0])).tolist()
        [200.0]
    """

    def forward(self, x: Any) -> Any:
        return F.geglu(x, self.dim)


class ReGLU(_AlongAxis):
    """relu(a) b for the halves a, b of x along the axis ``dim``.

    Shapes: x (..., 2 n, ...) with 2 n along ``dim``; y (..., n, ...).
    Source: Shazeer, "GLU variants improve transformer", 2020, eq. 5.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.ReGLU()(mg.tensor([3.0, 2.0])).tolist()
        [6.0]
    """

    def forward(self, x: Any) -> Any:
        return F.reglu(x, self.dim)


# -- groups -----------------------------------------------------------------------------------------------------------
class Maxout(Module):
    """The largest of each group of k neighbours along the axis ``dim``, whose length is divided by k.

    After ``Linear(n, m * k)`` this is a layer of m maxout units; after a convolution, of m channels.

    Shapes: x (..., n k, ...) along ``dim``; y (..., n, ...).

    Args:
        k: how many affine maps each unit has.
        dim: the axis; by default that of the features or channels.

    Raises:
        ValueError: k is below 1.

    Source: Goodfellow et al., "Maxout networks", 2013.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.Maxout(2)(mg.tensor([[1.0, 3.0, 2.0, 0.0]])).tolist()
        [[3.0, 2.0]]
    """

    def __init__(self, k: int, dim: int = 1):
        super().__init__()
        self.k, self.dim = size("Maxout", "k", k, 1), size("Maxout", "dim", dim, None)

    def forward(self, x: Any) -> Any:
        return F.maxout(x, self.k, self.dim)

    def extra_repr(self) -> str:
        return f"k={self.k}, dim={self.dim}"


class CReLU(_AlongAxis):
    """relu(x) and relu(-x) one after the other along the axis ``dim``, whose length doubles; by default that of the channels.

    Shapes: x (..., n, ...) with n along ``dim``; y (..., 2 n, ...).
    Source: Shang et al., "Understanding and improving convolutional neural networks via concatenated rectified linear units", 2016.
    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.CReLU()(mg.tensor([[1.0, -3.0]])).tolist()
        [[1.0, 0.0, 0.0, 3.0]]
    """

    def __init__(self, dim: int = 1):
        super().__init__(dim)

    def forward(self, x: Any) -> Any:
        return F.crelu(x, self.dim)


__all__ = ["GEGLU", "GLU", "CReLU", "LogSoftmax", "Maxout", "ReGLU", "Softmax", "Softmax2d", "Softmin", "SwiGLU"]
