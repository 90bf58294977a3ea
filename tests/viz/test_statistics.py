"""Statistics of arrays: those of NumPy, whatever is in them."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.testing.double import put, register
from minigrad.viz.statistics import BINS, CHUNK, SAMPLE, look, measure, text, worked_out

rng = np.random.default_rng(0)
SIZES = (1, 7, SAMPLE, SAMPLE + 1, CHUNK, 3 * CHUNK + 5)


def expected(a):
    a = abs(a) if a.dtype.kind == "c" else a.astype("float64")
    good = a[np.isfinite(a)].astype("float64")
    return {
        "norm": np.linalg.norm(good),
        "least": good.min(),
        "greatest": good.max(),
        "mean": good.mean(),
        "zeros": (a == 0).mean(),
        "nan": np.isnan(a).mean(),
        "inf": np.isinf(a).mean(),
    }


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64", "int64"])
@pytest.mark.parametrize("spoiled", [False, True])
def test_they_are_numpys(size, dtype, spoiled):
    a = (rng.standard_normal(size) * 3 + 1).astype(dtype)
    a[rng.random(size) < 0.3] = 0
    a[0] = 2
    if spoiled and size > 3 and dtype != "int64":
        a[rng.integers(1, size, size // 5 + 1)] = np.nan
        a[rng.integers(1, size, 2)] = -np.inf
        a[rng.integers(1, size, 2)] = np.inf
    found = measure(a)
    for key, value in expected(a).items():
        assert found[key] == pytest.approx(value, rel=2e-5, abs=2e-5), key
    assert len(found["histogram"]) == BINS
    assert sum(found["histogram"]) == np.isfinite(a[:: -(-size // SAMPLE)]).sum()
    assert ("value" in found) == (size <= 8)


def test_the_histogram_counts_from_least_to_greatest():
    a = np.repeat(np.arange(BINS, dtype="f"), 4)
    assert measure(a)["histogram"] == [4] * BINS
    assert measure(np.full(5, 3.0))["histogram"] == [*[0] * (BINS // 2), 5, *[0] * (BINS - BINS // 2 - 1)]
    assert measure(np.array([1e-320, 2e-320]))["norm"] >= 0  # subnormal: no bin is that narrow


def test_very_great_and_very_small_numbers():
    assert measure(np.array([3e30, 4e30], "f"))["norm"] == pytest.approx(5e30)
    assert measure(np.array([3e-30, 4e-30], "f"))["norm"] == pytest.approx(5e-30)
    assert measure(np.full(SAMPLE + 1, 1e-30, "f"))["norm"] == pytest.approx(1e-30 * (SAMPLE + 1) ** 0.5)


def test_nothing_and_nothing_finite():
    empty = measure(np.zeros((0, 3), "f"))
    assert (empty["norm"], empty["mean"], empty["zeros"], empty["histogram"]) == (None, None, 0.0, [])
    bad = measure(np.array([np.nan, np.inf, -np.inf, np.nan], "f"))
    assert (bad["norm"], bad["least"], bad["nan"], bad["inf"], bad["histogram"]) == (None, None, 0.5, 0.5, [])


@pytest.mark.parametrize("take", [lambda a: a.T, lambda a: a[::2, 1:], lambda a: np.broadcast_to(a[0], a.shape), lambda a: a[:, ::-1]])
def test_views_count_what_they_show(take):
    a = take(rng.standard_normal((300, 200)).astype("f"))
    for key, value in expected(a).items():
        assert measure(a)[key] == pytest.approx(value, rel=2e-5, abs=2e-5)


def test_what_was_seen_does_not_change_with_the_array():
    for size in (4, SAMPLE + 4):
        a = np.ones(size, "f")
        seen = look(a)
        a[:] = 7
        assert worked_out(seen)["greatest"] == 1


def test_arrays_of_a_device():
    register()
    a = rng.standard_normal((40, 50)).astype("f")
    a[0, :3] = [np.nan, np.inf, 0]
    found, host = measure(put(a)), measure(a)
    assert found == {k: pytest.approx(v, rel=1e-5) if k != "histogram" else v for k, v in host.items()}
    assert measure(put(a[1, :2])) == measure(a[1, :2])


def test_bfloat16():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    assert measure(np.array([3, 4], ml_dtypes.bfloat16))["norm"] == 5


def test_text_has_four_digits():
    assert text(np.array([1.0, 0.123456, np.nan])) == "[1, 0.1235, nan]"
    assert text(mg.tensor(2.0).data) == "2"
    assert text(np.array([1 + 2j])) == "[1.+2.j]"
