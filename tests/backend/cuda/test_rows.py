"""Kernels along rows on the double of a GPU: softmax, its logarithm, cross entropy, slopes; against NumPy's in double precision."""

import numpy as np
import pytest

from minigrad.nn import functional
from minigrad.ops.losses import LOSSES, SLOPE
from minigrad.ops.softmax import LOG_SOFTMAX, LOG_SOFTMAX_GRADIENT, SOFTMAX, SOFTMAX_GRADIENT
from minigrad.testing.double import DoubleArray, no_sync, put
from minigrad.testing.parity import fetched, moved, run

pytestmark = pytest.mark.usefixtures("in_cuda")
OPS = [SOFTMAX, LOG_SOFTMAX, SOFTMAX_GRADIENT, LOG_SOFTMAX_GRADIENT, LOSSES, SLOPE]
SHAPES = [
    *[(rows, n) for n in (1, 31, 32, 33, 1000) for rows in (1, 7)],
    *[(3000, 10), (2, 50_000), (700, 64), (2, 9, 5), (3, 40, 7), (2, 21, 8, 8), (1, 5000, 3)],
]
BOUNDS = {"float32": 1e-6, "float16": 1e-3}


def numpys(op, *args):
    """The form in NumPy, in double precision."""
    with np.errstate(all="ignore"):
        return op.kernels.make(np)(*[a.astype("float64") if getattr(a, "dtype", None) in ("f2", "f4") else a for a in args])


def on_gpu(op, *args):
    with no_sync():
        return op.kernels[DoubleArray](*moved(args, put))


def arguments(op, shape, dtype):
    """Random arguments of one of the ops; of cross entropy, with everything that it may be given."""
    rng = np.random.default_rng(sum(shape))
    x, g = (3 * rng.normal(size=(2, *shape))).astype(dtype)
    if op in (SOFTMAX, LOG_SOFTMAX):
        return x, (1,)
    if op in (SOFTMAX_GRADIENT, LOG_SOFTMAX_GRADIENT):
        return g, numpys(SOFTMAX if op is SOFTMAX_GRADIENT else LOG_SOFTMAX, x, (1,)).astype(dtype), (1,)
    own = (shape[0], 1, *shape[2:])
    labels, valid = rng.integers(0, shape[1], own), rng.random(own) > 0.3
    hit, rest = rng.random(own).astype("float32"), (rng.random((1, shape[1], *[1] * (len(shape) - 2))) / shape[1]).astype("float32")
    told = (labels, hit, rest, hit + rest.sum(), valid)
    return (x, *told) if op is LOSSES else (x, rng.normal(size=own).astype("float32"), *told, np.array(3, "float32"))


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_values(op, shape, dtype, in_cuda):
    args = arguments(op, shape, dtype)
    y, want = on_gpu(op, *args), numpys(op, *args)
    assert y.dtype == ("float32" if op is LOSSES else dtype)
    assert y.shape == want.shape
    scale = max(np.abs(want).max(), 1)
    assert np.abs(fetched([y])[0] - want).max() <= (2e-6 if op is LOSSES else BOUNDS[dtype]) * scale
    assert in_cuda == {op.name: 1}


@pytest.mark.parametrize("n", [2, 16, 40, 700])
@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-40])
def test_specials(special, n):
    rng = np.random.default_rng(n)
    labels = np.zeros((3, 1), "int64")
    for where in (0, n // 2, n - 1, slice(None)):
        x = rng.normal(size=(3, n)).astype("float32")
        x[1, where] = special
        slope = (np.ones((3, 1), "float32"), labels, 1.0, None, 1.0, None, 2)
        for op, *args in ((SOFTMAX, (1,)), (LOG_SOFTMAX, (1,)), (LOSSES, labels, 1.0, None, 1.0, None), (SLOPE, *slope)):
            with np.errstate(all="ignore"):
                want = op.kernels.make(np)(x, *args)
            np.testing.assert_allclose(on_gpu(op, x, *args).get(), want, rtol=3e-6, atol=1e-6)


def test_axes_and_layouts(in_cuda):
    x = np.random.default_rng(0).normal(size=(4, 5, 6, 7)).astype("float32")
    for axis in [None, (0,), (3,), (2, 3), (1, 2), (3, 2), (0, 2), ()]:
        assert np.allclose(on_gpu(SOFTMAX, x, axis).get(), numpys(SOFTMAX, x, axis), atol=1e-6)
    assert in_cuda["softmax"] == 7  # not of axes that are not neighbours
    x = x.reshape(20, 42)
    for change in (lambda a: a.T, lambda a: a[::2], lambda a: a[:, ::-1], lambda a: a.astype("float64"), lambda a: a[:0]):
        y = SOFTMAX.kernels[DoubleArray](change(put(x)) if change(x).dtype == x.dtype else put(change(x)), (1,))
        assert np.allclose(y.get(), numpys(SOFTMAX, change(x), (1,)), atol=1e-6)
    g = put(x[:, :1])
    y = SOFTMAX_GRADIENT.kernels[DoubleArray](g + put(np.zeros_like(x)), put(x), (1,))
    assert np.allclose(y.get(), numpys(SOFTMAX_GRADIENT, np.broadcast_to(x[:, :1], x.shape), x, (1,)), atol=1e-5)


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("kind", ["plain", "int32", "ignored", "weighted", "smoothed", "all", "none counts"])
def test_cross_entropy_of_some(kind, dtype, in_cuda):
    """From the public function, forward and backward, without a wait."""
    rng = np.random.default_rng(1)
    x, labels = rng.normal(size=(6, 20, 2, 3)).astype(dtype), rng.integers(0, 20, (6, 2, 3)).astype("int32" if kind == "int32" else "int64")
    if kind in ("ignored", "all"):
        labels[rng.random(labels.shape) < 0.3] = -100
    elif kind == "none counts":
        labels[...] = -100
    weight = rng.random(20).astype(dtype) if kind in ("weighted", "all") else None
    for reduction in ("mean", "sum", "none"):

        def f(x, labels, *weight, reduction=reduction):
            smooth = 0.1 if kind in ("smoothed", "all") else 0.0
            return functional.cross_entropy(x, labels, *weight, reduction=reduction, label_smoothing=smooth)

        inputs = [x, labels] if weight is None else [x, labels, weight]
        with no_sync():
            got = run(f, moved(inputs, put), {}, put, 1)
        want = run(f, [a.astype("float64") if a.dtype == dtype else a for a in inputs], {}, lambda a: a, 1)
        for mine, other in zip(got, want, strict=True):
            for a, b in zip(fetched(mine), fetched(other), strict=True):
                assert np.abs(a - b).max() <= BOUNDS[dtype] * max(np.abs(b).max(), 1)
    assert in_cuda["cross_entropy"] == in_cuda["cross_entropy_gradient"] == 3


def test_rows_that_do_not_count_may_be_anything():
    x = np.array([[np.nan, 1], [np.inf, -np.inf], [0, 0]], "float32")
    labels, valid = np.array([[0], [0], [1]]), np.array([[False], [False], [True]])
    hit = valid.astype("float32")
    losses = on_gpu(LOSSES, x, labels, hit, None, hit, valid).get()
    assert losses[:2].tolist() == [[0], [0]]
    assert abs(losses[2, 0] - np.log(2)) < 1e-6
    assert on_gpu(SLOPE, x, 1.0, labels, hit, None, hit, valid, 1).get().tolist() == [[0, 0], [0, 0], [0.5, -0.5]]
