"""PyTorch's files (.pt, .pth), read without PyTorch and without executing anything.

``torch.save`` writes a zip archive: ``data.pkl``, a pickle in which each tensor is a call of ``_rebuild_tensor_v2`` over a storage that
has a number; ``data/0``, ``data/1``, ... , the bytes of these storages, uncompressed; and ``byteorder``. Before version 1.6 it
wrote one stream: five pickles, then the storages. Of the names that such pickles hold only those in ``_names`` are admitted.
Source: ``torch/serialization.py`` and ``torch/_utils.py`` of PyTorch 2.13.
"""

import io
import os
import struct
import zipfile
import zlib
from math import prod
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from ..autograd import Tensor
from ..autograd.tensor import wrap
from ..backend import asarray
from ..errors import CheckpointError
from .safetensors import named_dtype
from .unpickling import SIZE_LIMIT, Machine, Name, ordered_dict, shown

_STORAGES = {
    "BFloat16Storage": "bfloat16",
    "BoolStorage": "bool",
    "ByteStorage": "uint8",
    "CharStorage": "int8",
    "ComplexDoubleStorage": "complex128",
    "ComplexFloatStorage": "complex64",
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "IntStorage": "int32",
    "LongStorage": "int64",
    "ShortStorage": "int16",
    "UntypedStorage": "uint8",
}
_DTYPES = frozenset([*_STORAGES.values(), "uint16", "uint32", "uint64", "float8_e4m3fn", "float8_e5m2"])
_ADVICE = "In PyTorch write tensors only: torch.save(model.state_dict(), path)"
_MAGIC = bytes.fromhex("8a0a6cfc9c46f9206aa85019")  # a number; its pickle is the first of the old layout


def load_torch(path: Any) -> Any:
    """What ``torch.save`` wrote, with Tensors on the CPU; PyTorch is not needed, and nothing in the file is executed.

    Tensors, parameters, dicts with texts or numbers as keys, lists, tuples, numbers, texts, booleans and None are read, as in
    ``model.state_dict()``, ``optimizer.state_dict()`` or a dict of these. An OrderedDict becomes a dict, a ``torch.Size`` a tuple, a
    ``torch.dtype`` or ``torch.device`` its name. Tensors that shared a storage share their memory here too, and keep their strides;
    one whose own elements share memory (``expand``) cannot be written to.

    Args:
        path: a file of the zip layout (PyTorch 1.6 and later) or of the one before.

    Raises:
        CheckpointError: the file is damaged or hostile, or holds something else, such as a whole module; the message says what.
        ImportError: it holds bfloat16 or float8 numbers, and ml_dtypes is not installed.
        OSError: it cannot be read.

    Source:
        ``torch/serialization.py`` of PyTorch 2.13.

    Example:
        >>> import os, tempfile
        >>> from minigrad.errors import CheckpointError
        >>> from minigrad.io import load_torch
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "model.pt")
        ...     with open(path, "wb") as f:
        ...         _ = f.write(b"nothing of the kind")
        ...     try:
        ...         load_torch(path)
        ...     except CheckpointError as error:
        ...         print(str(error).replace(path, "model.pt"))
        model.pt: no PyTorch file: it begins with b'nothing of the k'
    """
    with open(path, "rb") as f:
        head = f.read(32)
        f.seek(0)
        try:
            if head.startswith(b"PK"):
                return _from_zip(f)
            if head.startswith(b"\x80") and _MAGIC in head:
                return _from_stream(f)
        except (CheckpointError, ImportError) as error:
            raise type(error)(f"{path}: {error}") from None
        except _FAULTS as error:
            raise CheckpointError(f"{path}: damaged: {type(error).__name__}: {' '.join(str(error).split())[:200]}") from None
    raise CheckpointError(f"{path}: no PyTorch file: it begins with {head[:16]!r}")


_FAULTS = (
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    OverflowError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
)


