"""mg.capture on a GPU, as CUDA graphs: on the double, whose graphs make the calls again into the same memory, as a GPU's do."""

import contextlib
import copy

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.backend.cuda import transfer
from minigrad.backend.cuda.graph import Memory
from minigrad.backend.cuda.sheet import Sheet
from minigrad.backend.recording.beside import sheet
from minigrad.nn import functional as F
from minigrad.testing.double import double, put

RNG = np.random.default_rng(0)


pytestmark = pytest.mark.usefixtures("library")


class CharGPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.characters, self.positions, self.drop = nn.Embedding(11, 16), nn.Embedding(6, 16), nn.Dropout(0.1)
        self.block, self.norm, self.head = nn.TransformerEncoderLayer(16, 2, 32, 0.1, batch_first=True), nn.LayerNorm(16), nn.Linear(16, 11)
        self.register_buffer("places", mg.arange(6))
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(6))

    def forward(self, x):
        h = self.drop(self.characters(x) + self.positions(self.places))
        return self.head(self.norm(self.block(h, is_causal=True, src_mask=self.mask)))


class CharLSTM(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.lstm, self.head = nn.Embedding(11, 12), nn.LSTM(12, 12, 2, dropout=0.2, batch_first=True), nn.Linear(12, 11)

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
    "rmsprop": lambda ps: optim.RMSprop(ps, lr=1e-3, momentum=0.5),
}


def training(net, optimizer, place="double", scaler=None):
    """A model, its optimizer, a schedule, and the step that uses them."""
    mg.manual_seed(3)
    model = NETS[net][0]().to(device=place)
    opt = OPTIMIZERS[optimizer](model.parameters())
    schedule = optim.lr_scheduler.OneCycleLR(opt, 0.003, total_steps=40)

    def step(x, y):
        opt.zero_grad()
        out = model(x)
        loss = F.cross_entropy(out.reshape((-1, out.shape[-1])), y.reshape(-1))
        if scaler is None:
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            opt.step()
        else:
            scaler.scale(loss).backward()
            scaler.unscale_(opt)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scaler.step(opt)
            scaler.update()
        schedule.step()
        return loss

    return model, opt, schedule, step


def there(a):
    return mg.tensor(put(a))


def outcome(model, opt, schedule):
    """All that a training leaves behind, as NumPy's arrays and numbers."""

    def plain(x):
        if isinstance(x, dict):
            return {k: plain(v) for k, v in x.items()}
        if isinstance(x, (list, tuple)):
            return [plain(v) for v in x]
        return x.cpu().numpy().copy() if isinstance(x, mg.Tensor) else x

    gradients = [p.grad for p in model.parameters()]
    return plain([model.state_dict(), copy.copy(opt.state_dict()), gradients, schedule.get_last_lr(), mg.random.uniform().item()])


def assert_equal(a, b):
    if isinstance(a, dict):
        assert list(a) == list(b)
        a, b = list(a.values()), list(b.values())
    if isinstance(a, list):
        for x, y in zip(a, b, strict=True):
            assert_equal(x, y)
    else:
        np.testing.assert_array_equal(a, b)


def results(net, optimizer, batches, place="double", captured=False, scaled=None):
    scaler = None if scaled is None else mg.amp.GradScaler("double" if place == "double" else "cpu", init_scale=scaled, growth_interval=5)
    model, opt, schedule, step = training(net, optimizer, place, scaler)
    step = mg.capture(step) if captured else step
    send = there if place == "double" else mg.tensor
    losses = [step(send(x), send(y)).item() for x, y in batches]
    return losses, [*outcome(model, opt, schedule), scaler and scaler.get_scale()], step


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("net", NETS)
def test_twenty_steps_are_those_of_eager_bit_for_bit(net, optimizer):
    batches = [(NETS[net][1](), NETS[net][2]()) for _ in range(22)]
    eager, left, _ = results(net, optimizer, batches)
    losses, left_too, step = results(net, optimizer, batches, captured=True)
    assert step.replays == 20
    assert losses == eager
    assert_equal(left, left_too)
    on_cpu = results(net, optimizer, batches, "cpu")[0]
    np.testing.assert_allclose(losses, on_cpu, rtol=1e-4)


