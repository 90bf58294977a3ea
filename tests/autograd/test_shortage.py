"""Memory that runs out, planted in a kernel, in a rule and in NumPy: the error names the op and what the graphs hold."""

import gc

import pytest

import minigrad as mg
from minigrad.autograd import shortage
from minigrad.autograd.forms import apply, general
from minigrad.errors import MinigradError, OutOfMemoryError
from minigrad.testing.double import register

register()


@pytest.fixture(autouse=True)
def _without_the_graphs_of_others():
    gc.collect()  # errors that were caught hold the frames they came from, in a cycle


class Full(MemoryError):
    """As CuPy's OutOfMemoryError."""

    def __init__(self):
        super().__init__("Out of memory allocating 4,096 bytes (allocated so far: 1,024 bytes).")


def full(*args):
    raise Full


GREEDY = general(lambda xp, x: full(), lambda g: g, name="greedy")
GREEDY_BACK = general(lambda xp, x: x * 2, lambda g: full(), name="greedy_back")


def test_the_op_is_named_and_what_the_graph_holds():
    x = mg.ones((1000, 10), dtype="float64").to(device="double").requires_grad_()
    kept = [(x * 2).exp() for _ in range(3)]
    with pytest.raises(OutOfMemoryError) as caught:
        apply(GREEDY, (kept[-1].tanh(),))
    text = str(caught.value)
    assert text.startswith("greedy: out of memory on double: got float64[1000, 10]; Out of memory allocating 4,096 bytes")
    assert "exp 240000 bytes in 3 arrays" in text
    assert "tanh 80000 bytes in 1 array;" in text or "tanh 80000 bytes in 1 array," in text
    assert "smaller batch" in text
    assert "checkpoint()" in text
    assert "no_grad()" in text
    assert isinstance(caught.value, MinigradError)
    assert isinstance(caught.value, MemoryError)


def test_without_a_graph(monkeypatch):
    monkeypatch.setattr(shortage, "held", lambda place: [])  # others' graphs may be alive
    with mg.no_grad(), pytest.raises(OutOfMemoryError, match=r"on double.*no graph keeps anything for backward; take a smaller batch"):
        apply(GREEDY, (mg.ones(3).to(device="double"),))


def test_memory_is_counted_once_and_by_device():
    x = mg.ones(1000, dtype="float64").to(device="double").requires_grad_()
    y = x.exp()
    z = y.reshape((10, 100)).tanh() * y.reshape((10, 100)) * y.reshape((10, 100))
    assert z.size
    sizes = {name: (n, size) for name, n, size in shortage.held("double")}
    assert sizes["exp"] == (1, 8000)
    assert sum(size for _, size in sizes.values()) == 8000 * 3  # exp, tanh, the product of both
    assert shortage.held("cuda:7") == []


def test_in_backward():
    x = mg.ones(4, requires_grad=True)
    before = apply(GREEDY_BACK, (x.exp(),)).sum()
    with pytest.raises(OutOfMemoryError, match=r"^backward of greedy_back: out of memory on cpu: got a gradient of shape \(4,\); Out of"):
        before.backward()
    assert x.grad is None
    with mg.autograd.detect_anomaly():
        y = apply(GREEDY_BACK, (x.exp(),)).sum()
    with pytest.raises(OutOfMemoryError, match="backward of greedy_back"):
        y.backward(create_graph=True)


def test_an_op_within_a_rule_keeps_its_name():
    op = general(lambda xp, x: x * 2, lambda g: apply(GREEDY, (g,)), name="outer")
    x = mg.ones(4, requires_grad=True)
    with pytest.raises(OutOfMemoryError, match=r"^greedy: out of memory"):
        apply(op, (x,)).sum().backward()


def test_in_the_step_of_an_optimizer():
    class Greedy(mg.optim.SGD):
        kernels = None

        def update(self, p, g, state, group):
            full()

    p = mg.ones(4, requires_grad=True)
    p.grad = mg.ones(4)
    with pytest.raises(OutOfMemoryError, match=r"^Greedy.step: out of memory on cpu: in Greedy.step, parameter .*; Out of memory"):
        Greedy([p], lr=0.1).step()


def test_numpy():
    x = mg.ones((1 << 14, 1), requires_grad=True)
    with pytest.raises(OutOfMemoryError, match=r"^add: out of memory on cpu: got float32\[16384, 1\], .*; Unable to allocate .* shape"):
        x + mg.broadcast_to(mg.ones(1), (1, 1 << 31))


def test_a_library_of_cuda_that_is_not_there():
    class DynamicLibNotFoundError(RuntimeError):
        pass

    def lost(xp, x):
        raise DynamicLibNotFoundError("libnvrtc.so.12")

    with pytest.raises(mg.errors.DeviceError, match=r"lost: CuPy lacks a library of CUDA \(libnvrtc.so.12\); pip install"):
        apply(general(lost, inputs=1, name="lost"), (mg.ones(2),))


def test_the_error_of_the_real_cupy():
    cupy = pytest.importorskip("cupy", exc_type=ImportError)

    def kernel(xp, x):
        raise cupy.cuda.memory.OutOfMemoryError(4096, 1024, 2048)

    with pytest.raises(OutOfMemoryError, match=r"real: .*; Out of memory allocating 4,096 bytes \(allocated so far: 1,024 bytes, limit"):
        apply(general(kernel, inputs=1, name="real"), (mg.ones(3).to(device="double"),))
