"""Methods that write: values, dtypes, shapes. (The graph is tested in tests/autograd/test_inplace.py.)"""

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import DTypeError, ShapeError


def leaf(*shape, seed=0):
    return mg.tensor(np.random.default_rng(seed).normal(size=shape), requires_grad=True)


def ramp(*shape):
    return np.arange(1.0, 1.0 + np.prod(shape)).reshape(shape)


# -- values -----------------------------------------------------------------------------------------------------------
def test_memory_is_shared_and_identity_kept():
    y = mg.tensor(ramp(4))
    before, data = y, y.data
    y += 1
    y *= 2
    assert y is before
    assert y.data is data
    v = y[1:3]
    v.zero_()
    assert y.tolist() == [4.0, 0.0, 0.0, 10.0]
    assert y[0].data.base is not None, "a single element is a view too"


@pytest.mark.parametrize("name", ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow"])
@pytest.mark.parametrize("graph", [False, True])
def test_operators_agree_with_numpy(name, graph):
    a, b = ramp(2, 3), ramp(3) + 0.5
    want = getattr(a, f"__{name}__")(b)
    t = mg.tensor(a)
    if graph:
        t = t.requires_grad_() * 1.0
    out = getattr(t, f"__i{name}__")(mg.tensor(b))
    assert out is t
    np.testing.assert_allclose(t.numpy(), want)


@pytest.mark.parametrize(("name", "b"), [("and", 6), ("or", 6), ("xor", 6), ("lshift", 1), ("rshift", 1)])
def test_bit_operators(name, b):
    t = mg.tensor([5, 3])
    getattr(t, f"__i{name}__")(b)
    assert t.tolist() == getattr(np.array([5, 3]), f"__{name}__")(b).tolist()


def test_overlap_in_memory_is_copied_first():
    y = mg.tensor(ramp(5))
    y[1:] += y[:-1]
    assert y.tolist() == [1, 3, 5, 7, 9]
    y[:] = y[::-1]
    assert y.tolist() == [9, 7, 5, 3, 1]


def test_setitem_values():
    y = mg.zeros((2, 3))
    y[0] = [1, 2, 3]
    y[1, ::2] = mg.tensor([[5.0, 6.0]])  # leading axes of length 1 may be too many, as in NumPy
    y[[1], [1]] = 7
    assert y.tolist() == [[1, 2, 3], [5, 7, 6]]
    y[y > 5] = 0.5
    assert y.tolist() == [[1, 2, 3], [5, 0.5, 0.5]]
    y[0, 0] = np.float64(9)
    y[1] = np.arange(3)
    assert y.tolist() == [[9, 2, 3], [0, 1, 2]]
    assert y.dtype == "float32"
    y[...] = True
    assert y.tolist() == [[1, 1, 1], [1, 1, 1]]


def test_augmented_item_writes_once():
    x = leaf(3)
    y = x * 2
    y[1] += 1
    assert y._version == 1
    assert y.grad_fn.name == "write"
    z = mg.tensor(ramp(3))
    z[1:] *= 2
    assert z._version == 1
    assert z.tolist() == [1, 4, 6]


# -- dtypes and shapes ------------------------------------------------------------------------------------------------
def test_dtypes():
    i = mg.tensor([1, 2])
    with pytest.raises(DTypeError, match=r"__iadd__.*float.*int64"):
        i += 0.5
    with pytest.raises(DTypeError, match="__itruediv__"):
        i /= 2
    with pytest.raises(DTypeError, match="setitem"):
        i[0] = 1.5
    with pytest.raises(DTypeError, match="copy_"):
        i.copy_(mg.tensor([0.5, 1.0]))
    with pytest.raises(DTypeError, match="fill_"):
        i.fill_(0.5)
    with pytest.raises(DTypeError, match="setitem"):
        i[[0]] = np.array([0.5])
    with pytest.raises(DTypeError):
        mg.tensor([True])[0:1].add_(1)
    with pytest.raises(DTypeError):
        mg.tensor([1.0])[0] = 1j
    assert i.tolist() == [1, 2], "a failed write changes nothing"
    i += True
    i[0] = False
    assert i.tolist() == [0, 3]
    assert i.dtype == "int64"
    f = mg.tensor([1.0, 2.0])
    f += mg.tensor([1, 2])
    f *= np.float64(2)
    f += np.ones(2)
    assert f.dtype == "float32"
    assert f.tolist() == [5, 9]


def test_a_wider_value_is_cast_and_its_gradient_keeps_its_dtype():
    x, w = mg.tensor([1.0, 2.0], requires_grad=True), leaf(2)
    y = x * 1
    y *= w
    assert y.dtype == "float32"
    y[0] = w[1]
    y.sum().backward()
    assert x.grad.dtype == "float32"
    assert w.grad.dtype == "float64"
    np.testing.assert_allclose(w.grad.numpy(), [0, 2 + 1])
    z = mg.tensor(np.ones(2, np.float16), requires_grad=True) * 1
    z += x
    assert z.dtype == "float16"
    z.sum().backward()


@pytest.mark.parametrize("graph", [False, True])
def test_shapes(graph):
    y = mg.tensor(ramp(3))
    y = y.requires_grad_() * 1 if graph else y
    with pytest.raises(ShapeError, match=r"__iadd__.*\(3,\).*\(2, 3\)"):
        y += np.ones((2, 3))
    with pytest.raises(ShapeError, match="mul_"):
        y.mul_(np.ones(2))
    with pytest.raises(ShapeError, match="copy_"):
        y.copy_(np.ones(2))
    with pytest.raises(ShapeError, match=r"\(2,\)|\[2\]"):
        y[:] = np.ones(2)
    with pytest.raises(ShapeError):
        y[[0, 1, 2]] = np.ones(2)
    with pytest.raises(ShapeError, match="fill_"):
        y.fill_([1.0, 2.0])
    with pytest.raises(IndexError, match=r"setitem.*index 3.*size 3|getitem.*index 3.*size 3"):
        y[3] = 0
    with pytest.raises(IndexError, match=r"setitem.*index 3.*size 3"):
        y[[3]] = 0
    with pytest.raises(IndexError):
        y[np.ones(4, bool)] = 0
    assert y.tolist() == [1, 2, 3]
    assert y._version == 0


def test_empty_regions():
    x = leaf(3)
    y = x * 2
    y[1:1] = 5
    y[[]] = 3
    y[np.zeros(3, bool)] = 1.0
    y[:0] *= 2
    y.sum().backward()
    assert x.grad.tolist() == [2, 2, 2]


@pytest.mark.parametrize("graph", [False, True])
def test_methods_agree_with_the_functions(graph):
    from minigrad.ops.inplace import METHODS

    a = ramp(2, 3) / 7
    arguments = {
        **dict.fromkeys(("add", "sub", "mul", "div", "pow", "remainder", "floor_divide"), (np.array([2.0, 0.5, 3.0]),)),
        "clip": (0.3, 0.7),
        "clamp": (0.3, 0.7),
        "lerp": (np.ones(3), 0.25),
        "masked_fill": (a > 0.5, 9.0),
        "put_along_axis": ([[1], [0]], 5.0, 1),
        "scatter": ([[1], [0]], 5.0, 1),
        "scatter_add": ([[1], [0]], 5.0, 1),
        "index_add": ([1, 1], np.ones((2, 3))),
    }
    for name, (f, _) in METHODS.items():
        args = arguments.get(name, ())
        t = mg.tensor(a, requires_grad=graph) * 1
        assert getattr(t, name + "_")(*args) is t
        np.testing.assert_array_equal(t.numpy(), f(a, *args), err_msg=name)
        assert t.requires_grad is graph, name


def test_keywords_reach_the_function():
    assert mg.tensor([-1.0, 5.0]).clip_(max=2.0).tolist() == [-1, 2]
    assert mg.tensor([-1.0, 5.0]).clamp_(min=0.0).tolist() == [0, 5]
