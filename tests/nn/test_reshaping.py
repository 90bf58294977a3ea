"""Flatten, Unflatten, Identity and Lambda: shapes, gradients that pass, and how they write themselves."""

import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import MinigradError


def test_flatten_and_back():
    x = mg.arange(24.0).reshape(2, 3, 4)
    assert nn.Flatten()(x).shape == (2, 12)
    assert nn.Flatten(0, 1)(x).shape == (6, 4)
    assert nn.Flatten(-2)(x).shape == (2, 12)
    assert nn.Unflatten(1, (3, 4))(nn.Flatten()(x)).tolist() == x.tolist()
    assert nn.Unflatten(-1, (2, -1))(x).shape == (2, 3, 2, 2)
    with pytest.raises(MinigradError):
        nn.Unflatten(1, (5, 4))(nn.Flatten()(x))
    with pytest.raises(MinigradError):
        nn.Flatten(2, 1)(x)


def test_gradients_pass():
    x = mg.ones((2, 3, 4)).requires_grad_()
    (nn.Flatten()(x) * 2).sum().backward()
    assert x.grad.shape == (2, 3, 4)
    assert x.grad.sum().item() == 48.0


def test_how_they_write_themselves():
    assert repr(nn.Flatten(0, 1)) == "Flatten(start_dim=0, end_dim=1)"
    assert repr(nn.Unflatten(1, (3, 4))) == "Unflatten(dim=1, unflattened_size=(3, 4))"
    assert repr(nn.Lambda(mg.exp)) == "Lambda(exp)"
    assert repr(nn.Identity(3, name="x")) == "Identity()"


def test_functions_as_layers():
    net = nn.Sequential(nn.Lambda(lambda x: x + 1), nn.Identity(), nn.Lambda(mg.exp))
    assert net(mg.tensor([-1.0])).tolist() == [1.0]
    assert not list(net.parameters())
