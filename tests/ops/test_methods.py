"""Operators and methods of Tensor: the functions of the same names, reached from the tensor."""

import inspect
import math

import numpy as np
import pytest

import minigrad as mg
from minigrad.errors import ShapeError
from minigrad.ops import methods

A = np.array([[0.5, 1.5, 2.5], [1.0, 3.0, 2.0]])


def leaf(a=A):
    return mg.tensor(np.array(a), requires_grad=True)


# -- operators --------------------------------------------------------------------------------------------------------
BINARY = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "**": lambda a, b: a**b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


@pytest.mark.parametrize("sign", BINARY)
@pytest.mark.parametrize("other", [A[::-1].copy(), 2, 1.5, np.float64(1.5), A[0].tolist(), A[:, :1]], ids=str)
def test_binary_operators_on_both_sides(sign, other):
    f = BINARY[sign]
    x = leaf()
    for got, want in ((f(x, other), f(A, np.asarray(other))), (f(other, x), f(np.asarray(other), A)), (f(x, mg.tensor(other)), None)):
        assert isinstance(got, mg.Tensor)
        if want is not None:
            np.testing.assert_allclose(got.detach().numpy(), want)
            assert got.dtype == want.dtype


@pytest.mark.parametrize("sign", ["&", "|", "^", "<<", ">>"])
def test_bitwise_operators(sign):
    f = eval(f"lambda a, b: a {sign} b")
    a, b = np.array([5, 6, 12]), np.array([1, 2, 3])
    for got in (f(mg.tensor(a), b), f(a, mg.tensor(b)), f(mg.tensor(a), mg.tensor(b))):
        assert isinstance(got, mg.Tensor)
        np.testing.assert_array_equal(got.numpy(), f(a, b))
    np.testing.assert_array_equal(f(5, mg.tensor(b)).numpy(), f(5, b))


def test_unary_operators():
    x = mg.tensor([-1.5, 2.5])
    assert (-x).tolist() == [1.5, -2.5]
    assert (+x).tolist() == [-1.5, 2.5]
    assert abs(x).tolist() == [1.5, 2.5]
    assert (~mg.tensor([True, False])).tolist() == [False, True]
    assert (~mg.tensor([0, 5])).tolist() == [-1, -6]
    assert round(mg.tensor([1.26, 2.5]), 1).tolist() == pytest.approx([1.3, 2.5])
    assert round(mg.tensor([1.6, 2.5])).tolist() == [2, 2]
    assert [v.tolist() for v in divmod(mg.tensor([7.0, -7.0]), 2)] == [[3, -4], [1, 1]]
    assert [v.tolist() for v in divmod(7.0, mg.tensor([2.0]))] == [[3], [1]]
    assert math.floor(mg.tensor(2.7)) == 2


def test_matmul_operator():
    x = leaf()
    np.testing.assert_allclose((x @ A.T).detach().numpy(), A @ A.T)
    np.testing.assert_allclose((A.T @ x).detach().numpy(), A.T @ A)
    np.testing.assert_allclose((A.T.tolist() @ x).detach().numpy(), A.T @ A)


def test_hot_operators_are_the_functions_themselves():
    for name, f in {"add": mg.add, "mul": mg.multiply, "sub": mg.subtract, "truediv": mg.divide, "matmul": mg.matmul}.items():
        assert getattr(mg.Tensor, f"__{name}__") is f


def test_equality_with_what_is_no_number():
    x = mg.tensor([1.0, 2.0])
    assert (x == None).tolist() == [False, False]  # noqa: E711
    assert (x != None).tolist() == [True, True]  # noqa: E711
    assert (x == "a").tolist() == [False, False]
    assert x is not None
    assert not (x == x).requires_grad


def test_membership_and_iteration():
    x = leaf()
    assert 2.5 in x
    assert 9.0 not in x
    rows = list(x)
    assert [r.shape for r in rows] == [(3,)] * 2
    (rows[1] * 2).sum().backward()
    assert x.grad.tolist() == [[0, 0, 0], [2, 2, 2]]
    _, b = x
    assert b.tolist() == A[1].tolist()
    for ask in (iter, len, list):
        with pytest.raises(TypeError, match="0-d"):
            ask(mg.tensor(1.0))
    assert list(mg.zeros((0, 3))) == []


