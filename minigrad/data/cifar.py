"""CIFAR-10 and CIFAR-100, read from their binary version; nothing is unpickled."""

import gzip
import tarfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CheckpointError
from .dataset import TensorDataset
from .download import data_folder, found, whole

MIRRORS = ["https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/"]
FILES = {"cifar-10-binary.tar.gz": "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"}
FILES_100 = {"cifar-100-binary.tar.gz": "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec"}
PIXELS = 3 * 32 * 32


def read_cifar(path: Any, classes: tuple[int, ...] = (10,)) -> tuple[np.ndarray, np.ndarray]:
    """The images (n, 3, 32, 32) and labels (n, len(classes)) in a file of the binary version, both as bytes.

    A record is one byte per label, then 1024 bytes each of red, green and blue.

    Args:
        classes: how many classes each of a record's labels has: (10,) for CIFAR-10, (20, 100) for CIFAR-100.

    Raises:
        CheckpointError: a size that is not whole records, or a label outside the classes.

    Example:
        >>> import os, tempfile
        >>> from minigrad.data import read_cifar
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "one.bin")
        ...     with open(path, "wb") as f:
        ...         _ = f.write(bytes([7]) + bytes(3 * 32 * 32))  # a black horse
        ...     images, labels = read_cifar(path)
        >>> images.shape, labels.tolist()
        ((1, 3, 32, 32), [[7]])
    """
    data = Path(path).read_bytes()
    record = len(classes) + PIXELS
    if not data or len(data) % record:
        raise CheckpointError(f"{path}: {len(data)} bytes, expected a multiple of {record} ({len(classes)} label(s), {PIXELS} pixels)")
    rows = np.frombuffer(data, np.uint8).reshape(-1, record)
    labels = rows[:, : len(classes)]
    bad = np.flatnonzero((labels >= np.array(classes)).any(1))
    if bad.size:
        raise CheckpointError(f"{path}: record {bad[0]} has label(s) {labels[bad[0]].tolist()}, expected below {list(classes)}")
    return rows[:, len(classes) :].reshape(-1, 3, 32, 32), labels


class CIFAR10(TensorDataset):
    """Colour photographs, 32x32 pixels, ten classes: 50,000 to train on, 10,000 to test with.

    Shapes: a sample is (image (3, 32, 32) float32 in [0, 1], label () int64).

    Args:
        root: the folder of ``cifar-10-binary.tar.gz`` or of the ``.bin`` files in it; default: ``cifar10`` in $MINIGRAD_DATA or in
            ~/.cache/minigrad.
        train: the training part, or the test part.
        download: fetch the archive (170 MB) if it is missing.

    Raises:
        FileNotFoundError: the files are missing and cannot be fetched; says which, and where to put them.
        CheckpointError: a damaged file.

    Source:
        A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009.

    Example:
        >>> import os, tempfile
        >>> from minigrad.data import CIFAR10
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with open(os.path.join(folder, "test_batch.bin"), "wb") as f:
        ...         _ = f.write(bytes([7]) + bytes(3 * 32 * 32))  # a black horse
        ...     test = CIFAR10(folder, train=False, download=False)
        >>> test[0][0].shape, CIFAR10.classes[test[0][1].item()]
        ((3, 32, 32), 'horse')
    """

    classes: tuple[str, ...] = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    _parts = (tuple(f"data_batch_{i}.bin" for i in range(1, 6)), ("test_batch.bin",))
    _inside = "cifar-10-batches-bin"
    _labels: tuple[int, ...] = (10,)

    def __init__(self, root: Any = None, train: bool = True, download: bool = True):
        who = type(self).__name__
        folder = Path(root).expanduser() if root is not None else data_folder() / who.lower()
        read = [read_cifar(path, self._labels) for path in self._files(folder, self._parts[0 if train else 1], download)]
        self.train = train
        pixels = np.concatenate([images for images, _ in read]).astype(np.float32)
        pixels /= 255
        super().__init__(pixels, np.concatenate([self._chosen(labels) for _, labels in read]).astype(np.int64))

    def _chosen(self, labels: np.ndarray) -> np.ndarray:
        return labels[:, -1]

    def _files(self, folder: Path, names: tuple[str, ...], download: bool) -> list[Path]:
        for place in (folder, folder / self._inside):
            if all((place / name).is_file() for name in names):
                return [place / name for name in names]
        files = self._archive()
        archive = found(type(self).__name__, files, folder, files, MIRRORS, download)
        _unpack(archive, self._inside, names, folder / self._inside)
        return [folder / self._inside / name for name in names]

    def _archive(self) -> dict[str, str]:
        return FILES


def _unpack(archive: Path, inside: str, names: tuple[str, ...], folder: Path) -> None:
    """Write these files of the archive to the folder, each whole or not at all; no other path in the archive is looked at."""
    try:
        with tarfile.open(archive) as tar:
            for member in tar:  # in its order, as going back would unpack all of it again
                name = member.name.removeprefix(f"{inside}/")
                source = tar.extractfile(member) if name in names and f"{inside}/{name}" == member.name else None
                if source is not None:
                    with whole(folder / name) as f:
                        f.write(source.read())
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CheckpointError(f"{archive}: damaged archive ({error}); delete it and get it again") from None
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise CheckpointError(f"{archive}: {', '.join(missing)} not in it; expected them in {inside}/")


class CIFAR100(CIFAR10):
    """``CIFAR10`` with 100 classes in 20 groups.

    Args:
        root, train, download: as ``CIFAR10``; the archive is ``cifar-100-binary.tar.gz``, the folder ``cifar100``.
        coarse: the labels are the 20 groups instead.

    Source:
        A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009.

    Example:
        >>> import os, tempfile
        >>> from minigrad.data import CIFAR100
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with open(os.path.join(folder, "test.bin"), "wb") as f:
        ...         _ = f.write(bytes([4, 30]) + bytes(3 * 32 * 32))  # group, class, pixels
        ...     fine, coarse = (CIFAR100(folder, train=False, download=False, coarse=c) for c in (False, True))
        >>> fine[0][1].item(), coarse[0][1].item()
        (30, 4)
    """

    classes = ()  # the names come with the archive, in fine_label_names.txt
    _parts = (("train.bin",), ("test.bin",))
    _inside = "cifar-100-binary"
    _labels = (20, 100)

    def __init__(self, root: Any = None, train: bool = True, download: bool = True, coarse: bool = False):
        self.coarse = coarse
        super().__init__(root, train, download)

    def _chosen(self, labels: np.ndarray) -> np.ndarray:
        return labels[:, 0 if self.coarse else 1]

    def _archive(self) -> dict[str, str]:
        return FILES_100


__all__ = ["CIFAR10", "CIFAR100", "read_cifar"]
