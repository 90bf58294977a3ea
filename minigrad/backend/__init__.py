"""Floor 0: arrays and where they live. Knows nothing of gradients."""

from . import memory
from .arrays import Kernels, asarray, holder, is_array, namespace, register_namespace
from .devices import Device, device, device_of, from_dlpack, is_available, to_device
from .dtypes import (
    default_dtype,
    is_complex,
    is_inexact,
    result_type,
    set_default_dtype,
    working_dtype,
)
from .random import Generator, generator, manual_seed

memory.keep()

__all__ = [
    "Device",
    "Generator",
    "Kernels",
    "asarray",
    "default_dtype",
    "device",
    "device_of",
    "from_dlpack",
    "generator",
    "holder",
    "is_array",
    "is_available",
    "is_complex",
    "is_inexact",
    "manual_seed",
    "namespace",
    "register_namespace",
    "result_type",
    "set_default_dtype",
    "to_device",
    "working_dtype",
]
