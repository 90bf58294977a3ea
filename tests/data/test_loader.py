"""The loader: batches, order, workers, errors, and being taken up again."""

import gc
import subprocess
import sys
import threading
import time
from typing import NamedTuple

import numpy as np
import pytest

import minigrad as mg
from minigrad import data
from minigrad.errors import CheckpointError, DTypeError, ShapeError


class Squares(data.Dataset):
    def __getitem__(self, i):
        return {"x": float(i), "y": i * i}

    def __len__(self):
        return 5


class Noisy(data.Dataset):
    """Sample i is i and a random number."""

    def __init__(self, n=23):
        self.n = n

    def __getitem__(self, i):
        return np.array([i, mg.random.normal().item()])

    def __len__(self):
        return self.n


class Stream(data.IterableDataset):
    def __init__(self, n=10):
        self.n = n

    def __iter__(self):
        for i in range(self.n):
            yield np.array([i, mg.random.normal().item()])


def values(batches):
    return [b.tolist() for b in batches]


def idle():
    """No thread of a loader is left."""
    return not [t for t in threading.enumerate() if t.name.startswith("minigrad-data")]


@pytest.fixture(autouse=True)
def _threads_end():
    """Threads of a loader that keeps them end when it is gone; no test begins with those of another."""
    yield
    gc.collect()
    deadline = time.monotonic() + 10
    while not idle() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert idle()


# -- batches ------------------------------------------------------------------------------------------------------------
def test_batches_and_collates():
    loader = data.DataLoader(Squares(), batch_size=2)
    batches = list(loader)
    assert len(loader) == len(batches) == 3
    assert batches[1]["y"].tolist() == [4, 9]
    assert batches[1]["x"].dtype == np.float32
    assert len(data.DataLoader(Squares(), batch_size=2, drop_last=True)) == 2
    assert [b["y"].shape for b in data.DataLoader(Squares(), 2, drop_last=True)] == [(2,), (2,)]
    assert len(data.DataLoader(Squares(), 100)) == len(list(data.DataLoader(Squares(), 100))) == 1
    assert list(data.DataLoader(Squares(), 5, collate_fn=len)) == [5]
    assert values(data.DataLoader([mg.tensor([1.0]), mg.tensor([2.0])], 2)) == [[[1.0], [2.0]]]


class Pair(NamedTuple):
    a: int
    b: float


def test_collate():
    both = data.default_collate([Pair(1, 2.0), Pair(3, 4.0)])
    assert isinstance(both, Pair)
    assert both.b.tolist() == [2, 4]
    assert data.default_collate(["a", "b"]) == ["a", "b"]
    assert data.default_collate([1, 2.5]).tolist() == [1, 2.5]
    assert data.default_collate([True, False]).dtype == np.bool_
    for samples, error in (
        ([{"a": 1}, {"b": 1}], ShapeError),
        ([(1, 2), (1,)], ShapeError),
        ([np.zeros(2), np.zeros(3)], ShapeError),
        ([object()], DTypeError),
        ([], DTypeError),
    ):
        with pytest.raises(error):
            data.default_collate(samples)


def test_samplers_and_no_batches():
    assert values(data.DataLoader(range(10, 15), 2, sampler=[4, 0, 2])) == [[14, 10], [12]]
    assert values(data.DataLoader(range(10, 15), batch_sampler=[[1, 2], [0]])) == [[11, 12], [10]]
    assert list(data.DataLoader(["a", "b"], batch_size=None)) == ["a", "b"]
    assert list(data.DataLoader(["a", "b"], batch_size=None, sampler=[1], collate_fn=str.upper)) == ["B"]
    assert next(iter(data.DataLoader({"a": 1, "b": 2}, 2, sampler="ba"))).tolist() == [2, 1]
    assert len(data.DataLoader("abc", batch_size=None)) == 3


def test_refuses():
    for bad in (0, -1, 2.0, True):
        with pytest.raises(ValueError, match="batch_size"):
            data.DataLoader(Squares(), bad)
    for options, words in (
        ({"num_workers": -1}, "num_workers"),
        ({"num_workers": 1, "prefetch_factor": 0}, "prefetch_factor"),
        ({"prefetch_factor": 2}, "set num_workers"),
        ({"persistent_workers": True}, "set num_workers"),
        ({"shuffle": True, "sampler": [1]}, "shuffle=True with a sampler"),
        ({"batch_sampler": [[1]], "batch_size": 2}, "batch_sampler with"),
        ({"batch_size": None, "drop_last": True}, "drop_last"),
        ({"batch_size": 6, "drop_last": True}, "at most 5"),
    ):
        with pytest.raises(ValueError, match=words):
            data.DataLoader(Squares(), **options)
    with pytest.raises(ValueError, match="IterableDataset"):
        data.DataLoader(Stream(), shuffle=True)
    with pytest.raises(ValueError, match="empty"):
        data.DataLoader([])
    with pytest.raises(ValueError, match="__getitem__"):
        data.DataLoader(iter([1]))
    with pytest.raises(DTypeError, match="callable"):
        data.DataLoader([1], collate_fn=3)
    with pytest.raises(ShapeError, match="different shapes"):
        list(data.DataLoader([np.zeros(2), np.zeros(3)], 2))
    with pytest.raises(DTypeError, match="collate_fn"):
        list(data.DataLoader([object()], 1))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_dataset_that_changes_its_length(workers):
    samples = list(range(10))
    loader = data.DataLoader(samples, 2, num_workers=workers)
    with pytest.raises(RuntimeError, match="had 10 samples when this epoch began and has 11"):  # noqa: PT012
        for _ in loader:
            samples.append(0)
    assert idle()
    samples.clear()
    with pytest.raises(ValueError, match="empty"):
        list(loader)


