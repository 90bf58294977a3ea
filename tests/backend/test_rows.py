"""Kernels in C along rows: softmax, its logarithm, cross entropy and their slopes, against NumPy's in double precision."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.autograd.forms import apply
from minigrad.backend import compiled
from minigrad.backend.compiled import library
from minigrad.nn import functional
from minigrad.ops.losses import LOSSES, SLOPE
from minigrad.ops.softmax import LOG_SOFTMAX, LOG_SOFTMAX_GRADIENT, SOFTMAX, SOFTMAX_GRADIENT
from minigrad.testing import checks
from minigrad.testing.opdb import all_specs

ROWS = ("softmax", "log_softmax", "nn.functional.softmax", "nn.functional.log_softmax", "nn.functional.cross_entropy")
OPS = [SOFTMAX, LOG_SOFTMAX, SOFTMAX_GRADIENT, LOG_SOFTMAX_GRADIENT, LOSSES, SLOPE]
SHAPES = [(1, 1), (5, 3), (70, 10), (200, 2), (9, 15), (9, 16), (4, 17), (7, 65), (3, 511), (3, 513), (2, 529), (2, 5000), (1, 70_001)]
DEEP = [(2, 3, 1), (2, 3, 5), (3, 40, 7), (2, 21, 64), (1, 4, 9, 15), (5, 2, 130), (1, 2000, 3)]


@pytest.fixture(autouse=True)
def everywhere(in_c):
    with compiled.everywhere(), np.errstate(all="ignore"):
        yield


def kernel(op, *args):
    return op.kernels[np.ndarray](*args)


def numpys(op, *args):
    """The form in NumPy, in double precision."""
    wide = [a.astype("float64") if isinstance(a, np.ndarray) and a.dtype == np.float32 else a for a in args]
    return op.kernels.make(np)(*wide)


def arguments(op, shape, axis=1):
    """Random arguments of one of the ops."""
    rng = np.random.default_rng(len(shape) * sum(shape))
    x = (3 * rng.normal(size=shape)).astype("float32")
    g = rng.normal(size=shape).astype("float32")
    if op in (SOFTMAX, LOG_SOFTMAX):
        return x, (axis,)
    if op in (SOFTMAX_GRADIENT, LOG_SOFTMAX_GRADIENT):
        return g, numpys(SOFTMAX if op is SOFTMAX_GRADIENT else LOG_SOFTMAX, x, (axis,)).astype("float32"), (axis,)
    labels = rng.integers(0, shape[1], (shape[0], 1, *shape[2:]))
    return (x, labels, 1.0, None, 1.0, None) if op is LOSSES else (x, g[:, :1], labels, 1.0, None, 1.0, None)


def close(y, want, factor=1.0):
    """Whether the error is a few units of the last place of the largest term."""
    return np.abs(y - want).max() <= factor * 6e-7 * max(np.abs(want).max(), 1)


@pytest.mark.parametrize("row", [s for s in all_specs() if s.name in ROWS], ids=lambda s: s.name)
@pytest.mark.parametrize("check", [*checks.ALWAYS, *checks.DIFFERENTIABLE], ids=lambda c: c.__name__)
def test_the_table_in_c(check, row):
    if check is not checks.bad or row.errors:
        check(row)


@pytest.mark.parametrize("shape", SHAPES + DEEP, ids=str)
@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_values(op, shape, in_c):
    args = arguments(op, shape)
    y, want = kernel(op, *args), numpys(op, *args)
    assert y.dtype == np.float32
    assert y.shape == want.shape
    assert close(y, want, 4 if max(shape) > 1000 and len(shape) > 2 else 1)
    assert in_c[op.name] == 1


@pytest.mark.parametrize("op", OPS[:4], ids=lambda op: op.name)
def test_axes(op, in_c):
    args = arguments(op, (4, 5, 6, 7))[:-1]
    for axis in [None, (0,), (3,), (2, 3), (1, 2), (0, 1, 2, 3), (3, 2), ()]:
        assert close(kernel(op, *args, axis), numpys(op, *args, axis), 4)
    assert in_c[op.name] == 8
    for axis in [(0, 2), (1, 3)]:
        assert close(kernel(op, *args, axis), numpys(op, *args, axis))
    assert in_c[op.name] == 8


@pytest.mark.parametrize("op", OPS[:4], ids=lambda op: op.name)
def test_layouts(op, in_c):
    *arrays, axis = arguments(op, (6, 8))
    for change in (lambda a: a.T, lambda a: a[::2], lambda a: a[:, ::-1], lambda a: a.astype("float64"), lambda a: a[:0]):
        changed = [change(a) for a in arrays]
        assert np.allclose(kernel(op, *changed, axis), numpys(op, *changed, axis), atol=1e-6)
    assert not in_c[op.name]
    if len(arrays) == 2:  # the gradient of a sum comes as one number that is repeated
        g = np.broadcast_to(arrays[0][:, :1], (6, 8))
        assert np.allclose(kernel(op, g, arrays[1], axis), numpys(op, g, arrays[1], axis), atol=1e-6)
        assert in_c[op.name] == 1


@pytest.mark.parametrize("inner", [1, 3])
@pytest.mark.parametrize("n", [2, 5, 16, 40, 700])
@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-40, -0.0])
def test_specials(special, n, inner):
    rng = np.random.default_rng(n)
    for where in (0, n // 2, n - 1, slice(None)):
        x = rng.normal(size=(3, n, inner)).astype("float32")
        x[1, where] = special
        for op in (SOFTMAX, LOG_SOFTMAX):
            y, want = kernel(op, x, (1,)), op.kernels.make(np)(x, (1,))
            assert np.allclose(y, want, rtol=3e-6, atol=1e-6, equal_nan=True)
        labels = np.zeros((3, 1, inner), "int64")
        args = (x, labels, 1.0, None, 1.0, None)
        assert np.allclose(kernel(LOSSES, *args), LOSSES.kernels.make(np)(*args), rtol=3e-6, atol=1e-6, equal_nan=True)
        args = (x, np.ones(labels.shape, "float32"), *args[1:])
        assert np.allclose(kernel(SLOPE, *args), SLOPE.kernels.make(np)(*args), rtol=3e-6, atol=1e-6, equal_nan=True)


def test_exact_ends():
    x = np.array([[1e4, 0.0], [0.0, 0.0]], "float32")
    assert kernel(SOFTMAX, x, (1,)).tolist() == [[1, 0], [0.5, 0.5]]
    assert kernel(LOG_SOFTMAX, x, (1,))[0].tolist() == [0, -10_000]
    wide = np.tile(x[:1], (1, 40))
    wide[:, 2:] = 0
    assert kernel(SOFTMAX, wide, (1,)).tolist() == [[1, *[0] * 79]]


# -- cross entropy ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("shape", [(40, 10), (9, 33), (3, 7, 70), (6, 20, 2, 3)], ids=str)
@pytest.mark.parametrize("kind", ["ignored", "weighted", "both", "int32", "all ignored"])
def test_cross_entropy_of_some(shape, kind, in_c):
    rng = np.random.default_rng(1)
    x = rng.normal(size=shape).astype("float32")
    labels = rng.integers(0, shape[1], (shape[0], *shape[2:])).astype("int32" if kind == "int32" else "int64")
    if kind in ("ignored", "both"):
        labels[rng.random(labels.shape) < 0.3] = -100
    elif kind == "all ignored":
        labels[...] = -100
    weight = rng.random(shape[1]).astype("float32") if kind in ("weighted", "both") else None
    for reduction in ("mean", "sum", "none"):
        results = []
        for dtype in ("float32", "float64"):
            t = mg.tensor(x.astype(dtype), requires_grad=True)
            w = None if weight is None else weight.astype(dtype)
            losses = functional.cross_entropy(t, labels, w, reduction=reduction)
            (slope,) = mg.grad((losses * losses).sum(), [t])
            results.append((losses.numpy(), slope.numpy()))
        for y, want in zip(*results, strict=True):
            assert close(y, want)
    assert in_c["cross_entropy"] == in_c["cross_entropy_gradient"] == 3


def test_rows_that_do_not_count_may_be_anything(in_c):
    x = np.array([[np.nan, 1], [np.inf, -np.inf], [0, 0]], "float32")
    t = mg.tensor(x, requires_grad=True)
    loss = functional.cross_entropy(t, np.array([-100, -100, 1]))
    assert abs(loss.item() - np.log(2)) < 1e-6
    (slope,) = mg.grad(loss, [t])
    assert slope.tolist() == [[0, 0], [0, 0], [0.5, -0.5]]
    assert in_c["cross_entropy_gradient"] == 1


def test_smoothing_is_numpys(in_c):
    t = mg.tensor(np.ones((3, 4), "float32"), requires_grad=True)
    mg.grad(functional.cross_entropy(t, np.zeros(3, "int64"), label_smoothing=0.1), t)
    assert not in_c["cross_entropy"]
    assert not in_c["cross_entropy_gradient"]


@pytest.mark.parametrize("label", [-1, 3, 2**40])
def test_labels_outside_the_classes_are_refused_before_anything_is_read(label, in_c):
    args = (np.ones((2, 3), "float32"), np.array([[0], [label]]), 1.0, None, 1.0, None)
    if label == -1:  # NumPy counts from the end
        kernel(LOSSES, *args)
    else:
        with pytest.raises(IndexError):
            kernel(LOSSES, *args)
    assert not in_c["cross_entropy"]


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
@pytest.mark.parametrize("shape", [(3000, 10), (500, 70), (6, 9, 900)], ids=str)
def test_results_do_not_depend_on_threads_or_addresses(op, shape, monkeypatch):
    args = arguments(op, shape)
    results = []
    for n in (1, 2, 3, 7):
        monkeypatch.setenv("MINIGRAD_THREADS", str(n))
        library.attach(library.load("rows"))
        results.append(kernel(op, *args))
    monkeypatch.undo()
    library.attach(library.load("rows"))
    for shift in (1, 3):
        moved = [
            np.resize(a, a.size + shift)[shift:].reshape(a.shape) if isinstance(a, np.ndarray) and a.dtype == "f4" else a for a in args
        ]
        for m, a in zip(moved, args, strict=True):
            if isinstance(a, np.ndarray):
                m[...] = a
        results.append(kernel(op, *moved))
    assert all(np.array_equal(r, results[0]) for r in results)


@pytest.mark.parametrize("op", [SOFTMAX_GRADIENT, LOG_SOFTMAX_GRADIENT], ids=lambda op: op.name)
def test_the_gradients_of_gradients(op):
    a, p = [mg.tensor(v, requires_grad=True) for v in np.random.default_rng(0).normal(size=(2, 3, 4))]
    mg.testing.gradcheck(lambda a, p: apply(op, (a, p), (1,)), [a, p])
    mg.testing.gradgradcheck(lambda a, p: apply(op, (a, p), (1,)), [a, p])
