"""Rows of ops/conv.py."""

from itertools import product
from typing import Any

import numpy as np

from ...errors import DTypeError, ShapeError
from ...ops import conv
from ..spec import OpSpec, S


def _tuple(v: Any, n: int) -> tuple:
    return tuple(v) if isinstance(v, (tuple, list)) else (v,) * n


def reference(x: Any, w: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1) -> Any:
    """Window by window: the sum of products of each kernel with what it covers."""
    n = w.ndim - 2
    if x.ndim == n + 1:
        return reference(x[None], w, bias, stride, padding, dilation, groups)[0]
    kernel, stride, dilation = w.shape[2:], _tuple(stride, n), _tuple(dilation, n)
    reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    if isinstance(padding, str):
        around = [(r // 2, r - r // 2) if padding == "same" else (0, 0) for r in reach]
    else:
        around = [(p, p) for p in _tuple(padding, n)]
    x = np.pad(x, [(0, 0), (0, 0), *around])
    out = [(m - r - 1) // s + 1 for m, r, s in zip(x.shape[2:], reach, stride, strict=True)]
    y: Any = np.zeros((x.shape[0], w.shape[0], *out), np.result_type(x, w))
    per_in, per_out = w.shape[1], w.shape[0] // groups
    for at in product(*map(range, out)):
        window = x[(..., *[slice(a * s, a * s + r + 1, d) for a, s, r, d in zip(at, stride, reach, dilation, strict=True)])]
        for o in range(w.shape[0]):
            first = o // per_out * per_in
            y[(slice(None), o, *at)] = (window[:, first : first + per_in] * w[o]).sum(tuple(range(1, n + 2)))
    return y if bias is None else y + bias.reshape(-1, *[1] * n)


def transposed(
    x: Any,
    w: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Any:
    """Each number of x adds its kernel, times itself, to the result."""
    n = w.ndim - 2
    if x.ndim == n + 1:
        return transposed(x[None], w, bias, stride, padding, output_padding, groups, dilation)[0]
    kernel, stride, dilation, pads = w.shape[2:], _tuple(stride, n), _tuple(dilation, n), _tuple(padding, n)
    reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    full = [(m - 1) * s + r + 1 for m, s, r in zip(x.shape[2:], stride, reach, strict=True)]
    full = [f + e for f, e in zip(full, _tuple(output_padding, n), strict=True)]
    per_in, per_out = x.shape[1] // groups, w.shape[1]
    y: Any = np.zeros((x.shape[0], per_out * groups, *full), np.result_type(x, w))
    for at in product(*map(range, x.shape[2:])):
        where = [slice(a * s, a * s + r + 1, d) for a, s, r, d in zip(at, stride, reach, dilation, strict=True)]
        for i in range(x.shape[1]):
            first = i // per_in * per_out
            value = x[(slice(None), i, *at)].reshape(-1, *[1] * (n + 1))
            y[(slice(None), slice(first, first + per_out), *where)] += value * w[i]
    y = y[(..., *[slice(p, f - p) for p, f in zip(pads, full, strict=True)])]
    return y if bias is None else y + bias.reshape(-1, *[1] * n)


_X, _W = np.ones((1, 2, 4, 4)), np.ones((3, 2, 3, 3))
_NAME = "conv2d"

SPECS = [
    OpSpec(
        "nn.functional.conv1d",
        reference,
        [
            S((2, 2, 6), (3, 2, 3), (3,)),
            S((2, 4, 7), (4, 2, 2), stride=2, padding=1, groups=2),
            S((2, 5), (1, 2, 2), dilation=2, padding="same"),
            S((1, 3, 4), (2, 3, 1)),
        ],
        op=conv.conv1d,
        complex=True,
        errors=[((np.ones((1, 2, 4)), np.ones((3, 2, 3, 3))), {}, ShapeError, ("conv1d", "weight"))],
    ),
    OpSpec(
        "nn.functional.conv2d",
        reference,
        [
            S((2, 2, 4, 5), (3, 2, 3, 2), (3,)),
            S((2, 2, 5, 4), (2, 2, 3, 3), stride=(2, 1), padding=(1, 2)),
            S((1, 4, 4, 4), (4, 1, 2, 2), (4,), groups=4),
            S((2, 5, 5), (2, 2, 2, 2), padding="same", dilation=2),
            S((2, 3, 2, 2), (2, 3, 1, 1), (2,)),
            S((1, 2, 6, 5), (4, 1, 2, 2), stride=3, padding=1, dilation=(1, 2), groups=2),
        ],
        op=conv.conv2d,
        complex=True,
        errors=[
            ((_X, np.ones((3, 3, 3, 3))), {}, ShapeError, (_NAME, "2 channels", "expects 3")),
            ((_X, np.ones((3, 2, 5, 5))), {}, ShapeError, (_NAME, "output would be (0, 0)")),
            ((np.ones((4, 4)), _W), {}, ShapeError, (_NAME, "(4, 4)", "batch")),
            ((_X, _W, np.ones(2)), {}, ShapeError, (_NAME, "bias", "(3,)")),
            ((_X, _W), {"stride": 0}, ShapeError, (_NAME, "stride", "at least 1")),
            ((_X, _W), {"padding": -1}, ShapeError, (_NAME, "padding", "at least 0")),
            ((_X, _W), {"dilation": 0}, ShapeError, (_NAME, "dilation")),
            ((_X, _W), {"stride": 1.5}, DTypeError, (_NAME, "stride", "integer")),
            ((_X, _W), {"stride": True}, DTypeError, (_NAME, "stride", "integer")),
            ((_X, _W), {"stride": (1, 1, 1)}, ShapeError, (_NAME, "stride", "2 of them")),
            ((_X, _W), {"groups": 2}, ShapeError, (_NAME, "groups")),
            ((_X, _W), {"groups": 0}, ShapeError, (_NAME, "groups")),
            ((_X, _W), {"padding": "full"}, DTypeError, (_NAME, "'full'")),
            ((_X, _W), {"padding": "same", "stride": 2}, ShapeError, (_NAME, "same")),
            ((np.ones((1, 2, 0, 4)), _W), {}, ShapeError, (_NAME, "output would be (0, 2)")),
        ],
    ),
    OpSpec(
        "nn.functional.conv3d",
        reference,
        [S((1, 2, 3, 3, 3), (2, 2, 2, 2, 2), (2,)), S((1, 2, 4, 3, 3), (2, 1, 2, 1, 2), stride=(2, 1, 2), padding=(1, 0, 1), groups=2)],
        op=conv.conv3d,
        complex=True,
        errors=[((_X, np.ones((1, 2, 3, 3, 3))), {"stride": (1, 1)}, ShapeError, ("conv3d",))],
    ),
    OpSpec(
        "nn.functional.conv_transpose1d",
        transposed,
        [
            S((2, 4), (2, 3, 3)),
            S((2, 2, 4), (2, 3, 3), (3,)),
            S((2, 4, 3), (4, 1, 2), stride=3, output_padding=2, groups=2),
            S((2, 4), (2, 1, 3), padding=2),
        ],
        op=conv.conv_transpose1d,
        complex=True,
    ),
    OpSpec(
        "nn.functional.conv_transpose2d",
        transposed,
        [
            S((2, 3, 3), (2, 3, 2, 2)),
            S((2, 2, 3, 3), (2, 3, 2, 2), (3,)),
            S((1, 2, 3, 2), (2, 2, 3, 2), (2,), stride=2, padding=1, output_padding=(1, 0)),
            S((1, 4, 2, 3), (4, 2, 2, 2), stride=(1, 2), groups=2, dilation=(2, 1)),
            S((1, 2, 3, 3), (2, 1, 2, 2), dilation=3, output_padding=2, stride=2),
            S((1, 6, 2, 2), (6, 1, 2, 2)),
        ],
        op=conv.conv_transpose2d,
        complex=True,
        errors=[
            ((_X, np.ones((3, 2, 3, 3))), {}, ShapeError, ("conv_transpose2d", "2 channels", "expects 3")),
            ((_X, np.ones((2, 3, 3, 3))), {"output_padding": 1}, ShapeError, ("conv_transpose2d", "output_padding")),
            ((_X, np.ones((2, 3, 3, 3))), {"padding": 3}, ShapeError, ("conv_transpose2d", "output would be (0, 0)")),
            ((_X, np.ones((2, 3, 3, 3))), {"groups": 3}, ShapeError, ("conv_transpose2d", "groups")),
        ],
    ),
    OpSpec(
        "nn.functional.conv_transpose3d",
        transposed,
        [
            S((2, 2, 2, 2), (2, 1, 2, 2, 2)),
            S((1, 2, 2, 2, 2), (2, 1, 2, 2, 2), (1,)),
            S((1, 2, 2, 1, 2), (2, 1, 2, 1, 2), stride=2, output_padding=1, groups=2),
        ],
        op=conv.conv_transpose3d,
        complex=True,
    ),
]
