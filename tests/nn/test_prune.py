"""Pruning: masks, rounds, whole nets, and PyTorch as the judge."""

import copy
import pickle

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import ShapeError
from minigrad.nn.utils import parametrizations, parametrize, prune


def x(*shape, seed=0):
    return mg.tensor(np.random.default_rng(seed).normal(size=shape).astype("float32"))


def ranked(n=8):
    layer = nn.Linear(n, 2)
    layer.weight.data[...] = (np.arange(2 * n).reshape(2, n) + 1) * np.where(np.arange(n) % 2, -1, 1)
    return layer


def test_pruning_in_rounds():
    layer = ranked()
    p = layer.weight
    assert not prune.is_pruned(layer)
    prune.l1_unstructured(layer, "weight", 0.5)
    assert list(layer.state_dict()) == ["bias", "weight_orig", "weight_mask"]
    assert layer.weight_orig is p
    assert (layer.weight.numpy()[0] == 0).all()
    assert (layer.weight.numpy()[1] != 0).all()
    prune.l1_unstructured(layer, "weight", 0.25)  # of the eight that are left
    assert np.flatnonzero(layer.weight_mask.numpy()).tolist() == list(range(10, 16))
    prune.l1_unstructured(layer, "weight", 1)
    assert layer.weight_mask.numpy().sum() == 5
    layer(x(3, 8)).sum().backward()
    assert np.array_equal(p.grad.numpy() != 0, layer.weight_mask.numpy() != 0)
    rewound = np.full((2, 8), 3.0, "float32")
    p.data[...] = rewound  # a lottery ticket: the first values, the mask of today
    np.testing.assert_array_equal(layer.weight.detach().numpy(), rewound * layer.weight_mask.numpy())
    twin = pickle.loads(pickle.dumps(copy.deepcopy(layer)))
    np.testing.assert_array_equal(twin.weight.detach().numpy(), layer.weight.detach().numpy())
    kept = layer.weight.detach().numpy()
    prune.remove(layer, "weight")
    assert layer.weight is p
    assert type(layer) is nn.Linear
    np.testing.assert_array_equal(layer.weight.numpy(), kept)
    assert sorted(layer.state_dict()) == ["bias", "weight"]
    assert prune.is_pruned(twin)


def test_pruning_over_a_whole_net():
    net = nn.Sequential(ranked(4), nn.ReLU(), nn.Linear(2, 2))
    net[2].weight.data[...] = 100
    prune.global_unstructured([(net[0], "weight"), (net[2], "weight")], 0.5)
    assert prune.is_pruned(net)
    assert net[0].weight_mask.numpy().sum() == 2
    assert net[2].weight_mask.numpy().sum() == 4
    prune.global_unstructured([(net[0], "weight"), (net[2], "weight")], 1, [np.ones((2, 4)), np.zeros((2, 2))])
    assert net[2].weight_mask.numpy().sum() == 3
    mg.manual_seed(0)
    layer = prune.random_unstructured(nn.Linear(10, 10), "weight", 30)
    assert layer.weight_mask.numpy().sum() == 70


def test_pruning_refuses():
    layer = ranked()
    for amount in (1.5, -0.1, 17, -1, "half", True, float("nan")):
        with pytest.raises(ValueError, match="amount must be"):
            prune.l1_unstructured(layer, "weight", amount)
    with pytest.raises(AttributeError, match="no parameter 'wieght'"):
        prune.l1_unstructured(layer, "wieght", 0.5)
    with pytest.raises(ShapeError, match="mask has shape"):
        prune.custom_from_mask(layer, "weight", [1, 0])
    with pytest.raises(ShapeError, match="importance scores"):
        prune.l1_unstructured(layer, "weight", 0.5, np.ones(3))
    with pytest.raises(ValueError, match="not pruned"):
        prune.remove(layer, "weight")
    with pytest.raises(ValueError, match="no parameters"):
        prune.global_unstructured([], 0.5)
    assert type(layer) is nn.Linear


def test_pruned_and_parametrized_at_once():
    layer = nn.Linear(3, 3)
    prune.l1_unstructured(layer, "bias", 1)
    parametrizations.weight_norm(layer)
    twin = pickle.loads(pickle.dumps(layer))
    prune.remove(layer, "bias")
    assert parametrize.is_parametrized(layer, "weight")
    parametrize.remove_parametrizations(layer, "weight")
    assert type(layer) is nn.Linear
    np.testing.assert_array_equal(twin(x(2, 3)).detach().numpy(), layer(x(2, 3)).detach().numpy())


@pytest.mark.torch
@pytest.mark.parametrize("amounts", [(0.3, 0.3), (5, 0.5), (0.0, 1.0), (0.25, 7)])
def test_pruning_agrees_with_pytorch(amounts):
    torch = pytest.importorskip("torch")
    from torch.nn.utils import prune as other

    torch.manual_seed(0)
    theirs, mine = torch.nn.Linear(6, 5), nn.Linear(6, 5)
    mine.load_state_dict({k: v.detach().numpy() for k, v in theirs.state_dict().items()})
    for amount in amounts:
        prune.l1_unstructured(mine, "weight", amount)
        other.l1_unstructured(theirs, "weight", amount)
        assert list(mine.state_dict()) == list(theirs.state_dict())
        for a, b in zip(mine.state_dict().values(), theirs.state_dict().values(), strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy())
