"""Rows of ops/activation.py and rectifiers.py; the functions are those of nn.functional."""

import math

import numpy as np

from ...errors import ShapeError
from ...nn import functional as activation
from ..spec import OpSpec, S


def row(name, f, samples=(), errors=(), **more):
    """An elementwise activation: its reference is a function of one Python float and the keywords."""

    def reference(x, **kwargs):
        return np.array([f(v, **kwargs) for v in x.ravel().tolist()]).reshape(x.shape)

    more = {"elementwise": True, "prepare": away, **more}
    op = getattr(activation, name)
    return OpSpec(f"nn.functional.{name}", reference, [S((2, 3)), S((3, 4)), *samples], op=op, errors=list(errors), **more)


def away(x, position):
    """Numbers away from the kinks of activations: 0, +-0.5, +-1, +-3, 6."""
    for kink in (0, 0.5, -0.5, 1, -1, 3, -3, 6):
        x = np.where(np.abs(x - kink) < 0.02, x + 0.05, x)
    return x


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def phi(x):
    return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def gelu(x, approximate="none"):
    if approximate == "none":
        return x * (1 + math.erf(x / math.sqrt(2))) / 2
    return 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def softplus(x, beta=1.0, threshold=20.0):
    return x if beta * x > threshold else math.log1p(math.exp(beta * x)) / beta


def elu(x, alpha=1.0):
    return x if x > 0 else alpha * (math.exp(x) - 1)


def prelu(x, w):
    w = np.reshape(w, (-1,) + (1,) * (x.ndim - 2)) if np.size(w) > 1 else np.reshape(w, ())
    return np.where(x > 0, x, w * x)


def half(x, axis):
    return np.split(x, 2, axis)


WIDE = S((4, 5)), S(np.linspace(-8, 8, 22))

