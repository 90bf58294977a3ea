"""Modules without parameters that pass their input on, reshape it or call a function on it."""

from collections.abc import Callable
from typing import Any

from ..ops.shape import flatten, unflatten
from .module import Module


class Identity(Module):
    """Returns its input; any arguments to its constructor are ignored, so that it can stand in for a layer.

    Example:
        >>> from minigrad import nn
        >>> nn.Identity(54, unused=0.1)(5)
        5
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__()

    def forward(self, x: Any) -> Any:
        return x


class Lambda(Module):
    """A function as a module.

    Args:
        f: what ``forward`` calls.

    Example:
        >>> from minigrad import nn
        >>> nn.Sequential(nn.Lambda(abs))(-2)
        2
    """

    def __init__(self, f: Callable):
        super().__init__()
        self.f = f

    def forward(self, *args: Any) -> Any:
        return self.f(*args)

    def extra_repr(self) -> str:
        return getattr(self.f, "__name__", repr(self.f))


class Flatten(Module):
    """Joins the axes from ``start_dim`` to ``end_dim`` into one; by default all but the batch.

    Shapes: x (N, ...); y (N, product of the rest).

    Args:
        start_dim, end_dim: the first and the last of the axes; negative ones count from the end.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.Flatten()(mg.ones((2, 3, 4))).shape
        (2, 12)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1):
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Any) -> Any:
        return flatten(x, self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Splits the axis ``dim`` into the lengths ``unflattened_size``; one may be -1.

    Shapes: x (..., n, ...); y (..., *unflattened_size, ...).

    Args:
        dim: the axis to split.
        unflattened_size: the lengths, whose product is that of the axis.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> nn.Unflatten(1, (3, -1))(mg.ones((2, 12))).shape
        (2, 3, 4)
    """

    def __init__(self, dim: int, unflattened_size: tuple[int, ...]):
        super().__init__()
        self.dim, self.unflattened_size = dim, tuple(unflattened_size)

    def forward(self, x: Any) -> Any:
        return unflatten(x, self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


__all__ = ["Flatten", "Identity", "Lambda", "Unflatten"]
