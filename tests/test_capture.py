"""Recorded steps: bit for bit what eager steps do, and eager steps where that cannot be promised."""

import copy

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.nn import functional as F

RNG = np.random.default_rng(0)


class CharGPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.characters, self.positions, self.drop = nn.Embedding(11, 16), nn.Embedding(6, 16), nn.Dropout(0.1)
        self.block, self.norm, self.head = nn.TransformerEncoderLayer(16, 2, 32, 0.1, batch_first=True), nn.LayerNorm(16), nn.Linear(16, 11)

    def forward(self, x):
        h = self.drop(self.characters(x) + self.positions(np.arange(x.shape[1])))
        return self.head(self.norm(self.block(h, is_causal=True, src_mask=nn.Transformer.generate_square_subsequent_mask(6))))


class CharLSTM(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.lstm, self.head = nn.Embedding(11, 8), nn.LSTM(8, 12, 2, dropout=0.2, batch_first=True), nn.Linear(12, 11)

    def forward(self, x):
        return self.head(self.lstm(self.embedding(x))[0])


def mlp():
    return nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Dropout(0.2), nn.Linear(16, 16), nn.GELU(), nn.BatchNorm1d(16), nn.Linear(16, 3))


def cnn():
    return nn.Sequential(
        nn.Conv2d(2, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout2d(0.1), nn.Conv2d(8, 8, 3, bias=False),
        nn.LeakyReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3),
    )  # fmt: skip


NETS = {
    "mlp": (mlp, lambda: RNG.normal(size=(12, 5)).astype("float32"), lambda: RNG.integers(0, 3, 12)),
    "cnn": (cnn, lambda: RNG.normal(size=(6, 2, 9, 9)).astype("float32"), lambda: RNG.integers(0, 3, 6)),
    "lstm": (CharLSTM, lambda: RNG.integers(0, 11, (4, 6)), lambda: RNG.integers(0, 11, (4, 6))),
    "gpt": (CharGPT, lambda: RNG.integers(0, 11, (4, 6)), lambda: RNG.integers(0, 11, (4, 6))),
}
OPTIMIZERS = {
    "adam": lambda ps: optim.Adam(ps, lr=1e-2),
    "adamw": lambda ps: optim.AdamW(ps, lr=1e-2, amsgrad=True),
    "sgd": lambda ps: optim.SGD(ps, lr=1e-2, momentum=0.9, nesterov=True),
    "rmsprop": lambda ps: optim.RMSprop(ps, lr=1e-3, centered=True),
}


def training(net, optimizer, clip=True):
    """A model, its optimizer, a schedule, and the step that uses them."""
    mg.manual_seed(3)
    model = NETS[net][0]()
    opt = OPTIMIZERS[optimizer](model.parameters())
    schedule = optim.lr_scheduler.OneCycleLR(opt, 0.05, total_steps=40)

    def step(x, y):
        opt.zero_grad()
        out = model(x)
        loss = F.cross_entropy(out.reshape((-1, out.shape[-1])), y.reshape(-1))
        loss.backward()
        if clip:
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        schedule.step()
        return loss

    return model, opt, schedule, step


def states(model, opt):
    return {k: v.numpy().copy() for k, v in model.state_dict().items()}, copy.deepcopy(opt.state_dict())


def assert_equal(a, b):
    if isinstance(a, dict):
        assert list(a) == list(b)
        for k in a:
            assert_equal(a[k], b[k])
    elif isinstance(a, (list, tuple)):
        for x, y in zip(a, b, strict=True):
            assert_equal(x, y)
    else:
        np.testing.assert_array_equal(np.asarray(getattr(a, "data", a)), np.asarray(getattr(b, "data", b)))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("net", NETS)
def test_twenty_steps_are_those_of_eager_bit_for_bit(net, optimizer):
    batches = [(NETS[net][1](), NETS[net][2]()) for _ in range(22)]
    results = []
    for wrap in (lambda f: f, mg.capture):
        model, opt, schedule, step = training(net, optimizer)
        step = wrap(step)
        losses = [step(mg.tensor(x), mg.tensor(y)).item() for x, y in batches]
        results.append((losses, *states(model, opt), schedule.get_last_lr(), mg.random.uniform().item()))
    assert step.replays == 20
    assert_equal(*results)
    assert [p.grad is not None for p in model.parameters()] == [True] * len(list(model.parameters()))


