"""Order: ties, NaN, methods of quantiles, unique values, bins, interpolation."""

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import ShapeError
from minigrad.testing import gradcheck

INF, NAN = math.inf, math.nan
METHODS = ["linear", "lower", "higher", "midpoint", "nearest"]


def leaf(x):
    return mg.Tensor(np.array(x, float), requires_grad=True)


def slope(f, x):
    x = leaf(x)
    return mg.grad(mg.sum(f(x)), x)[0].tolist()


# -- sorting ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("descending", [False, True])
def test_sorting_is_stable_and_consistent(descending):
    x = np.random.default_rng(0).integers(0, 5, (3, 40)).astype(float)
    places = mg.argsort(x, axis=1, descending=descending)
    for row, where in zip(x, places, strict=True):
        assert where.tolist() == sorted(range(40), key=row.__getitem__, reverse=descending)
    for requires_grad in (False, True):
        y = mg.sort(mg.Tensor(x, requires_grad=requires_grad), axis=1, descending=descending)
        np.testing.assert_array_equal(y.numpy(), np.take_along_axis(x, places, 1))
        assert y.requires_grad == requires_grad


def test_nan_counts_as_the_greatest():
    x = np.array([2.0, NAN, 1.0])
    np.testing.assert_array_equal(mg.sort(x), [1, 2, NAN])
    np.testing.assert_array_equal(mg.sort(x, descending=True), [NAN, 2, 1])
    np.testing.assert_array_equal(mg.topk(x, 2)[0], [NAN, 2])
    np.testing.assert_array_equal(mg.topk(x, 2, largest=False)[0], [1, 2])


def test_integers():
    assert mg.sort(np.array([3, 1, 2], "uint8"), descending=True).tolist() == [3, 2, 1]
    assert mg.sort([3, 1, 2]).dtype.kind == "i"
    assert mg.topk([3, 1, 2], 2)[0].tolist() == [3, 2]
    assert mg.median([1, 2]) == 1.5
    assert mg.quantile(np.array([1, 2, 3]), 0.3, method="lower").dtype.kind == "i"
    assert mg.sort(np.array([True, False])).tolist() == [False, True]


def test_topk_of_many():
    x = np.random.default_rng(0).normal(size=(3, 1000))
    for largest in (True, False):
        values, places = mg.topk(x, 7, axis=1, largest=largest)
        want = np.sort(x, 1)[:, ::-1][:, :7] if largest else np.sort(x, 1)[:, :7]
        np.testing.assert_array_equal(values, want)
        np.testing.assert_array_equal(np.take_along_axis(x, places, 1), want)
    assert slope(lambda x: mg.topk(x, 2)[0], [1.0, 5.0, 3.0]) == [0, 1, 1]


# -- quantiles --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_methods_as_in_numpy(method, n):
    x = np.random.default_rng(n).normal(size=(3, n))
    q = np.linspace(0, 1, 21)
    np.testing.assert_allclose(mg.quantile(x, q, axis=1, method=method), np.quantile(x, q, axis=1, method=method), atol=1e-14)


def test_infinities_are_left_alone():
    assert mg.median(np.array([-INF, 1.0, INF])) == 1
    assert mg.quantile(np.array([1.0, INF]), 0.0) == 1
    assert mg.quantile(np.array([INF, INF, INF]), 0.5) == INF


def test_nan_in_quantiles():
    x = np.array([[1.0, NAN, 3.0, 2.0], [4.0, 6.0, 5.0, 7.0], [NAN, NAN, NAN, NAN]])
    np.testing.assert_array_equal(mg.median(x, axis=1), [NAN, 5.5, NAN])
    np.testing.assert_array_equal(mg.nanmedian(x, axis=1), [2, 5.5, NAN])
    for method in METHODS:
        np.testing.assert_allclose(
            mg.nanquantile(x[:2], [0.3, 0.9], axis=1, method=method), np.nanquantile(x[:2], [0.3, 0.9], axis=1, method=method)
        )
    assert slope(lambda x: mg.nanmedian(x, axis=1)[:2], x) == [[0, 0, 0, 1], [0, 0.5, 0.5, 0], [0, 0, 0, 0]]


def test_median_of_two_in_the_middle():
    assert slope(mg.median, [5.0, 1.0, 2.0, 3.0]) == [0, 0, 0.5, 0.5]
    assert slope(mg.median, [5.0, 1.0, 2.0]) == [0, 0, 1]


def test_shapes_of_quantiles():
    x = np.ones((2, 3, 4))
    for q in (0.5, [0.1, 0.2], [[0.1], [0.2]]):
        for axis in (None, 1, (0, 2), ()):
            for keepdims in (False, True):
                if axis != ():
                    assert mg.quantile(x, q, axis, keepdims=keepdims).shape == np.quantile(x, q, axis, keepdims=keepdims).shape
    assert mg.median(x, axis=()).shape == x.shape


