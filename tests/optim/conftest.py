"""Every optimizer with a setting or two that gives it all of its state, and a small net to try it on."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim

METHODS = {
    "SGD": {"lr": 0.05},
    "SGD with momentum": {"lr": 0.01, "momentum": 0.9, "dampening": 0.1, "weight_decay": 0.01},
    "SGD with Nesterov's": {"lr": 0.01, "momentum": 0.9, "nesterov": True},
    "ASGD": {"lr": 0.05, "t0": 3, "lambd": 0.1},
    "Adagrad": {"lr": 0.05, "lr_decay": 0.1},
    "Adadelta": {},
    "RMSprop": {"centered": True, "momentum": 0.9},
    "SMORMS3": {"lr": 0.05},
    "Rprop": {},
    "Lion": {"lr": 0.01, "weight_decay": 0.1},
    "Adam": {"lr": 0.05, "amsgrad": True},
    "AdamW": {"lr": 0.05},
    "NAdam": {"lr": 0.05},
    "RAdam": {"lr": 0.05, "betas": (0.9, 0.9)},
    "Adamax": {"lr": 0.05},
    "AdaBelief": {"lr": 0.05},
    "Yogi": {"lr": 0.05},
    "Adafactor": {"lr": 0.05},
    "LAMB": {"lr": 0.05, "weight_decay": 0.01},
    "LARS": {"lr": 0.5, "weight_decay": 0.01},
    "Muon": {"lr": 0.05},
    "LBFGS": {"lr": 0.1, "max_iter": 3},
    "LBFGS with a search": {"max_iter": 3, "line_search_fn": "strong_wolfe"},
}


@pytest.fixture(params=METHODS)
def method(request):
    """A function that makes an optimizer of parameters (or names and parameters)."""
    name = request.param.split()[0]

    def make(params, **settings):
        return getattr(optim, name)(params, **{**METHODS[request.param], **settings})

    make.name, make.kind = request.param, getattr(optim, name)
    return make


@pytest.fixture
def training(method):
    """``model(), run(model, opt, steps)``: a net that the method takes, and steps of it on fixed data."""
    x = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")

    def model(seed=0):
        mg.manual_seed(seed)
        bias = method.kind is not optim.Muon
        return nn.Sequential(nn.Linear(3, 4, bias=bias), nn.Tanh(), nn.Linear(4, 2, bias=bias))

    def run(m, opt, steps):
        data = mg.tensor(x).to(device=next(m.parameters()).device) if next(m.parameters()).device != "cpu" else mg.tensor(x)

        def closure():
            opt.zero_grad()
            loss = ((m(data) - 0.5) ** 2).sum()
            loss.backward()
            return loss

        for _ in range(steps):
            opt.step(closure)

    return model, run
