"""One-shot recognition: which of three digits never seen in training is this, given one example of each?

    python siamese.py --out FOLDER      # and a picture: the new digits, as the net places them

A siamese net, the same net applied to both images of a pair, learns to put images of the same digit close to each other and others at
least a margin apart: Hadsell, Chopra and LeCun, "Dimensionality reduction by learning an invariant mapping", 2006; for one shot: Koch,
Zemel and Salakhutdinov 2015. It is trained on the digits 0 to 6. Expected: among 7, 8 and 9 the nearest example by what the net makes of
images is right more often than the nearest by pixels, and far more often than by chance. With so few digits to learn from the net has to
be plain: one with a linear layer at its end learns the seven by heart, and does worse on new ones than pixels do (try ``--linear``).
"""

import argparse
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import minigrad as mg
from minigrad import data, nn, optim

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--out", type=Path, help="a folder for the picture, which needs matplotlib")
parser.add_argument("--steps", type=int, default=400)
parser.add_argument("--linear", action="store_true", help="end in a linear layer")
parser.add_argument("--seed", type=int, default=0)
args = parser.parse_args()

parts = data.Digits().tensors, data.Digits(train=False).tensors
images, labels = (np.concatenate([part[i].numpy() for part in parts]) for i in (0, 1))
known, new = labels <= 6, labels >= 7
rng = np.random.default_rng(args.seed)
mg.manual_seed(args.seed)

twin = nn.Sequential(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 16, 3, padding=1), nn.Flatten())
if args.linear:
    twin.append(nn.Linear(16 * 8 * 8, 64))
loss_of = nn.ContrastiveLoss(margin=4.0)
opt = optim.Adam(twin.parameters(), lr=1e-3)
pools = [np.flatnonzero(labels == digit) for digit in range(7)]


def pairs(n):
    """Half of them of the same digit (target 0), half of different ones (target 1)."""
    other = np.arange(n) % 2
    first = rng.integers(7, size=n)
    second = (first + other * rng.integers(1, 7, n)) % 7
    chosen = [[rng.choice(pools[digit]) for digit in digits] for digits in (first, second)]
    return *(mg.tensor(images[c]) for c in chosen), mg.tensor(other)


for step in range(1, args.steps + 1):
    a, b, other = pairs(64)
    loss = loss_of(twin(a), twin(b), other)
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % (args.steps // 4) == 0:
        print(f"step {step:4}   contrastive loss {loss.item():.4f}")


def one_shot(features, episodes=300):
    """Draw one example of each new digit, and give every other image the label of the nearest; the share that is right."""
    right = []
    for _ in range(episodes):
        shown = np.array([rng.choice(np.flatnonzero(labels == digit)) for digit in (7, 8, 9)])
        asked = np.setdiff1d(np.flatnonzero(new), shown)
        distance = ((features[asked][:, None] - features[shown]) ** 2).sum(-1)
        right.append((labels[shown][distance.argmin(1)] == labels[asked]).mean())
    return np.mean(right)


with mg.no_grad():
    features = twin(mg.tensor(images)).numpy()
by_net, by_pixels = one_shot(features), one_shot(images.reshape(len(images), -1))
print(f"one shot among 7, 8 and 9: by the net {by_net:.3f}, by pixels {by_pixels:.3f}, by chance 0.333")

if args.out and find_spec("matplotlib"):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5), layout="constrained")
    for axes, (name, points) in zip(
        figure.subplots(1, 2), (("features of the net", features), ("pixels", images.reshape(len(images), -1))), strict=True
    ):
        plane = data.Whitening("pca", components=2).fit_transform(points[new])
        for digit in (7, 8, 9):
            axes.plot(*plane[labels[new] == digit].T, "o", markersize=3, label=str(digit))
        axes.set(title=f"the new digits by {name}, two principal axes")
        axes.legend()
    args.out.mkdir(parents=True, exist_ok=True)
    figure.savefig(args.out / "siamese.png", dpi=120)

if not args.linear:
    assert by_net > by_pixels + 0.02
    assert by_net > 0.7
    print("the net has learned what makes digits alike, also new ones: as expected")
