"""What the table cannot say of shapes: what is a view, layouts in memory, dtypes."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import DTypeError, ShapeError
from minigrad.ops import shape


def test_views_share_memory():
    x = mg.tensor(np.arange(12.0).reshape(3, 4))
    for y in (
        mg.reshape(x, (4, 3)),
        mg.ravel(x),
        mg.permute_dims(x, (1, 0)),
        mg.swapaxes(x, 0, 1),
        mg.flip(x),
        mg.squeeze(x[None]),
        mg.expand_dims(x, 0),
        mg.diagonal(x),
        mg.broadcast_to(x, (2, 3, 4)),
        mg.sliding_window_view(x, 2, 1),
        mg.matrix_transpose(x),
        mg.moveaxis(x, 0, 1),
        mg.rot90(x),
        mg.flatten(x),
        mg.unflatten(x, 1, (2, 2)),
        mg.atleast_3d(x),
    ):
        assert np.shares_memory(y.data, x.data)
    for y in (mg.clone(x), mg.roll(x, 1), mg.astype(x, "float64"), mg.reshape(mg.permute_dims(x, (1, 0)), (-1,)), mg.tril(x)):
        assert not np.shares_memory(y.data, x.data)


def test_a_reshape_that_copies_is_no_view():
    x = mg.tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    y = x * 2
    r = mg.reshape(mg.permute_dims(y, (1, 0)), (-1,))
    r += 1  # does not reach y
    assert y.tolist() == [[0, 2, 4], [6, 8, 10]]
    (y.sum() + r.sum()).backward()
    assert x.grad.tolist() == [[4, 4, 4], [4, 4, 4]]


def test_astype():
    x = mg.tensor([1.5, -2.5], requires_grad=True)
    assert mg.astype(x, "int32").dtype == "int32"
    assert not mg.astype(x, "int32").requires_grad
    assert not mg.astype(x, bool).requires_grad
    assert mg.astype(x, "float32", copy=False) is x
    assert mg.astype(x, "float32") is not x
    y = mg.astype(x, "float64")
    (y * y).sum().backward()
    assert x.grad.tolist() == [3, -5]
    assert x.grad.dtype == "float32"
    z = mg.tensor([1.0, 2.0], requires_grad=True)
    mg.real(mg.astype(z, "complex64") * (2 + 1j)).sum().backward()
    assert z.grad.tolist() == [2, 2]
    with pytest.raises(DTypeError, match=r"imaginary.*real\(x\)"):
        mg.astype(mg.tensor([1j]), "float32")


def test_clone_passes_gradients_and_has_its_own_memory():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    y = mg.clone(x)
    y += 1
    (y * y).sum().backward()
    assert x.tolist() == [1, 2]
    assert x.grad.tolist() == [4, 6]


def test_contiguous():
    x = mg.tensor(np.ones((2, 3)))
    assert shape.contiguous(x) is x
    y = shape.contiguous(mg.permute_dims(x, (1, 0)))
    assert y.data.flags.c_contiguous
    assert y.shape == (3, 2)


def test_shapes_as_lists_integers_and_numpy_integers():
    x = mg.zeros(6)
    assert mg.reshape(x, [2, 3]).shape == mg.reshape(x, (np.int64(2), -1)).shape == (2, 3)
    assert mg.reshape(x, np.int32(6)).shape == mg.reshape(x, -1).shape == (6,)
    assert x.reshape(2, 3).shape == x.reshape((2, 3)).shape == (2, 3)
    assert mg.broadcast_to(x, [2, 6]).shape == (2, 6)
    assert mg.expand(x, 2, -1).shape == mg.expand(x, (2, -1)).shape == (2, 6)
    assert mg.reshape(mg.zeros((0, 3)), (0,)).shape == (0,)
    for bad in ((0, -1), (-1, -1), (-3,), (4, 2), 7):
        with pytest.raises(ShapeError, match="reshape"):
            mg.reshape(mg.zeros((0, 3)) if bad == (0, -1) else x, bad)


def test_axes_must_be_integers():
    x = mg.zeros((2, 3))
    for call in (
        lambda: mg.flip(x, True),
        lambda: mg.flip(x, 1.0),
        lambda: mg.squeeze(x, "a"),
        lambda: mg.moveaxis(x, 0.5, 1),
        lambda: mg.expand_dims(x, None),
    ):
        with pytest.raises(DTypeError, match="axis must be an integer"):
            call()
    with pytest.raises(TypeError):
        mg.flip(x, dim=0)


def test_half_precision_sums_of_windows_and_diagonals():
    x = mg.tensor(np.zeros(2000, np.float16), requires_grad=True)
    mg.sliding_window_view(x, 1000).sum().backward()
    assert x.grad.dtype == "float16"
    assert x.grad.data.max() == 1000
    assert mg.trace(mg.tensor(np.full((3000, 3000), 1, np.float16))).item() == 3000
