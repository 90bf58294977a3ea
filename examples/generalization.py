"""Why does a net that can learn everything by heart generalise? Three experiments.

    python generalization.py --out FOLDER      # and a picture: errors over width, and the angle to the widest margin over time

Expected: 1. A net that learns the digits learns as many images with labels drawn by lot, too, with no error; so it is not for lack of
room that it generalises (Zhang et al. 2017). 2. Ever wider nets reach training error 0, and beyond that the test error goes on falling
(Neyshabur, Tomioka and Srebro 2015). 3. Which of the many solutions is found is up to descent: on separable data logistic regression
turns, as slowly as 1 / log t, to the direction of the widest margin, while its weights grow without end (Soudry et al. 2018).
"""

import argparse
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import minigrad as mg
from minigrad import data, nn, optim
from minigrad.nn import functional as F

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--out", type=Path, help="a folder for the picture, which needs matplotlib")
out = parser.parse_args().out

(images, labels), (test_images, test_labels) = data.Digits().tensors, data.Digits(train=False).tensors
images, labels = images.reshape((-1, 64))[:300], labels[:300]
test_images = test_images.reshape((-1, 64))


def fit(labels, width, steps, seed=0):
    """Train two layers on all images at once; the errors in training and test."""
    mg.manual_seed(seed)
    model = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))
    opt = optim.SGD(model.parameters(), lr=0.3, momentum=0.9)
    for _ in range(steps):
        opt.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        opt.step()
    with mg.no_grad():
        pairs = ((images, labels), (test_images, test_labels))
        return [(model(x).argmax(axis=1) != y).numpy().mean() for x, y in pairs]


# 1. labels by lot
by_lot = mg.tensor(np.random.default_rng(0).permutation(labels.numpy()))
true, random = fit(labels, 256, 300), fit(by_lot, 256, 300)
print(f"1. true labels: training error {true[0]:.2f}, test error {true[1]:.2f}; by lot: {random[0]:.2f}, {random[1]:.2f}")

# 2. width
widths = [2, 4, 8, 16, 32, 64, 256]
errors = np.array([np.mean([fit(labels, width, 300, seed) for seed in range(3)], 0) for width in widths])
print("2. width           " + "".join(f"{width:7}" for width in widths))
for name, row in zip(("training error", "test error"), errors.T, strict=True):
    print(f"   {name:16}" + "".join(f"{error:7.3f}" for error in row))

# 3. separable points: the nearest to the other class are (1/2, 3/2) and (3/2, 1/2), and so (1, 1) has the widest margin
rng = np.random.default_rng(0)
cloud = rng.uniform((1.5, 0.5), (4.0, 2.5), (20, 2))
points = np.concatenate([[[0.5, 1.5], [1.5, 0.5]], cloud, [[-0.5, -1.5], [-1.5, -0.5]], -cloud])
sign = mg.tensor(np.repeat([1.0, -1.0], 22))
widest = np.array([1, 1]) / np.sqrt(2)
w, x = mg.tensor([0.0, 0.0], requires_grad=True, dtype="float64"), mg.tensor(points)
opt = optim.SGD([w], lr=1.0)
times, angles, sizes = 2 ** np.arange(14), [], []
print("3.   step     loss   |w|   degrees off the widest margin")
for t in range(1, times[-1] + 1):
    opt.zero_grad()
    loss = F.softplus(-sign * (x @ w)).mean()
    loss.backward()
    opt.step()
    if t in times:
        sizes.append(np.linalg.norm(w.numpy()))
        angles.append(np.degrees(np.arccos(min(1.0, w.numpy() @ widest / sizes[-1]))))
        if np.log2(t) % 3 == 1:
            print(f"   {t:6}   {loss.item():.4f}   {sizes[-1]:4.1f}   {angles[-1]:6.2f}")

if out and find_spec("matplotlib"):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 4), layout="constrained")
    width_axes, plane, course = figure.subplots(1, 3)
    width_axes.semilogx(widths, errors, ".-", label=("training error", "test error"))
    width_axes.set(xlabel="hidden units", title="errors over width")
    width_axes.legend()
    plane.plot(*points[:22].T, "o", *points[22:].T, "x")
    plane.axline((0, 0), (-1, 1), color="gray", linestyle="--", label="widest margin")
    plane.axline((0, 0), tuple(w.numpy()[::-1] * (-1, 1)), color="tab:red", label="found")
    plane.legend()
    course.semilogx(times, angles, ".-")
    course.set(xlabel="step", title="degrees off the widest margin", ylim=(0, None))
    out.mkdir(parents=True, exist_ok=True)
    figure.savefig(out / "generalization.png", dpi=120)

assert true[0] == random[0] == 0
assert true[1] < 0.15
assert random[1] > 0.8
interpolating = errors[errors[:, 0] == 0, 1]
assert len(interpolating) >= 3
assert interpolating[-1] < interpolating[0] - 0.02
assert angles[-1] < angles[len(angles) // 2] < max(angles)
assert angles[-1] < max(angles) / 2
assert sizes[-1] > sizes[-4] + 1
print("all is learned by heart, wide nets are best, and descent turns to the widest margin: as expected")
