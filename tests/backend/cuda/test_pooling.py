"""Pooling on the double of a GPU: maxima and means, and the ways back, against NumPy's."""

import numpy as np
import pytest

from minigrad.nn import functional
from minigrad.ops.pooling.average import AVERAGE, SPREAD
from minigrad.ops.pooling.max import MAXIMA, SCATTER
from minigrad.testing.double import DoubleArray, no_sync, put
from minigrad.testing.parity import fetched, run

CASES = [
    ((2, 3, 9), {"kernel_size": 3}),
    ((2, 3, 9), {"kernel_size": 4, "stride": 2, "padding": 2, "ceil_mode": True}),
    ((2, 3, 8, 8), {"kernel_size": 2}),
    ((1, 2, 9, 11), {"kernel_size": (3, 2), "stride": (2, 1), "padding": 1}),
    ((2, 2, 9, 7), {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}),
    ((1, 1, 16, 16), {"kernel_size": 16}),
]
MAX = [({}, case) for case in CASES] + [({"dilation": 2}, CASES[1]), ({"dilation": 2}, CASES[3])]
AVERAGES = [(more, case) for case in CASES for more in ({}, {"count_include_pad": False}, {"divisor_override": 7})]


def check(kind, shape, keywords, dtype, tolerance=None):
    """Output and gradients of first and second order."""
    f = getattr(functional, f"{kind}_pool{len(shape) - 2}d")
    x = np.random.default_rng(sum(shape)).normal(size=shape).astype(dtype)
    with no_sync():
        got = run(f, [put(x)], keywords, put, 2)
    want = run(f, [x.astype(dtype if tolerance is None else "float64")], keywords, lambda a: a, 2)
    for a, b in zip(fetched(got[0] + got[1]), fetched(want[0] + want[1]), strict=True):
        assert np.array_equal(a, b) if tolerance is None else np.allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize(("more", "case"), MAX, ids=str)
def test_maxima(more, case, dtype, in_cuda):
    check("max", case[0], case[1] | more, dtype, 1e-6 if dtype == "float32" else 2e-3)
    assert in_cuda["max_pool_search"] == 1
    assert in_cuda["max_pool_gradient"] > 0


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize(("more", "case"), AVERAGES, ids=str)
def test_means(more, case, dtype, in_cuda):
    check("avg", case[0], case[1] | more, dtype, 1e-6 if dtype == "float32" else 2e-3)
    assert in_cuda["avg_pool"] > 0
    assert in_cuda["avg_pool_gradient"] > 0


@pytest.mark.parametrize("padding", [0, 1])
def test_which_of_equals_and_of_what_is_no_number(padding, in_cuda):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 3, (2, 2, 12, 12)).astype("float32")
    x[0, 0, 2:5, 3], x[0, 1], x[1, 0, ::3, ::2] = np.nan, -np.inf, np.inf
    args = ((6, 6) if not padding else (7, 7), (2, 2), (2, 2), ((padding, padding),) * 2, (1, 1), True)
    y, index = [a.get() for a in MAXIMA.kernels[DoubleArray](put(x), *args)]
    want, which = MAXIMA.kernels.make(np)(x, *args)
    assert np.array_equal(y, want, equal_nan=True)
    assert np.array_equal(index, which)
    g = rng.normal(size=y.shape).astype("float32")
    back = SCATTER.kernels[DoubleArray](put(g), (12, 12), put(index), *args[1:5]).get()
    assert np.array_equal(back, SCATTER.kernels.make(np)(g, (12, 12), which, *args[1:5]))


def test_others_are_cupys(in_cuda):
    """Volumes, windows of more than 256 numbers, other dtypes and layouts."""
    ones = put(np.ones((1, 1, 4, 4, 4), "float32"))
    pairs = ((0, 0),) * 3
    assert AVERAGE.kernels[DoubleArray](ones, (2, 2, 2), (2, 2, 2), (2, 2, 2), pairs, True, None).get().min() == 1
    assert SPREAD.kernels[DoubleArray](ones, (8, 8, 8), (2, 2, 2), (2, 2, 2), pairs, True, None).get().max() == 1 / 8
    assert (
        MAXIMA.kernels[DoubleArray](put(np.ones((1, 1, 20, 20), "float32")), (1, 1), (17, 17), (9, 9), pairs[:2], (1, 1), False).get() == 1
    )
    for x in (put(np.ones((1, 1, 4, 4))), put(np.ones((1, 1, 4, 4), "float32")).swapaxes(2, 3)[:, :, ::2]):
        assert AVERAGE.kernels[DoubleArray](x, (1, 2), (2, 2), (2, 2), pairs[:2], True, None).get().min() == 1
    assert not in_cuda
