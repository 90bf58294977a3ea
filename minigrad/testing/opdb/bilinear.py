"""Rows of nn/functional/products.py."""

from typing import Any

import numpy as np

from ...errors import ShapeError
from ...nn import functional as F
from ..spec import OpSpec, S


def _bilinear(x1: Any, x2: Any, weight: Any, bias: Any = None) -> Any:
    y = np.einsum("...i,oij,...j->...o", x1, weight, x2)
    return y if bias is None else y + bias


_W = np.ones((2, 3, 4))

SPECS = [
    OpSpec(
        "nn.functional.bilinear",
        _bilinear,
        [
            S((5, 3), (5, 4), (2, 3, 4), (2,)),
            S((5, 3), (5, 4), (2, 3, 4)),
            S((3,), (4,), (2, 3, 4), (2,)),
            S((2, 2, 3), (2, 2, 1), (4, 3, 1), (4,)),
            S((0, 3), (0, 4), (2, 3, 4), (2,)),
        ],
        op=F.bilinear,
        empty="skip",
        half=1e-2,
        note="Size 0 is among the samples: its axes must fit each other.",
        errors=[
            ((np.ones((5, 2)), np.ones((5, 4)), _W), {}, ShapeError, ("bilinear", "x1", "(5, 2)", "(2, 3, 4)")),
            ((np.ones((5, 3)), np.ones((5, 3)), _W), {}, ShapeError, ("bilinear", "x2", "(5, 3)", "(2, 3, 4)")),
            ((np.ones((5, 3)), np.ones((1, 4)), _W), {}, ShapeError, ("bilinear", "leading axes")),
            ((np.ones((5, 3)), np.ones((5, 4)), _W, np.ones(3)), {}, ShapeError, ("bilinear", "bias", "(3,)")),
            ((np.ones((5, 3)), np.ones((5, 4)), np.ones((3, 4))), {}, ShapeError, ("bilinear", "(out, in1, in2)")),
        ],
    )
]
