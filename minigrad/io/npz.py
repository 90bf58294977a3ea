"""NumPy's .npz archives: arrays by name."""

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
        with open(path, "rb") as f, np.load(f, allow_pickle=False) as stored:
            if isinstance(stored, np.ndarray):
                raise CheckpointError(f"{path}: one array without a name (.npy), expected an .npz archive")
            out = {}
            for name in stored.files:
                out[name] = wrap(asarray(stored[name]), None)
            return out
    except (ValueError, DTypeError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError, AttributeError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(
            f"{path}: {name + ': ' if name else ''}damaged or no .npz file ({' '.join(str(error).split())[:200]})"
        ) from None


__all__ = ["load", "save"]
