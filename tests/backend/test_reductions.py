"""Sums in C: nearer to the exact ones than NumPy's, of any axes, and the same however the work is shared out."""

import itertools
import math

import numpy as np
import pytest

import minigrad as mg
from minigrad.autograd.conform import sum_to
from minigrad.autograd.op import on_arrays
from minigrad.backend import compiled
from minigrad.testing import checks
from minigrad.testing.opdb import all_specs

SHAPES = [(7,), (100_003,), (3, 70_000), (70_000, 3), (1000, 257), (37, 5, 41), (2, 300, 600), (64, 1, 9, 7), (5, 3, 9, 7), (9, 1, 1, 64)]
OTHERS = [(1,), (1, 1), (3, 4, 5, 6), (2, 1, 3, 1, 4)]


@pytest.fixture(autouse=True)
def everywhere(in_c):
    with compiled.everywhere(), np.errstate(all="ignore"):
        yield


def numpys(f, *args):
    with compiled.disabled():
        return f(*args)


def some_axes(ndim):
    return [None, *[a for k in range(1, ndim + 1) for a in itertools.combinations(range(ndim), k)]]


@pytest.mark.parametrize("row", [s for s in all_specs() if s.name in ("sum", "mean")], ids=lambda s: s.name)
@pytest.mark.parametrize("check", [*checks.ALWAYS, *checks.DIFFERENTIABLE], ids=lambda c: c.__name__)
def test_the_table_in_c(check, row):
    if check is not checks.bad or row.errors:
        check(row)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_errors_are_no_larger_than_those_of_numpy(shape, in_c):
    x = np.random.default_rng(0).random(shape, "float32")
    calls = 0
    for f, axis, keepdims in itertools.product((mg.sum, mg.mean), some_axes(len(shape)), (False, True)):
        exact = getattr(x.astype("float64"), f.__name__)(axis, keepdims=keepdims)
        y, want = np.asarray(f(x, axis, keepdims)), np.asarray(numpys(f, x, axis, keepdims))
        assert y.dtype == want.dtype
        assert y.shape == want.shape
        ulp = np.spacing(np.abs(exact).astype("float32"))
        error, other = [float((np.abs(a - exact) / ulp).max()) for a in (y, want)]
        assert error <= max(other, 2)
        calls += 1
    assert in_c["sum"] + in_c["mean"] >= calls // 2


@pytest.mark.parametrize("shape", OTHERS, ids=str)
def test_axes_of_many_kinds(shape):
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    for axis in some_axes(len(shape)):
        assert np.allclose(mg.sum(x, axis), x.astype("float64").sum(axis), atol=1e-5)


def test_what_was_broadcast(in_c):
    x = np.random.default_rng(0).normal(size=(6, 5, 4, 3)).astype("float32")
    targets = [(3,), (1,), (), (4, 1), (1, 3), (5, 1, 1), (5, 1, 3), (6, 1, 1, 1), (1, 5, 1, 1), (6, 5, 1, 1), (1, 1, 4, 3), (1, 5, 4, 1)]
    for shape in targets:
        y = on_arrays(sum_to.op, x, shape)
        assert y.shape == shape
        exact = numpys(on_arrays, sum_to.op, x.astype("float64"), shape)
        assert np.abs(y - exact).max() <= 1e-5
    assert in_c["sum_to"] == len(targets) - 1


def test_gradient_of_a_bias(in_c):
    x, b = mg.tensor(np.ones((50, 20), "float32")), mg.tensor(np.zeros(20, "float32"), requires_grad=True)
    assert mg.grad(((x + b) * x).sum(), b)[0].tolist() == [50.0] * 20
    assert in_c["sum_to"] == 1


def test_nan_infinity_and_zero():
    for n in (8, 70, 5000):
        x = np.zeros((n, 6), "float32")
        x[:, 0] = -0.0
        x[n // 2, 1:5] = math.nan, math.inf, -math.inf, math.inf
        x[n // 3, 4] = -math.inf
        for a, axis in itertools.product((x, x.T.copy()), (0, 1)):
            y, want = mg.sum(a, axis), numpys(mg.sum, a, axis)
            assert np.array_equal(y, want, equal_nan=True)
            assert np.array_equal(np.signbit(y[y == 0]), np.signbit(want[want == 0]))


def test_large_numbers_among_small_ones():
    x = np.full(100_000, 0.1, "float32")
    x[::1000] = 1e7
    exact = math.fsum(x.tolist())
    assert abs(float(mg.sum(x)) - exact) <= abs(float(numpys(mg.sum, x)) - exact) + 1e-7 * exact


def test_left_to_numpy(in_c):
    x = np.random.default_rng(0).random((40, 30), "float32")
    strange = [x.astype("float64"), x.astype("float16"), x.astype(">f4"), x.T, x[::2], x[:0], (x * 9).astype("int64"), x > 0.5]
    for a in strange:
        for f in (mg.sum, mg.mean):
            y, want = f(a, 0), numpys(f, a, 0)
            assert np.asarray(y).dtype == np.asarray(want).dtype
            assert np.array_equal(y, want, equal_nan=True)
    assert not +in_c
