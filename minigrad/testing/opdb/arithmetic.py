"""Rows of ops/arithmetic.py."""

import numpy as np

from ...errors import ShapeError
from ..spec import OpSpec, S

SPECS = [
    OpSpec(
        "add",
        np.add,
        [S((2, 3), (2, 3)), S((2, 3), 2.0)],
        elementwise=True,
        complex=True,
        errors=[((np.ones(3), np.ones(4)), {}, ShapeError, ("add", "3", "4"))],
    ),
    OpSpec("multiply", np.multiply, [S((2, 3), (2, 3)), S((2, 3), -1.5)], elementwise=True, complex=True),
]
