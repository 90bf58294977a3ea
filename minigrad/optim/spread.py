"""Relatives of Adam that measure the spread of the gradient otherwise."""

from typing import Any

from ..autograd.op import Op, compiled
from .adam import Adam
from .optimizer import Optimizer, Params

FARTHEST = Op("adamax", (), (), kernel=lambda xp: None, doc="Adamax.update for lists of arrays, in C alone.")
compiled("optimizers", FARTHEST)


class Adamax(Adam):
    """Adam in the maximum norm: ``u <- max(b2 u, |g| + eps)``, ``p <- p - lr m / ((1 - b1^t) u)``.

    Args:
        params, lr, betas, weight_decay, maximize: see Adam.
        eps: added to |g|, so that u is never zero.

    Source:
        Kingma and Ba, "Adam: a method for stochastic optimization", 2015, algorithm 2; eps is PyTorch's.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> x = mg.tensor([1.0], requires_grad=True)
        >>> opt = optim.Adamax([x], lr=0.1)
        >>> (x * x).sum().backward(); opt.step(); round(x.item(), 3)
        0.9
    """

    kernels = FARTHEST.kernels

    def __init__(
        self,
        params: Params,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ):
        settings = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        Optimizer.__init__(self, params, settings)

    def spread(self, xp: Any, g: Any, m: Any, v: Any, s: Any, group: dict[str, Any]) -> None:
        xp.absolute(g, out=s)
        s += group["eps"]
        v *= group["betas"][1]
        xp.maximum(v, s, out=v)

    def move(self, xp: Any, p: Any, g: Any, m: Any, v: Any, s: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        xp.divide(m, v, out=s)
        s *= group["lr"] / (1 - group["betas"][0] ** state["step"])
        p -= s


class AdaBelief(Adam):
    """Adam whose v is the running mean of ``(g - m)^2 + eps / (1 - b2)``: long steps where the gradient is what was expected.

    ``v <- b2 v + (1 - b2) (g - m)^2 + eps``, ``p <- p - lr m' / (sqrt(v') + eps)``.

    Args:
        params, lr, betas, weight_decay, amsgrad, maximize, decoupled_weight_decay: see Adam.
        eps: added to v and to its root.

    Source:
        Zhuang et al., "AdaBelief optimizer: adapting stepsizes by the belief in observed gradients", 2020, algorithm 2; the default eps
        is that of the authors' code. Neither its rectification nor its decay by default are here.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> x = mg.tensor([1.0], requires_grad=True)
        >>> opt = optim.AdaBelief([x], lr=0.1)
        >>> (x * x).sum().backward(); opt.step(); round(x.item(), 3)
        0.889
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-16,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
    ):
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, decoupled_weight_decay=decoupled_weight_decay)

    def spread(self, xp: Any, g: Any, m: Any, v: Any, s: Any, group: dict[str, Any]) -> None:
        super().spread(xp, xp.subtract(g, m, out=s), m, v, s, group)
        v += group["eps"]


class Yogi(Adam):
    """Adam whose v moves towards g^2 by a bounded amount: ``v <- v - (1 - b2) sign(v - g^2) g^2``, ``p <- p - lr m / (sqrt(v) + eps)``.

    Args:
        params, lr, betas, eps, weight_decay, maximize: see Adam.
        initial_accumulator_value: where v starts.

    Source:
        Zaheer et al., "Adaptive methods for nonconvex optimization", 2018, algorithm 2; without bias correction, as there.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> x = mg.tensor([1.0], requires_grad=True)
        >>> opt = optim.Yogi([x], lr=0.1)
        >>> (x * x).sum().backward(); opt.step(); round(x.item(), 2)
        0.69
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-3,
        initial_accumulator_value: float = 1e-6,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ):
        settings = {"lr": lr, "betas": betas, "eps": eps, "initial_accumulator_value": initial_accumulator_value}
        Optimizer.__init__(self, params, settings | {"weight_decay": weight_decay, "maximize": maximize})

    def check(self, group: dict[str, Any]) -> None:
        super().check(group)
        self.within(group, "initial_accumulator_value")

    def arrays(self, group: dict[str, Any]) -> dict[str, float]:
        return {"exp_avg": 0.0, "exp_avg_sq": group["initial_accumulator_value"]}

    def spread(self, xp: Any, g: Any, m: Any, v: Any, s: Any, group: dict[str, Any]) -> None:
        square = g * g
        xp.subtract(v, square, out=s)
        xp.sign(s, out=s)
        s *= square
        s *= 1 - group["betas"][1]
        v -= s

    def move(self, xp: Any, p: Any, g: Any, m: Any, v: Any, s: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        xp.sqrt(v, out=s)
        s += group["eps"]
        xp.divide(m, s, out=s)
        s *= group["lr"]
        p -= s


__all__ = ["AdaBelief", "Adamax", "Yogi"]
