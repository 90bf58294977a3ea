"""Rows of mg.fft: the references multiply by the matrix of the transform."""

from typing import Any

import numpy as np

from ...errors import DTypeError, ShapeError
from ..spec import OpSpec, S

LONG = ("float32", "float64")


def complex_of(d: Any) -> Any:
    return np.result_type(d, np.complex64)


def _dft(x: Any, n: int | None = None, axis: int = -1, norm: str | None = None, sign: int = -1) -> Any:
    x = np.moveaxis(np.asarray(x), axis, -1)
    n = x.shape[-1] if n is None else n
    x = np.concatenate([x[..., :n], np.zeros((*x.shape[:-1], max(0, n - x.shape[-1])))], -1)
    j = np.arange(n)
    y = x @ np.exp(sign * 2j * np.pi * np.outer(j, j) / n)
    divided = {"backward": sign > 0, "forward": sign < 0, "ortho": 0.5}[norm or "backward"]
    return np.moveaxis(y / n ** float(divided), -1, axis)


def _idft(x: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    return _dft(x, n, axis, norm, 1)


def _grid(one: Any) -> Any:
    def f(x: Any, s: Any = None, axes: Any = None, norm: str | None = None) -> Any:
        if axes is None:
            axes = range(x.ndim) if s is None else range(-len(s), 0)
        for i, axis in enumerate(axes):
            x = one(x, None if s is None else s[i], axis, norm)
        return x

    return f


def _half(x: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    y = np.moveaxis(_dft(x, n, axis, norm), axis, -1)
    return np.moveaxis(y[..., : y.shape[-1] // 2 + 1], -1, axis)


def _unhalf(x: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    x = np.moveaxis(x, axis, -1)
    n = 2 * (x.shape[-1] - 1) if n is None else n
    m = n // 2 + 1
    x = np.concatenate([x[..., :m], np.zeros((*x.shape[:-1], max(0, m - x.shape[-1])))], -1) + 0j
    x[..., 0] = x[..., 0].real
    if n % 2 == 0:
        x[..., -1] = x[..., -1].real
    rest = x[..., 1 : (n + 1) // 2].conj()[..., ::-1]
    return np.moveaxis(_idft(np.concatenate([x, rest], -1), n, -1, norm).real, -1, axis)


def _half_grid(x: Any, s: Any = None, axes: Any = None, norm: str | None = None) -> Any:
    axes = list(axes or (range(x.ndim) if s is None else range(-len(s), 0)))
    y = _half(x, None if s is None else s[-1], axes[-1], norm)
    return _grid(_dft)(y, None if s is None else s[:-1], axes[:-1], norm)


def _unhalf_grid(x: Any, s: Any = None, axes: Any = None, norm: str | None = None) -> Any:
    axes = list(axes or (range(x.ndim) if s is None else range(-len(s), 0)))
    y = _grid(_idft)(x, None if s is None else s[:-1], axes[:-1], norm)
    return _unhalf(y, None if s is None else s[-1], axes[-1], norm)


SWAPPED = {None: "forward", "backward": "forward", "ortho": "ortho", "forward": "backward"}


def _hfft(x: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    return _unhalf(np.conj(x), n, axis, SWAPPED[norm])


def _ihfft(x: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
    return np.conj(_half(x, n, axis, SWAPPED[norm]))


def _shift(step: int) -> Any:
    """By cutting each axis in two and exchanging the halves."""

    def f(x: Any, axes: Any = None) -> Any:
        axes = range(x.ndim) if axes is None else [axes] if isinstance(axes, int) else axes
        for a in axes:
            n = x.shape[a]
            cut = (n + 1) // 2 if step > 0 else n // 2
            x = np.concatenate([np.take(x, range(cut, n), a), np.take(x, range(cut), a)], a)
        return x

    return f


ONE = [S((2, 4)), S((5,)), S((3, 4), n=6), S((3, 4), n=3), S((4, 2), axis=0, norm="ortho"), S((2, 5), norm="forward"), S((1,))]
HALF = [
    S((2, 4)),
    S((5,)),
    S((3, 4), n=7),
    S((3, 4), n=3),
    S((4, 2), axis=0, norm="ortho", n=5),
    S((2, 5), norm="forward"),
    S((2,)),
    S((3,), n=1),
]
TWO = [S((2, 3, 4)), S((3, 4), s=(2, 5)), S((3, 2, 4), axes=(0, 2), norm="ortho"), S((2, 3), norm="forward")]
MANY = [S((2, 3, 4), axes=(-2, -1)), *TWO, S((2, 3, 3), s=[4, 2]), S((3, 2), s=(2, 3), axes=(1, 0)), S((4,))]
ERRORS: list[tuple] = [
    ((np.ones(4), 0), {}, ShapeError, "at least 1"),
    ((np.ones(4), 2.5), {}, DTypeError, "2.5"),
    ((np.ones(4),), {"norm": "none"}, ValueError, "'none'"),
    ((np.ones(4),), {"axis": 1}, ShapeError, "axis 1"),
    ((np.ones(4, "float16"),), {}, DTypeError, "float16"),
]


def row(name: str, reference: Any, samples: list, to_complex: bool = False, complex: bool = True, errors: Any = ()) -> OpSpec:
    """A row of a transform; ``to_complex``: real numbers give complex ones."""
    return OpSpec(
        f"fft.{name}",
        reference,
        samples,
        dtypes=LONG,
        dtype=complex_of if to_complex else None,
        complex=complex,
        errors=[(*e[:3], (name, e[3])) for e in errors],
    )


REAL_ONLY: tuple = ((np.ones(4, complex),), {}, DTypeError, "real")

SPECS = [
    row("fft", _dft, ONE, True, errors=ERRORS),
    row("ifft", _idft, ONE, True, errors=ERRORS),
    row("fft2", _grid(_dft), TWO[1:2] + TWO[3:], True),
    row("ifft2", _grid(_idft), TWO[1:2] + TWO[3:], True),
    row("fftn", _grid(_dft), MANY, True, errors=[((np.ones((2, 2)),), {"s": (2,), "axes": (0, 1)}, ShapeError, "1 lengths")]),
    row("ifftn", _grid(_idft), MANY, True),
    row("rfft", _half, ONE, True, complex=False, errors=[*ERRORS, REAL_ONLY]),
    row("irfft", _unhalf, HALF, errors=ERRORS),
    row("rfftn", _half_grid, MANY, True, complex=False, errors=[REAL_ONLY]),
    row("irfftn", _unhalf_grid, MANY),
    row("rfft2", _half_grid, TWO[1:2] + TWO[3:], True, complex=False),
    row("irfft2", _unhalf_grid, TWO[1:2] + TWO[3:]),
    row("hfft", _hfft, HALF, errors=ERRORS),
    row("ihfft", _ihfft, ONE, True, complex=False, errors=[*ERRORS, REAL_ONLY]),
    row("fftshift", _shift(1), [S((3, 4)), S((5,)), S((4, 3), axes=0), S((2, 3, 4), axes=(0, -1))]),
    row("ifftshift", _shift(-1), [S((3, 4)), S((5,)), S((4, 3), axes=0), S((2, 3, 4), axes=(0, -1))]),
]


def _frequencies(n: int, d: float = 1.0) -> Any:
    return np.array([(k if k < (n + 1) // 2 else k - n) / (n * d) for k in range(n)])


SPECS += [
    OpSpec("fft.fftfreq", _frequencies, [S(4), S(5, 0.5), S(1)], order=0, creates=True, dtypes=("float32",), single=1e-6),
    OpSpec(
        "fft.rfftfreq",
        lambda n, d=1.0: abs(_frequencies(n, d)[: n // 2 + 1]),
        [S(4), S(5, 0.5), S(1)],
        order=0,
        creates=True,
        dtypes=("float32",),
        single=1e-6,
    ),
]
