"""Steps of optimizers and norms of gradients: many arrays by one call, each number read and written once, where it lies."""

from collections.abc import Callable, Sequence
from math import sqrt
from typing import Any

import numpy as np

from .forms import Family, Form

FAMILY = Family("optimizers")
Arrays = Sequence[Any]


def addresses(arrays: Sequence[Any]) -> Any:
    """Where the arrays (the objects, not their numbers) are, for C; they must live on until it returns."""
    return np.fromiter(map(id, arrays), "int64", len(arrays))


def _update(name: str, takes: str) -> Callable:
    """Declare the step of a method: the function below says what C is given. The step says True where it is left to the method's
    ``update``, and nothing was written."""

    def declare(given: Callable) -> Callable:
        @FAMILY.form(name, takes, least=1)
        def made(c: Form, plain: Callable | None) -> Callable:
            def step(p: Arrays, g: Arrays, arrays: dict[str, Arrays], counters: dict[str, Any], group: dict[str, Any]) -> bool:
                return len(p) < c.least or c.call(*given(p, g, arrays, counters, group))

            return step

        return given

    return declare


@_update("sgd", "ooofffffi")
def sgd(p: Arrays, g: Arrays, arrays: dict[str, Arrays], counters: dict[str, Any], group: dict[str, Any]) -> tuple:
    """A step of SGD."""
    mu, dampening = group["momentum"], group["dampening"]
    share = 1 - dampening if mu and dampening and counters["step"] > 1 else 1
    v = addresses(arrays["momentum_buffer"]) if mu else None
    sign = -1 if group["maximize"] else 1
    return (addresses(p), addresses(g), v, group["lr"], group["weight_decay"], mu, share, sign, group["nesterov"])


@_update("adam", "ooooofffffffffi")
def adam(p: Arrays, g: Arrays, arrays: dict[str, Arrays], counters: dict[str, Any], group: dict[str, Any]) -> tuple:
    """A step of Adam or AdamW."""
    (b1, b2), lr, decay, t = group["betas"], group["lr"], group["weight_decay"], counters["step"]
    decoupled, largest = group["decoupled_weight_decay"], group["amsgrad"]
    rate, stay, debias = lr / (1 - b1**t), 1 - lr * decay if decoupled else 1, 1 / sqrt(1 - b2**t)
    return (
        addresses(p),
        addresses(g),
        addresses(arrays["exp_avg"]),
        addresses(arrays["exp_avg_sq"]),
        addresses(arrays["max_exp_avg_sq"]) if largest else None,
        *(rate, stay, 0 if decoupled else decay, 1 - b1, b2, 1 - b2, debias, group["eps"], -1 if group["maximize"] else 1),
        largest,
    )


def _moments(group: dict[str, Any]) -> tuple:
    """What Adam and its relatives say alike: stay, decay, 1 - b1, b2, 1 - b2."""
    (b1, b2), decay = group["betas"], group["weight_decay"]
    decoupled = group["decoupled_weight_decay"]
    return 1 - group["lr"] * decay if decoupled else 1, 0 if decoupled else decay, 1 - b1, b2, 1 - b2


@_update("nadam", "oooo" + "f" * 10)
def nadam(p: Arrays, g: Arrays, arrays: dict[str, Arrays], counters: dict[str, Any], group: dict[str, Any]) -> tuple:
    """A step of NAdam."""
    t, product, lr = counters["step"], counters["mu_product"], group["lr"]
    now, ahead = [group["betas"][0] * (1 - 0.5 * 0.96 ** (k * group["momentum_decay"])) for k in (t, t + 1)]
    debias = 1 / sqrt(1 - group["betas"][1] ** t)
    return (
        *map(addresses, (p, g, arrays["exp_avg"], arrays["exp_avg_sq"])),
        *(lr * ahead / (1 - product * ahead), lr * (1 - now) / (1 - product), *_moments(group)),
        *(debias, group["eps"], -1 if group["maximize"] else 1),
    )


@_update("radam", "oooo" + "f" * 8 + "i")
def radam(p: Arrays, g: Arrays, arrays: dict[str, Arrays], counters: dict[str, Any], group: dict[str, Any]) -> tuple:
    """A step of RAdam."""
    (b1, b2), t = group["betas"], counters["step"]
    rate, whole = group["lr"] / (1 - b1**t), 2 / (1 - b2) - 1
    rho = whole - 2 * t * b2**t / (1 - b2**t)
    if rho > 5:
        rate *= sqrt((rho - 4) * (rho - 2) * whole / ((whole - 4) * (whole - 2) * rho)) * sqrt(1 - b2**t)
    return (
        *map(addresses, (p, g, arrays["exp_avg"], arrays["exp_avg_sq"])),
        *(rate, *_moments(group), group["eps"], -1 if group["maximize"] else 1, rho <= 5),
    )


@_update("adamax", "oooo" + "f" * 6)
def adamax(p: Arrays, g: Arrays, arrays: dict[str, Arrays], counters: dict[str, Any], group: dict[str, Any]) -> tuple:
    """A step of Adamax."""
    b1, b2 = group["betas"]
    return (
        *map(addresses, (p, g, arrays["exp_avg"], arrays["exp_avg_sq"])),
        *(group["lr"] / (1 - b1 ** counters["step"]), group["weight_decay"], 1 - b1, b2, group["eps"], -1 if group["maximize"] else 1),
    )


@_update("rmsprop", "ooooofffffffi")
def rmsprop(p: Arrays, g: Arrays, arrays: dict[str, Arrays], counters: dict[str, Any], group: dict[str, Any]) -> tuple:
    """A step of RMSprop."""
    mean, buffer = (addresses(arrays[k]) if k in arrays else None for k in ("grad_avg", "momentum_buffer"))
    alpha, sign = group["alpha"], -1 if group["maximize"] else 1
    return (
        *(*map(addresses, (p, g, arrays["square_avg"])), mean, buffer),
        *(group["lr"], group["weight_decay"], alpha, 1 - alpha, group["eps"], group["momentum"], sign, group["centered"]),
    )


@_update("adagrad", "oooffff")
def adagrad(p: Arrays, g: Arrays, arrays: dict[str, Arrays], counters: dict[str, Any], group: dict[str, Any]) -> tuple:
    """A step of Adagrad."""
    rate = group["lr"] / (1 + (counters["step"] - 1) * group["lr_decay"])
    lists = map(addresses, (p, g, arrays["sum"]))
    return (*lists, rate, group["weight_decay"], group["eps"], -1 if group["maximize"] else 1)


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
