"""NumPy's .npz archives: arrays by name."""

import struct
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..autograd.tensor import wrap
from ..backend import asarray, to_device
from ..errors import CheckpointError, DTypeError
from .atomic import replace_file


def save(state: Mapping[str, Any], path: Any) -> None:
    """Write tensors by name to an .npz file, which is the old one or the new one at every moment."""
    arrays = {}
    for name, value in state.items():
        a = asarray(to_device(value.data, "cpu") if isinstance(value, Tensor) else value)
        if a.dtype.kind == "V":
            raise DTypeError(f"save: {name} is {a.dtype}, which .npz files cannot name; use .safetensors")
        arrays[name] = a
    # written entry by entry, because np.savez takes names as keywords and so refuses 'file'
    replace_file(path, lambda f: _write(f, arrays))


def _write(f: Any, arrays: dict[str, np.ndarray]) -> None:
    with zipfile.ZipFile(f, "w") as archive:
        for name, a in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, a, allow_pickle=False)


def load(path: Any) -> dict[str, Tensor]:
    """The tensors in an .npz file, by name. Nothing in it is executed.

    Raises:
        CheckpointError: the file is damaged, or holds objects instead of numbers; names the file and the array.
    """
    name = None
    try:
        with zipfile.ZipFile(path) as archive:
            out = {}
            if any(record.header_offset < 0 for record in archive.infolist()):  # zipfile would fail with an OSError
                raise zipfile.BadZipFile("a record before the file's begin")
            for name in archive.namelist():
                with archive.open(name) as entry:
                    a = np.lib.format.read_array(entry, allow_pickle=False)
                    entry.read()  # to its end, where zipfile compares the checksum
                out[name.removesuffix(".npy")] = wrap(asarray(a), None)
            return out
    except _FAULTS as error:
        text = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{path}: {name + ': ' if name else ''}damaged or no .npz file ({text})") from None


# what zipfile and NumPy's reader raise for files that are not as they should be
_FAULTS = (
    ValueError,
    TypeError,
    EOFError,
    KeyError,
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    RuntimeError,
    MemoryError,
    struct.error,
)

__all__ = ["load", "save"]