SPECS = [
    row("relu", lambda x: x if x > 0 else 0.0, kinks="0 at 0"),
    row(
        "leaky_relu",
        lambda x, negative_slope=0.01: x if x > 0 else negative_slope * x,
        [S((2, 3), negative_slope=0.2)],
        kinks="left slope at 0",
    ),
    OpSpec(
        "nn.functional.prelu",
        prelu,
        [S((2, 3), 0.25), S((2, 3), (3,)), S((2, 3, 2), (1,)), S((2, 3, 2), (3,)), S((4,), ())],
        op=activation.prelu,
        prepare=away,
        kinks="left slope at 0",
        errors=[((np.ones((2, 3)), np.ones(2)), {}, ShapeError, ("prelu", "(2,)", "(2, 3)"))],
    ),
    row("relu6", lambda x: min(max(x, 0.0), 6.0), WIDE, kinks="0 at 0 and 6"),
    row(
        "hardtanh",
        lambda x, min_val=-1.0, max_val=1.0: min(max(x, min_val), max_val),
        [S((2, 3), min_val=-0.5, max_val=3.0)],
        kinks="0 at the ends",
        errors=[((np.ones(3), 1, 0), {}, ValueError, "hardtanh")],
    ),
    row("hardsigmoid", lambda x: min(max(x + 3, 0.0), 6.0) / 6, WIDE, kinks="0 at -3 and 3"),
    row("hardswish", lambda x: x * min(max(x + 3, 0.0), 6.0) / 6, WIDE, kinks="0 at -3, 1 at 3"),
    OpSpec(
        "nn.functional.threshold",
        lambda x, t, v: np.where(x > t, x, v),
        [S((2, 3), 0.1, 20.0), S((2, 3), -0.1, 0)],
        op=activation.threshold,
        elementwise=True,
        prepare=lambda x, i: np.where(np.abs(np.abs(x) - 0.1) < 0.02, x + 0.05, x),
        kinks="0 at the threshold",
    ),
    row(
        "softshrink",
        lambda x, lambd=0.5: math.copysign(max(abs(x) - lambd, 0), x),
        [S((2, 3), lambd=1.0)],
        kinks="0 at lambd",
        errors=[((np.ones(3), -1.0), {}, ValueError, "softshrink")],
    ),
    row("hardshrink", lambda x, lambd=0.5: x if abs(x) > lambd else 0.0, [S((2, 3), lambd=1.0)], kinks="0 at lambd"),
    row(
        "elu",
        elu,
        [S((2, 3), alpha=0.3), S((2, 3), alpha=0.0)],
        kinks="left slope at 0",
        errors=[((np.ones(3), -1.0), {}, ValueError, "elu")],
    ),
    row(
        "celu",
        lambda x, alpha=1.0: x if x > 0 else alpha * math.expm1(x / alpha),
        [S((2, 3), alpha=0.3)],
        kinks="none: 1 at 0",
        errors=[((np.ones(3), 0.0), {}, ValueError, "celu")],
    ),
    row("selu", lambda x: 1.0507009873554805 * elu(x, 1.6732632423543772), kinks="left slope at 0"),
    row(
        "softplus",
        softplus,
        [*WIDE, S((2, 3), beta=2.0), S((2, 3), beta=0.5, threshold=0.2)],
        prepare=lambda x, i: np.where(np.abs(x - 0.4) < 0.02, 0.5, x),
        errors=[((np.ones(3), 0.0), {}, ValueError, "softplus")],
    ),
    row("logsigmoid", lambda x: -math.log1p(math.exp(-x)), WIDE),
    row("softsign", lambda x: x / (1 + abs(x)), WIDE),
    row("tanhshrink", lambda x: x - math.tanh(x), WIDE),
    row(
        "gelu",
        gelu,
        [*WIDE, S((2, 3), approximate="tanh"), S(np.linspace(-8, 8, 22), approximate="tanh")],
        errors=[((np.ones(3), "erf"), {}, ValueError, ("gelu", "tanh"))],
    ),
    row("silu", lambda x: x * sigmoid(x), WIDE),
    row("mish", lambda x: x * math.tanh(softplus(x)), WIDE),
    OpSpec(
        "nn.functional.glu",
        lambda x, axis=-1: half(x, axis)[0] / (1 + np.exp(-half(x, axis)[1])),
        [S((2, 4)), S((4, 3), axis=0), S((2, 2, 3), 1)],
        op=activation.glu,
        errors=[((np.ones(3),), {}, ShapeError, ("glu", "3")), ((np.ones((2, 2)), 2), {}, ShapeError, "glu")],
    ),
    OpSpec(
        "nn.functional.swiglu",
        lambda x, axis=-1: half(x, axis)[0] / (1 + np.exp(-half(x, axis)[0])) * half(x, axis)[1],
        [S((2, 4)), S((4, 3), axis=0)],
        op=activation.swiglu,
        errors=[((np.ones(3),), {}, ShapeError, ("swiglu", "3"))],
    ),
    OpSpec(
        "nn.functional.geglu",
        lambda x, axis=-1: np.vectorize(gelu, otypes=[float])(half(x, axis)[0]) * half(x, axis)[1],
        [S((2, 4)), S((4, 3), axis=0)],
        op=activation.geglu,
        errors=[((np.ones(3),), {}, ShapeError, ("geglu", "3"))],
    ),
    OpSpec(
        "nn.functional.reglu",
        lambda x, axis=-1: np.maximum(half(x, axis)[0], 0) * half(x, axis)[1],
        [S((2, 4)), S((4, 3), axis=0)],
        op=activation.reglu,
        prepare=away,
        kinks="0 at 0",
        errors=[((np.ones(3),), {}, ShapeError, ("reglu", "3"))],
    ),
    OpSpec(
        "nn.functional.maxout",
        lambda x, k, axis=1: np.stack([c.max(axis) for c in np.split(x, x.shape[axis] // k, axis)], axis),
        [S((2, 6), 3), S((2, 6), 2), S((4, 3), 2, axis=0), S((2, 4, 3), 4)],
        op=activation.maxout,
        kinks="ties share equally",
        errors=[((np.ones((2, 5)), 2), {}, ShapeError, ("maxout", "5"))],
    ),
    OpSpec(
        "nn.functional.crelu",
        lambda x, axis=1: np.concatenate([np.maximum(x, 0), np.maximum(-x, 0)], axis),
        [S((2, 3)), S((2, 3), axis=0), S((3,), axis=-1)],
        op=activation.crelu,
        prepare=away,
        kinks="0 at 0",
    ),
]
