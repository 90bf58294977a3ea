"""Convolutions in C against NumPy's form: random geometries, thread counts, layouts, what is refused."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.backend import compiled
from minigrad.nn import functional as F
from minigrad.ops.conv import convolution, input_gradient, weight_gradient
from minigrad.testing import checks
from minigrad.testing.opdb import all_specs

ROWS = [f"nn.functional.conv{t}{n}d" for t in ("", "_transpose") for n in (1, 2)]


@pytest.fixture(autouse=True)
def everywhere(in_c):
    with compiled.everywhere():
        yield


def relative(a, b):
    assert a.shape == b.shape
    assert a.dtype == b.dtype
    return abs(a - b).max(initial=0) / max(abs(b).max(initial=0), 1e-3)


def both(f):
    """The same in C and in NumPy."""
    mine = f()
    with compiled.disabled():
        return mine, f()


@pytest.mark.parametrize("seed", range(120))
def test_any_geometry(seed, in_c):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 3))
    groups = int(rng.choice([1, 1, 2, 3]))
    c, o, batch = groups * int(rng.integers(1, 9)), groups * int(rng.integers(1, 20)), int(rng.integers(1, 12))
    kernel, stride, dilation, pad = (tuple(rng.integers(*b, n).tolist()) for b in ((1, 6), (1, 4), (1, 3), (0, 4)))
    spatial = tuple(d * (k - 1) + 1 + int(rng.integers(0, 30)) for k, d in zip(kernel, dilation, strict=True))
    transposed = bool(rng.integers(2))
    x = rng.normal(size=(batch, c, *spatial)).astype("float32")
    w = rng.normal(size=(c, o // groups, *kernel) if transposed else (o, c // groups, *kernel)).astype("float32")
    b = rng.normal(size=o).astype("float32")

    def run():
        tensors = [mg.tensor(a, requires_grad=True) for a in (x, w, b)]
        if transposed:
            extra = tuple(int(e) for e in np.random.default_rng(seed).integers(0, np.maximum(stride, dilation)))
            y = getattr(F, f"conv_transpose{n}d")(*tensors, stride, pad, extra, groups, dilation)
        else:
            y = getattr(F, f"conv{n}d")(*tensors, stride, pad, dilation, groups)
        y.backward(mg.tensor(np.random.default_rng(seed).normal(size=y.shape).astype("float32")))
        return [y.detach().numpy(), *[t.grad.numpy() for t in tensors]]

    try:
        mine, theirs = both(run)
    except mg.errors.ShapeError:
        return  # a transposed convolution that leaves nothing
    for name, u, v in zip(("y", "dx", "dw", "db"), mine, theirs, strict=True):
        assert relative(u, v) < 1e-5, name


@pytest.mark.parametrize("stride", [1, 2])
def test_usual_ones_are_in_c(stride, in_c):
    x, w = (
        mg.tensor(np.ones((2, 3, 12, 12), "float32"), requires_grad=True),
        mg.tensor(np.ones((4, 3, 3, 3), "float32"), requires_grad=True),
    )
    F.conv2d(x, w, None, stride, 1).sum().backward()
    assert in_c["convolution"] == in_c["convolution_input_gradient"] == in_c["convolution_weight_gradient"] == 1


def test_small_results_of_large_kernels_are_left_to_products(in_c):
    x = np.ones((2, 3, 7, 7), "float32")
    assert (F.conv2d(x, np.ones((4, 3, 7, 7), "float32")) == 147).all()
    assert not in_c["convolution"]


@pytest.mark.parametrize("name", ROWS)
def test_rows_of_the_table(name, in_c):
    spec = next(s for s in all_specs() if s.name == name)
    for check in (checks.forward, checks.layouts, checks.dtypes, checks.repeatable):
        check(spec)
    assert in_c


def test_no_worse_than_numpy_against_float64():
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(16, 32, 14, 14)) + 1, rng.normal(size=(48, 32, 3, 3))
    g = rng.normal(size=(16, 48, 14, 14))
    args = ((1, 1), ((1, 1), (1, 1)), (1, 1), 1)
    for f, a, b, more in (
        (lambda x, w, *m: convolution(x, w, None, *m), x, w, args),
        (lambda g, w, *m: input_gradient(g, w, None, (14, 14), *m), g, w, args),
        (lambda x, g, *m: weight_gradient(x, g, (3, 3), *m), x, g, args),
    ):
        exact = f(a, b, *more)
        mine, theirs = both(lambda f=f, a=a, b=b, more=more: f(a.astype("float32"), b.astype("float32"), *more))
        assert abs(mine - exact).max() < 2 * abs(theirs - exact).max()


def test_infinities_and_nan():
    x = np.ones((1, 1, 6, 6), "float32")
    x[0, 0, 2, 3], x[0, 0, 5, 5] = np.inf, np.nan
    w = np.ones((1, 1, 2, 2), "float32")
    mine, theirs = both(lambda: convolution(x, w, None, (1, 1), ((0, 0), (0, 0)), (1, 1), 1))
    np.testing.assert_array_equal(mine, theirs)


def test_what_is_refused(in_c):
    w = np.ones((2, 3, 3, 3), "float32")
    for x in (np.ones((2, 3, 8, 8)), np.ones((2, 3, 8, 8), "float16"), np.ones((0, 3, 8, 8), "float32")):
        before = sum(in_c.values())
        y = F.conv2d(x, w.astype(x.dtype))
        assert y.shape == (len(x), 2, 6, 6)
        assert sum(in_c.values()) == before
    views = np.asarray(np.random.default_rng(0).normal(size=(9, 8, 3, 2)), "float32").T  # transposed: copied, then C
    mine, theirs = both(lambda: F.conv2d(views, w))
    assert relative(mine, theirs) < 1e-5
    y = F.conv3d(np.ones((1, 1, 3, 3, 3), "float32"), np.ones((1, 1, 2, 2, 2), "float32"))
    assert (y == 8).all()


def test_the_same_bits_again():
    """Pieces are summed in order, whoever made them; images are shared out whole."""
    rng = np.random.default_rng(0)
    x, g = rng.normal(size=(13, 6, 12, 12)).astype("float32"), rng.normal(size=(13, 9, 12, 12)).astype("float32")
    args = ((1, 1), ((1, 1), (1, 1)), (1, 1), 1)
    first = weight_gradient(x, g, (3, 3), *args)
    for _ in range(20):
        np.testing.assert_array_equal(weight_gradient(x, g, (3, 3), *args), first)
