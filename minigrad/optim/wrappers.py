"""Optimizers around an optimizer: look ahead and come back, or look around before stepping."""

from collections.abc import Callable, Mapping
from typing import Any

from ..autograd import Tensor, enable_grad
from ..autograd.arguments import number
from ..autograd.node import stamp
from ..autograd.tensor import as_data, wrap
from ..backend import device_of, to_device
from ..backend.arrays import namespace
from ..backend.recording import running
from ..errors import CheckpointError, DTypeError
from .interrupt import uninterrupted
from .optimizer import Optimizer
from .settings import truth, within


class _Wrapper(Optimizer):
    """An optimizer around another: groups, state and settings are the inner one's, so that schedules may set either."""

    def __init__(self, optimizer: Optimizer):
        if not isinstance(optimizer, Optimizer):
            raise DTypeError(f"{type(self).__name__}: expected an Optimizer to go around, got {type(optimizer).__name__}")
        self.optimizer = optimizer
        self._owner = type(self).__name__

    def __getattr__(self, name: str) -> Any:
        if name == "optimizer":
            raise AttributeError(name)
        return getattr(self.optimizer, name)

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        self.optimizer.add_param_group(group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        self.optimizer.zero_grad(set_to_none)

    def state_dict(self) -> dict[str, Any]:
        return self.optimizer.state_dict()

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        self.optimizer.load_state_dict(state_dict)

    def _all(self) -> list[Tensor]:
        return [p for group in self.param_groups for p in group["params"]]

    def __repr__(self) -> str:
        return f"{self._owner}({self.optimizer!r})"


class Lookahead(_Wrapper):
    """Every k steps of the inner optimizer, go back to a part of the way: ``slow <- slow + alpha (fast - slow)``, ``fast <- slow``.

    Args:
        optimizer: makes the steps.
        k: how many before each return.
        alpha: how much of the way is kept.

    Source:
        Zhang et al., "Lookahead optimizer: k steps forward, 1 step back", 2019, algorithm 1. The inner state is kept at returns.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> x = mg.tensor([1.0], requires_grad=True)
        >>> opt = optim.Lookahead(optim.SGD([x], lr=0.1), k=2, alpha=0.5)
        >>> for _ in range(2):
        ...     opt.zero_grad(); x.sum().backward(); opt.step()
        >>> round(x.item(), 3)
        0.9
    """

    def __init__(self, optimizer: Optimizer, k: int = 5, alpha: float = 0.5):
        if type(k) is not int or k < 1:
            raise ValueError(f"Lookahead: k must be an integer >= 1, got {k!r}")
        alpha = number("Lookahead", "alpha", alpha)
        if not 0 < alpha <= 1:
            raise ValueError(f"Lookahead: alpha must be in (0, 1], got {alpha}")
        super().__init__(optimizer)
        self.k, self.alpha, self.count = k, alpha, 0
        self.slow: dict[Tensor, Any] = {p: p.data.copy() for p in self._all()}

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        if (tape := running()) is not None:
            return tape.beside(self.step, *(() if closure is None else (closure,)))
        with uninterrupted():  # the closure, too, as the inner step and the way back belong together
            loss = self.optimizer.step(closure)
            self.count += 1
            if self.count % self.k == 0:
                for p in self._all():
                    slow = self.slow.setdefault(p, p.data.copy())
                    slow += (p.data - slow) * self.alpha
                    p.data[...] = slow
                    stamp(p.data, "Lookahead.step")
        return loss

    def state_dict(self) -> dict[str, Any]:
        slow = {key: wrap(self.slow[p].copy(), None) for key, p in self._keys() if p in self.slow}
        return {"optimizer": self.optimizer.state_dict(), "slow": slow, "count": self.count}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        named = self._keys()
        for key, p in named:
            if key not in state_dict["slow"] or tuple(state_dict["slow"][key].shape) != p.shape:
                raise CheckpointError(f"Lookahead.load_state_dict: no slow weights of shape {p.shape} for {key!r}")
        self.optimizer.load_state_dict(state_dict["optimizer"])
        self.slow = {p: to_device(as_data(state_dict["slow"][key], copy=True), device_of(p.data)) for key, p in named}
        self.count = state_dict["count"]


class SAM(_Wrapper):
    """Steps by the gradient at the worst point nearby: w + rho g / ||g||, so as to end in flat places.

    ``step`` needs a closure that clears the gradients, computes the loss, and calls backward; it is called twice.

    Args:
        optimizer: makes the steps.
        rho: how far to look.
        adaptive: look further along large weights: w + rho w^2 g / ||w g||.

    Source:
        Foret et al., "Sharpness-aware minimization", 2021, algorithm 1; adaptive: Kwon et al., "ASAM", 2021, eq. 5 for elementwise
        scaling.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> x = mg.tensor([1.0], requires_grad=True)
        >>> opt = optim.SAM(optim.SGD([x], lr=0.1), rho=0.5)
        >>> def closure():
        ...     opt.zero_grad()
        ...     loss = (x * x).sum()
        ...     loss.backward()
        ...     return loss
        >>> opt.step(closure).item(), round(x.item(), 3)
        (1.0, 0.7)
    """

    def __init__(self, optimizer: Optimizer, rho: float = 0.05, adaptive: bool = False):
        rho, adaptive = within("SAM", "rho", rho), truth("SAM", "adaptive", adaptive)
        super().__init__(optimizer)
        self.rho, self.adaptive = rho, adaptive

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        if closure is None:
            raise ValueError("SAM.step: needs a closure that computes the loss and its gradients again; it is called twice")
        with enable_grad():
            loss = closure()
        here = [(p, p.data.copy(), p.grad.data) for p in self._all() if p.grad is not None]
        if not here:
            return loss
        xp = namespace(type(here[0][1]))
        scaled = [abs(w) * g if self.adaptive else g for _, w, g in here]
        norm = xp.sqrt(sum([xp.add.reduce((s * s).reshape(-1)) for s in scaled]))
        far = self.rho / (norm + 1e-12)
        try:
            with uninterrupted():
                for (p, w, _), s in zip(here, scaled, strict=True):
                    p.data[...] = w + (abs(w) * s if self.adaptive else s) * far.astype(w.dtype)
                    stamp(p.data, "SAM.step")
            with enable_grad():
                closure()
        finally:
            with uninterrupted():
                for p, w, _ in here:
                    p.data[...] = w
                    stamp(p.data, "SAM.step")
        self.optimizer.step()
        return loss


__all__ = ["SAM", "Lookahead"]
