"""Convolutions in C against NumPy's form: random geometries, thread counts, layouts, what is refused."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.backend import compiled
from minigrad.backend.compiled import library
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


# images, channels, outputs, sizes of image and kernel, stride, padding, dilation, groups
GEOMETRIES = {
    "lanes filled": (5, 16, 64, (9, 8), (3, 3), (1, 1), (1, 1), (1, 1), 1),
    "one lane more": (5, 17, 65, (8, 8), (3, 3), (1, 1), (1, 1), (1, 1), 1),
    "one lane less": (3, 15, 31, (7, 7), (3, 3), (2, 2), (1, 1), (1, 1), 1),
    "two blocks": (2, 80, 96, (6, 5), (3, 1), (1, 2), (1, 0), (1, 1), 1),
    "one channel": (7, 1, 30, (28, 28), (5, 5), (1, 1), (0, 0), (1, 1), 1),
    "one output": (7, 30, 1, (14, 14), (4, 4), (2, 2), (1, 1), (1, 1), 1),
    "one of both": (3, 1, 1, (33, 35), (3, 3), (1, 1), (1, 1), (1, 1), 1),
    "few outputs": (3, 20, 5, (11, 40), (3, 3), (1, 2), (1, 1), (1, 1), 1),
    "one pixel": (9, 20, 24, (1, 1), (1, 1), (1, 1), (0, 0), (1, 1), 1),
    "one pixel, padded": (9, 20, 24, (1, 1), (3, 3), (1, 1), (1, 1), (1, 1), 1),
    "stride beyond kernel": (4, 16, 32, (12, 12), (1, 1), (2, 3), (0, 0), (1, 1), 1),
    "transposed of one pixel": (5, 64, 9, (7, 7), (7, 7), (1, 1), (0, 0), (1, 1), 1),
    "groups": (4, 32, 48, (9, 9), (3, 3), (1, 1), (1, 1), (1, 1), 2),
    "groups, read in place": (9, 32, 48, (9, 9), (3, 3), (1, 1), (0, 0), (1, 1), 2),
    "padding beyond the image": (2, 16, 16, (1, 3), (1, 1), (1, 1), (9, 7), (1, 1), 1),
    "a padded signal": (2, 16, 16, (4,), (1,), (1,), (2000,), (1,), 1),
    "depthwise": (4, 24, 24, (9, 9), (3, 3), (1, 1), (1, 1), (1, 1), 24),
    "depthwise, many outputs": (4, 3, 51, (9, 9), (3, 3), (2, 2), (1, 1), (1, 1), 3),
    "dilation and stride": (3, 16, 20, (19, 23), (3, 3), (3, 2), (2, 4), (2, 3), 1),
    "bands": (2, 3, 64, (71, 70), (3, 3), (1, 1), (1, 1), (1, 1), 1),
    "bands with strides": (1, 20, 18, (97, 99), (4, 3), (3, 2), (5, 1), (1, 2), 1),
    "long sums": (2, 200, 40, (6, 6), (5, 5), (1, 1), (2, 2), (1, 1), 1),
    "signal": (2, 12, 32, (3001,), (7,), (1,), (3,), (1,), 1),
    "signal with strides": (3, 16, 24, (2500,), (5,), (3,), (4,), (2,), 2),
    "signal of few channels": (3, 2, 3, (2500,), (5,), (2,), (4,), (2,), 1),
}


@pytest.mark.parametrize("name", GEOMETRIES)
def test_geometries(name):
    n, c, o, spatial, kernel, stride, pad, dilation, groups = GEOMETRIES[name]
    rng = np.random.default_rng(0)
    x, w, b = (rng.normal(size=s).astype("float32") for s in ((n, c, *spatial), (o, c // groups, *kernel), o))
    back = rng.normal(size=c).astype("float32")
    args = (stride, tuple([(p, p) for p in pad]), dilation, groups)
    g = np.asarray(rng.normal(size=convolution(x, w, b, *args).shape), "float32")
    for f in (
        lambda: convolution(x, w, b, *args),
        lambda: input_gradient(g, w, back, spatial, *args),
        lambda: weight_gradient(x, g, kernel, *args),
    ):
        mine, theirs = both(f)
        assert relative(mine, theirs) < 1e-5


@pytest.mark.parametrize("name", GEOMETRIES)
def test_parts_do_not_matter(name):
    """One image of a batch alone gives what it gives among the others, bit by bit: sums do not depend on where tiles and units begin."""
    n, c, o, spatial, kernel, stride, pad, dilation, groups = GEOMETRIES[name]
    rng = np.random.default_rng(0)
    x, w = (rng.normal(size=s).astype("float32") for s in ((n, c, *spatial), (o, c // groups, *kernel)))
    args = (stride, tuple([(p, p) for p in pad]), dilation, groups)
    y = convolution(x, w, None, *args)
    dx = input_gradient(y, w, None, spatial, *args)
    for i in range(n):
        np.testing.assert_array_equal(convolution(x[i : i + 1], w, None, *args)[0], y[i])
        np.testing.assert_array_equal(input_gradient(y[i : i + 1], w, None, spatial, *args)[0], dx[i])


@pytest.mark.parametrize("bias", [False, True])
def test_kernels_as_large_as_the_image_are_products(bias, in_c):
    rng = np.random.default_rng(0)
    z, w, b = (rng.normal(size=s).astype("float32") for s in ((5, 20, 1, 1), (20, 6, 7, 7), 6))
    mine, theirs = both(lambda: F.conv_transpose2d(z, w, b if bias else None))
    assert relative(mine, theirs) < 1e-6
    again, theirs = both(lambda: F.conv2d(mine, w, np.arange(20, dtype="float32") if bias else None))
    assert relative(again, theirs) < 1e-6
    assert in_c["convolution_input_gradient"] == in_c["convolution"] == 1


@pytest.mark.parametrize("stride", [1, 2])
def test_usual_ones_are_in_c(stride, in_c):
    x, w = (
        mg.tensor(np.ones((2, 3, 12, 12), "float32"), requires_grad=True),
        mg.tensor(np.ones((4, 3, 3, 3), "float32"), requires_grad=True),
    )
    F.conv2d(x, w, None, stride, 1).sum().backward()
    assert in_c["convolution"] == in_c["convolution_input_gradient"] == in_c["convolution_weight_gradient"] == 1


def test_small_results_of_large_kernels_are_left_to_products(in_c):
    x = np.ones((2, 3, 8, 8), "float32")
    assert (F.conv2d(x, np.ones((1, 3, 7, 7), "float32")) == 147).all()
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


# -- fewer multiplications: kernels of 3 x 3, stride 1, 16 channels or more ------------------------------------------------
def usual(n, c, o, size, pad):
    """An input, a weight and an output's gradient, and the three primitives as functions of such."""
    rng = np.random.default_rng(0)
    pads = tuple([p if isinstance(p, tuple) else (p, p) for p in (pad if isinstance(pad, tuple) else (pad, pad))])
    out = [m + sum(p) - 2 for m, p in zip(size, pads, strict=True)]
    x, w, b, g = (rng.normal(size=s).astype("float32") for s in ((n, c, *size), (o, c, 3, 3), o, (n, o, *out)))
    args = ((1, 1), pads, (1, 1), 1)
    forward, back, weigh = (
        lambda x, w, g, b=b: convolution(x, w, b.astype(x.dtype), *args),
        lambda x, w, g: input_gradient(g, w, None, size, *args),
        lambda x, w, g: weight_gradient(x, g, (3, 3), *args),
    )
    return (x, w, g), (forward, back, weigh)


