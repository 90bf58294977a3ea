"""The IDX format, in which MNIST and its kin come: a magic number, the lengths of the axes, the numbers."""

import gzip
import struct
import zlib
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CheckpointError

LIMIT = 1 << 30  # bytes of one file, unpacked; MNIST has 47 MB
CODES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: Any) -> np.ndarray:
    """The array in a file in the IDX format, packed with gzip (by its name, ``.gz``) or not.

    The file is two zero bytes, a byte for the type of the numbers, one for the number of axes, their lengths as 4 bytes each, then the
    numbers; all big-endian.

    Raises:
        CheckpointError: a damaged file; it says what was found and what was expected.

    Source:
        Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", 1998.

    Example:
        >>> import os, tempfile
        >>> from minigrad.data import read_idx
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with open(os.path.join(folder, "two-idx1-ubyte"), "wb") as f:
        ...         _ = f.write(bytes([0, 0, 8, 1, 0, 0, 0, 2, 5, 6]))
        ...     read_idx(f.name).tolist()
        [5, 6]
    """
    path = Path(path)
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as f:
            head = f.read(4)
            if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in CODES or not 1 <= head[3] <= 8:
                codes = ", ".join(f"{c:02x}" for c in CODES)
                raise CheckpointError(
                    f"{path}: not an IDX file: it starts with {head.hex() or 'nothing'}, expected 0000, a type ({codes}) and 1 to 8 axes"
                )
            lengths = f.read(4 * head[3])
            if len(lengths) < 4 * head[3]:
                raise CheckpointError(f"{path}: the file ends within its header")
            shape, dtype = struct.unpack(f">{head[3]}I", lengths), np.dtype(CODES[head[2]])
            size = prod(shape) * dtype.itemsize
            if size > LIMIT:
                raise CheckpointError(f"{path}: shape {shape} would take {size} bytes; the limit is {LIMIT}")
            body = f.read(size + 1)  # to its end, where gzip compares the checksum
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise CheckpointError(f"{path}: damaged gzip file ({error}); delete it and get it again") from None
    if len(body) != size:
        more = "more than " if len(body) > size else ""
        raise CheckpointError(f"{path}: shape {shape} needs {size} bytes, the file has {more}{min(len(body), size)}")
    return np.frombuffer(body, dtype).astype(dtype.newbyteorder("=")).reshape(shape)


__all__ = ["read_idx"]
