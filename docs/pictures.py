"""Make the pictures of the README and the docs: ``python docs/pictures.py [FOLDER]``. CI runs it into a temporary folder."""

import sys
from pathlib import Path

import minigrad as mg


def readme_graph():
    """One neuron and its squared error."""
    x = mg.tensor([[0.5, -1.0, 2.0]])
    w = mg.tensor([[0.1], [0.2], [0.3]], requires_grad=True)
    b = mg.tensor([0.5], requires_grad=True)
    loss = ((mg.tanh(x @ w + b) - 1.0) ** 2).sum()
    return mg.viz.graph(loss, params={"w": w, "b": b})


def main(folder):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    print(readme_graph().save(folder / "graph.svg"))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "pictures")
