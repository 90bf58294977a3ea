"""Pooling in C: the maxima and their places exactly NumPy's, means and ways back close to those in float64."""

import itertools

import numpy as np
import pytest

from minigrad.autograd.forms import apply
from minigrad.backend import compiled
from minigrad.nn import functional as F
from minigrad.ops.pooling.average import AVERAGE, SPREAD
from minigrad.ops.pooling.max import MAXIMA, SCATTER
from minigrad.ops.windows import pool_geometry
from minigrad.testing import checks
from minigrad.testing.opdb import all_specs

ROWS = [s for s in all_specs() if "_pool" in s.name and "lp_" not in s.name and "3d" not in s.name]
SHAPES = [(1, 1, 4, 4), (2, 3, 9, 17), (1, 2, 37, 300), (5, 1, 1, 2000), (1, 4, 70, 1), (3, 7, 6, 6)]
WINDOWS = [
    (2, None, 0, 1, False),
    (3, 2, 1, 1, False),
    ((2, 2), 2, 0, 1, True),
    (3, 1, 1, 1, False),
    ((1, 5), (1, 3), (0, 2), 1, True),
    (2, 3, 1, 2, False),
    ((4, 1), (2, 2), (1, 0), 1, True),
    (16, 5, 3, 1, True),
]


@pytest.fixture(autouse=True)
def everywhere(in_c):
    with compiled.everywhere():
        yield


def numpys(f, *args):
    with compiled.disabled():
        return f(*args)


def geometries(dilated):
    """Each shape with the windows that fit: the shape, the output, then kernel, stride, padding and dilation."""
    for shape, (kernel, stride, padding, dilation, ceil) in itertools.product(SHAPES, WINDOWS):
        if not dilated and dilation != 1:
            continue
        try:
            out, *rest = pool_geometry("pool", 2, np.empty(shape), kernel, stride, padding, dilation, ceil)
        except ValueError:
            continue
        yield shape, out, rest


def numbers(shape, seed=0):
    return np.random.default_rng(seed).integers(-9, 9, shape).astype("float32")  # with many equals


@pytest.mark.parametrize("row", ROWS, ids=lambda s: s.name)
@pytest.mark.parametrize("check", [*checks.ALWAYS, *checks.DIFFERENTIABLE], ids=lambda c: c.__name__)
def test_the_table_in_c(check, row):
    if check is not checks.bad or row.errors:
        check(row)


def test_maxima_and_their_places(in_c):
    for i, (shape, out, geometry) in enumerate(geometries(True)):
        x = numbers(shape, i)
        if i % 3 == 0:
            x[np.random.default_rng(i).random(shape) < 0.1] = np.nan
            x[np.random.default_rng(i + 1).random(shape) < 0.2] = -np.inf
        y, index = apply(MAXIMA, (x,), out, *geometry, True)
        want, places = numpys(apply, MAXIMA, (x,), out, *geometry, True)
        assert np.array_equal(y, want, equal_nan=True)
        assert np.array_equal(index, places)
        assert index.dtype == places.dtype
        assert np.array_equal(apply(MAXIMA, (x,), out, *geometry, False), want, equal_nan=True)
        g = np.random.default_rng(i).normal(size=y.shape).astype("float32")
        back = apply(SCATTER, (g,), shape[2:], index, *geometry)
        exact = numpys(apply, SCATTER, (g.astype("float64"),), shape[2:], index, *geometry)
        assert np.abs(back - exact).max() <= 4e-6
    assert in_c["max_pool_search"] == 2 * in_c["max_pool_gradient"] > 50


