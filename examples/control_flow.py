"""Define by run: the graph is whatever Python did. A loop with a data-dependent end, differentiated to second order."""

import minigrad as mg


def newton_sqrt(a):
    """Square root by Newton's iteration, as many steps as it takes."""
    y = a
    while abs((y * y - a).item()) > 1e-12:
        y = (y + a / y) * 0.5
    return y


a = mg.tensor(2.0, requires_grad=True, dtype="float64")
root = newton_sqrt(a)
(slope,) = mg.grad(root, a, create_graph=True)
(curve,) = mg.grad(slope, a)
print(f"sqrt(2) = {root.item():.6f}, slope {slope.item():.6f}, curvature {curve.item():.6f}")
assert abs(slope.item() - 0.5 / 2**0.5) < 1e-9
assert abs(curve.item() + 0.25 / 2**1.5) < 1e-6
