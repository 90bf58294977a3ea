"""Special functions where the table does not reach: extremes, kinks, poles, derivatives at 0 and of high order, refusals."""

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import DTypeError, GraphError, IndexRangeError

sp = mg.special
inf, nan = math.inf, math.nan


def leaf(*values):
    return mg.tensor(np.array(values, dtype=np.float64), requires_grad=True)


def slopes(f, *values):
    """The derivative of f at each value."""
    x = leaf(*values)
    f(x).backward(np.ones(len(values)))  # no sum: the values may be inf and -inf
    return x.grad.numpy()


def at(f, x, order):
    """The derivative of f of this order at one point."""
    x = mg.tensor(np.array(float(x)), requires_grad=True)
    y = f(x)
    for _ in range(order):
        (y,) = mg.grad(y, x, create_graph=True)
    return y.item()


# -- values, computed with mpmath -------------------------------------------------------------------------------------
VALUES = [
    (
        sp.erf,
        {
            1e-300: 1.1283791670955126e-300,
            1e-9: 1.1283791670955127e-9,
            0.3: 0.3286267594591274,
            1: 0.8427007929497149,
            2.5: 0.999593047982555,
        },
    ),
    (
        sp.erfc,
        {
            0.5: 0.4795001221869535,
            5: 1.537459794428035e-12,
            25: 8.300172571196523e-274,
            26.5: 2.2109076642637343e-307,
            -3: 1.9999779095030015,
        },
    ),
    (sp.erfcx, {-20: 1.0442939379528289e174, 0.1: 0.8964569799691267, 10: 0.05614099274382259, 1e10: 5.641895835477563e-11}),
    (sp.erfinv, {1e-12: 8.86226925452758e-13, 0.5: 0.4769362762044699, -0.999999: -3.458910737275499}),
    (
        sp.ndtr,
        {-37: 5.725571222524577e-300, -10: 7.619853024160525e-24, -1: 0.15865525393145705, 1: 0.8413447460685429, 8: 0.9999999999999993},
    ),
    (
        sp.log_ndtr,
        {-40: -804.6084420137538, -20: -203.91715537109727, -1.5: -2.7059444008238898, 0: -0.6931471805599453, 10: -7.619853024160525e-24},
    ),
    (sp.ndtri, {1e-300: -37.0470962993612, 1e-10: -6.361340902404057, 0.3: -0.5244005127080408, 0.95: 1.6448536269514722}),
    (
        sp.gammaln,
        {
            1e-300: 690.7755278982137,
            0.1: 2.252712651734206,
            1.0001: -5.771334222047127e-05,
            1.9999: -4.227520877215346e-05,
            3: 0.6931471805599453,
        },
    ),
    (
        sp.gammaln,
        {
            100: 359.1342053695754,
            1e300: 6.897755278982137e302,
            -0.5: 1.2655121234846454,
            -2.5: -0.056243716497674054,
            -10.1: -13.0209732710115,
        },
    ),
    (
        sp.gamma,
        {
            0.5: 1.772453850905516,
            10.3: 716430.6890623764,
            171.5: 9.4833675668248e307,
            -1.5: 2.363271801207355,
            -20.5: -2.834656574391335e-19,
        },
    ),
    (sp.digamma, {1e-10: -10000000000.577215, 0.5: -1.9635100260214235, 1.4616321449: -6.615230062364537e-11, 1e10: 23.025850929890456}),
    (sp.digamma, {-0.5: 0.03648997397857652, -3.3: 3.620353460592126}),
    (lambda x: sp.polygamma(1, x), {0.1: 101.43329915079275, 30: 0.033895060357739946, -1.5: 9.379246644989124}),
    (lambda x: sp.polygamma(3, x), {-0.7: 768.1313523268526}),
    (lambda x: sp.polygamma(10, x), {2.5: -156.229596593233}),
    (sp.i0, {1e-5: 1.000000000025, 10: 2815.7166284662544, 29.9: 708478330489.0145, 30.1: 862432920031.7792, -700: 1.5295933476718737e302}),
    (
        sp.i1,
        {
            1e-5: 5.0000000000625004e-06,
            10: 2670.9883037012546,
            29.9: 696528308361.0927,
            30.1: 847983630191.5414,
            -700: -1.5285003902339006e302,
        },
    ),
    (sp.i0e, {1000: 0.012617240455891257}),
    (sp.i1e, {1000: 0.012610930256928629, -1000: -0.012610930256928629}),
    (sp.log1mexp, {1e-20: -46.051701859880914, 50: -1.9287498479639178e-22}),
    (sp.log_expit, {-1000: -1000.0, 50: -1.9287498479639178e-22}),
]


