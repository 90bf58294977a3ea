"""Transforms of values: to tensors, normalised, with noise, as one-hot vectors."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...autograd.tensor import Tensor, as_data, raw, wrap
from ...backend import default_dtype
from ...errors import DTypeError, IndexRangeError, ShapeError
from ...ops.losses import on_cpu
from .transform import Transform, beside, like_input, stream


class ToTensor:
    """An image as cameras and files give it, (H, W) or (H, W, C), as a Tensor (C, H, W); bytes become float32 in [0, 1].

    Shapes: (H, W) or (H, W, C) -> (C, H, W); a batch (N, H, W, C) -> (N, C, H, W).

    Example:
        >>> import numpy as np
        >>> from minigrad.data import transforms
        >>> image = transforms.ToTensor()(np.full((4, 5, 3), 255, np.uint8))
        >>> image.shape, image.numpy().max()
        ((3, 4, 5), np.float32(1.0))
    """

    batched = False  # (N, H, W) cannot be told from (H, W, C)

    def __call__(self, x: Any) -> Tensor:
        a = as_data(raw(x))
        if a.ndim not in (2, 3, 4):
            raise ShapeError(f"ToTensor: expected an image (H, W) or (H, W, C), or a batch (N, H, W, C), got shape {tuple(a.shape)}")
        a = a[..., None] if a.ndim == 2 else a
        a = a.transpose(*range(a.ndim - 3), a.ndim - 1, a.ndim - 3, a.ndim - 2)
        if a.dtype == np.uint8:
            a = a.astype(np.float32) / 255
        return wrap(a.copy(), None)


class Normalize(Transform):
    """(x - mean) / std, by channel.

    Shapes: (C, H, W) or (N, C, H, W).

    Args:
        mean: one number per channel, or one for all.
        std: likewise, above 0.

    Raises:
        DTypeError: the image is not of floats.
        ShapeError: the number of channels is another.

    Example:
        >>> import numpy as np
        >>> from minigrad.data import transforms
        >>> transforms.Normalize([0.5], [0.25])(np.full((1, 1, 2), 1.0)).tolist()
        [[[2.0, 2.0]]]
    """

    def __init__(self, mean: float | Sequence[float], std: float | Sequence[float]):
        self.mean, self.std = (np.asarray(v, np.float64).reshape(-1, 1, 1) for v in (mean, std))
        if not np.isfinite(self.mean).all() or not (np.isfinite(self.std) & (self.std > 0)).all():
            raise ValueError(f"Normalize: mean must be finite and std above 0, got {mean} and {std}")

    def apply(self, images: Any) -> Any:
        if images.dtype.kind != "f":
            raise DTypeError(f"Normalize: expected floats, got {images.dtype}; use ToTensor first")
        if any(len(v) not in (1, images.shape[1]) for v in (self.mean, self.std)):
            raise ShapeError(f"Normalize: {len(self.mean)} means and {len(self.std)} stds for {images.shape[1]} channels")
        mean, std = (beside(v.astype(images.dtype), images) for v in (self.mean, self.std))
        return (images - mean) / std


class GaussianNoise:
    """x + noise of this mean and standard deviation, an array of any shape.

    Source:
        C. Bishop, "Training with noise is equivalent to Tikhonov regularization", 1995.

    Example:
        >>> import numpy as np
        >>> from minigrad.data import transforms
        >>> transforms.GaussianNoise(0.0)(np.ones(2, np.float32)).tolist()
        [1.0, 1.0]
    """

    batched = True

    def __init__(self, std: float = 0.1, mean: float = 0.0):
        if not 0 <= std < np.inf or not np.isfinite(mean):
            raise ValueError(f"GaussianNoise: std must be >= 0 and mean finite, got {std} and {mean}")
        self.std, self.mean = float(std), float(mean)

    def __call__(self, x: Any) -> Any:
        def noisy(a: Any, xp: Any) -> Any:
            if a.dtype.kind != "f":
                raise DTypeError(f"GaussianNoise: expected floats, got {a.dtype}; use ToTensor first")
            noise = stream().standard_normal(a.shape, np.float32) if a.dtype.itemsize < 8 else stream().standard_normal(a.shape)
            return a + beside((self.mean + self.std * noise).astype(a.dtype), a)

        return like_input(x, noisy)


class OneHot:
    """A label as a vector with 1 at its place and 0 elsewhere.

    Shapes: () -> (classes,); any (...) -> (..., classes), in the default dtype.

    Raises:
        IndexRangeError: a label outside the classes (on a GPU, where looking would mean waiting: a vector of zeros).
        DTypeError: labels that are not integers.

    Example:
        >>> from minigrad.data import transforms
        >>> transforms.OneHot(3)([2, 0]).tolist()
        [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """

    batched = True

    def __init__(self, classes: int):
        if isinstance(classes, bool) or not isinstance(classes, (int, np.integer)) or classes < 1:
            raise ValueError(f"OneHot: classes must be an integer >= 1, got {classes!r}")
        self.classes = int(classes)

    def __call__(self, y: Any) -> Any:
        def vectors(a: Any, xp: Any) -> Any:
            if a.dtype.kind not in "iu":
                raise DTypeError(f"OneHot: labels must be integers, got {a.dtype}")
            if on_cpu(a) and a.size and not 0 <= a.min() <= a.max() < self.classes:
                bad = a[(a < 0) | (a >= self.classes)].reshape(-1)[0]
                raise IndexRangeError(f"OneHot: label {bad}, {self.classes} classes")
            return (a[..., None] == xp.arange(self.classes)).astype(default_dtype())

        return like_input(y, vectors)


__all__ = ["GaussianNoise", "Normalize", "OneHot", "ToTensor"]
