"""What goes wrong while training: settings, parameters, interrupts, checkpoints, data and processes. Nothing is half done."""

import inspect
import multiprocessing
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from minigrad import data, nn, optim
from minigrad.errors import CheckpointError, DTypeError, MinigradError
from minigrad.io import atomic, load_run, run, save_run
from minigrad.optim import lr_scheduler, storage
from minigrad.train import Trainer

OPTIMIZERS = {
    name: getattr(optim, name)
    for name in optim.__all__
    if isinstance(getattr(optim, name), type) and issubclass(getattr(optim, name), optim.Optimizer) and name != "Optimizer"
}
AROUND = {"SAM", "Lookahead"}
METHODS = sorted(set(OPTIMIZERS) - AROUND)
SOURCE = str(Path(mg.__file__).parent.parent)


def leaf(values=((1.0, 2.0), (3.0, 4.0))):
    return mg.tensor(np.asarray(values, "float32"), requires_grad=True)


def optimizer(name, params, **settings):
    if name in AROUND:
        return OPTIMIZERS[name](optim.SGD(params, lr=0.1), **settings)
    return OPTIMIZERS[name](params, **settings)


def closure_over(params):
    """The loss sum(p^2) with its gradients; parameters in a list that may change."""

    def closure():
        for p in params:
            p.grad = None
        loss = sum([(p * p).sum() for p in params if p.requires_grad])
        loss.backward()
        return loss

    return closure


def step(opt, params):
    closure = closure_over(params)
    closure()
    opt.step(closure if isinstance(opt, (optim.LBFGS, optim.SAM)) else None)


# -- settings ---------------------------------------------------------------------------------------------------------
RANGES = ("lr", "eps", "weight_decay", "momentum", "betas", "alpha", "rho", "lambd", "t0", "lr_decay", "momentum_decay", "d", "etas")


@pytest.mark.parametrize("wrong", [-1, float("nan"), float("inf"), "0.1", None, [0.1], True])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_settings_are_finite_numbers_in_their_range(name, wrong):
    """Refused when the optimizer is made, by an error that names it and the setting."""
    for key, parameter in inspect.signature(OPTIMIZERS[name]).parameters.items():
        if key in RANGES:
            value = (wrong,) * len(parameter.default) if isinstance(parameter.default, tuple) else wrong
            with pytest.raises((ValueError, DTypeError), match=rf"{name}: {key}") as caught:
                optimizer(name, [leaf()], **{key: value})
            assert isinstance(caught.value, (MinigradError, ValueError))


@pytest.mark.parametrize("name", METHODS)
def test_switches_are_true_or_false(name):
    """``maximize="False"``, out of a file of settings, would be true."""
    for key, parameter in inspect.signature(OPTIMIZERS[name]).parameters.items():
        if isinstance(parameter.default, bool):
            for wrong in ("False", 0, None):
                with pytest.raises(DTypeError, match=f"{name}: {key} must be True or False"):
                    OPTIMIZERS[name]([leaf()], **{key: wrong})


@pytest.mark.parametrize("name", METHODS)
def test_a_rate_that_becomes_senseless_stops_the_step_before_it_begins(name):
    p = leaf()
    opt = optimizer(name, [p])
    opt.param_groups[0]["lr"] = np.float64("nan")
    with pytest.raises(ValueError, match=f"{name}: lr"):
        step(opt, [p])
    assert p.tolist() == [[1.0, 2.0], [3.0, 4.0]]


# -- parameters -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", METHODS)
def test_duplicate_computed_and_missing_parameters_are_refused(name):
    p = leaf()
    for params, words in (([p, p], "twice"), ([p * 2], "computed"), ([], "no parameters"), (iter(()), "generator")):
        with pytest.raises(ValueError, match=rf"{name}: .*{words}"):
            OPTIMIZERS[name](params)


@pytest.mark.parametrize("name", METHODS)
def test_unused_parameters_stay_as_they_are(name):
    p, unused = leaf(), leaf()
    decays = "weight_decay" in inspect.signature(OPTIMIZERS[name]).parameters
    opt = optimizer(name, [p, unused], **({"weight_decay": 0.1} if decays else {}))
    for _ in range(3):
        step(opt, [p])
    assert unused.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert unused not in opt.state
    assert p.tolist() != unused.tolist()


