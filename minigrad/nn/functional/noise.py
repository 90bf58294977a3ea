"""What is drawn anew in each training step: dropout of channels, of paths and around a mean, noise, slopes. See also ``dropout``."""

from collections.abc import Callable
from math import inf, sqrt
from typing import Any

from ...autograd.arguments import number
from ...autograd.forms import apply
from ...autograd.tensor import raw
from ...backend import generator, is_inexact
from ...backend.arrays import namespace
from ...errors import DTypeError, ShapeError
from ...ops.arithmetic import add, multiply
from ...ops.fused import MASKED, check_probability, dropped, given, keep_mask
from ...ops.rectifiers import leaky_relu


# -- channels and paths -----------------------------------------------------------------------------------------------
def _channels(name: str, n: int) -> Callable:
    """The shape of one draw per channel of a signal, an image or a volume."""

    def shape(x: Any) -> tuple[int, ...]:
        if len(x.shape) not in (n + 1, n + 2):
            axes = ", ".join(("depth", "height", "width")[3 - n :]) if n > 1 else "length"
            raise ShapeError(f"{name}: x has shape {tuple(x.shape)}, expected (batch, channels, {axes}) or (channels, {axes})")
        return (*x.shape[: len(x.shape) - n], *[1] * n)

    return shape


def dropout1d(x: Any, p: float = 0.5, training: bool = True) -> Any:
    """Whole channels of a signal zeroed with probability p. Shapes: x (N, C, L) or (C, L). See ``dropout2d``.

    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.dropout1d(mg.ones((2, 3, 4)), 1.0).sum().item()
        0.0
    """
    return dropped("dropout1d", x, p, training, _channels("dropout1d", 1))


def dropout2d(x: Any, p: float = 0.5, training: bool = True) -> Any:
    """Whole channels of an image zeroed with probability p, the others scaled by 1 / (1 - p): for neighbours that are much alike.

    Shapes: x (N, C, H, W) or (C, H, W); y the same. (N, C, L) is for ``dropout1d``; PyTorch takes it here too, and then drops by row.
    Args:
        x: floating.
        p: the probability that a channel is dropped; 1 drops all.
        training: False returns x.
    Raises:
        ValueError: p is outside [0, 1] or NaN.
        ShapeError: x has another number of axes.
    Gradient: g with the same channels dropped and the same scale.
    Source: Tompson et al., "Efficient object localization using convolutional networks", 2015, section 3.2.
    Example:
        >>> import minigrad as mg
        >>> _ = mg.manual_seed(0)
        >>> mg.nn.functional.dropout2d(mg.ones((4, 1, 2)), 0.5).tolist()
        [[[2.0, 2.0]], [[2.0, 2.0]], [[0.0, 0.0]], [[2.0, 2.0]]]
    """
    return dropped("dropout2d", x, p, training, _channels("dropout2d", 2))


def dropout3d(x: Any, p: float = 0.5, training: bool = True) -> Any:
    """Whole channels of a volume zeroed with probability p. Shapes: x (N, C, D, H, W) or (C, D, H, W). See ``dropout2d``.

    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.dropout3d(mg.ones((2, 3, 1, 1, 2)), 0.5, training=False).sum().item()
        12.0
    """
    return dropped("dropout3d", x, p, training, _channels("dropout3d", 3))


def drop_path(x: Any, p: float, training: bool = True) -> Any:
    """Whole samples zeroed with probability p, the others scaled by 1 / (1 - p): the branch of a residual block that is left out.

    Shapes: x (N, ...); y the same.
    Args:
        x: what the branch gives, floating; the sum with the shortcut comes after.
        p: the probability that a sample goes without the branch; 1 drops all.
        training: False returns x.
    Raises:
        ValueError: p is outside [0, 1] or NaN.
        ShapeError: x has no axis.
    Gradient: g for the samples that were kept, with the same scale.
    Source:
        Huang et al., "Deep networks with stochastic depth", 2016, eq. 2; there the branch is scaled by 1 - p in evaluation, here it
        is divided by it in training, and the draw is for each sample instead of each batch.
    Example:
        >>> import minigrad as mg
        >>> _ = mg.manual_seed(0)
        >>> mg.nn.functional.drop_path(mg.ones((4, 2)), 0.5).tolist()
        [[2.0, 2.0], [2.0, 2.0], [0.0, 0.0], [2.0, 2.0]]
    """

    def samples(x: Any) -> tuple[int, ...]:
        if not x.shape:
            raise ShapeError("drop_path: x needs at least one axis, of samples; got shape ()")
        return (x.shape[0], *[1] * (len(x.shape) - 1))

    return dropped("drop_path", x, p, training, samples)


