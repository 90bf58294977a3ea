"""Layers that learn how many inputs they have from the first one; from then on they are ordinary layers."""

from typing import Any

from ..errors import ShapeError
from ..ops.losses import given
from .batchnorm import BatchNorm1d, BatchNorm2d, BatchNorm3d
from .conv import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from .linear import Linear
from .module import Module
from .parameter import Buffer, Uninitialized, UninitializedBuffer, UninitializedParameter


class Lazy(Module):
    """What all lazy layers have in common: the first call settles the shapes, then the object takes the class ``becomes``.

    ``feature`` is the attribute that is not known before, and ``unknown`` are the tensors whose shapes depend on it.
    """

    becomes: type[Module]
    feature = "in_features"
    unknown: tuple[str, ...] = ("weight",)

    def _forget(self) -> None:
        """Let what the constructor made for want of better wait for the first call."""
        for name in self.unknown:
            t = getattr(self, name)
            if isinstance(t, Buffer):
                setattr(self, name, UninitializedBuffer(dtype=t.dtype, device=t.device))
            elif t is not None:
                setattr(self, name, UninitializedParameter(dtype=t.dtype, device=t.device))
        setattr(self, self.feature, 0)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        lazy = [name for name in self.unknown if isinstance(getattr(self, name), Uninitialized)]
        setattr(self, self.feature, self._seen(given(args[0] if args else next(iter(kwargs.values())))) if lazy else self._held())
        for name in lazy:
            getattr(self, name).materialize(self._shape())
        self.__class__ = self.becomes  # type: ignore[assignment]
        if lazy:
            self.reset_parameters()
        return self(*args, **kwargs)

    def reset_parameters(self) -> None:
        """Nothing yet: values are drawn at the first call."""

    def _seen(self, x: Any) -> int:
        """The number that is not known, as the first input has it."""
        raise NotImplementedError

    def _held(self) -> int:
        """The same, as values have it that were loaded before the first call."""
        raise NotImplementedError

    def _shape(self) -> tuple[int, ...]:
        """The shape of what is unknown."""
        raise NotImplementedError


class LazyLinear(Lazy, Linear):
    """A Linear whose ``in_features`` are those of the first input.

    Args: as Linear, without in_features.

    Raises:
        GraphError: its weight is asked for before the first call, by an optimizer for example.
        ShapeError: the first input has no axis of features.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> layer = nn.LazyLinear(2)
        >>> layer(mg.ones((4, 3))).shape, layer
        ((4, 2), Linear(in_features=3, out_features=2, bias=True))
    """

    becomes = Linear

    def __init__(self, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None, *, init: Any = None):
        super().__init__(0, out_features, bias, device, dtype, init=init)
        self._forget()

    def _seen(self, x: Any) -> int:
        if not x.shape:
            raise ShapeError("LazyLinear: the first input needs an axis of features, got shape ()")
        return x.shape[-1]

    def _held(self) -> int:
        return self.weight.shape[1]

    def _shape(self) -> tuple[int, ...]:
        return (self.out_features, self.in_features)


# -- convolutions -----------------------------------------------------------------------------------------------------
class _LazyConv(Lazy):
    feature = "in_channels"

    def _seen(self, x: Any) -> int:
        me: Any = self
        if len(x.shape) not in (me.n + 1, me.n + 2):
            raise ShapeError(
                f"{type(self).__name__}: the first input must have {me.n + 2} axes, or {me.n + 1} without batch, got shape {tuple(x.shape)}"
            )
        found = x.shape[-me.n - 1]
        if found % me.groups:
            raise ShapeError(f"{type(self).__name__}: groups={me.groups} must divide the {found} channels of the first input")
        return found

    def _held(self) -> int:
        me: Any = self
        return me.weight.shape[0] if me.transposed else me.weight.shape[1] * me.groups

    def _shape(self) -> tuple[int, ...]:
        return self._weight_shape()


