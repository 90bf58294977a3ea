"""MNIST, from files on disk or from its mirrors."""

import gzip
import hashlib
import os
import secrets
import struct
import urllib.request
import zlib
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CheckpointError
from .dataset import TensorDataset

FILES = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
"""The four files and their SHA-256."""
MIRRORS = [
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
]
LIMIT = 1 << 30  # bytes of one file, unpacked; MNIST has 47 MB


def data_folder(root: Any = None) -> Path:
    """Where datasets lie: ``root``, else $MINIGRAD_DATA, else ~/.cache/minigrad (or below $XDG_CACHE_HOME)."""
    if root is not None:
        return Path(root).expanduser()
    if os.environ.get("MINIGRAD_DATA"):
        return Path(os.environ["MINIGRAD_DATA"]).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path("~/.cache").expanduser()) / "minigrad"


def read_idx(path: Any) -> np.ndarray:
    """The array of unsigned bytes in a file in the IDX format, packed with gzip or not.

    Raises:
        CheckpointError: a damaged file; it says what was found and what was expected.
    """
    path = Path(path)
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as f:
            head = f.read(4)
            if len(head) < 4 or head[:3] != b"\0\0\x08" or not 1 <= head[3] <= 4:
                raise CheckpointError(
                    f"{path}: not an IDX file of bytes: it starts with {head.hex()}, expected 000008 and the number of axes"
                )
            lengths = f.read(4 * head[3])
            if len(lengths) < 4 * head[3]:
                raise CheckpointError(f"{path}: the file ends within its header")
            shape = struct.unpack(f">{head[3]}I", lengths)
            size = prod(shape)
            if size > LIMIT:
                raise CheckpointError(f"{path}: shape {shape} would take {size} bytes; the limit is {LIMIT}")
            body = f.read(size + 1)  # to its end, where gzip compares the checksum
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise CheckpointError(f"{path}: damaged gzip file ({error}); delete it and get it again") from None
    if len(body) != size:
        more = "more than " if len(body) > size else ""
        raise CheckpointError(f"{path}: shape {shape} needs {size} bytes, the file has {more}{min(len(body), size)}")
    return np.frombuffer(body, np.uint8).reshape(shape)


def fetch(name: str, folder: Path, sha256: str, mirrors: list[str], timeout: float = 30.0, get: Callable = urllib.request.urlopen) -> Path:
    """Download a file to a folder from the first mirror that has it whole.

    It is written under a temporary name, and renamed only once its SHA-256 is right.

    Raises:
        OSError: no mirror gave it; says what each did.
    """
    folder.mkdir(parents=True, exist_ok=True)
    failures = []
    for mirror in mirrors:
        part = folder / f".{secrets.token_hex(4)}.part"
        try:
            digest = hashlib.sha256()
            with get(mirror + name, timeout=timeout) as source, open(part, "xb") as out:
                while block := source.read(1 << 16):
                    digest.update(block)
                    out.write(block)
            if digest.hexdigest() != sha256:
                raise OSError(f"SHA-256 {digest.hexdigest()}, expected {sha256}")
            os.replace(part, folder / name)
            return folder / name
        except (OSError, ValueError) as error:
            failures.append(f"{mirror}{name}: {error}")
        finally:
            part.unlink(missing_ok=True)
    raise OSError("no mirror gave the file:\n  " + "\n  ".join(failures))


class MNIST(TensorDataset):
    """Handwritten digits, 28x28 pixels: 60,000 to train on, 10,000 to test with.

    Shapes: a sample is (image (1, 28, 28) float32 in [0, 1], label () int64).

    Args:
        root: the folder of the files; default: ``mnist`` in $MINIGRAD_DATA or in ~/.cache/minigrad.
        train: the training part, or the test part.
        download: fetch files that are missing.

    Raises:
        FileNotFoundError: files are missing and cannot be fetched; says which, and where to put them.
        CheckpointError: a damaged file.

    Source:
        Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", 1998.
    """

    def __init__(self, root: Any = None, train: bool = True, download: bool = True):
        folder = Path(root).expanduser() if root is not None else data_folder() / "mnist"
        part = "train" if train else "t10k"
        names = [f"{part}-images-idx3-ubyte.gz", f"{part}-labels-idx1-ubyte.gz"]
        images, labels = (read_idx(_found(name, folder, download)) for name in names)
        if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
            raise CheckpointError(
                f"MNIST: {folder} has images of shape {images.shape} and labels of shape {labels.shape}; the files do not belong together"
            )
        self.train = train
        super().__init__(images[:, None].astype(np.float32) / 255, labels.astype(np.int64))


def _found(name: str, folder: Path, download: bool) -> Path:
    for path in (folder / name, folder / name.removesuffix(".gz")):
        if path.is_file():
            return path
    why = "download=False"
    if download:
        try:
            return fetch(name, folder, FILES[name], MIRRORS)
        except OSError as error:
            why = str(error)
    raise FileNotFoundError(
        f"MNIST: {folder / name} is not there, and was not downloaded ({why}).\n"
        f"Without a network: get these four files elsewhere ({' or '.join(MIRRORS)}) and put them into {folder}\n"
        f"(or another folder, named by root= or, for all datasets, by the variable MINIGRAD_DATA, in its subfolder mnist):\n  "
        + "\n  ".join(FILES)
    )


__all__ = ["MNIST", "data_folder", "read_idx"]
