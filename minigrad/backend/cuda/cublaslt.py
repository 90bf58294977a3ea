"""cuBLASLt, NVIDIA's library of matrix products, by its C functions: a product is described once, and computed as often as one likes.

The library counts columns first: a matrix of ``rows`` x ``columns`` has its columns one after the other, ``ld`` numbers apart. Which
algorithm is best for a product it is asked once, when the product is described; computing it takes no memory, waits for nothing
and can be part of a CUDA graph. Names, numbers and signatures are those of NVIDIA's headers cublasLt.h, cublas_api.h and
library_types.h, which are the same for CUDA 12 and 13.
"""

import ctypes
import os
import threading
from ctypes import POINTER, byref, c_char_p, c_int, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p
from functools import cache
from typing import Any, NamedTuple

from ...errors import DeviceError

R_32F, R_64F, R_16F, R_16BF = 0, 1, 2, 14  # cudaDataType
COMPUTE_32F, COMPUTE_64F, COMPUTE_FAST_16BF, COMPUTE_FAST_TF32 = 68, 70, 75, 77  # cublasComputeType_t
TRANSA, TRANSB, EPILOGUE, BIAS_POINTER = 3, 4, 7, 8  # CUBLASLT_MATMUL_DESC_...
BATCH_COUNT, BATCH_STRIDE = 5, 6  # CUBLASLT_MATRIX_LAYOUT_...
MAX_WORKSPACE, REDUCTION_SCHEMES, ALIGNMENTS = 1, 3, (5, 6, 7, 8)  # CUBLASLT_MATMUL_PREF_...
REDUCTION_COMPUTE_TYPE = 2  # CUBLASLT_REDUCTION_SCHEME_...
BIAS = 4  # CUBLASLT_EPILOGUE_...

WORKSPACE = 32 << 20
"""Bytes that the algorithms may use besides; for Hopper NVIDIA recommends as many."""


class Found(ctypes.Structure):
    """cublasLtMatmulHeuristicResult_t: an algorithm, what it needs, and whether it may be used."""

    _fields_ = (
        ("algorithm", c_uint64 * 8),
        ("workspace", c_size_t),
        ("state", c_int),
        ("waves", ctypes.c_float),
        ("reserved", c_int * 4),
    )


_OUT, _SET = POINTER(c_void_p), [c_void_p, c_int, c_void_p, c_size_t]
SIGNATURES: dict[str, list] = {
    "Create": [_OUT],
    "GetStatusString": [c_int],
    "GetVersion": [],
    "MatmulDescCreate": [_OUT, c_int, c_int],
    "MatmulDescDestroy": [c_void_p],
    "MatmulDescSetAttribute": _SET,
    "MatmulDescGetAttribute": [*_SET, POINTER(c_size_t)],
    "MatrixLayoutCreate": [_OUT, c_int, c_uint64, c_uint64, c_int64],
    "MatrixLayoutDestroy": [c_void_p],
    "MatrixLayoutSetAttribute": _SET,
    "MatrixLayoutGetAttribute": [*_SET, POINTER(c_size_t)],
    "MatmulPreferenceCreate": [_OUT],
    "MatmulPreferenceDestroy": [c_void_p],
    "MatmulPreferenceSetAttribute": _SET,
    "MatmulAlgoGetHeuristic": [*[c_void_p] * 7, c_int, POINTER(Found), POINTER(c_int)],
    "Matmul": [*[c_void_p] * 14, c_size_t, c_void_p],
}
"""What the functions take, without the ``cublasLt`` that all begin with; they return a status, 0 if all is well."""
RETURNS: dict[str, Any] = {"GetStatusString": c_char_p, "GetVersion": c_size_t}


def opened(name: str) -> Any:
    """The library of that file or name, its functions declared.

    Raises:
        OSError: it cannot be loaded.
    """
    library = ctypes.CDLL(name)
    for function, takes in SIGNATURES.items():
        f = getattr(library, f"cublasLt{function}")
        f.argtypes, f.restype = takes, RETURNS.get(function, c_int)
    return library


@cache
def library() -> Any:
    """The library that CuPy has loaded for itself; None where there is none."""
    import cupy

    major = cupy.cuda.runtime.runtimeGetVersion() // 1000
    try:
        from cupy.cuda import cublas  # noqa: F401 (which needs the same library, so that it is the one found by its name now)

        found = opened(f"libcublasLt.so.{major}" if os.name == "posix" else f"cublasLt64_{major}.dll")
    except (ImportError, OSError, AttributeError):
        return None
    return found if found.cublasLtGetVersion() // 10000 == major else None


class Matrix(NamedTuple):
    """A matrix as it lies in memory, or several, ``stride`` numbers apart (0: the same one again and again)."""

    rows: int
    columns: int
    ld: int
    stride: int = 0


