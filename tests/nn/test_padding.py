"""Padding layers: every kind against NumPy's, settings."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import DTypeError, ShapeError
from minigrad.nn import functional as F

KINDS = {"Zero": "constant", "Constant": "constant", "Reflection": "reflect", "Replication": "edge", "Circular": "wrap"}


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_padding_is_numpys(kind, n):
    a = np.random.default_rng(0).normal(size=(2, 3, *(4, 5, 6)[:n])).astype("float32")
    widths = [1, 2, 0, 3, 2, 1][: 2 * n]
    value = (0.5,) if kind == "Constant" else ()
    pairs = [(0, 0), (0, 0), *[tuple(widths[i : i + 2]) for i in range(0, 2 * n, 2)][::-1]]
    more = {"constant_values": value[0] if value else 0.0} if KINDS[kind] == "constant" else {}
    layer = getattr(nn, f"{kind}Pad{n}d")(tuple(widths), *value)
    x = mg.tensor(a, requires_grad=True)
    y = layer(x)
    assert np.array_equal(y.detach().numpy(), np.pad(a, pairs, KINDS[kind], **more))
    y.sum().backward()
    inside = KINDS[kind] == "constant"
    assert x.grad.numpy().sum() == (a.size if inside else y.size)
    assert layer.padding == tuple(widths)
    assert getattr(nn, f"{kind}Pad{n}d")(1, *value).padding == (1,) * (2 * n)
    assert layer(mg.tensor(a[0])).shape == y.shape[1:]


def test_negative_padding_cuts_off():
    assert nn.ZeroPad1d((-1, 1))(mg.tensor([[1.0, 2.0, 3.0]])).tolist() == [[2.0, 3.0, 0.0]]
    assert nn.ConstantPad2d((0, 0, -1, -1), 9.0)(mg.ones((3, 2))).shape == (1, 2)


def test_bad_settings():
    with pytest.raises(ShapeError, match="ZeroPad2d"):
        nn.ZeroPad2d((1, 2, 3))
    with pytest.raises(DTypeError, match="CircularPad1d"):
        nn.CircularPad1d(1.5)
    with pytest.raises(ShapeError, match="ReflectionPad3d"):
        nn.ReflectionPad3d(1)(mg.ones((2, 3)))
    assert repr(nn.ZeroPad2d(1)) == "ZeroPad2d((1, 1, 1, 1))"
    assert repr(nn.ConstantPad1d(2, 0.5)) == "ConstantPad1d(padding=(2, 2), value=0.5)"


def test_functional_padding_counts_from_the_last_axis():
    t = mg.tensor(np.arange(6.0, dtype="float32").reshape(2, 3))
    assert F.pad(t, (1, 2)).shape == (2, 6)
    assert F.pad(t, (0, 0, 3, 0)).shape == (5, 3)
    assert F.pad(t, ()).tolist() == t.tolist()


def test_functional_padding_refuses_what_makes_no_sense():
    t = mg.ones((2, 3))
    with pytest.raises(DTypeError, match="integers"):
        F.pad(t, (1.5, 1))
    with pytest.raises(ShapeError, match="cuts off more"):
        F.pad(t, (-2, -2))
    assert F.pad(t, (-2, -1)).shape == (2, 0)
    with pytest.raises(ShapeError, match="at most 4"):
        F.pad(t, (1,) * 6)


def test_flatten_checks_its_axes():
    t = mg.ones((2, 3, 4))
    assert F.flatten(mg.tensor(1.0)).shape == (1,)
    assert F.flatten(t, -2).shape == (2, 12)
    with pytest.raises(ShapeError, match="flatten"):
        F.flatten(t, 2, 1)
    with pytest.raises(ValueError, match="flatten"):
        F.flatten(t, 3)