# -- storages and tensors ---------------------------------------------------------------------------------------------
class _Storage(NamedTuple):
    """Bytes, what numbers they are, and where in the file they were."""

    data: np.ndarray
    dtype: str
    where: str
    order: Any  # "little" or "big"

    def tensor(self, dtype: str, offset: Any, size: Any, stride: Any, metadata: Any) -> Tensor:
        """A view of the storage, once it is certain that it lies within."""
        kind = _dtype(dtype, self.where)
        if not all(type(n) is int and n >= 0 for n in (offset, *size, *stride)) or len(size) != len(stride) or len(size) > 64:
            given = ", ".join([shown(n) for n in (offset, *size, *stride)][:20])
            raise CheckpointError(f"{self.where}: offset, size and stride of a tensor ({given}) do not make sense")
        have, end = self.data.nbytes // kind.itemsize, offset + sum([(n - 1) * s for n, s in zip(size, stride, strict=True)]) + 1
        if not prod(size):
            return wrap(np.empty(size, kind), None)
        if end > have:
            raise CheckpointError(f"{self.where}: a tensor reaches to element {end} of a storage of {have}")
        strides = tuple([s * kind.itemsize if n > 1 else kind.itemsize for n, s in zip(size, stride, strict=True)])
        stored = kind.newbyteorder(self.order) if kind.kind != "V" else kind
        a = np.ndarray(tuple(size), stored, self.data, offset * kind.itemsize, strides)
        if prod(size) > end - offset:
            a.flags.writeable = False
        for name, on in dict(metadata or {}).items():
            if name not in ("conj", "neg"):
                raise CheckpointError(f"{self.where}: a tensor with {shown(name)} is not known here")
            a = (a.conj() if name == "conj" else -a) if on else a
        return wrap(asarray(a), None)


def _dtype(name: Any, where: str) -> np.dtype:
    if not isinstance(name, str) or name not in _DTYPES:
        raise CheckpointError(f"{where}: {shown(name)} is no dtype that is known here")
    return named_dtype(name, where)


def _of_storage(storage: Any) -> _Storage:
    if not isinstance(storage, _Storage):
        raise TypeError(f"a tensor over {shown(storage)}")
    return storage


def _tensor(
    storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any = None, hooks: Any = None, metadata: Any = None
) -> Tensor:
    return _of_storage(storage).tensor(storage.dtype, offset, size, stride, metadata)


def _tensor_of_dtype(
    storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any, hooks: Any, dtype: Any, metadata: Any = None
) -> Tensor:
    return _of_storage(storage).tensor(dtype, offset, size, stride, metadata)


def _parameter(data: Any, requires_grad: Any = None, hooks: Any = None, state: Any = None) -> Any:
    return data


def _device(kind: Any, index: Any = None) -> str:
    if not isinstance(kind, str) or not (index is None or type(index) is int):
        raise TypeError(f"a device {shown(kind)}, {shown(index)}")
    return kind if index is None else f"{kind}:{index}"


def _size(lengths: Any = ()) -> tuple:
    return tuple(lengths)


_names: dict[str, Any] = {
    "collections OrderedDict": Name("OrderedDict", ordered_dict),
    "torch Size": Name("torch.Size", _size),
    "torch device": Name("torch.device", _device),
    "torch._utils _rebuild_parameter": Name("_rebuild_parameter", _parameter),
    "torch._utils _rebuild_parameter_with_state": Name("_rebuild_parameter_with_state", _parameter),
    "torch._utils _rebuild_tensor": Name("_rebuild_tensor", _tensor),
    "torch._utils _rebuild_tensor_v2": Name("_rebuild_tensor_v2", _tensor),
    "torch._utils _rebuild_tensor_v3": Name("_rebuild_tensor_v3", _tensor_of_dtype),
    "torch.storage UntypedStorage": Name("UntypedStorage"),
    **{f"torch {name}": Name(name) for name in _STORAGES},
    **{f"torch {name}": name for name in _DTYPES},
}


def _read_id(pid: Any) -> tuple[str, str, int, int]:
    """The key, dtype, number of elements and of bytes of a storage, from its persistent id."""
    what, kind, key, _, count, *view = pid
    if what != "storage" or not isinstance(kind, Name) or kind.text not in _STORAGES or any(view):
        raise CheckpointError(f"a persistent id of {shown(what)} and {shown(kind)}, which is no storage known here")
    if not isinstance(key, str) or type(count) is not int or count < 0:
        raise CheckpointError(f"a storage {shown(key)} of {shown(count)} elements")
    dtype = _STORAGES[kind.text]
    return key, dtype, count, count * _dtype(dtype, f"data/{key}").itemsize


