"""Optimizers: the algebra of a step, groups, state, and what they refuse; PyTorch's trajectories as the judge."""

import copy

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.errors import CheckpointError, DTypeError, GraphError


def leaf(values, dtype="float32"):
    return mg.tensor(np.asarray(values, dtype), requires_grad=True)


def step(opt, *pairs):
    for p, g in pairs:
        p.grad = None if g is None else mg.tensor(np.asarray(g, p.dtype))
    opt.step()


def test_sgd_by_hand():
    p = leaf([1.0], "float64")
    opt = optim.SGD([p], lr=0.1, momentum=0.5, weight_decay=0.2)
    v, x = 0.0, 1.0
    for g in (1.0, -2.0, 0.5):
        step(opt, (p, [g]))
        v = 0.5 * v + g + 0.2 * x
        x -= 0.1 * v
        assert p.item() == pytest.approx(x, rel=1e-12)


def test_adam_first_step_has_the_size_of_lr():
    p = leaf([1.0, 1.0])
    step(optim.Adam([p], lr=0.1), (p, [1e-3, -50.0]))
    assert p.tolist() == pytest.approx([0.9, 1.1], abs=1e-4)


def test_adamw_decays_the_parameter_alone():
    p = leaf([2.0], "float64")
    step(optim.AdamW([p], lr=0.1, weight_decay=0.5), (p, [0.0]))
    assert p.item() == pytest.approx(1.9)


@pytest.mark.parametrize("make", [optim.SGD, optim.Adam, optim.AdamW])
def test_the_array_and_the_gradient_stay_in_place(make):
    p = leaf([1.0, 2.0])
    data, g = p.data, mg.tensor([0.5, 0.5])
    p.grad = g
    kept = p.grad.numpy().copy()
    make([p], lr=0.1).step()
    assert p.data is data
    assert np.array_equal(p.grad.numpy(), kept)
    assert not np.array_equal(p.numpy(), [1.0, 2.0])


def test_a_step_between_forward_and_backward_is_noticed():
    p = leaf([1.0, 2.0])
    loss = (p * p).sum()
    step(optim.SGD([p], lr=0.1), (p, [1.0, 1.0]))
    with pytest.raises(GraphError, match=r"SGD.step"):
        loss.backward()


def test_parameters_without_gradient_are_left_alone():
    p, q = leaf([1.0]), leaf([1.0])
    opt = optim.Adam([p, q], lr=0.1, weight_decay=0.1)
    step(opt, (p, [1.0]), (q, None))
    assert q.item() == 1
    assert q not in opt.state
    step(opt, (p, [1.0]), (q, [0.0]))
    assert q.item() != 1


def test_bad_parameters_and_settings():
    p = leaf([1.0])
    for params, error, words in (
        ([], ValueError, "no parameters"),
        ([p, p], ValueError, "twice"),
        ([{"params": [p]}, {"params": [p]}], ValueError, "twice"),
        ([p * 2], ValueError, "computed"),
        ([3.0], DTypeError, "float"),
        (p, DTypeError, "iterable"),
        ([("a", p), ("a", leaf([2.0]))], ValueError, "same name"),
        ([("a", p), leaf([2.0])], ValueError, "name all"),
        ([{"params": [p], "lrr": 1}], ValueError, "lrr"),
    ):
        with pytest.raises(error, match=words):
            optim.SGD(params, lr=0.1)
    for make, settings in (
        (optim.SGD, {"lr": -1}),
        (optim.SGD, {"lr": float("nan")}),
        (optim.SGD, {"momentum": -0.1}),
        (optim.SGD, {"nesterov": True}),
        (optim.Adam, {"betas": (1.0, 0.9)}),
        (optim.Adam, {"eps": -1e-8}),
        (optim.AdamW, {"weight_decay": -1}),
    ):
        with pytest.raises(ValueError):
            make([p], **settings)
    used = (t for t in ())
    with pytest.raises(ValueError, match="generator"):
        optim.SGD(used)


def test_groups_have_settings_of_their_own():
    p, q, r = leaf([1.0]), leaf([1.0]), leaf([1.0])
    opt = optim.SGD([{"params": [p]}, {"params": q, "lr": 1.0}], lr=0.1)
    opt.add_param_group({"params": [r], "lr": 0.0})
    step(opt, (p, [1.0]), (q, [1.0]), (r, [1.0]))
    assert [round(t.item(), 6) for t in (p, q, r)] == [0.9, 0.0, 1.0]
    assert "group 2" in repr(opt)


def test_half_precision_is_updated_in_single():
    p = leaf([1.0], "float16")
    opt = optim.Adam([p], lr=1e-2)
    for _ in range(3):
        step(opt, (p, [1e-4]))
    assert p.dtype == np.float16
    assert opt.state[p]["exp_avg_sq"].dtype == np.float32
    assert opt.state[p]["exp_avg_sq"][0] > 0
    assert p.item() == pytest.approx(0.97, abs=2e-3)


def test_a_numpy_rate_does_not_widen():
    p = leaf([1.0])
    step(optim.SGD([p], lr=np.float64(0.1), momentum=0.9), (p, [1.0]))
    assert p.dtype == np.float32


def test_closure_runs_with_recording_on():
    p = leaf([1.0])
    opt = optim.SGD([p], lr=0.1)

    def closure():
        opt.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with mg.no_grad():
        assert opt.step(closure).item() == 1
    assert p.item() == pytest.approx(0.8)
    opt.zero_grad(set_to_none=False)
    assert p.grad.item() == 0
    opt.zero_grad()
    assert p.grad is None


