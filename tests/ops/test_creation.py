"""What the table cannot say of creation: dtypes, memory, requires_grad, devices."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import DeviceError, DTypeError, GraphError


def test_default_dtypes():
    for t in (
        mg.zeros(2),
        mg.ones(2),
        mg.empty(2),
        mg.eye(2),
        mg.tri(2),
        mg.full(2, 1.0),
        mg.linspace(0, 1, 3),
        mg.arange(1.0),
        mg.geomspace(1, 2, 2),
    ):
        assert t.dtype == "float32"
        assert isinstance(t, mg.Tensor)
    assert mg.arange(3).dtype == "int64"
    assert mg.full(2, 1).dtype == "int64"
    assert mg.full(2, True).dtype == "bool"
    assert mg.arange(0, 1, 0.5).dtype == "float32"
    assert mg.full(2, 1j).dtype == "complex64"
    assert mg.full(2, np.float64(1)).dtype == "float64"
    mg.set_default_dtype("float64")
    try:
        assert mg.zeros(2).dtype == mg.linspace(0, 1, 2).dtype == mg.full(1, 0.5).dtype == "float64"
    finally:
        mg.set_default_dtype("float32")


def test_likes_keep_dtype_and_shape():
    x = mg.tensor(np.ones((2, 3), np.float16), requires_grad=True)
    for f in (mg.zeros_like, mg.ones_like, mg.empty_like):
        assert f(x).dtype == "float16"
        assert f(x).shape == (2, 3)
        assert not f(x).requires_grad
        assert f(x, dtype="int64").dtype == "int64"
    assert mg.full_like(x, 2.0).dtype == "float16"
    assert isinstance(mg.zeros_like(np.ones(2)), mg.Tensor)


def test_requires_grad():
    x = mg.ones(3, requires_grad=True)
    (x * x).sum().backward()
    assert x.grad.tolist() == [2, 2, 2]
    assert x.is_leaf
    for t in (
        mg.zeros(2, requires_grad=True),
        mg.linspace(0, 1, 2, requires_grad=True),
        mg.eye(2, requires_grad=True),
        mg.zeros_like(x, requires_grad=True),
    ):
        assert t.requires_grad
    with pytest.raises(DTypeError, match="int64"):
        mg.arange(3, requires_grad=True)


def test_memory():
    a = np.zeros(2)
    assert np.shares_memory(mg.from_numpy(a).data, a)
    assert np.shares_memory(mg.asarray(a).data, a)
    assert not np.shares_memory(mg.tensor(a).data, a)
    assert not np.shares_memory(mg.asarray(a, copy=True).data, a)
    assert not np.shares_memory(mg.asarray(a, dtype="float32").data, a)
    assert np.shares_memory(mg.asarray(a, copy=False).data, a)
    with pytest.raises(ValueError, match="copy"):
        mg.asarray(a, dtype="float32", copy=False)
    t = mg.ones(2, requires_grad=True)
    assert mg.asarray(t) is t
    assert mg.asarray(t, copy=True) is not t
    assert mg.asarray(t, copy=True).requires_grad
    assert mg.asarray(t, dtype="float64").requires_grad
    with pytest.raises(ValueError, match="copy"):
        mg.asarray(t, dtype="float64", copy=False)
    mg.from_numpy(a).add_(1)
    assert a.tolist() == [1, 1]


def test_arange_counts_before_it_rounds():
    assert mg.arange(0, 1, 0.1).shape == (10,)
    assert mg.arange(0, 1, 0.1, dtype="float16").shape == (10,)
    assert mg.arange(2**40, 2**40 + 2).tolist() == [2**40, 2**40 + 1]
    assert mg.arange(mg.tensor(3)).tolist() == [0, 1, 2]


def test_shapes_may_be_given_as_what_counts():
    assert mg.zeros([2, np.int64(3)]).shape == mg.zeros(np.array([2, 3])).shape == (2, 3)
    assert mg.zeros(mg.tensor(2)).shape == mg.zeros(np.int32(2)).shape == (2,)


def test_devices():
    assert mg.zeros(2, device="cpu").device == "cpu"
    with pytest.raises(DeviceError, match="tpu"):
        mg.zeros(2, device="tpu")


def test_memory_shared_with_a_leaf_is_locked_on_the_way_out():
    x = mg.ones(2, requires_grad=True)
    assert not x.numpy().flags.writeable
    with pytest.raises(GraphError):
        x += 1


@pytest.mark.parametrize(
    "make",
    [
        lambda t: mg.full(3, t),
        lambda t: mg.full_like(mg.zeros(3), t),
        lambda t: mg.arange(t),
        lambda t: mg.linspace(0.0, t, 3),
        lambda t: mg.geomspace(t, 4.0, 3),
    ],
    ids=["full", "full_like", "arange", "linspace", "geomspace"],
)
def test_a_value_in_a_graph_is_not_silently_cut_off(make, request):
    t = mg.tensor(2.0, requires_grad=True)
    with pytest.raises(GraphError, match=rf"{request.node.callspec.id}: a value .* requires grad"):
        make(t)
    assert make(t.detach()).shape == make(mg.tensor(2.0)).shape
    with mg.no_grad():
        make(t)
