"""Notes taken while a graph grows: modules, lines, values, seconds; and nothing is changed by them, be it on or off."""

import gc
import threading
import time
import weakref

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, viz
from minigrad.autograd import backward, inplace
from minigrad.autograd import node as graph
from minigrad.autograd.function import Function
from minigrad.autograd.op import known
from minigrad.backend.arrays import Kernels
from minigrad.nn import Module
from minigrad.testing.double import put, register
from minigrad.viz.listening import Listener
from minigrad.viz.statistics import measure
from minigrad.viz.trace import trace, traces


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm, self.inner = nn.LayerNorm(width), nn.Linear(width, width)

    def forward(self, x):
        h = mg.tanh(self.inner(self.norm(x)))
        return x + h


class Net(nn.Module):
    def __init__(self, width=4, depth=3):
        super().__init__()
        self.first = nn.Linear(2, width)
        self.blocks = nn.ModuleList([Block(width) for _ in range(depth)])

    def forward(self, x):
        x = self.first(x)
        for block in self.blocks:
            x = block(x)
        return x


class Heard(Listener):
    hears = True

    def __init__(self):
        super().__init__()
        self.events = []

    def heard(self, event, args, y):
        self.events.append(event)

    def passed(self, event):
        self.events.append(event)


def paths(r):
    return [(r.scopes[b.scope].name or r.scopes[b.scope].cls, b.name or b.op) for b in r.boxes if b.kind != "grad"]


# -- modules ----------------------------------------------------------------------------------------------------------
def test_each_op_is_in_the_call_that_made_it():
    net, x = Net(depth=1), mg.ones((1, 2))
    with viz.trace():
        y = net(x).sum()
    r = viz.record(y)
    assert [(s.parent, s.name, s.cls, s.call) for s in r.scopes] == [
        (-1, "", "", 0),
        (0, "", "Net", 0),
        (1, "first", "Linear", 0),
        (1, "blocks.0", "Block", 0),
        (3, "blocks.0.norm", "LayerNorm", 0),
        (3, "blocks.0.inner", "Linear", 0),
    ]
    ops = [p for p, b in zip(paths(r), r.boxes, strict=True) if b.op != "leaf"]
    expected = [("first", "linear"), ("blocks.0.norm", "layer_norm"), ("blocks.0.inner", "linear"), ("blocks.0", "tanh")]
    assert ops == [*expected, ("blocks.0", "add"), ("", "sum")]
    params = {b.name: r.scopes[b.scope].name for b in r.boxes if b.op == "leaf"}
    assert params == {name: name.rpartition(".")[0] for name, _ in net.named_parameters()}
    assert r.meta["calls"][3] == {"inputs": [(1, 4)], "outputs": [(1, 4)]}


def test_repeated_blocks_are_alike_whatever_their_names():
    net, x = Net(), mg.ones((1, 2))
    with viz.trace():
        y = net(x).sum()
        z = Net(width=5)(x).sum()
    alike = {s.name: s.alike for s in viz.record(y).scopes}
    assert alike["blocks.0"] == alike["blocks.1"] == alike["blocks.2"]
    assert alike["first"] not in (alike["blocks.0"], alike["blocks.0.inner"])
    assert {s.name: s.alike for s in viz.record(z).scopes}["blocks.0"] != alike["blocks.0"]
    assert viz.record(y, mode="both").scopes == viz.record(y).scopes


def test_other_wiring_is_not_alike():
    class One(nn.Module):
        def forward(self, x, y):
            return mg.sin(x) * mg.cos(y)

    class Two(nn.Module):
        def forward(self, x, y):
            s, c = mg.sin(x), mg.cos(x)
            return s * c

    Two.__name__ = "One"
    a, b = mg.ones(2, requires_grad=True), mg.ones(2, requires_grad=True)
    with viz.trace():
        ys = [One()(a, b).sum(), One()(b, a).sum(), Two()(a, b).sum()]
    one, swapped, two = [viz.record(y).scopes[1].alike for y in ys]
    assert one == swapped != two