class Handle:
    """The library on one device, and its descriptors. It may be used by many threads at once."""

    def __init__(self, library: Any):
        self.library = library
        self.pointer = c_void_p()
        self.check(library.cublasLtCreate(byref(self.pointer)), "Create")

    def check(self, status: int, what: str) -> None:
        """Raise DeviceError unless all is well."""
        if status:
            why = self.library.cublasLtGetStatusString(status).decode()
            raise DeviceError(f"cublasLt{what}: status {status}, {why}; with MINIGRAD_CUDA_KERNELS=0 products are CuPy's")

    def made(self, kind: str, *args: Any) -> c_void_p:
        """A descriptor."""
        place = c_void_p()
        self.check(getattr(self.library, f"cublasLt{kind}Create")(byref(place), *args), f"{kind}Create")
        return place

    def set(self, kind: str, place: c_void_p, values: dict[int, Any]) -> None:
        """Attributes of a descriptor, by their numbers."""
        put = getattr(self.library, f"cublasLt{kind}SetAttribute")
        for attribute, value in values.items():
            self.check(put(place, attribute, byref(value), ctypes.sizeof(value)), f"{kind}SetAttribute {attribute}")


class Product:
    """``d = op(a) op(b)`` for matrices of certain places, or with a bias; ``possible``: the library has an algorithm for it.

    Args:
        handle: of the device.
        numbers: the types of what is multiplied, of what is computed in, and of the scale, in NVIDIA's numbers.
        transposed: whether a and b are to be transposed.
        a, b, d: the matrices, as they lie.
        count: how many there are of each.
        biased: add a vector to each column of d.
        alignment: a power of two that divides all addresses.
    """

    def __init__(
        self,
        handle: Handle,
        numbers: tuple[int, int, int],
        transposed: tuple[bool, bool],
        a: Matrix,
        b: Matrix,
        d: Matrix,
        count: int = 1,
        biased: bool = False,
        alignment: int = 16,
    ):
        self.handle, (kind, compute, scale) = handle, numbers
        one = ctypes.c_double if scale == R_64F else ctypes.c_float
        self.scales = one(1), one(0)
        self.operation = handle.made("MatmulDesc", compute, scale)
        values: dict[int, Any] = {TRANSA: c_int32(transposed[0]), TRANSB: c_int32(transposed[1])}
        self.bias, self.lock = c_void_p(alignment), threading.Lock()  # no address yet; what is looked at is how it is aligned
        if biased:
            values |= {EPILOGUE: c_uint32(BIAS), BIAS_POINTER: self.bias}
        handle.set("MatmulDesc", self.operation, values)
        self.places = []
        for m in (a, b, d):
            self.places.append(place := handle.made("MatrixLayout", kind, m.rows, m.columns, m.ld))
            if count > 1:
                handle.set("MatrixLayout", place, {BATCH_COUNT: c_int32(count), BATCH_STRIDE: c_int64(m.stride)})
        self.found = Found()
        self.possible = self._search(alignment)

    def _search(self, alignment: int) -> bool:
        """Ask for the best algorithm. Partial sums are never kept in half precision, nor in the output itself."""
        handle, number = self.handle, c_int()
        wishes = handle.made("MatmulPreference")
        limits = {MAX_WORKSPACE: c_uint64(WORKSPACE), REDUCTION_SCHEMES: c_uint32(REDUCTION_COMPUTE_TYPE)}
        handle.set("MatmulPreference", wishes, limits | {a: c_uint32(alignment) for a in ALIGNMENTS})
        a, b, d = self.places
        status = handle.library.cublasLtMatmulAlgoGetHeuristic(
            *(handle.pointer, self.operation, a, b, d, d, wishes),
            *(1, byref(self.found), byref(number)),
        )
        handle.library.cublasLtMatmulPreferenceDestroy(wishes)
        return status == 0 and number.value == 1 and self.found.state == 0

    def run(self, a: int, b: int, d: int, workspace: int, stream: int, bias: int | None = None) -> None:
        """Compute it for matrices at these addresses.

        Raises:
            DeviceError: the library refuses.
        """
        if bias is None:
            self._call(a, b, d, workspace, stream)
        else:
            with self.lock:  # the address is in the descriptor, which all calls share
                self.bias.value = bias
                self.handle.set("MatmulDesc", self.operation, {BIAS_POINTER: self.bias})
                self._call(a, b, d, workspace, stream)

    def _call(self, a: int, b: int, d: int, workspace: int, stream: int) -> None:
        handle, (one, zero), (of_a, of_b, of_d) = self.handle, self.scales, self.places
        status = handle.library.cublasLtMatmul(
            *(handle.pointer, self.operation, byref(one), a, of_a, b, of_b, byref(zero), d, of_d, d, of_d),
            *(byref(self.found), workspace, WORKSPACE, stream),
        )
        if status:
            handle.check(status, "Matmul")

    def __del__(self) -> None:
        library = self.handle.library
        for place in getattr(self, "places", ()):
            library.cublasLtMatrixLayoutDestroy(place)
        if hasattr(self, "operation"):
            library.cublasLtMatmulDescDestroy(self.operation)


__all__ = ["Handle", "Matrix", "Product", "library"]
