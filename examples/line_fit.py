"""A line is fitted to seven points by gradient descent, on a picture of the loss: a valley over slope and intercept.

    python line_fit.py --out FOLDER      # and a picture: the valley, and the three ways down it

Seen: backprop agrees with a gradient by differences (f(p + h) - f(p - h)) / 2h; descent by all points at once, by one point at a time and
by a few at a time all come to the line that the normal equations give: Legendre 1805, Cauchy 1847, Robbins and Monro 1951. The last two
do not come to rest unless their steps become shorter.
"""

import argparse
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import minigrad as mg
from minigrad import optim
from minigrad.testing import numerical_grad

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--out", type=Path, help="a folder for the picture, which needs matplotlib")
out = parser.parse_args().out

x = mg.tensor([2.4, 2.8, 3.2, 3.6, 4.0, 4.2, 5.0])
y = mg.tensor([1.7, 1.85, 1.79, 1.95, 2.1, 2.0, 2.7])
START = (0.1, -0.6)  # slope and intercept


def loss(slope, intercept, chosen=slice(None)):
    """The mean squared error of a line on the chosen points."""
    return ((slope * x[chosen] + intercept - y[chosen]) ** 2).mean()


def descend(size, epochs, seed=0):
    """Walk down by steps that each look at ``size`` points; returns where each epoch ended."""
    rng = np.random.default_rng(seed)
    p = [mg.tensor(v, requires_grad=True) for v in START]
    opt = optim.SGD(p, lr=0.03)
    rate = optim.lr_scheduler.LambdaLR(opt, lambda epoch: 1 if size == len(x) else 1 / (1 + epoch / 300))
    path = [START]
    for _ in range(epochs):
        for chosen in np.split(rng.permutation(len(x)), range(size, len(x), size)):
            opt.zero_grad()
            loss(*p, chosen).backward()
            opt.step()
        rate.step()
        path.append((p[0].item(), p[1].item()))
    return np.array(path)


# 1. the gradient, by backprop and by differences
p = [mg.tensor(v, requires_grad=True, dtype="float64") for v in START]
by_rule = [g.item() for g in mg.grad(loss(*p), p)]
by_differences = [g.item() for g in numerical_grad(loss, p)]
print("gradient at the start, backprop    ", by_rule)
print("gradient at the start, differences ", by_differences)

# 2. three ways down, to the same place
columns = np.stack([x.numpy(), np.ones(len(x))], 1)
best = np.linalg.lstsq(columns, y.numpy(), rcond=None)[0]
paths = {"all points": descend(7, 3000), "one point": descend(1, 1500), "three points": descend(3, 1500)}
print(f"\n{'normal equations':17} y = {best[0]:.3f} x + {best[1]:.3f}, mean squared error {loss(*best).item():.5f}")
for name, path in paths.items():
    print(f"{name + ' a step':17} y = {path[-1, 0]:.3f} x + {path[-1, 1]:.3f}, mean squared error {loss(*path[-1]).item():.5f}")

if out and find_spec("matplotlib"):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.5), layout="constrained")
    valley, line = figure.subplots(1, 2)
    slope, intercept = np.meshgrid(np.linspace(0, 1, 120), np.linspace(-0.8, 1.4, 120))
    height = (mg.tensor(slope[..., None] * x.numpy() + intercept[..., None]) - y).square().mean(axis=-1)
    valley.contourf(slope, intercept, np.log10(height.numpy()), 30, cmap="Blues_r")
    for (name, path), colour in reversed(list(zip(paths.items(), ("tab:red", "tab:orange", "tab:green"), strict=True))):
        valley.plot(*path.T, ".-", color=colour, markersize=3, linewidth=0.8, label=f"{name} a step")
    valley.plot(*best, "w*", markersize=12)
    valley.set(xlabel="slope", ylabel="intercept", title="log10 of the mean squared error, a point per epoch")
    valley.legend()
    line.plot(x, y, "ko")
    for (name, path), colour in zip(paths.items(), ("tab:red", "tab:orange", "tab:green"), strict=True):
        line.axline((0, path[-1, 1]), slope=path[-1, 0], color=colour, label=f"{name} a step")
    line.set(xlim=(2, 5.4), ylim=(1.4, 2.9), xlabel="x", ylabel="y", title="the points and the lines found")
    line.legend()
    out.mkdir(parents=True, exist_ok=True)
    figure.savefig(out / "line_fit.png", dpi=120)

assert np.allclose(by_rule, by_differences, rtol=1e-6)
assert np.allclose(paths["all points"][-1], best, atol=1e-3)
assert all(loss(*path[-1]).item() < loss(*best).item() * 1.02 for path in paths.values())
print("\nbackprop and differences agree; all three ways end within 2 percent of the least error: as expected")
