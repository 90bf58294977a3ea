"""Penalties on the size of parameters: L1, L2, both, and groups. Those with corners offer the proximal step, which gives exact zeros."""

from math import prod, sqrt
from typing import Any

from ..autograd import Tensor
from ..autograd.node import stamp
from ..backend.arrays import namespace
from ..nn import Module
from ..ops import abs as absolute
from ..ops import linalg, square, sum
from ..optim import Optimizer
from .regularizer import Regularizer, checked, rate_of


class _Penalty(Regularizer):
    """A sum of one term per parameter, and the proximal map of that term."""

    proximal = False

    def term(self, p: Tensor) -> Any:
        """The penalty on one parameter."""
        raise NotImplementedError(f"{type(self).__name__}: define term(p)")

    def prox(self, w: Any, step: float) -> Any:
        """``argmin_v |v - w|^2 / 2 + step term(v)`` of a raw array."""
        raise NotImplementedError(f"{type(self).__name__}: has no proximal step")

    def penalty(self, model: Module | None = None) -> Tensor | None:
        if self.proximal:
            return None
        total: Any = None
        for _, p in self.chosen(model):
            total = self.term(p) if total is None else total + self.term(p)
        return total

    def project(self, model: Module | None = None, optimizer: Optimizer | None = None) -> None:
        if not self.proximal:
            return
        steps = [(p, rate_of(type(self).__name__, p, optimizer)) for _, p in self.chosen(model)]
        for p, step in steps:
            p.data[...] = self.prox(p.data, step)
            stamp(p.data, f"{type(self).__name__}.project")


def soft_threshold(w: Any, t: float) -> Any:
    """sign(w) max(|w| - t, 0), on raw arrays: the proximal map of t |w|. What becomes zero is w - w, so it has no sign."""
    return w - namespace(type(w)).clip(w, -t, t)


class L1(_Penalty):
    """``strength * sum |w|``: the lasso.

    Args:
        strength: lambda.
        on: which parameters; see ``Regularizer``.
        proximal: leave it out of the loss, and after each step pull every entry towards zero by ``lr * strength``, stopping there:
            exact zeros. Without, gradients (0 at 0) let entries swing about zero.

    Numerics: the proximal step is that of the objective for SGD without momentum; with other optimizers it is a common heuristic.
    Source:
        Tibshirani, "Regression shrinkage and selection via the lasso", 1996; the proximal step (ISTA): Daubechies et al. 2004.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> from minigrad.regularizers import L1
        >>> w = mg.tensor([[1.0, -0.01]], requires_grad=True)
        >>> L1(0.5, on=w).penalty().item()
        0.5049999952316284
        >>> L1(0.5, on=w, proximal=True).project(optimizer=optim.SGD([w], lr=0.1)); w.tolist()
        [[0.949999988079071, 0.0]]
    """

    def __init__(self, strength: float, on: Any = None, proximal: bool = False):
        checked("L1", strength=strength)
        super().__init__(on)
        self.strength, self.proximal = strength, proximal

    def term(self, p: Tensor) -> Any:
        return self.strength * sum(absolute(p))

    def prox(self, w: Any, step: float) -> Any:
        return soft_threshold(w, step * self.strength)


class L2(_Penalty):
    """``strength / 2 * sum w^2``: ridge, whose gradient is ``strength * w``. With the half, it is SGD's ``weight_decay=strength``.

    Args:
        strength: lambda.
        on: which parameters; see ``Regularizer``.

    Source:
        Hoerl and Kennard, "Ridge regression", 1970; Krogh and Hertz, "A simple weight decay can improve generalization", 1992.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.regularizers import L2
        >>> L2(0.5, on=mg.tensor([[2.0, 1.0]], requires_grad=True)).penalty().item()
        1.25
    """

    def __init__(self, strength: float, on: Any = None):
        checked("L2", strength=strength)
        super().__init__(on)
        self.strength = strength

    def term(self, p: Tensor) -> Any:
        return 0.5 * self.strength * sum(square(p))


class ElasticNet(_Penalty):
    """``l1 * sum |w| + l2 / 2 * sum w^2``.

    Args:
        l1, l2: the two strengths.
        on: which parameters; see ``Regularizer``.
        proximal: as for L1; the step is soft thresholding, then division by ``1 + lr l2``.

    Source:
        Zou and Hastie, "Regularization and variable selection via the elastic net", 2005.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.regularizers import ElasticNet
        >>> ElasticNet(1.0, 0.5, on=mg.tensor([[2.0]], requires_grad=True)).penalty().item()
        3.0
    """

    def __init__(self, l1: float, l2: float, on: Any = None, proximal: bool = False):
        checked("ElasticNet", l1=l1, l2=l2)
        super().__init__(on)
        self.l1, self.l2, self.proximal = l1, l2, proximal

    def term(self, p: Tensor) -> Any:
        return self.l1 * sum(absolute(p)) + 0.5 * self.l2 * sum(square(p))

    def prox(self, w: Any, step: float) -> Any:
        return soft_threshold(w, step * self.l1) / (1 + step * self.l2)


class GroupLasso(_Penalty):
    """``strength * sum over groups of sqrt(n) ||w_group||``: whole groups become zero together.

    Args:
        strength: lambda.
        on: which parameters; see ``Regularizer``.
        axis: a group is what has the same index along this axis (or these): 0 takes the weights into one output, 1 those out of one
            input, so that inputs are selected.
        proximal: leave it out of the loss, and after each step shorten every group by ``lr * strength * sqrt(n)``, down to exactly zero.

    Gradient: 0 at groups of zero.
    Source:
        Yuan and Lin, "Model selection and estimation in regression with grouped variables", 2006, eq. 2.1; n is the size of a group.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> from minigrad.regularizers import GroupLasso
        >>> w = mg.tensor([[3.0, 4.0], [0.01, 0.0]], requires_grad=True)
        >>> GroupLasso(1.0, on=w, proximal=True).project(optimizer=optim.SGD([w], lr=0.1)); w.tolist()[1]
        [0.0, 0.0]
    """

    def __init__(self, strength: float, on: Any = None, axis: int | tuple[int, ...] = 0, proximal: bool = False):
        checked("GroupLasso", strength=strength)
        super().__init__(on)
        self.strength, self.axis, self.proximal = strength, axis, proximal

    def _within(self, p: Any) -> tuple[tuple[int, ...], float]:
        """The axes within a group, and lambda sqrt(n)."""
        kept = {a % p.ndim for a in (self.axis if isinstance(self.axis, tuple) else (self.axis,))}
        axes = tuple([a for a in range(p.ndim) if a not in kept])
        return axes, self.strength * sqrt(prod([p.shape[a] for a in axes]))

    def term(self, p: Tensor) -> Any:
        axes, factor = self._within(p)
        return factor * sum(linalg.vector_norm(p, axis=axes) if axes else absolute(p))

    def prox(self, w: Any, step: float) -> Any:
        xp = namespace(type(w))
        axes, factor = self._within(w)
        norm = xp.sqrt(xp.add.reduce(w * w, axes, None, None, True))
        tiny = float(xp.finfo(w.dtype).tiny)
        return w * xp.maximum(1 - step * factor / xp.maximum(norm, tiny), 0).astype(w.dtype)


__all__ = ["L1", "L2", "ElasticNet", "GroupLasso"]
