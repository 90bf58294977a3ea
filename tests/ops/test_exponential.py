"""Exponentials and logarithms at the ends of their ranges."""

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad.ops.exponential import expit
from minigrad.testing.checks import pulled

INF, NAN = math.inf, math.nan


def leaf(x, dtype="float64"):
    return mg.tensor(np.array(x, dtype), requires_grad=True)


def slope(f, *xs, dtype="float64"):
    ts = [leaf(x, dtype) for x in xs]
    with np.errstate(all="ignore"):
        y = f(*ts)
    return [g.numpy() for g in mg.grad(y, ts, np.ones(y.shape, dtype))]


def curve(f, x):
    x = leaf(x)
    (d,) = mg.grad(f(x), x, np.ones(x.shape), create_graph=True)
    return mg.grad(d, x, np.ones(x.shape))[0].numpy()


def test_logarithms_at_zero():
    for f in (mg.log, mg.log2, mg.log10):
        with np.errstate(divide="ignore"):
            assert f(np.array([0.0]))[0] == -INF
        assert slope(f, [0.0])[0] == INF
    assert slope(mg.log1p, [-1.0])[0] == INF
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        mg.log(leaf([0.0]))


@pytest.mark.parametrize("f", [mg.logaddexp, mg.logaddexp2])
def test_logaddexp_at_infinity(f):
    a = [-INF, -INF, 0.0, INF, INF, 1e4, NAN]
    b = [-INF, 0.0, -INF, INF, 0.0, -1e4, 0.0]
    with np.errstate(invalid="ignore"):
        y = f(np.array(a), np.array(b))
    assert np.array_equal(y, [-INF, 0, 0, INF, INF, 1e4, NAN], equal_nan=True)
    da, db = slope(f, a, b)
    assert np.array_equal(da, [0.5, 0, 1, 0.5, 1, 1, NAN], equal_nan=True)
    assert np.array_equal(db, [0.5, 1, 0, 0.5, 0, 0, NAN], equal_nan=True)


def test_logaddexp_of_equal_numbers_to_second_order():
    assert np.allclose(curve(lambda x: mg.logaddexp(x, 0.0), [0.0, -INF, INF]), [0.25, 0, 0])
    assert np.array_equal(slope(lambda x: mg.logaddexp(x, x), [3.0])[0], [1])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_sigmoid_at_both_ends(dtype):
    x = np.array([-INF, -1e4, -20, 0, 20, 1e4, INF, NAN], dtype)
    y = mg.sigmoid(x)
    assert y.dtype == dtype
    assert np.array_equal(y[[0, 1, 3, 5, 6, 7]], [0, 0, 0.5, 1, 1, NAN], equal_nan=True)
    if dtype != "float16":
        assert abs(y[2] / math.exp(-20) - 1) < 1e-6
    g = slope(mg.sigmoid, x, dtype=dtype)[0]
    assert np.array_equal(g[[0, 1, 3, 5, 6, 7]], [0, 0, 0.25, 0, 0, NAN], equal_nan=True)


def test_sigmoid_of_numbers_and_integers():
    assert mg.sigmoid(0) == 0.5
    assert mg.sigmoid(np.array([0, 1000, -1000])).tolist() == [0.5, 1, 0]
    assert mg.sigmoid(np.array(0.0, "float32")).dtype == np.float32
    assert mg.sigmoid is expit


def test_small_numbers_keep_their_digits():
    x = np.array([1e-15, -1e-15])
    assert np.allclose(mg.expm1(x), x, rtol=1e-14, atol=0)
    assert np.allclose(mg.log1p(x), x, rtol=1e-14, atol=0)


def test_narrow_dtypes_are_kept_by_rules():
    for dtype in ("float16", "float32"):
        x, g = np.array([0.5, 0.75], dtype), np.ones(2, dtype)
        for f in (mg.exp2, mg.expm1, mg.log2, mg.log10, mg.log1p, mg.sigmoid):
            assert pulled(f, 0, g, f(x), x).dtype == dtype, f
        for f in (mg.logaddexp, mg.logaddexp2):
            assert pulled(f, 0, g, f(x, 0.5), x, 0.5).dtype == dtype, f
