"""Elementwise kernels in C: errors in units of the last place over all of float32, the ends of the range, the op table in C."""

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad.autograd.conform import LARGE_ADD
from minigrad.backend import compiled
from minigrad.backend.compiled import library
from minigrad.nn import functional as act
from minigrad.ops import activation, exponential, rectifiers, trigonometric
from minigrad.ops.masks import gated, masked
from minigrad.testing import checks
from minigrad.testing.opdb import all_specs

INF, NAN = math.inf, math.nan
ONE = {
    "relu": mg.relu,
    "exp": mg.exp,
    "log": mg.log,
    "rsqrt": mg.rsqrt,
    "tanh": mg.tanh,
    "erf": mg.special.erf,
    "sigmoid": mg.sigmoid,
    "silu": act.silu,
    "gelu": act.gelu,
    "gelu_tanh": lambda x: act.gelu(x, approximate="tanh"),
    "hardsigmoid": act.hardsigmoid,
    "hardswish": act.hardswish,
    "hardtanh": lambda x: act.hardtanh(x, -1.0, 2.5),
    "softshrink": act.softshrink,
    "hardshrink": act.hardshrink,
    "threshold": lambda x: act.threshold(x, 0.5, -3.0),
    "elu": lambda x: act.celu(x, 0.7),
    "softplus": lambda x: act.softplus(x, 2.0),
    "logsigmoid": act.logsigmoid,
    "mish": act.mish,
}
TWO = {
    "gated": gated,
    "tanh_gradient": trigonometric.tanh_gradient,
    "sigmoid_gradient": exponential.sigmoid_gradient,
    "silu_gradient": activation.silu_gradient,
    "gelu_gradient": activation.gelu_gradient,
    "gelu_tanh_gradient": activation.gelu_tanh_gradient,
    "hardsigmoid_gradient": rectifiers.hardsigmoid_gradient,
    "hardswish_gradient": rectifiers.hardswish_gradient,
    "hardtanh_gradient": lambda g, y: rectifiers._hardtanh_gradient(g, y, -1.0, 2.5),
    "shrink_gradient": lambda g, x: rectifiers._shrink_gradient(g, x, 0.5),
    "threshold_gradient": lambda g, x: rectifiers._threshold_gradient(g, x, 0.5),
    "elu_gradient": lambda g, y: rectifiers._elu_gradient(g, y, 0.7, 1.0, 1 / 0.7),
    "softplus_gradient": lambda g, x: activation._softplus_gradient(g, x, 2.0, 20.0),
    "logsigmoid_gradient": activation.logsigmoid_gradient,
    "mish_gradient": activation.mish_gradient,
}
OF_OUTPUTS = {f"{n}_gradient" for n in ("tanh", "sigmoid", "elu", "logsigmoid", "hardsigmoid", "hardtanh")}
MASKS = {"gated", "hardsigmoid_gradient", "hardtanh_gradient", "shrink_gradient", "threshold_gradient"}
ROWS = (
    "exp",
    "log",
    "rsqrt",
    "tanh",
    "relu",
    "sigmoid",
    "special.erf",
    "nn.functional.gelu",
    "nn.functional.silu",
    "nn.functional.relu",
    *[f"nn.functional.{n}" for n in ("leaky_relu", "prelu", "relu6", "hardtanh", "hardsigmoid", "hardswish", "threshold", "softshrink")],
    *[f"nn.functional.{n}" for n in ("hardshrink", "elu", "celu", "selu", "softplus", "logsigmoid", "mish", "maxout", "crelu")],
    *[f"nn.functional.{n}" for n in ("glu", "swiglu", "geglu", "reglu")],
    "where",
)
"""The rows of the op table that use all of these."""


@pytest.fixture(autouse=True)
def everywhere(in_c):
    with compiled.everywhere(), np.errstate(all="ignore"):
        yield


def line(n=200_000):
    """Numbers over the whole range of float32, evenly by their bits, denormal ones too, of both signs."""
    last = np.array(3.4e38, "float32").view("int32")
    x = np.linspace(1, int(last), n).astype("int32").view("float32")
    near = np.linspace(-12, 12, n).astype("float32")
    return np.concatenate([x, -x, near])


