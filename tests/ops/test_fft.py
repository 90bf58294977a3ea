"""Fourier transforms: dtypes, round trips, conventions at the ends of half spectra."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import fft
from minigrad.testing import gradcheck, gradgradcheck

rng = np.random.default_rng(0)


def leaf(*shape, complex=False):
    x = rng.normal(size=shape)
    return mg.tensor(x + 1j * rng.normal(size=shape) if complex else x, requires_grad=True)


def test_single_precision_stays_single():
    x = mg.tensor(np.ones(4, "float32"))
    assert fft.fft(x).dtype == np.complex64
    assert fft.rfft(x).dtype == np.complex64
    assert fft.irfft(fft.rfft(x)).dtype == np.float32
    assert fft.fft(np.arange(4)).dtype == np.complex128


@pytest.mark.parametrize("norm", [None, "backward", "ortho", "forward"])
@pytest.mark.parametrize("n", [1, 2, 5, 6])
def test_inverses(norm, n):
    x = rng.normal(size=(3, n))
    z = x + 1j * rng.normal(size=(3, n))
    assert np.allclose(fft.ifft(fft.fft(z, norm=norm), norm=norm), z)
    assert np.allclose(fft.irfft(fft.rfft(x, norm=norm), n, norm=norm), x)
    assert np.allclose(fft.ifftn(fft.fftn(z, norm=norm), norm=norm), z)
    assert np.allclose(fft.irfftn(fft.rfftn(x, norm=norm), s=x.shape, norm=norm), x)
    assert np.allclose(fft.hfft(fft.ihfft(x, norm=norm), n, norm=norm), x)


@pytest.mark.parametrize("n", [5, 6])
def test_gradient_of_a_round_trip_is_the_gradient_itself(n):
    x, g = leaf(n), rng.normal(size=n)
    for y in (fft.ifft(fft.fft(x)).real, fft.irfft(fft.rfft(x), n), fft.hfft(fft.ihfft(x), n)):
        (d,) = mg.grad(y, x, g)
        assert d.dtype == np.float64
        assert np.allclose(d.numpy(), g)


@pytest.mark.parametrize("n", [5, 6])
def test_imaginary_parts_that_irfft_does_not_read_have_gradient_zero(n):
    z = leaf(n // 2 + 1, complex=True)
    d = mg.grad(fft.irfft(z, n), z, rng.normal(size=n))[0].numpy()
    assert d[0].imag == 0
    assert (d[-1].imag == 0) == (n % 2 == 0)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("m", [1, 2, 3, 4, 5])
def test_half_transforms_of_all_lengths(n, m):
    x, z = leaf(m), leaf(m, complex=True)
    for norm in ("backward", "ortho", "forward"):
        assert gradcheck(lambda t, norm=norm: fft.rfft(t, n, norm=norm), [x])
        assert gradcheck(lambda t, norm=norm: fft.irfft(t, n, norm=norm), [z])
    assert gradgradcheck(lambda t: fft.rfft(t, n), [x])
    assert gradgradcheck(lambda t: fft.irfft(t, n), [z])
    assert gradgradcheck(lambda t: fft.fft(t, n), [z])


def test_convolution_by_transforms():
    a, b = leaf(4), leaf(3)
    y = fft.irfft(fft.rfft(a, 6) * fft.rfft(b, 6), 6)
    assert np.allclose(y.numpy(), np.convolve(a.data, b.data))
    g = rng.normal(size=6)
    da, db = mg.grad(y, [a, b], g)
    assert np.allclose(da.numpy(), np.correlate(g, b.data, "valid"))
    assert np.allclose(db.numpy(), np.correlate(g, a.data, "valid"))


def test_parseval():
    """The sum of squares does not change, so its gradient is 2x."""
    x = leaf(3, 4)
    (d,) = mg.grad((mg.abs(fft.fftn(x, norm="ortho")) ** 2).sum(), x)
    assert np.allclose(d.numpy(), 2 * x.data)


def test_frequencies():
    for n in (1, 4, 5):
        assert np.allclose(fft.fftfreq(n, 0.5).numpy(), np.fft.fftfreq(n, 0.5))
        assert np.allclose(fft.rfftfreq(n, 0.5).numpy(), np.fft.rfftfreq(n, 0.5))
    assert fft.fftfreq(4).dtype == np.float32
    assert fft.rfftfreq(4, dtype="float64").dtype == np.float64
    with pytest.raises(ValueError, match="fftfreq"):
        fft.fftfreq(0)


@pytest.mark.torch
def test_gradients_are_torchs():
    torch = pytest.importorskip("torch")
    for name, z in (("fft", leaf(5, complex=True)), ("irfft", leaf(4, complex=True)), ("hfft", leaf(4, complex=True)), ("rfft", leaf(6))):
        t = torch.tensor(z.data, requires_grad=True)
        y, u = getattr(fft, name)(z), getattr(torch.fft, name)(t)
        mine = mg.grad((mg.abs(y) ** 3).sum(), z)[0].numpy()
        theirs = torch.autograd.grad((u.abs() ** 3).sum(), t)[0].resolve_conj().numpy()
        assert np.allclose(mine, theirs), name
