"""Anomaly detection: source lines, the first NaN and the op that made it, and nothing left on."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.autograd import detect_anomaly, node, set_detect_anomaly
from minigrad.errors import GraphError


def test_the_where_trap_is_named():
    x = mg.tensor([0.0, 4.0], requires_grad=True)
    mg.where(x == 0, 0.0, mg.sqrt(x)).sum().backward()  # silent: NaN by the chain rule, 0 * inf
    assert np.isnan(x.grad.numpy()[0])
    x.grad = None
    with detect_anomaly():
        y = mg.where(x == 0, 0.0, mg.sqrt(x)).sum()
        with pytest.raises(GraphError, match=r"sqrt \(.*test_anomaly\.py:\d+\) made NaN .* where\(\)"):
            y.backward()
        safe = mg.where(x == 0, 1.0, x)
        mg.where(x == 0, 0.0, mg.sqrt(safe)).sum().backward()  # the double where
    assert x.grad.tolist() == [0.0, 0.25]


def test_both_lines_of_a_stale_array_are_named():
    x = mg.tensor([1.0], requires_grad=True)
    with detect_anomaly():
        y = mg.exp(x)
        y += 1.0
        with pytest.raises(GraphError, match=r"exp \(.*test_anomaly\.py:\d+\) saved .* (__iadd__|add_|\+=) \(.*test_anomaly\.py:\d+\)"):
            y.sum().backward()


def test_a_nan_seed_and_second_order():
    x = mg.tensor([1.0], requires_grad=True)
    with detect_anomaly():
        with pytest.raises(GraphError, match="the seed made NaN"):
            (x * 2).backward(np.array([np.nan], "float32"))
        (g,) = mg.grad((x**3).sum(), x, create_graph=True)
        assert mg.grad(g.sum(), x)[0].item() == 6.0


def test_it_is_off_afterwards_and_nests():
    clock = node.birth
    with detect_anomaly():
        with set_detect_anomaly(False):
            assert node.sources is None
        assert node.sources is not None
    assert node.sources is None
    assert node.birth is clock
