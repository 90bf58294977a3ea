"""Small problems made by a formula: points in the plane with classes, and a curve to fit."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..backend import Generator
from ..backend import generator as current
from .dataset import TensorDataset
from .sampler import positive


class _Made(TensorDataset):
    """Checks what all have in common, and stores features as float32 and labels as int64."""

    def __init__(self, n: int, noise: float, seed: int | None, generator: Generator | None, classes: int | None = 2):
        who = type(self).__name__
        self.n = positive(who, "n", n)
        if not noise >= 0 or noise == np.inf:
            raise ValueError(f"{who}: noise must be a number >= 0, got {noise}")
        if seed is not None and generator is not None:
            raise ValueError(f"{who}: give a seed or a generator, not both")
        self.noise = float(noise)
        if classes is not None:
            self.classes = positive(who, "classes", classes, 2)
            if n < classes:
                raise ValueError(f"{who}: {n} points cannot have {classes} classes; raise n")
        stream = (current() if generator is None else generator) if seed is None else Generator(seed)
        x, y = self._points(stream.rng)
        if classes is None:
            y = y + self.noise * stream.rng.standard_normal(y.shape)
        else:
            x = x + self.noise * stream.rng.standard_normal(x.shape)
        super().__init__(x.astype(np.float32), y.astype(np.float32 if classes is None else np.int64))

    def _points(self, rng: Any) -> tuple[np.ndarray, np.ndarray]:
        raise NotImplementedError

    def _in_turn(self) -> np.ndarray:
        """Classes 0, 1, ..., 0, 1, ...: as equal in number as can be."""
        return np.arange(self.n) % self.classes


def _ray(angle: np.ndarray, radius: Any) -> np.ndarray:
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)


class Spiral(_Made):
    """Arms of a spiral: point t in [0, 1] of arm k is t (cos a, sin a), a = 2 pi (k / classes + turns t).

    Shapes: a sample is (point (2,) float32, arm () int64).

    Args:
        n: how many points, over all arms.
        noise: the standard deviation of what is added to each coordinate.
        classes: how many arms.
        turns: how often an arm goes round.
        seed: fixes the points; default: the generator does.
        generator: what draws; default: the seeded one.

    Example:
        >>> from minigrad.data import Spiral
        >>> x, y = Spiral(n=6, classes=3, seed=0).tensors
        >>> x.shape, y.tolist()
        ((6, 2), [0, 1, 2, 0, 1, 2])
    """

    def __init__(
        self,
        n: int = 300,
        noise: float = 0.02,
        classes: int = 3,
        turns: float = 0.65,
        seed: int | None = None,
        generator: Generator | None = None,
    ):
        self.turns = turns
        super().__init__(n, noise, seed, generator, classes)

    def _points(self, rng: Any) -> tuple[np.ndarray, np.ndarray]:
        arm = self._in_turn()
        t = rng.random(self.n)
        return _ray(2 * np.pi * (arm / self.classes + self.turns * t), t), arm


class Moons(_Made):
    """Two half circles that reach into each other: (cos a, sin a) and (1 - cos a, 1/2 - sin a), a in [0, pi].

    Shapes: a sample is (point (2,) float32, moon () int64).

    Args:
        n: how many points.
        noise: the standard deviation of what is added to each coordinate.
        seed, generator: as ``Spiral``.

    Example:
        >>> from minigrad.data import Moons
        >>> point, moon = Moons(n=10, seed=0)[3]
        >>> point.shape, moon.item()
        ((2,), 1)
    """

    def __init__(self, n: int = 200, noise: float = 0.1, seed: int | None = None, generator: Generator | None = None):
        super().__init__(n, noise, seed, generator)

    def _points(self, rng: Any) -> tuple[np.ndarray, np.ndarray]:
        moon = self._in_turn()
        x = _ray(np.pi * rng.random(self.n), 1.0)
        return np.where(moon[:, None] == 0, x, [1.0, 0.5] - x), moon


class Circles(_Made):
    """Circles about 0, one in another: the radius of class k of C falls evenly from 1 to ``factor``.

    Shapes: a sample is (point (2,) float32, circle () int64).

    Args:
        n: how many points.
        noise: the standard deviation of what is added to each coordinate.
        classes: how many circles; class 0 is the outermost.
        factor: the radius of the innermost, in (0, 1).
        seed, generator: as ``Spiral``.

    Example:
        >>> from minigrad.data import Circles
        >>> x, y = Circles(n=4, noise=0, seed=0).tensors
        >>> (x**2).sum(1).sqrt().numpy().round(3).tolist(), y.tolist()
        ([1.0, 0.5, 1.0, 0.5], [0, 1, 0, 1])
    """

    def __init__(
        self,
        n: int = 200,
        noise: float = 0.05,
        classes: int = 2,
        factor: float = 0.5,
        seed: int | None = None,
        generator: Generator | None = None,
    ):
        if not 0 < factor < 1:
            raise ValueError(f"Circles: factor must be in (0, 1), got {factor}")
        self.factor = factor
        super().__init__(n, noise, seed, generator, classes)

    def _points(self, rng: Any) -> tuple[np.ndarray, np.ndarray]:
        circle = self._in_turn()
        return _ray(2 * np.pi * rng.random(self.n), np.linspace(1, self.factor, self.classes)[circle]), circle


class Blobs(_Made):
    """Round clouds: a point of class k is normal about centre k with standard deviation ``noise``.

    Shapes: a sample is (point (D,) float32, cloud () int64).

    Args:
        n: how many points.
        noise: the standard deviation.
        classes: how many clouds; their centres lie evenly on a circle of radius 1.
        centres: the centres instead, (classes, D).
        seed, generator: as ``Spiral``.

    Example:
        >>> from minigrad.data import Blobs
        >>> x, y = Blobs(n=4, noise=0, centres=[[0, 0, 1], [5, 5, 5]]).tensors
        >>> x[1].tolist(), y.tolist()
        ([5.0, 5.0, 5.0], [0, 1, 0, 1])
    """

    def __init__(
        self,
        n: int = 300,
        noise: float = 0.2,
        classes: int = 3,
        centres: Sequence[Sequence[float]] | None = None,
        seed: int | None = None,
        generator: Generator | None = None,
    ):
        if centres is None:
            self.centres = _ray(2 * np.pi * np.arange(classes) / classes, 1.0)
        else:
            self.centres = np.asarray(centres, np.float64)
            if self.centres.ndim != 2:
                raise ValueError(f"Blobs: centres must be (classes, dimensions), got shape {self.centres.shape}")
            classes = len(self.centres)
        super().__init__(n, noise, seed, generator, classes)

    def _points(self, rng: Any) -> tuple[np.ndarray, np.ndarray]:
        cloud = self._in_turn()
        return self.centres[cloud], cloud


class Checkerboard(_Made):
    """The fields of a board: points even in [-1, 1)^2, of class (column + row) mod 2.

    Shapes: a sample is (point (2,) float32, colour () int64).

    Args:
        n: how many points.
        noise: the standard deviation of what is added to each coordinate once the class is set.
        fields: how many fields a side has.
        seed, generator: as ``Spiral``.

    Example:
        >>> from minigrad.data import Checkerboard
        >>> x, y = Checkerboard(n=100, fields=2, seed=0).tensors
        >>> bool(((x[:, 0] * x[:, 1] < 0) == (y == 1)).all())
        True
    """

    def __init__(self, n: int = 400, noise: float = 0.0, fields: int = 4, seed: int | None = None, generator: Generator | None = None):
        self.fields = positive("Checkerboard", "fields", fields, 2)
        super().__init__(n, noise, seed, generator)

    def _points(self, rng: Any) -> tuple[np.ndarray, np.ndarray]:
        u = rng.random((self.n, 2))
        return 2 * u - 1, (u * self.fields).astype(np.int64).sum(1) % 2


class XOR(_Made):
    """The four corners of a square, (+-1, +-1), in class 1 where the signs differ: no straight line divides the classes.

    Shapes: a sample is (point (2,) float32, class () int64).

    Args:
        n: how many points, dealt out over the corners.
        noise: the standard deviation of what is added to each coordinate.
        seed, generator: as ``Spiral``.

    Source:
        M. Minsky, S. Papert, "Perceptrons", 1969.

    Example:
        >>> from minigrad.data import XOR
        >>> x, y = XOR(n=4, noise=0).tensors
        >>> x.tolist(), y.tolist()
        ([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]], [0, 1, 1, 0])
    """

    def __init__(self, n: int = 200, noise: float = 0.2, seed: int | None = None, generator: Generator | None = None):
        super().__init__(n, noise, seed, generator)

    def _points(self, rng: Any) -> tuple[np.ndarray, np.ndarray]:
        corner = np.arange(self.n) % 4
        signs = np.stack([corner // 2, corner % 2], 1)
        return 2.0 * signs - 1, signs.sum(1) % 2


class SinCurve(_Made):
    """A curve to fit: y = sin(2 pi x periods) + noise, x even in [0, 1).

    Shapes: a sample is (x (1,) float32, y (1,) float32).

    Args:
        n: how many points.
        noise: the standard deviation of what is added to y.
        periods: how many.
        seed, generator: as ``Spiral``.

    Source:
        C. Bishop, "Pattern Recognition and Machine Learning", 2006, section 1.1.

    Example:
        >>> from minigrad.data import SinCurve
        >>> x, y = SinCurve(n=5, seed=0).tensors
        >>> x.shape, y.shape
        ((5, 1), (5, 1))
    """

    def __init__(self, n: int = 100, noise: float = 0.1, periods: float = 1.0, seed: int | None = None, generator: Generator | None = None):
        self.periods = periods
        super().__init__(n, noise, seed, generator, None)

    def _points(self, rng: Any) -> tuple[np.ndarray, np.ndarray]:
        x = rng.random((self.n, 1))
        return x, np.sin(2 * np.pi * self.periods * x)


__all__ = ["XOR", "Blobs", "Checkerboard", "Circles", "Moons", "SinCurve", "Spiral"]
