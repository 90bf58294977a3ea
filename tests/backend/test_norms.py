"""Norms in C: outputs, statistics and slopes against NumPy's in double precision, in all shapes that take a way of their own."""

import contextlib

import numpy as np
import pytest

import minigrad as mg
from minigrad.backend import compiled
from minigrad.backend.compiled import library
from minigrad.nn import functional
from minigrad.ops.normalization.batch import BATCH_NORM, FROZEN_NORM, INSTANCE_NORM, MOVED
from minigrad.ops.normalization.layer import GROUP_NORM, LAYER_NORM, RMS_NORM
from minigrad.testing import checks
from minigrad.testing.opdb import all_specs

ROWS = [f"nn.functional.{name}_norm" for name in ("batch", "instance", "layer", "rms", "group")]
MEASURED = (BATCH_NORM, INSTANCE_NORM)
CASES = [
    *[(BATCH_NORM, shape) for shape in [(2, 1), (7, 3), (128, 64), (300, 65), (64, 700), (3000, 5), (9000, 70)]],
    *[
        (BATCH_NORM, shape)
        for shape in [(2, 3, 1), (3, 5, 2), (4, 20, 7, 7), (5, 3, 50, 50), (40, 2, 40, 30), (1, 2, 70_000), (9, 17, 3, 1, 5)]
    ],
    *[(FROZEN_NORM, shape) for shape in [(7, 3), (300, 65), (3000, 5), (4, 20, 7, 7), (40, 2, 40, 30)]],
    *[(op, shape) for op in (LAYER_NORM, RMS_NORM) for shape in [(1, 1), (5, 3), (4, 6, 16), (700, 33), (2, 50_000), (9000, 3), (0, 8)]],
    *[(GROUP_NORM, shape) for shape in [(2, 1, 1, 1), (3, 2, 4, 1), (700, 3, 2, 1), (2, 3, 5, 60), (4, 1, 8, 33), (1, 2, 2, 9000)]],
    *[(INSTANCE_NORM, shape) for shape in [(2, 3, 2), (4, 5, 60), (3, 2, 7, 9), (1, 2, 9000)]],
]
NAMES = [f"{op.__name__}-{'x'.join(map(str, shape))}" for op, shape in CASES]


@pytest.fixture(autouse=True)
def everywhere(in_c):
    with compiled.everywhere(), np.errstate(all="ignore"):
        yield


def is_for_c(shape):
    """Neither empty nor, of these shapes, rows of one number."""
    return 0 not in shape and shape not in [(1, 1), (2, 1, 1, 1)]


def arguments(op, shape, weight=True, bias=True):
    """Random arguments of one of the ops; numbers far from 0."""
    rng = np.random.default_rng(sum(shape))
    x = (rng.normal(size=shape) * 2 + 5).astype("float32")
    parameters = (1, shape[1], *[1] * (len(shape) - 2))
    axes = tuple([a for a in range(len(shape)) if a != 1])
    if op in (LAYER_NORM, RMS_NORM):
        parameters, axes = (*[1] * (len(shape) - 1), shape[-1]), (len(shape) - 1,)
    elif op is GROUP_NORM:
        parameters, axes = (1, *shape[1:3], 1), (2, 3)
    elif op is INSTANCE_NORM:
        axes = tuple(range(2, len(shape)))
    w, b = rng.normal(size=(2, int(np.prod(parameters)))).astype("float32")
    w, b = w if weight else None, b if bias and op is not RMS_NORM else None
    if op is FROZEN_NORM:
        return x, w, b, (x.mean(axes, keepdims=True) + 0.1).astype("float32"), (1 / x.std(axes, keepdims=True)).astype("float32")
    return x, w, b, axes, 1e-5, parameters, op is not RMS_NORM


def both(op, args, wanted=None, g=None, dtype=None):
    """Outputs, what is kept and gradients: of C, or of NumPy in this precision."""
    x, w, b = args[:3]
    wanted = (True, w is not None, b is not None) if wanted is None else wanted
    if g is None:
        g = np.random.default_rng(x.size).normal(size=x.shape).astype("float32")
    kernel, slopes = op.op.kernels[np.ndarray], op.op.slopes[np.ndarray]
    if dtype:
        kernel, slopes = op.op.kernels.make(np), op.op.slopes.make(np)
        args = [a.astype(dtype) if isinstance(a, np.ndarray) else a for a in args]
        g = g.astype(dtype)
    y, kept = kernel(*args)
    outputs = y if op in MEASURED else (y,)
    return [*outputs, *kept, *slopes(g, wanted, kept, *args)]


def check(op, args, wanted=None, g=None):
    """C against double precision: right to a few units of the last place of the largest number, or no worse than NumPy's float32.

    The latter where few numbers share a mean: if they are alike, what its rounding does is large beside their deviation.
    """
    got, plain, exact = [both(op, args, wanted, g, dtype) for dtype in (None, "float32", "float64")]
    for y, p, z in zip(got, plain, exact, strict=True):
        assert (y is None) == (z is None)
        if y is not None and z.size:
            assert y.dtype == np.float32
            assert y.shape == z.shape
            assert np.abs(y - z).max() <= max(1e-6 * np.abs(z).max(), 2 * np.abs(p - z).max(), 1e-7)
    return got


