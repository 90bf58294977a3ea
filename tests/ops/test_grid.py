"""Images looked at through grids, against PyTorch and by cases."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.nn import functional as F
from minigrad.ops import grid as grids


def draw(*shape, seed=0, spread=1.0):
    return (np.random.default_rng(seed).normal(size=shape) * spread).astype("float32")


def shares(a, b):
    """The largest difference, relative to the largest value."""
    return abs(a - b).max(initial=0) / max(abs(b).max(initial=0), 1e-3)


@pytest.mark.torch
@pytest.mark.parametrize("align", [True, False, None])
@pytest.mark.parametrize("padding", grids.PADDINGS)
@pytest.mark.parametrize(
    ("mode", "sizes"), [(m, s) for m in grids.MODES for s in ((5, 4), (1, 3), (3, 4, 2)) if (m, len(s)) != ("bicubic", 3)]
)
@pytest.mark.filterwarnings("ignore:Default grid_sample")
def test_grid_sample_against_pytorch(mode, padding, align, sizes):
    torch = pytest.importorskip("torch")
    n = len(sizes)
    image, points = draw(2, 3, *sizes), draw(2, *(4, 3, 2)[:n], n, seed=1, spread=1.2)
    settings = {"mode": mode, "padding_mode": padding, "align_corners": align}
    x, g = (mg.tensor(a, requires_grad=True) for a in (image, points))
    u, h = (torch.tensor(a, requires_grad=True) for a in (image, points))
    y, z = F.grid_sample(x, g, **settings), torch.nn.functional.grid_sample(u, h, **settings)
    assert shares(y.detach().numpy(), z.detach().numpy()) < 1e-5
    w = draw(*y.shape, seed=2)
    (y * w).sum().backward(), (z * torch.tensor(w)).sum().backward()
    assert shares(x.grad.numpy(), u.grad.numpy()) < 1e-5
    assert mode == "nearest" or shares(g.grad.numpy(), h.grad.numpy()) < 2e-5


@pytest.mark.torch
@pytest.mark.parametrize("align", [True, False, None])
@pytest.mark.parametrize("size", [(2, 3, 4, 5), (2, 3, 1, 5), (2, 1, 3, 4, 2)], ids=str)
@pytest.mark.filterwarnings("ignore:Default grid_sample", "ignore:Since version 1.3.0")
def test_affine_grid_against_pytorch(size, align):
    torch = pytest.importorskip("torch")
    n = len(size) - 2
    x, u = mg.tensor(draw(2, n, n + 1), requires_grad=True), torch.tensor(draw(2, n, n + 1), requires_grad=True)
    y, z = F.affine_grid(x, size, align), torch.nn.functional.affine_grid(u, size, align)
    if not align or min(size[2:]) > 1:
        assert shares(y.detach().numpy(), z.detach().numpy()) < 1e-5
        (y * y).sum().backward(), (z * z).sum().backward()
        assert shares(x.grad.numpy(), u.grad.numpy()) < 1e-5


@pytest.mark.parametrize("align", [True, False])
@pytest.mark.parametrize("mode", grids.MODES)
@pytest.mark.parametrize("padding", grids.PADDINGS)
def test_the_identity(mode, padding, align):
    x = draw(2, 3, 4, 5)
    theta = np.tile(np.eye(2, 3, dtype="float32"), (2, 1, 1))
    y = F.grid_sample(x, F.affine_grid(theta, x.shape, align), mode, padding, align)
    np.testing.assert_allclose(y, x, atol=2e-6)


def test_a_shift_by_one_pixel():
    x = np.arange(4.0).reshape(1, 1, 1, 4)
    theta = np.array([[[1.0, 0.0, 0.5], [0.0, 1.0, 0.0]]])
    shifted = {p: F.grid_sample(x, F.affine_grid(theta, x.shape), "nearest", p).ravel().tolist() for p in grids.PADDINGS}
    assert shifted == {"zeros": [1, 2, 3, 0], "border": [1, 2, 3, 3], "reflection": [1, 2, 3, 3]}


def test_points_far_away():
    """Whatever a grid says, no pixel outside the image is read."""
    x = np.ones((1, 1, 3, 3))
    far = np.array([[[[1e30, 0.0], [-1e30, 0.0], [np.inf, 0.0]]]])
    with np.errstate(invalid="ignore"):
        for mode in grids.MODES[:2]:
            assert np.nan_to_num(F.grid_sample(x, far, mode)).ravel().tolist() == [0, 0, 0]
            assert F.grid_sample(x, far[:, :, :2], mode, "border").ravel().tolist() == [1, 1]


def test_nothing_to_look_at():
    assert F.grid_sample(np.ones((0, 2, 3, 3)), np.zeros((0, 4, 5, 2))).shape == (0, 2, 4, 5)
    assert F.grid_sample(np.ones((1, 2, 3, 3)), np.zeros((1, 0, 5, 2))).shape == (1, 2, 0, 5)
