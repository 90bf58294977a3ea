"""Rows of ops/pooling."""

from collections.abc import Callable, Iterator
from itertools import product
from math import ceil, prod
from typing import Any

import numpy as np

from ...backend import generator, manual_seed
from ...errors import DTypeError, IndexRangeError, ShapeError
from ...ops import pooling
from ..spec import OpSpec, S


def _tuple(v: Any, n: int) -> tuple:
    return tuple(v) if isinstance(v, (tuple, list)) else (v,) * n


def _count(m: int, k: int, s: int, p: int, d: int, ceil_mode: bool) -> int:
    span = m + 2 * p - d * (k - 1) - 1
    out = ceil(span / s) + 1 if ceil_mode else span // s + 1
    return out - 1 if ceil_mode and (out - 1) * s >= m + p else out


def _windows(shape: tuple, k: tuple, s: tuple, p: tuple, d: tuple, ceil_mode: bool) -> Iterator[tuple[tuple, list[list[int]]]]:
    """Each window's place in the result, and for each axis the indices that it looks at, padding included."""
    out = [_count(*a, ceil_mode) for a in zip(shape, k, s, p, d, strict=True)]
    for at in product(*map(range, out)):
        yield at, [[a * si - pi + i * di for i in range(ki)] for a, ki, si, pi, di in zip(at, k, s, p, d, strict=True)]


def _pooled(x: Any, n: int, windows: list, of: Callable) -> Any:
    """The function ``of`` of the numbers in each window: x there (channels, count), and the indices."""
    out = [max(at[a] for at, _ in windows) + 1 for a in range(n)]
    y: Any = np.zeros((*x.shape[:-n], *out))
    for at, axes in windows:
        inside = [[i for i in axis if 0 <= i < m] for axis, m in zip(axes, x.shape[-n:], strict=True)]
        y[(..., *at)] = of(x[(..., *np.ix_(*inside))].reshape(*x.shape[:-n], -1), axes)
    return y


