"""Three ways in which an activation can stop a net from learning: it saturates, its units die, its slopes fade with depth.

    python activations.py --out FOLDER      # and a picture: the functions, their slopes, and gradients through thirty layers

Seen: 1. Far from 0 the slope of sigmoid and tanh is next to nothing (LeCun et al., "Efficient BackProp", 1998). 2. ReLU units whose bias
is far too low, as after a step that was too long, are dead: they answer 0 to every image, get no gradient, and never come back; leaky
ones do (Maas et al. 2013). 3. With the same weights of variance 1/n, sigmoid's gradients all but vanish within thirty layers, tanh's do
not (Glorot and Bengio 2010); ReLU loses half of the variance in each layer, which He et al. 2015 put into the weights; SELU loses none
(Klambauer et al. 2017).
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

FUNCTIONS = {
    "sigmoid": nn.Sigmoid(),
    "tanh": nn.Tanh(),
    "softplus": nn.Softplus(),
    "ReLU": nn.ReLU(),
    "leaky ReLU": nn.LeakyReLU(0.01),
    "PReLU": nn.PReLU(),
    "ELU": nn.ELU(),
    "SELU": nn.SELU(),
    "GELU": nn.GELU(),
    "SiLU": nn.SiLU(),
}


def slopes(f, at):
    """The derivative of f at each place."""
    places = mg.tensor(at, requires_grad=True)
    return mg.grad(f(places).sum(), places)[0].numpy()


def fading(f, depth=30, width=100, initial=nn.init.LecunNormal):
    """The norm of the gradient at each layer of a deep net, seen from the last."""
    mg.manual_seed(0)
    h, seen = mg.random.normal(size=(200, width)).requires_grad_(), []
    for _ in range(depth):
        seen.append(h)
        h = f(nn.Linear(width, width, init=initial())(h))
    norms = [mg.linalg.norm(g).item() for g in mg.grad((h * mg.random.normal(size=h.shape)).sum(), seen)]
    return np.array(norms) / norms[-1]


def dying(f, bias, epochs=4):
    """Train on the digits, with biases that start there; the share of hidden units that answer to no image, and the accuracy."""
    mg.manual_seed(0)
    images, labels = data.Digits().tensors
    hidden = nn.Sequential(nn.Flatten(), nn.Linear(64, 100, init=nn.init.KaimingUniform(bias=bias)), f)
    model = nn.Sequential(hidden, nn.Linear(100, 10))
    opt = optim.Adam(model.parameters(), lr=0.01)
    for _ in range(epochs):
        for x, y in data.DataLoader(data.TensorDataset(images, labels), batch_size=32, shuffle=True):
            opt.zero_grad()
            F.cross_entropy(model(x), y).backward()
            opt.step()
    with mg.no_grad():
        answers = hidden(images).numpy()
        return (answers.max(0) <= 0).mean(), (model(images).argmax(axis=1) == labels).numpy().mean()


print("1. slopes       at -8       at 0       at 8      3. gradient at the first of 30 layers over that at the last")
fade = {name: fading(f) for name, f in FUNCTIONS.items()} | {"ReLU, He": fading(nn.ReLU(), initial=nn.init.KaimingNormal)}
for name, f in FUNCTIONS.items():
    print(f"   {name:10} " + " ".join(f"{s:10.5f}" for s in slopes(f, [-8.0, 0.0, 8.0])) + f"      {fade[name][0]:.1e}")
print(f"   {'ReLU with the weights of He 2015, of variance 2/n':50}{fade['ReLU, He'][0]:.1e}")

print("\n2. units that answer to no image")
dead = {}
for name, f, bias in (("ReLU", nn.ReLU(), 0.0), ("ReLU", nn.ReLU(), -3.0), ("leaky ReLU", nn.LeakyReLU(0.1), -3.0)):
    dead[name, bias], accuracy = dying(f, bias)
    print(f"   {name:10} with biases that started at {bias:4}: {dead[name, bias]:4.0%}, accuracy {accuracy:.2f}")

if out and find_spec("matplotlib"):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 4.2), layout="constrained")
    values, rates, layers = figure.subplots(1, 3)
    at = np.linspace(-5, 5, 401, dtype=np.float32)
    for name, f in FUNCTIONS.items():
        values.plot(at, f(mg.tensor(at)).detach(), label=name)
        rates.plot(at, slopes(f, at))
    for name, norms in fade.items():
        layers.semilogy(norms, "--" if "He" in name else "-", label=name)
    values.set(title="activations", ylim=(-2, 3))
    rates.set(title="their slopes")
    layers.set(title="norm of the gradient, over that at the last layer", xlabel="layer")
    values.legend(fontsize=8)
    layers.legend(fontsize=8)
    out.mkdir(parents=True, exist_ok=True)
    figure.savefig(out / "activations.png", dpi=120)

assert slopes(F.sigmoid, [8.0])[0] < 1e-3
assert slopes(F.tanh, [8.0])[0] < 1e-3 < slopes(F.relu, [8.0])[0]
assert fade["sigmoid"][0] < 1e-12 < fade["tanh"][0]
assert fade["ReLU"][0] < 1e-3
assert 0.1 < fade["SELU"][0] < 10
assert 0.1 < fade["ReLU, He"][0] < 10
assert dead["ReLU", -3.0] == 1.0
assert dead["ReLU", 0.0] < 0.3
assert dead["leaky ReLU", -3.0] < 0.1
print("sigmoid fades, ReLU dies, SELU and He's weights carry the gradient through: as expected")
