"""Rows of ops/softmax.py."""

from typing import Any

import numpy as np

from ...errors import ShapeError
from ..spec import OpSpec, S
from .reduce import axis_errors

CALLS = [S((3, 4)), S((3, 4), axis=0), S((2, 3, 4), axis=(0, -1)), S((2, 3), axis=None), S((1,)), S((3, 1))]


def _softmax(x: Any, axis: Any = -1) -> Any:
    e = np.exp(x)
    return e / e.sum(axis, keepdims=True)


def _errors(name: str) -> list[tuple]:
    return [*axis_errors(name), ((np.array(1.0),), {}, ShapeError, (name, "0 dimensions"))]


SPECS = [
    OpSpec("softmax", _softmax, CALLS, errors=_errors("softmax")),
    OpSpec("log_softmax", lambda x, axis=-1: np.log(_softmax(x, axis)), CALLS, errors=_errors("log_softmax")),
    OpSpec("softmin", lambda x, axis=-1: _softmax(-x, axis), CALLS, errors=_errors("softmin")),
]
