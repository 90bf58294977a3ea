"""Dropout: units are left out at random while training, so that none can rely on the others. Srivastava et al. 2014.

    python dropout.py --out FOLDER                 # and a picture: errors over the number of images
    python dropout.py --data FOLDER --hidden 2048  # the paper's 784-2048-2048-2048-10 on MNIST's IDX files: takes long

A net that is far too large learns a few digits by heart, although a fifth of their labels are wrong: its training loss goes to 0, and its
test error shows it. Expected (figure 10 of the paper, about the size of the data set): with dropout the training loss stays higher and
the test error is lower; the more images there are, the less is left to gain.
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
parser.add_argument("--data", help="a folder with MNIST's files")
parser.add_argument("--hidden", type=int, default=128, help="units of each hidden layer")
parser.add_argument("--steps", type=int, default=250, help="of training, for each net")
parser.add_argument("--wrong", type=float, default=0.2, help="the share of training labels that are drawn by lot")
parser.add_argument("--nets", type=int, default=2, help="how many are trained for each number; errors are their means")
args = parser.parse_args()

train, test = (data.MNIST(args.data, train=t, download=False) if args.data else data.Digits(train=t) for t in (True, False))
(images, labels), (test_images, test_labels) = train.tensors, test.tensors
pixels = images[0].size
rng = np.random.default_rng(0)
lot = rng.random(len(labels)) < args.wrong
labels = mg.tensor(np.where(lot, rng.integers(10, size=len(labels)), labels.numpy()))
sizes = [*(n for n in (100, 200, 400, 800, 5000, 20000) if n < len(images)), len(images)]


def learn(n, p, seed):
    """Train on n images, with dropout of the hidden units by p; the training loss, and the share of errors."""
    mg.manual_seed(seed)
    layers = [nn.Flatten()]
    for inputs in (pixels, args.hidden, args.hidden)[: 3 if args.data else 2]:
        layers += [nn.Linear(inputs, args.hidden), nn.ReLU(), nn.Dropout(p)]
    model = nn.Sequential(*layers, nn.Linear(args.hidden, 10))
    opt = optim.Adam(model.parameters(), lr=1e-3 if args.data else 3e-3)
    rng = np.random.default_rng(seed)
    own = rng.permutation(len(images))[:n]
    for _ in range(args.steps):
        chosen = own[rng.integers(n, size=64)]
        opt.zero_grad()
        F.cross_entropy(model(images[chosen]), labels[chosen]).backward()
        opt.step()
    model.eval()  # all units again, unscaled: dropout is "inverted", and scales while training
    with mg.no_grad():
        loss = F.cross_entropy(model(images[own[:2000]]), labels[own[:2000]]).item()
        return loss, (model(test_images).argmax(axis=1) != test_labels).numpy().mean()


print("          training loss           test error")
print(" images   plain     dropout      plain    dropout")
errors = {"plain": [], "dropout": []}
for n in sizes:
    found = {name: np.mean([learn(n, p, seed) for seed in range(args.nets)], 0) for name, p in (("plain", 0.0), ("dropout", 0.5))}
    for name, (_, error) in found.items():
        errors[name].append(float(error))
    (loss, error), (kept_loss, kept_error) = found["plain"], found["dropout"]
    print(f"{n:7}   {loss:.5f}   {kept_loss:.5f}      {error:6.2%}   {kept_error:6.2%}", flush=True)
    assert kept_loss > loss

if args.out:
    args.out.mkdir(parents=True, exist_ok=True)
    save_curve(args.out / "dropout", errors, "images trained on", "test error", at=sizes, log=True)

plain, dropped = np.mean(errors["plain"]), np.mean(errors["dropout"])
gains = np.subtract(errors["plain"], errors["dropout"])
print(f"mean test error without dropout {plain:.2%}, with dropout {dropped:.2%}: ", end="")
assert dropped < plain
assert max(gains[:2]) > gains[-1]
print("lower, and most so with few images, as expected")