@pytest.mark.parametrize("scaled", [2.0**10, 2.0**127], ids=["finite", "too large at first"])
def test_a_scaler_skips_steps_in_the_same_places(scaled):
    batches = [(NETS["mlp"][1](), NETS["mlp"][2]()) for _ in range(22)]
    for i in (8, 9, 15):
        batches[i][0][0, 0] = np.inf
    eager, left, _ = results("mlp", "adam", batches, scaled=scaled)
    losses, left_too, step = results("mlp", "adam", batches, captured=True, scaled=scaled)
    assert step.replays == 20
    np.testing.assert_array_equal(losses, eager)
    assert_equal(left, left_too)
    assert left[1]["state"][0]["step"] < 20


def a_step(model, opt, extra=lambda loss: None):
    def step(x):
        opt.zero_grad()
        loss = (model(x) ** 2).mean()
        loss.backward()
        opt.step()
        extra(loss)
        return loss

    return step


def eager_and_captured(make, calls=8, between=lambda i, model, opt: None):
    """What comes of a step that is captured and one that is not, and the captured one."""
    found = []
    for wrap in (lambda f: f, mg.capture):
        mg.manual_seed(5)
        model, opt, step = make()
        step, ys = wrap(step), []
        for i in range(calls):
            between(i, model, opt)
            ys.append(step(there(np.full((4, 3), 1.0 + i, "float32"))).cpu().tolist())
        found.append((ys, [p.data.get().tolist() for p in model.parameters()]))
    assert found[0] == found[1]
    return step


def linear(optimizer, **settings):
    def make():
        model = nn.Linear(3, 2, bias=optimizer is not optim.Muon).to(device="double")
        opt = optimizer(model.parameters(), **settings)
        return model, opt, a_step(model, opt)

    return make


EVERY = {
    "sgd": (optim.SGD, {"lr": 0.01}),
    "dampened": (optim.SGD, {"lr": 0.01, "momentum": 0.9, "dampening": 0.5, "weight_decay": 0.1}),
    "asgd": (optim.ASGD, {"lr": 0.01, "t0": 4.0}),
    "nadam": (optim.NAdam, {}),
    "radam": (optim.RAdam, {}),
    "adamax": (optim.Adamax, {}),
    "adagrad": (optim.Adagrad, {"lr_decay": 0.1}),
    "adadelta": (optim.Adadelta, {}),
    "rmsprop": (optim.RMSprop, {"momentum": 0.5, "weight_decay": 0.1, "centered": True}),
    "smorms3": (optim.SMORMS3, {}),
    "lion": (optim.Lion, {"lr": 0.01}),
    "rprop": (optim.Rprop, {"lr": 0.01}),
    "lars": (optim.LARS, {"lr": 0.01, "momentum": 0.9}),
    "adabelief": (optim.AdaBelief, {}),
    "yogi": (optim.Yogi, {}),
    "adam": (optim.Adam, {"amsgrad": True, "weight_decay": 0.1, "maximize": True}),
    "adamw": (optim.AdamW, {}),
    "muon": (optim.Muon, {"lr": 0.01}),
    "lamb": (optim.LAMB, {"lr": 0.01}),
    "adafactor": (optim.Adafactor, {}),
}


def test_no_method_is_left_out():
    public = [getattr(optim, name) for name in optim.__all__]
    methods = {m for m in public if isinstance(m, type) and issubclass(m, optim.Optimizer)}
    assert methods - {m for m, _ in EVERY.values()} == {optim.Optimizer, optim.LBFGS, optim.SAM, optim.Lookahead}


