"""Containers and layers: shapes, settings, initial values, and PyTorch as the judge."""

from collections import OrderedDict

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import DTypeError, IndexRangeError, ShapeError
from minigrad.nn import functional as F


def x(*shape):
    return mg.tensor(np.random.default_rng(0).normal(size=shape).astype("float32"))


# -- containers -------------------------------------------------------------------------------------------------------
def test_sequential():
    net = nn.Sequential(OrderedDict(a=nn.Linear(2, 3), b=nn.ReLU()))
    assert net.a is net[0]
    assert net[-1] is net.b
    assert len(net) == 2
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    assert [type(m).__name__ for m in net[1:]] == ["ReLU", "Linear"]
    assert list(net[1:].state_dict()) == ["2.weight", "2.bias"]
    net.append(nn.Tanh()).insert(0, nn.Identity()).extend([nn.ReLU()])
    assert [type(m).__name__ for m in net] == ["Identity", "Linear", "ReLU", "Linear", "Tanh", "ReLU"]
    assert net(x(4, 2)).shape == (4, 1)
    net[0] = nn.Linear(5, 2)
    assert net(x(4, 5)).shape == (4, 1)
    del net[0]
    assert len(net) == 5
    assert net(x(4, 2)).shape == (4, 1)
    with pytest.raises(IndexError, match="5"):
        net[5]
    with pytest.raises(DTypeError, match="Module"):
        nn.Sequential(nn.ReLU(), lambda v: v)


def test_sequences_are_lists():
    a, b, c, d = (nn.Linear(2, 2) for _ in range(4))
    net = nn.Sequential(a, b)
    both = net + nn.Sequential(c)
    assert [*both] == [a, b, c]
    assert list(both._modules) == ["0", "1", "2"]
    net += [d]
    assert [*net] == [a, b, d]
    assert net.pop(0) is a
    assert net.pop() is d
    assert list(net._modules) == ["0"]
    assert b in net
    assert a not in net
    many = nn.ModuleList([a, b, c, d])
    del many[1:3]
    assert [*many] == [a, d]
    assert [*reversed(many)] == [d, a]
    many.insert(-1, b)
    assert [*many] == [a, b, d]
    many[-1] = c
    assert many[2] is c
    assert isinstance(many + nn.ModuleList([d]), nn.ModuleList)
    for bad in (lambda: many.append(3), lambda: many.insert(0, 3), lambda: many.extend([d, 3][1:])):
        with pytest.raises(DTypeError, match="Module"):
            bad()
    assert [*many] == [a, b, c]
    with pytest.raises(IndexError):
        many.pop(3)
    with pytest.raises(ValueError, match="contain itself"):
        many.insert(0, many)
    assert [*many] == [a, b, c]


def test_lists_and_dicts_of_modules():
    many = nn.ModuleList([nn.Linear(2, 2) for _ in range(3)])
    assert len(list(many.parameters())) == 6
    assert next(iter(many.state_dict())) == "0.weight"
    assert isinstance(many[:2], nn.ModuleList)
    named = nn.ModuleDict({"a": nn.ReLU(), "b": nn.Linear(1, 1)})
    assert list(named) == ["a", "b"]
    assert "a" in named
    assert list(named.state_dict()) == ["b.weight", "b.bias"]
    del named["a"]
    assert len(named) == 1
    named.update([("c", nn.Tanh())])
    named.update(nn.ModuleDict({"d": nn.Tanh()}))
    assert list(named.keys()) == ["b", "c", "d"]
    assert named.get("e") is None
    assert isinstance(named.pop("c"), nn.Tanh)
    named.clear()
    assert list(named.items()) == []
    for name in ("keys", "training", "_hooks"):
        with pytest.raises(ValueError, match=name):
            named[name] = nn.ReLU()
    with pytest.raises(KeyError):
        named["c"]
    with pytest.raises(KeyError):
        del named["c"]


def test_lists_and_dicts_of_parameters():
    many = nn.ParameterList([[1.0], nn.Parameter([2.0])])
    many += [mg.tensor([3.0])]
    many.insert(0, [0.0])
    assert [p.item() for p in many] == [0, 1, 2, 3]
    assert list(many.state_dict()) == ["0", "1", "2", "3"]
    assert [p.item() for p in many[1:3]] == [1, 2]
    many[0] = [9.0]
    assert many.pop(0).item() == 9
    assert all(isinstance(p, nn.Parameter) for p in many.parameters())
    assert repr(many) == "ParameterList(0: float32 (1,), 1: float32 (1,), 2: float32 (1,))"
    named = nn.ParameterDict({"a": [1.0]})
    named["b"] = nn.Parameter([2.0])
    named.update({"a": [5.0]})
    assert {name: p.item() for name, p in named.items()} == {"a": 5.0, "b": 2.0}
    assert "b" in named
    assert named.pop("b").item() == 2
    with pytest.raises(ValueError, match="values"):
        named["values"] = [1.0]
    with pytest.raises(DTypeError):
        named["c"] = [1]
    assert list(named) == ["a"]


