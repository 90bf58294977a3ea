"""Recording on and off: nesting, errors, decorators, generators, threads."""

import threading

import pytest

import minigrad as mg


@pytest.fixture
def x():
    return mg.tensor(1.0, requires_grad=True)


def test_nesting_and_errors(x):
    with mg.no_grad():
        assert not (x * 2).requires_grad
        with mg.enable_grad():
            assert (x * 2).requires_grad
            with pytest.raises(KeyError), mg.no_grad():
                raise KeyError
            assert mg.is_grad_enabled()
        assert not mg.is_grad_enabled()
    assert (x * 2).requires_grad


def test_decorators_and_reentry(x):
    @mg.no_grad()
    def quiet(n):
        if n:
            quiet(n - 1)
        return (x * 2).requires_grad

    assert quiet(3) is False
    assert mg.is_grad_enabled()


def test_generators_keep_their_own_mode(x):
    @mg.no_grad()
    def numbers():
        while True:
            got = yield (x * 2).requires_grad
            if got == "stop":
                return "done"

    g = numbers()
    assert next(g) is False
    assert mg.is_grad_enabled()
    with mg.no_grad():
        assert next(g) is False
    assert (x * 2).requires_grad
    with pytest.raises(StopIteration) as stop:
        g.send("stop")
    assert stop.value.value == "done"
    assert mg.is_grad_enabled()


def test_set_grad_enabled_as_a_statement_and_as_a_block(x):
    mg.set_grad_enabled(False)
    assert not (x * 2).requires_grad
    mg.set_grad_enabled(True)
    with mg.set_grad_enabled(False):
        assert not mg.is_grad_enabled()
    assert mg.is_grad_enabled()
    with pytest.raises(TypeError, match="True or False"):
        mg.set_grad_enabled(1)

    @mg.set_grad_enabled(False)
    def quiet():
        return mg.is_grad_enabled()

    assert mg.is_grad_enabled()
    assert quiet() is False
    assert mg.is_grad_enabled()


def test_inference_mode_is_not_undone_inside(x):
    with mg.inference_mode(), mg.enable_grad():
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad
    with mg.inference_mode(False):
        assert (x * 2).requires_grad


def test_modes_belong_to_their_thread(x):
    entered, leave, seen = threading.Event(), threading.Event(), []

    def other():
        with mg.no_grad():
            entered.set()
            leave.wait(30)
            seen.append((x * 2).requires_grad)

    t = threading.Thread(target=other)
    t.start()
    entered.wait(30)
    assert (x * 2).requires_grad
    leave.set()
    t.join()
    assert seen == [False]
    assert not mg.autograd.mode.paused


def test_a_decorated_generator_keeps_its_mode_between_its_steps():
    seen = []

    @mg.no_grad()
    def steps():
        try:
            got = yield mg.is_grad_enabled()
            seen.append((got, mg.is_grad_enabled()))
            try:
                yield 2
            except KeyError:
                seen.append(("thrown", mg.is_grad_enabled()))
            yield 3
        finally:
            seen.append(("closed", mg.is_grad_enabled()))

    g = steps()
    assert next(g) is False
    assert mg.is_grad_enabled()
    assert g.send("sent") == 2
    assert g.throw(KeyError) == 3
    assert mg.is_grad_enabled()
    g.close()
    assert seen == [("sent", False), ("thrown", False), ("closed", False)]
    assert mg.is_grad_enabled()


def test_a_decorated_function_in_inference_mode():
    @mg.inference_mode()
    def served(t):
        with mg.enable_grad():
            return t * 2

    t = mg.tensor([1.0], requires_grad=True)
    assert not served(t).requires_grad
    assert (t * 2).requires_grad