@pytest.mark.parametrize(("f", "table"), VALUES)
def test_values(f, table):
    x = np.array([float(k) for k in table])
    np.testing.assert_allclose(f(x), list(table.values()), rtol=2e-14)
    with np.errstate(all="ignore"):
        single = x.astype(np.float32).astype(np.float64)
        np.testing.assert_allclose(f(x.astype(np.float32)), f(single).astype(np.float32), rtol=1e-6, atol=1e-37)


PAIRS = [
    (
        sp.betaln,
        {
            (1e10, 1): -23.025850929940457,
            (1e8, 1e8): -138629444.05681732,
            (0.1, 1e6): 0.8711616409377844,
            (1, 1): 0.0,
            (1e-10, 5): 23.025850929732123,
        },
    ),
    (
        sp.gammainc,
        {
            (1e-5, 0.5): 0.9999944022347146,
            (0.5, 1e-10): 1.1283791670579e-05,
            (10, 3): 0.0011024881301154798,
            (100, 120): 0.9721362601094793,
        },
    ),
    (sp.gammainc, {(1000, 900): 0.0005499022657117829, (9295631.302447902, 9279932.950069541): 1.2907198980166117e-7}),
    (
        sp.gammaincc,
        {
            (1e-5, 0.5): 5.59776528542266e-06,
            (0.5, 100): 2.088487583762545e-45,
            (10, 30): 7.121750862815577e-06,
            (100, 80): 0.9828916869648668,
        },
    ),
    (sp.gammaincc, {(1000, 1100): 0.0010593232539299773}),
    (sp.zeta, {(2, 1): math.pi**2 / 6, (4, 1): math.pi**4 / 90, (2, 0.5): math.pi**2 / 2}),
]


@pytest.mark.parametrize(("f", "table"), PAIRS)
def test_values_of_two(f, table):
    a, b = np.array(list(table), dtype=np.float64).T
    np.testing.assert_allclose(f(a, b), list(table.values()), rtol=1e-13, atol=1e-16)


def test_factorials_are_exact():
    np.testing.assert_array_equal(sp.gamma(np.arange(1.0, 19.0)), [float(math.factorial(k)) for k in range(18)])


def test_zeros_are_exact():
    np.testing.assert_array_equal(sp.gammaln(np.array([1.0, 2.0])), [0.0, 0.0])
    assert abs(sp.gammaln(np.array(2.0 - 2**-50)) / (-(2**-50) * (1 - np.euler_gamma)) - 1) < 1e-14


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_erf_stays_within_one_and_reaches_it(dtype):
    x = np.linspace(-8, 8, 100001).astype(dtype)
    y = sp.erf(x)
    assert np.abs(y).max() == 1 == y[-1] == -y[0]
    np.testing.assert_array_equal(y, -sp.erf(-x))
    assert sp.erf(dtype(inf)) == 1


