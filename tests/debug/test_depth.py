"""Histograms through the layers as a picture."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import debug, nn


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
