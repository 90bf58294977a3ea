"""What the namespace can do, where, and in which dtypes."""

from typing import Any

import numpy as np

from ..backend import Device, default_dtype, device, is_available
from .dtypes import isdtype

NAMES = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64", "complex64", "complex128"]


class Info:
    """The inspection functions of the standard."""

    def capabilities(self) -> dict[str, Any]:
        """Which optional behaviour is there, and how many dimensions are possible."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> Device:
        """Where arrays are made."""
        return device("cpu")

    def default_dtypes(self, *, device: Any = None) -> dict[str, Any]:
        """The dtypes of arrays made without one; ``mg.set_default_dtype`` sets the float."""
        real = default_dtype()
        return {
            "real floating": real,
            "complex floating": np.result_type(real, np.complex64),
            "integral": np.dtype("int64"),
            "indexing": np.dtype("int64"),
        }

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, Any]:
        """The dtypes of the standard, all or those of a kind."""
        every = {name: np.dtype(name) for name in NAMES}
        return every if kind is None else {name: d for name, d in every.items() if isdtype(d, kind)}

    def devices(self) -> list[Device]:
        """The devices that are there: the CPU, and the CUDA devices that CuPy sees."""
        found = [device("cpu")]
        while is_available(f"cuda:{len(found) - 1}"):
            found.append(device(f"cuda:{len(found) - 1}"))
        return found


def __array_namespace_info__() -> Info:
    """The inspection functions."""
    return Info()
