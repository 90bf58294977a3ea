"""Transforms of place: resized, cropped, flipped, turned."""

from typing import Any

import numpy as np

from ...backend import namespace
from ...errors import ShapeError
from .transform import Transform, beside, pair, probability, stream


def _window(images: Any, top: Any, left: Any, height: int, width: int) -> Any:
    """From each image a window, whose corners are given as arrays (N,)."""
    n, c = images.shape[:2]
    rows = beside((top[:, None] + np.arange(height))[:, None, :, None], images)
    columns = beside((left[:, None] + np.arange(width))[:, None, None, :], images)
    image, channel = beside(np.arange(n)[:, None, None, None], images), beside(np.arange(c)[:, None, None], images)
    return images[image, channel, rows, columns]


class Resize(Transform):
    """The image in another size; pixel centres at i + 1/2, so that all sides fit.

    Shapes: (..., H, W) -> (..., height, width).

    Args:
        size: (height, width); one integer: the shorter side, with the proportions kept.
        mode: "bilinear", between the four nearest pixels; or "nearest".

    Numerics: as PyTorch's ``interpolate(..., align_corners=False)``, without smoothing before an image is made smaller. Bytes are
        computed in float32 and rounded.

    Example:
        >>> import numpy as np
        >>> from minigrad.data import transforms
        >>> transforms.Resize((1, 2))(np.array([[[0.0, 1.0, 2.0, 3.0]]])).tolist()
        [[[0.5, 2.5]]]
    """

    def __init__(self, size: int | tuple[int, int], mode: str = "bilinear"):
        pair("Resize", "size", size)
        if mode not in ("bilinear", "nearest"):
            raise ValueError(f"Resize: mode must be 'bilinear' or 'nearest', got {mode!r}")
        self.size, self.mode = size, mode

    def apply(self, images: Any) -> Any:
        h, w = images.shape[2:]
        if isinstance(self.size, int):
            short = min(h, w)
            size = (self.size * h // short, self.size * w // short)
        else:
            size = pair("Resize", "size", self.size)
        dtype = images.dtype
        y = images if self.mode == "nearest" or dtype.kind == "f" else images.astype(np.float32)
        for axis, new in ((2, size[0]), (3, size[1])):
            y = self._along(y, axis, new)
        if y.dtype != dtype:
            y = namespace(type(y)).rint(y).astype(dtype)
        return y

    def _along(self, y: Any, axis: int, new: int) -> Any:
        old = y.shape[axis]
        if new == old:
            return y
        xp = namespace(type(y))
        if self.mode == "nearest":
            return xp.take(y, beside(np.arange(new) * old // new, y), axis)
        at = np.clip((np.arange(new) + 0.5) * (old / new) - 0.5, 0, old - 1)
        low = at.astype(np.int64)
        share = (at - low).astype(y.dtype).reshape((new, 1) if axis == 2 else (1, new))
        a, b = (xp.take(y, beside(i, y), axis) for i in (low, np.minimum(low + 1, old - 1)))
        return a + (b - a) * beside(share, y)


class CenterCrop(Transform):
    """The middle of the image.

    Raises:
        ShapeError: the image is smaller.

    Example:
        >>> import numpy as np
        >>> from minigrad.data import transforms
        >>> transforms.CenterCrop(1)(np.arange(9).reshape(1, 3, 3)).tolist()
        [[[4]]]
    """

    def __init__(self, size: int | tuple[int, int]):
        self.size = pair("CenterCrop", "size", size)

    def apply(self, images: Any) -> Any:
        top, left = ((n - k) // 2 for n, k in zip(images.shape[2:], self.size, strict=True))
        if top < 0 or left < 0:
            raise ShapeError(f"CenterCrop: size {self.size} of an image {tuple(images.shape[2:])}; use Resize first")
        return images[:, :, top : top + self.size[0], left : left + self.size[1]]


class RandomCrop(Transform):
    """A window at random, of the image with a border.

    Args:
        size: of the window.
        padding: how wide the border is, on all sides.
        fill: what is in it.
        padding_mode: "constant", "edge", "reflect" or "symmetric".

    Raises:
        ShapeError: the image with its border is smaller than the window.

    Source:
        A. Krizhevsky, I. Sutskever, G. Hinton, "ImageNet classification with deep convolutional neural networks", 2012, section 4.1.

    Example:
        >>> import numpy as np
        >>> from minigrad.data import transforms
        >>> transforms.RandomCrop(32, padding=4)(np.zeros((3, 32, 32))).shape
        (3, 32, 32)
    """

    def __init__(self, size: int | tuple[int, int], padding: int = 0, fill: float = 0, padding_mode: str = "constant"):
        self.size = pair("RandomCrop", "size", size)
        if isinstance(padding, bool) or not isinstance(padding, int) or padding < 0:
            raise ValueError(f"RandomCrop: padding must be an integer >= 0, got {padding!r}")
        if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
            raise ValueError(f"RandomCrop: padding_mode must be 'constant', 'edge', 'reflect' or 'symmetric', got {padding_mode!r}")
        self.padding, self.fill, self.padding_mode = padding, fill, padding_mode

    def apply(self, images: Any) -> Any:
        if self.padding:
            widths = ((0, 0), (0, 0), (self.padding, self.padding), (self.padding, self.padding))
            constant = {"constant_values": self.fill} if self.padding_mode == "constant" else {}
            images = namespace(type(images)).pad(images, widths, mode=self.padding_mode, **constant)
        room = [n - k for n, k in zip(images.shape[2:], self.size, strict=True)]
        if min(room) < 0:
            raise ShapeError(f"RandomCrop: size {self.size} of an image {tuple(images.shape[2:])} with its border; raise padding")
        rng = stream()
        top, left = (rng.integers(r + 1, size=len(images)) for r in room)
        return _window(images, top, left, *self.size)


class _RandomFlip(Transform):
    _axis = -1

    def __init__(self, p: float = 0.5):
        self.p = probability(type(self).__name__, p)

    def apply(self, images: Any) -> Any:
        chosen = beside((stream().random(len(images)) < self.p)[:, None, None, None], images)
        xp = namespace(type(images))
        return xp.where(chosen, xp.flip(images, self._axis), images)


class RandomHorizontalFlip(_RandomFlip):
    """Left and right exchanged, with probability p.

    Example:
        >>> import numpy as np
        >>> from minigrad.data import transforms
        >>> transforms.RandomHorizontalFlip(p=1.0)(np.array([[[1, 2, 3]]])).tolist()
        [[[3, 2, 1]]]
    """


class RandomVerticalFlip(_RandomFlip):
    """Top and bottom exchanged, with probability p.

    Example:
        >>> import numpy as np
        >>> from minigrad.data import transforms
        >>> transforms.RandomVerticalFlip(p=1.0)(np.array([[[1], [2]]])).tolist()
        [[[2], [1]]]
    """

    _axis = -2


class RandomRotation(Transform):
    """The image turned about its middle by a random angle, counter-clockwise; bilinear between pixels.

    Args:
        degrees: the greatest angle either way, or (least, greatest).
        fill: what is where nothing was.

    Example:
        >>> import numpy as np
        >>> from minigrad.data import transforms
        >>> transforms.RandomRotation((90, 90))(np.array([[[1.0, 2.0], [3.0, 4.0]]])).round(5).tolist()
        [[[2.0, 4.0], [1.0, 3.0]]]
    """

    def __init__(self, degrees: float | tuple[float, float], fill: float = 0.0):
        low, high = degrees if isinstance(degrees, (tuple, list)) else (-degrees, degrees)
        if not -np.inf < low <= high < np.inf:
            raise ValueError(f"RandomRotation: degrees must be a number >= 0 or (least, greatest), got {degrees}")
        self.degrees, self.fill = (float(low), float(high)), fill

    def apply(self, images: Any) -> Any:
        n, c, h, w = images.shape
        xp, dtype = namespace(type(images)), images.dtype
        angle = np.radians(stream().uniform(*self.degrees, size=n))[:, None, None]
        y, x = np.meshgrid(np.arange(h) - (h - 1) / 2, np.arange(w) - (w - 1) / 2, indexing="ij")
        rows = y * np.cos(angle) + x * np.sin(angle) + (h - 1) / 2 + 1  # in the image with a border of one pixel
        columns = x * np.cos(angle) - y * np.sin(angle) + (w - 1) / 2 + 1
        rows, columns = np.clip(rows, 0, h + 1), np.clip(columns, 0, w + 1)
        top, left = np.minimum(rows.astype(np.int64), h), np.minimum(columns.astype(np.int64), w)
        work = dtype if dtype.kind == "f" else np.dtype(np.float32)
        padded = xp.pad(images.astype(work), ((0, 0), (0, 0), (1, 1), (1, 1)), mode="constant", constant_values=self.fill)
        image, channel = beside(np.arange(n)[:, None, None, None], images), beside(np.arange(c)[:, None, None], images)
        out = xp.zeros((n, c, h, w), work)
        for down in (0, 1):
            for right in (0, 1):
                share = np.abs(1 - down - (rows - top)) * np.abs(1 - right - (columns - left))
                corner = padded[image, channel, beside((top + down)[:, None], images), beside((left + right)[:, None], images)]
                out += corner * beside(share[:, None].astype(work), images)
        return out if dtype.kind == "f" else xp.rint(out).astype(dtype)


__all__ = ["CenterCrop", "RandomCrop", "RandomHorizontalFlip", "RandomRotation", "RandomVerticalFlip", "Resize"]
