"""Rows of ops/sequences.py."""

from typing import Any

import numpy as np

from ...errors import ShapeError
from ..spec import OpSpec, S
from .scan import line_errors

PAIRS = [S((5,), (3,)), S((2,), (4,)), S((4,), (4,), "same"), S((4,), (3,), "same"), S((5,), (2,), "same"), S((2,), (5,), "valid")]


def _convolve(a: Any, v: Any, mode: str = "full") -> Any:
    y = np.zeros(len(a) + len(v) - 1, np.result_type(a, v))
    for i, j in np.ndindex(len(a), len(v)):
        y[i + j] += a[i] * v[j]
    long, short = max(len(a), len(v)), min(len(a), len(v))
    return {"full": y, "same": y[(short - 1) // 2 :][:long], "valid": y[short - 1 : long]}[mode]


def _pair_errors(name: str) -> list[tuple]:
    return [
        ((np.ones(3), np.ones((2, 2))), {}, ShapeError, (name, "1-D", "(2, 2)")),
        ((np.ones(3), np.ones(2), "all"), {}, ShapeError, (name, "mode", "all")),
        ((np.ones(0), np.ones(2)), {}, ShapeError, (name, "empty")),
    ]


SPECS = [
    OpSpec(
        "diff",
        np.diff,
        [S((4, 3), axis=0), S((5,), n=2), S((3, 4)), S((2, 3), n=0), S((2, 3), 1, -1, 1.0, (2, 2)), S((2,), n=3)],
        empty="works",
        errors=[*line_errors("diff"), ((np.ones(3),), {"n": -1}, ShapeError, ("diff", "-1"))],
        complex=True,
    ),
    OpSpec("ediff1d", lambda x, end=None, begin=None: np.ediff1d(x, end, begin), [S((5,)), S((2, 3)), S((4,), (2,), (1,))], complex=True),
    OpSpec(
        "trapezoid",
        np.trapezoid,
        [S((4,)), S((3, 4), axis=0), S((3, 4), dx=0.5), S((3, 4), (4,)), S((3, 2), (3, 2), axis=0)],
        empty="skip",
        errors=line_errors("trapezoid"),
    ),
    OpSpec("convolve", _convolve, PAIRS, empty="raises", complex=True, errors=_pair_errors("convolve")),
    OpSpec("correlate", np.correlate, PAIRS, empty="raises", complex=True, errors=_pair_errors("correlate")),
]
