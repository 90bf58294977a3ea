"""A restricted Boltzmann machine learns digits without labels, and a second one on top of it makes a deep belief net.

    python rbm.py --out FOLDER      # and a picture: what the units look for, and digits that the net dreams

The energy of visible and hidden units is E(v, h) = -a.v - b.h - h.Wv; summed over all h it is the free energy F(v). Training lowers F at
the data and raises it at what k steps of Gibbs sampling make of them: contrastive divergence (Hinton, "Training products of experts by
minimizing contrastive divergence", 2002). The update rule, <v h> of the data minus <v h> of the samples, need not be derived: it is the
gradient of a difference of free energies, which backprop finds. Stacking: Hinton, Osindero and Teh, "A fast learning algorithm for deep
belief nets", 2006. Expected: digits have less free energy than noise of the same pixels; from 100 labels more is learned by what the
machine makes of an image than by its pixels.
"""

import argparse
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import minigrad as mg
from minigrad import data, nn, optim
from minigrad.nn import functional as F

bernoulli = mg.random.bernoulli  # ones with these probabilities, else zeros
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--out", type=Path, help="a folder for the picture, which needs matplotlib")
parser.add_argument("--k", type=int, default=1, help="steps of Gibbs sampling")
args = parser.parse_args()


class RBM(nn.Module):
    """Binary units, visible and hidden, each joined to all of the other kind."""

    def __init__(self, visible, hidden):
        super().__init__()
        self.weight = nn.Parameter(mg.random.normal(0, 0.05, (hidden, visible)))
        self.a, self.b = nn.Parameter(mg.zeros(visible)), nn.Parameter(mg.zeros(hidden))

    def free_energy(self, v):
        """-log of the sum of exp(-E(v, h)) over all h."""
        return -(v @ self.a) - F.softplus(F.linear(v, self.weight, self.b)).sum(axis=1)

    @mg.no_grad()
    def up(self, v):
        """The probability that each hidden unit is on."""
        return mg.sigmoid(F.linear(v, self.weight, self.b))

    @mg.no_grad()
    def down(self, h):
        """The probability that each visible unit is on."""
        return mg.sigmoid(F.linear(h, self.weight.mT, self.a))

    def gibbs(self, v, steps):
        """Draw h given v, and v given h, in turn."""
        for _ in range(steps):
            v = bernoulli(self.down(bernoulli(self.up(v))))
        return v

    def contrast(self, v, dreamt):
        """Its gradient is contrastive divergence."""
        return (self.free_energy(v) - self.free_energy(dreamt)).mean()

    def fit(self, v, epochs):
        """Lower the energy of the data, and raise that of what the machine makes of them."""
        opt = optim.SGD(self.parameters(), lr=0.1, momentum=0.5, weight_decay=2e-4)
        for _ in range(epochs):
            for (batch,) in data.DataLoader(data.TensorDataset(v), batch_size=32, shuffle=True):
                opt.zero_grad()
                self.contrast(batch, self.gibbs(batch, args.k)).backward()
                opt.step()


def read_out(x, y, x_test, y_test):
    """The accuracy of a linear layer on these features."""
    model = nn.Linear(x.shape[1], 10)
    opt = optim.Adam(model.parameters(), lr=0.02, weight_decay=1e-3)
    for _ in range(300):
        opt.zero_grad()
        F.cross_entropy(model(x), y).backward()
        opt.step()
    return (model(x_test).argmax(axis=1) == y_test).numpy().mean()


mg.manual_seed(0)
(images, labels), (test_images, test_labels) = ((x.reshape((-1, 64)), y) for x, y in (data.Digits(t).tensors for t in (True, False)))
black, test_black = (images > 0.5).astype("float32"), (test_images > 0.5).astype("float32")
first, second = RBM(64, 128), RBM(128, 128)

v, dreamt = black[:50], first.gibbs(black[:50], args.k)
by_backprop = mg.grad(first.contrast(v, dreamt), first.weight)[0]
by_the_rule = (first.up(dreamt).mT @ dreamt - first.up(v).mT @ v) / 50
first.fit(black, 25)
hidden, test_hidden = first.up(black), first.up(test_black)
second.fit(bernoulli(hidden), 10)
top, test_top = second.up(hidden), second.up(test_hidden)

noise = mg.tensor(np.random.default_rng(0).permuted(test_black.numpy(), axis=1))  # as many pixels, elsewhere
energies = [first.free_energy(x).numpy() for x in (test_black, noise)]
features = {"pixels": (black, test_black), "first machine": (hidden, test_hidden), "second machine": (top, test_top)}
accuracy = {name: read_out(x[:100], labels[:100], x_test, test_labels) for name, (x, x_test) in features.items()}
print(f"free energy of test digits {energies[0].mean():.1f}, of the same pixels shuffled {energies[1].mean():.1f}")
print("a linear layer from 100 labels: " + ", ".join(f"{name} {a:.3f}" for name, a in accuracy.items()))

if args.out and find_spec("matplotlib"):
    from matplotlib.figure import Figure

    dreams = first.down(second.gibbs(bernoulli(first.up(black[:16])), 200))  # long enough to forget where it began
    figure = Figure(figsize=(9, 9), layout="constrained")
    grid = figure.subplots(6, 8)
    for axes, image in zip(grid.flat, np.concatenate([first.weight.numpy()[:16], black.numpy()[:16], dreams.numpy()]), strict=True):
        axes.imshow(image.reshape(8, 8), cmap="gray")
        axes.set_axis_off()
    figure.suptitle("weights of units; digits; and what the net dreams, begun at these")
    args.out.mkdir(parents=True, exist_ok=True)
    figure.savefig(args.out / "rbm.png", dpi=100)

assert np.allclose(by_backprop.numpy(), by_the_rule.numpy(), atol=1e-5)
assert energies[0].mean() < energies[1].mean() - 10
assert min(accuracy["first machine"], accuracy["second machine"]) > accuracy["pixels"]
print("backprop finds Hinton's rule, digits have low energy, and their features need few labels: as expected")
