"""Adam and its relatives: steps scaled by running moments of the gradient."""

from math import sqrt
from typing import Any

from ..backend.arrays import namespace
from ..errors import DTypeError
from .optimizer import Optimizer, Params, directed


class Adam(Optimizer):
    """``m <- b1 m + (1 - b1) g``, ``v <- b2 v + (1 - b2) g^2``, ``p <- p - lr m' / (sqrt(v') + eps)``.

    m' and v' are m and v divided by ``1 - b^t``, which undoes their start at zero.

    Args:
        params: see Optimizer.
        lr: the step size.
        betas: b1 and b2.
        eps: keeps the quotient finite.
        weight_decay: lambda, adding ``lambda p`` to the gradient; see AdamW for the decoupled form.
        amsgrad: divide by the largest v so far.
        maximize: climb instead.

    Numerics:
        Half precision is updated in float32, and m and v are kept in it.
    Source:
        Kingma and Ba, "Adam: a method for stochastic optimization", 2015, algorithm 1; amsgrad: Reddi et al. 2018, with the bias
        correction of PyTorch.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> x = mg.tensor([1.0], requires_grad=True)
        >>> opt = optim.Adam([x], lr=0.1)
        >>> (x * x).sum().backward(); opt.step(); round(x.item(), 3)
        0.9
    """

    decoupled = False

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
    ):
        super().__init__(
            params,
            {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad, "maximize": maximize},
        )

    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        if p.dtype.kind == "c":
            raise DTypeError(
                f"{type(self).__name__}: complex parameters are not supported; keep real and imaginary parts as two parameters"
            )
        xp = namespace(type(p))
        if not state:
            state.update(step=0, exp_avg=xp.zeros_like(p), exp_avg_sq=xp.zeros_like(p))
            if group["amsgrad"]:
                state["max_exp_avg_sq"] = xp.zeros_like(p)
        state["step"] += 1
        t, m, v, lr, (b1, b2) = state["step"], state["exp_avg"], state["exp_avg_sq"], group["lr"], group["betas"]
        g = directed(p, g, group, decay=not self.decoupled)
        if self.decoupled:
            p *= 1 - lr * group["weight_decay"]
        s = xp.subtract(g, m)  # the one temporary: s is in turn each of the terms below
        s *= 1 - b1
        m += s
        xp.multiply(g, g, out=s)
        s *= 1 - b2
        v *= b2
        v += s
        if group["amsgrad"]:
            v = xp.maximum(state["max_exp_avg_sq"], v, out=state["max_exp_avg_sq"])
        xp.sqrt(v, out=s)
        s *= 1 / sqrt(1 - b2**t)
        s += group["eps"]
        xp.divide(m, s, out=s)
        s *= lr / (1 - b1**t)
        p -= s


class AdamW(Adam):
    """Adam whose decay acts on the parameter, ``p <- (1 - lr lambda) p``, and not through the moments.

    Source:
        Loshchilov and Hutter, "Decoupled weight decay regularization", 2019, algorithm 2, with their eta in lr.
    """

    decoupled = True

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
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)


__all__ = ["Adam", "AdamW"]
