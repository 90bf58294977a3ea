"""Norms on the double of a GPU: outputs, statistics and slopes against NumPy's in double precision."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.ops.normalization.batch import BATCH_NORM, FROZEN_NORM, INSTANCE_NORM, MOVED
from minigrad.ops.normalization.layer import GROUP_NORM, LAYER_NORM, RMS_NORM
from minigrad.testing.double import DoubleArray, no_sync, put
from minigrad.testing.parity import fetched, moved

pytestmark = pytest.mark.usefixtures("in_cuda")
BOUNDS = {"float32": 3e-6, "float16": 2e-3}
CASES = [
    *[(op, shape) for op in (LAYER_NORM, RMS_NORM) for shape in [(5, 2), (4, 31), (2, 3, 32), (700, 33), (9000, 3), (2, 50_000)]],
    *[(GROUP_NORM, shape) for shape in [(3, 2, 4, 1), (700, 3, 2, 1), (2, 3, 5, 60), (4, 1, 8, 33), (1, 2, 2, 9000)]],
    *[(INSTANCE_NORM, shape) for shape in [(2, 3, 2), (4, 5, 60), (3, 2, 7, 9), (1, 2, 9000)]],
    *[
        (op, shape)
        for op in (BATCH_NORM, FROZEN_NORM)
        for shape in [(2, 1), (7, 3), (300, 65), (3000, 5), (2, 3, 1), (4, 20, 7, 7), (40, 2, 40, 30), (1, 2, 9000), (9, 17, 3, 1, 5)]
    ],
]


def arguments(op, shape, dtype="float32", weight=True, bias=True):
    """Random arguments of one of the ops: numbers far from 0, the first of them further."""
    rng = np.random.default_rng(sum(shape))
    x = rng.normal(size=shape) * 2 + 5
    x[(0,) * len(shape)] = 90
    how, axes = (1, shape[1], *[1] * (len(shape) - 2)), tuple([a for a in range(len(shape)) if a != 1])
    if op in (LAYER_NORM, RMS_NORM):
        how, axes = (*[1] * (len(shape) - 1), shape[-1]), (len(shape) - 1,)
    elif op is GROUP_NORM:
        how, axes = (1, *shape[1:3], 1), (2, 3)
    elif op is INSTANCE_NORM:
        axes = tuple(range(2, len(shape)))
    w, b = rng.normal(size=(2, int(np.prod(how)))).astype("float32")
    w, b = w if weight else None, b if bias and op is not RMS_NORM else None
    if op is FROZEN_NORM:
        return x.astype(dtype), w, b, np.full(how, 4.9, "float32"), rng.random(how).astype("float32")
    return x.astype(dtype), w, b, axes, 1e-5, how, op is not RMS_NORM


def results(op, args, g, wanted=None, place=None, dtype="float64"):
    """Outputs, what is kept and slopes: of the double, or of NumPy in this precision."""
    op = op.op
    wanted = (True, args[1] is not None, args[2] is not None) if wanted is None else wanted
    if place:
        g, args = place(g), moved(args, place)
        kernel, slopes = op.kernels[DoubleArray], op.slopes[DoubleArray]
    else:
        g, args = g.astype(dtype), [a.astype(dtype) if isinstance(a, np.ndarray) else a for a in args]
        kernel, slopes = op.kernels.make(np), op.slopes.make(np)
    with no_sync():
        y, kept = kernel(*args)
        return [*(y if type(y) is tuple else (y,)), *kept, *slopes(g, wanted, kept, *args)]


def check(op, args, dtype="float32", wanted=None, place=put):
    """The double against double precision: right to a few units of the last place of the largest number, or no worse than NumPy's float32.

    The latter where few numbers share a mean: if they are alike, what its rounding does is large beside their deviation.
    """
    g = np.random.default_rng(args[0].size).normal(size=args[0].shape).astype(dtype)
    got = results(op, args, g, wanted, place)
    exact, single = [results(op, args, g, wanted, dtype=wide) for wide in ("float64", "float32")]
    for y, z, p in zip(got, exact, single, strict=True):
        assert (y is None) == (z is None)
        if y is not None:
            assert y.shape == z.shape
            assert y.dtype == "float32" or y.dtype == dtype
            assert np.abs(y.get() - z).max() <= max(BOUNDS[dtype] * max(np.abs(z).max(), 1), 2 * np.abs(p - z).max())
    return got


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize(("op", "shape"), CASES, ids=lambda v: v.__name__ if callable(v) else "x".join(map(str, v)))
def test_values(op, shape, dtype, in_cuda):
    check(op, arguments(op, shape, dtype), dtype)
    lines = {"norm": 1, "norm_slopes": 1} if op not in (BATCH_NORM, FROZEN_NORM) else {"channel_norm": 1, "channel_slopes": 1}
    measured = {"channel_moments": 1, "channel_statistics": 1} if op is BATCH_NORM else {}
    assert in_cuda == {**lines, **measured, "channel_sums": 1, "channel_totals": 1}


@pytest.mark.parametrize("op", [LAYER_NORM, GROUP_NORM, INSTANCE_NORM, BATCH_NORM, FROZEN_NORM], ids=lambda op: op.__name__)
@pytest.mark.parametrize("wanted", [(True, False, False), (False, True, False), (False, False, True), (True, False, True)], ids=str)
def test_some_slopes(op, wanted):
    check(op, arguments(op, (6, 5, 4, 3)), wanted=wanted)


@pytest.mark.parametrize("op", [LAYER_NORM, RMS_NORM, BATCH_NORM, FROZEN_NORM], ids=lambda op: op.__name__)
def test_without_weight_or_bias(op):
    for weight, bias in [(True, False), (False, True), (False, False)]:
        check(op, arguments(op, (6, 5), weight=weight, bias=bias))


@pytest.mark.parametrize("op", [BATCH_NORM, FROZEN_NORM], ids=lambda op: op.__name__)
def test_channels_last(op, in_cuda):
    """The output lies in memory as x does; gradients may come otherwise."""
    args = arguments(op, (4, 6, 5, 3))
    last = lambda a: put(a.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2) if a.ndim == 4 and a.shape[0] > 1 else put(a)  # noqa: E731
    y = check(op, args, place=last)[0]
    assert y.strides == last(args[0]).strides
    assert in_cuda["channel_norm"] == in_cuda["channel_slopes"] == 1


def test_constant_rows_are_exactly_the_bias():
    for value in (0.1, 1000.3, -7e8):
        x = np.full((3, 1000), value, "float32")
        y, *_ = LAYER_NORM.op.kernels[DoubleArray](put(x), None, None, (1,), 1e-12, (1, 1000), True)
        assert not y.get().any()


def test_what_is_not_finite_spoils_its_row_alone():
    x = np.random.default_rng(0).normal(size=(4, 50)).astype("float32")
    x[1, 3], x[2, 0], x[3, 1] = np.nan, np.inf, -np.inf
    for op in (LAYER_NORM, RMS_NORM):
        args = (None, None, (1,), 1e-5, (1, 50), op is LAYER_NORM)
        with np.errstate(all="ignore"):
            want = op.op.kernels.make(np)(x, *args)[0]
        np.testing.assert_allclose(op.op.kernels[DoubleArray](put(x), *args)[0].get(), want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("momentum", [0.1, np.array(0.25, "float32")], ids=["number", "array"])
def test_running_statistics(momentum, in_cuda):
    rng = np.random.default_rng(0)
    m, v = rng.random((2, 1, 70, 1, 1)).astype("float32")
    results = []
    for place in (put, np.array):
        mean, var, counter = [place(a) for a in (np.zeros(70, "float32"), np.ones(70, "float32"), np.array(3))]
        kernel = MOVED.kernels[type(mean)] if place is put else MOVED.kernels.make(np)
        kernel(mean, var, counter, place(m), place(v), moved([momentum], place)[0], 1.5)
        kernel(None, var, None, place(m), place(v), moved([momentum], place)[0], 1.5)
        results.append(fetched([mean, var, counter]))
    for a, b in zip(*results, strict=True):
        assert np.allclose(a, b, rtol=1e-6)
    assert in_cuda["running_statistics"] == 2 * (type(momentum) is float)


def test_layers_train_without_waiting(in_cuda):
    """A batch norm's step, counter and all; and evaluation."""
    layer = mg.nn.BatchNorm2d(6)
    x = np.random.default_rng(0).normal(size=(4, 6, 5, 5)).astype("float32")
    want, running = layer(mg.tensor(x)).numpy(), layer.running_var.numpy().copy()
    layer = mg.nn.BatchNorm2d(6).to(device="double")
    t = mg.Tensor(put(x), requires_grad=True)
    with no_sync():
        y = layer(t)
        (y * y).sum().backward()
    assert np.allclose(y.data.get(), want, atol=1e-5)
    assert np.allclose(layer.running_var.data.get(), running, atol=1e-6)
    assert in_cuda["running_statistics"] == in_cuda["channel_norm"] == 1
