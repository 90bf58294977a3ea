"""What a model becomes depends on its loss: train on one, and watch the others.

    python losses.py --out FOLDER      # and a picture: the points, and the line that each loss finds

A line is fitted to 60 points, of which five have been measured wrongly. Expected: each loss is smallest where it was trained on, the
diagonal of the table; the squared error, which is about means, is pulled away from the true line, and the absolute error, about medians,
is not (Laplace 1818); Huber's ("Robust estimation of a location parameter", 1964) and log cosh, squares near 0 and absolute values far
from it, are in between. Likewise a classifier: what is trained on is the cross entropy, what is wanted is accuracy, and once all are
right the one still falls while the other stands.
"""

import argparse
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import minigrad as mg
from minigrad import data, metrics, nn, optim
from minigrad.train import Trainer

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--out", type=Path, help="a folder for the picture, which needs matplotlib")
out = parser.parse_args().out

TRUE = (1.5, -0.5)  # slope and intercept
LOSSES = {"squared": nn.MSELoss(), "absolute": nn.L1Loss(), "Huber": nn.HuberLoss(delta=0.2), "log cosh": nn.LogCoshLoss()}

mg.manual_seed(0)
rng = np.random.default_rng(0)
x = np.linspace(-1, 1, 60, dtype=np.float32)[:, None]
y = (TRUE[0] * x + TRUE[1] + rng.normal(0, 0.1, x.shape)).astype(np.float32)
wrong = (np.arange(len(x)) % 6 == 5) & (x[:, 0] < 0)
y[wrong] += 3
x, y = mg.tensor(x), mg.tensor(y)


def fit(loss, steps=600):
    """Fit a line, with steps that become shorter, as the absolute error has no smooth bottom."""
    model = nn.Linear(1, 1, init=nn.init.Zeros())
    opt = optim.Adam(model.parameters(), lr=0.05)
    rate = optim.lr_scheduler.CosineAnnealingLR(opt, T_max=steps)
    for _ in range(steps):
        opt.zero_grad()
        loss(model(x), y).backward()
        opt.step()
        rate.step()
    return model


models = {name: fit(loss) for name, loss in LOSSES.items()}
with mg.no_grad():
    watched = {(a, b): loss(model(x), y).item() for a, model in models.items() for b, loss in LOSSES.items()}
astray = {name: abs(m.weight.item() - TRUE[0]) + abs(m.bias.item() - TRUE[1]) for name, m in models.items()}
print("trained on   " + "".join(f"{name:>10}" for name in LOSSES) + "   off the true line by")
for a in LOSSES:
    print(f"{a:12} " + "".join(f"{watched[a, b]:10.4f}" for b in LOSSES) + f"   {astray[a]:.3f}")

model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))
trainer = Trainer(model, nn.CrossEntropyLoss(), optim.Adam(model.parameters(), lr=0.05), metrics=metrics.Accuracy(), progress=False)
history = trainer.fit(data.Moons(200, noise=0.05), epochs=40)
print("\ntwo moons: trained on cross entropy, watching accuracy")
for row in history.rows[4::7]:
    print(f"epoch {row['epoch']:2}   cross entropy {row['loss']:.4f}   accuracy {row['accuracy']:.3f}")

if out and find_spec("matplotlib"):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    lines, course = figure.subplots(1, 2)
    lines.plot(x[~wrong], y[~wrong], "k.", label="measured well")
    lines.plot(x[wrong], y[wrong], "rx", label="measured wrongly")
    for name, m in models.items():
        lines.plot(x, m(x).detach(), label=name)
    lines.legend(fontsize=8)
    course.semilogy(history["loss"], label="cross entropy, trained on")
    course.semilogy(history["accuracy"], label="accuracy, watched")
    course.set(xlabel="epoch")
    course.legend()
    out.mkdir(parents=True, exist_ok=True)
    figure.savefig(out / "losses.png", dpi=120)

assert all(min(LOSSES, key=lambda a: watched[a, b]) == b for b in LOSSES)
assert astray["absolute"] < 0.1 < astray["squared"]
assert history["accuracy"][-1] == 1.0
assert history["loss"][-1] < history["loss"][-11] / 1.5
assert history["accuracy"][-11] > 0.98
print("each loss is smallest where it was trained on; outliers move the mean, not the median: as expected")
