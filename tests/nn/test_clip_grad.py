"""Gradients clipped by norm, by value and per unit: the formulas, other norms, and errors that change nothing."""

from math import inf, nan

import numpy as np
import pytest

import minigrad as mg
from minigrad.nn.utils import NonFiniteGradientError, adaptive_clip_grad_, clip_grad_norm_, clip_grad_value_, get_total_norm


def parameters(*gradients):
    out = []
    for g in gradients:
        p = mg.tensor(np.ones_like(g), requires_grad=True)
        p.grad = mg.tensor(g)
        out.append(p)
    return out


G = [np.array([3.0, -4.0], "float32"), np.array([[12.0]], "float32")]


@pytest.mark.parametrize(("p", "norm"), [(2.0, 13.0), (inf, 12.0), (1.0, 19.0), (3.0, (27 + 64 + 1728) ** (1 / 3))])
def test_norms(p, norm):
    ps = parameters(*G)
    assert get_total_norm([q.grad for q in ps], p).item() == pytest.approx(norm, rel=1e-6)
    assert clip_grad_norm_(ps, 1.0, p).item() == pytest.approx(norm, rel=1e-6)
    for q, g in zip(ps, G, strict=True):
        np.testing.assert_allclose(q.grad.numpy(), g / norm, rtol=1e-5)


def test_one_tensor_none_and_small_gradients():
    (p,) = parameters(G[0])
    assert get_total_norm(p.grad).item() == 5.0
    assert clip_grad_norm_(p, 100.0).item() == 5.0
    assert p.grad.tolist() == G[0].tolist()
    p.grad = None
    assert clip_grad_norm_([p], 1.0).item() == 0.0
    clip_grad_value_([p], 1.0)
    adaptive_clip_grad_([p])
    assert p.grad is None


def test_by_value():
    ps = parameters(*G)
    clip_grad_value_(ps, 3.5)
    assert [q.grad.tolist() for q in ps] == [[3.0, -3.5], [[3.5]]]


def test_per_unit():
    (p,) = parameters(np.array([[3.0, 4.0], [0.03, 0.04]], "float32"))
    adaptive_clip_grad_(p, clip_factor=0.5)
    unit = np.sqrt(2) / 2  # half of the norm of a row of ones
    np.testing.assert_allclose(p.grad.numpy(), [[0.6 * unit, 0.8 * unit], [0.03, 0.04]], rtol=1e-5)


def test_errors_change_nothing():
    ps = parameters(np.array([1.0, nan], "float32"), G[0])
    with pytest.raises(NonFiniteGradientError, match="clip_grad_norm_: the total norm of the gradients is nan"):
        clip_grad_norm_(ps, 1.0, error_if_nonfinite=True)
    with pytest.raises(NonFiniteGradientError, match="get_total_norm: the total norm"):
        get_total_norm([p.grad for p in ps], error_if_nonfinite=True)
    for call, words in (
        (lambda: clip_grad_norm_(ps, -1.0), "max_norm must be a number >= 0"),
        (lambda: clip_grad_norm_(ps, nan), "max_norm must be a number >= 0"),
        (lambda: clip_grad_norm_(ps, 1.0, 0.0), "clip_grad_norm_: norm_type must be positive"),
        (lambda: get_total_norm([], 0.0), "get_total_norm: norm_type must be positive"),
        (lambda: clip_grad_value_(ps, -1.0), "clip_value must be a number >= 0"),
        (lambda: adaptive_clip_grad_(ps, 0.0), "clip_factor and eps must be positive"),
    ):
        with pytest.raises(ValueError, match=words):
            call()
    assert ps[1].grad.tolist() == G[0].tolist()
