"""The one door to the network: files by name, from mirrors, checked by their SHA-256."""

import hashlib
import os
import secrets
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

LIMIT = 1 << 30  # bytes of one file


def data_folder(root: Any = None) -> Path:
    """Where datasets lie: ``root``, else $MINIGRAD_DATA, else ~/.cache/minigrad (or below $XDG_CACHE_HOME).

    Example:
        >>> from minigrad.data import data_folder
        >>> data_folder("/tmp/mine").name
        'mine'
    """
    if root is not None:
        return Path(root).expanduser()
    if os.environ.get("MINIGRAD_DATA"):
        return Path(os.environ["MINIGRAD_DATA"]).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path("~/.cache").expanduser()) / "minigrad"


@contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """``with whole(path) as f: ...`` writes a file that is there whole, once the block ends well, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.parent / f".{secrets.token_hex(4)}.part"
    try:
        with open(part, "xb") as f:
            yield f
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def fetch(name: str, folder: Path, sha256: str, urls: Iterable[str], timeout: float = 30.0, get: Callable | None = None) -> Path:
    """Download a file to a folder, from the first of these addresses that gives it whole.

    It is written under a temporary name, and renamed only once its SHA-256 is right; whatever happens, no part of it is left. A line
    tells how far it is where standard error is a terminal.

    Args:
        name: what it is called in the folder.
        urls: where it is to be had; one that ends in ``/`` is followed by the name.
        timeout: seconds without an answer after which the next one is tried.
        get: what opens an address; default: ``urllib.request.urlopen``.

    Raises:
        OSError: none gave it; says what each did.
    """
    from http.client import HTTPException
    from urllib.request import urlopen

    failures = []
    for url in urls:
        url = url + name if url.endswith("/") else url
        try:
            with (get or urlopen)(url, timeout=timeout) as source, whole(folder / name) as out:
                digest = _copied(source, out, name)
                if digest != sha256:
                    raise OSError(f"SHA-256 {digest}, expected {sha256}")
            return folder / name
        except (OSError, ValueError, HTTPException) as error:
            failures.append(f"{url}: {str(error) or type(error).__name__}")
    raise OSError(f"no mirror gave {name}:\n  " + "\n  ".join(failures or ["there are none"]))


def _copied(source: Any, out: Any, name: str) -> str:
    """Copy to the end; the SHA-256."""
    digest, had = hashlib.sha256(), 0
    watched = sys.stderr is not None and sys.stderr.isatty()
    total = getattr(source, "headers", None) and source.headers.get("Content-Length")
    whole = f" of {int(total) / 1e6:.1f}" if total and total.isdigit() else ""
    try:
        while block := source.read(1 << 16):
            digest.update(block)
            out.write(block)
            had += len(block)
            if had > LIMIT:
                raise OSError(f"longer than {LIMIT} bytes")
            if watched:
                sys.stderr.write(f"\r{name}: {had / 1e6:.1f}{whole} MB")
                sys.stderr.flush()
    finally:
        if watched:
            sys.stderr.write("\n")
    return digest.hexdigest()


def found(who: str, names: Iterable[str], folder: Path, files: Mapping[str, str], mirrors: Iterable[str], download: bool = True) -> Path:
    """The first of these names that is in the folder; else the first, downloaded.

    Args:
        who: the dataset, for the message.
        names: names under which the file may lie there, the one it has on the mirrors first.
        files: the SHA-256 of each file of the dataset by its name on the mirrors.

    Raises:
        FileNotFoundError: it is not there and could not be fetched; says which files to put where.
    """
    names, mirrors = list(names), list(mirrors)
    for name in names:
        if (folder / name).is_file():
            return folder / name
    why = "download=False"
    if download:
        try:
            return fetch(names[0], folder, files[names[0]], mirrors)
        except OSError as error:
            why = str(error)
    raise FileNotFoundError(
        f"{who}: {folder / names[0]} is not there, and was not downloaded ({why}).\n"
        f"Without a network: get the files below elsewhere ({' or '.join(mirrors) or 'no mirror is known'}) and put them into {folder}\n"
        f"(or another folder, named by root= or, for all datasets, by the variable MINIGRAD_DATA, in its subfolder {folder.name}):\n  "
        + "\n  ".join(f"{name}  SHA-256 {digest}" for name, digest in files.items())
    )


__all__ = ["data_folder", "fetch", "found", "whole"]
