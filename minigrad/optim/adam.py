"""Adam and its relatives: steps along a running mean of the gradient, scaled by a running mean of its square."""

from math import sqrt
from typing import Any

from ..autograd.op import Op, compiled
from ..backend.arrays import namespace
from .optimizer import Optimizer, Params, directed

STEP = Op("adam", (), (), kernel=lambda xp: None, doc="Adam.update for lists of arrays, in C alone.")
AHEAD = Op("nadam", (), (), kernel=lambda xp: None, doc="NAdam.update for lists of arrays, in C alone.")
RECTIFIED = Op("radam", (), (), kernel=lambda xp: None, doc="RAdam.update for lists of arrays, in C alone.")
compiled("optimizers", STEP, AHEAD, RECTIFIED)


class Adam(Optimizer):
    """``m <- b1 m + (1 - b1) g``, ``v <- b2 v + (1 - b2) g^2``, ``p <- p - lr m' / (sqrt(v') + eps)``.

    m' and v' are m and v divided by ``1 - b^t``, which undoes their start at zero.

    Args:
        params: see Optimizer.
        lr: the step size.
        betas: b1 and b2.
        eps: keeps the quotient finite.
        weight_decay: lambda, adding ``lambda p`` to the gradient.
        amsgrad: divide by the largest v so far.
        maximize: climb instead.
        decoupled_weight_decay: let the decay act on the parameter, ``p <- (1 - lr lambda) p``, and not through the moments: AdamW.

    Numerics:
        Half precision is updated in float32, and m and v are kept in it. t is an integer, and ``b^t`` a float64.
    Source:
        Kingma and Ba, "Adam: a method for stochastic optimization", 2015, algorithm 1; amsgrad: Reddi et al., "On the convergence of
        Adam and beyond", 2018, with the bias correction of PyTorch.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> x = mg.tensor([1.0], requires_grad=True)
        >>> opt = optim.Adam([x], lr=0.1)
        >>> (x * x).sum().backward(); opt.step(); round(x.item(), 3)
        0.9
    """

    elementwise = True
    kernels = STEP.kernels
    terms: tuple[str, ...] = ("spread", "scale", "move")

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
    ):
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "amsgrad": amsgrad,
                "maximize": maximize,
                "decoupled_weight_decay": decoupled_weight_decay,
            },
        )

    def arrays(self, group: dict[str, Any]) -> dict[str, float]:
        own = {"exp_avg": 0.0, "exp_avg_sq": 0.0}
        return own | {"max_exp_avg_sq": 0.0} if group.get("amsgrad") else own

    def counters(self, group: dict[str, Any]) -> dict[str, Any]:
        return {"step": 0}

    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        xp = namespace(type(p))
        m, v, b1 = state["exp_avg"], state["exp_avg_sq"], group["betas"][0]
        decoupled = group.get("decoupled_weight_decay", False)
        g = directed(p, g, group, decay=not decoupled)
        if decoupled and group["weight_decay"]:
            p *= 1 - group["lr"] * group["weight_decay"]
        s = xp.subtract(g, m)  # the one temporary: s is in turn each of the terms below
        s *= 1 - b1
        m += s
        self.spread(xp, g, m, v, s, group)
        if group.get("amsgrad"):
            v = xp.maximum(state["max_exp_avg_sq"], v, out=state["max_exp_avg_sq"])
        self.move(xp, p, g, m, v, s, state, group)

    def spread(self, xp: Any, g: Any, m: Any, v: Any, s: Any, group: dict[str, Any]) -> None:
        """Take the gradient into v, in place; s may be overwritten."""
        xp.multiply(g, g, out=s)
        s *= 1 - group["betas"][1]
        v *= group["betas"][1]
        v += s

    def scale(self, xp: Any, v: Any, s: Any, t: int, group: dict[str, Any]) -> None:
        """``sqrt(v') + eps``, in s."""
        xp.sqrt(v, out=s)
        s *= 1 / sqrt(1 - group["betas"][1] ** t)
        s += group["eps"]

    def move(self, xp: Any, p: Any, g: Any, m: Any, v: Any, s: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Move the parameter, given the moments; s may be overwritten."""
        self.scale(xp, v, s, state["step"], group)
        xp.divide(m, s, out=s)
        s *= group["lr"] / (1 - group["betas"][0] ** state["step"])
        p -= s


class AdamW(Adam):
    """Adam whose decay acts on the parameter, ``p <- (1 - lr lambda) p``, and not through the moments.

    Args:
        params, lr, betas, eps, amsgrad, maximize: see Adam.
        weight_decay: lambda.

    Source:
        Loshchilov and Hutter, "Decoupled weight decay regularization", 2019, algorithm 2, with their eta in lr.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> x = mg.tensor([2.0], requires_grad=True)
        >>> opt = optim.AdamW([x], lr=0.1, weight_decay=0.5)
        >>> (0 * x).sum().backward(); opt.step(); round(x.item(), 3)
        1.9
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ):
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, decoupled_weight_decay=True)


