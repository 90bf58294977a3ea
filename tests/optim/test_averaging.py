"""Averages of weights, and optimizers around optimizers."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.errors import CheckpointError, DTypeError
from minigrad.nn import functional as F

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(32, 3)).astype("float32"), rng.integers(0, 2, 32)


def net():
    mg.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))


def train(model, opt, steps, after=lambda: None):
    for _ in range(steps):
        opt.zero_grad()
        F.cross_entropy(model(mg.tensor(X)), mg.tensor(Y)).backward()
        opt.step()
        after()


# -- averages ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("way", ["mean", "function", "buffers"])
def test_the_mean_of_all(way):
    model = net()
    options = {"mean": {}, "function": {"avg_fn": optim.get_swa_avg_fn()}, "buffers": {"use_buffers": True}}[way]
    average = optim.AveragedModel(model, **options)
    seen = []

    def note():
        average.update_parameters(model)
        seen.append({k: v.numpy().copy() for k, v in model.state_dict().items()})

    train(model, optim.SGD(model.parameters(), lr=0.5), 5, note)
    for key, value in average.module.state_dict().items():
        floating = value.dtype.kind == "f"
        buffer = "running" in key or not floating
        expected = np.mean([s[key] for s in seen], 0) if floating and (way == "buffers" or not buffer) else seen[-1][key]
        np.testing.assert_allclose(value.numpy(), expected, rtol=1e-5, atol=1e-6, err_msg=key)
    assert average.n_averaged.item() == 5
    assert not any(p.requires_grad for p in average.parameters())
    assert average(mg.tensor(X)).shape == (32, 2)


@pytest.mark.parametrize("warmup", [False, True])
def test_exponential(warmup):
    model = net()
    ema = optim.EMA(model, 0.8, warmup=warmup)
    expected, n = None, 0

    def note():
        nonlocal expected, n
        ema.update_parameters(model)
        now = model[0].weight.detach().numpy().copy()
        decay = min(0.8, (1 + n) / (10 + n)) if warmup else 0.8
        expected = now if expected is None else decay * expected + (1 - decay) * now
        n += 1

    train(model, optim.SGD(model.parameters(), lr=0.5), 6, note)
    np.testing.assert_allclose(ema.module[0].weight.numpy(), expected, rtol=1e-5)
    with pytest.raises(ValueError, match="decay"):
        optim.EMA(model, 1.5)


def test_averages_go_on_elsewhere():
    model = net()
    ema = optim.EMA(model, 0.8)
    opt = optim.SGD(model.parameters(), lr=0.5)
    train(model, opt, 3, lambda: ema.update_parameters(model))
    other = optim.EMA(model, 0.8)
    other.load_state_dict(ema.state_dict())
    train(model, opt, 1)
    ema.update_parameters(model), other.update_parameters(model)
    for a, b in zip(ema.state_dict().values(), other.state_dict().values(), strict=True):
        assert (a.numpy() == b.numpy()).all()


def test_applied_puts_the_weights_back():
    model = net()
    ema = optim.EMA(model, 0.5)
    train(model, optim.SGD(model.parameters(), lr=0.5), 3, lambda: ema.update_parameters(model))
    own = model[0].weight.detach().numpy().copy()

    def fails():
        with ema.applied(model):
            assert (model[0].weight.detach().numpy() == ema.module[0].weight.numpy()).all()
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert (model[0].weight.detach().numpy() == own).all()


def test_update_bn():
    model = net()
    model[1].momentum = 0.3
    model.eval()
    batches = [(X[:16], Y[:16]), (X[16:], Y[16:])]
    optim.update_bn([(mg.tensor(x), y) for x, y in batches], model)
    hidden = [model[0](mg.tensor(x)).detach().numpy() for x, _ in batches]
    np.testing.assert_allclose(model[1].running_mean.numpy(), np.mean([h.mean(0) for h in hidden], 0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model[1].running_var.numpy(), np.mean([h.var(0, ddof=1) for h in hidden], 0), rtol=1e-5)
    assert not model.training
    assert model[1].momentum == 0.3
    optim.update_bn([], nn.Linear(2, 2))


@pytest.mark.torch
@pytest.mark.parametrize("options", [{"anneal_strategy": "linear"}, {}, {"anneal_epochs": 0}, {"anneal_epochs": 3, "swa_lr": [0.5, 0.01]}])
def test_swalr_agrees_with_pytorch(options):
    torch = pytest.importorskip("torch")
    options = {"swa_lr": 0.05} | options
    theirs = torch.optim.SGD([{"params": [torch.ones(1, requires_grad=True)], "lr": lr} for lr in (1.0, 0.3)], lr=1.0)
    mine = optim.SGD([{"params": [mg.ones(1, requires_grad=True)], "lr": lr} for lr in (1.0, 0.3)], lr=1.0)
    a, b = optim.SWALR(mine, **options), torch.optim.swa_utils.SWALR(theirs, **options)
    for _ in range(200):
        theirs.step(), mine.step()
        a.step(), b.step()
        np.testing.assert_allclose(a.get_last_lr(), b.get_last_lr(), rtol=1e-9)


@pytest.mark.torch
@pytest.mark.parametrize("kind", ["swa", "ema"])
def test_averages_agree_with_pytorch(kind):
    torch = pytest.importorskip("torch")
    utils = torch.optim.swa_utils
    theirs = torch.nn.Linear(3, 2)
    mine = nn.Linear(3, 2)
    fn = {"swa": (None, optim.get_swa_avg_fn()), "ema": (utils.get_ema_avg_fn(0.9), optim.get_ema_avg_fn(0.9))}[kind]
    a = optim.AveragedModel(mine, avg_fn=fn[1]) if kind == "swa" else optim.EMA(mine, 0.9)
    b = utils.AveragedModel(theirs, avg_fn=fn[0])
    assert list(a.state_dict()) == list(b.state_dict())
    for k in range(5):
        values = {"weight": rng.normal(size=(2, 3)).astype("float32") + k, "bias": np.full(2, float(k), "float32")}
        mine.load_state_dict(values), theirs.load_state_dict({n: torch.tensor(v) for n, v in values.items()})
        a.update_parameters(mine), b.update_parameters(theirs)
        for p, q in zip(a.module.parameters(), b.module.parameters(), strict=True):
            np.testing.assert_allclose(p.numpy(), q.detach().numpy(), rtol=1e-5)


# -- wrappers ---------------------------------------------------------------------------------------------------------
def test_lookahead_by_hand():
    w = mg.tensor([2.0, -1.0], requires_grad=True, dtype="float64")
    opt = optim.Lookahead(optim.SGD([w], lr=0.1), k=3, alpha=0.25)
    fast = slow = np.array([2.0, -1.0])
    for t in range(1, 10):
        opt.zero_grad()
        (w * w).sum().backward()
        opt.step()
        fast = fast - 0.1 * 2 * fast
        if t % 3 == 0:
            slow = fast = slow + 0.25 * (fast - slow)
        np.testing.assert_allclose(w.detach().numpy(), fast)
    with pytest.raises(ValueError, match="k must be"):
        optim.Lookahead(optim.SGD([w], lr=0.1), k=0)
    with pytest.raises(ValueError, match="alpha"):
        optim.Lookahead(optim.SGD([w], lr=0.1), alpha=0)
    with pytest.raises(DTypeError, match="an Optimizer to go around, got list"):
        optim.Lookahead([w])


@pytest.mark.parametrize("kind", [lambda o: optim.Lookahead(o, k=3), lambda o: optim.SAM(o, rho=0.1)])
def test_wrappers_go_on_elsewhere_and_take_schedules(kind):
    def make():
        model = net()
        opt = kind(optim.Adam(model.named_parameters(), lr=0.05))
        return model, opt, optim.lr_scheduler.ExponentialLR(opt, 0.9)

    def steps(model, opt, schedule, n):
        for _ in range(n):

            def closure():
                opt.zero_grad()
                loss = F.cross_entropy(model(mg.tensor(X)), mg.tensor(Y))
                loss.backward()
                return loss

            opt.step(closure)
            schedule.step()

    straight = make()
    steps(*straight, 8)
    assert straight[1].param_groups[0]["lr"] == pytest.approx(0.05 * 0.9**8)
    first = make()
    steps(*first, 4)
    second = make()
    for a, b in zip(second, first, strict=True):
        a.load_state_dict(b.state_dict())
    steps(*second, 4)
    for a, b in zip(straight[0].state_dict().values(), second[0].state_dict().values(), strict=True):
        assert (a.numpy() == b.numpy()).all()
    assert "Adam" in repr(straight[1])


def test_lookahead_refuses_other_states():
    opt = optim.Lookahead(optim.SGD([mg.zeros(2, requires_grad=True)], lr=0.1))
    state = opt.state_dict()
    other = optim.Lookahead(optim.SGD([mg.zeros(3, requires_grad=True)], lr=0.1))
    with pytest.raises(CheckpointError, match="slow weights"):
        other.load_state_dict(state)


@pytest.mark.parametrize("adaptive", [False, True])
def test_sam_by_hand(adaptive):
    start = np.array([1.5, -0.5])
    a = np.array([3.0, 1.0])
    w = mg.tensor(start, requires_grad=True)
    opt = optim.SAM(optim.SGD([w], lr=0.1), rho=0.2, adaptive=adaptive)

    def closure():
        opt.zero_grad()
        loss = (mg.tensor(a) * w**4).sum()
        loss.backward()
        return loss

    loss = opt.step(closure)
    assert loss.item() == pytest.approx((a * start**4).sum())
    g = 4 * a * start**3
    e = 0.2 * start**2 * g / np.linalg.norm(start * g) if adaptive else 0.2 * g / np.linalg.norm(g)
    np.testing.assert_allclose(w.detach().numpy(), start - 0.1 * 4 * a * (start + e) ** 3)
    with pytest.raises(ValueError, match="closure"):
        opt.step()
    with pytest.raises(ValueError, match="rho"):
        optim.SAM(optim.SGD([w], lr=0.1), rho=-1)

    def fails():
        if (w.detach().numpy() != before).any():
            raise RuntimeError
        return closure()

    before = w.detach().numpy().copy()
    with pytest.raises(RuntimeError):
        opt.step(fails)
    assert (w.detach().numpy() == before).all()
