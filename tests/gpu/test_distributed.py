"""Two GPUs of one machine: what they send each other by NCCL, a batch in two parts, a worker that fails, arrays that die elsewhere."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.distributed import average_gradients, broadcast, run
from minigrad.errors import DeviceError
from minigrad.nn import functional as F

PLACES = ["cuda:0", "cuda:1"]


@pytest.fixture(autouse=True)
def two_gpus(device):
    if device == "double":
        pytest.skip("NCCL is for GPUs")
    if not mg.is_available(PLACES[1]):
        pytest.skip("it takes two GPUs, and one is seen")
    try:
        run(lambda line: line.barrier(), PLACES)
    except DeviceError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("dtype", ["float32", "float16", "int64"])
def test_what_is_sent(dtype):
    def work(line):
        def numbers():
            return mg.arange(5, dtype=dtype, device=PLACES[line.rank]).data + line.rank

        a, high, first = numbers(), numbers(), numbers()
        line.all_reduce(a)
        line.all_reduce(high, "max")
        line.broadcast(first, 1)
        return [v.get().tolist() for v in (a, high, first, line.all_gather(numbers()[::2]))]

    zero, one = list(range(5)), list(range(1, 6))
    for sums, high, first, together in run(work, PLACES):
        assert (sums, high, first) == ([a + b for a, b in zip(zero, one, strict=True)], one, one)
        assert together == [zero[::2], one[::2]]


@pytest.mark.parametrize("how", [lambda step: step, mg.capture], ids=["eager", "captured"])
def test_a_batch_in_two_parts(how):
    """Ten steps: the weights that one CPU comes to with the whole batch."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(12, 6)).astype("float32"), rng.integers(0, 3, 12)

    def trained(line, device, part):
        mg.manual_seed(0)
        model = nn.Sequential(nn.Linear(6, 16), nn.GELU(), nn.Linear(16, 3)).to(device=device)
        if line is not None:
            broadcast(model, line)
        optimizer = optim.AdamW(model.parameters(), lr=1e-2)

        def step(x, y):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            if line is not None:
                average_gradients(model.parameters(), line, weight=len(x))
            optimizer.step()

        step = step if line is None else how(step)
        batch = [mg.tensor(v[part]).to(device=device) for v in (x, y)]
        for _ in range(10):
            step(*batch)
        return [p.detach().numpy() for p in model.parameters()]

    parts = [slice(0, 8), slice(8, 12)]
    for found in run(lambda line: trained(line, "cuda", parts[line.rank]), PLACES):
        for p, q in zip(found, trained(None, "cpu", slice(None)), strict=True):
            np.testing.assert_allclose(p, q, rtol=1e-3, atol=1e-5)


def test_one_that_fails_hangs_nobody():
    def work(line):
        a = mg.ones(1 << 20, device=PLACES[line.rank]).data
        for k in range(5):
            if line.rank == 1 and k == 2:
                raise KeyError("the data")
            line.all_reduce(a)
            a.sum().get()

    with pytest.raises(KeyError, match="the data"):
        run(work, PLACES)


def test_batches_that_die_while_another_gpu_is_current():
    """Their memory waits for those who read it all the same."""
    batches = run(lambda line: [mg.full((1 << 16,), i).pin_memory().to(PLACES[line.rank], non_blocking=True) for i in range(20)], PLACES)
    sums = [[x.sum() for x in some] for some in batches[:1]]
    del batches
    assert [[s.item() / (1 << 16) for s in some] for some in sums] == [list(range(20))]