@pytest.mark.parametrize("generic", [False, True], ids=["kernels", "generic"])
@pytest.mark.parametrize("name", EVERY)
def test_every_method(name, generic, monkeypatch):
    method, settings = EVERY[name]
    if generic:
        monkeypatch.setattr(method, "kernels", None)
    step = eager_and_captured(linear(method, **settings), 10)
    changes = {"asgd": 1, "radam": 1}.get(name, 0)  # their formula is another one after some steps
    assert step.replays == 8 - 2 * changes or (step.replays == 8 and not generic)  # one kernel has both formulas


def eager_after(step, x, *, why, calls=5):
    """Calls of a step that cannot be captured, which says so once."""
    captured = mg.capture(step)
    with pytest.warns(RuntimeWarning, match=why) as warned:
        found = [captured(x) for _ in range(calls)]
    assert (len(warned), warned[0].filename, captured.replays) == (1, __file__, 0)
    return found


def test_a_value_that_is_read_and_the_line_that_reads_it():
    def step(x):
        return x * x.sum().item()

    line = step.__code__.co_firstlineno + 1
    found = eager_after(step, there(np.ones(2, "float32")), why=rf"at test_graph.py:{line}: .*item\(\)")
    assert [y.tolist() for y in found] == [[2.0, 2.0]] * 5


def test_an_op_that_cannot_be_captured_is_named(lent):
    model = nn.Linear(3, 2).to(device="double")
    with lent(None):  # products are CuPy's own
        eager_after(lambda x: model(x).detach(), there(np.ones((4, 3), "float32")), why="linear at test_graph.py:.* cannot be captured")
    x = there(np.ones((4, 3), "float32"))
    eager_after(lambda x: mg.linalg.det(x @ x.T), x, why="matmul at ")
    eager_after(lambda x: x[x > 0], x, why="getitem at .*boolean mask")


def test_many_arrays_are_joined():
    """CuPy joins more than eight by a table that comes from the host."""
    x = there(np.arange(3.0, dtype="float32"))
    step = mg.capture(lambda x: (mg.stack([x * i for i in range(20)], 1), mg.concat([x + i for i in range(9)])))
    want, joined = [y.tolist() for y in step(x)], [[y.tolist() for y in step(x)] for _ in range(4)]
    assert joined == [want] * 4
    assert step.replays == 3


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (lambda x: x + mg.tensor([1.0, 2.0], device="double"), "copy from the host"),
        (lambda x: x * mg.random.normal().to(device="double"), "draws numbers on the host"),
    ],
)
def test_what_comes_from_the_host(step, why):
    eager_after(step, there(np.ones(2, "float32")), why=why)


def test_pinned_memory_is_refused():
    """CuPy copies from it what comes from the host, and uses it again, so that a graph would copy something else."""
    eager_after(lambda x: x + len(double.cuda.alloc_pinned_memory(8)), there(np.ones(2, "float32")), why="copied from the host, or to it")
    assert len(double.cuda.alloc_pinned_memory(8)) == 8


def test_a_copy_from_memory_that_is_pinned_already():
    step = mg.capture(lambda x: x if sheet() is None or sheet().rehearsing else transfer.send(double, np.ones(2, "float32")))
    x = there(np.ones(2, "float32"))
    with pytest.warns(RuntimeWarning, match="copied from the host, or to it; let the arguments be"):
        assert [step(x).tolist() for _ in range(3)] == [[1.0, 1.0]] * 3


def test_an_argument_on_the_cpu():
    captured = mg.capture(lambda x, n: x * 2)
    arguments = there(np.ones(2, "float32")), np.ones(2)
    with pytest.warns(RuntimeWarning, match="an argument is on the CPU; send it to the device"):
        assert [captured(*arguments).tolist() for _ in range(4)] == [[2.0, 2.0]] * 4


def test_gradients_of_the_step_before():
    w = nn.Parameter(there(np.ones(2, "float32")))

    def step(x):
        loss = (w * x).sum()
        loss.backward()
        return loss

    eager_after(step, there(np.ones(2, "float32")), why="gradients of the step before; call optimizer.zero_grad", calls=4)
    assert w.grad.tolist() == [4.0, 4.0]


