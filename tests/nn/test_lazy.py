"""Lazy layers: what they do before the first call, and that they are the ordinary layers afterwards."""

import copy
import inspect
import pickle

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.errors import CheckpointError, GraphError, ShapeError

CASES = {
    "LazyLinear": ((3,), {}, (4, 5)),
    "LazyConv1d": ((6, 3, 2, 1), {"groups": 2}, (2, 4, 9)),
    "LazyConv2d": ((6, (3, 2)), {"padding_mode": "circular", "padding": 1}, (2, 4, 6, 5)),
    "LazyConv3d": ((2, 2), {"bias": False}, (2, 3, 4, 4, 4)),
    "LazyConvTranspose1d": ((6, 3, 2), {"groups": 2}, (2, 4, 9)),
    "LazyConvTranspose2d": ((6, 3), {"stride": 2, "output_padding": 1}, (2, 4, 6, 5)),
    "LazyConvTranspose3d": ((2, 2), {}, (2, 3, 4, 4, 4)),
    "LazyBatchNorm1d": ((), {}, (4, 5)),
    "LazyBatchNorm2d": ((1e-3, 0.2), {}, (4, 5, 3, 3)),
    "LazyBatchNorm3d": ((), {"affine": False}, (4, 5, 3, 3, 2)),
}


def draw(shape):
    return mg.tensor(np.random.default_rng(0).normal(size=shape).astype("float32"))


def build(name):
    args, kwargs, shape = CASES[name]
    return getattr(nn, name)(*args, **kwargs), draw(shape)


@pytest.mark.parametrize("name", CASES)
def test_first_call_settles_it(name):
    mg.manual_seed(0)
    layer, x = build(name)
    assert type(layer).__name__ == name
    tensors = {n: getattr(layer, n) for n in layer.unknown}
    y = layer(x)
    assert type(layer) is getattr(nn, name.replace("Lazy", ""))
    for n, t in tensors.items():
        assert getattr(layer, n) is t
        assert t is None or type(t) in (nn.Parameter, nn.Buffer)
    mg.manual_seed(0)
    args, kwargs, _shape = CASES[name]
    features = x.shape[-1] if name == "LazyLinear" else x.shape[1]
    plain = type(layer)(features, *args, **kwargs)
    assert repr(plain) == repr(layer)
    assert list(plain.state_dict()) == list(layer.state_dict())
    np.testing.assert_array_equal(plain(x).numpy(), y.numpy())
    if y.requires_grad:  # the batch norm without parameters has nothing to learn
        y.sum().backward()
    assert all(p.grad is not None and p.grad.shape == p.shape for p in layer.parameters())
    opt = optim.SGD(layer.parameters(), lr=0.1) if list(layer.parameters()) else None
    assert opt is None or opt.step() is None


@pytest.mark.parametrize("name", [n for n in CASES if n != "LazyBatchNorm3d"])
def test_before_the_first_call(name):
    layer, _x = build(name)
    with pytest.raises(ValueError, match="no values yet"):
        optim.SGD(layer.parameters(), lr=0.1)
    for f in (layer.state_dict, lambda: layer.weight.shape, lambda: layer.weight * 2):
        with pytest.raises(GraphError, match=r"'weight'.* no shape yet; call its lazy module once"):
            f()
    assert layer.weight.requires_grad
    assert repr(layer.weight) == "UninitializedParameter(float32, cpu)"
    assert list(dict(layer.named_parameters())) in (["weight"], ["weight", "bias"])
    layer.zero_grad()


@pytest.mark.parametrize("name", CASES)
def test_copies_casts_and_frozen_ones(name):
    layer, x = build(name)
    twins = [copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))]
    for twin in twins:
        assert twin(x).shape == layer(x).shape
    layer, x = build(name)
    layer.double().freeze()
    y = layer(mg.tensor(x.numpy().astype("float64")))
    assert y.dtype == np.float64
    assert not any(p.requires_grad for p in layer.parameters())


@pytest.mark.parametrize("name", CASES)
def test_loading_settles_it(name):
    source, x = build(name)
    source(x)
    layer, _ = build(name)
    layer.load_state_dict(source.state_dict())
    assert all(type(p) is nn.Parameter for p in layer.parameters())
    layer.eval(), source.eval()
    np.testing.assert_array_equal(layer(x).numpy(), source(x).numpy())
    assert repr(layer) == repr(source)


def test_a_failed_load_settles_nothing():
    layer = nn.LazyLinear(2)
    with pytest.raises(CheckpointError, match="bias has shape"):
        layer.load_state_dict({"weight": np.ones((2, 3), "float32"), "bias": np.ones(5, "float32")})
    assert isinstance(layer.weight, nn.UninitializedParameter)


def test_bad_first_inputs_settle_nothing():
    for layer, shape, words in (
        (nn.LazyLinear(2), (), "axis of features"),
        (nn.LazyConv2d(4, 3), (2, 3), "4 axes, or 3 without batch"),
        (nn.LazyConv1d(4, 3, groups=2), (1, 3, 9), "groups=2 must divide the 3 channels"),
        (nn.LazyBatchNorm2d(), (2, 3), r"\(N, C, H, W\)"),
    ):
        with pytest.raises(ShapeError, match=words):
            layer(draw(shape))
        assert isinstance(layer.weight, nn.UninitializedParameter)
        assert type(layer).__name__.startswith("Lazy")
    with pytest.raises(ValueError, match="padding_mode"):
        nn.LazyConv2d(4, 3, padding_mode="mirror")


def test_initializers_hooks_and_nets():
    layer = nn.LazyLinear(3, init=nn.init.Constant(2.0, bias=1.0))
    calls = []
    layer.register_forward_hook(lambda m, args, y: calls.append(type(m).__name__))
    layer(draw((2, 4)))
    assert calls == ["Linear"]
    assert (layer.weight.numpy() == 2).all()
    assert (layer.bias.numpy() == 1).all()
    net = nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(2))
    net(draw((2, 3, 6, 6)))
    assert [type(m).__name__ for m in net] == ["Conv2d", "BatchNorm2d", "Flatten", "Linear"]
    assert net[3].in_features == 64


@pytest.mark.torch
@pytest.mark.parametrize("name", CASES)
def test_same_as_pytorch(name):
    torch = pytest.importorskip("torch")
    args, kwargs, shape = CASES[name]
    ours, theirs = getattr(nn, name), getattr(torch.nn, name)
    expected = [n for n in inspect.signature(theirs.__init__).parameters if n != "self"]
    found = [n for n in inspect.signature(ours.__init__).parameters if n in expected]
    assert found == expected
    torch.manual_seed(0)
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    their_layer, layer = theirs(*args, **kwargs), ours(*args, **kwargs)
    their_layer(torch.tensor(x))
    state = {k: v.detach().numpy() for k, v in their_layer.state_dict().items()}
    layer.load_state_dict(state)
    their_layer.eval(), layer.eval()
    z = their_layer(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(layer(mg.tensor(x)).numpy(), z, rtol=1e-5, atol=1e-5)
    assert list(layer.state_dict()) == list(state)
