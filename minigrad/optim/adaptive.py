"""Rates that adapt to the size of past gradients, number by number, without a mean of the gradient: Adagrad and what came of it."""

from typing import Any

from ..autograd.op import Op, compiled
from ..backend.arrays import namespace
from .optimizer import Optimizer, Params, directed

SUMMED = Op("adagrad", (), (), kernel=lambda xp: None, doc="Adagrad.update for lists of arrays, in C alone.")
MEANS = Op("rmsprop", (), (), kernel=lambda xp: None, doc="RMSprop.update for lists of arrays, in C alone.")
compiled("optimizers", SUMMED, MEANS)


class Adagrad(Optimizer):
    """``h <- h + g^2``, ``p <- p - lr / (1 + (t - 1) lr_decay) g / (sqrt(h) + eps)``.

    Args:
        params: see Optimizer.
        lr: the step size.
        lr_decay: how fast it falls with the step t.
        weight_decay: lambda, adding ``lambda p`` to the gradient.
        initial_accumulator_value: where h starts.
        eps: keeps the quotient finite.
        maximize: climb instead.

    Source:
        Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic optimization", 2011, figure 1, the
        diagonal form.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> x = mg.tensor([1.0], requires_grad=True)
        >>> opt = optim.Adagrad([x], lr=0.1)
        >>> (x * x).sum().backward(); opt.step(); round(x.item(), 3)
        0.9
    """

    elementwise = True
    kernels = SUMMED.kernels

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
    ):
        settings = {"lr": lr, "lr_decay": lr_decay, "weight_decay": weight_decay, "eps": eps, "maximize": maximize}
        super().__init__(params, settings | {"initial_accumulator_value": initial_accumulator_value})

    def check(self, group: dict[str, Any]) -> None:
        super().check(group)
        self.within(group, "lr_decay")
        self.within(group, "initial_accumulator_value")

    def arrays(self, group: dict[str, Any]) -> dict[str, float]:
        return {"sum": group["initial_accumulator_value"]}

    def counters(self, group: dict[str, Any]) -> dict[str, Any]:
        return {"step": 0}

    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        xp, h = namespace(type(p)), state["sum"]
        g = directed(p, g, group)
        s = g * g
        h += s
        xp.sqrt(h, out=s)
        s += group["eps"]
        xp.divide(g, s, out=s)
        s *= group["lr"] / (1 + (state["step"] - 1) * group["lr_decay"])
        p -= s


class Adadelta(Optimizer):
    """``v <- rho v + (1 - rho) g^2``, ``d = sqrt(a + eps) / sqrt(v + eps) g``, ``a <- rho a + (1 - rho) d^2``, ``p <- p - lr d``.

    Args:
        params: see Optimizer.
        lr: a factor on a step that has the units of the parameter without it.
        rho: how much of the past is kept.
        eps: lets the first step begin, and keeps the quotient finite.
        weight_decay: lambda, adding ``lambda p`` to the gradient.
        maximize: climb instead.

    Source:
        Zeiler, "Adadelta: an adaptive learning rate method", 2012, algorithm 1; lr is PyTorch's.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> x = mg.tensor([1.0], requires_grad=True)
        >>> opt = optim.Adadelta([x])
        >>> (x * x).sum().backward(); opt.step(); round(x.item(), 4)
        0.9968
    """

    elementwise = True

    def __init__(
        self,
        params: Params,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ):
        super().__init__(params, {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize})

    def check(self, group: dict[str, Any]) -> None:
        super().check(group)
        self.within(group, "rho", high=1.0)

    def arrays(self, group: dict[str, Any]) -> dict[str, float]:
        return {"square_avg": 0.0, "acc_delta": 0.0}

    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        xp, rho, v, a = namespace(type(p)), group["rho"], state["square_avg"], state["acc_delta"]
        g = directed(p, g, group)
        s = g * g
        s *= 1 - rho
        v *= rho
        v += s
        xp.add(v, group["eps"], out=s)
        xp.sqrt(s, out=s)
        d = a + group["eps"]
        xp.sqrt(d, out=d)
        d /= s
        d *= g
        xp.multiply(d, d, out=s)
        s *= 1 - rho
        a *= rho
        a += s
        d *= group["lr"]
        p -= d


