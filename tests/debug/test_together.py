"""Several tools at once, ending in any order and in any thread; and code of kinds that the tools must not take for faults."""

import threading
from importlib import import_module

import numpy as np
import pytest

import minigrad as mg
from minigrad import debug, nn, optim, viz
from minigrad.autograd import Function
from minigrad.autograd import node as graph
from minigrad.debug.absence import _Trail
from minigrad.debug.linter import Lint, _Watcher
from minigrad.errors import DTypeError, GraphError
from minigrad.nn import functional as F
from minigrad.optim import Optimizer

mg.manual_seed(0)
X, Y = mg.random.normal(size=(6, 4), dtype="float32"), mg.tensor([0, 1, 2, 0, 1, 2])
NET = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
TOOLS = {
    "trace": lambda: viz.trace(values=True, time=True),
    "profile": debug.profile,
    "detect_nan": debug.detect_nan,
    "why_no_grad": lambda: _Trail(NET[0].weight),
    "lint": lambda: _Watcher(NET, None, Lint(), True),
}


def loss():
    return F.cross_entropy(NET(X), Y)


def swapped():
    """All that tools put something else in the place of."""
    clip = import_module("minigrad.nn.utils.clip_grad")
    backward = import_module("minigrad.autograd.backward")
    ways = [vars(mg.Tensor)[name] for name in ("detach", "numpy", "item", "tolist")]
    steps = [vars(Optimizer)["step"], vars(Optimizer)["zero_grad"], vars(nn.Module)["zero_grad"], vars(nn.Module)["__call__"]]
    return [graph.birth, backward._run, clip.stamp, vars(Function)["apply"], *steps, *ways, mg.tanh.op.kernels.own[np.ndarray], np.geterr()]


@pytest.mark.parametrize("first", TOOLS)
@pytest.mark.parametrize("second", TOOLS)
def test_two_at_once_may_end_in_any_order(first, second):
    mg.tanh(X)
    before, optimizer = swapped(), optim.SGD(NET.parameters(), lr=0.01)
    for order in ((0, 1), (1, 0)):
        tools = TOOLS[first](), TOOLS[second]()
        for tool in tools:
            tool.__enter__()
        for k in order:
            optimizer.zero_grad()
            loss().backward()
            optimizer.step()
            tools[k].__exit__(None, None, None)
        assert swapped() == before


def test_threads_measure_each_its_own_and_leave_nothing():
    before, wrong = swapped(), []

    def work():
        net = nn.Linear(4, 2)
        optimizer = optim.SGD(net.parameters(), lr=0.1)
        for _ in range(10):
            with debug.profile() as measured, debug.detect_nan():
                net(X).sum().backward()
                optimizer.step()
            wrong.extend([r for r in measured.rows("forward") if r.name == "linear" and r.calls != 1])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong
    assert swapped() == before


def test_what_other_threads_do_is_none_of_its_business():
    wrong = []

    def bad():
        try:
            (mg.ones(3, requires_grad=True) * mg.inf).sum().backward()
            nn.Linear(4, 2)(X).sum().backward()
        except GraphError as error:
            wrong.append(error)

    with debug.profile() as measured, debug.detect_nan():
        other = threading.Thread(target=bad)
        other.start()
        other.join()
    assert not wrong
    assert not measured.events


def test_a_profile_that_begins_within_a_module():
    class Inner(nn.Module):
        def forward(self, x):
            measured.__enter__()
            return mg.exp(x)

    measured = debug.profile()
    nn.Sequential(Inner())(X)
    measured.__exit__(None, None, None)
    assert [r.name for r in measured.rows()] == ["exp"]


def test_a_tool_can_be_used_again_after_it_raised():
    tool = debug.detect_nan()
    with pytest.raises(GraphError), tool:
        mg.log(X - X)
    with tool:
        mg.exp(X)


# -- what is no fault -------------------------------------------------------------------------------------------------
def test_two_optimizers_that_share_a_model_and_both_are_put_back():
    g, d, z = nn.Linear(2, 4), nn.Linear(4, 1), mg.random.normal(size=(6, 2), dtype="float32")
    both = nn.ModuleDict({"g": g, "d": d})
    of_g, of_d = optim.Adam(g.parameters()), optim.Adam(d.parameters())

    def step():
        of_d.zero_grad()
        fake = g(z)
        (d(fake.detach()).mean() - d(X).mean()).backward()
        of_d.step()
        of_g.zero_grad()
        (-d(fake).mean()).backward()
        of_g.step()

    assert debug.lint(both, step, of_g).ok
    assert not of_g.state_dict()["state"]
    assert not of_d.state_dict()["state"]


