"""Training steps as CUDA graphs: what the same steps do when they are called as they are."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.nn import functional as F

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def there_is_a_gpu(device):
    if device == "double":
        pytest.skip("graphs on the double are tested in tests/backend/cuda/test_graph.py")


class Characters(nn.Module):
    def __init__(self, body):
        super().__init__()
        self.embedding, self.body, self.head = nn.Embedding(11, 32), body, nn.Linear(32, 11)

    def forward(self, x):
        y = self.body(self.embedding(x))
        return self.head(y[0] if isinstance(y, tuple) else y)


IMAGES, TEXT = lambda: RNG.normal(size=(8, 2, 9, 9)).astype("float32"), lambda: RNG.integers(0, 11, (4, 12))
NETS = {
    "mlp": (
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(162, 32), nn.GELU(), nn.Dropout(0.2), nn.LayerNorm(32), nn.Linear(32, 3)),
        IMAGES,
    ),
    "cnn": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout2d(0.1), nn.Flatten(), nn.Linear(72, 3)
        ),
        IMAGES,
    ),
    "lstm": (lambda: Characters(nn.LSTM(32, 32, 2, dropout=0.2, batch_first=True)), TEXT),
    "gpt": (lambda: Characters(nn.TransformerEncoderLayer(32, 4, 64, 0.1, batch_first=True)), TEXT),
}
OPTIMIZERS = {
    "sgd": lambda ps: optim.SGD(ps, lr=1e-2, momentum=0.9),
    "adamw": lambda ps: optim.AdamW(ps, lr=1e-3),
    "asgd, without a kernel": lambda ps: optim.ASGD(ps, lr=1e-2),
}


def run(net, optimizer, device, batches, captured, scaled):
    mg.manual_seed(1)
    model = NETS[net][0]().to(device=device)
    opt = OPTIMIZERS[optimizer](model.parameters())
    schedule = optim.lr_scheduler.OneCycleLR(opt, 3e-3, total_steps=40, cycle_momentum=False)
    scaler = mg.amp.GradScaler("cuda", init_scale=2.0**10, growth_interval=5, enabled=scaled)

    def step(x, y):
        opt.zero_grad()
        with mg.amp.autocast("cuda", enabled=scaled):
            out = model(x)
        loss = F.cross_entropy(out.astype("float32").reshape((-1, out.shape[-1])), y.reshape(-1))
        scaler.scale(loss).backward()
        scaler.unscale_(opt)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(opt)
        scaler.update()
        schedule.step()
        return loss

    step = mg.capture(step) if captured else step
    losses = [step(x, y) for x, y in batches]
    return [v.item() for v in losses], [p.detach().numpy() for p in model.parameters()], mg.random.uniform().item(), step


@pytest.mark.parametrize("scaled", [False, True], ids=["float32", "autocast"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("net", NETS)
def test_twenty_steps(net, optimizer, scaled, device, sent):
    draw = NETS[net][1]
    batches = []
    for _ in range(22):
        x = draw()
        batches.append((sent(x), sent(RNG.integers(0, 3, 8) if x.dtype.kind == "f" else RNG.integers(0, 11, x.shape))))
    losses, parameters, drawn, _ = run(net, optimizer, device, batches, False, scaled)
    found, others, drawn_too, step = run(net, optimizer, device, batches, True, scaled)
    assert (step.replays, drawn_too) == (20, drawn)
    tolerance = 1e-2 if scaled else 1e-4
    np.testing.assert_allclose(found, losses, rtol=tolerance)
    for p, q in zip(parameters, others, strict=True):
        np.testing.assert_allclose(q, p, rtol=tolerance, atol=tolerance)


def test_masks_are_those_of_steps_that_are_not_captured(device, sent):
    x, found = sent(np.ones((64, 33), "float32")), []
    for how in (lambda f: f, mg.capture):
        mg.manual_seed(2)
        step = how(lambda x: F.dropout(x, 0.5) * F.dropout(x, 0.25))
        found.append([step(x).numpy() for _ in range(6)])
    np.testing.assert_array_equal(*found)


def test_the_pool_does_not_grow(device, sent):
    step = mg.capture(lambda x: (x @ x.T).exp().sum(0))
    x = sent(np.ones((16, 4), "float32"))
    first = [step(x) for _ in range(3)][-1]
    held = step.source
    for i in range(5):
        step(x * i)
    assert step.source == held
    np.testing.assert_allclose(first.numpy(), np.full(16, 16 * np.exp(4)), rtol=1e-5)


def test_hundreds_of_steps_that_nobody_waits_for(device, sent):
    """Each with a rate of its own and dropout of its own, on its way while others still compute, and other memory comes and goes."""
    found = []
    for how in (lambda f: f, mg.capture):
        mg.manual_seed(3)
        w = nn.Parameter(sent(np.full((1024, 1024), 1 / 1024, "float32")))
        optimizer = optim.SGD([w], lr=1e-3)
        schedule = optim.lr_scheduler.LambdaLR(optimizer, lambda i: 1 / (1 + i % 7))

        def step(x, w=w, optimizer=optimizer, schedule=schedule):
            optimizer.zero_grad()
            for _ in range(4):
                x = x @ w
            loss = (F.dropout(x, 0.5) ** 2).mean()
            loss.backward()
            optimizer.step()
            schedule.step()
            return loss

        step, losses = how(step), []
        for i in range(300):
            losses.append(step(sent(np.full((256, 1024), 1 + i % 3, "float32"))))
            _ = losses[-1] * float("nan") + sent(np.full((257, 1023), np.nan, "float32"))  # if memory is shared, it will show
        found.append((np.array([v.item() for v in losses]), w.detach().numpy()))
    assert np.isfinite(found[0][0]).all()
    for eager, captured in zip(*found, strict=True):
        np.testing.assert_array_equal(captured, eager)


def test_what_cannot_be_captured(device, sent):
    step, x = mg.capture(lambda x: x * x.sum().item()), sent(np.ones(3, "float32"))
    with pytest.warns(RuntimeWarning, match="is called as it is"):
        assert [step(x).tolist() for _ in range(4)] == [[3.0] * 3] * 4
    assert (x + 1).tolist() == [2.0] * 3
