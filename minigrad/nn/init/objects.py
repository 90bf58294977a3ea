"""Initializers as objects: an in-place function with its settings, for the ``init=`` of layers."""

import inspect
from collections.abc import Callable
from typing import Any

from ...autograd import Tensor
from ...errors import DTypeError
from . import filling, isometry, scaling


class Initializer:
    """One of the in-place functions with its settings: called with a tensor, it fills it.

    Args:
        settings: the arguments of the function after the tensor, by place or by name.
        bias: what a layer's bias starts from: a number, or another initializer.

    Raises:
        TypeError: a setting that the function does not have.

    Example:
        >>> from minigrad import nn
        >>> from minigrad.nn import init
        >>> layer = nn.Linear(3, 2, init=init.Constant(0.5, bias=-1.0))
        >>> layer.weight.tolist(), layer.bias.tolist()
        ([[0.5, 0.5, 0.5], [0.5, 0.5, 0.5]], [-1.0, -1.0])
    """

    fill: Callable[..., Tensor]

    def __init__(self, *settings: Any, bias: Any = 0.0, **named: Any):
        try:
            given = inspect.signature(self.fill).bind(None, *settings, **named)
        except TypeError as error:
            raise TypeError(f"{type(self).__name__}: {error}; its settings are those of init.{self.fill.__name__}") from None
        self.settings = {k: v for k, v in given.arguments.items() if k != "tensor"}
        self.bias = bias

    def __call__(self, tensor: Tensor) -> Tensor:
        return self.fill(tensor, **self.settings)

    def __repr__(self) -> str:
        settings = self.settings | ({"bias": self.bias} if self.bias != 0.0 else {})
        return f"{type(self).__name__}({', '.join([f'{k}={v!r}' for k, v in settings.items()])})"


class Constant(Initializer):
    """``constant_`` as an object: ``Constant(val)``.

    Example:
        >>> from minigrad import nn
        >>> nn.Linear(2, 1, init=nn.init.Constant(0.5)).weight.tolist()
        [[0.5, 0.5]]
    """

    fill = staticmethod(filling.constant_)


class Zeros(Initializer):
    """``zeros_`` as an object.

    Example:
        >>> from minigrad import nn
        >>> nn.Linear(2, 1, init=nn.init.Zeros()).weight.tolist()
        [[0.0, 0.0]]
    """

    fill = staticmethod(filling.zeros_)


class Ones(Initializer):
    """``ones_`` as an object.

    Example:
        >>> from minigrad import nn
        >>> nn.Linear(2, 1, init=nn.init.Ones()).weight.tolist()
        [[1.0, 1.0]]
    """

    fill = staticmethod(filling.ones_)


class Eye(Initializer):
    """``eye_`` as an object.

    Source: as ``eye_``.

    Example:
        >>> from minigrad import nn
        >>> nn.Linear(2, 2, init=nn.init.Eye()).weight.tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """

    fill = staticmethod(filling.eye_)


class Dirac(Initializer):
    """``dirac_`` as an object: ``Dirac(groups=1)``.

    Source: as ``dirac_``.

    Example:
        >>> from minigrad import nn
        >>> nn.Conv1d(1, 1, 3, init=nn.init.Dirac()).weight.tolist()
        [[[0.0, 1.0, 0.0]]]
    """

    fill = staticmethod(filling.dirac_)


class Uniform(Initializer):
    """``uniform_`` as an object: ``Uniform(a=0.0, b=1.0)``.

    Example:
        >>> from minigrad import nn
        >>> w = nn.Linear(2, 1, init=nn.init.Uniform(2.0, 3.0)).weight
        >>> bool(((w >= 2) & (w < 3)).all())
        True
    """

    fill = staticmethod(filling.uniform_)


class Normal(Initializer):
    """``normal_`` as an object: ``Normal(mean=0.0, std=1.0)``.

    Example:
        >>> from minigrad import nn
        >>> nn.init.Normal(std=0.02)
        Normal(std=0.02)
    """

    fill = staticmethod(filling.normal_)


class TruncNormal(Initializer):
    """``trunc_normal_`` as an object: ``TruncNormal(mean=0.0, std=1.0, a=-2.0, b=2.0)``.

    Example:
        >>> from minigrad import nn
        >>> w = nn.Linear(2, 1, init=nn.init.TruncNormal(a=-1.0, b=1.0)).weight
        >>> bool((w.abs() <= 1).all())
        True
    """

    fill = staticmethod(filling.trunc_normal_)


class Sparse(Initializer):
    """``sparse_`` as an object: ``Sparse(sparsity, std=0.01)``.

    Source: as ``sparse_``.

    Example:
        >>> from minigrad import nn
        >>> w = nn.Linear(3, 10, init=nn.init.Sparse(0.8)).weight
        >>> (w == 0).sum(0).tolist()
        [8, 8, 8]
    """

    fill = staticmethod(filling.sparse_)


