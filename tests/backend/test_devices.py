"""Devices by name, and what is asked of CuPy: with a stand-in for it, as there is no GPU here."""

import importlib.util
import sys
import types

import numpy as np
import pytest

import minigrad as mg
from minigrad import backend
from minigrad.errors import DeviceError


class Far(np.ndarray):
    """An array that says it lives on a GPU; ``get`` brings it back."""

    @property
    def device(self):
        return types.SimpleNamespace(id=self.index)

    def get(self):
        return np.array(self)


@pytest.fixture
def cupy(monkeypatch):
    """A module of CuPy's name with two GPUs, which notes on which of them it made arrays."""
    fake, entered = types.ModuleType("cupy"), []

    class Device:
        def __init__(self, index):
            self.index = index

        def __enter__(self):
            entered.append(self.index)

        def __exit__(self, *error):
            pass

    def asarray(a):
        far = np.array(a).view(Far)
        far.index = entered[-1]
        return far

    fake.asarray = asarray
    fake.from_dlpack = lambda x: ("from_dlpack", x)
    runtime = types.SimpleNamespace(CUDARuntimeError=type("CUDARuntimeError", (RuntimeError,), {}), getDeviceCount=lambda: 2)
    fake.cuda = types.SimpleNamespace(Device=Device, runtime=runtime)
    find = importlib.util.find_spec
    monkeypatch.setitem(sys.modules, "cupy", fake)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: True if name == "cupy" else find(name, *rest))
    return fake


def test_names():
    assert mg.device("cuda:2") == mg.Device("cuda", 2) == "cuda:2"
    assert mg.device("cuda") == "cuda:0"
    assert mg.device("cpu:0") is mg.device("cpu")
    assert mg.device(mg.device("cuda")) == "cuda"
    assert len({mg.device("cuda"), mg.device("cuda:0"), mg.device("cpu")}) == 2
    assert repr(mg.device("cuda:1")) == "device('cuda:1')"
    for wrong in ("gpu", "cpu:1", "cuda:x", "cuda:-1", None):
        with pytest.raises(DeviceError, match="expected 'cpu', 'cuda' or 'cuda:<index>'"):
            mg.device(wrong)


def test_without_cupy(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "cupy" else find(name, *rest))
    assert mg.is_available("cpu")
    assert not mg.is_available("cuda")
    with pytest.raises(ImportError, match="cuda:0 needs CuPy; pip install"):
        backend.to_device(np.zeros(2), "cuda")


def test_gpus_are_counted(cupy, monkeypatch):
    assert mg.is_available("cuda:1")
    assert not mg.is_available("cuda:2")

    def broken():
        raise cupy.cuda.runtime.CUDARuntimeError

    monkeypatch.setattr(cupy.cuda.runtime, "getDeviceCount", broken)
    assert not mg.is_available("cuda")


def test_there_and_back(cupy):
    here = np.arange(3.0)
    there = backend.to_device(here, "cuda:1")
    assert backend.device_of(there) == "cuda:1"
    assert backend.to_device(there, "cuda:1") is there
    back = backend.to_device(there, "cpu")
    assert type(back) is np.ndarray
    assert np.array_equal(back, here)


def test_dlpack_goes_where_the_memory_is(cupy):
    foreign = types.SimpleNamespace(__dlpack_device__=lambda: (2, 0))  # 2: CUDA
    assert backend.from_dlpack(foreign) == ("from_dlpack", foreign)
