"""GradScaler: scale, skip, back off, grow; the order of calls; its state; and no wait for the device but one."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.amp import GradScaler, autocast
from minigrad.nn import functional as F
from minigrad.nn.utils import clip_grad_norm_
from minigrad.testing.double import DoubleArray, counts, no_sync, register

register()


def parameter(*values, device="cpu"):
    return mg.tensor(list(values), dtype="float32", device=device).requires_grad_()


def backward(scaler, w, slope=1.0):
    scaler.scale((w * slope).sum()).backward()


def test_a_step_is_that_of_the_unscaled_gradients():
    w = parameter(1.0, 2.0)
    scaler, opt = GradScaler("cpu"), optim.SGD([w], lr=0.5)
    backward(scaler, w)
    assert w.grad.tolist() == [65536, 65536]
    scaler.step(opt)
    scaler.update()
    assert w.tolist() == [0.5, 1.5]
    assert w.grad.tolist() == [1, 1]


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_a_step_that_is_not_finite_is_skipped(bad):
    w, v = parameter(1.0, 2.0), parameter(1.0)
    scaler, opt = GradScaler("cpu", init_scale=8.0), optim.Adam([w, v], lr=0.5)
    backward(scaler, w)
    backward(scaler, v, bad)
    assert scaler.step(opt) is None
    scaler.update()
    assert (w.tolist(), v.tolist()) == ([1, 2], [1])
    assert not opt.state.get(w)
    assert scaler.get_scale() == 4


def test_growth_starts_again_after_a_skip():
    w = parameter(0.0)
    scaler, opt = GradScaler("cpu", 16.0, growth_factor=4.0, backoff_factor=0.25, growth_interval=3), optim.SGD([w], lr=0.1)
    seen = []
    for slope in [1, 1, np.inf, 1, 1, 1, 1, 1]:
        opt.zero_grad()
        backward(scaler, w, slope)
        scaler.step(opt)
        scaler.update()
        seen.append((scaler.get_scale(), scaler.state_dict()["_growth_tracker"]))
    assert seen == [(16, 1), (16, 2), (4, 0), (4, 1), (4, 2), (16, 0), (16, 1), (16, 2)]


def test_the_scale_never_becomes_infinite():
    w = parameter(0.0)
    scaler, opt = GradScaler("cpu", 2.0**127, growth_interval=1), optim.SGD([w], lr=0.1)
    backward(scaler, w, 0.0)
    scaler.step(opt)
    scaler.update()
    assert scaler.get_scale() == 2.0**127


def test_clipping_between():
    w = parameter(0.0, 0.0)
    scaler, opt = GradScaler("cpu"), optim.SGD([w], lr=1.0)
    scaler.scale((w * mg.tensor([3.0, 4.0])).sum()).backward()
    scaler.unscale_(opt)
    assert clip_grad_norm_([w], 1.0).item() == 5
    scaler.step(opt)
    scaler.update()
    np.testing.assert_allclose(w.tolist(), [-0.6, -0.8], rtol=1e-5)


def test_several_optimizers_are_skipped_apart_and_share_the_scale():
    w, v = parameter(1.0), parameter(1.0)
    scaler = GradScaler("cpu", init_scale=4.0)
    one, two = optim.SGD([w], lr=1.0), optim.SGD([v], lr=1.0)
    losses = scaler.scale([(w * 1.0).sum(), ((v * np.inf).sum(),)])
    losses[0].backward()
    losses[1][0].backward()
    scaler.step(one)
    scaler.step(two)
    scaler.update()
    assert (w.item(), v.item(), scaler.get_scale()) == (0, 1, 2)


def test_accumulation():
    w = parameter(1.0)
    scaler, opt = GradScaler("cpu", init_scale=4.0), optim.SGD([w], lr=0.25)
    for _ in range(2):
        backward(scaler, w)
    scaler.step(opt)
    assert w.item() == 0.5


def test_what_step_returns_and_takes():
    class Noting(optim.SGD):
        def step(self, closure=None, *, note=None):
            super().step()
            return note

    w = parameter(1.0)
    scaler, opt = GradScaler("cpu"), Noting([w], lr=0.5)
    backward(scaler, w)
    assert scaler.step(opt, note=7) == 7


def test_disabled_it_passes_everything_on():
    w = parameter(1.0)
    scaler, opt = GradScaler("cpu", enabled=False), optim.SGD([w], lr=0.5)
    loss = (w * np.inf).sum()
    assert scaler.scale(loss) is loss
    w.sum().backward()
    scaler.unscale_(opt)
    scaler.step(opt)
    scaler.update()
    assert w.item() == 0.5
    assert (scaler.get_scale(), scaler.is_enabled(), scaler.state_dict()) == (1.0, False, {})
    scaler.load_state_dict({})


def started():
    w = parameter(1.0)
    scaler, opt = GradScaler("cpu", init_scale=2.0), optim.SGD([w], lr=0.5)
    backward(scaler, w)
    return w, scaler, opt


def test_calls_in_an_order_that_makes_no_sense():
    scaler, opt = GradScaler("cpu"), optim.SGD([parameter(1.0)], lr=0.5)
    for call in (lambda: scaler.unscale_(opt), lambda: scaler.step(opt), scaler.update):
        with pytest.raises(RuntimeError, match="no loss was scaled"):
            call()
    w, scaler, opt = started()
    with pytest.raises(RuntimeError, match="no gradients were looked at"):
        scaler.update()
    scaler.unscale_(opt)
    with pytest.raises(RuntimeError, match="already called"):
        scaler.unscale_(opt)
    assert w.grad.item() == 1
    scaler.step(opt)
    with pytest.raises(RuntimeError, match="after step"):
        scaler.unscale_(opt)
    with pytest.raises(RuntimeError, match="already called"):
        scaler.step(opt)
    assert w.item() == 0.5
    scaler.update()
    with pytest.raises(RuntimeError, match="no parameter of the optimizer has a gradient"):
        scaler.step(optim.SGD([parameter(1.0)], lr=0.5))
    with pytest.raises(RuntimeError, match="closure"):
        scaler.step(opt, lambda: None)
    with pytest.raises(RuntimeError, match="closure"):
        scaler.step(opt, closure=lambda: None)


def test_gradients_in_float16_are_refused_before_any_is_changed():
    w, half = parameter(1.0), mg.ones(1, dtype="float16").requires_grad_()
    scaler, opt = GradScaler("cpu", init_scale=2.0), optim.SGD([w, half], lr=0.5)
    backward(scaler, w)
    half.sum().backward()
    with pytest.raises(mg.errors.DTypeError, match="float16"):
        scaler.unscale_(opt)
    assert w.grad.item() == 2


@pytest.mark.parametrize(
    "setting",
    [
        {"growth_factor": 1.0},
        {"growth_factor": np.inf},
        {"backoff_factor": 1.0},
        {"backoff_factor": 0.0},
        {"init_scale": 0.0},
        {"init_scale": np.nan},
        {"init_scale": 1e39},
        {"growth_interval": 0},
        {"growth_interval": 1.5},
    ],
)
def test_senseless_settings(setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        GradScaler("cpu", **setting)


def test_other_wrong_arguments():
    scaler = GradScaler("cpu")
    with pytest.raises(mg.errors.DTypeError, match="Tensor"):
        scaler.scale(3.0)
    with pytest.raises(mg.errors.DeviceError, match="double"):
        scaler.scale(mg.ones(1, device="double"))
    with pytest.raises(mg.errors.CheckpointError, match="lacks"):
        scaler.load_state_dict({})
    before = scaler.state_dict()
    with pytest.raises(ValueError, match="backoff_factor"):
        scaler.load_state_dict(before | {"scale": 3.0, "backoff_factor": 2.0})
    assert scaler.state_dict() == before


@pytest.mark.skipif(mg.is_available("cuda"), reason="there is a GPU")
def test_a_device_that_is_not_there():
    with pytest.warns(RuntimeWarning, match="not available"):
        assert not GradScaler().is_enabled()


def test_the_state_goes_on_where_it_was():
    _, scaler, opt = started()
    scaler.set_growth_interval(2)
    scaler.step(opt)
    scaler.update()
    state = scaler.state_dict()
    assert state == {"scale": 2.0, "growth_factor": 2.0, "backoff_factor": 0.5, "growth_interval": 2, "_growth_tracker": 1}
    for begun in (False, True):
        w, other, opt = started()
        if begun:
            other.step(opt)
            other.update()
        else:
            other = GradScaler("cpu")
        other.load_state_dict(state)
        assert other.state_dict() == state
        opt.zero_grad()
        backward(other, w)
        other.step(opt)
        other.update()
        assert (other.get_scale(), other.state_dict()["_growth_tracker"]) == (4, 0)


def test_a_scale_can_be_set():
    _, scaler, opt = started()
    scaler.step(opt)
    scaler.update(new_scale=32)
    assert scaler.get_scale() == 32
    scaler.update(mg.tensor([3.0]))
    assert scaler.get_scale() == 3
    with pytest.raises(ValueError, match="new_scale"):
        scaler.update(0.0)
    scaler.set_growth_factor(3)
    scaler.set_backoff_factor(0.1)
    assert (scaler.get_growth_factor(), scaler.get_backoff_factor(), scaler.get_growth_interval()) == (3, 0.1, 2000)


@pytest.mark.parametrize("bad", [False, True])
def test_on_the_double_one_flag_is_read(bad):
    model = nn.Linear(3, 2).to(device="double")
    scaler, opt = GradScaler("double", growth_interval=1), optim.Adam(model.parameters(), lr=0.1)
    x = mg.ones((4, 3), device="double") * (np.inf if bad else 1.0)
    before = model.weight.detach().numpy().copy()
    with no_sync():
        scaler.scale(model(x).sum()).backward()
        scaler.unscale_(opt)
        clip_grad_norm_(model.parameters(), 1.0)
    then = counts.copy()
    scaler.step(opt)
    waits = counts - then
    assert sum(waits.values()) == 1, waits
    with no_sync():
        scaler.update()
    assert isinstance(scaler._scale, DoubleArray)
    assert np.array_equal(model.weight.detach().numpy(), before) == bad
    assert scaler.get_scale() == 65536 * (0.5 if bad else 2.0)


def test_capture():
    rng = np.random.default_rng(0)
    model, y = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)), mg.tensor([0, 1, 0, 1])
    xs = [mg.tensor(rng.normal(size=(4, 3)).astype("float32")) for _ in range(8)]
    xs[5] *= np.inf
    start = {k: v.numpy().copy() for k, v in model.state_dict().items()}
    found = []
    for wrapped in (lambda f: f, mg.capture):
        model.load_state_dict(start)
        opt, scaler = optim.Adam(model.parameters(), lr=0.1), GradScaler("cpu", growth_interval=3)

        def step(x, opt=opt, scaler=scaler):
            opt.zero_grad()
            with autocast("cpu"):
                loss = F.cross_entropy(model(x), y)
            scaler.scale(loss).backward()
            scaler.unscale_(opt)
            clip_grad_norm_(model.parameters(), 0.5)
            scaler.step(opt)
            scaler.update()
            return loss

        run = wrapped(step)
        with np.errstate(all="ignore"):
            losses = [run(x).item() for x in xs]
        found.append((losses[:5] + losses[6:], scaler.state_dict(), [p.tolist() for p in model.parameters()]))
    assert run.replays == 6
    assert found[0] == found[1]
