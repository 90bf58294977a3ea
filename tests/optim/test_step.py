"""What happens around a step: hooks, interrupts, errors, gradients that overflow, settings that change."""

import signal
import threading

import numpy as np
import pytest

import minigrad as mg
from minigrad import optim
from minigrad.optim import storage


def leaf(values, dtype="float32"):
    return mg.tensor(np.asarray(values, dtype), requires_grad=True)


def ready(values=(1.0,), dtype="float32"):
    p = leaf(values, dtype)
    p.grad = mg.ones(p.shape, dtype=dtype)
    return p


# -- hooks ------------------------------------------------------------------------------------------------------------
def test_hooks():
    p, seen = ready(), []
    opt = optim.SGD([p], lr=0.1)
    before = opt.register_step_pre_hook(lambda o, args, kwargs: seen.append(("before", o is opt, args, kwargs, p.item())))
    after = opt.register_step_post_hook(lambda o, args, kwargs: seen.append(("after", o is opt, args, kwargs, round(p.item(), 3))))
    opt.step()
    assert seen == [("before", True, (), {}, 1.0), ("after", True, (), {}, 0.9)]
    before.remove(), after.remove()
    opt.step()
    assert len(seen) == 2


def test_a_hook_may_give_another_closure():
    p = ready()
    opt = optim.SGD([p], lr=0.1)
    opt.register_step_pre_hook(lambda o, args, kwargs: ((lambda: 7,), {}))
    assert opt.step(lambda: 1) == 7


def test_hooks_of_lbfgs():
    p, seen = leaf([2.0]), []
    opt = optim.LBFGS([p])
    opt.register_step_post_hook(lambda *a: seen.append(a))

    def closure():
        opt.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    assert opt.step(closure).item() == 4
    assert len(seen) == 1


# -- interrupts -------------------------------------------------------------------------------------------------------
class Interrupted(optim.SGD):
    def update(self, p, g, state, group):
        signal.raise_signal(signal.SIGINT)
        super().update(p, g, state, group)


@pytest.mark.parametrize("small", [0, 1 << 14])
def test_an_interrupt_waits_for_the_step(small, monkeypatch):
    monkeypatch.setattr(storage, "SMALL", small)
    ps = [ready() for _ in range(4)]
    opt = Interrupted(ps, lr=0.1, momentum=0.9)
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        opt.step()
    assert [round(p.item(), 3) for p in ps] == [0.9] * 4
    assert {opt.state[p]["step"] for p in ps} == {1}
    assert signal.getsignal(signal.SIGINT) is handler


def test_an_own_handler_is_called_after_the_step():
    p, seen = ready(), []
    before = signal.signal(signal.SIGINT, lambda *a: seen.append(round(p.item(), 3)))
    try:
        Interrupted([p], lr=0.1).step()
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [0.9]


def test_a_step_in_another_thread():
    p = ready()
    thread = threading.Thread(target=optim.SGD([p], lr=0.1).step)
    thread.start()
    thread.join()
    assert p.item() == pytest.approx(0.9)


def test_lbfgs_interrupted_in_the_closure_goes_back():
    p = leaf([2.0, 1.0])
    for error in (KeyboardInterrupt, ValueError):
        calls = []
        opt = optim.LBFGS([p], lr=0.1, line_search_fn="strong_wolfe")

        def closure(opt=opt, calls=calls, error=error):
            opt.zero_grad()
            calls.append(None)
            if len(calls) == 4:
                raise error
            loss = (p**4).sum()
            loss.backward()
            return loss

        with pytest.raises(error):
            opt.step(closure)
        assert p.tolist() == [2.0, 1.0]
        assert not opt.state


# -- errors -----------------------------------------------------------------------------------------------------------
class Failing(optim.SGD):
    def update(self, p, g, state, group):
        if 13 in p:
            raise RuntimeError("no luck")
        super().update(p, g, state, group)


@pytest.mark.parametrize("small", [0, 1 << 14])
def test_an_error_says_which_parameter(small, monkeypatch):
    monkeypatch.setattr(storage, "SMALL", small)
    opt = Failing([("first", ready()), ("second", ready([13.0]))], lr=0.1)
    with pytest.raises(RuntimeError, match="no luck") as caught:
        opt.step()
    assert "'second' (1,)" in caught.value.__notes__[0]
    if small:  # together: none has moved
        assert opt.param_groups[0]["params"][0].item() == 1


def test_closure_runs_with_recording_on():
    p = leaf([1.0])
    opt = optim.SGD([p], lr=0.1)

    def closure():
        opt.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with mg.no_grad():
        assert opt.step(closure).item() == 1
    assert p.item() == pytest.approx(0.8)
    opt.zero_grad(set_to_none=False)
    assert p.grad.item() == 0
    opt.zero_grad()
    assert p.grad is None


def test_lbfgs_needs_a_closure():
    with pytest.raises(ValueError, match="closure"):
        optim.LBFGS([ready()]).step()