def error(a, exact):
    return np.sqrt(np.mean((a - exact) ** 2) / np.mean(exact**2))


CHANNELS = [(16, 16), (17, 33), (33, 17), (64, 16), (16, 64), (64, 64), (130, 48), (20, 130)]


@pytest.mark.parametrize("pad", [0, 1, 2, ((0, 2), (3, 1)), ((2, 0), (0, 0))])
@pytest.mark.parametrize("size", [*[(k, k) for k in range(1, 10)], (4, 9), (13, 2), (31, 6), (3, 40), (1, 30)], ids=str)
def test_tiles(size, pad):
    c, o = CHANNELS[(size[0] + size[1] + len(str(pad))) % len(CHANNELS)]
    low, high = zip(*[p if isinstance(p, tuple) else (p, p) for p in (pad if isinstance(pad, tuple) else (pad, pad))], strict=True)
    if any(m + lo + hi < 3 for m, lo, hi in zip(size, low, high, strict=True)):
        return
    arrays, functions = usual(3, c, o, size, pad)
    for f in functions:
        exact = f(*[a.astype("float64") for a in arrays])
        assert error(f(*arrays), exact) < 6e-7


@pytest.mark.parametrize(("c", "o"), [*CHANNELS, (48, 80), (256, 32)])
def test_tiles_err_no_more_than_products(c, o):
    for offset in (0, 1):
        arrays, functions = usual(5, c, o, (13, 14), 1)
        arrays = [a + np.float32(offset) for a in arrays]
        for f in functions:
            exact = f(*[a.astype("float64") for a in arrays])
            mine, theirs = both(lambda f=f, arrays=arrays: f(*arrays))
            assert error(mine, exact) < 1.6 * error(theirs, exact)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("which", [0, 1, 2], ids=["input", "weight", "slope"])