def test_limits_and_poles_without_warnings():
    def check(f, x, want):
        np.testing.assert_array_equal(f(np.array(x, dtype=np.float64)), want)

    check(sp.erf, [inf, -inf, nan, -0.0], [1, -1, nan, -0.0])
    check(sp.erfc, [inf, -inf, nan], [0, 2, nan])
    check(sp.erfcx, [inf, -inf, nan], [0, inf, nan])
    check(sp.erfinv, [1, -1, 1.5, nan], [inf, -inf, nan, nan])
    check(sp.ndtr, [inf, -inf, nan], [1, 0, nan])
    check(sp.log_ndtr, [inf, -inf, nan], [0, -inf, nan])
    check(sp.ndtri, [0, 1, -0.1, 1.1, nan], [-inf, inf, nan, nan, nan])
    check(sp.gammaln, [0, -1, -2, inf, -inf, nan], [inf, inf, inf, inf, inf, nan])
    check(sp.gamma, [0, -0.0, -1, inf, -inf, 172, nan], [inf, -inf, nan, inf, nan, inf, nan])
    check(sp.digamma, [0, -0.0, -1, -2, inf, nan], [-inf, inf, nan, nan, inf, nan])
    check(lambda x: sp.polygamma(1, x), [0, -1, inf, nan], [inf, inf, 0, nan])
    check(lambda x: sp.polygamma(2, x), [0, -1, nan], [-inf, -inf, nan])
    check(lambda x: sp.zeta(2.0, x), [0, -1, -0.5, nan], [inf, inf, nan, nan])
    check(lambda x: sp.zeta(x, 1.0), [1, 0.5, nan], [inf, nan, nan])
    check(sp.i0, [inf, -inf, 1e300, nan], [inf, inf, inf, nan])
    check(sp.i1, [inf, -inf, -1e300, nan, 0], [inf, -inf, -inf, nan, 0])
    check(sp.i0e, [inf, nan], [0, nan])
    check(sp.logit, [0, 1, -0.1, 0.5, nan], [-inf, inf, nan, 0, nan])
    check(sp.entr, [0, 1, -1, inf, nan], [0, 0, -inf, -inf, nan])
    check(sp.log1mexp, [0, inf, -1, nan], [-inf, 0, nan, nan])
    check(lambda x: sp.gammainc(x, 1.0), [0, inf, -1, nan], [1, 0, nan, nan])
    check(lambda x: sp.gammainc(2.0, x), [0, inf, -1, nan], [0, 1, nan, nan])
    check(lambda x: sp.gammaincc(2.0, x), [0, inf, -1, nan], [1, 0, nan, nan])
    np.testing.assert_array_equal(sp.gammainc([0.0, inf], [0.0, inf]), [nan, nan])
    np.testing.assert_array_equal(sp.xlogy([0.0, 0, 0, 0, 1], [0.0, -1, inf, nan, 0]), [0, 0, 0, nan, -inf])
    np.testing.assert_array_equal(sp.xlog1py([0.0, 0, 0, 1], [-1.0, -2, nan, -1]), [0, 0, nan, -inf])
    np.testing.assert_array_equal(sp.rel_entr([0.0, 0, 1, -1, 1, nan], [0.0, 1, 0, 1, -1, 1]), [0, 0, inf, inf, inf, nan])
    np.testing.assert_array_equal(sp.kl_div([0.0, 0, 1, 1, -1, nan, 1], [0.0, 2, 1, 0, 1, 1, nan]), [0, 2, 0, inf, inf, nan, nan])
    np.testing.assert_array_equal(sp.logdiffexp([1.0, 1, -inf, 2], [1.0, 2, -inf, -inf]), [-inf, nan, -inf, 2])


def test_logit_and_divergence_near_their_zeros():
    e = 2.0**-40
    np.testing.assert_allclose(sp.logit(np.array([0.5 + e, 0.5 - e])), [4 * e, -4 * e], rtol=1e-15)
    np.testing.assert_allclose(sp.kl_div(1.0, np.array([1 + e])), [e * e / 2], rtol=1e-11)
    np.testing.assert_allclose(sp.rel_entr(np.array([1.0]), 1 + e), [-e], rtol=1e-11)


# -- gradients at kinks and extremes ----------------------------------------------------------------------------------
def test_xlogy_at_zero():
    x, y = leaf(0, 0, 0, 2), leaf(0, 3, -1, 0.5)
    sp.xlogy(x, y).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [0, math.log(3), 0, math.log(0.5)])
    np.testing.assert_allclose(y.grad.numpy(), [0, 0, 0, 4])
    x, y = leaf(0, 0, 2), leaf(-1, 3, 1)
    sp.xlog1py(x, y).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [0, math.log(4), math.log(2)])
    np.testing.assert_allclose(y.grad.numpy(), [0, 0, 1])


def test_xlogy_mixed_second_derivative_at_x_zero():
    x, y = leaf(0.0), leaf(4.0)
    (dy,) = mg.grad(sp.xlogy(x, y).sum(), y, create_graph=True)
    assert mg.grad(dy.sum(), x)[0].item() == 0.25


def test_entropies_at_the_edge():
    np.testing.assert_array_equal(slopes(sp.entr, 0, 1), [inf, -1])
    x, y = leaf(0, 0, 1), leaf(0.5, 0, 2)
    sp.rel_entr(x, y).sum().backward()
    assert x.grad.numpy()[0] == -inf
    np.testing.assert_allclose(y.grad.numpy(), [0, 0, -0.5])


