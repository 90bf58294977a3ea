"""Print what NVRTC makes of each kernel for GPUs: registers, spilled and shared bytes, bytes of arguments. No GPU is needed.

python tools/cuda_kernels.py [sm_90 ...]
"""

import gc
import importlib
import pathlib
import sys

from minigrad.backend.cuda import Kernel, modules


def families() -> list[str]:
    """The sources of which some module of the package launches kernels."""
    for path in pathlib.Path(modules.__file__).parent.glob("*.py"):
        importlib.import_module(f"minigrad.backend.cuda.{path.stem}")
    return sorted({k.family for k in gc.get_objects() if type(k) is Kernel})


def main(archs: list[str]) -> None:
    """A line for each kernel."""
    print(f"{'family':12} {'kernel':28} {'arch':6} {'number':9} registers spilled shared arguments")
    for family in families():
        for arch in archs:
            for number in ("float", "float16", "bfloat16"):
                for b in modules.compile(family, arch, number):
                    print(f"{family:12} {b.name:28} {arch:6} {number:9} {b.registers:9} {b.spilled:7} {b.shared:6} {b.arguments:9}")


if __name__ == "__main__":
    main(sys.argv[1:] or ["sm_80", "sm_90"])