@pytest.mark.parametrize("name", sorted(set(METHODS) - {"LBFGS"}))
def test_frozen_then_unfrozen(name):
    p, q = leaf(), leaf()
    opt = optimizer(name, [p, q])
    step(opt, [p, q])
    p.requires_grad_(False)
    p.grad = None
    kept, state = p.tolist(), {k: np.array(v) for k, v in opt.state[p].items()}
    step(opt, [q])
    assert p.tolist() == kept
    assert all(np.array_equal(v, opt.state[p][k]) for k, v in state.items())
    p.requires_grad_(True)
    step(opt, [p, q])
    assert p.tolist() != kept


def test_a_parameter_replaced_after_the_optimizer_was_made_is_warned_of():
    """The optimizer goes on with the old tensor, whose gradient stays None; the trainer says so."""
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    trainer = Trainer(net, nn.MSELoss(), optim.SGD(net.parameters(), lr=0.1), progress=False)
    net[0].weight = nn.Parameter(net[0].weight.numpy().copy())
    x = np.ones((8, 2), "float32")
    before = net[0].weight.tolist()
    with pytest.warns(UserWarning, match=r"does not have 0\.weight; they will not be trained"):
        trainer.fit((x, x[:, :1]), epochs=1)
    assert net[0].weight.tolist() == before


def test_parameters_that_the_optimizer_lacks_are_warned_of():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    x = np.ones((8, 2), "float32")
    with pytest.warns(UserWarning, match=r"does not have 0\.weight, 0\.bias"):
        Trainer(net, nn.MSELoss(), optim.SGD(net[1].parameters(), lr=0.1), progress=False).fit((x, x[:, :1]))


def test_one_parameter_under_two_names_is_updated_once():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = self.b = nn.Linear(1, 1, bias=False)

    net = Tied()
    net.a.weight.data[...] = 1
    opt = optim.SGD(net.parameters(), lr=0.1)
    net.a.weight.sum().backward()
    opt.step()
    assert net.b.weight.item() == pytest.approx(0.9)


# -- interrupts -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("small", [0, storage.SMALL])
@pytest.mark.parametrize("name", sorted(set(METHODS) - {"LBFGS"}))
def test_ctrl_c_inside_a_step_waits_for_its_end(name, small, monkeypatch):
    """Every parameter has moved as in a step without an interrupt, and the state counts one step."""
    monkeypatch.setattr(storage, "SMALL", small)
    params, twins = [leaf(), leaf(), leaf()], [leaf(), leaf(), leaf()]
    opt, twin = optimizer(name, params), optimizer(name, twins)
    step(twin, twins)
    update, struck = type(opt).update, []

    def interrupted(self, *args):
        if not struck:
            struck.append(True)
            signal.raise_signal(signal.SIGINT)
        return update(self, *args)

    monkeypatch.setattr(type(opt), "update", interrupted)
    closure_over(params)()
    with pytest.raises(KeyboardInterrupt):
        opt.step()
    assert struck
    for p, q in zip(params, twins, strict=True):
        assert p.tolist() == q.tolist()
        here, there = [{k: np.array(v).tolist() for k, v in o.state.get(t, {}).items()} for o, t in ((opt, p), (twin, q))]
        assert here == there


def test_ctrl_c_inside_a_step_of_lookahead_waits_for_the_way_back(monkeypatch):
    update = optim.SGD.update

    def interrupted(self, *args):
        signal.raise_signal(signal.SIGINT)
        return update(self, *args)

    p, twin = leaf(), leaf()
    opt, other = [optim.Lookahead(optim.SGD([q], lr=0.1), k=1) for q in (p, twin)]
    step(other, [twin])
    monkeypatch.setattr(optim.SGD, "update", interrupted)
    with pytest.raises(KeyboardInterrupt):
        step(opt, [p])
    assert p.tolist() == twin.tolist()
    assert opt.count == 1


