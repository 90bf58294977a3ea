"""Layers, optimizers and training on the GPU: what NumPy computes."""

import inspect

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.nn import functional as F

RNG = np.random.default_rng(0)
ROWS, IMAGE, STEPS = (5, 8), (2, 4, 6, 6), (7, 5, 8)


def draw(*shape):
    return RNG.normal(size=shape).astype("float32")


LAYERS = {
    "linear": (lambda: nn.Linear(8, 3), ROWS),
    "conv": (lambda: nn.Conv2d(4, 6, 3, stride=2, padding=1), IMAGE),
    "conv in groups": (lambda: nn.Conv2d(4, 8, 3, groups=2), IMAGE),
    "transposed conv": (lambda: nn.ConvTranspose2d(4, 3, 3, stride=2), IMAGE),
    "max pooling": (lambda: nn.MaxPool2d(2, padding=1), IMAGE),
    "average pooling": (lambda: nn.AvgPool2d(3, 2, 1), IMAGE),
    "batch norm": (lambda: nn.BatchNorm2d(4), IMAGE),
    "batch norm in evaluation": (lambda: nn.BatchNorm2d(4).eval(), IMAGE),
    "layer norm": (lambda: nn.LayerNorm(8), ROWS),
    "RMS norm": (lambda: nn.RMSNorm(8), ROWS),
    "group norm": (lambda: nn.GroupNorm(2, 4), IMAGE),
    "dropout": (lambda: nn.Dropout(0.3), ROWS),
    "RNN": (lambda: nn.RNN(8, 3), STEPS),
    "LSTM": (lambda: nn.LSTM(8, 3, num_layers=2), STEPS),
    "GRU": (lambda: nn.GRU(8, 3, bidirectional=True), STEPS),
    "encoder layer": (lambda: nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0), STEPS),
    **{name: (lambda name=name: getattr(nn, name)(), ROWS) for name in ("ReLU", "GELU", "SiLU", "Softmax", "LogSoftmax", "PReLU", "ELU")},
}


def outputs(y):
    return [t for part in y for t in outputs(part)] if isinstance(y, tuple) else [y]


def close(got, want, tolerance=1e-4):
    np.testing.assert_allclose(got.detach().numpy(), want.detach().numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", LAYERS)
def test_layer(name, device, sent):
    make, shape = LAYERS[name]
    mg.manual_seed(0)
    here, there = make(), make()
    there.load_state_dict(here.state_dict())
    there.to(device=device)
    x = draw(*shape)
    results = []
    for model, t in ((here, mg.tensor(x)), (there, sent(x))):
        t.requires_grad_()
        mg.manual_seed(1)
        ys = outputs(model(t))
        sum((y * y).sum() for y in ys).backward()
        results.append([*ys, t.grad, *[p.grad for p in model.parameters()], *[b for b in model.buffers() if b.dtype.kind == "f"]])
    for want, got in zip(*results, strict=True):
        assert got.device == device
        close(got, want)


PARTICULAR = {"LBFGS", "Lookahead", "Muon", "Optimizer", "SAM"}
"""They take closures, other optimizers or matrices alone."""
OPTIMIZERS = sorted(n for n, c in vars(optim).items() if inspect.isclass(c) and issubclass(c, optim.Optimizer) and n not in PARTICULAR)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer(name, device, sent):
    """Ten steps of a small net."""
    mg.manual_seed(0)
    here = nn.Sequential(nn.Linear(8, 4), nn.Tanh(), nn.Linear(4, 3))
    there = nn.Sequential(nn.Linear(8, 4), nn.Tanh(), nn.Linear(4, 3))
    there.load_state_dict(here.state_dict())
    there.to(device=device)
    x, labels = draw(*ROWS), np.array([0, 2, 1, 1, 0])
    for model, batch in ((here, (mg.tensor(x), mg.tensor(labels))), (there, (sent(x), sent(labels)))):
        optimizer = getattr(optim, name)(model.parameters(), lr=1e-2)
        for _ in range(10):
            optimizer.zero_grad()
            F.cross_entropy(model(batch[0]), batch[1]).backward()
            optimizer.step()
    for p, q in zip(here.parameters(), there.parameters(), strict=True):
        assert q.device == device
        close(q, p)


# -- training ---------------------------------------------------------------------------------------------------------
class LSTM(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.lstm, self.head = nn.Embedding(11, 8), nn.LSTM(8, 12, batch_first=True), nn.Linear(12, 11)

    def forward(self, x):
        return self.head(self.lstm(self.embedding(x))[0]).reshape((-1, 11))


class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.characters, self.positions = nn.Embedding(11, 16), nn.Embedding(6, 16)
        self.block, self.norm, self.head = nn.TransformerEncoderLayer(16, 2, 32, 0.1, batch_first=True), nn.LayerNorm(16), nn.Linear(16, 11)

    def forward(self, x):
        h = self.characters(x) + self.positions(mg.arange(x.shape[1], device=x.device))
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1]).to(device=x.device)
        return self.head(self.norm(self.block(h, is_causal=True, src_mask=mask))).reshape((-1, 11))


def mlp():
    return nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Dropout(0.2), nn.Linear(16, 16), nn.GELU(), nn.BatchNorm1d(16), nn.Linear(16, 3))


def cnn():
    return nn.Sequential(
        nn.Conv2d(2, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3, bias=False),
        nn.LeakyReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3),
    )  # fmt: skip


NETS = {
    "mlp": (mlp, draw(12, 5), RNG.integers(0, 3, 12)),
    "cnn": (cnn, draw(6, 2, 9, 9), RNG.integers(0, 3, 6)),
    "lstm": (LSTM, RNG.integers(0, 11, (4, 6)), RNG.integers(0, 11, 24)),
    "gpt": (GPT, RNG.integers(0, 11, (4, 6)), RNG.integers(0, 11, 24)),
}


@pytest.mark.parametrize("name", NETS)
def test_training(name, device, sent):
    """Twenty steps, with dropout, clipping and a schedule: the same losses."""
    make, x, labels = NETS[name]
    losses = []
    for there in (False, True):
        mg.manual_seed(0)
        model = make()
        batch = mg.tensor(x), mg.tensor(labels)
        if there:
            model.to(device=device)
            batch = sent(x), sent(labels)
        optimizer = optim.Adam(model.parameters(), lr=1e-2)
        schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)
        mg.manual_seed(1)
        curve = []
        for _ in range(20):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(batch[0]), batch[1])
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            curve.append(loss.detach())
        losses.append([v.item() for v in curve])
    assert losses[0][-1] < losses[0][0]
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-3, atol=1e-4)


def test_mixed_precision(device, sent):
    """In float16 with scaled losses: near the losses of float32, and the parameters stay float32."""
    make, x, labels = NETS["mlp"]
    losses = []
    for half in (False, True):
        mg.manual_seed(0)
        model = make().to(device=device)
        batch, target = sent(x), sent(labels)
        optimizer, scaler = optim.Adam(model.parameters(), lr=1e-2), mg.amp.GradScaler(device, init_scale=256.0, enabled=half)
        mg.manual_seed(1)
        for _ in range(10):
            optimizer.zero_grad()
            with mg.amp.autocast(device, enabled=half):
                loss = F.cross_entropy(model(batch), target)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        losses.append(loss.item())
        assert all(p.dtype == "float32" for p in model.parameters())
    np.testing.assert_allclose(losses[1], losses[0], rtol=0.05)
