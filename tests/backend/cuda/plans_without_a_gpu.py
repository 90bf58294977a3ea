"""Plans by the real cuDNN for an H100 that is not there: ``python plans_without_a_gpu.py`` prints a line for each that it was asked for.

cuDNN makes plans for a device that is only described to it, and compiles kernels for it. All that it misses is a driver to load them; one
that does as if is built here, by the system's C compiler. Nothing is executed. The exit status is 77 where something is missing.
"""

import contextlib
import ctypes
import importlib.util
import json
import pathlib
import subprocess
import sys
import tempfile
import types

import numpy as np

from minigrad.autograd.tensor import wrap
from minigrad.backend import namespace
from minigrad.backend.compiled import compiler
from minigrad.backend.cuda import cudnn
from minigrad.nn import functional as F
from minigrad.testing.double import DoubleArray, double, put, register

try:
    import ml_dtypes
except ImportError:
    ml_dtypes = None

H100 = {
    "deviceName": "NVIDIA H100 80GB HBM3", "deviceVer": 900, "driverVer": 12080, "cudaDeviceId": 0, "pciDeviceId": 0, "isTccDriver": 0,
    "multiProcessorCount": 132, "maxCtasPerSM": 32, "maxThreadsPerSM": 2048, "maxRegistersPerSM": 65536, "maxSharedMemoryPerSM": 233472,
    "maxGridSize": [2147483647, 65535, 65535], "maxBlockSize": [1024, 1024, 64], "maxThreadsPerBlock": 1024, "regsPerBlock": 65536,
    "maxSharedMemoryPerBlock": 49152, "maxSharedMemoryPerBlockOptin": 232448, "reservedSharedMemoryPerBlock": 1024, "warpSize": 32,
    "totalGlobalMem": 85000000000, "l2CacheSize": 52428800, "memoryBusWidth": 5120, "smClockRateKHz": 1980000,
    "memClockRateKHz": 2619000, "supportCoopLaunch": 1,
}  # fmt: skip
FOUND = "cuCtxGetCurrent cuKernelGetFunction cuLibraryGetKernel cuLibraryLoadData cuModuleGetFunction cuModuleLoadData"
DONE = "cuFuncSetAttribute cuKernelSetAttribute cuLibraryUnload cuModuleUnload"
FAILS = """
cuCtxGetLimit cuCtxPopCurrent cuCtxPushCurrent cuDeviceGet cuDeviceGetCount cuDriverGetVersion cuFuncGetAttribute cuFuncGetModule
cuGetErrorName cuGetErrorString cuGetProcAddress cuGetProcAddress_v2 cuInit cuKernelGetAttribute cuLaunchCooperativeKernel cuLaunchKernel
cuLaunchKernelEx cuLibraryLoadFromFile cuLinkAddData cuLinkComplete cuLinkCreate cuLinkDestroy cuModuleLoadDataEx
cuOccupancyMaxActiveBlocksPerMultiprocessor cuOccupancyMaxPotentialClusterSize cuStreamGetCtx cuTensorMapEncodeIm2col
cuTensorMapEncodeTiled
"""
MISSING = 77


def driver(folder):
    """A driver that loads what it is given and does nothing with it, known to all that looks for one in this process."""
    lines = [f"int {name}(void **p) {{ *p = (void *)16; return 0; }}" for name in FOUND.split()]
    lines += [f"int {name}(void) {{ return 0; }}" for name in DONE.split()]
    lines += [f"int {name}(void) {{ return 100; }}" for name in FAILS.split()]
    source, made = pathlib.Path(folder, "driver.c"), pathlib.Path(folder, "libcuda.so.1")
    source.write_text("\n".join(lines))
    cc = compiler.find()
    if cc is None:
        missing("there is no C compiler")
    subprocess.run([*cc.command, "-shared", "-fPIC", "-w", "-Wl,-soname,libcuda.so.1", source, "-o", made], check=True)
    ctypes.CDLL(str(made), ctypes.RTLD_GLOBAL)


def missing(what):
    print(what)
    sys.exit(MISSING)


