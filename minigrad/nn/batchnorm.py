"""Norms that remember: of batches and of instances, with running means and variances."""

from functools import cache
from typing import Any

from ..autograd import Tensor
from ..autograd.node import stamp
from ..errors import ShapeError
from ..ops import normalization as ops
from ..ops.fused import check_probability
from ..ops.losses import given
from ..ops.normalization.batch import counting_norm
from ..ops.normalization.moments import positive
from ..ops.shape import reshape
from .module import Module
from .normalization import Scaled
from .parameter import Buffer, size


@cache
def _channels(axes: tuple[str, ...]) -> dict[int, int]:
    """By the number of axes: which of them are the channels."""
    return {len(names): names.index("C") for names in [text.split(", ") for text in axes]}


class _Running(Scaled):
    """A norm of channels that may follow their statistics; a subclass says of which shapes x can be."""

    axes: tuple[str, ...] = ()
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def _build(
        self, num_features: int, eps: float, momentum: float | None, affine: bool, track_running_stats: bool, bias: bool, place: tuple
    ) -> None:
        Module.__init__(self)
        who = type(self).__name__
        num_features = size(who, "num_features", num_features, 1)
        momentum = None if momentum is None else check_probability(who, momentum, "momentum")
        self.num_features, self.eps, self.momentum = num_features, positive(who, eps), momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        dtype, device = place
        for name, start in (("running_mean", [0.0] * num_features), ("running_var", [1.0] * num_features)):
            self.register_buffer(name, Buffer(start, dtype=dtype, device=device) if track_running_stats else None)
        self.register_buffer("num_batches_tracked", Buffer(0, dtype="int64", device=device) if track_running_stats else None)
        self._scale((num_features,), affine, affine and bias, (dtype, device))

    def reset_running_stats(self) -> None:
        """Forget: mean 0, variance 1, no batches."""
        for t, value in ((self.running_mean, 0), (self.running_var, 1), (self.num_batches_tracked, 0)):
            if t is not None:
                t.data[...] = value
                stamp(t.data, "reset_running_stats")

    def reset_parameters(self) -> None:
        """Forget the running statistics, and set the scale to ones and the shift to zeros."""
        self.reset_running_stats()
        super().reset_parameters()

    def _check(self, x: Any) -> int:
        """How many axes x has.

        Raises:
            ShapeError: they are not those of the layer, or the channels are others.
        """
        shape = x.shape
        place = _channels(self.axes).get(len(shape))
        if place is not None and shape[place] == self.num_features:
            return len(shape)
        wanted = " or ".join([f"({text})" for text in self.axes])
        raise ShapeError(f"{type(self).__name__}: expected x of shape {wanted} with C = num_features = {self.num_features}, got {shape}")

    def _statistics(self) -> tuple[Tensor | None, Tensor | None]:
        """What is used in evaluation, or followed in training."""
        return (self.running_mean, self.running_var) if self.track_running_stats or not self.training else (None, None)

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, bias={self.bias is not None}, "
            f"track_running_stats={self.track_running_stats}"
        )


