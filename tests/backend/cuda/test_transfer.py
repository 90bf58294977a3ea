"""Copies to a GPU beside its computing, on doubles of streams that copy as late as they may."""

import gc
import weakref

import numpy as np
import pytest

import minigrad as mg
from minigrad.backend.cuda import transfer
from minigrad.data import DataLoader
from minigrad.errors import DeviceError
from minigrad.testing.double import DoubleArray, no_sync


def sent(x):
    return mg.tensor(x).to("cuda", non_blocking=True)


def test_a_copy_is_waited_for_on_the_device(streams):
    x = np.arange(6, dtype="float32").reshape(2, 3)
    with no_sync():
        y = sent(x)
        z = y * 2
    assert type(y.data) is DoubleArray
    assert z.numpy().tolist() == (2 * x).tolist()
    assert streams.log == ["computing waits for copies"]


def test_a_use_before_the_copy_is_caught(streams, monkeypatch):
    """The doubles are of use: without the wait, what was in the memory before is read."""
    monkeypatch.setattr(type(streams), "wait_event", lambda self, event: None)
    assert np.isnan((sent(np.ones(3, "float32")) * 2).numpy()).all()


def test_gradients_come_back(streams):
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    (x.to(device="cuda", non_blocking=True) ** 2).sum().backward()
    assert x.grad.numpy().tolist() == [2.0, 4.0]


@pytest.mark.parametrize("dtype", ["bool", "int8", "int64", "float16", "float64", "complex64"])
def test_dtypes_and_layouts(streams, dtype):
    for x in (np.ones((), dtype), np.arange(12).reshape(3, 4).astype(dtype).T, np.arange(6).astype(dtype)[::2], np.ones((0, 2), dtype)):
        y = sent(x)
        assert (y.dtype, y.shape) == (x.dtype, x.shape)
        assert y.numpy().tolist() == x.tolist()


def test_the_source_lives_until_it_is_copied(streams, monkeypatch):
    """Nobody waits here, so that the copy is still to be made when all that is left of its source is the lane's own hold on it."""
    monkeypatch.setattr(type(streams), "wait_event", lambda self, event: None)
    t = mg.tensor([1.0, 2.0]).pin_memory()
    y, source = t.to("cuda", non_blocking=True), weakref.ref(t.data.base)
    del t
    gc.collect()
    assert source() is not None
    lane = transfer._lanes[0]
    lane.stream.finish()
    assert y.numpy().tolist() == [1.0, 2.0]
    sent(np.ones(3))
    assert source() is None  # given up at the first copy after


def test_memory_is_not_written_to_while_it_is_read(streams):
    """An array that dies on the host may still be read on the device: its memory is kept until the stream that reads is through."""
    y = sent(np.ones(3, "float32"))
    memory = weakref.ref(y.data._held)
    streams.add(lambda: None)  # a kernel that reads y
    del y
    gc.collect()
    sent(np.ones(3, "float32"))
    assert memory() is not None
    streams.finish()
    sent(np.ones(3, "float32"))
    assert memory() is None


def test_nothing_is_made_where_an_array_dies(streams, monkeypatch):
    """That may be a thread whose current GPU is another one: an event made there could not be recorded in the stream that reads."""
    y, made = sent(np.ones(3, "float32")), []
    memory, kind = weakref.ref(y.data._held), transfer._lanes[0].xp.cuda
    monkeypatch.setattr(kind, "Event", lambda *args, **keywords: made.append(1))
    streams.add(lambda: None)  # a kernel that reads y
    del y
    gc.collect()
    assert not made
    assert memory() is not None


def test_pinned_memory_is_copied_from_directly(streams, monkeypatch):
    t = mg.tensor([[1.0, 2.0], [3.0, 4.0]]).pin_memory()
    assert [v.is_pinned() for v in (t, t[1], mg.tensor([1.0]))] == [True, True, False]
    assert t.pin_memory().data is t.data
    monkeypatch.setattr(transfer, "pinned", lambda *args: pytest.fail("copied once more"))
    assert t.to("cuda", non_blocking=True).tolist() == t[:].tolist()
    assert t[1].to("cuda", non_blocking=True).tolist() == [3.0, 4.0]
    monkeypatch.undo()


def test_what_cannot_be_pinned(streams):
    with pytest.raises(DeviceError, match="pin_memory: expected an array on the CPU"):
        sent(np.ones(2)).pin_memory()


def test_streams_are_the_current_ones(streams):
    """What waits for the copy is the stream that is current when it is asked for."""
    other = type(streams)(name="another")
    with other:
        y = sent(np.ones(2))
    assert streams.log == ["another waits for copies"]
    del y
    gc.collect()
    assert transfer._lanes[0].kept[-1][0].stream is other


@pytest.mark.parametrize("workers", [0, 2])
def test_batches(streams, workers):
    data = [({"x": np.full(2, i, "float32")}, i, str(i)) for i in range(5)]
    loader = DataLoader(data, batch_size=2, num_workers=workers, pin_memory=True)
    seen = []
    for features, y, names in loader:
        assert [features["x"].is_pinned(), y.is_pinned()] == [True, True]
        x = features["x"].to("cuda", non_blocking=True)
        seen += zip((x * 1).numpy()[:, 0].tolist(), y.to("cuda", non_blocking=True).numpy().tolist(), names, strict=True)
    assert seen == [(float(i), i, str(i)) for i in range(5)]
    assert not next(iter(DataLoader(data, batch_size=2)))[1].is_pinned()


def test_without_a_gpu(monkeypatch):
    """``pin_memory`` makes no difference; the method says what is missing."""
    monkeypatch.setattr(mg.backend.devices, "obstacle", lambda index=0: "it is not there")
    batch = next(iter(DataLoader([1.0, 2.0], batch_size=2, pin_memory=True)))
    assert batch.tolist() == [1.0, 2.0]
    with pytest.raises((DeviceError, ImportError), match="it is not there"):
        batch.pin_memory()
    x = mg.tensor([1.0])
    assert x.to("cpu", non_blocking=True) is x