def test_gradients_that_are_set_to_zero():
    def make():
        model, opt, _ = linear(optim.SGD, lr=0.1)()

        def step(x):
            opt.zero_grad(set_to_none=False)
            loss = model(x).sum()
            loss.backward()
            opt.step()
            return loss

        return model, opt, step

    assert eager_and_captured(make).replays == 6


@pytest.mark.parametrize(
    "wrong",
    [
        lambda model, opt: optim.Lookahead(opt),
        lambda model, opt: opt.register_step_post_hook(lambda *args: None) and opt,
    ],
    ids=["counts on the host", "hooks"],
)
def test_steps_that_cannot_go_on(wrong):
    model, opt, _ = linear(optim.SGD, lr=0.1)()
    eager_after(a_step(model, wrong(model, opt)), there(np.ones((4, 3), "float32")), why="would not go on|hooks")


def test_what_the_host_did_is_put_back_where_a_step_cannot_be_captured():
    def make():
        model, opt, _ = linear(optim.Adam)()
        schedule = optim.lr_scheduler.StepLR(opt, 2)
        drop = nn.Dropout(0.5)

        def step(x):
            opt.zero_grad()
            loss = (drop(model(x)) ** 2).mean()
            loss.backward()
            opt.step()
            schedule.step()
            return loss * loss.item()

        return model, opt, step

    with pytest.warns(RuntimeWarning, match="reads|item"):
        step = eager_and_captured(make)
    assert step.replays == 0


def test_addresses_settings_and_states_that_change():
    saved = {}

    def between(i, model, opt):
        if i == 4:
            model.weight.data = put(np.ones((2, 3), "float32"))
        if i == 7:
            saved.update(copy.deepcopy(opt.state_dict()))
        if i == 9:
            opt.load_state_dict(saved)
        if i == 13:
            opt.param_groups[0]["weight_decay"] = 0.1
        if i == 16:
            opt.param_groups[0]["lr"] = 0.5

    step = eager_and_captured(linear(optim.Adam), 18, between)
    assert step.replays in (10, 12)  # with a kernel of its own the decay is a number like others


def test_too_many_changes():
    def between(i, model, opt):
        if i % 3 == 0:
            model.weight.data = put(np.full((2, 3), float(i), "float32"))

    with pytest.warns(RuntimeWarning, match="again and again it is another one than was captured: a tensor of shape"):
        eager_and_captured(linear(optim.Adam), 20, between)


def test_the_pool_does_not_grow_and_results_stay():
    step = mg.capture(linear(optim.AdamW)()[2])
    x = there(np.ones((4, 3), "float32"))
    for _ in range(3):
        first = step(x)
    (found,) = step._programs.values()
    value, held = first.item(), found.capture.pool.total_bytes()
    losses = [step(x) for _ in range(4)]
    assert found.capture.pool.total_bytes() == held > 0
    assert first.item() == value
    assert len({y.item() for y in (first, *losses)}) == 5
    assert step.source.startswith("# 1 CUDA graph")


def test_what_a_graph_uses_lives_with_it():
    def make():
        w = {"w": there(np.ones(2, "float32"))}
        return w, mg.capture(lambda x: x * w["w"])

    w, step = make()
    x = there(np.ones(2, "float32"))
    for _ in range(3):
        step(x)
    w["w"] = None
    assert step(x).tolist() == [1.0, 1.0]
    assert step.replays == 2
    (found,) = step._programs.values()
    found.kept, found.places, found.capture.memory.fixed = [], [], []
    step._scene = None
    with pytest.raises(RuntimeError, match="memory that has been freed"):
        found.run(x.data)


