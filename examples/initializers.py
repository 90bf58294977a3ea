"""How large the first weights are decides whether a signal reaches the end of a deep net: ten layers, and the size of what leaves each.

    python initializers.py --out FOLDER      # and a picture: histograms of activations, layer by layer

Expected: zeros stay zeros, and all units of a layer are alike for ever; small normal weights let the signal fade to nothing; normal ones
of variance 1 saturate tanh and blow ReLU up. Variance 1/n (LeCun et al. 1998) and 2/(n + m) (Glorot and Bengio 2010) suit tanh, 2/n suits
ReLU (He et al. 2015), which loses half of its input; so do isometries (Saxe et al. 2014), and weights that are scaled until the variance
is 1, measured on data (LSUV, Mishkin and Matas 2016).
"""

import argparse
from importlib.util import find_spec
from pathlib import Path

import minigrad as mg
from minigrad import nn
from minigrad.nn import init

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--out", type=Path, help="a folder for the picture, which needs matplotlib")
out = parser.parse_args().out

DEPTH, WIDTH = 10, 256
SCHEMES = {
    "zeros": init.Zeros(),
    "normal 0.01": init.Normal(0, 0.01),
    "normal 1": init.Normal(0, 1),
    "LeCun normal": init.LecunNormal(),
    "LeCun uniform": init.LecunUniform(),
    "Xavier normal": init.XavierNormal(),
    "Xavier uniform": init.XavierUniform(),
    "He normal": init.KaimingNormal(nonlinearity="relu"),
    "He uniform": init.KaimingUniform(nonlinearity="relu"),
    "orthogonal": init.Orthogonal(),
    "orthogonal, gain sqrt 2": init.Orthogonal(init.calculate_gain("relu")),
    "LSUV": None,
}

mg.manual_seed(0)
x = mg.random.normal(size=(500, WIDTH))


def activations(scheme, kind):
    """What leaves each layer, and the largest entry of the gradient that comes back to the first weights."""
    layers = [part for _ in range(DEPTH) for part in (nn.Linear(WIDTH, WIDTH, init=scheme), kind())]
    model = nn.Sequential(*layers)
    if scheme is None:
        init.lsuv_(model, x)
    seen = []
    for module in model:
        if isinstance(module, kind):
            module.register_forward_hook(lambda module, inputs, output: seen.append(output.detach().numpy()))
    model(x).square().mean().backward()
    return seen, abs(model[0].weight.grad).max().item()


found = {(name, kind): activations(scheme, kind) for kind in (nn.Tanh, nn.ReLU) for name, scheme in SCHEMES.items()}
for kind in (nn.Tanh, nn.ReLU):
    print(f"\n{kind.__name__ + ', standard deviation':28} layer 1    layer 5   layer 10   steepest gradient")
    for name in SCHEMES:
        seen, gradient = found[name, kind]
        print(f"{name:25} " + " ".join(f"{seen[i].std():10.2e}" for i in (0, 4, 9)) + f"   {gradient:10.2e}")

if out and find_spec("matplotlib"):
    from matplotlib.figure import Figure

    shown = ["normal 0.01", "normal 1", "Xavier normal", "He normal", "LSUV"]
    figure = Figure(figsize=(13, 12), layout="constrained")
    rows = figure.subplots(2 * len(shown), 5)
    for axes, (name, kind) in zip(rows, [(name, kind) for kind in (nn.Tanh, nn.ReLU) for name in shown], strict=True):
        for ax, layer in zip(axes, (0, 2, 4, 6, 9), strict=True):
            a = found[name, kind][0][layer]
            ax.hist(a[a != 0] if kind is nn.ReLU else a.reshape(-1), 60, color="tab:blue" if kind is nn.Tanh else "tab:orange")
            ax.set_title(f"{kind.__name__}, {name}, layer {layer + 1}", fontsize=8)
            ax.set_yticks([])
            ax.tick_params(labelsize=7)
            ax.locator_params(axis="x", nbins=4)
    out.mkdir(parents=True, exist_ok=True)
    figure.savefig(out / "initializers.png", dpi=90)


def last(name, kind):
    return found[name, kind][0][-1].std()


assert last("zeros", nn.ReLU) == 0
assert last("normal 0.01", nn.ReLU) < 1e-6
assert last("normal 1", nn.ReLU) > 1e6
assert abs(found["normal 1", nn.Tanh][0][-1]).mean() > 0.9  # nearly all at +-1
assert all(0.2 < last(name, nn.Tanh) < 0.8 for name in SCHEMES if name.startswith(("LeCun", "Xavier")))
assert all(0.3 < last(name, nn.ReLU) < 3 for name in SCHEMES if name.startswith(("He", "LSUV")) or "sqrt" in name)
assert last("Xavier normal", nn.ReLU) < 0.1
print("\nXavier carries the signal through tanh, He, isometries and LSUV through ReLU, the others lose it: as expected")
