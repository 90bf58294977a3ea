"""Activations as modules: what PyTorch lacks, modes, settings."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import DTypeError, ShapeError
from minigrad.nn import functional as F


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def test_gates_are_products_of_halves():
    a = draw(3, 8, 2)
    left, right = a[:, :4], a[:, 4:]
    sigmoid = 1 / (1 + np.exp(-left.astype("float64")))
    phi = np.asarray(F.gelu(mg.tensor(left.astype("float64"))).numpy())
    for layer, want in (
        (nn.SwiGLU(1), left * sigmoid * right),
        (nn.GEGLU(1), phi * right),
        (nn.ReGLU(1), np.maximum(left, 0) * right),
        (nn.GLU(1), left / (1 + np.exp(-right))),
    ):
        np.testing.assert_allclose(layer(mg.tensor(a)).numpy(), want, rtol=1e-5, atol=1e-6)
        assert repr(layer) == f"{type(layer).__name__}(dim=1)"
        with pytest.raises(ShapeError, match="even"):
            layer(mg.tensor(a[:, :3]))


def test_maxout_of_a_linear_layer():
    """max_j (x W_j + b_j), as in the paper's eq. 1."""
    mg.manual_seed(0)
    linear, x = nn.Linear(5, 3 * 4), draw(7, 5)
    y = nn.Sequential(linear, nn.Maxout(4))(mg.tensor(x)).detach().numpy()
    w, b = linear.weight.detach().numpy().reshape(3, 4, 5), linear.bias.detach().numpy().reshape(3, 4)
    want = (np.einsum("ni,mki->nmk", x, w) + b).max(-1)
    np.testing.assert_allclose(y, want, rtol=1e-5, atol=1e-6)
    assert nn.Maxout(2, dim=-1)(mg.tensor(draw(2, 3, 8))).shape == (2, 3, 4)
    with pytest.raises(ValueError, match="Maxout"):
        nn.Maxout(0)
    with pytest.raises(ShapeError, match="multiple of k = 4"):
        nn.Maxout(4)(mg.tensor(draw(2, 6)))


def test_crelu_keeps_both_signs():
    a = draw(2, 3, 4, 5)
    y = nn.CReLU()(mg.tensor(a)).numpy()
    assert y.shape == (2, 6, 4, 5)
    assert np.array_equal(y[:, :3] - y[:, 3:], a)
    assert (y >= 0).all()


# -- random slopes ----------------------------------------------------------------------------------------------------
def test_rrelu_draws_slopes_while_training():
    mg.manual_seed(0)
    layer = nn.RReLU(0.1, 0.5)
    t = mg.tensor(np.concatenate([-np.ones(20_000), np.ones(10)]).astype("float32"), requires_grad=True)
    y = layer(t)
    slopes = -y.detach().numpy()[:20_000]
    assert 0.1 <= slopes.min() < 0.11
    assert 0.49 < slopes.max() <= 0.5
    assert abs(slopes.mean() - 0.3) < 0.003
    assert abs(slopes.std() - 0.4 / np.sqrt(12)) < 0.003
    assert (y.detach().numpy()[20_000:] == 1).all()
    y.sum().backward()
    np.testing.assert_array_equal(t.grad.numpy()[:20_000], slopes)
    assert (t.grad.numpy()[20_000:] == 1).all()
    mg.manual_seed(0)
    np.testing.assert_array_equal(layer(t).detach().numpy(), y.detach().numpy())
    layer.eval()
    np.testing.assert_allclose(layer(t).detach().numpy()[:5], -0.3, rtol=1e-6)


# -- settings ---------------------------------------------------------------------------------------------------------
def test_bad_settings():
    for make in (
        lambda: nn.Hardtanh(1.0, 1.0),
        lambda: nn.RReLU(0.5, 0.1),
        lambda: nn.PReLU(0),
        lambda: nn.Softplus(0.0),
        lambda: nn.GELU("sigmoid"),
    ):
        with pytest.raises(ValueError):
            make()
    with pytest.raises(DTypeError, match="rrelu"):
        nn.RReLU()(mg.tensor([1, 2]))


def test_softmax_must_be_told_its_axis_where_it_could_be_several():
    assert np.allclose(nn.Softmax()(mg.tensor(draw(3, 4))).numpy().sum(1), 1)
    for layer in (nn.Softmax(), nn.Softmin(), nn.LogSoftmax()):
        with pytest.raises(ValueError, match="say along which"):
            layer(mg.tensor(draw(2, 3, 4)))
    with pytest.raises(ShapeError, match="Softmax2d"):
        nn.Softmax2d()(mg.tensor(draw(2, 3)))


ARGUMENTS = {"Maxout": (2,), "Threshold": (0.1, 20), "Softmax": (1,), "Softmin": (1,), "LogSoftmax": (1,)}


@pytest.mark.parametrize("name", nn.activation.__all__)
def test_the_dtype_is_kept(name):
    layer = getattr(nn, name)(*ARGUMENTS.get(name, ()))
    for dtype in ("float16", "float32", "float64"):
        x = mg.tensor(draw(2, 4, 3, 2).astype(dtype), requires_grad=True)
        y = layer.to(dtype=dtype)(x)
        y.sum().backward()
        assert y.dtype == x.grad.dtype == np.dtype(dtype)


@pytest.mark.parametrize(
    ("layer", "written"),
    [
        (nn.LeakyReLU(0.5), "LeakyReLU(negative_slope=0.5)"),
        (nn.PReLU(3), "PReLU(num_parameters=3)"),
        (nn.RReLU(0.25, 0.5), "RReLU(lower=0.25, upper=0.5)"),
        (nn.ELU(2.0), "ELU(alpha=2.0)"),
        (nn.Hardtanh(-2.0, 3.0), "Hardtanh(min_val=-2.0, max_val=3.0)"),
        (nn.Softshrink(0.25), "Softshrink(0.25)"),
        (nn.Threshold(1.0, 20.0), "Threshold(threshold=1.0, value=20.0)"),
        (nn.GELU("tanh"), "GELU(approximate='tanh')"),
        (nn.Softplus(2.0), "Softplus(beta=2.0, threshold=20.0)"),
        (nn.CReLU(1), "CReLU(dim=1)"),
        (nn.ReLU(), "ReLU()"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_how_they_write_themselves(layer, written):
    assert repr(layer) == written
