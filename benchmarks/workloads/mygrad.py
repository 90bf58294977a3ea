"""The workloads in MyGrad."""

import mygrad
from mygrad import nnet

from . import Training, batch
from .updates import adam, sgd


def chain(weights):
    x, y = (mygrad.tensor(a) for a in batch("chain"))

    def step():
        z = x
        for _ in range(20):
            z = z * y + x
        value = z.sum()
        value.backward()
        return value

    return Training(step)


def layers(name, activation, optimizer, weights):
    """A net of three linear layers with an activation between them."""
    start, update = optimizer
    x, y = batch(name)
    held = [weights, start(weights)]

    def step():
        p = {k: mygrad.tensor(a) for k, a in held[0].items()}
        h = activation(mygrad.matmul(x, p["0.weight"].T) + p["0.bias"])
        h = activation(mygrad.matmul(h, p["2.weight"].T) + p["2.bias"])
        value = nnet.losses.softmax_crossentropy(mygrad.matmul(h, p["4.weight"].T) + p["4.bias"], y)
        value.backward()
        held[:] = update(held[0], {k: t.grad for k, t in p.items()}, held[1])
        return value

    return Training(step)


def tiny_mlp(weights):
    return layers("tiny_mlp", mygrad.tanh, sgd(1e-3), weights)


def mlp(weights):
    return layers("mlp", nnet.activations.relu, adam(1e-3), weights)