def test_a_recording_for_each_shape_and_mode():
    model = nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5)).to(device="double")
    f = mg.capture(lambda x: model(x).detach())
    a, b = there(np.ones((2, 3), "float32")), there(np.ones((5, 3), "float32"))
    for x in (a, b, a, b):
        assert f(x).shape == (x.shape[0], 2)
    assert f.replays == 0
    assert len({tuple(f(b)[:, 0].tolist()) for _ in range(6)}) > 1
    model.eval()
    want = model(a).tolist()
    assert [f(a).tolist() for _ in range(4)] == [want] * 4
    assert f.replays == 8


def test_an_error_of_the_step_itself():
    @mg.capture
    def f(x, wrong=False):
        return (x @ x) if wrong else x * 2

    x = there(np.ones((2, 3), "float32"))
    for _ in range(3):
        f(x)
    for _ in range(3):
        with pytest.raises(mg.errors.ShapeError, match="matmul"):
            f(x, True)
    assert f(x).tolist() == [[2.0] * 3] * 2


def test_parameters_alone_on_the_device():
    model = nn.Linear(2, 1).to(device="double")
    x = there(np.ones((4, 2), "float32"))
    captured = mg.capture(lambda: model(x).detach())
    want = model(x).tolist()
    assert [captured().tolist() for _ in range(4)] == [want] * 4
    assert captured.replays == 2


def test_half_precision_and_autocast():
    def make():
        model, opt, _ = linear(optim.Adam, lr=0.1)()
        half = nn.Parameter(put(np.ones(2, "float16")))
        opt = optim.Adam([*model.parameters(), half], lr=0.1)

        def step(x):
            opt.zero_grad()
            with mg.amp.autocast("double", dtype="float16"):
                y = model(x)
            loss = (y.astype("float32") ** 2).mean() + (half.astype("float32") ** 2).sum()
            loss.backward()
            opt.step()
            return loss

        return model, opt, step

    assert eager_and_captured(make).replays == 6


def test_averages_accumulated_gradients_and_two_optimizers():
    def make():
        model, other = nn.Linear(3, 2).to(device="double"), nn.Linear(2, 1).to(device="double")
        opts = [optim.Adam([model.weight], lr=0.1), optim.SGD([model.bias, *other.parameters()], lr=0.1, momentum=0.9)]
        schedules = [optim.lr_scheduler.CosineAnnealingLR(opts[0], 5), optim.lr_scheduler.CyclicLR(opts[1], 0.01, 0.1, 2)]
        ema, drop = optim.EMA(model, 0.9), nn.Dropout(0.3)

        def step(x):
            for o in opts:
                o.zero_grad()
            for part in (x[:2], x[2:]):
                (other(drop(model(part))) ** 2).mean().backward()
            for o, s in zip(opts, schedules, strict=True):
                o.step()
                s.step()
            ema.update_parameters(model)
            return ema.module.weight.detach().sum() + other.weight.detach().sum()

        return other, opts[0], step

    assert eager_and_captured(make, 12).replays == 10


def test_draws_of_a_stream_of_its_own_and_a_step_within_another():
    inner = mg.capture(lambda x: F.dropout(x, 0.5))
    outer = mg.capture(lambda x: inner(x) + inner(x * 2))
    x = there(np.ones(64, "float32"))
    for f in (inner, outer):
        mg.manual_seed(1)
        found = [f(x).tolist() for _ in range(6)]
        mg.manual_seed(1)
        plain = [(inner.step(x) if f is inner else inner.step(x) + inner.step(x * 2)).tolist() for _ in range(6)]
        assert found == plain
    assert (inner.replays, outer.replays) == (8, 4)  # the plain steps call the inner one


def test_a_formula_that_changes_behind_a_scaler():
    def make():
        model = nn.Linear(3, 2).to(device="double")
        opt, scaler = optim.RAdam(model.parameters(), lr=0.01), mg.amp.GradScaler("double", init_scale=4.0)

        def step(x):
            opt.zero_grad()
            loss = (model(x) ** 2).mean()
            scaler.scale(loss).backward()
            scaler.step(opt)
            scaler.update()
            return loss

        return model, opt, step

    assert eager_and_captured(make, 12).replays in (8, 10)


