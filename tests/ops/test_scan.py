"""Scans and differences: zeros, ties, NaN, long lines, extremes."""

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad.ops import scan
from minigrad.testing import gradcheck, gradgradcheck

INF, NAN = math.inf, math.nan


def leaf(x):
    return mg.Tensor(np.array(x, float), requires_grad=True)


def slope(f, x):
    x = leaf(x)
    y = f(x)
    return mg.grad(y, x, np.ones(y.shape, y.dtype))[0].tolist()


def test_scans_of_a_number():
    x = leaf(3.0)
    y = mg.cumsum(x)
    assert y.shape == (1,)
    assert mg.grad(y, x)[0].shape == ()


@pytest.mark.parametrize("x", [[0.0, 2.0, 3.0], [2.0, 0.0, 3.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
def test_cumprod_with_zeros_to_second_order(x):
    assert gradcheck(mg.cumprod, [leaf(x)])
    assert gradgradcheck(mg.cumprod, [leaf(x)])


@pytest.mark.parametrize("n", [2, 3, 7, 64, 100])
@pytest.mark.parametrize("reverse", [False, True])
def test_long_recurrences_join_spans(monkeypatch, n, reverse):
    rng = np.random.default_rng(n)
    b, a = rng.normal(size=(2, n, 3))
    want = np.zeros((n + 2, 3))
    for i in range(n)[:: -1 if reverse else 1]:
        want[i + 1] = b[i] + a[i] * want[i + 2 if reverse else i]
    got = [scan._recurrence(b, a, 0, reverse)]
    monkeypatch.setattr(scan, "STEPS", 1)
    got.append(scan._recurrence(b, a, 0, reverse))
    for y in got:
        np.testing.assert_allclose(y, want[1:-1], atol=1e-9 * np.abs(want).max())


def test_long_cumprod_has_its_gradient():
    x = leaf(np.linspace(0.9, 1.1, 5001))
    (g,) = mg.grad(mg.sum(mg.cumprod(x)), x)
    h = np.cumprod(x.numpy())
    np.testing.assert_allclose(g.numpy(), np.cumsum(h[::-1])[::-1] / x.numpy(), rtol=1e-9)


def test_half_precision_accumulates_in_float32():
    x = mg.tensor(np.ones((5000, 2), "float16"))
    y = mg.cumsum(x, axis=0)
    assert y.dtype == np.float16
    assert y[-1].tolist() == [5000, 5000]


def test_integers_as_in_numpy():
    x = np.array([[3, 1], [2, 2]], "int16")
    for name in ("cumsum", "cumprod", "diff"):
        got, want = getattr(mg, name)(mg.tensor(x), axis=0), getattr(np, name)(x, axis=0)
        np.testing.assert_array_equal(got.numpy(), want)
        assert got.dtype == want.dtype
    assert mg.cumsum(np.array([1, 2]), dtype="float32").dtype == np.float32
    assert mg.cummax([1, 3, 2])[0].tolist() == [1, 3, 3]
    assert mg.diff(np.array([True, False, False])).tolist() == [True, False]
    assert mg.diff([1, 2], prepend=0.5).tolist() == [0.5, 1]


def test_running_extremes_take_the_latest_of_equal_ones():
    values, places = mg.cummax(leaf([1.0, 3.0, 3.0, 2.0]))
    assert places.tolist() == [0, 1, 2, 2]
    assert values.requires_grad
    assert not places.requires_grad
    assert slope(lambda x: mg.cummax(x)[0], [1.0, 3.0, 3.0, 2.0]) == [1, 1, 2, 0]
    values, places = mg.cummin(np.array([2.0, NAN, 1.0]))
    np.testing.assert_array_equal(values, [2, NAN, NAN])
    assert places.tolist() == [0, 1, 1]


def test_logcumsumexp_at_the_extremes():
    assert mg.logcumsumexp(np.array([1e4, 1e4, -1e4])).tolist() == [1e4, 1e4 + math.log(2), 1e4 + math.log(2)]
    assert mg.logcumsumexp(np.array([-INF, -INF, 0.0])).tolist() == [-INF, -INF, 0]
    assert slope(mg.logcumsumexp, [-INF, -INF, 0.0]) == [0, 0, 1]
    assert slope(mg.logcumsumexp, [1000.0, -1000.0, 1000.0]) == pytest.approx([2.5, 0, 0.5])
    assert slope(mg.logcumsumexp, [-1000.0, 1000.0]) == [1, 1]
    x = leaf([-1000.0, 1000.0, 3.0])
    (g,) = mg.grad(mg.sum(mg.logcumsumexp(x)), x, create_graph=True)
    assert mg.grad(mg.sum(g * g), x)[0].tolist() == [0, 0, 0]


def test_trapezoid_differentiates_where_the_points_are():
    y, x = leaf([1.0, 2.0, 4.0]), leaf([0.0, 1.0, 3.0])
    assert mg.trapezoid(y, x).item() == 7.5
    assert gradcheck(lambda y, x: mg.trapezoid(y, x), [y, x])
    assert mg.trapezoid([1.0, 2.0]) == 1.5


@pytest.mark.torch
def test_as_pytorch():
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).integers(-2, 3, (4, 6)).astype(float)
    for ours, theirs in [
        (lambda x: mg.cumprod(x, axis=1), lambda x: torch.cumprod(x, 1)),
        (lambda x: mg.cummax(x, axis=1)[0], lambda x: torch.cummax(x, 1)[0]),
        (lambda x: mg.cummin(x, axis=0)[0], lambda x: torch.cummin(x, 0)[0]),
        (lambda x: mg.logcumsumexp(x, axis=1), lambda x: torch.logcumsumexp(x, 1)),
        (lambda x: mg.diff(x, n=2), lambda x: torch.diff(x, n=2)),
    ]:
        t = torch.tensor(x, requires_grad=True)
        y = theirs(t)
        y.sum().backward()
        np.testing.assert_allclose(ours(leaf(x)).numpy(), y.detach().numpy())
        np.testing.assert_allclose(slope(ours, x), t.grad.numpy(), atol=1e-12)


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("name", ["convolve", "correlate"])
def test_convolutions_of_all_lengths_as_in_numpy(name, mode):
    rng = np.random.default_rng(0)
    for n in range(1, 7):
        for m in range(1, 7):
            a, v = rng.normal(size=n) + 1j, rng.normal(size=m) + 2j
            np.testing.assert_allclose(getattr(mg, name)(a, v, mode), getattr(np, name)(a, v, mode))
    assert getattr(mg, name)([1, 2], [3], mode).tolist() == [3, 6]
