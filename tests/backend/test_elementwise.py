"""Elementwise kernels in C: errors in units of the last place over all of float32, the ends of the range, the op table in C."""

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad.backend import compiled
from minigrad.backend.compiled import library
from minigrad.nn import functional as act
from minigrad.ops import activation, exponential, trigonometric
from minigrad.ops.masks import gated
from minigrad.testing import checks
from minigrad.testing.opdb import all_specs

INF, NAN = math.inf, math.nan
ONE = {
    "relu": mg.relu,
    "exp": mg.exp,
    "log": mg.log,
    "tanh": mg.tanh,
    "erf": mg.special.erf,
    "sigmoid": mg.sigmoid,
    "silu": act.silu,
    "gelu": act.gelu,
    "gelu_tanh": lambda x: act.gelu(x, approximate="tanh"),
}
TWO = {
    "gated": gated,
    "tanh_gradient": trigonometric.tanh_gradient,
    "sigmoid_gradient": exponential.sigmoid_gradient,
    "silu_gradient": activation.silu_gradient,
    "gelu_gradient": activation.gelu_gradient,
    "gelu_tanh_gradient": activation.gelu_tanh_gradient,
}
ROWS = (
    "exp",
    "log",
    "tanh",
    "relu",
    "sigmoid",
    "special.erf",
    "nn.functional.gelu",
    "nn.functional.silu",
    "nn.functional.relu",
    "nn.functional.leaky_relu",
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
    wanted = set(ONE) | set(TWO)
    assert wanted <= set(in_c)


@pytest.mark.parametrize(
    ("name", "limit"),
    [("relu", 0), ("exp", 1.1), ("log", 1), ("tanh", 2), ("erf", 3), ("sigmoid", 3), ("silu", 4), ("gelu", 9), ("gelu_tanh", 12)],
)
def test_errors_are_as_stated(name, limit):
    x = line()
    if name in ("silu", "gelu", "gelu_tanh"):
        x = x[
            x > {"silu": -80, "gelu": -12, "gelu_tanh": -2}[name]
        ]  # beyond, the result is a denormal number, or its argument's errors grow
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
    if name in ("tanh_gradient", "sigmoid_gradient"):
        x = ONE[name.removesuffix("_gradient")](x)
    g = np.resize(np.array([1, -2.5, 1e-3], "float32"), x.shape)
    want = numpys(TWO[name], g.astype("float64"), x.astype("float64"))
    got = TWO[name](g, x)
    assert np.abs(got - want).max() <= 3e-6
    assert np.isnan(TWO[name](np.full(EDGES.shape, NAN, "float32"), EDGES)).sum() == (len(EDGES) if name != "gated" else (EDGES > 0).sum())
    edges = EDGES if name in ("gated",) else EDGES[(np.abs(EDGES) < 100) | ~np.isfinite(EDGES)]  # NumPy's own form overflows in between
    if name in ("tanh_gradient", "sigmoid_gradient"):
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


@pytest.mark.parametrize("name", [*ONE, *TWO])
def test_results_do_not_depend_on_threads_or_addresses(name, monkeypatch):
    f = ONE.get(name) or TWO[name]
    x = np.linspace(-5, 5, 100_003).astype("float32")
    args = (x,) if name in ONE else (x[::-1].copy(), x)
    results = []
    for n in (1, 2, 3, 7):
        monkeypatch.setenv("MINIGRAD_THREADS", str(n))
        library.attach(library.load("elementwise"))
        results.append(f(*args))
    monkeypatch.undo()
    library.attach(library.load("elementwise"))
    for shift in (1, 3):  # and of whole arrays that begin elsewhere in a line of the cache
        moved = [np.concatenate([a[:shift], a])[shift:] for a in args]
        results.append(f(*moved))
    assert all(np.array_equal(r, results[0], equal_nan=True) for r in results)
