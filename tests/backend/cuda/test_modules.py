"""Every source for GPUs is one text, and NVRTC compiles it for two architectures and all numbers: registers, no spills, its arguments."""

import gc
import importlib.util
import pathlib
import sys

import pytest

from minigrad.backend.cuda import modules
from minigrad.backend.cuda.launch import NAMES, Kernel

SPEC = importlib.util.spec_from_file_location("cuda_kernels", pathlib.Path(__file__).parents[3] / "tools" / "cuda_kernels.py")
tool = sys.modules["cuda_kernels"] = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(tool)
FAMILIES = tool.families()
KERNELS = [k for k in gc.get_objects() if type(k) is Kernel]


@pytest.fixture
def nvrtc():
    """CUDA's compiler, which needs no GPU."""
    try:
        from cupy.cuda import nvrtc

        nvrtc.getVersion()
    except (ImportError, OSError, RuntimeError) as error:
        pytest.skip(f"there is no compiler of CUDA: pip install cupy-cuda12x nvidia-cuda-nvrtc-cu12, which need no GPU ({error})")


def test_a_text_has_its_includes_written_in_once():
    for family in FAMILIES:
        text = modules.text(family)
        assert '#include "' not in text, family
        assert text.count("#define LEADER (threadIdx") == 1, family


def test_all_kernels_of_this_machine_are_compiled_somewhere():
    assert {"elementwise", "activations", "losses", "dropout", "optimizers"} <= set(FAMILIES)
    assert len(KERNELS) > 80


@pytest.mark.parametrize("number", sorted({*NAMES.values()}))
@pytest.mark.parametrize("arch", ["sm_80", "sm_90"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_compiles_without_spills(family, arch, number, nvrtc):
    """All that Python launches is there, with arguments as large as Python packs them, in few enough registers."""
    built = {b.name: b for b in tool.compile(family, arch, number)}
    for kernel in KERNELS:
        if kernel.family == family:
            assert built[kernel.name].arguments in (kernel.size, kernel.size - 4), kernel.name
    for b in built.values():
        assert b.spilled == 0, b
        assert b.registers <= 64, b
        assert b.shared <= 48 << 10, b
        assert b.arguments <= 4096, b


@pytest.mark.parametrize("family", ["optimizers", "dropout"])
def test_arguments_may_lie_in_the_memory_of_the_gpu(family, nvrtc):
    assert {(b.arguments, b.spilled) for b in tool.compile(family, "sm_90", indirect=True)} == {(8, 0)}


def test_an_error_in_a_source_is_said_with_its_line(nvrtc, monkeypatch):
    monkeypatch.setattr(modules, "text", lambda family: modules.__doc__)
    with pytest.raises(ValueError, match=r"nothing cannot be compiled for sm_90, float: nothing.cu\(1\): error"):
        tool.compile("nothing", "sm_90")
