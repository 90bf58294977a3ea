"""detect_nan: the first op that made NaN, its operands and its line; the where-trap; silence where all is well."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.autograd import node
from minigrad.debug import detect_nan
from minigrad.errors import GraphError


def fault(run):
    with pytest.raises(GraphError) as caught, detect_nan():
        run()
    return str(caught.value)


def test_log_of_zero(line):
    x = np.ones((4, 20), "float32")
    x[3, 17] = 0
    p = mg.tensor(x, requires_grad=True)

    def run():
        y = mg.log(p)  # culprit
        (y * p).sum().backward()

    text = fault(run)
    assert f"log ({line('culprit')}) made -inf of x = 0 at [3, 17]; of that multiply" in text
    assert "made nan of a = -inf, b = 0 at [3, 17]" in text
    assert "backward starts from a loss that is no number" in text


def test_an_unselected_branch_of_where(line):
    x = mg.tensor([4.0, 0.0, 9.0], requires_grad=True)

    def run():
        y = mg.sqrt(x)  # culprit
        z = mg.where(x > 0, y, 0.0)  # hiding
        z.sum().backward()

    text = fault(run)
    assert f"on the way back, sqrt ({line('culprit')}) made nan of a gradient at [1]: its rule g / (y * 2) had g = 0, y = 0" in text
    assert f"left out by where ({line('hiding')})" in text
    assert "s = where(condition, x, 1); where(condition, sqrt(s), 0)" in text
    assert x.grad is None
    with detect_nan():  # the remedy
        s = mg.where(x > 0, x, 1.0)
        mg.where(x > 0, mg.sqrt(s), 0.0).sum().backward()
    assert x.grad.tolist() == [0.25, 0.0, np.float32(1 / 6)]


def test_a_bad_value_that_is_dropped_and_does_no_harm():
    x = mg.tensor([4.0, -1.0], requires_grad=True)
    with detect_nan():
        mg.where(x > 0, mg.log(x), 0.0).sum().backward()  # log(-1) is NaN, its slope -1 is not
    assert x.grad.tolist() == [0.25, 0.0]


def test_the_module_is_named():
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
    with mg.no_grad():
        net[2].weight.fill_(np.inf)
    says = r"linear \(.*test_nan.py:\d+ in 2 \(Linear\)\) made nan of .*weight \(1, 2\) from inf to inf"
    with pytest.raises(GraphError, match=says), detect_nan():
        net(mg.zeros((3, 2))).sum().backward()


def test_data_that_were_bad_before(line):
    x = mg.tensor([1.0, np.nan, 2.0])
    w = mg.tensor([1.0, 1.0, 1.0], requires_grad=True)
    with pytest.raises(GraphError) as caught, detect_nan():
        (w * x).sum().backward()  # culprit
    assert f"multiply ({line('culprit')}) was given a = 1, b = nan at [1], which no op made" in str(caught.value)


def test_it_is_found_without_backward_and_in_no_grad():
    with pytest.raises(GraphError, match=r"divide .* made nan of a = 0, b = 0 at \[0\]"), mg.no_grad(), detect_nan():
        mg.tensor([0.0, 1.0]) / mg.tensor([0.0, 1.0])


def test_overflow_on_the_way_back_and_infinities_that_may_pass():
    x = mg.tensor([1e-30], requires_grad=True)

    def run(**options):
        with detect_nan(**options):
            (mg.log(x) * 1e20).sum().backward()

    with pytest.raises(GraphError, match=r"log .* made inf of a gradient at \[0\]: its rule g / x had g = 1e\+20, x = 1e-30"):
        run()
    run(infinities=False)
    assert np.isinf(x.grad.item())


def test_a_function_of_the_users(line):
    class Bad(mg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return mg.log(x)

        @staticmethod
        def backward(ctx, g):
            return g * np.float32("nan")

    x = mg.tensor([1.0], requires_grad=True)

    def run():
        y = Bad.apply(x)  # culprit
        y.sum().backward()

    assert f"Bad ({line('culprit')}) made nan of a gradient at [0]: its rule Bad.backward(ctx, g)" in fault(run)
    with mg.no_grad():
        x.fill_(0.0)
    assert f"Bad ({line('culprit')}) made -inf of input 0 = 0 at [0]" in fault(run)


def masked_attention():
    net = nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True)
    mask = mg.tensor(np.triu(np.full((5, 5), -np.inf, "float32"), 1))
    return net, lambda: net(mg.random.normal(size=(2, 5, 8), dtype="float32"), src_mask=mask).square().mean()


def mixed_precision():
    net = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 4))

    def loss():
        with mg.amp.autocast("cpu"):
            return nn.functional.cross_entropy(net(mg.random.normal(size=(3, 8), dtype="float32")), mg.tensor([0, 1, 3]))

    return net, loss


@pytest.mark.parametrize("make", [masked_attention, mixed_precision])
def test_healthy_models_pass_and_compute_the_same(make):
    net, loss = make()
    mg.manual_seed(1)
    loss().backward()
    want = [p.grad.numpy().copy() for p in net.parameters()]
    net.zero_grad()
    mg.manual_seed(1)
    with detect_nan():
        loss().backward()
    assert all(np.array_equal(p.grad.numpy(), w) for p, w in zip(net.parameters(), want, strict=True))


def test_nothing_is_left_on():
    clock, kernel, call, apply = node.birth, mg.exp.op.kernels[np.ndarray], nn.Module.__call__, vars(mg.autograd.Function)["apply"]

    def run():
        with detect_nan(), mg.amp.autocast("cpu"):
            mg.exp(mg.ones(2))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), detect_nan():
        run()
    assert node.birth is clock
    assert mg.exp.op.kernels.table[np.ndarray] is kernel is mg.exp.op.kernels[np.ndarray]
    assert nn.Module.__call__ is call
    assert vars(mg.autograd.Function)["apply"] is apply