class _LazyForward(_LazyConv):
    def __init__(
        self,
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
        super().__init__(  # type: ignore[call-arg]
            0, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype, init=init
        )
        self._forget()


class _LazyTransposed(_LazyConv):
    def __init__(
        self,
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
        super().__init__(  # type: ignore[call-arg]
            0, out_channels, kernel_size, stride, padding, output_padding, groups, bias, dilation, padding_mode, device, dtype, init=init
        )
        self._forget()


class LazyConv1d(_LazyForward, Conv1d):
    """A Conv1d whose ``in_channels`` are those of the first input. Args, Raises: as LazyConv2d.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> layer = nn.LazyConv1d(8, 3)
        >>> layer(mg.ones((1, 2, 6))).shape, layer.weight.shape
        ((1, 8, 4), (8, 2, 3))
    """

    becomes = Conv1d


class LazyConv2d(_LazyForward, Conv2d):
    """A Conv2d whose ``in_channels`` are those of the first input.

    Args: as Conv2d, without in_channels.

    Raises:
        GraphError: its weight is asked for before the first call, by an optimizer for example.
        ShapeError: the first input has other axes than an image, or channels that ``groups`` does not divide.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> layer = nn.LazyConv2d(8, 3)
        >>> layer(mg.ones((1, 3, 6, 6))).shape, type(layer).__name__, layer.weight.shape
        ((1, 8, 4, 4), 'Conv2d', (8, 3, 3, 3))
    """

    becomes = Conv2d


class LazyConv3d(_LazyForward, Conv3d):
    """A Conv3d whose ``in_channels`` are those of the first input. Args, Raises: as LazyConv2d.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> layer = nn.LazyConv3d(8, 3)
        >>> layer(mg.ones((1, 2, 4, 4, 4))).shape, layer.weight.shape
        ((1, 8, 2, 2, 2), (8, 2, 3, 3, 3))
    """

    becomes = Conv3d


class LazyConvTranspose1d(_LazyTransposed, ConvTranspose1d):
    """A ConvTranspose1d whose ``in_channels`` are those of the first input. Args: as ConvTranspose1d, without in_channels.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> layer = nn.LazyConvTranspose1d(8, 3)
        >>> layer(mg.ones((1, 2, 6))).shape, layer.weight.shape
        ((1, 8, 8), (2, 8, 3))
    """

    becomes = ConvTranspose1d


class LazyConvTranspose2d(_LazyTransposed, ConvTranspose2d):
    """A ConvTranspose2d whose ``in_channels`` are those of the first input. Args: as ConvTranspose2d, without in_channels.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> layer = nn.LazyConvTranspose2d(8, 3)
        >>> layer(mg.ones((1, 2, 4, 4))).shape, layer.weight.shape
        ((1, 8, 6, 6), (2, 8, 3, 3))
    """

    becomes = ConvTranspose2d


class LazyConvTranspose3d(_LazyTransposed, ConvTranspose3d):
    """A ConvTranspose3d whose ``in_channels`` are those of the first input. Args: as ConvTranspose3d, without in_channels.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> layer = nn.LazyConvTranspose3d(8, 3)
        >>> layer(mg.ones((1, 2, 4, 4, 4))).shape, layer.weight.shape
        ((1, 8, 6, 6, 6), (2, 8, 3, 3, 3))
    """

    becomes = ConvTranspose3d


# -- batch normalisation ----------------------------------------------------------------------------------------------
class _LazyBatchNorm(Lazy):
    feature = "num_features"
    unknown = ("weight", "bias", "running_mean", "running_var")

    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ):
        super().__init__(1, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)  # type: ignore[call-arg]
        self._forget()

    def _seen(self, x: Any) -> int:
        me: Any = self
        for text in me.axes:
            if len(names := text.split(", ")) == len(x.shape):
                return x.shape[names.index("C")]
        wanted = " or ".join([f"({text})" for text in me.axes])
        raise ShapeError(f"{type(self).__name__}: the first input must be {wanted}, got shape {tuple(x.shape)}")

    def _held(self) -> int:
        known = [t for name in self.unknown if (t := getattr(self, name)) is not None]
        return known[0].shape[0] if known else 0

    def _shape(self) -> tuple[int, ...]:
        me: Any = self
        return (me.num_features,)


class LazyBatchNorm1d(_LazyBatchNorm, BatchNorm1d):
    """A BatchNorm1d whose ``num_features`` are the channels of the first input. Args: as BatchNorm1d, without num_features.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> layer = nn.LazyBatchNorm1d()
        >>> layer(mg.ones((4, 5))).shape, layer.weight.shape
        ((4, 5), (5,))
    """

    becomes = BatchNorm1d


class LazyBatchNorm2d(_LazyBatchNorm, BatchNorm2d):
    """A BatchNorm2d whose ``num_features`` are the channels of the first input.

    Args: as BatchNorm2d, without num_features.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> layer = nn.LazyBatchNorm2d()
        >>> layer(mg.ones((2, 3, 4, 4))).shape, layer.num_features
        ((2, 3, 4, 4), 3)
    """

    becomes = BatchNorm2d


class LazyBatchNorm3d(_LazyBatchNorm, BatchNorm3d):
    """A BatchNorm3d whose ``num_features`` are the channels of the first input. Args: as BatchNorm3d, without num_features.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> layer = nn.LazyBatchNorm3d()
        >>> layer(mg.ones((2, 5, 3, 3, 3))).shape, layer.weight.shape
        ((2, 5, 3, 3, 3), (5,))
    """

    becomes = BatchNorm3d


__all__ = [
    "LazyBatchNorm1d",
    "LazyBatchNorm2d",
    "LazyBatchNorm3d",
    "LazyConv1d",
    "LazyConv2d",
    "LazyConv3d",
    "LazyConvTranspose1d",
    "LazyConvTranspose2d",
    "LazyConvTranspose3d",
    "LazyLinear",
]
