"""The layout: nothing overlaps, no line runs through a box, the first view is small, opening moves only what comes after."""

import random
from dataclasses import asdict
from itertools import pairwise

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.viz import record, trace
from minigrad.viz.arrangement import arrange, face, visible
from minigrad.viz.folding import repeats
from minigrad.viz.placement import place
from minigrad.viz.ranks import settled
from minigrad.viz.record import Box, Edge, Record, Scope

rng = np.random.default_rng(0)


def noise(*shape):
    return mg.tensor(rng.standard_normal(shape).astype("float32"))


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, 2, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x):
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
        self.bn1, self.bn2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)

    def forward(self, x):
        return mg.nn.functional.relu(self.bn2(self.conv2(self.bn1(self.conv1(x)).relu())) + x)


def gpt(layers=12):
    model = nn.Sequential(nn.Embedding(11, 8), nn.Sequential(*[Block(8) for _ in range(layers)]), nn.LayerNorm(8), nn.Linear(8, 11))
    with trace() as notes:
        loss = nn.functional.cross_entropy(model(mg.tensor([[1, 2, 3]])).reshape(3, 11), mg.tensor([2, 3, 4]))
    return record(loss, model, mode="both"), notes


def resnet():
    stages = [nn.Sequential(*[Residual(4) for _ in range(n)]) for n in (3, 4, 6, 3)]
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), *stages, nn.Flatten(), nn.Linear(64, 3))
    with trace() as notes:
        loss = nn.functional.cross_entropy(model(noise(2, 3, 4, 4)), mg.tensor([0, 1]))
    return record(loss, model, mode="both"), notes


def twice():
    model = nn.Sequential(*[nn.Sequential(nn.Linear(4, 4), nn.Tanh()) for _ in range(6)], nn.Linear(4, 1))
    x = noise(3, 4).requires_grad_()
    with trace() as notes:
        (g,) = mg.grad(model(x).sum(), x, create_graph=True)
        penalty = (g * g).sum()
    return record(penalty, model, mode="both"), notes


def loop(steps):
    """A recurrent net written as a loop, without modules; its first turn lacks a state."""
    w, u = noise(4, 4).requires_grad_(), noise(4, 4).requires_grad_()
    x = noise(2, 4).requires_grad_()
    h = mg.tanh(x @ w)
    for _ in range(steps - 1):
        h = mg.tanh(x @ w + h @ u)
    return record((h * h).sum(), {"w": w, "u": u}, mode="both"), None


def chain(n):
    x = mg.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(n):
        y = y + 1.0
    return record(y), None


def wild(seed):
    """Anything goes: scopes in scopes, edges that skip far, gradients."""
    r = random.Random(seed)
    out, ops, open_scopes = Record(), [0], [0]
    out.boxes.append(Box(0, "input", "leaf", "", (3,), "float32"))
    for k in range(1, r.choice([10, 40, 150])):
        if r.random() < 0.2:
            out.scopes.append(Scope(len(out.scopes), r.choice(open_scopes[-3:]), f"m{k}", "Net"))
            open_scopes.append(len(out.scopes) - 1)
        scope = open_scopes[-1] if r.random() < 0.8 else 0
        out.boxes.append(Box(k, "op", r.choice(["add", "exp", "a_very_long_name"]), "", (3,), "float32", scope=scope))
        out.edges += [Edge(r.choice(ops[-r.choice([2, 5, 50]) :]), k) for _ in range(r.choice([1, 2, 3]))]
        ops.append(k)
    if seed % 2:
        n = len(out.boxes)
        out.edges += [Edge(2 * n - 1 - e.dst, 2 * n - 1 - e.src, "grad") for e in out.edges]
        for b in reversed(out.boxes[:n]):
            out.boxes.append(Box(2 * n - 1 - b.id, "grad", f"d_{b.op}", "", (3,), "float32", scope=b.scope, order=1, pair=b.id))
    return out, None


MODELS = {"gpt": gpt, "resnet": resnet, "twice": twice, "loop": lambda: loop(100), "chain": lambda: chain(3000)}
MODELS |= {f"wild {seed}": lambda seed=seed: wild(seed) for seed in range(12)}


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    return MODELS[request.param]()[0]


def items(layout, picture, open):
    """Rectangles of what lies directly in each open group."""
    out = {}
    for g in [0, *[g for g in picture.frames if g in open]]:
        out[g] = []
        for item in layout.groups[g].items:
            if item.group < 0:
                out[g] += [picture.boxes[b] for b in item.boxes]
            else:
                out[g].append(picture.frames[item.group])
    return out


