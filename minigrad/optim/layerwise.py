"""Rates for each parameter as a whole, from the sizes of the parameter and of its step: for large batches."""

from typing import Any

from ..backend.arrays import namespace
from .adam import Adam
from .optimizer import Optimizer, Params, directed


def trust(xp: Any, size: Any, step: Any, factor: float = 1.0) -> Any:
    """``factor size / step`` as a 0-d array, and 1 where either is 0, without looking at the values."""
    usual = (size > 0) & (step > 0)
    return xp.where(usual, factor * size / xp.where(usual, step, xp.ones_like(step)), xp.ones_like(size))


def norm(xp: Any, a: Any) -> Any:
    """The Euclidean norm of all numbers, as a 0-d array."""
    return xp.sqrt((a * a).sum())


class LARS(Optimizer):
    """Momentum with a rate for each parameter: ``l = trust |p| / (|g| + lambda |p|)``, ``v <- mu v + lr l (g + lambda p)``, ``p <- p - v``.

    Args:
        params: see Optimizer; real.
        lr: the step size.
        momentum: mu.
        weight_decay: lambda.
        trust_coefficient: trust, the relative length of a step.
        adapt: False makes l = 1, as is usual for biases and the parameters of normalisation (in a group of their own).
        maximize: climb instead.

    Numerics:
        Norms stay on the device. l is 1 where p or g is zero.
    Source:
        You, Gitman and Ginsburg, "Large batch training of convolutional networks", 2017, algorithm 1. As there, v is scaled by lr, so
        a changed lr acts on new gradients alone.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> x = mg.tensor([1.0], requires_grad=True)
        >>> opt = optim.LARS([x], lr=0.1, trust_coefficient=0.1)
        >>> (x * x).sum().backward(); opt.step(); round(x.item(), 3)
        0.99
    """

    complex = False

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        trust_coefficient: float = 1e-3,
        adapt: bool = True,
        *,
        maximize: bool = False,
    ):
        settings = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "trust_coefficient": trust_coefficient}
        super().__init__(params, settings | {"adapt": adapt, "maximize": maximize})

    def check(self, group: dict[str, Any]) -> None:
        super().check(group)
        self.within(group, "trust_coefficient")

    def arrays(self, group: dict[str, Any]) -> dict[str, float]:
        return {"momentum_buffer": 0.0} if group["momentum"] else {}

    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        xp = namespace(type(p))
        s = group["lr"] * directed(p, g, group)
        if group["adapt"]:
            size, slope = norm(xp, p), norm(xp, g)
            whole = slope + group["weight_decay"] * size
            s *= trust(xp, size, whole * (slope > 0), group["trust_coefficient"])
        if group["momentum"]:
            v = state["momentum_buffer"]
            v *= group["momentum"]
            v += s
            s = v
        p -= s


class LAMB(Adam):
    """Adam's step u (with the decay in it) made as long as lr times the parameter: ``p <- p - lr |p| / |u| u``.

    ``u = m' / (sqrt(v') + eps) + lambda p`` with m' and v' as in Adam.

    Args:
        params, lr, betas, maximize: see Adam; parameters are real.
        eps: keeps the quotient finite.
        weight_decay: lambda.
        adapt: False takes u as it is, as is usual for biases and the parameters of normalisation (in a group of their own).

    Numerics:
        Norms stay on the device. The ratio is 1 where p or u is zero.
    Source:
        You et al., "Large batch optimization for deep learning: training BERT in 76 minutes", 2020, algorithm 2, with the identity for
        their phi.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> x = mg.tensor([2.0], requires_grad=True)
        >>> opt = optim.LAMB([x], lr=0.1)
        >>> (x * x).sum().backward(); opt.step(); round(x.item(), 3)
        1.8
    """

    elementwise = False
    complex = False

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        adapt: bool = True,
        *,
        maximize: bool = False,
    ):
        settings = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "adapt": adapt, "maximize": maximize}
        Optimizer.__init__(self, params, settings)

    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        if not p.ndim:  # NumPy makes scalars of what is computed from 0-d arrays
            p, g, state = p.reshape(1), g.reshape(1), {k: v.reshape(1) if hasattr(v, "shape") else v for k, v in state.items()}
        super().update(p, g, state, group | {"weight_decay": 0.0, "lambda": group["weight_decay"]})

    def move(self, xp: Any, p: Any, g: Any, m: Any, v: Any, s: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        self.scale(xp, v, s, state["step"], group)
        xp.divide(m, s, out=s)
        s *= 1 / (1 - group["betas"][0] ** state["step"])
        if group["lambda"]:
            s += group["lambda"] * p
        s *= group["lr"] * (trust(xp, norm(xp, p), norm(xp, s)) if group["adapt"] else 1.0)
        p -= s


__all__ = ["LAMB", "LARS"]
