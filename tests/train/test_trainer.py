"""The loop: what it computes, in which order it tells whom, and what is left when it is stopped at any moment."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.data import DataLoader, TensorDataset
from minigrad.errors import CheckpointError, DTypeError
from minigrad.metrics import Accuracy
from minigrad.nn import functional as F
from minigrad.train import (
    Callback,
    EarlyStopping,
    EMACallback,
    GradientAccumulation,
    LRMonitor,
    ModelCheckpoint,
    OneCycle,
    TerminateOnNaN,
    Trainer,
    evaluating,
    find_lr,
)

rng = np.random.default_rng(0)
X = rng.normal(size=(90, 4)).astype("float32")
Y = (X @ rng.normal(size=(4, 3))).argmax(1)


def model():
    return nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3))


def trainer(callbacks=(), lr=0.05, **options):
    mg.manual_seed(1)
    net = model()
    opt = optim.Adam(net.named_parameters(), lr=lr)
    options = {"progress": False, "scheduler": optim.lr_scheduler.CosineAnnealingLR(opt, 10), "metrics": Accuracy()} | options
    return Trainer(net, nn.CrossEntropyLoss(), opt, callbacks=callbacks, **options)


def data():
    return (X[:60], Y[:60]), (X[60:], Y[60:])


def same(a, b):
    """Bit for bit: model, optimizer, schedules, history, random stream."""
    first, second = a.state_dict(), b.state_dict()
    equal(first, second, "state")


def equal(a, b, where):
    assert type(a) is type(b) or hasattr(a, "dtype") == hasattr(b, "dtype"), where
    if isinstance(a, dict):
        assert list(a) == list(b), where
        for k in a:
            equal(a[k], b[k], f"{where}.{k}")
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b), where
        for i, (u, v) in enumerate(zip(a, b, strict=True)):
            equal(u, v, f"{where}.{i}")
    elif hasattr(a, "dtype"):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b), err_msg=where)
    else:
        assert a == b or (a != a and b != b), where


# -- what it computes -------------------------------------------------------------------------------------------------
def test_it_is_the_loop_by_hand():
    one = trainer(metrics=())
    one.fit(DataLoader(TensorDataset(X, Y), batch_size=32), epochs=3)
    two = trainer(metrics=())
    net, opt, schedule = two.model, two.optimizer, two.schedulers[0]
    losses = []
    for _ in range(3):
        total = 0.0
        for x, y in DataLoader(TensorDataset(X, Y), batch_size=32):
            loss = F.cross_entropy(net(x), y)
            loss.backward()
            opt.step()
            opt.zero_grad()
            total += loss.item() * len(y)
        schedule.step()
        losses.append(total / 90)
    equal(one.model.state_dict(), net.state_dict(), "model")
    assert one.history["loss"] == pytest.approx(losses)
    assert one.step == 9
    assert one.epoch == 3


def test_it_learns_and_evaluates():
    t = trainer()
    train, validation = data()
    history = t.fit(train, validation, epochs=30, batch_size=10)
    assert history.names == ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "lr"]
    assert history["val_accuracy"][-1] > 0.75
    found = t.evaluate(validation)
    assert found == {"loss": pytest.approx(history["val_loss"][-1]), "accuracy": history["val_accuracy"][-1]}
    assert t.model.training
    outputs = t.predict(validation[0], batch_size=7)
    assert outputs.shape == (30, 3)
    assert outputs.node is None
    assert float((outputs.numpy().argmax(1) == validation[1]).mean()) == found["accuracy"]
    assert np.allclose(t.predict(TensorDataset(*validation)).numpy(), outputs.numpy())
    assert np.allclose(t.predict(DataLoader(TensorDataset(*validation), batch_size=4)).numpy(), outputs.numpy())


def test_accumulation_is_the_large_batch():
    def plain():
        mg.manual_seed(0)
        net = nn.Linear(4, 3)
        return Trainer(net, nn.CrossEntropyLoss(), optim.SGD(net.parameters(), lr=0.1), progress=False)

    one, two = plain(), plain()
    one.fit((X, Y), epochs=2, batch_size=30, shuffle=False)
    two.accumulate = 3
    two.fit((X, Y), epochs=2, batch_size=10, shuffle=False)
    assert two.step == 6
    assert np.allclose(one.model.weight.detach().numpy(), two.model.weight.detach().numpy(), atol=1e-6)
    three = plain()
    three.callbacks = [GradientAccumulation({0: 3, 1: 1})]
    three.fit((X, Y), epochs=2, batch_size=10, shuffle=False)
    assert three.step == 3 + 9
    three = plain()
    three.accumulate = 4  # 9 batches: groups of 4, 4 and 1
    three.fit((X, Y), epochs=1, batch_size=10, shuffle=False)
    assert three.step == 3


def test_clip_norm_and_regularizers():
    class Spy:
        def __init__(self):
            self.calls = []

        def penalty(self, model):
            self.calls.append("penalty")
            return 1e3 * (model.weight * model.weight).sum()

        def gradients(self, model):
            self.calls.append("gradients")

        def project(self, model, optimizer):
            self.calls.append("project")
            self.norm = None

    mg.manual_seed(0)
    net, spy = nn.Linear(4, 3), Spy()
    before = net.weight.detach().numpy().copy()
    t = Trainer(net, nn.CrossEntropyLoss(), optim.SGD(net.parameters(), lr=1.0), regularizers=[spy], clip_norm=0.5, progress=False)
    history = t.fit((X, Y), epochs=1, batch_size=90)
    assert spy.calls == ["penalty", "gradients", "project"]
    moved = sum([((p.detach().numpy() - q) ** 2).sum() for p, q in [(net.weight, before)]])
    assert moved <= 0.25 + 1e-6
    assert history["loss"][0] < 3  # the penalty is not in it


def test_batches_of_other_forms():
    net = nn.Bilinear(2, 2, 3)
    t = Trainer(net, nn.CrossEntropyLoss(), optim.SGD(net.parameters(), lr=0.1), progress=False)
    t.fit((X[:, :2], X[:, 2:], Y), epochs=1)
    assert t.predict((X[:, :2], X[:, 2:])).shape == (90, 3)
    coder = nn.Linear(4, 4)
    t = Trainer(coder, nn.MSELoss(), optim.SGD(coder.parameters(), lr=0.1), progress=False)
    h = t.fit((X,), epochs=5)
    assert h["loss"][-1] < h["loss"][0]

    class Dicts(Trainer):
        def training_step(self, batch):
            output = self.model(batch["x"])
            return self.loss(output, batch["y"]), output, batch["y"]

    coder = nn.Linear(4, 3)
    t = Dicts(coder, nn.CrossEntropyLoss(), optim.SGD(coder.parameters(), lr=0.1), progress=False)
    t.fit([{"x": mg.tensor(X), "y": mg.tensor(Y)}] * 3, epochs=1)
    assert t.step == 3


def test_modes_are_put_back():
    net = model()
    net[1].eval()  # frozen statistics
    with evaluating(net):
        assert not any(m.training for m in net.modules())
    assert net.training
    assert not net[1].training
    t = Trainer(net, nn.CrossEntropyLoss(), optim.SGD(net.parameters(), lr=0.1), progress=False)
    t.fit((X, Y), (X, Y), epochs=1)
    assert net.training
    assert not net[1].training


# -- callbacks --------------------------------------------------------------------------------------------------------
def test_the_order_of_calls():
    calls = []

    class Spy(Callback):
        def __getattribute__(self, name):
            if name.startswith("on_"):
                return lambda trainer, *more: calls.append(name)
            return object.__getattribute__(self, name)

    trainer([Spy()]).fit((X[:32], Y[:32]), (X, Y), epochs=1, batch_size=16)
    step = ["on_backward_end", "on_step_end"]
    assert calls == [
        *["on_fit_start", "on_epoch_start", *step, *step, "on_validation_start", "on_validation_end", "on_epoch_end", "on_fit_end"],
    ]


def test_early_stopping_restores_the_best():
    class Spoil(Callback):
        """From the third epoch on everything is wrong."""

        def on_epoch_start(self, trainer):
            if trainer.epoch >= 2:
                nn.init.normal_(trainer.model[0].weight, 0, 50)

    stop = EarlyStopping("val_loss", patience=2)
    t = trainer([Spoil(), stop])
    history = t.fit(*data(), epochs=20, batch_size=10)
    assert len(history) == 4
    assert t.evaluate(data()[1])["loss"] == pytest.approx(min(history["val_loss"]))
    assert stop.best == min(history["val_loss"])
    with pytest.raises(KeyError, match="val_f1"):
        trainer([EarlyStopping("val_f1")]).fit(*data(), epochs=1)


def test_nan_ends_training_before_the_step():
    class Poison(Callback):
        def on_epoch_start(self, trainer):
            if trainer.epoch == 1:
                trainer.loss = lambda output, target: F.cross_entropy(output, target) * float("nan")

    t = trainer([Poison(), TerminateOnNaN()])
    with pytest.raises(
        ArithmeticError, match=r"loss is nan in epoch 2, after 3 steps; all parameters are still finite, and no step was taken"
    ):
        t.fit((X, Y), epochs=3)
    assert np.isfinite(t.model[0].weight.detach().numpy()).all()


def test_ema_validates_with_the_average_and_keeps_the_weights():
    ema = EMACallback(0.9)
    t = trainer([ema])
    history = t.fit(*data(), epochs=3, batch_size=10)
    own = t.evaluate(data()[1])["loss"]
    with ema.ema.applied(t.model):
        assert t.evaluate(data()[1])["loss"] == pytest.approx(history["val_loss"][-1])
    assert t.evaluate(data()[1])["loss"] == own != history["val_loss"][-1]


def test_one_cycle_in_one_call():
    t = trainer([OneCycle(0.1), LRMonitor()], scheduler=None, lr=1.0)
    rates = []
    t.callbacks.append(type("Spy", (Callback,), {"on_backward_end": lambda self, t: rates.append(t.optimizer.param_groups[0]["lr"])})())
    h = t.fit((X, Y), epochs=4, batch_size=30)
    assert len(rates) == 12
    assert max(rates) == pytest.approx(0.1, rel=0.1)
    assert rates[0] == pytest.approx(0.004)
    assert rates[-1] < 1e-4
    assert "lr_0" in h


def test_find_lr_puts_everything_back():
    t = trainer()
    t.fit((X, Y), epochs=1)
    before = t.state_dict()
    found = find_lr(t, (X, Y), low=1e-5, high=10.0, steps=60, batch_size=10)
    assert 1e-3 < found.suggestion < 2
    equal(t.state_dict(), before, "state")
    assert t.model[0].weight.grad is None
    with pytest.raises(ValueError, match="low"):
        find_lr(t, (X, Y), low=1.0, high=0.1)


def test_trials(tmp_path):
    file = tmp_path / "run.safetensors"
    t = trainer([ModelCheckpoint(file)])
    h = t.fit(*data(), epochs=10, batch_size=10, fast_dev_run=True)
    assert t.step == 1
    assert len(h) == 1
    assert not file.exists()
    t = trainer(scheduler=None)
    h = t.fit((X, Y), epochs=60, batch_size=10, overfit_batches=2)
    assert t.step == 120
    assert h["val_loss"][-1] < 0.1


# -- stopping and going on --------------------------------------------------------------------------------------------
def extras():
    """All that keeps a state."""
    return [EMACallback(0.9, warmup=True), EarlyStopping("val_loss", patience=50, restore_best=False), OneCycle(0.1)]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("at", [1, 5, 9])
def test_resuming_is_the_straight_run_bit_for_bit(tmp_path, at, workers):
    def loader():
        return DataLoader(TensorDataset(X[:60], Y[:60]), batch_size=13, shuffle=True, num_workers=workers)

    straight = trainer(extras())
    straight.fit(loader(), (X[60:], Y[60:]), epochs=10)
    file = tmp_path / "run.safetensors"
    first = trainer([*extras(), ModelCheckpoint(file)])

    class Leave(Callback):
        last = True

        def on_epoch_end(self, trainer, row):
            trainer.stop = trainer.epoch == at

    first.callbacks.append(Leave())
    first.fit(loader(), (X[60:], Y[60:]), epochs=10)
    assert first.epoch == at
    second = trainer([*extras(), ModelCheckpoint(file)])
    mg.manual_seed(99)
    second.fit(loader(), (X[60:], Y[60:]), epochs=10, resume=file)
    second.callbacks.pop()
    same(second, straight)


class CtrlC(Callback):
    """Presses it in the middle of a batch."""

    def __init__(self, *steps):
        self.steps = set(steps)

    def on_backward_end(self, trainer):
        if trainer.step in self.steps:
            self.steps.remove(trainer.step)
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("step", [0, 3, 4, 5, 27])
@pytest.mark.parametrize("way", ["memory", "file"])
def test_ctrl_c_and_resume_is_the_straight_run(tmp_path, step, way, capsys):
    train, validation = data()
    straight = trainer(extras())
    straight.fit(train, validation, epochs=6, batch_size=13)
    file = tmp_path / "run.safetensors"
    first = trainer([*extras(), ModelCheckpoint(file), CtrlC(step)])
    first.fit(train, validation, epochs=6, batch_size=13)
    assert first.interrupted
    assert first.step == step + 1
    if way == "memory":
        first.fit(train, validation, epochs=6, batch_size=13, resume=True)
    else:
        first = trainer([*extras(), ModelCheckpoint(file), CtrlC()])
        mg.manual_seed(5)
        first.fit(train, validation, epochs=6, batch_size=13, resume=file)
    assert not first.interrupted
    del first.callbacks[-2:]
    same(first, straight)


def test_ctrl_c_during_validation():
    class Press(Callback):
        pressed = False

        def on_validation_start(self, trainer):
            if trainer.epoch == 1 and not self.pressed:
                self.pressed = True
                signal.raise_signal(signal.SIGINT)

    straight = trainer(extras())
    straight.fit(*data(), epochs=4, batch_size=13)
    t = trainer([*extras(), Press()])
    t.fit(*data(), epochs=4, batch_size=13)
    assert t.interrupted
    assert t.epoch == 1
    t.fit(*data(), epochs=4, batch_size=13, resume=True)
    t.callbacks.pop()
    same(t, straight)


def test_ctrl_c_at_random_moments():
    """From outside, at any instruction: what is left is usable, and resumed it ends where the straight run ends."""
    straight = trainer(extras())
    straight.fit(*data(), epochs=8, batch_size=5)
    moments = np.random.default_rng(3).uniform(0.0, 0.12, size=12)
    t = trainer(extras())
    resume = None
    for moment in moments:
        before = signal.getsignal(signal.SIGINT)
        timer = threading.Timer(moment, os.kill, (os.getpid(), signal.SIGINT))
        try:
            timer.start()
            t.fit(*data(), epochs=8, batch_size=5, resume=resume)
            timer.join()
            time.sleep(0.002)
        except KeyboardInterrupt:  # it came before or after the guarded part
            timer.join()
        assert signal.getsignal(signal.SIGINT) is before
        assert all(np.isfinite(v.numpy()).all() for v in t.model.state_dict().values())
        t.evaluate(data()[1])
        if t.epoch == 8:
            break
        resume = True if t._paused is not None else None
        if resume is None and t.step:
            pytest.fail("an interrupted run cannot go on")
    else:
        t.fit(*data(), epochs=8, batch_size=5, resume=resume)
    if t.epoch < 8:
        t.fit(*data(), epochs=8, batch_size=5, resume=True)
    same(t, straight)


def test_a_second_ctrl_c_raises_at_once():
    class Twice(Callback):
        def on_backward_end(self, trainer):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    t = trainer([Twice()])
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        t.fit((X, Y), epochs=1)
    assert signal.getsignal(signal.SIGINT) is before


def test_in_another_thread_there_are_no_signals():
    done = []
    thread = threading.Thread(target=lambda: done.append(trainer().fit((X, Y), epochs=1)))
    thread.start()
    thread.join()
    assert len(done[0]) == 1


def test_a_resumed_process(tmp_path):
    """Five epochs here and five in another process are ten here."""
    code = f"""
