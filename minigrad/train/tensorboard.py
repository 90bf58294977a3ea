"""TensorBoard's event files, written by hand: a record is a length, its checksum, an event in protocol-buffer form, and its checksum.

Source: TensorFlow's ``record_writer`` and ``event.proto``; CRC-32C after Castagnoli 1993, masked as there.
"""

import os
import socket
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO


def _table() -> list[int]:
    out = []
    for n in range(256):
        for _ in range(8):
            n = (n >> 1) ^ (0x82F63B78 if n & 1 else 0)
        out.append(n)
    return out


_TABLE = _table()


def masked_crc32c(data: bytes) -> int:
    """The checksum of a record: CRC-32C, rotated and shifted so that sums of sums do not collide."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ _TABLE[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _varint(n: int) -> bytes:
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes([*out, n])


def _field(number: int, content: bytes) -> bytes:
    """A field of variable length: a text or a message."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


class EventFile:
    """An event file in a folder, which ``tensorboard --logdir folder`` reads.

    Example:
        >>> import os, tempfile
        >>> from minigrad.train.tensorboard import EventFile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     log = EventFile(folder)
        ...     log.scalars({"loss": 0.5}, step=1)
        ...     log.close()
        ...     os.listdir(folder)[0].startswith("events.out.tfevents.")
        True
    """

    def __init__(self, folder: Any):
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{time.time_ns() // 1000}.{socket.gethostname()}.{os.getpid()}"
        self._file: BinaryIO = open(folder / name, "ab")  # noqa: SIM115  (closed by close)
        self._write(_field(3, b"brain.Event:2"))

    def _write(self, content: bytes) -> None:
        event = b"\x09" + struct.pack("<d", time.time()) + content
        head = struct.pack("<Q", len(event))
        self._file.write(head + struct.pack("<I", masked_crc32c(head)) + event + struct.pack("<I", masked_crc32c(event)))
        self._file.flush()

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Write numbers by name for one step, in one event."""
        parts = [_field(1, _field(1, name.encode()) + b"\x15" + struct.pack("<f", value)) for name, value in values.items()]
        self._write(b"\x10" + _varint(step) + _field(5, b"".join(parts)))

    def close(self) -> None:
        """End the file."""
        self._file.close()


__all__ = ["EventFile"]