# -- numbers ----------------------------------------------------------------------------------------------------------
def test_gradients_that_are_not_finite_pass_silently(method):
    """No warning is made an error half-way; other numbers of the parameter are as they would be (where numbers are treated alike)."""
    if "LBFGS" in method.name or method.name == "Muon":
        return
    p = ready([[1.0, 2.0], [3.0, 4.0]])
    p.grad = mg.tensor(np.array([[np.nan, np.inf], [1e38, 1.0]], "float32"))
    opt = method([p])
    with np.errstate(all="raise"):
        opt.step()
        opt.step()
    if method.kind.elementwise:
        assert np.isfinite(p.numpy()[1, 1])


def test_lbfgs_does_not_move_where_the_loss_is_not_finite():
    p = leaf([1.0])
    for value in (float("nan"), float("inf")):
        opt = optim.LBFGS([p])

        def closure(opt=opt, value=value):
            opt.zero_grad()
            loss = (p * value).sum()
            loss.backward()
            return loss

        opt.step(closure)
        assert p.item() == 1


def test_lbfgs_comes_back_from_where_the_loss_is_not_finite():
    """x - log x: the first tries of the search go below zero."""
    p = leaf([0.01, 30.0], "float64")
    opt = optim.LBFGS([p], lr=10.0, line_search_fn="strong_wolfe", max_iter=50)

    def closure():
        opt.zero_grad()
        with np.errstate(invalid="ignore"):
            loss = (p - mg.log(p)).sum()
        loss.backward()
        return loss

    opt.step(closure)
    assert p.tolist() == pytest.approx([1.0, 1.0], abs=1e-4)


def test_many_steps(method):
    """The corrections of step 10^9 are those of infinity."""
    p = ready([[1.0, 2.0], [3.0, 4.0]])
    opt = method([p])
    if "LBFGS" in method.name:
        return
    opt.step()
    if "step" in opt.state[p]:
        opt.state[p]["step"] = 10**9
    opt.step()
    assert np.isfinite(p.numpy()).all()
    assert opt.state[p].get("step", 10**9 + 1) == 10**9 + 1 or method.name == "SGD"


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_dtypes_are_kept(method, dtype):
    """Half precision is updated in float32, in which the state stays."""
    p = ready([[1.0, 2.0], [3.0, 4.0]], dtype)
    opt = method([p], lr=1e-2)
    for _ in range(3):
        opt.step(lambda: mg.tensor(1.0))
    assert p.dtype == dtype
    wide = "float32" if dtype == "float16" else dtype
    for v in opt.state.get(p, {}).values():
        for a in v if isinstance(v, list) else [v]:
            assert not hasattr(a, "dtype") or a.dtype == wide
            assert not isinstance(a, np.generic)


def test_small_squares_survive_half_precision():
    p = ready([1.0], "float16")
    opt = optim.Adam([p], lr=1e-2)
    for _ in range(3):
        p.grad = mg.tensor(np.array([1e-4], "float16"))
        opt.step()
    assert opt.state[p]["exp_avg_sq"][0] > 0
    assert p.item() == pytest.approx(0.97, abs=2e-3)


def test_numpy_numbers_do_not_widen(method):
    """As the first setting, and set between steps as a schedule may."""
    p = ready([[1.0, 2.0], [3.0, 4.0]])
    opt = method([p], lr=np.float64(0.1))
    opt.step(lambda: mg.tensor(1.0))
    opt.param_groups[0]["lr"] = np.float64(0.05)
    opt.step(lambda: mg.tensor(1.0))
    assert p.dtype == np.float32
    assert type(opt.param_groups[0]["lr"]) is float


def test_a_rate_that_changes_acts():
    p = ready()
    opt = optim.SGD([p], lr=0.1)
    opt.step()
    opt.param_groups[0]["lr"] = 0.0
    opt.step()
    assert p.item() == pytest.approx(0.9)
    opt.param_groups[0]["lr"] = 1
    opt.step()
    assert p.item() == pytest.approx(-0.1)


def test_maximize_is_the_descent_of_the_negative(method):
    if "maximize" not in method([ready([[1.0]])]).defaults:
        return
    ps = [ready([[1.0, -2.0], [3.0, 0.5]], "float64") for _ in range(2)]
    opts = [method(ps[:1], maximize=True), method(ps[1:])]
    for k in range(5):
        g = np.random.default_rng(k).normal(size=(2, 2))
        ps[0].grad, ps[1].grad = mg.tensor(-g), mg.tensor(g)
        for opt in opts:
            opt.step()
    np.testing.assert_allclose(ps[0].numpy(), ps[1].numpy(), rtol=1e-13)


def test_the_gradient_is_not_changed(method):
    p = ready([[1.0, 2.0], [3.0, 4.0]])
    kept = p.grad
    opt = method([p])
    opt.step(lambda: mg.tensor(1.0))
    opt.step(lambda: mg.tensor(1.0))
    assert p.grad is kept
    assert (kept.numpy() == 1).all()


def test_parameters_of_no_elements(method):
    p = ready(np.zeros((0, 3)))
    opt = method([p])
    opt.step(lambda: mg.tensor(1.0))
    assert p.shape == (0, 3)


@pytest.mark.parametrize("name", ["Adafactor", "LAMB", "LARS"])
def test_parameters_of_no_dimensions(name):
    p = ready(3.0)
    getattr(optim, name)([p], lr=0.1).step()
    assert p.item() < 3
