"""Texts as characters: a vocabulary, and windows to predict the next character from."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ..autograd.tensor import as_data, wrap
from ..backend import to_device
from ..errors import CheckpointError, DTypeError, IndexRangeError
from .dataset import Dataset
from .download import data_folder, found
from .sampler import positive


class Vocabulary:
    """The characters of a text, numbered in their order.

    Raises:
        ValueError: the text is empty.

    Example:
        >>> from minigrad.data import Vocabulary
        >>> v = Vocabulary("hello")
        >>> v.characters, v.encode("hole").tolist(), v.decode([2, 0])
        ('ehlo', [1, 3, 2, 0], 'le')
    """

    def __init__(self, text: Iterable[str]):
        self.characters = "".join(sorted(set(text)))
        if not self.characters:
            raise ValueError("Vocabulary: the text is empty")
        self._numbers = {c: i for i, c in enumerate(self.characters)}

    def __len__(self) -> int:
        return len(self.characters)

    def encode(self, text: str) -> np.ndarray:
        """The numbers of the characters, int64.

        Raises:
            IndexRangeError: a character that is not in the vocabulary.
        """
        try:
            return np.array([self._numbers[c] for c in text], dtype=np.int64)
        except KeyError as error:
            raise IndexRangeError(
                f"Vocabulary: {error.args[0]!r} at {text.index(error.args[0])} is none of its {len(self)} characters"
            ) from None

    def decode(self, numbers: Any) -> str:
        """The characters of the numbers.

        Raises:
            IndexRangeError: a number outside the vocabulary.
        """
        a = np.asarray(to_device(as_data(numbers), "cpu")).reshape(-1)
        if a.size and a.dtype.kind not in "iu":
            raise DTypeError(f"Vocabulary: expected integers to decode, got {a.dtype}")
        if a.size and not 0 <= a.min() <= a.max() < len(self):
            raise IndexRangeError(f"Vocabulary: numbers from {a.min()} to {a.max()}, expected 0 to {len(self) - 1}")
        return "".join([self.characters[i] for i in a.tolist()])


class TextFile(Dataset):
    """The windows of a text: ``context`` characters, and for each of them the one that follows.

    Shapes: a sample is (x (context,) int64, y (context,) int64) with y[i] = x[i + 1].

    Args:
        path: a file in UTF-8.
        context: how many characters a window has.
        train: the first part of the text, or the last, which is for validation.
        validation: how much of the text the last part has, a fraction.
        stride: from one window to the next; default: ``context``, so that an epoch sees each character once.
        vocabulary: numbers the characters; default: those of the whole file.

    Raises:
        FileNotFoundError: the file is not there.
        CheckpointError: it is no text in UTF-8, or too short for a window.

    Example:
        >>> import os, tempfile
        >>> from minigrad import data
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with open(os.path.join(folder, "a.txt"), "w") as f:
        ...         _ = f.write("abcabcabcabcabcabcab")
        ...     text = data.TextFile(f.name, context=4)
        >>> len(text), [text.vocabulary.decode(part) for part in text[0]]
        (4, ['abca', 'bcab'])
    """

    def __init__(
        self,
        path: Any,
        context: int = 64,
        train: bool = True,
        validation: float = 0.1,
        stride: int | None = None,
        vocabulary: Vocabulary | None = None,
    ):
        self.context = positive("TextFile", "context", context)
        self.stride = self.context if stride is None else positive("TextFile", "stride", stride)
        if not 0 <= validation < 1:
            raise ValueError(f"TextFile: validation must be in [0, 1), got {validation}")
        try:
            text = Path(path).read_bytes().decode("utf-8")
        except UnicodeDecodeError as error:
            raise CheckpointError(f"{path}: no text in UTF-8: byte {error.object[error.start]:#04x} at {error.start}") from None
        if not text:
            raise CheckpointError(f"{path}: the file is empty")
        text = text.replace("\r\n", "\n")
        self.vocabulary = Vocabulary(text) if vocabulary is None else vocabulary
        cut = len(text) - int(len(text) * validation)
        self.train = train
        self.codes = self.vocabulary.encode(text[:cut] if train else text[cut:])
        if len(self.codes) <= self.context:
            part = "training" if train else "validation"
            raise CheckpointError(
                f"{path}: the {part} part has {len(self.codes)} characters, fewer than a window of {self.context} and the one after it"
            )

    def __len__(self) -> int:
        return (len(self.codes) - 1 - self.context) // self.stride + 1

    def __getitem__(self, i: int) -> tuple:
        n = len(self)
        if not -n <= i < n:
            raise IndexRangeError(f"TextFile: window {i} of {n}")
        start = (i % n) * self.stride
        window = self.codes[start : start + self.context + 1]
        return wrap(window[:-1].copy(), None), wrap(window[1:].copy(), None)

    def batch(self, indices: Any) -> tuple:
        """Many windows as one, gathered."""
        starts = np.arange(len(self))[indices] * self.stride
        windows = self.codes[starts[:, None] + np.arange(self.context + 1)]
        return wrap(windows[:, :-1], None), wrap(windows[:, 1:], None)


FILES = {"input.txt": "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"}
MIRRORS = [
    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/",
    "https://raw.githubusercontent.com/jcjohnson/torch-rnn/master/data/tiny-shakespeare.txt",
]


class TinyShakespeare(TextFile):
    """40,000 lines of Shakespeare's plays: 1,115,394 characters, 65 of them different.

    Args:
        root: the folder of ``input.txt``; default: ``tinyshakespeare`` in $MINIGRAD_DATA or in ~/.cache/minigrad.
        context, train, validation, stride: as ``TextFile``.
        download: fetch the file if it is missing.

    Raises:
        FileNotFoundError: the file is missing and cannot be fetched; says where to put it.

    Source:
        A. Karpathy, "The unreasonable effectiveness of recurrent neural networks", 2015.

    Example:
        >>> import os, tempfile
        >>> from minigrad.data import TinyShakespeare
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with open(os.path.join(folder, "input.txt"), "w") as f:
        ...         _ = f.write("First Citizen: Before we proceed any further, hear me speak.")
        ...     plays = TinyShakespeare(folder, context=13, download=False)
        >>> plays.vocabulary.decode(plays[0][0])
        'First Citizen'
    """

    def __init__(
        self,
        root: Any = None,
        context: int = 64,
        train: bool = True,
        validation: float = 0.1,
        stride: int | None = None,
        download: bool = True,
    ):
        folder = Path(root).expanduser() if root is not None else data_folder() / "tinyshakespeare"
        path = found("TinyShakespeare", ["input.txt"], folder, FILES, MIRRORS, download)
        super().__init__(path, context, train, validation, stride)


__all__ = ["TextFile", "TinyShakespeare", "Vocabulary"]
