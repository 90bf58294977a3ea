"""What lies between the products of attention, on the double of a GPU, against NumPy's in double precision."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.ops.attention import WEIGHTS, WEIGHTS_GRADIENT
from minigrad.testing.double import DoubleArray, no_sync, put
from minigrad.testing.parity import fetched, run

SHAPES = [(3, 5), (2, 7, 33), (2, 3, 4, 1), (2, 3, 9, 64), (1, 2, 5, 3000)]


def beside(kind, shape, rng):
    """A mask, or what is kept, for scores of this shape."""
    if kind is None:
        return None
    own = {"all": shape, "keys": (*[1] * (len(shape) - 1), shape[-1]), "queries": (*shape[:-1], 1)}[kind.split()[0]]
    return rng.normal(size=own).astype("float32") if "numbers" in kind else rng.random(own) > 0.4


def both(shape, mask, keep, first):
    """Weights, logarithms of sums, gradients: of the double, and of NumPy in double precision."""
    rng = np.random.default_rng(sum(shape))
    s, d = rng.normal(size=(2, *shape)).astype("float32")
    mask, keep, gain = beside(mask, shape, rng), beside(keep, shape, rng), 1.25 if keep else 1.0
    for place, dtype, kind in ((put, "float32", DoubleArray), (np.array, "float64", None)):
        sent = [None if a is None else place(a if a.dtype == bool else a.astype(dtype)) for a in (s, d, s, mask, keep)]
        p, slope, again, *more = sent
        z = place(np.zeros((*shape[:-1], 1), dtype))
        forward, back = [op.kernels[kind] if kind else op.kernels.make(np) for op in (WEIGHTS, WEIGHTS_GRADIENT)]
        with no_sync(), np.errstate(all="ignore"):
            forward(p, *more, z, 0.7, gain, first)
            used = p * 1  # h and y of one number each, whose product is what the gradients of the weights add up to
            back(again, slope, *more, z, (used * slope).sum(-1, keepdims=True), z * 0 + 1, 0.7, 0.3, gain, first)
        yield fetched([p, z, again, slope])


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("mask", [None, "all flags", "keys flags", "queries flags", "all numbers", "keys numbers"])
@pytest.mark.parametrize(("keep", "first"), [(None, -1), ("all flags", -1), (None, 0), ("all flags", 2)])
def test_values(shape, mask, keep, first, in_cuda):
    for got, want in zip(*both(shape, mask, keep, first), strict=True):
        assert got.dtype == "float32"
        assert np.abs(got - want).max() <= 2e-6 * max(np.abs(want).max(), 1)
    assert in_cuda == {"attention_weights": 1, "attention_weights_gradient": 1}


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_attention(dtype, in_cuda):
    """From the public function, with a mask and without, ahead or not."""
    rng = np.random.default_rng(0)
    inputs = list(rng.normal(size=(3, 2, 4, 9, 8)).astype(dtype))
    mask = rng.random((9, 9)) > 0.3
    for keywords in ({}, {"is_causal": True}, {"attn_mask": mask}):
        f = mg.nn.functional.scaled_dot_product_attention
        with no_sync():
            got = run(f, [put(a) for a in inputs], {k: put(v) if v is mask else v for k, v in keywords.items()}, put, 1)
        want = run(f, [a.astype("float64") for a in inputs], keywords, lambda a: a, 1)
        for a, b in zip(fetched(got[0] + got[1]), fetched(want[0] + want[1]), strict=True):
            assert np.abs(a - b).max() <= (3e-6 if dtype == "float32" else 4e-3) * max(np.abs(b).max(), 1)
    assert in_cuda["attention_weights"] == in_cuda["attention_weights_gradient"] == 3


def test_others_are_cupys(in_cuda):
    """Masks of half precision, and scores of more than four axes that have one."""
    for shape, mask in (((2, 3, 4), np.zeros((2, 3, 4), "float16")), ((1, 1, 2, 3, 4), np.ones((1, 1, 2, 3, 4), bool))):
        s, z = put(np.ones(shape, "float32")), put(np.ones((*shape[:-1], 1), "float32"))
        WEIGHTS.kernels[DoubleArray](s, put(mask), None, z, 1.0, 1.0, -1)
        assert np.allclose(s.get(), 0.25)
    assert not in_cuda
