"""Cost of one recorded operation over NumPy, and of a chain of 41 operations forward and backward, against the peers.

    python benchmarks/overhead.py [--rounds 15]

Arrays are 8x8 float32: what is measured is the bookkeeping.
"""

import argparse
import importlib.util
from statistics import median

import numpy as np
from timing import alternate, ratio

import minigrad as mg

BUDGET = {"add": 0.8, "mul": 0.8, "exp": 0.8, "reshape": 0.8, "matmul": 1.0, "sum": 1.0}
"""Microseconds that a recorded op may cost over NumPy."""


def operations(rounds):
    a, b = np.ones((8, 8), "f"), np.ones((8, 8), "f")
    x, y = mg.tensor(a, requires_grad=True), mg.tensor(b, requires_grad=True)
    pairs = {
        "add": (lambda: a + b, lambda: x + y),
        "mul": (lambda: a * b, lambda: x * y),
        "exp": (lambda: np.exp(a), lambda: mg.exp(x)),
        "reshape": (lambda: a.reshape((64,)), lambda: x.reshape((64,))),
        "matmul": (lambda: a @ b, lambda: x @ y),
        "sum": (lambda: a.sum(), lambda: x.sum()),
    }
    torch = _torch()
    print(f"{'op':8} {'NumPy':>8} {'minigrad':>9} {'over':>7} {'budget':>7}" + (f" {'PyTorch':>8}" if torch else "") + "   [us]")
    for name, (plain, recorded) in pairs.items():
        candidates = {"numpy": plain, "minigrad": recorded}
        if torch:
            p, q = torch.ones(8, 8, requires_grad=True), torch.ones(8, 8, requires_grad=True)
            candidates["torch"] = {
                "add": lambda p=p, q=q: p + q,
                "mul": lambda p=p, q=q: p * q,
                "exp": lambda p=p: p.exp(),
                "reshape": lambda p=p: p.reshape(64),
                "matmul": lambda p=p, q=q: p @ q,
                "sum": lambda p=p: p.sum(),
            }[name]
        times = alternate(candidates, 5000, rounds)
        t = {k: median(v) * 1e6 for k, v in times.items()}
        over = median([m - n for m, n in zip(times["minigrad"], times["numpy"], strict=True)]) * 1e6
        verdict = "ok" if over <= BUDGET[name] else "OVER"
        last = f" {t['torch']:8.2f}" if torch else ""
        print(f"{name:8} {t['numpy']:8.2f} {t['minigrad']:9.2f} {over:7.2f} {BUDGET[name]:7.1f}{last}   {verdict}")


def chain(x, y):
    z = x
    for _ in range(20):
        z = z * y + x
    return z


def _torch():
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    torch.set_num_threads(2)
    return torch


def chains(rounds):
    a, b = np.full((8, 8), 0.5, "f"), np.full((8, 8), 0.5, "f")
    x, y = mg.tensor(a, requires_grad=True), mg.tensor(b, requires_grad=True)

    def ours():
        chain(x, y).sum().backward()
        x.grad = y.grad = None

    candidates = {"minigrad": ours, "NumPy, forward only": lambda: chain(a, b).sum()}
    if torch := _torch():
        p = torch.full((8, 8), 0.5, requires_grad=True)
        q = torch.full((8, 8), 0.5, requires_grad=True)

        def theirs():
            chain(p, q).sum().backward()
            p.grad = q.grad = None

        candidates["PyTorch eager"] = theirs
    if importlib.util.find_spec("autograd"):
        import autograd

        slope = autograd.grad(lambda t: chain(t[0], t[1]).sum())
        candidates["autograd"] = lambda: slope((a, b))
    if importlib.util.find_spec("mygrad"):
        import mygrad

        u, v = mygrad.tensor(a), mygrad.tensor(b)

        def mygrads():
            chain(u, v).sum().backward()

        candidates["MyGrad"] = mygrads
    times = alternate(candidates, 100, rounds)
    print(f"\n{'41-op chain, forward and backward':36} {'us per op':>10} {'times minigrad':>15}   [least, greatest]")
    for name, t in times.items():
        m, low, high = ratio(t, times["minigrad"])
        print(f"{name:36} {median(t) * 1e6 / 41:10.2f} {m:15.2f}   [{low:.2f}, {high:.2f}]")
    for name in ("torch", "autograd", "mygrad"):
        if importlib.util.find_spec(name) is None:
            print(f"({name} is not installed and was left out)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    operations(rounds)
    chains(rounds)
