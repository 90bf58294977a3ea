"""Masking: large arrays go by words of bits, small ones and other dtypes by where; the numbers are the same."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.ops.masks import gated, masked


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64", "complex64"])
@pytest.mark.parametrize("n", [10, 5000])
def test_masked_is_where(dtype, n):
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=n) * 4).astype(dtype), rng.random(n) < 0.5
    y = masked(mg.tensor(a), mg.tensor(b)).numpy()
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, np.where(b, a, 0))


def test_what_is_masked_leaves_no_trace():
    a = np.full(5000, np.nan, "float32")
    a[::2] = 1
    y = masked(mg.tensor(a), mg.tensor(np.arange(5000) % 2 == 0)).numpy()
    assert y.sum() == 2500  # not even NaN


def test_shapes_that_differ_and_strides():
    a, b = np.ones((60, 100), "float32"), np.arange(100) % 2 == 0
    assert masked(mg.tensor(a), mg.tensor(b)).numpy().sum() == 3000
    gate = np.where(b, 1.0, -1.0).astype("float32") * np.ones((60, 1), "float32")
    want = np.where(gate.T > 0, a.T, 0)
    np.testing.assert_array_equal(gated(mg.tensor(a.T), mg.tensor(gate.T)).numpy(), want)
    np.testing.assert_array_equal(gated(mg.tensor(a), mg.tensor(gate)).numpy(), want.T)
