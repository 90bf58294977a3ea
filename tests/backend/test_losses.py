"""Losses in C: values, sums and both gradients against float64 in NumPy, far ends, layouts, threads."""

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad.backend import compiled
from minigrad.backend.compiled import library
from minigrad.nn import functional as F
from minigrad.testing import checks
from minigrad.testing.opdb import all_specs

INF, NAN = math.inf, math.nan
LOSSES = {
    "squared_error": F.mse_loss,
    "absolute_error": F.l1_loss,
    "huber_error": lambda x, t, **more: F.huber_loss(x, t, delta=0.7, **more),
    "logistic_error": F.binary_cross_entropy_with_logits,
    "binary_error": F.binary_cross_entropy,
}
ROWS = [f"nn.functional.{n}_loss" for n in ("mse", "l1", "huber", "smooth_l1")]
ROWS += ["nn.functional.binary_cross_entropy", "nn.functional.binary_cross_entropy_with_logits"]


@pytest.fixture(autouse=True)
def everywhere(in_c):
    with compiled.everywhere(), np.errstate(all="ignore"):
        yield


def numpys(f, *xs):
    with compiled.disabled():
        return f(*xs)


def data(name, shape, seed=0):
    rng = np.random.default_rng(seed)
    if name == "binary_error":
        return rng.uniform(0, 1, size=(2, *shape)).astype("float32")
    x, t = (rng.normal(size=(2, *shape)) * 3).astype("float32")
    return x, rng.uniform(0, 1, size=shape).astype("float32") if name == "logistic_error" else t


def outcome(name, reduction, *, order=None):
    """A function of (x, t): the loss, and its gradients to both."""

    def f(x, t):
        x, t = (mg.tensor(v, requires_grad=True) for v in (x, t))
        y = LOSSES[name](x, t, reduction=reduction)
        g = np.cos(np.arange(y.size)).reshape(y.shape).astype(y.dtype)
        if order:
            g = np.asarray(g, order=order)
        return (y.numpy(), *[d.numpy() for d in mg.grad(y, [x, t], g)])

    return f


@pytest.mark.parametrize("row", [s for s in all_specs() if s.name in ROWS], ids=lambda s: s.name)
@pytest.mark.parametrize("check", [*checks.ALWAYS, *checks.DIFFERENTIABLE], ids=lambda c: c.__name__)
def test_the_table_in_c(check, row):
    if check is not checks.bad or row.errors:
        check(row)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("shape", [(1,), (3, 5), (700,), (9000,), (33, 1001)])
def test_values_and_gradients(name, reduction, shape, in_c):
    x, t = data(name, shape)
    f = outcome(name, reduction)
    want = numpys(f, x.astype("float64"), t.astype("float64"))
    for got, exact in zip(f(x, t), want, strict=True):
        assert got.dtype == "float32"
        assert got.shape == exact.shape
        assert np.all(np.abs(got - exact) <= 2e-6 * np.maximum(np.abs(exact), 1))
    assert in_c[name] == 1
    assert in_c[f"{name}_gradient"] == 2


@pytest.mark.parametrize("name", LOSSES)
def test_sums_of_many_are_exact(name):
    """Three million numbers, more than one piece of the largest number of pieces: no error that grows."""
    x, t = data(name, (3_000_001,))
    exact = numpys(LOSSES[name], x.astype("float64"), t.astype("float64"))
    assert abs(LOSSES[name](x, t) - exact) <= 1.5e-7 * exact


@pytest.mark.parametrize("name", LOSSES)
def test_far_ends_are_those_of_numpy(name):
    if name == "binary_error":
        ends, targets = [0, 1, 1e-38, 1e-45, 1 - 6e-8, 0.5], [0, 1, 0.5, NAN]
    else:
        ends, targets = [NAN, INF, -INF, 0, -0.0, 1e30, -1e30, 1e-40, 88, -105], [0, 1, 0.25, -0.0, NAN]
        if name != "logistic_error":
            targets += [INF, -INF]
    x, t = (np.ravel(v).astype("float32") for v in np.meshgrid(ends, targets))
    f = outcome(name, "none")
    for a, b in zip(f(x, t), numpys(f, x, t), strict=True):
        assert np.array_equal(np.isnan(a), np.isnan(b))
        assert np.array_equal(a[np.isinf(b)], b[np.isinf(b)])
        assert np.allclose(a, b, rtol=1e-5, atol=1e-6, equal_nan=True)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_results_do_not_depend_on_threads(name, reduction, monkeypatch):
    x, t = data(name, (100_003,))
    f, results = outcome(name, reduction), []
    for n in (1, 2, 3, 7):
        monkeypatch.setenv("MINIGRAD_THREADS", str(n))
        library.attach(library.load("losses"))
        results.append(f(x, t))
    monkeypatch.undo()
    library.attach(library.load("losses"))
    assert all(np.array_equal(a, b) for r in results for a, b in zip(r, results[0], strict=True))


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_layouts(name, reduction, in_c):
    """Dense arrays that lie alike are C's, all others NumPy's."""
    x, t = data(name, (6, 4, 10))
    f = outcome(name, reduction)
    dense = [(x.transpose(2, 0, 1), t.transpose(2, 0, 1))]
    for a, b in dense:
        got, want = f(a, b), numpys(f, a, b)
        assert all(np.allclose(p, q, rtol=1e-5, atol=1e-6) for p, q in zip(got, want, strict=True))
    before = in_c[name]
    assert before == 1
    others = [(x[:, ::2], t[:, ::2]), (x[..., ::-1], t[..., ::-1]), (np.asfortranarray(x), t), (x.astype(">f4"), t)]
    others += [(x.astype("float64"), t), (x, t.astype("float64")), (x.astype("float16"), t.astype("float16")), (x[:0], t[:0])]
    others += [(np.broadcast_to(x[:1], x.shape), np.broadcast_to(t[:1], x.shape))]
    for a, b in others:
        got, want = LOSSES[name](a, b, reduction=reduction), numpys(lambda a, b: LOSSES[name](a, b, reduction=reduction), a, b)
        assert got.dtype == want.dtype
        assert np.allclose(got, want, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_one_array_as_both(name):
    """The gradients to the input and to the target of the same tensor are added; so are those of the second order."""
    x = mg.tensor(np.linspace(0.1, 0.9, 300).astype("float32"), requires_grad=True)
    y = LOSSES[name](x, x, reduction="sum")
    (d,) = mg.grad(y, x, create_graph=True)
    (dd,) = mg.grad(d.sum(), x, allow_unused=True)
    if name != "logistic_error" and name != "binary_error":
        assert not d.numpy().any()
        assert dd is None or not dd.numpy().any()
    else:
        (want,) = numpys(lambda: mg.grad(LOSSES[name](x, x, reduction="sum"), x))
        assert np.allclose(d.numpy(), want.numpy(), rtol=1e-5, atol=1e-6)