# -- order and random numbers ---------------------------------------------------------------------------------------------
def test_shuffling_is_fixed_by_the_seed_and_new_each_time():
    def orders():
        mg.manual_seed(5)
        loader = data.DataLoader(list(range(50)), 50, shuffle=True)
        mg.random.normal(size=3)
        return [next(iter(loader)).tolist() for _ in range(3)]

    a, b = orders(), orders()
    assert a == b
    assert a[0] != a[1]
    assert all(sorted(o) == list(range(50)) for o in a)
    one = data.DataLoader(list(range(50)), 50, shuffle=True, generator=mg.Generator(3))
    two = data.DataLoader(list(range(50)), 25, shuffle=True, generator=mg.Generator(3))
    assert [v for b in one for v in b.tolist()] == [v for b in two for v in b.tolist()]


@pytest.mark.parametrize("make", [Noisy, Stream])
def test_batches_do_not_depend_on_the_workers(make):
    def run(workers, **options):
        mg.manual_seed(7)
        loader = data.DataLoader(make(), 4, shuffle=make is Noisy, num_workers=workers, **options)
        epochs = []
        for _ in range(3):
            mg.random.normal(size=2)  # what the loop draws does not matter
            epochs.append(values(loader))
        assert idle() or options
        return epochs

    alone = run(0)
    assert run(1) == run(3) == run(2, prefetch_factor=1, persistent_workers=True) == alone
    numbers = [v[1] for e in alone for b in e for v in b]
    assert len(set(numbers)) == len(numbers)


def test_a_loader_leaves_the_seeded_stream_alone():
    mg.manual_seed(0)
    want = mg.random.normal(size=4).tolist()
    mg.manual_seed(0)
    got = mg.random.normal(size=2).tolist()
    for workers in (0, 2):
        list(data.DataLoader(Noisy(), 4, shuffle=True, num_workers=workers))
    assert got + mg.random.normal(size=2).tolist() == want


def test_the_way_of_a_dataset_that_gathers():
    pairs = data.TensorDataset(np.arange(20.0).reshape(10, 2), np.arange(10))
    asked = []

    class Watched(data.TensorDataset):
        def batch(self, indices):
            asked.append(indices.tolist())
            return super().batch(indices)

    watched = Watched(*pairs.tensors)
    slow = data.DataLoader(pairs, 3, collate_fn=data.default_collate)
    for workers in (0, 2):
        for a, b in zip(data.DataLoader(watched, 3, num_workers=workers), slow, strict=True):
            assert a[0].tolist() == b[0].tolist()
            assert a[1].tolist() == b[1].tolist()
    assert len(asked) == 8


# -- workers --------------------------------------------------------------------------------------------------------------
class Bad(data.Dataset):
    def __init__(self, error):
        self.error = error

    def __getitem__(self, i):
        if i == 7:
            raise self.error
        return i

    def __len__(self):
        return 20


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_an_error_in_a_worker_is_raised_in_its_place(workers):
    seen = []
    with pytest.raises(KeyError, match="lost") as caught:  # noqa: PT012
        for batch in data.DataLoader(Bad(KeyError("lost")), 3, num_workers=workers):
            seen.append(batch.tolist())
    assert seen == [[0, 1, 2], [3, 4, 5]]
    assert caught.value.__notes__ == ["DataLoader: while making batch 2 of epoch 0, sample 7"]
    assert "__getitem__" in [entry.name for entry in caught.traceback]
    assert idle()


def test_a_worker_that_exits_is_no_hang():
    with pytest.raises(SystemExit):
        list(data.DataLoader(Bad(SystemExit(3)), 3, num_workers=2))
    assert idle()


def test_leaving_the_loop_stops_the_threads():
    made = []

    class Slow(data.Dataset):
        def __getitem__(self, i):
            made.append(i)
            time.sleep(0.001)
            return i

        def __len__(self):
            return 1000

    for _ in data.DataLoader(Slow(), 1, num_workers=2, prefetch_factor=3):
        break
    assert idle()
    assert len(made) <= 8
    loop = iter(data.DataLoader(Slow(), 1, num_workers=2))
    next(loop)
    assert not idle()
    loop.close()
    assert idle()
    loader = data.DataLoader(Slow(), 1, num_workers=2, persistent_workers=True)
    for _ in range(2):
        for _ in loader:
            break
    assert sum(t.name.startswith("minigrad-data") for t in threading.enumerate()) == 2


