"""Batch normalisation: what it does for training, how evaluation differs, and how much its scales and shifts can do alone.

    python batch_norm.py --out FOLDER      # and a picture: the losses with and without

Expected: 1. A deep net of sigmoids that hardly moves without it, at whatever rate, learns with it, and minds the rate little (Ioffe and
Szegedy 2015). 2. In training what comes out for an image depends on the others in its batch; in evaluation, by the running statistics, it
does not. 3. A residual net whose random convolutions and last layer are frozen learns by the norms' scales and shifts alone, and far
better than by as many of its other weights (Frankle, Schwab and Morcos, "Training BatchNorm and only BatchNorm", 2021).
"""

import argparse
from pathlib import Path

import numpy as np

import minigrad as mg
from minigrad import data, nn, optim
from minigrad.nn import functional as F
from minigrad.viz.curve import save_curve

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--out", type=Path, help="a folder for the picture")
out = parser.parse_args().out

train, test = data.Digits(), data.Digits(train=False)


def fit(model, epochs, lr, masks=None):
    """Train; the loss of each epoch, and the accuracy on the test images. ``masks`` say which entries of a parameter may move."""
    trained = [p for p in model.parameters() if p.requires_grad]
    opt = optim.Adam(trained, lr=lr)
    losses = []
    for _ in range(epochs):
        total = 0.0
        for x, y in data.DataLoader(train, batch_size=64, shuffle=True):
            loss = F.cross_entropy(model(x), y)
            opt.zero_grad()
            loss.backward()
            for p in masks or ():
                p.grad.data *= masks[p]
            opt.step()
            total += loss.item() * len(y)
        losses.append(total / len(train))
    model.eval()
    x, y = test.tensors
    with mg.no_grad():
        return losses, (model(x).argmax(axis=1) == y).numpy().mean()


# 1. with and without
def deep(norm):
    layers = [nn.Flatten()]
    for inputs in (64, 50, 50, 50, 50, 50):
        layers += [nn.Linear(inputs, 50), nn.BatchNorm1d(50) if norm else nn.Identity(), nn.Sigmoid()]
    return nn.Sequential(*layers, nn.Linear(50, 10))


results = {}
for norm in (False, True):
    for lr in (0.003, 0.01, 0.03):
        mg.manual_seed(0)
        model, name = deep(norm), f"{'with batch norm' if norm else 'without'}, rate {lr}"
        results[name] = losses, accuracy = fit(model, 8, lr)
        print(f"six layers of sigmoids, {name:27}: loss {losses[-1]:.3f}, test accuracy {accuracy:.3f}")

# 2. training and evaluation
one, others = test.tensors[0][:1], test.tensors[0][1:33]
alone = {}
for mode in ("training", "evaluation"):
    model.train(mode == "training")
    with mg.no_grad():
        a, b = (model(mg.concat([one, batch]))[0].numpy() for batch in (others[:16], others[16:]))
    alone[mode] = abs(a - b).max()
    print(f"in {mode:10}, what comes out for an image changes by {alone[mode]:.5f} with the others in its batch")


# 3. the norms alone
class Block(nn.Module):
    """Two convolutions beside a way round them."""

    def __init__(self, width):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.norm2 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)

    def forward(self, x):
        return F.relu(x + self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x))))))


def residual(width=32):
    mg.manual_seed(0)
    first = nn.Conv2d(1, width, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
    return nn.Sequential(*first, Block(width), Block(width), nn.GlobalAvgPool2d(), nn.Flatten(), nn.Linear(width, 10))


model = residual().freeze().unfreeze("1.*", "*.norm?.*")
free = sum(p.size for p in model.parameters() if p.requires_grad)
_, norms = fit(model, 6, 0.03)
model = residual().freeze("1.*", "*.norm?.*")
rng = np.random.default_rng(0)
frozen = [p for p in model.parameters() if p.requires_grad]
share = free / sum(p.size for p in frozen)
_, same = fit(model, 6, 0.03, {p: rng.random(p.shape, np.float32) < share for p in frozen})
total = sum(p.size for p in model.parameters())
print(f"a residual net of {total} random weights: {free} scales and shifts of norms trained, test accuracy {norms:.3f};")
print(f"as many of the other weights, drawn at random, trained instead: {same:.3f}")

if out:
    out.mkdir(parents=True, exist_ok=True)
    save_curve(out / "batch_norm", {name: losses for name, (losses, _) in results.items()}, "epoch", "training loss")

assert all((accuracy > 0.9) if name.startswith("with ") else (accuracy < 0.6) for name, (_, accuracy) in results.items())
assert alone["training"] > 1e-3
assert alone["evaluation"] < 1e-4
assert norms > 0.5
assert norms > same + 0.2
print("the norms make deep sigmoids learn, and learn by themselves: as expected")