def test_tiles_that_are_not_finite(which, value):
    """As windows have them: where infinities would meet in a tile, what NumPy's form says."""
    arrays, functions = usual(4, 17, 20, (7, 9), 1)
    rng = np.random.default_rng(0)
    for count in (1, 1, 1, 2, 9):
        spoilt = [a.copy() for a in arrays]
        for _ in range(count):
            spot = tuple([int(rng.choice([0, m - 1, rng.integers(m)])) for m in spoilt[which].shape])
            spoilt[which][spot] = value
        for f in functions:
            with np.errstate(invalid="ignore"):
                mine, theirs = both(lambda f=f, spoilt=spoilt: f(*spoilt))
            np.testing.assert_array_equal(np.isfinite(mine), np.isfinite(theirs))
            np.testing.assert_array_equal(mine[~np.isfinite(mine)], theirs[~np.isfinite(theirs)])
            np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-4)


def test_tiles_whose_points_overflow():
    """Sums of four large numbers of a tile are infinite, those of its windows are not."""
    (x, w, g), functions = usual(2, 16, 16, (6, 6), 1)
    x, w, g = np.full_like(x, 2e38), w * np.float32(1e-4), np.full_like(g, 1e-3)
    for f in functions:
        mine, theirs = both(lambda f=f: f(x, w, g))
        assert np.isfinite(theirs).all()
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-6 * abs(theirs).max())


def test_tiles_next_to_large_numbers_do_not_see_them():
    """A pixel counts for the results whose windows it is in, and for no other of its tile."""
    (x, w, g), (forward, back, _) = usual(1, 16, 16, (8, 8), 1)
    far = np.ones((8, 8), bool)
    far[2:5, 4:7] = False
    y, dx = forward(x, w, g)[..., far], back(x, w, g)[..., far]
    x[0, 5, 3, 5], g[0, 7, 3, 5] = 1e25, -1e25
    np.testing.assert_array_equal(forward(x, w, g)[..., far], y)
    np.testing.assert_array_equal(back(x, w, g)[..., far], dx)


@pytest.mark.parametrize(("c", "o", "size"), [(16, 16, (12, 12)), (33, 64, (8, 8)), (64, 130, (5, 7)), (32, 17, (40, 30))])
def test_tiles_alone_and_in_company(c, o, size):
    """An image's results are the same bits, whatever the others are: also where one of them is computed once more."""
    (x, w, g), (forward, back, _) = usual(7, c, o, size, 1)
    x[2, 3, 1, 1], x[5, 0, 0, 0], g[3, 1, 2, 2] = np.nan, np.inf, -np.inf
    y, dx = forward(x, w, g), back(x, w, g)
    for i in range(7):
        np.testing.assert_array_equal(forward(x[i : i + 1], w, g)[0], y[i])
        np.testing.assert_array_equal(back(x, w, g[i : i + 1])[0], dx[i])


@pytest.mark.parametrize(
    ("n", "c", "o", "size"), [(9, 16, 16, (20, 20)), (33, 33, 64, (8, 8)), (1, 64, 130, (28, 28)), (2, 256, 64, (14, 14))]
)
def test_tiles_do_not_depend_on_threads(n, c, o, size, monkeypatch):
    arrays, functions = usual(n, c, o, size, 1)
    results = [[f(*arrays) for f in functions]]
    library.load("conv").mg_attach(np.ndarray, None, 1)
    results.append([f(*arrays) for f in functions])
    for threads in (2, 3, 7):
        monkeypatch.setenv("MINIGRAD_THREADS", str(threads))
        library.attach(library.load("conv"))
        results.append([f(*arrays) for f in functions])
    monkeypatch.undo()
    library.attach(library.load("conv"))
    for r in results[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(r, results[0], strict=True))
