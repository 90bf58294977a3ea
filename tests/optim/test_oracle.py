"""The oracle: 50 steps of each optimizer in float64 beside PyTorch's, on parameters of several shapes, with each option."""

import inspect

import numpy as np
import pytest

import minigrad as mg
from minigrad import optim
from minigrad.optim import storage

pytestmark = pytest.mark.torch

SHAPES = [(4, 3), (5,), (), (2, 3, 2), (1, 6), (12, 11)]  # the last is updated alone and in blocks, the others together
CASES = {
    "SGD": [
        {"lr": 0.01},
        {"lr": 0.01, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1},
        {"lr": 0.01, "momentum": 0.9, "nesterov": True, "maximize": True},
        {"lr": 0.01, "momentum": 0.5, "weight_decay": 0.2, "maximize": True},
    ],
    "ASGD": [
        {},
        {"lr": 0.05, "lambd": 0.1, "alpha": 0.5, "weight_decay": 0.1},
        {"t0": 5, "lambd": 0.01, "maximize": True},
        {"t0": 0, "lr": 0.1},
    ],
    "Adagrad": [
        {},
        {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1},
        {"initial_accumulator_value": 0.5, "maximize": True},
        {"eps": 1e-2, "lr": 0.05},
    ],
    "Adadelta": [{}, {"lr": 0.5, "rho": 0.7, "eps": 1e-3}, {"weight_decay": 0.1}, {"maximize": True, "rho": 0.0}],
    "RMSprop": [
        {},
        {"centered": True, "weight_decay": 0.1},
        {"momentum": 0.9, "alpha": 0.8},
        {"centered": True, "momentum": 0.5, "maximize": True, "eps": 1e-3},
    ],
    "Rprop": [{}, {"lr": 0.1, "etas": (0.3, 1.5)}, {"step_sizes": (0.005, 0.02)}, {"maximize": True}],
    "Adam": [
        {"lr": 0.01},
        {"lr": 0.01, "weight_decay": 0.1, "amsgrad": True},
        {"lr": 0.01, "betas": (0.5, 0.6), "eps": 1e-3, "maximize": True},
        {"lr": 0.01, "betas": (0.0, 0.0)},
        {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True},
    ],
    "AdamW": [
        {"lr": 0.01},
        {"lr": 0.01, "weight_decay": 0.3, "amsgrad": True, "maximize": True},
        {"lr": 0.01, "betas": (0.3, 0.99), "weight_decay": 0.0},
        {"lr": 0.1, "eps": 1e-2},
    ],
    "Adamax": [{}, {"lr": 0.1, "weight_decay": 0.1}, {"betas": (0.5, 0.6), "maximize": True}, {"eps": 1e-2}],
    "NAdam": [
        {},
        {"lr": 0.1, "weight_decay": 0.1, "momentum_decay": 0.1},
        {"decoupled_weight_decay": True, "weight_decay": 0.1, "maximize": True},
        {"betas": (0.5, 0.6), "eps": 1e-3},
    ],
    "RAdam": [
        {"lr": 0.1},
        {"lr": 0.1, "weight_decay": 0.1, "betas": (0.8, 0.9)},
        {"decoupled_weight_decay": True, "weight_decay": 0.1, "maximize": True},
        {"betas": (0.5, 0.6), "eps": 1e-3},
    ],
    "Adafactor": [
        {},
        {"lr": 0.5, "weight_decay": 0.1, "beta2_decay": -0.5},
        {"maximize": True, "d": 2.0},
        {"eps": (1e-3, 1e-2), "lr": 1.0},
    ],
}
RUNS = [(name, i) for name, cases in CASES.items() for i in range(len(cases))]


@pytest.fixture
def torch(monkeypatch):
    """PyTorch, which keeps some factors as tensors of the default dtype, and computes Muon in bfloat16: both float64 here."""
    torch = pytest.importorskip("torch")
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda t: t.clone())
    monkeypatch.setattr(storage, "SMALL", 40)
    monkeypatch.setattr(storage, "BLOCK", 50)
    yield torch
    torch.set_default_dtype(before)


def follow(torch, name, settings, shapes, steps=50, dtype="float64"):
    """Both optimizers through the same gradients, which depend on the parameters; returns the largest difference on the way."""
    rng = np.random.default_rng(3)
    starts = [rng.normal(size=s) for s in shapes]
    if dtype == "complex128":
        starts = [a + 1j * rng.normal(size=a.shape) for a in starts]
    ps = [mg.tensor(np.array(a), requires_grad=True) for a in starts]
    ts = [torch.tensor(a, requires_grad=True) for a in starts]
    mine, theirs = getattr(optim, name)(ps, **settings), getattr(torch.optim, name)(ts, **settings)
    worst = 0.0
    for k in range(steps):
        for i, (p, t, a) in enumerate(zip(ps, ts, starts, strict=True)):
            g = np.asarray(0.3 * p.numpy() + rng.normal(size=a.shape) * 2.0 ** (i - 2))
            if (i + k) % 7 == 0:  # now and then a parameter has none
                p.grad = t.grad = None
            else:
                p.grad, t.grad = mg.tensor(g), torch.tensor(g)
        mine.step()
        theirs.step()
        worst = max(worst, *[float(abs(p.numpy() - t.detach().numpy()).max()) for p, t in zip(ps, ts, strict=True)])
    return worst


