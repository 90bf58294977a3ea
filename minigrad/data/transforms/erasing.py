"""Transforms that blot out a part of the image."""

from typing import Any

import numpy as np

from ...backend import namespace
from .transform import Transform, beside, probability, stream

TRIES = 10  # how often RandomErasing draws a rectangle before it lets the image be


def inside(top: Any, bottom: Any, left: Any, right: Any, height: int, width: int) -> np.ndarray:
    """Where rectangles are, one for each image: booleans (N, 1, H, W). The edges are arrays (N,), bottom and right excluded."""
    rows, columns = np.arange(height), np.arange(width)
    down = (rows >= top[:, None]) & (rows < bottom[:, None])
    across = (columns >= left[:, None]) & (columns < right[:, None])
    return down[:, None, :, None] & across[:, None, None, :]


class RandomErasing(Transform):
    """With probability p, a rectangle at random is overwritten; it lies within the image.

    Args:
        p: the probability.
        scale: bounds of its area, as a fraction of the image's.
        ratio: bounds of its height divided by its width, drawn evenly in the logarithm.
        value: what is written, or "random" for normal noise.

    Source:
        Z. Zhong et al., "Random erasing data augmentation", 2020, algorithm 1; the bounds of the ratio as in PyTorch's torchvision, drawn
        in the logarithm so that both directions are alike. An image for which no rectangle fits in ten draws stays as it is.

    Example:
        >>> import numpy as np
        >>> from minigrad.data import transforms
        >>> erased = transforms.RandomErasing(p=1.0)(np.ones((3, 32, 32)))
        >>> 0 < (erased == 0).mean() < 0.34
        np.True_
    """

    def __init__(
        self,
        p: float = 0.5,
        scale: tuple[float, float] = (0.02, 0.33),
        ratio: tuple[float, float] = (0.3, 3.3),
        value: float | str = 0.0,
    ):
        self.p = probability("RandomErasing", p)
        if not 0 < scale[0] <= scale[1] <= 1 or not 0 < ratio[0] <= ratio[1] < np.inf:
            raise ValueError(f"RandomErasing: scale must be bounds in (0, 1] and ratio bounds above 0, got {scale} and {ratio}")
        if isinstance(value, str) and value != "random":
            raise ValueError(f"RandomErasing: value must be a number or 'random', got {value!r}")
        self.scale, self.ratio, self.value = scale, ratio, value

    def apply(self, images: Any) -> Any:
        n, _, h, w = images.shape
        rng, xp = stream(), namespace(type(images))
        chosen = rng.random(n) < self.p
        area = h * w * rng.uniform(*self.scale, (n, TRIES))
        ratio = np.exp(rng.uniform(*np.log(self.ratio), (n, TRIES)))
        heights, widths = (np.maximum(np.rint(np.sqrt(v)), 1).astype(np.int64) for v in (area * ratio, area / ratio))
        fits = (heights <= h) & (widths <= w)
        first, row = fits.argmax(1), np.arange(n)
        height, width = heights[row, first], widths[row, first]
        top, left = ((rng.random(n) * (np.maximum(room, 0) + 1)).astype(np.int64) for room in (h - height, w - width))
        mask = inside(top, top + height, left, left + width, h, w) & (chosen & fits.any(1))[:, None, None, None]
        new = rng.standard_normal(images.shape) if self.value == "random" else np.asarray(self.value)
        return xp.where(beside(mask, images), beside(new.astype(images.dtype), images), images)


class Cutout(Transform):
    """A square about a random pixel becomes 0; it may lie partly outside the image.

    Args:
        size: the side of the square.
        p: with which probability.

    Source:
        T. DeVries, G. Taylor, "Improved regularization of convolutional neural networks with Cutout", 2017. The mean is to be
        subtracted before, so that 0 is it.

    Example:
        >>> import numpy as np
        >>> from minigrad.data import transforms
        >>> int((transforms.Cutout(8)(np.ones((1, 32, 32))) == 0).sum()) <= 64
        True
    """

    def __init__(self, size: int, p: float = 1.0):
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise ValueError(f"Cutout: size must be an integer >= 1, got {size!r}")
        self.size, self.p = size, probability("Cutout", p)

    def apply(self, images: Any) -> Any:
        n, _, h, w = images.shape
        rng, xp = stream(), namespace(type(images))
        chosen = rng.random(n) < self.p
        top, left = (rng.integers(k, size=n) - self.size // 2 for k in (h, w))
        mask = inside(top, top + self.size, left, left + self.size, h, w) & chosen[:, None, None, None]
        return xp.where(beside(mask, images), beside(np.asarray(0, images.dtype), images), images)


__all__ = ["Cutout", "RandomErasing"]
