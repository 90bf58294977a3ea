"""Files that are either the old one or the new one, whatever happens while writing."""

import contextlib
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

ABANDONED = 3600
"""Seconds after which nobody can be writing to a temporary file any more that has not changed."""


def replace_file(path: Any, write: Callable[[BinaryIO], None]) -> None:
    """Let ``write`` fill a file under a temporary name beside ``path``, force it to the disk, and rename it to ``path``.

    If anything fails, the old file stays as it was and the temporary one is removed. A symbolic link is followed. What a process that
    was killed has left behind is removed by a later save to the same folder, when it is an hour old and so not being written.

    Raises:
        OSError: the folder is not there or not writable, the disk is full, or ``path`` is a folder.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise IsADirectoryError(f"save: {path} is a folder; give the name of a file")
    part = target.parent / f".minigrad-{secrets.token_hex(8)}.part"
    try:
        with open(part, "xb") as f:
            write(f)
            f.flush()
            os.fsync(f.fileno())
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    for stray in target.parent.glob(".minigrad-*.part"):
        with contextlib.suppress(OSError):
            if time.time() - stray.stat().st_mtime > ABANDONED:
                stray.unlink()
    with contextlib.suppress(OSError):  # not every system lets a folder be opened
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


__all__ = ["replace_file"]
