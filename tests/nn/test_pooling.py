"""Pooling layers: settings, draws, what PyTorch lacks."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import DTypeError, IndexRangeError, ShapeError
from minigrad.nn import functional as F


def x(*shape, seed=0):
    return mg.tensor(np.random.default_rng(seed).normal(size=shape).astype("float32"), requires_grad=True)


# -- settings ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: nn.MaxPool2d(0), ShapeError, ("MaxPool2d", "kernel_size")),
        (lambda: nn.MaxPool1d(2, stride=0), ShapeError, ("MaxPool1d", "stride")),
        (lambda: nn.MaxPool3d((2, 2)), ShapeError, ("MaxPool3d", "3 of them")),
        (lambda: nn.MaxPool2d(2.0), DTypeError, ("MaxPool2d", "integer")),
        (lambda: nn.AvgPool2d(2, padding=-1), ShapeError, ("AvgPool2d", "padding")),
        (lambda: nn.LPPool2d(0, 2), DTypeError, ("LPPool2d", "norm_type")),
        (lambda: nn.LPPool1d(2, 0), ShapeError, ("LPPool1d", "kernel_size")),
        (lambda: nn.AdaptiveAvgPool2d(0), ShapeError, ("AdaptiveAvgPool2d", "output_size")),
        (lambda: nn.AdaptiveMaxPool3d((1, 2)), ShapeError, ("AdaptiveMaxPool3d", "3 of them")),
        (lambda: nn.MaxUnpool2d(0), ShapeError, ("MaxUnpool2d", "kernel_size")),
        (lambda: nn.FractionalMaxPool2d(2), ValueError, ("FractionalMaxPool2d", "either")),
        (lambda: nn.FractionalMaxPool2d(2, 3, 0.5), ValueError, ("FractionalMaxPool2d", "either")),
        (lambda: nn.FractionalMaxPool3d(2, output_ratio=1.5), ValueError, ("FractionalMaxPool3d", "between 0 and 1")),
        (lambda: nn.StochasticPool2d(0), ShapeError, ("StochasticPool2d", "kernel_size")),
    ],
)
def test_bad_settings_are_refused_when_the_layer_is_made(make, error, words):
    with pytest.raises(error) as caught:
        make()
    assert all(w in str(caught.value) for w in words)


def test_repr():
    assert repr(nn.MaxPool2d(2)) == "MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)"
    assert repr(nn.LPPool1d(2, 3)) == "LPPool1d(norm_type=2, kernel_size=3, stride=3, ceil_mode=False)"
    assert repr(nn.FractionalMaxPool2d(2, 3)) == "FractionalMaxPool2d(kernel_size=2, output_size=3)"
    assert repr(nn.StochasticPool2d(2)) == "StochasticPool2d(kernel_size=2, stride=2, padding=0, ceil_mode=False)"
    assert repr(nn.GlobalAvgPool2d()) == "GlobalAvgPool2d()"
    assert repr(nn.GlobalMaxPool1d(True)) == "GlobalMaxPool1d(keepdims=True)"


# -- global -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("n", [1, 2, 3])
def test_global_pooling_is_a_mean_and_a_maximum(n):
    t = x(2, 3, *(4, 5, 6)[:n])
    axes = tuple(range(2, n + 2))
    for kind, f in (("Avg", np.mean), ("Max", np.max)):
        layer = getattr(nn, f"Global{kind}Pool{n}d")
        np.testing.assert_allclose(layer()(t).detach().numpy(), f(t.detach().numpy(), axes), rtol=1e-5, atol=1e-7)
        adaptive = getattr(nn, f"Adaptive{kind}Pool{n}d")(1)
        kept = layer(keepdims=True)(t)
        np.testing.assert_allclose(kept.detach().numpy(), adaptive(t).detach().numpy(), rtol=1e-5, atol=1e-7)
        assert layer()(t[0]).shape == (3,)
        with pytest.raises(ShapeError, match=f"Global{kind}Pool{n}d"):
            layer()(x(3))


# -- unpooling --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("n", [1, 2, 3])
def test_unpooling_puts_back_what_pooling_took(n):
    pool, back = getattr(nn, f"MaxPool{n}d"), getattr(nn, f"MaxUnpool{n}d")
    t = x(2, 3, *(5, 6, 5)[:n])
    y, places = pool(2, return_indices=True)(t)
    z = back(2)(y, places, output_size=t.shape)
    assert z.shape == t.shape
    kept = z.detach().numpy() != 0
    assert np.array_equal(z.detach().numpy()[kept], t.detach().numpy()[kept])
    assert kept.sum() == y.size
    z.sum().backward()
    assert np.array_equal(t.grad.numpy() != 0, kept)
    again, same = pool(2, return_indices=True)(z.detach())
    assert np.array_equal(np.maximum(y.detach().numpy(), 0), again.numpy())
    assert np.array_equal(same.numpy()[again.numpy() > 0], places.numpy()[again.numpy() > 0])


def test_unpooling_of_overlapping_windows():
    y, places = F.max_pool1d(mg.tensor([[0.0, 5.0, 1.0, 0.0]]), 3, 1, return_indices=True)
    y.requires_grad_()
    z = F.max_unpool1d(y, places, 3, 1)
    assert z.tolist() == [[0.0, 5.0, 0.0, 0.0]]
    (z * mg.tensor([1.0, 2.0, 3.0, 4.0])).sum().backward()
    assert y.grad.tolist() == [[2.0, 2.0]]


def test_unpooling_refuses_places_outside():
    with pytest.raises(IndexRangeError, match="4 places"):
        nn.MaxUnpool2d(2)(mg.ones((1, 1, 1)), mg.tensor([[[4]]]))
    with pytest.raises(ShapeError, match="possible are 3 to 5"):
        nn.MaxUnpool1d(2)(mg.ones((1, 2)), mg.tensor([[0, 2]]), output_size=(6,))


# -- fractional -------------------------------------------------------------------------------------------------------
def test_fractional_windows_cover_the_image_in_order():
    """A ramp is largest at the end of each window: starts grow, steps are floor or ceil of the ratio, the last window ends at the edge."""
    mg.manual_seed(0)
    ramp = mg.tensor(np.tile(np.arange(25.0, dtype="float32"), (4, 3, 25, 1)))
    y = nn.FractionalMaxPool2d(2, output_size=(25 - 1, 15))(ramp).numpy()
    assert (y[..., -1] == 24).all()
    steps = np.diff(y[..., :-1], axis=-1)
    assert set(np.unique(steps)) <= {1.0, 2.0}
    assert len(np.unique(y[:, :, 0, :].reshape(12, -1), axis=0)) > 1, "each channel of each image has its own draw"


def test_fractional_draws_are_reproducible():
    layer, t = nn.FractionalMaxPool3d(2, output_ratio=0.6), x(2, 2, 6, 7, 8)
    mg.manual_seed(1)
    a = layer(t).detach().numpy()
    b = layer(t).detach().numpy()
    mg.manual_seed(1)
    assert np.array_equal(layer(t).detach().numpy(), a)
    assert not np.array_equal(a, b)
    assert layer.state_dict() == {}
    assert list(nn.FractionalMaxPool2d(2, 3, _random_samples=np.zeros((1, 1, 2))).state_dict()) == ["_random_samples"]


# -- stochastic -------------------------------------------------------------------------------------------------------
def test_stochastic_pooling_draws_in_proportion():
    mg.manual_seed(0)
    window = np.array([[1.0, 0.0], [2.0, 5.0]], "float32")
    t = mg.tensor(np.tile(window, (20_000, 1, 1, 1)), requires_grad=True)
    pool = nn.StochasticPool2d(2)
    y = pool(t)
    values, counts = np.unique(y.detach().numpy(), return_counts=True)
    assert values.tolist() == [1.0, 2.0, 5.0]
    np.testing.assert_allclose(counts / 20_000, values / 8, atol=0.012)
    y.sum().backward()
    assert (t.grad.numpy().sum((1, 2, 3)) == 1).all()
    assert np.array_equal((t.grad.numpy() * window).sum((1, 2, 3)), y.detach().numpy().ravel())
    pool.eval()
    assert pool(t[:1]).item() == pytest.approx((1 + 4 + 25) / 8)


def test_stochastic_pooling_of_zeros():
    t = mg.zeros((1, 2, 4, 4)).requires_grad_()
    for train in (True, False):
        t.grad = None
        y = nn.StochasticPool2d(2).train(train)(t)
        assert (y.detach().numpy() == 0).all()
        y.sum().backward()
        assert (t.grad.numpy() == 0).all()


def test_stochastic_pooling_with_padding_and_ceil_mode():
    """Every number drawn is in its window, and never one of the padding."""
    mg.manual_seed(0)
    a = np.random.default_rng(0).uniform(0.5, 1, (2, 3, 7, 8)).astype("float32")
    y = nn.StochasticPool2d(3, 2, 1, ceil_mode=True)(mg.tensor(a)).numpy()
    shape = nn.MaxPool2d(3, 2, 1, ceil_mode=True)(mg.tensor(a)).shape
    assert y.shape == shape
    padded = np.pad(a, [(0, 0), (0, 0), (1, 3), (1, 3)])
    for i, j in np.ndindex(shape[2:]):
        window = padded[:, :, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3].reshape(2, 3, -1)
        assert ((window == y[:, :, i, j, None]) & (window > 0)).any(-1).all()


def test_stochastic_pooling_in_half_precision_and_on_bad_input():
    t = mg.tensor(np.full((1, 1, 2, 2), 300.0, "float16"))
    y = nn.StochasticPool2d(2).eval()(t)
    assert (y.item(), y.dtype) == (300.0, np.float16)
    with pytest.raises(ValueError, match="relu"):
        nn.StochasticPool2d(2)(mg.tensor([[[-1.0, 1.0], [0.0, 1.0]]]))
