"""No tool raises a false alarm on models that are well, and none leaves a trace on them."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import debug, nn
from minigrad.nn import functional as F


def mlp():
    net = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4))
    return net, F.cross_entropy, (mg.random.normal(size=(16, 6), dtype="float32"), mg.arange(16) % 4)


def cnn():
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32, 3),
    )
    return net, F.cross_entropy, (mg.random.normal(size=(12, 1, 8, 8), dtype="float32"), mg.arange(12) % 3)


class Last(nn.Module):
    """An LSTM that is read at the end."""

    def __init__(self):
        super().__init__()
        self.rnn, self.head = nn.LSTM(5, 16, batch_first=True), nn.Linear(16, 2)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])


def lstm():
    return Last(), F.cross_entropy, (mg.random.normal(size=(10, 7, 5), dtype="float32"), mg.arange(10) % 2)


class GPT(nn.Module):
    """Two causal layers over tokens."""

    def __init__(self):
        super().__init__()
        self.embed, self.place = nn.Embedding(11, 16), nn.Embedding(8, 16)
        layer = nn.TransformerEncoderLayer(16, 2, 32, 0.1, batch_first=True, norm_first=True)
        self.layers, self.norm, self.head = nn.TransformerEncoder(layer, 2), nn.LayerNorm(16), nn.Linear(16, 11)

    def forward(self, tokens):
        mask = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1])
        x = self.layers(self.embed(tokens) + self.place(mg.arange(tokens.shape[1])), mask=mask, is_causal=True)
        return self.head(self.norm(x))


def gpt():
    tokens = mg.random.randint(0, 11, (6, 9))
    loss = lambda y, t: F.cross_entropy(y.reshape((-1, 11)), t.reshape((-1,)))  # noqa: E731
    return GPT(), loss, (tokens[:, :-1], tokens[:, 1:])


HEALTHY = [mlp, cnn, lstm, gpt]


def state(model, optimizer):
    values = {k: v.numpy().copy() for k, v in model.state_dict().items()}
    grads = {k: None if p.grad is None else p.grad.numpy().copy() for k, p in model.named_parameters()}
    kept = optimizer.state_dict()["state"]
    return values, grads, {f"{k}.{n}": np.asarray(getattr(v, "data", v)) for k, s in kept.items() for n, v in s.items()}


def same(a, b):
    return all(
        x.keys() == y.keys() and all((x[k] is None and y[k] is None) or np.array_equal(x[k], y[k]) for k in x)
        for x, y in zip(a, b, strict=True)
    )


@pytest.mark.parametrize("make", HEALTHY)
def test_no_false_alarm_and_no_trace(make):
    mg.manual_seed(0)
    model, loss_fn, batch = make()
    optimizer = mg.optim.Adam(model.parameters(), lr=1e-3)

    def loss():
        return loss_fn(model(batch[0]), batch[1])

    def step():
        optimizer.zero_grad()
        value = loss()
        value.backward()
        optimizer.step()
        return value

    step()  # so that there are gradients and a state to be left alone
    before, random = state(model, optimizer), mg.backend.generator().state["state"]["counter"].copy()
    modes = [m.training for m in model.modules()]
    assert debug.lint(model, loss).ok
    found = debug.lint(model, step, optimizer)
    assert found.ok, str(found)
    found = debug.diagnose(model, loss_fn, batch, optimizer)
    assert found.ok, str(found)
    debug.depth_profile(model, loss_fn, batch, optimizer)
    assert same(state(model, optimizer), before)
    assert [m.training for m in model.modules()] == modes
    assert np.array_equal(mg.backend.generator().state["state"]["counter"], random)

    value = loss()
    for name, p in model.named_parameters():
        assert debug.why_no_grad(value, p, model).kind == "flows", name
        assert debug.explain_grad(value, p, model).kind == "healthy", name
    assert debug.memory_report(value).held > 0
    with debug.detect_nan(), debug.profile():
        step()


def test_training_goes_on_as_if_nothing_had_been_looked_at():
    def train(look):
        mg.manual_seed(0)
        model, loss_fn, batch = HEALTHY[0]()
        optimizer = mg.optim.Adam(model.parameters())

        def step():
            optimizer.zero_grad()
            loss = loss_fn(model(batch[0]), batch[1])
            loss.backward()
            optimizer.step()
            return loss

        for _ in range(3):
            step()
            if look:
                debug.lint(model, step, optimizer)
                debug.diagnose(model, loss_fn, batch, optimizer)
        return [p.numpy().copy() for p in model.parameters()]

    assert all(np.array_equal(a, b) for a, b in zip(train(False), train(True), strict=True))
