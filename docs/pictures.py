"""Make the pictures of the README and the docs: ``python docs/pictures.py [FOLDER]``. CI runs it into a temporary folder.

The drawings are SVG and need nothing. With ``--pages`` the pages of the same graphs are written too, as .html, and with ``--screens``
screenshots of them, as .png, where Chromium and its driver are installed.
"""

import argparse
import importlib.util
import sys
from pathlib import Path

import minigrad as mg
from minigrad import data, debug, metrics, nn, optim, viz
from minigrad.nn import functional as F

HERE = Path(__file__).resolve().parent


def neuron():
    """One neuron and its squared error: small enough for every number to be written down."""
    x = mg.tensor([[0.5, -1.0, 2.0]])
    w = mg.tensor([[0.1], [0.2], [0.3]], requires_grad=True)
    b = mg.tensor([0.5], requires_grad=True)
    with viz.trace(values=True):
        loss = ((mg.tanh(x @ w + b) - 1.0) ** 2).sum()
        loss.backward(retain_graph=True)
    return viz.graph(loss, params={"w": w, "b": b})


def shared():
    """A variable that is used three times, so that three gradients meet in it."""
    x = mg.tensor(2.0, requires_grad=True)
    with viz.trace(values=True):
        y = mg.exp(x) * x + mg.sin(x)
        y.backward(retain_graph=True)
    return viz.graph(y, params={"x": x}, mode="both")


def traced(model, *inputs, target=None, mode="both", **options):
    """The graph of a model's loss, with its modules, statistics and gradients."""
    with viz.trace(values=True, time=True):
        y = model(*inputs)
        loss = y.sum() if target is None else F.cross_entropy(y, target)
        loss.backward(retain_graph=True)
    return viz.graph(loss, mode=mode, **options)


def conv_net():
    """A small convolutional net, forward and backward."""
    stages = [
        nn.Sequential(nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2))
        for before, after in ((1, 8), (8, 16), (16, 16))
    ]
    model = nn.Sequential(*stages, nn.Flatten(), nn.Linear(16, 10))
    return traced(model, mg.random.normal(size=(8, 1, 8, 8)), target=mg.arange(8) % 10)


class Residual(nn.Module):
    """Two convolutions and a way around them."""

    def __init__(self, width):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.norm2 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)

    def forward(self, x):
        return F.relu(x + self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x))))))


def residual_net():
    """Residual blocks, of which one stands for all."""
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), *[Residual(8) for _ in range(6)], nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10)
    )
    return traced(model, mg.random.normal(size=(4, 3, 8, 8)), target=mg.arange(4))


def recurrent_net():
    """A recurrent net written as a loop: its turns are found and folded without a word from the user."""
    cell, head = nn.RNNCell(4, 8), nn.Linear(8, 2)
    xs = mg.random.normal(size=(20, 2, 4))
    with viz.trace(values=True, time=True):
        h = mg.zeros((2, 8))
        for x in xs:
            h = cell(x, h)
        loss = F.cross_entropy(head(h), mg.tensor([0, 1]))
        loss.backward(retain_graph=True)
    return viz.graph(loss, mode="both")


class GPT(nn.Module):
    """A language model of twelve blocks."""

    def __init__(self, width=32, layers=12):
        super().__init__()
        self.words, self.positions = nn.Embedding(50, width), nn.Embedding(16, width)
        self.blocks = nn.Sequential(
            *[nn.TransformerEncoderLayer(width, 4, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True) for _ in range(layers)]
        )
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 50, bias=False)

    def forward(self, x):
        return self.head(self.norm(self.blocks(self.words(x) + self.positions(mg.arange(x.shape[1])))))


def gpt():
    """A GPT of twelve blocks, forward and backward."""
    words = mg.tensor([[k * 7 % 50 for k in range(16)], [k * 3 % 50 for k in range(16)]])
    model = GPT()
    with viz.trace(values=True, time=True):
        loss = F.cross_entropy(model(words).reshape((-1, 50)), words.reshape(-1))
        loss.backward(retain_graph=True)
    return viz.graph(loss, mode="both")


