"""Layers that drop units, channels, weights or whole branches at random while training, and are the identity else."""

from collections.abc import Callable
from typing import Any

from ..ops.fused import check_probability
from . import functional as F
from .linear import Linear
from .module import Module


class _Dropout(Module):
    """A probability, and which function drops."""

    f: Callable

    def __init__(self, p: float = 0.5, inplace: bool = False):
        super().__init__()
        self.p = check_probability(type(self).__name__, p)

    def forward(self, x: Any) -> Any:
        return type(self).f(x, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class Dropout(_Dropout):
    """Sets each entry to zero with probability p while training, and scales the others by 1 / (1 - p).

    Shapes: x any; y the same.

    Args:
        p: the probability that an entry is dropped.
        inplace: accepted for PyTorch's sake, here and in the layers below; nothing is overwritten.

    Raises:
        ValueError: p is outside [0, 1] or NaN.

    Source:
        Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", 2014; inverted, so that
        evaluation needs no scaling.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> _ = mg.manual_seed(0)
        >>> layer, x = nn.Dropout(0.5), mg.ones(4)
        >>> layer(x).tolist(), layer.eval()(x).tolist()
        ([2.0, 2.0, 0.0, 2.0], [1.0, 1.0, 1.0, 1.0])
    """

    f = F.dropout


class Dropout1d(_Dropout):
    """Sets whole channels of a signal to zero with probability p while training. Shapes: x (N, C, L) or (C, L). Args: as Dropout.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.Dropout1d(0.5).eval()(mg.ones((2, 3, 4))).shape
        (2, 3, 4)
    """

    f = F.dropout1d


class Dropout2d(_Dropout):
    """Sets whole channels of an image to zero with probability p while training, and scales the others by 1 / (1 - p).

    Shapes: x (N, C, H, W) or (C, H, W); y the same. For (N, C, L) take ``Dropout1d``.

    Args:
        p: the probability that a channel is dropped.

    Raises:
        ValueError: p is outside [0, 1] or NaN.

    Source:
        Tompson et al., "Efficient object localization using convolutional networks", 2015.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> _ = mg.manual_seed(0)
        >>> nn.Dropout2d(0.5)(mg.ones((1, 3, 1, 2))).tolist()
        [[[[2.0, 2.0]], [[2.0, 2.0]], [[0.0, 0.0]]]]
    """

    f = F.dropout2d


class Dropout3d(_Dropout):
    """Sets whole channels of a volume to zero with probability p while training. Shapes: x (N, C, D, H, W). Args: as Dropout.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.Dropout3d(0.5).eval()(mg.ones((1, 3, 2, 2, 2))).shape
        (1, 3, 2, 2, 2)
    """

    f = F.dropout3d


class AlphaDropout(_Dropout):
    """Dropout for networks with SELU: entries are set to its lower limit, and mean and variance restored.

    Shapes: x any; y the same.

    Args:
        p: the probability that an entry is dropped; 1 gives zeros.

    Raises:
        ValueError: p is outside [0, 1] or NaN.

    Source:
        Klambauer et al., "Self-normalizing neural networks", 2017, section 3. The formula is that of ``functional.alpha_dropout``.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> layer = nn.Sequential(nn.Linear(3, 4), nn.SELU(), nn.AlphaDropout(0.1))
        >>> layer(mg.ones((2, 3))).shape
        (2, 4)
    """

    f = F.alpha_dropout


class FeatureAlphaDropout(_Dropout):
    """AlphaDropout of whole channels. Shapes: x (N, C, ...); y the same. Args: as AlphaDropout.

    Source:
        Klambauer et al., "Self-normalizing neural networks", 2017; whole channels as Tompson et al., 2015.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.FeatureAlphaDropout(0.1)(mg.ones((2, 3, 4))).shape
        (2, 3, 4)
    """

    f = F.feature_alpha_dropout


class DropPath(_Dropout):
    """Leaves out the branch of a residual block for whole samples, with probability p while training: stochastic depth.

    Shapes: x (N, ...), what the branch gives; y the same.

    Args:
        p: the probability that a sample goes without the branch; in the paper it grows linearly with the depth of the block.

    Raises:
        ValueError: p is outside [0, 1] or NaN.

    Source:
        Huang et al., "Deep networks with stochastic depth", 2016; one draw per sample and the scale 1 / (1 - p) in training.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> x, branch, drop = mg.ones((4, 2)), nn.Linear(2, 2), nn.DropPath(0.2)
        >>> (x + drop(branch(x))).shape
        (4, 2)
    """

    f = F.drop_path

    def __init__(self, p: float):
        super().__init__(p)


class DropConnect(Linear):
    """A linear layer whose weights are set to zero with probability p while training, and else scaled by 1 / (1 - p).

    Shapes: x (..., in_features); y (..., out_features); weight (out_features, in_features); bias (out_features,), never dropped.

    Args:
        in_features, out_features, bias, device, dtype, init: as Linear.
        p: the probability that a weight is dropped.

    Raises:
        ValueError: p is outside [0, 1] or NaN.

    Source:
        Wan et al., "Regularization of neural networks using DropConnect", 2013. One mask for the whole batch instead of one for
        each sample, and the mean weights in evaluation instead of draws from a normal distribution.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> layer = nn.DropConnect(3, 2, p=1.0, bias=False)
        >>> layer(mg.ones((1, 3))).tolist()
        [[0.0, 0.0]]
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        p: float = 0.5,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        init: Any = None,
    ):
        p = check_probability("DropConnect", p)
        super().__init__(in_features, out_features, bias, device, dtype, init=init)
        self.p = p

    def forward(self, x: Any) -> Any:
        return F.linear(x, F.dropout(self.weight, self.p, self.training), self.bias)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, p={self.p}"


__all__ = [
    "AlphaDropout",
    "DropConnect",
    "DropPath",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Dropout3d",
    "FeatureAlphaDropout",
]