def test_shaping_layers():
    assert nn.Flatten()(x(2, 3, 4)).shape == (2, 12)
    assert nn.Flatten(0, 1)(x(2, 3, 4)).shape == (6, 4)
    assert nn.Flatten()(x(0, 3, 4)).shape == (0, 12)
    assert nn.Unflatten(1, (3, -1))(x(2, 12)).shape == (2, 3, 4)
    assert nn.Lambda(lambda v: v * 2)(x(2)).shape == (2,)
    assert nn.Identity(3, foo=1)(5) == 5


# -- layers -----------------------------------------------------------------------------------------------------------
def test_initial_values_are_bounded_as_in_pytorch():
    mg.manual_seed(0)
    layer = nn.Linear(100, 300)
    for p in layer.parameters():
        assert 0.095 < np.abs(p.numpy()).max() <= 0.1
        assert p.dtype == np.float32
    conv = nn.Conv2d(4, 64, 5)
    assert 0.099 < np.abs(conv.weight.numpy()).max() <= 0.1
    mg.manual_seed(0)
    assert np.array_equal(nn.Linear(100, 300).weight.numpy(), layer.weight.numpy())


def test_dtype_of_layers():
    assert nn.Linear(2, 2, dtype="float64").weight.dtype == np.float64
    mg.set_default_dtype("float64")
    try:
        assert nn.Conv1d(1, 1, 1).bias.dtype == np.float64
    finally:
        mg.set_default_dtype("float32")


def test_bad_settings():
    with pytest.raises(ValueError, match="groups"):
        nn.Conv2d(3, 4, 3, groups=2)
    with pytest.raises(ValueError, match="padding_mode"):
        nn.Conv2d(2, 4, 3, padding_mode="mirror")
    for bad in (lambda: nn.Conv2d(2, 4, 3.0), lambda: nn.Linear(2.0, 3), lambda: nn.Conv1d(2, True, 3), lambda: nn.Linear("2", 3)):
        with pytest.raises(DTypeError, match="must be an integer"):
            bad()
    for bad in (lambda: nn.Linear(-1, 3), lambda: nn.Conv2d(2, 4, 3, groups=0)):
        with pytest.raises(ShapeError, match="at least"):
            bad()
    for p in (-0.1, 1.5, float("nan")):
        with pytest.raises(ValueError, match="Dropout"):
            nn.Dropout(p)
    with pytest.raises(ValueError, match="reduction"):
        nn.MSELoss(reduction="average")
    with pytest.raises(ValueError, match="possible are"):
        nn.ConvTranspose2d(1, 1, 3, stride=2)(x(1, 1, 4, 4), output_size=(20, 9))


def test_transposed_output_size():
    layer = nn.ConvTranspose2d(1, 1, 3, stride=2)
    assert layer(x(1, 1, 4, 4), output_size=(10, 9)).shape == (1, 1, 10, 9)


def test_dropout_follows_the_mode():
    mg.manual_seed(0)
    layer, ones = nn.Dropout(0.25), mg.tensor(np.ones(10_000, "float32"), requires_grad=True)
    y = layer(ones)
    kept = y.numpy() != 0
    assert abs(kept.mean() - 0.75) < 0.02
    assert np.allclose(y.numpy()[kept], 4 / 3)
    y.sum().backward()
    assert np.array_equal(ones.grad.numpy(), y.numpy())
    layer.eval()
    assert layer(ones) is ones
    zero = nn.Dropout(1.0)(ones)
    assert (zero.numpy() == 0).all()
    ones.grad = None
    zero.sum().backward()
    assert (ones.grad.numpy() == 0).all()


def test_embedding_padding():
    layer = nn.Embedding(4, 2, padding_idx=-1)
    assert (layer.weight.numpy()[3] == 0).all()
    layer(mg.tensor([[3, 1], [1, 0]])).sum().backward()
    assert layer.weight.grad.tolist() == [[1, 1], [2, 2], [0, 0], [0, 0]]
    with pytest.raises(IndexRangeError, match="id 4"):
        layer([4])


# -- functions --------------------------------------------------------------------------------------------------------
def test_one_hot():
    assert F.one_hot(mg.tensor([[0], [2]]), 4).tolist() == [[[1, 0, 0, 0]], [[0, 0, 1, 0]]]
    with pytest.raises(IndexRangeError, match="2 classes"):
        F.one_hot([0, 3], 2)
    with pytest.raises(DTypeError):
        F.one_hot([0.5])


def test_pad_counts_from_the_last_axis():
    t = x(2, 3)
    assert F.pad(t, (1, 2)).shape == (2, 6)
    assert F.pad(t, (0, 0, 3, 0)).shape == (5, 3)
    assert F.pad(t, (-1, 0)).numpy().tolist() == t.numpy()[:, 1:].tolist()
    assert F.pad(t, (1, 1), value=5).numpy()[0, 0] == 5
    with pytest.raises(ShapeError, match="pad"):
        F.pad(t, (1, 2, 3))
    with pytest.raises(ValueError, match="mirror"):
        F.pad(t, (1, 1), mode="mirror")
