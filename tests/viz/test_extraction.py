"""The record of a live graph: the right nodes and edges on both sides, the bytes that are held, and nothing touched."""

import gc
import json
import tracemalloc
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
from minigrad import nn, viz
from minigrad.autograd.op import OUTPUT, THEN, known
from minigrad.viz.extraction import formula


def leaf(*values):
    return mg.tensor(list(values) if values else 2.0, requires_grad=True)


def called(r, i):
    """A box by a name that stands for one in the program."""
    b = r.boxes[i]
    return b.name or (f"{b.op}#{b.pair}" if b.kind == "grad" else f"{b.op}#{b.id}")


def wiring(outputs, params=None, mode="forward"):
    r = viz.record(outputs, params, mode)
    assert all(e.src < e.dst for e in r.edges)
    assert [b.id for b in r.boxes] == list(range(len(r.boxes)))
    return [b.name or b.op for b in r.boxes], sorted((e.src, e.dst, e.role) for e in r.edges)


# -- programs whose graphs are known ----------------------------------------------------------------------------------
def test_both_sides_of_a_known_program():
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    names, edges = wiring((mg.exp(x) * w).sum(), {"x": x, "w": w}, "both")
    assert names == ["x", "w", "exp", "multiply", "sum", "d_sum", "d_multiply", "d_exp", "w", "x"]
    data = {(0, 2, "data"), (2, 3, "data"), (1, 3, "data"), (3, 4, "data")}
    grad = {(5, 6, "grad"), (6, 7, "grad"), (6, 8, "accum"), (7, 9, "accum")}
    saved = {(2, 6, "saved"), (1, 6, "saved"), (2, 7, "saved")}
    assert set(edges) == data | grad | saved
    assert len(edges) == len(data | grad | saved)
    r = viz.record((mg.exp(x) * w).sum(), {"x": x, "w": w}, "both")
    assert [(b.kind, b.order, b.pair) for b in r.boxes[5:]] == [("grad", 1, k) for k in (4, 3, 2, 1, 0)]
    assert [b.kind for b in r.boxes[:5]] == ["param", "param", "op", "op", "output"]


def test_backward_alone_is_the_side_of_the_gradients():
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    names, edges = wiring((mg.exp(x) * w).sum(), {"x": x, "w": w}, "backward")
    assert names == ["d_sum", "d_multiply", "d_exp", "w", "x"]
    assert edges == [(0, 1, "grad"), (1, 2, "grad"), (1, 3, "accum"), (2, 4, "accum")]


def test_shared_sub_expression():
    x = leaf()
    s = mg.sin(x)
    names, edges = wiring(s * s + s, {"x": x}, "both")
    assert names == ["x", "sin", "multiply", "add", "d_add", "d_multiply", "d_sin", "x"]
    assert [e[:2] for e in edges if e[2] == "data"] == [(0, 1), (1, 2), (1, 2), (1, 3), (2, 3)]
    assert [e[:2] for e in edges if e[2] == "grad"] == [(4, 5), (4, 6), (5, 6), (5, 6)]
    assert [e[:2] for e in edges if e[2] == "saved"] == [(0, 6), (1, 5)]


def test_loop_and_condition():
    x = leaf()
    y = x
    for i in range(3):
        y = y * x if i % 2 == 0 else y + y
    names, edges = wiring(y, {"x": x})
    assert names == ["x", "multiply", "add", "multiply"]
    assert [e[:2] for e in edges] == [(0, 1), (0, 1), (0, 3), (1, 2), (1, 2), (2, 3)]


def test_recursion():
    def power(x, n):
        return x if n == 1 else power(x, n - 1) * x

    x = leaf()
    names, edges = wiring(power(x, 4), {"x": x})
    assert names == ["x", *["multiply"] * 3]
    assert [e[:2] for e in edges] == [(0, 1), (0, 1), (0, 2), (0, 3), (1, 2), (2, 3)]


def test_view_and_write_in_place():
    x = leaf(1.0, 2.0, 3.0)
    y = x * 2
    v = y[1:]
    v.mul_(x[:2])
    names, edges = wiring(y.sum(), {"x": x})
    assert names == ["x", "multiply", "getitem", "getitem", "multiply", "write", "sum"]
    assert [e[:2] for e in edges] == [(0, 1), (0, 3), (1, 2), (1, 5), (2, 4), (3, 4), (4, 5), (5, 6)]


