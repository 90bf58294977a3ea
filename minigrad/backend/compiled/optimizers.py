"""Steps of optimizers and norms of gradients: many arrays by one call, each number read and written once, where it lies."""

from collections.abc import Callable, Sequence
from math import sqrt
from typing import Any

import numpy as np

from .forms import Family, Form

FAMILY = Family("optimizers")


def addresses(arrays: Sequence[Any]) -> Any:
    """Where the arrays (the objects, not their numbers) are, for C; they must live on until it returns."""
    return np.fromiter(map(id, arrays), "int64", len(arrays))


@FAMILY.form("sgd", "ooofffffi", least=1)
def sgd(c: Form, plain: Callable | None) -> Callable:
    """A step of SGD; says True where it is left to ``SGD.update``, and nothing was written."""

    def step(p: Sequence[Any], g: Sequence[Any], arrays: dict[str, Sequence[Any]], counters: dict[str, Any], group: dict[str, Any]) -> bool:
        if len(p) < c.least:
            return True
        mu, dampening = group["momentum"], group["dampening"]
        share = 1 - dampening if mu and dampening and counters["step"] > 1 else 1
        v = addresses(arrays["momentum_buffer"]) if mu else None
        sign = -1 if group["maximize"] else 1
        return c.call(addresses(p), addresses(g), v, group["lr"], group["weight_decay"], mu, share, sign, group["nesterov"])

    return step


@FAMILY.form("adam", "ooooofffffffffi", least=1)
def adam(c: Form, plain: Callable | None) -> Callable:
    """A step of Adam or AdamW; says True where it is left to ``Adam.update``, and nothing was written."""

    def step(p: Sequence[Any], g: Sequence[Any], arrays: dict[str, Sequence[Any]], counters: dict[str, Any], group: dict[str, Any]) -> bool:
        if len(p) < c.least:
            return True
        (b1, b2), lr, decay, t = group["betas"], group["lr"], group["weight_decay"], counters["step"]
        decoupled, largest = group["decoupled_weight_decay"], group["amsgrad"]
        rate, stay, debias = lr / (1 - b1**t), 1 - lr * decay if decoupled else 1, 1 / sqrt(1 - b2**t)
        return c.call(
            addresses(p),
            addresses(g),
            addresses(arrays["exp_avg"]),
            addresses(arrays["exp_avg_sq"]),
            addresses(arrays["max_exp_avg_sq"]) if largest else None,
            *(rate, stay, 0 if decoupled else decay, 1 - b1, b2, 1 - b2, debias, group["eps"], -1 if group["maximize"] else 1),
            largest,
        )

    return step


def _moments(group: dict[str, Any]) -> tuple:
    """What Adam and its relatives say alike: stay, decay, 1 - b1, b2, 1 - b2."""
    (b1, b2), decay = group["betas"], group["weight_decay"]
    decoupled = group["decoupled_weight_decay"]
    return 1 - group["lr"] * decay if decoupled else 1, 0 if decoupled else decay, 1 - b1, b2, 1 - b2


@FAMILY.form("nadam", "oooo" + "f" * 10, least=1)
def nadam(c: Form, plain: Callable | None) -> Callable:
    """A step of NAdam; says True where it is left to ``NAdam.update``, and nothing was written."""

    def step(p: Sequence[Any], g: Sequence[Any], arrays: dict[str, Sequence[Any]], counters: dict[str, Any], group: dict[str, Any]) -> bool:
        if len(p) < c.least:
            return True
        t, product, lr = counters["step"], counters["mu_product"], group["lr"]
        now, ahead = [group["betas"][0] * (1 - 0.5 * 0.96 ** (k * group["momentum_decay"])) for k in (t, t + 1)]
        debias = 1 / sqrt(1 - group["betas"][1] ** t)
        return c.call(
            *map(addresses, (p, g, arrays["exp_avg"], arrays["exp_avg_sq"])),
            *(lr * ahead / (1 - product * ahead), lr * (1 - now) / (1 - product), *_moments(group)),
            *(debias, group["eps"], -1 if group["maximize"] else 1),
        )

    return step