class VarianceScaling(Initializer):
    """``variance_scaling_`` as an object: ``VarianceScaling(scale=1.0, mode="fan_in", distribution="truncated_normal")``.

    Source: as ``variance_scaling_``.

    Example:
        >>> from minigrad import nn
        >>> nn.init.VarianceScaling(2.0, mode="fan_out")
        VarianceScaling(scale=2.0, mode='fan_out')
    """

    fill = staticmethod(scaling.variance_scaling_)


class XavierUniform(Initializer):
    """``xavier_uniform_`` as an object: ``XavierUniform(gain=1.0)``.

    Source: as ``xavier_uniform_``.

    Example:
        >>> from minigrad import nn
        >>> nn.Linear(2, 1, init=nn.init.XavierUniform()).weight.shape
        (1, 2)
    """

    fill = staticmethod(scaling.xavier_uniform_)


class XavierNormal(Initializer):
    """``xavier_normal_`` as an object: ``XavierNormal(gain=1.0)``.

    Source: as ``xavier_normal_``.

    Example:
        >>> from minigrad import nn
        >>> nn.Linear(2, 1, init=nn.init.XavierNormal(gain=2.0)).weight.shape
        (1, 2)
    """

    fill = staticmethod(scaling.xavier_normal_)


class KaimingUniform(Initializer):
    """``kaiming_uniform_`` as an object: ``KaimingUniform(a=0, mode="fan_in", nonlinearity="leaky_relu")``.

    Source: as ``kaiming_uniform_``.

    Example:
        >>> from minigrad import nn
        >>> nn.Linear(2, 1, init=nn.init.KaimingUniform(nonlinearity="relu")).weight.shape
        (1, 2)
    """

    fill = staticmethod(scaling.kaiming_uniform_)


class KaimingNormal(Initializer):
    """``kaiming_normal_`` as an object: ``KaimingNormal(a=0, mode="fan_in", nonlinearity="leaky_relu")``.

    Source: as ``kaiming_normal_``.

    Example:
        >>> from minigrad import nn
        >>> nn.Conv2d(3, 8, 3, init=nn.init.KaimingNormal(mode="fan_out")).weight.shape
        (8, 3, 3, 3)
    """

    fill = staticmethod(scaling.kaiming_normal_)


class LecunUniform(Initializer):
    """``lecun_uniform_`` as an object.

    Source: as ``lecun_uniform_``.

    Example:
        >>> from minigrad import nn
        >>> nn.Linear(2, 1, init=nn.init.LecunUniform()).weight.shape
        (1, 2)
    """

    fill = staticmethod(scaling.lecun_uniform_)


class LecunNormal(Initializer):
    """``lecun_normal_`` as an object.

    Source: as ``lecun_normal_``.

    Example:
        >>> from minigrad import nn
        >>> nn.Linear(2, 1, init=nn.init.LecunNormal()).weight.shape
        (1, 2)
    """

    fill = staticmethod(scaling.lecun_normal_)


class Orthogonal(Initializer):
    """``orthogonal_`` as an object: ``Orthogonal(gain=1)``.

    Source: as ``orthogonal_``.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> w = nn.Linear(3, 3, init=nn.init.Orthogonal()).weight
        >>> bool((abs(w @ w.T - mg.eye(3)) < 1e-5).all())
        True
    """

    fill = staticmethod(isometry.orthogonal_)


class DeltaOrthogonal(Initializer):
    """``delta_orthogonal_`` as an object: ``DeltaOrthogonal(gain=1)``.

    Source: as ``delta_orthogonal_``.

    Example:
        >>> from minigrad import nn
        >>> w = nn.Conv1d(2, 2, 3, init=nn.init.DeltaOrthogonal()).weight
        >>> w[:, :, 0].tolist()
        [[0.0, 0.0], [0.0, 0.0]]
    """

    fill = staticmethod(isometry.delta_orthogonal_)


def checked(who: str, init: Any) -> Any:
    """``init`` if a layer can use it: None, an initializer, or any function that fills a tensor.

    Raises:
        DTypeError: it cannot be called, or is a class instead of an initializer; names the layer ``who``.

    Example:
        >>> from minigrad import nn
        >>> nn.init.checked("Linear", nn.init.Ones())
        Ones()
    """
    if init is not None and (not callable(init) or inspect.isclass(init)):
        hint = f"{init.__name__}()" if inspect.isclass(init) else "init.Orthogonal()"
        raise DTypeError(f"{who}: init must be a function that fills the weight, such as {hint}, got {init!r}")
    return init


__all__ = [
    "Constant",
    "DeltaOrthogonal",
    "Dirac",
    "Eye",
    "Initializer",
    "KaimingNormal",
    "KaimingUniform",
    "LecunNormal",
    "LecunUniform",
    "Normal",
    "Ones",
    "Orthogonal",
    "Sparse",
    "TruncNormal",
    "Uniform",
    "VarianceScaling",
    "XavierNormal",
    "XavierUniform",
    "Zeros",
]
