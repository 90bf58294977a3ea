"""Lottery tickets: in a net that has learned is a much smaller one that could have learned alone, from its own first weights only.

    python lottery.py --out FOLDER      # and a picture: accuracy over the share of weights that are left

Expected (Frankle and Carbin, "The lottery ticket hypothesis", 2019): train, remove the smallest half of the weights, set those that are
left back to where they started, and again. Such a net, a winning ticket, learns about as well as the whole, down to a tenth of the
weights. With the same connections, but started from new random weights, it gets worse much sooner.
"""

import argparse
from pathlib import Path

import numpy as np

import minigrad as mg
from minigrad import data, nn, optim
from minigrad.nn import functional as F
from minigrad.nn.utils import prune
from minigrad.viz.curve import save_curve

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--out", type=Path, help="a folder for the picture")
parser.add_argument("--rounds", type=int, default=6)
parser.add_argument("--nets", type=int, default=3, help="how many are trained; accuracies are their means")
args = parser.parse_args()

(images, labels), (test_images, test_labels) = data.Digits().tensors, data.Digits(train=False).tensors


def fresh():
    """A net whose weights have masks of ones: each weight is ``weight_orig * weight_mask``."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 50), nn.ReLU(), nn.Linear(50, 10))
    prune.global_unstructured(weights(model), 0.0)
    return model


def weights(model):
    return [(layer, "weight") for layer in model if isinstance(layer, nn.Linear)]


def masks(model):
    return {name: mask for name, mask in model.state_dict().items() if name.endswith("_mask")}


def accuracy(model, steps=150):
    """Train, and test. What is masked gets no gradient."""
    opt = optim.Adam(model.parameters(), lr=2e-3)
    rng = np.random.default_rng(0)
    for _ in range(steps):
        chosen = rng.integers(len(images), size=60)
        opt.zero_grad()
        F.cross_entropy(model(images[chosen]), labels[chosen]).backward()
        opt.step()
    with mg.no_grad():
        return (model(test_images).argmax(axis=1) == test_labels).numpy().mean()


found = {"ticket": np.zeros(args.rounds + 1), "new weights": np.zeros(args.rounds + 1)}
left = np.zeros(args.rounds + 1)
for net in range(args.nets):
    mg.manual_seed(net)
    model = fresh()
    start = model.state_dict()
    for i in range(args.rounds + 1):
        other = fresh()
        other.load_state_dict(other.state_dict() | masks(model))
        left[i] = np.concatenate([m.numpy().reshape(-1) for m in masks(model).values()]).mean()
        found["ticket"][i] += accuracy(model) / args.nets
        found["new weights"][i] += accuracy(other) / args.nets
        prune.global_unstructured(weights(model), 0.5)  # the half with the smallest absolute values, of those that are left
        model.load_state_dict(start | masks(model))  # rewind

print("weights left   ticket   new weights")
for share, *pair in zip(left, *found.values(), strict=True):
    print(f"{share:12.1%}   {pair[0]:6.3f}   {pair[1]:11.3f}")

if args.out:
    args.out.mkdir(parents=True, exist_ok=True)
    save_curve(args.out / "lottery", found, "share of weights left", "test accuracy", at=left.tolist(), log=True)

whole, sparse = found["ticket"][0], left < 0.15
assert found["ticket"][left < 0.3].max() > whole - 0.02
assert (found["ticket"] - found["new weights"])[sparse].mean() > 0.02
print("tickets keep the accuracy of the whole net longer than new weights do: as expected")