# -- the zip layout ---------------------------------------------------------------------------------------------------
def _from_zip(f: BinaryIO) -> Any:
    size = os.fstat(f.fileno()).st_size
    with zipfile.ZipFile(f) as archive:
        records = archive.infolist()
        by_name = {r.filename: r for r in records}
        packed = [r.filename for r in records if r.compress_type != zipfile.ZIP_STORED or r.file_size != r.compress_size]
        if packed:
            raise CheckpointError(f"{packed[0][:80]} is compressed, which PyTorch's files never are")
        if len(by_name) != len(records) or sum([r.file_size for r in records]) > size:
            raise CheckpointError("records occur twice, or are longer than the file")
        if not all(0 <= r.header_offset < size for r in records):
            raise CheckpointError("records lie outside the file")
        root = next((n.removesuffix("data.pkl") for n in by_name if n.count("/") == 1 and n.endswith("/data.pkl")), None)
        if root is None:
            raise CheckpointError(f"a zip archive, but without data.pkl: no file of PyTorch's. {_ADVICE}")
        if f"{root}constants.pkl" in by_name:
            raise CheckpointError(f"a TorchScript program. {_ADVICE}")
        if not any(r.CRC for r in records):  # written with torch.utils.serialization.config.save.compute_crc32 = False
            for r in records:
                r.CRC = None  # type: ignore[assignment]

        def read(name: str) -> np.ndarray:
            record = by_name.get(root + name)
            if record is None:
                raise CheckpointError(f"{name} is missing")
            data = np.empty(record.file_size, "uint8")
            with archive.open(record) as entry:
                at = 0
                while some := entry.readinto(data[at : at + 2**20]):  # type: ignore[attr-defined]
                    at += some
                if at != len(data) or entry.read(1):  # to its end, where the checksum is compared
                    raise CheckpointError(f"{name} ends within its data")
            return data

        order = read("byteorder").tobytes().decode() if f"{root}byteorder" in by_name else "little"
        if order not in ("little", "big"):
            raise CheckpointError(f"byteorder {order[:80]!r} must be little or big")
        held: dict[str, np.ndarray] = {}

        def storage(pid: Any) -> _Storage:
            key, dtype, count, need = _read_id(pid)
            where = f"data/{key}"
            if key not in held:
                held[key] = read(where)
            if held[key].nbytes != need:
                raise CheckpointError(f"{where} has {held[key].nbytes} bytes, {count} elements of {dtype} need {need}")
            return _Storage(held[key], dtype, where, order)

        if by_name[f"{root}data.pkl"].file_size > SIZE_LIMIT:
            raise CheckpointError(f"data.pkl is longer than {SIZE_LIMIT} bytes")
        return Machine(_names, storage, _ADVICE).run(io.BytesIO(read("data.pkl").tobytes()))


# -- the layout before ------------------------------------------------------------------------------------------------
def _from_stream(f: BinaryIO) -> Any:
    size = os.fstat(f.fileno()).st_size
    held: dict[str, tuple[_Storage, int]] = {}

    def storage(pid: Any) -> _Storage:
        key, dtype, count, need = _read_id(pid)
        if key not in held:
            if need + sum([s.data.nbytes for s, _ in held.values()]) > size:
                raise CheckpointError(f"storage {key[:80]} is longer than the file")
            held[key] = _Storage(np.zeros(need, "uint8"), dtype, f"storage {key[:80]}", "little"), count
        if (held[key][0].dtype, held[key][1]) != (dtype, count):
            raise CheckpointError(f"storage {key[:80]} occurs with different sizes")
        return held[key][0]

    head = io.BytesIO(f.read(SIZE_LIMIT + 2**20))
    _, version, system, value, keys = [Machine(_names, storage, _ADVICE).run(head) for _ in range(5)]
    if version != 1001 or not isinstance(system, dict) or system.get("little_endian") is not True:
        raise CheckpointError(f"version {shown(version)} of the layout, or its byte order, is unknown; expected 1001 and little endian")
    if not isinstance(keys, list) or not all(isinstance(k, str) for k in keys) or sorted(keys) != sorted(held):
        raise CheckpointError("the storages that follow are not those that the tensors need")
    f.seek(head.tell())
    for key in keys:
        found, count = held[key]
        (stored,) = struct.unpack("<q", f.read(8))
        if stored != count or f.readinto(found.data) != found.data.nbytes:  # type: ignore[attr-defined]
            raise CheckpointError(f"{found.where}: {stored} elements are there, {count} expected, or the file ends before")
    return value


__all__ = ["load_torch"]
