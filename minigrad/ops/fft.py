"""Discrete Fourier transforms, ``mg.fft``.

The transform is a product with a symmetric matrix, F = Fᵀ with entries exp(-2πi jk / n). So the gradient of a transform is the same
transform of the gradient, and what was cut off or filled up with zeros before it is filled up or cut off after it.
The transforms of real data keep half of the spectrum, as the other half is its conjugate: the halves that stand for two
entries count twice on the way back.
"""

from typing import Any

from ..autograd.arguments import normal_axis
from ..autograd.forms import apply, general
from ..autograd.tensor import raw, wrap
from ..backend import default_dtype
from ..backend.arrays import asarray, namespace
from ..backend.devices import to_device
from ..errors import DTypeError, ShapeError
from .arithmetic import conj
from .axes import roll
from .contraction import arraylike
from .losses import measured

_SWAPPED = {"backward": "forward", "ortho": "ortho", "forward": "backward"}


def _resize(xp: Any, x: Any, to: tuple[int, ...]) -> Any:
    """x cut off, or filled up with zeros, at the end of each axis."""
    part = tuple([slice(0, n) for n in to])
    if all(n <= m for n, m in zip(to, x.shape, strict=True)):
        return x[part]
    y = xp.zeros(to, x.dtype)
    x = x[part]
    y[tuple([slice(0, n) for n in x.shape])] = x
    return y


_resized = general(_resize, lambda g, shape: resized(g, shape), name="resize")


def resized(x: Any, shape: tuple[int, ...]) -> Any:
    """x cut off or filled up with zeros to this shape; its gradient is the same in the other direction."""
    return x if tuple(x.shape) == tuple(shape) else apply(_resized, (x,), tuple(shape))


def _transform(xp: Any, x: Any, s: tuple[int, ...], axes: tuple[int, ...], norm: str, inverse: bool) -> Any:
    return (xp.fft.ifftn if inverse else xp.fft.fftn)(x, s, axes, norm)


_dft: Any = general(
    _transform,
    lambda g, shape, s, axes, norm, inverse: resized(apply(_dft, (g,), s, axes, norm, inverse), shape),
    name="fft",
)


def _weights(g: Any, n: int, axis: int) -> Any:
    """How many of the n entries of a full spectrum each entry of the half spectrum g stands for."""
    a = raw(g)
    w = namespace(type(a)).full(a.shape[axis], 2.0, a.real.dtype)
    w[0] = 1.0
    if n % 2 == 0:
        w[-1] = 1.0
    return w.reshape([-1 if i == axis else 1 for i in range(a.ndim)])


_rfft = general(
    lambda xp, x, n, axis, norm: xp.fft.rfft(x, n, axis, norm),
    lambda g, shape, n, axis, norm: resized(apply(_irfft, (conj(g) / _weights(g, n, axis),), n, axis, _SWAPPED[norm]), shape),
    name="rfft",
)


def _irfft_rule(g: Any, shape: tuple, n: int, axis: int, norm: str) -> Any:
    d = conj(apply(_rfft, (g,), n, axis, _SWAPPED[norm]))
    return resized(d * _weights(d, n, axis), shape)


_irfft: Any = general(lambda xp, x, n, axis, norm: xp.fft.irfft(x, n, axis, norm), _irfft_rule, name="irfft")


# -- the doors --------------------------------------------------------------------------------------------------------
def _checked(name: str, x: Any, norm: str | None) -> tuple[Any, str]:
    x = measured(arraylike(x))
    if x.dtype.itemsize == 2 and x.dtype.kind not in "iu":
        raise DTypeError(f"{name}: {x.dtype} is not supported; use astype('float32')")
    norm = "backward" if norm is None else norm
    if norm not in _SWAPPED:
        raise ValueError(f"{name}: norm must be 'backward', 'ortho' or 'forward', got {norm!r}")
    return x, norm


def _length(name: str, n: Any) -> int:
    if isinstance(n, bool) or not hasattr(n, "__index__"):
        raise DTypeError(f"{name}: the length must be an integer, got {n!r}")
    if n.__index__() < 1:
        raise ShapeError(f"{name}: the length must be at least 1, got {n}")
    return n.__index__()


