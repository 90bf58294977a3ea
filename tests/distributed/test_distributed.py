"""Workers at once: what they send each other, the gradients of a whole batch from its parts, failures that hang nobody."""

import sys
import types

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.distributed import Alone, Communicator, DistributedSampler, Threads, average_gradients, broadcast, run
from minigrad.distributed.communicator import BrokenGroupError
from minigrad.errors import DeviceError, DTypeError, MinigradError, ShapeError
from minigrad.nn import functional as F


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_what_is_sent(size, dtype):
    arrays = [np.arange(7, dtype=dtype) * (r + 1) - 3 for r in range(size)]

    def work(line):
        assert isinstance(line, Communicator)
        assert line.size == size
        mine, high, low, first = (arrays[line.rank].copy() for _ in range(4))
        line.all_reduce(mine)
        line.all_reduce(high, "max")
        line.all_reduce(low, "min")
        line.broadcast(first, root=size - 1)
        line.barrier()
        return mine, high, low, first, line.all_gather(arrays[line.rank])

    for mine, high, low, first, together in run(work, size):
        stacked = np.stack(arrays)
        np.testing.assert_array_equal(mine, stacked.sum(0))
        np.testing.assert_array_equal(high, stacked.max(0))
        np.testing.assert_array_equal(low, stacked.min(0))
        np.testing.assert_array_equal(first, arrays[-1])
        np.testing.assert_array_equal(together, stacked)


def test_sums_are_the_same_bits_for_all_and_each_time():
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=1001).astype("float32") for _ in range(4)]

    def work(line):
        a = arrays[line.rank].copy()
        for _ in range(20):
            line.all_reduce(a)
            a /= 4
        return a.tobytes()

    assert len({*run(work, 4), *run(work, 4)}) == 1


def net():
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3))


def trained(rows, steps, line):
    """A net after some steps on these rows of a fixed set, of which each worker has its own."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(24, 5)).astype("float32"), rng.integers(0, 3, 24)
    model = broadcast(net(), line)
    optimizer = optim.Adam(model.parameters(), lr=0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(model(x[rows]), y[rows]).backward()
        average_gradients(model.parameters(), line, weight=len(rows))
        optimizer.step()
    return [p.numpy() for p in model.parameters()]


def test_parts_of_a_batch_train_like_the_whole():
    parts = [np.arange(0, 4), np.arange(4, 15), np.arange(15, 24)]
    mg.manual_seed(5)
    one = run(lambda line: trained(np.arange(24), 10, line), 1)[0]
    mg.manual_seed(5)
    many = run(lambda line: trained(parts[line.rank], 10, line), 3)
    for other in many[1:]:
        for a, b in zip(many[0], other, strict=True):
            np.testing.assert_array_equal(a, b)
    for a, b in zip(many[0], one, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-6)


def test_a_parameter_that_only_some_workers_used():
    def work(line):
        used = mg.tensor([2.0], requires_grad=True)
        half = mg.tensor([3.0, 4.0], dtype="float16", requires_grad=True)
        frozen = mg.tensor([1.0])
        loss = (used * 3).sum()
        if line.rank:
            loss = loss + half.astype("float32").sum() * 8
        loss.backward()
        average_gradients([used, frozen, half], line)
        return used.grad.tolist(), half.grad.tolist(), str(half.grad.dtype), frozen.grad

    assert run(work, 2) == [([3.0], [4.0, 4.0], "float16", None)] * 2


def test_workers_draw_their_own_numbers_and_the_same_again():
    mg.manual_seed(3)
    one = run(lambda line: mg.random.normal(size=3).tolist(), 3)
    mg.manual_seed(3)
    assert run(lambda line: mg.random.normal(size=3).tolist(), 3) == one
    assert len({tuple(a) for a in one}) == 3


def test_modes_of_the_caller_go_along():
    a = mg.ones((2, 2))
    with mg.amp.autocast("cpu", "float16"):
        assert run(lambda line: (a @ a).dtype, 2) == [mg.float16] * 2
    assert run(lambda line: (a @ a).dtype, 2) == [mg.float32] * 2


def test_one_that_fails_hangs_nobody():
    def work(line):
        for k in range(5):
            if line.rank == 1 and k == 2:
                raise KeyError("the data")
            line.all_reduce(np.ones(3))

    with pytest.raises(KeyError, match="the data") as caught:
        run(work, 3)
    assert any("worker 1 of 3" in note for note in caught.value.__notes__)
    lines = Threads.group(2)
    lines[0].leave()
    with pytest.raises(BrokenGroupError, match="another worker failed"):
        lines[1].barrier()


@pytest.mark.parametrize(
    ("work", "error", "words"),
    [
        (lambda line: line.all_reduce(np.ones(2 + line.rank)), ShapeError, "different arrays"),
        (lambda line: line.all_reduce(np.ones((2, 3)).T), ShapeError, "contiguous"),
        (lambda line: line.all_reduce(np.ones(2), "mean"), ValueError, "sum, max, min"),
        (lambda line: average_gradients([], line, weight=-1), ValueError, "negative"),
        (lambda line: broadcast(nn.Linear(2 + line.rank, 1), line), ShapeError, "different arrays"),
    ],
)
def test_what_does_not_fit(work, error, words):
    with pytest.raises(error, match=words):
        run(work, 2)


@pytest.mark.parametrize("workers", [0, [], ["cpu", "cuda:0"], ["cuda:0", "cuda:0"]])
def test_workers_that_make_no_group(workers):
    with pytest.raises(ValueError, match="run: expected"):
        run(lambda line: None, workers)


def test_alone():
    line, a = Alone(), np.arange(3.0)
    line.all_reduce(a)
    line.broadcast(a)
    line.barrier()
    assert a.tolist() == line.all_gather(a)[0].tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="op must be"):
        line.all_reduce(a, "product")


@pytest.mark.parametrize(("n", "size"), [(10, 3), (9, 3), (2, 5), (0, 2)])
@pytest.mark.parametrize("drop_last", [False, True])
def test_sampler_gives_each_his_part(n, size, drop_last):
    samplers = [DistributedSampler(range(n), size, r, seed=4, drop_last=drop_last) for r in range(size)]
    for _ in range(2):
        parts = [list(s) for s in samplers]
        assert {len(p) for p in parts} == {len(samplers[0])}
        everyone = [i for p in parts for i in p]
        if drop_last:
            assert len(set(everyone)) == len(everyone) == n // size * size
        else:
            assert set(everyone) == set(range(n))
    samplers[0].set_epoch(0)
    fresh = DistributedSampler(range(n), size, 0, seed=4, drop_last=drop_last)
    assert list(samplers[0]) == list(fresh)
    samplers[0].load_state_dict(fresh.state_dict())
    assert list(samplers[0]) == list(fresh)


def test_sampler_in_a_loader_and_out_of_range():
    loader = mg.data.DataLoader(list(range(10)), batch_size=2, sampler=DistributedSampler(range(10), 2, 1, shuffle=False))
    assert [b.tolist() for b in loader] == [[1, 3], [5, 7], [9]]
    with pytest.raises(ValueError, match="ranks go from 0 to 1"):
        DistributedSampler(range(4), 2, 2)


# -- NCCL, on a double of it ------------------------------------------------------------------------------------------
class Sent:
    """An array as NCCL's binding wants it."""

    def __init__(self, held):
        self.held, self.dtype, self.shape, self.size, self.flags = held, held.dtype, held.shape, held.size, held.flags
        self.data = types.SimpleNamespace(ptr=held.ctypes.data)


