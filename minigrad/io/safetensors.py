"""The safetensors layout: eight bytes of header length, a JSON header, then the arrays one after the other. Nothing is executed.

Header: ``{"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ..., "__metadata__": {text: text}}``; offsets count
from the end of the header, all is little-endian and C-contiguous, and the arrays cover the file without holes.
Source: https://github.com/huggingface/safetensors, format of version 0.3 and later.
"""

import json
import os
import zlib
from collections.abc import Callable, Mapping
from math import prod
from typing import Any, BinaryIO

import numpy as np

from ..autograd import Tensor
from ..autograd.tensor import wrap
from ..backend import asarray, to_device
from ..backend.arrays import EXTENDED
from ..errors import CheckpointError, DTypeError
from .atomic import replace_file

_CODES = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "U16": "uint16",
    "I16": "int16",
    "F16": "float16",
    "BF16": "bfloat16",
    "U32": "uint32",
    "I32": "int32",
    "F32": "float32",
    "U64": "uint64",
    "I64": "int64",
    "F64": "float64",
    "C64": "complex64",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
}
_NAMES = {name: code for code, name in _CODES.items()}
HEADER_LIMIT = 100_000_000  # bytes; the reference implementation's
CHECKSUMS = "minigrad.crc32"


def _dtype(code: str, where: str) -> np.dtype:
    name = _CODES.get(code)
    if name is None:
        raise CheckpointError(f"{where}: unknown dtype {code!r}; known are {', '.join(_CODES)}")
    return named_dtype(name, where)


def named_dtype(name: str, where: str) -> np.dtype:
    """The dtype of that name; ImportError if it needs ml_dtypes, which is not there."""
    if name not in EXTENDED:
        return np.dtype(name)
    try:
        import ml_dtypes
    except ImportError:
        raise ImportError(f"{where}: {name} needs the package ml_dtypes; pip install 'minigrad[half]'") from None
    return np.dtype(getattr(ml_dtypes, name))


def _plain(name: str, value: Any) -> np.ndarray:
    """A value as a C-contiguous little-endian array on the CPU."""
    if not isinstance(name, str) or name == "__metadata__":
        raise DTypeError(f"save: names must be strings other than '__metadata__', got {name!r}")
    if isinstance(value, Mapping):
        raise DTypeError(f"save: {name} is a dict; a file holds tensors by name, so join the names with dots first")
    a = asarray(
        to_device(value.data, "cpu") if isinstance(value, Tensor) else to_device(value, "cpu") if hasattr(value, "shape") else value
    )
    if a.dtype.name not in _NAMES:
        raise DTypeError(f"save: {name} is {a.dtype}, which safetensors cannot hold; it can: {', '.join(_NAMES)}")
    a = np.ascontiguousarray(a).reshape(a.shape)  # ascontiguousarray makes 0-d arrays 1-d
    return a.astype(a.dtype.newbyteorder("<"), copy=False) if a.dtype.kind != "V" else a


def _bytes(a: np.ndarray) -> memoryview:
    return a.reshape(-1).view(np.uint8).data if a.size else memoryview(b"")


def save(state: Mapping[str, Any], path: Any, metadata: Mapping[str, str] | None = None, checksums: bool = True) -> None:
    """Write tensors by name to a safetensors file, which is the old one or the new one at every moment.

    Args:
        state: Tensors or arrays by name, such as ``model.state_dict()``.
        path: the file.
        metadata: texts to keep with them.
        checksums: put a CRC-32 of each tensor into the metadata, which ``load`` compares.

    Raises:
        DTypeError: a value that is no array of numbers, or of a dtype that the format lacks.
        OSError: the file could not be written; an older one is still there.

    Example:
        >>> import minigrad as mg, os, tempfile
        >>> from minigrad.io import safetensors
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "w.safetensors")
        ...     safetensors.save({"w": mg.tensor([1.0, 2.0])}, path)
        ...     safetensors.load(path)["w"].tolist()
        [1.0, 2.0]
    """
    arrays = {name: _plain(name, value) for name, value in state.items()}
    names = sorted(arrays, key=lambda n: (-arrays[n].dtype.itemsize, n))  # wide ones first keeps all aligned
    texts = {str(k): str(v) for k, v in (metadata or {}).items()}
    if checksums and names:
        texts[CHECKSUMS] = json.dumps({n: f"{zlib.crc32(_bytes(arrays[n])):08x}" for n in names})
    header: dict[str, Any] = {"__metadata__": texts} if texts else {}
    at = 0
    for n in names:
        a = arrays[n]
        header[n] = {"dtype": _NAMES[a.dtype.name], "shape": list(a.shape), "data_offsets": [at, at + a.nbytes]}
        at += a.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)

    def write(f: BinaryIO) -> None:
        f.write(len(text).to_bytes(8, "little"))
        f.write(text)
        for n in names:
            f.write(_bytes(arrays[n]))

    replace_file(path, write)


def load(path: Any) -> dict[str, Tensor]:
    """The tensors in a safetensors file, by name, on the CPU. Checksums are compared if they are there.

    Raises:
        CheckpointError: the file is damaged or hostile; names the file and the tensor.
        OSError: it cannot be read.
    """
    return read(path)[0]


