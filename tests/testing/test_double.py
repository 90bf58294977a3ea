"""The double catches what it is there for: each fault is planted here once."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.autograd.forms import apply, general
from minigrad.autograd.tensor import wrap
from minigrad.errors import DeviceError
from minigrad.testing.double import DoubleArray, SynchronizationError, capturing, counts, cupy_api, no_sync, put, register
from minigrad.testing.double import double as xp

register()


def tensor(values=((1.0, -2.0), (3.0, 4.0)), dtype="float32"):
    return wrap(put(np.asarray(values, dtype)), None)


def op(kernel):
    """A planted kernel as an op of one input."""
    made = general(kernel, inputs=1, name="planted")
    return lambda x: apply(made, (x,))


def test_a_good_kernel_passes():
    with capturing():
        y = op(lambda xp, x: xp.maximum(x * 2.0, 0).sum(axis=0, keepdims=True))(tensor())
    assert isinstance(y.data, DoubleArray)
    assert y.data.get().tolist() == [[8.0, 8.0]]


@pytest.mark.parametrize(
    "kernel",
    [
        lambda xp, x: x * float(x.max()),
        lambda xp, x: x * int(x.max()),
        lambda xp, x: x if x.max() > 0 else -x,
        lambda xp, x: x * x.max().item(),
        lambda xp, x: x * x.tolist()[0][0],
        lambda xp, x: x * complex(x[0, 0]).real,
        lambda xp, x: xp.asarray(x.get() * 2),
        lambda xp, x: x if 3.0 in x[0] else -x,
        lambda xp, x: x[x > 0],
        lambda xp, x: x.nonzero()[0],
        lambda xp, x: xp.where(x > 0)[0],
        lambda xp, x: xp.unique(x),
        lambda xp, x: xp.asarray([1.0, 2.0]) * x,
        lambda xp, x: x[[0, 1]],
    ],
    ids=["float", "int", "bool", "item", "tolist", "complex", "get", "contains", "mask", "nonzero", "where", "unique", "list", "index"],
)
def test_waiting_is_caught(kernel):
    f = op(kernel)
    f(tensor())  # it works, and waits
    with no_sync(), pytest.raises(SynchronizationError, match="no_sync"):
        f(tensor())


@pytest.mark.parametrize(
    ("kernel", "words"),
    [
        (lambda xp, x: np.exp(x), "ufunc"),
        (lambda xp, x: np.sum(x), "np.sum"),
        (lambda xp, x: np.asarray(x), "implicit conversion"),
        (lambda xp, x: np.concatenate([x, x]), "np.concatenate"),
        (lambda xp, x: x * np.ones((2, 2), "float32"), "NumPy array"),
        (lambda xp, x: np.ones((2, 2), "float32") * x, "NumPy array"),
        (lambda xp, x: xp.where(x > 0, x, np.zeros((2, 2))), "NumPy array"),
        (lambda xp, x: x * np.float64(2), "widens"),
        (lambda xp, x: np.float32(2) * x, "widens"),
        (lambda xp, x: x + np.int64(2), "widens"),
        (lambda xp, x: xp.maximum(x, np.finfo("float32").tiny), "widens"),
        (lambda xp, x: x.sum(where=x > 0), "where"),
        (lambda xp, x: xp.sum(x, initial=0.0), "initial"),
        (lambda xp, x: xp.exp(x, order="C"), "order"),
        (lambda xp, x: xp.sum([x, x]), "list"),
        (lambda xp, x: xp.add.at(xp.zeros(3, "complex64"), xp.arange(2), x[0]) or x, "complex64"),
    ],
)
def test_mixing_is_caught(kernel, words):
    with pytest.raises((TypeError, DeviceError)) as caught:
        op(kernel)(tensor())
    seen = [caught.value]
    while seen[-1].__context__ is not None:
        seen.append(seen[-1].__context__)
    assert any(words in str(e) for e in seen), seen


def test_what_cupy_lacks():
    with pytest.raises(AttributeError, match="CuPy 14"):
        xp.geomspace  # noqa: B018
    with pytest.raises(NotImplementedError):
        xp.maximum.reduce(tensor().data)
    with pytest.raises(TypeError):
        range(tensor([3], "int64").data[0])  # no __index__
    assert not hasattr(tensor().data.flags, "writeable")
    assert not hasattr(tensor().data, "newbyteorder")


def test_capturing_refuses_libraries():
    x = tensor().data
    with no_sync():
        x @ x
        xp.linalg.inv(x)
    for f in (lambda: x @ x, lambda: xp.matmul(x, x), lambda: x.dot(x), lambda: xp.linalg.inv(x)):
        with capturing(), pytest.raises(SynchronizationError, match="capture"):
            f()


def test_sending_may_be_allowed():
    with no_sync(sending=True):
        a = xp.asarray([1.0, 2.0])
        with pytest.raises(SynchronizationError):
            a.get()
    with no_sync(), pytest.raises(SynchronizationError):
        xp.asarray([1.0, 2.0])


def test_waiting_is_counted():
    before = counts["float()"]
    float(tensor(2.0).data)
    assert counts["float()"] == before + 1


def test_reductions_have_no_scalars():
    x = tensor().data
    for y in (x.sum(), x.max(), xp.mean(x), xp.add.reduce(x, None), x[0, 0], xp.exp(1.0), xp.allclose(x, x)):
        assert isinstance(y, DoubleArray)
        assert y.shape == ()


def test_empty_memory_shows():
    assert np.isnan(xp.empty(3, "float32").get()).all()
    assert np.isnan(xp.empty_like(tensor().data).get()).all()
    assert (xp.empty(2, "int64").get() == np.iinfo("int64").max).all()


def test_views_know_their_base():
    x = tensor().data
    v = x[0]
    assert v.base is x
    assert v[1:].base is x
    assert x.T.base is x
    assert x.reshape(4).base is x
    assert (x * 2).base is None
    assert x[xp.arange(2)].base is None
    assert x[0, 0].base is x
    v[...] = 7.0
    assert x.get()[0].tolist() == [7.0, 7.0]
    y = x
    y += 1
    assert y is x
    assert x.get()[0].tolist() == [8.0, 8.0]
    out = xp.empty((2, 2), "float32")
    assert xp.exp(x, out=out) is out


def test_the_device_has_a_name():
    x = mg.tensor([1.0, 2.0]).to(device="double")
    assert str(x.device) == "double"
    assert x.device == "double"
    assert x.numpy().tolist() == [1.0, 2.0]
    with pytest.raises(DeviceError, match="cpu and double"):
        x + mg.tensor([1.0, 2.0])


def test_a_training_step_without_waiting():
    """Forward, backward and an update, with the host told nothing."""
    x, w = tensor(), tensor().requires_grad_()
    with no_sync():
        for _ in range(2):
            loss = ((x @ w).tanh() ** 2).mean()
            loss.backward()
        with mg.no_grad():
            w -= 0.1 * w.grad
    assert np.isfinite(w.numpy()).all()


def test_the_list_of_names():
    names = cupy_api.names()
    assert {"exp", "linalg.svd", "fft.rfft", "lib.stride_tricks.as_strided", "float32"} <= names
    assert not {"geomspace", "block", "vecdot", "longdouble"} & names
    known = cupy_api.signatures(cupy_api.FUNCTIONS)
    assert known["sum"] == ("a", "axis=", "dtype=", "out=", "keepdims=")
    real = [n for n in cupy_api.ATTRIBUTES.split() if not hasattr(DoubleArray, n)]
    assert real == ["cstruct", "flat"]
    assert all(hasattr(DoubleArray, n) for n in cupy_api.signatures(cupy_api.METHODS))
