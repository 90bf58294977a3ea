"""Backward in steps: what it says of each node, and that it leaves what backward leaves."""

import gc
import weakref

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.autograd import checkpoint
from minigrad.autograd.steps import rule_texts
from minigrad.errors import GraphError


class Cube(mg.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 3 * x * x


def dense(x):
    net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.BatchNorm1d(8), nn.Linear(8, 3))
    return net, lambda net: nn.CrossEntropyLoss()(net(x), [0, 2, 1, 1])


def convolution(x):
    net = nn.Sequential(nn.Conv1d(2, 4, 2), nn.ReLU(), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(4, 1))
    return net, lambda net: net(x.reshape((4, 2, 3))).square().mean()


def recurrent(x):
    net = nn.LSTM(2, 5, 2)
    return net, lambda net: net(x.reshape((3, 4, 2)))[0].sin().sum()


def attention(x):
    net = nn.TransformerEncoderLayer(6, 2, 8, 0.0, batch_first=True)
    return net, lambda net: net(x.reshape((2, 2, 6))).square().sum()


def several_outputs(x):
    net = nn.Linear(6, 6)

    def loss(net):
        a, _, c = mg.split(net(x), 3, axis=1)
        return (a * c).sum() + (a * a).sum()  # a in two places, the middle nowhere

    return net, loss


def shared_and_broadcast(x):
    net = nn.Linear(6, 6)

    def loss(net):
        y = net(x)
        for _ in range(3):
            y = net(y).tanh() + y * net.bias
        return Cube.apply(y).mean()

    return net, loss


def forgotten(x):
    net = nn.Sequential(nn.Linear(6, 6), nn.Tanh())
    return net, lambda net: (checkpoint(net, x) * net(x)).sum()


def in_place(x):
    net = nn.Linear(6, 6)

    def loss(net):
        y = net(x).clone()
        y[0] = y[1] * 2
        y += 1
        return (y * y).sum()

    return net, loss


@pytest.mark.parametrize(
    "make", [dense, convolution, recurrent, attention, several_outputs, shared_and_broadcast, forgotten, in_place], ids=lambda f: f.__name__
)
def test_the_gradients_are_those_of_backward(make):
    mg.manual_seed(0)
    x = mg.random.normal(size=(4, 6), dtype="float32")
    net, loss = make(x)
    loss(net).backward()
    want = [p.grad.numpy().copy() for p in net.parameters()]
    net.zero_grad()
    steps = list(loss(net).backward_steps(names=net))
    for p, w in zip(net.parameters(), want, strict=True):
        assert np.array_equal(p.grad.numpy(), w)
    leaves = [s for s in steps if s.op == "leaf"]
    assert {s.name for s in leaves} == {name for name, _ in net.named_parameters()}
    for s in leaves:
        assert np.array_equal(s.grad.numpy(), dict(net.named_parameters())[s.name].grad.numpy())
    assert all(str(s) for s in steps)
    loss(net).backward()  # accumulates on what the steps left
    assert np.array_equal(next(net.parameters()).grad.numpy(), want[0] * 2)


def test_shares_add_up_to_the_gradient():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    y = x.exp()
    steps = {s.name: s for s in (y * x + y).sum().backward_steps(names={"x": x})}
    assert list(steps) == ["sum", "add", "multiply", "exp", "x"]
    assert [s.joins for s in steps["multiply"].shares] == [True, False]
    assert "a (exp) adds g * b = [1., 2.]; b (x) is handed g * a" in str(steps["multiply"])
    assert "x (x) adds g * y" in str(steps["exp"])
    e = np.exp([1.0, 2.0])
    assert np.allclose(steps["exp"].grad.numpy(), [2.0, 3.0])
    assert np.allclose(steps["x"].grad.numpy(), e + e * [2.0, 3.0])
    assert str(steps["x"]).startswith("x (2,) is a leaf: its gradient is complete, [")


def test_stopping_midway_leaves_the_leaves_alone():
    net = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 1))
    seen = []
    for p in net.parameters():
        p.register_post_accumulate_grad_hook(seen.append)
    loss = net(mg.ones((3, 2))).sum()
    steps = loss.backward_steps()
    for step in steps:
        if step.op == "leaf":
            break
    steps.close()
    assert all(p.grad is None for p in net.parameters())
    assert not seen
    with pytest.raises(GraphError, match="already freed at sum"):
        loss.backward()
    list(net(mg.ones((3, 2))).sum().backward_steps())
    assert len(seen) == 4


def test_what_is_kept_and_let_go():
    x = mg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    loss = (x * x).sum()
    steps = list(loss.backward_steps(retain_graph=True))
    assert [s.freed for s in steps] == [0, 0, 0]
    steps = list(loss.backward_steps())
    assert [(s.op, s.freed) for s in steps] == [("sum", 0), ("multiply", 24), ("leaf", 0)]
    ref = weakref.ref(loss.node)
    del loss, steps
    gc.collect()
    assert ref() is None


def test_hooks_are_called_and_replace():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    y = x * 3
    y.register_hook(lambda g: g * 10)
    y.retain_grad()
    steps = list(y.sum().backward_steps())
    assert steps[1].grad.tolist() == [10.0, 10.0] == y.grad.tolist()
    assert x.grad.tolist() == [30.0, 30.0]


def test_faults_are_those_of_backward():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(GraphError, match="backward_steps needs a scalar"):
        x.exp().backward_steps()
    with pytest.raises(GraphError, match="has no graph"):
        mg.tensor(1.0).backward_steps()
    y = x.exp()
    y += 1
    with pytest.raises(GraphError, match=r"exp saved an array .* overwritten"):
        list(y.sum().backward_steps())


def test_complex_gradients_are_the_users():
    z = mg.tensor([1 + 2j], requires_grad=True)
    *_, last = mg.real(z * mg.conj(z)).sum().backward_steps()
    assert last.grad.tolist() == z.grad.tolist() == [2 + 4j]


def test_functions_and_joins_name_their_inputs():
    x, y = mg.tensor([2.0], requires_grad=True), mg.tensor([3.0], requires_grad=True)
    cube, *_ = list(Cube.apply(x).backward_steps(mg.ones(1), names={"x": x}))
    assert str(cube).startswith("Cube (1,) gets [1.]: input 0 (x) is handed Cube.backward(ctx, g) = [12.]")
    steps = list(mg.concat([x, y, x]).sum().backward_steps(names={"x": x, "y": y}))
    assert [(s.argument, s.to, s.joins) for s in steps[1].shares] == [("x0", "x", False), ("x1", "y", False), ("x2", "x", True)]


def test_rules_in_their_own_words():
    assert rule_texts(mg.exp.op) == {0: "g * y"}
    assert rule_texts(mg.matmul(mg.ones((2, 2), requires_grad=True), mg.ones((2, 2))).node.op)[0] == "_matmul(g, transposed(b))"
    assert rule_texts(Cube.apply(mg.tensor(1.0, requires_grad=True)).node.op) == {-1: "Cube.backward(ctx, g)"}
    assert rule_texts(nn.LayerNorm(2)(mg.ones((1, 2))).node.op) == {-1: "layer_norm_gradient(g)"}
