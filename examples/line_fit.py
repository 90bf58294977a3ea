"""Fit a line to seven points by gradient descent, and check the gradient against a numerical one."""

import minigrad as mg
from minigrad.testing import gradcheck

x = mg.tensor([2.4, 2.8, 3.2, 3.6, 4.0, 4.2, 5.0])
y = mg.tensor([1.7, 1.85, 1.79, 1.95, 2.1, 2.0, 2.7])
slope = mg.tensor(0.0, requires_grad=True)
intercept = mg.tensor(0.0, requires_grad=True)


def loss(a, b):
    return ((a * x + b - y) ** 2).mean()


assert gradcheck(loss, (slope, intercept))

for _step in range(5000):
    value = loss(slope, intercept)
    value.backward()
    with mg.no_grad():
        for p in (slope, intercept):
            p.sub_(0.05 * p.grad)
            p.grad = None

print(f"y = {slope.item():.3f} x + {intercept.item():.3f}, mean squared error {value.item():.4f}")
assert value.item() < 0.02
