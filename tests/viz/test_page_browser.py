"""The page in headless Chromium, opened from disk with the network off."""

import importlib.util
import json
import math
import pathlib
import random

import pytest

import minigrad as mg
from minigrad import nn
from minigrad.viz.arrangement import arrange
from minigrad.viz.page import page
from minigrad.viz.placement import place
from minigrad.viz.record import Box, Edge, Record

spec = importlib.util.spec_from_file_location("browser", pathlib.Path(__file__).with_name("browser.py"))
chromium = importlib.util.module_from_spec(spec)
spec.loader.exec_module(chromium)
pytestmark = pytest.mark.skipif(bool(chromium.MISSING), reason=chromium.MISSING)


@pytest.fixture(scope="module")
def browser():
    with chromium.Browser(1280, 800) as opened:
        yield opened


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.up, self.act, self.down = nn.LayerNorm(8), nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8)

    def forward(self, x):
        return x + self.down(self.act(self.up(self.norm(x))))


def blocks(count=4):
    """A residual network with statistics of every value and gradient."""
    mg.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), *[Block() for _ in range(count)], nn.Linear(8, 1))
    with mg.viz.trace(values=True):
        loss = (net(mg.random.randn(3, 4)) ** 2).mean()
        loss.backward(retain_graph=True)
    return mg.viz.record(loss, net, mode="both")


@pytest.fixture
def opened(browser, tmp_path):
    """Open the page of a record; afterwards nothing may have been complained about and nothing asked for but the file itself."""

    def at(record, layout=None, title="test"):
        (tmp_path / "page.html").write_text(page(record, layout or place(record), title), encoding="utf-8")
        browser.logs("browser"), browser.requests()
        browser.open(tmp_path / "page.html")
        browser.settled()
        return browser

    yield at
    assert browser.logs("browser") == []
    assert browser.requests() == [(tmp_path / "page.html").as_uri()]


def test_it_opens_offline_and_draws(opened):
    b = opened(blocks())
    painted = "const c = document.getElementById('view'), d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
    colours = b.run(painted + "return new Set(new Uint32Array(d.buffer)).size")
    assert colours > 20
    assert b.run("return document.title") == "test"
    assert "nodes" in b.run("return document.getElementById('summary').textContent")
    assert b.run("return navigator.onLine") is False


@pytest.mark.parametrize("seed", range(3))
def test_the_page_does_the_same_arithmetic_as_the_layout(opened, seed):
    layout = place(record := blocks())
    b = opened(record, layout)
    dice = random.Random(seed)
    b.run("page.openAll(true)")
    for _ in range(3):
        state = {g.id for g in layout.groups if dice.random() < 0.7} | {0}
        b.run("for (const g of page.groups) g.open = arguments[0].includes(g.id); page.again()", sorted(state))
        seen = b.run("return page.boxes.filter((b) => page.shown(b)).map((b) => [b.id, b.rect.x, b.rect.y, b.rect.w, b.rect.h])")
        expected = arrange(layout, state)
        assert {box[0] for box in seen} == set(expected.boxes)
        for i, *rect in seen:
            assert rect == pytest.approx(expected.boxes[i], abs=0.5)
        whole = b.run("return page.groups[0].rect")
        assert (whole["w"], whole["h"]) == pytest.approx((expected.width, expected.height), abs=0.5)


def test_modules_open_and_close(opened):
    b = opened(blocks())
    b.run("page.openAll(false)")
    before = b.run("return page.boxes.filter((b) => page.shown(b)).length")
    closed = "page.groups.find((g) => g.kind === 'scope' && page.shown(g) && !g.open)"
    x, y = b.run(f"const r = page.onScreen({closed}); return [r.x + r.w / 2, r.y + r.h / 2]")
    b.click(x, y, count=1)
    b.click(x, y, count=2)  # a double click opens
    b.settled()
    assert b.run("return page.boxes.filter((b) => page.shown(b)).length") > before
    b.keys("e")
    b.settled()
    most = b.run("return page.boxes.filter((b) => page.shown(b)).length")
    b.keys("c")
    b.settled()
    assert b.run("return page.boxes.filter((b) => page.shown(b)).length") == before < most


