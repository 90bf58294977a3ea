"""A graph in other languages: DOT, Mermaid, a tree, a difference; what is written says what the record says."""

import json
import re

import pytest

import minigrad as mg
from minigrad import nn, viz
from minigrad.viz.drawing import has_dot


class Net(nn.Module):
    """Equal blocks, so that there is something to fold."""

    def __init__(self, blocks=5, wide=4):
        super().__init__()
        self.first = nn.Linear(3, wide)
        self.blocks = nn.Sequential(*[nn.Sequential(nn.Linear(wide, wide), nn.Tanh()) for _ in range(blocks)])

    def forward(self, x):
        return self.blocks(mg.tanh(self.first(x)))


def drawn(model=None, mode="both", **options):
    with viz.trace():
        loss = (model or Net())(mg.ones((2, 3))).sum()
    return viz.graph(loss, mode=mode, **options)


def nodes(text):
    """Keys and labels in DOT."""
    return dict(re.findall(r"^\s*(\w+) \[label=\"([^\"]*)\"", text, re.MULTILINE))


def test_dot_has_every_box_where_nothing_is_folded_and_every_edge():
    x, y = (mg.tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    g = viz.graph((mg.exp(x) * y + x).sum(), {"x": x, "y": y})
    text = g.to_dot()
    assert set(nodes(text)) == {f"n{b.id}" for b in g.record.boxes}
    assert set(re.findall(r"^  n(\d+) -> n(\d+)", text, re.MULTILINE)) == {(str(e.src), str(e.dst)) for e in g.record.edges}


def test_folded_blocks_are_one_node_and_gradients_are_turned():
    text = drawn().to_dot()
    assert any("×5" in label for label in nodes(text).values())
    assert text.count("subgraph cluster_") == text.count("  }\n")
    assert "dir=back" in text
    assert "constraint=false" in text
    unfolded = drawn(fold=False).to_dot()
    assert not any("×" in label and "ops" in label for label in nodes(unfolded).values())
    assert len(nodes(unfolded)) > len(nodes(text))


def test_edges_lead_from_what_is_seen_to_what_is_seen():
    g = drawn()
    for text in (g.to_dot(), g.to_mermaid()):
        known = set(re.findall(r"\b([ng]\d+)(?= ?[\[({])|subgraph (?:cluster_)?(\w+)", text))
        known = {k for pair in known for k in pair if k}
        ends = set(re.findall(r"\b([ng]\d+) -|-[->.=]*-?> ([ng]\d+)", text))
        assert {k for pair in ends for k in pair if k} <= known


def test_mermaid():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    text = viz.graph((x * x).sum(), {'a "<b>" #': x}, mode="both", direction="LR", show=("shape", "dtype")).to_mermaid()
    lines = text.splitlines()
    assert lines[0] == "flowchart LR"
    assert lines[1].strip() == 'n0("a #34;#60;b#62;#34; #35;<br/>2 float32")'
    assert any("-.->" in line for line in lines)  # gradients
    assert any("-.-" in line and "-.->" not in line for line in lines)  # what is saved for them
    assert any(line.startswith("  classDef grad ") for line in lines)
    nested = drawn().to_mermaid()
    assert nested.count("subgraph") == len(re.findall(r"^ *end$", nested, re.MULTILINE)) > 0


def test_tree_tells_blocks_once():
    model = Net()
    text = drawn(model).to_text()
    first, *rest = text.splitlines()
    assert first.startswith("13 ops, 12 parameters, ")
    assert sum("×5" in line for line in rest) == 1
    assert sum("linear" in line for line in rest) == 2  # the first layer, and that of the block
    assert not any("d_" in line for line in rest)
    assert any("first · linear · weight · bias" in line and "2×4" in line for line in rest)
    assert all(line == line.rstrip() for line in rest)
    x = mg.tensor(1.0, requires_grad=True)
    for _ in range(3000):
        x = x.tanh()
    assert len(viz.graph(x).to_text().splitlines()) < 100


def test_difference():
    before = drawn(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)), mode="forward")
    after = drawn(nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2)), mode="forward")
    both = before.diff(after)
    first, *lines = both.changes.splitlines()
    assert first == "1 added, 1 removed, 4 changed"
    assert any(line.startswith("+ 1: tanh") for line in lines)
    assert any(line.startswith("- 1: relu") for line in lines)
    assert "~ 0: 0.weight  4×3 → 5×3" in lines
    marks = both.record.meta["diff"]
    assert [both.record.boxes[k].op for k in marks["added"]] == ["tanh"]
    assert all(e.src < e.dst for e in both.record.edges)
    assert before.diff(before).changes == "0 added, 0 removed, 0 changed\n"
    assert len(before.diff(before).record.boxes) == len(before.record.boxes)
    assert '"added"' in both.to_html() or "added" in both.to_html()
    with pytest.raises(AttributeError, match="not a comparison"):
        _ = before.changes


def test_difference_of_scopes_and_gradients():
    small, large = drawn(Net(2)), drawn(Net(3))
    both = small.diff(large)
    assert all(b.pair < 0 or both.record.boxes[b.pair].order == b.order - 1 for b in both.record.boxes)
    back = large.diff(small)
    assert len(back.record.boxes) == len(both.record.boxes)
    assert back.record.meta["diff"]["added"] == []
    names = {back.record.scopes[back.record.boxes[k].scope].name for k in back.record.meta["diff"]["removed"]}
    assert any(name.startswith("blocks.2") for name in names)


@pytest.mark.parametrize("ending", ["html", "mmd", "txt", "json", "svg", "dot"])
def test_saved_by_their_endings(tmp_path, ending):
    g = drawn()
    path = g.save(tmp_path / "deep" / f"g.{ending}")
    text = path.read_text(encoding="utf-8")
    known = {"html": g.to_html, "mmd": g.to_mermaid, "txt": g.to_text, "svg": g.to_svg, "dot": g.to_dot}
    if ending == "json":
        assert json.loads(json.dumps(viz.Record.from_dict(json.loads(text)).to_dict())) == json.loads(text)
    else:
        assert text == known[ending]()
    assert not (tmp_path / "deep" / "g.bmp").exists()


def test_a_notebook_shows_it():
    bundle = drawn()._repr_mimebundle_()
    assert bundle["image/svg+xml"].startswith("<svg")
    assert bundle["text/plain"].startswith("13 ops")


@pytest.mark.skipif(not has_dot(), reason="graphviz (its package and its program dot) is not installed")
@pytest.mark.parametrize("model", [Net(2), Net(60)], ids=["small", "large"])
def test_graphviz_takes_what_is_written(tmp_path, model):
    g = drawn(model, fold=False)
    assert g.save(tmp_path / "g.png").read_bytes()[:4] == b"\x89PNG"
    assert b"<svg" in g.render("svg")
    assert g.save(tmp_path / "g.pdf").read_bytes()[:4] == b"%PDF"


def test_mermaid_has_no_line_that_its_grammar_lacks():
    """Without Mermaid itself: every line is one of the statements of a flowchart."""
    statement = re.compile(
        r"^\s*(flowchart (TB|LR)|subgraph \w+\[\".*\"\]|end|\w+(\[\[\".*\"\]\]|\(\".*\"\)|\[\".*\"\])|\w+ (-->|-\.->|-\.-|==>) \w+"
        r"|classDef \w+ [\w:#,]+|class [\w,]+ \w+)$"
    )
    assert all(statement.match(line) for line in drawn().to_mermaid().splitlines())
