"""Rows of ops/resample.py."""

from math import floor
from typing import Any

import numpy as np

from ...errors import DTypeError, ShapeError
from ...ops import resample
from ..spec import OpSpec, S
from .pooling import _mean, adaptive


def _pair(v: Any) -> tuple:
    return tuple(v) if isinstance(v, (tuple, list)) else (v, v)


def _places(shape: tuple, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> list[list[tuple[int, int]]]:
    """For each window, row by row, the places in the padded image it looks at."""
    (k, m), (d, e), (p, q), (s, t) = map(_pair, (kernel_size, dilation, padding, stride))
    rows = (shape[0] + 2 * p - d * (k - 1) - 1) // s + 1
    columns = (shape[1] + 2 * q - e * (m - 1) - 1) // t + 1
    return [
        [(i * s + u * d, j * t + v * e) for u in range(k) for v in range(m)]  # one window
        for i in range(rows)
        for j in range(columns)
    ]


def unfold(x: np.ndarray, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> np.ndarray:
    p, q = _pair(padding)
    places = _places(x.shape[-2:], kernel_size, dilation, padding, stride)
    x = np.pad(x, [(0, 0)] * (x.ndim - 2) + [(p, p), (q, q)])
    columns = [np.stack([x[..., i, j] for i, j in window], -1) for window in places]
    return np.stack(columns, -1).reshape(*x.shape[:-3], -1, len(places))


def fold(x: np.ndarray, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> np.ndarray:
    (h, w), (p, q) = _pair(output_size), _pair(padding)
    places = _places((h, w), kernel_size, dilation, padding, stride)
    per = len(places[0])
    y = np.zeros((*x.shape[:-2], x.shape[-2] // per, h + 2 * p, w + 2 * q))
    cols = x.reshape(*x.shape[:-2], x.shape[-2] // per, per, -1)
    for number, window in enumerate(places):
        for k, (i, j) in enumerate(window):
            y[..., i, j] += cols[..., k, number]
    return y[..., p : p + h, q : q + w]


def interpolate(x: np.ndarray, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: Any = None) -> np.ndarray:
    n = x.ndim - 2
    shape = x.shape[2:]
    many = lambda v: tuple(v) if isinstance(v, tuple) else (v,) * n  # noqa: E731
    out = many(size) if size is not None else tuple([floor(m * f) for m, f in zip(shape, many(scale_factor), strict=True)])
    steps = [m / o for m, o in zip(shape, out, strict=True)] if size is not None else [1 / f for f in many(scale_factor)]
    if mode == "area":
        return adaptive(n, _mean)(x, out)
    for axis, (o, step) in enumerate(zip(out, steps, strict=True), 2):
        m = x.shape[axis]
        slices = []
        for i in range(o):
            at = i * (m - 1) / max(o - 1, 1) if align_corners else (i + 0.5) * step - 0.5
            if mode.startswith("nearest"):
                weights = {floor((i if mode == "nearest" else i + 0.5) * step): 1.0}
            elif mode == "bicubic":
                weights = {}
                for j in range(floor(at) - 1, floor(at) + 3):
                    t, c = abs(at - j), min(max(j, 0), m - 1)
                    weights[c] = weights.get(c, 0.0) + (1.25 * t**3 - 2.25 * t**2 + 1 if t <= 1 else -0.75 * (t**3 - 5 * t**2 + 8 * t - 4))
            else:
                at = min(max(at, 0.0), m - 1.0)
                weights = {j: max(0.0, 1 - abs(at - j)) for j in range(m)}
            slices.append(sum(c * np.take(x, min(j, m - 1), axis) for j, c in weights.items()))
        x = np.stack(slices, axis)
    return x


def shuffle(x: np.ndarray, upscale_factor: int) -> np.ndarray:
    r = upscale_factor
    y = np.zeros((*x.shape[:-3], x.shape[-3] // r**2, x.shape[-2] * r, x.shape[-1] * r))
    for c in range(y.shape[-3]):
        for i in range(r):
            for j in range(r):
                y[..., c, i::r, j::r] = x[..., c * r * r + i * r + j, :, :]
    return y


def unshuffle(x: np.ndarray, downscale_factor: int) -> np.ndarray:
    r = downscale_factor
    return np.stack([x[..., c, i::r, j::r] for c in range(x.shape[-3]) for i in range(r) for j in range(r)], -3)


def channels(x: np.ndarray, groups: int) -> np.ndarray:
    per = x.shape[1] // groups
    return np.stack([x[:, g * per + k] for k in range(per) for g in range(groups)], 1)


_X = np.ones((1, 1, 3, 3))

SPECS = [
    OpSpec(
        "nn.functional.unfold",
        unfold,
        [S((2, 2, 3, 4), 2), S((2, 5, 4), [2, 3], padding=(0, 1), stride=2), S((1, 1, 5, 5), 2, dilation=2, padding=1)],
        op=resample.unfold,
        complex=True,
        errors=[((_X, 4), {}, ShapeError, ("unfold", "output would be (0, 0)")), ((_X, 1.5), {}, DTypeError, ("unfold", "kernel_size"))],
    ),
    OpSpec(
        "nn.functional.fold",
        fold,
        [S((2, 8, 6), [3, 4], 2), S((4, 4), [3, 3], 2), S((1, 6, 4), [5, 4], [2, 3], padding=(0, 1), stride=(3, 2))],
        op=resample.fold,
        complex=True,
        errors=[
            ((np.ones((1, 4, 5)), (3, 3), 2), {}, ShapeError, ("fold", "4)")),
            ((_X, (3, 3), 2), {}, ShapeError, ("fold", "x has shape")),
        ],
    ),
    OpSpec(
        "nn.functional.interpolate",
        interpolate,
        [
            S((1, 2, 3, 2), scale_factor=2),
            S((2, 1, 5), size=3),
            S((1, 1, 3, 4), size=(5, 2), mode="bilinear"),
            S((1, 1, 3, 4), scale_factor=(2.0, 1.5), mode="bilinear", align_corners=True),
            S((1, 2, 4), size=7, mode="linear"),
            S((1, 1, 2, 3, 2), size=3, mode="trilinear"),
            S((1, 1, 4, 3), size=(6, 5), mode="bicubic"),
            S((1, 1, 3, 4), scale_factor=2, mode="bicubic", align_corners=True),
            S((1, 1, 5, 4), size=(2, 3), mode="area"),
            S((1, 1, 3, 5), size=(5, 3), mode="nearest-exact"),
        ],
        op=resample.interpolate,
        complex=True,
        errors=[
            ((_X,), {}, DTypeError, ("interpolate", "size or scale_factor")),
            ((_X, 2, 2), {}, DTypeError, ("interpolate", "size or scale_factor")),
            ((_X, 2), {"mode": "cubic"}, DTypeError, ("interpolate", "'cubic'")),
            ((_X, 2), {"mode": "linear"}, ShapeError, ("interpolate", "1 spatial")),
            ((_X, 0), {}, ShapeError, ("interpolate", "size")),
            ((_X,), {"scale_factor": 0.1}, ShapeError, ("interpolate", "output would be")),
            ((_X,), {"scale_factor": -1}, ShapeError, ("interpolate", "scale_factor")),
            ((_X, 2), {"align_corners": True}, DTypeError, ("interpolate", "align_corners")),
            ((np.ones(3), 2), {}, ShapeError, ("interpolate", "(3,)")),
        ],
    ),
    OpSpec(
        "nn.functional.pixel_shuffle",
        shuffle,
        [S((2, 4, 2, 3), 2), S((9, 1, 2), 3), S((2, 1, 4, 2, 2), 1)],
        op=resample.pixel_shuffle,
        complex=True,
        errors=[((_X, 2), {}, ShapeError, ("pixel_shuffle", "1 channels")), ((np.ones((2, 2)), 2), {}, ShapeError, ("pixel_shuffle",))],
    ),
    OpSpec(
        "nn.functional.pixel_unshuffle",
        unshuffle,
        [S((2, 2, 4, 2), 2), S((1, 3, 6), 3)],
        op=resample.pixel_unshuffle,
        complex=True,
        errors=[((_X, 2), {}, ShapeError, ("pixel_unshuffle", "multiples of 2"))],
    ),
    OpSpec(
        "nn.functional.channel_shuffle",
        channels,
        [S((2, 6, 2), 2), S((1, 6, 2, 2), 3)],
        op=resample.channel_shuffle,
        complex=True,
        errors=[((_X, 2), {}, ShapeError, ("channel_shuffle", "groups"))],
    ),
]