def test_calls_of_one_module_are_counted_in_the_record():
    cell, h = nn.RNNCell(2, 2), mg.zeros((1, 2))
    with viz.trace():
        for _ in range(3):
            cell(mg.ones((1, 2)), h)
        for _ in range(4):
            h = cell(mg.ones((1, 2)), h)
    r = viz.record(h)
    assert [(s.cls, s.call) for s in r.scopes[1:]] == [("RNNCell", k) for k in range(4)]
    assert {b.scope for b in r.boxes if b.kind == "param"} == {0}  # what all calls share belongs to none


def test_a_module_that_a_forward_makes_has_a_name_too():
    class Maker(nn.Module):
        def forward(self, x):
            return nn.Tanh()(x)

    with viz.trace():
        y = Maker()(mg.ones(2, requires_grad=True))
    assert [s.name or s.cls for s in viz.record(y).scopes] == ["", "Maker", "Tanh"]


def test_threads_have_calls_of_their_own():
    net, found = Net(), {}
    lock = threading.Barrier(2)

    def work(k):
        lock.wait()
        for _ in range(20):
            found[k] = net(mg.ones((1, 2))).sum()

    with viz.trace():
        threads = [threading.Thread(target=work, args=(k,)) for k in range(2)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    one, two = [[s.name for s in viz.record(found[k]).scopes] for k in range(2)]
    assert one == two == ["", "", "first", *[f"blocks.{k}{rest}" for k in range(3) for rest in ("", ".norm", ".inner")]]


def test_a_call_that_raises_is_left_again():
    class Fails(nn.Module):
        def forward(self, x):
            raise ValueError("no")

    x = mg.ones(2, requires_grad=True)
    with viz.trace() as t:
        with pytest.raises(ValueError, match="no"):
            Fails()(x)
        y = mg.exp(x)
    assert t.births[y.node.order][0] not in t.calls
    assert viz.record(y).boxes[-1].scope == 0


# -- lines ------------------------------------------------------------------------------------------------------------
def test_lines_are_the_users():
    x = mg.ones((1, 2))
    net = nn.Sequential(nn.Linear(2, 2), nn.Tanh())
    with viz.trace() as t:
        y = net(x)
        z = mg.exp(y) * 2
    r = viz.record(z)
    first = test_lines_are_the_users.__code__.co_firstlineno + 4
    lines = [int(b.source.rpartition(":")[2]) for b in r.boxes if b.op != "leaf"]
    assert lines == [first, first, first + 1, first + 1]
    assert {b.source.rpartition(":")[0] for b in r.boxes if b.op != "leaf"} == {__file__}
    assert t.where(z.node) == r.boxes[-1].source


def test_what_was_not_asked_for_is_not_there():
    net, x = Net(depth=1), mg.ones((1, 2))
    with viz.trace(source=False, modules=False):
        y = net(x).sum()
    r = viz.record(y)
    assert len(r.scopes) == 1
    assert {b.source for b in r.boxes} == {""}
    with pytest.raises(TypeError, match="values must be True or False"):
        viz.trace(values="yes")


# -- values and seconds -----------------------------------------------------------------------------------------------
def test_values_and_gradients_of_each_node():
    x = mg.tensor([1.0, -2.0, 0.0], requires_grad=True)
    with viz.trace(values=True):
        y = mg.relu(x) * 3
        (y * y).sum().backward()
    r = viz.record((y * y).sum(), {"x": x})
    relu, times = r.boxes[1].stats, r.boxes[2].stats
    assert (relu["norm"], relu["least"], relu["greatest"], relu["value"]) == (1.0, 0.0, 1.0, "[1, 0, 0]")
    assert times["value"] == "[3, 0, 0]"
    assert times["grad_value"] == "[6, 0, 0]"
    assert relu["grad_norm"] == 18
    assert r.boxes[0].stats["value"] == "[1, -2, 0]"
    assert r.boxes[0].stats["grad_value"] == "[18, 0, 0]"


def test_values_are_those_at_birth_and_agree_with_numpy():
    rng = np.random.default_rng(0)
    x = mg.tensor(rng.standard_normal((300, 400)).astype("f"), requires_grad=True)
    with viz.trace(values=True):
        y = mg.sin(x)
        before = y.detach().numpy().copy()
        y.mul_(2.0)
        z = y.sum()
    r = viz.record(z)
    assert r.boxes[1].stats == {k: pytest.approx(v, rel=1e-5) for k, v in measure(before).items()}
    assert [b.op for b in r.boxes][2:] == ["multiply", "sum"]
    assert r.boxes[2].stats["norm"] == pytest.approx(2 * np.linalg.norm(before), rel=1e-5)


def test_values_through_functions_checkpoints_views_writes_and_several_outputs():
    class Twice(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, g, h):
            return 2 * g + 3 * h

    x = mg.tensor([1.0, 2.0], requires_grad=True)
    with viz.trace(values=True, time=True), Heard() as t:
        a, b = Twice.apply(x)
        c = mg.autograd.checkpoint(lambda v: mg.exp(v) * v, a + b)
        c[:1].add_(1.0)
        y = mg.split(c, 2)[0].sum()
        y.backward()
    r = viz.record(y, {"x": x}, "both")
    seen = [(b.op, b.stats["value"]) for b in r.boxes if b.kind != "grad"]
    ops = [("Twice", "[2, 4]"), ("add", "[5, 10]"), ("exp", "[148.4, 2.203e+04]"), ("multiply", "[742.1, 2.203e+05]")]
    more = [("getitem", "[742.1]"), ("add", "[743.1]"), ("write", "[743.1, 2.203e+05]"), ("split", "[743.1]"), ("sum", "743.1")]
    assert seen == [("leaf", "[1, 2]"), *ops, *more]
    assert r.boxes[1].stats["grad_value"] == "[890.5, 0]"
    assert all(b.time is not None for b in r.boxes if b.op not in ("leaf", "write"))
    assert {e.way for e in t.events} == {"forward", "rule", "backward"}
    assert [e.name for e in t.events if e.way == "forward"][:2] == ["Twice", "add"]  # one thing, not its two products


def test_seconds_are_those_of_the_kernel():
    class Slow(Function):
        @staticmethod
        def forward(ctx, x):
            time.sleep(0.02)
            return x * 1

        @staticmethod
        def backward(ctx, g):
            time.sleep(0.03)
            return g

    x = mg.ones(2, requires_grad=True)
    with viz.trace(time=True) as t:
        y = mg.exp(Slow.apply(x)).sum()
        y.backward()
    r = viz.record(y, mode="both")
    took = {b.op: b.time for b in r.boxes}
    assert 0.02 <= took["Slow"] < 0.2
    assert 0.03 <= took["d_Slow"] < 0.2
    assert 0 < took["exp"] < 0.01
    assert r.meta["seconds"] == pytest.approx(sum(b.time for b in r.boxes if b.time is not None))
    assert sum(seconds for (_, way), seconds in t.seconds.items() if way) < 0.2


def test_it_works_under_mixed_precision_that_begins_and_ends_at_other_times():
    w = mg.ones((2, 2), requires_grad=True)
    w @ w  # so that its kernel is there
    table = known["matmul"][0].kernels.table
    plain = dict(table)
    with viz.trace(values=True, time=True):
        with mg.amp.autocast("cpu"):
            y = w @ w
        z = (w @ w).sum()
    cast = mg.amp.autocast("cpu")
    with viz.trace(time=True), mg.amp.autocast("cpu"):
        v = w @ w
    with cast:
        with viz.trace(time=True) as t:
            u = w @ w
        assert (w @ w).dtype == np.float16
    assert table == plain
    assert (y.dtype, z.dtype, v.dtype, u.dtype) == (np.float16, np.float32, np.float16, np.float16)
    assert [b.stats["value"] for b in viz.record(y).boxes if b.op == "matmul"] == ["[[2, 2], [2, 2]]"]
    assert all(b.time is not None for b in viz.record(u).boxes if b.op == "matmul")
    assert t.seconds


def test_arrays_of_a_device():
    register()
    x = mg.tensor(put(np.ones((30, 40), "f")), requires_grad=True)
    with viz.trace(values=True, time=True):
        y = mg.exp(x).sum()
        y.backward()
    r = viz.record(y, mode="both")
    assert r.boxes[1].stats["norm"] == pytest.approx(np.e * 1200**0.5, rel=1e-5)
    assert r.boxes[1].stats["grad_mean"] == 1
    assert {b.device for b in r.boxes} == {"double"}
    assert r.boxes[1].time > 0


def test_steps_that_are_captured_meanwhile():
    def made():
        mg.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.ReLU(), nn.Linear(8, 1))
        optimizer = mg.optim.SGD(model.parameters(), lr=0.1)

        def step(x, y):
            optimizer.zero_grad()
            loss = ((model(x) - y) ** 2).mean()
            loss.backward()
            optimizer.step()
            return loss

        return step

    x, y, step = mg.ones((4, 4)), mg.zeros((4, 1)), made()
    plain = [step(x, y).item() for _ in range(6)]
    captured = mg.capture(made())
    with viz.trace(values=True, time=True):
        losses = [captured(x, y).item() for _ in range(4)]
    losses += [captured(x, y).item() for _ in range(2)]
    assert losses == plain
    assert captured.replays == 4


