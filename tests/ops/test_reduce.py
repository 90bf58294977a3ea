"""Reductions: what the table cannot say. Ties, zeros, NaN, precision, integers."""

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import ShapeError
from minigrad.testing import gradcheck, gradgradcheck

INF, NAN = math.inf, math.nan


def leaf(x, dtype="float64"):
    return mg.Tensor(np.array(x, dtype), requires_grad=True)


def slope(f, x, dtype="float64"):
    x = leaf(x, dtype)
    y = f(x)
    (g,) = mg.grad(y, x, np.ones(y.shape, y.dtype))
    return g.numpy()


# -- sums -------------------------------------------------------------------------------------------------------------
def test_sum_of_ten_million_ones_is_exact():
    assert mg.sum(np.ones(10**7, "float32")) == 1e7


@pytest.mark.parametrize("axis", [0, None, (0,), (0, 2)])
@pytest.mark.parametrize("rows", [300_000, 300_007])
def test_long_strided_sums_keep_their_digits(axis, rows):
    x = np.full((rows, 2, 2), 0.1, "float32")[:, :, :1] if axis is None else np.full((rows, 2, 2), 0.1, "float32")
    want = np.sum(x.astype("float64"), axis)
    np.testing.assert_allclose(mg.sum(x, axis), want, rtol=4e-6)
    np.testing.assert_allclose(mg.mean(x, axis), np.mean(x.astype("float64"), axis), rtol=4e-6)
    assert mg.sum(x, axis).shape == want.shape
    assert mg.sum(x, axis, keepdims=True).shape == np.sum(x, axis, keepdims=True).shape


@pytest.mark.parametrize("axis", [None, 0, 1, 2, (0, 1), (1, 2), (0, 2), ()])
@pytest.mark.parametrize("order", ["C", "F"])
def test_blocks_sum_what_they_should(axis, order):
    x = np.asarray(np.random.default_rng(0).integers(-5, 5, (2049, 8, 6)), "float32", order=order)
    np.testing.assert_array_equal(mg.sum(x, axis), np.sum(x, axis))
    np.testing.assert_array_equal(mg.sum(x[::-2], axis, keepdims=True), np.sum(x[::-2], axis, keepdims=True))


@pytest.mark.parametrize("axis", [None, 0])
def test_half_precision_accumulates_in_float32(axis):
    x = mg.tensor(np.ones((4096, 2), "float16"))
    assert mg.sum(x, 0).tolist() == [4096, 4096]
    big = mg.tensor(np.full((4096, 2), 100.0, "float16"))
    assert mg.mean(big, axis).dtype == np.float16
    assert (mg.mean(big, axis).numpy() == 100).all()
    assert (mg.std(big, axis).numpy() == 0).all()
    assert mg.prod(mg.tensor(np.array([1e-4, 1e-4, 1e4, 1e4], "float16"))).item() == pytest.approx(1, rel=1e-2)


def test_bfloat16():
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    x = mg.tensor(np.ones(1000, bfloat16), requires_grad=True)
    for f in (mg.sum, mg.mean, mg.max, mg.logsumexp, mg.var, mg.std):
        y = f(x)
        assert y.dtype == bfloat16
        (g,) = mg.grad(y, x)
        assert g.dtype == bfloat16
    assert mg.sum(x).item() == 1000


def test_dtype_keyword_casts_first():
    x = leaf([60000.0, 60000.0], "float16")
    y = mg.sum(x, dtype="float32")
    assert y.item() == 120000
    assert y.dtype == np.float32
    (g,) = mg.grad(y, x)
    assert g.dtype == np.float16
    assert mg.prod(np.array([2, 3]), dtype="float64").dtype == np.float64
    assert mg.mean([1, 2], dtype="float32").dtype == np.float32


def test_integers_and_booleans_as_in_numpy():
    x = np.array([[3, 1], [2, 2]], "int16")
    for name in ["sum", "prod", "mean", "var", "std", "max", "min", "ptp", "argmax", "argmin", "all", "any", "count_nonzero"]:
        got, want = getattr(mg, name)(mg.tensor(x), axis=0), getattr(np, name)(x, axis=0)
        np.testing.assert_allclose(got.numpy(), want)
        assert got.dtype == want.dtype, name
    assert mg.sum(np.array([True, True])) == 2
    assert mg.logsumexp(np.array([0, 0])) == pytest.approx(math.log(2))
    assert mg.nansum(x) == 8
    assert mg.nanmean(x) == 2
    assert mg.nanmax(x) == 3
    assert mg.nanstd(x) == pytest.approx(np.std(x))


