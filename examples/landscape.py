"""The hills around what training found, drawn so that they mean something.

    python landscape.py --out FOLDER      # and a picture: the landscape in two directions, and cuts with and without normalisation

H. Li et al., "Visualizing the loss landscape of neural nets", 2018. The loss is looked at along random directions from the weights found.
But a ReLU net computes the same when a layer is made ten times larger and the next ten times smaller; the same random step then matters
ten times less to the one, and more to the other, so plain cuts call the same function flat or sharp. Expected: with directions whose
rows, a unit's weights each, have the lengths of the net's own rows ("filter normalisation"), both draw the same curve; and the weights
found lie in a basin.
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

mg.manual_seed(0)
images, labels = (t[:500] for t in data.Digits().tensors)
model = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
opt = optim.Adam(model.parameters(), lr=0.01, weight_decay=1e-3)
for _ in range(150):
    opt.zero_grad()
    F.cross_entropy(model(images), labels).backward()
    opt.step()

found = {name: p.numpy().copy() for name, p in model.named_parameters()}
larger = {name: a * (10 if name.startswith("1") else 0.1 if name == "3.weight" else 1) for name, a in found.items()}


def direction(weights, seed, normalised=True):
    """A random direction; biases stay, as in the paper. Normalised, each row is as long as that of the weights."""
    rng = np.random.default_rng(seed)
    step = {}
    for name, w in weights.items():
        d = rng.normal(size=w.shape).astype(np.float32) * (w.ndim == 2)
        if normalised and w.ndim == 2:
            d *= np.linalg.norm(w, axis=1, keepdims=True) / np.linalg.norm(d, axis=1, keepdims=True)
        step[name] = d
    return step


def height(weights, *steps):
    """The loss at the weights, moved by so much in each direction: ``steps`` are pairs (how far, direction)."""
    moved = {name: w + sum(t * d[name] for t, d in steps) for name, w in weights.items()}
    with mg.no_grad():
        return F.cross_entropy(nn.functional_call(model, moved, images), labels).item()


far = np.linspace(-1, 1, 41, dtype=np.float32)
cuts = {}
for normalised in (True, False):
    for name, weights in (("as found", found), ("rescaled", larger)):
        d = direction(weights, 1, normalised)
        cuts[normalised, name] = np.array([height(weights, (t, d)) for t in far])
u, v = direction(found, 1), direction(found, 2)
side = np.linspace(-1.5, 1.5, 25, dtype=np.float32)
surface = np.array([[height(found, (s, u), (t, v)) for s in side] for t in side])

print(f"loss of the net as found {height(found):.5f}, and with its layers rescaled {height(larger):.5f}: the same function")
print("loss at a distance of       -1.0     -0.5        0      0.5      1.0")
for normalised in (False, True):
    for name in ("as found", "rescaled"):
        label = f"{'normalised' if normalised else 'plain'}, {name}"
        print(f"{label:21}" + "".join(f"{cuts[normalised, name][i]:9.3f}" for i in (0, 10, 20, 30, 40)))

if out and find_spec("matplotlib"):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 4.5), layout="constrained")
    hills = figure.add_subplot(1, 3, 1, projection="3d")
    hills.plot_surface(*np.meshgrid(side, side), np.log10(surface), cmap="viridis")
    hills.set(title="log10 of the loss, filter-normalised")
    for place, normalised in ((2, False), (3, True)):
        axes = figure.add_subplot(1, 3, place)
        for name, style in (("as found", "-"), ("rescaled", "--")):
            axes.semilogy(far, cuts[normalised, name], style, label=name)
        axes.set(title="filter-normalised direction" if normalised else "plain direction", xlabel="distance")
        axes.legend()
    out.mkdir(parents=True, exist_ok=True)
    figure.savefig(out / "landscape.png", dpi=120)

same = abs(cuts[True, "as found"] / cuts[True, "rescaled"] - 1).max()
differ = abs(np.log(cuts[False, "as found"] / cuts[False, "rescaled"])).max()
print(f"at most {same:.1e} apart, relatively, with normalisation; by a factor of {np.exp(differ):.1f} without")
assert np.isclose(height(found), height(larger), rtol=1e-3)
assert same < 1e-2
assert differ > np.log(2)
assert surface.min() > 0.5 * surface[12, 12]
assert surface[[0, -1]].min() > 3 * surface[12, 12]
print("only normalised directions draw the function instead of its scales, and what was found lies in a basin: as expected")
