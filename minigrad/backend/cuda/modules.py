"""Sources of kernels as texts that stand by themselves, and what NVRTC, CUDA's compiler, makes of them.

A source is one of this folder's, or one that the processor's compiler knows too: ``kernel.h`` says what its words mean to each.
"""

import re
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

PLACES = (Path(__file__).parent / "sources", Path(__file__).parents[1] / "compiled" / "sources")
WIDER = {"float": "float", "float16": "float", "bfloat16": "float", "double": "double"}
"""What numbers can be stored as, and what is then computed with."""
_made: dict[tuple[str, str, bool], Any] = {}
_lock = threading.Lock()


@cache
def text(family: str) -> str:
    """The source of a family with its includes written in, each once, so that nothing depends on where files are.

    Example:
        >>> from minigrad.backend.cuda.modules import text
        >>> "KERNEL(glu" in text("activations").replace("#define ", ""), "#include \\"" in text("activations")
        (False, False)
    """
    return _included(f"{family}.c", set())


def _included(name: str, seen: set[str]) -> str:
    if name in seen:
        return ""
    seen.add(name)
    path = next(p / name for p in PLACES if (p / name).is_file())
    return re.sub(r'^#include "([^"]+)"\n', lambda m: _included(m[1], seen), path.read_text(encoding="utf-8"), flags=re.MULTILINE)


def options(number: str, indirect: bool = False) -> tuple[str, ...]:
    """What the compiler is told: how numbers are stored, and whether arguments lie in the GPU's memory.

    CuPy adds ``-ftz=true``, as for all of its own kernels: float32 below 1.2e-38 counts as zero on a GPU.
    """
    return ("--std=c++17", f"-DNUMBER={number}", f"-DWIDER={WIDER[number]}", *(("-DINDIRECT",) if indirect else ()))


def function(family: str, name: str, number: str, indirect: bool = False) -> Any:
    """A kernel that CuPy can launch; compiled for each GPU when it is first launched there, and kept in CuPy's cache of files."""
    import cupy

    key = family, number, indirect
    with _lock:
        if key not in _made:
            _made[key] = cupy.RawModule(code=text(family), options=options(number, indirect))
        return _made[key].get_function(f"run_{name}")


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

    program = nvrtc.createProgram(text(family), f"{family}.cu", (), ())
    try:
        try:
            ours = *options(number, indirect), "-ftz=true", "--device-as-default-execution-space"  # the last two are CuPy's
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
