"""A perceptron learns AND and OR, and cannot learn XOR: F. Rosenblatt, "The perceptron", 1958; M. Minsky, S. Papert, "Perceptrons", 1969.

    python perceptron.py --out FOLDER      # and a picture: the points, and the lines that were tried

Rosenblatt's rule, "if the answer is wrong, add y x to the weights", is gradient descent on max(0, -y s) with s the score. Where a line
divides the classes it ends after finitely many mistakes (Novikoff 1962); XOR has no such line, three of four is the best there is, and
the weights go round in circles for ever. With a hidden layer it is easy: see xor.py.
"""

import argparse
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import minigrad as mg
from minigrad import nn, optim

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--out", type=Path, help="a folder for the picture, which needs matplotlib")
out = parser.parse_args().out

x = mg.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
problems = {"AND": [-1, -1, -1, 1], "OR": [-1, 1, 1, 1], "XOR": [-1, 1, 1, -1]}


def learn(labels, epochs=100):
    """Show the four points in turn until none is wrong. Returns how many mistakes there were, and what was right
    after each epoch, and the line after each mistake."""
    model = nn.Linear(2, 1, init=nn.init.Normal(0, 1, bias=nn.init.Normal(0, 1)))
    opt = optim.SGD(model.parameters(), lr=1.0)
    mistakes, right, lines = 0, [], []
    for _ in range(epochs):
        for point, label in zip(x, labels, strict=True):
            loss = nn.functional.relu(-label * model(point)).sum()
            if loss.item() > 0:
                mistakes += 1
                opt.zero_grad()
                loss.backward()  # -y x for the weights, -y for the bias: Rosenblatt's rule
                opt.step()
                lines.append([*model.weight[0].tolist(), model.bias.item()])
        right.append(int((mg.sign(model(x))[:, 0] == mg.tensor(labels)).sum().item()))
        if right[-1] == 4:
            break
    return mistakes, right, lines


mg.manual_seed(0)
found = {name: learn(labels) for name, labels in problems.items()}
for name, (mistakes, right, _) in found.items():
    print(f"{name:4} {max(right)} of 4 right at best, after {len(right):3} epochs and {mistakes:3} mistakes")

if out and find_spec("matplotlib"):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.6), layout="constrained")
    for axes, (name, (_, _, lines)) in zip(figure.subplots(1, 3), found.items(), strict=True):
        for i, (a, b, c) in enumerate(lines[-10:]):
            last = i + 1 == len(lines[-10:])
            across = np.linspace(-0.6, 1.6, 2)
            axes.plot(across, -(a * across + c) / b, color="tab:blue", alpha=1.0 if last and name != "XOR" else 0.25)
        positive = np.array(problems[name]) > 0
        axes.plot(*x.numpy()[positive].T, "o", color="tab:green", markersize=12, label="yes")
        axes.plot(*x.numpy()[~positive].T, "X", color="tab:red", markersize=12, label="no")
        axes.set(xlim=(-0.5, 1.5), ylim=(-0.5, 1.5), title=f"{name}, {len(lines)} mistakes", aspect="equal")
        axes.legend(loc="center", fontsize=7, markerscale=0.5)
    out.mkdir(parents=True, exist_ok=True)
    figure.savefig(out / "perceptron.png", dpi=120)

assert max(found["AND"][1]) == max(found["OR"][1]) == 4
assert max(found["XOR"][1]) <= 3
print("AND and OR were learned, XOR was not: as expected")
