"""Module: registration, finding, state, hooks, and what it refuses."""

import copy
import pickle

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import CheckpointError, DTypeError, ShapeError


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.second = nn.Linear(4, 2, bias=False)
        self.scale = nn.Parameter([2.0])
        self.register_buffer("seen", mg.tensor(0))
        self.register_buffer("scratch", mg.tensor([1.0]), persistent=False)

    def forward(self, x):
        return self.second(mg.nn.functional.relu(self.first(x))) * self.scale


def test_parameters_and_buffers_are_found_in_order():
    net = Net()
    assert [n for n, _ in net.named_parameters()] == ["scale", "first.weight", "first.bias", "second.weight"]
    assert [n for n, _ in net.named_buffers()] == ["seen", "scratch"]
    assert [n for n, _ in net.named_modules()] == ["", "first", "second"]
    assert [n for n, _ in net.named_children()] == ["first", "second"]
    assert list(net.state_dict()) == ["scale", "seen", "first.weight", "first.bias", "second.weight"]
    assert net.get_parameter("first.weight") is net.first.weight
    assert net.get_buffer("seen") is net.seen
    assert net.get_submodule("second") is net.second
    with pytest.raises(AttributeError, match="thrid"):
        net.get_parameter("thrid.weight")


def test_gradients_reach_every_parameter():
    net = Net()
    net(mg.tensor(np.ones((5, 3), "float32"))).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    net.zero_grad(set_to_none=False)
    assert all((p.grad.numpy() == 0).all() for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_forgotten_super_init_is_explained():
    class Bad(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(1, 1)

    class Empty(nn.Module):
        def __init__(self):
            self.n = 3

        def forward(self, x):
            return x

    with pytest.raises(AttributeError, match=r"super\(\).__init__\(\)"):
        Bad()
    with pytest.raises(AttributeError, match=r"super\(\).__init__\(\)"):
        Empty()(1)


def test_a_module_cannot_contain_itself():
    net = Net()
    with pytest.raises(ValueError, match="contain itself"):
        net.me = net
    inner = nn.Sequential(nn.Linear(1, 1))
    outer = nn.Sequential(inner)
    with pytest.raises(ValueError, match="contain itself"):
        inner.append(outer)
    assert len(list(outer.modules())) == 3


def test_assignments_keep_their_kind():
    net = Net()
    with pytest.raises(DTypeError, match=r"Net.scale: expected a Parameter or None, got Tensor"):
        net.scale = mg.tensor([1.0])
    with pytest.raises(DTypeError, match="expected a Module"):
        net.first = 3
    with pytest.raises(DTypeError, match="expected a Tensor"):
        net.seen = 3
    net.seen = net.seen + 1
    assert net.seen.item() == 1
    assert "seen" in net.state_dict()
    net.scale = None
    assert "scale" not in dict(net.named_parameters())
    net.scale = nn.Parameter([3.0])
    assert net.scale.item() == 3
    del net.second
    assert "second.weight" not in net.state_dict()
    with pytest.raises(AttributeError, match="second"):
        net.second  # noqa: B018
    net.table = nn.Buffer([1.0, 2.0])
    assert "table" in net.state_dict()
    with pytest.raises(ValueError, match="dot"):
        net.register_parameter("a.b", nn.Parameter([1.0]))


def test_shared_parts_count_once():
    a = nn.Linear(2, 2)
    net = nn.Sequential(a, a)
    assert len(list(net.parameters())) == 2
    assert len(list(net.modules())) == 2
    tied = Net()
    tied.third = nn.Linear(4, 2, bias=False)
    tied.third.weight = tied.second.weight
    assert len(list(tied.parameters())) == 4
    state = tied.state_dict()
    assert "second.weight" in state
    assert "third.weight" in state
    del state["third.weight"]  # one name is enough
    state["second.weight"] = mg.tensor(np.full((2, 4), 7.0))
    tied.load_state_dict(state)
    assert tied.third.weight is tied.second.weight
    assert (tied.third.weight.numpy() == 7).all()


def test_state_is_a_copy():
    net = Net()
    state = net.state_dict()
    net.scale.data[...] = 9
    assert state["scale"].item() == 2
    assert not state["scale"].requires_grad
    net.load_state_dict(state)
    assert net.scale.item() == 2


def test_load_lists_everything_and_changes_nothing():
    net = Net()
    before = net.state_dict()
    state = net.state_dict()
    del state["first.bias"]
    state["extra"] = mg.tensor([1.0])
    state["first.weight"] = mg.tensor(np.ones((4, 4)))
    state["scale"] = mg.tensor([1])
    state["second.weight"] = mg.tensor(np.ones((2, 4)))
    with pytest.raises(CheckpointError) as caught:
        net.load_state_dict(state)
    text = str(caught.value)
    for words in (
        "missing first.bias",
        "unexpected extra",
        "first.weight has shape (4, 4), expected (4, 3)",
        "scale is int64, expected float32",
    ):
        assert words in text
    for name, v in net.state_dict().items():
        assert np.array_equal(v.numpy(), before[name].numpy())
    state["first.weight"], state["scale"] = before["first.weight"], before["scale"]
    result = net.load_state_dict(state, strict=False)
    assert result.missing_keys == ["first.bias"]
    assert result.unexpected_keys == ["extra"]
    assert (net.second.weight.numpy() == 1).all()


def test_loading_is_noticed_by_a_live_graph():
    layer = nn.Linear(2, 1)
    y = layer(mg.tensor([[1.0, 2.0]], requires_grad=True)).sum()
    layer.load_state_dict(layer.state_dict())
    with pytest.raises(mg.errors.GraphError, match="load_state_dict"):
        y.backward()


def test_modes_and_apply():
    net = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Dropout(0.5)))
    assert net.train().training
    assert not net.eval().training
    assert not net[1][0].training
    names = []
    net.apply(lambda m: names.append(type(m).__name__))
    assert names == ["Linear", "Dropout", "Sequential", "Sequential"]
    net.requires_grad_(False)
    assert not any(p.requires_grad for p in net.parameters())
    with pytest.raises(ValueError, match="train"):
        net.train(1)


