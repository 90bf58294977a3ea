"""Upsample, shuffles, Fold and Unfold, Bilinear and depthwise convolutions: what the oracle and the table of ops do not say."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import DTypeError, ShapeError
from minigrad.nn import functional as F


def draw(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def test_upsampling_settings():
    with pytest.raises(ValueError, match="either size or scale_factor"):
        nn.Upsample()
    with pytest.raises(ValueError, match="either size or scale_factor"):
        nn.UpsamplingNearest2d(size=2, scale_factor=2)
    with pytest.raises(ValueError, match="lanczos"):
        nn.Upsample(2, mode="lanczos")
    with pytest.raises(DTypeError, match="align_corners"):
        nn.Upsample(2, mode="area", align_corners=True)(mg.ones((1, 1, 4)))
    with pytest.raises(ShapeError, match="bilinear"):
        nn.UpsamplingBilinear2d(2)(mg.ones((1, 1, 4)))
    assert repr(nn.Upsample(scale_factor=2)) == "Upsample(scale_factor=2, mode='nearest')"
    assert repr(nn.UpsamplingBilinear2d(3)) == "UpsamplingBilinear2d(size=3, mode='bilinear')"


def test_interpolation_refuses_what_it_does_not_have():
    x = mg.ones((1, 1, 4, 4))
    with pytest.raises(ValueError, match="antialias"):
        F.interpolate(x, 2, mode="bilinear", antialias=True)
    with pytest.raises(ValueError, match="recompute_scale_factor"):
        F.interpolate(x, 2, recompute_scale_factor=True)


def test_recomputed_factors_take_other_steps():
    x = mg.tensor(np.arange(10.0, dtype="float32").reshape(1, 1, 10))
    one = F.interpolate(x, scale_factor=0.45, mode="linear")
    two = F.interpolate(x, scale_factor=0.45, mode="linear", recompute_scale_factor=True)
    assert one.shape == two.shape == (1, 1, 4)
    assert two.tolist() == F.interpolate(x, size=4, mode="linear").tolist()
    assert one.tolist() != two.tolist()


def test_shuffles_are_undone():
    x = mg.tensor(draw(2, 8, 3, 4))
    assert np.array_equal(nn.PixelUnshuffle(2)(nn.PixelShuffle(2)(x)).numpy(), x.numpy())
    assert np.array_equal(nn.ChannelShuffle(4)(nn.ChannelShuffle(2)(x)).numpy(), x.numpy())
    for make in (lambda: nn.PixelShuffle(0), lambda: nn.PixelUnshuffle(-1), lambda: nn.ChannelShuffle(0)):
        with pytest.raises(ShapeError):
            make()
    with pytest.raises(ShapeError, match="pixel_shuffle"):
        nn.PixelShuffle(3)(x)


def test_fold_adds_what_unfold_repeats():
    x = mg.tensor(draw(2, 3, 6, 5))
    counts = nn.Fold((6, 5), 3, padding=1)(nn.Unfold(3, padding=1)(mg.ones((2, 3, 6, 5))))
    y = nn.Fold((6, 5), 3, padding=1)(nn.Unfold(3, padding=1)(x))
    np.testing.assert_allclose((y / counts).numpy(), x.numpy(), rtol=1e-5, atol=1e-6)
    with pytest.raises(ShapeError, match="Unfold"):
        nn.Unfold(0)
    with pytest.raises(ShapeError, match="Fold"):
        nn.Fold((4, 0), 2)
    assert repr(nn.Fold((4, 5), 2)) == "Fold(output_size=(4, 5), kernel_size=2, dilation=1, padding=0, stride=1)"


# -- two inputs -------------------------------------------------------------------------------------------------------
def test_bilinear():
    mg.manual_seed(0)
    layer = nn.Bilinear(16, 4, 30)
    for p in layer.parameters():
        assert 0.2 < np.abs(p.detach().numpy()).max() <= 0.25
    with pytest.raises(ShapeError, match="leading axes"):
        layer(mg.ones((2, 16)), mg.ones((3, 4)))
    with pytest.raises(ShapeError, match="in1_features"):
        nn.Bilinear(0, 1, 1)
    with pytest.raises(DTypeError, match="out_features"):
        nn.Bilinear(1, 1, 1.0)
    assert (nn.Bilinear(2, 2, 2, init=nn.init.Constant(3.0)).weight.numpy() == 3).all()
    assert repr(layer) == "Bilinear(in1_features=16, in2_features=4, out_features=30, bias=True)"


# -- depthwise --------------------------------------------------------------------------------------------------------
def test_depthwise_convolution_is_a_convolution_in_groups():
    mg.manual_seed(0)
    layer = nn.DepthwiseConv2d(3, 3, padding=1, depth_multiplier=2)
    plain = nn.Conv2d(3, 6, 3, padding=1, groups=3)
    assert {k: v.shape for k, v in layer.state_dict().items()} == {"weight": (6, 1, 3, 3), "bias": (6,)}
    plain.load_state_dict(layer.state_dict())
    x = mg.tensor(draw(2, 3, 5, 4))
    assert np.array_equal(layer(x).detach().numpy(), plain(x).detach().numpy())
    changed = draw(2, 3, 5, 4)
    changed[:, 1] += 1
    same = layer(mg.tensor(changed)).detach().numpy() == layer(x).detach().numpy()
    assert same[:, [0, 1, 4, 5]].all(), "a channel sees itself alone"
    assert not same[:, 2:4].any()
    with pytest.raises(ShapeError, match="DepthwiseConv2d"):
        nn.DepthwiseConv2d(0, 3)


def test_depthwise_convolution_takes_the_settings_of_conv2d():
    layer = nn.DepthwiseConv2d(2, (3, 1), stride=2, dilation=(2, 1), bias=False, padding=(2, 0), padding_mode="reflect")
    assert layer(mg.tensor(draw(1, 2, 8, 6))).shape == (1, 2, 4, 3)
    assert layer.bias is None