def test_wheel_and_drag(opened):
    b = opened(blocks())
    top = "document.getElementById('view').getBoundingClientRect().top"
    spot = f"const s = page.state; return [s.x + 500 / s.z, s.y + (400 - {top}) / s.z, s.z]"
    x, y, z = b.run(spot)
    b.devtools("Input.dispatchMouseEvent", type="mouseWheel", x=500, y=400, deltaX=0, deltaY=-240)
    b.settled()
    assert b.run(spot) == pytest.approx([x, y, z * math.exp(240 * 0.0018)])  # what is under the mouse stays there
    zoomed = b.run(spot)[2]
    for kind, at in (("mousePressed", 500), ("mouseMoved", 560), ("mouseReleased", 560)):
        b.devtools("Input.dispatchMouseEvent", type=kind, x=at, y=400, button="left", buttons=1, clickCount=1)
    b.settled()
    assert b.run(spot)[0] == pytest.approx(x - 60 / zoomed)
    assert b.run("return page.state.selected") is None  # that was no click


def test_a_fold_shows_its_first_member_and_how_many_there_are(opened):
    b = opened(blocks(6))
    fold = "page.groups.find((g) => g.kind === 'fold' && g.count === 6)"
    assert b.run(f"return {fold}.open") is False
    hidden = b.run("return page.boxes.filter((b) => !page.shown(b) && !b.host).length")
    b.run("page.fit()")
    b.settled()
    x, y = b.run(f"const k = {fold}.knob, r = page.onScreen(k); return [r.x + r.w / 2, r.y + r.h / 2]")
    b.click(x, y)
    b.settled()
    assert b.run(f"return {fold}.open") is True
    b.run("page.openAll(true); for (const g of page.groups) if (g.kind === 'fold') page.toggle(g, true)")
    assert b.run("return page.boxes.filter((b) => !page.shown(b) && !b.host).length") == 0 < hidden


def test_a_click_tells_about_a_node(opened):
    b = opened(blocks())
    b.run("page.uncover(page.boxes.find((b) => b.op === 'gelu')); page.select(page.boxes.find((b) => b.op === 'gelu'), true)")
    b.run("page.select(null)")
    b.settled()
    x, y = b.run("const r = page.onScreen(page.boxes.find((b) => b.op === 'gelu')); return [r.x + r.w / 2, r.y + 8]")
    b.click(x, y)
    b.settled()
    text = b.run("return document.getElementById('panel').innerText")
    for word in ("gelu", "shape", "3×16", "float32", "kept for backward", "norm", "test_page_browser.py:", "d_gelu", "linear"):
        assert word in text
    assert b.run("return document.querySelectorAll('#panel svg rect').length") >= 24  # two histograms
    assert "g *" in text or "gradient" in text.lower()
    b.run("[...document.querySelectorAll('#panel .links button')].find((k) => k.textContent === 'd_gelu').click()")
    assert b.run("return page.state.selected.op") == "d_gelu"
    b.keys("Escape")
    assert b.run("return document.getElementById('panel').hidden") is True


def test_search_steps_through_what_it_finds(opened):
    b = opened(blocks(6))
    b.keys("/")
    b.devtools("Input.insertText", text="gelu 1.act")
    b.settled()
    assert b.run("return document.getElementById('tally').textContent") == "2"  # gelu and d_gelu of the first block
    b.keys("Enter")
    assert b.run("return [page.state.selected.op, document.getElementById('tally').textContent]") == ["gelu", "1 / 2"]
    assert b.run("return page.shown(page.state.selected)")
    b.keys("Enter", "Enter")
    assert b.run("return document.getElementById('tally').textContent") == "1 / 2"
    assert b.run("return page.search('3×16')") <= 50
    assert b.run("return page.state.hits.size") > 10
    b.keys("Escape")
    assert b.run("return page.state.hits") is None