@pytest.mark.parametrize("make", [lambda p: optim.SGD(p, lr=0.05, momentum=0.9), lambda p: optim.Adam(p, lr=0.05, amsgrad=True)])
@pytest.mark.parametrize("named", [True, False])
def test_resuming_is_bit_exact(make, named):
    mg.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    x = mg.tensor(np.random.default_rng(0).normal(size=(8, 3)).astype("float32"))

    def go(m, opt, n):
        for _ in range(n):
            opt.zero_grad()
            (m(x) ** 2).sum().backward()
            opt.step()

    params = lambda m: m.named_parameters() if named else m.parameters()  # noqa: E731
    opt = make(params(model))
    go(model, opt, 3)
    weights, state = model.state_dict(), opt.state_dict()
    kept = copy.deepcopy(state)
    go(model, opt, 4)
    assert all(np.array_equal(a.numpy(), b.numpy()) for s in kept["state"] for a, b in _arrays(kept["state"][s], state["state"][s]))
    other = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    other.load_state_dict(weights)
    opt2 = make(params(other))
    opt2.load_state_dict(state)
    go(other, opt2, 4)
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        assert np.array_equal(a.numpy(), b.numpy())
    assert set(state["state"]) == ({n for n, _ in model.named_parameters()} if named else {0, 1, 2, 3})


def _arrays(a, b):
    return [(a[k], b[k]) for k in a if hasattr(a[k], "shape")]


def test_state_that_does_not_fit_changes_nothing():
    p = leaf([1.0, 2.0])
    opt = optim.Adam([("w", p)], lr=0.1)
    step(opt, (p, [1.0, 1.0]))
    good = opt.state_dict()
    bad = copy.deepcopy(good)
    bad["state"]["w"]["exp_avg"] = mg.tensor([1.0])
    bad["param_groups"][0]["lr"] = 5.0
    renamed = {"state": {}, "param_groups": [{**good["param_groups"][0], "params": ["v"]}]}
    more = {"state": {}, "param_groups": good["param_groups"] * 2}
    for state, words in ((bad, "exp_avg"), (renamed, "'v'"), (more, "groups")):
        with pytest.raises(CheckpointError, match=words):
            opt.load_state_dict(state)
        assert opt.param_groups[0]["lr"] == 0.1
        assert opt.state[p]["exp_avg"].shape == (2,)


def test_schedules():
    schedule = optim.lr_scheduler
    rates = {
        "step": (lambda o: schedule.StepLR(o, 2, 0.5), [1, 1, 0.5, 0.5, 0.25]),
        "exponential": (lambda o: schedule.ExponentialLR(o, 0.5), [1, 0.5, 0.25, 0.125, 0.0625]),
        "lambda": (lambda o: schedule.LambdaLR(o, lambda t: 1 / (t + 1)), [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5]),
        "cosine": (lambda o: schedule.CosineAnnealingLR(o, 4, 0.2), [1, 0.2 + 0.4 * (1 + 0.5**0.5), 0.6, 0.2 + 0.4 * (1 - 0.5**0.5), 0.2]),
    }
    for make, want in rates.values():
        opt = optim.SGD([leaf([1.0])], lr=1.0)
        s, got = make(opt), []
        for k in range(5):
            got += s.get_last_lr()
            if k == 2:
                again = make(optim.SGD([leaf([1.0])], lr=1.0))
                again.load_state_dict(s.state_dict())
                assert again.get_last_lr() == s.get_last_lr()
            s.step()
        assert got == pytest.approx(want)
    with pytest.raises(TypeError, match="Optimizer"):
        schedule.StepLR(3, 1)
    with pytest.raises(ValueError, match="T_max"):
        schedule.CosineAnnealingLR(opt, 0)


CASES = [
    ("SGD", {"lr": 0.01}),
    ("SGD", {"lr": 0.01, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.01, "momentum": 0.9, "nesterov": True, "maximize": True}),
    ("Adam", {"lr": 0.01}),
    ("Adam", {"lr": 0.01, "weight_decay": 0.1, "amsgrad": True}),
    ("Adam", {"lr": 0.01, "betas": (0.5, 0.6), "eps": 1e-3, "maximize": True}),
    ("AdamW", {"lr": 0.01}),
    ("AdamW", {"lr": 0.01, "weight_decay": 0.3, "amsgrad": True, "maximize": True}),
]


@pytest.mark.torch
@pytest.mark.parametrize(("name", "settings"), CASES)
def test_trajectories_are_those_of_pytorch(name, settings):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    a = rng.normal(size=(4, 3))
    p, t = leaf(a, "float64"), torch.tensor(a, requires_grad=True)
    mine, theirs = getattr(optim, name)([p], **settings), getattr(torch.optim, name)([t], **settings)
    slow, slower = optim.lr_scheduler.StepLR(mine, 7, 0.5), torch.optim.lr_scheduler.StepLR(theirs, 7, 0.5)
    for _ in range(30):
        g = rng.normal(size=a.shape)
        p.grad, t.grad = mg.tensor(g), torch.tensor(g)
        mine.step()
        theirs.step()
        slow.step()
        slower.step()
        assert np.allclose(p.numpy(), t.detach().numpy(), rtol=1e-12, atol=1e-12)