import sys; sys.path.insert(0, {str(os.path.dirname(os.path.dirname(mg.__file__)))!r})
import numpy as np, minigrad as mg
from minigrad import nn, optim
from minigrad.train import *
rng = np.random.default_rng(0); x = rng.normal(size=(60, 4)).astype("float32"); y = (x.sum(1) > 0).astype("int64")
def make():
    mg.manual_seed(3)
    net = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.ReLU(), nn.Linear(8, 2))
    opt = optim.NAdam(net.named_parameters(), lr=0.01)
    schedule = optim.lr_scheduler.StepLR(opt, 2)
    return Trainer(net, nn.CrossEntropyLoss(), opt, scheduler=schedule, callbacks=[EMACallback(0.9)], progress=False)
t = make()
file = {str(tmp_path / "r.safetensors")!r}
if sys.argv[1] == "first":
    t.fit((x, y), epochs=5, batch_size=16); t.save(file)
elif sys.argv[1] == "second":
    t.fit((x, y), epochs=10, batch_size=16, resume=file)
else:
    t.fit((x, y), epochs=10, batch_size=16)
import hashlib
parts = [*t.model.state_dict().values(), *t.callbacks[0].ema.state_dict().values()]
print(hashlib.sha256(b"".join(v.numpy().tobytes() for v in parts)).hexdigest())
"""
    run = [
        subprocess.run([sys.executable, "-c", code, w], capture_output=True, text=True, check=True).stdout
        for w in ("first", "second", "all")
    ]
    assert run[1] == run[2] != run[0]


def test_files_that_do_not_fit(tmp_path):
    file = tmp_path / "run.safetensors"
    t = trainer([ModelCheckpoint(file)])
    t.fit((X, Y), epochs=1)
    other = trainer([ModelCheckpoint(file)], scheduler=None)
    with pytest.raises(CheckpointError, match="schedulers 1, this one 0"):
        other.fit((X, Y), epochs=2, resume=file)
    with pytest.raises(CheckpointError, match="resume=True"):
        trainer().fit((X, Y), resume=True)
    mg.save(t.model, tmp_path / "weights.safetensors")
    with pytest.raises(CheckpointError, match="holds tensors but no run"):
        t.fit((X, Y), resume=tmp_path / "weights.safetensors")


def test_checkpoints(tmp_path):
    keep = ModelCheckpoint(tmp_path / "deep" / "run-{epoch:02d}-{val_loss:.2f}.safetensors", keep=2)
    best = ModelCheckpoint(tmp_path / "best.safetensors", save_best_only=True, monitor="val_accuracy")
    t = trainer([keep, best])
    h = t.fit(*data(), epochs=4, batch_size=10)
    names = sorted(p.name for p in (tmp_path / "deep").iterdir())
    assert names == [f"run-{e:02d}-{h['val_loss'][e - 1]:.2f}.safetensors" for e in (3, 4)]
    other = trainer([ModelCheckpoint(), ModelCheckpoint()])
    other.load(tmp_path / "best.safetensors")
    assert other.history.rows[-1]["val_accuracy"] == max(h["val_accuracy"])
    with pytest.raises(KeyError, match="asks for 'test_loss'"):
        trainer([ModelCheckpoint(tmp_path / "{test_loss}.safetensors")]).fit((X, Y), epochs=1)
    steps = ModelCheckpoint(tmp_path / "s{step}.safetensors", every=100, steps=4)
    trainer([steps]).fit((X, Y), epochs=2, batch_size=15)
    assert sorted(p.name for p in tmp_path.glob("s*.safetensors")) == ["s12.safetensors", "s4.safetensors", "s8.safetensors"]


# -- bad input --------------------------------------------------------------------------------------------------------
def test_bad_arguments():
    net = nn.Linear(4, 3)
    opt, loss = optim.SGD(net.parameters(), lr=0.1), nn.CrossEntropyLoss()
    with pytest.raises(DTypeError, match=r"optim.Adam\(model.parameters\(\)\)"):
        Trainer(net, loss, "adam")
    with pytest.raises(ValueError, match="accumulate"):
        Trainer(net, loss, opt, accumulate=0)
    with pytest.raises(ValueError, match="schedule_each"):
        Trainer(net, loss, opt, schedule_each="week")
    with pytest.raises(ValueError, match="different names"):
        Trainer(net, loss, opt, metrics=[Accuracy(), Accuracy()])
    t = Trainer(net, loss, opt, progress=False)
    with pytest.raises(ValueError, match="empty"):
        t.fit((X[:0], Y[:0]))
    with pytest.raises(ValueError, match="no batches"):
        t.fit([])
    with pytest.raises(DTypeError, match="Dataset or a tuple of arrays"):
        t.fit(3)
    with pytest.raises(ValueError, match="epochs"):
        t.fit((X, Y), epochs=-1)
    t.loss = nn.CrossEntropyLoss(reduction="none")
    with pytest.raises(DTypeError, match="reduction='mean'"):
        t.fit((X, Y))


def test_parameters_that_the_optimizer_lacks():
    net = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
    t = Trainer(net, nn.CrossEntropyLoss(), optim.SGD(net[2].parameters(), lr=0.1), progress=False)
    with pytest.warns(UserWarning, match=r"does not have 0.weight, 0.bias; they will not be trained"):
        t.fit((X, Y))
    net[0].requires_grad_(False)
    t.fit((X, Y))


def test_lines_of_progress(capsys):
    t = trainer(progress=True)
    t.fit(*data(), epochs=2, batch_size=30)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("epoch 2/2  loss ")
    assert "val_accuracy" in lines[1]
    assert lines[1].endswith(" s")
