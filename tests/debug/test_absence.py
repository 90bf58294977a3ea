"""why_no_grad: each way in which a gradient can be missing, with the line that is to blame."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.debug import why_no_grad
from minigrad.errors import DTypeError


def make():
    mg.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)), mg.random.normal(size=(5, 3), dtype="float32")


def test_detach_in_the_middle(line):
    net, x = make()

    def loss():
        h = net[1](net[0](x))
        h = h.detach()  # culprit
        y = net[2](h)  # then
        return y.sum()

    reason = why_no_grad(loss, net[0].weight, net)
    assert (reason.kind, reason.line) == ("detach", line("culprit"))
    assert str(reason).startswith(f"0.weight: detach() cuts the way to the loss ({line('culprit')}); linear ({line('then')} in ")
    assert why_no_grad(loss, net[2].weight, net).kind == "not yet"
    assert all(p.grad is None for p in net.parameters())
    blind = why_no_grad(loss(), net[0].weight, net)  # a graph does not know what is not in it
    assert (blind.kind, blind.line) == ("unused", "")
    assert "Give why_no_grad the function that computes the loss" in str(blind)


def test_no_grad_block(line):
    net, x = make()

    def loss():
        with mg.no_grad():
            h = net[0](x)  # culprit
        return net[2](net[1](h)).sum()

    reason = why_no_grad(loss, net[0].bias, net)
    assert (reason.kind, reason.line) == ("no_grad", line("culprit"))
    assert "0.bias: linear (" in str(reason)
    with mg.no_grad():
        all_of_it = why_no_grad(loss, net[2].bias, net)
    assert all_of_it.kind == "no_grad"
    with mg.no_grad():
        value = loss()
    assert "the loss has no graph" in str(why_no_grad(value, net[0].bias))


def test_an_op_without_gradient(line):
    net, x = make()
    pick = mg.tensor([1.0, 2.0], requires_grad=True)

    def loss():
        best = mg.argmax(net(x), axis=1)  # culprit
        return pick[best].sum()

    reason = why_no_grad(loss, net[2].weight, net)
    assert (reason.kind, reason.line) == ("constant", line("culprit"))
    assert "argmax" in str(reason)
    assert "has no gradient" in str(reason)


def test_a_step_function_has_slope_zero(line):
    net, x = make()

    def loss():
        y = mg.rint(net(x))  # culprit
        return (y * y + net[2].bias).sum()

    reason = why_no_grad(loss, net[0].weight, net)
    assert (reason.kind, reason.line) == ("zero", line("culprit"))
    assert "is a step function, whose slope is 0 everywhere" in str(reason)


def test_a_dead_relu(line):
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    with mg.no_grad():
        net[0].bias.fill_(-100.0)

    def loss():
        return net(mg.ones((5, 3))).sum()  # culprit

    reason = why_no_grad(loss, net[0].weight, net)
    assert (reason.kind, reason.line) == ("zero", line("culprit"))
    assert f"relu ({line('culprit')} in 1 (ReLU))" in str(reason)
    assert "all 20 of its inputs are <= 0, a dead ReLU" in str(reason)
    with mg.viz.trace():
        y = loss()
    assert why_no_grad(y, net[0].weight).line == line("culprit")
    assert "a dead ReLU" in str(why_no_grad(lambda: mg.autograd.checkpoint(net, mg.ones((5, 3))).sum(), net[0].weight))


@pytest.mark.parametrize(
    ("loss", "says"),
    [
        (lambda w, x: mg.where(x > 5, w, 0.0).sum(), "its condition chooses the other side everywhere"),
        (lambda w, x: mg.clip(w, 10.0, 11.0).sum(), "lies outside of the bounds"),
        (lambda w, x: (w * (x - x)).sum(), "its rule is g * b, and b is 0 everywhere"),
        (lambda w, x: mg.exp(w - 500.0).sum(), "its rule is g * y, and y is 0 everywhere, saturated"),
        (lambda w, x: (w.reshape((3, 1)) - w.reshape((3, 1))).sum(), "shares of it cancel out"),
    ],
)
def test_other_zeros(loss, says):
    w, x = mg.tensor([1.0, 2.0, 3.0], requires_grad=True), mg.tensor([1.0, 2.0, 3.0])
    reason = why_no_grad(loss(w, x), w)
    assert reason.kind == "zero"
    assert says in str(reason)


def test_values_that_left_as_numbers(line):
    net, x = make()
    other = mg.tensor(1.0, requires_grad=True)

    def by_item():
        y = net(x).mean()
        return other * y.item()  # culprit

    reason = why_no_grad(by_item, net[2].bias, net)
    assert (reason.kind, reason.line) == ("left", line("culprit"))
    assert "by item()" in str(reason)
    reason = why_no_grad(lambda: mg.tensor(net(x).detach().numpy() * 2).sum() * other, net[2].bias, net)
    assert reason.kind == "left"
    assert "by numpy()" in str(reason)


def test_data_used_behind_the_graphs_back():
    w = mg.tensor([1.0, 2.0], requires_grad=True)
    v = mg.tensor([3.0, 4.0], requires_grad=True)
    assert why_no_grad((v * w.detach()).sum(), w).kind == "detach"
    assert why_no_grad(lambda: (v * w.data).sum(), w).kind == "detach"


def test_frozen_integers_and_unused():
    net, x = make()
    net[0].freeze()
    assert "0.requires" not in str(why_no_grad(net(x).sum(), net[0].weight, net))
    assert why_no_grad(net(x).sum(), net[0].weight).kind == "frozen"
    assert "only floating numbers have gradients" in str(why_no_grad(net(x).sum(), mg.tensor([1, 2])))
    lonely = mg.tensor([1.0], requires_grad=True)
    reason = why_no_grad(lambda: (lonely * 2, net(x).sum())[1], lonely)
    assert reason.kind == "unused"
    assert "its values go as far as multiply (" in str(reason)
    assert "the function does not use it" in str(why_no_grad(lambda: net(x).sum(), lonely))


def test_a_parameter_that_was_made_anew():
    net, x = make()
    old = net[0].weight
    net[0].weight = nn.Parameter(old.detach())
    reason = why_no_grad(net(x).sum(), old)
    assert reason.kind == "unused"
    assert "1 other leaves of its shape" in str(reason)
    loss = net(x).sum()
    net[2].weight.requires_grad_(False)
    net[2].weight.requires_grad_()
    reason = why_no_grad(loss, net[2].weight, net)
    assert reason.kind == "re-created"
    assert "requires_grad_() was switched off and on" in str(reason)


def test_data_that_were_replaced_since():
    w = mg.tensor([1.0, 2.0], requires_grad=True)
    loss = (w * w).sum()
    assert "was replaced" not in str(why_no_grad(loss, w))
    w.data = np.array([5.0, 6.0], "float32")
    assert "Its .data was replaced since: backward goes by the values that it had" in str(why_no_grad(loss, w))


def test_computed_freed_and_flowing():
    net, x = make()
    h = net[0](x)
    loss = net[2](h).sum()
    assert why_no_grad(loss, h).kind == "computed"
    assert why_no_grad(loss, net[0].weight).kind == "not yet"
    loss.backward()
    assert why_no_grad(loss, net[0].weight).kind == "flows"
    net.zero_grad()
    assert why_no_grad(loss, net[0].weight).kind == "freed"


def test_a_function_of_the_users_is_one_op():
    class Twice(mg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    w = mg.tensor([1.0, 2.0], requires_grad=True)
    assert why_no_grad(lambda: mg.concat([Twice.apply(w), w]).sum(), w).kind == "not yet"
    reason = why_no_grad(lambda: mg.concat([Twice.apply(w).detach(), mg.ones(1, requires_grad=True)]).sum(), w)
    assert reason.kind == "detach"


def test_it_leaves_no_trace():
    net = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5))
    before = mg.backend.generator().state
    why_no_grad(lambda: net(mg.ones((2, 3))).sum(), net[0].weight)
    after = mg.backend.generator().state
    assert np.array_equal(before["state"]["counter"], after["state"]["counter"])
    assert mg.Tensor.detach.__module__ == "minigrad.autograd.tensor"
    with pytest.raises(DTypeError, match="must return the loss"):
        why_no_grad(lambda: 3.0, net[0].weight)
