"""Unfolding and interpolation, beyond their rows in the table."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.ops import conv, resample

RNG = np.random.default_rng(0)


def test_unfold_is_the_matrix_of_a_convolution():
    x, w = RNG.normal(size=(2, 3, 5, 6)), RNG.normal(size=(4, 3, 2, 3))
    y = (w.reshape(4, -1) @ resample.unfold(x, (2, 3), padding=1)).reshape(2, 4, 6, 6)
    np.testing.assert_allclose(y, conv.conv2d(x, w, padding=1), atol=1e-12)


def test_fold_counts_the_windows():
    ones = np.ones((1, 1, 4, 4))
    counts = resample.fold(resample.unfold(ones, 3), (4, 4), 3)
    assert counts[0, 0].tolist() == [[1, 2, 2, 1], [2, 4, 4, 2], [2, 4, 4, 2], [1, 2, 2, 1]]


def test_unfold_of_single_pixels_is_a_copy():
    x = np.ones((1, 1, 2, 2))
    resample.unfold(x, 1)[...] = 7
    assert (x == 1).all()


def test_the_same_size_is_a_copy():
    x = mg.Tensor(np.ones((1, 1, 3)))
    resample.interpolate(x, size=3).data[...] = 7
    assert (x.data == 1).all()


def test_infinity_stays_with_its_neighbours():
    x = np.array([[[np.inf, 1.0, 1.0, 1.0]]])
    y = resample.interpolate(x, scale_factor=2, mode="linear")
    assert np.isfinite(y[0, 0, 4:]).all()
    g = np.zeros((1, 1, 8))
    g[..., 7] = np.inf
    t = mg.Tensor(np.ones((1, 1, 4)), requires_grad=True)
    (d,) = mg.grad(resample.interpolate(t, scale_factor=2), t, g)
    assert d.data.tolist() == [[[0, 0, 0, np.inf]]]


def test_shuffles_are_inverse():
    x = RNG.normal(size=(2, 8, 3, 4))
    assert np.array_equal(resample.pixel_unshuffle(resample.pixel_shuffle(x, 2), 2), x)
    assert np.array_equal(resample.channel_shuffle(resample.channel_shuffle(x, 2), 4), x)


@pytest.mark.torch
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "linear", "bilinear", "trilinear", "bicubic", "area"])
@pytest.mark.parametrize("seed", range(8))
def test_as_pytorch(mode, seed):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    n = {"linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3}.get(mode, seed % 3 + 1)
    x = rng.normal(size=(1, 2, *rng.integers(2, 6, n)))
    how = {"mode": mode}
    if seed % 2:
        how["size"] = tuple(int(v) for v in rng.integers(1, 9, n))
    else:
        how["scale_factor"] = tuple(float(v) for v in rng.choice([0.5, 1.0, 1.7, 2.0, 3.0], n))
    if mode.endswith("linear") or mode == "bicubic":
        how["align_corners"] = bool(seed // 2 % 2)
    ours, theirs = mg.Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    got, want = resample.interpolate(ours, **how), torch.nn.functional.interpolate(theirs, **how)
    np.testing.assert_allclose(got.data, want.detach().numpy(), atol=1e-6)
    g = rng.normal(size=got.shape)
    np.testing.assert_allclose(mg.grad(got, ours, g)[0].data, torch.autograd.grad(want, theirs, torch.tensor(g))[0].numpy(), atol=1e-6)
