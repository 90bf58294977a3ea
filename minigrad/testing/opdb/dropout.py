"""Rows of nn/functional/noise.py: random, so they are tested with a fixed seed."""

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from ...backend import generator, manual_seed
from ...errors import DTypeError, ShapeError
from ...nn import functional as F
from ..spec import OpSpec, S


def _seeded(f: Callable) -> Callable:
    """The same draws in every call, so that it can be differentiated."""

    def g(*args: Any, **kwargs: Any) -> Any:
        manual_seed(7)
        return f(*args, **kwargs)

    return g


def _uniform(shape: tuple) -> Any:
    manual_seed(7)
    return generator().rng.random(shape, dtype="float32")


def _normal(shape: tuple) -> Any:
    manual_seed(7)
    return generator().rng.standard_normal(shape, dtype="float32").astype("float64")


def keeps(shape: tuple, p: float) -> Any:
    """The mask of the first draw after the seed, number by number: Philox4x32-10 in Python's integers (Salmon et al., 2011)."""
    manual_seed(7)
    key = generator().rng.bit_generator.random_raw()
    kept = []
    for i in range(prod(shape)):
        a, b, c, d, left, right = i // 4, 0, 0, 0, key % 2**32, key >> 32
        for _ in range(10):
            (h, low), (i_h, i_low) = divmod(a * 0xD2511F53, 2**32), divmod(c * 0xCD9E8D57, 2**32)
            a, b, c, d = i_h ^ b ^ left, i_low, h ^ d ^ right, low
            left, right = (left + 0x9E3779B9) % 2**32, (right + 0xBB67AE85) % 2**32
        kept.append((a, b, c, d)[i % 4] / 2**32 >= p)
    return np.array(kept, bool).reshape(shape)


def _dropped(axes: Callable) -> Callable:
    """Dropout with one draw for each index of the axes that ``axes(ndim)`` counts."""

    def reference(x: Any, p: float = 0.5, training: bool = True) -> Any:
        if not training or p == 0:
            return x
        if p == 1:
            return x * 0
        k = axes(x.ndim)
        keep = keeps((*x.shape[:k], *[1] * (x.ndim - k)), p)
        return np.where(keep, x / (1 - p), 0)

    return reference


def _alpha(axes: Callable) -> Callable:
    def reference(x: Any, p: float = 0.5, training: bool = False) -> Any:
        if not training or p == 0:
            return x
        if p == 1:
            return x * 0
        k, low = axes(x.ndim), -1.0507009873554804934193349852946 * 1.6732632423543772848170429916717
        keep = keeps((*x.shape[:k], *[1] * (x.ndim - k)), p)
        variance = (1 - p) * (1 + p * low**2)
        return (np.where(keep, x, low) - p * low) / np.sqrt(variance)

    return reference


def _noise(x: Any, std: float, training: bool = True) -> Any:
    return x + std * _normal(x.shape) if training and std else x


def _factors(x: Any, p: float = 0.5, training: bool = True) -> Any:
    return x * (1 + np.sqrt(p / (1 - p)) * _normal(x.shape)) if training and p else x


def _rrelu(x: Any, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False) -> Any:
    slope = lower + (upper - lower) * _uniform(x.shape).astype("float64") if training else (lower + upper) / 2
    return np.where(x > 0, x, slope * x)


def _away(x: Any, position: int) -> Any:
    return np.where(abs(x) < 0.02, x + 0.05, x)


def _row(name: str, reference: Callable, shape: tuple, errors: list) -> OpSpec:
    f = getattr(F, name)
    outside: list[tuple] = [
        ((np.ones(shape), 1.5), {}, ValueError, (name, "[0, 1]", "1.5")),
        ((np.ones(shape), float("nan")), {}, ValueError, (name, "nan")),
    ]
    return OpSpec(
        f"nn.functional.{name}",
        reference,
        [S(shape, 0.5, True), S(shape, 0.25, True), S(shape, 0.0, True), S(shape, 1.0, True), S(shape, 0.9, training=False), S(shape, 0.9)],
        op=_seeded(f),
        errors=[*outside, ((np.ones(shape, int), 0.5), {}, DTypeError, (name, "int64")), *errors],
    )


SPECS = [
    *[
        _row(
            f"dropout{n}d",
            _dropped(lambda ndim, n=n: ndim - n),
            (3, 2, *[2] * n),
            [((np.ones(3), 0.5), {}, ShapeError, (f"dropout{n}d", "(3,)"))],
        )
        for n in (1, 2, 3)
    ],
    _row("drop_path", _dropped(lambda ndim: 1), (4, 3), [((np.ones(()), 0.5), {}, ShapeError, ("drop_path", "()"))]),
    _row("alpha_dropout", _alpha(lambda ndim: ndim), (3, 4), []),
    _row(
        "feature_alpha_dropout", _alpha(lambda ndim: 2), (3, 2, 2), [((np.ones(3), 0.5), {}, ShapeError, ("feature_alpha_dropout", "(3,)"))]
    ),
    OpSpec(
        "nn.functional.gaussian_noise",
        _noise,
        [S((3, 4), 0.5), S((3, 4), 0.0), S((3, 4), 2.0, training=False), S((), 1.0)],
        op=_seeded(F.gaussian_noise),
        errors=[
            ((np.ones(3), -1.0), {}, ValueError, ("gaussian_noise", "std", "-1.0")),
            ((np.ones(3), float("nan")), {}, ValueError, ("gaussian_noise", "nan")),
            ((np.ones(3, int), 1.0), {}, DTypeError, ("gaussian_noise", "int64")),
        ],
    ),
    OpSpec(
        "nn.functional.gaussian_dropout",
        _factors,
        [S((3, 4), 0.5), S((3, 4), 0.0), S((3, 4), 0.25, training=False), S((), 0.9)],
        op=_seeded(F.gaussian_dropout),
        errors=[
            ((np.ones(3), 1.0), {}, ValueError, ("gaussian_dropout", "[0, 1)")),
            ((np.ones(3, int), 0.5), {}, DTypeError, ("gaussian_dropout", "int64")),
        ],
    ),
    OpSpec(
        "nn.functional.rrelu",
        _rrelu,
        [S((3, 4)), S((3, 4), 0.1, 0.6, training=True), S((), 0.2, 0.2, True)],
        op=_seeded(F.rrelu),
        prepare=_away,
        kinks="the slope that was drawn at 0",
        errors=[((np.ones(3), 0.5, 0.1), {}, ValueError, ("rrelu", "lower")), ((np.ones(3, int),), {}, DTypeError, ("rrelu", "int64"))],
    ),
]
