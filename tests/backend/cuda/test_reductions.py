"""Sums, means and extremes on the double of a GPU, against NumPy's in double precision."""

import numpy as np
import pytest

from minigrad import ops
from minigrad.autograd.conform import sum_to
from minigrad.backend.cuda import walks
from minigrad.ops.reduce import max, mean, min, sum
from minigrad.testing.double import DoubleArray, no_sync, put

BOUNDS = {"float32": 1e-6, "float16": 1e-3}
CASES = [
    *[((n,), None) for n in (2, 31, 32, 33, 1000, 50_000)],
    *[((rows, n), axis) for rows, n in ((7, 31), (2000, 5), (3, 20_000), (20_000, 3), (1, 9)) for axis in ((0,), (1,), None)],
    *[((6, 50, 40), axis) for axis in ((0,), (1,), (2,), (0, 1), (1, 2), (0, 2), (0, 1, 2))],
    *[((3, 4, 5, 600), axis) for axis in ((0, 2, 3), (1, 2), (3,), (2, 3))],
]


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize(("shape", "axis"), CASES, ids=str)
def test_values(shape, axis, dtype, in_cuda):
    x = (np.random.default_rng(len(shape)).normal(size=shape) + 1).astype(dtype)
    for f, numpys in ((sum, np.sum), (mean, np.mean), (max, np.max), (min, np.min)):
        for keepdims in (False, True):
            want = numpys(x.astype("float64"), axis, keepdims=keepdims)
            with no_sync():
                y = f.op.kernels[DoubleArray](put(x), axis, keepdims)
            assert y.dtype == dtype
            assert y.shape == want.shape
            assert np.abs(y.get() - want).max() <= BOUNDS[dtype] * np.abs(want).max() + (0 if f in (max, min) else 1e-6 * np.sqrt(x.size))
    assert in_cuda["sum"] == 4
    assert in_cuda["max"] == in_cuda["min"] == 2


@pytest.mark.parametrize(
    ("shape", "target"), [((64, 70), (70,)), ((64, 70), (64, 1)), ((3, 5, 7), (5, 1)), ((3, 5, 7), (1, 5, 7)), ((9, 4), ())], ids=str
)
def test_sums_to_shapes(shape, target, in_cuda):
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    y = sum_to.op.kernels[DoubleArray](put(x), target)
    assert y.shape == target
    assert np.allclose(y.get(), sum_to.op.kernels.make(np)(x.astype("float64"), target), atol=1e-5)
    assert in_cuda["sum"] == 1


def test_half_precision_does_not_overflow_on_the_way(in_cuda):
    x = np.full((4, 3000), 60, "float16")
    assert mean.op.kernels[DoubleArray](put(x), None, False).get() == 60
    assert np.isinf(sum.op.kernels[DoubleArray](put(x), (1,), False).get()).all()
    x[:, ::2] *= -1
    assert not sum.op.kernels[DoubleArray](put(x), None, False).get().any()


@pytest.mark.parametrize("f", [max, min], ids=["max", "min"])
def test_extremes_of_what_is_not_finite(f, in_cuda):
    x = np.random.default_rng(0).normal(size=(5, 6000)).astype("float32")
    x[0, 5000], x[1, 0], x[2], x[3, 3], x[3, 4] = np.nan, -np.inf, np.inf, -np.inf, np.inf
    for axis in ((0,), (1,), None):
        with np.errstate(all="ignore"):
            want = f.op.kernels.make(np)(x, axis, False)
        assert np.array_equal(f.op.kernels[DoubleArray](put(x), axis, False).get(), want, equal_nan=True)


def test_others_are_cupys(in_cuda):
    """Other dtypes, nothing at all, axes in more than three runs, and what does not lie as C lays arrays out."""
    x = put(np.ones((4, 6), "float32"))
    assert sum.op.kernels[DoubleArray](put(np.ones((1, 1), "float32")), None, False).get() == 1
    assert sum.op.kernels[DoubleArray](x.T, (0,), False).get().tolist() == [6] * 4
    assert sum.op.kernels[DoubleArray](put(np.ones((4, 6), "int64")), None, False).get() == 24
    assert sum.op.kernels[DoubleArray](put(np.ones((0, 6), "float32")), (0,), False).get().tolist() == [0] * 6
    assert sum.op.kernels[DoubleArray](put(np.ones((2, 3, 4, 5), "float32")), (0, 2), False).get()[0, 0] == 8
    assert not in_cuda


def test_pieces_do_not_depend_on_who_adds():
    """The same pieces for the same shape; all of a line; not too many numbers one after the other."""
    for lines, n, alone in [(1, 1, False), (1, 10**9, False), (3, 5000, True), (10**6, 40, True), (768, 10**6, True)]:
        size = walks.piece(lines, n, alone)
        assert 1 <= size <= n
        assert not alone or size <= 1024


def test_gradients_of_biases(in_cuda):
    """The commonest sum: over all but the last axis, in two launches where it is long."""
    g = np.random.default_rng(0).normal(size=(20_000, 24)).astype("float32")
    y = ops.sum(put(g), 0)
    assert np.allclose(y.get(), g.sum(0, dtype="float64"), atol=1e-4)
    assert in_cuda == {"sum": 1, "sum_of_pieces": 1}