# -- methods ----------------------------------------------------------------------------------------------------------
def test_methods_are_the_functions():
    for name, f in methods.METHODS.items():
        assert getattr(mg.Tensor, name) is f, name
        assert f.__doc__, name


ELEMENTWISE = """
    abs exp log sqrt sin cos tan tanh sinh cosh asin acos atan square reciprocal expm1 log1p log2 log10 sign floor ceil trunc
    """


@pytest.mark.parametrize("name", ELEMENTWISE.split())
def test_elementwise_methods(name):
    a = A / 4
    np.testing.assert_allclose(getattr(mg.tensor(a), name)().numpy(), getattr(mg, name)(a))


REDUCING = """
    sum prod mean var std max min argmax argmin any all cumsum cumprod sort argsort logsumexp softmax log_softmax flip
    """


@pytest.mark.parametrize("name", REDUCING.split())
def test_methods_with_an_axis(name):
    x = mg.tensor(A)
    np.testing.assert_array_equal(getattr(x, name)(axis=1).numpy(), getattr(mg, name)(A, axis=1))


AXES = [(name,) for name in REDUCING.split()] + [
    *(("squeeze",), ("expand_dims",), ("unstack",), ("median",), ("diff",), ("norm",), ("unique",)),
    *(("repeat", 2), ("take", 0), ("roll", 1), ("split", 1), ("chunk", 1), ("topk", 1), ("quantile", 0.5), ("take_along_axis", [[0]])),
]


@pytest.mark.parametrize("call", AXES, ids=lambda c: c[0])
def test_pytorchs_dim_is_answered_with_axis(call):
    name, *args = call
    with pytest.raises(TypeError, match=rf"{name}.*'dim' \(use axis=\)"):
        getattr(mg.tensor(A), name)(*args, dim=1)


@pytest.mark.parametrize("name", ["sum", "prod", "mean", "var", "std", "max", "min", "any", "all", "logsumexp"])
def test_pytorchs_keepdim_is_answered_with_keepdims(name):
    with pytest.raises(TypeError, match="keepdims"):
        getattr(mg.tensor(A), name)(axis=1, keepdim=True)


@pytest.mark.parametrize(
    ("call", "shape"),
    [
        (lambda x: x.reshape(3, 2), (3, 2)),
        (lambda x: x.reshape((3, 2)), (3, 2)),
        (lambda x: x.reshape([6]), (6,)),
        (lambda x: x.reshape(-1), (6,)),
        (lambda x: x.reshape(np.int64(6)), (6,)),
        (lambda x: x[0, 0].reshape(), ()),
        (lambda x: x.ravel(), (6,)),
        (lambda x: x.flatten(), (6,)),
        (lambda x: x.expand_dims(0).flatten(1), (1, 6)),
        (lambda x: x.expand_dims(0).flatten(0, 1), (2, 3)),
        (lambda x: x[0, 0].flatten(), (1,)),
        (lambda x: x.transpose(), (3, 2)),
        (lambda x: x.transpose(1, 0), (3, 2)),
        (lambda x: x.transpose((1, 0)), (3, 2)),
        (lambda x: x.permute(1, 0), (3, 2)),
        (lambda x: x.permute_dims((1, 0)), (3, 2)),
        (lambda x: x.swapaxes(0, 1), (3, 2)),
        (lambda x: x.T, (3, 2)),
        (lambda x: x[0].T, (3,)),
        (lambda x: x.mT, (3, 2)),
        (lambda x: x.expand_dims(0).mT, (1, 3, 2)),
        (lambda x: x.unsqueeze(1), (2, 1, 3)),
        (lambda x: x.unsqueeze(1).squeeze(1), (2, 3)),
        (lambda x: x.broadcast_to((4, 2, 3)), (4, 2, 3)),
        (lambda x: x.expand(4, 2, 3), (4, 2, 3)),
        (lambda x: x.expand_as(mg.zeros((4, 2, 3))), (4, 2, 3)),
        (lambda x: x.tile(2, 1), (4, 3)),
        (lambda x: x.tile((2, 1)), (4, 3)),
        (lambda x: x.repeat(2, axis=0), (4, 3)),
        (lambda x: x.take([0, 0], axis=1), (2, 2)),
        (lambda x: x.diagonal(), (2,)),
        (lambda x: x.dot(A.T), (2, 2)),
        (lambda x: x.norm(), ()),
        (lambda x: x.trace(), ()),
        (lambda x: x.clamp(1.0, 2.0), (2, 3)),
        (lambda x: x.clip(min=1.0), (2, 3)),
        (lambda x: x.masked_fill(A > 1, 0.0), (2, 3)),
        (lambda x: x.pow(2), (2, 3)),
        (lambda x: x.clone(), (2, 3)),
        (lambda x: x.copy(), (2, 3)),
        (lambda x: x.real, (2, 3)),
        (lambda x: x.conj(), (2, 3)),
    ],
)
def test_shapes_of_methods(call, shape):
    x = leaf()
    y = call(x)
    assert y.shape == shape
    assert y.requires_grad
    y.sum().backward()
    assert x.grad.shape == x.shape


