"""Arithmetic: kinks, ties, zeros and infinities, integers, dtypes, and complex gradients."""

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad.ops.masks import masked
from minigrad.testing import gradcheck
from minigrad.testing.checks import pulled

INF, NAN = math.inf, math.nan


def leaf(x, dtype="float64"):
    return mg.tensor(np.array(x, dtype), requires_grad=True)


def slope(f, *xs, g=None):
    """The gradients of f at these numbers, as arrays."""
    ts = [leaf(x) for x in xs]
    with np.errstate(all="ignore"):
        y = f(*ts)
    gs = mg.grad(y, ts, np.ones(y.shape) if g is None else np.asarray(g))
    return [t.numpy() for t in gs] if len(gs) > 1 else gs[0].numpy()


def curve(f, x):
    """The second derivative of f, element by element."""
    x = leaf(x)
    with np.errstate(all="ignore"):
        (d,) = mg.grad(f(x), x, np.ones(x.shape), create_graph=True)
    return mg.grad(d, x, np.ones(x.shape))[0].numpy() if d.requires_grad else np.zeros(x.shape)


# -- conventions ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("f", "x", "want"),
    [
        (mg.abs, [-2, 0, 3], [-1, 0, 1]),
        (mg.sign, [-2, 0, 3], [0, 0, 0]),
        (mg.sqrt, [4, 0], [0.25, INF]),
        (mg.cbrt, [8, 0], [1 / 12, INF]),
        (mg.reciprocal, [2, 0], [-0.25, -INF]),
        (mg.floor, [1.5, 2.0], [0, 0]),
        (mg.ceil, [1.5, 2.0], [0, 0]),
        (mg.trunc, [1.5, 2.0], [0, 0]),
        (mg.rint, [1.5, 2.0], [0, 0]),
        (lambda x: mg.clip(x, -1, 1), [-2, -1, 0, 1, 2, NAN], [0, 1, 1, 1, 0, 0]),
        (lambda x: mg.maximum(x, 0.0), [-1, 0, 1, NAN], [0, 0.5, 1, 0]),
        (lambda x: mg.minimum(x, 0.0), [-1, 0, 1, NAN], [1, 0.5, 0, 0]),
        (lambda x: mg.nan_to_num(x, posinf=5.0), [NAN, INF, -INF, 2.0], [0, 0, 0, 1]),
        (lambda x: mg.copysign(x, -1.0), [-2, 0, 3], [1, 0, -1]),
    ],
)
def test_kinks(f, x, want):
    assert np.array_equal(slope(f, x), want)


@pytest.mark.parametrize("f", [mg.floor, mg.ceil, mg.trunc, mg.rint, mg.sign, mg.round, lambda x: mg.floor_divide(x, 2.0)])
def test_steps_stop_infinite_gradients(f):
    assert np.array_equal(slope(f, [1.2, -3.4], g=[INF, NAN]), [0, 0])


def test_ties_share_and_nothing_is_lost():
    for f in (mg.maximum, mg.minimum, mg.fmax, mg.fmin):
        a, b = slope(f, [1.0, 2.0, 3.0], [1.0, 3.0, 2.0])
        assert np.array_equal(a + b, [1, 1, 1])
        assert a[0] == b[0] == 0.5
    x = leaf([2.0])
    assert mg.grad(mg.maximum(x, x).sum(), x)[0].numpy() == 1


def test_fmax_and_fmin_pass_the_gradient_to_the_number():
    for f in (mg.fmax, mg.fmin):
        a, b = slope(f, [NAN, 1.0, NAN], [1.0, NAN, NAN])
        assert np.array_equal(a, [0, 1, 0])
        assert np.array_equal(b, [1, 0, 0])
        assert np.array_equal(slope(lambda x, f=f: f(x, 0.0), [NAN, 0.0]), [0, 0.5])


def test_an_infinite_gradient_does_not_leak_through_a_mask():
    with np.errstate(all="ignore"):
        assert np.array_equal(slope(lambda x: mg.sqrt(mg.maximum(x, 0.0)), [-1.0, 4.0]), [0, 0.25])
        assert np.array_equal(slope(lambda x: mg.sqrt(mg.clip(x, 0.0)), [-1.0, 4.0]), [0, 0.25])
    assert np.array_equal(masked(np.array([NAN, INF, 2.0]), np.array([False, False, True])), [0, 0, 2])


def test_clip_gives_the_bounds_their_gradient():
    dx, dlow, dhigh = slope(mg.clip, [-2.0, 0.0, 2.0, 0.0], [-1.0, -1.0, -1.0, 1.0], [1.0, 1.0, 1.0, -1.0])
    assert np.array_equal(dx, [0, 1, 0, 0])
    assert np.array_equal(dlow, [1, 0, 0, 0])
    assert np.array_equal(dhigh, [0, 0, 1, 1])
    assert np.array_equal(mg.clip(np.arange(5), 1, 3), [1, 1, 2, 3, 3])
    x = np.arange(3.0)
    assert mg.clip(x) is not x