class NAdam(Adam):
    """Adam with Nesterov's look-ahead: ``p <- p - lr ((1 - mu_t) g / (1 - M_t) + mu_{t+1} m / (1 - M_{t+1})) / (sqrt(v') + eps)``.

    ``mu_t = b1 (1 - 0.96^(t momentum_decay) / 2)`` and M_t is the product of mu_1 to mu_t.

    Args:
        params, lr, betas, eps, weight_decay, decoupled_weight_decay, maximize: see Adam.
        momentum_decay: how fast mu rises to b1.

    Source:
        Dozat, "Incorporating Nesterov momentum into Adam", 2016. M_t is kept as a float64, so that a run that is resumed goes on bit
        by bit; PyTorch rounds it to float32.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> x = mg.tensor([1.0], requires_grad=True)
        >>> opt = optim.NAdam([x], lr=0.1)
        >>> (x * x).sum().backward(); opt.step(); round(x.item(), 2)
        0.89
    """

    kernels = AHEAD.kernels
    terms = (*Adam.terms, "mu")

    def __init__(
        self,
        params: Params,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ):
        Optimizer.__init__(
            self,
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "momentum_decay": momentum_decay,
                "decoupled_weight_decay": decoupled_weight_decay,
                "maximize": maximize,
            },
        )

    def check(self, group: dict[str, Any]) -> None:
        super().check(group)
        self.within(group, "momentum_decay")

    def counters(self, group: dict[str, Any]) -> dict[str, Any]:
        return {"step": 0, "mu_product": 1.0}

    def advance(self, state: dict[str, Any], group: dict[str, Any]) -> None:
        state["step"] += 1
        state["mu_product"] *= self.mu(state["step"], group)

    @staticmethod
    def mu(t: int, group: dict[str, Any]) -> float:
        """The momentum of step t."""
        return group["betas"][0] * (1 - 0.5 * 0.96 ** (t * group["momentum_decay"]))

    def move(self, xp: Any, p: Any, g: Any, m: Any, v: Any, s: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        t, product, lr = state["step"], state["mu_product"], group["lr"]
        ahead = self.mu(t + 1, group)
        self.scale(xp, v, s, t, group)
        d = m * (lr * ahead / (1 - product * ahead))
        d += (lr * (1 - self.mu(t, group)) / (1 - product)) * g
        d /= s
        p -= d


class RAdam(Adam):
    """Adam that steps along m' alone until the variance of its scale is finite, and then rectifies that: ``p <- p - lr r_t m' / sqrt(v')``.

    ``rho_t = rho - 2 t b2^t / (1 - b2^t)``, ``rho = 2 / (1 - b2) - 1``; where ``rho_t > 5``,
    ``r_t^2 = (rho_t - 4) (rho_t - 2) rho / ((rho - 4) (rho - 2) rho_t)``.

    Args:
        params, lr, betas, eps, weight_decay, decoupled_weight_decay, maximize: see Adam.

    Source:
        Liu et al., "On the variance of the adaptive learning rate and beyond", 2020, algorithm 2; the bound 5 instead of 4 and the eps
        added to sqrt(v) before its bias is corrected are PyTorch's.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> x = mg.tensor([1.0], requires_grad=True)
        >>> opt = optim.RAdam([x], lr=0.1)
        >>> (x * x).sum().backward(); opt.step(); round(x.item(), 3)
        0.8
    """

    kernels = RECTIFIED.kernels

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ):
        super().__init__(params, lr, betas, eps, weight_decay, maximize=maximize, decoupled_weight_decay=decoupled_weight_decay)

    def move(self, xp: Any, p: Any, g: Any, m: Any, v: Any, s: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        (b1, b2), t = group["betas"], state["step"]
        rate = group["lr"] / (1 - b1**t)
        whole = 2 / (1 - b2) - 1
        rho = whole - 2 * t * b2**t / (1 - b2**t)
        if rho <= 5:
            p -= xp.multiply(m, rate, out=s)
            return
        r = sqrt((rho - 4) * (rho - 2) * whole / ((whole - 4) * (whole - 2) * rho))
        xp.sqrt(v, out=s)
        s += group["eps"]
        xp.divide(m, s, out=s)
        s *= rate * r * sqrt(1 - b2**t)
        p -= s


__all__ = ["Adam", "AdamW", "NAdam", "RAdam"]
