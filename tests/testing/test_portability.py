"""check_device: a good model passes, and each kind of fault is planted once and found at its line, in its module."""

import inspect

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.testing.portability import KINDS, check_device


class Planted(nn.Module):
    """A linear layer, and then a function."""

    def __init__(self, f):
        super().__init__()
        self.linear, self.f = nn.Linear(3, 4), f

    def forward(self, x):
        return self.f(self.linear(x))


def checked(f):
    return check_device(nn.Sequential(nn.Tanh(), Planted(f)), mg.ones((5, 3)))


CONSTANT = mg.ones(4)
FAULTS = {
    "float": ("reads", lambda y: y * float(y.max())),
    "branch": ("reads", lambda y: y if y.sum() > 0 else -y),
    "item": ("reads", lambda y: y / y.detach().max().item()),
    "implicit conversion": ("numpy", lambda y: y * np.asarray(y.detach())),
    "a function of NumPy on the array": ("numpy", lambda y: y * mg.tensor(np.exp(y.data))),
    "a mean of NumPy on the array": ("numpy", lambda y: y * mg.asarray(np.mean(y.data))),
    "a scalar of NumPy": ("widens", lambda y: y * np.float64(2)),
    "a wide constant": ("widens", lambda y: y * mg.ones(4, dtype="float64")),
    "a mask": ("shape", lambda y: y[y > 0]),
    "nonzero": ("shape", lambda y: y * len(mg.nonzero(y.detach())[0])),
    "unique": ("shape", lambda y: y * mg.unique(y.detach()).size),
    "a constant left on the CPU": ("mixed", lambda y: y * CONSTANT),
    "an argument that CuPy has not": ("missing", lambda y: mg.asarray(y.data.sum(axis=0, where=True))),
    "a list": ("sends", lambda y: y[:, [0, 2]]),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults(name):
    kind, f = FAULTS[name]
    report = checked(f)
    found = next(x for x in report.findings if x.kind == kind)
    assert found.line == f"{__file__}:{inspect.getsourcelines(f)[1]}"
    assert found.module == "1 (Planted)"
    assert report.ok == (kind == "sends")
    assert f"{found.line}: {KINDS[kind]}: " in str(report)


class Reading(mg.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return g * float(g.max())


def test_a_fault_on_the_way_back():
    (found,) = checked(Reading.apply).findings
    assert (found.kind, found.module) == ("reads", "1 (Planted)")
    assert found.line == f"{__file__}:{inspect.getsourcelines(Reading.backward)[1] + 2}"


def test_a_fault_in_an_ops_rule_is_told_by_the_line_that_called_it():
    def f(y):
        return y[mg.asarray([0, 1], device=y.device)] if y.device == "cpu" else y[y.data[:, 0] < 9]

    report = checked(f)
    back = next(x for x in report.findings if "backward" in x.line)
    assert back.line == f"{__file__}:{inspect.getsourcelines(f)[1] + 1} (backward of getitem)"
    assert back.kind == "shape"


def test_several_are_found_in_one_run():
    def f(y):
        y = y * float(y.max())
        return y[y > 0]

    assert [x.kind for x in checked(f).findings][:2] == ["reads", "shape"]


def test_other_numbers():
    report = checked(lambda y: y * (1 if y.device == "cpu" else 2))
    assert {x.kind for x in report.findings} == {"differs"}
    assert "output 0: off by " in str(report)
    assert "gradient of 1.linear.weight" in str(report)


def test_an_error_that_is_not_of_the_device():
    def f(y):
        return y if y.device == "cpu" else y.reshape((7, 7))

    (found,) = checked(f).findings
    assert found.kind == "fails"
    with pytest.raises(mg.errors.ShapeError):
        checked(lambda y: y.reshape((7, 7)))


def test_good_models():
    image = mg.ones((2, 1, 6, 6))
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Dropout(0.5), nn.Linear(32, 3))
    before = {k: v.numpy().copy() for k, v in net.state_dict().items()}
    report = check_device(net, image)
    assert report.ok, report
    assert check_device(net.eval(), image.numpy()).ok
    assert all(np.array_equal(v.numpy(), before[k]) for k, v in net.state_dict().items())  # copies were run
    assert not any(m._hooks for m in net.modules())
    assert all(p.grad is None for p in net.parameters())
    assert mg.check_device is check_device


def test_inputs_of_all_sorts():
    lstm = nn.LSTM(3, 4)
    assert check_device(lstm, mg.ones((5, 2, 3)), (mg.zeros((1, 2, 4)), mg.zeros((1, 2, 4)))).ok
    assert check_device(nn.Embedding(5, 3), np.array([1, 2])).ok
    assert check_device(lambda xs, k: xs["a"] * xs["b"] ** k, {"a": mg.ones(3), "b": mg.ones(3)}, 2).ok
    assert check_device(lambda x: x > 0, mg.ones(3)).ok
    assert check_device(lambda x: mg.exp(x * 1j), mg.ones(3)).ok
    assert check_device(lambda x: x.astype("float64") * 2, mg.ones(3)).ok


def test_the_stream_of_random_numbers_is_left_alone():
    mg.manual_seed(3)
    want = mg.random.normal(size=4).tolist()
    mg.manual_seed(3)
    check_device(nn.Dropout(0.5), mg.ones(9))
    assert mg.random.normal(size=4).tolist() == want
