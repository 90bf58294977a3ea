"""Methods that look at the sign of the gradient, and not at its size."""

from typing import Any

from ..backend.arrays import namespace
from .optimizer import Optimizer, Params, directed
from .settings import numbers


class Rprop(Optimizer):
    """``p <- p - sign(g) d``; each d grows while its g keeps its sign, and shrinks, without a step, where g has turned.

    Args:
        params: see Optimizer; for gradients of all data, as noise turns their signs.
        lr: where every d starts.
        etas: the factors with which d shrinks and grows.
        step_sizes: the least and the largest d.
        maximize: climb instead.

    Source:
        Riedmiller and Braun, "A direct adaptive method for faster backpropagation learning: the Rprop algorithm", 1993, in the form
        without going back (Igel and Huesken, "Improving the Rprop learning algorithm", 2000: iRprop-).

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> x = mg.tensor([1.0], requires_grad=True)
        >>> opt = optim.Rprop([x], lr=0.1)
        >>> (x * x).sum().backward(); opt.step(); round(x.item(), 3)
        0.9
    """

    elementwise = True

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50.0),
        *,
        maximize: bool = False,
    ):
        super().__init__(params, {"lr": lr, "etas": etas, "step_sizes": step_sizes, "maximize": maximize})

    def check(self, group: dict[str, Any]) -> None:
        super().check(group)
        group["etas"], group["step_sizes"] = [numbers("Rprop", key, group[key]) for key in ("etas", "step_sizes")]
        (shrink, grow), (low, high) = group["etas"], group["step_sizes"]
        if not 0 < shrink < 1 < grow < float("inf"):
            raise ValueError(f"Rprop: etas must be a factor in (0, 1) and one above 1, got {group['etas']}")
        if not 0 <= low <= high < float("inf"):
            raise ValueError(f"Rprop: step_sizes must be a least and a largest step, got {group['step_sizes']}")

    def arrays(self, group: dict[str, Any]) -> dict[str, float]:
        return {"prev": 0.0, "step_size": group["lr"]}

    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        xp, before, d = namespace(type(p)), state["prev"], state["step_size"]
        (shrink, grow), (low, high) = group["etas"], group["step_sizes"]
        g = xp.sign(directed(p, g, group, decay=False))  # before, too, is kept as a sign: the product cannot underflow
        s = g * before
        turned = s < 0
        d *= xp.where(s > 0, grow, xp.where(turned, shrink, xp.ones_like(s)))
        xp.maximum(d, low, out=d)
        xp.minimum(d, high, out=d)
        g *= ~turned
        before[...] = g
        g *= d
        p -= g


class Lion(Optimizer):
    """``p <- p - lr (sign(b1 m + (1 - b1) g) + lambda p)``, then ``m <- b2 m + (1 - b2) g``.

    Args:
        params: see Optimizer.
        lr: the step size; every number moves by it, so it is a third to a tenth of Adam's.
        betas: b1 and b2.
        weight_decay: lambda, on the parameter; as lr is smaller, three to ten times that of AdamW.
        maximize: climb instead.

    Source:
        Chen et al., "Symbolic discovery of optimization algorithms", 2023, program 1.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> x = mg.tensor([1.0], requires_grad=True)
        >>> opt = optim.Lion([x], lr=0.1)
        >>> (x * x).sum().backward(); opt.step(); round(x.item(), 3)
        0.9
    """

    elementwise = True

    def __init__(
        self,
        params: Params,
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ):
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay, "maximize": maximize})

    def arrays(self, group: dict[str, Any]) -> dict[str, float]:
        return {"exp_avg": 0.0}

    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        xp, m, (b1, b2), lr = namespace(type(p)), state["exp_avg"], group["betas"], group["lr"]
        g = directed(p, g, group, decay=False)
        gap = g - m
        s = (1 - b1) * gap
        s += m
        xp.sign(s, out=s)
        s *= lr
        if group["weight_decay"]:
            p *= 1 - lr * group["weight_decay"]
        p -= s
        gap *= 1 - b2
        m += gap


__all__ = ["Lion", "Rprop"]
