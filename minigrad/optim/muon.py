"""Muon: momentum whose steps have no small and no large directions."""

from math import isfinite, sqrt
from typing import Any

from ..backend.arrays import namespace
from .optimizer import Optimizer, Params
from .settings import numbers


class Muon(Optimizer):
    """Momentum for matrices, whose step is replaced by the nearest one with singular values about 1.

    ``b <- mu b + (1 - mu) g``, ``u = (1 - mu) g + mu b`` (nesterov; else b), ``p <- (1 - lr lambda) p - lr c NS(u)``. NS divides u by
    its norm and then lets its singular values run ns_steps times through ``x -> a x + b x^3 + c x^5``, which takes them near 1.

    Args:
        params: see Optimizer; real matrices, the hidden layers' weights. Biases, embeddings and the last layer are for AdamW.
        lr: the step size.
        weight_decay: lambda, on the parameter.
        momentum: mu.
        nesterov: look ahead.
        ns_coefficients: a, b and c of the polynomial.
        eps: the least norm that u is divided by.
        ns_steps: how often the polynomial is applied, below 100.
        adjust_lr_fn: c, for n rows and m columns: ``"original"`` (or None) ``sqrt(max(1, n / m))``, ``"match_rms_adamw"``
            ``0.2 sqrt(max(n, m))``, with which the rates and decays of AdamW can be kept.

    Raises:
        ValueError: a parameter that is no matrix.

    Numerics:
        The polynomial is computed in the parameter's dtype, float32 for half precision; PyTorch rounds it to bfloat16.
    Source:
        Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024; match_rms_adamw: Liu et al., "Muon is scalable
        for LLM training", 2025.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import optim
        >>> x = mg.eye(2).requires_grad_()
        >>> opt = optim.Muon([x], lr=0.1, weight_decay=0.0)
        >>> (x * x).sum().backward(); opt.step(); round(x[0, 0].item(), 2)
        0.89
    """

    complex = False

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ):
        super().__init__(
            params,
            {
                "lr": lr,
                "weight_decay": weight_decay,
                "momentum": momentum,
                "nesterov": nesterov,
                "ns_coefficients": ns_coefficients,
                "eps": eps,
                "ns_steps": ns_steps,
                "adjust_lr_fn": adjust_lr_fn,
            },
        )

    def check(self, group: dict[str, Any]) -> None:
        super().check(group)
        self.within(group, "momentum", high=1.0)
        for p in group["params"]:
            if p.ndim != 2:
                raise ValueError(f"Muon: expected matrices, got a parameter of shape {p.shape}; give it to another optimizer")
        group["ns_coefficients"] = numbers("Muon", "ns_coefficients", group["ns_coefficients"], 3)
        if not all(isfinite(c) for c in group["ns_coefficients"]):
            raise ValueError(f"Muon: ns_coefficients must be finite, got {group['ns_coefficients']}")
        if type(group["ns_steps"]) is not int or not 0 <= group["ns_steps"] < 100:
            raise ValueError(f"Muon: ns_steps must be an integer from 0 to 99, got {group['ns_steps']!r}")
        if group["adjust_lr_fn"] not in (None, "original", "match_rms_adamw"):
            raise ValueError(f"Muon: adjust_lr_fn must be 'original' or 'match_rms_adamw', got {group['adjust_lr_fn']!r}")

    def arrays(self, group: dict[str, Any]) -> dict[str, float]:
        return {"momentum_buffer": 0.0}

    def update(self, p: Any, g: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        if not p.size:
            return
        (rows, columns), mu, v = p.shape, group["momentum"], state["momentum_buffer"]
        s = g - v
        s *= 1 - mu
        v += s
        u = v - g if group["nesterov"] else v.copy()
        if group["nesterov"]:
            u *= mu
            u += g
        u = orthogonalized(u, group["ns_coefficients"], group["ns_steps"], group["eps"])
        if group["adjust_lr_fn"] == "match_rms_adamw":
            ratio = 0.2 * sqrt(max(rows, columns))
        else:
            ratio = sqrt(max(1.0, rows / columns))
        p *= 1 - group["lr"] * group["weight_decay"]
        u *= group["lr"] * ratio
        p -= u


def orthogonalized(u: Any, coefficients: tuple[float, float, float], steps: int, eps: float) -> Any:
    """A matrix with the singular vectors of ``u`` and singular values about 1, by a Newton-Schulz iteration of matrix products."""
    xp, (a, b, c) = namespace(type(u)), coefficients
    tall = u.shape[0] > u.shape[1]
    x = u.T if tall else u
    x = x / xp.maximum(xp.sqrt((x * x).sum()), eps)
    for _ in range(steps):
        gram = xp.matmul(x, x.T)
        term = xp.matmul(gram, gram)
        term *= c
        gram *= b
        term += gram
        y = xp.matmul(term, x)
        x *= a
        x += y
    return x.T if tall else x


__all__ = ["Muon", "orthogonalized"]
