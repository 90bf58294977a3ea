"""Products of matrices in C: any layout, stacks, every size of tile; as close to the exact product as BLAS's, whatever the threads."""

import numpy as np
import pytest

from minigrad.autograd.forms import apply
from minigrad.backend import compiled
from minigrad.backend.compiled import library
from minigrad.ops.fused import AFFINE, linear
from minigrad.ops.products import _matmul, matmul
from minigrad.testing import checks
from minigrad.testing.opdb import all_specs

ROWS = [s for s in all_specs() if s.name.rpartition(".")[2] in ("matmul", "linear", "matvec", "bilinear", "scaled_dot_product_attention")]
LAYOUTS = {
    "rows": lambda a: a,
    "columns": lambda a: np.ascontiguousarray(a.swapaxes(-1, -2)).swapaxes(-1, -2),
    "steps": lambda a: np.repeat(np.repeat(a, 2, -1), 3, -2)[..., ::3, ::2],
    "backwards": lambda a: np.ascontiguousarray(a[..., ::-1, ::-1])[..., ::-1, ::-1],
}


@pytest.fixture(autouse=True)
def everywhere(in_c):
    with compiled.everywhere():
        yield


def made(*shape):
    return np.random.default_rng(shape[0]).normal(size=shape).astype("float32")


def product(a, b):
    return _matmul.op.kernels[np.ndarray](a, b)


def close(y, a, b):
    """Whether y is a b, to what sums of that many rounded products may be wrong by."""
    exact, most = a.astype("float64") @ b.astype("float64"), abs(a).astype("float64") @ abs(b).astype("float64")
    assert (y.shape, y.dtype) == (exact.shape, np.float32)
    assert (abs(y - exact) <= 2e-6 * most).all()


@pytest.mark.parametrize("row", ROWS, ids=lambda s: s.name)
@pytest.mark.parametrize("check", [*checks.ALWAYS, *checks.DIFFERENTIABLE], ids=lambda c: c.__name__)
def test_the_table_in_c(check, row):
    if check is not checks.bad or row.errors:
        check(row)


@pytest.mark.parametrize("n", [4, 10, 16, 17, 33, 48, 63, 64, 65, 130])
@pytest.mark.parametrize("m", [4, 5, 6, 7, 11, 12, 23, 64, 100])
def test_every_tile(m, n, in_c):
    for k in (1, 3, 191, 192, 193):
        a, b = made(m, k), made(k, n)
        close(product(a, b), a, b)
    assert in_c == {"matmul": 5}


@pytest.mark.parametrize("right", LAYOUTS)
@pytest.mark.parametrize("left", LAYOUTS)
def test_layouts(left, right, in_c):
    for m, k, n in ((9, 40, 70), (200, 33, 20), (20, 2100, 30), (70, 5000, 65)):
        a, b = LAYOUTS[left](made(m, k)), LAYOUTS[right](made(k, n))
        close(product(a, b), a, b)
    assert in_c == {"matmul": 4}


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((7, 20, 30), (7, 30, 40)),
        ((3, 1, 20, 30), (5, 30, 40)),
        ((20, 30), (2, 30, 9)),
        ((2, 3, 4, 5), (5, 6)),
        ((1, 1, 8, 8), (8, 8)),
        ((3, 9, 200), (3, 200, 5)),
    ],
)
def test_stacks_of_matrices(a, b, in_c):
    a, b = made(*a), made(*b)
    close(product(a, b), a, b)
    close(product(a.swapaxes(-1, -2).copy().swapaxes(-1, -2), b), a, b)
    assert in_c == {"matmul": 2}


