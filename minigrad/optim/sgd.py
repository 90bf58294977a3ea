"""Stochastic gradient descent."""

from typing import Any

from .optimizer import Optimizer, Params, descend, directed


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
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError("SGD: nesterov needs a momentum > 0 and no dampening")

    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        mu = group["momentum"]
        g = directed(p, g, group)
        if mu:
            v = state.get("momentum_buffer")
            if v is None:
                v = state["momentum_buffer"] = g.copy()
            else:
                v *= mu
                v += g if not group["dampening"] else (1 - group["dampening"]) * g
            g = g + mu * v if group["nesterov"] else v
        descend(p, group["lr"], g)


__all__ = ["SGD"]
