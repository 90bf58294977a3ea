"""Softmax: extremes, dtypes, conventions."""

import math

import numpy as np
import pytest

import minigrad as mg

INF = math.inf


def test_large_numbers_are_exact():
    x = mg.tensor([[1e4, 0.0], [-1e4, 0.0]], requires_grad=True)
    assert mg.softmax(x).tolist() == [[1, 0], [0, 1]]
    assert mg.log_softmax(x).tolist() == [[0, -1e4], [-1e4, 0]]
    (g,) = mg.grad(mg.sum(mg.log_softmax(x)[:, 0]), x)
    assert g.tolist() == [[0, 0], [1, -1]]


def test_masked_entries():
    x = mg.tensor([1.0, -INF, 1.0], requires_grad=True)
    y = mg.softmax(x)
    assert y.tolist() == [0.5, 0, 0.5]
    (g,) = mg.grad(y[0], x)
    assert g.tolist() == [0.25, 0, -0.25]
    assert mg.log_softmax(x).tolist() == pytest.approx([-math.log(2), -INF, -math.log(2)])


def test_nothing_but_minus_infinity_is_nan():
    with np.errstate(invalid="ignore"):
        assert np.isnan(mg.softmax(np.array([-INF, -INF]))).all()
        assert np.isnan(mg.log_softmax(np.array([-INF, -INF]))).all()


def test_half_precision_is_computed_in_float32():
    x = mg.tensor(np.zeros(100_000, "float16"))
    assert mg.softmax(x).dtype == np.float16
    assert mg.log_softmax(x)[0].item() == pytest.approx(-math.log(1e5), rel=1e-3)


def test_integers():
    assert mg.softmax(np.array([-128, 127], "int8")).tolist() == pytest.approx([0, 1])
    assert mg.softmax([0, 0]).tolist() == [0.5, 0.5]
    assert mg.softmin([0, 5000]).tolist() == [1, 0]
    assert mg.softmax(np.array([3, 3])).dtype == np.float64


def test_empty_axes():
    assert mg.softmax(np.ones((2, 0))).shape == (2, 0)
    assert mg.log_softmax(np.ones((0, 2)), axis=0).shape == (0, 2)


def test_sums_to_one():
    x = np.random.default_rng(0).normal(size=(50, 1000)).astype("float32") * 30
    np.testing.assert_allclose(mg.softmax(x).sum(-1), 1, rtol=1e-6)


@pytest.mark.torch
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "softmin"])
def test_as_pytorch(name):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(size=(3, 4, 5))
    w = np.random.default_rng(1).normal(size=x.shape)
    ours, theirs = mg.Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y, z = getattr(mg, name)(ours, axis=1), getattr(torch.nn.functional, name)(theirs, dim=1)
    z.backward(torch.tensor(w))
    np.testing.assert_allclose(y.numpy(), z.detach().numpy())
    np.testing.assert_allclose(mg.grad(y, ours, w)[0].numpy(), theirs.grad.numpy(), atol=1e-12)
