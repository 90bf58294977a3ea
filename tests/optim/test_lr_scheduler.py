"""Schedules: their formulas, their errors, going on elsewhere, and PyTorch's over 200 steps."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import optim
from minigrad.errors import DTypeError
from minigrad.optim import lr_scheduler as lrs

RATES = (1.0, 0.3)


def optimizer(kind=optim.SGD, **options):
    options = {"momentum": 0.9} | options if kind is optim.SGD else options
    return kind([{"params": [mg.tensor([1.0], requires_grad=True)], "lr": lr} for lr in RATES], lr=1.0, **options)


# name: (arguments, PyTorch's class has another signature)
CONFIGURATIONS = [
    ("LambdaLR", (lambda t: 0.95**t,), {}),
    ("LambdaLR", ([lambda t: 1 / (1 + t), lambda t: 0.9**t],), {}),
    ("LambdaLR", (lambda t: 0.0,), {}),
    ("LambdaLR", (lambda t: min(1, (t + 1) / 20),), {}),
    ("MultiplicativeLR", (lambda t: 0.97,), {}),
    ("MultiplicativeLR", ([lambda t: 0.9, lambda t: 1 + 1 / (t + 5)],), {}),
    ("MultiplicativeLR", (lambda t: 1.0,), {}),
    ("MultiplicativeLR", (lambda t: 1 - 1 / (t + 2),), {}),
    ("StepLR", (30,), {}),
    ("StepLR", (1,), {"gamma": 0.99}),
    ("StepLR", (7, 0.5), {}),
    ("StepLR", (1000,), {}),
    ("MultiStepLR", ([30, 80],), {}),
    ("MultiStepLR", ([5, 5, 90], 0.5), {}),
    ("MultiStepLR", ([],), {}),
    ("MultiStepLR", ([150, 10],), {"gamma": 2.0}),
    ("ConstantLR", (), {}),
    ("ConstantLR", (0.5, 40), {}),
    ("ConstantLR", (0.25,), {"total_iters": 1}),
    ("ConstantLR", (1.0, 10), {}),
    ("LinearLR", (), {}),
    ("LinearLR", (0.1, 0.9, 50), {}),
    ("LinearLR", (1.0, 0.0, 199), {}),
    ("LinearLR", (0.001,), {"total_iters": 100}),
    ("PolynomialLR", (), {}),
    ("PolynomialLR", (150, 2.0), {}),
    ("PolynomialLR", (200,), {"power": 0.5}),
    ("PolynomialLR", (50, 3.5), {}),
    ("ExponentialLR", (0.97,), {}),
    ("ExponentialLR", (1.01,), {}),
    ("ExponentialLR", (0.5,), {}),
    ("ExponentialLR", (1.0,), {}),
    ("CosineAnnealingLR", (200,), {}),
    ("CosineAnnealingLR", (50, 0.01), {}),
    ("CosineAnnealingLR", (7,), {}),
    ("CosineAnnealingLR", (300,), {"eta_min": 0.1}),
    ("CosineAnnealingWarmRestarts", (10,), {}),
    ("CosineAnnealingWarmRestarts", (10, 2), {}),
    ("CosineAnnealingWarmRestarts", (1, 3, 0.001), {}),
    ("CosineAnnealingWarmRestarts", (33,), {"eta_min": 0.05}),
    ("CyclicLR", (0.1, 1.0), {"step_size_up": 20}),
    ("CyclicLR", ([0.1, 0.2], [1.0, 2.0], 10, 30), {"mode": "triangular2"}),
    ("CyclicLR", (0.01, 0.1, 25), {"mode": "exp_range", "gamma": 0.99, "base_momentum": 0.5, "max_momentum": 0.95}),
    ("CyclicLR", (0.1, 0.5, 15), {"scale_fn": lambda t: 1 / (1 + t), "scale_mode": "iterations", "cycle_momentum": False}),
    ("OneCycleLR", (1.0, 201), {}),
    ("OneCycleLR", ([1.0, 0.5],), {"epochs": 10, "steps_per_epoch": 25, "anneal_strategy": "linear"}),
    ("OneCycleLR", (0.1, 201), {"three_phase": True, "pct_start": 0.4, "base_momentum": 0.7}),
    ("OneCycleLR", (0.1, 300), {"div_factor": 10.0, "final_div_factor": 100.0, "cycle_momentum": False, "pct_start": 0.1}),
]


@pytest.mark.torch
@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@pytest.mark.parametrize(("name", "args", "kwargs"), CONFIGURATIONS, ids=lambda v: v if isinstance(v, str) else "")
def test_pytorch_over_200_steps(name, args, kwargs, kind):
    torch = pytest.importorskip("torch")
    options = {"momentum": 0.9} if kind == "SGD" else {}
    groups = [{"params": [torch.ones(1, requires_grad=True)], "lr": lr} for lr in RATES]
    theirs = getattr(torch.optim, kind)(groups, lr=1.0, **options)
    mine = optimizer(getattr(optim, kind))
    a, b = getattr(lrs, name)(mine, *args, **kwargs), getattr(torch.optim.lr_scheduler, name)(theirs, *args, **kwargs)
    for t in range(200):
        np.testing.assert_allclose(a.get_last_lr(), b.get_last_lr(), rtol=1e-10, atol=1e-15, err_msg=f"step {t}")
        for g, h in zip(mine.param_groups, theirs.param_groups, strict=True):
            key = "momentum" if kind == "SGD" else "betas"
            np.testing.assert_allclose(g[key], h[key], rtol=1e-9)
        mine.step(), theirs.step()
        a.step(), b.step()


@pytest.mark.torch
def test_compositions_agree_with_pytorch():
    torch = pytest.importorskip("torch")

    def both(make):
        theirs = torch.optim.SGD([{"params": [torch.ones(1, requires_grad=True)], "lr": lr} for lr in RATES], lr=1.0)
        mine = optimizer(momentum=0.0)
        a, b = make(mine, lrs), make(theirs, torch.optim.lr_scheduler)
        for t in range(200):
            np.testing.assert_allclose(a.get_last_lr(), b.get_last_lr(), rtol=1e-10, atol=1e-15, err_msg=f"step {t}")
            mine.step(), theirs.step()
            a.step(), b.step()

    both(lambda o, m: m.SequentialLR(o, [m.ConstantLR(o, 0.1, 20), m.ExponentialLR(o, 0.99)], [20]))
    both(lambda o, m: m.SequentialLR(o, [m.LinearLR(o, 0.1, 1.0, 10), m.CosineAnnealingLR(o, 100), m.StepLR(o, 20)], [10, 120]))
    both(lambda o, m: m.SequentialLR(o, [m.StepLR(o, 10), m.PolynomialLR(o, 100)], [50]))
    both(lambda o, m: m.ChainedScheduler([m.ConstantLR(o, 0.1, 20), m.ExponentialLR(o, 0.99)]))
    both(lambda o, m: m.ChainedScheduler([m.StepLR(o, 30), m.LinearLR(o, 0.5, 1.0, 40), m.ExponentialLR(o, 0.999)]))
    both(lambda o, m: m.ChainedScheduler([m.CosineAnnealingLR(o, 250), m.MultiStepLR(o, [20, 80])]))


PLATEAUS = [{}, {"mode": "max", "patience": 3}, {"threshold_mode": "abs", "threshold": 0.05, "patience": 2, "cooldown": 3, "factor": 0.5}]
PLATEAUS += [{"min_lr": 0.01, "patience": 0, "factor": 0.7}, {"mode": "max", "threshold_mode": "abs", "min_lr": [0.1, 0.01], "patience": 1}]


@pytest.mark.torch
@pytest.mark.parametrize("options", PLATEAUS)
def test_plateau_agrees_with_pytorch(options):
    torch = pytest.importorskip("torch")
    theirs = torch.optim.SGD([{"params": [torch.ones(1, requires_grad=True)], "lr": lr} for lr in RATES], lr=1.0)
    mine = optimizer()
    a, b = lrs.ReduceLROnPlateau(mine, **options), torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, **options)
    rng = np.random.default_rng(0)
    for t in range(200):
        loss = float(np.exp(-t / 30) + 0.05 * rng.normal())
        a.step(loss), b.step(loss)
        assert a.get_last_lr() == [g["lr"] for g in theirs.param_groups], t


def test_warmup():
    opt = optimizer()
    schedule = lrs.WarmupLR(opt, 4, lrs.CosineAnnealingLR(opt, 10), start_factor=0.2)
    seen = []
    for _ in range(15):
        seen.append(schedule.get_last_lr()[0])
        opt.step(), schedule.step()
    assert np.allclose(seen[:4], 0.2 + 0.8 * np.arange(1, 5) / 4)
    assert np.allclose(seen[4:], 0.5 * (1 + np.cos(np.pi * np.arange(11) / 10)))


def make(name, args, kwargs, opt):
    return getattr(lrs, name)(opt, *args, **kwargs)


@pytest.mark.parametrize(("name", "args", "kwargs"), CONFIGURATIONS, ids=lambda v: v if isinstance(v, str) else "")
def test_going_on_elsewhere_is_the_straight_run(name, args, kwargs):
    """At every step: save, load into fresh ones, go on."""
    straight = optimizer()
    schedule = make(name, args, kwargs, straight)
    expected = []
    for _ in range(30):
        straight.step(), schedule.step()
        expected.append([dict(g, params=0) for g in straight.param_groups])
    opt = optimizer()
    schedule = make(name, args, kwargs, opt)
    for t in range(30):
        opt.step(), schedule.step()
        kept = opt.state_dict(), schedule.state_dict()
        opt = optimizer()
        schedule = make(name, args, kwargs, opt)
        opt.load_state_dict(kept[0]), schedule.load_state_dict(kept[1])
        assert [dict(g, params=0) for g in opt.param_groups] == expected[t]


def test_plateau_goes_on_elsewhere():
    losses = [1.0, 0.9, 0.9, 0.9, 0.9, 0.8, 0.8, 0.8, 0.8, 0.8]
    opt = optimizer()
    schedule = lrs.ReduceLROnPlateau(opt, patience=1)
    other = optimizer()
    for loss in losses:
        schedule.step(loss)
        again = lrs.ReduceLROnPlateau(other, patience=1)
        again.load_state_dict(schedule.state_dict())
        assert again.get_last_lr() == schedule.get_last_lr()
        assert again.state_dict() == schedule.state_dict()
    before = schedule.get_last_lr()
    schedule.step(float("nan"))
    schedule.step(mg.tensor(float("nan")))
    assert schedule.get_last_lr() != before  # NaN is no improvement


def test_groups_added_later_are_scheduled():
    opt = optimizer()
    schedule = lrs.ExponentialLR(opt, 0.5)
    opt.step(), schedule.step()
    opt.add_param_group({"params": [mg.tensor([1.0], requires_grad=True)], "lr": 8.0})
    opt.step(), schedule.step()
    assert schedule.get_last_lr() == [0.25, 0.075, 2.0]


def test_step_to_a_place():
    schedule = lrs.CosineAnnealingWarmRestarts(optimizer(), 10)
    schedule.step(12.5)
    assert schedule.get_last_lr()[0] == pytest.approx(0.5 * (1 + np.cos(np.pi * 0.25)))


def test_bad_arguments():
    opt = optimizer()
    for make_one, words in [
        (lambda: lrs.StepLR(opt, 0), "step_size"),
        (lambda: lrs.StepLR(opt, 2.5), "step_size"),
        (lambda: lrs.CosineAnnealingLR(opt, 0), "T_max"),
        (lambda: lrs.CosineAnnealingWarmRestarts(opt, 5, 0), "T_mult"),
        (lambda: lrs.ConstantLR(opt, 1.5), "factor"),
        (lambda: lrs.LinearLR(opt, 0.0), "start_factor"),
        (lambda: lrs.LambdaLR(opt, [lambda t: 1.0]), "1 values of lr_lambda for 2 groups"),
        (lambda: lrs.OneCycleLR(opt, 1.0), "total_steps"),
        (lambda: lrs.OneCycleLR(opt, 1.0, 10, pct_start=1.5), "pct_start"),
        (lambda: lrs.OneCycleLR(opt, 1.0, 10, anneal_strategy="log"), "'log'"),
        (lambda: lrs.OneCycleLR(opt, [1.0], 10), "max_lr"),
        (lambda: lrs.CyclicLR(opt, 0.1, 1.0, mode="square"), "square"),
        (lambda: lrs.CyclicLR(optim.Adagrad([mg.tensor([1.0], requires_grad=True)]), 0.1, 1.0), "cycle_momentum=False"),
        (lambda: lrs.SequentialLR(opt, [lrs.StepLR(opt, 5)] * 2, []), "1 rising milestones"),
        (lambda: lrs.SequentialLR(opt, [lrs.StepLR(opt, 5), lrs.StepLR(optimizer(), 5)], [3]), "another optimizer"),
        (lambda: lrs.ChainedScheduler([]), "at least one"),
        (lambda: lrs.ReduceLROnPlateau(opt, mode="low"), "mode"),
        (lambda: lrs.ReduceLROnPlateau(opt, factor=1.0), "factor"),
        (lambda: lrs.WarmupLR(opt, 0), "warmup_steps"),
    ]:
        with pytest.raises(ValueError, match=words):
            make_one()
    for make_one in (
        lambda: lrs.StepLR([1], 5),
        lambda: lrs.ReduceLROnPlateau("opt"),
        lambda: lrs.ChainedScheduler([lrs.ReduceLROnPlateau(opt)]),
    ):
        with pytest.raises((TypeError, DTypeError)):
            make_one()
    cycle = lrs.OneCycleLR(opt, 1.0, 2)
    opt.step(), cycle.step()
    with pytest.raises(ValueError, match="step 2 of 2"):
        cycle.step()


def test_plateau_thresholds_and_cooldown():
    opt = optimizer()
    s = lrs.ReduceLROnPlateau(opt, factor=0.5, patience=1, threshold=0.1, threshold_mode="abs", cooldown=2, min_lr=[0.2, 0.0])
    rates = []
    for loss in (1.0, 0.95, 0.95, 0.95, 0.95, 0.95, 0.95, 0.5, float("nan"), float("nan")):
        s.step(loss)
        rates.append(opt.param_groups[0]["lr"])
    # two bad epochs halve it; the next two do not count; then two more, a good one, and NaN, which never is
    assert rates == [1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25]
    up = lrs.ReduceLROnPlateau(optimizer(), mode="max", threshold=0.1, threshold_mode="rel")
    assert up.is_better(-5.0)
    up.step(1.0)
    assert (up.is_better(1.1), up.is_better(1.11), up.is_better(0.5)) == (False, True, False)
