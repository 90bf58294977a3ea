"""Print what NVRTC makes of each kernel for GPUs: registers, spilled and shared bytes, bytes of arguments. No GPU is needed.

python tools/cuda_kernels.py [sm_90 ...]
"""

import gc
import importlib
import pathlib
import re
import sys
from dataclasses import dataclass

from minigrad.backend.cuda import Kernel, modules


def families() -> list[str]:
    """The sources of which some module of the package launches kernels."""
    for path in pathlib.Path(modules.__file__).parent.glob("*.py"):
        importlib.import_module(f"minigrad.backend.cuda.{path.stem}")
    return sorted({k.family for k in gc.get_objects() if type(k) is Kernel})


@dataclass(frozen=True)
class Built:
    """What the compiler says of one kernel: how many registers a thread has, and bytes: of what did not fit into them and lies in memory,
    of memory that a block shares, and of arguments."""

    name: str
    registers: int
    spilled: int
    shared: int
    arguments: int


def compile(family: str, arch: str, number: str = "float", indirect: bool = False) -> list[Built]:
    """Compile a family for an architecture, such as "sm_90", which need not be that of a GPU here.

    Raises:
        ImportError: CuPy or NVRTC is not installed.
        ValueError: the source has errors; with what the compiler says of them.
    """
    from cupy.cuda import nvrtc

    program = nvrtc.createProgram(modules.text(family), f"{family}.cu", (), ())
    try:
        try:
            ours = *modules.options(number, indirect), "-ftz=true", "--device-as-default-execution-space"  # the last two are CuPy's
            nvrtc.compileProgram(program, (*ours, f"--gpu-architecture={arch}", "--ptxas-options=-v"))
        except nvrtc.NVRTCError as error:
            raise ValueError(f"{family} cannot be compiled for {arch}, {number}: {nvrtc.getProgramLog(program)}") from error
        log, ptx = nvrtc.getProgramLog(program), nvrtc.getPTX(program).decode()
    finally:
        nvrtc.destroyProgram(program)
    sizes = dict(re.findall(r"\.entry run_(\w+)\(\s*\.param [^\[)]*\[(\d+)\]", ptx))
    said = r"Compiling entry function 'run_(\w+)'.*?(\d+) bytes stack frame.*?Used (\d+) registers([^\n]*)"
    found = []
    for name, spilled, registers, rest in re.findall(said, log, re.DOTALL):
        shared = re.search(r"(\d+) bytes smem", rest)
        found.append(Built(name, int(registers), int(spilled), int(shared[1]) if shared else 0, int(sizes.get(name, 8))))
    return sorted(found, key=lambda b: b.name)


def main(archs: list[str]) -> None:
    """A line for each kernel."""
    print(f"{'family':12} {'kernel':28} {'arch':6} {'number':9} registers spilled shared arguments")
    for family in families():
        for arch in archs:
            for number in ("float", "float16", "bfloat16"):
                for b in compile(family, arch, number):
                    print(f"{family:12} {b.name:28} {arch:6} {number:9} {b.registers:9} {b.spilled:7} {b.shared:6} {b.arguments:9}")


if __name__ == "__main__":
    main(sys.argv[1:] or ["sm_80", "sm_90"])
