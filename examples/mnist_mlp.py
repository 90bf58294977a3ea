"""Two linear layers learn handwritten digits, with the training loop written out: all that minigrad does, once, in the open.

    python mnist_mlp.py --data FOLDER      # MNIST's IDX files; found by itself in $MINIGRAD_DATA/mnist

Without them it learns the small digits, 8x8, that come with minigrad, to 0.96. With the first 17,000 training images of MNIST and all
10,000 test images it read 0.966 of the latter right after 15 epochs, on two CPU cores in half a minute.
"""

import argparse
import sys

import minigrad as mg
from minigrad import data, nn, optim
from minigrad.nn import functional as F

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--data", help="a folder with MNIST's files, or with an excerpt in the same format")
parser.add_argument("--epochs", type=int, default=15)
parser.add_argument("--hidden", type=int, default=128, help="units between the layers")
parser.add_argument("--bound", type=float, default=0.9, help="the accuracy on the test images to be exceeded")
args = parser.parse_args()


def digits(folder):
    """Training and test set."""
    try:
        return data.MNIST(folder, download=False), data.MNIST(folder, train=False, download=False)
    except FileNotFoundError:
        if folder:
            raise
        return data.Digits(), data.Digits(train=False)


def accuracy(model, dataset):
    """The share of images whose highest score is at their label."""
    with mg.no_grad():  # nothing is recorded, as no gradient will be asked for
        right = [(model(x).argmax(axis=1) == y).sum().item() for x, y in data.DataLoader(dataset, batch_size=1000)]
    return sum(right) / len(dataset)


mg.manual_seed(0)
train, test = digits(args.data)
pixels = train[0][0].size
model = nn.Sequential(nn.Flatten(), nn.Linear(pixels, args.hidden), nn.ReLU(), nn.Linear(args.hidden, 10))
opt = optim.Adam(model.parameters(), lr=1e-3 if pixels > 64 else 3e-3)
print(f"{len(train)} images of {pixels} pixels to learn from, {len(test)} to be tested with\n{model}")

for epoch in range(1, args.epochs + 1):
    total = 0.0
    for x, y in data.DataLoader(train, batch_size=64, shuffle=True):
        loss = F.cross_entropy(model(x), y)  # forward: what is computed is recorded
        opt.zero_grad()
        loss.backward()  # the chain rule back through the record: p.grad of each parameter
        opt.step()  # a small step against the gradient
        total += loss.item() * len(y)
    print(f"epoch {epoch:2}   loss {total / len(train):.4f}   test accuracy {accuracy(model, test):.4f}", flush=True)

reached = accuracy(model, test)
print(f"test accuracy {reached:.4f}, to be above {args.bound}:", end=" ")
sys.exit("missed") if reached <= args.bound else print("reached")