def test_constant_branches_are_not_there():
    x = leaf()
    with mg.no_grad():
        c = mg.exp(x)
    names, edges = wiring(x * c + mg.sin(x).detach(), {"x": x}, "both")
    assert names == ["x", "multiply", "add", "d_add", "d_multiply", "x"]
    assert [e[:2] for e in edges if e[2] == "saved"] == []  # the rule needs the constant alone


class Cubed(mg.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        y = x * x * x
        ctx.factor = mg.full((1000,), 3.0)
        ctx.save_for_backward(x, y)
        return y

    @staticmethod
    def backward(ctx, g):
        x, _ = ctx.saved_tensors
        return ctx.factor[0] * x * x * g


def test_custom_function_is_one_box():
    x = leaf()
    names, edges = wiring(Cubed.apply(mg.exp(x)), {"x": x}, "both")
    assert names == ["x", "exp", "Cubed", "d_Cubed", "d_exp", "x"]
    assert [e[:2] for e in edges if e[2] == "saved"] == [(1, 3), (1, 4), (2, 3)]
    assert viz.record(Cubed.apply(x)).boxes[-1].saved_bytes == 4000 + 4 + 4


def test_checkpoint_keeps_its_inputs_alone():
    x = mg.tensor(np.ones(1000, "f"), requires_grad=True)
    h = x * 2
    y = mg.autograd.checkpoint(lambda t: mg.exp(mg.sin(t) * t), h).sum()
    r = viz.record(y, {"x": x}, "both")
    assert [b.op for b in r.boxes[:6]] == ["leaf", "multiply", "sin", "multiply", "exp", "sum"]
    assert [(e.src, e.dst) for e in r.edges if e.role == "saved"] == [(1, r.boxes[7].id)]
    assert r.boxes[7].op == "d_exp"
    assert sum(b.saved_bytes for b in r.boxes[2:5]) == 4000


def test_several_outputs_are_those_of_one_box():
    a = mg.tensor([[2.0, 1.0], [0.0, 1.0]], requires_grad=True)
    u, s, _ = mg.linalg.svd(a)
    names, edges = wiring(u.sum() + s.sum(), {"a": a}, "both")
    assert names[:5] == ["a", "svd", "sum", "sum", "add"]
    assert [e[:2] for e in edges if e[2] == "data"] == [(0, 1), (1, 2), (1, 3), (2, 4), (3, 4)]
    assert viz.record(s).boxes[-1].kind == "output"


@pytest.mark.parametrize("after", [False, True])
def test_gates_of_backward_hooks_are_not_drawn(after):
    layer = nn.ReLU()
    layer.register_full_backward_hook(lambda *_: None)
    x = leaf(1.0, 2.0)
    y = layer(mg.exp(x)).sum()
    if after:
        y.backward()
    assert wiring(y, {"x": x})[0] == ["x", "exp", "relu", "sum"]


def test_double_backward_says_what_is_the_gradient_of_what():
    x = leaf()
    with viz.trace():
        y = mg.sin(x)
        z = y * y
        (g,) = mg.grad(z, x, create_graph=True)
        (h,) = mg.grad(g, x, create_graph=True)
        loss = h + z
    r = viz.record(loss, {"x": x}, "both")
    ops = [b for b in r.boxes if b.kind != "grad" and b.op != "leaf"]
    assert {b.order for b in ops} == {0, 1, 2}
    for b in r.boxes:
        if b.order and b.pair >= 0:
            assert r.boxes[b.pair].order == b.order - 1
    firsts = {r.boxes[b.pair].op for b in ops if b.order == 1 and b.pair >= 0}
    assert firsts == {"sin", "multiply"}
    assert {b.op for b in r.boxes if b.kind == "grad" and b.order == 2} >= {"d2_multiply", "d2_cos"}
    assert [b.order for b in ops if b.op == "add" and b.kind == "output"] == [0]


def test_order_without_a_trace_is_0():
    x = leaf()
    (g,) = mg.grad(x * x, x, create_graph=True)
    assert {b.order for b in viz.record(g).boxes} == {0}


# -- any program ------------------------------------------------------------------------------------------------------
@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=25), st.booleans())
def test_nodes_and_edges_equal_the_tape(program, with_trace):
    made = [mg.tensor(np.linspace(0.1, 0.9, 4, dtype="f"), requires_grad=True) for _ in range(2)]
    steps = [
        lambda a, b: a + b,
        lambda a, b: a * b,
        lambda a, b: mg.tanh(a),
        lambda a, b: (a * 1).mul_(b),
        lambda a, b: mg.concatenate([a[:2], b[2:]]),
        lambda a, b: mg.autograd.checkpoint(lambda t: mg.sin(t) * t, a),
        lambda a, b: mg.split(a.reshape((2, 2)), 2)[0].reshape((2,)).sum() * b,
        lambda a, b: Cubed.apply(a),
        lambda a, b: mg.grad((a * b).sum(), a, create_graph=True)[0],
    ]
    with viz.trace(time=with_trace):
        for which, i, j in program:
            made.append(steps[which](made[i % len(made)], made[j % len(made)]))
    nodes, stack = set(), [made[-1].node]
    while stack:
        n = stack.pop()
        if n not in nodes:
            nodes.add(n)
            stack += [p for p in n.parents if p is not None]

    def drawn(n):
        while n.op in (OUTPUT, THEN):
            (n,) = n.parents
        return n

    tape = [n for n in nodes if drawn(n) is n]
    edges = sorted((drawn(p).order, n.order) for n in tape for p in n.parents if p is not None)
    r = viz.record(made[-1], mode="both")
    births = sorted(n.order for n in tape)
    forward = [b for b in r.boxes if b.kind != "grad"]
    assert len(forward) == len(tape)
    by_birth = {n.order: n for n in tape}
    assert [b.op for b in forward] == [by_birth[o].name for o in births]
    assert sorted((births[e.src], births[e.dst]) for e in r.edges if e.role == "data") == edges
    mirrored = {b.id: b.pair for b in r.boxes if b.kind == "grad"}
    assert sorted(mirrored.values()) == list(range(len(tape)))
    back = sorted((births[mirrored[e.dst]], births[mirrored[e.src]]) for e in r.edges if e.role in ("grad", "accum"))
    assert back == edges
    assert all((e.role == "accum") == (r.boxes[e.dst].op == "grad") for e in r.edges if e.role in ("grad", "accum"))