def test_two_traces_at_once_and_anomaly_detection_between():
    x = mg.ones(2, requires_grad=True)
    with viz.trace() as outer:
        a = mg.exp(x)
        with viz.trace(values=True) as inner, mg.autograd.detect_anomaly():
            b = mg.exp(a)
            b.sum().backward()
        c = mg.exp(b)
    assert outer.where(a.node)
    assert outer.where(b.node)
    assert outer.where(c.node)
    assert inner.where(b.node)
    assert not inner.where(c.node)
    assert inner.stats(b.node.order)["norm"] > 0
    assert inner.stats(b.node.order, "grad_")["grad_value"] == "[1, 1]"
    r = viz.record(c)
    assert all(box.source for box in r.boxes[1:])


# -- on and off -------------------------------------------------------------------------------------------------------
def everything():
    kernels = {(id(k), kind): f for k in gc.get_objects() if type(k) is Kernels for kind, f in k.table.items()}
    door = backward.__globals__
    return [
        graph.birth,
        Module.__dict__["__call__"],
        door["_run"],
        Kernels.__getitem__,
        Function.__dict__["apply"],
        inplace.record,
    ], kernels


def test_off_means_that_nothing_is_left_of_it():
    net, x = Net(), mg.ones((1, 2))
    net(x).sum().backward()
    before, kernels = everything()
    with viz.trace(values=True, time=True):
        net(x).sum().backward()
        mg.special.erfinv(mg.zeros(2, requires_grad=True))  # a kernel that is looked up for the first time
        during, _ = everything()
    after, later = everything()
    assert all(a is not b for a, b in zip(before, during, strict=True))
    assert all(a is b for a, b in zip(before, after, strict=True))
    assert all(later[k] is f for k, f in kernels.items())
    assert not any(hasattr(f, "bare") for f in later.values())