def test_to_casts_floats_and_keeps_the_objects():
    net = Net()
    p, counts = net.first.weight, []
    p.register_post_accumulate_grad_hook(lambda t: counts.append(t.dtype))
    net(mg.tensor(np.ones((1, 3), "float32"))).sum().backward()
    net.double()
    assert net.first.weight is p
    assert p.dtype == p.grad.dtype == np.float64
    assert net.seen.dtype == np.int64
    assert net.scratch.dtype == np.float64
    assert isinstance(p, nn.Parameter)
    net(mg.tensor(np.ones((1, 3)))).sum().backward()
    assert counts == [np.float32, np.float64]
    assert net.half().scale.dtype == np.float16
    assert net.to("cpu", "float32").scale.dtype == np.float32
    with pytest.raises(DTypeError, match="int64"):
        net.to("int64")


def test_freezing():
    net = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1)))
    assert net.freeze("0.*", "1.?.bias") is net
    assert [n for n, p in net.named_parameters() if p.requires_grad] == ["1.0.weight", "1.1.weight"]
    net(mg.ones((1, 2))).sum().backward()
    assert net[0].weight.grad is None
    net.unfreeze("0.weight")
    assert net[0].weight.requires_grad
    with pytest.raises(ValueError, match=r"no parameter matches 'head.*'; there are \['0.weight'"):
        net.unfreeze("*", "head.*")
    assert not net[0].bias.requires_grad
    net.unfreeze()
    assert all(p.requires_grad for p in net.parameters())
    net.freeze()
    assert not any(p.requires_grad for p in net.parameters())


def test_state_by_prefix_and_without_nan():
    net = Net()
    state = net.state_dict(prefix="net.")
    assert list(state)[:2] == ["net.scale", "net.seen"]
    bad = net.state_dict()
    bad["scale"] = mg.tensor([np.nan])
    with pytest.raises(CheckpointError, match="scale holds NaN"):
        net.load_state_dict(bad, finite=True)
    assert net.scale.item() == 2
    net.load_state_dict(bad)
    assert np.isnan(net.scale.item())


def test_names_that_would_be_hidden():
    class Computed(nn.Module):
        @property
        def weight(self):
            return 3

    with pytest.raises(AttributeError, match=r"Computed\.weight is a property"):
        Computed().weight = nn.Parameter([1.0])
    with pytest.raises(DTypeError, match="string"):
        nn.Module().register_parameter(3, nn.Parameter([1.0]))
    listed = dir(nn.Sequential(nn.Linear(1, 1)))
    assert "forward" in listed
    assert "0" not in listed
    assert "weight" in dir(nn.Linear(1, 1))


def test_copies_and_pickles():
    net = Net()
    net(mg.tensor(np.ones((1, 3), "float32"))).sum().backward()
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert isinstance(other.scale, nn.Parameter)
        assert other.scale is not net.scale
        assert [n for n, _ in other.named_parameters()] == [n for n, _ in net.named_parameters()]
        assert np.array_equal(other.first.weight.grad.numpy(), net.first.weight.grad.numpy())
        other.scale.data[...] = 5
        assert net.scale.item() == 2
    assert copy.deepcopy(nn.Buffer([1.0], persistent=False)).shape == (1,)


def test_errors_name_the_layer():
    net = nn.Sequential(nn.Linear(3, 4))
    with pytest.raises(ShapeError, match="linear: x has 5 features, weight expects 3") as caught:
        net(mg.tensor(np.ones((2, 5), "float32")))
    assert any("Linear(in_features=3" in note for note in caught.value.__notes__)


def test_repr_is_a_tree():
    first, second = "Linear(in_features=3, out_features=4, bias=True)", "Linear(in_features=4, out_features=2, bias=False)"
    assert repr(Net()) == f"Net(\n  (first): {first}\n  (second): {second}\n)"
    assert repr(nn.Sequential(nn.Sequential(nn.ReLU()))) == "Sequential(\n  (0): Sequential(\n    (0): ReLU()\n  )\n)"


def test_what_is_computed_from_a_parameter_is_a_tensor():
    p = nn.Parameter([1.0, 2.0])
    assert type(p + 1) is mg.Tensor
    assert type(p.detach()) is mg.Tensor
    assert p.is_leaf
    with pytest.raises(DTypeError):
        nn.Parameter([1, 2])
    assert not nn.Parameter([1.0], requires_grad=False).requires_grad
