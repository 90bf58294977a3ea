"""Trigonometric functions: origins, ends, branch points, and sinc to high order."""

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad.testing.checks import pulled

INF = math.inf


def leaf(x, dtype="float64"):
    return mg.tensor(np.array(x, dtype), requires_grad=True)


def derivatives(f, x, orders):
    """f and its derivatives at x."""
    x = leaf(x)
    y, out = f(x), []
    for _ in range(orders + 1):
        out.append(y.numpy().copy())
        if y.requires_grad:
            (y,) = mg.grad(y, x, np.ones(x.shape), create_graph=True)
    return out


def test_atan2_at_the_origin_and_far_out():
    a, b = leaf([0.0, 3e200, 3e-200]), leaf([0.0, 4e200, 4e-200])
    da, db = mg.grad(mg.atan2(a, b), [a, b], np.ones(3))
    assert da.numpy()[0] == db.numpy()[0] == 0
    assert np.allclose(da.numpy()[1:] * b.numpy()[1:], 0.64)
    assert np.allclose(db.numpy()[1:] * a.numpy()[1:], -0.36)
    assert np.allclose(mg.atan2(np.array([1.0, -1.0]), -1.0), [0.75 * math.pi, -0.75 * math.pi])


def test_ends_of_the_inverse_functions():
    for f, x, want in [(mg.asin, 1.0, INF), (mg.acos, -1.0, -INF), (mg.acosh, 1.0, INF)]:
        t = leaf(x)
        assert mg.grad(f(t), t)[0].item() == want
    with np.errstate(divide="ignore"):
        t = leaf(1.0)
        assert mg.grad(mg.atanh(t), t)[0].item() == INF


def test_gradients_near_one_keep_their_digits():
    x = 1 - 2.0**-40
    t = leaf(x)
    assert abs(mg.grad(mg.asin(t), t)[0].item() * math.sqrt(2.0**-40 * (1 + x)) - 1) < 1e-14


def test_large_arguments():
    for f, want in [(mg.asinh, 1e-200), (mg.acosh, 1e-200)]:
        t = leaf(1e200)
        assert abs(mg.grad(f(t), t)[0].item() / want - 1) < 1e-14
    t = leaf([-1e4, 1e4])
    assert np.array_equal(mg.grad(mg.tanh(t).sum(), t)[0].numpy(), [0, 0])


def test_sinc_at_zero_to_sixth_order():
    """The Taylor series: sum of (-1)^k (pi x)^(2k) / (2k + 1)!."""
    got = derivatives(mg.sinc, [0.0], 6)
    p = math.pi
    assert np.allclose(np.ravel(got), [1, 0, -(p**2) / 3, 0, p**4 / 5, 0, -(p**6) / 7], rtol=1e-14, atol=0)


@pytest.mark.parametrize("x", [1e-300, 1e-9, 1e-3, 0.3, 0.6366, 0.6367, 0.9549, 0.955, 1.0, 7.5, 100.25])
def test_sinc_slopes_are_exact_near_zero_and_far(x):
    t = math.pi * x
    if t < 1:
        terms = [(-1) ** k * 2 * k * t ** (2 * k - 1) / math.factorial(2 * k + 1) for k in range(1, 12)]
        want = math.pi * math.fsum(terms)
    else:
        want = math.pi * (math.cos(t) / t - math.sin(t) / t**2)
    got = derivatives(mg.sinc, [x, -x], 1)[1]
    assert np.allclose(got, [want, -want], rtol=1e-13, atol=1e-15)


def test_sinc_in_other_dtypes():
    assert np.array_equal(mg.sinc(np.array([0, 1])).round(15), [1, 0])
    for d in ("float16", "float32"):
        t = leaf([0.0, 0.5, 3.0], d)
        (g,) = mg.grad(mg.sinc(t), t, np.ones(3, d))
        assert g.dtype == d
        assert np.allclose(g.numpy(), [0, -4 / math.pi, -1 / 3], atol=5e-3)


def test_degrees():
    assert mg.degrees is mg.rad2deg
    assert mg.radians is mg.deg2rad
    assert mg.rad2deg(np.array([math.pi]))[0] == 180


def test_aliases():
    for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh"):
        assert getattr(mg, f"arc{name}") is getattr(mg, f"a{name}")
    assert mg.arctan2 is mg.atan2


def test_narrow_dtypes_are_kept_by_rules():
    for dtype in ("float16", "float32"):
        x, g = np.array([0.5, 0.75], dtype), np.ones(2, dtype)
        for f in (mg.sin, mg.tan, mg.asin, mg.acos, mg.atan, mg.tanh, mg.asinh, mg.atanh, mg.sinc, mg.deg2rad):
            assert pulled(f, 0, g, f(x), x).dtype == dtype, f
        assert pulled(mg.atan2, 0, g, mg.atan2(x, 0.5), x, 0.5).dtype == dtype
