"""Lasso against ridge: the L1 penalty makes weights exactly zero, the L2 penalty only small.

    python regularizers.py --out FOLDER      # and a picture: the weights, and why the corners of a diamond attract

Forty features, of which five matter, and 45 noisy samples. Expected: L1 (Tibshirani 1996) finds the five, and few others; by gradients
alone its weights swing about zero, while the proximal step (ISTA: Daubechies et al. 2004) puts them there, and what comes out satisfies
the conditions for a minimum: the slope is -lambda sign(w) where w is not 0, and at most lambda in size where it is. L2 (Hoerl and Kennard
1970) with its half, lambda/2 |w|^2, is SGD's weight decay, number for number; it pulls at the large weights most, which is no help where
few matter. A max-norm constraint (Srebro and Shraibman 2005) bounds the whole vector.
"""

import argparse
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import minigrad as mg
from minigrad import nn, optim
from minigrad.nn import functional as F
from minigrad.regularizers import L1, L2, ElasticNet, MaxNorm

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--out", type=Path, help="a folder for the picture, which needs matplotlib")
out = parser.parse_args().out

FEATURES, LAMBDA, RIDGE = 40, 0.1, 0.02
mg.set_default_dtype("float64")
rng = np.random.default_rng(0)
true = np.zeros(FEATURES)
true[:5] = [3, -2, 1.5, 1, -1]


def sample(n):
    """Features, and a noisy sum of five of them."""
    x = rng.normal(size=(n, FEATURES))
    return mg.tensor(x), mg.tensor(x @ true + rng.normal(0, 0.5, n))


(x, y), (x_test, y_test) = sample(45), sample(1000)


def loss_of(model, x, y):
    """Half the mean squared error: its slopes have no factor of 2."""
    return F.mse_loss(model(x)[:, 0], y) / 2


def fit(regularizer=None, weight_decay=0.0, steps=1500):
    """What Trainer(..., regularizers=[...]) does in each step, by hand."""
    model = nn.Linear(FEATURES, 1, bias=False, init=nn.init.Zeros())
    opt = optim.SGD(model.parameters(), lr=0.1, weight_decay=weight_decay)
    for _ in range(steps):
        loss = loss_of(model, x, y)
        penalty = regularizer and regularizer.penalty(model)
        opt.zero_grad()
        (loss if penalty is None else loss + penalty).backward()
        opt.step()
        if regularizer:
            regularizer.project(model, opt)
    return model


models = {
    "none": fit(),
    "L2": fit(L2(RIDGE)),
    "L2 as weight decay": fit(weight_decay=RIDGE),
    "L1 by gradients": fit(L1(LAMBDA)),
    "L1 by proximal steps": fit(L1(LAMBDA, proximal=True)),
    "elastic net, proximal": fit(ElasticNet(LAMBDA, 0.02, proximal=True)),
    "max-norm 3": fit(MaxNorm(3.0)),
}
weights = {name: model.weight.numpy()[0] for name, model in models.items()}
error = {name: 2 * loss_of(model, x_test, y_test).item() for name, model in models.items()}
print(f"{'':24} zeros   below 0.02   norm   test error")
for name, w in weights.items():
    print(f"{name:24} {(w == 0).sum():5}   {(abs(w) < 0.02).sum():10}   {np.linalg.norm(w):4.2f}   {error[name]:10.3f}")

if out and find_spec("matplotlib"):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4.2), layout="constrained")
    bars, diamond, circle = figure.subplots(1, 3, width_ratios=(1.4, 1, 1))
    for shift, name in ((-0.3, "none"), (0, "L2"), (0.3, "L1 by proximal steps")):
        bars.bar(np.arange(FEATURES) + shift, weights[name], 0.3, label=name)
    bars.set(xlabel="feature", title="weights")
    bars.legend()
    a, b = np.meshgrid(np.linspace(-1.2, 2.2, 341), np.linspace(-1.2, 2.2, 341))
    bowl = (a - 1.7) ** 2 + 1.5 * (b - 0.4) ** 2
    for axes, size, name in ((diamond, abs(a) + abs(b), "|a| + |b| <= 1"), (circle, np.hypot(a, b), "a^2 + b^2 <= 1")):
        axes.contour(a, b, bowl, 12, cmap="Blues_r")
        axes.contourf(a, b, size < 1 + 1e-9, (0.5, 1.5), colors="tab:orange", alpha=0.5)
        best = np.unravel_index(np.where(size < 1 + 1e-9, bowl, np.inf).argmin(), a.shape)
        axes.plot(a[best], b[best], "r*", markersize=14)
        axes.set(title=f"least loss with {name}", aspect="equal")
    out.mkdir(parents=True, exist_ok=True)
    figure.savefig(out / "regularizers.png", dpi=120)

lasso = models["L1 by proximal steps"]
slope = mg.grad(loss_of(lasso, x, y), lasso.weight)[0].numpy()[0]
at_zero = weights["L1 by proximal steps"] == 0
assert np.allclose(slope[~at_zero], -LAMBDA * np.sign(weights["L1 by proximal steps"][~at_zero]), atol=1e-6)
assert abs(slope[at_zero]).max() <= LAMBDA
assert at_zero.sum() > 20
assert not at_zero[:5].any()
assert (weights["L1 by gradients"] == 0).sum() == (weights["L2"] == 0).sum() == 0
assert np.allclose(weights["L2"], weights["L2 as weight decay"])
assert error["L1 by proximal steps"] < error["L2"]
assert np.linalg.norm(weights["max-norm 3"]) < 3.0001
print("L1 is at its minimum, with exact zeros; L2 has none, and is weight decay: as expected")
