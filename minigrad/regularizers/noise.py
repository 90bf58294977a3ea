"""Noise on gradients."""

from typing import Any

from ..autograd.node import stamp
from ..backend import generator
from ..backend.arrays import namespace
from ..nn import Module
from ..optim import Optimizer
from .regularizer import Regularizer, checked


class GradientNoise(Regularizer):
    """Adds normal noise of variance ``eta / (1 + t)^gamma`` to the gradients before step t = 0, 1, ...

    Args:
        eta: the variance at first; the paper tries 0.01, 0.3 and 1.
        gamma: how fast it falls.
        on: which parameters; by default all.

    ``attach(optimizer)`` adds it before each of the optimizer's steps, for loops written by hand.

    Source:
        Neelakantan et al., "Adding gradient noise improves learning for very deep networks", 2015, eqs. 1 and 2.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> from minigrad.regularizers import GradientNoise
        >>> w = mg.zeros((1000,), requires_grad=True)
        >>> opt = optim.SGD([w], lr=1.0)
        >>> handle = GradientNoise(eta=1.0, on=w).attach(opt)
        >>> (0 * w).sum().backward(); opt.step()
        >>> bool(0.9 < w.detach().numpy().std() < 1.1)
        True
    """

    def __init__(self, eta: float = 0.3, gamma: float = 0.55, on: Any = None):
        checked("GradientNoise", eta=eta, gamma=gamma)
        super().__init__((lambda name, p: True) if on is None else on)
        self.eta, self.gamma, self.t = eta, gamma, 0

    def gradients(self, model: Module | None = None) -> None:
        self._add([p for _, p in self.chosen(model)])

    def attach(self, optimizer: Optimizer) -> Any:
        """Add noise before each step of an optimizer, to those of its parameters that are chosen; returns a handle to remove it."""

        def before(opt: Optimizer, args: Any, kwargs: Any) -> None:
            named = [(key, p) for key, p in opt._keys()]
            self._add([p for key, p in named if any(test(str(key), p) for test in self._tests)])

        return optimizer.register_step_pre_hook(before)

    def _add(self, parameters: list[Any]) -> None:
        deviation = (self.eta / (1 + self.t) ** self.gamma) ** 0.5
        self.t += 1
        rng = generator().rng
        for p in parameters:
            if p.grad is None:
                continue
            g = p.grad.data
            g += namespace(type(g)).asarray((rng.standard_normal(g.shape, dtype="float32") * deviation).astype(g.dtype))
            stamp(g, "GradientNoise")


__all__ = ["GradientNoise"]
