"""A perceptron cannot learn XOR; one hidden layer can."""

import minigrad as mg
from minigrad import nn, optim
from minigrad.nn import functional as F

mg.manual_seed(0)
x = mg.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
targets = {"AND": [0, 0, 0, 1], "OR": [0, 1, 1, 1], "XOR": [0, 1, 1, 0]}


def learn(model, labels):
    y = mg.tensor(labels)
    opt = optim.Adam(model.parameters(), lr=0.05)
    for _ in range(400):
        opt.zero_grad()
        F.cross_entropy(model(x), y).backward()
        opt.step()
    return (model(x).argmax(axis=1) == y).astype("float32").mean().item()


for name, labels in targets.items():
    one = learn(nn.Linear(2, 2), labels)
    two = learn(nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2)), labels)
    print(f"{name:4} perceptron {one:.2f}   one hidden layer {two:.2f}")
    assert two == 1.0
    assert (one == 1.0) == (name != "XOR")
