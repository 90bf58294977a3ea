"""Kernels of lines in blocks of threads: teams that share lines out, in all shapes that have a way of their own. See test_blocks.py."""

import builtins
import importlib.util
import pathlib

import numpy as np

from minigrad.autograd.conform import sum_to
from minigrad.ops.attention import WEIGHTS, WEIGHTS_GRADIENT
from minigrad.ops.fused import SPREAD
from minigrad.ops.losses import LOSSES, SLOPE
from minigrad.ops.normalization.batch import BATCH_NORM, INSTANCE_NORM
from minigrad.ops.normalization.layer import GROUP_NORM, LAYER_NORM, RMS_NORM
from minigrad.ops.reduce import max, mean, min, sum
from minigrad.ops.softmax import LOG_SOFTMAX, LOG_SOFTMAX_GRADIENT, SOFTMAX, SOFTMAX_GRADIENT
from minigrad.testing.double import DoubleArray, put
from minigrad.testing.parity import moved

_spec = importlib.util.spec_from_file_location("blocks_of_threads", pathlib.Path(__file__).with_name("test_blocks.py"))
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
blocks = _module.blocks


def close(got, want):
    for a, b in zip(got, want, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            assert np.abs(a.get() - b).max() <= 4e-6 * builtins.max(np.abs(b).max(), 1)


def wide(args):
    return [a.astype("float64") if getattr(a, "dtype", None) == "float32" else a for a in args]


def agree(op, *args):
    """The kernel of an op in blocks, and in NumPy in double precision."""
    close([op.kernels[DoubleArray](*moved(args, put))], [op.kernels.make(np)(*wide(args))])


def normal(*shape):
    return np.random.default_rng(builtins.sum(shape)).normal(size=shape).astype("float32")


def test_rows(blocks):
    for shape in [(5, 7), (4, 33), (2, 5000), (3, 50, 6), (40, 1000)]:
        x, g = normal(*shape), normal(*shape[::-1]).reshape(shape)
        q = LOG_SOFTMAX.kernels.make(np)(x, (1,))
        own = (shape[0], 1, *shape[2:])
        labels, hit, valid = np.arange(np.prod(own)).reshape(own) % shape[1], abs(normal(*own)), normal(*own) > -0.5
        rest = abs(normal(1, shape[1], *[1] * (len(shape) - 2))) / shape[1]
        told = (labels, hit, rest, hit + rest.sum(), valid)
        agree(SOFTMAX, x, (1,))
        agree(LOG_SOFTMAX, x, (1,))
        agree(SOFTMAX_GRADIENT, g, np.exp(q), (1,))
        agree(LOG_SOFTMAX_GRADIENT, g, q, (1,))
        agree(LOSSES, x, *told)
        agree(SLOPE, x, normal(*own), *told, np.array(3, "float32"))
    assert blocks.total() == 30


def test_rows_of_what_is_not_finite(blocks):
    x = normal(6, 200)
    x[1], x[2, :150], x[3, 7], x[4, 180], x[5, 3] = -np.inf, -np.inf, np.nan, np.inf, -np.inf
    with np.errstate(all="ignore"):
        want = SOFTMAX.kernels.make(np)(x, (1,))
        highest, lowest = x.max(1), x.min(1)
    np.testing.assert_allclose(SOFTMAX.kernels[DoubleArray](put(x), (1,)).get(), want, rtol=1e-5, atol=1e-7)
    assert np.array_equal(max.op.kernels[DoubleArray](put(x), (1,), False).get(), highest, equal_nan=True)
    assert np.array_equal(min.op.kernels[DoubleArray](put(x), (1,), False).get(), lowest, equal_nan=True)


def test_attention(blocks):
    for n in (9, 70, 3000):
        s, d, mask, keep = normal(2, 6, n), normal(2, 6, n), normal(1, 6, n) > 0, normal(2, 6, n) > -1
        results = []
        for place, make in ((put, lambda op: op.kernels[DoubleArray]), (lambda a: a.astype("float64"), lambda op: op.kernels.make(np))):
            p, again, slope, z, h = [place(a) for a in (s, s, d, normal(2, 6, 1), np.ones((2, 6, 1), "float32"))]
            flags = (put(mask), put(keep)) if place is put else (mask, keep)
            make(WEIGHTS)(p, *flags, z, 0.7, 1.25, 2)
            make(WEIGHTS_GRADIENT)(again, slope, *flags, z, (p * slope).sum(-1, keepdims=True), h, 0.7, 0.3, 1.25, 2)
            results.append([p, z, again, slope])
        close(*results)
    assert blocks["attention_weights"] == blocks["attention_weights_gradient"] == 3


NORMS = [
    *[(op, shape) for op in (LAYER_NORM, RMS_NORM) for shape in [(5, 8), (70, 33), (2, 5000)]],
    *[(GROUP_NORM, (3, 2, 4, 11)), (INSTANCE_NORM, (3, 5, 60))],
    *[(BATCH_NORM, shape) for shape in [(40, 5), (300, 9), (4, 3, 7, 7), (3, 2, 60, 60)]],
]


def test_norms(blocks):
    for op, shape in NORMS:
        x, g = normal(*shape) * 2 + 50, normal(*shape[::-1]).reshape(shape)
        x[(0,) * len(shape)] = 90
        how, axes = (1, shape[1], *[1] * (len(shape) - 2)), tuple([a for a in range(len(shape)) if a != 1])
        if op in (LAYER_NORM, RMS_NORM):
            how, axes = (1, shape[1]), (1,)
        elif op is GROUP_NORM:
            how, axes = (1, *shape[1:3], 1), (2, 3)
        elif op is INSTANCE_NORM:
            axes = (2,)
        w, b = normal(2, int(np.prod(how)))
        args = (x, w, None if op is RMS_NORM else b, axes, 1e-5, how, op is not RMS_NORM)
        wanted = (True, True, op is not RMS_NORM)
        y, kept = op.op.kernels[DoubleArray](*moved(args, put))
        want, exact = op.op.kernels.make(np)(*wide(args))
        several = type(y) is tuple
        close([*(y if several else (y,)), *kept], [*(want if several else (want,)), *exact])
        slopes = op.op.slopes[DoubleArray](put(g), wanted, kept, *moved(args, put))
        close(slopes, op.op.slopes.make(np)(g.astype("float64"), wanted, exact, *wide(args)))
    assert blocks["norm"] == blocks["norm_slopes"] == 8
    assert blocks["channel_statistics"] == blocks["channel_slopes"] == 4


def test_reductions(blocks):
    for shape, axis in [((20_000,), None), ((3, 5000), (1,)), ((700, 9), (0,)), ((6, 7, 50), (0, 2))]:
        x = normal(*shape) + 1
        for f in (sum, mean, max, min):
            agree(f.op, x, axis, False)
        agree(sum_to.op, x, (1,) * len(shape))
    assert blocks["sum_of_pieces"] > 5


def test_embedding(blocks):
    ids = np.random.default_rng(0).integers(0, 9, (5, 60)) ** 2
    agree(SPREAD, normal(5, 60, 3), ids, 70, 4)
    agree(SPREAD, normal(5, 60, 3), ids, 70, None)
    assert blocks["merge"] == 6
