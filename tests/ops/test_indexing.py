"""What the table cannot say of indexing: views and copies, duplicates, Tensors as indices, precision, errors."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import DTypeError, IndexRangeError, ShapeError
from minigrad.testing import gradcheck


def test_basic_is_a_view_and_advanced_a_copy():
    x = mg.tensor(np.arange(12.0).reshape(3, 4))
    for i in (0, (0, 1), (0, ..., 1), slice(1), (None, 1), ..., (), np.int64(1), np.array(1), mg.tensor(2), (slice(mg.tensor(1), None), 0)):
        assert np.shares_memory(x[i].data, x.data), i
    for i in ([0], [True, False, True], x > 3, mg.tensor([0, 1]), (0, [1]), True, (..., np.array([0]))):
        assert not np.shares_memory(x[i].data, x.data), i


def test_arrays_in_arrays_out():
    a = np.arange(6.0).reshape(2, 3)
    assert type(mg.ops.indexing.getitem(a, 0)) is np.ndarray
    assert type(mg.ops.indexing.getitem(a, (0, 1))) is np.ndarray
    assert type(mg.take(a, mg.tensor([0]), 1)) is np.ndarray
    assert all(type(i) is np.ndarray for i in mg.nonzero(a))
    assert all(isinstance(i, mg.Tensor) for i in mg.nonzero(mg.tensor(a)))
    assert isinstance(mg.one_hot(mg.tensor([1]), 2), mg.Tensor)
    assert mg.one_hot(mg.tensor([1]), 2).dtype == "float32"


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64"])
def test_duplicates_add_up(dtype):
    x = mg.tensor(np.ones(3, dtype), requires_grad=True)
    x[[0, 0, 2, 0]].sum().backward()
    assert x.grad.tolist() == [3, 0, 1]
    assert x.grad.dtype == dtype
    table = mg.tensor(np.zeros((5, 2), dtype), requires_grad=True)
    mg.take(table, [[1, 1], [4, 1]], axis=0).sum().backward()
    assert table.grad.tolist() == [[0, 0], [3, 3], [0, 0], [0, 0], [1, 1]]


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("size", [1, 100_000])
def test_many_duplicates_keep_precision(dtype, size):
    """A thousand times 0.1 into one element: added in double precision where it pays, in single where not."""
    x = mg.tensor(np.zeros(size, dtype), requires_grad=True)
    y = x[np.zeros(1000, int)]
    y.backward(np.full(1000, 0.1, dtype))
    want = 1000 * float(np.array(0.1, dtype))
    assert abs(float(x.grad.data[0]) - want) < want * (1e-3 if dtype == "float16" else 1e-5)


def test_few_values_into_much():
    x = mg.tensor(np.zeros((100, 100)), requires_grad=True)
    x[[3, 3, 99], [4, 4, 0]].sum().backward()
    assert x.grad.data[3, 4] == 2
    assert x.grad.data[99, 0] == 1
    assert x.grad.data.sum() == 3


def test_integers_and_booleans_add_up():
    assert mg.scatter_add(np.zeros(3, int), [0, 0, 2], [1, 2, 3], axis=0).tolist() == [3, 0, 3]
    assert mg.index_add(mg.zeros(2, dtype="int32"), [1, 1], mg.tensor([5, 6])).tolist() == [0, 11]


def test_gradient_of_what_was_overwritten_is_zero():
    values = mg.tensor([[1.0, 2.0, 3.0]], requires_grad=True)
    y = mg.put_along_axis(mg.zeros((1, 2)), [[0, 0, 1]], values, axis=1)
    assert y.tolist() == [[2, 3]]
    y.sum().backward()
    assert values.grad.tolist() == [[0, 1, 1]]


def test_gradients_through_views_of_views_and_mixed_indices():
    x = mg.tensor(np.random.default_rng(0).normal(size=(3, 4, 5)), requires_grad=True)
    assert gradcheck(lambda x: x[1:][::-1][..., 0][[0, 0, 1], 1:] ** 2, x)
    assert gradcheck(lambda x: x[:, [0, 1, 1], None, 1:3] ** 2, x)
    assert gradcheck(lambda x: x[[0, 1], :, [1, 1]] ** 2, x)


def test_masks():
    x = mg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    y = x[x > 1.5]
    y.sum().backward()
    assert y.tolist() == [2, 3, 4]
    assert x.grad.tolist() == [[0, 1], [1, 1]]
    assert x[True].shape == (1, 2, 2)
    assert x[False].shape == (0, 2, 2)
    assert x[np.array(False)].shape == (0, 2, 2)
    assert mg.masked_select(x, x > 9).shape == (0,)


def test_errors_name_function_index_and_size():
    x = mg.tensor(np.ones((2, 3)))
    for call, words in (
        (lambda: x[2], ("getitem", "2", "size 2")),
        (lambda: x[:, mg.tensor([3])], ("getitem", "3", "size 3")),
        (lambda: x[np.ones((3, 3), bool)], ("getitem", "boolean", "3")),
        (lambda: x[..., ...], ("getitem", "ellipsis")),
        (lambda: mg.take(x, [5], 0), ("take", "5", "size 2")),
        (lambda: mg.one_hot([3], 3), ("one_hot", "3", "expected 0 to 2")),
        (lambda: mg.index_add(x, [7], mg.ones((1, 3))), ("index_add", "7", "size 2")),
    ):
        with pytest.raises(IndexRangeError) as caught:
            call()
        assert all(w in str(caught.value) for w in words), caught.value
    for i in (1.0, np.float64(1), "a", mg.tensor([0.5]), [0.5], {}, (0, 1.5)):
        with pytest.raises(DTypeError, match="getitem"):
            x[i]
    with pytest.raises(ShapeError, match="getitem"):
        x[[0, 1], [0, 1, 2]]


def test_indices_may_be_of_any_integer_dtype():
    x = mg.tensor([1.0, 2.0, 3.0])
    for dtype in ("int8", "uint8", "int32", "uint64"):
        i = np.array([2, 0], dtype)
        assert x[i].tolist() == mg.take(x, i).tolist() == mg.take_along_axis(x, i, 0).tolist() == [3, 1]


def test_iterating_and_unpacking():
    a, b = mg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    assert (a * b).tolist() == [3, 8]


def test_where_trap():
    """The slope of log at 0 is not hidden by where; the recipe of its docstring avoids it."""
    x = mg.tensor([0.0, 2.0], requires_grad=True)
    safe = mg.where(x > 0, mg.log(mg.where(x > 0, x, 1.0)), 0.0)
    safe.sum().backward()
    assert x.grad.tolist() == [0, 0.5]
    big = mg.tensor([np.inf, 1.0], requires_grad=True)
    mg.where(np.array([False, True]), big, 3.0).sum().backward()
    assert big.grad.tolist() == [0, 1], "where's own rule gives exact zeros"


@pytest.mark.torch
def test_like_torch():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    a, i = rng.normal(size=(4, 5)), rng.integers(0, 4, size=(3, 5))
    x, t = mg.tensor(a, requires_grad=True), torch.tensor(a, requires_grad=True)
    y, z = mg.take_along_axis(x, i, 0) ** 2, torch.gather(t, 0, torch.tensor(i)) ** 2
    np.testing.assert_allclose(y.numpy(), z.detach().numpy())
    y.sum().backward()
    z.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), t.grad.numpy())