# -- unique values and bins -------------------------------------------------------------------------------------------
def test_unique_as_in_numpy():
    x = np.array([[3, 1, 3], [1, 1, 2]])
    for k in range(8):
        options = {"return_index": bool(k & 1), "return_inverse": bool(k & 2), "return_counts": bool(k & 4)}
        got, want = mg.unique(mg.tensor(x), **options), np.unique(x, **options)
        for a, b in zip(got, want, strict=True) if k else [(got, want)]:
            np.testing.assert_array_equal(a.numpy(), b)
    assert mg.unique(x, axis=0).tolist() == [[1, 1, 2], [3, 1, 3]]
    assert mg.unique(np.array([NAN, NAN])).shape == (1,)
    assert mg.unique_values(np.array([NAN, NAN])).shape == (2,)
    assert mg.unique_all(x).counts.tolist() == [3, 1, 2]
    assert mg.unique_inverse(mg.tensor(x)).inverse_indices.shape == x.shape
    assert not mg.unique(leaf([1.0])).requires_grad


def test_searchsorted_of_numbers():
    assert mg.searchsorted(np.array([1.0, 2.0]), 1.5) == 1
    assert mg.searchsorted(leaf([1.0, 2.0]), 1.5).item() == 1
    x = np.array([3.0, 1.0, 2.0])
    assert mg.searchsorted(x, np.array([2.5]), sorter=mg.argsort(mg.tensor(x))).tolist() == [2]


def test_bincount_and_histogram():
    w = leaf([1.0, 2.0, 3.0])
    y = mg.bincount(mg.tensor([1, 1, 3]), w)
    assert y.tolist() == [0, 3, 0, 3]
    assert mg.grad(y, w, np.array([5.0, 6.0, 7.0, 8.0]))[0].tolist() == [6, 6, 8]
    x = np.random.default_rng(0).normal(size=100)
    for options in ({}, {"bins": 4}, {"bins": 3, "range": (-1, 1)}, {"density": True}, {"weights": np.arange(100.0)}):
        for a, b in zip(mg.histogram(mg.tensor(x), **options), np.histogram(x, **options), strict=True):
            np.testing.assert_array_equal(a.numpy(), b)


# -- interpolation ----------------------------------------------------------------------------------------------------
def test_interp_as_in_numpy():
    rng = np.random.default_rng(0)
    xp, fp = np.sort(rng.normal(size=6)), rng.normal(size=6)
    x = np.concatenate([rng.normal(size=50) * 2, xp, [INF, -INF, NAN]])
    np.testing.assert_allclose(mg.interp(x, xp, fp), np.interp(x, xp, fp))
    np.testing.assert_allclose(mg.interp(x, xp, fp, 0.0, 9.0), np.interp(x, xp, fp, 0.0, 9.0))
    np.testing.assert_allclose(mg.interp(x[:-1], xp[:1], fp[:1]), np.interp(x[:-1], xp[:1], fp[:1]))
    assert mg.interp(3, [0, 10], [0, 5]) == 1.5


def test_slopes_of_interp_at_the_points_and_outside():
    f = lambda x: mg.interp(x, np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 3.0]))  # noqa: E731
    assert slope(f, [-1.0, 0.0, 0.5, 1.0, 2.0, 3.0, INF, -INF]) == [0, 1, 1, 2, 2, 0, 0, 0]
    x = leaf([-1.0, 0.3, 1.7, 5.0])
    assert gradcheck(lambda x, xp, fp: mg.interp(x, xp, fp), [x, leaf([0.0, 1.0, 2.0]), leaf([0.5, -1.0, 3.0])])
    y = mg.interp(leaf([INF, 0.5]), fp := leaf([0.0, 1.0]), fp)
    assert not np.isnan(mg.grad(mg.sum(y), fp)[0].numpy()).any()
    with pytest.raises(ShapeError, match="not empty"):
        mg.interp(x, np.ones(0), np.ones(0))


@pytest.mark.torch
def test_as_pytorch():
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(size=(4, 6))
    for ours, theirs in [
        (lambda x: mg.sort(x, axis=0), lambda x: torch.sort(x, 0)[0]),
        (lambda x: mg.topk(x, 3)[0], lambda x: torch.topk(x, 3)[0]),
        (lambda x: mg.quantile(x, 0.3, axis=1), lambda x: torch.quantile(x, 0.3, 1)),
    ]:
        t = torch.tensor(x, requires_grad=True)
        y = theirs(t)
        y.sum().backward()
        np.testing.assert_allclose(ours(leaf(x)).numpy(), y.detach().numpy())
        np.testing.assert_allclose(slope(ours, x), t.grad.numpy(), atol=1e-12)
