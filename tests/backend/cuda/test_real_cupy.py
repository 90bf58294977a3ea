"""What the code relies on in CuPy itself, where it can be imported, which needs no GPU: the doubles would not know."""

import ctypes
import types
import weakref

import numpy as np
import pytest

from minigrad.backend.cuda import modules, transfer

cupy = pytest.importorskip("cupy", reason="CuPy is not installed (pip install cupy-cuda12x; these tests need no GPU)", exc_type=ImportError)


class Host:
    """Memory of the host as CuPy holds what is pinned."""

    def __init__(self, size):
        self.held, self.size = ctypes.create_string_buffer(size), size
        self.ptr = ctypes.addressof(self.held)


@pytest.fixture
def xp():
    """As much of CuPy as pinning needs, with memory that is not pinned."""
    pointer = cupy.cuda.PinnedMemoryPointer
    return types.SimpleNamespace(cuda=types.SimpleNamespace(PinnedMemoryPointer=pointer, alloc_pinned_memory=lambda n: pointer(Host(n), 0)))


@pytest.mark.parametrize("a", [np.arange(6.0).reshape(2, 3).T, np.ones((), "float16"), np.zeros((0, 3)), np.array([True, False])])
def test_pinned_memory_holds_an_array(xp, a):
    y = transfer.pinned(xp, a)
    assert (y.dtype, y.shape) == (a.dtype, a.shape)
    assert np.array_equal(y, a)
    assert y.flags.c_contiguous
    assert [transfer.is_pinned(xp, v) for v in (y, y.reshape(-1)[:1], y.T, a)] == [True, True, True, False]


def test_pinned_memory_lives_as_long_as_a_view_of_it(xp):
    memory = xp.cuda.alloc_pinned_memory(64)
    host = weakref.ref(memory.mem)
    page = np.frombuffer(memory, "uint8", 32)
    assert transfer.is_pinned(xp, page)
    assert page.ctypes.data == memory.ptr
    del memory
    page[:] = 7
    assert host() is not None
    del page
    assert host() is None


@pytest.mark.parametrize("kind", [cupy.ndarray, cupy.cuda.Stream, cupy.cuda.ExternalStream])
def test_what_is_told_when_it_dies(kind):
    assert kind.__weakrefoffset__, "weakref.finalize needs it"


def test_numbers_that_cupy_and_cuda_agree_on():
    from minigrad.backend.cuda.products import OF_THREADS

    assert cupy.cuda.runtime.streamPerThread == OF_THREADS
    assert isinstance(cupy.cuda.runtime.cudaDevAttrMultiProcessorCount, int)


def test_cupy_compiles_as_we_do(monkeypatch):
    """With the options that CuPy adds, those that it is given suffice."""
    compiler = cupy.cuda.compiler
    try:
        compiler._get_nvrtc_version()
    except (ImportError, OSError, RuntimeError) as error:
        pytest.skip(f"there is no compiler of CUDA: pip install nvidia-cuda-nvrtc-cu12, which needs no GPU ({error})")
    monkeypatch.setattr(compiler, "_get_arch_for_options_for_nvrtc", lambda arch=None: (f"-arch=sm_{arch}", "cubin"))  # asks a GPU
    ours = (*modules.options("float16", True), "-ftz=true")
    image, _ = compiler._compile_using_nvrtc_no_warning(modules.text("optimizers"), ours, "90", "optimizers.cu")
    assert image.startswith(b"\x7fELF")
    assert b"run_adam" in image


def test_cupy_takes_our_structs_and_addresses():
    """A struct is an array of one element, an address an int of 64 bits: what RawKernel's text says, and what makes an argument of it."""
    scalar = pytest.importorskip("cupy._core._scalar").CScalar((1 << 47) + 4096)
    assert ctypes.c_int64.from_address(scalar.ptr).value == (1 << 47) + 4096
    one = np.frombuffer(bytes(range(40)), np.dtype("V40"))
    assert one.size == 1
    assert ctypes.string_at(one.__array_interface__["data"][0], 40) == bytes(range(40))