@pytest.mark.parametrize("row", [s for s in all_specs() if s.name in ROWS], ids=lambda s: s.name)
@pytest.mark.parametrize("test", [*checks.ALWAYS, *checks.DIFFERENTIABLE], ids=lambda c: c.__name__)
def test_the_table_in_c(test, row):
    if test is not checks.bad or row.errors:
        test(row)


@pytest.mark.parametrize(("op", "shape"), CASES, ids=NAMES)
def test_values(op, shape, in_c):
    args = arguments(op, shape)
    check(op, args)
    assert in_c[op.__name__] == in_c[f"{op.__name__}_gradient"] == is_for_c(shape)


@pytest.mark.parametrize(("weight", "bias"), [(True, False), (False, True), (False, False)])
@pytest.mark.parametrize(("op", "shape"), CASES[::2], ids=NAMES[::2])
def test_without_parameters(op, shape, weight, bias):
    args = arguments(op, shape, weight, bias)
    check(op, args)


@pytest.mark.parametrize("wanted", [(True, False, False), (False, True, False), (False, False, True), (True, False, True)])
@pytest.mark.parametrize(("op", "shape"), CASES[::2], ids=NAMES[::2])
def test_what_is_wanted(op, shape, wanted, in_c):
    wanted = (*wanted[:2], wanted[2] and op is not RMS_NORM)
    args = arguments(op, shape)
    check(op, args, wanted)
    assert in_c[f"{op.__name__}_gradient"] == is_for_c(shape)


@pytest.mark.parametrize("shape", [(3, 2, 4, 5), (40, 16, 20, 20), (2, 70, 1, 3), (5, 1, 30, 40), (60, 3, 25, 25)], ids=str)
@pytest.mark.parametrize("op", [BATCH_NORM, FROZEN_NORM], ids=lambda op: op.__name__)
def test_channels_last(op, shape, in_c):
    x, *rest = arguments(op, shape)
    last = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    got = check(op, (last, *rest))
    assert got[0].strides == got[-3].strides == last.strides
    assert in_c[op.__name__] == in_c[f"{op.__name__}_gradient"] == 1