class BatchNorm(_Running):
    """What batch norms of all shapes have in common; the subclasses say of which."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ):
        if not eps > 0:
            raise ValueError(f"{type(self).__name__}: eps must be positive, got {eps}")
        self._build(num_features, eps, momentum, affine, track_running_stats, bias, (dtype, device))

    def forward(self, x: Any) -> Any:
        x = given(x)
        self._check(x)
        mean, var = self._statistics()
        own = self.training or mean is None
        tracked = self.num_batches_tracked if self.training and mean is not None else None
        momentum: Any = 0.0 if self.momentum is None else self.momentum
        if self.momentum is None and tracked is not None and mean is not None:  # a mean of all batches, each 1 / so many
            momentum = (1 / (tracked.data.reshape(1) + 1)).astype(mean.dtype)
        return counting_norm(x, mean, var, tracked, self.weight, self.bias, own, momentum, self.eps)


class BatchNorm1d(BatchNorm):
    """Batch normalisation of features, or of the channels of signals. Shapes: x (N, C) or (N, C, L). Args: as BatchNorm2d.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> layer = nn.BatchNorm1d(1)
        >>> layer(mg.tensor([[1.0], [3.0]])).detach().round(3).tolist()
        [[-1.0], [1.0]]
    """

    axes = ("N, C", "N, C, L")


class BatchNorm2d(BatchNorm):
    """Each channel of images brought to mean 0 and variance 1 over the batch, then scaled and shifted.

    In training by the mean and variance of the batch, which the running ones follow; in evaluation by the running ones. Calling
    ``eval()`` on this layer alone holds the statistics while the rest of a net is trained, its own weight and bias included.

    Shapes: x (N, C, H, W); weight, bias, running_mean and running_var (C,); num_batches_tracked (), int64.

    Args:
        num_features: C.
        eps: keeps the quotient finite.
        momentum: the share of each batch in the running statistics; None: the mean of all batches.
        affine: whether weight and bias are there; ``bias=False`` leaves out the bias alone.
        track_running_stats: False uses those of the batch in evaluation too.
        device, dtype: where parameters and statistics are made, and of what.

    Raises:
        ShapeError: x of another rank or number of channels, or training with a single value per channel; nothing is changed then.
        ValueError: eps is not positive, or momentum is outside [0, 1].

    Source:
        Ioffe and Szegedy, "Batch normalization", 2015. Running variance and momentum as in PyTorch.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> layer = nn.BatchNorm2d(1)
        >>> y = layer(mg.tensor([[[[1.0, 3.0]]]]))
        >>> round(layer.running_mean.item(), 4), layer.num_batches_tracked.item()
        (0.2, 1)
    """

    axes = ("N, C, H, W",)


class BatchNorm3d(BatchNorm):
    """Batch normalisation of the channels of volumes. Shapes: x (N, C, D, H, W). Args: as BatchNorm2d.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.BatchNorm3d(2)(mg.ones((4, 2, 3, 3, 3))).shape
        (4, 2, 3, 3, 3)
    """

    axes = ("N, C, D, H, W",)


class _InstanceNorm(_Running):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ):
        if momentum is None:
            raise ValueError(f"{type(self).__name__}: momentum must be a number; None (the mean of all batches) is for BatchNorm only")
        self._build(num_features, eps, momentum, affine, track_running_stats, bias, (dtype, device))

    def forward(self, x: Any) -> Any:
        x = given(x)
        alone = self._check(x) < self.axes[0].count(",") + 1
        mean, var = self._statistics()
        x = reshape(x, (1, *x.shape)) if alone else x
        own = self.training or mean is None
        y = ops.instance_norm(x, mean, var, self.weight, self.bias, own, self.momentum, self.eps)
        return reshape(y, y.shape[1:]) if alone else y


class InstanceNorm1d(_InstanceNorm):
    """Instance normalisation of signals. Shapes: x (N, C, L) or (C, L). Args: as InstanceNorm2d.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.InstanceNorm1d(1)(mg.tensor([[[1.0, 3.0]], [[10.0, 30.0]]])).round(3).tolist()
        [[[-1.0, 1.0]], [[-1.0, 1.0]]]
    """

    axes = ("N, C, L", "C, L")


class InstanceNorm2d(_InstanceNorm):
    """Each channel of each image brought to mean 0 and variance 1 over its positions, then scaled and shifted if ``affine``.

    Shapes: x (N, C, H, W) or (C, H, W).

    Args:
        num_features: C.
        eps: keeps the quotient finite.
        momentum: the share of each batch in the running statistics.
        affine: whether weight and bias are there; ``bias=False`` leaves out the bias alone.
        track_running_stats: follow the statistics, and use them in evaluation. As in PyTorch, batches are not counted.
        device, dtype: where parameters and statistics are made, and of what.

    Raises:
        ShapeError: x of another rank or number of channels, or of a single position.
        ValueError: eps is negative, or momentum is outside [0, 1].

    Source:
        Ulyanov, Vedaldi and Lempitsky, "Instance normalization: the missing ingredient for fast stylization", 2016.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.InstanceNorm2d(1, eps=0.0)(mg.tensor([[[[1.0, 3.0]]]])).tolist()
        [[[[-1.0, 1.0]]]]
    """

    axes = ("N, C, H, W", "C, H, W")


class InstanceNorm3d(_InstanceNorm):
    """Instance normalisation of volumes. Shapes: x (N, C, D, H, W) or (C, D, H, W). Args: as InstanceNorm2d.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.InstanceNorm3d(2)(mg.ones((4, 2, 3, 3, 3))).shape
        (4, 2, 3, 3, 3)
    """

    axes = ("N, C, D, H, W", "C, D, H, W")


__all__ = ["BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"]