# -- around a mean ----------------------------------------------------------------------------------------------------
_FLOOR = 1.7580993408473766
"""What selu tends to for very negative numbers, without its sign: scale times alpha."""


def _alpha(name: str, x: Any, p: float, training: bool, shape: Callable) -> Any:
    p = check_probability(name, p)
    x = _floating(name, x)
    draws = shape(x)
    if not training or p == 0:
        return x
    mask = keep_mask(x, p, draws)
    if p == 1:
        return apply(MASKED, (x,), mask, 1.0)
    a = 1 / sqrt((1 - p) * (1 + p * _FLOOR**2))
    shift = mask.astype(x.dtype)
    shift -= 1 - p
    shift *= a * _FLOOR
    return add(apply(MASKED, (x,), mask, a), shift)


def alpha_dropout(x: Any, p: float = 0.5, training: bool = False) -> Any:
    """Dropout for selu: entries are set to its lower limit -l, not to 0, and then all brought back to their mean and variance.

    y = a (x m - l (1 - m)) + a l p with m = 0 with probability p, else 1, a = ((1 - p) (1 + p l^2))^(-1/2), l = 1.7581.

    Shapes: x any; y the same.
    Args:
        x: floating, of mean 0 and variance 1.
        p: the probability that an entry is dropped; 1 gives zeros.
        training: False, the default as in PyTorch, returns x.
    Raises:
        ValueError: p is outside [0, 1] or NaN.
    Gradient: a g where entries were kept.
    Source: Klambauer et al., "Self-normalizing neural networks", 2017, section 3.
    Example:
        >>> import minigrad as mg
        >>> _ = mg.manual_seed(0)
        >>> y = mg.nn.functional.alpha_dropout(mg.random.normal(size=10_000), 0.2, training=True)
        >>> abs(y.mean().item()) < 0.05 and abs(y.var().item() - 1) < 0.05
        True
    """
    return _alpha("alpha_dropout", x, p, training, lambda x: x.shape)


def feature_alpha_dropout(x: Any, p: float = 0.5, training: bool = False) -> Any:
    """``alpha_dropout`` of whole channels. Shapes: x (N, C, ...), one draw for each channel of each sample; y the same.

    Raises:
        ValueError: p is outside [0, 1] or NaN.
        ShapeError: x has fewer than two axes.
    Source:
        Klambauer et al., "Self-normalizing neural networks", 2017; whole channels as Tompson et al., 2015.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.feature_alpha_dropout(mg.ones((2, 3, 4)), 0.5, training=True).shape
        (2, 3, 4)
    """

    def channels(x: Any) -> tuple[int, ...]:
        if len(x.shape) < 2:
            raise ShapeError(f"feature_alpha_dropout: x has shape {tuple(x.shape)}, expected (batch, channels, ...)")
        return (*x.shape[:2], *[1] * (len(x.shape) - 2))

    return _alpha("feature_alpha_dropout", x, p, training, channels)


# -- noise ------------------------------------------------------------------------------------------------------------
def _floating(name: str, x: Any) -> Any:
    x = given(x)
    if not is_inexact(x.dtype):
        raise DTypeError(f"{name}: x must be floating, got {x.dtype}")
    return x


def _normal(x: Any) -> Any:
    """Standard normal numbers in the shape, dtype and place of x, drawn in single precision whatever x is."""
    return namespace(type(raw(x))).asarray(generator().rng.standard_normal(x.shape, dtype="float32"), dtype=x.dtype)