@pytest.fixture
def cupy(monkeypatch):
    """A module that has of CuPy what a communicator asks for; its NCCL notes the calls."""
    calls = []

    class NcclCommunicator:
        def __init__(self, size, identity, rank):
            calls.append(("init", size, identity, rank))

        def __getattr__(self, name):
            return lambda *args: calls.append((name, *args))

    fake = types.ModuleType("cupy")
    fake.empty, fake.zeros = (lambda *a: Sent(np.empty(*a))), (lambda *a: Sent(np.zeros(*a)))
    fake.ascontiguousarray = lambda a: a
    waited = []
    stream = types.SimpleNamespace(ptr=77, synchronize=lambda: waited.append(1))
    fake.cuda = types.SimpleNamespace(
        nccl=types.SimpleNamespace(available=True, get_unique_id=lambda: "id", NcclCommunicator=NcclCommunicator),
        get_current_stream=lambda: stream,
        runtime=types.SimpleNamespace(runtimeGetVersion=lambda: 13000),
    )
    monkeypatch.setitem(sys.modules, "cupy", fake)
    monkeypatch.setitem(sys.modules, "cupy.cuda", fake.cuda)
    fake.calls, fake.waited = calls, waited
    return fake


def test_nccl_is_called_as_its_guide_says(cupy):
    from minigrad.distributed.nccl import Nccl

    line = Nccl(1, 4, Nccl.identity())
    a = Sent(np.zeros((2, 3), "float32"))
    line.all_reduce(a)
    line.all_reduce(a, "max")
    line.broadcast(a, root=2)
    y = line.all_gather(Sent(np.zeros(5, "float16")))
    assert not cupy.waited
    line.barrier()
    line.leave()
    p = a.data.ptr
    assert cupy.calls[:4] == [
        ("init", 4, "id", 1),
        ("allReduce", p, p, 6, 7, 0, 77),
        ("allReduce", p, p, 6, 7, 2, 77),
        ("broadcast", p, p, 6, 7, 2, 77),
    ]
    assert cupy.calls[4][0] == "allGather"
    assert cupy.calls[4][3:] == (5, 6, 77)
    assert y.shape == (4, 5)
    assert [c[0] for c in cupy.calls[5:]] == ["allReduce", "abort"]
    assert cupy.waited == [1]
    with pytest.raises(BrokenGroupError, match="worker 1 of 4: another worker failed"):
        line.all_reduce(a)
    with pytest.raises(DTypeError, match="NCCL sends"):
        Nccl(0, 1, "id").all_reduce(Sent(np.zeros(2, "complex64")))


def test_without_nccl_the_error_says_what_to_install(cupy):
    cupy.cuda.nccl.available = False
    from minigrad.distributed.nccl import Nccl

    with pytest.raises(DeviceError, match="pip install nvidia-nccl-cu13"):
        Nccl.identity()


def test_no_gpu_is_said_before_any_thread_starts():
    if mg.is_available("cuda"):
        pytest.skip("there is a GPU")
    with pytest.raises((MinigradError, ImportError), match=r"CuPy|driver|NCCL"):
        run(lambda line: None, ["cuda:0", "cuda:1"])


def test_numbers_are_those_of_the_real_binding():
    nccl = pytest.importorskip("cupy.cuda.nccl", reason="compares with CuPy, which is not installed")
    if not nccl.available:
        pytest.skip("compares with NCCL, which CuPy does not find; pip install nvidia-nccl-cu12")
    from minigrad.backend.cuda import nccl as ours

    assert {k: getattr(nccl, f"NCCL_{k.upper()}") for k in ours.NUMBERS} == ours.NUMBERS
    assert {k: getattr(nccl, f"NCCL_{k.upper()}") for k in ours.OPS} == ours.OPS
    for name in ("allReduce", "broadcast", "allGather", "abort"):
        assert hasattr(nccl.NcclCommunicator, name)
