"""The workloads in autograd."""

import autograd.numpy as np
from autograd import value_and_grad
from autograd.scipy.special import logsumexp

from . import Training, batch
from .updates import adam, sgd


def chain(weights):
    data = batch("chain")

    def loss(data):
        x, y = data
        z = x
        for _ in range(20):
            z = z * y + x
        return np.sum(z)

    slopes = value_and_grad(loss)
    return Training(lambda: slopes(data)[0])


def layers(name, activation, optimizer, weights):
    """A net of three linear layers with an activation between them."""
    start, update = optimizer
    x, y = batch(name)
    rows = np.arange(len(y))
    held = [weights, start(weights)]

    def loss(p):
        h = activation(x @ p["0.weight"].T + p["0.bias"])
        h = activation(h @ p["2.weight"].T + p["2.bias"])
        z = h @ p["4.weight"].T + p["4.bias"]
        return np.mean(logsumexp(z, axis=1) - z[rows, y])

    slopes = value_and_grad(loss)

    def step():
        value, g = slopes(held[0])
        held[:] = update(held[0], g, held[1])
        return value

    return Training(step)


def tiny_mlp(weights):
    return layers("tiny_mlp", np.tanh, sgd(1e-3), weights)


def mlp(weights):
    return layers("mlp", lambda a: np.maximum(a, 0), adam(1e-3), weights)
