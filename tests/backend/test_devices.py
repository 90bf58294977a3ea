"""Devices by name, and what is asked of CuPy: with a stand-in for it, as there is no GPU here."""

import importlib.util
import sys
import types
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import minigrad as mg
from minigrad import backend
from minigrad.backend import devices
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
    runtime.driverGetVersion, runtime.runtimeGetVersion = lambda: 12040, lambda: 12090
    runtime.getDeviceProperties = lambda index: {"name": b"NVIDIA H", "totalGlobalMem": 80 << 30}
    runtime.memGetInfo = lambda: (2 << 30, 80 << 30)
    fake.get_default_memory_pool = lambda: types.SimpleNamespace(used_bytes=lambda: 512 << 20, total_bytes=lambda: 1 << 30)
    nvrtc = types.SimpleNamespace(getVersion=lambda: (12, 9))
    fake.cuda, fake.__version__ = types.SimpleNamespace(Device=Device, runtime=runtime, nvrtc=nvrtc), "14.2.0"
    monkeypatch.setattr(devices, "namespace", lambda kind: fake)
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
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    assert mg.is_available("cpu")
    assert not mg.is_available("cuda")
    assert devices.devices() == ["cpu", "no cuda: it needs CuPy; pip install 'minigrad[cuda12]' or 'minigrad[cuda13]'"]
    for move in (lambda: backend.to_device(np.zeros(2), "cuda"), lambda: mg.ones(2).to("cuda"), lambda: mg.ones(2, device="cuda")):
        with pytest.raises(ImportError, match=r"^to_device: cuda:0 is not available: it needs CuPy; pip install"):
            move()


def test_cupy_that_cannot_be_imported(monkeypatch, tmp_path):
    (tmp_path / "cupy.py").write_text("raise ImportError('libcudart.so.13: cannot open shared object file\\nmany more lines')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    assert not mg.is_available("cuda")
    with pytest.raises(ImportError, match=r"cannot be imported \(libcudart.so.13: cannot open shared object file\); install"):
        backend.to_device(np.zeros(2), "cuda")


@pytest.mark.parametrize(
    ("driver", "text", "says"),
    [
        (0, "cudaErrorInsufficientDriver: ...", "no NVIDIA driver; install it"),
        (11080, "cudaErrorInsufficientDriver: ...", r"driver is for CUDA 11.8, and this CuPy is built for 12.9; update .* CUDA 11$"),
        (12040, "cudaErrorNoDevice: ...", "sees no GPU; look at nvidia-smi"),
        (12040, "cudaErrorUnknown: what is it", r"does not start \(cudaErrorUnknown: what is it\); the driver is for CUDA 12.4"),
    ],
)
def test_drivers(cupy, monkeypatch, driver, text, says):
    runtime = cupy.cuda.runtime

    def broken():
        raise runtime.CUDARuntimeError(text)

    monkeypatch.setattr(runtime, "getDeviceCount", broken)
    monkeypatch.setattr(runtime, "driverGetVersion", lambda: driver)
    assert not mg.is_available("cuda")
    with pytest.raises(DeviceError, match=says):
        backend.to_device(np.zeros(2), "cuda")
    assert devices.devices()[1].startswith("no cuda: ")


def test_the_cupy_for_an_older_driver(cupy, monkeypatch):
    runtime = cupy.cuda.runtime

    def broken():
        raise runtime.CUDARuntimeError("cudaErrorInsufficientDriver: ...")

    monkeypatch.setattr(runtime, "getDeviceCount", broken)
    monkeypatch.setattr(runtime, "runtimeGetVersion", lambda: 13000)
    with pytest.raises(DeviceError, match=r"CUDA 12.4, and this CuPy is built for 13.0; update the driver, or .*minigrad\[cuda12\]"):
        backend.to_device(np.zeros(2), "cuda")


def test_gpus_that_are_not_there(cupy, monkeypatch):
    with pytest.raises(DeviceError, match="cuda:2 is not available: there are cuda:0 to cuda:1; choose one of them"):
        backend.to_device(np.zeros(2), "cuda:2")
    monkeypatch.setattr(cupy.cuda.runtime, "getDeviceCount", lambda: 0)
    with pytest.raises(DeviceError, match=r"sees no GPU; .* CUDA_VISIBLE_DEVICES"):
        backend.to_device(np.zeros(2), "cuda")
    monkeypatch.setattr(cupy.cuda.runtime, "getDeviceCount", lambda: 1)
    with pytest.raises(DeviceError, match="there is cuda:0 alone"):
        backend.from_dlpack(types.SimpleNamespace(__dlpack_device__=lambda: (2, 1)))


def test_without_the_compiler_of_cuda(cupy, monkeypatch):
    def lost():
        raise RuntimeError('Failure finding "libnvrtc.so.12"\nand more')

    monkeypatch.setattr(cupy.cuda.nvrtc, "getVersion", lost)
    with pytest.raises(DeviceError, match=r'compiler of CUDA \(Failure finding "libnvrtc.so.12"\); .* pip install .cupy-cuda12x\[ctk\]'):
        backend.to_device(np.zeros(2), "cuda")


def test_what_the_configuration_says(cupy, capsys):
    mg.show_config()
    out = capsys.readouterr().out
    assert "devices    cpu\n           cuda:0 NVIDIA H, 80.0 GiB; driver for CUDA 12.4, CuPy 14.2.0 for 12.9\n           cuda:1" in out


def test_how_full_a_gpu_is(cupy):
    there = backend.to_device(np.arange(3.0), "cuda:1")
    assert devices.occupied(there) == "on cuda:1 arrays take 512 MiB of the 1,024 MiB that CuPy holds, and 2,048 MiB of 81,920 MiB are free"


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


def test_cuda_is_the_gpu_of_the_thread(cupy):
    """So that workers with a GPU each are told the same by the same script."""
    with devices.using("cuda:1"):
        assert mg.device("cuda") == "cuda:1"
        assert backend.device_of(backend.to_device(np.ones(2), "cuda")) == "cuda:1"
        with devices.using("cuda:0"):
            assert mg.device("cuda") == "cuda:0"
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(mg.device, "cuda").result() == "cuda:0"
        with pytest.raises(KeyError), devices.using("cuda"):
            raise KeyError
        assert mg.device("cuda") == "cuda:1"
    assert mg.device("cuda") == "cuda:0"


def test_dlpack_goes_where_the_memory_is(cupy):
    foreign = types.SimpleNamespace(__dlpack_device__=lambda: (2, 0))  # 2: CUDA
    assert backend.from_dlpack(foreign) == ("from_dlpack", foreign)


def test_the_real_cupy_without_a_driver():
    real = pytest.importorskip("cupy", exc_type=ImportError)
    if real.is_available():
        pytest.skip("there is a GPU")
    assert not mg.is_available("cuda")
    assert devices.devices()[1].startswith("no cuda: ")
    with pytest.raises(DeviceError, match=r"^to_device: cuda:0 is not available: .*(driver|GPU)"):
        mg.ones(2).to("cuda")