def check_legible(layout, open):
    picture = arrange(layout, open)
    inside = items(layout, picture, open)
    near = 0.01
    for g, rects in inside.items():
        rects.sort()
        for i, (x, y, w, h) in enumerate(rects):  # a sweep from left to right
            for a, b, _, d in rects[i + 1 :]:
                if a > x + w - near:
                    break
                assert b >= y + h - near or y >= b + d - near, f"overlap in {layout.groups[g].title!r}"
            if g:
                left, top, wide, tall = picture.frames[g]
                assert left <= x
                assert top < y
                assert x + w <= left + wide + near
                assert y + h <= top + tall + near
    for group, line, points in picture.lines:
        for (x, y), (u, v) in pairwise(points):  # where it is slanted, the curve stays in the rectangle of its ends
            for a, b, c, d in inside[group.id]:
                beside = max(x, u) <= a + near or min(x, u) >= a + c - near
                assert beside or max(y, v) <= b + near or min(y, v) >= b + d - near, f"{line} through a box of {group.title!r}"
    for text, (x, y) in picture.labels:
        half = 3 * len(text)
        for a, b, c, d in picture.boxes.values():
            assert x + half <= a or x - half >= a + c or y + 7 <= b or y - 7 >= b + d
    return picture


def test_nothing_overlaps_and_no_line_runs_through_a_box(model):
    layout = place(model)
    check_legible(layout, layout.open)
    everything = check_legible(layout, set(range(len(layout.groups))))
    chips = {c for row in layout.chips.values() for c in row}
    assert sorted([*everything.boxes, *chips]) == list(range(len(model.boxes)))
    assert not chips & set(everything.boxes)
    r = random.Random(0)
    for _ in range(5):
        check_legible(layout, {0, *r.sample(range(len(layout.groups)), len(layout.groups) // 2)})


@pytest.mark.parametrize("name", MODELS)
def test_first_view_is_small_and_of_a_shape_that_fits(name):
    layout = place(MODELS[name]()[0])
    picture = arrange(layout)
    closed = [g for g in picture.frames if g not in layout.open and layout.groups[g].kind != "fold"]
    assert len(picture.boxes) + len(closed) <= (80 if "wild" in name else 40)
    if len(closed) + len(picture.boxes) > 4:
        assert 1 / 4 <= picture.width / picture.height <= 4


def test_each_edge_is_drawn_once_where_its_ends_meet():
    out, _ = wild(3)
    layout = place(out)
    held = {b: [layout.home[b]] for b in range(len(out.boxes))}
    for groups in held.values():
        while groups[-1]:
            groups.append(layout.groups[groups[-1]].parent)
    for g, group in enumerate(layout.groups):
        block = layout.blocks[group.block]
        kinds = [c.kind for c in block.cells]
        drawn = sum([line.count for line in block.lines if {kinds[line.path[0][0]], kinds[line.path[-1][0]]} <= {"item", "way"}])
        meet = [e for e in out.edges if next(a for a in held[e.src] if a in held[e.dst]) == g]
        assert drawn == len(meet)


@pytest.mark.parametrize("name", ["gpt", "resnet", "wild 1", "wild 2", "wild 4"])
def test_opening_a_group_moves_only_what_comes_after_it(name):
    layout = place(MODELS[name]()[0])
    start = set(layout.open)
    seen, _ = visible(layout, start)
    for g in [g for g in seen if g not in start][:25]:
        before, after = arrange(layout, start), arrange(layout, start | {g})
        later, child = set(), g
        while child:  # what stands to the right or below, in its group and in all around it
            group = layout.groups[layout.groups[child].parent]
            block = layout.blocks[group.block]
            i = next(k for k, item in enumerate(group.items) if item.group == child)
            row = block.rows[block.cells[i].row]
            follow = {*row[row.index(i) :], *[c for r in block.rows[block.cells[i].row + 1 :] for c in r]}
            later |= {(group.id, k) for k in follow}
            child = group.id
        left = _origin(layout, start) - _origin(layout, start | {g})
        for parent in [p for p in seen if p in start]:
            group = layout.groups[parent]
            for k, item in enumerate(group.items):
                if (parent, k) in later or _inside_later(layout, parent, later):
                    continue
                for b in item.boxes if item.group < 0 else face(layout, item.group, start)[1]:
                    assert before.boxes[b][0] == pytest.approx(after.boxes[b][0] + left, abs=0.01)
                    assert before.boxes[b][1] == after.boxes[b][1]


def _origin(layout, open):
    from minigrad.viz.arrangement import spread_all

    return spread_all(layout, open, *visible(layout, open))[0].left


def _inside_later(layout, g, later):
    """Whether a group lies in something that comes after, but does not hold what was opened."""
    while g:
        parent = layout.groups[g].parent
        k = next(k for k, item in enumerate(layout.groups[parent].items) if item.group == g)
        if (parent, k) in later:
            return True
        g = parent
    return False


def test_the_same_graph_gives_the_same_layout():
    one, two = place(gpt(3)[0]), place(gpt(3)[0])
    assert asdict(one) == asdict(two)


def test_equal_modules_share_a_block_and_fold():
    layout = place(gpt()[0])
    blocks = [g for g in layout.groups if g.title.startswith("Block")]
    fold = next(g for g in blocks if g.kind == "fold")
    assert fold.count == 12
    assert len({g.block for g in blocks if g.kind == "scope"}) == 1
    assert not [g for g in place(gpt()[0], fold=False).groups if g.kind == "fold"]


def test_a_loop_without_modules_is_found_and_folded():
    layout = place(loop(1000)[0])
    fold = next(g for g in layout.groups if g.kind == "fold")
    assert fold.count == 999
    turn = next(g for g in layout.groups if g.kind == "run")
    assert [layout.texts[i.boxes[0]][0] for i in turn.items] == ["matmul", "matmul", "add", "tanh"]
    picture = arrange(layout)
    assert len(picture.boxes) <= 60
    assert len(arrange(layout, set(range(len(layout.groups)))).boxes) >= 8000


def test_a_chain_of_100_000_ops_is_laid_out_without_recursion():
    layout = place(chain(100_000)[0])
    assert max(len(g.items) for g in layout.groups) <= 64
    assert len(layout.blocks) <= 12
    assert sum(len(i.boxes) for g in layout.groups for i in g.items) == 100_001
    assert len(arrange(layout).boxes) <= 4


def test_gradients_stand_beside_their_ops():
    out, _ = twice()
    layout = place(out)
    picture = arrange(layout, set(range(len(layout.groups))))
    assert {b.order for b in out.boxes} == {0, 1, 2}
    pairs = [(b.pair, b.id) for b in out.boxes if b.order and b.pair >= 0 and b.id in picture.boxes]
    assert len(pairs) > 30
    for op, gradient in pairs:
        assert layout.home[op] == layout.home[gradient]
        x, y, w, h = picture.boxes[op]
        a, b, _, _ = picture.boxes[gradient]
        assert a >= x + w
        assert b < y + 8 * h


def test_small_graphs_have_leaves_of_their_own_values_and_labels():
    x = mg.tensor(2.0, requires_grad=True)
    with trace(values=True):
        y = x * x.exp()
        y.backward()
    layout = place(record(y, {"x": x}))
    assert not layout.chips
    assert layout.texts[0] == ["x", "value 2", "grad 22.17"]
    assert sorted(text for text, _ in arrange(layout).labels) == ["2", "7.389", "7.389"]


@pytest.mark.parametrize(
    ("tokens", "runs"),
    [
        ("", []),
        ("aab", []),
        ("aaa", [(0, 1, 3, 0)]),
        ("xabcabcabca", [(1, 3, 3, 1)]),
        ("mmatmmatmmat", [(0, 4, 3, 0)]),
        ("abababcdcdcdcd", [(0, 2, 3, 0), (6, 2, 4, 0)]),
    ],
)
def test_repeats(tokens, runs):
    assert repeats([ord(t) for t in tokens]) == runs


def test_settled_is_the_nearest_that_keeps_the_gaps():
    assert settled([0.0, 0.0, 10.0], [1.0, 1.0, 1.0], [4.0, 4.0]) == [-2.0, 2.0, 10.0]
    r = np.random.default_rng(1)
    want, weight, gaps = r.normal(size=8), r.uniform(0.5, 2, 8), r.uniform(0, 1, 7)
    best = settled(list(want), list(weight), list(gaps))
    assert all(b - a >= g - 1e-9 for (a, b), g in zip(pairwise(best), gaps, strict=True))
    for _ in range(200):  # no other admissible places are nearer
        other = np.asarray(best) + r.normal(size=8) * 0.1
        if all(np.diff(other) >= gaps):
            assert weight @ (other - want) ** 2 >= weight @ (np.asarray(best) - want) ** 2


def test_modules_3_000_deep_are_laid_out_without_recursion():
    out = Record([Box(0, "input", "leaf", "", (), "float32")], [])
    for k in range(1, 3001):
        out.scopes.append(Scope(k, k - 1, f"m{k}", "Net"))
        out.boxes.append(Box(k, "op", "exp", "", (), "float32", scope=k))
        out.edges.append(Edge(k - 1, k))
    layout = place(out)
    assert len(arrange(layout).boxes) <= 41
    assert len(arrange(layout, set(range(len(layout.groups)))).boxes) == 3001


def test_leaves_of_the_way_back_are_chips_too():
    model = nn.Sequential(*[nn.Sequential(nn.Linear(4, 4), nn.Tanh()) for _ in range(12)])
    with trace():
        loss = model(noise(2, 4)).sum()
    out = record(loss, model, mode="backward")
    layout = place(out)
    assert {layout.texts[c][0] for row in layout.chips.values() for c in row} == {"∂weight", "∂bias"}
    check_legible(layout, layout.open)