# -- bytes ------------------------------------------------------------------------------------------------------------
def programs():
    def convolutional():
        net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8 * 15 * 15, 10))
        return nn.functional.cross_entropy(net(mg.ones((16, 3, 32, 32))), mg.zeros((16,), dtype="int64"))

    def attention():
        net = nn.TransformerEncoderLayer(64, 4, 256, dropout=0.1, batch_first=True)
        return (net(mg.ones((8, 64, 64))) ** 2).mean()

    def views():
        x = mg.ones((400, 500), requires_grad=True)
        y = (x * 2)[10:].T.reshape((-1, 5))
        return (mg.exp(y) * y).sum()

    def written():
        x = mg.ones((400, 500), requires_grad=True)
        y = mg.exp(x)
        y[:200].mul_(mg.sin(x[:200]))
        return y.sum()

    def checkpointed():
        x = mg.ones((400, 500), requires_grad=True)
        return mg.autograd.checkpoint(lambda t: mg.exp(mg.sin(t)), x * 2).sum()

    def custom():
        return Cubed.apply(mg.exp(mg.ones((400, 500), requires_grad=True))).sum()

    def outputs():
        a, b = mg.split(mg.exp(mg.ones((400, 500), requires_grad=True)), 2)
        return (a * b).sum()

    def recurrent():
        return nn.LSTM(32, 64)(mg.ones((50, 8, 32)))[0].sum()

    return [convolutional, attention, views, written, checkpointed, custom, outputs, recurrent]


@pytest.mark.parametrize("program", programs(), ids=lambda f: f.__name__)
def test_saved_bytes_are_what_is_held(program):
    program()  # what is made once and stays
    gc.collect()
    tracemalloc.start()
    try:
        y = program()
        gc.collect()
        record = viz.record(y)
        told, few = sum(b.saved_bytes for b in record.boxes), len(record.boxes)
        del record
        gc.collect()
        held = tracemalloc.get_traced_memory()[0]
        del y
        gc.collect()
        held -= tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert told == pytest.approx(held, rel=0.01, abs=3000 * few)  # the nodes themselves, small arrays of shapes and means
    assert told > 100_000


def test_memory_that_nodes_share_counts_once():
    x = mg.ones(1000, requires_grad=True)
    y = mg.exp(x)
    assert [b.saved_bytes for b in viz.record(y * y).boxes] == [0, 4000, 0]
    z = y * 2
    z.sum().backward()
    assert sum(b.saved_bytes for b in viz.record(z).boxes) == 0


