"""Seeing graphs: how long it takes to record, lay out and write the graphs of real models, how much is seen at first, what tracing costs.

    python benchmarks/seeing.py                     # minigrad, against the bars
    python benchmarks/seeing.py --peers             # and torchviz with dot, and torchlens, where they are installed
    python benchmarks/seeing.py --browser           # and the pages in headless Chromium, where it and chromedriver are installed
    python benchmarks/seeing.py --models gpt rnn

Models: ResNet-50, a GPT of 12 layers, a loop of 1,000 steps with one weight, a chain of 100,000 ops. Peers run in processes of their own
and are stopped after ``--patience`` seconds. Seconds are those of the processor, the least of some rounds.
"""

import argparse
import importlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

MODELS = ("resnet50", "gpt", "rnn", "chain")
BARS = {"gpt": 0.5, "resnet50": 0.5, "rnn": 3.0, "chain": 10.0}
"""Seconds in which a graph is to be recorded, laid out and written as a page."""


# -- models, the same for both libraries ------------------------------------------------------------------------------
def built(name: str, nn: Any, F: Any, ones: Callable, ids: Any) -> tuple[Any, tuple]:
    """A model, or a function, and its arguments. ``nn`` and ``F`` are minigrad's or PyTorch's."""

    class Bottleneck(nn.Module):
        def __init__(self, before: int, width: int, stride: int):
            super().__init__()
            self.conv1, self.norm1 = nn.Conv2d(before, width, 1, bias=False), nn.BatchNorm2d(width)
            self.conv2, self.norm2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
            self.conv3, self.norm3 = nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width)
            self.relu = nn.ReLU()
            plain = before == 4 * width and stride == 1
            self.shortcut = (
                nn.Identity() if plain else nn.Sequential(nn.Conv2d(before, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width))
            )

        def forward(self, x: Any) -> Any:
            h = self.relu(self.norm1(self.conv1(x)))
            h = self.relu(self.norm2(self.conv2(h)))
            return self.relu(self.norm3(self.conv3(h)) + self.shortcut(x))

    class Attention(nn.Module):
        def __init__(self, width: int, heads: int):
            super().__init__()
            self.heads = heads
            self.q, self.k, self.v, self.join = (nn.Linear(width, width) for _ in range(4))

        def forward(self, x: Any) -> Any:
            n, length, width = x.shape
            q, k, v = (f(x).reshape((n, length, self.heads, width // self.heads)).swapaxes(1, 2) for f in (self.q, self.k, self.v))
            a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            return self.join(a.swapaxes(1, 2).reshape((n, length, width)))

    class Block(nn.Module):
        def __init__(self, width: int, heads: int):
            super().__init__()
            self.norm1, self.attention, self.norm2 = nn.LayerNorm(width), Attention(width, heads), nn.LayerNorm(width)
            self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

        def forward(self, x: Any) -> Any:
            x = x + self.attention(self.norm1(x))
            return x + self.mlp(self.norm2(x))

    class GPT(nn.Module):
        def __init__(self, width: int = 32, layers: int = 12):
            super().__init__()
            self.words, self.positions = nn.Embedding(50, width), nn.Embedding(16, width)
            self.blocks = nn.Sequential(*[Block(width, 4) for _ in range(layers)])
            self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 50, bias=False)

        def forward(self, x: Any, places: Any) -> Any:
            return self.head(self.norm(self.blocks(self.words(x) + self.positions(places))))

    class Loop(nn.Module):
        def __init__(self, steps: int):
            super().__init__()
            self.cell, self.steps = nn.Linear(4, 4), steps

        def forward(self, x: Any) -> Any:
            for _ in range(self.steps):
                x = F.tanh(self.cell(x) + x)
            return x

    class Chain(nn.Module):
        def __init__(self, ops: int):
            super().__init__()
            self.first, self.ops = nn.Linear(1, 1), ops

        def forward(self, x: Any) -> Any:
            x = self.first(x)
            for _ in range(self.ops):
                x = x + 1.0
            return x

    if name == "resnet50":
        layers, before = [nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()], 16
        for width, count, stride in ((4, 3, 1), (8, 4, 2), (16, 6, 2), (32, 3, 2)):
            blocks = []
            for k in range(count):
                blocks.append(Bottleneck(before, width, stride if k == 0 else 1))
                before = 4 * width
            layers.append(nn.Sequential(*blocks))
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10)), (ones((2, 3, 16, 16)),)
    if name == "gpt":
        return GPT(), (ids((2, 16)), ids((16,)))
    return (Loop(1000) if name == "rnn" else Chain(100_000)), (ones((2, 4) if name == "rnn" else (1, 1)),)


