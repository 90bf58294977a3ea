"""Penalties on what a model computes: correlated units, steep functions."""

from typing import Any

from ..autograd import Tensor, enable_grad, grad
from ..autograd.tensor import wrap
from ..backend import generator
from ..backend.arrays import namespace
from ..errors import ShapeError
from ..nn import Module
from ..ops import diagonal, linalg, matmul, mean, square, sum
from .regularizer import Regularizer, checked


class DeCov(Regularizer):
    """``strength / 2 * (||C||_F^2 - ||diag C||^2)``, C the covariance over the batch of a layer's outputs: units should differ.

    Args:
        strength: lambda.
        on: the module whose outputs are meant; what it returned last is penalised once.

    ``DeCov.of(h)`` is the penalty of activations that you have in hand.

    Source:
        Cogswell et al., "Reducing overfitting in deep networks by decorrelating representations", 2016, eqs. 1 and 2.

    Example:
        >>> import minigrad as mg
        >>> from minigrad.regularizers import DeCov
        >>> DeCov.of(mg.tensor([[1.0, 1.0], [-1.0, -1.0]])).item(), DeCov.of(mg.tensor([[1.0, 1.0], [-1.0, 1.0]])).item()
        (1.0, 0.0)
    """

    def __init__(self, strength: float, on: Module):
        checked("DeCov", strength=strength)
        super().__init__(on)
        self.strength = strength
        self._last: Any = None
        self.handle = on.register_forward_hook(self._note)

    def _note(self, module: Module, args: Any, output: Any) -> None:
        self._last = output if module.training else None

    @staticmethod
    def of(h: Any) -> Any:
        """The penalty of activations (N, ...), with strength 1."""
        if not h.shape:
            raise ShapeError("DeCov: expected activations (N, ...), got shape ()")
        h = h if len(h.shape) == 2 else h.reshape((h.shape[0], -1))
        d = h - mean(h, axis=0, keepdims=True)
        c = matmul(d.mT, d) / h.shape[0]
        return 0.5 * (sum(square(c)) - sum(square(diagonal(c))))

    def penalty(self, model: Module | None = None) -> Tensor | None:
        h, self._last = self._last, None
        if h is None:
            raise ValueError("DeCov.penalty: the module has not been called in training mode since the last penalty")
        return self.strength * self.of(h)


class JacobianPenalty(Regularizer):
    """``strength / 2 * mean ||dy/dx||_F^2``, estimated by random projections: outputs should not change fast with inputs.

    Args:
        strength: lambda.
        projections: how many random directions of y; the estimate is exact on average with one.

    Call it: ``loss + penalty(model, x)``. It makes another forward pass, and needs second derivatives, which every op has.

    Source:
        Hoffman, Roberts and Yaida, "Robust learning with Jacobian regularization", 2019, eqs. 3 to 7, algorithm 1.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> from minigrad.regularizers import JacobianPenalty
        >>> model = nn.Linear(1, 1)
        >>> _ = nn.init.constant_(model.weight, 3.0)
        >>> round(JacobianPenalty(1.0)(model, mg.tensor([[0.5], [1.0]])).item(), 4)
        4.5
    """

    def __init__(self, strength: float, projections: int = 1):
        checked("JacobianPenalty", strength=strength)
        if projections < 1:
            raise ValueError(f"JacobianPenalty: projections must be at least 1, got {projections}")
        super().__init__()
        self.strength, self.projections = strength, projections

    @enable_grad()
    def __call__(self, model: Any, x: Any) -> Any:
        """The penalty at a batch of inputs (N, ...)."""
        x = wrap(x.data if isinstance(x, Tensor) else x, None).requires_grad_()
        y = model(x)
        xp, total = namespace(type(y.data)), 0.0
        count = y.size // y.shape[0]
        for _ in range(self.projections):
            v = generator().rng.normal(size=(y.shape[0], count))
            v /= (v * v).sum(1, keepdims=True) ** 0.5  # on the unit sphere of the outputs of one sample
            (g,) = grad(y, x, wrap(xp.asarray(v.astype(y.dtype)).reshape(y.shape), None), create_graph=True)
            total = total + sum(square(g))
        return total * (0.5 * self.strength * count / (self.projections * x.shape[0]))


class GradientPenalty(Regularizer):
    """``strength * mean (||dD/dx|| - target)^2`` at points between real and made samples: a critic with slopes of about 1.

    Args:
        strength: lambda.
        target: the norm wanted; 0 pulls towards flatness.

    Call it: ``loss + penalty(critic, real, fake)``, or ``penalty(critic, x)`` for the slopes at x itself (R1 with target 0, up to its
    half).

    Source:
        Gulrajani et al., "Improved training of Wasserstein GANs", 2017, eq. 3; at x itself: Mescheder et al. 2018.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import nn
        >>> from minigrad.regularizers import GradientPenalty
        >>> critic = nn.Linear(2, 1)
        >>> _ = nn.init.constant_(critic.weight, 3.0)
        >>> x = mg.zeros((4, 2))
        >>> round(GradientPenalty(1.0)(critic, x, x + 1).item(), 3)
        10.515
    """

    def __init__(self, strength: float = 10.0, target: float = 1.0):
        checked("GradientPenalty", strength=strength, target=target)
        super().__init__()
        self.strength, self.target = strength, target

    @enable_grad()
    def __call__(self, critic: Any, real: Any, fake: Any = None) -> Any:
        """The penalty at points between two batches, or at one batch."""
        a = real.data if isinstance(real, Tensor) else real
        if fake is not None:
            b = fake.data if isinstance(fake, Tensor) else fake
            if a.shape != b.shape:
                raise ShapeError(f"GradientPenalty: real {tuple(a.shape)} and fake {tuple(b.shape)} must have the same shape")
            t = namespace(type(a)).asarray(generator().rng.random((a.shape[0], *[1] * (a.ndim - 1)), dtype="float32"))
            a = (t * a + (1 - t) * b).astype(a.dtype)
        x = wrap(a, None).requires_grad_()
        (g,) = grad(sum(critic(x)), x, create_graph=True)
        norm = linalg.vector_norm(g.reshape((g.shape[0], -1)), axis=1)
        return self.strength * mean(square(norm - self.target))


__all__ = ["DeCov", "GradientPenalty", "JacobianPenalty"]