@pytest.mark.parametrize(("name", "case"), RUNS, ids=[f"{n}{i}" for n, i in RUNS])
def test_trajectories(torch, name, case):
    assert follow(torch, name, CASES[name][case], SHAPES) < 1e-6


@pytest.mark.parametrize("name", [n for n in CASES if n != "Adafactor"])
def test_complex_parameters(torch, name):
    assert follow(torch, name, CASES[name][1], SHAPES[:4], 20, "complex128") < 1e-6


MUON = [
    {"lr": 0.02},
    {"lr": 0.02, "nesterov": False, "momentum": 0.5},
    {"adjust_lr_fn": "match_rms_adamw", "weight_decay": 0.0},
    {"ns_steps": 3, "ns_coefficients": (2.0, -1.5, 0.5), "adjust_lr_fn": "original", "eps": 1e-3},
]


@pytest.mark.parametrize("settings", MUON)
def test_muon(torch, settings):
    assert follow(torch, "Muon", settings, [(4, 3), (3, 4), (5, 5), (1, 7), (12, 11)]) < 1e-6


@pytest.mark.parametrize("name", [*CASES, "Muon", "LBFGS"])
def test_arguments_and_defaults(torch, name):
    """PyTorch's arguments in its order, but for those that say how, not what, it computes."""
    how = {"foreach", "fused", "capturable", "differentiable", "self"}
    ours, theirs = (list(inspect.signature(getattr(m, name).__init__).parameters.values()) for m in (optim, torch.optim))
    theirs = [p for p in theirs if p.name not in how]
    assert [p.name for p in ours if p.name != "self"] == [p.name for p in theirs]
    assert [p.default for p in ours if p.name != "self"] == [p.default for p in theirs]


LINES = [
    {"lr": 0.1},
    {"lr": 0.5, "max_iter": 4, "history_size": 2},
    {"line_search_fn": "strong_wolfe"},
    {"line_search_fn": "strong_wolfe", "lr": 0.3, "history_size": 3, "max_iter": 5, "max_eval": 12},
    {"line_search_fn": "strong_wolfe", "tolerance_grad": 1e-1, "tolerance_change": 1e-3},
]


@pytest.mark.parametrize("settings", LINES)
def test_lbfgs(torch, settings):
    """Steps along the Rosenbrock function and a quadratic: the same places, the same number of calls."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(3, 4)), rng.normal(size=(2,))
    p, q = mg.tensor(a, requires_grad=True), mg.tensor(b, requires_grad=True)
    t, u = torch.tensor(a, requires_grad=True), torch.tensor(b, requires_grad=True)
    unused = mg.tensor(b, requires_grad=True)
    mine, theirs = optim.LBFGS([p, unused, q], **settings), torch.optim.LBFGS([t, u], **settings)
    calls = [0, 0]

    def loss(x, y, opt, which):
        def closure():
            opt.zero_grad()
            calls[which] += 1
            f = (1 - y[0]) ** 2 + 5 * (y[1] - y[0] ** 2) ** 2 + (x * x * x * x).sum() + 3 * ((x - 1) * (x - 1)).sum()
            f.backward()
            return f

        return closure

    for _ in range(8):
        here, there = mine.step(loss(p, q, mine, 0)), theirs.step(loss(t, u, theirs, 1))
        assert here.item() == pytest.approx(there.item(), abs=1e-6)
        assert np.allclose(p.numpy(), t.detach().numpy(), rtol=0, atol=1e-6)
        assert np.allclose(q.numpy(), u.detach().numpy(), rtol=0, atol=1e-6)
    assert calls[0] == calls[1]
    assert np.array_equal(unused.numpy(), b)


def test_a_changed_rate_acts_at_once(torch):
    p, t = mg.tensor([1.0], dtype="float64", requires_grad=True), torch.tensor([1.0], requires_grad=True)
    mine, theirs = optim.NAdam([p]), torch.optim.NAdam([t])
    for k in range(6):
        p.grad, t.grad = mg.tensor(np.array([0.5])), torch.tensor([0.5])
        for opt in (mine, theirs):
            opt.param_groups[0]["lr"] = 0.1 / (k + 1)
            opt.step()
        assert p.item() == pytest.approx(t.item(), abs=1e-9)
