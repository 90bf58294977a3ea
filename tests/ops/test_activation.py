"""Activations: kinks, both ends, NaN, dtypes; and the same values and slopes as PyTorch."""

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad.nn import functional as act

INF, NAN = math.inf, math.nan
ELEMENTWISE = [
    "relu",
    "leaky_relu",
    "relu6",
    "hardtanh",
    "hardsigmoid",
    "hardswish",
    "softshrink",
    "hardshrink",
    "elu",
    "celu",
    "selu",
    "softplus",
    "logsigmoid",
    "softsign",
    "tanhshrink",
    "gelu",
    "silu",
    "mish",
    "sigmoid",
]


def leaf(x, dtype="float64"):
    return mg.tensor(np.array(x, dtype), requires_grad=True)


def slope(f, x, dtype="float64"):
    x = leaf(x, dtype)
    y = f(x)
    return mg.grad(y, x, np.ones(y.shape, dtype))[0].numpy()


@pytest.mark.parametrize(
    ("f", "x", "want"),
    [
        (act.relu, [-1, 0, -0.0, 1], [0, 0, 0, 1]),
        (act.relu6, [0, 3, 6, 7], [0, 1, 0, 0]),
        (act.hardtanh, [-1, 0, 1], [0, 1, 0]),
        (act.leaky_relu, [-1, 0, 1], [0.01, 0.01, 1]),
        (lambda x: act.prelu(x, 0.5), [-1, 0, 1], [0.5, 0.5, 1]),
        (lambda x: act.elu(x, 0.5), [0, 1], [0.5, 1]),
        (lambda x: act.celu(x, 0.5), [0, 1], [1, 1]),
        (act.softshrink, [-0.5, 0, 0.5, 1], [0, 0, 0, 1]),
        (act.hardshrink, [-0.5, 0, 0.5, 1], [0, 0, 0, 1]),
        (lambda x: act.threshold(x, 1.0, 5.0), [0, 1, 2], [0, 0, 1]),
        (lambda x: act.maxout(x, 2, axis=0), [1, 1, 2, 3], [0.5, 0.5, 0, 1]),
    ],
)
def test_kinks(f, x, want):
    assert np.array_equal(slope(f, x), want)


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_far_out_and_nan(name, dtype):
    """No overflow, no warning, no NaN at +-1e4, to second order; NaN in, NaN out."""
    f = getattr(act, name)
    x = leaf([-1e4, -50, 50, 1e4], dtype)
    y = f(x)
    assert np.isfinite(y.numpy()).all()
    (d,) = mg.grad(y, x, np.ones(4, dtype), create_graph=True)
    assert np.isfinite(d.numpy()).all()
    if d.requires_grad:
        (dd,) = mg.grad(d, x, np.ones(4, dtype))
        assert np.isfinite(dd.numpy()).all()
        assert dd.dtype == dtype
    assert y.dtype == d.dtype == dtype
    assert np.isnan(f(np.array([NAN], dtype))[0])


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_narrow_dtypes_and_no_dimensions(name):
    f = getattr(act, name)
    y = f(mg.tensor(np.array(0.7, "float32"), requires_grad=True))
    assert y.dtype == np.float32
    assert y.shape == ()
    y.backward()


def test_relu_keeps_only_its_output():
    assert act.relu.op.keep == (True, False)
    x = leaf([1.0, -1.0])
    assert act.relu(x).node.saved[1] is None
    assert act.relu(np.array([3, -3])).dtype.kind == "i"


def test_lists_are_taken():
    for name in ELEMENTWISE:
        assert np.shape(getattr(act, name)([0.5, -0.5])) == (2,), name
    assert act.glu([1.0, 0.0])[0] == 0.5
    assert act.crelu([[1.0, -2.0]]).tolist() == [[1, 0, 0, 2]]
    assert act.prelu([1.0, -2.0], 0.5).tolist() == [1, -1]
    assert act.maxout([[1.0, 2.0]], 2).tolist() == [[2]]


def test_logsigmoid_keeps_its_digits():
    y = act.logsigmoid(np.array([-1000.0, 50.0]))
    assert y[0] == -1000
    assert abs(y[1] / -math.exp(-50) - 1) < 1e-14
    g = slope(act.logsigmoid, [-1000.0, 50.0])
    assert g[0] == 1
    assert abs(g[1] / math.exp(-50) - 1) < 1e-13


def test_gelu_tail():
    y = act.gelu(np.array([-10.0]))
    assert abs(y[0] / (-10 * math.erfc(10 / math.sqrt(2)) / 2) - 1) < 1e-12


def test_softplus_above_its_threshold_is_the_identity():
    assert act.softplus(np.array([1.0]), threshold=0.5)[0] == 1
    assert slope(lambda x: act.softplus(x, threshold=0.5), [1.0]) == 1


def test_prelu_learns_its_slopes():
    x, w = leaf(np.arange(-6.0, 6.0).reshape(2, 3, 2)), leaf([0.1, 0.2, 0.3])
    dw = mg.grad(act.prelu(x, w).sum(), w)[0].numpy()
    assert np.array_equal(dw, np.minimum(x.numpy(), 0).sum((0, 2)))
    for bad in (np.ones(2), np.ones((3, 1))):
        with pytest.raises(mg.errors.ShapeError, match="prelu"):
            act.prelu(x, bad)


@pytest.mark.torch
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_values_and_slopes_are_those_of_torch(name):
    torch = pytest.importorskip("torch")
    x = np.linspace(-7.3, 7.9, 400)
    t = torch.tensor(x, requires_grad=True)
    y = getattr(torch.nn.functional, name)(t)
    y.sum().backward()
    f = getattr(act, name)
    assert np.allclose(f(x), y.detach().numpy(), rtol=1e-12, atol=1e-14)
    rtol = 1e-7 if name == "hardsigmoid" else 1e-11  # PyTorch's slope there is 1/6 in float32
    assert np.allclose(slope(f, x), t.grad.numpy(), rtol=rtol, atol=1e-13)


@pytest.mark.torch
def test_arguments_are_those_of_torch():
    torch = pytest.importorskip("torch")
    x = np.linspace(-3, 3, 60).reshape(5, 12)
    for name, args in [
        ("leaky_relu", (0.3,)),
        ("elu", (0.3,)),
        ("celu", (0.3,)),
        ("softplus", (2.0, 3.0)),
        ("hardtanh", (-0.5, 2.0)),
        ("softshrink", (1.5,)),
        ("hardshrink", (1.5,)),
        ("threshold", (0.1, 20.0)),
        ("glu", (1,)),
        ("prelu", (np.linspace(0, 1, 12),)),
    ]:
        theirs = [torch.tensor(a) if isinstance(a, np.ndarray) else a for a in args]
        want = getattr(torch.nn.functional, name)(torch.tensor(x), *theirs).numpy()
        assert np.allclose(getattr(act, name)(x, *args), want, rtol=1e-12, atol=1e-14), name
    want = torch.nn.functional.gelu(torch.tensor(x), approximate="tanh").numpy()
    assert np.allclose(act.gelu(x, approximate="tanh"), want, rtol=1e-12)