@pytest.mark.parametrize(("make", "call"), [(lambda p: optim.LBFGS([p], lr=0.1), 3), (lambda p: optim.SAM(optim.SGD([p], lr=0.1)), 2)])
def test_ctrl_c_inside_a_closure_that_is_called_again_goes_back_to_before_the_step(make, call):
    p, calls = leaf(), []
    opt = make(p)

    def closure():
        calls.append(True)
        if len(calls) == call:
            signal.raise_signal(signal.SIGINT)
        return closure_over([p])()

    with pytest.raises(KeyboardInterrupt):
        opt.step(closure)
    assert p.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert not opt.state


# -- schedules --------------------------------------------------------------------------------------------------------
SCHEDULES = {
    "LambdaLR": (lambda t: 0.9**t,),
    "MultiplicativeLR": (lambda t: 0.9,),
    "StepLR": (2,),
    "MultiStepLR": ([2],),
    "ConstantLR": (),
    "LinearLR": (),
    "PolynomialLR": (),
    "ExponentialLR": (0.9,),
    "CosineAnnealingLR": (10,),
    "CosineAnnealingWarmRestarts": (10,),
    "OneCycleLR": (1.0, 10),
    "CyclicLR": (0.1, 1.0),
    "WarmupLR": (3,),
}


def schedule(name, opt):
    return getattr(lr_scheduler, name)(opt, *SCHEDULES[name])


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_that_steps_before_the_optimizer_warns_once(name):
    opt = optim.SGD([leaf()], lr=0.1, momentum=0.9)
    s = schedule(name, opt)
    with pytest.warns(UserWarning, match=rf"{name}.step: called before the optimizer's first step.*optimizer.step\(\) first"):
        s.step()
    s.step()
    opt.step()
    s.step()


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_in_its_place_does_not_warn(name):
    opt = optim.SGD([leaf()], lr=0.1, momentum=0.9)
    s = schedule(name, opt)
    opt.step(), s.step()
    again = optim.SGD([leaf()], lr=0.1, momentum=0.9)
    resumed = schedule(name, again)
    resumed.load_state_dict(s.state_dict()), again.load_state_dict(opt.state_dict())
    resumed.step()
    fresh = optim.SGD([leaf()], lr=0.1, momentum=0.9)
    fresh.load_state_dict(opt.state_dict())  # of a run that has made steps; its schedule starts now
    schedule(name, fresh).step()
    around = optim.Lookahead(optim.SGD([leaf()], lr=0.1, momentum=0.9))
    s = schedule(name, around)
    around.step(), s.step()


def test_a_schedule_is_loaded_whole_or_not_at_all():
    opt = optim.SGD([leaf()], lr=0.1)
    for s in (lr_scheduler.StepLR(opt, 2), lr_scheduler.ReduceLROnPlateau(opt)):
        good, name = s.state_dict(), type(s).__name__
        rates = "lrs" if "lrs" in good else "base_lrs"
        for bad in ({}, None, {"last_epoch": 3}, {**good, "last_epoch": 3, rates: [0.5, 0.5]}):
            with pytest.raises(CheckpointError, match=f"{name}.load_state_dict"):
                s.load_state_dict(bad)
        assert s.state_dict() == good
        assert opt.param_groups[0]["lr"] == 0.1


def test_an_optimizer_with_a_step_of_its_own_is_not_suspected():
    class Own(optim.Optimizer):
        def step(self, closure=None):
            return None

    opt = Own([leaf()], {"lr": 0.1})
    s = lr_scheduler.StepLR(opt, 2)
    opt.step(), s.step()


# -- checkpoints ------------------------------------------------------------------------------------------------------
def test_a_module_is_loaded_whole_or_not_at_all_and_the_error_lists_everything():
    net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1), nn.BatchNorm1d(1))
    before = {k: v.tolist() for k, v in net.state_dict().items()}
    bad = net.state_dict()
    bad["0.weight"] = mg.zeros((9, 9))
    bad["2.num_batches_tracked"] = mg.tensor(1.5)
    bad["more"] = mg.zeros(1)
    del bad["1.bias"]
    with pytest.raises(CheckpointError) as caught:
        net.load_state_dict(bad)
    for words in ("missing 1.bias", "unexpected more", "0.weight", "(9, 9)", "(3, 2)", "2.num_batches_tracked", "float32", "int64"):
        assert words in str(caught.value)
    assert {k: v.tolist() for k, v in net.state_dict().items()} == before


