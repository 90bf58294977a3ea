"""Recorded steps (`mg.capture`) against the same steps as they are, alternating in one process.

    python benchmarks/capture.py [names]

The ten steps of ``train.py``, and four small nets with dropout: an MLP, a CNN, an LSTM and a GPT. Printed are the medians of the
rounds in ms, and how many times the recorded step's time the other takes, with the quartiles over the rounds.
"""

import argparse
from statistics import median

import numpy as np

import minigrad as mg
from minigrad import nn, optim
from minigrad.nn import functional as F


class SmallLSTM(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.lstm, self.drop, self.head = (
            nn.Embedding(30, 16),
            nn.LSTM(16, 16, batch_first=True),
            nn.Dropout(0.1),
            nn.Linear(16, 30),
        )

    def forward(self, x):
        return self.head(self.drop(self.lstm(self.embedding(x))[0]))


class SmallGPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.head = nn.Embedding(30, 16), nn.Linear(16, 30)
        self.block = nn.TransformerEncoderLayer(16, 2, 32, 0.1, batch_first=True)

    def forward(self, x):
        return self.head(self.block(self.embedding(x)))


def nets():
    """By name: a small model and a batch for it."""
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 30, (8, 12))
    mlp = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 4))
    cnn = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.1), nn.Linear(36, 4))
    return {
        "small_mlp": (mlp, rng.normal(size=(16, 8)).astype("float32"), rng.integers(0, 4, 16)),
        "small_cnn": (cnn, rng.normal(size=(8, 1, 8, 8)).astype("float32"), rng.integers(0, 4, 8)),
        "small_lstm": (SmallLSTM(), ids, ids),
        "small_gpt": (SmallGPT(), ids, ids),
    }


def small(name):
    mg.manual_seed(0)
    model, x, y = nets()[name]
    x, y, optimizer = mg.tensor(x), mg.tensor(y), optim.Adam(model.parameters(), lr=1e-3)

    def step():
        optimizer.zero_grad()
        out = model(x)
        loss = F.cross_entropy(out.reshape((-1, out.shape[-1])), y.reshape(-1))
        loss.backward()
        optimizer.step()
        return loss

    return step


def main() -> None:
    from agreement import start
    from timing import alternate, quartiles
    from workloads import NAMES

    known = [*nets(), *NAMES]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=f"default: all of {', '.join(known)}")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.15, help="how long a turn takes")
    args = parser.parse_args()
    if unknown := set(args.names) - set(known):
        parser.error(f"unknown {sorted(unknown)}; there are {', '.join(known)}")
    print(f"{'step':12}{'as it is':>10}{'recorded':>10}{'ratio':>8}   quartiles")
    for name in args.names or known:
        make = (lambda name=name: start(name)[0].step) if name in NAMES else (lambda name=name: small(name))
        times = alternate({"as it is": make(), "recorded": mg.capture(make())}, None, args.rounds, args.seconds)
        ms = {k: median(t) * 1e3 for k, t in times.items()}
        low, high = quartiles(times["as it is"], times["recorded"])
        print(
            f"{name:12}{ms['as it is']:10.3f}{ms['recorded']:10.3f}{ms['as it is'] / ms['recorded']:8.2f}   {low:.2f} - {high:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
