"""Sources of kernels as texts that stand by themselves, and what NVRTC, CUDA's compiler, makes of them.

A source is one of this folder's, or one that the processor's compiler knows too: ``kernel.h`` says what its words mean to each.
"""

import re
import threading
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
