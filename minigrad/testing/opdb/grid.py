"""Rows of ops/grid.py; the references go point by point."""

import math
from itertools import product

import numpy as np

from ...errors import DTypeError, ShapeError
from ..spec import OpSpec, S


def _mirrored(c, n, align):
    """c folded back at an edge until it is inside."""
    low, high = (0, n - 1) if align else (-0.5, n - 0.5)
    if low == high:
        return 0.0
    while not low <= c <= high:
        c = 2 * low - c if c < low else 2 * high - c
    return c


def _keys(d, a=-0.75):
    """Keys's kernel at distance d."""
    d = abs(d)
    return (a + 2) * d**3 - (a + 3) * d**2 + 1 if d <= 1 else a * (d**3 - 5 * d**2 + 8 * d - 4) if d < 2 else 0.0


def _sampled(x, grid, mode="bilinear", padding_mode="zeros", align_corners=None):
    """Each pixel's weight is a kernel of its distance from the point, multiplied over the axes."""
    sizes, n = x.shape[2:], x.ndim - 2
    kernel, reach = {"nearest": (lambda d: 1.0, 0), "bilinear": (lambda d: max(0.0, 1 - abs(d)), 1), "bicubic": (_keys, 2)}[mode]
    y = np.zeros((x.shape[0], x.shape[1], *grid.shape[1:-1]))
    for b, *at in np.ndindex(grid.shape[:-1]):
        choices = []
        for a, size in enumerate(sizes):
            p = float(grid[(b, *at, n - 1 - a)])
            c = (p + 1) / 2 * (size - 1) if align_corners else ((p + 1) * size - 1) / 2
            if mode != "bicubic" and padding_mode != "zeros":
                c = min(max(_mirrored(c, size, align_corners) if padding_mode == "reflection" else c, 0), size - 1)
            near = [round(c)] if mode == "nearest" else range(math.ceil(c) - reach, math.floor(c) + reach + 1)
            taps = []
            for i in near:
                j = _mirrored(i, size, align_corners) if padding_mode == "reflection" else i
                j = j if padding_mode == "zeros" else min(max(j, 0), size - 1)
                if 0 <= j < size:
                    taps.append((int(j), kernel(c - i)))
            choices.append(taps)
        for mixed in product(*choices):
            y[(b, slice(None), *at)] += math.prod(w for _, w in mixed) * x[(b, slice(None), *[i for i, _ in mixed])]
    return y


def _affine(theta, size, align_corners=None):
    n = len(size) - 2
    y = np.zeros((size[0], *size[2:], n))
    for b, *at in np.ndindex(y.shape[:-1]):
        p = [(2 * i / (m - 1) if align_corners else (2 * i + 1) / m) - 1 for i, m in zip(at, size[2:], strict=True)]
        y[(b, *at)] = theta[b] @ [*p[::-1], 1]
    return y


IMAGE, VOLUME = (1, 2, 3, 4), (1, 2, 2, 3, 2)
POINTS, PLACES = (1, 2, 2, 2), (1, 2, 1, 2, 3)

SPECS = [
    OpSpec(
        "nn.functional.grid_sample",
        _sampled,
        [
            S(IMAGE, POINTS),
            S(IMAGE, POINTS, align_corners=True, padding_mode="border"),
            S(IMAGE, POINTS, padding_mode="reflection"),
            S(IMAGE, POINTS, padding_mode="reflection", align_corners=True),
            S(IMAGE, POINTS, mode="nearest"),
            S(IMAGE, POINTS, mode="bicubic"),
            S(IMAGE, POINTS, mode="bicubic", padding_mode="border"),
            S(IMAGE, POINTS, mode="bicubic", padding_mode="reflection", align_corners=True),
            S(VOLUME, PLACES),
            S(VOLUME, PLACES, mode="nearest", padding_mode="border"),
        ],
        domain=[(-1, 1), (-1.4, 1.4)],
        half=3e-2,
        kinks="Where the neighbours of a point change; 0 to the grid where a point is limited to the outermost pixels.",
        errors=[
            ((np.ones((1, 2, 3)), np.ones((1, 2, 2, 2))), {}, ShapeError, ("grid_sample", "(1, 2, 3)")),
            ((np.ones(IMAGE), np.ones(PLACES)), {}, ShapeError, ("grid_sample", "(1, 2, 3, 4)", "(1, 2, 1, 2, 3)")),
            ((np.ones((1, 1, 0, 2)), np.ones(POINTS)), {}, ShapeError, ("grid_sample", "no pixels")),
            ((np.ones(IMAGE, int), np.ones(POINTS)), {}, DTypeError, ("grid_sample", "int64")),
            ((np.ones(IMAGE), np.ones(POINTS)), {"mode": "cubic"}, ValueError, ("grid_sample", "'cubic'")),
            ((np.ones(VOLUME), np.ones(PLACES)), {"mode": "bicubic"}, ValueError, ("grid_sample", "images only")),
            ((np.ones(IMAGE), np.ones(POINTS)), {"padding_mode": "wrap"}, ValueError, ("grid_sample", "'wrap'")),
        ],
    ),
    OpSpec(
        "nn.functional.affine_grid",
        _affine,
        [S((2, 2, 3), [2, 1, 3, 2]), S((1, 2, 3), [1, 2, 2, 3], align_corners=True), S((1, 3, 4), [1, 1, 2, 1, 2])],
        empty="skip",
        errors=[
            ((np.ones((1, 3, 3)), (1, 1, 2, 2)), {}, ShapeError, ("affine_grid", "(1, 3, 3)", "(1, 1, 2, 2)")),
            ((np.ones((1, 2, 3)), (1, 1, 0, 2)), {}, ShapeError, ("affine_grid", "(1, 1, 0, 2)")),
            ((np.ones((1, 2, 3), int), (1, 1, 2, 2)), {}, DTypeError, ("affine_grid", "int64")),
        ],
    ),
]
