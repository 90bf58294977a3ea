"""Extremes, lengths and running sums of lines in C: values, NaN and infinities, layouts, threads, errors that do not grow."""

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad.backend import compiled
from minigrad.backend.compiled import library
from minigrad.testing import checks
from minigrad.testing.opdb import all_specs

INF, NAN = math.inf, math.nan
ROWS = ("max", "min", "cumsum", "linalg.vector_norm", "linalg.matrix_norm")
REDUCTIONS = {"max": mg.max, "min": mg.min, "vector_norm": mg.linalg.vector_norm}


@pytest.fixture(autouse=True)
def everywhere(in_c):
    with compiled.everywhere(), np.errstate(all="ignore"):
        yield


def numpys(f, *args, **keywords):
    with compiled.disabled():
        return f(*args, **keywords)


def normal(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


@pytest.mark.parametrize("row", [s for s in all_specs() if s.name in ROWS], ids=lambda s: s.name)
@pytest.mark.parametrize("check", [*checks.ALWAYS, *checks.DIFFERENTIABLE], ids=lambda c: c.__name__)
def test_the_table_in_c(check, row):
    if check is not checks.bad or row.errors:
        check(row)


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize(
    ("shape", "axis"), [((7, 75), -1), ((3, 5, 33), (1, 2)), ((3, 5, 33), (2, 1)), ((130, 1), 1), ((1, 999), 1), ((2, 70_001), 1)]
)
@pytest.mark.parametrize("keepdims", [False, True])
def test_rows(name, shape, axis, keepdims, in_c):
    x = normal(*shape)
    got, want = REDUCTIONS[name](x, axis, keepdims), numpys(REDUCTIONS[name], x.astype("float64"), axis, keepdims)
    assert got.dtype == "float32"
    assert got.shape == want.shape
    assert np.allclose(got, want, rtol=2e-7 if name == "vector_norm" else 0, atol=0)
    assert in_c[name] == 1


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("ends", [[NAN], [INF], [-INF], [INF, -INF], [NAN, INF], [-NAN], [0.0, -0.0], [-INF] * 40, [NAN] * 40])
@pytest.mark.parametrize("at", [0, 17, 39])
def test_ends_are_those_of_numpy(name, ends, at):
    x = normal(4, 40)
    x[1:3, at:][:, : len(ends)] = ends[: 40 - at]
    assert np.allclose(REDUCTIONS[name](x, -1), numpys(REDUCTIONS[name], x, -1), equal_nan=True)


def test_the_length_of_a_long_vector():
    x = normal(3_000_001)
    exact = numpys(mg.linalg.vector_norm, x.astype("float64"))
    assert abs(mg.linalg.vector_norm(x) - exact) <= 1e-7 * exact


@pytest.mark.parametrize(
    ("shape", "axis"),
    [((9, 75), 1), ((9, 75), 0), ((75,), 0), ((3, 70, 5), 1), ((2, 3, 300), 1), ((4, 1), 0), ((2, 1, 600), 1), ((1, 50_000), 1)],
)
def test_running_sums(shape, axis, in_c):
    x = mg.tensor(normal(*shape), requires_grad=True)
    y = mg.cumsum(x, axis)
    exact = np.cumsum(x.numpy().astype("float64"), axis)
    assert np.array_equal(y.numpy(), exact.astype("float32"))
    g = np.cos(np.arange(y.size)).reshape(shape).astype("float32")
    back = np.flip(np.cumsum(np.flip(g.astype("float64"), axis), axis), axis)
    assert np.array_equal(mg.grad(y, x, g)[0].numpy(), back.astype("float32"))
    assert in_c["cumsum"] == 2


def test_running_sums_of_infinities():
    x = normal(6, 20)
    x[1, 3], x[2, 5], x[2, 9], x[3, 7], x[4] = INF, INF, -INF, NAN, -0.0
    for axis in (0, 1):
        got, want = mg.cumsum(x, axis), numpys(mg.cumsum, x, axis)
        assert np.allclose(got, want, rtol=1e-5, atol=1e-6, equal_nan=True)


@pytest.mark.parametrize("f", [*REDUCTIONS.values(), mg.cumsum], ids=[*REDUCTIONS, "cumsum"])
def test_what_is_left_to_numpy(f, in_c):
    x = normal(6, 8, 10)
    others = [x.transpose(2, 0, 1), np.asfortranarray(x), x[:, ::2], x[..., ::-1], x.astype("float64"), x.astype("float16")]
    others += [x.astype("int64"), np.broadcast_to(x[:1], x.shape)]
    for a in others:
        got, want = f(a, 2), numpys(f, a, 2)
        assert got.dtype == want.dtype
        assert np.array_equal(got, want)
    if f is not mg.cumsum:
        for axis in (0, 1, (0, 2)):
            assert np.allclose(f(x, axis), numpys(f, x, axis), rtol=1e-6)
    assert sum(in_c[n] for n in (*REDUCTIONS, "cumsum")) == 0


def test_results_do_not_depend_on_threads(monkeypatch):
    x, long = normal(501, 301), normal(600_000)
    results = []
    for n in (1, 2, 3, 7):
        monkeypatch.setenv("MINIGRAD_THREADS", str(n))
        library.attach(library.load("lines"))
        rows = [f(x, -1) for f in REDUCTIONS.values()]
        results.append([*rows, mg.linalg.vector_norm(long), mg.cumsum(x, 0), mg.cumsum(x, 1), mg.cumsum(x[:, None, :].copy(), 1)])
    monkeypatch.undo()
    library.attach(library.load("lines"))
    assert all(np.array_equal(a, b) for r in results for a, b in zip(r, results[0], strict=True))