def test_python_numbers_and_lists():
    assert mg.sum(3.0) == 3
    assert mg.sum([[1, 2], [3, 4]], axis=0).tolist() == [4, 6]
    assert mg.max([1.0, 3.0]) == 3
    assert mg.var([1.0, 3.0]) == 1


# -- products ---------------------------------------------------------------------------------------------------------
def test_gradient_of_prod_is_exact_with_zeros():
    assert slope(mg.prod, [0.0, 2.0, 3.0]).tolist() == [6, 0, 0]
    assert slope(mg.prod, [0.0, 0.0, 3.0]).tolist() == [0, 0, 0]
    assert slope(mg.prod, [2.0]).tolist() == [1]
    assert slope(mg.prod, 2.0) == 1


@pytest.mark.parametrize("x", [[0.0, 2.0, 3.0], [0.0, 0.0, 3.0], [0.0, 0.0, 0.0], [-1.0, 2.0, 0.5]])
def test_higher_orders_of_prod_with_zeros(x):
    x = leaf(x)
    assert gradcheck(mg.prod, [x])
    assert gradgradcheck(mg.prod, [x])
    y = mg.prod(x)
    for _ in range(3):
        (g,) = mg.grad(y, x, create_graph=True)
        y = mg.sum(g * mg.tensor([1.0, 2.0, 3.0], dtype="float64"))
    assert y.item() == 36  # 3! 1 2 3


# -- spread -----------------------------------------------------------------------------------------------------------
def test_variance_is_two_pass():
    x = 1e8 + np.array([0.0, 1.0, 2.0])
    assert mg.var(x) == pytest.approx(2 / 3)
    np.testing.assert_allclose(slope(mg.var, x), np.array([-2, 0, 2]) / 3)


def test_variance_of_one():
    with np.errstate(invalid="ignore"):
        y = mg.var(x := leaf([3.0]), correction=1)
    assert math.isnan(y.item())
    assert math.isnan(mg.grad(y, x)[0].item())
    assert mg.var(leaf([3.0])).item() == 0
    with pytest.warns(RuntimeWarning, match="invalid"):
        mg.var(np.ones(1), correction=1)


def test_std_at_zero_variance_has_gradient_zero():
    assert slope(mg.std, [2.0, 2.0]).tolist() == [0, 0]
    assert slope(mg.nanstd, [2.0, NAN, 2.0]).tolist() == [0, 0, 0]
    rows = slope(lambda x: mg.std(x, axis=1), [[1.0, 1.0], [1.0, 3.0]])
    assert rows.tolist() == [[0, 0], [-0.5, 0.5]]


def test_mean_of_nothing_is_nan():
    with np.errstate(invalid="ignore"):
        assert math.isnan(mg.mean(np.ones(0)))
    assert mg.sum(np.ones(0)) == 0
    assert mg.prod(np.ones(0)) == 1


def test_average():
    x, w = leaf([[1.0, 2.0], [3.0, 5.0]]), leaf([3.0, 1.0])
    assert mg.average(x, axis=0, weights=w).tolist() == [1.5, 2.75]
    assert mg.average(x, axis=1, weights=w).tolist() == [1.25, 3.5]
    assert gradcheck(lambda x, w: mg.average(x, 1, w), [x, w])
    assert mg.average([1, 2], weights=[1, 3]) == 1.75
    with np.errstate(invalid="ignore"):
        assert math.isnan(mg.average([1.0, 1.0], weights=[0.0, 0.0]))


# -- extremes ---------------------------------------------------------------------------------------------------------
def test_ties_share_equally():
    assert slope(mg.max, [1.0, 3.0, 3.0]).tolist() == [0, 0.5, 0.5]
    assert slope(mg.min, [[1.0, 1.0], [0.0, 3.0]]).tolist() == [[0, 0], [1, 0]]
    assert slope(lambda x: mg.max(x, axis=1), [[1.0, 1.0], [0.0, 3.0]]).tolist() == [[0.5, 0.5], [0, 1]]
    assert slope(mg.ptp, [1.0, 1.0, 4.0]).tolist() == [-0.5, -0.5, 1]
    assert slope(mg.max, [1.0, 3.0, 3.0], "float16").dtype == np.float16
    assert slope(mg.max, [INF, 1.0]).tolist() == [1, 0]


def test_nan_wins():
    x = np.array([[1.0, NAN, 2.0], [1.0, 3.0, 2.0]])
    np.testing.assert_array_equal(mg.max(x, axis=1), [NAN, 3])
    np.testing.assert_array_equal(mg.min(x, axis=1), [NAN, 1])
    assert mg.argmax(x, axis=1).tolist() == [1, 1]
    g = slope(lambda x: mg.max(x, axis=1), x)
    assert np.isnan(g[0]).all()
    assert g[1].tolist() == [0, 1, 0]