def test_heaviside_takes_its_value_at_zero_from_b():
    a, b = slope(mg.heaviside, [0.0, 1.0, -1.0], [0.5, 0.5, 0.5])
    assert np.array_equal(a, [0, 0, 0])
    assert np.array_equal(b, [1, 0, 0])


# -- powers -----------------------------------------------------------------------------------------------------------
def test_powers_of_zero():
    for b in (0, 0.0):
        assert np.array_equal(slope(lambda x, b=b: x**b, [0.0, 2.0]), [0, 0])
    a, b = slope(mg.power, [0.0, 0.0, 0.0, 0.0], [0.0, 1.0, 2.0, 3.0])
    assert np.array_equal(a, [0, 1, 0, 0])
    assert np.array_equal(b, [0, 0, 0, 0])
    assert np.array_equal(slope(lambda y: 0.0**y, [0.0, 2.0]), [0, 0])
    assert np.array_equal(slope(lambda y: np.zeros(2) ** y, [0.0, 2.0]), [0, 0])


@pytest.mark.parametrize("b", [0, 1, 2, 3, 4, 5, 0.0, 1.0, 2.0, 3.0])
def test_powers_are_exact_to_second_order_at_and_below_zero(b):
    x = np.array([-3.0, -1.0, 0.0, 2.0])
    assert np.array_equal(mg.power(x, b), np.array([v**b for v in x]))
    assert np.array_equal(slope(lambda t: t**b, x), [b * v ** (b - 1) if b else 0 for v in x])
    assert np.array_equal(curve(lambda t: t**b, x), [b * (b - 1) * v ** (b - 2) if b > 1 else 0 for v in x])
    assert np.array_equal(curve(lambda t: mg.power(t, np.full(4, b)), x), [b * (b - 1) * v ** (b - 2) if b > 1 else 0 for v in x])


def test_power_mixed_derivative_where_the_exponent_is_zero():
    x, b = leaf([2.0]), leaf([0.0])
    (dx,) = mg.grad(x**b, x, np.ones(1), create_graph=True)
    assert mg.grad(dx, b, np.ones(1))[0].numpy() == 0.5  # a^(b-1) (1 + b log a)


def test_power_of_a_negative_base_has_no_gradient_to_the_exponent():
    a, b = slope(mg.power, [-2.0], [3.0])
    assert a == 12
    assert np.isnan(b)


def test_power_keeps_the_dtype():
    for d in ("float16", "float32", "float64"):
        x = np.array([1.5], d)
        for b in (2, 3, 0.5, -1, 2.5, 0):
            assert mg.power(x, b).dtype == d
            assert mg.power(leaf([1.5], d), b).dtype == d
        y = leaf([1.5], d)
        assert mg.grad((2.0**y).sum(), y)[0].dtype == d
    assert mg.power(np.array([2, 3]), 2).dtype.kind == "i"
    assert np.array_equal(mg.power(np.array([4, 9]), 0.5), [2, 3])
    assert np.array_equal(mg.float_power(np.array([2], "float32"), -2), [0.25])
    assert np.array_equal(mg.power(leaf([4.0]), np.array([2])).numpy(), [16])


def test_power_overflow_and_roots_agree_with_numpy():
    x = np.array([0.0, -0.0, INF, 1e200, 3.0])
    with np.errstate(all="ignore"):
        for b in (2, 3, 0.5, -1, 4, -2):
            assert np.array_equal(mg.power(x, b), x**b), b


# -- numbers of other kinds -------------------------------------------------------------------------------------------
def test_integers():
    assert mg.divide(np.array([1]), 2) == 0.5
    assert mg.reciprocal(np.array([4])) == 0.25
    assert mg.rsqrt(np.array([4])) == 0.5
    assert mg.sqrt(mg.tensor(np.array([4]))).dtype == np.float64
    for f in (mg.floor_divide, mg.remainder, mg.fmod, mg.divmod):
        for b in (0, np.array([0, 1]), mg.tensor(np.array([0]))):
            with pytest.raises(ZeroDivisionError):
                f(mg.tensor(np.array([1, 2])), b)
            with pytest.raises(ZeroDivisionError):
                f(np.array([1, 2], "uint8"), b)
        with np.errstate(all="ignore"):
            f(np.array([1.0]), 0)
            f(np.array([1]), 0.0)
    assert np.array_equal(mg.remainder(np.array([7, -7]), 4), [3, 1])
    assert np.array_equal(mg.fmod(np.array([7, -7]), 4), [3, -3])
    with pytest.raises(mg.errors.DTypeError, match="negative"):
        mg.negative(np.array([True]))