def test_keys_walk_from_node_to_node(opened):
    x = mg.tensor(2.0, requires_grad=True)
    b = opened(mg.viz.record(x.sin().exp().cos(), {"x": x}))
    b.run("document.getElementById('view').focus()")
    walked = []
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowUp"):
        b.keys(key)
        walked.append(b.run("return page.state.selected.op"))
    assert walked == ["leaf", "sin", "exp", "sin"]
    assert "sin" in b.run("return document.getElementById('said').textContent")
    b.keys("?")
    assert b.run("return document.getElementById('help').open") is True


def test_colours_tell_what_is_wrong(opened):
    names = [f"v{k}" for k in range(9)]
    norms = [1.0, 2.0, 0.5, 1e-7, 1e6, 0.0, 1.5, 1.0, 0.8]
    boxes = [
        Box(k, "op", "exp", n, (2,), "float32", stats={"norm": 1.0, "grad_norm": v})
        for k, (n, v) in enumerate(zip(names, norms, strict=True))
    ]
    boxes[7].stats["nan"] = boxes[8].stats["nan"] = 0.5
    b = opened(Record(boxes, [Edge(k, k + 1) for k in range(8)]))
    b.run("page.colourBy('grad')")
    legend = b.run("return document.getElementById('legend').innerText")
    for word in ("1 vanishing", "1 exploding", "1 dead", "2 NaN"):
        assert word in legend
    b.run("[...document.querySelectorAll('#legend button')].find((k) => /NaN/.test(k.textContent)).click()")
    assert b.run("return page.state.selected.name") == "v7"
    assert "first NaN" in b.run("return document.getElementById('panel').innerText")


def test_a_closed_fold_shows_the_colours_of_all_its_members(opened):
    mg.manual_seed(0)
    net = nn.Sequential(*[layer for _ in range(8) for layer in (nn.Linear(8, 8), nn.Sigmoid())], nn.Linear(8, 1))
    with mg.viz.trace(values=True):
        loss = (net(mg.random.randn(3, 8)) ** 2).mean()
        loss.backward(retain_graph=True)
    b = opened(mg.viz.record(loss, net, mode="both"))
    b.run("page.colourBy('grad'); page.draw()")
    fold = "page.groups.find((g) => g.kind === 'fold')"
    first, last = b.run(f"""
        const r = page.onScreen({fold}), c = document.getElementById('view'), y = r.y + r.h - 2 * page.state.z;
        const row = c.getContext('2d').getImageData(r.x, y - c.getBoundingClientRect().top, r.w, 1).data;
        return [0.03, 0.9].map((share) => [...row.slice(4 * Math.floor(share * r.w)).slice(0, 3)])""")
    assert first[2] > first[0]  # the gradient has vanished on its way to the first layer, which is blue;
    assert last[0] > last[2]  # that of the last is red


def test_the_movie_counts_the_bytes_that_are_held(opened):
    r = blocks(2)
    b = opened(r)
    b.keys("m")
    b.settled()
    held = b.run("return [...page.movie.live]")
    kept = sum(box.saved_bytes for box in r.boxes)
    assert max(held) == kept > 0
    assert math.isclose(
        held[-1], sum(x.saved_bytes for x in r.boxes) - sum(x.saved_bytes for x in r.boxes if any(y.pair == x.id for y in r.boxes[:-1]))
    )
    b.keys(".", ".", ".")
    assert b.run("return page.movie.t") == 3
    first = next(x.id for x in r.boxes if x.order)
    b.run("page.moment(page.movie.born[arguments[0]])", first)
    assert "backward" in b.run("return document.getElementById('caption').textContent")
    b.run("page.play(true)")
    b.run("page.play(false)")
    b.keys("m")
    assert b.run("return document.getElementById('movie').hidden") is True