def test_an_error_inside_turns_it_off():
    before, _ = everything()
    with pytest.raises(ZeroDivisionError), viz.trace(values=True):
        raise ZeroDivisionError
    after, _ = everything()
    assert all(a is b for a, b in zip(before, after, strict=True))


def test_results_are_the_same_to_the_last_bit():
    def step():
        mg.manual_seed(0)
        net = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)
        (net(mg.ones((2, 3, 8))) ** 2).mean().backward()
        return [p.grad.numpy() for p in net.parameters()]

    plain = step()
    with viz.trace(values=True, time=True):
        traced = step()
    assert all(np.array_equal(a, b) for a, b in zip(plain, traced, strict=True))


def test_notes_keep_nothing_alive():
    net, x = Net(), mg.ones((1, 2), requires_grad=True)
    gc.collect()
    gc.disable()
    try:
        with viz.trace(values=True, time=True) as t:
            y = net(x)
            loss = y.sum()
            loss.backward()
            gone = [weakref.ref(v) for v in (net, y, y.data, y.node, loss.node, x.data, x.node)]
        r = viz.record(loss)
        del net, x, y, loss
        left = [ref() for ref in gone]
        assert left[1:] == [None] * 6
    finally:
        gc.enable()
    gc.collect()
    assert gone[0]() is None  # a module refers to itself
    assert len(r.scopes) > 5
    assert t.births


