"""The page's text: closed to the network, safe against what names contain, small, the same for the same model."""

import base64
import hashlib
import json
import pathlib
import re
import shutil
import subprocess

import pytest

import minigrad as mg
from minigrad import nn
from minigrad.viz.page import SCRIPTS, page
from minigrad.viz.placement import place
from minigrad.viz.record import Box, Edge, Record, Scope


def drawn(r, title=""):
    return page(r, place(r), title)


def content(html):
    """What the page is told, as its script reads it."""
    return json.loads(re.search(r'<script type="application/json" id="graph">(.*?)</script>', html, re.DOTALL)[1])


def by_hand(*names, stats=None):
    """A chain of ops with these names."""
    boxes = [Box(k, "op", "exp", name, (2, 3), "float32", stats=stats) for k, name in enumerate(names)]
    return Record(boxes, [Edge(k, k + 1) for k in range(len(names) - 1)])


def network():
    mg.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    with mg.viz.trace(values=True):
        loss = net(mg.random.randn(3, 4)).sum()
        loss.backward(retain_graph=True)
    return mg.viz.record(loss, net, mode="both")


def test_a_policy_closes_the_page_and_knows_its_own_script_and_style():
    html = drawn(network())
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1]
    assert "default-src 'none'" in policy
    assert not re.search(r"unsafe|http|\*", policy)
    script = re.search(r"<script>(.*?)</script>", html, re.DOTALL)[1]
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)[1]
    for text in (script, style):
        assert f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in policy


def test_nothing_in_the_page_points_to_the_network():
    html = drawn(network())
    assert set(re.findall(r"https?://[^\s\"'<)]*", html)) <= {"http://www.w3.org/2000/svg"}  # the name of SVG, which nobody fetches
    assert not re.search(r"\b(src|srcset|action)=|@import|url\(|fetch\(|XMLHttpRequest|WebSocket|import\(|innerHTML|eval\(", html)
    assert re.findall(r'href="([^"]*)"', html) == ["data:,"]


@pytest.mark.parametrize(
    "name", ["</script><script>alert(1)</script>", "<!--", 'say "hi" \\ \'', "ß ∂ 漢字 😀", "a\u2028b\u2029c", "{{script}}", "&lt;"]
)
def test_names_may_contain_anything(name):
    html = drawn(by_hand("x", name), title=name)
    assert (html.count("<script"), html.count("</script>"), html.count("<!--")) == (2, 2, 0)
    told = content(html)
    assert name in told["words"]
    assert not re.search("[\u2028\u2029]", html.split('id="graph">')[1])  # JavaScript once took them for ends of lines


def test_the_title_is_escaped_and_defaults_to_the_outermost_module():
    r = by_hand("x")
    assert "<title>a &lt;b&gt;</title>" in drawn(r, title="a <b>")
    r.scopes.append(Scope(1, 0, "", "Perceptron"))
    assert "<title>Perceptron</title>" in drawn(r)
    assert "<title>Graph</title>" in drawn(by_hand("x"))


def test_what_json_cannot_say_is_left_out():
    told = content(drawn(by_hand("x", "y", stats={"norm": float("nan"), "least": float("-inf"), "nan": 0.123456789, "histogram": [1, 2]})))
    assert told["boxes"]["columns"]["stats"] == {"norm": None, "least": None, "nan": 0.12346, "histogram": [1, 2]}


def test_columns_are_sent_once_and_tell_everything():
    r = network()
    told = content(drawn(r))
    table, words = told["boxes"], told["words"]
    for b in r.boxes:
        for name in ("kind", "op", "name", "dtype", "saved_bytes", "bytes", "scope", "order", "pair", "source"):
            value = table["columns"][name]
            value = value[b.id] if isinstance(value, list) else value
            assert (words[value] if name in table["words"] else value) == getattr(b, name)
    assert len(words) == len(set(words))
    rules = [words[k] for k in table["columns"]["formula"]]
    assert any("weight" in text for text in rules)  # the gradient rules of linear


def test_the_same_model_gives_the_same_bytes():
    def once():
        mg.manual_seed(0)
        net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        with mg.viz.trace():
            loss = net(mg.ones((3, 4))).sum()
        return drawn(mg.viz.record(loss, net, mode="both"))

    assert once() == once()


def test_size_per_op():
    empty = len(drawn(by_hand("x")).encode())
    assert empty <= 1_000_000
    r = network()
    assert len(drawn(r).encode()) <= 1_000_000 + 400 * len(r.boxes)
    y = x = mg.tensor(0.5, requires_grad=True)
    for k in range(3000):
        y = (y.sin(), y * 1.5, y + 1.0, y.exp())[k * k % 7 % 4]
    r = mg.viz.record(y, {"x": x}, mode="both")
    assert len(drawn(r).encode()) - empty <= 400 * len(r.boxes)


def test_a_difference_is_told():
    r = by_hand("x", "y", "z")
    r.meta["diff"] = {"added": [1], "removed": [2], "changed": {"0": "shape (3,) -> (4,)"}}
    assert content(drawn(r))["diff"] == r.meta["diff"]


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node, which parses the script")
def test_the_script_parses(tmp_path):
    html = drawn(by_hand("x"))
    (tmp_path / "page.js").write_text(re.search(r"<script>(.*?)</script>", html, re.DOTALL)[1], encoding="utf-8")
    done = subprocess.run(["node", "--check", str(tmp_path / "page.js")], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_the_script_is_of_short_files():
    folder = pathlib.Path(mg.viz.__file__).parent / "files"
    assert {p.name for p in folder.iterdir()} == {"page.html", "page.css", *SCRIPTS}
    assert max(len(p.read_text(encoding="utf-8").splitlines()) for p in folder.iterdir()) <= 400
