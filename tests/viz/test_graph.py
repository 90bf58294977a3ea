"""Drawn graphs: the right nodes and edges, harmless, stable, and viewable without graphviz."""

import gc
import json
import shutil
import xml.etree.ElementTree as ET

import pytest

import minigrad as mg
from minigrad import viz
from minigrad.errors import DTypeError, GraphError
from minigrad.viz.drawing import has_dot


def program():
    x = mg.tensor([[1.0, 2.0]], requires_grad=True)
    w = mg.tensor([[1.0], [3.0]], requires_grad=True)
    h = mg.exp(x) * x
    return (h @ w).sum(), {"x": x, "w": w}


def names(record):
    return [b.name or b.op for b in record.boxes]


def test_nodes_and_edges_of_a_known_program():
    loss, params = program()
    r = viz.record(loss, params)
    assert names(r) == ["x", "w", "exp", "multiply", "matmul", "sum"]
    assert {(e.src, e.dst) for e in r.edges} == {(0, 2), (2, 3), (0, 3), (3, 4), (1, 4), (4, 5)}
    assert [b.kind for b in r.boxes] == ["param", "param", "op", "op", "op", "output"]
    assert r.boxes[4].shape == (1, 1)
    assert r.boxes[0].dtype == "float32"


def test_shared_loop_and_condition():
    x = mg.tensor(2.0, requires_grad=True)
    y = x
    for i in range(3):
        y = y * x if i % 2 == 0 else y + y
    r = viz.record(y)
    assert names(r) == ["leaf", "multiply", "add", "multiply"]
    assert [(e.src, e.dst) for e in r.edges] == [(0, 1), (0, 1), (1, 2), (1, 2), (2, 3), (0, 3)]


def test_second_order_is_drawn_too():
    x = mg.tensor(2.0, requires_grad=True)
    (g,) = mg.grad(x * x * x, x, create_graph=True)
    r = viz.record(g)
    assert len(r.boxes) > 4
    assert r.boxes[-1].kind == "output"


def test_several_outputs_of_one_op_share_its_box():
    a = mg.tensor([[2.0, 0.0], [0.0, 1.0]], requires_grad=True)
    _, s, _ = mg.linalg.svd(a)
    assert names(viz.record(s.sum())) == ["leaf", "svd", "sum"]


def test_harmless_after_backward_and_keeps_nothing():
    loss, params = program()
    loss.backward()
    before = {k: p.grad.tolist() for k, p in params.items()}
    g = viz.graph(loss, params, show=("shape", "dtype", "bytes", "grad"))
    g.to_dot()
    assert {k: p.grad.tolist() for k, p in params.items()} == before
    del loss
    gc.collect()
    gc.disable()
    try:
        del params
        assert gc.collect() == 0
    finally:
        gc.enable()
    assert "grad (1, 2)" in g.to_dot()


def test_a_gradient_that_is_not_there_is_not_zero():
    loss, params = program()
    assert "grad -" in viz.graph(loss, params, show=("grad",)).to_dot()


def test_the_same_graph_gives_the_same_bytes():
    one, two = program(), program()
    assert viz.graph(*one).to_dot() == viz.graph(*two).to_dot()


def test_dot_escapes_names():
    x = mg.tensor(1.0, requires_grad=True)
    assert '\\"w\\"' in viz.graph(x * 2, {'"w"': x}).to_dot()


def test_without_graphviz_the_svg_is_our_own(monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    loss, params = program()
    path = viz.graph(loss, params, show=("shape", "dtype")).save(tmp_path / "g.svg")
    text = path.read_text()
    ET.fromstring(text)
    for word in ("multiply", "matmul", "float32", ">w<"):
        assert word in text
    with pytest.raises(ImportError, match="apt install graphviz"):
        viz.graph(loss, params).save(tmp_path / "g.png")
    assert not (tmp_path / "g.png").exists()


@pytest.mark.skipif(not has_dot(), reason="graphviz is not installed")
def test_graphviz_draws_it(tmp_path):
    loss, params = program()
    g = viz.graph(loss, params)
    assert b"<svg" in g.render("svg")
    assert (g.save(tmp_path / "g.png")).read_bytes()[:4] == b"\x89PNG"


def test_json_and_errors(tmp_path):
    loss, params = program()
    g = viz.graph(loss, params)
    data = json.loads(g.save(tmp_path / "g.json").read_text())
    assert data["version"] == 2
    assert len(data["nodes"]) == 6
    assert viz.Record.from_dict(data).to_dict() == g.to_dict()
    with pytest.raises(mg.errors.GraphError, match="version 2"):
        viz.Record.from_dict({"version": 1})
    with pytest.raises(mg.errors.GraphError, match="nothing was recorded"):
        viz.graph(mg.tensor(1.0))
    with pytest.raises(ValueError, match=r"one of \.dot"):
        g.save(tmp_path / "g.bmp")
    with pytest.raises(ValueError, match="mode"):
        viz.graph(loss, mode="sideways")
    with pytest.raises(mg.errors.DTypeError, match="colour"):
        viz.graph(loss, show=("colour",))


def test_a_graph_of_100_000_ops_is_recorded_without_recursion():
    x = mg.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(100_000):
        y = y + 1.0
    assert len(viz.record(y).boxes) == 100_001


@pytest.mark.parametrize("name", ["a\nb", "\x00", "\ud800", "\u202e", "<!--</script>", 'a"\\'])
def test_whatever_a_leaf_is_called(name):
    x = mg.ones(2, requires_grad=True)
    drawn = mg.viz.graph((x * x).sum(), {name: x})
    ET.fromstring(drawn.to_svg())
    drawn.to_html().encode()
    assert len(drawn.to_text().splitlines()) == 4
    assert len(drawn.to_dot().splitlines()) == len(mg.viz.graph((x * x).sum()).to_dot().splitlines())


def test_no_outputs():
    with pytest.raises(GraphError, match="expected one Tensor or more, got none"):
        mg.viz.graph([])
    with pytest.raises(DTypeError, match="expected Tensors, got int"):
        mg.viz.graph(3)


def test_difference_of_long_chains():
    def chain(extra):
        y = mg.ones(1, requires_grad=True)
        for k in range(5000):
            y = y * 1 if k != 2500 or not extra else mg.exp(y)
        return mg.viz.graph(y)

    assert chain(False).diff(chain(True)).changes.splitlines()[0] == "1 added, 1 removed, 0 changed"