def _grid(name: str, x: Any, s: Any, axes: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The lengths and the axes of a transform of several axes."""
    if axes is None:
        axes = tuple(range(-len(s), 0)) if s is not None else None
    axes = normal_axis(name, axes, x.ndim)
    s = [x.shape[i] for i in axes] if s is None else list(s)
    if len(s) != len(axes):
        raise ShapeError(f"{name}: s has {len(s)} lengths, axes are {len(axes)}")
    return tuple([_length(name, x.shape[i] if n in (None, -1) else n) for n, i in zip(s, axes, strict=True)]), axes


def _complex(name: str, x: Any, s: Any, axes: Any, norm: str | None, inverse: bool) -> Any:
    x, norm = _checked(name, x, norm)
    s, axes = _grid(name, x, s, axes)
    return apply(_dft, (x,), s, axes, norm, inverse)


def _real(name: str, x: Any, n: Any, axis: int, norm: str | None, inverse: bool) -> Any:
    x, norm = _checked(name, x, norm)
    (axis,) = normal_axis(name, axis, x.ndim)
    if not inverse and x.dtype.kind == "c":
        raise DTypeError(f"{name}: expected real numbers, got {x.dtype}; use {name[1:] if name[0] == 'r' else 'hfft'}")
    length = x.shape[axis]
    if inverse:
        n = _length(name, 2 * (length - 1) if n is None else n)
        x = resized(x, tuple([n // 2 + 1 if i == axis else m for i, m in enumerate(x.shape)]))
        return apply(_irfft, (x,), n, axis, norm)
    return apply(_rfft, (x,), _length(name, length if n is None else n), axis, norm)


def fft(x: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """Discrete Fourier transform along one axis, ``y[k] = sum(x[j] exp(-2 pi i j k / n))``.

    Shapes: y has length n along axis.
    Args:
        n: cut x off, or fill it up with zeros, to this length; default: the length of x.
        norm: which direction is divided by n: "backward" (the inverse), "forward" (this one), "ortho" (each by its root).
    Returns: complex numbers; complex64 for float32.
    Gradient: the same transform of g; its real part where x is real.
    Source: J. Cooley, J. Tukey, "An algorithm for the machine calculation of complex Fourier series" (1965).
    Example:
        >>> import minigrad as mg
        >>> mg.fft.fft(mg.tensor([1.0, 0.0, -1.0, 0.0])).real
        Tensor([0., 2., 0., 2.], shape (4,), float32, cpu)
    """
    return _complex("fft", x, None if n is None else (n,), (axis,), norm, False)


def ifft(x: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """Inverse of ``fft``, ``y[j] = sum(x[k] exp(2 pi i j k / n)) / n``; arguments as there.

    Example:
        >>> import minigrad as mg
        >>> mg.fft.ifft(mg.fft.fft(mg.tensor([1.0, 2.0, 3.0, 4.0]))).real.tolist()
        [1.0, 2.0, 3.0, 4.0]
    """
    return _complex("ifft", x, None if n is None else (n,), (axis,), norm, True)


def fft2(x: Any, s: Any = None, axes: Any = (-2, -1), norm: str | None = None) -> Any:
    """``fft`` along two axes; arguments as in ``fftn``.

    Example:
        >>> import minigrad as mg
        >>> mg.fft.fft2(mg.ones((2, 2))).real.tolist()
        [[4.0, 0.0], [0.0, 0.0]]
    """
    return _complex("fft2", x, s, axes, norm, False)


def ifft2(x: Any, s: Any = None, axes: Any = (-2, -1), norm: str | None = None) -> Any:
    """Inverse of ``fft2``.

    Example:
        >>> import minigrad as mg
        >>> mg.fft.ifft2(mg.fft.fft2(mg.tensor([[1.0, 2.0], [3.0, 4.0]]))).real.tolist()
        [[1.0, 2.0], [3.0, 4.0]]
    """
    return _complex("ifft2", x, s, axes, norm, True)


def fftn(x: Any, s: Any = None, axes: Any = None, norm: str | None = None) -> Any:
    """``fft`` along several axes.

    Args:
        s: the length of each axis, to which x is cut off or filled up with zeros.
        axes: default: the last ``len(s)``, or all.
        norm: as in ``fft``.
    Example:
        >>> import minigrad as mg
        >>> mg.fft.fftn(mg.ones((2, 2, 2)))[0, 0, 0].item()  # the sum
        (8+0j)
    """
    return _complex("fftn", x, s, axes, norm, False)


def ifftn(x: Any, s: Any = None, axes: Any = None, norm: str | None = None) -> Any:
    """Inverse of ``fftn``.

    Example:
        >>> import minigrad as mg
        >>> mg.fft.ifftn(mg.ones((2, 2))).real.tolist()
        [[1.0, 0.0], [0.0, 0.0]]
    """
    return _complex("ifftn", x, s, axes, norm, True)


def rfft(x: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """``fft`` of real numbers: the first ``n // 2 + 1`` entries, the others being their conjugates.

    Shapes: y has length n // 2 + 1 along axis.
    Args: as ``fft``.
    Gradient: the inverse transform of conj(g), each entry divided by how many entries of the full spectrum it stands for.
    Example:
        >>> import minigrad as mg
        >>> mg.fft.rfft(mg.tensor([1.0, 0.0, -1.0, 0.0])).shape
        (3,)
    """
    return _real("rfft", x, n, axis, norm, False)


def irfft(x: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """Inverse of ``rfft``: real numbers from half a spectrum.

    Shapes: y has length n along axis; default: 2 (m - 1), m being the length of x. Give n where it is odd.
    Gradient: ``rfft`` of g, entries that stand for two counting twice; the imaginary parts of the first and (n even) the last entry,
        which are not read, get 0.
    Example:
        >>> import minigrad as mg
        >>> mg.round(mg.fft.irfft(mg.fft.rfft(mg.tensor([1.0, 2.0, 3.0])), n=3), 3).tolist()
        [1.0, 2.0, 3.0]
    """
    return _real("irfft", x, n, axis, norm, True)


def rfftn(x: Any, s: Any = None, axes: Any = None, norm: str | None = None) -> Any:
    """``rfft`` along the last of several axes, then ``fft`` along the others; arguments as in ``fftn``.

    Example:
        >>> import minigrad as mg
        >>> mg.fft.rfftn(mg.ones((4, 6))).shape
        (4, 4)
    """
    x, norm = _checked("rfftn", x, norm)
    s, axes = _grid("rfftn", x, s, axes)
    y = _real("rfftn", x, s[-1], axes[-1], norm, False)
    return _complex("rfftn", y, s[:-1], axes[:-1], norm, False) if len(axes) > 1 else y


def irfftn(x: Any, s: Any = None, axes: Any = None, norm: str | None = None) -> Any:
    """Inverse of ``rfftn``; give s where the last length is odd.

    Example:
        >>> import minigrad as mg
        >>> mg.round(mg.fft.irfftn(mg.fft.rfftn(mg.ones((2, 3))), s=(2, 3)), 3).tolist()
        [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """
    x, norm = _checked("irfftn", x, norm)
    last = None if s is None else s[-1]
    s, axes = _grid("irfftn", x, s, axes)
    y = _complex("irfftn", x, s[:-1], axes[:-1], norm, True) if len(axes) > 1 else x
    return _real("irfftn", y, None if last in (None, -1) else last, axes[-1], norm, True)


def rfft2(x: Any, s: Any = None, axes: Any = (-2, -1), norm: str | None = None) -> Any:
    """``rfftn`` along two axes.

    Example:
        >>> import minigrad as mg
        >>> mg.fft.rfft2(mg.ones((5, 4, 6))).shape
        (5, 4, 4)
    """
    return rfftn(x, s, axes, norm)


def irfft2(x: Any, s: Any = None, axes: Any = (-2, -1), norm: str | None = None) -> Any:
    """Inverse of ``rfft2``.

    Example:
        >>> import minigrad as mg
        >>> mg.fft.irfft2(mg.fft.rfft2(mg.ones((2, 2)))).tolist()
        [[1.0, 1.0], [1.0, 1.0]]
    """
    return irfftn(x, s, axes, norm)


def hfft(x: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """``fft`` of numbers of which the second half is the conjugate of the first: it is real.

    Shapes: y has length n along axis; default: 2 (m - 1).
    Example:
        >>> import minigrad as mg
        >>> mg.fft.hfft(mg.tensor([1.0, 2.0, 3.0])).tolist()  # of 1, 2, 3, 2
        [8.0, -2.0, 0.0, -2.0]
    """
    x, norm = _checked("hfft", x, norm)
    return _real("hfft", conj(x) if x.dtype.kind == "c" else x, n, axis, _SWAPPED[norm], True)


def ihfft(x: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    """Inverse of ``hfft``: the first ``n // 2 + 1`` entries.

    Example:
        >>> import minigrad as mg
        >>> mg.fft.ihfft(mg.tensor([8.0, -2.0, 0.0, -2.0])).real.tolist()
        [1.0, 2.0, 3.0]
    """
    x, norm = _checked("ihfft", x, norm)
    return conj(_real("ihfft", x, n, axis, _SWAPPED[norm], False))


# -- frequencies and their order --------------------------------------------------------------------------------------
def _frequencies(name: str, n: int, d: float, half: bool, dtype: Any, device: Any) -> Any:
    n = _length(name, n)
    k = [*range(n // 2 + 1)] if half else [*range((n + 1) // 2), *range(-(n // 2), 0)]
    a = asarray([i / (n * d) for i in k]).astype(default_dtype() if dtype is None else dtype)
    return wrap(a if device is None else to_device(a, device), None)


def fftfreq(n: int, d: float = 1.0, dtype: Any = None, device: Any = None) -> Any:
    """The frequencies of the entries of ``fft``, in cycles per unit of d.

    Args:
        n: the length of the transform.
        d: the distance of the samples.
        dtype: default: the default dtype.
    Example:
        >>> import minigrad as mg
        >>> mg.fft.fftfreq(4)
        Tensor([ 0.  ,  0.25, -0.5 , -0.25], shape (4,), float32, cpu)
    """
    return _frequencies("fftfreq", n, d, False, dtype, device)


def rfftfreq(n: int, d: float = 1.0, dtype: Any = None, device: Any = None) -> Any:
    """The frequencies of the entries of ``rfft``; arguments as in ``fftfreq``.

    Example:
        >>> import minigrad as mg
        >>> mg.fft.rfftfreq(4).tolist()
        [0.0, 0.25, 0.5]
    """
    return _frequencies("rfftfreq", n, d, True, dtype, device)


def fftshift(x: Any, axes: Any = None) -> Any:
    """Move frequency 0 to the middle, along some axes or all.

    Example:
        >>> import minigrad as mg
        >>> mg.fft.fftshift(mg.tensor([0.0, 1.0, -2.0, -1.0]))
        Tensor([-2., -1.,  0.,  1.], shape (4,), float32, cpu)
    """
    x = arraylike(x)
    axes = normal_axis("fftshift", axes, x.ndim)
    return roll(x, tuple([x.shape[i] // 2 for i in axes]), axes)


def ifftshift(x: Any, axes: Any = None) -> Any:
    """Inverse of ``fftshift``.

    Example:
        >>> import minigrad as mg
        >>> mg.fft.ifftshift(mg.fft.fftshift(mg.tensor([0.0, 1.0, 2.0]))).tolist()
        [0.0, 1.0, 2.0]
    """
    x = arraylike(x)
    axes = normal_axis("ifftshift", axes, x.ndim)
    return roll(x, tuple([-(x.shape[i] // 2) for i in axes]), axes)


__all__ = [
    *("fft", "fft2", "fftfreq", "fftn", "fftshift", "hfft", "ifft", "ifft2", "ifftn", "ifftshift", "ihfft"),
    *("irfft", "irfft2", "irfftn", "rfft", "rfft2", "rfftfreq", "rfftn"),
]
