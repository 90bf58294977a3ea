"""Stochastic gradient descent: with momentum, and with averaging."""

from typing import Any

from ..autograd.op import Op, compiled
from ..backend.arrays import namespace
from .optimizer import Optimizer, Params, directed

STEP = Op("sgd", (), (), kernel=lambda xp: None, doc="SGD.update for lists of arrays, in C alone.")
compiled("optimizers", STEP)


class SGD(Optimizer):
    """Gradient descent with momentum.

    ``v <- mu v + (1 - dampening) g``, ``p <- p - lr v``; the first v is g. Nesterov's form steps along ``g + mu v``.

    Args:
        params: see Optimizer.
        lr: the step size.
        momentum: mu; 0 keeps no state.
        dampening: how much of a new gradient is left out.
        weight_decay: lambda, adding ``lambda p`` to the gradient (the gradient of ``lambda/2 |p|^2``).
        nesterov: look ahead; needs momentum, and no dampening.
        maximize: climb instead.

    Source:
        Polyak 1964; Sutskever et al., "On the importance of initialization and momentum in deep learning", 2013. As in PyTorch, v is
        not scaled by lr, so changing lr acts at once.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> x = mg.tensor([1.0], requires_grad=True)
        >>> opt = optim.SGD([x], lr=0.1)
        >>> (x * x).sum().backward(); opt.step(); round(x.item(), 3)
        0.8
    """

    elementwise = True
    kernels = STEP.kernels

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ):
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
                "maximize": maximize,
            },
        )

    def check(self, group: dict[str, Any]) -> None:
        super().check(group)
        self.within(group, "dampening", low=float("-inf"))
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError("SGD: nesterov needs a momentum > 0 and no dampening")

    def arrays(self, group: dict[str, Any]) -> dict[str, float]:
        return {"momentum_buffer": 0.0} if group["momentum"] else {}

    def counters(self, group: dict[str, Any]) -> dict[str, Any]:
        return {"step": 0} if group["momentum"] else {}

    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        mu, dampening = group["momentum"], group["dampening"]
        g = directed(p, g, group)
        if mu:
            v = state["momentum_buffer"]
            v *= mu
            v += g if not dampening or state["step"] == 1 else (1 - dampening) * g
            g = g + mu * v if group["nesterov"] else v
        p -= group["lr"] * g


class ASGD(Optimizer):
    """Averaged gradient descent: ``p <- (1 - lambd eta) p - eta g``, and the mean of the p after step t0 in the state, as ``ax``.

    ``eta = lr / (1 + lambd lr t)^alpha`` with t steps done before; ``ax <- ax + (p - ax) / max(1, t - t0)``, which is p itself until
    t0 + 1.

    Args:
        params: see Optimizer.
        lr: the step size at first.
        lambd: how fast it falls, and how fast p decays.
        alpha: the power with which it falls.
        t0: the step after which p is averaged.
        weight_decay: lambda, adding ``lambda p`` to the gradient.
        maximize: climb instead.

    Source:
        Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992; the schedule is Bottou's. PyTorch keeps eta
        and mu in the state, so that a changed lr acts one step late there, and at once here.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> x = mg.tensor([1.0], requires_grad=True)
        >>> opt = optim.ASGD([x], lr=0.1, lambd=0.0)
        >>> (x * x).sum().backward(); opt.step(); round(x.item(), 3)
        0.8
    """

    elementwise = True

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0.0,
        maximize: bool = False,
    ):
        settings = {"lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, settings)

    def check(self, group: dict[str, Any]) -> None:
        super().check(group)
        for key in ("lambd", "alpha", "t0"):
            self.within(group, key)

    def arrays(self, group: dict[str, Any]) -> dict[str, float]:
        return {"ax": 0.0}

    def counters(self, group: dict[str, Any]) -> dict[str, Any]:
        return {"step": 0}

    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        ax, lambd, done = state["ax"], group["lambd"], state["step"] - 1
        eta = group["lr"] / (1 + lambd * group["lr"] * done) ** group["alpha"]
        g = directed(p, g, group)
        p *= 1 - lambd * eta
        s = eta * g
        p -= s
        averaged = done - group["t0"]
        if averaged <= 1:
            ax[...] = p
            return
        namespace(type(p)).subtract(p, ax, out=s)
        s *= 1 / averaged
        ax += s


__all__ = ["ASGD", "SGD"]
