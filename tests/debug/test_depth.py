"""Histograms through the layers as a picture."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import debug, nn
from minigrad.errors import DTypeError


def test_the_picture_through_depth_shows_gradients_that_fade():
    model = nn.Sequential(*[part for _ in range(8) for part in (nn.Linear(8, 8), nn.Sigmoid())], nn.Linear(8, 3))
    batch = mg.random.normal(size=(32, 8)), mg.arange(32) % 3
    found = debug.depth_profile(model, nn.functional.cross_entropy, batch)
    heat = found.heat("gradient", bins=21)
    assert heat.values.shape == (17, 21)
    np.testing.assert_allclose(heat.values.sum(1), 1)
    assert heat.values[0, 10] == 1  # at the input, all that arrives is around 0
    assert heat.values[-1, 10] < 0.9
    assert found.heat().values.shape == (17, 41)
    with pytest.raises(ValueError, match="'activation' or 'gradient'"):
        found.heat("weight")


def test_modules_of_several_outputs_and_with_hooks_and_numbers_that_are_none():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm, self.head = nn.LSTM(4, 5, batch_first=True), nn.Linear(5, 3)
            self.head.register_full_backward_hook(lambda module, given, got: None)

        def forward(self, x):
            return self.head(self.lstm(x)[0]).mean(1)

    x, y = mg.random.normal(size=(6, 2, 4), dtype="float32"), mg.tensor([0, 1, 2, 0, 1, 2])
    for scale in (1.0, mg.nan):
        profile = debug.depth_profile(Net(), nn.functional.cross_entropy, (x * scale, y))
        assert [(k.name, k.shape) for k in profile.layers] == [("", (6, 3)), ("lstm", (6, 2, 5)), ("head", (6, 2, 3))]
        assert all(k.activation["nan"] == (scale != scale) for k in profile.layers)
        assert all("norm" in k.gradient for k in profile.layers)
        assert str(profile).count("\n") == 3
        assert profile.heat("gradient").values.shape[1] == 41


def test_what_is_no_loss():
    with pytest.raises(DTypeError, match=r"must be a Tensor of one number, got a Tensor of shape \(2, 3\)"):
        debug.depth_profile(nn.Linear(4, 3), lambda y, _: y, (mg.ones((2, 4)), None))
    with pytest.raises(DTypeError, match="expected a Module and an Optimizer or None, got Linear and str"):
        debug.depth_profile(nn.Linear(4, 3), lambda y, _: y.sum(), (mg.ones((2, 4)), None), "adam")