@pytest.mark.parametrize("op", [BATCH_NORM, FROZEN_NORM, LAYER_NORM, RMS_NORM, GROUP_NORM, INSTANCE_NORM], ids=lambda op: op.__name__)
def test_layouts(op, in_c):
    x, *rest = arguments(op, (6, 4, 5, 8))
    for change in (lambda a: a[:, :, :, ::-1], lambda a: np.asfortranarray(a), lambda a: np.repeat(a, 2, 2)[:, :, ::2]):
        a = change(x)
        check(op, (a, *rest))
    assert not in_c[op.__name__]
    g = np.broadcast_to(np.float32([1, 2, -1, 3, 0, 1, 1, 0.5]), x.shape)  # as the gradient of a mean comes, repeated
    check(op, (x, *rest), g=g)
    assert in_c[f"{op.__name__}_gradient"] == 1
    for dtype in ("float16", "float64"):
        y, _ = op.op.kernels[np.ndarray](x.astype(dtype), *rest)
        want, _ = op.op.kernels.make(np)(x.astype(dtype), *rest)
        assert np.array_equal(y[0] if op in MEASURED else y, want[0] if op in MEASURED else want)
    assert in_c[op.__name__] == 1


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf, 1e25])
@pytest.mark.parametrize(("op", "shape"), [c for c in CASES if 0 not in c[1]][::3], ids=[n for n in NAMES if "0x8" not in n][::3])
def test_specials(op, shape, special):
    """Not finite where NumPy's float32 is not, and where it is, the same; the ruined numbers are those that share the statistics."""
    x, *rest = arguments(op, shape)
    x.reshape(-1)[x.size // 2] = special
    kernel, plain = op.op.kernels[np.ndarray], op.op.kernels.make(np)
    y, want = kernel(x, *rest)[0], plain(x, *rest)[0]
    if op in MEASURED:
        y, want = y[0], want[0]
    assert np.array_equal(np.isfinite(y), np.isfinite(want))
    fine = np.isfinite(want)
    assert np.allclose(y[fine], want[fine], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("op", "shape"), CASES, ids=NAMES)
def test_far_from_zero_and_constant(op, shape):
    """A large mean costs no more than what its own rounding does; a constant becomes the bias, to the last bit."""
    if 0 in shape or op in (FROZEN_NORM, RMS_NORM):
        return
    x, w, b, *rest = arguments(op, shape)
    y = op.op.kernels[np.ndarray](np.full_like(x, 7.3), None, None, *rest)[0]
    assert np.abs(y[0] if op in MEASURED else y).max() == 0
    far = np.round(x * 8) / 8 + 4096  # exact in float32
    y, want = op.op.kernels[np.ndarray](far, w, b, *rest), op.op.kernels.make(np)(far.astype("float64"), w, b, *rest)
    for a, z in zip(y[1], want[1], strict=True):
        assert np.allclose(a, z, rtol=2e-6, atol=0)


def test_signs_of_zero(in_c):
    x = np.array([[-1, 0, 1.0]], "float32").repeat(40, 0)
    y = functional.layer_norm(x, 3)
    assert not np.signbit(y[:, 1]).any()
    assert np.array_equal(np.signbit(functional.rms_norm(np.float32([[-0.0, 0.0]]), 2)), [[True, False]])
    assert in_c["layer_norm"] == in_c["rms_norm"] == 1


def test_outliers_at_the_start():
    """The number that is taken out before squaring is no worse for a few that are far away."""
    for op, shape in CASES:
        if op is not RMS_NORM and op is not FROZEN_NORM and 0 not in shape:
            x, *rest = arguments(op, shape)
            x[:1] += 1e4
            _, (m, r) = op.op.kernels[np.ndarray](x, *rest)
            _, (want_m, want_r) = op.op.kernels.make(np)(x.astype("float64"), *rest)
            assert np.allclose(m, want_m, rtol=1e-6, atol=0)
            assert np.allclose(r, want_r, rtol=3e-5 if op is BATCH_NORM else 0.2, atol=0)  # a sample that is far as a whole is only rounded


@pytest.mark.parametrize(("op", "shape"), [c for c in CASES if np.prod(c[1]) > 20_000], ids=lambda v: getattr(v, "__name__", str(v)))
def test_results_do_not_depend_on_threads(op, shape, monkeypatch):
    family = "batchnorm" if op in (BATCH_NORM, FROZEN_NORM) else "norms"
    results = []
    for n in (1, 2, 3, 7):
        monkeypatch.setenv("MINIGRAD_THREADS", str(n))
        library.attach(library.load(family))
        results.append(both(op, arguments(op, shape)))
    monkeypatch.undo()
    library.attach(library.load(family))
    for r in results[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(r, results[0], strict=True) if a is not None)


def test_a_layer_trains_as_with_numpy():
    x = np.random.default_rng(0).normal(size=(20, 6, 5, 5)).astype("float32")
    states = []
    for how in (compiled.everywhere, compiled.disabled):
        with how():
            layer = mg.nn.BatchNorm2d(6)
            t = mg.tensor(x, requires_grad=True)
            for _ in range(3):
                (layer(t) ** 2 * t).sum().backward()
            layer.eval()
            states.append([layer(t).numpy(), t.grad.numpy(), layer.weight.grad.numpy(), *[v.numpy() for v in layer.state_dict().values()]])
    for a, b in zip(*states, strict=True):
        assert np.allclose(a, b, rtol=1e-5, atol=1e-5)


def test_running_statistics(in_c):
    rng = np.random.default_rng(4)
    mean, var, m, v = rng.uniform(0.5, 2, (4, 67)).astype("float32")
    pairs, counter = [(mean.copy(), var.copy()) for _ in range(2)], np.array(2)
    MOVED.kernels[np.ndarray](*pairs[0], counter, m.reshape(1, 67, 1), v.reshape(1, 67, 1), 0.3, 1.25)
    assert in_c["running_statistics"] == 1
    np.testing.assert_allclose(pairs[0], (mean * 0.7 + m * 0.3, var * 0.7 + v * 0.375), rtol=1e-6)
    with compiled.disabled():
        MOVED.kernels[np.ndarray](*pairs[1], counter, m, v, 0.3, 1.25)
    assert counter == 4
    np.testing.assert_allclose(pairs[0], pairs[1], rtol=3e-7)


@pytest.mark.parametrize("other", [None, "float64", "locked", "strided", "an array of one", "small counter"])
def test_running_statistics_that_are_refused(other, in_c):
    mean, var, m, v = np.random.default_rng(4).uniform(0.5, 2, (4, 6)).astype("float32")
    momentum = np.array([0.3], "float32") if other == "an array of one" else 0.3
    var = {None: None, "float64": var.astype("float64"), "strided": np.repeat(var, 2)[::2]}.get(other, var)
    want = mean * np.float32(0.7) + m * np.float32(0.3), None if var is None else var * 0.7 + v * 0.3
    if other == "locked":
        var.flags.writeable = False
    counter = np.array(7, "int32") if other == "small counter" else None
    with pytest.raises(ValueError, match="read-only") if other == "locked" else contextlib.nullcontext():
        MOVED.kernels[np.ndarray](mean, var, counter, m, v, momentum, 1.0)
    assert not in_c["running_statistics"]
    assert counter is None or counter == 8
    np.testing.assert_allclose(mean, want[0], rtol=1e-6)
    assert var is None or other == "locked" or np.allclose(var, want[1], rtol=1e-6)
