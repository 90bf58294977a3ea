"""Layers, losses and optimizers on the strict double of a GPU: what NumPy computes, without the host reading a value on the way."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.testing.double import DoubleArray, no_sync, register

register()

IMAGE, ROWS = (2, 4, 6, 6), (5, 8)
LAYERS = {
    "linear": (lambda: nn.Linear(8, 3), ROWS),
    "linear without bias": (lambda: nn.Linear(8, 3, bias=False), ROWS),
    "conv1d": (lambda: nn.Conv1d(4, 6, 3, padding=1), (2, 4, 9)),
    "conv2d": (lambda: nn.Conv2d(4, 6, 3, stride=2, padding=1), IMAGE),
    "conv2d in groups": (lambda: nn.Conv2d(4, 8, 3, groups=2, dilation=2), IMAGE),
    "conv3d": (lambda: nn.Conv3d(2, 3, 2), (2, 2, 4, 4, 4)),
    "conv_transpose2d": (lambda: nn.ConvTranspose2d(4, 3, 3, stride=2, padding=1, output_padding=1), IMAGE),
    "max pooling": (lambda: nn.MaxPool2d(2), IMAGE),
    "average pooling": (lambda: nn.AvgPool2d(3, stride=2, padding=1), IMAGE),
    "adaptive average pooling": (lambda: nn.AdaptiveAvgPool2d(2), IMAGE),
    "flatten": (lambda: nn.Flatten(), IMAGE),
    "relu": (lambda: nn.ReLU(), ROWS),
    "gelu": (lambda: nn.GELU(), ROWS),
    "silu": (lambda: nn.SiLU(), ROWS),
    "elu": (lambda: nn.ELU(), ROWS),
    "softplus": (lambda: nn.Softplus(), ROWS),
    "tanh": (lambda: nn.Tanh(), ROWS),
    "softmax": (lambda: nn.Softmax(1), ROWS),
    "a small net": (lambda: nn.Sequential(nn.Conv2d(4, 5, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(20, 3)), IMAGE),
}
LOSSES = {
    "cross entropy": (nn.CrossEntropyLoss(), (5, 3), np.array([0, 2, 1, 1, 0])),
    "smoothed": (nn.CrossEntropyLoss(label_smoothing=0.1), (5, 3), np.array([0, 2, 1, 1, 0])),
    "mse": (nn.MSELoss(), (5, 3), np.linspace(-1, 1, 15).reshape(5, 3)),
    "l1": (nn.L1Loss(), (5, 3), np.linspace(-1, 1, 15).reshape(5, 3)),
    "huber": (nn.HuberLoss(), (5, 3), np.linspace(-1, 1, 15).reshape(5, 3)),
    "bce with logits": (nn.BCEWithLogitsLoss(), (5, 3), np.tile([0.0, 1.0, 0.5], (5, 1))),
}
OPTIMIZERS = {
    "sgd": lambda ps: optim.SGD(ps, lr=0.1),
    "momentum": lambda ps: optim.SGD(ps, lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=True),
    "adam": lambda ps: optim.Adam(ps, lr=0.01, amsgrad=True),
    "adamw": lambda ps: optim.AdamW(ps, lr=0.01),
}


def draw(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def sent(a, **kw):
    return mg.tensor(a, **kw).to(device="double")


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name):
    make, shape = LAYERS[name]
    mg.manual_seed(0)
    here = make()
    there = make()
    there.load_state_dict(here.state_dict())
    there.to(device="double")
    x = mg.tensor(draw(shape), requires_grad=True)
    twin = sent(draw(shape)).requires_grad_()
    y = here(x)
    (y * y).sum().backward()
    with no_sync():
        z = there(twin)
        (z * z).sum().backward()
    assert isinstance(z.data, DoubleArray)
    np.testing.assert_allclose(z.detach().numpy(), y.detach().numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(twin.grad.numpy(), x.grad.numpy(), rtol=1e-4, atol=1e-5)
    for (key, p), q in zip(here.named_parameters(), there.parameters(), strict=True):
        np.testing.assert_allclose(q.grad.numpy(), p.grad.numpy(), rtol=1e-4, atol=1e-5, err_msg=key)


@pytest.mark.parametrize("name", LOSSES)
def test_losses(name):
    loss, shape, target = LOSSES[name]
    target = target if target.dtype.kind == "i" else target.astype("float32")
    x = mg.tensor(draw(shape), requires_grad=True)
    twin, goal = sent(draw(shape)).requires_grad_(), sent(target)
    here = loss(x, mg.tensor(target))
    here.backward()
    with no_sync():
        there = loss(twin, goal)
        there.backward()
    assert there.item() == pytest.approx(here.item(), rel=1e-5)
    np.testing.assert_allclose(twin.grad.numpy(), x.grad.numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name):
    """Ten steps of a small net: the same parameters, and not one wait."""
    mg.manual_seed(0)
    here = nn.Sequential(nn.Linear(8, 4), nn.Tanh(), nn.Linear(4, 3))
    there = nn.Sequential(nn.Linear(8, 4), nn.Tanh(), nn.Linear(4, 3))
    there.load_state_dict(here.state_dict())
    there.to(device="double")
    labels = np.array([0, 2, 1, 1, 0])
    batches = [(mg.tensor(draw(ROWS)), mg.tensor(labels)), (sent(draw(ROWS)), sent(labels))]
    for model, (x, y) in zip((here, there), batches, strict=True):
        opt = OPTIMIZERS[name](model.parameters())
        with no_sync():
            for _ in range(10):
                opt.zero_grad()
                nn.functional.cross_entropy(model(x), y).backward()
                opt.step()
    for p, q in zip(here.parameters(), there.parameters(), strict=True):
        np.testing.assert_allclose(q.detach().numpy(), p.detach().numpy(), rtol=1e-5, atol=1e-6)
