"""Penalties on weights as matrices: their orthogonality, their largest singular value."""

from typing import Any

from ..autograd import Tensor
from ..autograd.tensor import wrap
from ..backend import generator
from ..backend.arrays import namespace
from ..nn import Module
from ..ops import eye, matmul, square, sum
from .regularizer import Regularizer, checked


def as_matrix(p: Tensor) -> Any:
    """A weight (out, in, ...) as a matrix (out, rest)."""
    return p if p.ndim == 2 else p.reshape((p.shape[0], -1))


class Orthogonal(Regularizer):
    """``strength * ||W W^T - I||_F^2`` over the shorter side of each weight, seen as a matrix (out, rest).

    Args:
        strength: lambda.
        on: which parameters; see ``Regularizer``.

    Source:
        Brock et al., "Neural photo editing with introspective adversarial networks", 2017; Bansal et al., "Can we gain more from
        orthogonality regularizations", 2018, eq. 1.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.regularizers import Orthogonal
        >>> w = mg.tensor([[2.0, 0.0], [0.0, 1.0]], requires_grad=True)
        >>> Orthogonal(0.5, on=w).penalty().item()
        4.5
    """

    def __init__(self, strength: float, on: Any = None):
        checked("Orthogonal", strength=strength)
        super().__init__(on)
        self.strength = strength

    def penalty(self, model: Module | None = None) -> Tensor | None:
        total: Any = 0.0
        for _, p in self.chosen(model):
            w = as_matrix(p)
            w = w if w.shape[0] <= w.shape[1] else w.mT
            total = total + sum(square(matmul(w, w.mT) - eye(w.shape[0], dtype=w.dtype, device=w.device)))
        return self.strength * total


class Spectral(Regularizer):
    """``strength / 2 * sigma(W)^2``, sigma the largest singular value of each weight, seen as a matrix (out, rest).

    Args:
        strength: lambda.
        on: which parameters; see ``Regularizer``.
        iterations: of the power method, each time; its vectors are kept from one step to the next.

    Source:
        Yoshida and Miyato, "Spectral norm regularization for improving the generalizability of deep learning", 2017, eq. 3,
        algorithm 1.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.regularizers import Spectral
        >>> w = mg.tensor([[2.0, 0.0], [0.0, 1.0]], requires_grad=True)
        >>> round(Spectral(0.5, on=w, iterations=20).penalty().item(), 4)
        1.0
    """

    def __init__(self, strength: float, on: Any = None, iterations: int = 1):
        checked("Spectral", strength=strength)
        if iterations < 1:
            raise ValueError(f"Spectral: iterations must be at least 1, got {iterations}")
        super().__init__(on)
        self.strength, self.iterations = strength, iterations
        self._vectors: dict[Tensor, Any] = {}

    def penalty(self, model: Module | None = None) -> Tensor | None:
        total: Any = 0.0
        for _, p in self.chosen(model):
            w = as_matrix(p)
            u, v = self._pair(p, w.data)
            total = total + square(sum(wrap(u, None) * matmul(w, wrap(v, None))))
        return 0.5 * self.strength * total

    def _pair(self, p: Tensor, w: Any) -> tuple[Any, Any]:
        """The first singular vectors, as well as some steps of the power method know them."""
        xp = namespace(type(w))
        u = self._vectors.get(p)
        if u is None or type(u) is not type(w) or u.dtype != w.dtype:
            u = xp.asarray(generator().rng.normal(size=(w.shape[0],)).astype(w.dtype))
        for _ in range(self.iterations):
            v = xp.matmul(w.T, u)
            v = v / (xp.sqrt(xp.add.reduce(v * v)) + 1e-12)
            u = xp.matmul(w, v)
            u = u / (xp.sqrt(xp.add.reduce(u * u)) + 1e-12)
        self._vectors[p] = u
        return u, v


__all__ = ["Orthogonal", "Spectral"]
