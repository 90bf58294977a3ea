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


DECAY, MOMENTUM, NESTEROV = 1, 2, 4
LARGEST, AHEAD, PLAIN, FARTHEST = 2, 4, 8, 16
CENTERED = 4
"""What belongs to a method, in bits, as updates.h has them: for SGD, for Adam and its relatives, and for RMSprop (the first two, too)."""
FORMULAS = {"sgd": "ooofffffi", "adam": "ooooo" + "f" * 10 + "i", "rms": "ooooofffffffi"}
"""What the entry of each formula of updates.h takes: p, g and what is kept; the numbers of its struct; the bits."""
GIVEN: dict[str, tuple[str, Callable[[dict[str, Arrays], dict[str, Any], dict[str, Any]], tuple]]] = {}
"""By method: its formula, and what gives the arrays that it keeps, the numbers and the bits."""


def _update(name: str, formula: str) -> Callable:
    """Declare the step of a method: the function below says what the formula is given. The step says True where it is left to the
    method's ``update``, and nothing was written."""

    def declare(given: Callable) -> Callable:
        GIVEN[name] = formula, given

        @FAMILY.form(name, FORMULAS[formula], least=1, entry=formula)
        def made(c: Form, plain: Callable | None) -> Callable:
            def step(p: Arrays, g: Arrays, arrays: dict[str, Arrays], counters: dict[str, Any], group: dict[str, Any]) -> bool:
                if len(p) < c.least:
                    return True
                kept, numbers, bits = given(arrays, counters, group)
                return c.call(addresses(p), addresses(g), *[None if a is None else addresses(a) for a in kept], *numbers, bits)

            return step

        return given

    return declare


def _sign(group: dict[str, Any]) -> int:
    return -1 if group["maximize"] else 1


@_update("sgd", "sgd")
def sgd(arrays: dict[str, Arrays], counters: dict[str, Any], group: dict[str, Any]) -> tuple:
    """A step of SGD."""
    mu, dampening, decay = group["momentum"], group["dampening"], group["weight_decay"]
    share = 1 - dampening if mu and dampening and counters["step"] > 1 else 1
    bits = bool(decay) * DECAY | bool(mu) * (MOMENTUM | bool(group["nesterov"]) * NESTEROV)
    return (arrays["momentum_buffer"] if mu else None,), (group["lr"], decay, mu, share, _sign(group)), bits


def _relative(arrays: dict[str, Arrays], group: dict[str, Any], rate: float, direct: float, debias: float, bits: int) -> tuple:
    """What Adam and its relatives say alike."""
    (b1, b2), decay = group["betas"], group["weight_decay"]
    decoupled = group.get("decoupled_weight_decay", False)
    stay, decay = (1 - group["lr"] * decay, 0) if decoupled else (1, decay)
    numbers = rate, direct, stay, decay, 1 - b1, b2, 1 - b2, debias, group["eps"], _sign(group)
    largest = arrays["max_exp_avg_sq"] if bits & LARGEST else None
    return (arrays["exp_avg"], arrays["exp_avg_sq"], largest), numbers, bits | bool(decay) * DECAY


@_update("adam", "adam")
def adam(arrays: dict[str, Arrays], counters: dict[str, Any], group: dict[str, Any]) -> tuple:
    """A step of Adam or AdamW."""
    (b1, b2), t = group["betas"], counters["step"]
    return _relative(arrays, group, group["lr"] / (1 - b1**t), 0, 1 / sqrt(1 - b2**t), bool(group["amsgrad"]) * LARGEST)


@_update("nadam", "adam")
def nadam(arrays: dict[str, Arrays], counters: dict[str, Any], group: dict[str, Any]) -> tuple:
    """A step of NAdam."""
    t, product, lr = counters["step"], counters["mu_product"], group["lr"]
    now, ahead = [group["betas"][0] * (1 - 0.5 * 0.96 ** (k * group["momentum_decay"])) for k in (t, t + 1)]
    rate, direct = lr * ahead / (1 - product * ahead), lr * (1 - now) / (1 - product)
    return _relative(arrays, group, rate, direct, 1 / sqrt(1 - group["betas"][1] ** t), AHEAD)


@_update("radam", "adam")
def radam(arrays: dict[str, Arrays], counters: dict[str, Any], group: dict[str, Any]) -> tuple:
    """A step of RAdam."""
    (b1, b2), t = group["betas"], counters["step"]
    rate, whole = group["lr"] / (1 - b1**t), 2 / (1 - b2) - 1
    rho = whole - 2 * t * b2**t / (1 - b2**t)
    if rho > 5:
        rate *= sqrt((rho - 4) * (rho - 2) * whole / ((whole - 4) * (whole - 2) * rho)) * sqrt(1 - b2**t)
    return _relative(arrays, group, rate, 0, 1, 0 if rho > 5 else PLAIN)


@_update("adamax", "adam")
def adamax(arrays: dict[str, Arrays], counters: dict[str, Any], group: dict[str, Any]) -> tuple:
    """A step of Adamax."""
    return _relative(arrays, group, group["lr"] / (1 - group["betas"][0] ** counters["step"]), 0, 1, FARTHEST)


@_update("rmsprop", "rms")
def rmsprop(arrays: dict[str, Arrays], counters: dict[str, Any], group: dict[str, Any]) -> tuple:
    """A step of RMSprop."""
    alpha, mu, decay = group["alpha"], group["momentum"], group["weight_decay"]
    kept = arrays["square_avg"], arrays.get("grad_avg"), arrays.get("momentum_buffer")
    bits = bool(decay) * DECAY | bool(mu) * MOMENTUM | bool(group["centered"]) * CENTERED
    return kept, (group["lr"], decay, alpha, 1 - alpha, group["eps"], mu, _sign(group)), bits


@_update("adagrad", "rms")
def adagrad(arrays: dict[str, Arrays], counters: dict[str, Any], group: dict[str, Any]) -> tuple:
    """A step of Adagrad."""
    rate, decay = group["lr"] / (1 + (counters["step"] - 1) * group["lr_decay"]), group["weight_decay"]
    return (arrays["sum"], None, None), (rate, decay, 1, 1, group["eps"], 0, _sign(group)), bool(decay) * DECAY


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
