"""Small nets in float16 with a scaler reach the loss that float32 reaches."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.amp import GradScaler, autocast
from minigrad.nn import functional as F
from minigrad.nn.utils import clip_grad_norm_


def mlp():
    return nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 2))


def cnn():
    return nn.Sequential(nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(54, 2))


def rings(rng):
    x = rng.normal(size=(96, 2))
    return x, (x**2).sum(1) > 1.4


def stripes(rng):
    y = rng.integers(0, 2, 64)
    wave = np.sin(np.arange(8) * 2)[None, :] * np.ones((8, 1))
    return np.where(y[:, None, None], wave, wave.T)[:, None] + rng.normal(size=(64, 1, 8, 8)) * 0.4, y


NETS = {"mlp": (mlp, rings, 80), "cnn": (cnn, stripes, 25)}


def train(name, dtype, infinite=()):
    net, data, steps = NETS[name]
    mg.manual_seed(3)
    model, (x, y) = net(), data(np.random.default_rng(1))
    x, y = mg.tensor(x.astype("float32")), mg.tensor(y.astype("int64"))
    opt = optim.AdamW(model.parameters(), lr=0.02)
    scaler = GradScaler("cpu", enabled=dtype is not None)
    losses = []
    for i in range(steps):
        opt.zero_grad()
        with autocast("cpu", dtype, enabled=dtype is not None):
            loss = F.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        if i in infinite:
            next(model.parameters()).grad *= np.inf
        scaler.unscale_(opt)
        clip_grad_norm_(model.parameters(), 5.0)
        scaler.step(opt)
        scaler.update()
        losses.append(loss.item())
    assert all(p.dtype == "float32" for p in model.parameters())
    return losses, scaler


@pytest.mark.parametrize("name", NETS)
def test_float16_reaches_the_loss_of_float32(name):
    full, _ = train(name, None)
    low, scaler = train(name, "float16")
    assert full[-1] < 0.2 * full[0]
    assert abs(low[-1] - full[-1]) < 0.02
    assert scaler.get_scale() == 2.0**16
    assert low != full


def test_infinities_on_the_way_cost_their_steps_only():
    full, _ = train("mlp", None)
    low, scaler = train("mlp", "float16", infinite=(4, 30))
    assert scaler.get_scale() == 2.0**14
    assert low[5] == low[4]  # the step between was skipped
    assert abs(low[-1] - full[-1]) < 0.04


def test_bfloat16_needs_no_scaler():
    pytest.importorskip("ml_dtypes")
    mg.manual_seed(3)
    model, (x, y) = mlp(), rings(np.random.default_rng(1))
    x, y = mg.tensor(x.astype("float32")), mg.tensor(y.astype("int64"))
    opt = optim.AdamW(model.parameters(), lr=0.02)
    for _ in range(80):
        opt.zero_grad()
        with autocast("cpu", "bfloat16"):
            loss = F.cross_entropy(model(x), y)
        loss.backward()
        opt.step()
    assert loss.item() < 0.15


def test_small_gradients_survive_by_the_scale():
    w = mg.ones(1).requires_grad_()
    for scaler, want in ((GradScaler("cpu", enabled=False), 0.0), (GradScaler("cpu"), 1e-8)):
        w.grad = None
        y = w.astype("float16") * mg.ones(1, dtype="float16")
        scaler.scale(y.astype("float32") * 1e-8).sum().backward()
        if scaler.is_enabled():
            scaler.unscale_(optim.SGD([w], lr=1.0))
        assert w.grad.item() == pytest.approx(want, rel=1e-2)
