"""What transforms of images have in common, and how several become one."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...autograd import Tensor
from ...autograd.tensor import as_data, raw, wrap
from ...backend import device_of, generator, namespace, to_device
from ...backend.arrays import is_array
from ...errors import DTypeError, ShapeError


class Transform:
    """A transform of images: define ``apply(images)`` for an array (N, C, H, W).

    It is called with one image (C, H, W) or a batch (N, C, H, W), an array or a Tensor, and gives the like. What is random is
    drawn for each image by itself, from ``generator()``: the stream of the thread, or that of the batch in a DataLoader.

    Example:
        >>> import numpy as np
        >>> from minigrad.data import transforms
        >>> class Negative(transforms.Transform):
        ...     def apply(self, images):
        ...         return 1 - images
        >>> Negative()(np.zeros((1, 2, 2))).tolist()
        [[[1.0, 1.0], [1.0, 1.0]]]
    """

    batched = True
    """Whether a batch may be given; a TransformDataset then need not go through the samples one by one."""

    def __call__(self, x: Any) -> Any:
        a = raw(x)
        if not is_array(a) or a.ndim not in (3, 4):
            got = f"an array of shape {tuple(a.shape)}" if is_array(a) else type(a).__name__
            raise ShapeError(f"{type(self).__name__}: expected an image (C, H, W) or a batch (N, C, H, W), got {got}")
        y = self.apply(a if a.ndim == 4 else a[None])
        y = y if a.ndim == 4 else y[0]
        return wrap(y, None) if isinstance(x, Tensor) else y

    def apply(self, images: Any) -> Any:
        """The images changed; an array (N, C, H, W), which stays as it is."""
        raise NotImplementedError(f"{type(self).__name__}: define apply(images)")


def stream() -> Any:
    """NumPy's generator of the stream to draw from."""
    return generator().rng


def beside(a: Any, like: Any) -> Any:
    """A NumPy array on the device of another array."""
    return a if type(like) is np.ndarray else to_device(a, device_of(like))


def pair(who: str, name: str, value: Any) -> tuple[int, int]:
    """(height, width) out of one integer or two."""
    two = (value, value) if isinstance(value, (int, np.integer)) else tuple(value)
    if len(two) != 2 or any(isinstance(v, bool) or not isinstance(v, (int, np.integer)) or v < 1 for v in two):
        raise ValueError(f"{who}: {name} must be an integer >= 1 or two of them, got {value!r}")
    return int(two[0]), int(two[1])


def probability(who: str, p: Any) -> float:
    """p itself; ValueError unless it is one."""
    if not 0 <= p <= 1:
        raise ValueError(f"{who}: p must be between 0 and 1, got {p}")
    return float(p)


class Compose:
    """Transforms one after the other.

    Example:
        >>> from minigrad.data import transforms
        >>> double = transforms.Lambda(lambda x: 2 * x)
        >>> transforms.Compose([double, double])(1)
        4
    """

    def __init__(self, transforms: Sequence[Callable]):
        self.transforms = list(transforms)
        for t in self.transforms:
            if not callable(t):
                raise DTypeError(f"Compose: expected callables, got {type(t).__name__}")

    @property
    def batched(self) -> bool:
        """Whether all of them take batches."""
        return all(getattr(t, "batched", False) for t in self.transforms)

    def __call__(self, x: Any) -> Any:
        for t in self.transforms:
            x = t(x)
        return x


class Lambda:
    """A function as a transform.

    Args:
        function: of one sample.
        batched: whether it may be given a batch as well.

    Example:
        >>> from minigrad.data import transforms
        >>> transforms.Lambda(lambda label: label % 2)(7)
        1
    """

    def __init__(self, function: Callable, batched: bool = False):
        if not callable(function):
            raise DTypeError(f"Lambda: expected a callable, got {type(function).__name__}")
        self.function, self.batched = function, batched

    def __call__(self, x: Any) -> Any:
        return self.function(x)


def like_input(x: Any, f: Callable[[Any, Any], Any]) -> Any:
    """f(array, its namespace), a Tensor for a Tensor."""
    a = as_data(raw(x))
    y = f(a, namespace(type(a)))
    return wrap(y, None) if isinstance(x, Tensor) else y


__all__ = ["Compose", "Lambda", "Transform"]
