"""MNIST and the sets in its form, from files on disk or from their mirrors."""

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CheckpointError
from .dataset import TensorDataset
from .download import data_folder, found
from .idx import read_idx

FILES = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
"""The four files of MNIST and their SHA-256."""
MIRRORS = [
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
]
FASHION_FILES = {
    "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
}
FASHION_MIRRORS = [
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
]
KUZUSHIJI_FILES = {
    "train-images-idx3-ubyte.gz": "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
    "train-labels-idx1-ubyte.gz": "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
    "t10k-images-idx3-ubyte.gz": "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
    "t10k-labels-idx1-ubyte.gz": "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
}
KUZUSHIJI_MIRRORS = [
    "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
    "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
]


class MNIST(TensorDataset):
    """Handwritten digits, 28x28 pixels: 60,000 to train on, 10,000 to test with.

    Shapes: a sample is (image (1, 28, 28) float32 in [0, 1], label () int64).

    Args:
        root: the folder of the files; default: ``mnist`` in $MINIGRAD_DATA or in ~/.cache/minigrad.
        train: the training part, or the test part.
        download: fetch files that are missing.

    Files of your own under the same names are read too, or, where those are missing, under names with something in between, such as
    ``train-17k-images-idx3-ubyte.gz`` of an excerpt; only what is downloaded has to have the SHA-256 of the original.

    Raises:
        FileNotFoundError: files are missing and cannot be fetched; says which, and where to put them.
        CheckpointError: a damaged file.

    Source:
        Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", 1998.

    Example:
        >>> import gzip, os, struct, tempfile
        >>> from minigrad import data
        >>> with tempfile.TemporaryDirectory() as folder:  # two blank images and their labels, in the files' form
        ...     for kind, head in ("images-idx3", (0x803, 2, 28, 28)), ("labels-idx1", (0x801, 2)):
        ...         with gzip.open(os.path.join(folder, f"train-{kind}-ubyte.gz"), "wb") as f:
        ...             _ = f.write(struct.pack(f">{len(head)}I", *head) + bytes(2 * 28 * 28 if len(head) > 2 else 2))
        ...     images = data.MNIST(folder, download=False)
        >>> len(images), images[0][0].shape, images[0][1].item()
        (2, (1, 28, 28), 0)
    """

    classes: tuple[str, ...] = tuple("0123456789")

    def __init__(self, root: Any = None, train: bool = True, download: bool = True):
        who = type(self).__name__
        folder_name, files, mirrors = self._source()
        folder = Path(root).expanduser() if root is not None else data_folder() / folder_name
        part = "train" if train else "t10k"
        images, labels = (
            read_idx(found(who, _names(folder, part, kind), folder, files, mirrors, download)) for kind in ("images-idx3", "labels-idx1")
        )
        if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels) or images.dtype != np.uint8 or labels.dtype != np.uint8:
            raise CheckpointError(
                f"{who}: {folder} has {images.dtype} images of shape {images.shape} and {labels.dtype} labels of shape {labels.shape}; "
                f"expected bytes (n, rows, columns) and (n,): the files do not belong together"
            )
        if labels.size and labels.max() >= len(self.classes):
            raise CheckpointError(f"{who}: {folder}: label {labels.max()} at {labels.argmax()}, expected 0 to {len(self.classes) - 1}")
        self.train = train
        pixels = images[:, None].astype(np.float32)
        pixels /= 255
        super().__init__(pixels, labels.astype(np.int64))

    def _source(self) -> tuple[str, dict[str, str], list[str]]:
        return "mnist", FILES, MIRRORS


def _names(folder: Path, part: str, kind: str) -> list[str]:
    """The names under which a file is looked for, in this order."""
    return [f"{part}-{kind}-ubyte.gz", f"{part}-{kind}-ubyte", *sorted(p.name for p in folder.glob(f"{part}-*-{kind}-ubyte*"))]


class FashionMNIST(MNIST):
    """Pictures of clothes in the form of MNIST, ten classes.

    Shapes, Args, Raises: as ``MNIST``; the folder is ``fashion-mnist``.

    Source:
        H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms", 2017 (MIT).

    Example:
        >>> from minigrad.data import FashionMNIST
        >>> FashionMNIST.classes[7]
        'Sneaker'
    """

    classes = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")

    def _source(self) -> tuple[str, dict[str, str], list[str]]:
        return "fashion-mnist", FASHION_FILES, FASHION_MIRRORS


class KMNIST(MNIST):
    """Kuzushiji, old Japanese cursive characters, in the form of MNIST, ten classes.

    Shapes, Args, Raises: as ``MNIST``; the folder is ``kmnist``.

    Source:
        T. Clanuwat et al., "Deep learning for classical Japanese literature", 2018 (CC BY-SA 4.0).

    Example:
        >>> from minigrad.data import KMNIST
        >>> KMNIST.classes[0]
        'o'
    """

    classes = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")

    def _source(self) -> tuple[str, dict[str, str], list[str]]:
        return "kmnist", KUZUSHIJI_FILES, KUZUSHIJI_MIRRORS


__all__ = ["KMNIST", "MNIST", "FashionMNIST"]
