"""The demonstration: a small convolutional net learns handwritten digits. Read it as an example of how minigrad is used."""

import csv
import importlib.util
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import minigrad as mg
from minigrad import data, nn, optim, viz
from minigrad.nn import functional as F
from minigrad.viz.curve import save_curve


class Net(nn.Module):
    """Two convolutions, a pooling, one linear layer. Works for images of any size that is even."""

    def __init__(self, size: int = 8, classes: int = 10):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.drop = nn.Dropout(0.25)
        self.out = nn.Linear(32 * (size // 2) ** 2, classes)

    def forward(self, x: Any) -> Any:
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = F.flatten(F.max_pool2d(x, 2), 1)
        return self.out(self.drop(x))


def evaluate(model: nn.Module, dataset: data.Dataset) -> tuple[float, float]:
    """The mean loss and the accuracy on a dataset."""
    model.eval()
    loss, right = 0.0, 0
    with mg.no_grad():
        for images, labels in data.DataLoader(dataset, batch_size=512):
            scores = model(images)
            loss += F.cross_entropy(scores, labels, reduction="sum").item()
            right += int((scores.data.argmax(1) == labels.data).sum())
    model.train()
    return loss / len(dataset), right / len(dataset)


def train(model: nn.Module, train_set: Any, test_set: Any, epochs: int, lr: float = 2e-3, batch_size: int = 32) -> list[dict]:
    """Fit the model; one record of losses and accuracies per epoch."""
    loader = data.DataLoader(train_set, batch_size=batch_size, shuffle=True)
    optimizer = optim.Adam(model.named_parameters(), lr=lr)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=max(epochs, 1))
    history = []
    for epoch in range(1, epochs + 1):
        start, total, right = time.perf_counter(), 0.0, 0
        for images, labels in progress(loader, f"epoch {epoch}/{epochs}"):
            scores = model(images)
            loss = F.cross_entropy(scores, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(labels)
            right += int((scores.data.argmax(1) == labels.data).sum())
        schedule.step()
        n = len(train_set)
        test_loss, test_accuracy = evaluate(model, test_set)
        seconds = time.perf_counter() - start
        row = {"epoch": epoch, "loss": total / n, "accuracy": right / n, "test_loss": test_loss, "test_accuracy": test_accuracy}
        history.append(row)
        print(
            f"epoch {epoch:2d}/{epochs}  loss {row['loss']:.4f}  accuracy {row['accuracy']:.4f}  "
            f"test loss {test_loss:.4f}  test accuracy {test_accuracy:.4f}  {seconds:.1f} s",
            flush=True,
        )
    return history


def progress(batches: Any, title: str) -> Iterable:
    """A bar over the batches, where tqdm is installed and someone is watching."""
    if sys.stderr.isatty() and importlib.util.find_spec("tqdm"):
        from tqdm import tqdm

        return tqdm(batches, desc=title, leave=False)
    return batches


def run(dataset: str = "digits", epochs: int | None = None, out: Any = "minigrad-demo", seed: int = 0) -> float:
    """Train, and write what came of it into a folder. Returns the accuracy on the test set.

    Args:
        dataset: "digits" (8x8, comes with the package) or "mnist" (28x28, downloaded once).
        epochs: how often to go through the training set; default: 20 for digits, 1 for MNIST.
        out: the folder, made if need be.
        seed: fixes the initial weights, the order of the images and the dropout.
    """
    start = time.perf_counter()
    mg.manual_seed(seed)
    kinds = {"digits": (data.Digits, 20), "mnist": (data.MNIST, 1)}
    if dataset not in kinds:
        raise ValueError(f"demo: dataset must be one of {sorted(kinds)}, got {dataset!r}")
    kind, usual = kinds[dataset]
    train_set, test_set = kind(train=True), kind(train=False)
    size = train_set.tensors[0].shape[-1]
    model = Net(size)
    parameters = sum(p.size for p in model.parameters())
    print(f"{dataset}: {len(train_set)} images to train on, {len(test_set)} to test with\n{model}\n{parameters} parameters")

    history = train(model, train_set, test_set, usual if epochs is None else epochs)

    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    files = write(folder, model, train_set, history)
    accuracy = history[-1]["test_accuracy"] if history else evaluate(model, test_set)[1]
    seconds = time.perf_counter() - start
    (folder / "report.txt").write_text(
        f"minigrad {mg.__version__}, {dataset}, seed {seed}, {len(history)} epochs\n{model}\n{parameters} parameters\n"
        f"test accuracy {accuracy:.4f}\n"
    )
    print(f"test accuracy {accuracy:.4f} after {seconds:.1f} s")
    print(f"in {folder.resolve()}: {', '.join([*files, 'report.txt'])}")
    return accuracy


def write(folder: Path, model: Net, dataset: Any, history: list[dict]) -> list[str]:
    """Weights, the graph of one loss, and the curves; the names of the files."""
    mg.save(model.state_dict(), folder / "weights.safetensors")
    images, labels = dataset.batch(slice(0, 4))
    with viz.trace(values=True):
        loss = F.cross_entropy(model(images), labels)
        loss.backward(retain_graph=True)
    drawing = viz.graph(loss, mode="both")
    files = ["weights.safetensors", *[drawing.save(folder / f"graph.{ending}").name for ending in ("html", "svg", "dot")]]
    if history:
        with open(folder / "metrics.csv", "w", newline="") as f:
            table = csv.DictWriter(f, list(history[0]))
            table.writeheader()
            table.writerows(history)
        curves = {"training": [r["loss"] for r in history], "test": [r["test_loss"] for r in history]}
        files += ["metrics.csv", save_curve(folder / "curve", curves, x="epoch", y="loss").name]
    return files
