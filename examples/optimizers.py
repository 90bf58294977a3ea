"""A race of optimizers, down a winding valley and away from a saddle point; after the animations of A. Radford, 2014.

    python optimizers.py --out FOLDER      # and a picture of the paths, and the race as an animation

Expected: plain gradient descent (Cauchy 1847) is slow where the ground is flat; momentum (Polyak 1964) and its look-ahead form (Nesterov
1983) gather speed, and overshoot; the adaptive ones (AdaGrad 2011, AdaDelta 2012, RMSProp 2012, Adam 2015, with corrected bias) take
steps of about the same length along every axis, and so leave the saddle, where the gradient is small, at once. Each has a rate that suits
it in both races: it shows how they move, and not which is best. AdaDelta, whose steps do not become shorter, circles at the end of the
valley without coming to rest.
"""

import argparse
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import minigrad as mg
from minigrad import optim

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--out", type=Path, help="a folder for the pictures, which need matplotlib")
out = parser.parse_args().out


def beale(x, y):
    """A flat valley that turns, and walls that rise steeply: least at (3, 1/2), where it is 0 (Beale 1958)."""
    return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2


def saddle(x, y):
    """A pass at (0, 0), and two basins at (0, 1) and (0, -1), where it is 0."""
    return x**2 / 2 - y**2 / 2 + y**4 / 4 + 0.25


COURSES = {"valley": (beale, (1.0, 1.5), 700), "saddle": (saddle, (1.0, 1e-2), 1200)}
RACERS = {
    "SGD": lambda p: optim.SGD(p, lr=0.005),
    "momentum": lambda p: optim.SGD(p, lr=0.005, momentum=0.9),
    "Nesterov": lambda p: optim.SGD(p, lr=0.005, momentum=0.9, nesterov=True),
    "AdaGrad": lambda p: optim.Adagrad(p, lr=0.5),
    "AdaDelta": lambda p: optim.Adadelta(p, lr=1.0, eps=1e-4),
    "RMSProp": lambda p: optim.RMSprop(p, lr=0.02),
    "Adam": lambda p: optim.Adam(p, lr=0.1),
    "AdamW": lambda p: optim.AdamW(p, lr=0.1, weight_decay=1e-3),
    "NAdam": lambda p: optim.NAdam(p, lr=0.1),
}


def run(f, start, steps, racer):
    """Where the racer is after each step."""
    p = [mg.tensor(v, requires_grad=True) for v in start]
    opt, path = racer(p), [start]
    for _ in range(steps):
        opt.zero_grad()
        f(*p).backward()
        opt.step()
        path.append((p[0].item(), p[1].item()))
    return np.array(path)


def arrival(f, path, near=0.01):
    """The step after which the height stays below ``near``; infinity if there is none."""
    far = np.flatnonzero(f(*path.T) >= near)[-1] + 1
    return far if far < len(path) else np.inf


paths = {(course, name): run(*COURSES[course], racer) for course in COURSES for name, racer in RACERS.items()}
arrived = {(course, name): arrival(COURSES[course][0], path) for (course, name), path in paths.items()}
print(f"{'steps until 0.01 above the lowest point':42} valley   saddle")
for name in RACERS:
    print(f"{name:42} " + "   ".join(f"{arrived[course, name]:6}" for course in COURSES))

if out and find_spec("matplotlib"):
    from matplotlib.animation import FuncAnimation, PillowWriter
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 5), layout="constrained")
    FigureCanvasAgg(figure)
    moving = []
    windows = ((-0.5, 4.2, -2.0, 2.0), (-1.2, 1.2, -1.4, 1.4))
    for axes, (course, (f, _, _)), (left, right, low, high) in zip(figure.subplots(1, 2), COURSES.items(), windows, strict=True):
        x, y = np.meshgrid(np.linspace(left, right, 200), np.linspace(low, high, 200))
        axes.contourf(x, y, np.log10(f(x, y) + 0.01), 30, cmap="Greys_r")
        for name in RACERS:
            (line,) = axes.plot(*paths[course, name].T, linewidth=1.5, label=name)
            (dot,) = axes.plot(*paths[course, name][-1], "o", color=line.get_color())
            moving.append((line, dot, paths[course, name]))
        axes.set(xlim=(left, right), ylim=(low, high), title=course)
    axes.legend(fontsize=8)
    out.mkdir(parents=True, exist_ok=True)
    figure.savefig(out / "optimizers.png", dpi=120)

    def draw(step):
        for line, dot, path in moving:
            line.set_data(*path[: step + 1].T)
            dot.set_data(*path[min(step, len(path) - 1)][:, None])

    FuncAnimation(figure, draw, frames=range(0, 160, 5)).save(out / "optimizers.gif", PillowWriter(fps=10), dpi=70)

valley, saddled = ({name: arrived[course, name] for name in RACERS} for course in COURSES)
assert max(valley["momentum"], valley["Nesterov"]) < valley["SGD"] / 2
assert max(saddled["momentum"], saddled["Nesterov"]) < saddled["SGD"] / 2
assert all(saddled[name] < saddled["SGD"] / 5 for name in ("AdaGrad", "AdaDelta", "RMSProp", "Adam", "AdamW", "NAdam"))
print("momentum is quicker than plain descent in both races, the adaptive ones leave the saddle first: as expected")
