"""Rows of ops/pooling.py."""

from collections.abc import Callable, Iterator
from itertools import product
from math import ceil, prod
from typing import Any

import numpy as np

from ...errors import DTypeError, ShapeError
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
        return _pooled(x, n, windows, lambda v, axes: (v**norm_type).sum(-1) ** (1 / norm_type))

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


SPECS = [row for n in (1, 2, 3) for row in _rows(n)]