def test_numbers_and_lists_are_operands():
    assert mg.add([1.0, 2.0], 1)[1] == 3
    assert mg.hypot(3, 4) == 5
    assert mg.real(2.0) == 2
    assert mg.float_power(2, -1) == 0.5
    assert mg.lerp([0.0], [4.0], 0.25)[0] == 1
    assert mg.power(2.0, 3) == 8
    with pytest.raises(mg.errors.DTypeError):
        mg.add(leaf([1.0]), "a")


@pytest.mark.parametrize("name", ["absolute", "conjugate", "true_divide", "mod", "pow", "fix", "around"])
def test_aliases(name):
    first = {"absolute": "abs", "conjugate": "conj", "true_divide": "divide", "mod": "remainder"}
    first |= {"pow": "power", "fix": "trunc", "around": "round"}
    assert getattr(mg, name) is getattr(mg, first[name])


def test_real_and_imag_are_copies():
    z = np.array([1 + 2j])
    for f in (mg.real, mg.imag, mg.positive, mg.conj):
        for x in (z, np.array([1.0])):
            assert not np.shares_memory(f(x), x)


# -- extremes ---------------------------------------------------------------------------------------------------------
def test_hypot_does_not_overflow_and_is_flat_at_the_origin():
    assert np.array_equal(slope(mg.hypot, [0.0], [0.0]), [[0], [0]])
    a, b = slope(mg.hypot, [3e200], [4e200])
    assert np.allclose([a[0], b[0]], [0.6, 0.8])
    assert np.isfinite(mg.hypot(np.array([3e200]), 4e200))


def test_fmod_gradient_is_exact_for_close_quotients():
    a, b = 2.9999999999999996, 1.0  # trunc(a / b) is 2, a naive rounding gives 3
    assert slope(mg.fmod, [a], [b])[1] == -2
    assert slope(mg.remainder, [-a], [b])[1] == 3


def test_ldexp_is_exact():
    x = leaf([1.5], "float32")
    assert np.array_equal(mg.grad(mg.ldexp(x, np.array([-3])).sum(), x)[0].numpy(), [0.125])


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_narrow_dtypes_are_kept_by_rules(dtype):
    """Raw results of rules: the engine would hide a widening by its cast."""
    x, g = np.array([0.5, 0.75], dtype), np.ones(2, dtype)
    for f, b in {mg.maximum: 0.5, mg.fmin: 0.5, mg.hypot: x, mg.power: 2.5}.items():
        assert pulled(f, 0, g, f(x, b), x, b).dtype == dtype, f
    for f in (mg.abs, mg.square, mg.sqrt, mg.rsqrt, mg.cbrt, mg.sign):
        assert pulled(f, 0, g, f(x), x).dtype == dtype, f
    assert pulled(mg.power, 1, g, x, 2.0, x).dtype == dtype


def test_complex_modulus_and_sign_at_zero():
    z = mg.tensor(np.array([0j, 3 + 4j]), requires_grad=True)
    assert np.allclose(mg.grad(mg.abs(z).sum(), z)[0].numpy(), [0, 0.6 + 0.8j])
    assert np.isfinite(mg.grad(mg.real(mg.sign(z)).sum(), z)[0].numpy()).all()


def test_complex_mixed_with_real():
    x = mg.tensor(np.array([0.7, -1.3]), requires_grad=True)
    z = mg.tensor(np.array([0.2 + 1j, 1 - 0.5j]), requires_grad=True)
    for f in (mg.add, mg.subtract, mg.multiply, mg.divide):
        assert gradcheck(f, [x, z])
        assert gradcheck(f, [z, x])
    assert gradcheck(lambda z: z**3, [z])
    assert gradcheck(lambda x: mg.abs(x) ** (1 + 2j), [x])


@pytest.mark.torch
def test_same_conventions_as_torch():
    torch = pytest.importorskip("torch")
    x = np.array([-2.0, -0.5, 0.0, 0.5, 2.0])
    for ours, theirs in [
        (mg.abs, torch.abs),
        (mg.sign, torch.sign),
        (lambda t: mg.clip(t, -0.5, 0.5), lambda t: torch.clamp(t, -0.5, 0.5)),
        (lambda t: mg.maximum(t, t * 0), lambda t: torch.maximum(t, t * 0)),
        (lambda t: mg.hypot(t, t * 2), lambda t: torch.hypot(t, t * 2)),
        (lambda t: mg.power(t, 0), lambda t: torch.pow(t, 0)),
        (lambda t: mg.copysign(t, -1.0), lambda t: torch.copysign(t, torch.tensor(-1.0))),
    ]:
        t = torch.tensor(x, requires_grad=True)
        theirs(t).sum().backward()
        got = slope(ours, x)
        assert np.allclose(got[np.isfinite(t.grad.numpy())], t.grad.numpy()[np.isfinite(t.grad.numpy())])
