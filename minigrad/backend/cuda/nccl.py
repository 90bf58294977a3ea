"""Arrays sent among GPUs by NCCL: the calls that a communicator of ``distributed`` needs, on CuPy's current stream.

Source: NVIDIA, "NCCL User Guide", 2.x, collective operations; CuPy's ``cupy.cuda.nccl``.
"""

from typing import Any

from ...errors import DeviceError, DTypeError

NUMBERS = {"int8": 0, "uint8": 1, "int32": 2, "uint32": 3, "int64": 4, "uint64": 5, "float16": 6, "float32": 7, "float64": 8, "bfloat16": 9}
"""ncclDataType_t of each dtype."""
OPS = {"sum": 0, "max": 2, "min": 3}
"""ncclRedOp_t."""


def library() -> Any:
    """CuPy's binding of NCCL.

    Raises:
        DeviceError: there is none; the message says what to install.
    """
    from cupy.cuda import nccl, runtime

    if not getattr(nccl, "available", False):
        major = runtime.runtimeGetVersion() // 1000
        raise DeviceError(f"several GPUs need NCCL, which CuPy does not find; pip install nvidia-nccl-cu{major}")
    return nccl


def unique_id() -> Any:
    """What the workers of one group must share to find each other: made by one of them, sent to the others."""
    return library().get_unique_id()


class Line:
    """One worker's end; made at the same time by all ``size`` workers, each with its GPU as the current device."""

    def __init__(self, size: int, identity: Any, rank: int):
        self.nccl = library().NcclCommunicator(size, identity, rank)
        self.size = size

    def all_reduce(self, a: Any, op: str) -> None:
        self.nccl.allReduce(a.data.ptr, a.data.ptr, a.size, number("all_reduce", a), OPS[op], stream())

    def broadcast(self, a: Any, root: int) -> None:
        self.nccl.broadcast(a.data.ptr, a.data.ptr, a.size, number("broadcast", a), root, stream())

    def all_gather(self, a: Any) -> Any:
        import cupy

        a, y = cupy.ascontiguousarray(a), cupy.empty((self.size, *a.shape), a.dtype)
        self.nccl.allGather(a.data.ptr, y.data.ptr, a.size, number("all_gather", a), stream())
        return y

    def wait(self) -> None:
        """Wait, here and on the GPU, until all workers have come this far."""
        import cupy

        self.all_reduce(cupy.zeros(1, "int32"), "sum")
        cupy.cuda.get_current_stream().synchronize()

    def abort(self) -> None:
        """Let the others, who wait for this worker, fail."""
        self.nccl.abort()


def number(who: str, a: Any) -> int:
    """How NCCL calls the array's dtype; DTypeError for one that it does not send."""
    if a.dtype.name not in NUMBERS:
        raise DTypeError(f"{who}: NCCL sends {', '.join(NUMBERS)}; got {a.dtype}")
    return NUMBERS[a.dtype.name]


def stream() -> int:
    """The address of CuPy's current stream."""
    import cupy

    return cupy.cuda.get_current_stream().ptr


__all__ = ["Line", "unique_id"]