def test_the_program_can_be_read():
    model = nn.Linear(2, 1)

    @mg.capture
    def step(x):
        """Its docstring."""
        return F.relu(model(x)).sum()

    x = mg.tensor([[1.0, 2.0]])
    want = step(x).item()
    assert not step.source
    assert [step(x).item() for _ in range(3)] == [want] * 3
    lines = step.source.splitlines()
    assert lines[0] == "def step(v0):"
    assert [word for line in lines for word in ("linear(", "relu(", "sum(") if word in line] == ["linear(", "relu(", "sum("]
    assert (step.__name__, step.__doc__) == ("step", "Its docstring.")


def test_a_recording_for_each_shape_mode_and_setting():
    model = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5))

    @mg.capture
    def f(x, twice=False):
        y = model(x)
        return y * 2 if twice else y

    a, b = mg.ones((2, 3)), mg.ones((5, 3))
    for x in (a, a, b, b):
        assert f(x).shape == (x.shape[0], 4)
    assert f.replays == 0
    f(a)
    assert (f(b).shape, f.replays) == ((5, 4), 2)
    model.eval()
    want = model(a).tolist()
    assert [f(a).tolist() for _ in range(3)] == [want] * 3
    assert [f(a, True).tolist() for _ in range(3)] == [(model(a) * 2).tolist()] * 3
    model[0].weight.data[...] += 1
    assert f(a).tolist() == model(a).tolist() != want
    model.load_state_dict({k: v * 0 for k, v in model.state_dict().items()})
    assert f(a).tolist() == model(a).tolist()


def test_parameters_that_are_frozen_later():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    opt = optim.SGD(model.parameters(), lr=0.1)

    @mg.capture
    def step(x):
        opt.zero_grad()
        loss = model(x).sum()
        loss.backward()
        opt.step()
        return loss

    x = mg.ones((3, 2))
    for _ in range(4):
        step(x)
    model[0].requires_grad_(False)
    before = model[0].weight.tolist()
    for _ in range(4):
        step(x)
    assert model[0].weight.tolist() == before


def eager_from(step, *args, calls=4, why):
    with pytest.warns(RuntimeWarning, match=why):
        found = [step(*args) for _ in range(calls)]
    assert step.replays == 0
    return found


def test_a_branch_on_a_value_is_never_repeated():
    @mg.capture
    def f(x):
        return x * 2 if x.sum() > 0 else x

    a, b = mg.tensor([1.0]), mg.tensor([-1.0])
    assert [y.item() for y in eager_from(f, a, why="reads a value in the middle")] == [2.0] * 4
    assert f(b).item() == -1.0


@pytest.mark.parametrize("value", [lambda x: x.item(), lambda x: float(x[0]), lambda x: x.tolist()[0]])
def test_values_that_are_read(value):
    @mg.capture
    def f(x):
        return x * value(x)

    assert [y.item() for y in eager_from(f, mg.tensor([3.0]), why="reads a value")] == [9.0] * 4


def test_functions_of_numpy_are_recorded_too():
    @mg.capture
    def f(x):
        return x * np.sqrt(x.numpy()).sum() + np.where(x.numpy() > 1, 1.0, 2.0)

    for value in (4.0, 9.0, 16.0, 0.25):
        y = f(mg.tensor([value]))
        assert y.tolist() == [value * value**0.5 + (1.0 if value > 1 else 2.0)]
    assert f.replays == 2


def test_numbers_that_are_drawn_elsewhere():
    rng = np.random.default_rng(0)

    @mg.capture
    def f(x):
        return x + rng.normal()

    assert len({y.item() for y in eager_from(f, mg.tensor([3.0]), why=r"did 'v1 = .*the first time and 'v1 = .*the second")}) == 4


def test_a_count_that_goes_on():
    class Counting:
        n = 0

    @mg.capture
    def f(x):
        Counting.n += 1
        return x * Counting.n

    assert [y.item() for y in eager_from(f, mg.tensor([1.0]), why="the first time")] == [1.0, 2.0, 3.0, 4.0]


def test_a_state_that_is_kept():
    kept = {}

    @mg.capture
    def f(x):
        kept["h"] = kept["h"] + x if "h" in kept else x * 1
        return kept["h"]

    assert [y.item() for y in eager_from(f, mg.tensor([1.0]), why="the first time|earlier step|was the array of a tensor")] == [
        1.0,
        2.0,
        3.0,
        4.0,
    ]