def maximum(n: int) -> Callable:
    def reference(
        x: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        k, p, d = _tuple(kernel_size, n), _tuple(padding, n), _tuple(dilation, n)
        s = k if stride is None else _tuple(stride, n)
        windows = list(_windows(x.shape[-n:], k, s, p, d, ceil_mode))
        y = _pooled(x, n, windows, lambda v, axes: v.max(-1))
        if not return_indices:
            return y
        places: Any = np.arange(prod(x.shape[-n:])).reshape(x.shape[-n:])
        index: Any = np.zeros(y.shape)
        for at, axes in windows:
            inside = np.ix_(*[[i for i in axis if 0 <= i < m] for axis, m in zip(axes, x.shape[-n:], strict=True)])
            index[(..., *at)] = places[inside].reshape(-1)[x[(..., *inside)].reshape(*x.shape[:-n], -1).argmax(-1)]
        return y, index

    return reference


def average(n: int) -> Callable:
    def reference(
        x: Any,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: Any = None,
    ) -> Any:
        k, p = _tuple(kernel_size, n), _tuple(padding, n)
        s = k if stride is None else _tuple(stride, n)

        def mean(v: Any, axes: list[list[int]]) -> Any:
            padded = prod([sum(i < m + pi for i in axis) for axis, m, pi in zip(axes, x.shape[-n:], p, strict=True)])
            return v.sum(-1) / (divisor_override or (padded if count_include_pad else v.shape[-1]))

        return _pooled(x, n, list(_windows(x.shape[-n:], k, s, p, (1,) * n, ceil_mode)), mean)

    return reference


def norm(n: int) -> Callable:
    def reference(x: Any, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Any:
        k = _tuple(kernel_size, n)
        s = k if stride is None else _tuple(stride, n)
        windows = list(_windows(x.shape[-n:], k, s, (0,) * n, (1,) * n, ceil_mode))
        return _pooled(x, n, windows, lambda v, axes: ((v**norm_type).mean(-1) * prod(k)) ** (1 / norm_type))

    return reference


def adaptive(n: int, of: Callable) -> Callable:
    def reference(x: Any, output_size: Any, return_indices: bool = False) -> Any:
        out = [m if o is None else o for o, m in zip(_tuple(output_size, n), x.shape[-n:], strict=True)]
        y: Any = np.zeros((*x.shape[:-n], *out))
        index: Any = np.zeros(y.shape)
        places: Any = np.arange(prod(x.shape[-n:])).reshape(x.shape[-n:])
        for at in product(*map(range, out)):
            part = [slice(a * m // o, ceil((a + 1) * m / o)) for a, m, o in zip(at, x.shape[-n:], out, strict=True)]
            window = x[(..., *part)].reshape(*x.shape[:-n], -1)
            y[(..., *at)] = of(window)
            if return_indices:
                index[(..., *at)] = places[tuple(part)].reshape(-1)[window.argmax(-1)]
        return (y, index) if return_indices else y

    return reference


_TIES = "the first of equal numbers takes the whole gradient; NaN counts as the largest"
_X = np.ones((1, 1, 4, 4))
_mean = lambda v: v.mean(-1)  # noqa: E731
_max = lambda v: v.max(-1)  # noqa: E731
_SAMPLES: dict[int, tuple] = {1: (2, 2, 7), 2: (2, 1, 5, 6), 3: (1, 2, 4, 3, 5)}


def _rows(n: int) -> list[OpSpec]:
    f = lambda name: getattr(pooling, f"{name}{n}d")  # noqa: E731
    shape = _SAMPLES[n]
    large, steps = [3] * n, tuple(range(1, n + 1))
    return [
        OpSpec(
            f"nn.functional.max_pool{n}d",
            maximum(n),
            [
                S(shape, 2),
                S(shape, large, stride=steps, padding=1),
                S(shape[1:], 2, stride=1, dilation=2 if n < 3 else 1),
                S(shape, 2, ceil_mode=True, return_indices=True),
                S(shape, 3, stride=2, padding=1, ceil_mode=True, return_indices=True),
            ],
            op=f("max_pool"),
            kinks=_TIES,
            errors=[
                ((_X, 5) if n == 2 else (np.ones((1, *[1] * n)), 2), {}, ShapeError, (f"max_pool{n}d", "output would be")),
                ((np.ones(shape), 2.0), {}, DTypeError, (f"max_pool{n}d", "kernel_size", "integer")),
                ((np.ones(shape), 0), {}, ShapeError, (f"max_pool{n}d", "kernel_size")),
                ((np.ones(shape), 2), {"stride": 0}, ShapeError, (f"max_pool{n}d", "stride")),
                ((np.ones(shape), 2), {"padding": 2}, ShapeError, (f"max_pool{n}d", "half")),
                ((np.ones(shape, "complex64"), 2), {}, DTypeError, (f"max_pool{n}d", "order")),
            ],
        ),
        OpSpec(
            f"nn.functional.avg_pool{n}d",
            average(n),
            [
                S(shape, 2),
                S(shape, large, stride=steps, padding=1),
                S(shape, large, stride=2, padding=1, count_include_pad=False),
                S(shape, 2, stride=3 if n == 1 else 2, ceil_mode=True),
                S(shape, 3, stride=2, padding=1, ceil_mode=True, count_include_pad=False),
                S(shape[1:], 2, stride=1, divisor_override=3),
            ],
            op=f("avg_pool"),
            complex=True,
            errors=[
                ((np.ones((1, *[1] * n)), 2), {}, ShapeError, (f"avg_pool{n}d", "output would be")),
                ((np.ones(shape), 2), {"padding": 2}, ShapeError, (f"avg_pool{n}d", "half")),
                ((np.ones(shape), 2), {"divisor_override": 0}, DTypeError, (f"avg_pool{n}d", "divisor_override")),
            ],
        ),
        OpSpec(
            f"nn.functional.lp_pool{n}d",
            norm(n),
            [S(shape, 2, 2), S(shape[1:], 3, large, stride=1), S(shape, 1, 2, ceil_mode=True), S(shape, 1.5, 2)],
            op=f("lp_pool"),
            domain=(0.5, 2.0),
            kinks="a window whose sum of powers is 0 has gradient 0",
            errors=[((np.ones(shape), 0, 2), {}, DTypeError, (f"lp_pool{n}d", "norm_type"))],
        ),
        OpSpec(
            f"nn.functional.adaptive_avg_pool{n}d",
            adaptive(n, _mean),
            [S(shape, 1), S(shape, [2] * n), S(shape[1:], 3), S(shape, 7 if n < 3 else 4), S(shape, [*[2] * (n - 1), None])],
            op=f("adaptive_avg_pool"),
            complex=True,
            errors=[
                ((np.ones(shape), 0), {}, ShapeError, (f"adaptive_avg_pool{n}d", "output_size")),
                ((np.ones(shape), 1.0), {}, DTypeError, (f"adaptive_avg_pool{n}d", "output_size")),
            ],
        ),
        OpSpec(
            f"nn.functional.adaptive_max_pool{n}d",
            adaptive(n, _max),
            [S(shape, 1), S(shape, [2] * n, return_indices=True), S(shape[1:], 3), S(shape, [*[2] * (n - 1), None], return_indices=True)],
            op=f("adaptive_max_pool"),
            kinks=_TIES,
            errors=[((np.ones(shape), -1), {}, ShapeError, (f"adaptive_max_pool{n}d", "output_size"))],
        ),
    ]


# -- drawn places, draws, and the way back -------------------------------------------------------------------------------
def fractional(n: int) -> Callable:
    def reference(
        x: Any,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Any = None,
    ) -> Any:
        spatial, k = x.shape[-n:], _tuple(kernel_size, n)
        out = (
            _tuple(output_size, n) if output_ratio is None else [int(m * r) for m, r in zip(spatial, _tuple(output_ratio, n), strict=True)]
        )
        xs: Any = x.reshape(-1, *spatial)
        y: Any = np.zeros((len(xs), *out))
        index: Any = np.zeros(y.shape)
        places: Any = np.arange(prod(spatial)).reshape(spatial)
        for i, us in enumerate(np.asarray(_random_samples).reshape(-1, n)):
            for at in product(*map(range, out)):
                corner = []
                for a, (o, m, kk, u) in enumerate(zip(out, spatial, k, us[::-1] if n == 2 else us, strict=True)):
                    step = (m - kk) / max(o - 1, 1)
                    corner.append(m - kk if at[a] == o - 1 else int((at[a] + u) * step) - int(u * step))
                part = tuple([slice(c, c + kk) for c, kk in zip(corner, k, strict=True)])
                y[(i, *at)], index[(i, *at)] = xs[i][part].max(), places[part].flat[xs[i][part].argmax()]
        y, index = y.reshape(*x.shape[:-n], *out), index.reshape(*x.shape[:-n], *out)
        return (y, index) if return_indices else y

    return reference


def unpooled(n: int) -> Callable:
    def reference(x: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None) -> Any:
        k, p = _tuple(kernel_size, n), _tuple(padding, n)
        s = k if stride is None else _tuple(stride, n)
        usual = [(m - 1) * si + ki - 2 * pi for m, si, ki, pi in zip(x.shape[-n:], s, k, p, strict=True)]
        out = usual if output_size is None else output_size[-n:]
        y: Any = np.zeros((prod(x.shape[:-n]), prod(out)))
        for row, values, at in zip(y, x.reshape(len(y), -1), indices.reshape(len(y), -1), strict=True):
            row[at] = values
        return y.reshape(*x.shape[:-n], *out)

    return reference


def stochastic(x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False, training: bool = True) -> Any:
    k, p = _tuple(kernel_size, 2), _tuple(padding, 2)
    s = k if stride is None else _tuple(stride, 2)
    windows = list(_windows(x.shape[-2:], k, s, p, (1, 1), ceil_mode))
    if not training:
        return _pooled(x, 2, windows, lambda v, axes: (v * v / v.sum(-1, keepdims=True)).sum(-1))
    manual_seed(7)
    out = windows[-1][0]
    draws = iter(
        np.moveaxis(generator().rng.random((*x.shape[:-2], out[0] + 1, out[1] + 1), dtype="float32"), (-2, -1), (0, 1)).reshape(
            -1, *x.shape[:-2]
        )
    )

    def drawn(v: Any, axes: Any) -> Any:
        chosen = (np.cumsum(v, -1) <= next(draws)[..., None] * v.sum(-1, keepdims=True)).sum(-1)
        return np.take_along_axis(v, chosen[..., None], -1)[..., 0]

    return _pooled(x, 2, windows, drawn)


def _seeded_stochastic(*args: Any, **kwargs: Any) -> Any:
    """The same draws in every call, so that it can be differentiated."""
    manual_seed(7)
    return pooling.stochastic_pool2d(*args, **kwargs)


def _fractional_row(n: int) -> OpSpec:
    name, shape = f"fractional_max_pool{n}d", (2, 2, *[5, 6, 5][:n])
    u: Any = np.random.default_rng(0).random((2, 2, n), dtype="float32")
    return OpSpec(
        f"nn.functional.{name}",
        fractional(n),
        [
            S(shape, 2, 3, _random_samples=u),
            S(shape, [2, 3, 2][:n], [4, 2, 3][:n], return_indices=True, _random_samples=u),
            S(shape[1:], 2, output_ratio=0.6, _random_samples=u[:1]),
            S(shape, 2, 1, return_indices=True, _random_samples=u),
        ],
        op=getattr(pooling, name),
        empty="skip",
        kinks=_TIES,
        note="The random samples are given.",
        errors=[
            ((np.ones(shape), 2), {}, ValueError, (name, "output_size", "output_ratio")),
            ((np.ones(shape), 2, 3, 0.5), {}, ValueError, (name, "either")),
            ((np.ones(shape), 2), {"output_ratio": 1.0}, ValueError, (name, "between 0 and 1")),
            ((np.ones(shape), 3, 4), {}, ShapeError, (name, "do not fit")),
            ((np.ones(shape), 2, 3), {"_random_samples": u[:1]}, ShapeError, (name, "random samples")),
            ((np.ones(shape, "complex64"), 2, 3), {}, DTypeError, (name, "order")),
        ],
    )


def _unpool_row(n: int) -> OpSpec:
    name, shape = f"max_unpool{n}d", (2, 2, *[2, 3, 2][:n])

    def places(count: int) -> Any:
        rng = np.random.default_rng(0)
        return np.stack([rng.permutation(count)[: prod(shape[2:])] for _ in range(4)]).reshape(shape)

    large = tuple([2 * m for m in shape[2:]])
    whole = places(prod(large))
    return OpSpec(
        f"nn.functional.{name}",
        unpooled(n),
        [
            S(shape, whole, 2),
            S(shape[1:], whole[0], 2),
            S(shape, whole, 2, output_size=[m + 1 for m in large]),
            S(shape, places(prod([2 * m - 1 for m in shape[2:]])), 3, stride=2, padding=1),
        ],
        op=getattr(pooling, name),
        empty="skip",
        kinks="a place named twice keeps one of the numbers, and both have its gradient",
        errors=[
            ((np.ones(shape), whole + 1000, 2), {}, IndexRangeError, (name, "places")),
            ((np.ones(shape), whole[:1], 2), {}, ShapeError, (name, "same shape")),
            ((np.ones(shape), np.ones(shape), 2), {}, DTypeError, (name, "integers")),
            ((np.ones(shape), whole, 2), {"output_size": [m + 2 for m in large]}, ShapeError, (name, "possible are")),
            ((np.ones(shape), whole, 2), {"output_size": [4] * (n + 3)}, ShapeError, (name, "output_size must have")),
        ],
    )


SPECS = [
    *[row for n in (1, 2, 3) for row in _rows(n)],
    *[_unpool_row(n) for n in (1, 2, 3)],
    *[_fractional_row(n) for n in (2, 3)],
    OpSpec(
        "nn.functional.stochastic_pool2d",
        stochastic,
        [
            S((2, 2, 4, 6), 2),
            S((2, 2, 5, 6), [3, 2], stride=[2, 1], padding=1),
            S((2, 5, 5), 2, ceil_mode=True),
            S((2, 2, 5, 6), 3, stride=2, padding=1, training=False),
        ],
        op=_seeded_stochastic,
        domain=(0.1, 2.0),
        half=1e-2,
        kinks="what was drawn is taken as fixed; a window of zeros has gradient 0",
        note="Random; tested with a fixed seed.",
        errors=[
            ((-np.ones((1, 2, 2)), 2), {}, ValueError, ("stochastic_pool2d", "negative", "relu")),
            ((np.ones((1, 2, 2), int), 2), {}, DTypeError, ("stochastic_pool2d", "floating")),
            ((np.ones((1, 2, 2)), 3), {}, ShapeError, ("stochastic_pool2d", "output would be")),
        ],
    ),
]
