"""Preprocessing whose numbers are learned from the training part, and only from it: scaling and whitening."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, Self

import numpy as np

from ..autograd import Tensor
from ..autograd.tensor import as_data, raw, wrap
from ..backend import default_dtype, device_of, to_device
from ..errors import CheckpointError, DTypeError, ShapeError


class Preprocessing:
    """What ``fit`` learns from the training part and ``transform`` applies to any part.

    Fitting on all data before they are split would tell the training about the test part. Numbers are learned in float64; results have
    the dtype of the input, and the default dtype where that is an integer.

    Example:
        >>> import minigrad as mg
        >>> from minigrad import data
        >>> train, test = mg.tensor([[0.0], [10.0]]), mg.tensor([[5.0], [20.0]])
        >>> data.MinMax().fit(train).transform(test).tolist()
        [[0.5], [2.0]]
    """

    _learned: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.shape: tuple[int, ...] | None = None  # of a sample

    def fit(self, x: Any) -> Self:
        """Learn from the training part: x (n, ...), finite numbers.

        Raises:
            ShapeError: there is no sample, or no axis of samples.
            ValueError: a number that is not finite.
        """
        who = type(self).__name__
        a = np.asarray(to_device(as_data(raw(x)), "cpu"), np.float64)
        if a.ndim < 2 or not a.size:
            raise ShapeError(f"{who}.fit: expected samples with features, (n, ...), got shape {a.shape}; give a column as x[:, None]")
        if not np.isfinite(a).all():
            raise ValueError(f"{who}.fit: {np.count_nonzero(~np.isfinite(a))} of {a.size} numbers are NaN or infinite; fill them first")
        self._fit(a)
        self.shape = a.shape[1:]
        return self

    def transform(self, x: Any) -> Any:
        """Apply what was learned; a Tensor gives a Tensor, an array an array.

        Raises:
            RuntimeError: nothing was learned yet.
            ShapeError: samples of another shape than in ``fit``.
        """
        return self._applied("transform", x)

    def inverse_transform(self, x: Any) -> Any:
        """Undo ``transform``. Raises: as it does."""
        return self._applied("inverse_transform", x)

    def fit_transform(self, x: Any) -> Any:
        """``fit(x).transform(x)``, for the training part."""
        return self.fit(x).transform(x)

    __call__ = transform

    def state_dict(self) -> dict[str, Any]:
        """What was learned, as arrays by name."""
        self._check_fitted("state_dict")
        return {"shape": list(self.shape or ()), **{name: getattr(self, name).copy() for name in self._learned}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what another learned.

        Raises:
            CheckpointError: entries are missing or unknown; nothing has changed.
        """
        wanted = {"shape", *self._learned}
        if not isinstance(state, Mapping) or set(state) != wanted:
            got = sorted(state) if isinstance(state, Mapping) else type(state).__name__
            raise CheckpointError(f"{type(self).__name__}.load_state_dict: expected {sorted(wanted)}, got {got}; nothing was loaded")
        arrays = {name: np.array(to_device(as_data(raw(state[name])), "cpu"), np.float64) for name in self._learned}
        shape = tuple([int(n) for n in state["shape"]])
        self._check_state(arrays, shape)
        self.shape = shape
        for name, a in arrays.items():
            setattr(self, name, a)

    def _fit(self, a: np.ndarray) -> None:
        raise NotImplementedError(f"{type(self).__name__}: define _fit(a), _transform(x) and _inverse_transform(x)")

    def _applied(self, verb: str, x: Any) -> Any:
        self._check_fitted(verb)
        a = as_data(raw(x))
        shape = self.shape or ()
        if tuple(a.shape[1:]) != self._shape_for(verb, shape) or a.ndim < 2:
            raise ShapeError(
                f"{type(self).__name__}.{verb}: samples have shape {tuple(a.shape[1:])}, expected {self._shape_for(verb, shape)} as in fit"
            )
        if a.dtype.kind not in "biuf":
            raise DTypeError(f"{type(self).__name__}.{verb}: expected real numbers, got {a.dtype}")
        if a.dtype.kind != "f":
            a = a.astype(default_dtype())
        y = getattr(self, f"_{verb}")(a)
        return wrap(y, None) if isinstance(x, Tensor) else y

    def _check_fitted(self, verb: str) -> None:
        if self.shape is None:
            raise RuntimeError(f"{type(self).__name__}.{verb} before fit; call fit with the training part first")

    def _check_state(self, arrays: dict[str, np.ndarray], shape: tuple[int, ...]) -> None:
        for name, a in arrays.items():
            try:
                fits = np.broadcast_shapes(a.shape, (1, *shape)) == (1, *shape)
            except ValueError:
                fits = False
            if not fits:
                raise CheckpointError(f"{type(self).__name__}.load_state_dict: {name} {a.shape} does not fit samples of shape {shape}")

    def _shape_for(self, verb: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape


def _like(stored: np.ndarray, x: Any) -> Any:
    """What was learned, in the dtype and on the device of x."""
    return to_device(stored.astype(x.dtype), device_of(x))


class _Affine(Preprocessing):
    """(x - shift) / scale, with a shift and a scale per feature, or per what ``axis`` leaves."""

    _learned = ("shift", "scale")

    def __init__(self, axis: int | Sequence[int] = 0):
        super().__init__()
        self.axis = (axis,) if isinstance(axis, int) else tuple(axis)
        if 0 not in self.axis or any(a < 0 for a in self.axis):
            raise ValueError(f"{type(self).__name__}: axis must have 0, the axis of samples, and count from the front; got {axis}")

    def _transform(self, x: Any) -> Any:
        return (x - _like(self.shift, x)) / _like(self.scale, x)

    def _inverse_transform(self, x: Any) -> Any:
        return x * _like(self.scale, x) + _like(self.shift, x)

    shift: np.ndarray
    scale: np.ndarray

    def _learn(self, shift: np.ndarray, scale: np.ndarray) -> None:
        self.shift, self.scale = shift, np.where(scale > 0, scale, 1.0)


class ZScore(_Affine):
    """(x - mean) / standard deviation, each feature by itself.

    A feature that does not vary becomes 0: its standard deviation counts as 1.

    Args:
        axis: over which axes a mean is taken; 0: of each feature. (0, 2, 3): of each channel of images (n, C, H, W).

    Example:
        >>> from minigrad.data import ZScore
        >>> scale = ZScore().fit([[0.0, 5.0], [2.0, 5.0]])
        >>> scale.transform([[4.0, 5.0]]).tolist()
        [[3.0, 0.0]]
    """

    def _fit(self, a: np.ndarray) -> None:
        mean = a.mean(self.axis, keepdims=True)
        deviation = np.sqrt(np.square(a - mean).mean(self.axis, keepdims=True))
        least = a.min(self.axis, keepdims=True)
        still = least == a.max(self.axis, keepdims=True)  # rounding of the mean is no variation
        self._learn(np.where(still, least, mean), np.where(still, 0.0, deviation))


class MinMax(_Affine):
    """Linearly to an interval: the least of each feature in the training part to its lower end, the greatest to its upper.

    A feature that does not vary goes to the lower end. Values beyond those of the training part go beyond the interval.

    Args:
        feature_range: the interval.
        axis: as ``ZScore``.

    Example:
        >>> from minigrad.data import MinMax
        >>> MinMax().fit_transform([[1.0], [2.0], [5.0]]).tolist()
        [[0.0], [0.25], [1.0]]
    """

    def __init__(self, feature_range: tuple[float, float] = (0.0, 1.0), axis: int | Sequence[int] = 0):
        super().__init__(axis)
        low, high = feature_range
        if not low < high:
            raise ValueError(f"MinMax: feature_range must be (low, high) with low < high, got {feature_range}")
        self.feature_range = (float(low), float(high))

    def _fit(self, a: np.ndarray) -> None:
        low, high = a.min(self.axis, keepdims=True), a.max(self.axis, keepdims=True)
        self._learn(low, high - low)

    def _transform(self, x: Any) -> Any:
        low, high = self.feature_range
        return super()._transform(x) * (high - low) + low

    def _inverse_transform(self, x: Any) -> Any:
        low, high = self.feature_range
        return super()._inverse_transform((x - low) / (high - low))


class Whitening(Preprocessing):
    """Features made uncorrelated and of variance 1: y = W (x - mean), the covariance of x being U diag(s) U^T.

    PCA: W = diag(s + eps)^(-1/2) U^T, along the principal axes, largest first. ZCA: W = U diag(s + eps)^(-1/2) U^T, which stays closest
    to x. A direction without variance becomes 0. The sign of an axis is such that its largest entry is positive.

    Shapes: samples of any shape, taken as vectors of D numbers; ZCA gives the same shape, PCA (n, components).

    Args:
        method: "zca" or "pca".
        eps: added to the variances, so that noise in directions of little variance is not blown up.
        components: how many principal axes to keep, for PCA; default: all D.

    Numerics: an eigendecomposition of the D x D covariance, over n; so D of some thousands at most.

    Source:
        A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009, appendix A (ZCA).
        A. Bell, T. Sejnowski, "The 'independent components' of natural scenes are edge filters", 1997.

    Example:
        >>> import numpy as np
        >>> from minigrad.data import Whitening
        >>> x = np.array([[0.0, 0.0], [2.0, 2.0], [0.0, 1.0], [2.0, 1.0]])
        >>> y = Whitening(eps=0.0).fit_transform(x)
        >>> np.allclose(y.T @ y / 4, np.eye(2))
        True
    """

    _learned = ("mean", "axes", "variances")
    mean: np.ndarray
    axes: np.ndarray
    variances: np.ndarray

    def __init__(self, method: str = "zca", eps: float = 1e-5, components: int | None = None):
        super().__init__()
        if method not in ("zca", "pca"):
            raise ValueError(f"Whitening: method must be 'zca' or 'pca', got {method!r}")
        if not eps >= 0:
            raise ValueError(f"Whitening: eps must be >= 0, got {eps}")
        if components is not None and (method == "zca" or isinstance(components, bool) or components < 1):
            raise ValueError(f"Whitening: components must be an integer >= 1, and is for 'pca' alone; got {components!r}, {method!r}")
        self.method, self.eps, self.components = method, eps, components

    def _fit(self, a: np.ndarray) -> None:
        flat = a.reshape(len(a), -1)
        if self.components is not None and self.components > flat.shape[1]:
            raise ShapeError(f"Whitening.fit: {self.components} components of {flat.shape[1]} features")
        mean = flat.mean(0)
        flat = flat - mean
        s, u = np.linalg.eigh(flat.T @ flat / len(flat))
        u = u[:, ::-1][:, : self.components]
        s = s[::-1][: self.components]
        s = np.where(s > s[0] * len(mean) * np.finfo(np.float64).eps, s, 0.0)
        u = u * np.sign(u[np.abs(u).argmax(0), np.arange(u.shape[1])])
        self.mean, self.axes, self.variances = mean, u, s

    def _scales(self) -> tuple[np.ndarray, np.ndarray]:
        """1 / sqrt(s + eps), or 0 where there is no variance; and sqrt(s + eps)."""
        root = np.sqrt(self.variances + self.eps)
        return np.divide(1.0, root, out=np.zeros_like(root), where=self.variances > 0), root

    def _transform(self, x: Any) -> Any:
        down, _ = self._scales()
        matrix = self.axes * down
        if self.method == "zca":
            matrix = matrix @ self.axes.T
        y = (x.reshape(len(x), -1) - _like(self.mean, x)) @ _like(matrix, x)
        return y.reshape(x.shape) if self.method == "zca" else y

    def _inverse_transform(self, x: Any) -> Any:
        _, up = self._scales()
        matrix = (self.axes * up).T
        if self.method == "zca":
            matrix = self.axes @ matrix
        y = x.reshape(len(x), -1) @ _like(matrix, x) + _like(self.mean, x)
        return y.reshape((len(x), *(self.shape or ())))

    def _shape_for(self, verb: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (self.axes.shape[1],) if verb == "inverse_transform" and self.method == "pca" else shape

    def _check_state(self, arrays: dict[str, np.ndarray], shape: tuple[int, ...]) -> None:
        d, k = prod(shape), len(arrays["variances"]) if arrays["variances"].ndim == 1 else -1
        if arrays["mean"].shape != (d,) or arrays["axes"].shape != (d, k):
            shapes = {name: a.shape for name, a in arrays.items()}
            raise CheckpointError(f"Whitening.load_state_dict: {shapes} do not fit samples of shape {shape}; nothing was loaded")


__all__ = ["MinMax", "Preprocessing", "Whitening", "ZScore"]
