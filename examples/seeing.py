"""Twelve sigmoids that do not learn: seen, explained, mended, and the mend seen, too.

    python seeing.py --out FOLDER      # writes the pages of both nets and of their difference, and the gradients layer by layer

S. Hochreiter, "Untersuchungen zu dynamischen neuronalen Netzen", 1991: a gradient that passes through many sigmoids fades, as each takes at
least three quarters of it. Expected: ``debug.explain_grad`` finds that the first layer's gradient vanishes, and says in which op, with its
line; ``debug.diagnose`` says what to mend first; with ReLUs and layer norm instead, which the difference of the two graphs shows, the
gradient arrives and the net learns what the first one could not.
"""

import argparse
from pathlib import Path

import minigrad as mg
from minigrad import data, debug, nn, optim, viz
from minigrad.nn import functional as F

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--out", type=Path, help="a folder for pages and pictures")
out = parser.parse_args().out

mg.manual_seed(0)
images, labels = (t[:400] for t in data.Digits().tensors)


def net(layer, deep=12, wide=32):
    """Twelve equal blocks between a way in and a way out."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, wide), *[layer(wide) for _ in range(deep)], nn.Linear(wide, 10))


faulty = net(lambda wide: nn.Sequential(nn.Linear(wide, wide), nn.Sigmoid()))
mended = net(lambda wide: nn.Sequential(nn.LayerNorm(wide), nn.Linear(wide, wide), nn.ReLU()))


def graph_of(model):
    """What the model does to a batch, forward and backward, with values and gradients."""
    with viz.trace(values=True):
        loss = F.cross_entropy(model(images[:32]), labels[:32])
        loss.backward(retain_graph=True)
    model.zero_grad()
    return viz.graph(loss, mode="both")


def trained(model, steps=80):
    optimizer = optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
    return loss.item()


seen = graph_of(faulty)
print(seen.to_text())
why = debug.explain_grad(lambda: F.cross_entropy(faulty(images[:32]), labels[:32]), faulty[1].weight, faulty)
print(str(why).splitlines()[0], "\n")
found = debug.diagnose(faulty, F.cross_entropy, (images[:32], labels[:32]))
print(next(line for line in str(found).splitlines() if line.startswith("Verdict")), "\n")

other = graph_of(mended)
changes = seen.diff(other)
print("\n".join(changes.changes.splitlines()[:4]), "\n  ...\n")
healthy = debug.explain_grad(lambda: F.cross_entropy(mended(images[:32]), labels[:32]), mended[1].weight, mended)

if out:
    for name, graph in (("faulty", seen), ("mended", other), ("difference", changes)):
        print(graph.save(out / f"{name}.html"))

before, after = trained(faulty), trained(mended)
print(f"gradient of the first layer: {why.norm:.1e} with sigmoids, {healthy.norm:.1e} mended")
print(f"loss after 80 steps: {before:.3f} and {after:.3f}")
assert why.kind == "vanishes"
assert why.culprit.op == "sigmoid"
assert "seeing.py" in str(why.culprit.place)
assert healthy.norm > 1e4 * why.norm
assert before > 2.2 > 0.5 > after
print("the gradient vanished in the sigmoids, was found there, and the mended net learns: as expected")