def test_infinite_slopes():
    np.testing.assert_array_equal(slopes(sp.erfinv, -1, 1), [inf, inf])
    np.testing.assert_array_equal(slopes(sp.ndtri, 0, 1), [inf, inf])
    np.testing.assert_array_equal(slopes(sp.logit, 0, 1), [inf, inf])


def test_slopes_at_extremes():
    np.testing.assert_array_equal(slopes(sp.erf, -1e200, inf), [0, 0])
    np.testing.assert_allclose(slopes(sp.log_ndtr, -1e10, -40, 40, inf), [1e10, 40.024968827, 0, 0], rtol=1e-9, atol=1e-300)
    np.testing.assert_allclose(slopes(sp.log_expit, -1000, 1000), [1, 0])
    np.testing.assert_array_equal(slopes(lambda x: sp.gammainc(1.0, x), 0, 800), [1, 0])
    np.testing.assert_array_equal(slopes(lambda x: sp.gammainc(0.5, x), 0), [inf])
    np.testing.assert_array_equal(slopes(lambda x: sp.gammaincc(2.0, x), 0), [0])


def test_bessel_derivatives_at_zero_of_every_order():
    # I_0 = 1 + x**2/4 + x**4/64 + ...
    assert [at(sp.i0, 0, k) for k in range(7)] == pytest.approx([1, 0, 1 / 2, 0, 3 / 8, 0, 5 / 16], abs=1e-15)
    assert [at(sp.i1, 0, k) for k in range(6)] == pytest.approx([0, 1 / 2, 0, 3 / 8, 0, 5 / 16], abs=1e-15)
    assert at(sp.i0e, 0, 1) == 0
    assert at(sp.i1e, 0, 1) == 0.5


def test_bessel_derivatives_elsewhere():
    x = 2.5
    i = lambda n: float(sum((x / 2) ** (2 * k + n) / (math.factorial(k) * math.factorial(k + n)) for k in range(40)))  # noqa: E731
    assert at(sp.i0, x, 3) == pytest.approx((i(3) + 3 * i(1)) / 4, rel=1e-13)
    assert at(sp.i1, -x, 2) == pytest.approx(-(i(3) + 3 * i(1)) / 4, rel=1e-13)
    assert at(sp.i0e, x, 1) == pytest.approx(math.exp(-x) * (i(1) - i(0)), rel=1e-13)
    assert at(sp.i1e, -x, 1) == pytest.approx(math.exp(-x) * ((i(0) + i(2)) / 2 - i(1)), rel=1e-13)


def test_gammaln_derivatives_of_every_order():
    zeta3, zeta5 = 1.2020569031595942, 1.0369277551433699
    want = [0, -np.euler_gamma, math.pi**2 / 6, -2 * zeta3, math.pi**4 / 15, -24 * zeta5]
    assert [at(sp.gammaln, 1, k) for k in range(6)] == pytest.approx(want, rel=1e-14)
    assert at(sp.digamma, -0.5, 1) == pytest.approx(math.pi**2 / 2 + 4, rel=1e-14)
    assert at(sp.gamma, 1, 2) == pytest.approx(np.euler_gamma**2 + math.pi**2 / 6, rel=1e-14)
    assert at(lambda x: sp.polygamma(0, x), 1, 1) == pytest.approx(math.pi**2 / 6, rel=1e-14)


def test_zeta_and_incomplete_gamma_refuse_the_other_gradient():
    for f, word in ((sp.zeta, "with respect to s"), (sp.gammainc, "with respect to a"), (sp.gammaincc, "with respect to a")):
        a, x = leaf(2.5), leaf(1.5)
        y = f(a, x).sum()
        with pytest.raises(GraphError) as caught:
            y.backward()
        assert f.__name__ in str(caught.value)
        assert word in str(caught.value)
        assert a.grad is None
        assert x.grad is None
        assert mg.grad(f(a, x).sum(), x)[0].shape == (1,)


def test_incomplete_gamma_slope_for_large_a():
    a = 1e6
    want = math.exp(-1 / (12 * a)) / math.sqrt(2 * math.pi * a)  # Stirling, at x = a
    np.testing.assert_allclose(slopes(lambda x: sp.gammainc(a, x), a), [want], rtol=1e-13)