@FAMILY.form("radam", "oooo" + "f" * 8 + "i", least=1)
def radam(c: Form, plain: Callable | None) -> Callable:
    """A step of RAdam; says True where it is left to ``RAdam.update``, and nothing was written."""

    def step(p: Sequence[Any], g: Sequence[Any], arrays: dict[str, Sequence[Any]], counters: dict[str, Any], group: dict[str, Any]) -> bool:
        if len(p) < c.least:
            return True
        (b1, b2), t = group["betas"], counters["step"]
        rate, whole = group["lr"] / (1 - b1**t), 2 / (1 - b2) - 1
        rho = whole - 2 * t * b2**t / (1 - b2**t)
        if rho > 5:
            rate *= sqrt((rho - 4) * (rho - 2) * whole / ((whole - 4) * (whole - 2) * rho)) * sqrt(1 - b2**t)
        return c.call(
            *map(addresses, (p, g, arrays["exp_avg"], arrays["exp_avg_sq"])),
            *(rate, *_moments(group), group["eps"], -1 if group["maximize"] else 1, rho <= 5),
        )

    return step


@FAMILY.form("adamax", "oooo" + "f" * 6, least=1)
def adamax(c: Form, plain: Callable | None) -> Callable:
    """A step of Adamax; says True where it is left to ``Adamax.update``, and nothing was written."""

    def step(p: Sequence[Any], g: Sequence[Any], arrays: dict[str, Sequence[Any]], counters: dict[str, Any], group: dict[str, Any]) -> bool:
        if len(p) < c.least:
            return True
        b1, b2 = group["betas"]
        return c.call(
            *map(addresses, (p, g, arrays["exp_avg"], arrays["exp_avg_sq"])),
            *(group["lr"] / (1 - b1 ** counters["step"]), group["weight_decay"], 1 - b1, b2, group["eps"], -1 if group["maximize"] else 1),
        )

    return step


@FAMILY.form("rmsprop", "ooooofffffffi", least=1)
def rmsprop(c: Form, plain: Callable | None) -> Callable:
    """A step of RMSprop; says True where it is left to ``RMSprop.update``, and nothing was written."""

    def step(p: Sequence[Any], g: Sequence[Any], arrays: dict[str, Sequence[Any]], counters: dict[str, Any], group: dict[str, Any]) -> bool:
        if len(p) < c.least:
            return True
        mean, buffer = (addresses(arrays[k]) if k in arrays else None for k in ("grad_avg", "momentum_buffer"))
        alpha, sign = group["alpha"], -1 if group["maximize"] else 1
        return c.call(
            *(*map(addresses, (p, g, arrays["square_avg"])), mean, buffer),
            *(group["lr"], group["weight_decay"], alpha, 1 - alpha, group["eps"], group["momentum"], sign, group["centered"]),
        )

    return step


@FAMILY.form("adagrad", "oooffff", least=1)
def adagrad(c: Form, plain: Callable | None) -> Callable:
    """A step of Adagrad; says True where it is left to ``Adagrad.update``, and nothing was written."""

    def step(p: Sequence[Any], g: Sequence[Any], arrays: dict[str, Sequence[Any]], counters: dict[str, Any], group: dict[str, Any]) -> bool:
        if len(p) < c.least:
            return True
        rate = group["lr"] / (1 + (counters["step"] - 1) * group["lr_decay"])
        lists = map(addresses, (p, g, arrays["sum"]))
        return c.call(*lists, rate, group["weight_decay"], group["eps"], -1 if group["maximize"] else 1)

    return step


@FAMILY.form("averaged", "oof", least=512)
def averaged(c: Form, plain: Callable) -> Callable:
    """``a <- a + (p - a) share`` in place."""

    def kernel(a: Any, p: Any, share: Any) -> None:
        if a.size < c.least or c.call(a, p, share):
            plain(a, p, share)

    return kernel


@FAMILY.form("norm", "oo", least=1)
def norm(c: Form, plain: Callable | None) -> Callable:
    """The 2-norm of all numbers of a list of arrays; None where it is left to NumPy."""

    def kernel(arrays: Sequence[Any]) -> Any:
        y = np.empty((), "float32")
        return None if len(arrays) < c.least or c.call(addresses(arrays), y) else y

    return kernel


@FAMILY.form("scale", "oo", least=1)
def scale(c: Form, plain: Callable) -> Callable:
    """A list of arrays times a number, an array of no dimensions, in place."""

    def kernel(arrays: Sequence[Any], factor: Any) -> None:
        if len(arrays) < c.least or c.call(addresses(arrays), factor.astype("float32")):
            plain(arrays, factor)

    return kernel