def trainer(width=3, **options):
    mg.manual_seed(1)
    net = nn.Sequential(nn.Linear(2, width), nn.Linear(width, 1))
    opt = options.pop("optimizer", optim.Adam)(net.named_parameters(), lr=0.1)
    return Trainer(net, nn.MSELoss(), opt, scheduler=lr_scheduler.StepLR(opt, 1), progress=False, **options)


X = np.random.default_rng(0).normal(size=(12, 2)).astype("float32")


def test_a_run_is_taken_up_whole_or_not_at_all(tmp_path):
    first = trainer()
    first.fit((X, X[:, :1]), epochs=2)
    for other in ("optimizer", "schedulers"):
        state = first.state_dict()
        state[other] = {"state": {}, "param_groups": []} if other == "optimizer" else [{"nothing": 1}]
        save_run(state, tmp_path / "run.safetensors")
        t = trainer()
        before = {k: v.tolist() for k, v in t.model.state_dict().items()}
        with pytest.raises(CheckpointError, match=r"load_state_dict: .*groups|StepLR.load_state_dict: expected .*last_epoch"):
            t.load(tmp_path / "run.safetensors")
        assert {k: v.tolist() for k, v in t.model.state_dict().items()} == before
        assert t.optimizer.param_groups[0]["lr"] == 0.1
        assert t.schedulers[0].last_epoch == t.epoch == len(t.history) == 0
        t.fit((X, X[:, :1]), epochs=1)


def test_resuming_does_not_warn(tmp_path):
    t = trainer()
    t.fit((X, X[:, :1]), epochs=1)
    t.save(tmp_path / "run.safetensors")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trainer().fit((X, X[:, :1]), epochs=3, resume=tmp_path / "run.safetensors")


def test_a_run_of_a_later_format_says_so(tmp_path, monkeypatch):
    path = tmp_path / "run.safetensors"
    monkeypatch.setattr(run, "FORMAT", run.FORMAT + 1)
    save_run({"w": mg.ones(2)}, path)
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match=r"run.safetensors: format '2' of a run; this version reads up to 1: update minigrad"):
        load_run(path)


WRITER = """
import sys; sys.path.insert(0, sys.argv[2])
import numpy as np
from minigrad.io import save_run
n = 0
print("writing", flush=True)
while n < int(sys.argv[3]):
    n += 1
    save_run({"n": n, "w": np.full(200_000, float(n))}, sys.argv[1])
"""


def writer(path, times):
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path), SOURCE, str(times)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"writing\n"
    return process


def check_whole(path):
    found = load_run(path)  # which compares the checksums
    assert (found["w"].numpy() == found["n"]).all()


def test_kill_while_saving_a_run_leaves_a_whole_file_and_what_it_left_is_swept(tmp_path):
    path = tmp_path / "run.safetensors"
    save_run({"n": 0, "w": np.zeros(3)}, path)
    for delay in (0.01, 0.05):
        process = writer(path, 10**9)
        time.sleep(delay)
        process.kill()
        process.communicate()
        check_whole(path)
    stray = tmp_path / ".minigrad-0123.part"
    fresh = tmp_path / ".minigrad-4567.part"
    for file in (stray, fresh):
        file.write_bytes(b"half")
    os.utime(stray, (0, time.time() - atomic.ABANDONED - 1))
    save_run({"n": 1, "w": np.ones(3)}, path)
    assert not stray.exists()
    assert fresh.exists()  # another process may be writing it


def test_two_processes_saving_to_one_path_leave_one_whole_file(tmp_path):
    path = tmp_path / "run.safetensors"
    both = [writer(path, 12), writer(path, 12)]
    try:
        while any(process.poll() is None for process in both):
            if path.exists():
                check_whole(path)  # read while it is replaced
    finally:
        for process in both:
            process.communicate(timeout=60)
    assert [process.returncode for process in both] == [0, 0]
    assert load_run(path)["n"] == 12
    assert [p.name for p in tmp_path.iterdir()] == ["run.safetensors"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits on the size of files are POSIX's")
def test_a_full_disk_while_saving_a_run_leaves_the_old_file(tmp_path):
    path = tmp_path / "run.safetensors"
    save_run({"n": 7}, path)
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))\n" + WRITER
    )
    process = subprocess.run([sys.executable, "-c", code, str(path), SOURCE, "1"], capture_output=True, text=True, check=False)
    assert process.returncode == 1
    assert "OSError" in process.stderr
    assert load_run(path) == {"n": 7}
    assert [p.name for p in tmp_path.iterdir()] == ["run.safetensors"]