def ours(name: str) -> tuple[Any, tuple]:
    import numpy as np

    import minigrad as mg
    from minigrad import nn
    from minigrad.nn import functional as F

    return built(name, nn, F, mg.ones, lambda shape: mg.tensor(np.arange(np.prod(shape)).reshape(shape) % 16))


# -- minigrad ---------------------------------------------------------------------------------------------------------
def least(f: Callable[[], Any], rounds: int = 3) -> tuple[float, Any]:
    """The least processor time of some calls, and what the last returned."""
    found, y = [], None
    for _ in range(rounds):
        start = time.thread_time()
        y = f()
        found.append(time.thread_time() - start)
    return min(found), y


def shown(graph: Any) -> int:
    """How many boxes, open or closed, the first view has."""
    return sum(seen is not None and seen.kind != "frame" for seen, _ in graph.outline.walk())


def minigrad(name: str) -> dict[str, Any]:
    """Seconds and sizes of each way of seeing a model's graph."""
    import minigrad as mg
    from minigrad.viz.arrangement import arrange

    model, inputs = ours(name)
    with mg.viz.trace():
        loss = model(*inputs).sum()
    row: dict[str, Any] = {}
    rounds = 1 if name == "chain" else 3
    row["page"], page = least(lambda: mg.viz.graph(loss, mode="both").to_html(), rounds)
    graph = mg.viz.graph(loss, mode="both")
    row["boxes"], row["edges"], row["bytes"] = len(graph.record.boxes), len(graph.record.edges), len(page.encode())
    row["ops"] = sum(b.kind in ("op", "output") for b in graph.record.boxes)
    row["first view"] = shown(graph)
    picture = arrange(graph.layout)
    row["aspect"] = picture.width / picture.height
    everything = {g.id for g in graph.layout.groups}
    row["expanded"], _ = least(lambda: arrange(graph.layout, everything), rounds)
    return row


def second_order(name: str) -> dict[str, Any]:
    """The same of the gradient of a gradient."""
    import minigrad as mg
    from minigrad.viz.arrangement import arrange

    model, inputs = ours(name)
    params = list(model.parameters())
    with mg.viz.trace():
        gs = mg.grad(model(*inputs).sum(), params, create_graph=True, allow_unused=True)
        norm = mg.stack([(g * g).sum() for g in gs if g is not None and g.requires_grad]).sum()

    def everything() -> Any:
        graph = mg.viz.graph(norm, mode="both")
        arrange(graph.layout, {g.id for g in graph.layout.groups})
        return graph

    seconds, graph = least(everything)
    return {"seconds": seconds, "boxes": len(graph.record.boxes), "first view": shown(graph)}


def tracing() -> dict[str, float]:
    """Microseconds per op that lines and modules cost, and how many times as long a step takes with statistics."""
    import numpy as np

    import minigrad as mg
    from minigrad import nn
    from minigrad.nn import functional as F

    x = mg.ones((8, 8), requires_grad=True)

    def chain() -> Any:
        y = x
        for _ in range(200):
            y = y + 1.0
        return y

    model = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10))
    images, labels = np.ones((128, 784), "float32"), np.arange(128) % 10

    def step() -> None:
        model.zero_grad()
        F.cross_entropy(model(images), labels).backward()

    plain, _ = least(chain, 30)
    bare, _ = least(step, 15)
    with mg.viz.trace():
        traced, _ = least(chain, 30)
    with mg.viz.trace(values=True):
        measured, _ = least(step, 15)
    return {"us per op": (traced - plain) / 200 * 1e6, "times the step": measured / bare}


# -- the page in a browser --------------------------------------------------------------------------------------------
def in_browser(name: str) -> str:
    """Milliseconds until a model's page is ready, of a click on an op and of a search, and of a frame with everything open."""
    import minigrad as mg

    spec = importlib.util.spec_from_file_location("browser", Path(__file__).parents[1] / "tests" / "viz" / "browser.py")
    assert spec is not None
    assert spec.loader is not None
    chromium = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(chromium)
    if chromium.MISSING:
        return chromium.MISSING
    model, inputs = ours(name)
    with mg.viz.trace():
        loss = model(*inputs).sum()
    with tempfile.TemporaryDirectory() as folder, chromium.Browser() as browser:
        browser.open(mg.viz.graph(loss, mode="both").save(Path(folder, "page.html")))
        browser.settled()
        ready = browser.run("return page.ready")
        searched = max(browser.run("return ['linear', 'add', 'sum', '2'].map(page.search)"))
        browser.run("page.search('')")
        clicks = []
        for k in range(9):  # the first are slower, as the browser has not compiled its code yet
            box = "page.boxes.filter((b) => b.op === 'sum' || b.op === 'd_sum')[arguments[0]]"
            x, y = browser.run(f"const r = page.onScreen({box}); return [r.x + 9, r.y + 6]", k % 2)
            browser.click(x, y)
            browser.settled()
            clicks.append(browser.run("return page.clicked"))
        browser.run("for (const g of page.groups) g.open = true; page.again(); page.fit()")
        frames = sorted(browser.run("return [...Array(12)].map(() => { page.zoom(1.9); page.draw(); return page.cost(); })"))
    frame = f"all open, a frame {frames[6]:.1f} ms, at most {frames[-1]:.1f}"
    if name == "chain":
        return f"ready {ready:.0f} ms, click {median(clicks):.1f} ms, search {searched:.1f} ms; {frame}"
    told = [against(v, bar, " ms") for v, bar in ((ready, 3000 if name == "rnn" else 1000), (median(clicks), 16), (searched, 50))]
    return f"ready {told[0]}, click {told[1]} (the first {clicks[0]:.0f}), search {told[2]}; {frame}"