def test_a_stack_seen_through_a_view(in_c):
    whole = made(6, 20, 3, 8)
    heads = whole.swapaxes(1, 2)  # as attention sees it: (6, 3, 20, 8), and no axis where C would have it
    close(product(heads, heads.swapaxes(-1, -2)), heads, heads.swapaxes(-1, -2))
    assert in_c == {"matmul": 1}


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("shape", [(4, 5), (2, 7, 3), (130, 64), (500, 20), (40, 3000)])
def test_linear(shape, biased, in_c):
    for out in (4, 37, 64, 300):
        x, w, b = made(*shape), made(out, shape[-1]), made(out)
        y = linear(x, w, b if biased else None)
        want = x.astype("float64") @ w.T.astype("float64") + (b if biased else 0)
        assert np.allclose(y, want, rtol=0, atol=2e-6 * abs(want).max() * max(1, shape[-1] / 100))
    assert in_c == {"linear": 4}


def test_gradients_of_linear_are_products_of_views(in_c):
    x, w, g = made(30, 50), made(20, 50), made(30, 20)
    close(apply(AFFINE, (g, w.T, None)), g, w)
    close(apply(AFFINE, (g.T, x.T, None)), g.T, x)
    assert in_c == {"linear": 2}


def test_linear_of_mixed_dtypes(in_c):
    for dtypes in (
        ("float32", "float32", "float64"),
        ("float64", "float32", "float32"),
        ("float16", "float16", "float16"),
        ("float64",) * 3,
    ):
        x, w, b = [made(*s).astype(d) for s, d in zip(((5, 3), (4, 3), (4,)), dtypes, strict=True)]
        y = linear(x, w, b)
        with compiled.disabled():
            want = linear(x, w, b)
        assert y.dtype == want.dtype
        assert np.array_equal(y, want)
    assert not +in_c


def test_left_to_numpy(in_c):
    a = made(8, 8)
    for x, y in (
        (a.astype("float64"), a),
        (a, a.astype("float64")),
        (a.astype(">f4"), a.astype(">f4")),
        (a[:3], a),
        (a, a[:, :3]),
        (a[0], a),
        (a, a[0]),
        (a[:0], a),
        (a[:, :0], a[:0]),
        (np.arange(64).reshape(8, 8), a),
    ):
        assert np.allclose(product(x, y), np.matmul(x, y), rtol=1e-6)
    with pytest.raises(ValueError, match="matmul"):
        matmul(a[:, :7], a)
    with pytest.raises(ValueError, match="matmul"):
        matmul(made(2, 8, 8), made(3, 8, 8))
    assert not +in_c


def test_nan_and_infinity_stay_where_they_are():
    a, b = made(30, 40), made(40, 70)
    a[3, 5], b[7, 69], b[8, 0] = np.inf, np.nan, -np.inf
    with np.errstate(invalid="ignore"):
        want = a.astype("float64") @ b.astype("float64")
    y = product(a, b)
    assert np.array_equal(np.isnan(y), np.isnan(want))
    assert np.array_equal(np.isinf(y), np.isinf(want))


@pytest.mark.parametrize(("m", "k", "n"), [(100, 300, 500), (700, 64, 130), (12, 2500, 65), (2000, 100, 10)])
def test_results_do_not_depend_on_threads(m, k, n, monkeypatch):
    a, b, results = made(m, k), made(k, n), []
    product(a, b)
    for threads in (1, 2, 3, 7):
        monkeypatch.setenv("MINIGRAD_THREADS", str(threads))
        library.attach(library.load("products"))
        results.append([product(a, b), product(np.stack([a] * 3), b), linear(a, b.T.copy(), b[0])])
    monkeypatch.undo()
    library.attach(library.load("products"))
    for r in results[1:]:
        assert all(np.array_equal(x, y) for x, y in zip(r, results[0], strict=True))


def test_as_close_to_the_exact_product_as_blas():
    a, b = made(64, 4000), made(4000, 64)
    exact = a.astype("float64") @ b.astype("float64")
    assert np.sqrt(((product(a, b) - exact) ** 2).mean()) <= 1.1 * np.sqrt(((np.matmul(a, b) - exact) ** 2).mean())
