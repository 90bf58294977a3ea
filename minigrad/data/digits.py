"""The handwritten digits that come with the package: 1797 images of 8x8 pixels."""

from importlib.resources import files

import numpy as np

from .dataset import TensorDataset


class Digits(TensorDataset):
    """Handwritten digits, 8x8 pixels in 17 grey levels: 1437 to train on and 360 to test with, every fifth of each digit.

    Shapes: a sample is (image (1, 8, 8) float32 in [0, 1], label () int64).

    Args:
        train: the training part, or the test part.

    Source:
        E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998, CC BY 4.0; its test
        set, as scikit-learn's ``load_digits`` has it.

    Example:
        >>> from minigrad.data import Digits
        >>> images, labels = Digits(train=False).tensors
        >>> images.shape, labels.shape
        ((360, 1, 8, 8), (360,))
    """

    def __init__(self, train: bool = True):
        with (files(__package__) / "files" / "digits.npz").open("rb") as f, np.load(f, allow_pickle=False) as stored:
            images, labels = stored["images"], stored["labels"]
        test = np.zeros(len(labels), bool)
        test[labels.argsort(kind="stable")[::5]] = True
        chosen = test != train
        super().__init__(images[chosen][:, None].astype(np.float32) / 16, labels[chosen].astype(np.int64))
        self.train = train


__all__ = ["Digits"]