@pytest.mark.parametrize("shape", [(2, 3, 70, 40), (1, 2, 4, 16), (1, 1, 5, 1031), (1, 2, 3, 2600), (3, 1, 2050, 17)])
def test_windows_side_by_side(shape, in_c):
    """Two by two: buffers of many rows, and of parts of one."""
    pair = ((2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1))
    out = (shape[2] // 2, shape[3] // 2)
    x = numbers(shape)
    x[np.random.default_rng(1).random(shape) < 0.1] = np.nan
    y, index = apply(MAXIMA, (x,), out, *pair, True)
    want, places = numpys(apply, MAXIMA, (x,), out, *pair, True)
    assert np.array_equal(y, want, equal_nan=True)
    assert np.array_equal(index, places)
    g = numbers(y.shape, 2)
    assert np.array_equal(apply(SCATTER, (g,), shape[2:], index, *pair), numpys(apply, SCATTER, (g,), shape[2:], index, *pair))
    assert in_c["max_pool_search"] == in_c["max_pool_gradient"] == 1


def test_means(in_c):
    for i, (shape, out, (kernel, stride, padding, _)) in enumerate(geometries(False)):
        for include, divisor in ((True, None), (False, None), (True, 7)):
            params = (kernel, stride, padding, include, divisor)
            x = np.random.default_rng(i).normal(size=shape).astype("float32")
            exact = numpys(apply, AVERAGE, (x.astype("float64"),), out, *params)
            assert np.abs(apply(AVERAGE, (x,), out, *params) - exact).max() <= 5e-7
            g = np.random.default_rng(i).normal(size=exact.shape).astype("float32")
            exact = numpys(apply, SPREAD, (g.astype("float64"),), shape[2:], *params)
            assert np.abs(apply(SPREAD, (g,), shape[2:], *params) - exact).max() <= 2e-6
    assert in_c["avg_pool"] == in_c["avg_pool_gradient"] > 50


def test_nan_and_infinity_in_means():
    x = np.array([[[[1, np.nan, 2, np.inf], [3, 4, -np.inf, np.inf], [-0.0, -0.0, np.inf, 5], [-0.0, -0.0, 6, 7]]]], "float32")
    with np.errstate(invalid="ignore"):
        y, want = F.avg_pool2d(x, 2), numpys(F.avg_pool2d, x, 2)
    assert np.array_equal(y, want, equal_nan=True)
    assert not np.signbit(y[y == 0]).any()


@pytest.mark.parametrize("shape", [(2, 3, 4000), (2, 3, 40)])
def test_signals(shape, in_c):
    x = numbers(shape)
    for f in (F.max_pool1d, F.avg_pool1d, F.adaptive_avg_pool1d):
        assert np.allclose(f(x, 4), numpys(f, x, 4), atol=1e-6)
    assert in_c["avg_pool"] == 2
    assert in_c["max_pool_search"] == 1


def test_the_whole_image():
    x = np.random.default_rng(0).normal(size=(3, 4, 33, 31)).astype("float32") + 100
    exact = x.astype("float64").mean((2, 3))
    errors = [np.abs(f(F.adaptive_avg_pool2d, x, 1)[..., 0, 0] - exact).max() for f in (lambda f, *a: f(*a), numpys)]
    assert errors[0] <= errors[1]


def test_left_to_numpy(in_c):
    x = numbers((2, 3, 12, 12))
    strange = [x.astype("float64"), x.astype("float16"), x.astype(">f4"), x.transpose(0, 1, 3, 2), x[:, :, ::2], x[:0], x.astype("int64")]
    for a in strange:
        for f in (F.max_pool2d, F.avg_pool2d):
            got, want = f(a, 2), numpys(f, a, 2)
            assert got.dtype == want.dtype
            assert np.array_equal(got, want)
    x = numbers((1, 1, 4, 5000))  # wider than the buffers
    assert np.allclose(F.avg_pool2d(x, 3, 2, 1), numpys(F.avg_pool2d, x, 3, 2, 1), atol=1e-6)
    x = numbers((1, 1, 20, 20))  # more elements than a byte can count
    assert np.array_equal(F.max_pool2d(x, 17), numpys(F.max_pool2d, x, 17))
    x = numbers((1, 2, 4, 4, 4))
    assert np.array_equal(F.max_pool3d(x, 2), numpys(F.max_pool3d, x, 2))
    assert not +in_c


def test_places_that_do_not_exist():
    """An index that no search makes reaches nothing outside of the image."""
    g, index = np.ones((1, 1, 3, 3), "float32"), np.full((1, 1, 3, 3), 250, "uint8")
    for geometry in (((2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1)), ((3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1))):
        assert not apply(SCATTER, (g,), (6, 6), index, *geometry).any()
