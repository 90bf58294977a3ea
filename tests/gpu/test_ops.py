"""Every op of the table on the GPU and in NumPy: values, gradients, gradients of gradients."""

import os

import pytest

from minigrad.testing.opdb import all_specs
from minigrad.testing.parity import agree

CPU_ONLY = {"from_numpy", "empty"}
"""It is about NumPy arrays; its values are whatever lies there."""
DTYPES = ("float32", "float64", "float16") if os.environ.get("MINIGRAD_GPU_DTYPES") == "all" else ("float32",)


@pytest.mark.parametrize("spec", [s for s in all_specs() if s.name not in CPU_ONLY], ids=lambda s: s.name)
def test_op(spec, device):
    agree(spec, device, DTYPES, slack=10)