def package():
    """The package, with its library and the compiler of CUDA."""
    if importlib.util.find_spec("cudnn") is None:
        missing("the package cudnn is not installed: pip install nvidia-cudnn-frontend nvidia-cudnn-cu12 nvidia-cuda-nvrtc-cu12")
    for folder in map(pathlib.Path, sys.path):
        for file in [f for name in ("nvrtc", "cublasLt", "cudnn") for f in sorted(folder.glob(f"nvidia/c*/lib/lib{name}.so.*"))]:
            with contextlib.suppress(OSError):  # another that is found serves, too
                ctypes.CDLL(str(file), ctypes.RTLD_GLOBAL)
    import cudnn as found

    try:
        found.backend_version()
    except RuntimeError as error:
        missing(f"cuDNN is not installed: {error}")
    return found


class Planning(cudnn.Library):
    """The library, of which plans are asked, and nothing else; ``said``: what was asked for, and the room that it needs."""

    said: list

    def plan(self, key, given, results, bias):
        found = super().plan(key, given, results, bias)
        self.said.append({"name": key[1], "room": None if found is None else found.room})
        return found

    def run(self, plan, arrays, device):
        pass


def cases():
    """What is computed, forward and backward: a name, a function, arrays, what else it is given."""
    for dtype in (np.dtype("float32"), np.dtype("float16"), *([np.dtype(ml_dtypes.bfloat16)] if ml_dtypes else [])):
        for name, x, w, kwargs in (
            ("image", (8, 64, 32, 32), (64, 64, 3, 3), {"padding": 1}),
            ("few channels", (8, 3, 33, 31), (10, 3, 5, 5), {"padding": 2, "stride": 2}),
            ("dilated", (4, 16, 20, 20), (16, 16, 3, 3), {"dilation": 2}),
            ("groups", (4, 32, 16, 16), (64, 8, 3, 3), {"padding": 1, "groups": 4}),
            ("depthwise", (4, 32, 16, 16), (32, 1, 3, 3), {"padding": 1, "groups": 32}),
            ("one by one", (4, 32, 16, 16), (64, 32, 1, 1), {}),
            ("same", (4, 16, 20, 20), (16, 16, 4, 4), {"padding": "same"}),
            ("signal", (8, 16, 100), (32, 16, 5), {"stride": 2, "padding": 2}),
            ("volume", (2, 16, 8, 8, 8), (32, 16, 3, 3, 3), {"padding": 1}),
        ):
            yield f"{dtype} {name}", getattr(F, f"conv{len(x) - 2}d"), dtype, (x, w, w[:1]), kwargs
        yield f"{dtype} transposed", F.conv_transpose2d, dtype, ((4, 16, 8, 8), (16, 8, 3, 3), (8,)), {"stride": 2, "output_padding": 1}
        if dtype != "float32":
            for causal in (False, True):
                attention, kwargs = F.scaled_dot_product_attention, {"is_causal": causal}
                yield f"{dtype} heads", attention, dtype, [(2, 8, 128, 64)] * 3, kwargs
                yield f"{dtype} keys", attention, dtype, [(2, 100, 32), (2, 77, 32), (2, 77, 64)], kwargs
                yield (
                    f"{dtype} groups of heads",
                    attention,
                    dtype,
                    [(2, 8, 64, 64), (2, 2, 64, 64), (2, 2, 64, 64)],
                    kwargs | {"enable_gqa": True},
                )
                yield f"{dtype} a long row", attention, dtype, [(8, 12, 2048, 64)] * 3, kwargs


def main():
    register()
    double.cuda = types.SimpleNamespace(
        runtime=types.SimpleNamespace(getDevice=lambda: 0), get_current_stream=lambda: types.SimpleNamespace(ptr=0)
    )
    with tempfile.TemporaryDirectory() as folder:
        driver(folder)
        real = package()
        about = {"device_property": real.create_device_properties(json.dumps(H100)), "sm_version": 90}
        library = Planning(namespace(DoubleArray), real, about)
        cudnn.library = lambda xp: library
        np.seterr(all="ignore")  # results that nobody has written
        for name, f, dtype, shapes, kwargs in cases():
            library.said = []
            arrays = [wrap(put(np.zeros(s, dtype)), None).requires_grad_() for s in shapes]
            f(*arrays, **kwargs).sum().backward()
            print(json.dumps({"name": name, "plans": library.said}), flush=True)


if __name__ == "__main__":
    main()