# -- faults that the double must catch --------------------------------------------------------------------------------
def dropping():
    model = nn.Sequential(nn.Linear(3, 16), nn.Dropout(0.5), nn.Linear(16, 2)).to(device="double")
    opt = optim.SGD(model.parameters(), lr=0.1)
    schedule = optim.lr_scheduler.ExponentialLR(opt, 0.5)
    return model, opt, a_step(model, opt, lambda loss: schedule.step())


FAULTS = {
    "numbers that are not sent": (Sheet, "fill", lambda self: None),
    "keys that are part of the graph": (Sheet, "drawn", lambda self, f: f()),
    "numbers that are part of the graph": (Sheet, "number", lambda self, x, dtype: self._put(np.array([x], dtype).tobytes()) * 0.0 + x),
    "the host goes on twice": (Memory, "put_back", lambda self: None),
}


@pytest.mark.parametrize("fault", [None, *FAULTS])
def test_faults_are_seen(fault, monkeypatch):
    monkeypatch.setattr(optim.SGD, "kernels", None)
    if fault is None:
        assert eager_and_captured(dropping).replays == 6
        return
    monkeypatch.setattr(*FAULTS[fault])
    with pytest.raises(AssertionError):
        eager_and_captured(dropping)


def test_an_address_that_nobody_looks_at(monkeypatch):
    monkeypatch.setattr(Memory, "changed", lambda self: False)
    saved = {}

    def between(i, model, opt):
        if i == 3:
            saved.update(copy.deepcopy(opt.state_dict()))
        if i == 5:
            opt.load_state_dict(saved)

    with pytest.raises(AssertionError):
        eager_and_captured(linear(optim.Adam), 8, between)


def test_memory_from_elsewhere(monkeypatch):
    monkeypatch.setattr(double.cuda, "using_allocator", lambda allocator: contextlib.nullcontext())
    eager_after(lambda x: x * 2, there(np.ones(2, "float32")), why="multiply at .*memory from outside a graph's own pool")


def test_nothing_is_computed_while_a_stream_is_captured():
    stream, pool = double.cuda.Stream(non_blocking=True), double.cuda.MemoryPool()
    a, b = put(np.ones(2)), put(np.ones(2))
    with stream, double.cuda.using_allocator(pool.malloc):
        stream.begin_capture(double.cuda.runtime.streamCaptureModeRelaxed)
        c = a + b
        a += c
        c *= 2
        view = c[1:]
        b[0] = 5.0
        with pytest.raises(ValueError, match="broadcast"):
            a += double.ones(3)
        graph = stream.end_capture()
    assert (a.tolist(), b.tolist(), np.isnan(c.get()).all(), pool.total_bytes()) == ([1, 1], [1, 1], True, 40)
    graph.launch()
    assert (a.tolist(), b.tolist(), c.tolist(), view.tolist()) == ([3, 3], [5, 1], [4, 4], [4])
    graph.launch()
    assert (a.tolist(), c.tolist(), view.tolist()) == ([11, 7], [16, 8], [8])
    del b
    with pytest.raises(RuntimeError, match="freed"):
        graph.launch()


def test_what_is_used_of_cupy_is_there():
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed (pip install 'minigrad[cuda12]'; no GPU is needed for this test)")
    for name in vars(double.cuda):
        assert hasattr(cupy.cuda, name), name
    for name in ("Stream", "Event", "MemoryPool", "PinnedMemoryPool"):
        ours, theirs = getattr(double.cuda, name), getattr(cupy.cuda, name)
        assert {n for n in vars(ours) if not n.startswith("_")} <= set(dir(theirs)), name
    assert {"launch"} <= set(dir(cupy.cuda.Graph))
    assert {"ptr", "device_id", "copy_from_host_async"} <= set(dir(cupy.cuda.MemoryPointer))
    assert cupy.cuda.runtime.streamCaptureModeRelaxed == double.cuda.runtime.streamCaptureModeRelaxed


