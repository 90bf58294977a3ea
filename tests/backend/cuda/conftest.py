"""The double of CuPy with a double of cuBLASLt beneath it, and with streams that do nothing before they must."""

import contextlib
import importlib.util
import pathlib
import sys
from collections import Counter

import pytest

from minigrad.autograd import op
from minigrad.backend import devices, register_namespace
from minigrad.backend.compiled import compiler
from minigrad.backend.cuda import cublaslt, transfer
from minigrad.backend.cuda.launch import runners
from minigrad.backend.cuda.products import Namespace
from minigrad.testing.double import DoubleArray, double, register
from minigrad.testing.double.capture import MemoryPointer


def beside(name):
    """A module of this folder."""
    path = pathlib.Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


graphs_double, lt_double, streams_double = beside("graphs_double"), beside("lt_double"), beside("streams_double")


def reset():
    """Let every op choose its kernels for the double again."""
    for ops in op.known.values():
        for o in ops:
            for kernels in (o.kernels, getattr(o, "slopes", None)):
                if kernels is not None:
                    kernels.table.pop(DoubleArray, None)


@pytest.fixture
def library(monkeypatch):
    """The double of cuBLASLt, by which products on the double of CuPy are computed; nothing that it was asked for was wrong."""
    monkeypatch.delenv("MINIGRAD_CUDA_KERNELS", raising=False)
    register()
    library = lt_double.Library()
    monkeypatch.setattr(double, "cuda", graphs_double.cuda, raising=False)
    monkeypatch.setattr(double, "get_default_pinned_memory_pool", graphs_double.PinnedMemoryPool, raising=False)
    monkeypatch.setattr(double, "get_default_memory_pool", graphs_double.MemoryPool, raising=False)
    with placed(library):
        yield library
    assert not library.refusals, library.refusals


@contextlib.contextmanager
def placed(library):
    reset()
    room, cublaslt.WORKSPACE = cublaslt.WORKSPACE, 1 << 20
    register_namespace(DoubleArray, Namespace(double, lambda: library))
    try:
        yield
    finally:
        cublaslt.WORKSPACE = room
        register_namespace(DoubleArray, double)
        reset()


@pytest.fixture
def lent():
    """``lent(library)``: a context in which another library computes the products."""
    register()
    return placed


@pytest.fixture
def streams(monkeypatch):
    """The double of CuPy as the module ``cupy``, with streams that copy late; gives the stream that computes."""
    register()
    stream = streams_double.Stream(name="computing")
    monkeypatch.setattr(double, "cuda", streams_double.cuda(stream), raising=False)
    monkeypatch.setattr(MemoryPointer, "copy_from_host_async", streams_double.copy_from_host_async)
    monkeypatch.setitem(sys.modules, "cupy", double)
    monkeypatch.setattr(devices, "obstacle", lambda index=0: "")
    monkeypatch.setattr(transfer, "_lanes", {})
    streams_double.Stream.log.clear()
    return stream


@pytest.fixture
def in_cuda(monkeypatch):
    """Kernels in CUDA on the double, compiled as C; gives a counter of launches by name. Skipped where there is no C compiler."""
    register()
    if not compiler.wanted() or compiler.find() is None:
        pytest.skip("there is no C compiler, so the kernels of the double of a GPU cannot be built")
    monkeypatch.delenv("MINIGRAD_CUDA_KERNELS", raising=False)
    counts, run = Counter(), runners[DoubleArray]

    def counting(kernel, *args):
        refused = run(kernel, *args)
        counts[kernel.name] += not refused
        return refused

    monkeypatch.setitem(runners, DoubleArray, counting)
    reset()
    yield counts
    reset()
