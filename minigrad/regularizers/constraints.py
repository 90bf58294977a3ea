"""Constraints, kept after every step: bounded norms, unit norms, no negative weights."""

from typing import Any

from ..autograd.node import stamp
from ..backend.arrays import namespace
from ..nn import Module
from ..optim import Optimizer
from .regularizer import Regularizer


class _Constraint(Regularizer):
    def nearest(self, w: Any) -> Any:
        """The nearest array that keeps the constraint."""
        raise NotImplementedError(f"{type(self).__name__}: define nearest(w)")

    def project(self, model: Module | None = None, optimizer: Optimizer | None = None) -> None:
        for _, p in self.chosen(model):
            p.data[...] = self.nearest(p.data)
            stamp(p.data, f"{type(self).__name__}.project")


def norms(w: Any, axis: int) -> Any:
    """The Euclidean norms of what has the same index along ``axis``, kept open, and never 0."""
    xp = namespace(type(w))
    others = tuple([a for a in range(w.ndim) if a != axis % w.ndim])
    return xp.maximum(xp.sqrt(xp.add.reduce(w * w, others, None, None, True)), float(xp.finfo(w.dtype).tiny))


class MaxNorm(_Constraint):
    """The weights into each unit have a norm of at most ``limit``: longer ones are scaled back.

    Args:
        limit: the largest norm.
        on: which parameters; see ``Regularizer``.
        axis: the axis of the units; 0 are the outputs of linear and convolution layers.

    Source:
        Srebro and Shraibman, "Rank, trace-norm and max-norm", 2005; with dropout: Srivastava et al. 2014, section 5.1.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.regularizers import MaxNorm
        >>> w = mg.tensor([[3.0, 4.0], [0.5, 0.0]], requires_grad=True)
        >>> MaxNorm(1.0, on=w).project(); [[round(v, 3) for v in row] for row in w.tolist()]
        [[0.6, 0.8], [0.5, 0.0]]
    """

    def __init__(self, limit: float, on: Any = None, axis: int = 0):
        if not limit > 0:
            raise ValueError(f"MaxNorm: limit must be positive, got {limit}")
        super().__init__(on)
        self.limit, self.axis = limit, axis

    def nearest(self, w: Any) -> Any:
        xp = namespace(type(w))
        return w * xp.minimum(self.limit / norms(w, self.axis), 1).astype(w.dtype)


class UnitNorm(_Constraint):
    """The weights into each unit have norm 1; zeros stay zeros.

    Args:
        on: which parameters; see ``Regularizer``.
        axis: the axis of the units.

    Source:
        Salimans and Kingma, "Weight normalization", 2016, without the scale.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.regularizers import UnitNorm
        >>> w = mg.tensor([[3.0, 4.0], [0.0, 0.0]], requires_grad=True)
        >>> UnitNorm(on=w).project(); [[round(v, 3) for v in row] for row in w.tolist()]
        [[0.6, 0.8], [0.0, 0.0]]
    """

    def __init__(self, on: Any = None, axis: int = 0):
        super().__init__(on)
        self.axis = axis

    def nearest(self, w: Any) -> Any:
        return w / norms(w, self.axis)


class NonNeg(_Constraint):
    """No weight is negative: those that are become zero.

    Source:
        Lee and Seung, "Learning the parts of objects by non-negative matrix factorization", 1999, for what it is good for.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.regularizers import NonNeg
        >>> w = mg.tensor([[3.0, -4.0]], requires_grad=True)
        >>> NonNeg(on=w).project(); w.tolist()
        [[3.0, 0.0]]
    """

    def nearest(self, w: Any) -> Any:
        return namespace(type(w)).maximum(w, 0)


__all__ = ["MaxNorm", "NonNeg", "UnitNorm"]
