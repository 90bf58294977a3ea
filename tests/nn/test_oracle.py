"""Modules against PyTorch, which is optional: signatures, names of the state, outputs, gradients of inputs and parameters, both modes."""

import pytest

CASES = [
    ("Linear", (5, 3), {}, (2, 4, 5)),
    ("Linear", (5, 3), {"bias": False}, (7, 5)),
    ("Linear", (1, 8), {}, (1, 1)),
    ("Linear", (64, 32), {}, (16, 64)),
    ("Conv2d", (4, 6, 3), {"stride": 2, "padding": 1}, (2, 4, 9, 8)),
]


@pytest.mark.torch
@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c[0]}{c[1:3]}")
def test_modules(agrees, case):
    agrees(*case)