def double_backward():
    """The gradient of a gradient: op, its gradient, and the gradient of that, side by side."""
    w = mg.tensor([[0.3, -0.2], [0.1, 0.4]], requires_grad=True)
    x = mg.tensor([[1.0, 2.0]])
    with viz.trace(values=True):
        (g,) = mg.grad(mg.tanh(x @ w).sum(), w, create_graph=True)
        penalty = (g * g).sum()
        penalty.backward(retain_graph=True)
    return viz.graph(penalty, params={"w": w}, mode="both")


def difference():
    """Two versions of a model: what came, what went, what changed."""

    def model(activation, wide):
        return nn.Sequential(nn.Linear(3, wide), activation, nn.Linear(wide, 2))

    x = mg.random.normal(size=(4, 3))
    before, after = (traced(m, x, mode="forward") for m in (model(nn.ReLU(), 4), model(nn.Tanh(), 6)))
    return before.diff(after)


def optimizer_path():
    """The loss around the way that momentum took, in the two directions in which it went furthest."""
    images, labels = (t[:200] for t in data.Digits().tensors)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, 10))
    optimizer, path = optim.SGD(model.parameters(), lr=0.3, momentum=0.9), []
    for step in range(61):
        if step % 2 == 0:
            path.append({name: p.numpy().copy() for name, p in model.named_parameters()})
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()
    return viz.landscape(lambda: F.cross_entropy(model(images), labels), model, path=path, steps=25)


def through_depth():
    """The gradients of a deep tanh net before training, layer by layer: the first layers are given next to nothing."""
    images, labels = (t[:200] for t in data.Digits().tensors)
    layers = [layer for _ in range(6) for layer in (nn.Linear(32, 32), nn.Tanh())]
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), *layers, nn.Linear(32, 10))
    return debug.depth_profile(model, F.cross_entropy, (images, labels)).heat("gradient")


def confusion():
    """Which digits a linear model takes for which."""
    train, test = data.Digits(train=True).tensors, data.Digits(train=False).tensors
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    for _ in range(60):
        optimizer.zero_grad()
        F.cross_entropy(model(train[0]), train[1]).backward()
        optimizer.step()
    matrix = metrics.ConfusionMatrix(10)
    matrix.update(model(test[0]), test[1])
    names = [*"0123456789"]
    return viz.Heat(matrix.compute(), rows=names, columns=names, x="taken for", y="true", numbers=True)


GRAPHS = (neuron, shared, conv_net, residual_net, recurrent_net, gpt, double_backward, difference)
CHARTS = (optimizer_path, through_depth, confusion)


SCREENS = {
    "neuron": (False, "page.select(page.boxes.find((b) => b.op === 'tanh')); page.fit()"),
    "conv_net": (True, ""),
    "residual_net": (False, "page.colourBy('memory'); page.select(page.boxes.find((b) => b.op === 'relu')); page.fit()"),
    "recurrent_net": (False, "page.startMovie(); page.moment(page.movie.events.length * 0.7)"),
    "gpt": (False, ""),
    "double_backward": (True, ""),
    "difference": (False, ""),
}
"""Of which graphs there are screenshots: whether in the dark, and what is done in the page first."""


def screens(folder, pages):
    """Screenshots of the pages, with a node chosen or the movie running."""
    spec = importlib.util.spec_from_file_location("browser", HERE.parent / "tests" / "viz" / "browser.py")
    browser = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(browser)
    if browser.MISSING:
        sys.exit(f"pictures: screenshots: {browser.MISSING}")
    for name, (dark, script) in SCREENS.items():
        print(browser.picture(pages[name], folder / f"{name}.png", dark=dark, script=script))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=HERE / "pictures")
    parser.add_argument("--pages", action="store_true", help="the pages of the graphs too")
    parser.add_argument("--screens", action="store_true", help="and screenshots of them")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    pages = {}
    for make in GRAPHS:
        mg.manual_seed(0)
        graph = make()
        print(graph.save(args.folder / f"{make.__name__}.svg"))
        if args.pages or args.screens:
            pages[make.__name__] = graph.save(args.folder / f"{make.__name__}.html")
    for make in CHARTS:
        mg.manual_seed(0)
        print(make().save(args.folder / f"{make.__name__}.svg"))
    if args.screens:
        screens(args.folder, pages)


if __name__ == "__main__":
    main()
