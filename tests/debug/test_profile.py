"""profile: what it counts and adds up, in mixed precision and in the Trainer, and that nothing of it stays; depth_profile's numbers."""

import json

import numpy as np
import pytest

import minigrad as mg
from minigrad import debug, nn
from minigrad.errors import DTypeError
from minigrad.nn import functional as F


def setting():
    mg.manual_seed(0)
    net = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Sequential(nn.Linear(16, 16), nn.Tanh()), nn.Linear(16, 2))
    return net, mg.optim.Adam(net.parameters()), mg.random.normal(size=(12, 8), dtype="float32"), mg.arange(12) % 2


def test_calls_bytes_and_ways():
    net, opt, x, y = setting()
    with debug.profile() as found:
        for _ in range(3):
            opt.zero_grad()
            F.cross_entropy(net(x), y).backward()
            opt.step()
    there = {(r.name, r.module): r for r in found.rows("forward")}
    assert there["linear", "0 (Linear)"].calls == 3
    assert there["linear", "0 (Linear)"].bytes == 3 * 12 * 16 * 4
    assert there["tanh", "2.1 (Tanh)"].calls == 3
    assert there["cross_entropy", ""].calls == 3
    back = {(r.name, r.module): r.calls for r in found.rows("backward") if r.name != "leaf"}
    assert set(back) <= set(there)
    assert back["tanh", "2.1 (Tanh)"] == 3
    assert any(r.name == "Adam.step" and r.calls == 3 for r in found.rows("step"))
    modules = {r.name: r for r in found.rows("module")}
    assert {k: r.calls for k, r in modules.items()} == {
        "Sequential": 3, "0 (Linear)": 3, "1 (Tanh)": 3, "2 (Sequential)": 3, "2.0 (Linear)": 3, "2.1 (Tanh)": 3, "3 (Linear)": 3
    }  # fmt: skip
    inner = sum(modules[k].total for k in ("2.0 (Linear)", "2.1 (Tanh)"))
    assert modules["2 (Sequential)"].total >= inner
    assert abs(modules["2 (Sequential)"].seconds - (modules["2 (Sequential)"].total - inner)) < 1e-9
    assert sum(r.seconds for r in found.rows()) <= found.elapsed
    with debug.profile() as other:
        nn.CrossEntropyLoss()(net(x), y).backward()
    text = str(other)
    assert {r.modules[-1] for r in other.rows("backward") if r.name == "linear"} == {"Sequential"}
    assert {r.modules for r in other.rows("backward") if r.name == "cross_entropy"} == {("CrossEntropyLoss",)}
    assert text.startswith("profile: ")
    assert {"op", "module"} <= {line.split()[0] for line in text.splitlines() if line}


def test_chrome_can_read_it(tmp_path):
    net, _, x, y = setting()
    with debug.profile() as found:
        F.cross_entropy(net(x), y).backward()
    data = json.loads(found.save(tmp_path / "trace.json").read_text())
    events = data["traceEvents"]
    assert {e["ph"] for e in events} == {"X"}
    assert [e["ts"] for e in events] == sorted(e["ts"] for e in events)
    assert all(e["ts"] >= 0 and e["dur"] >= 0 for e in events)
    whole = next(e for e in events if e["name"] == "Sequential")
    inside = next(e for e in events if e["name"] == "linear" and e["cat"] == "forward")
    assert whole["ts"] <= inside["ts"]
    assert inside["ts"] + inside["dur"] <= whole["ts"] + whole["dur"] + 1
    assert inside["args"] == {"module": "0 (Linear)", "bytes": 12 * 16 * 4}


def test_mixed_precision_and_the_trainer():
    net, opt, x, y = setting()
    with debug.profile() as found, mg.amp.autocast("cpu"):
        F.cross_entropy(net(x), y).backward()
    rows = {(r.name, r.module): r.bytes for r in found.rows("forward")}
    assert rows["linear", "0 (Linear)"] == 12 * 16 * 2  # in half precision
    trainer = mg.train.Trainer(net, nn.CrossEntropyLoss(), opt, progress=False)
    with debug.profile() as found:
        trainer.fit((x, y), epochs=2, batch_size=4)
    assert {r.name: r.calls for r in found.rows("module")}["Sequential"] == 6
    assert sum(r.calls for r in found.rows("step") if r.name == "Adam.step") == 6


def test_nothing_stays():
    kernel, step, call = mg.exp.op.kernels[np.ndarray], mg.optim.Optimizer.step, nn.Module.__call__
    with debug.profile():
        assert mg.exp.op.kernels[np.ndarray] is not kernel
    assert mg.exp.op.kernels.table[np.ndarray] is kernel
    assert mg.optim.Optimizer.step is step
    assert nn.Module.__call__ is call


def test_depth_profile_holds_the_numbers():
    net, opt, x, y = setting()
    h = net[0](x)
    z = net[1](h)
    h.retain_grad()
    loss = F.cross_entropy(net[2:](z), y)
    loss.backward()
    found = debug.depth_profile(net, F.cross_entropy, (x, y), opt)
    assert np.isclose(found.loss, loss.item())
    assert [(k.name, k.cls) for k in found.layers] == [("0", "Linear"), ("1", "Tanh"), ("2.0", "Linear"), ("2.1", "Tanh"), ("3", "Linear")]
    first = found.layers[0]
    rms = lambda t: np.sqrt(np.mean(t.numpy().astype("float64") ** 2))  # noqa: E731
    assert np.isclose(first.activation["rms"], rms(h.detach()), rtol=1e-5)
    assert np.isclose(first.gradient["rms"], rms(h.grad), rtol=1e-5)
    assert np.isclose(first.weights["weight"]["rms"], rms(net[0].weight.detach()), rtol=1e-5)
    assert np.isclose(first.weight_gradients["bias"]["rms"], rms(net[0].bias.grad), rtol=1e-5)
    assert sum(first.activation["histogram"]) == h.size
    before = net[0].weight.numpy().copy()
    opt.step()
    assert np.isclose(first.updates["weight"], np.linalg.norm(net[0].weight.numpy() - before) / np.linalg.norm(before), rtol=1e-4)
    assert str(found).splitlines()[0].split() == ["layer", "class", "output", "zeros", "gradient", "weight", "its", "gradient", "update"]
    with pytest.raises(DTypeError, match="a batch must be"):
        debug.depth_profile(net, F.cross_entropy, x)
    with pytest.raises(DTypeError, match="reduction='mean'"):
        debug.depth_profile(net, lambda a, b: a, (x, y))