class RMSprop(Optimizer):
    """``v <- alpha v + (1 - alpha) g^2``, ``p <- p - lr g / (sqrt(v) + eps)``.

    Centered, v is less the square of the running mean of g. With momentum, ``b <- mu b + g / (sqrt(v) + eps)``, ``p <- p - lr b``.

    Args:
        params: see Optimizer.
        lr: the step size.
        alpha: how much of the past is kept.
        eps: keeps the quotient finite.
        weight_decay: lambda, adding ``lambda p`` to the gradient.
        momentum: mu.
        centered: divide by the deviation of the gradient instead of its size.
        maximize: climb instead.

    Numerics:
        A variance that rounding makes negative counts as 0; in PyTorch it is NaN.
    Source:
        Tieleman and Hinton, lecture 6.5 of "Neural networks for machine learning", 2012; centered: Graves, "Generating sequences with
        recurrent neural networks", 2013, eqs. 38-45. eps outside the root is PyTorch's.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> x = mg.tensor([1.0], requires_grad=True)
        >>> opt = optim.RMSprop([x], lr=0.01)
        >>> (x * x).sum().backward(); opt.step(); round(x.item(), 3)
        0.9
    """

    elementwise = True
    kernels = MEANS.kernels

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        maximize: bool = False,
    ):
        settings = {"lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay, "momentum": momentum}
        super().__init__(params, settings | {"centered": centered, "maximize": maximize})

    def check(self, group: dict[str, Any]) -> None:
        super().check(group)
        self.within(group, "alpha", high=1.0)

    def arrays(self, group: dict[str, Any]) -> dict[str, float]:
        wanted = {"square_avg": True, "grad_avg": group["centered"], "momentum_buffer": group["momentum"]}
        return {k: 0.0 for k, w in wanted.items() if w}

    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        xp, alpha, v = namespace(type(p)), group["alpha"], state["square_avg"]
        g = directed(p, g, group)
        s = g * g
        s *= 1 - alpha
        v *= alpha
        v += s
        if group["centered"]:
            mean = state["grad_avg"]
            xp.subtract(g, mean, out=s)
            s *= 1 - alpha
            mean += s
            xp.multiply(mean, mean, out=s)
            xp.subtract(v, s, out=s)
            v = xp.maximum(s, 0.0, out=s)
        xp.sqrt(v, out=s)
        s += group["eps"]
        xp.divide(g, s, out=s)
        if group["momentum"]:
            b = state["momentum_buffer"]
            b *= group["momentum"]
            b += s
            xp.multiply(b, group["lr"], out=s)
        else:
            s *= group["lr"]
        p -= s


class SMORMS3(Optimizer):
    """RMSprop with a memory that adapts: ``p <- p - min(lr, x) g / (sqrt(v) + eps)`` with ``x = m^2 / (v + eps)``.

    With ``r = 1 / (c + 1)``: ``m <- (1 - r) m + r g``, ``v <- (1 - r) v + r g^2``, ``c <- 1 + c (1 - x)``; c starts at 1.

    Args:
        params: see Optimizer.
        lr: the most that x may be.
        eps: keeps the quotients finite.
        weight_decay: lambda, adding ``lambda p`` to the gradient.
        maximize: climb instead.

    Source:
        Funk, "RMSprop loses to SMORMS3 - beware the epsilon!", 2015 (a note on the author's site); weight_decay is ours.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> x = mg.tensor([1.0], requires_grad=True)
        >>> opt = optim.SMORMS3([x], lr=0.1)
        >>> (x * x).sum().backward(); opt.step(); round(x.item(), 3)
        0.859
    """

    elementwise = True

    def __init__(self, params: Params, lr: float = 1e-3, eps: float = 1e-16, weight_decay: float = 0.0, *, maximize: bool = False):
        super().__init__(params, {"lr": lr, "eps": eps, "weight_decay": weight_decay, "maximize": maximize})

    def arrays(self, group: dict[str, Any]) -> dict[str, float]:
        return {"mem": 1.0, "grad_avg": 0.0, "square_avg": 0.0}

    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        xp, c, m, v = namespace(type(p)), state["mem"], state["grad_avg"], state["square_avg"]
        g = directed(p, g, group)
        r = 1.0 / (c + 1.0)
        s = xp.subtract(g, m)
        s *= r
        m += s
        xp.multiply(g, g, out=s)
        s -= v
        s *= r
        v += s
        xp.multiply(m, m, out=s)
        s /= v + group["eps"]  # x
        c *= 1.0 - s
        c += 1.0
        xp.minimum(s, group["lr"], out=s)
        s *= g
        xp.sqrt(v, out=r)
        r += group["eps"]
        s /= r
        p -= s


__all__ = ["SMORMS3", "Adadelta", "Adagrad", "RMSprop"]