def test_argmax():
    x = mg.tensor([[1.0, 3.0, 3.0], [5.0, 0.0, 5.0]], requires_grad=True)
    y = mg.argmax(x, axis=1)
    assert not y.requires_grad
    assert y.tolist() == [1, 0]
    assert mg.argmax(x).item() == 3
    assert mg.argmax(x, keepdims=True).shape == (1, 1)
    with pytest.raises(ShapeError, match="one integer"):
        mg.argmax(x, axis=(0, 1))


def test_logsumexp_at_the_extremes():
    assert mg.logsumexp(np.array([1e4, 1e4])) == pytest.approx(1e4 + math.log(2), abs=1e-9)
    assert mg.logsumexp(np.array([-1e4, -1e4])) == pytest.approx(-1e4 + math.log(2), abs=1e-9)
    x = np.array([[-INF, -INF], [INF, 0.0], [-INF, 2.0], [NAN, 0.0]])
    np.testing.assert_array_equal(mg.logsumexp(x, axis=1), [-INF, INF, 2, NAN])
    g = slope(lambda x: mg.logsumexp(x, axis=1), x)
    assert g[0].tolist() == [0, 0]
    assert g[2].tolist() == [0, 1]
    assert math.isnan(g[1, 0])
    assert g[1, 1] == 0
    assert mg.logsumexp(np.ones((2, 0)), axis=1).tolist() == [-INF, -INF]
    assert mg.logsumexp(np.array([11.0] * 40, "float16")).dtype == np.float16


# -- NaN left out -----------------------------------------------------------------------------------------------------
def test_nan_is_left_out():
    x = np.array([[1.0, NAN, 4.0], [NAN, NAN, NAN], [2.0, 2.0, NAN]])
    np.testing.assert_array_equal(mg.nansum(x, axis=1), [5, 0, 4])
    np.testing.assert_array_equal(mg.nanprod(x, axis=1), [4, 1, 4])
    np.testing.assert_allclose(mg.nanmean(x, axis=1), [2.5, NAN, 2])
    np.testing.assert_array_equal(mg.nanmax(x, axis=1), [4, NAN, 2])
    np.testing.assert_array_equal(mg.nanmin(x, axis=1), [1, NAN, 2])
    np.testing.assert_allclose(mg.nanvar(x, axis=1), [2.25, NAN, 0])
    np.testing.assert_allclose(mg.nanstd(x, axis=1, correction=1), [math.sqrt(4.5), NAN, 0])
    np.testing.assert_allclose(slope(lambda x: mg.nanmean(x, axis=1), x)[[0, 2]], [[0.5, 0, 0.5], [0.5, 0.5, 0]])
    assert slope(lambda x: mg.nanmax(x, axis=1), x).tolist() == [[0, 0, 1], [0, 0, 0], [0.5, 0.5, 0]]


def test_gradients_beside_nan():
    x = np.array([[1.0, NAN, 4.0, -1.0], [2.0, 0.5, NAN, NAN]])
    whole = ~np.isnan(x)

    def filled(f):
        def g(v):
            full = np.full(x.shape, NAN)
            return f(mg.where(whole, mg.reshape(v[np.cumsum(whole.reshape(-1)) - 1], x.shape), full), axis=1)

        return g

    for f in (mg.nansum, mg.nanprod, mg.nanmean, mg.nanvar, mg.nanstd, mg.nanmax):
        v = leaf(x[whole])
        assert gradcheck(filled(f), [v])
        assert gradgradcheck(filled(f), [v])


# -- against PyTorch --------------------------------------------------------------------------------------------------
@pytest.mark.torch
def test_as_pytorch():
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(size=(3, 4, 5))
    for ours, theirs in [
        (lambda x: mg.var(x, axis=1, correction=1), lambda x: torch.var(x, dim=1, correction=1)),
        (lambda x: mg.std(x, axis=(0, 2)), lambda x: torch.std(x, dim=(0, 2), correction=0)),
        (lambda x: mg.prod(x, axis=1), lambda x: torch.prod(x, dim=1)),
        (lambda x: mg.max(x, axis=(0, 1)), lambda x: torch.amax(x, dim=(0, 1))),
        (lambda x: mg.logsumexp(x, axis=2), lambda x: torch.logsumexp(x, dim=2)),
    ]:
        t = torch.tensor(x, requires_grad=True)
        y = theirs(t)
        y.sum().backward()
        np.testing.assert_allclose(ours(leaf(x)).numpy(), y.detach().numpy())
        np.testing.assert_allclose(slope(ours, x), t.grad.numpy(), atol=1e-12)