def gaussian_noise(x: Any, std: float, training: bool = True) -> Any:
    """x + std e, e standard normal and new for each entry; x itself when not training.

    Shapes: x any; y the same.
    Raises:
        ValueError: std is negative or not finite.
    Gradient: g.
    Source:
        Bishop, "Training with noise is equivalent to Tikhonov regularization", 1995.
    Example:
        >>> import minigrad as mg
        >>> _ = mg.manual_seed(0)
        >>> y = mg.nn.functional.gaussian_noise(mg.zeros(10_000), 0.5)
        >>> round(y.std().item(), 1)
        0.5
    """
    x = _floating("gaussian_noise", x)
    check_spread("gaussian_noise", std)
    return add(x, _normal(x) * std) if training and std else x


def check_spread(who: str, std: Any) -> float:
    """std as a Python number; DTypeError unless it is one, ValueError unless it is finite and not negative."""
    std = number(who, "std", std)
    if not 0 <= std < inf:
        raise ValueError(f"{who}: std must be a finite number >= 0, got {std}")
    return std


def gaussian_dropout(x: Any, p: float = 0.5, training: bool = True) -> Any:
    """x times normal numbers of mean 1 and variance p / (1 - p), those of the factors of dropout; x itself when not training.

    Shapes: x any; y the same.
    Raises:
        ValueError: p is outside [0, 1): at 1 the variance is infinite.
    Gradient: g times the same numbers.
    Source: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", 2014, section 10.
    Example:
        >>> import minigrad as mg
        >>> _ = mg.manual_seed(0)
        >>> y = mg.nn.functional.gaussian_dropout(mg.ones(10_000), 0.5)
        >>> round(y.mean().item(), 1), round(y.std().item(), 1)
        (1.0, 1.0)
    """
    x = _floating("gaussian_dropout", x)
    p = check_rate("gaussian_dropout", p)
    return multiply(x, _normal(x) * sqrt(p / (1 - p)) + 1.0) if training and p else x


def check_rate(who: str, p: Any) -> float:
    """p as a Python number; DTypeError unless it is one, ValueError unless it is in [0, 1)."""
    p = number(who, "p", p)
    if not 0 <= p < 1:
        raise ValueError(f"{who}: p must be in [0, 1), got {p}; at 1 the noise would be infinite")
    return p


def rrelu(x: Any, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False) -> Any:
    """A leaky ReLU whose slope is drawn for each entry, uniform on [lower, upper); their mean when not training.

    Shapes: x any; y the same.
    Raises:
        ValueError: lower is above upper.
    Gradient: g where x > 0, else g times the slope that was drawn, at 0 too.
    Source: Xu et al., "Empirical evaluation of rectified activations in convolutional network", 2015, section 2.4.
    Example:
        >>> import minigrad as mg
        >>> mg.nn.functional.rrelu(mg.tensor([-8.0, 2.0]), 0.25, 0.5).tolist()
        [-3.0, 2.0]
    """
    x = _floating("rrelu", x)
    lower, upper = check_slopes("rrelu", lower, upper)
    if not training:
        return leaky_relu(x, (lower + upper) / 2)
    a = raw(x)
    xp = namespace(type(a))
    slope = xp.asarray(generator().rng.random(x.shape, dtype="float32"), dtype=x.dtype) * (upper - lower) + lower
    return multiply(x, xp.where(a > 0, xp.ones_like(slope), slope))


def check_slopes(who: str, lower: Any, upper: Any) -> tuple[float, float]:
    """Both as Python numbers; DTypeError unless they are, ValueError unless lower <= upper."""
    lower, upper = number(who, "lower", lower), number(who, "upper", upper)
    if not lower <= upper:
        raise ValueError(f"{who}: lower must not be above upper, got {lower} and {upper}")
    return lower, upper


__all__ = [
    "alpha_dropout",
    "drop_path",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "feature_alpha_dropout",
    "gaussian_dropout",
    "gaussian_noise",
    "rrelu",
]
