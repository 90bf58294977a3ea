"""Adafactor: Adam's scale from the sums over rows and columns."""

from math import sqrt
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..backend import device_of, to_device
from ..backend.arrays import namespace
from .optimizer import Optimizer, Params
from .settings import within


class Adafactor(Optimizer):
    """Adam without a mean, whose second moments are an outer product of a row and a column: memory ``n + m`` for ``n x m`` numbers.

    With ``b = 1 - t^beta2_decay``: R and C are running means of g^2 over the last and the last but one axis, ``V = R C / mean(R)``,
    ``U = g / max(sqrt(V), eps1)``, ``p <- p - max(eps2, rms(p)) min(lr, 1/sqrt(t)) U / max(1, rms(U) / d)``. Vectors keep V whole.

    Args:
        params: see Optimizer; real.
        lr: the largest relative step.
        beta2_decay: how fast the means become long, at most 0.
        eps: eps1 (None: the precision of the dtype that is computed in) and eps2, the least size that a parameter is taken to have.
        d: the rms above which a step is cut back, at least 1.
        weight_decay: lambda, on the parameter: ``p <- (1 - lr lambda) p``.
        maximize: climb instead.

    Numerics:
        Half precision is computed and kept in float32.
    Source:
        Shazeer and Stern, "Adafactor: adaptive learning rates with sublinear memory cost", 2018, algorithms 4 and 5, in PyTorch's form:
        lr bounds the relative step, and eps1 bounds the root instead of being added to g^2.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> x = mg.ones((2, 2), requires_grad=True)
        >>> opt = optim.Adafactor([x], lr=0.1)
        >>> (x * x).sum().backward(); opt.step(); round(x[0, 0].item(), 3)
        0.9
    """

    complex = False
    two_eps = True

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ):
        settings = {"lr": lr, "beta2_decay": beta2_decay, "eps": eps, "d": d, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, settings)

    def check(self, group: dict[str, Any]) -> None:
        super().check(group)
        self.within(group, "beta2_decay", low=float("-inf"), high=0.0)
        self.within(group, "d", low=1.0)
        eps = group["eps"]
        if not isinstance(eps, (tuple, list)) or len(eps) != 2:
            raise ValueError(f"Adafactor: eps must be two numbers >= 0, the first of which may be None, got {eps!r}")
        first, second = eps
        group["eps"] = None if first is None else within("Adafactor", "eps", first), within("Adafactor", "eps", second)

    def counters(self, group: dict[str, Any]) -> dict[str, Any]:
        return {"step": 0}

    def shape_of(self, key: str, p: Tensor) -> tuple[int, ...] | None:
        return {"row_var": (*p.shape[:-1], 1), "col_var": (*p.shape[:-2], 1, *p.shape[-1:])}.get(key, p.shape)

    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        if not p.size:
            return
        xp, t, lr = namespace(type(p)), state["step"], group["lr"]
        eps1 = float(np.finfo(p.dtype).eps) if group["eps"][0] is None else group["eps"][0]
        new = t ** group["beta2_decay"]
        size = xp.maximum(xp.sqrt(xp.mean(p * p)), group["eps"][1])
        if group["weight_decay"]:
            p *= 1 - lr * group["weight_decay"]
        u = g * g
        if p.ndim > 1:
            rows = self._mean(xp, state, "row_var", u.mean(axis=-1, keepdims=True), new)
            columns = self._mean(xp, state, "col_var", u.mean(axis=-2, keepdims=True), new)
            xp.multiply(rows, columns, out=u)
            u /= xp.maximum(rows.mean(axis=-2, keepdims=True), eps1)
        else:
            u = self._mean(xp, state, "variance", u, new).copy()
        xp.maximum(u, eps1 * eps1, out=u)
        xp.sqrt(u, out=u)
        xp.divide(g, u, out=u)
        cut = xp.maximum(xp.sqrt(xp.mean(u * u)) / group["d"], 1.0)
        u *= size * (min(lr, 1 / sqrt(t)) * (-1.0 if group["maximize"] else 1.0)) / cut
        p -= u

    @staticmethod
    def _mean(xp: Any, state: dict[str, Any], key: str, value: Any, new: float) -> Any:
        """The running mean of ``value`` with weight ``new``, in the state."""
        mean = state.get(key)
        if mean is None:
            mean = state[key] = xp.zeros_like(value)
        elif mean.dtype != value.dtype or device_of(mean) != device_of(value):  # the parameter has been cast or moved
            mean = state[key] = to_device(mean, device_of(value)).astype(value.dtype)
        mean += new * (value - mean)
        return mean


__all__ = ["Adafactor"]
