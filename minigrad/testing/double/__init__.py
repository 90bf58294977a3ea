"""A double of a GPU array library on the CPU, stricter than the real one, so that what would fail or wait there fails here.

``DoubleArray`` holds a NumPy array out of reach; ``double`` is its namespace and has the names and signatures of CuPy alone. Every
result is a DoubleArray, of no dimensions where NumPy gives a scalar. Nothing becomes a NumPy array by itself, nothing mixes with
one, and NumPy scalars, which would widen float32, are refused. Inside ``no_sync()`` whatever would make the host wait for the device
raises: reading a value, a shape that depends on values, a copy to or from the host. Inside ``capturing()`` so does what CuPy
refuses while a CUDA graph is recorded: matrix products and linear algebra.
"""

from ...backend import devices, register_namespace
from ...backend.cuda.launch import runners
from . import kernels, methods
from .array import DoubleArray, put, upload
from .namespace import double
from .waiting import SynchronizationError, capturing, counts, no_sync, watched


def register() -> None:
    """Make the double known to the backend: as the namespace of its arrays, as the device "double", and as what runs kernels on them."""
    register_namespace(DoubleArray, double)
    devices.register_device("double", upload)
    runners[DoubleArray] = kernels.run


__all__ = ["DoubleArray", "SynchronizationError", "capturing", "counts", "double", "no_sync", "put", "register", "watched"]
