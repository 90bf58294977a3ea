"""The way back from a lookup, on the double of a GPU."""

import numpy as np
import pytest

from minigrad.backend.cuda.embedding import sorted_keys
from minigrad.ops.fused import SPREAD
from minigrad.testing.double import DoubleArray, no_sync, put

BOUNDS = {"float32": 1e-6, "float16": 1e-3}


@pytest.mark.parametrize("n", [1, 2, 63, 64, 65, 128, 1000, 5000])
def test_sorting(n, in_cuda):
    ids = np.random.default_rng(n).integers(-3, 40, n)
    with no_sync():
        keys = sorted_keys(put(ids), 37)
    rows = ids % 37
    order = rows.argsort(kind="stable")
    assert np.array_equal(keys.get(), (rows[order].astype("uint64") << 32) | order.astype("uint64"))
    assert in_cuda["merge"] == max(0, int(np.ceil(np.log2(n / 64))))


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("padding", [None, 2])
@pytest.mark.parametrize(("n", "rows", "d"), [(1, 1, 1), (5, 9, 3), (64, 3, 8), (1000, 5, 7), (1000, 30, 2), (3000, 5000, 4)])
def test_values(n, rows, d, padding, dtype, in_cuda):
    rng = np.random.default_rng(n)
    ids, g = np.sort(rng.integers(0, rows, (n, 2)) ** 2 // rows)[:, ::-1], rng.normal(size=(n, 2, d)).astype(dtype)
    padding = padding if rows > 2 else None
    want = np.zeros((rows, d))
    np.add.at(want, ids, g.astype("float64"))
    want[rows if padding is None else padding :][:1] = 0
    with no_sync():
        y = SPREAD.kernels[DoubleArray](put(g), put(ids), rows, padding)
    assert y.dtype == dtype
    assert np.abs(y.get() - want).max() <= BOUNDS[dtype] * max(np.abs(want).max(), 1)
    assert in_cuda["runs"] == in_cuda["continued_runs"] == 1


def test_others_are_cupys(in_cuda):
    for g, ids in ((np.ones((3, 2)), [0, 1, 0]), (np.ones((0, 2), "float32"), np.zeros(0, int))):
        y = SPREAD.kernels[DoubleArray](put(g), put(np.array(ids)), 2, None)
        assert y.get().sum() == g.sum()
    assert not in_cuda
