"""The adaptive softmax: PyTorch's, and a distribution over all classes."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import IndexRangeError, ShapeError

ADAPTIVE = [
    ((8, 20, [5, 10]), {"div_value": 2.0}, (6, 8), np.array([0, 7, 19, 4, 5, 10])),
    ((16, 20, [2]), {"head_bias": True}, (6, 16), np.array([0, 7, 19, 4, 1, 10])),
    ((16, 20, [5, 10, 15]), {"div_value": 1.5}, (4, 16), np.array([0, 1, 4, 2])),
    ((8, 20, (5, 10)), {"div_value": 1.0, "head_bias": True}, (8,), np.array(12)),
]


@pytest.mark.torch
@pytest.mark.parametrize("case", ADAPTIVE, ids=str)
def test_adaptive_softmax_against_pytorch(agrees, case):
    agrees("AdaptiveLogSoftmaxWithLoss", *case, modes=(True,))


def test_adaptive_softmax():
    mg.manual_seed(0)
    softmax = nn.AdaptiveLogSoftmaxWithLoss(8, 20, [5, 10], div_value=2.0)
    x, labels = mg.tensor(np.random.default_rng(0).normal(size=(20, 8)).astype("float32")), np.arange(20)
    log_p = softmax.log_prob(x)
    np.testing.assert_allclose(np.exp(log_p.detach().numpy()).sum(1), 1, rtol=1e-5)
    output, loss = softmax(x, mg.tensor(labels))
    np.testing.assert_allclose(output.detach().numpy(), np.diag(log_p.detach().numpy()), rtol=1e-5)
    assert loss.item() == pytest.approx(-output.detach().numpy().mean(), rel=1e-5)
    assert np.array_equal(softmax.predict(x).numpy(), log_p.detach().numpy().argmax(1))
    with pytest.raises(IndexRangeError, match="label 20 at row 1, 20 classes"):
        softmax(x[:2], np.array([0, 20]))
    with pytest.raises(ShapeError, match="AdaptiveLogSoftmaxWithLoss"):
        softmax(x[:2], np.array([[0], [1]]))
    for wrong in ([], [5, 5], [10, 5], [0, 5], [20], [2.5]):
        with pytest.raises(ValueError, match="cutoffs"):
            nn.AdaptiveLogSoftmaxWithLoss(8, 20, wrong)
    with pytest.raises(ValueError, match="features"):
        nn.AdaptiveLogSoftmaxWithLoss(8, 20, [5, 10], div_value=4.0)


def test_adaptive_softmax_of_one_sample_and_new_values():
    mg.manual_seed(0)
    softmax = nn.AdaptiveLogSoftmaxWithLoss(8, 20, [5, 10], div_value=2.0)
    x = mg.tensor(np.random.default_rng(0).normal(size=(2, 8)).astype("float32"))
    many, _ = softmax(x, np.array([3, 12]))
    one, loss = softmax(x[1], np.array(12))
    assert one.shape == ()
    assert one.item() == pytest.approx(many[1].item(), rel=1e-6) == pytest.approx(-loss.item(), rel=1e-6)
    before = softmax.head.weight.numpy().copy(), softmax.tail[0][0].weight.numpy().copy()
    softmax.reset_parameters()
    assert not any(np.array_equal(a, b.numpy()) for a, b in zip(before, (softmax.head.weight, softmax.tail[0][0].weight), strict=True))
    for shape, labels in (((2, 8), np.array([1])), ((8,), np.array([1])), ((1, 2, 8), np.array([[1, 2]]))):
        with pytest.raises(ShapeError, match=r"input must be \(N, features\) and target \(N,\)"):
            softmax(mg.zeros(shape), labels)