def test_prefetching_is_bounded():
    taken, made = [], []

    class Counted(data.Dataset):
        def __getitem__(self, i):
            made.append(i)
            assert len(made) - len(taken) <= 5
            return i

        def __len__(self):
            return 60

    for batch in data.DataLoader(Counted(), 1, num_workers=2, prefetch_factor=2):
        taken.append(batch)
    assert sorted(made) == list(range(60))


def test_worker_init_fn():
    numbers = []
    barrier = threading.Barrier(2, timeout=5)

    def init(number):
        numbers.append((number, threading.get_ident()))
        barrier.wait()

    loader = data.DataLoader(range(6), 1, num_workers=2, worker_init_fn=init, persistent_workers=True)
    assert values(loader) == values(loader)
    assert sorted(n for n, _ in numbers) == [0, 1]
    assert len({thread for _, thread in numbers}) == 2

    def fail(number):
        raise OSError("no disk")

    with pytest.raises(OSError, match="no disk"):
        list(data.DataLoader(range(6), 1, num_workers=2, worker_init_fn=fail))


def test_the_interpreter_ends_with_a_loop_under_way():
    code = (
        "from minigrad import data; import time\n"
        "class D(data.Dataset):\n"
        "    def __len__(self): return 10**6\n"
        "    def __getitem__(self, i): time.sleep(0.01); return i\n"
        "a = iter(data.DataLoader(D(), 2, num_workers=3)); next(a)\n"
        "kept = data.DataLoader(D(), 2, num_workers=3, persistent_workers=True)\n"
        "for x in kept: break\n"
        "print('end')"
    )
    out = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60)
    assert (out.stdout, out.stderr, out.returncode) == ("end\n", "", 0)


# -- state ----------------------------------------------------------------------------------------------------------------
def loaders(kind, workers=0):
    mg.manual_seed(11)
    options = {
        "plain": {"batch_size": 4},
        "shuffle": {"batch_size": 4, "shuffle": True},
        "singles": {"batch_size": None, "shuffle": True},
        "weights": {"batch_size": 4, "sampler": data.WeightedRandomSampler(np.arange(23.0), 23)},
        "batches": {"batch_sampler": data.BatchSampler(data.RandomSampler(range(23)), 5)},
        "list": {"batch_size": 4, "sampler": list(range(20, -1, -1))},
        "stream": {"batch_size": 4},
    }[kind]
    return data.DataLoader(Stream(23) if kind == "stream" else Noisy(), num_workers=workers, **options)


@pytest.mark.parametrize("kind", ["plain", "shuffle", "singles", "weights", "batches", "list", "stream"])
@pytest.mark.parametrize("workers", [0, 2])
def test_a_resumed_loop_goes_on_as_if_nothing_had_been(kind, workers):
    straight = loaders(kind)
    epochs = [values(straight) for _ in range(3)]
    count = len(epochs[0])
    for stop in (0, 1, count - 1, count):
        broken = loaders(kind, workers)
        assert values(broken) == epochs[0]
        loop = iter(broken)
        assert values(next(loop) for _ in range(stop)) == epochs[1][:stop]
        state = broken.state_dict()
        loop.close()
        mg.manual_seed(99)
        resumed = loaders(kind, 2 - workers)
        values(resumed)
        resumed.load_state_dict(state)
        assert resumed.state_dict() == state
        assert values(resumed) == epochs[1][stop:]
        assert values(resumed) == epochs[2]


def test_state_goes_through_a_file(tmp_path):
    from minigrad.io import load_run, save_run

    loader = loaders("shuffle")
    epochs = [values(loader), values(loader)]
    other = loaders("shuffle")
    next(iter(other))
    save_run({"loader": other.state_dict()}, tmp_path / "run.safetensors")
    again = loaders("shuffle")
    again.load_state_dict(load_run(tmp_path / "run.safetensors")["loader"])
    assert [values(again), values(again)] == [epochs[0][1:], epochs[1]]


def test_a_state_that_does_not_fit_is_refused():
    loader = loaders("shuffle")
    next(iter(loader))
    state = loader.state_dict()
    before = loaders("shuffle")
    for bad in (None, {}, {**state, "position": -1}, {**state, "sampler": None}, {**state, "sampler": {}}):
        with pytest.raises(CheckpointError):
            before.load_state_dict(bad)
    assert before.state_dict()["position"] == 0
    with pytest.raises(CheckpointError, match="takes none"):
        loaders("list").load_state_dict(state)
    shorter = data.DataLoader(Noisy(22), 4, shuffle=True)
    shorter.load_state_dict(state)
    with pytest.raises(CheckpointError, match="not those"):
        list(shorter)


def test_two_loops_at_once():
    loader = data.DataLoader(Noisy(), 4, shuffle=True, generator=mg.Generator(0))
    again = data.DataLoader(Noisy(), 4, shuffle=True, generator=mg.Generator(0))
    want = [values(again), values(again)]
    pairs = [(a.tolist(), b.tolist()) for a, b in zip(loader, loader, strict=True)]
    assert [[a for a, _ in pairs], [b for _, b in pairs]] == want