EDGES = np.array(
    [NAN, INF, -INF, 0.0, -0.0, 1e-45, -1e-45, 1.2e-38, 0.5, -0.5, 1, -1, 15, -15, 88.7, 88.8, -87.5, -104, 3e38, -3e38], "float32"
)


def numpys(f, *xs):
    with compiled.disabled():
        return f(*xs)


def same(a, b):
    """The same NaN, infinities and signs of zero."""
    special = ~np.isfinite(b) | (b == 0)
    return np.array_equal(a[special], b[special], equal_nan=True) and np.array_equal(np.signbit(a[b == 0]), np.signbit(b[b == 0]))


def distance(y, exact):
    """The largest error in units of the last place of float32, where the exact result is in its range."""
    exact = exact.astype("float64")
    fits = np.isfinite(exact) & (np.abs(exact) < 3.4e38)
    ulp = np.spacing(np.maximum(np.abs(exact[fits]), 1.2e-38).astype("float32"))
    return float((np.abs(y[fits].astype("float64") - exact[fits]) / ulp).max())


@pytest.mark.parametrize("row", [s for s in all_specs() if s.name in ROWS], ids=lambda s: s.name)
@pytest.mark.parametrize("check", [*checks.ALWAYS, *checks.DIFFERENTIABLE], ids=lambda c: c.__name__)
def test_the_table_in_c(check, row):
    if check is not checks.bad or row.errors:
        check(row)


def test_every_kernel_is_in_use(in_c):
    x = np.linspace(-2, 2, 50, dtype="float32")
    for f in ONE.values():
        t = mg.tensor(x, requires_grad=True)
        mg.grad(f(t).sum(), t)
    act.prelu(x, np.float32([0.5])), mg.where(x > 0, x, 0.0), masked(x, x > 0)
    wanted = {*ONE, *TWO, "prelu", "where", "masked"}
    assert wanted <= set(in_c)


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        *[("relu", 0), ("exp", 1.1), ("log", 1), ("tanh", 2), ("erf", 3), ("sigmoid", 3), ("silu", 4), ("gelu", 9), ("gelu_tanh", 12)],
        *[("hardtanh", 0), ("threshold", 0), ("softshrink", 0.5), ("hardshrink", 0), ("hardsigmoid", 2), ("elu", 3), ("rsqrt", 1.5)],
        *[("softplus", 3), ("logsigmoid", 3), ("mish", 5)],
    ],
)
def test_errors_are_as_stated(name, limit):
    x = line()
    low = {"silu": -80, "mish": -80, "gelu": -12, "gelu_tanh": -2, "softplus": -40}.get(name)
    if low is not None:
        x = x[x > low]  # beyond, the result is a denormal number, or its argument's errors grow
    if name == "hardsigmoid":
        x = x[np.abs(x + 3) > 0.1]  # where 3 and x do not cancel
    exact = numpys(ONE[name], x.astype("float64"))
    assert distance(ONE[name](x), exact) <= limit


@pytest.mark.parametrize("name", ONE)
def test_ends_are_those_of_numpy(name):
    assert same(ONE[name](EDGES), numpys(ONE[name], EDGES))
    if name == "relu":
        assert same(ONE[name](EDGES.astype("float64")), numpys(ONE[name], EDGES.astype("float64")))


@pytest.mark.parametrize("name", TWO)
def test_slopes_are_those_of_numpy(name):
    x = line(20_000)
    x = x[np.abs(x) < 1e4]  # where no form overflows in between
    if name in OF_OUTPUTS:
        x = ONE[name.removesuffix("_gradient")](x)
    g = np.resize(np.array([1, -2.5, 1e-3], "float32"), x.shape)
    want = numpys(TWO[name], g.astype("float64"), x.astype("float64"))
    got = TWO[name](g, x)
    assert np.abs(got - want).max() <= 3e-6
    assert np.isnan(TWO[name](np.full(EDGES.shape, NAN, "float32"), EDGES)).sum() == (
        np.isnan(numpys(TWO[name], np.full(EDGES.shape, NAN, "float32"), EDGES)).sum() if name in MASKS else len(EDGES)
    )
    edges = EDGES if name in MASKS else EDGES[(np.abs(EDGES) < 100) | ~np.isfinite(EDGES)]  # NumPy's own form overflows in between
    if name in OF_OUTPUTS:
        edges = np.array([-1, -0.5, -0.0, 0, 0.5, 1, NAN], "float32")
    for v in (1.0, -3.0, 0.0, INF):
        a, b = TWO[name](np.full_like(edges, v), edges), numpys(TWO[name], np.full_like(edges, v), edges)
        assert np.array_equal(np.isnan(a), np.isnan(b))
        assert np.array_equal(np.isinf(a), np.isinf(b))


