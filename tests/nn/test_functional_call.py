"""Modules as functions of their parameters."""

import copy

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import ShapeError


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


def test_functional_call():
    net = Net()
    own = dict(net.named_parameters())
    x = mg.tensor(np.ones((5, 3), "float32"))
    doubled = {name: p.detach() * 2 for name, p in own.items()}
    y = nn.functional_call(net, doubled, (x,))
    twin = copy.deepcopy(net)
    twin.load_state_dict(doubled, strict=False)
    np.testing.assert_allclose(y.numpy(), twin(x).detach().numpy(), rtol=1e-6)
    assert dict(net.named_parameters()) == own
    w = mg.tensor(3.0, requires_grad=True)
    nn.functional_call(net, {"scale": w * w}, x).sum().backward()
    once = net(x).sum().item()
    assert w.grad.item() == pytest.approx(6 * once / 2, rel=1e-5)
    first = nn.functional_call(net, [{"scale": np.array([1.0], "float32")}, {"seen": mg.tensor(3)}], kwargs={"x": x})
    assert first.shape == (5, 2)
    assert net.seen.item() == 0
    with pytest.raises(ShapeError):
        nn.functional_call(net, {"first.weight": mg.ones((2, 2))}, x)
    assert net.first.weight is own["first.weight"]
    with pytest.raises(AttributeError, match=r"no parameter or buffer 'third'; it has \['scale'"):
        nn.functional_call(net, {"third": w}, x)
    with pytest.raises(AttributeError, match=r"missing seen, scratch, first.weight"):
        nn.functional_call(net, {"scale": w}, x, strict=True)
    with pytest.raises(ValueError, match="two of the dicts"):
        nn.functional_call(net, ({"scale": w}, {"scale": w}), x)


def test_functional_call_of_tied_weights():
    mg.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    net[1].weight = net[0].weight
    x, eye = mg.tensor([[1.0, 2.0]]), mg.tensor(np.eye(2, dtype="float32") * 3)
    assert nn.functional_call(net, {"1.weight": eye}, x).tolist() == [[9, 18]]
    mine = net[0].weight.numpy()
    np.testing.assert_allclose(
        nn.functional_call(net, {"1.weight": eye}, x, tie_weights=False).detach().numpy(), 3 * x.numpy() @ mine.T, rtol=1e-6
    )
    with pytest.raises(ValueError, match="shares its tensor"):
        nn.functional_call(net, {"0.weight": eye, "1.weight": eye * 2}, x)
    assert net[1].weight is net[0].weight
    hessian = mg.autograd.hessian(lambda w: nn.functional_call(net, {"0.weight": w}, x).sum(), eye)
    assert hessian.shape == (2, 2, 2, 2)


@pytest.mark.torch
def test_functional_call_as_in_pytorch():
    torch = pytest.importorskip("torch")
    theirs, mine = torch.nn.Linear(3, 2), nn.Linear(3, 2)
    w = np.random.default_rng(0).normal(size=(2, 3)).astype("float32")
    x = np.ones((4, 3), "float32")
    mine.load_state_dict({k: v.detach().numpy() for k, v in theirs.state_dict().items()})
    a, b = mg.tensor(w, requires_grad=True), torch.tensor(w, requires_grad=True)
    (nn.functional_call(mine, {"weight": a * a}, (mg.tensor(x),)) ** 2).sum().backward()
    (torch.func.functional_call(theirs, {"weight": b * b}, (torch.tensor(x),)) ** 2).sum().backward()
    np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-5)