def test_a_folder_that_cannot_be_written_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "run.safetensors"
    save_run({"n": 7}, path)

    def refused(*args):
        raise PermissionError(13, "Permission denied", str(args[0]))

    monkeypatch.setattr(atomic, "open", refused, raising=False)  # chmod would not stop root
    with pytest.raises(PermissionError, match="denied"):
        save_run({"n": 8}, path)
    assert load_run(path) == {"n": 7}


# -- data -------------------------------------------------------------------------------------------------------------
class Failing(data.Dataset):
    def __getitem__(self, i):
        if i == 5:
            raise ValueError("unreadable")
        return np.float32(i)

    def __len__(self):
        return 8


@pytest.mark.parametrize("workers", [0, 2])
def test_what_a_dataset_raises_comes_out_of_fit_with_the_sample(workers):
    net = nn.Unflatten(0, (-1, 1))
    model = nn.Sequential(net, nn.Linear(1, 1))
    t = Trainer(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.01), progress=False)
    t.loss = lambda y, target: (y * y).mean()
    with pytest.raises(ValueError, match="unreadable") as caught:
        t.fit(data.DataLoader(Failing(), 2, num_workers=workers))
    assert caught.value.__notes__[0] == "DataLoader: while making batch 2 of epoch 0, sample 5"
    assert t.step == 2
    assert t.model.training


def test_workers_keep_the_order_of_the_sampler():
    class Uneven(data.Dataset):
        def __getitem__(self, i):
            time.sleep(0.002 * (i % 3 == 0))
            return i

        def __len__(self):
            return 30

    for workers in (0, 1, 3):
        assert [b.tolist() for b in data.DataLoader(Uneven(), 2, num_workers=workers)] == [[i, i + 1] for i in range(0, 30, 2)]


# -- processes --------------------------------------------------------------------------------------------------------
TRAIN = """
import sys; sys.path.insert(0, {source!r})
import minigrad as mg
from minigrad import nn, optim
import minigrad.data, minigrad.io, minigrad.metrics, minigrad.regularizers, minigrad.train, minigrad.viz
mg.manual_seed(0)
net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 1))
opt = optim.AdamW(net.parameters(), lr=0.01)
loss = nn.functional.mse_loss(net(mg.ones((4, 2)) * mg.tensor([[1.0], [2.0], [3.0], [4.0]])), mg.ones((4, 1)))
loss.backward(); opt.step()
try:
    nn.Linear(2, 1)(mg.ones(3))
except mg.errors.ShapeError:
    print(loss.item())
"""


@pytest.mark.parametrize("flags", [[], ["-O"], ["-OO"], ["-W", "error"], ["-X", "dev", "-W", "error"], ["-I"]], ids=" ".join)
def test_a_training_step_under_flags_of_python(flags):
    """Without asserts, without docstrings, with warnings as errors, without the environment: import, a step, and errors as ever."""
    command = [sys.executable, "-B", *flags, "-c", TRAIN.format(source=SOURCE)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]})
    assert done.stderr == ""
    assert float(done.stdout) > 0


def trained(model):
    """A step in another process; its parameters come back as lists."""
    opt = optim.SGD(model.parameters(), lr=0.1)
    for batch in data.DataLoader(np.ones((6, 2), "float32"), 3, num_workers=2):
        opt.zero_grad()
        (model(mg.tensor(batch)) ** 2).mean().backward()
        opt.step()
    return [p.tolist() for p in model.parameters()]


@pytest.mark.parametrize("way", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_trains_after_its_parent_has(way):
    if way not in multiprocessing.get_all_start_methods():
        pytest.skip("there is no fork here")
    model = nn.Linear(2, 1)
    trained(model)
    with multiprocessing.get_context(way).Pool(1) as pool:
        there = pool.apply_async(trained, (model,)).get(60)
    assert there == trained(model)
