"""Norms of single samples: over their last axes, over groups of channels, over neighbouring channels."""

from typing import Any

from ..autograd.arguments import number
from ..errors import ShapeError
from ..ops import normalization as ops
from ..ops.losses import given
from ..ops.normalization.layer import lengths_of
from ..ops.normalization.moments import positive
from ..ops.windows import lengths
from . import init
from .module import Module
from .parameter import Parameter, blank, size


class Scaled(Module):
    """A scale of ones and a shift of zeros, or None for either."""

    weight: Parameter | None = None
    bias: Parameter | None = None

    def _scale(self, shape: tuple[int, ...], weight: bool, bias: bool, place: tuple) -> None:
        self.register_parameter("weight", blank(shape, *place) if weight else None)
        self.register_parameter("bias", blank(shape, *place) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the scale to ones and the shift to zeros."""
        for p, value in ((self.weight, init.ones_), (self.bias, init.zeros_)):
            if p is not None:
                value(p)


class LayerNorm(Scaled):
    """Each sample brought to mean 0 and variance 1 over its last axes, then scaled and shifted; see ``functional.layer_norm``.

    Shapes: x (..., *normalized_shape); weight and bias normalized_shape.

    Args:
        normalized_shape: the lengths of the last axes, or one integer.
        eps: keeps the quotient finite.
        elementwise_affine: whether weight and bias are there; ``bias=False`` leaves out the bias alone.
        device, dtype: where the parameters are made, and of what.

    Source:
        Ba, Kiros and Hinton, "Layer normalization", 2016.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.LayerNorm(2, eps=0.0)(mg.tensor([[1.0, 3.0]])).tolist()
        [[-1.0, 1.0]]
    """

    def __init__(
        self,
        normalized_shape: Any,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        self.normalized_shape, self.eps = lengths_of("LayerNorm", normalized_shape), positive("LayerNorm", eps)
        self.elementwise_affine = elementwise_affine
        self._scale(self.normalized_shape, elementwise_affine, elementwise_affine and bias, (dtype, device))

    def forward(self, x: Any) -> Any:
        return ops.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"


class RMSNorm(Scaled):
    """Each sample divided by its root mean square over its last axes, then scaled; see ``functional.rms_norm``.

    Shapes: x (..., *normalized_shape); weight normalized_shape.

    Args:
        normalized_shape: the lengths of the last axes, or one integer.
        eps: keeps the quotient finite; None: the smallest step at 1 of the dtype that is computed in.
        elementwise_affine: whether the weight is there.
        device, dtype: where the weight is made, and of what.

    Source:
        Zhang and Sennrich, "Root mean square layer normalization", 2019.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.RMSNorm(2)(mg.tensor([[3.0, 3.0]])).tolist()
        [[1.0, 1.0]]
    """

    def __init__(
        self, normalized_shape: Any, eps: float | None = None, elementwise_affine: bool = True, device: Any = None, dtype: Any = None
    ):
        super().__init__()
        self.normalized_shape = lengths_of("RMSNorm", normalized_shape)
        self.eps = None if eps is None else positive("RMSNorm", eps)
        self.elementwise_affine = elementwise_affine
        self.register_parameter("weight", blank(self.normalized_shape, dtype, device) if elementwise_affine else None)
        self.reset_parameters()

    def forward(self, x: Any) -> Any:
        return ops.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class GroupNorm(Scaled):
    """Each group of channels of each sample brought to mean 0 and variance 1; see ``functional.group_norm``.

    Shapes: x (N, C, ...); weight and bias (C,).

    Args:
        num_groups: into how many groups the channels are parted.
        num_channels: C.
        eps: keeps the quotient finite.
        affine: whether weight and bias are there; ``bias=False`` leaves out the bias alone.
        device, dtype: where the parameters are made, and of what.

    Raises:
        ValueError: num_groups does not divide num_channels, or eps is negative.

    Source:
        Wu and He, "Group normalization", 2018.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.GroupNorm(2, 4, eps=0.0)(mg.tensor([[1.0, 3.0, 10.0, 30.0]])).tolist()
        [[-1.0, 1.0, -1.0, 1.0]]
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ):
        super().__init__()
        num_groups, num_channels = size("GroupNorm", "num_groups", num_groups, 1), size("GroupNorm", "num_channels", num_channels, 1)
        if num_channels % num_groups:
            raise ValueError(f"GroupNorm: num_groups={num_groups} must divide num_channels={num_channels}")
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, positive("GroupNorm", eps), affine
        self._scale((num_channels,), affine, affine and bias, (dtype, device))

    def forward(self, x: Any) -> Any:
        x = given(x)
        shape = tuple(x.shape)
        if len(shape) < 2 or shape[1] != self.num_channels:
            raise ShapeError(f"GroupNorm: expected x of shape (N, C, ...) with C = num_channels = {self.num_channels}, got {shape}")
        return ops.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, bias={self.bias is not None}"


class LocalResponseNorm(Module):
    """Each channel divided by (k + alpha / size sum(x^2))^beta over neighbouring channels; see ``functional.local_response_norm``.

    Shapes: x (N, C, L, ...).

    Args:
        size: how many channels are summed.
        alpha, beta, k: as in the formula.

    Source:
        Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks", 2012, section 3.3.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.LocalResponseNorm(2, alpha=2.0, beta=1.0, k=0.0)(mg.tensor([[[2.0], [2.0]]])).tolist()
        [[[0.5], [0.25]]]
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0):
        super().__init__()
        (self.size,) = lengths("LocalResponseNorm", "size", size, 1, 1)
        self.alpha, self.beta, self.k = [number("LocalResponseNorm", name, v) for name, v in (("alpha", alpha), ("beta", beta), ("k", k))]

    def forward(self, x: Any) -> Any:
        return ops.local_response_norm(x, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


__all__ = ["GroupNorm", "LayerNorm", "LocalResponseNorm", "RMSNorm"]