@pytest.mark.parametrize("mode", ["forward", "backward"])
def test_half_a_graph_has_a_movie_too(opened, mode):
    x = mg.tensor(2.0, requires_grad=True)
    r = mg.viz.record(x.sin().exp(), {"x": x}, mode=mode)
    b = opened(r)
    b.run("page.startMovie()")
    count = b.run("return page.movie.events.length")
    ops = sum(box.op != "leaf" for box in r.boxes)
    assert count == (ops + len(r.boxes) if mode == "forward" else ops)  # what has no backward pass is walked back along its own edges
    for t in range(count):
        b.run("page.moment(arguments[0] + 0.5); page.draw()", t)
    assert b.run("return page.movie.live[page.movie.live.length - 1]") <= max(x.saved_bytes for x in r.boxes)


def test_the_movie_goes_through_a_closed_fold_in_its_first_member(opened):
    r = blocks(5)
    b = opened(r)
    b.run("page.openAll(false); page.startMovie(); page.draw(); page.openAll(true)")
    last = [x.id for x in r.boxes if x.op == "gelu"]
    for k, box in enumerate(last):
        b.run("page.moment(page.movie.born[arguments[0]])", box)
        assert b.run("return page.movie.face.id") == last[0]
        assert b.run("return page.movie.now") == last[k]


def test_orders_can_be_seen_alone(opened):
    b = opened(blocks())
    names = b.run("return [...document.querySelectorAll('#orders button')].map((k) => k.innerText)")
    assert names == ["All", "Forward", "Backward"]
    b.run("document.querySelectorAll('#orders button')[2].click()")
    assert b.run("return page.state.order") == 1


def test_a_difference_is_coloured(opened):
    r = Record([Box(k, "op", "exp", f"v{k}", (2,), "float32") for k in range(3)], [Edge(0, 1), Edge(1, 2)])
    r.meta["diff"] = {"added": [1], "removed": [2], "changed": {"0": "shape (3,) -> (2,)"}}
    b = opened(r)
    assert b.run("return page.state.mode") == "diff"
    b.run("page.select(page.boxes[0])")
    assert "shape (3,) -> (2,)" in b.run("return document.getElementById('panel').innerText")


def test_it_says_how_long_it_took(opened):
    """What ``benchmarks/seeing.py --browser`` reads; how long that is, is measured there."""
    b = opened(blocks(12))
    assert b.run("return page.ready") > 0
    assert b.run("return page.clicked") is None
    x, y = b.run("const r = page.onScreen(page.boxes.find((b) => b.op === 'gelu')); return [r.x + 9, r.y + 6]")
    b.click(x, y)
    b.settled()
    assert b.run("return page.clicked") > 0
    assert min(b.run("return ['linear', 'gelu', 'no such thing'].map(page.search)")) >= 0


def test_a_hundred_thousand_ops_can_be_opened_at_once(opened):
    y = x = mg.tensor(0.5, requires_grad=True)
    for k in range(100_000):
        y = y.sin() if k % 3 else y * 1.1
    b = opened(mg.viz.record(y, {"x": x}))
    b.run("for (const g of page.groups) g.open = true; page.again(); page.fit()")
    costs = b.run("return [...Array(12)].map(() => { page.zoom(1.9); page.draw(); return page.cost(); })")
    assert min(costs) > 0
    assert b.run("return page.boxes.length") == 100_001
    b.run("page.search('sin')")
    assert "66,666" in b.run("return document.body.textContent") or "66666" in b.run("return document.body.textContent")


def test_narrow_and_dark(opened, browser):
    try:
        browser.size(380, 700)
        browser.theme(True)
        b = opened(blocks())
        b.run("page.select(page.boxes[3], true); page.startMovie()")
        b.settled()
        assert b.run("return document.documentElement.scrollWidth") <= 380
        assert b.run("return getComputedStyle(document.body).backgroundColor") == "rgb(14, 18, 25)"
        panel = json.loads(b.run("return JSON.stringify(document.getElementById('panel').getBoundingClientRect())"))
        assert (panel["left"], panel["width"]) == (0, 380)
    finally:
        browser.size(1280, 800)
        browser.theme(False)