def test_losses_that_are_collected():
    w, seen = nn.Parameter(mg.ones(2)), []

    @mg.capture
    def f(x):
        loss = (w * x).sum()
        seen.append(loss)
        return loss

    assert [f(mg.ones(2)).item() for _ in range(5)] == [2.0] * 5
    assert (f.replays, len(seen)) == (3, 2)


def test_gradients_that_add_up():
    w = nn.Parameter(mg.ones(2))

    @mg.capture
    def f(x):
        loss = (w * x).sum()
        loss.backward()
        return loss

    eager_from(f, mg.ones(2), why="the first time|zero_grad")
    assert w.grad.tolist() == [4.0, 4.0]


def test_labels_are_looked_at_in_every_step():
    model = nn.Linear(2, 3)

    @mg.capture
    def f(x, y):
        return F.cross_entropy(model(x), y)

    x = mg.ones((3, 2))
    for _ in range(3):
        f(x, mg.tensor([0, 1, 2]))
    for labels in ([0, -100, 2], [-100, -100, -100]):
        assert f(x, mg.tensor(labels)).item() == F.cross_entropy(model(x), mg.tensor(labels)).item()
    with pytest.raises(IndexError, match="label 3 at row 1, 3 classes"):
        f(x, mg.tensor([0, 3, 2]))
    assert f.replays == 4


def test_arguments():
    @mg.capture
    def f(x, factor):
        return {"y": x * factor, "more": [x, (x + 1, None, "text")]}

    x = np.ones(2, "float32")
    for _ in range(4):
        y = f(x, 2.0)
    assert (y["y"].tolist(), y["more"][1][0].tolist(), y["more"][1][1:]) == ([2.0, 2.0], [2.0, 2.0], (None, "text"))
    assert f.replays == 2
    with pytest.raises(mg.errors.GraphError, match="argument requires a gradient"):
        f(mg.ones(2, requires_grad=True), 1.0)


def test_an_error_leaves_everything_as_it_was():
    model = nn.Linear(2, 2)

    @mg.capture
    def f(x):
        y = model(x)
        if x.shape[0] == 3:
            raise RuntimeError("no")
        return y

    with pytest.raises(RuntimeError, match="no"):
        f(mg.ones((3, 2)))
    assert type(model.weight.data) is np.ndarray
    assert f(mg.ones((2, 2))).shape == (2, 2)


def test_higher_orders_and_views():
    w = nn.Parameter(mg.tensor([[1.0, 2.0], [3.0, 4.0]]))

    @mg.capture
    def f(x):
        y = (w.T @ x)[1:].sum() ** 3
        (d,) = mg.grad(y, [w], create_graph=True)
        return mg.grad((d**2).sum(), [w])[0]

    x = mg.tensor([0.5, -1.0])
    want = f(x).tolist()
    assert [f(x).tolist() for _ in range(3)] == [want] * 3
    assert f.replays == 2


@pytest.mark.parametrize(
    "noise",
    [
        lambda x: mg.random.normal(size=x.shape),
        lambda x: mg.random.uniform(size=(3,)),
        lambda x: mg.random.bernoulli(x * 0 + 0.5),
        lambda x: F.gumbel_softmax(x, hard=True),
        lambda x: F.rrelu(x - 2, training=True),
        lambda x: F.dropout(x, 0.5) + F.alpha_dropout(x, 0.5),
    ],
)
def test_random_numbers_are_drawn_anew(noise):
    x, found = mg.tensor([1.0, 2.0, 3.0]), []
    for wrap in (lambda f: f, mg.capture):
        mg.manual_seed(5)
        f = wrap(lambda x: x + noise(x))
        found.append([f(x).tolist() for _ in range(6)])
    assert found[0] == found[1]
    assert len({tuple(y) for y in found[0]}) > 1
    assert f.replays == 4


def test_a_recorded_step_within_another():
    w = nn.Parameter(mg.tensor([2.0]))
    inner = mg.capture(lambda x: x * w)
    outer = mg.capture(lambda x: inner(x) + inner(x * 2))
    x = mg.tensor([1.0])
    assert [inner(x).item() for _ in range(3)] == [2.0] * 3
    assert [outer(x).item() for _ in range(4)] == [6.0] * 4
    w.data[...] = 3
    assert (outer(x).item(), inner(x).item(), outer.replays, inner.replays) == (9.0, 3.0, 3, 2)