# -- harmless ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("mode", ["forward", "backward", "both"])
def test_nothing_is_recorded_computed_or_kept(mode):
    x = leaf(1.0, 2.0)
    y = (mg.exp(x) * x).sum()
    before = mg.ones(1, requires_grad=True).node.order
    with mg.no_grad():
        r = viz.record(y, {"x": x}, mode, formulas=True)
    assert mg.ones(1, requires_grad=True).node.order == before + 1
    gone = [weakref.ref(t.node) for t in (x, y)] + [weakref.ref(x.data)]
    y.backward()
    assert len(viz.record(y, {"x": x}, mode).boxes) == len(r.boxes)
    gc.disable()
    try:
        del x, y
        assert [ref() for ref in gone] == [None] * 3
    finally:
        gc.enable()


def test_edges_are_the_same_after_backward():
    x = leaf(1.0, 2.0)
    y = (mg.exp(x) * nn.functional.softmax(x, 0)).sum()
    before = wiring(y, {"x": x}, "both")
    y.backward()
    assert wiring(y, {"x": x}, "both") == before


def test_a_gradient_that_is_not_there_is_no_zero():
    x = leaf(1.0, 2.0)
    y = (x * x).sum()
    assert [b.grad for b in viz.record(y, mode="both").boxes if b.op in ("leaf", "grad")] == ["-", "-"]
    y.backward()
    assert [b.grad for b in viz.record(y, mode="both").boxes if b.op in ("leaf", "grad")] == ["(2,)", "(2,)"]


def test_json_and_back():
    x = leaf(1.0, 2.0)
    with viz.trace(values=True, time=True):
        y = nn.Linear(2, 1)(x)
        y.backward()
    r = viz.record(y, mode="both", formulas=True)
    again = viz.Record.from_dict(json.loads(json.dumps(r.to_dict())))
    assert again.boxes == r.boxes
    assert again.scopes == r.scopes


def test_values_at_hand_in_a_small_graph():
    x = leaf(1.0, 2.0)
    y = (x * 2).sum()
    y.backward()
    r = viz.record(y, {"x": x})
    assert r.boxes[0].stats == {"value": "[1, 2]", "grad_value": "[2, 2]"}
    assert r.boxes[-1].stats == {"value": "6"}


def labels(y, params=None):
    return [e.label for e in viz.record(y, params).edges]


def test_local_derivatives_in_a_small_graph():
    x, w = leaf(3.0, 4.0), leaf(5.0, 6.0)
    s = mg.tensor(2.0, requires_grad=True)
    assert labels((x * w).sum()) == ["[5, 6]", "[3, 4]", "[1, 1]"]
    assert labels(x + s) == ["[1, 1]", "[1, 1]"]  # before it is summed up
    assert labels(s * s * 3) == ["2", "2", "3"]
    assert labels(mg.tanh(s)) == ["0.07065"]
    assert labels(mg.ones((3, 3), requires_grad=True) * 2) == [""]
    assert labels(mg.linalg.inv(mg.eye(2).requires_grad_())) == [""]
    with viz.trace(values=True):
        y = mg.exp(s * s)
        y.backward()
    assert labels(y, {"s": s}) == ["2", "2", "54.6"]  # though backward has freed what it needed


def test_100_000_ops_on_both_sides():
    y = x = leaf()
    for _ in range(100_000):
        y = y + 1.0
    r = viz.record(y, {"x": x}, "both")
    assert len(r.boxes) == 200_002
    assert len(r.edges) == 200_000


def test_errors_name_what_came():
    x = leaf()
    with pytest.raises(ValueError, match=r"'both', got 'sideways'"):
        viz.record(x * x, mode="sideways")
    with pytest.raises(mg.errors.GraphError, match="nothing was recorded"):
        viz.record(mg.tensor(1.0))
    with pytest.raises(mg.errors.DTypeError, match="float"):
        viz.record([1.0])


def test_formulas_are_those_of_the_source():
    assert formula("tanh").endswith("x: g * (1 - y**2)")
    assert formula("d_tanh") == formula("d2_tanh") == formula("tanh")
    assert "a: g * b\nb: g * a" in formula("multiply")
    assert "mean(square(d), axes, True)" in formula("layer_norm")
    assert all(isinstance(formula(name), str) for name in known)
    assert formula("leaf") == formula("grad") == ""
    x = leaf()
    assert all(b.formula for b in viz.record(mg.exp(x) * x, formulas=True).boxes if b.op != "leaf")