def test_incomplete_gamma_mixed_derivative():
    a, x = leaf(2.5), leaf(1.5)
    (density,) = mg.grad(sp.gammainc(a, x).sum(), x, create_graph=True)
    want = density.item() * (math.log(1.5) - sp.digamma(2.5))
    assert mg.grad(density.sum(), a)[0].item() == pytest.approx(want, rel=1e-14)


# -- arguments --------------------------------------------------------------------------------------------------------
ONE = ["erf", "erfc", "erfcx", "erfinv", "ndtr", "log_ndtr", "ndtri", "gammaln", "gamma", "digamma"]
ONE += ["i0", "i1", "i0e", "i1e", "logit", "entr", "log1mexp"]
TWO = ["zeta", "beta", "betaln", "xlogy", "xlog1py", "rel_entr", "kl_div", "logdiffexp", "gammainc", "gammaincc"]


@pytest.mark.parametrize("name", ONE)
def test_one_argument(name):
    f = getattr(sp, name)
    assert f([0.25, 0.5]).dtype == np.float64
    assert f(np.array([0, 1])).dtype == np.float64
    assert f(np.array([True])).dtype == np.float64
    assert float(f(0.5)) == f(np.array([0.5]))[0]
    assert f(mg.tensor(0.5)).shape == ()
    with pytest.raises(DTypeError, match=name):
        f(np.array([1j]))


@pytest.mark.parametrize("name", TWO)
def test_two_arguments(name):
    f = getattr(sp, name)
    x = mg.tensor(np.full(3, 1.5, np.float32))
    for y in (f(x, 0.5), f(1.5, x), f(2, x), f(x, x)):
        assert y.dtype == np.float32
    assert f(x, np.full((2, 1), 0.5)).dtype == np.float64
    assert f(x, np.full((2, 1), 0.5)).shape == (2, 3)
    with pytest.raises(DTypeError, match=name):
        f(np.array([1j]), 1.0)


def test_bfloat16():
    kind = pytest.importorskip("ml_dtypes").bfloat16
    x = mg.tensor(np.array([0.5, 1.5], dtype=kind))
    for f in (sp.erf, sp.gammaln, sp.i0):
        y = f(x)
        assert y.dtype == kind
        np.testing.assert_allclose(y.numpy().astype(float), f(np.array([0.5, 1.5])), rtol=1e-2)


def test_polygamma_arguments():
    np.testing.assert_array_equal(sp.polygamma(0, [2.0]), sp.digamma([2.0]))
    assert sp.polygamma(np.int64(1), mg.tensor([2.0])).dtype == np.float32
    with pytest.raises(DTypeError, match=r"\(n, x\)"):
        sp.polygamma(mg.tensor([2.0]), 1)
    with pytest.raises(IndexRangeError):
        sp.polygamma(151, [1.0])


def test_every_public_name_is_there():
    for name in sp.__all__:
        assert callable(getattr(sp, name))
        assert getattr(sp, name).__doc__


@pytest.mark.torch
@pytest.mark.parametrize("name", [*ONE, "xlogy", "gammainc", "gammaincc"])
def test_against_torch(name):
    torch = pytest.importorskip("torch")
    theirs = {
        "gamma": lambda x: torch.special.gammaln(x).exp(),
        "log_expit": torch.nn.functional.logsigmoid,
        "log1mexp": lambda x: (-(-x).expm1()).log(),
    }
    f = theirs.get(name) or getattr(torch.special, name)
    x = np.linspace(0.05, 0.95, 37)
    t = torch.tensor(x, requires_grad=True)
    u = leaf(*x)
    args, params = ((t,), (u,)) if name in ONE else ((torch.tensor(1.7), t), (1.7, u))
    y, v = f(*args), getattr(sp, name)(*params)
    np.testing.assert_allclose(v.detach().numpy(), y.detach().numpy(), rtol=1e-6 if name not in ONE else 1e-12, atol=1e-13)
    y.sum().backward()
    v.sum().backward()
    np.testing.assert_allclose(u.grad.numpy(), t.grad.numpy(), rtol=1e-6 if name not in ONE else 1e-9)  # torch's trigamma is off by 5e-10