@pytest.mark.parametrize("name", TWO)
def test_second_order(name):
    rng = np.random.default_rng(0)
    g, x = rng.normal(size=(2, 3, 4))
    mg.testing.gradcheck(TWO[name], [mg.tensor(g, requires_grad=True), mg.tensor(x + np.sign(x) * 0.1, requires_grad=True)])


@pytest.mark.parametrize("name", [*ONE, *TWO])
def test_layouts(name, in_c):
    """Any dense order of the axes is C's, the rest is NumPy's; the result is the same and lies alike."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0.1, 0.9, (2, 6, 5, 4)).astype("float32")
    arrays = [x, x.transpose(0, 3, 1, 2), np.asfortranarray(x), x[:, ::2], x[..., ::-1], x[0, 0, 0], x[0, 0, 0, 0], x[:0], x.astype(">f4")]
    arrays += [x.astype("float64"), x.astype("float16"), np.broadcast_to(x[:, :1], x.shape)]
    for a in arrays:
        a = np.asarray(a)
        a.flags.writeable = False
        args = (a,) if name in ONE else (a, a)
        f = ONE.get(name) or TWO[name]
        y, want = np.asarray(f(*args)), np.asarray(numpys(f, *args))
        assert y.dtype == want.dtype
        assert np.allclose(y, want, rtol=2e-6 if y.dtype.itemsize > 2 else 2e-3, atol=1e-7)
    assert in_c[name] >= 4


@pytest.mark.parametrize("name", TWO)
def test_two_arrays_that_do_not_lie_alike(name, in_c):
    f = TWO[name]
    x = np.linspace(0.1, 0.9, 12, dtype="float32").reshape(3, 4)
    for a, b in [(x, np.asfortranarray(x)), (x, x[:1]), (x, x[0, 0]), (x, x.astype("float64")), (x, np.float32(0.5)), (x, x[:, :1])]:
        assert np.allclose(f(a, b), numpys(f, a, b), rtol=1e-6)
    assert not in_c[name]


def attach():
    for family in ("elementwise", "activations"):
        library.attach(library.load(family))


@pytest.mark.parametrize("name", [*ONE, *TWO])
def test_results_do_not_depend_on_threads_or_addresses(name, monkeypatch):
    f = ONE.get(name) or TWO[name]
    x = np.linspace(-5, 5, 100_003).astype("float32")
    args = (x,) if name in ONE else (x[::-1].copy(), x)
    results = []
    for n in (1, 2, 3, 7):
        monkeypatch.setenv("MINIGRAD_THREADS", str(n))
        attach()
        results.append(f(*args))
    monkeypatch.undo()
    attach()
    for shift in (1, 3):  # and of whole arrays that begin elsewhere in a line of the cache
        moved = [np.concatenate([a[:shift], a])[shift:] for a in args]
        results.append(f(*moved))
    assert all(np.array_equal(r, results[0], equal_nan=True) for r in results)


@pytest.mark.parametrize("name", ["glu", "swiglu", "geglu", "reglu"])
@pytest.mark.parametrize(("shape", "axis"), [((5, 34), -1), ((3, 6, 7), 1), ((130,), 0), ((2, 1, 4, 4, 16), 3)])
def test_gates(name, shape, axis, in_c):
    f, x = getattr(act, name), np.random.default_rng(0).normal(size=shape).astype("float32") * 3

    def both(x):
        t = mg.tensor(x, requires_grad=True)
        y = f(t, axis)
        return y.numpy(), mg.grad(y, t, np.cos(np.arange(y.size)).reshape(y.shape).astype(x.dtype))[0].numpy()

    for got, want in zip(both(x), numpys(both, x.astype("float64")), strict=True):
        assert np.abs(got - want).max() < 4e-6
    assert in_c[name] == in_c[f"{name}_gradient"] == 1
    for v in EDGES:
        x.reshape(-1)[::3] = v
        assert all(map(np.array_equal, map(np.isnan, both(x)), map(np.isnan, numpys(both, x))))


@pytest.mark.parametrize(
    ("shape", "width"), [((100, 37), (37,)), ((100, 37), (1,)), ((3, 5, 7, 11), (5,)), ((3, 1, 7), (1,)), ((70,), ()), ((1, 900), (900,))]
)
def test_prelu(shape, width, in_c, monkeypatch):
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=shape).astype("float32"), rng.normal(size=width).astype("float32")
    x.reshape(-1)[: len(EDGES)] = EDGES
    want = numpys(act.prelu, x, w)
    for n in (1, 2, 7):
        monkeypatch.setenv("MINIGRAD_THREADS", str(n))
        attach()
        assert np.array_equal(act.prelu(x, w), want, equal_nan=True)
    monkeypatch.undo()
    attach()
    assert in_c["prelu"] == 3
    strange = [x.astype("float64"), np.asfortranarray(x), x[::2]]
    assert all(np.array_equal(act.prelu(a, w), numpys(act.prelu, a, w), equal_nan=True) for a in strange)


def test_where_and_masked(in_c):
    x = np.resize(EDGES, (40, 50))
    y, mask = x[::-1].copy(), np.arange(x.size).reshape(x.shape) % 3 == 0
    for args in [(mask, x, y), (mask, x, 2.5), (mask, -1, y), (mask, x, -0.0), (mask, math.inf, x)]:
        assert mg.where(*args).tobytes() == np.where(*args).astype("float32").tobytes()
    assert in_c["where"] == 5
    others = [(mask, mask, x), (mask, x, mask), (mask, 1.0, 2.0), (mask, x, np.float64(2)), (mask, x, y[0]), (mask.T, x.T, 1.0)]
    others += [(mask * 2, x, y), (mask, x.astype("float64"), y), (mask, x.astype(">f4"), y), (mask[:, :1], x, y), (mask, np.float32(1), x)]
    for args in others:
        got, want = mg.where(*args), np.where(*args)
        assert got.dtype == want.dtype
        assert np.array_equal(got, want, equal_nan=True)
    assert in_c["where"] == 5
    assert masked(x, mask).tobytes() == np.where(mask, x, np.float32(0)).tobytes()
    assert np.array_equal(masked(x, mask[0]), np.where(mask[0], x, 0), equal_nan=True)
    assert np.array_equal(masked(mask, mask), mask)
    assert in_c["masked"] == 1


# -- sums of large arrays ---------------------------------------------------------------------------------------------
def test_sums(in_c):
    a, b = np.random.default_rng(3).standard_normal((2, 70, 1000)).astype("float32")
    a[0, :4], b[0, :4] = (INF, INF, NAN, -0.0), (INF, -INF, 1, -0.0)
    x, y = mg.tensor(a, requires_grad=True), mg.tensor(b).clone()
    kernel = LARGE_ADD.kernels[np.ndarray]
    want = np.add(a, b)
    for got in ((x * 1.0 + y).numpy(), kernel(a, b), kernel(a.T, b.T).T):
        assert np.array_equal(got, want, equal_nan=True)
        assert np.signbit(got[0, 3])
    assert in_c["add"] == 3
    out = a.copy()
    assert kernel(out, b, out) is out
    assert np.array_equal(out, want, equal_nan=True)
    assert in_c["add"] == 4
    for other in (b[0], b[:, :1], b.astype("float64"), np.asfortranarray(b), np.float32(2), 2.0):  # NumPy's own
        got = kernel(a, other)
        assert got.dtype == np.add(a, other).dtype
        assert np.array_equal(got, np.add(a, other), equal_nan=True)
    assert in_c["add"] == 4
    with pytest.raises(mg.errors.ShapeError, match="add: shapes do not fit"):
        x * 1.0 + mg.tensor(np.ones((1000, 70), "float32"))