def test_names_stay_when_the_module_is_gone():
    def made():
        return Net(depth=1)(mg.ones((1, 2))).sum()

    with viz.trace():
        y = made()
    gc.collect()
    assert "blocks.0.inner.weight" in [b.name for b in viz.record(y).boxes]


def test_the_latest_trace_is_kept_without_a_name_and_no_other():
    x = mg.ones(2, requires_grad=True)
    with trace():
        y = mg.exp(x)
    assert viz.record(y).boxes[-1].source
    with trace() as t:
        z = mg.exp(x)
    gc.collect()
    assert not viz.record(y).boxes[-1].source
    assert viz.record(z).boxes[-1].source
    assert traces() == [t]


def test_births_of_nodes_that_are_gone_are_forgotten():
    net, x = Net(depth=1), mg.ones((1, 2))
    with viz.trace(values=True, time=True) as t:
        t._limit = 2000
        for _ in range(400):
            loss = net(x).sum()
            loss.backward()
    assert len(t.births) < 4000
    assert len(t.calls) < 4000
    assert len(t._stats) < 8000
    r = viz.record(loss)
    assert len(r.scopes) == 6
    assert all("grad_norm" in b.stats for b in r.boxes)  # the parameters' too, which are older than the trace


def test_a_listener_is_told_what_runs():
    class Ear(Listener):
        hears = True

        def __init__(self):
            super().__init__()
            self.told = []

        def entered(self, call):
            self.told.append(f"in {call.cls}")

        def left(self, call):
            self.told.append(f"out {call.outputs}")

        def heard(self, event, args, y):
            self.told.append(f"{event.way} {event.name} {len(args)}")

        def born(self, order, event, value):
            assert order in self.births
            self.told.append(f"born {None if value is None else value.shape}")

        def started(self, roots):
            self.told.append(f"back from {roots[0].name}")

        def arrived(self, node, g):
            self.told.append(f"at {node.name}")

        def passed(self, event):
            self.told.append(f"past {event.name}")

        def finished(self):
            self.told.append("done")

    net, x = nn.Sequential(nn.Tanh()), mg.ones(3, requires_grad=True)
    with viz.trace(), Ear() as ear:
        y = net(x)
        y.backward(mg.ones(3))
    assert ear.told[:6] == ["in Sequential", "in Tanh", "forward tanh 1", "born (3,)", "out [(3,)]", "out [(3,)]"]
    back = [line for line in ear.told[6:] if not line.startswith("rule")]
    assert back == ["back from tanh", "at tanh", "past tanh", "at leaf", "past leaf", "done"]
    assert ear.calls[ear.births[y.node.order][0]].name == "0"


def test_a_leaf_is_no_making_of_the_kernel_that_ran_before_it():
    with viz.trace(values=True, time=True) as notes:
        mg.exp(mg.ones(3))
        w = mg.tensor([1.0], requires_grad=True)
        y = w * 2
    assert (w.node.order, "") not in notes.seconds
    assert (y.node.order, "") in notes.seconds


def test_an_interrupt_while_it_is_turned_on_turns_it_off(monkeypatch):
    def interrupted(on):
        monkeypatch.undo()
        raise KeyboardInterrupt

    before = graph.birth, Module.__call__, mg.tanh.op.kernels.own
    monkeypatch.setattr("minigrad.viz.listening.hear", interrupted)
    with pytest.raises(KeyboardInterrupt), viz.trace(time=True):
        pass
    assert (graph.birth, Module.__call__, mg.tanh.op.kernels.own) == before
    assert not any(hasattr(f, "bare") for f in mg.tanh.op.kernels.own.values())