def test_transposes_that_are_ambiguous_say_what_to_use():
    x = mg.zeros((2, 3, 4))
    with pytest.raises(ShapeError, match=r"T: .*\(2, 3, 4\).*\.mT"):
        _ = x.T
    with pytest.raises(ShapeError, match="mT"):
        _ = mg.zeros(3).mT
    with pytest.raises(ShapeError, match=r"swapaxes\(0, 1\)"):
        x.transpose(0, 1)
    assert x.transpose().shape == (4, 3, 2)


def test_unbinding_and_splitting():
    x = leaf()
    assert [t.shape for t in x.unbind()] == [(3,)] * 2
    assert [t.shape for t in x.split(3, axis=1)] == [(2, 1)] * 3


# -- dtypes and devices -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "dtype"),
    [("half", "float16"), ("float", "float32"), ("double", "float64"), ("int", "int32"), ("long", "int64"), ("bool", "bool")],
)
def test_casts_by_name(name, dtype):
    x = leaf()
    y = getattr(x, name)()
    assert y.dtype == dtype
    assert y.requires_grad == (dtype.startswith("float"))
    np.testing.assert_array_equal(y.detach().numpy(), A.astype(dtype))


def test_casting_keeps_the_gradients_dtype():
    x = leaf()
    (x.float() * 2).sum().backward()
    assert x.grad.dtype == np.float64
    assert not x.astype("int64").requires_grad
    assert x.astype(mg.float64, copy=False) is x
    assert x.astype("float64") is not x
    assert x.astype(bool).dtype == bool
    assert x.type_as(mg.tensor(1)).dtype == np.int64


def test_to():
    x = leaf()
    assert x.to("cpu") is x
    assert x.to(mg.device("cpu")) is x
    assert x.to("float32").dtype == np.float32
    assert x.to(np.float16).dtype == np.float16
    assert x.to(mg.float32).dtype == np.float32
    assert x.to("cpu", "float32").dtype == np.float32
    assert x.to(device="cpu", dtype="float32").dtype == np.float32
    assert x.to(mg.tensor(1, dtype="int32")).dtype == np.int32
    assert x.cpu() is x
    assert x.to_device("cpu") is x


def test_cuda_without_cupy_says_what_to_install():
    if mg.is_available("cuda"):
        pytest.skip("there is a GPU")
    with pytest.raises((ImportError, RuntimeError), match=r"(?i)cupy|cuda"):
        leaf().cuda()


def test_torchs_names_for_sizes():
    x = leaf()
    assert (x.dim(), x.numel(), x.itemsize) == (2, 6, 8)


def test_real_and_imaginary_parts():
    z = mg.tensor([1 + 2j, 3 - 1j])
    assert z.real.tolist() == [1, 3]
    assert z.imag.tolist() == [2, -1]
    assert z.conj().tolist() == [1 - 2j, 3 + 1j]


def test_no_method_hides_what_a_tensor_has():
    core = {"data", "node", "link", "grad", "name", "shape", "dtype", "device", "size", "ndim", "nbytes", "item", "tolist", "numpy"}
    assert not core & set(methods.METHODS)


def test_methods_say_what_they_take():
    for name, f in methods.METHODS.items():
        first = next(iter(inspect.signature(f).parameters.values()))
        assert first.kind in (first.POSITIONAL_ONLY, first.POSITIONAL_OR_KEYWORD), name