def test_a_mask_that_is_drawn_before_a_scaler_decides_and_used_behind_it():
    def make():
        model = nn.Linear(3, 2).to(device="double")
        opt, scaler, drop = optim.SGD(model.parameters(), lr=0.01), mg.amp.GradScaler("double", init_scale=4.0), nn.Dropout(0.5)

        def step(x):
            opt.zero_grad()
            y = drop(model(x.reshape((2, 6)).repeat(16, 0).reshape((-1, 3))))
            scaler.scale((y**2).mean()).backward(retain_graph=True)
            scaler.step(opt)
            scaler.update()
            (d,) = mg.grad(y.sum(), [model.bias])
            return d + drop(y.detach()).sum()

        return model, opt, step

    assert eager_and_captured(make).replays == 6


def test_tensors_on_the_cpu_that_the_step_refers_to():
    class Trainer:
        def __init__(self):
            self.data, self.factor = mg.ones((3, 3)), there(np.full(3, 2.0, "float32"))

        def step(self, x):
            return x * self.factor

    step, x = mg.capture(Trainer().step), there(np.ones(3, "float32"))
    assert [step(x).tolist() for _ in range(4)] == [[2.0] * 3] * 4
    assert step.replays == 2


S = optim.lr_scheduler
SCHEDULES = {
    "sequential": lambda o: S.SequentialLR(o, [S.ConstantLR(o, 0.1, 3), S.ExponentialLR(o, 0.9)], [4]),
    "chained": lambda o: S.ChainedScheduler([S.LinearLR(o, 0.5, total_iters=4), S.StepLR(o, 3)]),
    "lambda": lambda o: S.LambdaLR(o, lambda t: 0.9**t),
    "restarts": lambda o: S.CosineAnnealingWarmRestarts(o, 3),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_go_on(name):
    rates = []

    def make():
        model = nn.Linear(3, 2).to(device="double")
        opt = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        schedule = SCHEDULES[name](opt)
        rates.append([])
        return model, opt, a_step(model, opt, lambda loss: schedule.step())

    step = eager_and_captured(make, 12, lambda i, model, opt: rates[-1].append(opt.param_groups[0]["lr"]))
    assert rates[0] == rates[1]
    assert step.replays == 10


total = None


class Carrying:
    """Keeps a tensor from one step to the next, in one place or another."""

    def __init__(self):
        self.h = there(np.zeros(2, "float32"))

    def in_an_attribute(self, x):
        self.h = self.h + x
        return self.h * 1

    @staticmethod
    def in_a_global(x):
        global total
        total = total + x
        return total * 1


def in_a_closure():
    h = there(np.zeros(2, "float32"))

    def step(x):
        nonlocal h
        h = h + x
        return h * 1

    return step


@pytest.mark.parametrize("where", ["attribute", "global", "closure", "module"])
def test_a_tensor_that_is_kept_for_the_next_step(where):
    global total
    total = there(np.zeros(2, "float32"))
    model = nn.Module()
    model.h = there(np.zeros(2, "float32"))

    def in_a_module(x):
        model.h = model.h + x
        return model.h * 1

    steps = {"attribute": Carrying().in_an_attribute, "global": Carrying.in_a_global, "closure": in_a_closure(), "module": in_a_module}
    found = eager_after(steps[where], there(np.ones(2, "float32")), why="it keeps a tensor of shape .* pass it as an argument")
    assert [y.tolist() for y in found] == [[float(i)] * 2 for i in range(1, 6)]


def test_what_a_step_does_besides_is_done_only_while_it_is_called():
    seen, counts = [], {"n": 0}

    def step(x):
        y = x * 2
        seen.append(y)
        counts["n"] += 1
        return y

    captured, x = mg.capture(step), there(np.ones(2, "float32"))
    assert [captured(x).tolist() for _ in range(5)] == [[2.0, 2.0]] * 5
    assert ([y.tolist() for y in seen], counts, captured.replays) == ([[2.0, 2.0]] * 2, {"n": 2}, 3)