def read(path: Any, check: Callable[[dict[str, str]], None] | None = None) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the texts of one and the same file, even if another process replaces it meanwhile.

    Args:
        check: sees the texts before the tensors are read, and may raise.
    """
    out = {}
    with open(path, "rb") as f:
        header, start = _header(path, f)
        texts = header.pop("__metadata__", {})
        if check is not None:
            check(texts)
        sums = _checksums(path, texts)
        for name, entry in _in_order(path, header, os.fstat(f.fileno()).st_size - start):
            begin, end = entry["data_offsets"]
            data = bytearray(end - begin)
            if f.readinto(data) != end - begin:
                raise CheckpointError(f"{path}: {name}: the file ends within its data")
            if name in sums and f"{zlib.crc32(data):08x}" != sums[name]:
                raise CheckpointError(f"{path}: {name}: damaged: CRC-32 {zlib.crc32(data):08x}, expected {sums[name]}")
            dtype = _dtype(entry["dtype"], f"{path}: {name}")
            a = np.frombuffer(data, dtype.newbyteorder("<") if dtype.kind != "V" else dtype).reshape(entry["shape"])
            out[name] = wrap(asarray(a), None)
    return {name: out[name] for name in header}, texts


def metadata(path: Any) -> dict[str, str]:
    """The texts kept in a safetensors file."""
    with open(path, "rb") as f:
        return _header(path, f)[0].get("__metadata__", {})


def _header(path: Any, f: BinaryIO) -> tuple[dict[str, Any], int]:
    """The header of an open file, and where the data start, which are next to be read."""
    size = os.fstat(f.fileno()).st_size
    length = int.from_bytes(head, "little") if len(head := f.read(8)) == 8 else -1
    if length < 0:
        raise CheckpointError(f"{path}: too short for a safetensors file: {size} bytes")
    if length > min(HEADER_LIMIT, size - 8):
        raise CheckpointError(
            f"{path}: a header of {length} bytes is announced, but the file has {size - 8} more and the limit is {HEADER_LIMIT}"
        )
    text = f.read(length)
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: the header is not valid: {' '.join(str(error).split())[:200]}") from None
    if not isinstance(header, dict):
        raise CheckpointError(f"{path}: the header must be an object, got {type(header).__name__}")
    texts = header.get("__metadata__", {})
    if not isinstance(texts, dict) or not all(isinstance(v, str) for v in texts.values()):
        raise CheckpointError(f"{path}: __metadata__ must map texts to texts")
    return header, 8 + length


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        raise ValueError(f"a name occurs twice among {[k for k, _ in pairs][:20]}")
    return out


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not a number")


def _checksums(path: Any, texts: dict[str, str]) -> dict[str, str]:
    if CHECKSUMS not in texts:
        return {}
    try:
        sums = json.loads(texts[CHECKSUMS])
    except (ValueError, RecursionError):
        sums = None
    if not isinstance(sums, dict):
        raise CheckpointError(f"{path}: the checksums in the metadata are damaged")
    return sums


def _whole(v: Any) -> bool:
    return type(v) is int and v >= 0


def _in_order(path: Any, header: dict[str, Any], size: int) -> list[tuple[str, dict]]:
    """The entries by offset, once it is certain that they cover the data without hole or overlap."""
    entries = []
    for name, e in header.items():
        if name == "__metadata__":
            continue
        if not isinstance(e, dict) or set(e) != {"dtype", "shape", "data_offsets"}:
            raise CheckpointError(f"{path}: {name}: expected dtype, shape and data_offsets, got {str(e)[:80]}")
        shape, offsets = e["shape"], e["data_offsets"]
        if not (isinstance(shape, list) and all(_whole(n) for n in shape) and len(shape) <= 64):
            raise CheckpointError(f"{path}: {name}: shape must be a list of lengths, got {str(shape)[:80]}")
        if not (isinstance(offsets, list) and len(offsets) == 2 and all(_whole(n) for n in offsets) and offsets[0] <= offsets[1]):
            raise CheckpointError(f"{path}: {name}: data_offsets must be [begin, end], got {str(offsets)[:80]}")
        if not isinstance(e["dtype"], str):
            raise CheckpointError(f"{path}: {name}: dtype must be a text, got {str(e['dtype'])[:80]}")
        need = prod(shape) * _dtype(e["dtype"], f"{path}: {name}").itemsize
        if need != offsets[1] - offsets[0]:
            raise CheckpointError(
                f"{path}: {name}: {e['dtype']} of shape {shape} needs {need} bytes, data_offsets {offsets} give {offsets[1] - offsets[0]}"
            )
        entries.append((name, e))
    entries.sort(key=lambda item: item[1]["data_offsets"])
    at = 0
    for name, e in entries:
        begin, end = e["data_offsets"]
        if begin != at:
            raise CheckpointError(f"{path}: {name}: {'a hole before' if begin > at else 'an overlap at'} offset {begin}, expected {at}")
        at = end
    if at != size:
        raise CheckpointError(f"{path}: the tensors take {at} bytes, the file has {size} after its header; was it cut short?")
    return entries


__all__ = ["load", "metadata", "named_dtype", "save"]
