"""Dropout and its relatives: statistics, modes, extremes, reproducible draws."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import DTypeError, ShapeError
from minigrad.nn import functional as F

MANY = (60, 50, 4)
CHANNELS = {"Dropout1d": (60, 50, 4), "Dropout2d": (60, 50, 2, 2), "Dropout3d": (60, 50, 2, 1, 2), "FeatureAlphaDropout": (60, 50, 4)}
ALL = {
    "Dropout": ((), MANY),
    "AlphaDropout": ((), MANY),
    "DropPath": ((0.5,), (3000, 4)),
    **{name: ((), shape) for name, shape in CHANNELS.items()},
}


def ones(shape):
    return mg.tensor(np.ones(shape, "float32"), requires_grad=True)


@pytest.mark.parametrize("name", [name for name in ALL if "Alpha" not in name])
def test_the_mean_stays_and_p_are_dropped(name):
    mg.manual_seed(0)
    _, shape = ALL[name]
    x = ones(shape)
    y = getattr(nn, name)(0.25)(x)
    kept = y.detach().numpy() != 0
    np.testing.assert_allclose(y.detach().numpy()[kept], 4 / 3, rtol=1e-6)
    assert abs(kept.mean() - 0.75) < 0.03
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), y.detach().numpy())


@pytest.mark.parametrize("name", CHANNELS)
def test_channels_go_as_a_whole(name):
    mg.manual_seed(0)
    x = ones(CHANNELS[name])
    y = getattr(nn, name)(0.5)(x).detach().numpy().reshape(3000, -1)
    assert (y == y[:, :1]).all()
    assert 0.45 < (y[:, 0] == y[:, 0].min()).mean() < 0.55


def test_paths_go_as_a_whole():
    mg.manual_seed(0)
    y = nn.DropPath(0.2)(ones((1000, 3, 2))).detach().numpy().reshape(1000, -1)
    assert (y == y[:, :1]).all()
    assert abs((y[:, 0] == 0).mean() - 0.2) < 0.05


@pytest.mark.parametrize("name", ["AlphaDropout", "FeatureAlphaDropout"])
@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_alpha_dropout_keeps_mean_and_variance(name, p):
    mg.manual_seed(0)
    shape = (400, 500) if name == "AlphaDropout" else (400, 500, 1)
    y = getattr(nn, name)(p)(mg.random.normal(size=shape)).numpy()
    assert abs(y.mean()) < 0.01
    assert abs(y.var() - 1) < 0.02


def test_alpha_dropout_sets_to_the_limit_of_selu():
    """Without the affine map at the end, what is dropped is lim selu(-inf)."""
    mg.manual_seed(0)
    p, low = 0.3, F.selu(mg.tensor(-100.0)).item()
    a = 1 / np.sqrt((1 - p) * (1 + p * low**2))
    y = F.alpha_dropout(mg.zeros(1000), p, training=True).numpy()
    np.testing.assert_allclose(np.unique(y), sorted([a * low * (1 - p), -a * low * p]), rtol=1e-5)


@pytest.mark.parametrize("name", ALL)
def test_evaluation_is_the_identity(name):
    args, shape = ALL[name]
    x = ones(shape)
    assert getattr(nn, name)(*args).eval()(x) is x
    assert getattr(nn, name)(0.0)(x) is x


@pytest.mark.parametrize("name", ALL)
def test_all_dropped(name):
    x = ones(ALL[name][1])
    y = getattr(nn, name)(1.0)(x)
    assert (y.detach().numpy() == 0).all()
    y.sum().backward()
    assert (x.grad.numpy() == 0).all()


@pytest.mark.parametrize("name", ALL)
def test_draws_are_reproducible_and_new_each_time(name):
    args, shape = ALL[name]
    layer, x = getattr(nn, name)(*args), mg.random.normal(size=shape)
    mg.manual_seed(3)
    a, b = layer(x).numpy(), layer(x).numpy()
    mg.manual_seed(3)
    np.testing.assert_array_equal(layer(x).numpy(), a)
    assert not np.array_equal(a, b)
    mg.manual_seed(3)
    double = layer(x.astype("float64")).numpy()
    np.testing.assert_allclose(double, a, rtol=1e-5, atol=1e-6, err_msg="the draws do not depend on the dtype")


@pytest.mark.parametrize("name", [*ALL, "DropConnect"])
@pytest.mark.parametrize("p", [-0.1, 1.5, float("nan")])
def test_p_is_a_probability(name, p):
    with pytest.raises(ValueError, match=name):
        getattr(nn, name)(*(2, 2) if name == "DropConnect" else (), p=p)


def test_shapes_are_checked_in_evaluation_too():
    for name in CHANNELS:
        with pytest.raises(ShapeError):
            getattr(nn, name)().eval()(mg.ones(3))
    with pytest.raises(ShapeError, match="dropout2d"):
        nn.Dropout2d()(mg.ones((2, 3)))
    with pytest.raises(DTypeError, match="drop_path"):
        nn.DropPath(0.5)(mg.tensor([1, 2]))


# -- weights ----------------------------------------------------------------------------------------------------------
def test_dropconnect_drops_weights_but_not_the_bias():
    mg.manual_seed(0)
    layer = nn.DropConnect(100, 50, p=0.25)
    nn.init.ones_(layer.weight)
    nn.init.constant_(layer.bias, 0.5)
    x = mg.ones((1, 100))
    y = layer(x)
    kept = np.round((y.detach().numpy() - 0.5) * 0.75)
    assert abs(kept.mean() - 75) < 2
    y.sum().backward()
    g = layer.weight.grad.numpy()
    np.testing.assert_allclose(np.unique(g), [0, 4 / 3], rtol=1e-6)
    np.testing.assert_allclose(g.sum(1), y.detach().numpy()[0] - 0.5, rtol=1e-5)
    assert (layer.bias.grad.numpy() == 1).all()
    layer.eval()
    np.testing.assert_allclose(layer(x).detach().numpy(), 100.5, rtol=1e-6)
    assert list(layer.state_dict()) == ["weight", "bias"]
    assert repr(layer) == "DropConnect(in_features=100, out_features=50, bias=True, p=0.25)"
    assert nn.DropConnect(2, 3, bias=False).bias is None


# -- noise ------------------------------------------------------------------------------------------------------------
def test_gaussian_noise():
    mg.manual_seed(0)
    layer, x = nn.GaussianNoise(0.5), ones(50_000)
    y = layer(x)
    assert abs(y.detach().numpy().mean() - 1) < 0.01
    assert abs(y.detach().numpy().std() - 0.5) < 0.01
    y.sum().backward()
    assert (x.grad.numpy() == 1).all()
    assert layer.eval()(x) is x
    assert nn.GaussianNoise(0.0)(x) is x
    assert repr(layer) == "GaussianNoise(std=0.5)"
    for std in (-1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="GaussianNoise"):
            nn.GaussianNoise(std)


def test_gaussian_dropout():
    mg.manual_seed(0)
    layer, x = nn.GaussianDropout(0.2), ones(50_000)
    y = layer(x)
    assert abs(y.detach().numpy().mean() - 1) < 0.01
    assert abs(y.detach().numpy().var() - 0.25) < 0.01
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), y.detach().numpy())
    assert layer.eval()(x) is x
    assert repr(layer) == "GaussianDropout(p=0.2)"
    with pytest.raises(ValueError, match=r"\[0, 1\)"):
        nn.GaussianDropout(1.0)