# -- peers ------------------------------------------------------------------------------------------------------------
def torchviz(name: str, folder: str) -> None:
    """The picture of a backward graph, by dot."""
    from torchviz import make_dot

    model, inputs = theirs(name)
    loss = model(*inputs).sum()
    make_dot(loss, params=dict(model.named_parameters())).render(Path(folder, "graph"), format="svg", quiet=True)


def torchlens(name: str, folder: str) -> None:
    """The picture of a forward graph, by dot; torchlens draws training graphs in another call, which takes longer."""
    import torchlens

    model, inputs = theirs(name)
    torchlens.trace(model, list(inputs)).draw(vis_outpath=str(Path(folder, "graph")), vis_fileformat="svg", vis_save_only=True)


def theirs(name: str) -> tuple[Any, tuple]:
    import torch
    from torch.nn import functional as F

    def ids(shape: tuple) -> Any:
        return torch.arange(int(torch.tensor(shape).prod())).reshape(shape) % 16

    return built(name, torch.nn, F, torch.ones, ids)


PEERS = {"torchviz": torchviz, "torchlens": torchlens}


def once(peer: str, name: str) -> None:
    """What a process of its own does for a peer: print the seconds."""
    importlib.import_module(peer)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        PEERS[peer](name, folder)
        print(f"{time.perf_counter() - start:.2f} s")


def patiently(peer: str, name: str, patience: float) -> str:
    """Seconds that a peer takes, or why it has no figure."""
    command = [sys.executable, __file__, "--models", name, "--once", peer]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        said, complaints = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # dot too, which it waits for
        process.communicate()
        return f"stopped after {patience:.0f} s"
    return said.strip().splitlines()[-1] if process.returncode == 0 else f"failed: {(complaints.strip().splitlines() or ['?'])[-1][:90]}"


# -- the table --------------------------------------------------------------------------------------------------------
def against(value: float, bar: float, unit: str = "") -> str:
    return f"{value:.3g}{unit} (bar {bar:g}{unit}{'' if value <= bar else ': MISSED'})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--peers", action="store_true", help="torchviz and torchlens too, where they and dot are installed")
    parser.add_argument("--browser", action="store_true", help="the pages in headless Chromium too")
    parser.add_argument("--patience", type=float, default=60.0, help="seconds after which a peer is stopped")
    parser.add_argument("--once", choices=PEERS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.once:
        return once(args.once, args.models[0])
    for name in args.models:
        row = minigrad(name)
        print(f"{name}: {row['ops']:,} ops, {row['boxes']:,} boxes and {row['edges']:,} edges with the way back")
        print(f"  recorded, laid out, written as a page   {against(row['page'], BARS[name], ' s')}")
        print(f"  everything expanded, laid out           {against(row['expanded'], 1.0 if name == 'rnn' else BARS[name], ' s')}")
        print(f"  page                                    {against(row['bytes'] / 1e6, 1 + 400 * row['ops'] / 1e6, ' MB')}")
        print(f"  boxes in the first view                 {against(row['first view'], 60 if name == 'rnn' else 250)}")
        print(f"  width / height                          {row['aspect']:.2f} (bar 0.25 to 4)")
        if name in ("resnet50", "gpt"):
            second = second_order(name)
            print(f"  second order, {second['boxes']:,} boxes expanded     {against(second['seconds'], 2.0, ' s')}", end="")
            print(f"; first view {second['first view']} boxes")
        if args.browser:
            print(f"  in Chromium                             {in_browser(name)}", flush=True)
        for peer in PEERS if args.peers else ():
            there = importlib.util.find_spec(peer) is not None and shutil.which("dot") is not None
            print(f"  {peer + ' and dot':40}{patiently(peer, name, args.patience) if there else 'not installed'}", flush=True)
    cost = tracing()
    print(f"tracing lines and modules: {against(cost['us per op'], 1.5, ' us per op')}")
    print(f"statistics of values and gradients: {against(cost['times the step'], 2.0, ' times the step')}")


if __name__ == "__main__":
    main()