def test_a_step_that_is_a_search_may_go_far():
    net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
    optimizer = optim.LBFGS(net.parameters())

    def closure():
        optimizer.zero_grad()
        value = F.cross_entropy(net(X), Y)
        value.backward()
        return value

    assert debug.lint(net, lambda: optimizer.step(closure), optimizer).ok


def test_a_softmax_over_one_column():
    score = nn.Linear(4, 1)
    assert debug.lint(score, lambda: (F.softmax(score(X), axis=0) * X).sum()).ok


def test_modules_with_hooks_and_parameters_without_a_shape():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.never = nn.Linear(4, 8), nn.Linear(8, 2), nn.LazyLinear(3)

        def forward(self, x):
            return self.b(self.a(x))

    net = Net()
    net.a.register_full_backward_hook(lambda module, given, got: None)
    assert viz.graph(net(X).sum(), net).record.boxes
    found = debug.explain_grad(lambda: net(X).sum(), net.a.weight, net)
    assert [(b.name or b.op) for b in found.record.boxes] == ["a.weight", "linear", "linear", "sum"]
    assert len(found.record.edges) == 3


# -- why there is no gradient -----------------------------------------------------------------------------------------
class Nothing(Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return None


def overwritten():
    y = NET(X) * 1
    y[...] = 0.0
    return y.sum()


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda: Nothing.apply(NET(X)).sum(), "its backward returns None for that input"),
        (overwritten, "what was written in place has replaced all of it"),
        (lambda: mg.sign(NET(X)).sum(), "sign is a step function, whose slope is 0 everywhere"),
        (lambda: NET(X)[:, :0].sum(), "there are no numbers in an input of shape (6, 0)"),
    ],
)
def test_why_it_is_zero(function, says):
    reason = debug.why_no_grad(function, NET[0].weight, NET)
    assert reason.kind == "zero"
    assert says in reason.text


def test_hooks_are_not_called_and_that_is_said():
    def function():
        y = NET[0](X)
        y.register_hook(lambda g: g * 0)  # the culprit
        return NET[2](y).sum()

    assert "without the hooks on linear" in debug.why_no_grad(function, NET[0].weight, NET).text
    assert "hooks" not in debug.why_no_grad(loss, NET[0].weight, NET).text


def test_a_loss_that_a_kernel_returns_as_a_number():
    reason = debug.why_no_grad(lambda: F.mse_loss(NET(X), mg.zeros((6, 3))), NET[0].weight, NET)
    assert reason.kind in ("not yet", "flows")


class Keeping(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        ctx.own = np.ones(100)
        return x * x

    @staticmethod
    def backward(ctx, g):
        return 2 * ctx.saved_tensors[0] * g


def test_memory_of_functions_and_checkpoints():
    x = mg.ones(100, dtype="float32", requires_grad=True)
    report = debug.memory_report(lambda: Keeping.apply(x).sum())
    assert (report.held, report.shared) == (800, 400)  # what it keeps besides; the leaf is there anyway
    assert debug.memory_report(lambda: Keeping.apply(mg.exp(x)).sum()).held == 800 + 400
    report = debug.memory_report(lambda: mg.autograd.checkpoint(lambda y: mg.exp(y) * y, mg.exp(x)).sum())
    assert report.held == 400
    assert "and what checkpoints compute again" in str(report)


@pytest.mark.parametrize("names", [5, [1, 2], [("w", 3)], "ab"])
def test_names_that_are_none(names):
    with pytest.raises(DTypeError, match="names: expected a Module, a mapping of names to Tensors, or pairs"):
        debug.explain_grad(loss, NET[0].weight, names)
    with pytest.raises(DTypeError, match="names: expected"):
        viz.graph(loss(), names)


def test_a_model_that_returns_what_has_no_tensors_in_it():
    class Output:
        def __init__(self, loss):
            self.loss = loss

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(4, 3)

        def forward(self, x):
            return Output(F.cross_entropy(self.inner(x), Y))

    net = Net()
    assert debug.lint(net, lambda: net(X).loss).ok
