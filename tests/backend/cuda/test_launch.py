"""What a launch asks of CuPy: how many blocks and threads, and the arguments as one struct of bytes."""

import struct
import types

import numpy as np
import pytest

from minigrad.backend.cuda.launch import DONE, REFUSED, Kernel, geometry, launch, number_of
from minigrad.backend.cuda.sheet import Rehearsal
from minigrad.backend.recording import Drawn
from minigrad.backend.recording.beside import written_to

KERNEL = Kernel("elementwise", "leaky_relu", "PPlf")


class Device:
    """An array's address on a device, and a stand-in for CuPy's launcher that notes what it is given."""

    dtype = types.SimpleNamespace(name="float32", isnative=True)

    def __init__(self, at, device=0):
        self.data = types.SimpleNamespace(ptr=at, device_id=device)


@pytest.fixture
def launched(monkeypatch):
    """What was launched: (blocks, threads, argument, number, indirect)."""
    notes = []
    here = types.SimpleNamespace(getDevice=lambda: 0, deviceGetAttribute=lambda which, device: 10, cudaDevAttrMultiProcessorCount=16)
    module = __import__("sys").modules[launch.__module__]
    monkeypatch.setattr(module, "runtime", lambda: here)
    module.processors.cache_clear()

    def function(self, number, indirect):
        def call(grid, block, arguments):
            notes.append((*grid, *block, *arguments, number, indirect))

        call.kernel = notes  # CuPy loads it when it is asked for
        return call

    monkeypatch.setattr(Kernel, "function", function)
    yield notes
    module.processors.cache_clear()


def test_a_struct_by_value_as_c_lays_it_out(launched):
    assert launch(KERNEL, 1000, Device(4096), Device(8192), 1000, 0.5) == DONE
    blocks, threads, argument, number, indirect = launched[0]
    assert (blocks, threads, number, indirect) == (4, 256, "float", False)
    assert argument.size == 1, "CuPy passes a NumPy array by value only if it has one element"
    assert argument.tobytes() == struct.pack("=QQqf4x", 4096, 8192, 1000, 0.5)


def test_none_is_a_null_pointer(launched):
    assert launch(Kernel("a", "b", "PPl"), 1, Device(16), None, 1) == DONE
    assert launched[0][2].tobytes() == struct.pack("=QQq", 16, 0, 1)


def test_arrays_of_another_gpu_than_the_current_one_are_refused(launched):
    assert launch(KERNEL, 1, Device(0, device=1), Device(0), 1, 0.5) == REFUSED
    assert not launched


@pytest.mark.parametrize(
    ("n", "along", "expected"),
    [
        (1, 0, (1, 256)),
        (257, 0, (2, 256)),
        (1 << 40, 0, (80, 256)),  # all that ten multiprocessors hold at a time
        (5, 100, (5, 128)),
        (100, 3, (100, 32)),
        (100, 1 << 20, (20, 1024)),
        (1000, 512, (160, 128)),
        (0, 0, (1, 256)),
    ],
)
def test_as_many_threads_as_there_is_work_for(n, along, expected):
    (blocks,), (threads,) = geometry(n, along, 10)
    assert (blocks, threads) == expected


@pytest.mark.parametrize("along", [1, 2, 31, 33, 1000, 5000])
def test_teams_are_whole_warps_by_twos(along):
    threads = geometry(100, along, 10)[1][0]
    assert 32 <= threads <= 1024
    assert threads & (threads - 1) == 0
    assert threads == geometry(100, along, 200)[1][0], "sums must not depend on the machine"


class Page:
    """A sheet that notes what is written to it."""

    rehearsing = False

    def __init__(self, open, where):
        self.open, self.where, self.notes = open, where, []

    def struct(self, data, changing):
        self.notes.append((data, changing))
        return self.where


def test_what_changes_is_read_from_memory_where_steps_are_recorded(launched):
    """All arguments inside an optimizer's step, elsewhere those with a key that was drawn; others go by value."""
    kernel = Kernel("dropout", "dropped", "PPQIfl")
    fields = Device(16), Device(32), Drawn(7), 9, 2.0, 100
    page = Page(False, 1 << 20)
    with written_to(page):
        launch(kernel, 25, *fields)
        launch(KERNEL, 1, Device(0), Device(0), 1, 0.5)
    assert launched[0][2:] == (1 << 20, "float", True)
    assert launched[1][3:] == ("float", False)
    assert page.notes == [(struct.pack("=QQQIfq", 16, 32, 7, 9, 2.0, 100), {16: 7})]
    page = Page(True, None)
    with written_to(page):
        assert launch(KERNEL, 1, Device(0), Device(0), 1, 0.5) == DONE
    assert len(launched) == 2, "only the numbers were wanted"
    assert len(page.notes) == 1


def test_kernels_that_read_from_memory_are_loaded_before_they_are_captured(launched, monkeypatch):
    asked, before = [], Kernel.function
    monkeypatch.setattr(Kernel, "function", lambda self, *how: asked.append((self.name, *how)) or before(self, *how))
    page = Rehearsal(np)
    with written_to(page):
        launch(KERNEL, 1, Device(0), Device(0), 1, 0.5)
        launch(Kernel("dropout", "dropped", "PPQIfl"), 25, Device(16), Device(32), Drawn(7), 9, 2.0, 100)
        page.part(lambda: launch(KERNEL, 1, Device(0), Device(0), 1, 0.5))
    name = KERNEL.name
    direct, read = (name, "float", False), (name, "float", True)
    assert asked == [direct, ("dropped", "float", True), ("dropped", "float", False), read, direct]
    assert [indirect for *_, indirect in launched] == [False] * 3


def test_numbers_that_kernels_are_compiled_for():
    assert [number_of(np.zeros(1, d)) for d in ("float32", "float16", "float64", "int32", ">f4")] == ["float", "float16", "", "", ""]


def test_the_names_are_cupys():
    """What a launch asks of CuPy is there; importing it needs no GPU."""
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed: pip install cupy-cuda12x, which needs no GPU to be imported")
    from cupy.cuda import memory

    assert cupy.cuda.runtime.cudaDevAttrMultiProcessorCount == 16
    assert callable(cupy.cuda.runtime.getDevice)
    assert callable(cupy.cuda.runtime.deviceGetAttribute)
    assert {"ptr", "device_id"} <= set(dir(memory.MemoryPointer))
    assert cupy.RawModule(code="", options=("--std=c++17",)).code == ""
    assert cupy.ndarray.__module__.partition(".")[0] == "cupy"
