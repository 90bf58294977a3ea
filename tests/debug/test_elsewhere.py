"""The tools on arrays that are not NumPy's: the strict double of a GPU."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import debug, nn
from minigrad.autograd.tensor import wrap
from minigrad.errors import GraphError
from minigrad.nn import functional as F
from minigrad.testing.double import put, register


def test_every_tool_works_there(line):
    register()
    mg.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.BatchNorm1d(8), nn.Linear(8, 3)).to(device="double")
    optimizer = mg.optim.SGD(net.parameters(), lr=0.1)
    x = wrap(put(np.random.default_rng(0).normal(size=(6, 4)).astype("float32")), None)
    y = wrap(put(np.array([0, 1, 2, 0, 1, 2])), None)

    def loss():
        return F.cross_entropy(net(x), y)

    def step():
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()

    assert debug.why_no_grad(loss, net[0].weight, net).kind == "not yet"
    assert debug.explain_grad(loss, net[0].weight, net).kind == "healthy"
    assert debug.memory_report(loss).held > 0
    assert debug.lint(net, step, optimizer).ok
    assert debug.diagnose(net, F.cross_entropy, (x, y), optimizer).ok
    with debug.detect_nan(), debug.profile() as measured:
        step()
    assert {r.name for r in measured.rows("backward")} >= {"cross_entropy", "linear", "relu", "batch_norm"}
    optimizer.zero_grad()
    assert [s.op for s in loss().backward_steps()][:4] == ["cross_entropy", "linear", "batch_norm", "relu"]
    assert all(p.grad is not None for p in net.parameters())

    def bad():
        with debug.detect_nan():
            mg.log(x - x)  # culprit

    with pytest.raises(GraphError, match="made -inf of x = 0 at") as caught:
        bad()
    assert line("culprit") in str(caught.value)
